// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
// So many tiles on one screen, as large as they can be. Pure.

export interface Tiles {
  columns: number
  size: number
  tall: number
  gap: number
}

/** A tile is twice as wide as it is high while there are few: it then carries words. */
const WIDE = 1.8
const SIZE_MAX = 320

export function layOut(n: number, width: number, height: number): Tiles {
  let best: Tiles = { columns: 1, size: 1, tall: 1, gap: 0 }
  if (n === 0 || width < 1 || height < 1) return best
  for (let columns = 1; columns <= n && columns <= width; columns++) {
    const rows = Math.ceil(n / columns)
    const cell = Math.min(width / columns, SIZE_MAX)
    const gap = cell < 8 ? 1 : cell < 30 ? 2 : 5
    const size = cell - gap
    const ratio = cell > 60 ? WIDE : 1
    const tall = Math.min(size / ratio, height / rows - gap)
    if (tall > 0 && size * tall > best.size * best.tall) best = { columns, size, tall, gap }
  }
  return best
}

/** The tile there; -1: none. */
export function tileAt(t: Tiles, n: number, x: number, y: number): number {
  const column = Math.floor(x / (t.size + t.gap))
  const i = Math.floor(y / (t.tall + t.gap)) * t.columns + column
  return x >= 0 && y >= 0 && column < t.columns && i < n ? i : -1
}

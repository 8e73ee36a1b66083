// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
// The last reports of a worker, for the small curves in the table. Kept as numbers in one block:
// ten thousand workers have three curves each.

const LENGTH = 48
export const CURVES = ['memory', 'cpu', 'rate'] as const
export type Curve = (typeof CURVES)[number]

export class History {
  private values: Float32Array | null = null
  private next = 0
  private kept = 0
  /** Grows with each change: tells whether a curve has to be drawn again. */
  version = 0
  /** When the first of them was reported (ms). */
  began: number | null = null
  /** Older reports have been asked for. */
  seeded = false

  add(memory: number | null, cpu: number | null, rate: number | null): void {
    this.values ??= new Float32Array(LENGTH * CURVES.length).fill(NaN)
    const at = this.next * CURVES.length
    this.values[at] = memory ?? NaN
    this.values[at + 1] = cpu ?? NaN
    this.values[at + 2] = rate ?? NaN
    this.next = (this.next + 1) % LENGTH
    this.kept = Math.min(this.kept + 1, LENGTH)
    this.version++
  }

  /** Puts what was reported before the first that was added in front; oldest first. */
  seed(rows: Partial<Record<Curve, number | null>>[]): void {
    const own = this.rows()
    const all = [...rows.slice(-LENGTH), ...own].slice(-LENGTH)
    this.values = null
    this.next = 0
    this.kept = 0
    for (const row of all) this.add(row.memory ?? null, row.cpu ?? null, row.rate ?? null)
    this.version++
  }

  /** Oldest first; NaN where a report did not have it. */
  curve(curve: Curve): number[] {
    const column = CURVES.indexOf(curve)
    const out: number[] = []
    if (!this.values) return out
    for (let i = 0; i < LENGTH; i++) {
      const value = this.values[((this.next + i) % LENGTH) * CURVES.length + column]!
      if (out.length > 0 || !Number.isNaN(value)) out.push(value)
    }
    return out
  }

  private rows(): { memory: number; cpu: number; rate: number }[] {
    const rows = []
    for (let i = LENGTH - this.kept; i < LENGTH && this.values; i++) {
      const at = ((this.next + i) % LENGTH) * CURVES.length
      rows.push({ memory: this.values[at]!, cpu: this.values[at + 1]!, rate: this.values[at + 2]! })
    }
    return rows
  }
}

// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
// Which workers a table shows, and in which order. Pure.
import type { ConnectionState, Status } from '../api/types'
import type { Worker } from './worker'

export const SORTS = ['name', 'state', 'engine', 'memory', 'cpu', 'rate', 'report'] as const
export type Sort = (typeof SORTS)[number]

export interface Filter {
  search: string
  state: ConnectionState | ''
  status: Status | ''
  tag: string
  engine: string
}

export interface Order {
  by: Sort
  down: boolean
}

export const NO_FILTER: Filter = { search: '', state: '', status: '', tag: '', engine: '' }

export const isFiltering = (f: Filter): boolean =>
  f.search.trim() !== '' || f.state !== '' || f.status !== '' || f.tag !== '' || f.engine !== ''

type StateOf = (w: Worker) => ConnectionState

function fits(f: Filter, words: string[], stateOf: StateOf, w: Worker): boolean {
  return (
    (f.state === '' || stateOf(w) === f.state) &&
    (f.status === '' || w.status === f.status) &&
    (f.engine === '' || (w.engine ?? '') === f.engine) &&
    (f.tag === '' || w.tags.includes(f.tag)) &&
    words.every((word) => w.haystack.includes(word))
  )
}

const STATE_RANK: Record<ConnectionState, number> = { reconnecting: 0, offline: 1, unknown: 2, online: 3 }

/** What a worker has in a sorted column; null comes last, up or down. */
function keyOf(by: Sort, stateOf: StateOf): (w: Worker) => number | string | null {
  switch (by) {
    case 'name': return () => null
    case 'state': return (w) => STATE_RANK[stateOf(w)]
    case 'engine': return (w) => w.engine
    case 'report': return (w) => (w.lastReport === null ? null : -w.lastReport)
    default: return (w) => w[by]
  }
}

const collator = new Intl.Collator(undefined, { numeric: true, sensitivity: 'base' })

/** A number for each name, in their order: comparing numbers is fifty times faster. */
export class NameRanks {
  private ranks = new Map<string, number>()

  of(workers: Iterable<Worker>): Map<string, number> {
    const names = new Set<string>()
    for (const w of workers) names.add(w.name)
    if (names.size !== this.ranks.size || [...names].some((name) => !this.ranks.has(name))) {
      const sorted = [...names].sort(collator.compare)
      this.ranks = new Map(sorted.map((name, i) => [name, i]))
    }
    return this.ranks
  }
}

const compareKeys = (a: number | string, b: number | string): number =>
  a < b ? -1 : a > b ? 1 : 0

export function pickRows(
  workers: Iterable<Worker>, filter: Filter, order: Order, stateOf: StateOf, ranks: NameRanks
): Worker[] {
  const words = filter.search.toLowerCase().split(/\s+/).filter(Boolean)
  const all = [...workers]
  const names = ranks.of(all)
  const key = keyOf(order.by, stateOf)
  const rows = all
    .filter((w) => fits(filter, words, stateOf, w))
    .map((w) => ({ w, key: key(w), name: names.get(w.name) ?? 0 }))
  const sign = order.down ? -1 : 1
  rows.sort((a, b) => {
    if (a.key !== null && b.key !== null && a.key !== b.key) return sign * compareKeys(a.key, b.key)
    if ((a.key === null) !== (b.key === null)) return a.key === null ? 1 : -1
    const byName = a.name - b.name || compareKeys(a.w.id, b.w.id)
    return order.by === 'name' ? sign * byName : byName
  })
  return rows.map((row) => row.w)
}

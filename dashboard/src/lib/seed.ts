// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
// The past of the small curves. The stream only tells what comes; a row that stays on the screen
// gets, once, what was before. Few requests at a time, and none for rows that scroll past.
import { get, query } from '../api/client'
import type { MetricRow } from '../api/types'
import { fleet } from './fleet.svelte'
import type { Worker } from './worker'

const TOGETHER = 3
const SPAN_MS = 15 * 60_000
const RESOLUTION_S = 20

let wanted: Worker[] = []
let busy = 0

/** Says which rows are on the screen; the earlier list is forgotten. */
export function wantHistory(workers: Worker[]): void {
  wanted = workers.filter((w) => !w.history.seeded && w.lastReport !== null)
  while (busy < TOGETHER && wanted.length > 0) void next()
}

async function next(): Promise<void> {
  const w = wanted.shift()
  if (!w) return
  busy++
  w.history.seeded = true
  try {
    // Up to the moment when the stream began to tell.
    const to = w.history.began ?? w.lastReport!
    const rows = await get<MetricRow[]>(
      `/workers/${encodeURIComponent(w.id)}/metrics` +
        query({
          from: new Date(to - SPAN_MS).toISOString(), to: new Date(to).toISOString(),
          limit: 48, resolution: RESOLUTION_S, keys: 'memory,cpu,rate'
        })
    )
    w.history.seed(rows.reverse())
    w.revision++
    fleet.version++
  } catch {
    // The curve then begins with what comes.
  }
  busy--
  if (wanted.length > 0) void next()
}

// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
// What of the fleet is listed: the filter and order (kept in the address), and the rows that come
// of them. Rows are picked anew at once when the question changes, and now and then when the
// fleet does: a table whose rows swap places sixty times a second cannot be read.
import { untrack } from 'svelte'
import { fleet } from './fleet.svelte'
import { router } from './router.svelte'
import { NameRanks, NO_FILTER, pickRows, SORTS, type Filter, type Order, type Sort } from './rows'
import type { Worker } from './worker'

const AGAIN_MS = 500

function filterOf(params: URLSearchParams): Filter {
  const filter = { ...NO_FILTER }
  for (const key of Object.keys(filter) as (keyof Filter)[]) Object.assign(filter, { [key]: params.get(key) ?? '' })
  return filter
}

function orderOf(params: URLSearchParams): Order {
  const by = params.get('sort') as Sort | null
  return { by: by && SORTS.includes(by) ? by : 'name', down: params.get('down') === '1' }
}

/** To be made by a component, whose life it shares. */
export class Listing {
  filter = $state.raw<Filter>(filterOf(router.params))
  order = $state.raw<Order>(orderOf(router.params))
  rows = $state.raw<Worker[]>([])

  private readonly ranks = new NameRanks()
  private timer: ReturnType<typeof setTimeout> | undefined

  constructor() {
    $effect(() => {
      void [this.filter, this.order, fleet.members]
      untrack(() => {
        this.pick()
        this.remember()
      })
    })
    $effect(() => {
      void fleet.version
      if (!this.moves) return
      this.timer ??= setTimeout(() => this.pick(), AGAIN_MS)
    })
    $effect(() => () => clearTimeout(this.timer))
  }

  /** Could a report or a presence event change which rows there are, or their order? */
  private get moves(): boolean {
    return this.filter.state !== '' || this.filter.engine !== '' || this.order.by !== 'name'
  }

  private pick(): void {
    clearTimeout(this.timer)
    this.timer = undefined
    const rows = pickRows(fleet.workers.values(), this.filter, this.order, (w) => fleet.stateOf(w), this.ranks)
    if (rows.length !== this.rows.length || rows.some((w, i) => w !== this.rows[i])) this.rows = rows
  }

  private remember(): void {
    const params = new URLSearchParams()
    for (const [key, value] of Object.entries(this.filter)) if (value !== '') params.set(key, value)
    if (this.order.by !== 'name' || this.order.down) params.set('sort', this.order.by)
    if (this.order.down) params.set('down', '1')
    router.replaceParams(params)
  }
}

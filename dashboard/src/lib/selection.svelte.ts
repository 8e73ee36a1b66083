// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
// The workers that are picked for a bulk action.
import { SvelteSet } from 'svelte/reactivity'

class Selection {
  readonly ids = new SvelteSet<string>()

  toggle(id: string, on: boolean): void {
    if (on) this.ids.add(id)
    else this.ids.delete(id)
  }

  replace(ids: Iterable<string>): void {
    this.ids.clear()
    for (const id of ids) this.ids.add(id)
  }
}

export const selection = new Selection()

// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
// Short messages about what was done or went wrong.
import { explain } from '../api/client'

export interface Toast {
  id: number
  text: string
  bad: boolean
}

const SHOWN_MS = 6000

class Toasts {
  list = $state<Toast[]>([])
  private next = 1

  add(text: string, bad = false): void {
    const id = this.next++
    this.list.push({ id, text, bad })
    setTimeout(() => this.drop(id), bad ? 2 * SHOWN_MS : SHOWN_MS)
  }

  drop(id: number): void {
    this.list = this.list.filter((t) => t.id !== id)
  }

  /** Does it and says so, or says why not. Answers whether it was done. */
  async attempt(done: string, action: () => Promise<unknown>): Promise<boolean> {
    try {
      await action()
      this.add(done)
      return true
    } catch (error) {
      this.add(explain(error), true)
      return false
    }
  }
}

export const toasts = new Toasts()

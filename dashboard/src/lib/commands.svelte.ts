// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
// What commands came to, as the stream tells. An event may be here before the answer to the
// request that issued the command, so the newest ones are kept.
import type { CommandEvent, CommandState } from '../api/types'
import { fleet } from './fleet.svelte'
import { toasts } from './toasts.svelte'

const KEPT = 1000
const FINAL: CommandState[] = ['done', 'failed', 'expired', 'cancelled']

export const isFinal = (state: CommandState): boolean => FINAL.includes(state)

class Commands {
  private readonly newest = new Map<string, CommandEvent>()
  private readonly announced = new Map<string, string>()

  constructor() {
    fleet.onCommand((event) => {
      this.newest.delete(event.command_id)
      this.newest.set(event.command_id, event)
      if (this.newest.size > KEPT) this.newest.delete(this.newest.keys().next().value!)
      this.tell(event)
    })
  }

  /** Says what becomes of a command that was issued here. */
  announce(id: string, what: string): void {
    this.announced.set(id, what)
    const known = this.newest.get(id)
    if (known) this.tell(known)
  }

  private tell(event: CommandEvent): void {
    const what = this.announced.get(event.command_id)
    if (!what || !isFinal(event.state)) return
    this.announced.delete(event.command_id)
    const bad = event.state !== 'done'
    toasts.add(`${what}: ${event.state}${event.error ? ', ' + event.error : ''}`, bad)
  }
}

export const commands = new Commands()

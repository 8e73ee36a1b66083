// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
// The bridge's time. Ages would be wrong by as much as this computer's clock is.

class Clock {
  /** The bridge's time in ms, renewed every second. */
  now = $state(Date.now())
  private offset = 0

  constructor() {
    setInterval(() => this.tick(), 1000)
  }

  /** The bridge says what time it is. */
  set(serverNow: number): void {
    this.offset = serverNow - Date.now()
    this.tick()
  }

  /** What this computer's time is in the bridge's. */
  fromLocal(ms: number): number {
    return ms + this.offset
  }

  private tick(): void {
    this.now = Date.now() + this.offset
  }
}

export const clock = new Clock()

// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
import { get, post, whenSignedOut } from '../api/client'
import type { Me, Scope } from '../api/types'

class Session {
  /** Who is signed in; null: nobody; undefined: not known yet. */
  me = $state<Me | null | undefined>(undefined)
  /** The session ended by itself, rather than because somebody wanted it to. */
  ended = $state(false)

  constructor() {
    whenSignedOut(() => {
      this.ended = Boolean(this.me)
      this.me = null
    })
  }

  get name(): string {
    return this.me?.username ?? this.me?.key ?? ''
  }

  may(scope: Scope): boolean {
    return this.me?.scopes.includes(scope) ?? false
  }

  async load(): Promise<void> {
    this.me = await get<Me>('/auth/me')
  }

  async signIn(username: string, password: string): Promise<void> {
    await post('/auth/login', { username, password })
    await this.load()
    this.ended = false
  }

  async signOut(): Promise<void> {
    await post('/auth/logout')
    this.ended = false
    this.me = null
  }
}

export const session = new Session()

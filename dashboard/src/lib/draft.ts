// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
// A command that somebody is about to send.

import type { CommandCreate } from '../api/types'

export interface CommandDraft {
  type: string
  payload: string
  ttl: number
  queue: boolean
}

export const newDraft = (type = ''): CommandDraft => ({ type, payload: '{}', ttl: 60, queue: false })

/** The request's body; throws what is wrong with it, for people. */
export function bodyOf(draft: CommandDraft): Pick<CommandCreate, 'type' | 'payload' | 'ttl_seconds' | 'queue'> {
  let payload: unknown
  try {
    payload = JSON.parse(draft.payload || '{}')
  } catch (error) {
    throw new Error('The payload is not JSON: ' + (error as Error).message)
  }
  if (payload === null || typeof payload !== 'object' || Array.isArray(payload)) throw new Error('The payload has to be a JSON object.')
  return { type: draft.type, payload, ttl_seconds: draft.ttl, queue: draft.queue }
}

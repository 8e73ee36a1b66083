// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
import { get } from '../api/client'
import type { Installation } from '../api/types'

let answer: Promise<Installation> | null = null

/** Asked for once; a failure is not kept. */
export function installation(): Promise<Installation> {
  answer ??= get<Installation>('/dashboard.json').catch((error: unknown) => {
    answer = null
    throw error
  })
  return answer
}

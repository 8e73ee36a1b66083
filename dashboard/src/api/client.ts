// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
// Requests to the bridge. Addresses are relative: a proxy may serve the dashboard below a path.

/** An answer that says no, or none at all (status 0). */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    message: string
  ) {
    super(message)
  }
}

let onSignedOut = () => {}

/** Sets what is to happen when the bridge no longer knows the session. */
export function whenSignedOut(handler: () => void): void {
  onSignedOut = handler
}

async function errorOf(response: Response): Promise<ApiError> {
  const body = await response.json().catch(() => null)
  const error = body?.error
  return new ApiError(
    response.status,
    error?.code ?? 'HTTP_' + response.status,
    error?.message ?? response.statusText
  )
}

/** Sends a request; answers the response if it is a success, throws an ApiError otherwise. */
export async function request(method: string, path: string, init: RequestInit = {}): Promise<Response> {
  let response: Response
  try {
    response = await fetch('api' + path, { ...init, method, credentials: 'same-origin' })
  } catch (error) {
    if (init.signal?.aborted) throw error
    throw new ApiError(0, 'UNREACHABLE', 'Rollcall cannot be reached')
  }
  if (response.ok) return response
  if (response.status === 401 && path !== '/auth/login') onSignedOut()
  throw await errorOf(response)
}

async function json<T>(method: string, path: string, body?: unknown, signal?: AbortSignal): Promise<T> {
  const init: RequestInit = signal ? { signal } : {}
  if (body !== undefined) {
    init.body = JSON.stringify(body)
    init.headers = { 'Content-Type': 'application/json' }
  }
  return (await request(method, path, init)).json() as Promise<T>
}

export const get = <T>(path: string, signal?: AbortSignal) => json<T>('GET', path, undefined, signal)
export const post = <T>(path: string, body: unknown = {}) => json<T>('POST', path, body)
export const patch = <T>(path: string, body: unknown) => json<T>('PATCH', path, body)
export const remove = <T>(path: string) => json<T>('DELETE', path)

/** A query string of what is there; arrays are repeated. */
export function query(values: Record<string, string | number | string[] | undefined>): string {
  const params = new URLSearchParams()
  for (const [name, value] of Object.entries(values)) {
    if (value === undefined || value === '') continue
    for (const one of Array.isArray(value) ? value : [value]) params.append(name, String(one))
  }
  const text = params.toString()
  return text === '' ? '' : '?' + text
}

/** What to tell a person about a failure. */
export function explain(error: unknown): string {
  if (error instanceof ApiError) return error.message
  return error instanceof Error ? error.message : String(error)
}

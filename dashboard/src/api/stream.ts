// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
// GET /events, read by hand. EventSource would do the parsing, but it hides the bridge's signs of
// life and the status of a refusal, and so could not tell a quiet fleet from a dead connection.
import { ApiError, query, request } from './client'

export interface StreamEvent {
  type: string
  data: unknown
}

export interface StreamHandlers {
  event(event: StreamEvent): void
  open(): void
  /** The stream is cut; `since`: when it was last heard (ms). It tries again by itself. */
  lost(since: number, why: string): void
}

/** The bridge says something at least every 15 seconds. */
const SILENCE_MS = 20_000
const PAUSE_MIN_MS = 500
const PAUSE_MAX_MS = 8_000

/** Takes the text of a stream apart into its events. */
export class EventParser {
  private rest = ''
  private type = 'message'
  private data: string[] = []
  private id: string | null = null

  constructor(private readonly emit: (type: string, data: string, id: string | null) => void) {}

  feed(text: string): void {
    const lines = (this.rest + text).split('\n')
    this.rest = lines.pop() ?? ''
    for (const line of lines) this.line(line.endsWith('\r') ? line.slice(0, -1) : line)
  }

  private line(line: string): void {
    if (line === '') return this.end()
    const colon = line.indexOf(':')
    const field = colon < 0 ? line : line.slice(0, colon)
    const value = colon < 0 ? '' : line.slice(colon + (line[colon + 1] === ' ' ? 2 : 1))
    if (field === 'event') this.type = value
    else if (field === 'data') this.data.push(value)
    else if (field === 'id') this.id = value
  }

  private end(): void {
    if (this.data.length > 0 || this.type !== 'message') this.emit(this.type, this.data.join('\n'), this.id)
    this.type = 'message'
    this.data = []
  }
}

/** Follows the events from a cursor on, for as long as it is not stopped. */
export class EventStream {
  private abort: AbortController | null = null
  private cursor: string | undefined
  private heard = Date.now()
  private failures = 0
  private retry: ReturnType<typeof setTimeout> | undefined
  private watchdog: ReturnType<typeof setInterval> | undefined

  constructor(
    private readonly handlers: StreamHandlers,
    private readonly filter: { types: string; worker?: string }
  ) {}

  start(cursor?: string): void {
    this.stop()
    this.cursor = cursor
    this.watchdog = setInterval(() => {
      if (this.abort && Date.now() - this.heard > SILENCE_MS) this.abort.abort('silence')
    }, 1000)
    void this.follow()
  }

  stop(): void {
    clearTimeout(this.retry)
    clearInterval(this.watchdog)
    const abort = this.abort
    this.abort = null
    abort?.abort('stopped')
  }

  /** Tries now what it would try in a while: the network has come back. */
  hurry(): void {
    if (this.abort || !this.watchdog) return
    clearTimeout(this.retry)
    void this.follow()
  }

  private async follow(): Promise<void> {
    const abort = new AbortController()
    this.abort = abort
    let why = 'the connection ended'
    try {
      await this.read(abort)
    } catch (error) {
      if (error instanceof ApiError) why = error.message
      if (error instanceof ApiError && error.status === 401) return this.stop()
    }
    if (this.abort !== abort) return // stopped, or started anew
    this.abort = null
    this.handlers.lost(this.heard, why)
    const pause = Math.min(PAUSE_MAX_MS, PAUSE_MIN_MS * 2 ** this.failures++)
    this.retry = setTimeout(() => void this.follow(), pause * (0.5 + Math.random() / 2))
  }

  private async read(abort: AbortController): Promise<void> {
    const path = '/events' + query({ ...this.filter, cursor: this.cursor })
    const response = await request('GET', path, { signal: abort.signal, cache: 'no-store' })
    const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader()
    const parser = new EventParser((type, data, id) => {
      if (id) this.cursor = id
      if (this.abort === abort) this.handlers.event({ type, data: data === '' ? null : JSON.parse(data) })
    })
    this.heard = Date.now()
    this.failures = 0
    this.handlers.open()
    for (;;) {
      const { done, value } = await reader.read()
      if (done || this.abort !== abort) return
      this.heard = Date.now()
      parser.feed(value)
    }
  }
}

// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
// All workers, kept live: listed once, then followed by the stream of events from the list's
// cursor on. Workers are plain objects, which events change in place; what is shown asks for
// `version` and reads them again. Events wait for the next frame of the screen, so hundreds of
// them in a second cost as much as sixty.
import { get, explain, request } from '../api/client'
import { EventStream, type StreamEvent } from '../api/stream'
import type { CommandEvent, ConnectionState, HealthEvent, PresenceEvent, Report, StatusList, WorkerEvent, WorkerRow } from '../api/types'
import { clock } from './clock.svelte'
import { applyPresence, applyRecord, applyReport, applyStatus, newWorker, type Worker } from './worker'

export type Counts = Record<ConnectionState, number> & { all: number }

const NO_COUNTS: Counts = { all: 0, online: 0, reconnecting: 0, offline: 0, unknown: 0 }
const TYPES = 'presence,metrics,worker,command,health'
/** A page that nobody looks at gives its connection back: a browser has six for each host. */
const HIDDEN_MS = 60_000
const LIST_AGAIN_MS = 3000
const WORDS_MS = 300

class Fleet {
  readonly workers = new Map<string, Worker>()
  /** Grows whenever workers have changed. */
  version = $state(0)
  /** Grows when workers have come or gone, or their records have changed. */
  members = $state(0)
  loaded = $state(false)
  /** Why the list cannot be had; null: it can. */
  trouble = $state<string | null>(null)
  /** Since when nothing is heard of the bridge (ms, this computer's clock); null: it is heard. */
  lostSince = $state<number | null>(null)
  lostWhy = $state('')
  health = $state.raw<HealthEvent>({ broker: true, database: true })
  counts = $state.raw<Counts>(NO_COUNTS)
  tags = $state.raw<string[]>([])
  engines = $state.raw<string[]>([])

  private stream = new EventStream(
    {
      event: (event) => this.take(event),
      open: () => (this.lostSince = null),
      lost: (since, why) => {
        this.lostSince ??= since
        this.lostWhy = why
      }
    },
    { types: TYPES }
  )
  private waiting: StreamEvent[] = []
  private frame = 0
  private running = false
  private resting = false
  private words: ReturnType<typeof setTimeout> | undefined
  private again: ReturnType<typeof setTimeout> | undefined
  private rest: ReturnType<typeof setTimeout> | undefined
  private readonly commandWatchers = new Set<(event: CommandEvent) => void>()
  private readonly metricWatchers = new Set<(report: Report) => void>()

  constructor() {
    document.addEventListener('visibilitychange', () => this.seen())
    addEventListener('online', () => this.stream.hurry())
  }

  start(): void {
    if (this.running) return
    this.running = true
    void this.list()
  }

  stop(): void {
    this.running = false
    clearTimeout(this.again)
    this.stream.stop()
    this.waiting = []
    this.workers.clear()
    this.loaded = false
    this.lostSince = null
    this.counts = NO_COUNTS
    this.members++
    this.version++
  }

  /** Calls the watcher for each step of a command; answers how to end that. */
  onCommand(watcher: (event: CommandEvent) => void): () => void {
    this.commandWatchers.add(watcher)
    return () => this.commandWatchers.delete(watcher)
  }

  onReport(watcher: (report: Report) => void): () => void {
    this.metricWatchers.add(watcher)
    return () => this.metricWatchers.delete(watcher)
  }

  /** What to show: while the broker is unheard, nothing that was known before counts. */
  stateOf(w: Worker): ConnectionState {
    return this.health.broker ? w.state : 'unknown'
  }

  // ---- listing --------------------------------------------------------------------------

  private async list(): Promise<void> {
    clearTimeout(this.again)
    try {
      // In this order: what happens between the two comes again as an event.
      const response = await request('GET', '/workers/status')
      const status = (await response.json()) as StatusList
      const records = await get<WorkerRow[]>('/workers')
      if (!this.running) return
      this.replace(status, records, response.headers.get('Date'))
      this.trouble = null
      this.loaded = true
      this.stream.start(status.cursor)
    } catch (error) {
      if (!this.running) return
      this.trouble = explain(error)
      this.again = setTimeout(() => void this.list(), LIST_AGAIN_MS)
    }
  }

  private replace(status: StatusList, records: WorkerRow[], date: string | null): void {
    const gone = new Set(this.workers.keys())
    this.waiting = []
    for (const row of status.workers) {
      const w = this.ensure(row.worker_id)
      gone.delete(w.id)
      applyStatus(w, row)
    }
    for (const row of records) {
      const known = this.workers.has(row.id)
      const w = this.ensure(row.id)
      gone.delete(w.id)
      applyRecord(w, row)
      if (!known) w.state = row.state
    }
    for (const id of gone) this.workers.delete(id)
    this.setClock(status, date)
    this.members++
    this.changed()
  }

  /** An age and the moment that it is of tell the bridge's time to the millisecond. */
  private setClock(status: StatusList, date: string | null): void {
    const row = status.workers.find((r) => r.last_report !== null && r.last_report_age_seconds !== null)
    if (row) clock.set(Date.parse(row.last_report!) + row.last_report_age_seconds! * 1000)
    else if (date) clock.set(Date.parse(date) + 500)
  }

  private ensure(id: string): Worker {
    let w = this.workers.get(id)
    if (!w) {
      w = newWorker(id)
      this.workers.set(id, w)
    }
    return w
  }

  // ---- following ------------------------------------------------------------------------

  private take(event: StreamEvent): void {
    if (event.type === 'reset') {
      this.stream.stop()
      void this.list()
      return
    }
    if (event.type === 'health') {
      this.takeHealth(event.data as HealthEvent)
      return
    }
    this.waiting.push(event)
    if (this.frame === 0) this.frame = requestAnimationFrame(() => this.apply())
  }

  private takeHealth(health: HealthEvent): void {
    const returned = health.broker && !this.health.broker
    this.health = health
    this.changed()
    // A list that was made meanwhile knew nobody's state.
    if (returned) {
      this.stream.stop()
      void this.list()
    }
  }

  private apply(): void {
    this.frame = 0
    const events = this.waiting
    this.waiting = []
    for (const event of events) this.applyOne(event)
    if (events.length > 0) this.changed()
  }

  private applyOne({ type, data }: StreamEvent): void {
    if (type === 'worker') return this.applyWorker(data as WorkerEvent)
    const w = this.workers.get((data as { worker_id: string }).worker_id)
    if (type === 'command') {
      for (const watcher of this.commandWatchers) watcher(data as CommandEvent)
    } else if (!w) {
      return // deleted: what it did last is of no interest
    } else if (type === 'presence') {
      applyPresence(w, data as PresenceEvent)
    } else if (type === 'metrics') {
      applyReport(w, data as Report)
      for (const watcher of this.metricWatchers) watcher(data as Report)
    }
  }

  private applyWorker(event: WorkerEvent): void {
    if (event.change === 'deleted') {
      this.workers.delete(event.worker_id)
      this.members++
      return
    }
    this.members++
    applyRecord(this.ensure(event.worker_id), event)
  }

  private changed(): void {
    const counts = { ...NO_COUNTS, all: this.workers.size }
    for (const w of this.workers.values()) counts[this.stateOf(w)]++
    this.counts = counts
    this.version++
    this.words ??= setTimeout(() => this.gatherWords(), WORDS_MS)
  }

  /** The tags and engine states that there are, for the filters. */
  private gatherWords(): void {
    const tags = new Set<string>()
    const engines = new Set<string>()
    this.words = undefined
    for (const w of this.workers.values()) {
      if (w.engine) engines.add(w.engine)
      for (const tag of w.tags) tags.add(tag)
    }
    if (tags.size !== this.tags.length || this.tags.some((t) => !tags.has(t))) this.tags = [...tags].sort()
    if (engines.size !== this.engines.length || this.engines.some((e) => !engines.has(e)))
      this.engines = [...engines].sort()
  }

  // ---- a page that nobody looks at ------------------------------------------------------

  private seen(): void {
    clearTimeout(this.rest)
    if (!this.running) return
    if (document.hidden) {
      this.rest = setTimeout(() => {
        this.resting = true
        this.stream.stop()
      }, HIDDEN_MS)
    } else if (this.resting) {
      this.resting = false
      void this.list()
    } else {
      this.stream.hurry()
    }
  }
}

export const fleet = new Fleet()

// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
// One worker as the dashboard holds it: record, connection and latest report in one plain object.
import type { ConnectionState, MetricValue, PresenceEvent, Report, Status, StatusRow, WorkerEvent, WorkerRow } from '../api/types'
import { History } from './history'
import { parseTime } from './time'

export interface Worker {
  id: string
  name: string
  /** Name, id and tags in lower case: what the search looks into. */
  haystack: string
  tags: string[]
  status: Status
  tokenExpires: number | null
  created: number
  renewalFailure: string | null

  state: ConnectionState
  sessions: number | null
  connectedSince: number | null
  disconnectedSince: number | null
  reason: string | null
  detail: string | null
  /** Of its newest presence event: older ones change nothing. */
  node: string
  boot: number
  seq: number

  engine: string | null
  desired: string | null
  memory: number | null
  cpu: number | null
  rate: number | null
  metrics: Record<string, MetricValue>
  lastReport: number | null
  history: History
  /** Grows with each change: tells whether what is shown has to be read again. */
  revision: number
}

export function newWorker(id: string): Worker {
  return {
    id, name: id, haystack: id, tags: [], status: 'active', tokenExpires: null, created: 0,
    renewalFailure: null, state: 'offline', sessions: null, connectedSince: null,
    disconnectedSince: null, reason: null, detail: null, node: '', boot: 0, seq: 0, engine: null,
    desired: null, memory: null, cpu: null, rate: null, metrics: {}, lastReport: null,
    history: new History(), revision: 0
  }
}

export function applyRecord(w: Worker, row: WorkerRow | WorkerEvent): void {
  w.name = row.name
  w.tags = row.tags
  w.status = row.status
  w.tokenExpires = parseTime(row.token_expires_at)
  w.created = parseTime(row.created_at) ?? 0
  w.renewalFailure = row.renewal_failure_reason
  w.revision++
  w.haystack = [row.name, w.id, ...row.tags].join('\n').toLowerCase()
}

export function applyReport(w: Worker, r: Report): void {
  const at = parseTime(r.last_report)
  w.engine = r.engine_status
  w.desired = r.desired_engine_status
  w.memory = r.memory
  w.cpu = r.cpu
  w.rate = r.rate
  w.metrics = r.metrics
  // The same report comes again when only the engine's state has changed.
  if (at !== null && (w.lastReport === null || at > w.lastReport)) {
    w.history.began ??= at
    w.history.add(r.memory, r.cpu, r.rate)
  }
  w.lastReport = at
  w.revision++
}

export function applyStatus(w: Worker, row: StatusRow): void {
  w.name = row.name
  w.status = row.status
  w.state = row.state
  w.connectedSince = parseTime(row.connected_since)
  w.disconnectedSince = parseTime(row.disconnected_since)
  w.reason = row.disconnect_reason
  applyReport(w, row)
}

/** False: it is older than what is known. */
export function applyPresence(w: Worker, p: PresenceEvent): boolean {
  if (p.node === w.node && (p.boot < w.boot || (p.boot === w.boot && p.seq < w.seq))) return false
  w.node = p.node
  w.boot = p.boot
  w.seq = p.seq
  w.state = p.state
  w.sessions = p.sessions
  w.connectedSince = parseTime(p.connected_since)
  w.disconnectedSince = parseTime(p.disconnected_since)
  w.reason = p.reason
  w.detail = p.detail
  w.revision++
  return true
}

const REASONS: Record<string, string> = {
  client_disconnect: 'said goodbye',
  connection_lost: 'connection lost',
  connection_closed: 'connection closed',
  keepalive_timeout: 'went silent',
  protocol_error: 'protocol error',
  kicked: 'kicked',
  revoked: 'revoked',
  deleted: 'deleted',
  token_expired: 'token expired',
  broker_restart: 'broker crashed or was killed',
  broker_shutdown: 'broker was stopped'
}

/** Why it is not connected, in words: "connection lost: the worker vanished". */
export function reasonOf(reason: string | null, detail: string | null = null): string {
  if (!reason) return ''
  return (REASONS[reason] ?? reason.replaceAll('_', ' ')) + (detail ? ': ' + detail : '')
}

export const STATE_WORDS: Record<ConnectionState, string> = {
  online: 'Online',
  reconnecting: 'Reconnecting',
  offline: 'Offline',
  unknown: 'Unknown'
}

export const STATUS_WORDS: Record<Status, string> = {
  active: 'Active',
  update_required: 'Update required',
  revoked: 'Revoked'
}

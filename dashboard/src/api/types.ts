// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
// What the bridge says, under the names that the dashboard uses. The types come from openapi.json
// (types.mjs), so that a change of the API that matters here does not compile.
import type { components } from './schema'

type Schemas = components['schemas']

export type ConnectionState = Schemas['ConnectionState']
export type Status = Schemas['WorkerStatus']
export type Scope = Schemas['Scope']
export type Me = Partial<Schemas['MeUser']> & Partial<Schemas['MeKey']> & Pick<Schemas['MeUser'], 'scopes'>
export type Installation = Schemas['Installation']

export type WorkerRow = Schemas['WorkerListed']
export type WorkerDetail = Schemas['Worker']
export type StatusRow = Schemas['StatusRow']
export type StatusList = Schemas['StatusList']
export type Connection = Schemas['Connection']
export type SessionRow = Schemas['WorkerSession']
export type NewWorker = Schemas['WorkerCreated']
export type NewToken = Schemas['TokenIssued']
export type AuditRow = Schemas['AuditEntry']

export type MetricRow = Schemas['MetricAverage']
export type MetricValue = Schemas['Metrics'][string]

export type PresenceEvent = Schemas['PresenceEvent']
export type Report = Schemas['MetricsEvent']
export type WorkerEvent = Schemas['WorkerEvent']
export type CommandEvent = Schemas['CommandEvent']
export type HealthEvent = Schemas['HealthEvent']

export type CommandState = Schemas['CommandState']
export type Command = Schemas['Command']
export type CommandCreate = Schemas['CommandCreate']
export type Batch = Schemas['Batch']
export type BatchCreate = Schemas['BatchCreate']
export type BatchCreated = Schemas['BatchCreated']
export type BatchDryRun = Schemas['BatchDryRun']

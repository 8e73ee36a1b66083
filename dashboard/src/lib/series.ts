// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
// A worker's reports as the columns that charts want. Pure.
import type { MetricRow, MetricValue } from '../api/types'

export interface Series {
  /** Seconds since 1970, rising. */
  times: number[]
  columns: Record<string, (number | null)[]>
}

type Values = Partial<Record<'memory' | 'cpu' | 'rate', number | null>> & { metrics: Record<string, MetricValue> }

export const BASIC = ['memory', 'cpu', 'rate']

/** The keys with numbers in a report, the basic ones first. */
export function numericKeys(report: Values): string[] {
  const further = Object.entries(report.metrics).filter(([, v]) => typeof v === 'number')
  return [...BASIC.filter((key) => valueOf(report, key) !== null), ...further.map(([key]) => key).sort()]
}

export function valueOf(report: Values, key: string): number | null {
  const value: MetricValue | null | undefined =
    key === 'memory' || key === 'cpu' || key === 'rate' ? report[key] : report.metrics[key]
  return typeof value === 'number' ? value : null
}

export function emptySeries(keys: string[]): Series {
  return { times: [], columns: Object.fromEntries(keys.map((key) => [key, []])) }
}

/** Adds a report. Where none came for `gapS`, the curve is broken: nothing is known of that time. */
export function addReport(series: Series, at: number, report: Values, gapS: number): void {
  const before = series.times.at(-1)
  if (before !== undefined && at <= before) return
  if (before !== undefined && at - before > gapS) {
    series.times.push(before + gapS / 2)
    for (const column of Object.values(series.columns)) column.push(null)
  }
  series.times.push(at)
  for (const [key, column] of Object.entries(series.columns)) column.push(valueOf(report, key))
}

export function seriesOf(rows: MetricRow[], keys: string[], gapS: number): Series {
  const series = emptySeries(keys)
  for (let i = rows.length - 1; i >= 0; i--) addReport(series, Date.parse(rows[i]!.at) / 1000, rows[i]!, gapS)
  return series
}

/** A copy without what is before `from` (seconds). */
export function trim(series: Series, from: number): Series {
  const first = Math.max(0, series.times.findIndex((t) => t >= from))
  return {
    times: series.times.slice(first),
    columns: Object.fromEntries(Object.entries(series.columns).map(([k, c]) => [k, c.slice(first)]))
  }
}

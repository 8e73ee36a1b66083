// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
// Times and numbers for people: times in their own zone, with UTC for whoever asks.

const clockTime = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit', second: '2-digit', hourCycle: 'h23' })
const dayTime = new Intl.DateTimeFormat(undefined, {
  year: 'numeric', month: 'short', day: 'numeric',
  hour: '2-digit', minute: '2-digit', second: '2-digit', hourCycle: 'h23'
})
const day = new Intl.DateTimeFormat(undefined, { year: 'numeric', month: 'short', day: 'numeric' })

export const parseTime = (text: string | null | undefined): number | null => (text ? Date.parse(text) : null)

/** "14:05:08" */
export const timeOfDay = (ms: number): string => clockTime.format(ms)

/** "14:05:08" today, "Nov 23, 2026, 14:05:08" otherwise. */
export function shortTime(ms: number, now: number): string {
  return new Date(ms).toDateString() === new Date(now).toDateString() ? timeOfDay(ms) : dayTime.format(ms)
}

export const longTime = (ms: number): string => dayTime.format(ms)
export const dayOf = (ms: number): string => day.format(ms)

/** "2026-11-23 14:05:08.542 UTC" */
export const utc = (ms: number): string => new Date(ms).toISOString().replace('T', ' ').replace('Z', ' UTC')

const UNITS: [number, string][] = [[86_400_000, 'd'], [3_600_000, 'h'], [60_000, 'm'], [1000, 's']]

/** "12 s", "3 m 20 s", "2 h 5 m", "4 d 3 h"; a clock that is a little behind makes it "0 s". */
export function duration(ms: number): string {
  if (ms < 1000) return '0 s'
  const first = UNITS.findIndex(([size]) => ms >= size)
  const [size, unit] = UNITS[first]!
  const text = `${Math.floor(ms / size)} ${unit}`
  const next = UNITS[first + 1]
  const rest = next ? Math.floor((ms % size) / next[0]) : 0
  return next && rest > 0 && ms < 10 * size ? `${text} ${rest} ${next[1]}` : text
}

/** "12 s", "3 m", "2 h": one unit, for narrow columns. */
export function shortDuration(ms: number): string {
  const [size, unit] = UNITS.find(([s]) => ms >= s) ?? [1000, 's']
  return `${Math.max(0, Math.floor(ms / size))} ${unit}`
}

const whole = new Intl.NumberFormat()
const compact = new Intl.NumberFormat(undefined, { notation: 'compact', maximumSignificantDigits: 3 })
const plain = new Intl.NumberFormat(undefined, { maximumSignificantDigits: 3 })

/** "10,000" */
export const count = (n: number): string => whole.format(n)

/** "21.5M", "0.083": three digits, for a value of unknown unit. */
export function figure(n: number | null | undefined): string {
  if (n === null || n === undefined) return '–'
  return Math.abs(n) >= 1000 ? compact.format(n) : plain.format(n)
}

/** "1.5 kB" */
export function bytes(n: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB']
  let at = 0
  while (n >= 1000 && at < units.length - 1) {
    n /= 1000
    at++
  }
  return `${plain.format(n)} ${units[at]}`
}

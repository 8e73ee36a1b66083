#!/usr/bin/env node
// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
// A worker: connects, reports metrics, obeys engine_start and engine_stop.
//
//   npm install && node worker.js --url ws://HOST:9001 --id wrk_... --token tk_...
// or ROLLCALL_WS_URL, ROLLCALL_WORKER_ID and ROLLCALL_WORKER_TOKEN. A renewed token is kept in
// WORKER_ID.token, which precedes the one that was given.
import { closeSync, existsSync, fsyncSync, openSync, readFileSync, renameSync, writeSync } from 'node:fs'
import { parseArgs } from 'node:util'
import mqtt from 'mqtt'

const engineAfter = { engine_start: 'running', engine_stop: 'stopped' }
const [reportEveryMs, backoffMaxMs, seenMax] = [5000, 30000, 1000]

const { values: given } = parseArgs({
  options: {
    url: { type: 'string', default: process.env.ROLLCALL_WS_URL },
    id: { type: 'string', default: process.env.ROLLCALL_WORKER_ID },
    token: { type: 'string', default: process.env.ROLLCALL_WORKER_TOKEN }
  }
})
if (!given.url || !given.id || !given.token) {
  console.error('usage: worker.js --url ws://HOST:PORT --id ID --token TOKEN')
  process.exit(2)
}

const url = new URL(given.url)
if (url.pathname === '/') url.pathname = `/ws/${given.id}`
const prefix = `workers/${given.id}/`
const seen = new Set() // command ids, oldest first
let results = [] // what the bridge has not acknowledged as stored
let [engine, seq, attempt, stopping] = ['stopped', 0, 0, false]

const tokenFile = `${given.id}.token`
let tokens = [given.token] // the first is used
if (existsSync(tokenFile)) tokens.unshift(readFileSync(tokenFile, 'ascii').trim())

const client = mqtt.connect(url.href, {
  clientId: given.id,
  username: given.id,
  password: tokens[0],
  clean: true,
  keepalive: 20,
  reconnectPeriod: 0, // see 'close' below
  will: { topic: prefix + 'will', payload: JSON.stringify({ reason: 'the worker vanished' }), qos: 1 }
})

// A lost connection loses what was on its way: results are sent again by 'connect'.
const publish = (topic, message) => {
  if (client.connected) client.publish(prefix + topic, JSON.stringify(message), { qos: 1 }, () => {})
}

function answer(commandId, status, more = {}) {
  const result = { command_id: commandId, status, ...more }
  results.push(result)
  publish('results', result)
}

function obey({ command_id: id, type, expires_at: expires }) {
  if (seen.has(id) || (expires && Date.parse(expires) < Date.now())) return
  seen.add(id)
  if (seen.size > seenMax) seen.delete(seen.values().next().value)
  console.log(`${type} (${id})`)
  if (!(type in engineAfter)) return answer(id, 'failed', { error: `unknown command ${type}` })
  answer(id, 'accepted')
  engine = engineAfter[type]
  publish('state', { engine_status: engine })
  answer(id, 'done', { result: { engine_status: engine } })
}

// Whole or not at all, and on the disk when this returns.
function saveToken(token) {
  const file = openSync(tokenFile + '.new', 'w', 0o600)
  try {
    writeSync(file, token + '\n')
    fsyncSync(file)
  } finally {
    closeSync(file)
  }
  renameSync(tokenFile + '.new', tokenFile)
}

function useToken(token) {
  tokens = [token, ...tokens.filter((other) => other !== token)]
  client.options.password = token
}

// Saved first: once it is acknowledged the old one ends. The session goes on.
function renew({ renewal_id, new_token, expires_at }) {
  const ack = { success: true, renewal_id }
  try {
    saveToken(new_token)
    useToken(new_token)
    console.log(`token renewed until ${expires_at}`)
  } catch (error) {
    Object.assign(ack, { success: false, error: error.message })
  }
  publish('token/ack', ack)
}

function forget(commandId) {
  const stored = results.find((result) => result.command_id === commandId)
  results = results.filter((result) => result !== stored)
}

function report() {
  publish('metrics', {
    memory: process.memoryUsage.rss(),
    cpu: process.cpuUsage().user / 1e6,
    rate: engine === 'running' ? 90 + 20 * Math.random() : 0,
    engine_status: engine,
    seq: ++seq,
    at: new Date().toISOString()
  })
}

client.on('connect', () => {
  attempt = 0
  publish('state', { engine_status: engine })
  for (const result of results) publish('results', result)
  report()
  console.log(`connected to ${url.host} as ${given.id}`)
})

// Nothing is subscribed to: a session gets what is meant for it.
client.on('message', (topic, payload) => {
  const name = topic.slice(prefix.length)
  const body = JSON.parse(payload)
  if (name === 'commands' && body.command_id) obey(body)
  else if (name === 'results/ack') [...body.command_ids, ...(body.rejected ?? []).map((r) => r.command_id)].forEach(forget)
  else if (name === 'token') renew(body)
  else if (name !== 'metrics/ack') console.log(`${name}: ${payload}`)
})

client.on('error', (error) => {
  console.log(error.message)
  if ([4, 5, 134, 135].includes(error.code)) useToken(tokens.at(-1)) // perhaps an operator has given a new one
})
client.on('close', () => {
  if (stopping) return
  // A fleet that lost its broker must not come back all at once.
  const pause = Math.min(backoffMaxMs, 1000 * 2 ** attempt++) * (0.5 + Math.random() / 2)
  console.log(`not connected; again in ${(pause / 1000).toFixed(1)} s`)
  setTimeout(() => stopping || client.reconnect(), pause)
})

setInterval(() => client.connected && report(), reportEveryMs)
for (const signal of ['SIGTERM', 'SIGINT']) {
  process.on(signal, () => {
    stopping = true
    client.end(false, {}, () => process.exit(0))
    setTimeout(() => process.exit(0), 2000)
  })
}

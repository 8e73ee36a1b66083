// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
// A browser, and the world that it looks at (world.py).
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { chromium } from 'playwright-core'

const here = (name) => fileURLToPath(new URL(name, import.meta.url))
const axeSource = readFileSync(here('../node_modules/axe-core/axe.min.js'), 'utf8')

/** Starts world.py; answers an object whose every method is one of its. */
export async function openWorld() {
  const child = spawn(process.env.PYTHON ?? '/usr/bin/python3', [here('world.py')], { stdio: ['pipe', 'pipe', 'inherit'] })
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  const ended = new Promise((resolve) => child.once('exit', resolve))
  const call = async (...request) => {
    child.stdin.write(JSON.stringify(request) + '\n')
    const { value, done } = await lines.next()
    assert(!done, 'world.py has ended')
    const answer = JSON.parse(value)
    assert(!answer.error, answer.error)
    return answer.ok
  }
  return new Proxy({}, {
    get: (_, name) => {
      if (name === 'then') return undefined
      if (name === 'end') return () => (child.stdin.end(), ended)
      return (...args) => call(name, ...args)
    }
  })
}

export const openBrowser = () =>
  chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync']
  })

/** A page that keeps a list of all that must not happen on it. */
export async function openPage(browser, url, options = {}) {
  const context = await browser.newContext({ viewport: { width: 1440, height: 900 }, ...options })
  const page = await context.newPage()
  page.setDefaultTimeout(30_000)
  page.wrong = []
  page.on('pageerror', (error) => page.wrong.push('error: ' + error.message))
  page.on('console', (message) => {
    if (/Content Security Policy|Refused to/.test(message.text())) page.wrong.push(message.text())
  })
  page.on('request', (request) => {
    if (!request.url().startsWith(url) && !request.url().startsWith('data:')) page.wrong.push('request to ' + request.url())
  })
  await page.goto(url)
  return page
}

export async function signIn(page, name, password) {
  await page.getByLabel('User name').fill(name)
  await page.getByLabel('Password').fill(password)
  await page.getByRole('button', { name: 'Sign in' }).click()
  await page.getByTestId('live').filter({ hasText: /^Live$/ }).waitFor()
}

/** Fails if axe finds anything serious. */
export async function checkAccess(page, what) {
  // Not as a script element, which the page's policy rightly refuses.
  await page.evaluate(axeSource)
  const found = await page.evaluate(() => globalThis.axe.run(document, { resultTypes: ['violations'] }))
  const serious = found.violations.filter((v) => v.impact === 'serious' || v.impact === 'critical')
  assert.deepEqual(serious.map((v) => `${v.id}: ${v.nodes.map((n) => n.html.slice(0, 160)).slice(0, 3).join(' | ')}`), [], what)
}

/** Runs what somebody would paste into a terminal; answers how to end it. */
export function paste(text, cwd) {
  // Debian's own Python has Debian's paho-mqtt, whatever else comes first in somebody's PATH.
  const env = { ...process.env, PATH: '/usr/bin:/bin' }
  const child = spawn('bash', ['-c', text], { cwd, env, detached: true, stdio: ['ignore', 'inherit', 'inherit'] })
  const ended = new Promise((resolve) => child.once('exit', resolve))
  return async () => {
    if (child.exitCode === null) process.kill(-child.pid, 'SIGKILL')
    await ended
  }
}

/** Waits until `read` answers what `fits`. */
export async function until(read, fits, what, timeout = 30_000) {
  const end = Date.now() + timeout
  for (;;) {
    const value = await read()
    if (fits(value)) return value
    assert(Date.now() < end, `${what}: ${JSON.stringify(value)}`)
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}

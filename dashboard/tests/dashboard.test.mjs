// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
// The dashboard as an operator uses it: Chromium, a real bridge, broker, database and workers.
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { checkAccess, openBrowser, openPage, openWorld, paste, signIn, until } from './support.mjs'

const shots = process.env.SCREENSHOTS
let world, browser, page, url, admin, password

before(async () => {
  ;[world, browser] = await Promise.all([openWorld(), openBrowser()])
  ;({ url, admin, password } = await world.where())
  page = await openPage(browser, url)
})

after(async () => {
  await browser?.close()
  await world?.end()
})

const row = (name) => page.getByRole('row').filter({ hasText: name })
const show = (path) => page.evaluate((hash) => (location.hash = hash), path)
const shot = (name, of = page) => shots && of.screenshot({ path: join(shots, name + '.png') })
const countOf = async (state) => Number(await page.getByTestId('count-' + state).locator('b').innerText())
const openWorker = async (name) => {
  await show('/')
  await row(name).getByRole('link', { name }).click()
  await page.getByRole('heading', { level: 1, name }).waitFor()
}

test('somebody signs in, and not with a wrong password', async () => {
  await page.getByLabel('User name').fill(admin)
  await page.getByLabel('Password').fill('not this one')
  await page.getByRole('button', { name: 'Sign in' }).click()
  await page.getByRole('alert').filter({ hasText: 'Wrong user name or password' }).waitFor()
  await checkAccess(page, 'sign-in')
  await signIn(page, admin, password)
  await page.getByText('No workers yet').waitFor()
})

test('a worker appears, goes, comes back and loses its connection', async () => {
  await world.register('press-1', ['berlin', 'line-1'])
  await row('press-1').getByText('Offline').waitFor()
  await world.connect('press-1', 'power cut')
  await row('press-1').getByText('Online').waitFor()
  assert.equal(await countOf('online'), 1)
  await world.disconnect('press-1')
  await row('press-1').getByText('Offline').waitFor()
  await world.connect('press-1', 'power cut')
  await row('press-1').getByText('Online').waitFor()
  await world.vanish('press-1')
  await row('press-1').getByText('Offline').waitFor()
  await openWorker('press-1')
  await page.getByTestId('now').getByText('connection lost: power cut').waitFor()
  await page.getByTestId('audit').getByText('connection lost: power cut').waitFor()
})

test('it is started and stopped, and each step shows', async () => {
  await world.connect('press-1')
  await openWorker('press-1')
  for (const [button, type, engine] of [['Start', 'engine_start', 'running'], ['Stop', 'engine_stop', 'stopped']]) {
    await page.getByRole('button', { name: button, exact: true }).click()
    assert.equal(await world.obey('press-1'), type)
    await page.getByTestId('engine').filter({ hasText: engine }).waitFor()
    const entry = page.getByTestId('commands').locator('> li').first()
    await entry.filter({ hasText: type }).getByText('done', { exact: true }).first().waitFor()
  }
  await page.getByRole('button', { name: 'Stop', exact: true }).click()
  await page.getByRole('status').getByText('stopped already').waitFor()
})

test('charts move with each report, for any numeric key', async () => {
  await openWorker('press-1')
  await world.report('press-1', { memory: 510, cpu: 12.5, rate: 100, queue_depth: 7, engine_status: 'running' })
  const chart = page.getByTestId('chart').first()
  await chart.waitFor()
  await page.getByRole('button', { name: 'queue_depth' }).waitFor()
  const points = async () => Number(await chart.getAttribute('data-points'))
  const at = await until(points, (n) => n > 0, 'the chart has points')
  for (let i = 1; i <= 3; i++) await world.report('press-1', { memory: 510 + i, cpu: 12.5 + i, rate: 100 - i, queue_depth: 7 + i })
  await until(points, (n) => n > at, 'it has more points')
  assert.equal(await page.getByTestId('chart').count(), 4)
  await page.getByRole('button', { name: 'queue_depth' }).click()
  await until(() => page.getByTestId('chart').count(), (n) => n === 3, 'a curve was taken away')
})

for (const [language, name] of [['Python', 'by-python'], ['mosquitto_pub', 'by-line'], ['C', 'by-c']]) {
  test(`a new worker connects with the pasted ${language} line; its token is shown once`, async () => {
    await show('/')
    await page.getByRole('link', { name: 'Register' }).first().click()
    await page.getByLabel('Name').fill(name)
    await page.getByLabel('Tags').fill('pasted new')
    await page.getByRole('button', { name: 'Register', exact: true }).click()
    const token = await page.getByTestId('new-token').innerText()
    assert.match(token, /^tk_[A-Za-z0-9_-]{64}$/)
    await page.getByTestId('arrival').getByText('Waiting').waitFor()
    if (language === 'Python') {
      await checkAccess(page, 'registration')
      await shot('register')
    }
    await page.getByRole('tab', { name: language, exact: true }).click()
    const directory = mkdtempSync(join(tmpdir(), 'rollcall-paste-'))
    const end = paste(await page.getByTestId('snippet').innerText(), directory)
    try {
      await page.getByTestId('arrival').getByText(`${name} is connected and reports`).waitFor()
      await page.getByRole('link', { name: `Open ${name}` }).click()
      await page.getByTestId('chart').first().waitFor()
      if (language === 'Python') {
        await page.getByRole('button', { name: 'Start', exact: true }).click()
        await page.getByTestId('engine').filter({ hasText: 'running' }).waitFor()
        await page.getByRole('button', { name: 'Stop', exact: true }).click()
        await page.getByTestId('engine').filter({ hasText: 'stopped' }).waitFor()
      }
    } finally {
      await end()
      rmSync(directory, { recursive: true })
    }
    await page.getByTestId('now').getByText('Offline').waitFor()
    await page.reload()
    await page.getByRole('heading', { level: 1, name }).waitFor()
    assert(!(await page.content()).includes(token))
  })
}

test('a token is rotated, a worker revoked and reinstated, renamed and deleted', async () => {
  await openWorker('by-line')
  const more = (action) => async () => {
    await page.getByRole('button', { name: 'More' }).click()
    await page.getByRole('button', { name: action }).click()
  }
  await more('Rotate the token…')()
  await page.getByRole('dialog').getByRole('button', { name: 'Rotate', exact: true }).click()
  assert.match(await page.getByTestId('new-token').innerText(), /^tk_/)
  await page.getByRole('dialog').getByRole('button', { name: 'Close' }).click()
  await more('Revoke…')()
  await page.getByLabel('Reason').fill('lost laptop')
  await page.getByRole('dialog').getByRole('button', { name: 'Revoke', exact: true }).click()
  await page.getByTestId('now').getByText('Revoked').waitFor()
  await page.getByTestId('audit').getByText('lost laptop').waitFor()
  await more('Reinstate')()
  await until(() => page.getByTestId('now').getByText('Revoked').count(), (n) => n === 0, 'it is not revoked any more')
  await page.getByRole('button', { name: 'Name and tags…' }).click()
  await page.getByRole('dialog').getByLabel('Name').fill('by-any-line')
  await page.getByRole('dialog').getByRole('button', { name: 'Save' }).click()
  await page.getByRole('heading', { level: 1, name: 'by-any-line' }).waitFor()
  await more('Delete…')()
  const remove = page.getByRole('dialog').getByRole('button', { name: 'Delete', exact: true })
  assert(await remove.isDisabled())
  await page.getByLabel(/^Type/).fill('by-any-line')
  await remove.click()
  await until(() => row('by-any-line').count(), (n) => n === 0, 'it is gone')
})

test('a command goes to all that are listed, with a preview and a result', async () => {
  for (const n of [2, 3, 4]) await world.register(`press-${n}`, ['line-2'])
  await world.connect('press-2')
  await world.connect('press-3')
  await show('/')
  await page.getByLabel('Tag', { exact: true }).selectOption('line-2')
  await page.getByText('3 listed').waitFor()
  await until(() => countOf('online'), (n) => n === 3, 'two more are online')
  await page.getByLabel('Select all that are listed').check()
  await page.getByTestId('bulk').getByRole('button', { name: 'Start…' }).click()
  await page.getByTestId('preview').getByText('3 workers: 2 connected, 1 not').waitFor()
  await checkAccess(page, 'bulk action')
  await page.getByRole('button', { name: 'Start 3 workers' }).click()
  await world.obey('press-2')
  await world.obey('press-3', 'failed')
  await page.locator('[data-outcome=done]').filter({ hasText: '1' }).waitFor()
  await page.locator('[data-outcome=failed]').filter({ hasText: '2' }).waitFor()
  await page.getByText('Why 2 did not').click()
  await page.getByRole('dialog').getByText('the door is open').waitFor()
  await shot('bulk')
  await page.getByRole('dialog').getByRole('button', { name: 'Close' }).last().click()
  await page.getByRole('button', { name: 'Clear the selection' }).click()
  await page.getByRole('button', { name: 'Clear', exact: true }).click()
})

test('a viewer sees, and cannot act', async () => {
  const viewer = await world.viewer()
  const other = await openPage(browser, url)
  await signIn(other, viewer.name, viewer.password)
  await other.getByRole('row').filter({ hasText: 'press-2' }).getByText('Online').waitFor()
  assert.equal(await other.getByRole('checkbox').count(), 0)
  assert.equal(await other.getByRole('link', { name: 'Register' }).count(), 0)
  await other.getByRole('link', { name: 'press-2' }).click()
  await other.getByTestId('now').getByText('Online').waitFor()
  for (const name of ['Start', 'Stop', 'Kick', 'More', 'Send a command…']) {
    assert.equal(await other.getByRole('button', { name, exact: true }).count(), 0, name)
  }
  const status = await other.evaluate(async () => (await fetch('api/workers', { method: 'POST', body: '{"name":"nobody"}', headers: { 'Content-Type': 'application/json' } })).status)
  assert.equal(status, 403)
  assert.deepEqual(other.wrong, [])
  await other.context().close()
})

test('the views are accessible, in both colours, on a phone and on a wall', async () => {
  await world.past('press-1')
  await show('/')
  await row('press-2').getByText('Online').waitFor()
  await checkAccess(page, 'fleet')
  await shot('fleet')
  await openWorker('press-1')
  await until(async () => Number(await page.getByTestId('chart').first().getAttribute('data-points')), (n) => n > 80, 'its past is shown')
  await checkAccess(page, 'worker')
  await shot('worker')
  await page.emulateMedia({ colorScheme: 'dark' })
  await checkAccess(page, 'worker, dark')
  await show('/')
  await checkAccess(page, 'fleet, dark')
  await page.setViewportSize({ width: 390, height: 844 })
  await row('press-2').getByText('Online').waitFor()
  await checkAccess(page, 'fleet on a phone')
  assert(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), 'nothing sticks out')
  await shot('phone')
  await page.setViewportSize({ width: 1440, height: 900 })
  await show('/wall')
  await page.getByTestId('wall').waitFor()
  await checkAccess(page, 'wall')
  await page.emulateMedia({ colorScheme: 'light' })
})

test('the keyboard is enough to get to a worker', async () => {
  await show('/')
  await row('press-2').waitFor()
  await page.keyboard.press('/')
  await page.keyboard.type('press')
  await until(() => page.evaluate(() => document.activeElement.getAttribute('aria-label')), (l) => /Search/.test(l ?? ''), 'the search has the focus')
  await row('press-1').getByRole('link').focus()
  await page.keyboard.press('ArrowDown')
  await until(() => page.evaluate(() => document.activeElement.textContent), (t) => t === 'press-2', 'the next row has the focus')
  await page.keyboard.press('Enter')
  await page.getByRole('heading', { level: 1, name: 'press-2' }).waitFor()
  await show('/')
})

test('what cannot be known is not shown as known', async () => {
  await show('/')
  await row('press-2').getByText('Online').waitFor()
  await world.broker('kill')
  await page.getByTestId('broker-away').waitFor()
  await row('press-2').getByText('Unknown').waitFor()
  assert.equal(await countOf('online'), 0)
  await shot('broker-away')
  await world.broker('start')
  await row('press-2').getByText('Offline').waitFor({ timeout: 20_000 })
  await page.getByTestId('broker-away').waitFor({ state: 'detached' })
  await world.database('kill')
  await page.getByTestId('database-away').waitFor()
  await world.connect('press-2')
  await row('press-2').getByText('Online').waitFor()
  await world.database('start')
  await page.getByTestId('database-away').waitFor({ state: 'detached', timeout: 20_000 })
})

test('the loss of the stream is said at once, and its return mends everything', async () => {
  await world.bridge('kill')
  await page.getByTestId('lost').getByText(/Live data lost since \d\d:\d\d:\d\d/).waitFor({ timeout: 2000 })
  await page.getByTestId('live').filter({ hasText: 'Not live' }).waitFor()
  await world.disconnect('press-2')
  await world.bridge('start')
  await page.getByTestId('lost').waitFor({ state: 'detached', timeout: 20_000 })
  await row('press-2').getByText('Offline').waitFor()
})

test('ten thousand workers scroll smoothly while hundreds of reports a second come in', async () => {
  await world.crowd(10_000)
  await until(() => page.getByTestId('count-all').locator('b').innerText(), (t) => Number(t.replaceAll(/\D/g, '')) > 10_000, 'all are listed', 30_000)
  await page.getByLabel('Search name, id or tag').fill('worker')
  await page.getByText('10,000 listed').waitFor()
  const frames = await page.evaluate(async () => {
    const scroller = document.querySelector('[data-testid=scroller]')
    const times = []
    const end = performance.now() + 3000
    let last = performance.now()
    while (last < end) {
      scroller.scrollTop += 400
      const now = await new Promise(requestAnimationFrame)
      times.push(now - last)
      last = now
    }
    return { times: times.slice(1).sort((a, b) => a - b), rows: scroller.querySelectorAll('[role=row]').length }
  })
  const at = (part) => frames.times[Math.floor((frames.times.length - 1) * part)]
  console.log(`frames while scrolling: ${frames.times.length} in 3 s, median ${at(0.5).toFixed(1)} ms, p95 ${at(0.95).toFixed(1)} ms; ${frames.rows} rows exist`)
  assert(frames.rows < 100, 'only rows that can be seen exist')
  // Generous, for the machine draws without a graphics card and may be busy: with all rows in the
  // page a frame takes seconds.
  assert(at(0.5) < 150 && at(0.95) < 400, 'frames come in time')
  await shot('fleet-10000')
  await show('/wall')
  await page.getByTestId('wall').waitFor()
  await page.getByText(/listed/).waitFor()
  await shot('wall')
})

test('somebody changes the password and signs out', async () => {
  await page.getByTestId('user-menu').click()
  await page.getByRole('button', { name: 'Change password' }).click()
  await page.getByLabel('Current password').fill(password)
  await page.getByLabel('New password', { exact: true }).fill('another password 1')
  await page.getByLabel('New password again').fill('another password 1')
  await page.getByRole('dialog').getByRole('button', { name: 'Change password' }).click()
  await page.getByRole('status').getByText('Password changed').waitFor()
  await page.getByTestId('user-menu').click()
  await page.getByRole('button', { name: 'Sign out' }).click()
  await page.getByRole('button', { name: 'Sign in' }).waitFor()
  await signIn(page, admin, 'another password 1')
})

test('nothing went wrong on the page, nor to any other host', () => {
  assert.deepEqual(page.wrong, [])
})

// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
// Light or dark: what the system prefers, or what was chosen here.

export type Choice = 'system' | 'light' | 'dark'
const CHOICES: Choice[] = ['system', 'light', 'dark']
const KEY = 'rollcall-theme'

class Theme {
  choice = $state<Choice>('system')
  /** Grows with each change of colours: what is drawn on a canvas has to be drawn again. */
  version = $state(0)

  constructor() {
    const saved = localStorage.getItem(KEY) as Choice | null
    this.choose(saved && CHOICES.includes(saved) ? saved : 'system')
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => this.version++)
  }

  choose(choice: Choice): void {
    this.choice = choice
    if (choice === 'system') {
      localStorage.removeItem(KEY)
      delete document.documentElement.dataset.theme
    } else {
      localStorage.setItem(KEY, choice)
      document.documentElement.dataset.theme = choice
    }
    this.version++
  }

  next(): void {
    this.choose(CHOICES[(CHOICES.indexOf(this.choice) + 1) % CHOICES.length]!)
  }
}

export const theme = new Theme()

const probe = document.createElement('span')
const cache = new Map<string, string>()
let cached = -1

/** A colour of the style sheet as canvases understand it. */
export function colour(name: string): string {
  if (cached !== theme.version) {
    cache.clear()
    cached = theme.version
  }
  let value = cache.get(name)
  if (value === undefined) {
    if (!probe.isConnected) {
      probe.hidden = true
      document.body.append(probe)
    }
    probe.style.color = `var(--${name})`
    value = getComputedStyle(probe).color
    cache.set(name, value)
  }
  return value
}

// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
// Where we are: "#/workers/wrk_…?range=1h". In the fragment, since the bridge's own paths are REST.

class Router {
  path = $state('/')
  params = $state.raw(new URLSearchParams())

  constructor() {
    addEventListener('hashchange', () => this.read())
    this.read()
  }

  get segments(): string[] {
    return this.path.split('/').filter(Boolean).map(decodeURIComponent)
  }

  go(path: string): void {
    location.hash = path
  }

  /** Other parameters in the same place; no new step of the browser's history. */
  replaceParams(params: URLSearchParams): void {
    const text = params.toString()
    if (text === this.params.toString()) return
    history.replaceState(null, '', '#' + this.path + (text ? '?' + text : ''))
    this.params = params
  }

  private read(): void {
    const [path = '', search = ''] = location.hash.slice(1).split('?', 2)
    this.path = path || '/'
    this.params = new URLSearchParams(search)
  }
}

export const router = new Router()
export const workerLink = (id: string): string => '#/workers/' + encodeURIComponent(id)

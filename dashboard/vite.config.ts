// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
import { svelte } from '@sveltejs/vite-plugin-svelte'
import { defineConfig } from 'vite'

export default defineConfig({
  // Relative, so that a proxy may put the dashboard below a path of its own.
  base: './',
  plugins: [svelte()],
  build: {
    target: 'es2022',
    assetsDir: 'assets',
    // The bridge's Content-Security-Policy knows no data: but for images.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    emptyOutDir: false,
    rolldownOptions: { checks: { pluginTimings: false } }
  }
})

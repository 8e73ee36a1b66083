// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
import { vitePreprocess } from '@sveltejs/vite-plugin-svelte'

export default { preprocess: vitePreprocess(), compilerOptions: { runes: true } }

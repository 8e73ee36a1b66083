// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
import { mount } from 'svelte'
import App from './App.svelte'
import './styles/base.css'

mount(App, { target: document.getElementById('app')! })

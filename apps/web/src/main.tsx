import { render } from 'preact'

import { App } from './app.js'
import './styles/base.css'
import './styles/pages.css'
import './styles/messages.css'

render(<App />, document.getElementById('app')!)

// webpack fills in the mode, so the production bundle does not contain this.
if (process.env.NODE_ENV === 'development')
  void import('./reload.js').then(({ reloadOnChange }) => reloadOnChange('/assets/main.js'))

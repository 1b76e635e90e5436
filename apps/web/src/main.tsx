import { render } from 'preact'

import { App } from './app.js'
import './styles/base.css'
import './styles/pages.css'
import './styles/messages.css'

render(<App />, document.getElementById('app')!)

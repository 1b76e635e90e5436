import { Dialog } from '../ui/dialog.js'

const keys = [
  ['Ctrl K or ⌘ K', 'Go to a room or a person'],
  ['/', 'Search messages'],
  ['Alt ↑, Alt ↓', 'The room before or after this one'],
  ['Alt Shift ↑, Alt Shift ↓', 'The same, only rooms with unread messages'],
  ['Esc', 'Mark this room as read, and go to its newest message'],
  ['↑ in an empty message', 'Edit your last message'],
  ['↑, ↓, Home, End in the list', 'Go from message to message'],
  ['Enter, Shift Enter', 'Send, or begin a new line'],
  ['?', 'Show these keys'],
] as const

/** All keys of the page, in a dialog. */
export function KeysHelp({ onClose }: { onClose: () => void }) {
  return (
    <Dialog title="Keys" onClose={onClose}>
      <dl class="keys">
        {keys.map(([key, what]) => (
          <div key={key}>
            <dt>{key}</dt>
            <dd>{what}</dd>
          </div>
        ))}
      </dl>
      <div class="form-buttons">
        <button type="button" class="button" onClick={onClose}>
          Close
        </button>
      </div>
    </Dialog>
  )
}

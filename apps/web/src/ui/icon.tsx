import type { TargetedMouseEvent } from 'preact'

const shapes = {
  plus: 'M12 5v14M5 12h14',
  back: 'M15 5l-7 7 7 7',
  close: 'M6 6l12 12M18 6L6 18',
  people: 'M9 11a3 3 0 100-6 3 3 0 000 6zM3 20a6 6 0 0112 0M16 5a3 3 0 010 6M18 14a6 6 0 013 6',
  send: 'M4 12L20 4l-5 16-4-6zM11 14l9-10',
  reply: 'M9 6l-5 5 5 5M4 11h9a7 7 0 017 7',
  pencil: 'M4 20l1-4L16 5l3 3L8 19z',
  trash: 'M5 7h14M10 7V4h4v3M7 7l1 13h8l1-13',
  down: 'M12 5v14M6 13l6 6 6-6',
  lock: 'M7 11V8a5 5 0 0110 0v3M6 11h12v9H6z',
  search: 'M10 17a7 7 0 100-14 7 7 0 000 14zM15 15l6 6',
  smile: 'M12 21a9 9 0 100-18 9 9 0 000 18zM8.5 14a4 4 0 007 0M9 9.5v.5M15 9.5v.5',
  unread: 'M4 6h16v12H4zM4 7l8 6 8-6',
  link: 'M10 14a4 4 0 006 0l3-3a4 4 0 00-6-6l-1 1M14 10a4 4 0 00-6 0l-3 3a4 4 0 006 6l1-1',
  check: 'M5 12l5 5 9-11',
  chat: 'M5 5h14v11h-8l-4 4v-4H5z',
  hash: 'M10 4L8 20M16 4l-2 16M5 9h15M4 15h15',
}

export function Icon({ name }: { name: keyof typeof shapes }) {
  return (
    <svg class="icon" viewBox="0 0 24 24" aria-hidden="true">
      <path d={shapes[name]} />
    </svg>
  )
}

export function IconButton(props: {
  icon: keyof typeof shapes
  label: string
  onClick: (event: TargetedMouseEvent<HTMLButtonElement>) => void
  tabIndex?: number
  pressed?: boolean
}) {
  return (
    <button
      type="button"
      class="icon-button"
      aria-label={props.label}
      aria-expanded={props.pressed}
      title={props.label}
      tabIndex={props.tabIndex}
      onClick={props.onClick}
    >
      <Icon name={props.icon} />
    </button>
  )
}

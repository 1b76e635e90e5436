/** Each emoji with its names. The first name is shown; each can be searched, and written as `:name:`. */
const list = `
👍 thumbs_up +1 yes, 👎 thumbs_down -1 no, ❤️ heart love, 😂 joy laugh tears, 🎉 tada party, 👀 eyes look,
✅ check done ok, 🙂 smile, 😀 grin happy, 😄 laughing, 😁 beam, 😅 sweat_smile phew, 🤣 rofl, 😉 wink, 😊 blush, 😇 angel,
🥰 in_love, 😍 heart_eyes, 😘 kiss, 😋 yum, 😜 silly, 🤔 thinking hmm, 🤨 doubt, 😐 neutral, 😏 smirk, 🙄 eye_roll,
😬 grimace, 😌 relieved, 😴 sleep, 🤒 sick, 🤯 mind_blown, 🥳 celebrate, 😎 cool sunglasses, 🤓 nerd, 😕 confused,
😟 worried, 😮 wow surprised, 😳 flushed, 🥺 please, 😢 sad cry, 😭 sob, 😱 scream, 😤 huff, 😡 angry, 🤬 swear, 💀 skull,
💩 poo, 🤡 clown, 👻 ghost, 🤖 robot, 👋 wave hello, 👌 ok_hand, ✌️ victory, 🤞 fingers_crossed, 🤝 handshake deal,
👏 clap, 🙌 hooray, 🙏 thanks pray, 💪 strong muscle, 🫡 salute, 🤷 shrug, 🤦 facepalm, 👉 point_right, 👇 point_down,
☝️ point_up, ✍️ writing, 💔 broken_heart, 💚 green_heart, 💙 blue_heart, 💯 hundred, 🔥 fire, ✨ sparkles, ⭐ star,
⚡ zap fast, 💥 boom, 💡 idea bulb, 💬 speech, 💤 zzz, ☀️ sun, 🌧️ rain, ❄️ snow, 🌈 rainbow, 🌊 wave_sea ocean,
🌱 seedling, 🌳 tree, 🌻 sunflower, 🍀 luck clover, 🐛 bug, 🐱 cat, 🐶 dog, 🐻 bear, 🦊 fox, 🐢 turtle slow, 🐙 octopus,
🐳 whale docker, 🦄 unicorn, ☕ coffee, 🍵 tea, 🍺 beer, 🍷 wine, 🍕 pizza, 🍎 apple, 🍰 cake, 🍪 cookie, 🥐 croissant,
⚽ football, 🏆 trophy, 🎯 target, 🎵 music, 🎁 gift, 🚀 rocket ship, 🚗 car, 🚲 bicycle, ✈️ plane, 🏠 house home,
🏖️ beach, ⏰ alarm, ⏳ wait hourglass, 📅 calendar, 📌 pin, 📎 attach clip, 📝 memo note, 📈 chart up, 📉 chart_down,
📦 package, 📣 announce megaphone, 🔔 bell, 🔍 search, 🔑 key, 🔒 lock, 🔗 link, 🔧 fix wrench, 🛠️ tools, 🧪 test,
🧹 clean broom, 🚧 construction, 🚨 alert siren, ⚠️ warning, ⛔ stop, ❌ cross wrong, ❓ question, ❗ exclamation,
➕ plus, 🆗 ok_button, 🆕 new, 🔁 repeat again, 🟢 green, 🟡 yellow, 🔴 red, 🏁 finish, 🏳️ flag_white
`

export const emoji = list
  .trim()
  .split(/,\s/)
  .map((entry) => {
    const [char = '', ...names] = entry.split(' ')
    return { char, names }
  })

const byName = new Map(emoji.flatMap(({ char, names }) => names.map((name) => [name, char] as const)))

/** The emoji with this name, undefined if there is none. */
export const emojiNamed = (name: string): string | undefined => byName.get(name)

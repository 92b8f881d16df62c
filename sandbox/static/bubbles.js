// Draws one message. Everything that came over the wire goes in as text, never as HTML.

const EMOJI = ["👍", "❤️", "😂", "🙏"];
const FAMILY = { image: "📷", video: "🎬", audio: "🎤", document: "📄", sticker: "🏷️" };

export function node(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "class") made.className = value;
    else if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (value !== null && value !== undefined && value !== false) made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined && child !== ""));
  return made;
}

const webAddress = (value) => (/^https?:\/\//i.test(value || "") ? value : null);

// *bold*, _italic_, ~struck~, `code` and links, as the app shows them.
export function formatted(text) {
  const out = document.createDocumentFragment();
  const pattern = /(https?:\/\/[^\s<>"]+)|\*([^*\n]+)\*|(?<![\w])_([^_\n]+)_(?![\w])|~([^~\n]+)~|`([^`\n]+)`/g;
  let last = 0;
  for (const match of text.matchAll(pattern)) {
    out.append(text.slice(last, match.index));
    const [whole, link, bold, italic, struck, code] = match;
    if (link) out.append(node("a", { href: link, target: "_blank", rel: "noopener noreferrer" }, link));
    else if (bold) out.append(node("b", {}, bold));
    else if (italic) out.append(node("i", {}, italic));
    else if (struck) out.append(node("s", {}, struck));
    else out.append(node("code", {}, code));
    last = match.index + whole.length;
  }
  out.append(text.slice(last));
  return out;
}

function file(kind, media) {
  const source = media.id ? `/_page/media/${encodeURIComponent(media.id)}` : webAddress(media.link);
  const name = media.filename || (source ? source.split("/").pop().split("?")[0] : "") || kind;
  const chip = () =>
    node("a", { class: "file", href: source, target: "_blank", rel: "noopener noreferrer" },
      node("i", {}, FAMILY[kind]), node("span", {}, kind === "document" ? name : kind[0].toUpperCase() + kind.slice(1), node("small", {}, media.link || name)));
  if (!source || kind === "document") return chip();
  if (kind === "image" || kind === "sticker") {
    const picture = node("img", { class: "picture", src: source, alt: name, referrerpolicy: "no-referrer" });
    picture.addEventListener("error", () => picture.replaceWith(chip()));
    return picture;
  }
  const player = node(kind, { class: "picture", src: source, controls: true, preload: "metadata" });
  player.addEventListener("error", () => player.replaceWith(chip()));
  return player;
}

function header(value) {
  if (!value) return null;
  if (value.type === "text") return node("div", { class: "head" }, value.text);
  if (value.media) return file(value.type, value.media);
  return node("div", { class: "note" }, `(${value.type})`);
}

function inside(content) {
  switch (content.type) {
    case "location": {
      const at = `${content.latitude}, ${content.longitude}`;
      const map = `https://www.openstreetmap.org/?mlat=${content.latitude}&mlon=${content.longitude}`;
      return [node("a", { class: "place", href: map, target: "_blank", rel: "noopener noreferrer" },
        node("i", {}, "📍"), node("span", {}, content.name || at, node("small", {}, content.address || at)))];
    }
    case "contacts":
      return content.cards.map((card) => node("div", { class: "file" }, node("i", {}, "👤"),
        node("span", {}, card.name, node("small", {}, card.phones.join(", ")))));
    case "reaction":
      return [node("span", { class: "note" }, content.emoji ? `reacted ${content.emoji}` : "removed a reaction")];
    case "image": case "video": case "audio": case "document": case "sticker":
      return [file(content.type, content.media), content.body ? node("div", { class: "body" }, formatted(content.body)) : null];
    default:
      return [
        content.type === "template" ? node("span", { class: "tag" }, `template ${content.name}`) : null,
        header(content.header),
        node("div", { class: "body" }, formatted(content.body || "")),
        content.note ? node("div", { class: "note" }, content.note) : null,
        content.footer ? node("div", { class: "foot" }, content.footer) : null,
      ];
  }
}

function tap(message, button, act) {
  const label = { class: "tap", type: "button" };
  if (button.type === "reply") return node("button", { ...label, onclick: () => act({ button_id: button.id, message_id: message.id }) }, button.text);
  if (button.type === "quick_reply") return node("button", { ...label, onclick: () => act({ button_id: button.payload, message_id: message.id }) }, "↩ ", button.text);
  if (button.type === "location_request") return node("button", { ...label, onclick: () => act({ location: { latitude: 48.137154, longitude: 11.576124, name: "Here" }, reply_to: message.id }) }, "📍 ", button.text);
  if (button.type === "flow") return node("button", { ...label, onclick: () => act({ flow: { done: true } }) }, button.text);
  if (button.type === "copy_code") return node("button", { ...label, onclick: () => navigator.clipboard?.writeText(button.code) }, "⧉ ", button.text);
  const link = button.type === "url" ? webAddress(button.url) : button.type === "phone_number" ? `tel:${button.phone_number}` : null;
  if (!link) return node("span", { class: "tap" }, button.text);
  return node("a", { class: "tap", href: link, target: "_blank", rel: "noopener noreferrer" }, button.type === "url" ? "↗ " : "☎ ", button.text);
}

// Ticks belong to what the business sent; to the phone's owner they show what the platform will hear.
function ticks(message) {
  const mark = { accepted: "🕓", sent: "✓", delivered: "✓✓", read: "✓✓", failed: "!" }[message.status];
  return node("span", { class: `ticks ${message.status}`, title: message.status, "data-status": message.status }, mark);
}

export function draw(message, quoted, act, openList) {
  const { content } = message;
  const state = message.inbound ? (message.seen ? "✓✓" : "✓") : null;
  const clock = new Date(message.at * 1000).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
  const bubble = node("div", { class: "bubble" },
    quoted ? node("span", { class: "quote" }, quoted) : null,
    ...inside(content),
    message.error ? node("div", { class: "problem" }, `${message.error.code}: ${message.error.title}. Never reached this phone.`) : null,
    node("div", { class: "meta" }, node("time", {}, clock),
      message.inbound ? node("span", { class: message.seen ? "ticks read" : "ticks", title: message.seen ? "read by the business" : "sent" }, state) : ticks(message)));
  if (!message.inbound && !message.error && content.type !== "reaction") {
    bubble.append(node("div", { class: "react" }, ...EMOJI.map((emoji) =>
      node("button", { type: "button", "aria-label": `React ${emoji}`, onclick: () => act({ reaction: { message_id: message.id, emoji: message.reaction === emoji ? "" : emoji } }) }, emoji))));
  }
  const buttons = message.inbound || message.error ? [] : (content.buttons || []).map((button) => tap(message, button, act));
  if (content.list && !message.error) buttons.push(node("button", { class: "tap", type: "button", onclick: () => openList(message) }, "☰ ", content.list.button));
  return node("article", { class: `message ${message.inbound ? "mine" : ""} ${message.error ? "failed" : ""}`, "data-id": message.id },
    bubble,
    message.reaction ? node("span", { class: "emoji" }, message.reaction) : null,
    buttons.length ? node("div", { class: "taps" }, ...buttons) : null);
}

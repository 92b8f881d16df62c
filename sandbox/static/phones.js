// The page: list of phones on the left, one phone's conversation on the right, live over server-sent events.
import { draw, node } from "/static/bubbles.js";

const $ = (id) => document.getElementById(id);
const seen = new Map(Object.entries(JSON.parse(sessionStorage.getItem("seen") || "{}")));
const state = { phones: [], numbers: [], open: null, conversation: null, business: "" };

async function call(method, path, body) {
  const response = await fetch(`/_control/${path}`, {
    method, headers: body ? { "content-type": "application/json" } : {}, body: body ? JSON.stringify(body) : undefined,
  });
  const answer = await response.json();
  if (!response.ok) throw new Error(answer.error || `error ${response.status}`);
  return answer;
}

function complain(error) {
  $("toast").textContent = error.message;
  $("toast").hidden = false;
  clearTimeout(complain.timer);
  complain.timer = setTimeout(() => { $("toast").hidden = true; }, 5000);
}

const hue = (key) => [...key].reduce((sum, letter) => sum + letter.charCodeAt(0), 0) % 6;
const initials = (name, key) => (name.startsWith("Phone ") ? key.slice(-2) : name.split(/\s+/).slice(0, 2).map((word) => word[0]).join("").toUpperCase());
const title = (phone) => (phone.name.startsWith("Phone ") ? phone.phone || phone.user_id : phone.name);

function when(seconds) {
  const moment = new Date(seconds * 1000);
  const today = new Date().toDateString() === moment.toDateString();
  return today ? moment.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" }) : moment.toLocaleDateString([], { day: "numeric", month: "short" });
}

async function loadList() {
  const answer = await call("GET", `phones?search=${encodeURIComponent($("search").value.trim())}`);
  state.phones = answer.phones;
  $("count").textContent = answer.total === 0 ? "No phone yet" : answer.total === 1 ? "1 phone" : `${answer.total.toLocaleString()} phones`;
  drawList();
}

function drawList() {
  $("list").replaceChildren(...state.phones.map((phone) => {
    const fresh = !phone.last_inbound && phone.key !== state.open && seen.get(phone.key) !== phone.last_id;
    const button = node("button", { class: "row", type: "button", "aria-current": String(phone.key === state.open), "data-key": phone.key, onclick: () => openPhone(phone.key) },
      node("span", { class: `avatar hue${hue(phone.key)}`, "aria-hidden": "true" }, initials(phone.name, phone.key)),
      node("span", { class: "row-text" },
        node("span", { class: "row-top" }, node("b", {}, title(phone)), node("time", {}, when(phone.last_at))),
        node("span", { class: "row-bottom" }, node("span", {}, `${phone.last_inbound ? "You: " : phone.last_status === "failed" ? "⚠ " : ""}${phone.last_text}`), fresh ? node("i", { class: "fresh", title: "new" }) : null)));
    return node("li", {}, button);
  }));
}

async function loadNumbers() {
  state.numbers = (await call("GET", "numbers")).numbers;
  const options = () => state.numbers.map((number) => node("option", { value: number.phone_number_id }, `${number.verified_name} (${number.display_phone_number})`));
  for (const id of ["business", "startBusiness"]) {
    const chosen = $(id).value;
    $(id).replaceChildren(...options());
    if (chosen && state.numbers.some((number) => number.phone_number_id === chosen)) $(id).value = chosen;
  }
  $("startHint").hidden = state.numbers.length > 0;
}

function remember(conversation) {
  seen.set(conversation.key, conversation.last_id);
  sessionStorage.setItem("seen", JSON.stringify(Object.fromEntries([...seen].slice(-500))));
}

async function openPhone(key) {
  state.open = key;
  state.business = "";
  location.hash = encodeURIComponent(key);
  $("app").classList.add("open");
  await loadConversation(true);
  drawList();
}

function closePhone() {
  state.open = state.conversation = null;
  history.replaceState(null, "", location.pathname);
  $("app").classList.remove("open");
  $("phone").hidden = true;
  $("empty").hidden = false;
  drawList();
}

async function loadConversation(jump) {
  if (!state.open) return;
  const conversation = await call("GET", `phones/${encodeURIComponent(state.open)}`);
  if (conversation.key !== state.open) return;
  state.conversation = conversation;
  const used = conversation.messages.map((message) => message.phone_number_id);
  if (used.some((id) => !state.numbers.some((number) => number.phone_number_id === id)) || !state.numbers.length) await loadNumbers();
  if (!state.business) state.business = used.at(-1) || state.numbers[0]?.phone_number_id || "";
  $("business").value = state.business;
  remember(conversation);
  drawConversation(jump);
}

function drawConversation(jump) {
  const { conversation } = state;
  const thread = $("thread");
  const atEnd = jump || thread.scrollHeight - thread.scrollTop - thread.clientHeight < 80;
  $("empty").hidden = true;
  $("phone").hidden = false;
  $("who").textContent = title(conversation);
  $("whoNumber").textContent = [conversation.phone, conversation.user_id].filter(Boolean).join(" · ");
  $("avatar").className = `avatar hue${hue(conversation.key)}`;
  $("avatar").textContent = initials(conversation.name, conversation.key);
  $("typing").hidden = !conversation.typing.includes(state.business);
  clearTimeout(drawConversation.timer);
  if (conversation.typing.length) drawConversation.timer = setTimeout(() => loadConversation(false).catch(complain), 26000);
  const byId = new Map(conversation.messages.map((message) => [message.id, message]));
  const items = [];
  let day = "";
  for (const message of conversation.messages) {
    if (message.phone_number_id !== state.business || (message.content.type === "reaction" && byId.has(message.content.target))) continue;
    const date = new Date(message.at * 1000).toLocaleDateString([], { weekday: "long", day: "numeric", month: "long" });
    if (date !== day) items.push(node("span", { class: "day" }, (day = date)));
    const quoted = message.quoted ? byId.get(message.quoted)?.content.body || "Message" : null;
    items.push(draw(message, quoted, act, openList));
  }
  thread.replaceChildren(...items);
  if (atEnd) thread.scrollTop = thread.scrollHeight;
}

async function act(body) {
  try {
    await call("POST", `phones/${encodeURIComponent(state.open)}/reply`, { phone_number_id: state.business, ...body });
    await Promise.all([loadConversation(true), loadList()]);
  } catch (error) { complain(error); }
}

function openList(message) {
  const { list } = message.content;
  const choose = (row) => { $("rows").close(); act({ list_id: row.id, message_id: message.id }); };
  $("sheet").replaceChildren(node("h2", {}, list.button), ...list.sections.flatMap((section) => [
    section.title ? node("h3", {}, section.title) : null,
    ...section.rows.map((row) => node("button", { type: "button", onclick: () => choose(row) }, row.title, row.description ? node("small", {}, row.description) : null)),
  ]).filter(Boolean));
  $("rows").showModal();
}

function kindOf(type) {
  if (type === "image/webp") return "sticker";
  const family = type.split("/")[0];
  return ["image", "video", "audio"].includes(family) ? family : "document";
}

async function sendFile(file) {
  if (file.size > 100 * 1024 * 1024) return complain(new Error("The file is larger than 100 MB."));
  const url = await new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(reader.result);
    reader.onerror = () => reject(reader.error);
    reader.readAsDataURL(file);
  });
  const type = file.type || "application/octet-stream";
  return act({ media: { type: kindOf(type), mime_type: type, filename: file.name, data: url.slice(url.indexOf(",") + 1) } });
}

function startDialog() {
  loadNumbers().then(() => $("start").showModal()).catch(complain);
}

async function sendFirst(event) {
  event.preventDefault();
  const phone = $("startPhone").value.replace(/[^\d]/g, "");
  const body = { text: $("startText").value, phone_number_id: $("startBusiness").value };
  if ($("startName").value.trim()) body.name = $("startName").value.trim();
  try {
    const { key } = await call("POST", `phones/${phone}/reply`, body);
    $("start").close();
    $("startForm").reset();
    await loadList();
    await openPhone(key);
  } catch (error) { complain(error); }
}

function sendText(event) {
  event.preventDefault();
  const text = $("text").value.trim();
  if (!text) return;
  $("text").value = "";
  grow();
  act({ text });
}

function grow() {
  $("text").rows = Math.min(5, $("text").value.split("\n").length);
}

let pending = null;
function changed(keys) {
  pending ??= setTimeout(() => { pending = null; loadList().catch(complain); }, 250);
  if (state.open && keys.includes(state.open)) loadConversation(false).catch(complain);
}

function listen() {
  const source = new EventSource("/_events");
  const show = (on) => { $("live").textContent = on ? "live" : "offline"; $("live").classList.toggle("on", on); };
  source.onopen = () => { show(true); loadList().catch(complain); loadConversation(false).catch(complain); };
  source.onerror = () => show(false);
  source.onmessage = (event) => changed(JSON.parse(event.data).changed);
}

$("new").addEventListener("click", startDialog);
$("first").addEventListener("click", startDialog);
$("startCancel").addEventListener("click", () => $("start").close());
$("startForm").addEventListener("submit", sendFirst);
$("compose").addEventListener("submit", sendText);
$("back").addEventListener("click", closePhone);
$("search").addEventListener("input", () => loadList().catch(complain));
$("text").addEventListener("input", grow);
$("text").addEventListener("keydown", (event) => { if (event.key === "Enter" && !event.shiftKey && !event.isComposing) sendText(event); });
$("file").addEventListener("change", (event) => { if (event.target.files[0]) sendFile(event.target.files[0]).catch(complain); event.target.value = ""; });
$("place").addEventListener("click", () => act({ location: { latitude: 48.137154, longitude: 11.576124, name: "Market square" } }));
$("business").addEventListener("change", () => { state.business = $("business").value; drawConversation(true); });
$("rows").addEventListener("click", (event) => { if (event.target === $("rows")) $("rows").close(); });

try {
  await Promise.all([loadNumbers(), loadList()]);
  if (location.hash.length > 1) await openPhone(decodeURIComponent(location.hash.slice(1)));
} catch (error) { complain(error); }
listen();

// The hosted setup page: opens Meta's dialog (or the simulated one), hands its code to the server, shows how far it got.
const setup = JSON.parse(document.getElementById("setup").textContent);
const texts = setup.texts;
const part = (id) => document.getElementById(id);
let state = setup.state;
// What the dialog reported about the number: Meta tells it by message, before or after the code.
let reported = {};
// Stays under the button that it belongs to; kept here because it leaves the page with that button.
const coexistenceRow = part("coexistence-row");
const coexistenceBox = part("coexistence");
let network = setup.networks.find((one) => one.id === state.network) || setup.networks[0];

function make(tag, values = {}, ...children) {
  const element = Object.assign(document.createElement(tag), values);
  element.append(...children);
  return element;
}

function say(problem) {
  part("problem").hidden = !problem;
  part("problem").textContent = problem || "";
}

function busy(on) {
  for (const button of document.querySelectorAll("button")) button.disabled = on;
}

function show() {
  const steps = part("steps");
  steps.hidden = !state.started;
  const next = state.steps.findIndex((step) => !step.done);
  steps.replaceChildren(...state.steps.map((step, place) =>
    make("li", {className: step.done ? "done" : place === next ? "now" : "", textContent: step.name})));
  say(state.error);
  const fresh = state.step === "exchange";
  coexistenceRow.remove();
  part("cancel").hidden = state.isDone || !setup.hasRedirect;
  const work = part("work");
  if (state.isDone) work.replaceChildren(...done());
  else if (state.numbers.length) work.replaceChildren(choice(), loginAgain());
  else if (fresh) work.replaceChildren(...setup.networks.flatMap(choices));
  else work.replaceChildren(retryForm(), loginAgain());
}

function choices(one) {
  return one.dialog === "whatsapp" ? [connectButton(one), coexistenceRow] : [connectButton(one)];
}

// For whoever allowed too little, or the wrong page: the dialog is opened once more.
function loginAgain() {
  const button = make("button", {type: "button", className: "quiet", textContent: texts.again});
  button.addEventListener("click", connect);
  return button;
}

function connectButton(one) {
  const button = make("button", {type: "button", textContent: texts.connect.replace("%s", one.label)});
  button.addEventListener("click", () => { network = one; connect(); });
  return button;
}

function choice() {
  const form = make("form");
  const fields = make("fieldset", {}, make("legend", {textContent: texts.choose[network.dialog]}));
  state.numbers.forEach((number, place) => fields.append(make("label", {},
    make("input", {type: "radio", name: "number", value: number.external_id, checked: place === 0}), number.label)));
  form.append(fields, make("button", {textContent: texts.use[network.dialog]}));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    post("continue", {externalId: new FormData(form).get("number")});
  });
  return form;
}

function retryForm() {
  const form = make("form");
  const pin = make("input", {inputMode: "numeric", maxLength: 6, pattern: "[0-9]{6}", autocomplete: "off", id: "pin"});
  if (state.step === "register") form.append(make("label", {className: "pin"}, texts.pin, pin));
  form.append(make("button", {textContent: texts.retry}));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    post("continue", {pin: pin.value});
  });
  return form;
}

function done() {
  if (state.redirect) setTimeout(() => location.assign(state.redirect), 1200);
  return [make("h2", {textContent: texts.done}),
    make("p", {textContent: state.redirect ? texts.leaving : texts.doneText.replace("%s", state.channel)})];
}

async function post(action, values) {
  busy(true);
  say("");
  try {
    const response = await fetch(`${setup.url}/${action}${location.search}`, {
      method: "POST", headers: {"Content-Type": "application/json"}, body: JSON.stringify(values), credentials: "omit",
    });
    const answer = await response.json();
    if (answer.redirect) return location.assign(answer.redirect);
    if (answer.state) { state = answer.state; show(); }
    if (answer.problem) say(answer.problem);
  } catch (error) {
    say(texts.offline);
  } finally {
    busy(false);
  }
}

window.addEventListener("message", (event) => {
  if (!setup.origins.includes(event.origin) || typeof event.data !== "string") return;
  let message;
  try { message = JSON.parse(event.data); } catch (error) { return; }
  if (message === null || message.type !== "WA_EMBEDDED_SIGNUP") return;
  const data = message.data || {};
  if (message.event === "CANCEL" || message.event === "ERROR") reported = {problem: data.error_message || texts.cancelled};
  else reported = {
    accountId: data.waba_id, externalId: data.phone_number_id,
    isCoexistence: message.event === "FINISH_WHATSAPP_BUSINESS_APP_ONBOARDING",
  };
});

function connect() {
  reported = {};
  say("");
  busy(true);
  const coexistence = network.dialog === "whatsapp" && coexistenceBox.checked;
  const login = setup.sandboxDialog ? simulatedLogin : metaLogin;
  login(coexistence, (code, problem) => {
    busy(false);
    // The report may come a moment after the code.
    setTimeout(() => {
      if (!code) return say(problem || reported.problem || texts.cancelled);
      const {problem: _ignored, ...values} = reported;
      post("connect", {code, network: network.id, ...values});
    }, 300);
  });
}

function metaLogin(coexistence, answer) {
  if (!window.FB) return answer(null, texts.sdk);
  const asked = {config_id: network.configId, response_type: "code", override_default_response_type: true};
  if (network.dialog === "whatsapp") {
    asked.extras = {setup: {}, sessionInfoVersion: "3"};
    if (coexistence) asked.extras.featureType = "whatsapp_business_app_onboarding";
  }
  window.FB.login((response) => answer(response.authResponse && response.authResponse.code), asked);
}

function simulatedLogin(coexistence, answer) {
  const query = new URLSearchParams({
    origin: location.origin, dialog: network.dialog, coexistence: coexistence ? "1" : "0",
  });
  const dialog = window.open(`${setup.sandboxDialog}?${query}`, "signup", "width=480,height=640");
  if (!dialog) return answer(null, texts.blocked);
  const watch = setInterval(() => { if (dialog.closed) finish(null); }, 500);
  function listen(event) {
    if (!setup.origins.includes(event.origin) || typeof event.data !== "string") return;
    const message = JSON.parse(event.data);
    if (message.type === "SANDBOX_LOGIN") finish(message.code);
  }
  function finish(code) {
    clearInterval(watch);
    window.removeEventListener("message", listen);
    answer(code);
  }
  window.addEventListener("message", listen);
}

if (!setup.sandboxDialog) {
  window.fbAsyncInit = () => window.FB.init({appId: setup.appId, autoLogAppEvents: true, xfbml: false, version: setup.version});
  document.head.append(make("script", {src: "https://connect.facebook.net/en_US/sdk.js", async: true}));
}
part("cancel").addEventListener("click", () => post("cancel", {}));
show();

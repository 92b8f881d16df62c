// Reports to the window that opened the dialog what Meta's dialog reports: the outcome, and the code of the login.
const asked = new URLSearchParams(location.search);
const origin = asked.get("origin");
const field = (id) => document.getElementById(id);
field("coexistence").checked = asked.get("coexistence") === "1";
const isPages = asked.get("dialog") === "pages";
// A disabled group is neither shown nor checked.
for (const [id, on] of [["pages", isPages], ["whatsapp", !isPages]]) {
  field(id).disabled = !on;
  field(id).hidden = !on;
}

function tell(message) {
  if (window.opener && origin) window.opener.postMessage(JSON.stringify(message), origin);
}

function numbers() {
  return [field("number").value, field("second").value].filter((text) => text.trim());
}

function pages() {
  return [["page", "instagram"], ["page2", "instagram2"]]
    .map(([page, account]) => ({name: field(page).value.trim(), instagram: field(account).value.trim()}))
    .filter((page) => page.name);
}

field("cancel").addEventListener("click", () => {
  if (!isPages) tell({type: "WA_EMBEDDED_SIGNUP", event: "CANCEL", data: {current_step: "PHONE_NUMBER_SETUP"}});
  tell({type: "SANDBOX_LOGIN", code: null});
  window.close();
});

field("signup").addEventListener("submit", async (event) => {
  event.preventDefault();
  field("finish").disabled = true;
  const coexistence = field("coexistence").checked;
  const response = await fetch("/dialog/signup", {
    method: "POST",
    body: JSON.stringify(isPages ? {pages: pages()} : {name: field("name").value, numbers: numbers(), coexistence}),
  });
  const answer = await response.json();
  if (!response.ok) {
    field("problem").textContent = answer.error;
    field("finish").disabled = false;
    return;
  }
  const {code, ...data} = answer;
  if (!isPages) tell({type: "WA_EMBEDDED_SIGNUP", event: coexistence ? "FINISH_WHATSAPP_BUSINESS_APP_ONBOARDING" : "FINISH", data});
  tell({type: "SANDBOX_LOGIN", code});
  window.close();
});

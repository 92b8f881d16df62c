// Reports to the window that opened the dialog what Meta's dialog reports: the outcome, and the code of the login.
const asked = new URLSearchParams(location.search);
const origin = asked.get("origin");
const field = (id) => document.getElementById(id);
field("coexistence").checked = asked.get("coexistence") === "1";

function tell(message) {
  if (window.opener && origin) window.opener.postMessage(JSON.stringify(message), origin);
}

field("cancel").addEventListener("click", () => {
  tell({type: "WA_EMBEDDED_SIGNUP", event: "CANCEL", data: {current_step: "PHONE_NUMBER_SETUP"}});
  tell({type: "SANDBOX_LOGIN", code: null});
  window.close();
});

field("signup").addEventListener("submit", async (event) => {
  event.preventDefault();
  field("finish").disabled = true;
  const coexistence = field("coexistence").checked;
  const numbers = [field("number").value, field("second").value].filter((text) => text.trim());
  const response = await fetch("/dialog/signup", {
    method: "POST",
    body: JSON.stringify({name: field("name").value, numbers, coexistence}),
  });
  const answer = await response.json();
  if (!response.ok) {
    field("problem").textContent = answer.error;
    field("finish").disabled = false;
    return;
  }
  const {code, ...data} = answer;
  tell({type: "WA_EMBEDDED_SIGNUP", event: coexistence ? "FINISH_WHATSAPP_BUSINESS_APP_ONBOARDING" : "FINISH", data});
  tell({type: "SANDBOX_LOGIN", code});
  window.close();
});

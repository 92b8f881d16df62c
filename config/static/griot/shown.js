// Shows of a form only what its choices so far ask for. Without this script all of it is there, and the server decides.
// data-shown="frequency !frequency=once": filled in, and not this; what is not shown is not sent either.
(() => {
  "use strict";
  const form = document.getElementById("service-form");
  if (!form) return;
  const valueOf = (name) => (form.elements[name] && !form.elements[name].disabled ? form.elements[name].value : "");
  const holds = (condition) => {
    const isNot = condition.startsWith("!");
    const [name, value] = condition.replace("!", "").split("=");
    const found = value === undefined ? valueOf(name) !== "" : valueOf(name) === value;
    return found !== isNot;
  };
  const show = () => {
    for (const part of form.querySelectorAll("[data-shown]")) {
      part.hidden = !part.dataset.shown.split(" ").every(holds);
      for (const input of part.querySelectorAll("input, select, textarea")) input.disabled = part.hidden;
    }
  };
  form.addEventListener("input", show);
  form.addEventListener("change", show);
  show();
})();

// Shows beside the composer what the text becomes and when it is sent, half a second after the last change.
(() => {
  "use strict";
  const box = document.querySelector("[data-preview]");
  const form = document.getElementById("service-form");
  if (!box || !form) return;
  let timer = 0;
  // Chosen files stay here: what is shown never depends on them.
  const given = () => {
    const data = new FormData(form);
    for (const [name, value] of [...data]) if (value instanceof File) data.delete(name);
    return data;
  };
  const renew = async () => {
    try {
      const answer = await fetch(box.dataset.preview, { method: "POST", body: given(), redirect: "error" });
      if (answer.ok) box.innerHTML = await answer.text();
      box.style.opacity = answer.ok ? "" : "0.5";
    } catch {
      box.style.opacity = "0.5";
    }
  };
  const soon = () => {
    clearTimeout(timer);
    timer = setTimeout(renew, 500);
  };
  // A text that costs less, offered in the box, takes the place of the one that was written.
  box.addEventListener("click", (event) => {
    const offer = event.target.closest("[data-replace]");
    const field = offer && form.elements[offer.dataset.replace];
    if (!field) return;
    field.value = offer.dataset.with;
    renew();
  });
  form.addEventListener("input", soon);
  form.addEventListener("change", soon);
  renew();
})();

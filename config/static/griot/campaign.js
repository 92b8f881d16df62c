// Shows beside the composer what the text becomes and when it is sent, half a second after the last change.
(() => {
  "use strict";
  const box = document.querySelector("[data-preview]");
  const form = document.getElementById("service-form");
  if (!box || !form) return;
  let timer = 0;
  const renew = async () => {
    try {
      const answer = await fetch(box.dataset.preview, { method: "POST", body: new FormData(form), redirect: "error" });
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
  form.addEventListener("input", soon);
  form.addEventListener("change", soon);
  renew();
})();

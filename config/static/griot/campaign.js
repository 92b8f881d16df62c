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
  const saved = form.elements.saved_text;
  if (saved) {
    saved.addEventListener("change", async () => {
      if (!saved.value) return;
      const compose = saved.closest(".gr-compose");
      const answer = await fetch(compose.dataset.texts.replace("/0/", `/${encodeURIComponent(saved.value)}/`), { redirect: "error" });
      if (answer.ok) form.elements.text.value = (await answer.json()).text;
      renew();
    });
  }
  // Contacts are found by the beginning of their number, name or e-mail, and become lines of the field.
  const chosen = form.elements.contacts;
  if (chosen) {
    const words = chosen.closest(".gr-compose").dataset;
    const search = document.createElement("input");
    Object.assign(search, { type: "search", className: "gr-input", placeholder: words.searchLabel, autocomplete: "off" });
    search.setAttribute("aria-label", words.searchLabel);
    const found = document.createElement("ul");
    found.className = "gr-search";
    found.hidden = true;
    const add = (line) => {
      const lines = chosen.value.split("\n").filter((one) => one.trim());
      if (!lines.includes(line)) chosen.value = [...lines, line].join("\n");
      search.value = "";
      found.hidden = true;
      search.focus();
      soon();
    };
    let wait = 0;
    let asked = 0;
    search.addEventListener("input", (event) => {
      event.stopPropagation();
      clearTimeout(wait);
      const number = ++asked;
      wait = setTimeout(async () => {
        found.hidden = search.value.trim() === "";
        if (found.hidden) return;
        const answer = await fetch(`${words.contacts}?q=${encodeURIComponent(search.value)}`, { redirect: "error" });
        const lines = answer.ok ? (await answer.json()).lines : [];
        if (number !== asked) return;
        found.replaceChildren(...(lines.length ? lines : [words.noneLabel]).map((line) => {
          const item = document.createElement("li");
          const offer = document.createElement(lines.length ? "button" : "span");
          Object.assign(offer, { type: "button", textContent: line });
          if (lines.length) offer.addEventListener("click", () => add(line));
          item.append(offer);
          return item;
        }));
      }, 250);
    });
    search.addEventListener("keydown", (event) => {
      if (event.key !== "Enter") return;
      event.preventDefault();
      found.querySelector("button")?.click();
    });
    chosen.before(search, found);
  }
  form.addEventListener("input", soon);
  form.addEventListener("change", soon);
  renew();
})();

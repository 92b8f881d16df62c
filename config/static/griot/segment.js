// Shows a segment's rules (JSON in the form's text field) as lines to click together, and how many contacts match.
// Rules that are nested deeper than one list stay text. Without this script the text field alone does the same.
(() => {
  "use strict";
  const box = document.getElementById("segment-builder");
  const text = document.querySelector("[name=rules]");
  const count = document.getElementById("segment-count");
  const form = document.getElementById("service-form");
  if (!box || !text || !form) return;
  const catalogue = JSON.parse(document.getElementById("segment-catalogue").textContent);
  const fields = new Map(catalogue.fields.map((field) => [field.name, field]));
  const bare = new Set(["is_set", "is_not_set"]);
  const days = new Set(["last_days", "not_last_days", "before_days"]);
  const dates = new Set(["on_or_after", "on_or_before"]);
  const row = text.closest(".group") || text.parentElement;
  let state = null;
  let asText = false;

  const flat = (rules) => {
    const word = rules && (rules.all ? "all" : rules.any ? "any" : "");
    if (!word || !Array.isArray(rules[word]) || Object.keys(rules).length !== 1) return null;
    const known = (test) => test && fields.has(test.field) && fields.get(test.field).operations.includes(test.op);
    return rules[word].every(known) ? { word, tests: rules[word].map((test) => ({ ...test })) } : null;
  };
  const read = () => {
    try {
      return flat(JSON.parse(text.value));
    } catch {
      return null;
    }
  };
  const make = (name, attributes = {}, ...children) => {
    const element = document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) {
      if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
      else element[key] = value;
    }
    element.append(...children);
    return element;
  };
  const select = (choices, value, changed, label) => {
    const element = make("select", { className: text.className, onchange: () => changed(element.selectedIndex) });
    element.setAttribute("aria-label", label);
    element.style.width = "auto";
    for (const [key, shown] of choices) element.append(make("option", { value: String(key), textContent: shown }));
    element.selectedIndex = Math.max(0, choices.findIndex(([key]) => key === value));
    return element;
  };
  const first = (test) => {
    const field = fields.get(test.field);
    delete test.value;
    if (field.choices.length && !bare.has(test.op)) test.value = field.choices[0][0];
    if (days.has(test.op)) test.value = 30;
    if (test.op === "in" && !field.choices.length) test.value = [];
    return test;
  };
  const valueOf = (test) => {
    const field = fields.get(test.field);
    if (bare.has(test.op)) return null;
    if (field.choices.length && test.op !== "contains" && test.op !== "starts_with" && !Array.isArray(test.value)) {
      return select(field.choices, test.value, (index) => { test.value = field.choices[index][0]; write(); }, "value");
    }
    const isNumber = days.has(test.op) || field.number;
    const shown = Array.isArray(test.value) ? test.value.join(", ") : test.value ?? "";
    const input = make("input", {
      className: text.className,
      type: dates.has(test.op) ? "date" : isNumber ? "number" : "text",
      value: shown,
      oninput: () => {
        if (test.op === "in") test.value = input.value.split(",").map((part) => part.trim()).filter(Boolean);
        else test.value = isNumber && input.value !== "" ? Number(input.value) : input.value;
        write();
      },
    });
    input.setAttribute("aria-label", "value");
    input.style.width = "12rem";
    return input;
  };
  const line = (test, index) => {
    const field = fields.get(test.field);
    const names = catalogue.fields.map((item) => [item.name, item.label]);
    const operations = field.operations.map((name) => [name, catalogue.operations[name] || name]);
    const value = valueOf(test);
    const element = make(
      "div",
      { className: "gr-rule" },
      select(names, test.field, (place) => {
        test.field = names[place][0];
        test.op = fields.get(test.field).operations[0];
        first(test);
        draw();
      }, "field"),
      select(operations, test.op, (place) => { test.op = operations[place][0]; first(test); draw(); }, "operation"),
      ...(value ? [value] : []),
      make("button", {
        type: "button", className: "text-link", textContent: catalogue.words.remove,
        onclick: () => { state.tests.splice(index, 1); draw(); },
      }),
    );
    element.style.cssText = "display:flex;flex-wrap:wrap;gap:.5rem;align-items:center;margin:.5rem 0";
    return element;
  };
  const button = (words, pressed) =>
    make("button", { type: "button", className: "text-link", textContent: words, onclick: pressed });
  const draw = () => {
    const isLines = state !== null && !asText;
    row.hidden = isLines;
    box.hidden = false;
    box.replaceChildren();
    if (isLines) {
      const words = [["all", catalogue.words.all], ["any", catalogue.words.any]];
      box.append(select(words, state.word, (index) => { state.word = words[index][0]; write(); }, "match"));
      state.tests.forEach((test, index) => box.append(line(test, index)));
      box.append(button(catalogue.words.add, () => {
        state.tests.push(first({ field: "status", op: "is" }));
        draw();
      }), " · ", button(catalogue.words.text, () => { asText = true; draw(); }));
      write();
    } else {
      box.append(button(catalogue.words.lines, () => { state = read(); asText = state === null; draw(); }));
      soon();
    }
  };
  const write = () => {
    text.value = JSON.stringify({ [state.word]: state.tests }, null, 1);
    soon();
  };
  let timer = 0;
  const preview = async () => {
    try {
      const answer = await fetch(box.dataset.preview, { method: "POST", body: new FormData(form), redirect: "error" });
      const found = await answer.json();
      count.textContent = found.text;
      count.style.opacity = found.ok ? "" : "0.6";
    } catch {
      count.style.opacity = "0.5";
    }
  };
  const soon = () => {
    clearTimeout(timer);
    timer = setTimeout(preview, 400);
  };
  text.addEventListener("input", soon);
  state = read();
  draw();
})();

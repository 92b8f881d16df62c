// Shows a segment's rules (JSON in the form's text field) as groups and lines to put together, and how many contacts
// match. What the server says is wrong stands at its line. Without this script the text field alone does the same.
(() => {
  "use strict";
  const box = document.getElementById("segment-builder");
  const text = document.querySelector("[name=rules]");
  const count = document.getElementById("segment-count");
  const form = document.getElementById("service-form");
  if (!box || !text || !form) return;
  const catalogue = JSON.parse(document.getElementById("segment-catalogue").textContent);
  const words = catalogue.words;
  const fields = new Map(catalogue.fields.map((field) => [field.name, field]));
  const row = text.closest(".group") || text.parentElement;
  const bare = new Set(["is_set", "is_not_set"]);
  const days = new Set(["last_days", "not_last_days", "before_days"]);
  const dates = new Set(["on_or_after", "on_or_before"]);
  // The server refuses what is nested deeper than six; a group of "none" takes two of them.
  const GROUP_DEPTH = 4;
  let root = null;
  let asText = false;

  // Rules <-> a tree of groups {word, children} and tests {field, op, value}. "none" is {"not": {"any": [...]}}.
  const grown = (rule) => {
    if (rule === null || typeof rule !== "object" || Array.isArray(rule)) throw new TypeError("no rule");
    for (const word of ["all", "any"]) {
      if (Array.isArray(rule[word])) return { word, children: rule[word].map(grown) };
    }
    if ("not" in rule) {
      const inner = grown(rule.not);
      return inner.word === "any" ? { word: "none", children: inner.children } : { word: "none", children: [inner] };
    }
    if (typeof rule.field !== "string" || typeof rule.op !== "string") throw new TypeError("no rule");
    return { ...rule };
  };
  const read = () => {
    try {
      const tree = grown(JSON.parse(text.value));
      return tree.word ? tree : { word: "all", children: [tree] };
    } catch {
      return null;
    }
  };
  // Notes where each part stands, in the words in which the server names places.
  const ruleOf = (node, place) => {
    node.place = place;
    if (!node.word) {
      const rule = { field: node.field, op: node.op };
      return bare.has(node.op) ? rule : { ...rule, value: node.value ?? "" };
    }
    const inside = node.word === "none" ? `${place}.not.any` : `${place}.${node.word}`;
    const list = node.children.map((child, index) => ruleOf(child, `${inside}.${index}`));
    return node.word === "none" ? { not: { any: list } } : { [node.word]: list };
  };

  const make = (name, attributes = {}, ...children) => {
    const element = document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) {
      if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
      else if (key.includes("-")) element.setAttribute(key, value);
      else element[key] = value;
    }
    element.append(...children.filter(Boolean));
    return element;
  };
  const button = (label, pressed, name = label) =>
    make("button", { type: "button", className: "text-link", textContent: label, "aria-label": name, onclick: pressed });
  const select = (choices, value, changed, label) => {
    const element = make("select", { className: "gr-input", "aria-label": label });
    for (const [key, shown] of choices) element.append(make("option", { value: String(key), textContent: shown }));
    const place = choices.findIndex(([key]) => key === value);
    if (place < 0) {
      // Such as a custom field that is gone: shown as it is, so that it can be seen and changed.
      element.prepend(make("option", { value: "", textContent: String(value ?? "") }));
      choices = [[value, ""], ...choices];
    }
    element.selectedIndex = Math.max(0, place);
    element.addEventListener("change", () => changed(choices[element.selectedIndex][0]));
    return element;
  };

  const kindOf = (test) => {
    const field = fields.get(test.field);
    if (bare.has(test.op)) return "none";
    if (days.has(test.op)) return "days";
    if (dates.has(test.op)) return "date";
    if (field && field.choices.length) {
      if (test.op === "in" && !field.one) return "several";
      if (["is", "is_not", "in", "not_in"].includes(test.op)) return "choice";
    }
    if (field && field.number) return "number";
    return test.op === "in" ? "texts" : "text";
  };
  // A new field or operation keeps the value when it is asked for in the same way.
  const changed = (test, change) => {
    const [before, name] = [kindOf(test), test.field];
    Object.assign(test, change);
    const field = fields.get(test.field);
    if (change.field) test.op = field.operations.includes(test.op) ? test.op : field.operations[0];
    const kind = kindOf(test);
    if (kind === before && (test.field === name || kind !== "choice")) return;
    const first = { days: 30, choice: field.choices.length ? field.choices[0][0] : "", several: [], texts: [] };
    test.value = first[kind] ?? "";
  };
  const inputOf = (test) => {
    const field = fields.get(test.field);
    const kind = kindOf(test);
    if (kind === "none") return null;
    if (kind === "choice") {
      return select(field.choices, test.value, (value) => { test.value = value; write(); }, words.value);
    }
    if (kind === "several") {
      const element = make("select", { className: "gr-input", multiple: true, size: Math.min(5, field.choices.length), "aria-label": words.value });
      for (const [key, shown] of field.choices) {
        element.append(make("option", { value: key, textContent: shown, selected: (test.value || []).includes(key) }));
      }
      element.addEventListener("change", () => {
        test.value = [...element.selectedOptions].map((option) => option.value);
        write();
      });
      return element;
    }
    const input = make("input", {
      className: "gr-input",
      type: kind === "days" || kind === "number" ? "number" : kind === "date" ? "date" : "text",
      value: Array.isArray(test.value) ? test.value.join(", ") : String(test.value ?? ""),
      "aria-label": kind === "texts" ? words.values : words.value,
      placeholder: kind === "texts" ? words.values : "",
      oninput: () => {
        if (kind === "texts") test.value = input.value.split(",").map((part) => part.trim()).filter(Boolean);
        else if (input.type === "number") test.value = input.value === "" ? "" : Number(input.value);
        else test.value = input.value;
        write();
      },
    });
    if (kind === "days") Object.assign(input, { min: 1, max: 3650, step: 1 });
    if (kind === "number") input.step = "any";
    if (field && field.suggestions.length && input.type === "text") input.setAttribute("list", `segment-${field.name}`);
    return kind === "days" ? make("span", { className: "gr-rule-days" }, input, words.days) : input;
  };

  const problemBox = (node) => {
    node.shown = make("p", { className: "gr-rule-problem", hidden: true });
    return node.shown;
  };
  const line = (test, parent, index) => {
    const field = fields.get(test.field);
    const names = catalogue.fields.map((item) => [item.name, item.label]);
    const operations = (field ? field.operations : [test.op]).map((name) => [name, catalogue.operations[name] || name]);
    return make(
      "div",
      { className: "gr-rule", role: "group", "aria-label": field ? field.label : test.field },
      select(names, test.field, (name) => { changed(test, { field: name }); draw(test, 0); }, words.field),
      select(operations, test.op, (op) => { changed(test, { op }); draw(test, 1); }, words.operation),
      inputOf(test),
      button(words.remove, () => removed(parent, index), `${words.remove}: ${field ? field.label : test.field}`),
      problemBox(test),
    );
  };
  const removed = (parent, index) => {
    parent.children.splice(index, 1);
    const next = parent.children[Math.min(index, parent.children.length - 1)];
    draw(next || parent, 0);
  };
  const fresh = () => {
    const test = { field: catalogue.fields[0].name, op: "", value: "" };
    changed(test, { field: "status" });
    return test;
  };
  const group = (node, depth, parent, index) => {
    const matches = [["all", words.all], ["any", words.any], ["none", words.none]];
    const add = (child) => { node.children.push(child); draw(child.word ? child.children[0] : child, 0); };
    const inner = depth + (node.word === "none" ? 2 : 1);
    const element = make(
      "div",
      { className: "gr-rules", role: "group", "aria-label": matches.find(([word]) => word === node.word)[1] },
      make(
        "div",
        { className: "gr-rule" },
        select(matches, node.word, (word) => { node.word = word; draw(node, 0); }, words.match),
        parent && button(words.removeGroup, () => removed(parent, index)),
      ),
      problemBox(node),
      ...node.children.map((child, place) => (child.word ? group(child, inner, node, place) : line(child, node, place))),
      make(
        "div",
        { className: "gr-rule-add" },
        button(words.add, () => add(fresh())),
        depth < GROUP_DEPTH && button(words.addGroup, () => add({ word: node.word === "any" ? "all" : "any", children: [fresh()] })),
      ),
    );
    node.element = element;
    for (const child of node.children) {
      if (!child.word) child.element = element.children[2 + node.children.indexOf(child)];
    }
    return element;
  };
  // Drawn again as a whole; the control that was used keeps the focus.
  const draw = (focused = null, control = 0) => {
    const isLines = root !== null && !asText;
    row.hidden = isLines;
    box.hidden = false;
    box.replaceChildren();
    if (isLines) {
      box.append(group(root, 0, null, 0), button(words.text, () => { asText = true; draw(); text.focus(); }));
      write();
      if (focused) focused.element.querySelectorAll("select, input")[control]?.focus();
    } else {
      box.append(button(words.lines, () => { root = read(); asText = root === null; draw(); }));
      soon();
    }
  };
  const write = () => {
    text.value = JSON.stringify(ruleOf(root, "rules"), null, 1);
    soon();
  };

  // Every problem at the part of the tree whose place is the longest beginning of the problem's.
  const problemsShow = (problems) => {
    if (root === null || asText) return;
    const found = new Map();
    const visit = (node) => {
      if (node.shown) node.shown.hidden = true;
      found.set(node.place, node);
      (node.children || []).forEach(visit);
    };
    visit(root);
    for (const [place, reason] of Object.entries(problems)) {
      let at = place;
      while (at && !found.has(at)) at = at.slice(0, Math.max(0, at.lastIndexOf(".")));
      const node = found.get(at);
      if (node && node.shown) Object.assign(node.shown, { textContent: reason, hidden: false });
    }
  };
  let timer = 0;
  let asked = 0;
  const preview = async () => {
    const number = ++asked;
    try {
      const answer = await fetch(box.dataset.preview, { method: "POST", body: new FormData(form), redirect: "error" });
      const found = await answer.json();
      if (number !== asked) return;
      count.textContent = found.text;
      count.style.opacity = found.ok ? "" : "0.6";
      problemsShow(found.problems);
    } catch {
      count.style.opacity = "0.5";
    }
  };
  const soon = () => {
    clearTimeout(timer);
    timer = setTimeout(preview, 400);
  };
  for (const field of catalogue.fields.filter((item) => item.suggestions.length)) {
    box.after(make("datalist", { id: `segment-${field.name}` }, ...field.suggestions.map((value) => make("option", { value }))));
  }
  text.addEventListener("input", soon);
  root = read();
  asText = root === null;
  draw();
})();

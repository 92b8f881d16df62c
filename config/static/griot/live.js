// Renews every element with data-live="<address>" in place, every data-live-seconds, while the page is looked at.
// When the state that it names (data-live-state) is another one, the page is loaded again: its buttons are others then.
(() => {
  "use strict";
  for (const element of document.querySelectorAll("[data-live]")) {
    const every = Number(element.dataset.liveSeconds || 5) * 1000;
    const stateOf = () => element.querySelector("[data-live-state]")?.dataset.liveState;
    const state = stateOf();
    const renew = async () => {
      if (!document.hidden) {
        try {
          const answer = await fetch(element.dataset.live, { headers: { "X-Requested-With": "fetch" }, redirect: "error" });
          if (answer.ok) element.innerHTML = await answer.text();
          element.style.opacity = answer.ok ? "" : "0.5";
          if (answer.ok && stateOf() !== state) {
            location.reload();
            return;
          }
        } catch {
          // Shown as it was, but pale: the platform does not answer, or the login has ended.
          element.style.opacity = "0.5";
        }
      }
      setTimeout(renew, every);
    };
    setTimeout(renew, every);
  }
})();

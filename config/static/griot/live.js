// Renews every element with data-live="<address>" in place, every data-live-seconds, while the page is looked at.
(() => {
  "use strict";
  for (const element of document.querySelectorAll("[data-live]")) {
    const every = Number(element.dataset.liveSeconds || 5) * 1000;
    const renew = async () => {
      if (!document.hidden) {
        try {
          const answer = await fetch(element.dataset.live, { headers: { "X-Requested-With": "fetch" }, redirect: "error" });
          if (answer.ok) element.innerHTML = await answer.text();
          element.style.opacity = answer.ok ? "" : "0.5";
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

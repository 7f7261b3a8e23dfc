// Makes the pages quicker, never possible: everything works without this script.
"use strict";
(() => {
  const EVERY_MS = 5 * 60 * 1000;

  const show = (text, address) => {
    const fresh = new DOMParser().parseFromString(text, "text/html");
    const main = fresh.querySelector("main");
    if (!main) return false;
    document.querySelector("main").replaceWith(main);
    document.title = fresh.title;
    if (address && address !== location.href) history.replaceState(null, "", address);
    prepare(main);
    return true;
  };

  // Forms without a reload: send, take over the page that comes back, and let screen readers hear its notice.
  document.addEventListener("submit", async (event) => {
    const form = event.target;
    if (!form.matches("form[data-quick]")) return;
    event.preventDefault();
    const data = new URLSearchParams(new FormData(form));
    for (const button of form.querySelectorAll("button")) button.disabled = true;
    try {
      const answer = await fetch(form.action, { method: "POST", body: data, headers: { Accept: "text/html" } });
      if (!show(await answer.text(), answer.redirected ? answer.url : null)) throw new Error("no page");
      const notice = document.querySelector("main [role=status]") || document.querySelector("main h1");
      notice.tabIndex = -1;
      notice.focus();
    } catch {
      for (const button of form.querySelectorAll("button")) button.disabled = false;
      HTMLFormElement.prototype.submit.call(form);
    }
  });

  // Plus and minus beside a number; hidden where this script does not run.
  const prepare = (root) => {
    for (const button of root.querySelectorAll("button[data-step]")) {
      const field = button.closest(".stepper").querySelector("input");
      button.hidden = false;
      button.addEventListener("click", () => {
        const wanted = Number(field.value || 0) + Number(button.dataset.step);
        field.value = Math.min(Number(field.max), Math.max(Number(field.min), wanted));
      });
    }
  };

  // A page left open stays fresh, unless somebody is in the middle of something on it.
  setInterval(async () => {
    const busy = document.querySelector("main details[open], main :focus");
    if (document.hidden || busy || !document.querySelector("main[data-live]")) return;
    try {
      const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
      if (answer.ok && !answer.redirected) show(await answer.text(), null);
    } catch {
      // No network just now: the page keeps saying when it was brought up to date.
    }
  }, EVERY_MS);

  prepare(document);
})();

// What every page has: the list of keys, and help for keys that must not disturb typing.
"use strict";

const Coxa = {
  // A message in the page's language; /assets/messages-TAG.js has them.
  say(id, values = {}) {
    return (COXA_MESSAGES[id] ?? id).replace(/\{\$(\w+)\}/g, (all, name) => values[name] ?? all);
  },

  // Whether a key press belongs to a field or to the browser.
  isTyping(event) {
    const at = event.target;
    return event.ctrlKey || event.metaKey || event.altKey || at.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(at.tagName);
  },

  // Takes the forms' token of a newer session of the same person, who has signed in again in another tab. Whether there is one.
  async renewToken() {
    const response = await fetch("/me", { cache: "no-store" });
    if (!response.ok) return false;
    const fresh = new DOMParser().parseFromString(await response.text(), "text/html");
    const [own, other] = [document, fresh].map((page) => page.querySelector(".account a")?.textContent);
    const token = fresh.querySelector(".account input[name=form]")?.value;
    const fields = document.querySelectorAll("input[type=hidden][name=form]");
    if (!token || own !== other || [...fields].every(({ value }) => value === token)) return false;
    fields.forEach((field) => (field.value = token));
    return true;
  },

  // Brings the children of one element into the state of another: those with the same id stay, so that focus and scroll do too.
  renew(into, from) {
    const wantedIds = new Set([...from.children].map((child) => child.id));
    for (const child of [...into.children]) if (child.id && !wantedIds.has(child.id)) child.remove();
    const kept = new Map([...into.children].filter((child) => child.id).map((child) => [child.id, child]));
    let place = into.firstElementChild;
    for (const wanted of [...from.children]) {
      // Without an id, what stands in the same place is the same element: moving one would take the focus from it.
      const standing = place && !place.id && place.tagName === wanted.tagName ? place : null;
      let child = wanted.id ? kept.get(wanted.id) : standing;
      if (!child) {
        child = document.importNode(wanted, true);
      } else if (!child.isEqualNode(wanted)) {
        if (wanted.querySelector(":scope > [id]") && child.tagName === wanted.tagName) {
          for (const { name } of [...child.attributes]) if (!wanted.hasAttribute(name)) child.removeAttribute(name);
          for (const { name, value } of [...wanted.attributes]) if (child.getAttribute(name) !== value) child.setAttribute(name, value);
          Coxa.renew(child, wanted);
        } else {
          const focus = child.contains(document.activeElement) ? document.activeElement.id : "";
          const fresh = document.importNode(wanted, true);
          child.replaceWith(fresh);
          if (place === child) place = fresh;
          if (focus) document.getElementById(focus)?.focus({ preventScroll: true });
          child = fresh;
        }
      }
      // An element that is moved loses the focus: what stands before it makes way, and finds its own place later.
      while (place && place !== child && child.parentNode === into && child.contains(document.activeElement)) {
        const waits = place;
        place = place.nextElementSibling;
        into.append(waits);
      }
      if (child === place) place = place.nextElementSibling;
      else into.insertBefore(child, place);
    }
    while (place) {
      const gone = place;
      place = place.nextElementSibling;
      gone.remove();
    }
  },
};

{
  const help = document.getElementById("help");
  const opener = document.getElementById("help-open");
  const toggle = () => (help.open ? help.close() : help.showModal());
  opener.hidden = false;
  opener.addEventListener("click", toggle);
  document.addEventListener("keydown", (event) => {
    if (event.key === "?" && !Coxa.isTyping(event)) {
      event.preventDefault();
      toggle();
    }
  });
}

// A part of a page that renews itself while it is seen, and no one is about to press a button in it.
{
  const part = document.querySelector("[data-renew]");
  const renew = async () => {
    if (document.hidden || part.contains(document.activeElement)) return;
    try {
      const response = await fetch(part.dataset.renew, { headers: { "x-coxa-renewal": "1" }, cache: "no-store" });
      if (response.status === 401) return location.reload();
      if (!response.ok) return;
      const fresh = new DOMParser().parseFromString(await response.text(), "text/html").getElementById(part.id);
      if (fresh && !part.contains(document.activeElement)) Coxa.renew(part, fresh);
    } catch {
      // The next turn tries again.
    }
  };
  if (part) setInterval(renew, 5000);
}

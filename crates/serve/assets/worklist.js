// The worklist: it renews itself while it is seen, filters without a new page, and is used by keys alone.
"use strict";

{
  const EVERY = 2000;
  const list = document.getElementById("list");
  const stale = document.getElementById("stale");
  const form = document.getElementById("filters");
  const search = document.getElementById("search");
  let timer = 0;
  let asked = 0;
  let since = new Date();

  const links = () => [...list.querySelectorAll("td.call a")];

  // A renewal by the clock is nobody's doing, and does not prolong the session.
  const renew = async (isByClock) => {
    clearTimeout(timer);
    const mine = ++asked;
    list.setAttribute("aria-busy", "true");
    try {
      const response = await fetch("/worklist" + location.search, { headers: isByClock === true ? { "x-coxa-renewal": "1" } : {}, cache: "no-store" });
      if (response.status === 401) return location.reload();
      if (!response.ok) throw new Error(response.status === 503 ? Coxa.say("script-busy") : Coxa.say("script-status", { status: response.status }));
      const text = await response.text();
      if (mine !== asked) return;
      const fresh = new DOMParser().parseFromString(text, "text/html").body;
      const at = links().indexOf(document.activeElement);
      Coxa.renew(list, fresh);
      // The row that had the focus has left the list: the one in its place takes it.
      if (at >= 0 && document.activeElement === document.body) links().slice(0, at + 1).at(-1)?.focus({ preventScroll: true });
      since = new Date();
      stale.hidden = true;
    } catch (error) {
      if (mine !== asked) return;
      const why = error instanceof TypeError ? Coxa.say("script-no-answer") : error.message;
      const time = since.toLocaleTimeString(document.documentElement.lang, { hour: "2-digit", minute: "2-digit", second: "2-digit", hour12: false });
      stale.textContent = Coxa.say("script-stale", { time, why });
      stale.hidden = false;
    } finally {
      if (mine === asked) {
        list.setAttribute("aria-busy", "false");
        if (!document.hidden) timer = setTimeout(() => renew(true), EVERY);
      }
    }
  };

  const show = (address) => {
    history.replaceState(null, "", address);
    const now = new URLSearchParams(location.search);
    for (const field of form.elements) if (field.name && field !== document.activeElement) field.value = now.get(field.name) || (field.name === "date" ? "1" : "");
    renew();
  };

  const filter = () => {
    const wanted = new URLSearchParams();
    for (const field of form.elements) {
      const value = field.value.trim();
      if (field.name && value && !(field.name === "date" && value === "1")) wanted.set(field.name, value);
    }
    const text = wanted.toString();
    show(text ? "/?" + text : "/");
  };

  const toggle = (name, value) => {
    const field = form.elements[name];
    field.value = field.value === value ? "" : value;
    filter();
  };

  const move = (step) => {
    const all = links();
    if (all.length === 0) return;
    const at = all.indexOf(document.activeElement);
    const next = at < 0 ? (step > 0 ? 0 : all.length - 1) : Math.min(all.length - 1, Math.max(0, at + step));
    all[next].focus();
    all[next].closest("tr").scrollIntoView({ block: "nearest" });
  };

  const keys = {
    j: () => move(1),
    ArrowDown: () => move(1),
    k: () => move(-1),
    ArrowUp: () => move(-1),
    g: () => move(-1e9),
    G: () => move(1e9),
    "/": () => search.select(),
    "[": () => document.getElementById("page-previous")?.click(),
    "]": () => document.getElementById("page-next")?.click(),
    p: () => toggle("finding", "positive"),
    u: () => toggle("review", "none"),
    r: renew,
  };

  document.addEventListener("keydown", (event) => {
    if (event.target === search && event.key === "Escape") {
      search.blur();
      move(0);
      return;
    }
    if (event.target === search && event.key === "ArrowDown") {
      event.preventDefault();
      move(1);
      return;
    }
    if (Coxa.isTyping(event) || document.querySelector("dialog[open]")) return;
    const act = keys[event.key];
    if (act) {
      event.preventDefault();
      act();
    }
  });

  // A row is opened by a click anywhere on it; its link is what a keyboard and a screen reader use.
  list.addEventListener("click", (event) => {
    const row = event.target.closest("tbody tr");
    if (!row || event.target.closest("a") || String(getSelection())) return;
    row.querySelector("td.call a").click();
  });

  let typing = 0;
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    filter();
  });
  form.addEventListener("change", filter);
  search.addEventListener("input", () => {
    clearTimeout(typing);
    typing = setTimeout(filter, 250);
  });
  document.getElementById("filter").hidden = true;

  document.addEventListener("visibilitychange", () => (document.hidden ? clearTimeout(timer) : renew()));
  // Back from a film: the place in the list is where it was left.
  addEventListener("pageshow", (event) => event.persisted && renew());
  timer = setTimeout(() => renew(true), EVERY);
}

// A reader's film: drawn on a canvas (stage.js), timed from its first paint while the page is seen, and answered.
//
// An answer is sent until the server has stored it; the next film is asked for only then.
"use strict";

{
  const $ = (id) => document.getElementById(id);
  const { dataset } = $("stage");
  const view = JSON.parse(dataset.view);
  const limit = 1000 * Number(dataset.limit);
  const canvas = $("canvas");
  const form = $("answer");
  const film = new FilmPixels(view);
  const shown = { covered: false };
  let isMarking = false;
  let mark = null;
  let cursor = null;
  let isSent = false;
  const status = (text) => ($("status").textContent = text);

  // ---- Time ----------------------------------------------------------------------------------------------------------------------

  // Milliseconds that the film was seen; the stretch that runs begins at `since`.
  const clock = { seen: 0, since: null };
  const run = () => {
    if (clock.painted && clock.since === null && !document.hidden && !isSent) clock.since = performance.now();
  };
  const pause = () => {
    if (clock.since !== null) clock.seen += performance.now() - clock.since;
    clock.since = null;
  };
  const elapsed = () => clock.seen + (clock.since === null ? 0 : performance.now() - clock.since);
  document.addEventListener("visibilitychange", () => (document.hidden ? pause() : run()));
  const firstPaint = () => {
    if (clock.painted) return;
    // Two frames later the picture is on the screen.
    requestAnimationFrame(() => requestAnimationFrame(() => {
      clock.painted = true;
      run();
      document.body.dataset.painted = "1";
    }));
  };
  if (limit) {
    const watch = setInterval(() => {
      if (elapsed() < limit) return;
      clearInterval(watch);
      shown.covered = true;
      status(Coxa.say("script-time-over"));
      stage.draw();
    }, 100);
  }

  // ---- Drawing -------------------------------------------------------------------------------------------------------------------

  const stage = new FilmStage(film, [{ canvas, hasHeat: true }], {
    over(pen) {
      if (stage.overlay) view.regions.forEach((region) => pen.rectangle(region, "#6edcff", view.dotted ? [2, 6] : []));
      if (mark) pen.cross(mark, "#ffe27a");
      if (cursor) pen.cross([cursor.x, cursor.y], "#fff");
    },
    isCovered: () => shown.covered,
    painted: firstPaint,
    press(point) {
      const isTaken = isMarking;
      if (isTaken) place(point);
      return isTaken;
    },
  });

  // ---- Tools ---------------------------------------------------------------------------------------------------------------------

  const tools = {
    fit: () => stage.fit(),
    invert: () => {
      stage.invert();
      $("invert").setAttribute("aria-pressed", String(film.inverted));
    },
    window: () => stage.ownWindow(),
    overlay: () => {
      stage.overlay = !stage.overlay;
      $("overlay").setAttribute("aria-pressed", String(stage.overlay));
      stage.draw();
    },
    mark: () => {
      isMarking = !isMarking;
      cursor = null;
      $("mark").setAttribute("aria-pressed", String(isMarking));
      status(isMarking ? Coxa.say("script-mark") : "");
      stage.draw();
    },
  };
  for (const name of Object.keys(tools)) $(name)?.addEventListener("click", tools[name]);
  const place = (point) => {
    mark = [Math.round(point.x), Math.round(point.y)].map((value, i) => Math.min((i ? film.rows : film.columns) - 1, Math.max(0, value)));
    [$("mark-x").value, $("mark-y").value] = mark;
    $("mark-words").textContent = Coxa.say("script-place", { x: mark[0], y: mark[1] });
    if (isMarking) tools.mark();
    stage.draw();
  };

  // ---- Answer --------------------------------------------------------------------------------------------------------------------

  const send = async (rating) => {
    if (isSent || !clock.painted) return;
    pause();
    isSent = true;
    const body = new URLSearchParams({ form: form.elements.form.value, rating, milliseconds: clock.seen.toFixed(0), by: "script" });
    if (mark) [["mark_x", mark[0]], ["mark_y", mark[1]]].forEach(([key, value]) => body.set(key, value));
    const words = (text) => {
      $("stored").textContent = text;
      $("stored").classList.add("bad");
    };
    const refused = () => {
      isSent = false;
      run();
    };
    if (await storeUntilDone(form, body, { ended: Coxa.say("script-session-ended"), words, refused })) location.reload();
  };
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const rating = event.submitter?.name === "rating" ? event.submitter.value : form.elements.rating.value;
    send(rating);
  });
  document.addEventListener("keydown", (event) => {
    if (Coxa.isTyping(event) || $("help").open) return;
    const answer = { y: "1", n: "0" }[event.key] || (/^[1-5]$/.test(event.key) ? event.key : "");
    const button = answer && form.querySelector(`button[name=rating][value="${answer}"]`);
    const step = FilmStage.step(event);
    if (button) button.click();
    else if (step && isMarking) {
      cursor = stage.moved(cursor, step, event);
      stage.draw();
    } else if (event.key === "Enter" && cursor) place(cursor);
    else if (event.key === "Escape" && isMarking) tools.mark();
    else if (!stage.key(event)) {
      const tool = { f: "fit", i: "invert", w: "window", h: "overlay", m: "mark" }[event.key];
      if (!tool || !$(tool)) return;
      tools[tool]();
    }
    event.preventDefault();
  });

  stage.load(status);
}

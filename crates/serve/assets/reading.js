// A reader's film: drawn on a canvas, timed from its first paint while the page is seen, and answered.
//
// An answer is sent until the server has stored it; the next film is asked for only then.
"use strict";

{
  const $ = (id) => document.getElementById(id);
  const stage = $("stage");
  const view = JSON.parse(stage.dataset.view);
  const limit = 1000 * Number(stage.dataset.limit);
  const canvas = $("canvas");
  const screen = canvas.getContext("2d");
  const form = $("answer");
  const film = new FilmPixels(view);
  const at = { x: film.columns / 2, y: film.rows / 2, zoom: 1, fitted: true };
  const shown = { overlay: true, covered: false };
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
      draw();
    }, 100);
  }

  // ---- Drawing -------------------------------------------------------------------------------------------------------------------

  const size = () => ({ width: canvas.clientWidth, height: canvas.clientHeight });
  const toFilm = (x, y) => {
    const { width, height } = size();
    return { x: at.x + (x - width / 2) / at.zoom, y: at.y + (y - height / 2) / at.zoom / film.aspect };
  };
  const toScreen = (x, y) => {
    const { width, height } = size();
    return [width / 2 + (x - at.x) * at.zoom, height / 2 + (y - at.y) * at.zoom * film.aspect];
  };
  const fit = () => {
    const { width, height } = size();
    Object.assign(at, { x: film.columns / 2, y: film.rows / 2, zoom: Math.max(0.001, Math.min(width / film.columns, height / (film.rows * film.aspect))), fitted: true });
    draw();
  };
  let asked = 0;
  function draw() {
    if (!asked) asked = requestAnimationFrame(paint);
  }
  function paint() {
    asked = 0;
    const { width, height } = size();
    const [wide, high] = [Math.round(width * devicePixelRatio), Math.round(height * devicePixelRatio)];
    if (canvas.width !== wide || canvas.height !== high) Object.assign(canvas, { width: wide, height: high });
    screen.setTransform(devicePixelRatio, 0, 0, devicePixelRatio, 0, 0);
    screen.fillStyle = "#000";
    screen.fillRect(0, 0, width, height);
    const image = film.picture(at.zoom * devicePixelRatio);
    if (!image || shown.covered) return;
    screen.save();
    screen.translate(width / 2, height / 2);
    screen.scale(at.zoom, at.zoom * film.aspect);
    screen.translate(-at.x, -at.y);
    screen.imageSmoothingQuality = "high";
    screen.drawImage(image, 0, 0, film.columns, film.rows);
    if (shown.overlay && film.heat) {
      screen.globalAlpha = 0.5;
      screen.drawImage(film.heat, 0, 0, film.columns, film.rows);
    }
    screen.restore();
    if (shown.overlay) view.regions.forEach(outline);
    if (mark) cross(mark, "#ffe27a");
    if (cursor) cross([cursor.x, cursor.y], "#fff");
    firstPaint();
  }
  // Black under the color, so that it shows on bone and on air.
  const stroke = (color, dash) => {
    screen.setLineDash(dash);
    for (const [width, style] of [[4, "#000"], [2, color]]) {
      screen.lineWidth = width;
      screen.strokeStyle = style;
      screen.stroke();
    }
    screen.setLineDash([]);
  };
  const outline = (region) => {
    const [left, top] = toScreen(region.x, region.y);
    const [right, bottom] = toScreen(region.x + region.width, region.y + region.height);
    screen.beginPath();
    screen.rect(left, top, right - left, bottom - top);
    stroke("#6edcff", view.dotted ? [2, 6] : []);
  };
  const cross = ([x, y], color) => {
    const [sx, sy] = toScreen(x, y);
    screen.beginPath();
    for (const [dx, dy] of [[1, 0], [-1, 0], [0, 1], [0, -1]]) {
      screen.moveTo(sx + dx * 3, sy + dy * 3);
      screen.lineTo(sx + dx * 12, sy + dy * 12);
    }
    stroke(color, []);
  };

  // ---- Tools ---------------------------------------------------------------------------------------------------------------------

  const zoomTo = (zoom, x = size().width / 2, y = size().height / 2) => {
    const before = toFilm(x, y);
    at.zoom = Math.min(32, Math.max(0.02, zoom));
    const after = toFilm(x, y);
    Object.assign(at, { x: at.x + before.x - after.x, y: at.y + before.y - after.y, fitted: false });
    draw();
  };
  const pan = (dx, dy) => {
    at.x = Math.min(film.columns, Math.max(0, at.x - dx / at.zoom));
    at.y = Math.min(film.rows, Math.max(0, at.y - dy / at.zoom / film.aspect));
    at.fitted = false;
    draw();
  };
  const change = (wider, brighter) => {
    if (film.levels.length === 0) return;
    const { low, high } = film.range || film.ownRange();
    const width = Math.min(131072, Math.max(8, (high - low) * Math.exp(wider)));
    const center = (low + high) / 2 - brighter * (high - low) * (film.inverted ? -1 : 1);
    film.range = { low: center - width / 2, high: center + width / 2 };
    film.changed();
    draw();
  };
  const tools = {
    fit,
    invert: () => {
      film.inverted = !film.inverted;
      $("invert").setAttribute("aria-pressed", String(film.inverted));
      film.changed();
      draw();
    },
    window: () => {
      film.range = null;
      film.changed();
      draw();
    },
    overlay: () => {
      shown.overlay = !shown.overlay;
      $("overlay").setAttribute("aria-pressed", String(shown.overlay));
      draw();
    },
    mark: () => {
      isMarking = !isMarking;
      cursor = null;
      $("mark").setAttribute("aria-pressed", String(isMarking));
      status(isMarking ? Coxa.say("script-mark") : "");
      draw();
    },
  };
  for (const name of Object.keys(tools)) $(name)?.addEventListener("click", tools[name]);
  const place = (point) => {
    mark = [Math.round(point.x), Math.round(point.y)].map((value, i) => Math.min((i ? film.rows : film.columns) - 1, Math.max(0, value)));
    [$("mark-x").value, $("mark-y").value] = mark;
    $("mark-words").textContent = Coxa.say("script-place", { x: mark[0], y: mark[1] });
    if (isMarking) tools.mark();
    draw();
  };

  let held = null;
  const where = (event) => {
    const box = canvas.getBoundingClientRect();
    return { x: event.clientX - box.left, y: event.clientY - box.top };
  };
  canvas.addEventListener("pointerdown", (event) => {
    canvas.focus({ preventScroll: true });
    canvas.setPointerCapture(event.pointerId);
    held = { ...where(event), isPan: event.button !== 0 || event.shiftKey };
    if (isMarking && event.button === 0) {
      place(toFilm(held.x, held.y));
      held = null;
    }
  });
  canvas.addEventListener("pointermove", (event) => {
    if (!held) return;
    const now = where(event);
    if (held.isPan) pan(now.x - held.x, now.y - held.y);
    else change((now.x - held.x) / 250, -(now.y - held.y) / 400);
    Object.assign(held, now);
  });
  for (const end of ["pointerup", "pointercancel"]) canvas.addEventListener(end, () => (held = null));
  canvas.addEventListener("contextmenu", (event) => event.preventDefault());
  canvas.addEventListener("wheel", (event) => {
    event.preventDefault();
    const { x, y } = where(event);
    zoomTo(at.zoom * Math.exp(-event.deltaY / (event.deltaMode ? 20 : 500)), x, y);
  }, { passive: false });
  new ResizeObserver(() => (at.fitted ? fit() : draw())).observe(canvas);

  // ---- Answer --------------------------------------------------------------------------------------------------------------------

  const wait = (milliseconds) => new Promise((done) => setTimeout(done, milliseconds));
  const send = async (rating) => {
    if (isSent || !clock.painted) return;
    pause();
    isSent = true;
    form.querySelectorAll("button, input").forEach((part) => (part.disabled = true));
    const body = new URLSearchParams({ form: form.elements.form.value, rating, milliseconds: clock.seen.toFixed(0), by: "script" });
    if (mark) [["mark_x", mark[0]], ["mark_y", mark[1]]].forEach(([key, value]) => body.set(key, value));
    const again = (words) => {
      $("stored").textContent = words;
      $("stored").classList.add("bad");
    };
    for (let tries = 0; ; tries++) {
      try {
        const response = await fetch(form.action, { method: "POST", body, cache: "no-store" });
        if (response.ok) return location.reload();
        if (response.status === 401 || response.status === 403) {
          return again(Coxa.say("script-session-ended"));
        }
        if (response.status < 500 && response.status !== 429) {
          const words = new DOMParser().parseFromString(await response.text(), "text/html").querySelector("main p")?.textContent;
          isSent = false;
          form.querySelectorAll("button, input").forEach((part) => (part.disabled = false));
          run();
          return again(words || Coxa.say("script-not-taken"));
        }
      } catch {
        // The network is away: the same answer is sent again, and the server keeps one.
      }
      again(Coxa.say("script-answer-again"));
      await wait(Math.min(10000, 500 * 2 ** Math.min(tries, 5)));
    }
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
    const steps = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    if (button) button.click();
    else if (steps && isMarking) {
      const far = (event.shiftKey ? 40 : 4) / at.zoom;
      cursor ||= { x: at.x, y: at.y };
      cursor = { x: cursor.x + steps[0] * far, y: cursor.y + (steps[1] * far) / film.aspect };
      draw();
    } else if (steps) pan(-60 * steps[0], -60 * steps[1]);
    else if (event.key === "Enter" && cursor) place(cursor);
    else if (event.key === "Escape" && isMarking) tools.mark();
    else if (event.key === "+" || event.key === "=") zoomTo(at.zoom * 1.25);
    else if (event.key === "-") zoomTo(at.zoom / 1.25);
    else {
      const tool = { f: "fit", i: "invert", w: "window", h: "overlay", m: "mark" }[event.key];
      if (!tool || !$(tool)) return;
      tools[tool]();
    }
    event.preventDefault();
  });

  // ---- Loading -------------------------------------------------------------------------------------------------------------------

  (async () => {
    try {
      await film.loadPreview();
      fit();
      await film.loadValues((percent) => status(Coxa.say("script-progress", { percent })));
      if (at.fitted) fit();
      await film.loadHeat();
      status("");
      draw();
    } catch (error) {
      status(error.message);
    }
  })();
}

// The viewer: a film on a canvas with what was found drawn over it, its tools, and a review by keys.
//
// Coordinates: film pixels, continuous; zoom is screen pixels (CSS) a film column.
"use strict";

{
  const $ = (id) => document.getElementById(id);
  const stage = $("stage");
  const view = JSON.parse(stage.dataset.view);
  const canvas = $("canvas");
  const screen = canvas.getContext("2d");
  const OUTLINE = "#6edcff";

  const film = new FilmPixels(view);
  const at = { x: film.columns / 2, y: film.rows / 2, zoom: 1, fitted: true, turns: 0 };
  const shown = { outlines: true, heat: Boolean(view.colors), beside: false, opacity: 0.5 };
  let tool = "";
  let cursor = null;
  let lengths = [];
  let drawing = null;
  let mark = view.mark;
  const status = (text) => ($("status").textContent = text);

  // ---- Geometry ------------------------------------------------------------------------------------------------------------------

  const size = () => ({ width: canvas.clientWidth, height: canvas.clientHeight });
  const panes = () => {
    const { width, height } = size();
    if (!shown.beside) return [{ left: 0, width, height, overlay: true }];
    const half = (width - 4) / 2;
    return [{ left: 0, width: half, height, overlay: false }, { left: half + 4, width: half, height, overlay: true }];
  };
  const paneAt = (x) => panes().findLast((pane) => x >= pane.left) || panes()[0];
  const turned = (x, y) => [[x, y], [-y, x], [-x, -y], [y, -x]][at.turns];
  const toFilm = (x, y) => {
    const pane = paneAt(x);
    const [dx, dy] = [x - pane.left - pane.width / 2, y - pane.height / 2];
    const [u, v] = [[dx, dy], [dy, -dx], [-dx, -dy], [-dy, dx]][at.turns];
    return { x: at.x + u / at.zoom, y: at.y + v / at.zoom / film.aspect };
  };
  const toPane = (pane, x, y) => {
    const [dx, dy] = turned((x - at.x) * at.zoom, (y - at.y) * at.zoom * film.aspect);
    return [pane.left + pane.width / 2 + dx, pane.height / 2 + dy];
  };
  const fit = () => {
    const pane = panes()[0];
    const [wide, high] = at.turns % 2 ? [film.rows * film.aspect, film.columns] : [film.columns, film.rows * film.aspect];
    Object.assign(at, { x: film.columns / 2, y: film.rows / 2, zoom: Math.max(0.001, Math.min(pane.width / wide, pane.height / high)), fitted: true });
    draw();
  };
  const zoomTo = (zoom, x, y) => {
    const pane = panes().at(-1);
    const [sx, sy] = x === undefined ? [pane.left + pane.width / 2, pane.height / 2] : [x, y];
    const before = toFilm(sx, sy);
    at.zoom = Math.min(32, Math.max(0.02, zoom));
    const after = toFilm(sx, sy);
    at.x += before.x - after.x;
    at.y += before.y - after.y;
    at.fitted = false;
    draw();
  };
  const pan = (dx, dy) => {
    const [u, v] = [[dx, dy], [dy, -dx], [-dx, -dy], [-dy, dx]][at.turns];
    at.x = Math.min(film.columns, Math.max(0, at.x - u / at.zoom));
    at.y = Math.min(film.rows, Math.max(0, at.y - v / at.zoom / film.aspect));
    at.fitted = false;
    draw();
  };

  // ---- Drawing -------------------------------------------------------------------------------------------------------------------

  let asked = 0;
  const draw = () => {
    if (!asked) asked = requestAnimationFrame(paint);
  };
  const paint = () => {
    asked = 0;
    const { width, height } = size();
    const [wide, high] = [Math.round(width * devicePixelRatio), Math.round(height * devicePixelRatio)];
    if (canvas.width !== wide || canvas.height !== high) Object.assign(canvas, { width: wide, height: high });
    screen.setTransform(devicePixelRatio, 0, 0, devicePixelRatio, 0, 0);
    screen.fillStyle = "#000";
    screen.fillRect(0, 0, width, height);
    for (const pane of panes()) {
      screen.save();
      screen.beginPath();
      screen.rect(pane.left, 0, pane.width, pane.height);
      screen.clip();
      if (film.isThere) {
        screen.save();
        screen.translate(pane.left + pane.width / 2, pane.height / 2);
        screen.rotate((at.turns * Math.PI) / 2);
        screen.scale(at.zoom, at.zoom * film.aspect);
        screen.translate(-at.x, -at.y);
        screen.imageSmoothingEnabled = at.zoom * devicePixelRatio < 3;
        screen.imageSmoothingQuality = "high";
        film.paint(screen);
        if (pane.overlay && shown.heat && film.heat) {
          screen.imageSmoothingEnabled = true;
          screen.globalAlpha = shown.opacity;
          screen.drawImage(film.heat, 0, 0, film.columns, film.rows);
        }
        screen.restore();
      }
      if (pane.overlay && shown.outlines) view.regions.forEach((region, i) => outline(pane, region, i + 1));
      for (const length of drawing ? [...lengths, drawing] : lengths) measure(pane, length);
      if (mark) cross(pane, mark, "#ffe27a", 9);
      if (cursor) cross(pane, [cursor.x, cursor.y], "#fff", 14);
      screen.restore();
      if (shown.beside) label(Coxa.say(pane.overlay ? "script-with-overlay" : "script-original"), pane.left + 10, 22, "#fff");
    }
  };
  const label = (text, x, y, color) => {
    screen.font = "600 13px system-ui, sans-serif";
    const width = screen.measureText(text).width;
    screen.fillStyle = "rgb(0 0 0 / 70%)";
    screen.fillRect(x - 4, y - 14, width + 8, 19);
    screen.fillStyle = color;
    screen.fillText(text, x, y);
  };
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
  const outline = (pane, region, number) => {
    const corners = [[0, 0], [1, 0], [1, 1], [0, 1]].map(([u, v]) => toPane(pane, region.x + u * region.width, region.y + v * region.height));
    const left = Math.min(...corners.map(([x]) => x));
    const top = Math.min(...corners.map(([, y]) => y));
    const wide = Math.max(...corners.map(([x]) => x)) - left;
    const high = Math.max(...corners.map(([, y]) => y)) - top;
    screen.beginPath();
    screen.roundRect(left, top, wide, high, Math.min(8, wide / 2, high / 2));
    stroke(OUTLINE, view.dotted ? [2, 6] : []);
    label(`${number} ${region.side} ${region.score.toFixed(2)}`.replace("  ", " "), left + 4, top > 24 ? top - 7 : top + high + 18, OUTLINE);
  };
  const cross = (pane, [x, y], color, arm) => {
    const [sx, sy] = toPane(pane, x, y);
    screen.beginPath();
    for (const [dx, dy] of [[1, 0], [-1, 0], [0, 1], [0, -1]]) {
      screen.moveTo(sx + dx * 3, sy + dy * 3);
      screen.lineTo(sx + dx * arm, sy + dy * arm);
    }
    stroke(color, []);
  };
  const lengthOf = ({ from, to }) => {
    const [dx, dy] = [to.x - from.x, to.y - from.y];
    if (!film.spacing) return Coxa.say("script-pixels", { count: Math.hypot(dx, dy).toFixed(0) });
    const [row, column] = film.spacing;
    return Coxa.say(view.calibrated ? "script-millimeters" : "script-at-detector", { length: Math.hypot(dx * column, dy * row).toFixed(1) });
  };
  const measure = (pane, length) => {
    const [x0, y0] = toPane(pane, length.from.x, length.from.y);
    const [x1, y1] = toPane(pane, length.to.x, length.to.y);
    screen.beginPath();
    screen.moveTo(x0, y0);
    screen.lineTo(x1, y1);
    stroke("#9ff0b4", []);
    label(lengthOf(length), x1 + 8, y1 - 8, "#9ff0b4");
  };

  // ---- Window --------------------------------------------------------------------------------------------------------------------

  // The first three have buttons on the page, which say their names; the windows of the file follow when its values have come, each by its
  // own function. A preset is its name, what it shows, and its button.
  const own = (display) => () => {
    film.display = display();
    return null;
  };
  const name = (id) => $(id).firstChild.textContent.trim();
  const presets = [
    [name("preset-file"), own(() => film.own), $("preset-file")],
    [name("preset-full"), () => ({ low: 1, high: 65535 }), $("preset-full")],
    [name("preset-auto"), () => film.percentiles(0.005, 0.995), $("preset-auto")],
  ];
  const choose = (preset) => {
    if (film.levels.length > 0) windowed(preset[1](), preset);
  };
  const windowed = (next, preset) => {
    film.range = next;
    film.changed();
    for (const one of presets) one[2].setAttribute("aria-pressed", String(one === preset));
    const name = preset?.[0];
    if (next === null) {
      status(preset === presets[0] ? Coxa.say("script-own-window") : name);
    } else {
      const [a, b] = [film.valueOf(next.low), film.valueOf(next.high)];
      const values = { name, center: ((a + b) / 2).toFixed(0), width: Math.abs(b - a).toFixed(0) };
      status(Coxa.say(name ? "script-named-window" : "script-window", values));
    }
    draw();
  };
  const change = (wider, brighter) => {
    if (film.levels.length === 0) return;
    const { low, high } = film.range || film.ownRange();
    const width = Math.min(131072, Math.max(8, (high - low) * Math.exp(wider)));
    const center = (low + high) / 2 - brighter * (high - low) * (film.inverted ? -1 : 1);
    windowed({ low: center - width / 2, high: center + width / 2 });
  };
  presets.forEach((preset) => preset[2].addEventListener("click", () => choose(preset)));
  const offerWindows = () => {
    for (const [place, display] of film.windows) {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = view.windows[place] || String(place + 1);
      button.setAttribute("aria-pressed", "false");
      const preset = [button.textContent, own(() => display), button];
      if (presets.push(preset) <= 9) {
        const key = document.createElement("kbd");
        key.textContent = String(presets.length);
        button.append(" ", key);
      }
      button.addEventListener("click", () => choose(preset));
      $("presets").append(button);
    }
  };

  // ---- Tools ---------------------------------------------------------------------------------------------------------------------

  const take = (name) => {
    tool = tool === name ? "" : name;
    for (const other of ["pan", "measure", "mark"]) $("tool-" + other).setAttribute("aria-pressed", String(tool === other));
    cursor = null;
    drawing = null;
    canvas.dataset.tool = tool;
    if (tool === "measure") status(Coxa.say(film.spacing ? "script-measure" : "script-no-spacing"));
    else if (tool === "mark") status(Coxa.say("script-mark"));
    else status("");
    draw();
  };
  const place = (point) => {
    mark = [Math.round(point.x), Math.round(point.y)].map((value, i) => Math.min((i ? film.rows : film.columns) - 1, Math.max(0, value)));
    [$("mark-x").value, $("mark-y").value] = mark;
    $("mark-words").hidden = false;
    $("mark-words").textContent = Coxa.say("script-marked", { x: mark[0], y: mark[1] });
    keepDraft();
    take("");
  };
  const enter = () => {
    if (!cursor) return;
    const point = { ...cursor };
    if (tool === "mark") place(point);
    else if (tool === "measure" && drawing) {
      lengths.push({ from: drawing.from, to: point });
      status(lengthOf(lengths.at(-1)));
      drawing = null;
    } else if (tool === "measure") drawing = { from: point, to: point };
    draw();
  };
  const step = (dx, dy, isLarge) => {
    if (tool !== "measure" && tool !== "mark") return pan(-dx * 60, -dy * 60);
    const [u, v] = [[dx, dy], [dy, -dx], [-dx, -dy], [-dy, dx]][at.turns];
    const far = (isLarge ? 40 : 4) / at.zoom;
    cursor ||= { x: at.x, y: at.y };
    cursor = { x: Math.min(film.columns, Math.max(0, cursor.x + u * far)), y: Math.min(film.rows, Math.max(0, cursor.y + (v * far) / film.aspect)) };
    if (drawing) drawing.to = { ...cursor };
    draw();
  };

  const held = new Map();
  let action = "";
  const where = (event) => {
    const box = canvas.getBoundingClientRect();
    return { x: event.clientX - box.left, y: event.clientY - box.top };
  };
  canvas.addEventListener("pointerdown", (event) => {
    canvas.focus({ preventScroll: true });
    canvas.setPointerCapture(event.pointerId);
    held.set(event.pointerId, where(event));
    action = held.size > 1 ? "pinch" : event.button !== 0 || event.shiftKey || tool === "pan" ? "pan" : tool || "window";
    const point = toFilm(where(event).x, where(event).y);
    if (action === "measure") drawing = { from: point, to: point };
    if (action === "mark") place(point);
  });
  canvas.addEventListener("pointermove", (event) => {
    const before = held.get(event.pointerId);
    if (!before) return;
    const now = where(event);
    const [dx, dy] = [now.x - before.x, now.y - before.y];
    if (action === "pinch") {
      const other = [...held].find(([id]) => id !== event.pointerId)?.[1];
      if (other) {
        const spread = (point) => Math.max(1, Math.hypot(point.x - other.x, point.y - other.y));
        pan(dx / 2, dy / 2);
        zoomTo((at.zoom * spread(now)) / spread(before), (now.x + other.x) / 2, (now.y + other.y) / 2);
      }
    } else if (action === "pan") pan(dx, dy);
    else if (action === "measure") drawing.to = toFilm(now.x, now.y);
    else if (action === "window") change(dx / 250, -dy / 400);
    held.set(event.pointerId, now);
    draw();
  });
  const release = (event) => {
    held.delete(event.pointerId);
    if (action === "measure" && drawing) {
      if (Math.hypot(drawing.to.x - drawing.from.x, drawing.to.y - drawing.from.y) * at.zoom > 4) {
        lengths.push(drawing);
        status(lengthOf(drawing));
      }
      drawing = null;
    }
    if (held.size === 0) action = "";
    draw();
  };
  canvas.addEventListener("pointerup", release);
  canvas.addEventListener("pointercancel", release);
  canvas.addEventListener("contextmenu", (event) => event.preventDefault());
  canvas.addEventListener("wheel", (event) => {
    event.preventDefault();
    const { x, y } = where(event);
    zoomTo(at.zoom * Math.exp(-event.deltaY / (event.deltaMode ? 20 : 500)), x, y);
  }, { passive: false });

  const toggle = (what) => {
    if (what !== "beside" && view.regions.length === 0 && !film.heat) return;
    shown[what] = !shown[what];
    $(what).setAttribute("aria-pressed", String(shown[what]));
    $("legend").hidden = !(shown.heat && film.heat);
    if (what === "beside" && at.fitted) fit();
    draw();
  };
  const opaque = (value) => {
    shown.opacity = Math.min(1, Math.max(0, value));
    $("opacity").value = String(Math.round(shown.opacity * 100));
    status(Coxa.say("script-opacity", { percent: Math.round(shown.opacity * 100) }));
    draw();
  };
  const invert = () => {
    film.inverted = !film.inverted;
    $("invert").setAttribute("aria-pressed", String(film.inverted));
    film.changed();
    draw();
  };
  const rotate = () => {
    at.turns = (at.turns + 1) % 4;
    if (at.fitted) fit();
    draw();
  };
  // Lengths, and a mark that is not stored.
  const clear = () => {
    lengths = [];
    drawing = null;
    if ($("mark-x").value) {
      mark = view.mark;
      unmark();
      keepDraft();
    }
    draw();
  };
  const unmark = () => {
    $("mark-x").value = $("mark-y").value = "";
    $("mark-words").hidden = true;
  };

  // The picture of an earlier film beside this one: the latest first, then those before it, then none. It is loaded when it is asked for.
  let before = -1;
  const lookBack = () => {
    if (view.earlier.length === 0) return;
    before = before + 1 < view.earlier.length ? before + 1 : -1;
    const one = view.earlier[before];
    $("earlier").hidden = !one;
    $("earlier-tool").setAttribute("aria-pressed", String(Boolean(one)));
    if (!one) return;
    $("earlier-picture").src = one.picture;
    $("earlier-words").textContent = one.words;
  };
  $("earlier-tool")?.addEventListener("click", lookBack);

  $("fit").addEventListener("click", fit);
  $("actual").addEventListener("click", () => zoomTo(1 / devicePixelRatio));
  $("invert").addEventListener("click", invert);
  $("rotate").addEventListener("click", rotate);
  for (const name of ["pan", "measure", "mark"]) $("tool-" + name).addEventListener("click", () => take(name));
  for (const name of ["outlines", "beside", "heat"]) $(name).addEventListener("click", () => toggle(name));
  $("opacity").addEventListener("input", (event) => opaque(event.target.value / 100));

  // ---- Review --------------------------------------------------------------------------------------------------------------------

  const form = $("review");
  const note = $("note");
  // Agree, disagree, unsure; on a film of a trial: fracture, no fracture, unsure. Each has its key.
  const verdicts = form.querySelectorAll("[name=verdict]");
  // A judgment that is not stored survives a reload and a new sign-in of the same person, in this tab alone.
  const draft = `draft-${stage.dataset.person}-${view.id}`;
  let storing = null;
  // Judgments that are to be stored, in the order of their keys.
  const queue = [];
  let pending = "";
  const keepDraft = () => {
    const kept = { note: note.value, x: $("mark-x").value, y: $("mark-y").value, verdict: pending };
    if (kept.note || kept.x || kept.verdict) sessionStorage.setItem(draft, JSON.stringify(kept));
    else sessionStorage.removeItem(draft);
  };
  const restoreDraft = () => {
    const kept = JSON.parse(sessionStorage.getItem(draft) || "null");
    if (!kept) return;
    note.value = kept.note;
    pending = kept.verdict;
    if (kept.x) place({ x: Number(kept.x), y: Number(kept.y) });
    if (kept.verdict) {
      $("stored").className = "stored bad";
      const button = form.querySelector(`[value="${kept.verdict}"]`);
      $("stored").textContent = Coxa.say("script-draft", { verdict: button?.firstChild.textContent.trim() || "?", key: button?.dataset.key || "?" });
    }
  };
  note.addEventListener("input", keepDraft);

  // A request that outlives the page: the judgment goes on though its tab is closed.
  const post = (address, fields) => {
    const body = new URLSearchParams({ ...fields, form: form.elements.form.value, by: "script" });
    return fetch(address, { method: "POST", body, keepalive: true });
  };
  const send = async (address, fields, done) => {
    $("stored").className = "stored";
    $("stored").textContent = Coxa.say("script-storing");
    try {
      let response = await post(address, fields);
      if (response.status === 403 && (await Coxa.renewToken())) response = await post(address, fields);
      if (response.status === 401) {
        location.assign("/signin?next=" + encodeURIComponent(location.pathname + location.search));
        throw new Error(Coxa.say("script-signed-out"));
      }
      if (!response.ok) throw new Error(Coxa.say("script-answered", { status: response.status }));
      const fresh = new DOMParser().parseFromString(`<ul>${await response.text()}</ul>`, "text/html").querySelector("ul");
      Coxa.renew($("reviews"), fresh);
      $("stored").textContent = done;
      return true;
    } catch (error) {
      $("stored").className = "stored bad";
      $("stored").textContent = Coxa.say("script-not-stored", { why: error instanceof TypeError ? Coxa.say("script-no-answer") : error.message });
      return false;
    }
  };
  const inTurn = (work) => {
    const turn = Promise.resolve(storing).then(work).finally(() => {
      if (storing === turn) storing = null;
    });
    storing = turn;
  };
  // The draft goes when its judgment is stored, and stays whatever else happens. A key that is pressed while another judgment is being
  // stored is the next one, on the same note and mark.
  const review = (verdict) => {
    const fields = Object.fromEntries([...new FormData(form)].filter(([name]) => name !== "verdict"));
    pending = verdict;
    keepDraft();
    queue.push({ ...fields, verdict });
    if (queue.length > 1) return;
    inTurn(async () => {
      while (queue.length > 0) {
        const sent = queue[0];
        if (!(await send(form.action, sent, Coxa.say("script-stored")))) {
          queue.length = 0;
          return;
        }
        queue.shift();
        if (queue.length > 0) continue;
        pending = "";
        // What was written meanwhile is a note of its own.
        if (note.value === sent.note) note.value = "";
        if (sent.mark_x) view.mark = [Number(sent.mark_x), Number(sent.mark_y)];
        if ($("mark-x").value === sent.mark_x && $("mark-y").value === sent.mark_y) unmark();
        keepDraft();
      }
    });
  };
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    review(event.submitter?.value || "unsure");
  });
  $("reviews").addEventListener("submit", (event) => {
    event.preventDefault();
    const { action } = event.target;
    const fields = Object.fromEntries(new FormData(event.target));
    inTurn(() => send(action, fields, Coxa.say("script-undone")));
  });
  const undo = async () => {
    await storing;
    const last = document.querySelector("#reviews form.undo");
    if (last) last.requestSubmit();
    else $("stored").textContent = Coxa.say("script-nothing-to-undo");
  };
  // The next film opens when this one's review is on the disk; a note that was not sent stays here until it is.
  let warned = false;
  const go = async (link) => {
    if (!link) return status(Coxa.say("script-no-further"));
    await storing;
    if ($("stored").classList.contains("bad")) return;
    if (note.value.trim() && !warned) {
      warned = true;
      $("stored").textContent = Coxa.say("script-note-kept", { keys: [...verdicts].map((button) => button.dataset.key).join(", ") });
      return;
    }
    location.assign(link.href);
  };
  for (const id of ["next", "previous", "list"]) {
    $(id)?.addEventListener("click", (event) => {
      if (event.ctrlKey || event.metaKey || event.shiftKey) return;
      event.preventDefault();
      go(event.currentTarget);
    });
  }

  // ---- Keys ----------------------------------------------------------------------------------------------------------------------

  const keys = {
    ...Object.fromEntries([...verdicts].map((button) => [button.dataset.key, () => review(button.value)])), U: undo, c: () => note.focus(),
    j: () => go($("next")), n: () => go($("next")), k: () => go($("previous")), p: () => go($("previous")),
    Escape: () => (tool ? take("") : go($("list"))),
    0: fit, z: () => zoomTo(1 / devicePixelRatio), "+": () => zoomTo(at.zoom * 1.25), "=": () => zoomTo(at.zoom * 1.25), "-": () => zoomTo(at.zoom / 1.25),
    i: invert, r: rotate, v: () => take("pan"), l: () => take("measure"), m: () => take("mark"), x: clear, Enter: enter,
    h: () => toggle("heat"), o: () => toggle("outlines"), b: () => toggle("beside"), e: lookBack, "{": () => opaque(shown.opacity - 0.1), "}": () => opaque(shown.opacity + 0.1),
    "[": () => change(-0.1, 0), "]": () => change(0.1, 0), ",": () => change(0, -0.03), ".": () => change(0, 0.03),
    ArrowLeft: (event) => step(-1, 0, event.shiftKey), ArrowRight: (event) => step(1, 0, event.shiftKey),
    ArrowUp: (event) => step(0, -1, event.shiftKey), ArrowDown: (event) => step(0, 1, event.shiftKey),
  };
  document.addEventListener("keydown", (event) => {
    if (event.target === note && event.key === "Escape") {
      canvas.focus();
      return;
    }
    if (Coxa.isTyping(event) || document.querySelector("dialog[open]")) return;
    if (event.target.closest("button, a") && (event.key === "Enter" || event.key === " ")) return;
    const preset = presets[Number(event.key) - 1];
    const act = preset ? () => choose(preset) : keys[event.key];
    if (act) {
      event.preventDefault();
      act(event);
    }
  });

  // ---- Loading -------------------------------------------------------------------------------------------------------------------

  const load = async () => {
    await film.loadPreview();
    fit();
    await film.firstPaint.promise;
    await film.loadValues();
    offerWindows();
    if (at.fitted) fit();
    else draw();
    await film.loadTiles((percent) => {
      status(Coxa.say("script-progress", { percent }));
      draw();
    });
    status(Coxa.say("script-full", { columns: film.columns, rows: film.rows }));
    stage.dataset.resolution = "full";
    performance.mark("full-resolution");
    if (at.fitted) fit();
    else draw();
  };
  const loadHeat = async () => {
    await film.loadHeat();
    if (!film.heat) return;
    const ramp = $("legend-colors").getContext("2d");
    for (let x = 0; x < 128; x++) {
      ramp.fillStyle = film.color(2 * x + 1);
      ramp.fillRect(x, 0, 1, 10);
    }
    $("heat-tools").hidden = false;
    $("legend").hidden = !shown.heat;
    draw();
  };

  restoreDraft();
  $("overlay-tools").hidden = view.regions.length === 0 && !view.colors;
  new ResizeObserver(() => (at.fitted ? fit() : draw())).observe(canvas);
  load().catch((error) => status(error instanceof TypeError ? Coxa.say("script-not-reached") : error.message));
  film.firstPaint.promise.then(loadHeat).catch(() => {});
}

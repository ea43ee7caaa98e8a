// A film on one canvas, or on several that move together: geometry, drawing, windowing by pointer, and answers that are sent until they are
// stored. What the pages of readers and reviewers share.
//
// Coordinates: film pixels, continuous; zoom is screen pixels (CSS) a film column.
"use strict";

class FilmStage {
  // `canvases`: each with whether the heat map lies over its film. `hooks`, each optional: `over(pen)` draws what lies over the film,
  // `isCovered()` says whether the film is hidden, `painted()` is called after each paint, `press(point)` may take a press (true).
  constructor(film, canvases, hooks = {}) {
    this.film = film;
    this.canvases = canvases;
    this.hooks = hooks;
    this.at = { x: film.columns / 2, y: film.rows / 2, zoom: 1, fitted: true };
    this.overlay = true;
    this.asked = 0;
    this.held = null;
    for (const { canvas } of canvases) this.listen(canvas);
    new ResizeObserver(() => (this.at.fitted ? this.fit() : this.draw())).observe(canvases[0].canvas);
  }

  // ---- Geometry ------------------------------------------------------------------------------------------------------------------

  size() {
    const { canvas } = this.canvases[0];
    return { width: canvas.clientWidth, height: canvas.clientHeight };
  }

  toFilm(x, y) {
    const { width, height } = this.size();
    const { at, film } = this;
    return { x: at.x + (x - width / 2) / at.zoom, y: at.y + (y - height / 2) / at.zoom / film.aspect };
  }

  toScreen(x, y) {
    const { width, height } = this.size();
    const { at, film } = this;
    return [width / 2 + (x - at.x) * at.zoom, height / 2 + (y - at.y) * at.zoom * film.aspect];
  }

  // A point of the film that exists.
  inside(point) {
    const { film } = this;
    return { x: Math.min(film.columns, Math.max(0, point.x)), y: Math.min(film.rows, Math.max(0, point.y)) };
  }

  fit() {
    const { width, height } = this.size();
    const { film } = this;
    const zoom = Math.max(0.001, Math.min(width / film.columns, height / (film.rows * film.aspect)));
    Object.assign(this.at, { x: film.columns / 2, y: film.rows / 2, zoom, fitted: true });
    this.draw();
  }

  zoomTo(zoom, x = this.size().width / 2, y = this.size().height / 2) {
    const before = this.toFilm(x, y);
    this.at.zoom = Math.min(32, Math.max(0.02, zoom));
    const after = this.toFilm(x, y);
    Object.assign(this.at, { x: this.at.x + before.x - after.x, y: this.at.y + before.y - after.y, fitted: false });
    this.draw();
  }

  pan(dx, dy) {
    const { at, film } = this;
    at.x = Math.min(film.columns, Math.max(0, at.x - dx / at.zoom));
    at.y = Math.min(film.rows, Math.max(0, at.y - dy / at.zoom / film.aspect));
    at.fitted = false;
    this.draw();
  }

  // ---- Windows -------------------------------------------------------------------------------------------------------------------

  change(wider, brighter) {
    const { film } = this;
    if (film.levels.length === 0) return;
    const { low, high } = film.range || film.ownRange();
    const width = Math.min(131072, Math.max(8, (high - low) * Math.exp(wider)));
    const center = (low + high) / 2 - brighter * (high - low) * (film.inverted ? -1 : 1);
    film.range = { low: center - width / 2, high: center + width / 2 };
    film.changed();
    this.draw();
  }

  invert() {
    this.film.inverted = !this.film.inverted;
    this.film.changed();
    this.draw();
  }

  ownWindow() {
    this.film.range = null;
    this.film.changed();
    this.draw();
  }

  // ---- Drawing -------------------------------------------------------------------------------------------------------------------

  draw() {
    if (!this.asked) this.asked = requestAnimationFrame(() => this.paint());
  }

  paint() {
    this.asked = 0;
    const isCovered = this.hooks.isCovered?.();
    const whole = this.canvases.map((one) => this.paintOne(one, isCovered));
    if (whole.every(Boolean)) this.hooks.painted?.();
  }

  paintOne({ canvas, hasHeat }, isCovered) {
    const { at, film } = this;
    const screen = canvas.getContext("2d");
    const [width, height] = [canvas.clientWidth, canvas.clientHeight];
    const [wide, high] = [Math.round(width * devicePixelRatio), Math.round(height * devicePixelRatio)];
    if (canvas.width !== wide || canvas.height !== high) Object.assign(canvas, { width: wide, height: high });
    screen.setTransform(devicePixelRatio, 0, 0, devicePixelRatio, 0, 0);
    screen.fillStyle = "#000";
    screen.fillRect(0, 0, width, height);
    if (isCovered || !film.isThere) return false;
    screen.save();
    screen.translate(width / 2, height / 2);
    screen.scale(at.zoom, at.zoom * film.aspect);
    screen.translate(-at.x, -at.y);
    screen.imageSmoothingQuality = "high";
    film.paint(screen);
    if (this.overlay && hasHeat && film.heat) {
      screen.globalAlpha = 0.5;
      screen.drawImage(film.heat, 0, 0, film.columns, film.rows);
    }
    screen.restore();
    this.hooks.over?.(new FilmPen(this, screen));
    return true;
  }

  // ---- Pointer and keys ------------------------------------------------------------------------------------------------------------

  listen(canvas) {
    const where = (event) => {
      const box = canvas.getBoundingClientRect();
      return { x: event.clientX - box.left, y: event.clientY - box.top };
    };
    canvas.addEventListener("pointerdown", (event) => {
      canvas.focus({ preventScroll: true });
      canvas.setPointerCapture(event.pointerId);
      const point = where(event);
      const isTaken = event.button === 0 && !event.shiftKey && this.hooks.press?.(this.toFilm(point.x, point.y));
      this.held = { ...point, isPan: event.button !== 0 || event.shiftKey, isTaken };
    });
    canvas.addEventListener("pointermove", (event) => {
      if (!this.held) return;
      const now = where(event);
      if (this.held.isTaken) this.hooks.drag?.(this.toFilm(now.x, now.y));
      else if (this.held.isPan) this.pan(now.x - this.held.x, now.y - this.held.y);
      else this.change((now.x - this.held.x) / 250, -(now.y - this.held.y) / 400);
      Object.assign(this.held, now);
    });
    for (const end of ["pointerup", "pointercancel"]) {
      canvas.addEventListener(end, () => {
        if (this.held?.isTaken) this.hooks.release?.();
        this.held = null;
      });
    }
    canvas.addEventListener("contextmenu", (event) => event.preventDefault());
    canvas.addEventListener("wheel", (event) => {
      event.preventDefault();
      const { x, y } = where(event);
      this.zoomTo(this.at.zoom * Math.exp(-event.deltaY / (event.deltaMode ? 20 : 500)), x, y);
    }, { passive: false });
  }

  // The step of an arrow key; `null` for another key.
  static step(event) {
    return { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key] || null;
  }

  // A point moved by an arrow key, from the middle of what is seen where there was none.
  moved(point, step, event) {
    const far = (event.shiftKey ? 40 : 4) / this.at.zoom;
    const from = point || { x: this.at.x, y: this.at.y };
    return { x: from.x + step[0] * far, y: from.y + (step[1] * far) / this.film.aspect };
  }

  // Whether a key moved the film.
  key(event) {
    const step = FilmStage.step(event);
    if (step) this.pan(-60 * step[0], -60 * step[1]);
    else if (event.key === "+" || event.key === "=") this.zoomTo(this.at.zoom * 1.25);
    else if (event.key === "-") this.zoomTo(this.at.zoom / 1.25);
    else return false;
    return true;
  }

  // ---- Loading -------------------------------------------------------------------------------------------------------------------

  async load(status) {
    try {
      await this.film.loadPreview();
      this.fit();
      await this.film.firstPaint.promise;
      await this.film.loadValues();
      if (this.at.fitted) this.fit();
      await this.film.loadHeat();
      this.draw();
      await this.film.loadTiles((percent) => {
        status(Coxa.say("script-progress", { percent }));
        this.draw();
      });
      status("");
    } catch (error) {
      status(error.message);
    }
  }
}

// Draws lines over a film.
class FilmPen {
  constructor(stage, screen) {
    Object.assign(this, { stage, screen });
  }

  // Black under the color, so that it shows on bone and on air.
  stroke(color, dash) {
    const { screen } = this;
    screen.setLineDash(dash);
    for (const [width, style] of [[4, "#000"], [2, color]]) {
      screen.lineWidth = width;
      screen.strokeStyle = style;
      screen.stroke();
    }
    screen.setLineDash([]);
  }

  rectangle({ x, y, width, height }, color, dash = []) {
    const [left, top] = this.stage.toScreen(x, y);
    const [right, bottom] = this.stage.toScreen(x + width, y + height);
    this.screen.beginPath();
    this.screen.rect(left, top, right - left, bottom - top);
    this.stroke(color, dash);
  }

  cross([x, y], color) {
    const [sx, sy] = this.stage.toScreen(x, y);
    this.screen.beginPath();
    for (const [dx, dy] of [[1, 0], [-1, 0], [0, 1], [0, -1]]) {
      this.screen.moveTo(sx + dx * 3, sy + dy * 3);
      this.screen.lineTo(sx + dx * 12, sy + dy * 12);
    }
    this.stroke(color, []);
  }
}

// Sends a form until the server has stored it. Resolves to its answer; to `null` where it was refused, after `refused(words)`, or where the
// session has ended, with the words for that in `ended`. `words(text)` shows what is the matter.
async function storeUntilDone(form, body, { ended, words, refused }) {
  const controls = () => form.querySelectorAll("button, input, select, textarea");
  controls().forEach((part) => (part.disabled = true));
  for (let tries = 0; ; tries++) {
    try {
      const response = await fetch(form.action, { method: "POST", body, cache: "no-store" });
      if (response.ok) return await response.json();
      if (response.status === 403 && (await Coxa.renewToken())) {
        body.set("form", form.elements.form.value);
        continue;
      }
      if (response.status === 401 || response.status === 403) {
        words(ended);
        return null;
      }
      if (response.status < 500 && response.status !== 429) {
        const why = new DOMParser().parseFromString(await response.text(), "text/html").querySelector("main p")?.textContent;
        controls().forEach((part) => (part.disabled = false));
        words(why || Coxa.say("script-not-taken"));
        refused();
        return null;
      }
    } catch {
      // The network is away: the same answer is sent again, and the server keeps one.
    }
    words(Coxa.say("script-answer-again"));
    await new Promise((done) => setTimeout(done, Math.min(10000, 500 * 2 ** Math.min(tries, 5))));
  }
}

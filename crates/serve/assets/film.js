// A film's pixels in the browser: the picture for the first paint, then 16-bit grades that are windowed here (an overview, and tiles of the
// full resolution), and its heat map.
//
// A grade of 0 is no film, 1 to 65,535 run from dark to bright; pages/tiles.rs explains what `/films/{id}/values` and a tile hold.
"use strict";

const LEAST_HEAT = 0.05;
const TILE = 512;
// Tiles that are asked for at once.
const AT_ONCE = 4;

class FilmPixels {
  constructor(view) {
    this.base = view.base || `/films/${view.id}`;
    this.colors = view.colors;
    this.columns = view.columns;
    this.rows = view.rows;
    this.aspect = 1;
    this.spacing = null;
    this.preview = null;
    // Sizes of the film, each half of the one before; those above the overview are complete once all tiles have come.
    this.levels = [];
    this.overview = 0;
    this.isPainted = false;
    // Resolved once the film was on the screen: nothing else is loaded before.
    this.firstPaint = FilmPixels.promised();
    // The part of the film that was painted last, in its pixels.
    this.seen = { left: 0, top: 0, right: this.columns, bottom: this.rows };
    // Display values of each grade: the file's own rendition, and each window of the file that can be chosen, by its place there.
    this.own = null;
    this.display = null;
    this.windows = new Map();
    this.dark = 0;
    this.bright = 1;
    this.heat = null;
    // `null` is a rendition of the file, that of `display`; else grades from black to white.
    this.range = null;
    this.inverted = false;
    this.stamp = 0;
    this.table = new Uint32Array(65536);
    this.tableStamp = -1;
  }

  changed() {
    this.stamp++;
  }

  // ---- Windows -------------------------------------------------------------------------------------------------------------------

  gradeOf(value) {
    return 1 + ((value - this.dark) / (this.bright - this.dark)) * 65534;
  }

  valueOf(grade) {
    return this.dark + ((grade - 1) / 65534) * (this.bright - this.dark);
  }

  // The linear window that comes closest to the rendition of the file that is shown: where its display values leave black and reach white.
  ownRange() {
    let low = 1;
    let high = 65535;
    while (low < 65535 && this.display[low] <= 2) low++;
    while (high > low && this.display[high] >= 253) high--;
    return { low, high: Math.max(high, low + 1) };
  }

  // The grades below which these shares of the film lie.
  percentiles(low, high) {
    const { grades } = this.levels.at(-1);
    const counts = new Uint32Array(65536);
    for (let i = 0; i < grades.length; i++) counts[grades[i]]++;
    const total = grades.length - counts[0];
    const find = (share) => {
      let seen = 0;
      let grade = 0;
      while (grade < 65535 && seen <= share * total) seen += counts[++grade];
      return grade;
    };
    return { low: find(low), high: Math.max(find(high), find(low) + 1) };
  }

  // ---- Grades to gray ------------------------------------------------------------------------------------------------------------

  fill() {
    if (this.tableStamp === this.stamp) return;
    const gray = (value) => 0xff000000 | (value << 16) | (value << 8) | value;
    const flip = this.inverted ? 255 : 0;
    const { table, range, display } = this;
    if (range === null) {
      for (let grade = 0; grade < 65536; grade++) table[grade] = gray(display[grade] ^ flip);
    } else {
      const scale = 255 / Math.max(1, range.high - range.low);
      for (let grade = 0; grade < 65536; grade++) {
        table[grade] = gray(Math.min(255, Math.max(0, Math.round((grade - range.low) * scale))) ^ flip);
      }
    }
    table[0] = gray(0);
    this.tableStamp = this.stamp;
  }

  static promised() {
    let done;
    const promise = new Promise((resolve) => (done = resolve));
    return { promise, done };
  }

  // Whether there is something to paint.
  get isThere() {
    return this.levels.length > 0 || this.preview !== null;
  }

  // Draws the film where a canvas's transform has its pixels: the smallest of the sizes that is not too small, over the overview while tiles
  // of it are missing.
  paint(screen) {
    const place = screen.getTransform();
    const back = place.inverse();
    const { width, height } = screen.canvas;
    const corners = [[0, 0], [width, 0], [0, height], [width, height]].map(([x, y]) => back.transformPoint(new DOMPoint(x, y)));
    const [xs, ys] = [corners.map(({ x }) => x), corners.map(({ y }) => y)];
    this.seen = { left: Math.min(...xs), top: Math.min(...ys), right: Math.max(...xs), bottom: Math.max(...ys) };
    if (this.levels.length === 0) {
      screen.drawImage(this.preview, 0, 0, this.columns, this.rows);
    } else {
      const scale = Math.hypot(place.a, place.b);
      const level = this.levels[Math.min(this.levels.length - 1, Math.max(0, Math.floor(-Math.log2(scale))))];
      if (level.missing > 0) this.paintLevel(screen, this.levels[this.overview]);
      this.paintLevel(screen, level);
    }
    if (!this.isPainted) {
      this.isPainted = true;
      // The frame after this one begins when the picture is on its way to the screen.
      requestAnimationFrame(() => {
        performance.mark("first-paint-of-film");
        this.firstPaint.done();
      });
    }
  }

  paintLevel(screen, level) {
    if (!level.canvas) {
      level.canvas = new OffscreenCanvas(level.columns, level.rows);
      level.context = level.canvas.getContext("2d");
      level.image = level.context.createImageData(level.columns, level.rows);
      level.out = new Uint32Array(level.image.data.buffer);
    }
    const [across, down] = [level.columns / this.columns, level.rows / this.rows];
    // What smoothing takes in beside what is seen.
    const margin = 4;
    for (const tile of level.tiles) {
      const isSeen = tile.left <= this.seen.right * across + margin && tile.left + tile.columns >= this.seen.left * across - margin
        && tile.top <= this.seen.bottom * down + margin && tile.top + tile.rows >= this.seen.top * down - margin;
      if (tile.isHere && isSeen && tile.stamp !== this.stamp) this.windowed(level, tile);
    }
    screen.drawImage(level.canvas, 0, 0, this.columns, this.rows);
  }

  // Brings a tile of a size to the present window.
  windowed(level, tile) {
    this.fill();
    const { grades, out } = level;
    const { table } = this;
    for (let y = tile.top; y < tile.top + tile.rows; y++) {
      const end = y * level.columns + tile.left + tile.columns;
      for (let i = end - tile.columns; i < end; i++) out[i] = table[grades[i]];
    }
    level.context.putImageData(level.image, 0, 0, tile.left, tile.top, tile.columns, tile.rows);
    tile.stamp = this.stamp;
  }

  // ---- Loading -------------------------------------------------------------------------------------------------------------------

  // The picture, which a page may have asked for in its head. Throws with words for the reader where the film cannot be shown.
  async loadPreview() {
    const image = new Image();
    image.src = `${this.base}/preview`;
    await image.decode().catch(() => this.explain());
    if (!this.columns || !this.rows) Object.assign(this, { columns: image.width, rows: image.height });
    const aspect = (image.height / image.width) * (this.columns / this.rows);
    this.aspect = Math.abs(aspect - 1) < 0.01 ? 1 : aspect;
    this.preview = image;
  }

  // Why there is no picture: its answer says it.
  async explain() {
    const response = await fetch(`${this.base}/preview`, { cache: "no-store" });
    const why = response.ok ? "" : (await response.text().catch(() => "")).trim();
    throw new Error(response.status === 422 ? Coxa.say("script-not-shown", { why }) : Coxa.say("script-not-loaded", { why: why || response.status }));
  }

  async loadValues() {
    const all = await this.bytes("/values");
    const [columns, rows, dark, bright, row, column, aspect, halvings, count] = new Float64Array(all, 0, 9);
    Object.assign(this, { columns, rows, dark, bright, aspect, spacing: row > 0 && column > 0 ? [row, column] : null, overview: halvings });
    const head = 8 * (9 + count);
    const display = (number) => new Uint8Array(all, head + 65536 * number, 65536);
    this.own = this.display = display(0);
    new Float64Array(all, 72, count).forEach((place, i) => this.windows.set(place, display(1 + i)));
    const levels = [];
    for (let i = 0; i < halvings; i++) levels.push(FilmPixels.tiled(columns, rows, i));
    levels.push(FilmPixels.whole(columns >> halvings, rows >> halvings, new Uint16Array(all, head + 65536 * (1 + count))));
    while (levels.length < 3 && levels.at(-1).columns > 256) levels.push(FilmPixels.halved(levels.at(-1)));
    this.levels = levels;
    this.changed();
  }

  // The tiles of the full resolution: those that are seen first, from the middle. `come(percent)` is called after each.
  async loadTiles(come) {
    if (this.overview === 0) return;
    const { tiles } = this.levels[0];
    const wanted = new Set(tiles.keys());
    const worker = async () => {
      while (wanted.size > 0) {
        const next = this.nearest(wanted);
        wanted.delete(next);
        const { left, top } = tiles[next];
        this.take(next, new Uint16Array(await this.bytes(`/tiles/${left / TILE}/${top / TILE}`)));
        come(Math.round((100 * (tiles.length - this.levels[0].missing)) / tiles.length));
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, worker));
  }

  nearest(wanted) {
    const { left, top, right, bottom } = this.seen;
    const rank = (number) => {
      const tile = this.levels[0].tiles[number];
      const [x, y] = [tile.left + tile.columns / 2, tile.top + tile.rows / 2];
      const isSeen = tile.left < right && tile.left + tile.columns > left && tile.top < bottom && tile.top + tile.rows > top;
      return Math.hypot(x - (left + right) / 2, y - (top + bottom) / 2) + (isSeen ? 0 : 1e6);
    };
    return [...wanted].reduce((best, number) => (rank(number) < rank(best) ? number : best));
  }

  // Puts a tile into the full resolution, and its halves into the sizes between that and the overview.
  take(number, grades) {
    let { columns, rows } = this.levels[0].tiles[number];
    for (let i = 0; i < this.overview; i++) {
      const level = this.levels[i];
      if (i > 0) ({ columns, rows, grades } = FilmPixels.halves({ columns, rows, grades }));
      const tile = level.tiles[number];
      for (let y = 0; y < rows; y++) level.grades.set(grades.subarray(y * columns, (y + 1) * columns), (tile.top + y) * level.columns + tile.left);
      tile.isHere = true;
      level.missing--;
    }
  }

  async bytes(path) {
    const response = await fetch(this.base + path, { cache: "no-store" });
    if (!response.ok) throw new Error(Coxa.say("script-values-not-loaded"));
    return response.arrayBuffer();
  }

  // A size whose tiles are still to come: the film's, so many times halved. A last tile of it may be empty.
  static tiled(columns, rows, halvings) {
    const [wide, high] = [columns >> halvings, rows >> halvings];
    const side = TILE >> halvings;
    const tiles = [];
    for (let y = 0; y < rows; y += TILE) {
      for (let x = 0; x < columns; x += TILE) {
        const [left, top] = [x >> halvings, y >> halvings];
        tiles.push({ left, top, columns: Math.min(side, wide - left), rows: Math.min(side, high - top), isHere: false, stamp: -1 });
      }
    }
    return { columns: wide, rows: high, grades: new Uint16Array(wide * high), tiles, missing: tiles.length };
  }

  // A size that is here.
  static whole(columns, rows, grades) {
    return { columns, rows, grades, tiles: [{ left: 0, top: 0, columns, rows, isHere: true, stamp: -1 }], missing: 0 };
  }

  static halved(level) {
    const { columns, rows, grades } = FilmPixels.halves(level);
    return FilmPixels.whole(columns, rows, grades);
  }

  // Half the size, each grade the mean of four: what is drawn small is not drawn from every second pixel.
  static halves({ columns, rows, grades }) {
    const [wide, high] = [columns >> 1, rows >> 1];
    const small = new Uint16Array(wide * high);
    for (let y = 0, to = 0; y < high; y++) {
      for (let x = 0, from = 2 * y * columns; x < wide; x++, from += 2) {
        small[to++] = (grades[from] + grades[from + 1] + grades[from + columns] + grades[from + columns + 1] + 2) >> 2;
      }
    }
    return { columns: wide, rows: high, grades: small };
  }

  color(share) {
    return `#${this.colors.slice(6 * share, 6 * share + 6)}`;
  }

  async loadHeat() {
    if (!this.colors) return;
    const response = await fetch(`${this.base}/heat`, { cache: "no-store" });
    if (!response.ok) return;
    const [wide, high] = ["x-columns", "x-rows"].map((name) => Number(response.headers.get(name)));
    const shares = new Uint8Array(await response.arrayBuffer());
    const part = (share, i) => parseInt(this.colors.slice(6 * share + 2 * i, 6 * share + 2 * i + 2), 16);
    const palette = Uint32Array.from({ length: 256 }, (_, share) => {
      const strength = share === 0 ? 0 : (share / 255 - LEAST_HEAT) / (1 - LEAST_HEAT);
      return (Math.round(255 * Math.max(0, strength)) << 24) | (part(share, 2) << 16) | (part(share, 1) << 8) | part(share, 0);
    });
    const layer = new OffscreenCanvas(wide, high);
    const context = layer.getContext("2d");
    const image = context.createImageData(wide, high);
    const out = new Uint32Array(image.data.buffer);
    for (let i = 0; i < shares.length; i++) out[i] = palette[shares[i]];
    context.putImageData(image, 0, 0);
    this.heat = layer;
  }
}

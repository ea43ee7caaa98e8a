// A film's pixels in the browser: the picture for the first paint, then 16-bit grades that are windowed here, and its heat map.
//
// A grade of 0 is no film, 1 to 65,535 run from dark to bright; pages/film.rs explains what `/films/{id}/values` holds.
"use strict";

const LEAST_HEAT = 0.05;

class FilmPixels {
  constructor(view) {
    this.base = view.base || `/films/${view.id}`;
    this.colors = view.colors;
    this.columns = view.columns;
    this.rows = view.rows;
    this.aspect = 1;
    this.spacing = null;
    this.preview = null;
    this.levels = [];
    this.display = null;
    this.dark = 0;
    this.bright = 1;
    this.heat = null;
    // `null` is the file's own window; else grades from black to white.
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

  // The linear window that comes closest to the file's own: where its display values leave black and reach white.
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

  // What is drawn at so many screen pixels a film column: the smallest of the sizes that is not too small.
  picture(scale) {
    if (this.levels.length === 0) return this.preview;
    const level = this.levels[Math.min(this.levels.length - 1, scale > 0.5 ? 0 : scale > 0.25 ? 1 : 2)];
    if (!level.canvas) {
      level.canvas = new OffscreenCanvas(level.columns, level.rows);
      level.context = level.canvas.getContext("2d");
      level.image = level.context.createImageData(level.columns, level.rows);
      level.stamp = -1;
    }
    if (level.stamp !== this.stamp) {
      this.fill();
      const out = new Uint32Array(level.image.data.buffer);
      const { grades } = level;
      const { table } = this;
      for (let i = 0; i < grades.length; i++) out[i] = table[grades[i]];
      level.context.putImageData(level.image, 0, 0);
      level.stamp = this.stamp;
    }
    return level.canvas;
  }

  // ---- Loading -------------------------------------------------------------------------------------------------------------------

  // Throws with words for the reader where the film cannot be shown.
  async loadPreview() {
    const response = await fetch(`${this.base}/preview`, { cache: "no-store" });
    if (!response.ok) {
      const why = (await response.text().catch(() => "")).trim();
      throw new Error(response.status === 422 ? Coxa.say("script-not-shown", { why }) : Coxa.say("script-not-loaded", { why: why || response.status }));
    }
    const image = await createImageBitmap(await response.blob());
    if (!this.columns || !this.rows) Object.assign(this, { columns: image.width, rows: image.height });
    const aspect = (image.height / image.width) * (this.columns / this.rows);
    this.aspect = Math.abs(aspect - 1) < 0.01 ? 1 : aspect;
    this.preview = image;
  }

  async loadValues(progress) {
    const response = await fetch(`${this.base}/values`, { cache: "no-store" });
    if (!response.ok) throw new Error(Coxa.say("script-values-not-loaded"));
    const total = Number(response.headers.get("content-length"));
    const reader = response.body.getReader();
    let all = new Uint8Array(total);
    let length = 0;
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      if (length + value.length > all.length) {
        const larger = new Uint8Array(Math.max(2 * all.length, length + value.length));
        larger.set(all);
        all = larger;
      }
      all.set(value, length);
      length += value.length;
      if (total) progress(Math.round((100 * length) / total));
    }
    const [columns, rows, dark, bright, row, column, aspect] = new Float64Array(all.buffer, 0, 8);
    Object.assign(this, { columns, rows, dark, bright, aspect, spacing: row > 0 && column > 0 ? [row, column] : null });
    this.display = new Uint8Array(all.buffer, 64, 65536);
    this.levels = [{ columns, rows, grades: new Uint16Array(all.buffer, 64 + 65536, columns * rows) }];
    while (this.levels.length < 3 && this.levels.at(-1).columns > 256) this.levels.push(FilmPixels.halved(this.levels.at(-1)));
    this.changed();
  }

  // Half the size, each grade the mean of four: what is drawn small is not drawn from every second pixel.
  static halved({ columns, rows, grades }) {
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
    const layer = new OffscreenCanvas(wide, high);
    const context = layer.getContext("2d");
    const image = context.createImageData(wide, high);
    shares.forEach((share, i) => {
      const strength = share === 0 ? 0 : (share / 255 - LEAST_HEAT) / (1 - LEAST_HEAT);
      image.data.set([part(share, 0), part(share, 1), part(share, 2), Math.round(255 * Math.max(0, strength))], 4 * i);
    });
    context.putImageData(image, 0, 0);
    this.heat = layer;
  }
}

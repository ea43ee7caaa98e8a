// Rectangles of a withheld film: drawn on its picture with the pointer, each a line of the form; the lines stay the only record of them.
"use strict";

{
  const film = document.getElementById("film");
  const drawn = document.getElementById("drawn");
  const lines = document.getElementById("lines");
  const [columns, rows] = [Number(film.dataset.columns), Number(film.dataset.rows)];
  const MOST = 60;
  const names = ["x", "y", "width", "height", "verdict"];
  const fields = (line) => Object.fromEntries(names.map((name) => [name, line.querySelector(`[name^="${name}"]`)]));

  const rectangle = (kind, { x, y, width, height }) => {
    const shape = document.createElementNS("http://www.w3.org/2000/svg", "rect");
    for (const [name, value] of Object.entries({ class: kind, x, y, width, height })) shape.setAttribute(name, value);
    return shape;
  };

  // The picture shows the lines of the form.
  const show = () => {
    const shapes = [];
    for (const line of lines.rows) {
      const { verdict, ...place } = fields(line);
      const numbers = Object.fromEntries(Object.entries(place).map(([name, field]) => [name, field.value === "" ? NaN : Number(field.value)]));
      const isWhole = Object.values(numbers).every((number) => Number.isInteger(number) && number >= 0);
      if (isWhole && numbers.width && numbers.height) shapes.push(rectangle(verdict.value, numbers));
    }
    drawn.replaceChildren(...shapes);
  };
  lines.addEventListener("input", show);

  // The first line that is empty, or a new one.
  const free = () => {
    for (const line of lines.rows) {
      if (names.slice(0, 4).every((name) => fields(line)[name].value === "")) return line;
    }
    if (lines.rows.length >= MOST) return null;
    const line = lines.rows[lines.rows.length - 1].cloneNode(true);
    const number = lines.rows.length;
    for (const [name, field] of Object.entries(fields(line))) {
      field.name = name + number;
      field.value = name === "verdict" ? "blank" : "";
    }
    lines.append(line);
    return line;
  };

  const at = (event) => {
    const place = new DOMPoint(event.clientX, event.clientY).matrixTransform(film.getScreenCTM().inverse());
    return [Math.min(Math.max(Math.round(place.x), 0), columns), Math.min(Math.max(Math.round(place.y), 0), rows)];
  };
  const between = ([ax, ay], [bx, by]) => ({ x: Math.min(ax, bx), y: Math.min(ay, by), width: Math.abs(ax - bx), height: Math.abs(ay - by) });
  let start = null;
  let sketch = null;
  film.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    event.preventDefault();
    film.setPointerCapture(event.pointerId);
    start = at(event);
    sketch = rectangle("new", between(start, start));
    film.append(sketch);
  });
  film.addEventListener("pointermove", (event) => {
    if (!start) return;
    for (const [name, value] of Object.entries(between(start, at(event)))) sketch.setAttribute(name, value);
  });
  const end = (event) => {
    if (!start) return;
    const place = between(start, at(event));
    sketch.remove();
    start = null;
    // A click draws nothing.
    if (event.type === "pointercancel" || place.width < 2 || place.height < 2) return;
    const line = free();
    if (!line) return;
    for (const [name, value] of Object.entries(place)) fields(line)[name].value = value;
    show();
  };
  film.addEventListener("pointerup", end);
  film.addEventListener("pointercancel", end);
  film.classList.add("draws");
  document.getElementById("drawing").hidden = false;
  show();
}

// A film of a labeling: drawn, labeled by keys, and stored before the next one is asked for.
"use strict";

const answerForm = document.getElementById("answer");

// Taking the last decision back works on the last page too.
document.addEventListener("keydown", (event) => {
  const undo = document.getElementById("undo");
  if (event.key !== "u" || !undo || Coxa.isTyping(event) || document.getElementById("help").open) return;
  event.preventDefault();
  undo.requestSubmit();
});

if (answerForm) {
  const $ = (id) => document.getElementById(id);
  const form = answerForm;
  const view = JSON.parse($("stage").dataset.view);
  const film = new FilmPixels(view);
  const status = (text) => ($("status").textContent = text);
  let boxes = (view.boxes || []).map(([x, y, width, height]) => ({ x, y, width, height }));
  // While a box is drawn: its first corner, once it is set, and the point that moves.
  const making = { isOn: false, from: null, to: null };
  let isSent = false;
  const canvases = [{ canvas: $("canvas"), hasHeat: false }];
  if ($("beside")) canvases.push({ canvas: $("beside"), hasHeat: true });

  const between = (a, b) => {
    const [from, to] = [stage.inside(a), stage.inside(b)];
    const [left, top] = [Math.floor(Math.min(from.x, to.x)), Math.floor(Math.min(from.y, to.y))];
    return { x: left, y: top, width: Math.ceil(Math.max(from.x, to.x)) - left, height: Math.ceil(Math.max(from.y, to.y)) - top };
  };
  const stage = new FilmStage(film, canvases, {
    over(pen) {
      (view.others || []).forEach((drawn, i) => drawn.forEach(([x, y, width, height]) => pen.rectangle({ x, y, width, height }, ["#6edcff", "#f5a3ff"][i % 2], [6, 4])));
      boxes.forEach((box) => pen.rectangle(box, "#ffe27a"));
      if (making.from && making.to) pen.rectangle(between(making.from, making.to), "#fff", [4, 4]);
      else if (making.to) pen.cross([making.to.x, making.to.y], "#fff");
    },
    painted() {
      // Two frames later the picture is on the screen.
      requestAnimationFrame(() => requestAnimationFrame(() => (document.body.dataset.painted = "1")));
    },
    press(point) {
      if (making.isOn) Object.assign(making, { from: point, to: point });
      return making.isOn;
    },
    drag(point) {
      making.to = point;
      stage.draw();
    },
    release: () => keep(),
  });

  // ---- Boxes ---------------------------------------------------------------------------------------------------------------------

  const make = (isOn) => {
    Object.assign(making, { isOn, from: null, to: null });
    $("box").setAttribute("aria-pressed", String(isOn));
    status(isOn ? Coxa.say("script-box") : "");
    stage.draw();
  };
  const keep = () => {
    const box = between(making.from, making.to);
    if (box.width >= 2 && box.height >= 2) boxes.push(box);
    make(false);
    store();
  };
  const store = () => {
    $("boxes").value = boxes.map(({ x, y, width, height }) => [x, y, width, height].join(",")).join(";");
    stage.draw();
  };
  const boxKey = (event) => {
    const step = FilmStage.step(event);
    if (step) making.to = stage.inside(stage.moved(making.to, step, event));
    else if (event.key === "Enter" && !making.to) making.to = { x: stage.at.x, y: stage.at.y };
    else if (event.key === "Enter" && !making.from) making.from = making.to;
    else if (event.key === "Enter") return keep();
    else if (event.key === "Escape") return make(false);
    stage.draw();
  };

  // ---- Storing -------------------------------------------------------------------------------------------------------------------

  const say = (text) => {
    $("stored").textContent = text;
    $("stored").classList.add("bad");
  };
  const send = async (from, submitter) => {
    if (isSent) return;
    isSent = true;
    const body = new URLSearchParams(new FormData(from, submitter));
    body.set("by", "script");
    const stored = await storeUntilDone(from, body, { ended: Coxa.say("script-labeling-ended"), words: say, refused: () => (isSent = false) });
    if (!stored) return;
    delete document.body.dataset.painted;
    if (location.pathname === stored.next) location.reload();
    else location.assign(stored.next);
  };
  for (const one of document.querySelectorAll("#answer, .other, #undo")) {
    one.addEventListener("submit", (event) => {
      event.preventDefault();
      send(one, event.submitter);
    });
  }

  // ---- Keys ----------------------------------------------------------------------------------------------------------------------

  const tools = {
    f: ["fit", () => stage.fit()],
    i: ["invert", () => {
      stage.invert();
      $("invert").setAttribute("aria-pressed", String(film.inverted));
    }],
    w: ["window", () => stage.ownWindow()],
    b: ["box", () => make(!making.isOn)],
    Delete: ["unbox", () => {
      boxes.pop();
      store();
    }],
    c: ["classification", () => $("classification").focus()],
    e: ["note", () => $("note").focus()],
    x: ["exclusion", () => ($("exclusion").open = !$("exclusion").open)],
  };
  for (const [id, act] of Object.values(tools)) if ($(id)?.matches("button")) $(id).addEventListener("click", act);
  const chosen = (key) => {
    const place = $("exclusion")?.open && /^\d$/.test(key) ? `[data-exclude="${key}"]` : `[data-key="${CSS.escape(key)}"]`;
    return form.querySelector(place);
  };
  const choose = (control) => {
    if (control.matches("button")) return control.click();
    // The same key again takes a choice back.
    control.checked = !control.checked;
  };
  document.addEventListener("keydown", (event) => {
    if ($("help").open) return;
    const isLeaving = event.key === "Escape" || (event.key === "Enter" && event.target.matches("select"));
    if (isLeaving && event.target.matches("select, textarea")) {
      event.target.blur();
      return event.preventDefault();
    }
    // Radio buttons and check boxes take no text: keys go on where one of them was clicked.
    const isChoice = event.target.matches("input[type=radio], input[type=checkbox]");
    if (event.ctrlKey || event.metaKey || event.altKey || (!isChoice && Coxa.isTyping(event))) return;
    const control = chosen(event.key);
    const tool = tools[event.key];
    const take = { "[": 0, "]": 1 }[event.key];
    if (making.isOn && (FilmStage.step(event) || ["Enter", "Escape"].includes(event.key))) boxKey(event);
    else if (control) choose(control);
    else if (take !== undefined && document.querySelectorAll(".other")[take]) document.querySelectorAll(".other")[take].requestSubmit();
    else if (tool && $(tool[0])) tool[1]();
    else if (isChoice || !stage.key(event)) return;
    event.preventDefault();
  });

  document.body.dataset.ready = "1";
  stage.load(status);
}

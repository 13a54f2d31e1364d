"use strict";
// The model at work: what it sees in a picture, what it predicts, and why.
(() => {
  const SHOWN = 20; // classes in the list

  const section = document.getElementById("model");
  const { decode, PictureError, see, judge, contributions, paint, setUpInputs } = section;
  const at = (name) => document.getElementById(`model-${name}`);
  const given = JSON.parse(document.getElementById("data-model").textContent);
  if (given === null || given.absent) {
    at("reason").textContent = given?.absent ?? "The model is larger than this page has room for.";
    at("absent").hidden = false;
    return;
  }
  const model = {
    ...given,
    W: floats(given.W),
    b: floats(given.b),
    mean: floats(given.mean),
    samples: { ...given.samples, pixels: bytes(given.samples.pixels) },
  };
  const [height, width, channels] = model.shape;

  let shown = null; // the picture or sample that is looked at
  let verdict = null; // what the model says about it
  let chosen = null; // the class whose reasons are shown; null: the first
  let latest = 0; // counts the pictures that were taken, so that a slow one does not replace a later one

  function bytes(text) {
    return Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  }

  function floats(text) {
    return new Float32Array(bytes(text).buffer);
  }

  const decimals = (value) => value.toFixed(4).replace(/^-(?=.*[1-9])/, "−").replace("-", "");
  const shortened = (name) => (name.length > 60 ? `${name.slice(0, 40)}…${name.slice(-16)}` : name);
  const count = (value) => value.toLocaleString("en");

  // Pictures come in.

  async function take(file, name) {
    latest += 1;
    const turn = latest;
    at("works").setAttribute("aria-busy", "true");
    let picture, finding;
    try {
      picture = await decode(file);
    } catch (error) {
      if (error instanceof PictureError) finding = error.message;
      else if (error instanceof DOMException) finding = "cannot be read; choose another file";
      else throw error;
    }
    if (turn !== latest) return;
    at("works").removeAttribute("aria-busy");
    if (picture === undefined) {
      forget();
      at("error").textContent = `${shortened(name)}: ${finding}`;
      come(at("error"));
    } else {
      look(picture);
      come(at("answer"));
    }
  }

  // Whatever was dropped or pasted elsewhere on the page, or chosen above on a small screen, is answered here.
  function come(element) {
    const place = element.getBoundingClientRect();
    if (place.top < 0 || place.bottom > window.innerHeight) element.scrollIntoView({ block: "center" });
  }

  function look(picture, k = null) {
    const { levels, box } = see(picture, model.shape);
    shown = {
      values: Float64Array.from(levels, (level) => (level * model.white) / 255),
      caption: `As given, ${count(picture.width)} × ${count(picture.height)} pixels`,
      preview: (canvas) => paint.preview(canvas, picture, box),
    };
    chosen = k;
    update();
  }

  // A drawing changes all the time, so a class whose reasons are looked at stays.
  function draw(picture) {
    latest += 1;
    look(picture, chosen);
  }

  function lookAtSample(values, caption) {
    latest += 1;
    shown = { values, caption, preview: (canvas) => drawSample(canvas, values) };
    chosen = null;
    update();
    come(at("answer"));
  }

  function drawSample(canvas, values) {
    canvas.classList.add("model-pixels");
    paint.pixels(canvas, toBytes(values), model.shape);
  }

  function toBytes(values) {
    return Uint8Array.from(values, (value) => Math.min(255, Math.max(0, Math.round((value * 255) / model.white))));
  }

  function forget() {
    latest += 1;
    [shown, verdict, chosen] = [null, null, null];
    at("works").removeAttribute("aria-busy");
    at("error").textContent = "";
    at("answer").replaceChildren();
    for (const name of Object.keys(at("answer").dataset)) delete at("answer").dataset[name];
    at("result").hidden = true;
    clearPaper();
  }

  // The model answers.

  function update() {
    if (shown === null) return;
    at("error").textContent = "";
    const values = at("invert").checked ? shown.values.map((value) => model.white - value) : shown.values;
    const { row, scores, probabilities } = judge(model, values);
    // Stable: of equal scores the first class comes first.
    const order = [...scores.keys()].sort((a, b) => scores[b] - scores[a]);
    verdict = { values, row, scores, probabilities, order };
    at("result").hidden = false;
    showViews();
    showAnswer();
    listClasses();
    showReasons();
  }

  function showViews() {
    const { values, row } = verdict;
    shown.preview(at("given"));
    paint.pixels(at("seen"), toBytes(values), model.shape);
    paint.signed(at("centred"), paint.overChannels(row, channels), height, width);
    const captions = {
      given: shown.caption,
      seen: `As the model sees it, ${width} × ${height}${at("invert").checked ? ", inverted" : ""}`,
      centred: `Minus the mean: blue above it, red below${model.unitRows ? "; of length 1" : ""}`,
    };
    for (const [name, caption] of Object.entries(captions)) {
      at(`${name}-caption`).textContent = caption;
      at(name).setAttribute("aria-label", caption);
    }
  }

  function showAnswer() {
    const { scores, probabilities, order } = verdict;
    const [first, second] = order;
    const name = document.createElement("strong");
    name.textContent = model.classes[first];
    const parts = [name];
    if (probabilities !== null) {
      parts.push(`: probability ${decimals(probabilities[first])}`);
      if (second !== undefined) parts.push(`; next ${model.classes[second]}, ${decimals(probabilities[second])}`);
    } else {
      parts.push(`: score ${decimals(scores[first])}`);
      const margin = scores[first] - scores[second];
      if (second !== undefined) parts.push(`; it leads ${model.classes[second]} by ${decimals(margin)}`);
      parts.push(". The model is an SVM: it has no probabilities");
    }
    at("answer").replaceChildren(...parts, ".");
    tell(at("answer"), first);
  }

  // Full precision, for whoever reads the page with a program.
  function tell(element, k) {
    element.dataset.class = model.classes[k];
    element.dataset.score = verdict.scores[k];
    if (verdict.probabilities !== null) element.dataset.probability = verdict.probabilities[k];
  }

  function listClasses() {
    const K = model.classes.length;
    const sought = at("search").value.trim().toLowerCase();
    const order = at("order").value === "score" ? verdict.order : model.classes.map((_, k) => k);
    const found = order.filter((k) => model.classes[k].toLowerCase().includes(sought));
    const range = [0, ...verdict.scores].reduce(([low, high], s) => [Math.min(low, s), Math.max(high, s)], [0, 0]);
    at("classes").replaceChildren(...found.slice(0, SHOWN).map((k) => classRow(k, range)));
    at("shown").textContent =
      found.length === 0
        ? `None of the ${count(K)} classes is called that.`
        : K > SHOWN
          ? `${count(Math.min(SHOWN, found.length))} of ${count(K)} classes are shown.`
          : "";
  }

  function classRow(k, [low, high]) {
    const { scores, probabilities, order } = verdict;
    const row = document.createElement("label");
    row.className = k === order[0] ? "model-class model-first" : "model-class";
    tell(row, k);
    const radio = document.createElement("input");
    Object.assign(radio, { type: "radio", name: "model-class", value: k, checked: k === (chosen ?? order[0]) });
    const figures = [];
    if (probabilities !== null) figures.push(["probability", probabilities[k]]);
    figures.push(["score", scores[k]]);
    const words = figures.map(([what, value]) => `${what} ${decimals(value)}`).join(", ");
    radio.setAttribute("aria-label", `${model.classes[k]}: ${words}`);
    const name = span("model-name", model.classes[k]);
    name.title = model.classes[k];
    const bar = span("model-bar");
    const filled = span("");
    const [from, share] =
      probabilities !== null
        ? [0, probabilities[k]]
        : [(Math.min(0, scores[k]) - low) / (high - low), Math.abs(scores[k]) / (high - low)];
    filled.style.left = `${100 * from}%`;
    filled.style.width = `${100 * share}%`;
    bar.append(filled);
    row.append(radio, name, bar, ...figures.map(([, value]) => span("model-number", decimals(value))));
    return row;
  }

  function span(className, text = "") {
    const element = document.createElement("span");
    element.className = className;
    element.textContent = text;
    return element;
  }

  function showReasons() {
    const k = chosen ?? verdict.order[0];
    const places = contributions(model, verdict.row, k);
    paint.template(at("template"), model, k);
    const limit = paint.signed(at("map"), places, height, width);
    at("why").textContent = model.classes[k];
    at("template").setAttribute("aria-label", `Template of ${model.classes[k]}`);
    at("map").setAttribute("aria-label", `What each part of the picture adds to the score of ${model.classes[k]}`);
    at("low").textContent = `−${decimals(limit)}`;
    at("high").textContent = `+${decimals(limit)}`;
    const sums = { sum: places.reduce((a, b) => a + b, 0), bias: model.b[k], total: verdict.scores[k] };
    for (const [name, value] of Object.entries(sums)) {
      at(name).textContent = decimals(value);
      at(name).dataset.value = value;
    }
  }

  function setUpControls() {
    at("invert").addEventListener("change", update);
    at("clear").addEventListener("click", forget);
    at("order").addEventListener("change", () => listClasses());
    at("search").addEventListener("input", () => listClasses());
    at("classes").addEventListener("change", (event) => {
      chosen = Number(event.target.value);
      showReasons();
    });
    document.addEventListener("themechange", update);
  }

  const ratio = height === width ? "a square" : `${width} : ${height}`;
  at("steps").textContent =
    `Any picture is cut to ${ratio} about its middle, ${channels === 1 ? "made grey, " : ""}` +
    `resized to ${width} × ${height} pixels and centred; one of that size is taken as it is.`;
  at("ink").hidden = channels !== 1;
  at("search-label").hidden = model.classes.length <= SHOWN;
  at("works").classList.toggle("model-scores-only", !model.probabilistic);
  setUpControls();
  const clearPaper = setUpInputs(model, { take, draw, lookAtSample, drawSample });
  at("works").hidden = false;
})();

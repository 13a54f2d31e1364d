"use strict";
// The toy's plane: regions, lines and points, drawn for one classifier; dragging and keys, told to whom it belongs.
// The toy finds this at its section, as `plane(handlers)`, which gives the function that draws.
(() => {
  const REACH = 3; // the plane shows -REACH ... REACH both ways, and no point leaves it
  const BEYOND = [-4, 4]; // regions are cut off out of sight, so that no such edge is seen
  const STEP = 0.1;
  const FAR = 0.5;
  const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };
  const SHAPES = ["circle", "square", "triangle"];

  const section = document.getElementById("toy");
  const { CLASSES } = section.solver;
  const svg = section.querySelector(".toy-plane > svg");
  const canvas = section.querySelector(".toy-plane > canvas");
  const layer = (name) => svg.querySelector(`[data-layer="${name}"]`);

  const within = (value) => Math.round(Math.min(REACH, Math.max(-REACH, value)) * 1000) / 1000;
  const signed = (value, digits) => value.toFixed(digits).replace("-", "−");

  function element(name, attributes, parent) {
    const made = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    parent.append(made);
    return made;
  }

  // What is left of a convex polygon where a x + b y + c >= 0.
  function cut(polygon, [a, b, c]) {
    const height = ([x, y]) => a * x + b * y + c;
    return polygon.flatMap((corner, i) => {
      const next = polygon[(i + 1) % polygon.length];
      const [here, there] = [height(corner), height(next)];
      const kept = here >= 0 ? [corner] : [];
      if (here >= 0 === there >= 0) return kept;
      const share = here / (here - there);
      return [...kept, [0, 1].map((d) => corner[d] + share * (next[d] - corner[d]))];
    });
  }

  // Where class k leads every other class by `lead` or more.
  function region(theta, k, lead) {
    const [low, high] = BEYOND;
    const all = [[low, low], [high, low], [high, high], [low, high]];
    const ahead = (j) => [0, 1, 2].map((i) => theta[3 * k + i] - theta[3 * j + i] - (i === 2 ? lead : 0));
    return CLASSES.filter((j) => j !== k).reduce((left, j) => cut(left, ahead(j)), all);
  }

  function colour(name) {
    const [, red, green, blue] = /^#(..)(..)(..)$/.exec(getComputedStyle(section).getPropertyValue(name).trim());
    return [red, green, blue].map((digits) => parseInt(digits, 16));
  }

  // Softmax's probabilities as colour: paper where all are alike, the full tint of a class where it is certain.
  function shade(theta) {
    const { width, height } = canvas;
    const context = canvas.getContext("2d");
    const image = context.createImageData(width, height);
    const paper = colour("--paper");
    const strength = parseFloat(getComputedStyle(section).getPropertyValue("--toy-tint"));
    const tints = CLASSES.map((k) => colour(`--toy-${k}`).map((value, i) => strength * (value - paper[i])));
    for (let row = 0, at = 0; row < height; row += 1) {
      const y = REACH * (1 - (2 * (row + 0.5)) / height);
      for (let column = 0; column < width; column += 1, at += 4) {
        const x = REACH * ((2 * (column + 0.5)) / width - 1);
        const s0 = theta[0] * x + theta[1] * y + theta[2];
        const s1 = theta[3] * x + theta[4] * y + theta[5];
        const s2 = theta[6] * x + theta[7] * y + theta[8];
        const highest = Math.max(s0, s1, s2);
        const [e0, e1, e2] = [Math.exp(s0 - highest), Math.exp(s1 - highest), Math.exp(s2 - highest)];
        const total = (e0 + e1 + e2) ** 2; // squares of probabilities: pale where the classifier is in doubt
        for (let i = 0; i < 3; i += 1) {
          image.data[at + i] = paper[i] + (e0 * e0 * tints[0][i] + e1 * e1 * tints[1][i] + e2 * e2 * tints[2][i]) / total;
        }
        image.data[at + 3] = 255;
      }
    }
    context.putImageData(image, 0, 0);
  }

  section.plane = (handlers) => {
    let size = 0;
    let shown = null;
    const place = ([x, y]) => [((x + REACH) / (2 * REACH)) * size, ((REACH - y) / (2 * REACH)) * size];
    const path = (corners) => corners.map((corner) => place(corner).map((value) => value.toFixed(2)).join(",")).join(" ");

    function drawGrid() {
      const grid = layer("grid");
      grid.replaceChildren();
      for (let at = 1 - REACH; at < REACH; at += 1) {
        const [middle] = place([at, 0]);
        const kind = at === 0 ? "toy-axis" : "toy-tick";
        element("line", { class: kind, x1: middle, x2: middle, y1: 0, y2: size }, grid);
        element("line", { class: kind, x1: 0, x2: size, y1: middle, y2: middle }, grid);
      }
    }

    function drawRegions({ theta, loss }) {
      const regions = layer("regions");
      regions.replaceChildren();
      // All weights zero: every class ties with every other everywhere, and there is no line to draw.
      if (theta.every((value) => value === 0)) return;
      const add = (k, lead, kind) => {
        const corners = region(theta, k, lead);
        if (corners.length > 2) element("polygon", { class: `${kind} toy-class-${k}`, points: path(corners) }, regions);
      };
      for (const k of CLASSES) add(k, 0, "toy-region");
      if (loss === "hinge") for (const k of CLASSES) add(k, 1, "toy-margin");
    }

    function drawPoints({ points, each, selected, loss, theta }) {
      const group = layer("points");
      const old = new Map([...group.children].map((child) => [Number(child.dataset.id), child]));
      const silent = theta.every((value) => value === 0);
      points.forEach((point, i) => {
        const node = old.get(point.id) ?? newPoint(point, group);
        old.delete(point.id);
        const [x, y] = place([point.x, point.y]);
        const { lead, softmax, hinge } = each[i];
        node.setAttribute("transform", `translate(${x.toFixed(2)} ${y.toFixed(2)})`);
        node.classList.toggle("toy-selected", point.id === selected);
        node.classList.toggle("toy-wrong", !silent && lead <= 0);
        node.classList.toggle("toy-free", loss === "hinge" && hinge < 1e-6);
        const found = silent ? "all scores tie" : lead > 0 ? "right" : "wrong";
        const cost = (loss === "hinge" ? hinge : softmax).toFixed(3);
        const name = `${SHAPES[point.label]} at ${signed(point.x, 2)}, ${signed(point.y, 2)}: ${found}, loss ${cost}`;
        if (node.getAttribute("aria-label") !== name) node.setAttribute("aria-label", name);
      });
      for (const gone of old.values()) gone.remove();
    }

    function newPoint({ id, label }, group) {
      const marks = { class: `toy-point toy-class-${label}`, "data-id": id, tabindex: 0, role: "button" };
      const node = element("g", { ...marks, "aria-roledescription": "movable point" }, group);
      element("circle", { class: "toy-touch", r: 16 }, node);
      element("circle", { class: "toy-ring", r: 14 }, node);
      element("use", { class: "toy-halo", href: `#toy-shape-${label}` }, node);
      element("use", { class: "toy-shape", href: `#toy-shape-${label}` }, node);
      element("path", { class: "toy-cross", d: "M-3 -3L3 3M3 -3L-3 3" }, node);
      return node;
    }

    function draw(state) {
      shown = state;
      if (size === 0) return;
      canvas.hidden = state.loss !== "softmax";
      if (!canvas.hidden) shade(state.theta);
      drawRegions(state);
      drawPoints(state);
    }

    new ResizeObserver(() => {
      if (svg.clientWidth === size) return;
      size = svg.clientWidth;
      svg.setAttribute("viewBox", `0 0 ${size || 1} ${size || 1}`);
      drawGrid();
      if (shown) draw(shown);
    }).observe(svg);
    document.addEventListener("themechange", () => shown && draw(shown));

    const idOf = (target) => {
      const node = target.closest(".toy-point");
      return node && Number(node.dataset.id);
    };
    const under = (event) => {
      const box = svg.getBoundingClientRect();
      return [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height]
        .map((share, i) => REACH * (2 * share - 1) * (i === 0 ? 1 : -1));
    };
    let drag = null;
    svg.addEventListener("pointerdown", (event) => {
      const id = idOf(event.target);
      if (id === null || event.button !== 0 || drag) return;
      const point = shown.points.find((one) => one.id === id);
      const [x, y] = under(event);
      drag = { id, pointer: event.pointerId, from: [point.x - x, point.y - y] };
      svg.setPointerCapture(event.pointerId);
      event.target.closest(".toy-point").focus({ preventScroll: true });
      handlers.select(id);
    });
    svg.addEventListener("pointermove", (event) => {
      if (drag?.pointer !== event.pointerId) return;
      const [x, y] = under(event);
      handlers.move(drag.id, within(x + drag.from[0]), within(y + drag.from[1]));
    });
    for (const end of ["pointerup", "pointercancel", "lostpointercapture"]) {
      svg.addEventListener(end, (event) => {
        if (drag?.pointer === event.pointerId) drag = null;
      });
    }
    // Where the browser does not know `touch-action` inside a picture, the page would scroll away under the finger.
    svg.addEventListener("touchmove", (event) => drag && event.preventDefault(), { passive: false });

    svg.addEventListener("focusin", (event) => handlers.select(idOf(event.target)));
    svg.addEventListener("keydown", (event) => {
      const id = idOf(event.target);
      if (id === null || event.ctrlKey || event.altKey || event.metaKey) return;
      if (event.key === "Delete" || event.key === "Backspace") handlers.remove(id);
      else if (ARROWS[event.key]) {
        const point = shown.points.find((one) => one.id === id);
        const [x, y] = ARROWS[event.key].map((way) => way * (event.shiftKey ? FAR : STEP));
        handlers.move(id, within(point.x + x), within(point.y + y));
      } else return;
      event.preventDefault();
    });

    const focus = (id) => layer("points").querySelector(`[data-id="${id}"]`)?.focus({ preventScroll: true });
    return { draw, focus, REACH, SHAPES, within, signed };
  };
})();

"use strict";
// The toy of the section "What the losses do": its state, its controls, its numbers and the worksheet's two questions.
(() => {
  const section = document.getElementById("toy");
  const { CLASSES, scoresAt, leadOf, measure, train, untrained } = section.solver;
  const START = [
    [[-1.9, -0.9], [-1.2, -1.7], [-0.9, -0.6], [-2.2, 0.3], [-1.4, -0.1], [0.2, -0.8]],
    [[1.5, -1.2], [2.1, -0.3], [0.9, -1.8], [1.3, -0.2], [2.2, -1.6], [0.4, 0.4]],
    [[0.1, 1.9], [-0.8, 1.4], [0.9, 1.5], [-0.2, 0.9], [1.4, 2.2], [-1.3, 0.6]],
  ];
  const MOST_POINTS = 40;
  const FIRST_REG = 0.01;
  const QUIET = 700; // ms without a change before the screen reader is told

  const still = matchMedia("(prefers-reduced-motion: reduce)");
  const find = (selector) => section.querySelector(selector);
  const findAll = (selector) => [...section.querySelectorAll(selector)];
  const write = (name, text) => (find(`[data-text="${name}"]`).textContent = text);
  const slider = { reg: find("#toy-reg"), scale: find("#toy-scale") };

  // trained: what the solver found last; the weights in use are `scale` times these. While `held`, nothing is trained.
  // witness: the point that the second question added, as long as its weights are held.
  const state = {};
  let nextId = 0;
  let frame = 0;

  const weights = () => state.trained.theta.map((value) => state.scale * value);
  const pointOf = (id) => state.points.find((point) => point.id === id);
  const plural = (label, count) => `${plane.SHAPES[label]}${count === 1 ? "" : "s"}`;

  function number(value) {
    if (value === 0) return "0";
    return value >= 0.001 ? value.toFixed(4) : value.toExponential(1);
  }
  // The hinge of a point on its margin is 0 but for what the solver leaves.
  const hingeNumber = (value) => number(value < 1e-6 ? 0 : value);
  const numberOf = { softmax: number, hinge: hingeNumber };

  const plane = section.plane({
    select(id) {
      if (id === null || state.selected === id) return;
      state.selected = id;
      refresh();
    },
    move(id, x, y) {
      Object.assign(pointOf(id), { x, y });
      refresh();
    },
    remove,
  });

  function addPoint(label, x, y) {
    const point = { id: (nextId += 1), label, x: plane.within(x), y: plane.within(y) };
    state.points.push(point);
    state.selected = point.id;
    return point;
  }

  // A free place near the middle of the class, on a spiral that leads outwards.
  function add(label) {
    if (state.points.length >= MOST_POINTS) return;
    const own = state.points.filter((point) => point.label === label);
    const middle = (axis) => own.reduce((total, point) => total + point[axis], 0) / own.length;
    const room = ([x, y]) => Math.min(...state.points.map((point) => Math.hypot(point.x - x, point.y - y)));
    let place = [middle("x"), middle("y")];
    for (let turn = 1; room(place) < 0.4 && turn < 200; turn += 1) {
      const [radius, angle] = [0.2 * Math.sqrt(turn), 2.4 * turn];
      place = [middle("x") + radius * Math.cos(angle), middle("y") + radius * Math.sin(angle)].map(plane.within);
    }
    addPoint(label, ...place);
    refresh();
  }

  function remove(id) {
    const gone = pointOf(id);
    const same = state.points.filter((point) => point.label === gone.label);
    if (same.length === 1) {
      say(`The last ${plane.SHAPES[gone.label]} stays: without it, the classifier has only two classes to tell apart.`);
      return;
    }
    const heir = same[(same.indexOf(gone) + 1) % same.length];
    const focused = document.activeElement?.closest?.(".toy-point") !== null;
    state.points = state.points.filter((point) => point !== gone);
    state.selected = heir.id;
    if (focused) plane.focus(heir.id);
    refresh();
  }

  function reset() {
    Object.assign(state, { points: [], loss: "softmax", reg: FIRST_REG, scale: 1, held: false, witness: null, growing: null });
    START.forEach((places, label) => places.forEach(([x, y]) => addPoint(label, x, y)));
    state.selected = state.points[5].id;
    slider.reg.value = Math.log10(FIRST_REG);
    find('[name="toy-loss"][value="softmax"]').checked = true;
    refresh();
  }

  const doing = {
    reset,
    remove: () => remove(state.selected),
    zero: () => hold(0),
    // From weights at zero, they grow to the trained ones for half a second, unless the reader wants no motion.
    train() {
      const grow = state.held && state.scale === 0 && !still.matches;
      Object.assign(state, { held: false, witness: null, growing: grow ? performance.now() : null });
      refresh();
    },
    witness: addWitness,
  };

  function hold(scale) {
    if (!state.held) retrain(); // what a pending frame would have done
    Object.assign(state, { held: true, scale, growing: null });
    if (scale === 0) state.witness = null;
    refresh();
  }

  function retrain() {
    state.trained = train(state.points, state.loss, state.reg);
    state.scale = 1;
  }

  // The second question: the place whose highest score leads the others by most, and a point of that class there. Where
  // no place leads by 1, the weights are scaled up: the same regions, and a lead of 2.
  function addWitness() {
    if (state.points.length >= MOST_POINTS) return;
    if (!state.held || state.scale === 0) retrain();
    state.held = true;
    const theta = weights();
    let best = { lead: -Infinity };
    for (let x = -2.6; x < 2.7; x += 0.2) {
      for (let y = -2.6; y < 2.7; y += 0.2) {
        if (state.points.some((point) => Math.hypot(point.x - x, point.y - y) < 0.5)) continue;
        const scores = scoresAt(theta, { x, y });
        const label = scores.indexOf(Math.max(...scores));
        const lead = leadOf(scores, label);
        if (lead > best.lead) best = { x, y, label, lead };
      }
    }
    const scale = state.scale * (best.lead < 1 ? 2 / best.lead : 1);
    state.witness = { id: addPoint(best.label, best.x, best.y).id, before: state.scale, scaled: scale !== state.scale };
    hold(scale);
  }

  function refresh() {
    if (frame === 0) frame = requestAnimationFrame(update);
  }

  function update(now) {
    frame = 0;
    if (!state.held) retrain();
    if (state.growing) {
      const share = Math.min(1, (now - state.growing) / 500);
      state.scale = 1 - (1 - Math.max(0, share)) ** 3;
      if (share < 1) refresh();
      else state.growing = null;
    }
    if (!pointOf(state.witness?.id)) state.witness = null;
    const theta = weights();
    const found = measure(theta, state.points, state.loss, state.reg);
    plane.draw({ ...state, theta, each: found.each });
    showNumbers(theta, found);
    showSelected(found);
    showQuestions(found);
    tell(found);
  }

  function mode() {
    if (!state.held) return state.growing ? "growing" : "trained";
    return state.scale === 0 ? "zero" : "held";
  }

  function showNumbers(theta, found) {
    const { trained, points, loss, reg, scale } = state;
    // The gap is proven but for rounding, which no bound below 1e-14 would survive.
    const gap = Math.max(trained.gap, 1e-14).toExponential(0);
    const kind = loss === "softmax" ? "Newton" : "interior-point";
    const words = {
      trained: `Trained in ${trained.steps} ${kind} steps, proven to lie within ${gap} of the lowest objective.`,
      growing: "Training …",
      zero: "Untrained: all weights are 0, all scores are 0, and no class leads anywhere.",
      held: `The weights are held, at ${scale.toFixed(2)} times the trained ones, whatever you change.`,
    };
    write("state", words[mode()]);
    for (const name of ["objective", "meanLoss", "penalty"]) write(name, number(found[name]));
    const share = mode() === "zero" ? "all scores tie" : `${Math.round((100 * found.right) / points.length)} %`;
    write("accuracy", `${found.right} of ${points.length} (${share})`);
    write("reg", String(reg));
    write("scale", `× ${scale.toFixed(2)}`);
    slider.scale.max = Math.max(4, Math.ceil(scale));
    slider.scale.value = scale;
    slider.reg.setAttribute("aria-valuetext", String(reg));
    slider.scale.setAttribute("aria-valuetext", `${scale.toFixed(2)} times`);
    for (const button of findAll('[data-do="train"]')) button.setAttribute("aria-disabled", String(!state.held));
    const full = points.length >= MOST_POINTS;
    for (const button of findAll('[data-add], [data-do="witness"]')) button.setAttribute("aria-disabled", String(full));
    for (const part of findAll("[data-only]")) part.hidden = part.dataset.only !== loss;
    Object.assign(section.dataset, {
      state: mode(),
      loss,
      reg,
      scale,
      gap: trained.gap,
      objective: found.objective,
      meanLoss: found.meanLoss,
      penalty: found.penalty,
      accuracy: found.right / points.length,
      weights: JSON.stringify([...theta]),
      points: JSON.stringify(points.map(({ id, label, x, y }) => ({ id, label, x, y }))),
    });
  }

  function showSelected({ each }) {
    const { points, loss, selected } = state;
    const point = pointOf(selected);
    const one = each[points.indexOf(point)];
    write("selected", `${plane.SHAPES[point.label]} at ${plane.signed(point.x, 2)}, ${plane.signed(point.y, 2)}`);
    for (const row of findAll("[data-row]")) {
      const k = Number(row.dataset.row);
      const cell = (name) => row.querySelector(`[data-cell="${name}"]`);
      row.classList.toggle("toy-own", k === point.label);
      cell("score").textContent = plane.signed(one.scores[k], 3);
      cell("probability").textContent = one.probabilities[k].toFixed(3);
      cell("bar").style.setProperty("--toy-share", one.probabilities[k]);
      cell("term").textContent = k === point.label ? "its own" : hingeNumber(one.terms[k]);
    }
    write("pointSoftmax", number(one.softmax));
    write("pointHinge", hingeNumber(one.hinge));
    for (const part of findAll("[data-loss]")) part.classList.toggle("toy-in-use", part.dataset.loss === loss);
    Object.assign(section.dataset, { selected, pointSoftmax: one.softmax, pointHinge: one.hinge });
  }

  function showQuestions({ each, sums }) {
    const { points, reg, witness, scale } = state;
    const zero = measure(untrained, points, "softmax", reg).sums;
    for (const [name, loss] of [["Softmax", "softmax"], ["Hinge", "hinge"]]) {
      write(`zero${name}`, number(zero[loss] / points.length));
      write(`now${name}`, hingeNumber(sums[loss] / points.length));
    }
    const added = witness && each[points.indexOf(pointOf(witness.id))];
    const answer = {};
    for (const [name, loss] of [["Softmax", "softmax"], ["Hinge", "hinge"]]) {
      const cost = added ? added[loss] : 0;
      answer[loss] = { before: sums[loss] - cost, added: cost, after: sums[loss] };
      write(`before${name}`, numberOf[loss](answer[loss].before));
      write(`added${name}`, added ? numberOf[loss](cost) : "–");
      write(`after${name}`, added ? numberOf[loss](sums[loss]) : "–");
    }
    section.dataset.answer = JSON.stringify(added && answer);
    write("answer", added ? inWords(pointOf(witness.id), added, witness.scaled ? scale / witness.before : 1) : "");
  }

  function inWords(point, { lead, softmax, hinge }, factor) {
    const shape = plane.SHAPES[point.label];
    const scaled = factor === 1 ? "" : `With weights this small no place led by 1, so they are scaled by ${factor.toFixed(1)}. `;
    const p = Math.exp(-softmax);
    const sure = p < 0.9999 ? p.toFixed(4) : `1 − ${number(-Math.expm1(-softmax))}`;
    const softmaxPart = `Softmax gives it the probability ${sure} and adds −log of that, ${number(softmax)}: never 0, because no finite score makes a probability 1.`;
    if (hinge > 0) {
      return `${scaled}Here the new ${shape} ${lead > 0 ? `leads by only ${lead.toFixed(2)}` : "does not lead at all"}, so the hinge sum rises too. ${softmaxPart}`;
    }
    return `${scaled}True. The new ${shape} leads both other classes by at least ${lead.toFixed(2)}, more than the margin of 1, so it adds exactly 0 to the hinge sum. ${softmaxPart} Drag it, or scale the weights up, and watch.`;
  }

  let telling = 0;
  function say(text) {
    clearTimeout(telling);
    find(".unseen").textContent = text;
  }
  function tell(found) {
    clearTimeout(telling);
    const right = `${found.right} of ${state.points.length} points right`;
    const held = { zero: "All weights zero. ", held: "Weights held. " }[mode()] ?? "";
    const answer = state.witness ? ` ${find('[data-text="answer"]').textContent}` : "";
    telling = setTimeout(() => say(`${held}Objective ${number(found.objective)}, ${right}.${answer}`), QUIET);
  }

  slider.reg.addEventListener("input", () => {
    state.reg = Number((10 ** slider.reg.value).toPrecision(2));
    refresh();
  });
  slider.scale.addEventListener("input", () => hold(Number(slider.scale.value)));
  section.addEventListener("change", ({ target }) => {
    if (target.name !== "toy-loss") return;
    state.loss = target.value;
    refresh();
  });
  section.addEventListener("click", ({ target }) => {
    const button = target.closest("button");
    if (!button || button.getAttribute("aria-disabled") === "true") return;
    if (button.dataset.add) add(Number(button.dataset.add));
    else doing[button.dataset.do]?.();
  });

  const own = Number(section.dataset.classes);
  if (own > 1) write("ownClasses", `With the ${own} classes of this run: log ${own} = ${Math.log(own).toFixed(4)}, and ${own - 1}.`);
  reset();
})();

"use strict";
// Where pictures come from: a file that is chosen, dropped or pasted, a drawing, a sample. model.js calls setUpInputs, which
// it finds at the section, with the model and what is to be done with each; it gets back what wipes the paper.
(() => {
  const LARGEST_PAPER = 64; // pixels of the longer side of a picture that can be drawn by hand
  const PAPER = 280; // pixels of the longer side of the paper, about

  const section = document.getElementById("model");
  const at = (name) => document.getElementById(`model-${name}`);

  function setUpInputs(model, { take, draw, lookAtSample, drawSample }) {
    setUpFiles(take);
    setUpSamples(model, lookAtSample, drawSample);
    return setUpPaper(model, draw);
  }

  function setUpFiles(take) {
    at("pick").addEventListener("click", () => at("file").click());
    at("file").addEventListener("change", () => {
      const [file] = at("file").files;
      if (file) take(file, file.name);
      at("file").value = ""; // so that the same file can be chosen again
    });
    document.addEventListener("paste", (event) => {
      const [file] = event.clipboardData.files;
      if (!file) return;
      event.preventDefault();
      take(file, "The pasted file");
    });
    const holdsFiles = (event) => event.dataTransfer.types.includes("Files");
    document.addEventListener("dragover", (event) => {
      if (!holdsFiles(event)) return;
      event.preventDefault();
      section.classList.add("model-over");
    });
    document.addEventListener("dragleave", (event) => {
      if (event.relatedTarget === null) section.classList.remove("model-over");
    });
    document.addEventListener("drop", (event) => {
      if (!holdsFiles(event)) return;
      event.preventDefault();
      section.classList.remove("model-over");
      const [file] = event.dataTransfer.files;
      if (file) take(file, file.name);
    });
  }

  function setUpSamples(model, lookAtSample, drawSample) {
    const { pixels, labels, predicted } = model.samples;
    const size = model.mean.length;
    labels.forEach((label, i) => {
      const values = Float64Array.from(pixels.subarray(i * size, (i + 1) * size));
      const button = document.createElement("button");
      const canvas = document.createElement("canvas");
      const words = `${model.classes[label]}, predicted as ${model.classes[predicted[i]]}`;
      button.type = "button";
      button.title = words;
      button.setAttribute("aria-label", words);
      drawSample(canvas, values);
      button.append(canvas);
      button.addEventListener("click", () => lookAtSample(values, `From test: ${words}`));
      at("sample-buttons").append(button);
    });
    at("samples").hidden = labels.length === 0;
  }

  function setUpPaper(model, draw) {
    const [height, width, channels] = model.shape;
    if (channels !== 1 || Math.max(height, width) > LARGEST_PAPER) return () => {};
    const paper = at("paper");
    const context = paper.getContext("2d", { willReadFrequently: true, alpha: false });
    const cell = Math.round(PAPER / Math.max(height, width));
    // As most of what the model was trained on: ink of the rarer kind.
    const isDark = model.mean.reduce((a, b) => a + b, 0) < (model.mean.length * model.white) / 2;
    const [ground, ink] = isDark ? ["black", "white"] : ["white", "black"];
    const clear = () => {
      context.fillStyle = ground;
      context.fillRect(0, 0, paper.width, paper.height);
    };
    [paper.width, paper.height] = [width * cell, height * cell];
    clear();
    at("drawing").hidden = false;
    let last = null;
    let waiting = false;
    const place = (event) => {
      const box = paper.getBoundingClientRect();
      return [
        ((event.clientX - box.left) / box.width) * paper.width,
        ((event.clientY - box.top) / box.height) * paper.height,
      ];
    };
    const pen = 1.1 * cell;
    const stroke = (event) => {
      const next = place(event);
      Object.assign(context, { strokeStyle: ink, fillStyle: ink, lineWidth: pen });
      context.beginPath();
      context.moveTo(...last);
      context.lineTo(...next);
      context.stroke();
      context.beginPath();
      context.arc(...next, pen / 2, 0, 2 * Math.PI); // a round end, and all there is of a tap
      context.fill();
      last = next;
    };
    const show = () => {
      if (waiting) return;
      waiting = true;
      requestAnimationFrame(() => {
        waiting = false;
        const { data } = context.getImageData(0, 0, paper.width, paper.height);
        draw({ width: paper.width, height: paper.height, rgba: new Uint8Array(data.buffer) });
      });
    };
    paper.addEventListener("pointerdown", (event) => {
      if (event.button !== 0) return;
      paper.setPointerCapture(event.pointerId);
      last = place(event);
      stroke(event);
      show();
    });
    paper.addEventListener("pointermove", (event) => {
      if (last === null) return;
      for (const one of event.getCoalescedEvents?.() ?? [event]) stroke(one);
      show();
    });
    for (const end of ["pointerup", "pointercancel"]) paper.addEventListener(end, () => (last = null));
    return clear;
  }

  section.setUpInputs = setUpInputs;
})();

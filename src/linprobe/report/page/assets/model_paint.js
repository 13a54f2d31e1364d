"use strict";
// What the model's part of the page draws, each onto a canvas; model.js finds these functions at the section, as `paint`.
(() => {
  const PREVIEW = 448; // pixels of the longer side of a picture as it was given

  // A colour of the page's stylesheet, in whatever notation it stands there -> [red, green, blue].
  function colour(name) {
    const context = canvasOf(1, 1).getContext("2d", { willReadFrequently: true });
    context.fillStyle = getComputedStyle(document.documentElement).getPropertyValue(name).trim();
    context.fillRect(0, 0, 1, 1);
    return [...context.getImageData(0, 0, 1, 1).data.subarray(0, 3)];
  }

  function canvasOf(width, height, canvas = document.createElement("canvas")) {
    canvas.width = width;
    canvas.height = height;
    return canvas;
  }

  // at(place) -> [red, green, blue], for each of height x width places.
  function dots(canvas, height, width, at) {
    const image = new ImageData(width, height);
    for (let place = 0; place < height * width; place += 1) image.data.set([...at(place), 255], 4 * place);
    canvasOf(width, height, canvas).getContext("2d").putImageData(image, 0, 0);
  }

  // bytes: height x width x channels.
  function pixels(canvas, bytes, [height, width, channels]) {
    dots(canvas, height, width, (place) => [0, 1, 2].map((c) => bytes[place * channels + (channels === 3 ? c : 0)]));
  }

  // values (height x width) from red, the lowest possible, over the paper's colour at 0 to blue; returns that limit.
  function signed(canvas, values, height, width) {
    const limit = values.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
    const [paper, above, below] = ["--paper", "--accent", "--bad"].map(colour);
    dots(canvas, height, width, (place) => {
      const share = limit > 0 ? Math.abs(values[place]) / limit : 0;
      const end = values[place] > 0 ? above : below;
      return paper.map((value, c) => value + share * (end[c] - value));
    });
    return limit;
  }

  // values (height x width x channels) -> their mean over the channels.
  function overChannels(values, channels) {
    const sums = new Float64Array(values.length / channels);
    values.forEach((value, d) => (sums[Math.floor(d / channels)] += value / channels));
    return sums;
  }

  // A picture as it was given, no larger than needed, with what the box leaves out fading into the page.
  function preview(canvas, { width, height, rgba }, box) {
    const whole = canvasOf(width, height);
    whole.getContext("2d").putImageData(new ImageData(new Uint8ClampedArray(rgba.buffer), width, height), 0, 0);
    const scale = Math.min(1, PREVIEW / Math.max(width, height));
    const [across, down] = [width, height].map((side) => Math.max(1, Math.round(side * scale)));
    const context = canvasOf(across, down, canvas).getContext("2d");
    context.imageSmoothingQuality = "high";
    context.fillStyle = "white";
    context.fillRect(0, 0, across, down);
    context.drawImage(whole, 0, 0, across, down);
    context.fillStyle = `rgb(${colour("--paper").join(" ")} / 70%)`;
    const [left, top] = [box.left * scale, box.top * scale];
    const [right, bottom] = [(box.left + box.width) * scale, (box.top + box.height) * scale];
    context.fillRect(0, 0, left, down);
    context.fillRect(right, 0, across - right, down);
    context.fillRect(left, 0, right - left, top);
    context.fillRect(left, bottom, right - left, down - bottom);
    canvas.classList.toggle("model-pixels", Math.max(width, height) <= 96);
  }

  // The weights of class k: with one channel against 0, in colour as templates.png has them, by one scale for all.
  function template(canvas, model, k) {
    const [height, width, channels] = model.shape;
    const K = model.classes.length;
    const weights = Float64Array.from({ length: height * width * channels }, (_, d) => model.W[d * K + k]);
    if (channels === 1) {
      signed(canvas, weights, height, width);
      return;
    }
    model.range ??= model.W.reduce(([low, high], weight) => [Math.min(low, weight), Math.max(high, weight)], [0, 0]);
    const [low, high] = model.range;
    const spread = high > low ? 255 / (high - low) : 0;
    pixels(canvas, weights.map((weight) => (spread ? (weight - low) * spread : 128)), model.shape);
  }

  document.getElementById("model").paint = { pixels, signed, overChannels, preview, template };
})();

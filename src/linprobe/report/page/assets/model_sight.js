"use strict";
// From decoded pixels to what the model sees and says. `see` takes the steps that `linprobe.data.sight` lists, to the last bit;
// `judge` is `Model`'s arithmetic in float64. model.js finds both at the section.
(() => {
  const WHITE = 255;
  const UNITS = 2 ** 22; // of the weights of a resize

  // {width, height, rgba} -> levels, what the model sees as bytes (height x width x channels), and the box that was cut.
  function see(picture, [height, width, channels]) {
    const box = middle(picture.width, picture.height, width, height);
    const across = resampling(box.width, width);
    const down = resampling(box.height, height);
    let pixels = cut(picture, box, channels);
    if (across !== null) pixels = resizeRows(pixels, box.width, box.height, channels, across);
    if (down !== null) pixels = resizeColumns(pixels, width * channels, down);
    return { levels: pixels, box };
  }

  function middle(width, height, toWidth, toHeight) {
    const box = { left: 0, top: 0, width, height };
    if (width * toHeight > height * toWidth) {
      box.width = Math.max(1, Math.floor((2 * height * toWidth + toHeight) / (2 * toHeight)));
    } else {
      box.height = Math.max(1, Math.floor((2 * width * toHeight + toWidth) / (2 * toWidth)));
    }
    box.left = Math.floor((width - box.width) / 2);
    box.top = Math.floor((height - box.height) / 2);
    return box;
  }

  // The pixels of the box laid on white, in grey for a single channel.
  function cut({ width, rgba }, box, channels) {
    const pixels = new Uint8Array(box.width * box.height * channels);
    let to = 0;
    for (let y = box.top; y < box.top + box.height; y += 1) {
      for (let x = box.left; x < box.left + box.width; x += 1) {
        const at = 4 * (y * width + x);
        const alpha = rgba[at + 3];
        const red = onWhite(rgba[at], alpha);
        const green = onWhite(rgba[at + 1], alpha);
        const blue = onWhite(rgba[at + 2], alpha);
        if (channels === 1) {
          pixels[to] = (19595 * red + 38470 * green + 7471 * blue + 0x8000) >> 16;
        } else {
          pixels[to] = red;
          pixels[to + 1] = green;
          pixels[to + 2] = blue;
        }
        to += channels;
      }
    }
    return pixels;
  }

  function onWhite(value, alpha) {
    if (alpha === WHITE) return value;
    const sum = value * alpha + WHITE * (WHITE - alpha) + 128;
    return ((sum >> 8) + sum) >> 8; // sum / 255
  }

  // For each of `to` new pixels the first of `from` old ones that it is made of, and their weights; null where they agree.
  function resampling(from, to) {
    if (from === to) return null;
    const scale = from / to;
    const support = Math.max(scale, 1);
    return Array.from({ length: to }, (_, place) => {
      const centre = (place + 0.5) * scale;
      const first = Math.max(0, Math.trunc(centre - support + 0.5));
      const count = Math.min(from, Math.trunc(centre + support + 0.5)) - first;
      const weights = new Float64Array(count);
      let total = 0;
      for (let i = 0; i < count; i += 1) {
        weights[i] = Math.max(0, 1 - Math.abs((i + first - centre + 0.5) * (1 / support)));
        total += weights[i];
      }
      return { first, weights: weights.map((weight) => Math.trunc(0.5 + (weight / total) * UNITS)) };
    });
  }

  const rounded = (sum) => Math.min(WHITE, Math.floor((sum + UNITS / 2) / UNITS));

  function resizeRows(pixels, width, height, channels, places) {
    const out = new Uint8Array(places.length * height * channels);
    let to = 0;
    for (let y = 0; y < height; y += 1) {
      for (const { first, weights } of places) {
        const start = (y * width + first) * channels;
        for (let c = 0; c < channels; c += 1) {
          let sum = 0;
          for (let i = 0; i < weights.length; i += 1) sum += weights[i] * pixels[start + i * channels + c];
          out[to] = rounded(sum);
          to += 1;
        }
      }
    }
    return out;
  }

  // rowSize: the values of a row, its pixels' channels side by side.
  function resizeColumns(pixels, rowSize, places) {
    const out = new Uint8Array(places.length * rowSize);
    let to = 0;
    for (const { first, weights } of places) {
      for (let x = 0; x < rowSize; x += 1) {
        let sum = 0;
        for (let i = 0; i < weights.length; i += 1) sum += weights[i] * pixels[(first + i) * rowSize + x];
        out[to] = rounded(sum);
        to += 1;
      }
    }
    return out;
  }

  // values, in the units of the training pictures -> the centred row, every class's score, and its probability.
  function judge(model, values) {
    const row = Float64Array.from(values, (value, d) => value - model.mean[d]);
    if (model.unitRows) {
      const length = Math.sqrt(row.reduce((total, value) => total + value * value, 0));
      if (length > 0) row.forEach((value, d) => (row[d] = value / length));
    }
    const K = model.classes.length;
    const scores = Float64Array.from(model.b);
    for (let d = 0; d < row.length; d += 1) {
      for (let k = 0; k < K; k += 1) scores[k] += row[d] * model.W[d * K + k];
    }
    return { row, scores, probabilities: model.probabilistic ? softmax(scores) : null };
  }

  function softmax(scores) {
    const highest = scores.reduce((a, b) => Math.max(a, b), -Infinity);
    const powers = scores.map((score) => Math.exp(score - highest));
    const total = powers.reduce((a, b) => a + b, 0);
    return powers.map((power) => power / total);
  }

  // What each place of the picture adds to the score of class k: template x centred picture, summed over the channels.
  function contributions(model, row, k) {
    const [height, width, channels] = model.shape;
    const sums = new Float64Array(height * width);
    row.forEach((value, d) => (sums[Math.floor(d / channels)] += value * model.W[d * model.classes.length + k]));
    return sums;
  }

  Object.assign(document.getElementById("model"), { see, judge, contributions });
})();

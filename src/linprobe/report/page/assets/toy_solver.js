"use strict";
// The toy's arithmetic: scores, both losses, and the weights with the lowest mean loss + reg * (sum of squared weights).
// A classifier is a list of nine numbers: for each class its weight of x, its weight of y and its bias, which is free of
// the penalty. The other scripts of the toy find all this at its section, as `solver`.
(() => {
  const CLASSES = [0, 1, 2];
  const SIZE = 3 * CLASSES.length;
  const MOST_STEPS = 100;

  const zeros = (length) => new Float64Array(length);
  const sum = (values) => values.reduce((total, value) => total + value, 0);
  const isBias = (i) => i % 3 === 2;

  function dot(a, b) {
    let total = 0;
    for (let i = 0; i < a.length; i += 1) total += a[i] * b[i];
    return total;
  }

  function squares(theta) {
    let total = 0;
    for (let i = 0; i < SIZE; i += 1) if (!isBias(i)) total += theta[i] * theta[i];
    return total;
  }

  const scoresAt = (theta, { x, y }) => CLASSES.map((k) => theta[3 * k] * x + theta[3 * k + 1] * y + theta[3 * k + 2]);

  function probabilities(scores) {
    const highest = Math.max(...scores);
    const powers = scores.map((score) => Math.exp(score - highest));
    const total = sum(powers);
    return powers.map((power) => power / total);
  }

  // The label's own power stays out of the sum: near 1, it would round small others away, and the loss to 0.
  function softmaxLoss(scores, label) {
    const highest = Math.max(...scores);
    const own = scores[label] - highest;
    const others = sum(CLASSES.map((k) => (k === label ? 0 : Math.exp(scores[k] - highest))));
    return Math.log1p(others + Math.expm1(own)) - own;
  }

  const hingeTerms = (scores, label) =>
    CLASSES.map((k) => (k === label ? 0 : Math.max(0, scores[k] - scores[label] + 1)));

  const lossOf = (loss, scores, label) => (loss === "softmax" ? softmaxLoss(scores, label) : sum(hingeTerms(scores, label)));

  const objectiveOf = (theta, points, loss, reg) =>
    sum(points.map((point) => lossOf(loss, scoresAt(theta, point), point.label))) / points.length + reg * squares(theta);

  // How far a point's own score is ahead of the highest other one.
  const leadOf = (scores, label) => scores[label] - Math.max(...scores.filter((_, k) => k !== label));

  // Everything that the toy says about one classifier.
  function measure(theta, points, loss, reg) {
    const each = points.map((point) => {
      const scores = scoresAt(theta, point);
      const terms = hingeTerms(scores, point.label);
      return {
        scores,
        terms,
        probabilities: probabilities(scores),
        softmax: softmaxLoss(scores, point.label),
        hinge: sum(terms),
        lead: leadOf(scores, point.label),
      };
    });
    const sums = { softmax: sum(each.map((one) => one.softmax)), hinge: sum(each.map((one) => one.hinge)) };
    const penalty = reg * squares(theta);
    const meanLoss = sums[loss] / points.length;
    return { each, sums, meanLoss, penalty, objective: meanLoss + penalty, right: each.filter((one) => one.lead > 0).length };
  }

  // A x = v for a symmetric positive definite A, by Cholesky's factors; A is overwritten.
  function solve(A, v) {
    const x = Float64Array.from(v);
    for (let i = 0; i < SIZE; i += 1) {
      for (let j = 0; j <= i; j += 1) {
        let value = A[i * SIZE + j];
        for (let k = 0; k < j; k += 1) value -= A[i * SIZE + k] * A[j * SIZE + k];
        A[i * SIZE + j] = i === j ? Math.sqrt(value) : value / A[j * SIZE + j];
      }
    }
    for (let i = 0; i < SIZE; i += 1) {
      for (let k = 0; k < i; k += 1) x[i] -= A[i * SIZE + k] * x[k];
      x[i] /= A[i * SIZE + i];
    }
    for (let i = SIZE - 1; i >= 0; i -= 1) {
      for (let k = i + 1; k < SIZE; k += 1) x[i] -= A[k * SIZE + i] * x[k];
      x[i] /= A[i * SIZE + i];
    }
    return x;
  }

  // The penalty's curvature, and 1 between all biases: their common level changes no loss, so it may as well stay at 0.
  function emptyCurvature(reg) {
    const A = zeros(SIZE * SIZE);
    for (let i = 0; i < SIZE; i += 1) {
      if (!isBias(i)) A[i * SIZE + i] = 2 * reg;
      else for (const k of CLASSES) A[i * SIZE + 3 * k + 2] = 1;
    }
    return A;
  }

  const penaltySlope = (theta, reg) => theta.map((value, i) => (isBias(i) ? 0 : 2 * reg * value));

  // Newton's method from zero weights with a line search: the objective is smooth and convex, each step lowers it.
  function trainSoftmax(points, reg) {
    let theta = zeros(SIZE);
    let value = objectiveOf(theta, points, "softmax", reg);
    for (let steps = 0; ; steps += 1) {
      const { slope, curvature } = softmaxSystem(theta, points, reg);
      // Convex, and as curved as the penalty: nowhere lower by more than this, once the slope in the biases is 0.
      const gap = squares(slope) / (4 * reg);
      const move = solve(curvature, slope);
      const promised = dot(slope, move);
      if (steps === MOST_STEPS || promised <= 1e-16 * value) return { theta, gap, steps };
      let size = 2;
      let trial, reached;
      do {
        size /= 2;
        trial = theta.map((old, i) => old - size * move[i]);
        reached = objectiveOf(trial, points, "softmax", reg);
      } while (reached > value - 1e-4 * size * promised && size > 1e-6);
      if (!(reached < value)) return { theta, gap, steps }; // all further progress is less than rounding
      [theta, value] = [trial, reached];
    }
  }

  function softmaxSystem(theta, points, reg) {
    const slope = penaltySlope(theta, reg);
    const curvature = emptyCurvature(reg);
    for (const point of points) {
      const features = [point.x, point.y, 1];
      const p = probabilities(scoresAt(theta, point));
      const others = sum(p.filter((_, k) => k !== point.label));
      for (let i = 0; i < SIZE; i += 1) {
        const k = Math.floor(i / 3);
        const share = features[i % 3] / points.length;
        slope[i] += (k === point.label ? -others : p[k]) * share;
        for (let j = 0; j < SIZE; j += 1) {
          const l = Math.floor(j / 3);
          curvature[i * SIZE + j] += p[k] * ((k === l ? 1 : 0) - p[l]) * share * features[j % 3];
        }
      }
    }
    return { slope, curvature };
  }

  // The hinge has kinks, but its objective is a quadratic program: the lowest sum of `excess` / n and the penalty, where
  // excess >= 0 and `spare` = excess - (1 + row . theta) >= 0, one row for each point and wrong class. A primal-dual
  // interior-point method solves it: every step is Newton's, on nine unknowns again. Where several biases are equally
  // good, it ends in the middle of them, so that the lines move steadily while a point is dragged.
  function trainHinge(points, reg) {
    const rows = points.flatMap(hingeRows);
    const most = 1 / points.length; // the forces lie between 0 and this: how hard a term pulls
    const theta = zeros(SIZE);
    let best = { gap: Infinity };
    const [force, excess, spare] = [most / 2, 2, 1].map((value) => zeros(rows.length).fill(value));
    for (let steps = 0; ; steps += 1) {
      const pull = zeros(SIZE);
      rows.forEach((row, m) => row.forEach((value, i) => (pull[i] += force[m] * value)));
      // By duality the forces prove how low the objective can be at all, if they leave the biases at rest; what they do
      // not is counted in full, for biases as far off as none are in this plane.
      const value = objectiveOf(theta, points, "hinge", reg);
      const unrest = sum(CLASSES.map((k) => Math.abs(pull[3 * k + 2])));
      const gap = Math.max(0, value - sum(force) + squares(pull) / (4 * reg)) + 300 * unrest;
      if (gap < best.gap) best = { theta: theta.slice(), gap, steps };
      // Where the best biases are many, rounding may end the progress earlier, last of all in what is no number.
      if (steps === MOST_STEPS || !(gap > 1e-8 * value)) return best;

      const level = 0.1 * sum(rows.map((_, m) => force[m] * spare[m] + (most - force[m]) * excess[m])) / (2 * rows.length);
      const curvature = emptyCurvature(reg);
      const right = penaltySlope(theta, reg).map((slope, i) => -slope - pull[i]);
      const [gain, drive] = [zeros(rows.length), zeros(rows.length)];
      rows.forEach((row, m) => {
        const weight = spare[m] + (force[m] * excess[m]) / (most - force[m]);
        drive[m] = (level - force[m] * (spare[m] + level / (most - force[m]) - excess[m])) / weight;
        gain[m] = force[m] / weight;
        for (let i = 0; i < SIZE; i += 1) {
          right[i] -= drive[m] * row[i];
          for (let j = 0; j < SIZE; j += 1) curvature[i * SIZE + j] += gain[m] * row[i] * row[j];
        }
      });
      const move = solve(curvature, right);
      const along = rows.map((row) => dot(row, move));
      const forceMove = along.map((value, m) => drive[m] + gain[m] * value);
      const excessMove = along.map((_, m) => (level + excess[m] * forceMove[m]) / (most - force[m]) - excess[m]);
      const spareMove = along.map((value, m) => excessMove[m] - value);
      let size = 1;
      along.forEach((_, m) => {
        const room = [[force[m], forceMove[m]], [most - force[m], -forceMove[m]], [excess[m], excessMove[m]], [spare[m], spareMove[m]]];
        for (const [left, change] of room) if (change < 0) size = Math.min(size, (-0.99 * left) / change);
      });
      for (let i = 0; i < SIZE; i += 1) theta[i] += size * move[i];
      for (let m = 0; m < rows.length; m += 1) {
        force[m] += size * forceMove[m];
        excess[m] += size * excessMove[m];
        spare[m] += size * spareMove[m];
      }
    }
  }

  // The slope of s_k - s_label in theta, for both wrong classes k of a point.
  function hingeRows({ x, y, label }) {
    return CLASSES.filter((k) => k !== label).map((k) => {
      const row = zeros(SIZE);
      [x, y, 1].forEach((feature, i) => {
        row[3 * k + i] = feature;
        row[3 * label + i] = -feature;
      });
      return row;
    });
  }

  // The best classifier: its nine numbers, a bound of how far its objective is above the lowest, the steps it took.
  const train = (points, loss, reg) => (loss === "softmax" ? trainSoftmax : trainHinge)(points, reg);

  document.getElementById("toy").solver = { CLASSES, scoresAt, leadOf, measure, train, untrained: zeros(SIZE) };
})();

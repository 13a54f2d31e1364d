"""Minibatch SGD for a whole stack of heads: one batch and two products a step, whatever the number of heads."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from linprobe.arrays import add_product, product, row_chunks, take_rows
from linprobe.errors import UsageError
from linprobe.losses import find_loss

# A head has diverged when its objective is not finite, or is this many times its first one. Plain SGD can wander far
# and come back, but not from six orders of magnitude: the float32 digits that made the difference are gone by then.
EXPLOSION = 1e6

# W is held as scale · V. Float32 keeps its relative precision at any size; only its exponent may run out.
SCALE_RANGE = (1e-15, 1e15)

Progress = Callable[[int, int, np.ndarray], None]


@dataclass(frozen=True, eq=False)
class Heads:
    """The settings of a stack: learning_rate, reg (H,) float64; seed (H,) int, of the initial weights."""

    learning_rate: np.ndarray
    reg: np.ndarray
    seed: np.ndarray

    def __len__(self) -> int:
        return len(self.learning_rate)


@dataclass(frozen=True, eq=False)
class Solution:
    """A trained stack.

    W (D, K, H) and b (K, H) in the type of X, NaN for heads that did not finish; b is 0 without an intercept.
    stopped (H,) says why each head ended: "max_iter", "diverged", or "idle" for one that was left out.
    objective (R, H) is batch loss + λ ΣW² at the iterations steps (R,).
    """

    W: np.ndarray
    b: np.ndarray
    stopped: np.ndarray
    steps: np.ndarray
    objective: np.ndarray

    def head(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        """The weights (D, K) and the bias (K,) of one head, copied out of the stack."""
        return self.W[:, :, index].copy(), self.b[:, index].copy()


def train_stack(
    X: np.ndarray,
    y: np.ndarray,
    heads: Heads,
    *,
    classes: int,
    loss: str = "softmax",
    iterations: int = 1500,
    batch_size: int = 200,
    seed: int = 0,
    intercept: Literal["penalized", "none"] = "penalized",
    initial: np.ndarray | None = None,
    only: Sequence[int] | None = None,
    record_every: int = 1,
    progress: Progress | None = None,
) -> Solution:
    """Train all heads on the same batches, drawn with replacement; each has its own learning rate, reg and start.

    X (n, D) float32 or float64, y (n,) int in [0, classes). Weights start at 0.001 x standard normal from each head's
    own seed, the bias last, or at `initial` (D, K, H) with a zero bias. The intercept is "penalized" like the weights,
    which is what a column of ones would be, or "none". `only` trains just these heads, each in the slot that it has in
    the whole stack, and leaves the others idle: the same bits as with them. `progress` is called with the iteration,
    their number and the objectives (H,) of its batch. Raises UsageError for settings that cannot be trained at all.
    """
    _check(X, y, heads, classes, iterations, batch_size)
    stack = _Stack(X.dtype, X.shape[1], classes, heads, intercept, initial)
    stack.idle(only)
    losses_of = find_loss(loss)
    generator = np.random.default_rng(seed)
    batch = np.empty((batch_size, X.shape[1]), X.dtype)
    scores = np.empty((batch_size, classes, len(heads)), X.dtype)
    steps, history = [], []
    # A head that blows up does so in its own columns of every array; its warnings would concern nobody else.
    with np.errstate(over="ignore", invalid="ignore", divide="ignore", under="ignore"):
        for step in range(iterations):
            rows = generator.integers(0, len(X), batch_size)
            take_rows(X, rows, batch)
            losses, slope = losses_of(stack.scores(batch, scores), y[rows])
            losses = losses.mean(axis=0)
            if step % record_every == 0 or step == iterations - 1:
                objective = losses + stack.penalty()
                steps.append(step)
                history.append(np.where(stack.alive, objective, np.nan))
                stack.stop_diverged(objective)
                if progress is not None:
                    progress(step + 1, iterations, objective)
            stack.descend(batch, slope)
    return stack.solution(np.array(steps), np.array(history, np.float64))


class _Stack:
    """The state of a stack in training: W = scale · V, so that weight decay is a multiplication per head."""

    def __init__(
        self,
        dtype: np.dtype,
        features: int,
        classes: int,
        heads: Heads,
        intercept: str,
        initial: np.ndarray | None,
    ) -> None:
        self.shape = (features, classes, len(heads))
        self.has_bias = intercept != "none"
        self.learning_rate = heads.learning_rate.astype(np.float64)
        self.reg = heads.reg.astype(np.float64)
        self.scale = np.ones(len(heads))
        self.stopped = np.full(len(heads), "max_iter", dtype="<U8")
        self.limit: np.ndarray | None = None
        self.V = np.empty((features, classes * len(heads)), dtype)
        self.b = np.zeros((classes, len(heads)), dtype)
        if initial is None:
            self._draw(heads.seed)
        else:
            self.V.reshape(self.shape)[...] = initial

    def _draw(self, seeds: np.ndarray) -> None:
        features, classes, _ = self.shape
        for seed in np.unique(seeds):
            start = 0.001 * np.random.default_rng(seed).standard_normal((features + self.has_bias, classes))
            same = seeds == seed
            self.V.reshape(self.shape)[:, :, same] = start[:features, :, None]
            if self.has_bias:
                self.b[:, same] = start[features, :, None]

    def idle(self, only: Sequence[int] | None) -> None:
        if only is not None:
            self._stop(~np.isin(np.arange(len(self.stopped)), np.asarray(only)), "idle")

    @property
    def alive(self) -> np.ndarray:
        return self.stopped == "max_iter"

    def scores(self, batch: np.ndarray, out: np.ndarray) -> np.ndarray:
        product(batch, self.V, out.reshape(len(batch), -1))
        out *= self.scale.astype(out.dtype)
        if self.has_bias:
            out += self.b
        return out

    def penalty(self) -> np.ndarray:
        """λ ΣW² of every head (H,), the bias included."""
        squares = np.zeros(self.shape[1] * self.shape[2])
        for rows in row_chunks(len(self.V), 256):
            part = self.V[rows]
            squares += (part * part).sum(axis=0)
        squares = squares.reshape(self.shape[1:]).sum(axis=0) * self.scale**2
        return self.reg * (squares + (self.b.astype(np.float64) ** 2).sum(axis=0))

    def descend(self, batch: np.ndarray, slope: np.ndarray) -> None:
        """One step: W ← (1 − 2 λ lr) W − lr · gradient, with the learning rate folded into the slope."""
        decay = 1 - 2 * self.learning_rate * self.reg
        self.scale = self.scale * decay
        self._fold()
        slope *= (self.learning_rate / (len(batch) * self.scale)).astype(slope.dtype)
        add_product(self.V, batch, slope.reshape(len(batch), -1), -1.0)
        if self.has_bias:
            self.b *= decay.astype(self.b.dtype)
            self.b -= self.scale.astype(self.b.dtype) * slope.sum(axis=0)

    def _fold(self) -> None:
        """Multiply the scale into V where its exponent is about to leave float32; each head decides for itself."""
        low, high = SCALE_RANGE
        size = np.abs(self.scale)
        fold = ~((size >= low) & (size <= high))
        if fold.any():
            # Multiplying by one changes no bit, so one pass over V serves the heads that fold and those that do not.
            self.V.reshape(self.shape)[...] *= np.where(fold, self.scale, 1).astype(self.V.dtype)
            self.scale = np.where(fold, 1.0, self.scale)

    def stop_diverged(self, objective: np.ndarray) -> None:
        if self.limit is None:
            self.limit = EXPLOSION * np.maximum(objective, 1.0)
        self._stop(self.alive & ~(np.isfinite(objective) & (objective <= self.limit)), "diverged")

    def _stop(self, which: np.ndarray, reason: str) -> None:
        # Zeros are the idle state: nothing overflows, nothing turns denormal and slow, and no other column notices.
        if which.any():
            self.stopped[which] = reason
            self.V.reshape(self.shape)[:, :, which] = 0
            self.b[:, which] = 0
            self.learning_rate = np.where(which, 0.0, self.learning_rate)
            self.reg = np.where(which, 0.0, self.reg)
            self.scale = np.where(which, 1.0, self.scale)

    def solution(self, steps: np.ndarray, objective: np.ndarray) -> Solution:
        W = self.V.reshape(self.shape)
        W *= self.scale.astype(W.dtype)
        finite = np.isfinite(W.sum(axis=(0, 1)) + self.b.sum(axis=0))
        self.stopped[self.alive & ~finite] = "diverged"
        W[:, :, ~self.alive] = np.nan
        self.b[:, ~self.alive] = np.nan
        return Solution(W, self.b, self.stopped, steps, objective)


def _check(X: np.ndarray, y: np.ndarray, heads: Heads, classes: int, iterations: int, batch_size: int) -> None:
    if X.ndim != 2 or not len(X) or X.dtype not in (np.float32, np.float64):
        raise UsageError(f"X must be a matrix of float32 or float64 with at least one row, not {X.dtype} {X.shape}")
    if y.shape != (len(X),):
        raise UsageError(f"y must hold one label for each of the {len(X):,} rows of X, not {y.shape}")
    if y.min() < 0 or y.max() >= classes:
        raise UsageError(f"labels must lie in 0..{classes - 1}; found {y.min()}..{y.max()}")
    if not len(heads):
        raise UsageError("there is no setting to train; give at least one learning rate and one reg")
    if iterations < 1 or batch_size < 1:
        raise UsageError(f"iterations and batch_size must be at least 1; got {iterations} and {batch_size}")

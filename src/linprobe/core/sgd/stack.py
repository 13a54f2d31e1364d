"""The state of a stack in training, and one step of it, on arrays of any library."""

from collections.abc import Callable
from typing import Any

import numpy as np

from linprobe.core.backend import Array, Products, move, namespace, sweep_rows, take_rows, to_numpy
from linprobe.core.losses import find_loss
from linprobe.core.sgd.settings import Heads, Training

# A head has diverged when its objective is not finite, or is this many times its first one. Plain SGD can wander far
# and come back, but not from six orders of magnitude: the float32 digits that made the difference are gone by then.
EXPLOSION = 1e6

# W is held as scale · V. Float32 keeps its relative precision at any size; only its exponent may run out,
# and sooner in the squares of the penalty.
SCALE_RANGE = (1e-9, 1e9)

# The rows of the table that a step is given, one number per head: see `Stack.tables`.
SCALE, FOLD, FACTOR, AFTER, DECAY, RATE, DOUBLE_REG, MOMENTUM = range(8)


class Stack:
    """H heads on the same features: W = scale · V, so that weight decay is a multiplication per head.

    V (D, K·H) and b (K, H) are in the type and on the device of X. What depends on the settings alone (rates, decay,
    scales) is computed in float64 NumPy and handed to each step as a small table; the step itself never needs the host,
    so a CUDA device can replay it as one graph.
    """

    def __init__(
        self,
        X: Array,
        y: Array,
        heads: Heads,
        training: Training,
        classes: int,
        *,
        products: Products,
        sample_weight: np.ndarray | None = None,
        initial: np.ndarray | None = None,
        initial_bias: np.ndarray | None = None,
        blank: bool = False,
    ) -> None:
        xp = namespace(X)
        self.xp, self.X, self.y, self.training, self.products = xp, X, y, training, products
        self.shape = (X.shape[1], classes, len(heads))
        self.loss = find_loss(training.loss).value_and_slope
        self.learning_rate, self.reg = heads.learning_rate.copy(), heads.reg.copy()
        self.momentum = heads.momentum
        self.scale = np.ones(len(heads))
        self.stopped = np.full(len(heads), "max_iter", dtype="<U12")
        self.limit: np.ndarray | None = None

        self.dtype = to_numpy(X[:1]).dtype
        if blank:  # until `restore`: memory that nobody has written to is not there yet
            weights, bias = np.zeros(self.shape, self.dtype), np.zeros(self.shape[1:], self.dtype)
        else:
            weights, bias = initial_weights(heads, self.shape, self.dtype, training.intercept, initial, initial_bias)
        self.V = move(weights.reshape(self.shape[0], -1), products.device)
        self.b = move(bias, products.device)
        self.has_bias = training.intercept != "none"
        # Plain SGD and SGD with momentum are different steps; a search puts their heads into different stacks.
        like: dict[str, Any] = {"dtype": X.dtype, "device": X.device}
        self.M = xp.zeros(self.V.shape, **like) if np.any(heads.momentum) else None
        self.M_bias = xp.zeros_like(self.b)
        self.mean = xp.zeros(self.V.shape, **like) if training.average else None
        self.mean_bias = xp.zeros_like(self.b)

        self.batch_size = int(np.max(heads.batch_size))
        self.batch = xp.empty((self.batch_size, self.shape[0]), **like)
        self.labels = xp.empty((self.batch_size,), dtype=y.dtype, device=X.device)
        self.scores = xp.empty((self.batch_size, *self.shape[1:]), **like)
        self.losses = xp.empty((len(heads),), **like)
        self.weight = None
        if sample_weight is not None:
            self.weight = move((sample_weight / np.mean(sample_weight)).astype(self.dtype), products.device)
            self.batch_weight = xp.empty((self.batch_size,), **like)
        self.shares = None
        if np.any(heads.batch_size != self.batch_size):
            self.shares = move(shares(heads.batch_size).astype(self.dtype), products.device)

    @property
    def alive(self) -> np.ndarray:
        """Which heads (H,) are still in training."""
        return self.stopped == "max_iter"

    def tables(self, rates: np.ndarray) -> tuple[np.ndarray, list[bool]]:
        """The numbers (S, 8, H) for steps at these rates (S,) of the schedule, and in which of them some head folds;
        moves the scales on.

        With the scale s before a step and s' after it: SCALE s, FOLD what V is multiplied by, FACTOR lr / s', AFTER
        s', DECAY 1 - 2 λ lr. Momentum mixes two arrays whose scales would differ, so its weights have none, and it
        takes RATE lr, DOUBLE_REG 2 λ and MOMENTUM μ instead.
        """
        tables = np.repeat(idle_table(len(self.scale))[None], len(rates), axis=0)
        tables[:, RATE] = self.learning_rate * rates[:, None]
        tables[:, DOUBLE_REG], tables[:, MOMENTUM] = 2 * self.reg, self.momentum
        tables[:, DECAY] = 1 - tables[:, RATE] * tables[:, DOUBLE_REG]
        folds = np.zeros(len(rates), bool)
        if self.M is None:
            folds = self._scales(tables)
            tables[:, FACTOR] = tables[:, RATE] / tables[:, AFTER]
        else:
            tables[:, FACTOR] = 1
        if self.shares is None:
            tables[:, FACTOR] /= self.batch_size
        return tables.astype(self.dtype), folds.tolist()

    def _scales(self, tables: np.ndarray) -> np.ndarray:
        """Fill SCALE, FOLD and AFTER from DECAY, and move the scales on; returns in which steps (S,) a head folds."""
        folds, start = np.zeros(len(tables), bool), 0
        while start < len(tables):
            scales = np.cumprod(np.concatenate([self.scale[None], tables[start:, DECAY]]), axis=0)
            outside = ~((np.abs(scales[1:]) >= SCALE_RANGE[0]) & (np.abs(scales[1:]) <= SCALE_RANGE[1]))
            folding = np.flatnonzero(outside.any(axis=1))
            stop = start + folding[0] + 1 if len(folding) else len(tables)
            tables[start:stop, SCALE], tables[start:stop, AFTER] = scales[: stop - start], scales[1 : stop - start + 1]
            if len(folding):
                # Each head decides for itself, and multiplying by one changes no bit, so one pass over V serves the
                # heads that fold and those that do not.
                last, heads = tables[stop - 1], outside[folding[0]]
                last[FOLD], last[AFTER] = np.where(heads, last[AFTER], 1), np.where(heads, 1, last[AFTER])
                folds[stop - 1] = True
            self.scale, start = tables[stop - 1, AFTER].copy(), stop
        return folds

    def step(self, rows: Array, table: Array, fold: bool) -> None:
        """One step of all heads on these examples (B,); the mean losses (H,) of the batch are left in `losses`."""
        take_rows(self.X, rows, self.batch)
        take_rows(self.y, rows, self.labels)
        self.products.scores(self.batch, self.V, self.scores)
        if self.M is None:
            self.scores *= table[SCALE]
        if self.has_bias:
            self.scores += self.b
        losses, slope = self.loss(self.scores, self.labels)
        if self.weight is not None:
            take_rows(self.weight, rows, self.batch_weight)
            losses *= self.batch_weight[:, None]
            slope *= self.batch_weight[:, None, None]
        slope *= table[FACTOR]
        if self.shares is None:
            self.losses[...] = self.xp.mean(losses, axis=0)
        else:
            self.losses[...] = self.xp.sum(losses * self.shares, axis=0)
            slope *= self.shares[:, None, :]
        if self.M is None:
            self._descend(slope, table, fold)
        else:
            self._descend_with_momentum(self.M, slope, table)

    def _descend(self, slope: Array, table: Array, fold: bool) -> None:
        """W ← (1 − 2 λ lr) W − lr · gradient; the learning rate is already in the slope."""
        if fold:
            V = self._by_head(self.V)
            V *= table[FOLD]
        self.products.accumulate(self.V, self.batch, slope, -1.0)
        if self.has_bias:
            self.b *= table[DECAY]
            self.b -= table[AFTER] * self.xp.sum(slope, axis=0)

    def _descend_with_momentum(self, momenta: Array, slope: Array, table: Array) -> None:
        """M ← μ M + gradient + 2 λ W, then W ← W − lr M, or with Nesterov W ← W − lr (gradient + 2 λ W + μ M).

        Sutskever et al. (2013). Nesterov's second form needs the gradient after M has swallowed it; since
        gradient + 2 λ W = M − μ M_before, it is W ← W + lr μ M_before − lr (1 + μ) M.
        """
        rate, double_reg, momentum = table[RATE], table[DOUBLE_REG], table[MOMENTUM]
        ahead = rate * (1 + momentum) if self.training.nesterov else rate
        pairs = [(self.V, momenta)]
        if self.has_bias:
            pairs.append((self.b[None], self.M_bias[None]))
        for W, M in pairs:
            for rows in sweep_rows(W):
                w, m = self._by_head(W[rows]), self._by_head(M[rows])
                if self.training.nesterov:
                    before = m * (rate * momentum)
                m *= momentum
                m += w * double_reg
                if self.training.nesterov:
                    w += before
        self.products.accumulate(momenta, self.batch, slope, 1.0)
        self.M_bias += self.xp.sum(slope, axis=0)
        for W, M in pairs:
            for rows in sweep_rows(W):
                w = self._by_head(W[rows])
                w -= self._by_head(M[rows]) * ahead

    def add_to_mean(self, count: int, table: Array) -> None:
        """Take the weights after the step of this table into their running mean, as its count-th member."""
        if self.mean is None:
            return
        factor = table[AFTER] / count
        for rows in sweep_rows(self.V):
            self.mean[rows] *= 1 - 1 / count
            part = self._by_head(self.mean[rows])
            part += self._by_head(self.V[rows]) * factor
        self.mean_bias *= 1 - 1 / count
        self.mean_bias += self.b / count

    def penalty(self) -> Callable[[], np.ndarray]:
        """λ ΣW² of every head (H,) as of now, the bias included; the device is asked for it only on the call."""
        xp, shape, scale, reg = self.xp, self.shape[1:], self.scale, self.reg
        squares = xp.zeros(self.V.shape[1], dtype=xp.float64, device=self.V.device)
        for rows in sweep_rows(self.V):
            squares += xp.sum(self.V[rows] ** 2, axis=0)
        bias = xp.sum(xp.astype(self.b, xp.float64) ** 2, axis=0)
        return lambda: reg * (to_numpy(squares).reshape(shape).sum(axis=0) * scale**2 + to_numpy(bias))

    def weights(self) -> tuple[Array, Array]:
        """W (D, K, H) and b (K, H) as they are now, to be read only: W is a new array where there is a scale."""
        W = self._by_head(self.V)
        if (self.scale == 1).all():
            return W, self.b
        return W * move(self.scale.astype(self.dtype), self.products.device), self.b

    def take_weights(self) -> tuple[Array, Array]:
        """W (D, K, H) and b (K, H) in the stack's own memory, which is in training no longer."""
        W = self._by_head(self.V)
        W *= move(self.scale.astype(self.dtype), self.products.device)
        return W, self.b

    def stop_diverged(self, objective: np.ndarray) -> None:
        """Mark the heads whose objective (H,) has left all bounds, and leave them out from here."""
        if self.limit is None:
            self.limit = EXPLOSION * np.maximum(objective, 1.0)
        self.stop(self.alive & ~(np.isfinite(objective) & (objective <= self.limit)), "diverged")

    def stop(self, which: np.ndarray, reason: str) -> None:
        """Leave these heads (H,) out from here; their slots stay, so the others keep their places in every product."""
        if not which.any():
            return
        self.stopped[which] = reason
        # Zeros are the idle state: nothing overflows, nothing turns denormal and slow, and no other column notices.
        idle = move(which, self.products.device)
        for array in (self.V, self.M, self.b[None], self.M_bias[None]):
            if array is not None:
                self._by_head(array)[:, :, idle] = 0
        self.learning_rate, self.reg = (np.where(which, 0.0, values) for values in (self.learning_rate, self.reg))
        self.scale = np.where(which, 1.0, self.scale)

    def state(self, *, copies: bool = True) -> dict[str, np.ndarray]:
        """All that changes in training, or else the arrays themselves, which are true until the next step; what is not
        there yet is left out.
        """
        held = {name: value for name in STATE if (value := getattr(self, name)) is not None}
        return {name: np.array(to_numpy(value), copy=copies or None) for name, value in held.items()}

    def restore(self, state: dict[str, np.ndarray], *, take: bool = False) -> None:
        """Go on from a state; with `take` in its own arrays, which it then has no longer."""
        for name in STATE:
            if name in state:
                value, now = state.pop(name) if take else state[name], getattr(self, name)
                if name in ON_HOST:
                    setattr(self, name, value if take else value.copy())
                elif take:
                    setattr(self, name, move(value, self.products.device))  # no graph has recorded the memory yet
                else:
                    now[...] = move(value, self.products.device)  # into the same memory, which a graph has recorded

    def _by_head(self, array: Array) -> Array:
        """Rows of a matrix (r, K·H) or (r, K, H) as (r, K, H), the same memory."""
        return array.reshape(-1, *self.shape[1:])


ON_HOST = ("scale", "stopped", "limit", "learning_rate", "reg")
STATE = ("V", "b", "M", "M_bias", "mean", "mean_bias", *ON_HOST)


def idle_table(heads: int) -> np.ndarray:
    """The table of a step that changes nothing."""
    table = np.ones((8, heads))
    table[[FACTOR, RATE, DOUBLE_REG]] = 0
    return table


def shares(batch_size: np.ndarray) -> np.ndarray:
    """The weight (B, H) of each drawn example for each head: 1 / b for a head's first b, 0 for the rest."""
    drawn = np.arange(np.max(batch_size))[:, None]
    return np.where(drawn < batch_size, 1 / batch_size, 0.0)


def initial_weights(
    heads: Heads,
    shape: tuple[int, int, int],
    dtype: np.dtype,
    intercept: str,
    initial: np.ndarray | None,
    initial_bias: np.ndarray | None,
) -> tuple[np.ndarray, np.ndarray]:
    """W (D, K, H), b (K, H): 0.001 x standard normal by each head's seed, the bias last; or copies of those given."""
    features, classes, _ = shape
    bias = np.zeros(shape[1:], dtype)
    if initial is not None:
        bias[...] = 0 if initial_bias is None else initial_bias
        return np.array(initial, dtype, order="C"), bias
    weights = np.empty(shape, dtype)
    for seed in np.unique(heads.seed):
        start = 0.001 * np.random.default_rng(seed).standard_normal((features + (intercept != "none"), classes))
        same = heads.seed == seed
        weights[:, :, same] = start[:features, :, None]
        if intercept != "none":
            bias[:, same] = start[features, :, None]
    return weights, bias

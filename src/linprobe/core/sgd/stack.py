"""A stack in training, and one step of it, on arrays of any library."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from linprobe.core.backend import Array, Products, move, namespace, sweep_rows, take_rows, to_numpy
from linprobe.core.losses import find_loss
from linprobe.core.sgd.settings import Data, Heads, Training
from linprobe.core.sgd.state import HeadStatus, Parameters, Start, State
from linprobe.errors import UsageError

__all__ = ["Stack", "idle_table", "initial_weights", "shares"]

# A head has diverged when its objective is not finite, or is this many times its first one. Plain SGD can wander far
# and come back, but not from six orders of magnitude: the float32 digits that made the difference are gone by then.
EXPLOSION = 1e6

# W is held as scale · V. Float32 keeps its relative precision at any size; only its exponent may run out,
# and sooner in the squares of the penalty.
SCALE_RANGE = (1e-9, 1e9)

# The rows of the table that a step is given, one number per head: see `Stack.tables`.
SCALE, RESCALE, FACTOR, AFTER, DECAY, RATE, DOUBLE_REG, MOMENTUM = range(8)


class Stack:
    """H heads on the same features: W = scale · V, so that weight decay is a multiplication per head.

    V (D, K·H) and b (K, H) are in the type and on the device of X. What depends on the settings alone (rates, decay,
    scales) is computed in float64 NumPy and handed to each step as a small table; the step itself never needs the host,
    so a CUDA device can replay it as one graph.
    """

    def __init__(
        self, data: Data, heads: Heads, training: Training, *, products: Products, start: Start | State | None = None
    ) -> None:
        X, xp = data.X, namespace(data.X)
        self.xp, self.X, self.y, self.training, self.products = xp, X, data.y, training, products
        self.shape = (X.shape[1], data.classes, len(heads))
        self.loss = find_loss(training.loss).value_and_slope
        self.momentum = heads.momentum
        self.dtype = to_numpy(X[:1]).dtype
        self.has_bias = training.intercept != "none"
        like = {"dtype": X.dtype, "device": X.device}
        flat = (self.shape[0], self.shape[1] * self.shape[2])
        if isinstance(start, State):
            if start.parameters.V.shape != flat:
                raise UsageError(f"the state is of a stack of other shape: {start.parameters.V.shape}, not {flat}")
            self.standing = start.standing
            self.parameters = start.parameters.map(lambda array: move(array, products.device))
        else:
            if start is None:
                W, b = initial_weights(heads, self.shape, self.dtype, training.intercept)
            else:
                W, b = np.array(start.W, self.dtype, order="C"), np.zeros(self.shape[1:], self.dtype)
                b[...] = 0 if start.b is None else start.b
            self.standing = HeadStatus.of(heads)
            # Plain SGD and SGD with momentum are different steps; a search puts their heads into different stacks.
            self.parameters = Parameters(
                V=move(W.reshape(flat), products.device),
                b=move(b, products.device),
                M=xp.zeros(flat, **like) if np.any(heads.momentum) else None,
                M_bias=xp.zeros(self.shape[1:], **like),
                mean=xp.zeros(flat, **like) if training.average else None,
                mean_bias=xp.zeros(self.shape[1:], **like),
            )

        self.batch_size = int(np.max(heads.batch_size))
        self.batch = xp.empty((self.batch_size, self.shape[0]), **like)
        self.labels = xp.empty((self.batch_size,), dtype=data.y.dtype, device=X.device)
        self.scores = xp.empty((self.batch_size, *self.shape[1:]), **like)
        self.losses = xp.empty((len(heads),), **like)
        self.weight = None
        if data.weight is not None:
            self.weight = move((data.weight / np.mean(data.weight)).astype(self.dtype), products.device)
            self.batch_weight = xp.empty((self.batch_size,), **like)
        self.shares = None
        if np.any(heads.batch_size != self.batch_size):
            self.shares = move(shares(heads.batch_size).astype(self.dtype), products.device)

    def hold(self, X: Array, y: Array, weight: Array | None) -> None:
        """Take steps on these rows from here."""
        self.X, self.y, self.weight = X, y, weight

    def tables(self, rates: np.ndarray) -> tuple[np.ndarray, list[bool]]:
        """The numbers (S, 8, H) for steps at these rates (S,) of the schedule, and in which of them one rescales;
        moves the scales on.

        With the scale s before a step and s' after it: SCALE s, RESCALE what V is multiplied by, FACTOR lr / s', AFTER
        s', DECAY 1 - 2 λ lr. Momentum mixes two arrays whose scales would differ, so its weights have none, and it
        takes RATE lr, DOUBLE_REG 2 λ and MOMENTUM μ instead.
        """
        tables = np.repeat(idle_table(self.shape[2])[None], len(rates), axis=0)
        tables[:, RATE] = self.standing.learning_rate * rates[:, None]
        tables[:, DOUBLE_REG], tables[:, MOMENTUM] = 2 * self.standing.reg, self.momentum
        tables[:, DECAY] = 1 - tables[:, RATE] * tables[:, DOUBLE_REG]
        rescales = np.zeros(len(rates), bool)
        if self.parameters.M is None:
            rescales = self._scales(tables)
            tables[:, FACTOR] = tables[:, RATE] / tables[:, AFTER]
        else:
            tables[:, FACTOR] = 1
        if self.shares is None:
            tables[:, FACTOR] /= self.batch_size
        return tables.astype(self.dtype), rescales.tolist()

    def _scales(self, tables: np.ndarray) -> np.ndarray:
        """Fill SCALE, RESCALE and AFTER from DECAY, move the scales on; in which steps (S,) one rescales."""
        rescales, start, scale = np.zeros(len(tables), bool), 0, self.standing.scale
        while start < len(tables):
            scales = np.cumprod(np.concatenate([scale[None], tables[start:, DECAY]]), axis=0)
            outside = ~((np.abs(scales[1:]) >= SCALE_RANGE[0]) & (np.abs(scales[1:]) <= SCALE_RANGE[1]))
            folding = np.flatnonzero(outside.any(axis=1))
            stop = start + folding[0] + 1 if len(folding) else len(tables)
            tables[start:stop, SCALE], tables[start:stop, AFTER] = scales[: stop - start], scales[1 : stop - start + 1]
            if len(folding):
                # Each head decides for itself, and multiplying by one changes no bit, so one pass over V serves the
                # heads that rescale and those that do not.
                last, heads = tables[stop - 1], outside[folding[0]]
                last[RESCALE], last[AFTER] = np.where(heads, last[AFTER], 1), np.where(heads, 1, last[AFTER])
                rescales[stop - 1] = True
            scale, start = tables[stop - 1, AFTER].copy(), stop
        self.standing = replace(self.standing, scale=scale)
        return rescales

    def step(self, rows: Array, table: Array, rescale: bool) -> None:
        """One step of all heads on these examples (B,); the mean losses (H,) of the batch are left in `losses`."""
        take_rows(self.X, rows, self.batch)
        take_rows(self.y, rows, self.labels)
        self.products.scores(self.batch, self.parameters.V, self.scores)
        if self.parameters.M is None:
            self.scores *= table[SCALE]
        if self.has_bias:
            self.scores += self.parameters.b
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
        if self.parameters.M is None:
            self._descend(slope, table, rescale)
        else:
            self._descend_with_momentum(self.parameters.M, slope, table)

    def _descend(self, slope: Array, table: Array, rescale: bool) -> None:
        """W ← (1 − 2 λ lr) W − lr · gradient; the learning rate is already in the slope."""
        V, b = self.parameters.V, self.parameters.b
        if rescale:
            by_head = self._by_head(V)
            by_head *= table[RESCALE]
        self.products.accumulate(V, self.batch, slope, -1.0)
        if self.has_bias:
            b *= table[DECAY]
            b -= table[AFTER] * self.xp.sum(slope, axis=0)

    def _descend_with_momentum(self, momenta: Array, slope: Array, table: Array) -> None:
        """M ← μ M + gradient + 2 λ W, then W ← W − lr M, or with Nesterov W ← W − lr (gradient + 2 λ W + μ M).

        Sutskever et al. (2013). Nesterov's second form needs the gradient after M has swallowed it; since
        gradient + 2 λ W = M − μ M_before, it is W ← W + lr μ M_before − lr (1 + μ) M.
        """
        rate, double_reg, momentum = table[RATE], table[DOUBLE_REG], table[MOMENTUM]
        ahead = rate * (1 + momentum) if self.training.nesterov else rate
        momenta_of_bias = self.parameters.M_bias
        pairs = [(self.parameters.V, momenta)]
        if self.has_bias:
            pairs.append((self.parameters.b[None], momenta_of_bias[None]))
        for W, M in pairs:
            for rows in sweep_rows(W):
                w, m = self._by_head(W[rows]), self._by_head(M[rows])
                before = m * (rate * momentum) if self.training.nesterov else None
                m *= momentum
                m += w * double_reg
                if before is not None:
                    w += before
        self.products.accumulate(momenta, self.batch, slope, 1.0)
        momenta_of_bias += self.xp.sum(slope, axis=0)
        for W, M in pairs:
            for rows in sweep_rows(W):
                w = self._by_head(W[rows])
                w -= self._by_head(M[rows]) * ahead

    def add_to_mean(self, count: int, table: Array) -> None:
        """Take the weights after the step of this table into their running mean, as its count-th member."""
        now, mean, mean_bias = self.parameters, self.parameters.mean, self.parameters.mean_bias
        if mean is None:
            return
        factor = table[AFTER] / count
        for rows in sweep_rows(now.V):
            mean[rows] *= 1 - 1 / count
            part = self._by_head(mean[rows])
            part += self._by_head(now.V[rows]) * factor
        mean_bias *= 1 - 1 / count
        mean_bias += now.b / count

    def penalty(self) -> Callable[[], np.ndarray]:
        """λ ΣW² of every head (H,) as of now, the bias included; the device is asked for it only on the call."""
        xp, shape, V, standing = self.xp, self.shape[1:], self.parameters.V, self.standing
        squares = xp.zeros(V.shape[1], dtype=xp.float64, device=V.device)
        for rows in sweep_rows(V):
            squares += xp.sum(V[rows] ** 2, axis=0)
        bias = xp.sum(xp.astype(self.parameters.b, xp.float64) ** 2, axis=0)
        return lambda: (
            standing.reg * (to_numpy(squares).reshape(shape).sum(axis=0) * standing.scale**2 + to_numpy(bias))
        )

    def weights(self) -> tuple[Array, Array]:
        """W (D, K, H) and b (K, H) as they are now, to be read only: W is a new array where there is a scale."""
        W, scale = self._by_head(self.parameters.V), self.standing.scale
        return W if (scale == 1).all() else W * self._factors(scale), self.parameters.b

    def copy_weights(self, which: np.ndarray, W: Array, b: Array) -> None:
        """Write the weights of some of the heads (H,) as they are now into W (D, K, H) and b (K, H)."""
        heads, factors = move(which, self.products.device), self._factors(self.standing.scale[which])
        for rows in sweep_rows(self.parameters.V):  # what is picked out of an array is a copy
            W[rows][..., heads] = self._by_head(self.parameters.V[rows])[..., heads] * factors
        b[..., heads] = self.parameters.b[..., heads]

    def take_weights(self) -> tuple[Array, Array]:
        """W (D, K, H) and b (K, H) in the stack's own memory, which is in training no longer."""
        W = self._by_head(self.parameters.V)
        W *= self._factors(self.standing.scale)
        self.standing = replace(self.standing, scale=np.ones(self.shape[2]))
        return W, self.parameters.b

    def _factors(self, scale: np.ndarray) -> Array:
        return move(scale.astype(self.dtype), self.products.device)

    def stop_diverged(self, objective: np.ndarray) -> None:
        """Mark the heads whose objective (H,) has left all bounds, and leave them out from here."""
        limit = self.standing.limit
        if limit is None:
            limit = EXPLOSION * np.maximum(objective, 1.0)
            self.standing = replace(self.standing, limit=limit)
        self.stop(self.standing.alive & ~(np.isfinite(objective) & (objective <= limit)), "diverged")

    def stop(self, which: np.ndarray, reason: str) -> None:
        """Leave these heads (H,) out from here; their slots stay, so the others keep their places in every product."""
        if not which.any():
            return
        self.standing = self.standing.stop(which, reason)
        # Zeros are the idle state: nothing overflows, nothing turns denormal and slow, and no other column notices.
        idle, now = move(which, self.products.device), self.parameters
        for array in (now.V, now.M, now.b[None], now.M_bias[None]):
            if array is not None:
                self._by_head(array)[:, :, idle] = 0

    def _by_head(self, array: Array) -> Array:
        """Rows of a matrix (r, K·H) or (r, K, H) as (r, K, H), the same memory."""
        return array.reshape(-1, *self.shape[1:])


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
    heads: Heads, shape: tuple[int, int, int], dtype: np.dtype, intercept: str
) -> tuple[np.ndarray, np.ndarray]:
    """W (D, K, H), b (K, H): 0.001 x standard normal by each head's seed, the bias last."""
    features, classes, _ = shape
    weights, bias = np.empty(shape, dtype), np.zeros(shape[1:], dtype)
    for seed in np.unique(heads.seed):
        start = 0.001 * np.random.default_rng(seed).standard_normal((features + (intercept != "none"), classes))
        same = heads.seed == seed
        weights[:, :, same] = start[:features, :, None]
        if intercept != "none":
            bias[:, same] = start[features, :, None]
    return weights, bias

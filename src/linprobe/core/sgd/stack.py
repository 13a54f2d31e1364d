"""A stack in training, and one step of it, on arrays of any library."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from linprobe.core.backend import Array, Products, move, namespace, sweep_rows, take_rows, to_numpy
from linprobe.core.losses import find_loss
from linprobe.core.sgd.columns import columns_of, join, part
from linprobe.core.sgd.settings import Data, Heads, Training
from linprobe.core.sgd.state import HeadStatus, Parameters, Start, State
from linprobe.core.sgd.tables import (
    AFTER,
    DECAY,
    DOUBLE_REG,
    FACTOR,
    MOMENTUM,
    RATE,
    RESCALE,
    SCALE,
    SHARE,
    step_tables,
)
from linprobe.errors import UsageError

__all__ = ["Stack", "initial_weights", "shares"]

# A head has diverged when its objective is not finite, or is this many times its first one. Plain SGD can wander far
# and come back, but not from six orders of magnitude: the float32 digits that made the difference are gone by then.
EXPLOSION = 1e6


class Stack:
    """H heads on the same features: W = scale · V, so that weight decay is a multiplication per head.

    V (D, C·H) and b (K, H) are in the type and on the device of X; C is K, or of two classes 1, as `columns` says. What
    depends on the settings alone (rates, decay, scales) is computed in float64 NumPy and handed to each step as a small
    table; the step itself never needs the host, so a CUDA device can replay it as one graph.
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
        self.columns = columns_of(data.classes)
        self.parted = self.columns < data.classes
        flat = (self.shape[0], self.columns * self.shape[2])
        if isinstance(start, State):
            if self.parted and start.parameters.common is None:
                start = start.parted(data.classes)
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
            self.standing = HeadStatus.of(heads, parted=self.parted)
            V, common = part(W) if self.parted else (W, None)
            # Plain SGD and SGD with momentum are different steps; a search puts their heads into different stacks.
            self.parameters = Parameters(
                V=move(np.ascontiguousarray(V).reshape(flat), products.device),
                b=move(b, products.device),
                M=xp.zeros(flat, **like) if np.any(heads.momentum) else None,
                M_bias=xp.zeros(self.shape[1:], **like),
                mean=xp.zeros(flat, **like) if training.average else None,
                mean_bias=xp.zeros(self.shape[1:], **like),
                common=None if common is None else move(common, products.device),
                mean_share=xp.zeros(len(heads), **like) if training.average and self.parted else None,
            )

        self.batch_size = int(np.max(heads.batch_size))
        self.batch = xp.empty((self.batch_size, self.shape[0]), **like)
        self.labels = xp.empty((self.batch_size,), dtype=data.y.dtype, device=X.device)
        self.scores = xp.empty((self.batch_size, *self.shape[1:]), **like)
        self.of_columns = self.scores
        if self.parted:
            self.of_columns = xp.empty((self.batch_size, self.columns, len(heads)), **like)
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
        """The tables of steps at these rates (S,) of the schedule, and in which of them one rescales; moves on where
        the heads stand.
        """
        momentum = None if self.parameters.M is None else self.momentum
        tables, rescales, self.standing = step_tables(self.standing, rates, momentum, nesterov=self.training.nesterov)
        if self.shares is None:
            tables[:, FACTOR] /= self.batch_size
        return tables.astype(self.dtype), rescales.tolist()

    def step(self, rows: Array, table: Array, rescale: bool) -> None:
        """One step of all heads on these examples (B,); the mean losses (H,) of the batch are left in `losses`."""
        take_rows(self.X, rows, self.batch)
        take_rows(self.y, rows, self.labels)
        self.products.scores(self.batch, self.parameters.V, self.of_columns)
        if self.parameters.M is None:
            self.of_columns *= table[SCALE]
        if self.parted:  # a number added to the scores of all classes changes nothing
            self.scores[:, :-1] = self.of_columns
            self.scores[:, -1] = self.xp.zeros_like(self.losses)
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
        columns = slope
        if self.parted:
            columns = self.xp.subtract(slope[:, :-1], slope[:, -1:], out=self.of_columns)
        if self.parameters.M is None:
            self._descend(slope, columns, table, rescale)
        else:
            self._descend_with_momentum(self.parameters.M, slope, columns, table)

    def _descend(self, slope: Array, columns: Array, table: Array, rescale: bool) -> None:
        """W ← (1 − 2 λ lr) W − lr · gradient; the learning rate is already in the slope (B, K, H) and in what it is for
        the columns (B, C, H).
        """
        V, b = self.parameters.V, self.parameters.b
        if rescale:
            by_head = self._by_head(V)
            by_head *= table[RESCALE]
        self.products.accumulate(V, self.batch, columns, -1.0)
        if self.has_bias:
            b *= table[DECAY]
            b -= table[AFTER] * self.xp.sum(slope, axis=0)

    def _descend_with_momentum(self, momenta: Array, slope: Array, columns: Array, table: Array) -> None:
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
        self.products.accumulate(momenta, self.batch, columns, 1.0)
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
        if now.mean_share is not None:
            share = now.mean_share
            share *= 1 - 1 / count
            share += table[SHARE] / count

    def penalty(self) -> Callable[[], np.ndarray]:
        """λ ΣW² of every head (H,) as of now, the bias included; the device is asked for it only on the call."""
        xp, now, standing = self.xp, self.parameters, self.standing
        squares, common = (xp.zeros(self.shape[2], dtype=xp.float64, device=now.V.device) for _ in range(2))
        for rows in sweep_rows(now.V):
            V = self._by_head(now.V[rows])
            squares += xp.sum(V**2, axis=(0, 1), dtype=xp.float64)
            if now.common is not None:
                squares -= xp.sum(xp.sum(V, axis=1) ** 2, axis=0, dtype=xp.float64) / self.shape[1]
                common += xp.sum(now.common[rows] ** 2, axis=0, dtype=xp.float64)
        bias = xp.sum(xp.astype(now.b, xp.float64) ** 2, axis=0)

        def found() -> np.ndarray:
            total = to_numpy(squares) * standing.scale**2 + to_numpy(bias)
            if standing.share is not None:
                total += self.shape[1] * standing.share**2 * to_numpy(common)
            return standing.reg * total

        return found

    def weights(self) -> tuple[Array, Array]:
        """W (D, K, H) and b (K, H) as they are now, to be read only: W may be the stack's memory or a new array."""
        V, scale = self._by_head(self.parameters.V), self.standing.scale
        W = V if (scale == 1).all() else V * self._factors(scale)
        return self._joined(W, slice(None)), self.parameters.b

    def mean_weights(self) -> tuple[Array, Array]:
        """The running means of W (D, K, H) and b (K, H)."""
        now = self.parameters
        mean = self._by_head(now.mean)
        return mean if now.common is None else join(mean, now.common, now.mean_share), now.mean_bias

    def copy_weights(self, which: np.ndarray, W: Array, b: Array) -> None:
        """Write the weights of some of the heads (H,) as they are now into W (D, K, H) and b (K, H)."""
        heads, factors = move(which, self.products.device), self._factors(self.standing.scale)
        for rows in sweep_rows(self.parameters.V):  # what is picked out of an array is a copy
            part = self._by_head(self.parameters.V[rows]) * factors
            W[rows][..., heads] = self._joined(part, rows)[..., heads]
        b[..., heads] = self.parameters.b[..., heads]

    def take_weights(self) -> tuple[Array, Array]:
        """W (D, K, H) and b (K, H) of a stack that is in training no longer, in its own memory where they have room."""
        W = self._by_head(self.parameters.V)
        W *= self._factors(self.standing.scale)
        self.standing = replace(self.standing, scale=np.ones(self.shape[2]))
        return self._joined(W, slice(None)), self.parameters.b

    def _joined(self, W: Array, rows: slice) -> Array:
        """Some rows of W (r, K, H), of what is trained of it, with its scale: the same array where it is all."""
        common, share = self.parameters.common, self.standing.share
        return W if common is None or share is None else join(W, common[rows], self._factors(share))

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
        common = None if now.common is None else now.common[:, None]
        for array in (now.V, now.M, now.b[None], now.M_bias[None], common):
            if array is not None:
                self._by_head(array)[:, :, idle] = 0

    def _by_head(self, array: Array) -> Array:
        """Rows of a matrix (r, C·H) or (r, C, H) as (r, C, H), the same memory."""
        return array.reshape(array.shape[0], -1, self.shape[2])


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

"""What the exact solver is asked, checked before any work, and the memory that it will take."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from linprobe.core.backend import Array, device_of, move, to_numpy
from linprobe.core.exact._pairs import PAIRS
from linprobe.core.exact.metric import FULL_FEATURES, Metric, directions
from linprobe.core.exact.newton import newton_bytes
from linprobe.core.exact.null import null_model
from linprobe.core.exact.optimum import Optimum
from linprobe.core.finite import first_not_finite
from linprobe.core.heads import OfHeads
from linprobe.core.losses import Loss, SmoothLoss, smooth_loss
from linprobe.core.objective import default_chunk
from linprobe.data.rows import Rows, StoredRows, rows_of
from linprobe.data.weights import Weights
from linprobe.errors import DataError, IncompatibleError, UsageError

__all__ = [
    "CURVATURE_ROWS",
    "Posed",
    "Problem",
    "by_part_bytes",
    "groups",
    "newton_room",
    "pose",
    "refuse_what_is_not_finite",
    "solve_bytes",
    "spans",
    "takes_span",
]

SPAN_NUMBERS = 2**27  # of a basis of the rows, in float64: 1 GiB

# The curvature in the bias is that of so many examples: it may be rough, what is solved with it is exact.
CURVATURE_ROWS = 8192


# So many rows and features are worth a copy in which each fold's rows follow one another, if so many of them are held
# out for a head: narrower products take no less time for a fifth of their columns less.
APART_ROWS, APART_FEATURES, LEFT_OUT, MOST_PARTS, COPIED_BYTES = 4096, 512, 0.05, 64, 2**30


@dataclass(frozen=True, eq=False)
class Posed(OfHeads):
    """What is asked of heads: their number (H,) in the whole stack; reg (H,); shares (K, H) of the classes, by weight;
    null_bias (K, H) and null_objective (H,), those of the null model. All others float64.
    """

    number: np.ndarray
    reg: np.ndarray
    shares: np.ndarray
    null_bias: np.ndarray
    null_objective: np.ndarray


@dataclass(frozen=True, eq=False)
class Problem:
    """What a stack is fitted to, on its device: X, Rows (n, D); y (n,); weights, None where all examples count 1."""

    X: Rows
    y: Array
    heads: Posed
    loss: SmoothLoss
    weights: Weights | None
    intercept: bool

    def array(self, values: Any, dtype: str = "float64") -> Array:
        """Numbers as an array on the device of the problem."""
        return move(np.ascontiguousarray(values, dtype), device_of(self.y))

    def take(self, heads: np.ndarray) -> "Problem":
        """The same for some of the heads."""
        return replace(self, heads=self.heads.take(heads), weights=self.weights_of(heads))

    def on(self, rows: Rows) -> "Problem":
        """The same on other coordinates of its rows."""
        return replace(self, X=rows)

    def by_part(self, dtype: str) -> "Problem":
        """The same with the rows of a fold one after the other, copied: no head is given those that it holds out."""
        weights = self.weights
        if weights is None:
            return self
        order, weights = weights.by_part()
        rows = StoredRows(self.X.read(order, self.array([], dtype)))
        return replace(self, X=rows, y=self.y[order], weights=weights)

    def with_reg(self, reg: np.ndarray) -> "Problem":
        """The same with other penalties (H,)."""
        return replace(self, heads=replace(self.heads, reg=reg))

    def weights_of(self, heads: np.ndarray) -> Weights | None:
        """The weights of some of the heads."""
        return None if self.weights is None else self.weights.take(heads)

    def mean_weight(self) -> np.ndarray | None:
        """The weight of each example (n,), over all heads."""
        return None if self.weights is None else self.weights.mean()

    def curvature_samples(self, heads: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """The rows that the curvature of some heads is measured on: heads that share rows come together.

        heads (h,) -> their places in it (p,), and rows (m,).
        """
        if (weights := self.weights_of(heads)) is None:
            yield np.arange(len(heads)), _spread(np.ones(self.X.shape[0], bool))
            return
        rows, most = _spread(weights.seen()), np.minimum(weights.counted(), CURVATURE_ROWS)
        enough = np.broadcast_to((to_numpy(weights.of(rows)) > 0).sum(axis=0) >= most / 2, len(heads))
        groups = [(np.flatnonzero(enough), rows)]
        groups += [(place, _spread(weights.take(place).seen())) for place in np.flatnonzero(~enough)[:, None]]
        yield from ((places, rows) for places, rows in groups if len(places))

    def start(self, dtype: str) -> Optimum:
        """Where every head begins: the null model."""
        bias, objective, H = self.heads.null_bias, self.heads.null_objective, len(self.heads)
        W, unknown, stopped = (
            np.zeros((self.X.shape[1], *bias.shape), dtype),
            np.full(H, np.inf),
            np.full(H, "max_iter"),
        )
        return Optimum(W, bias, objective, unknown, objective, np.zeros(H, int), stopped)

    def neighbours(self) -> np.ndarray:
        """For each head the one with the next stronger penalty on the same weighted examples, -1 for the first (H,)."""
        H = len(self.heads)
        group = np.zeros(H, int) if self.weights is None else self.weights.column
        found, order = np.full(H, -1), np.lexsort((-self.heads.reg, group))
        same = group[order[1:]] == group[order[:-1]]
        found[order[1:][same]] = order[:-1][same]
        return found


def pose(
    X: Array | Rows,
    y: np.ndarray,
    reg: np.ndarray,
    loss: str | Loss,
    classes: int | None,
    sample_weight: np.ndarray | Weights | None,
    intercept: bool,
    device: str,
    memory: int | None = None,
) -> Problem:
    """The problem, with everything checked that can be before the first pass, and before much memory is asked for."""
    smooth = smooth_loss(loss)
    reg, y = np.atleast_1d(np.asarray(reg, np.float64)), np.asarray(y)
    if reg.ndim != 1 or not np.isfinite(reg).all() or (reg < 0).any():
        raise UsageError("reg must be positive numbers, one for each head")
    if (reg == 0).any():
        raise UsageError(
            "reg is 0: without a penalty there may be no optimum, and none can be certified; use a small one, such as "
            "1e-6 times the mean variance of the features, or solver='sgd'"
        )
    X = rows_of(X)
    if len(X.shape) != 2 or y.shape != (X.shape[0],):
        raise UsageError(f"X has the shape {tuple(X.shape)} and y {y.shape}; they must be (n, D) and (n,)")
    if 0 in X.shape:
        raise UsageError(f"X has the shape {tuple(X.shape)}; an optimum needs at least one example and one feature")
    K = int(y.max()) + 1 if classes is None else classes
    if y.dtype.kind not in "iu" or y.min() < 0 or y.max() >= K:
        raise UsageError(f"labels must be whole numbers from 0 to {K - 1}; y has {y.min()} to {y.max()}")
    groups(1, solve_bytes((1, 1), K, 1, 4, device), memory)  # what the classes alone ask for, or it is refused
    weights = Weights.read(sample_weight, len(y), len(reg))
    if weights is None:
        shares = np.repeat(np.bincount(y, minlength=K)[:, None], len(reg), axis=1) / len(y)
    else:
        shares = weights.of_classes(y, K) / len(y)
    moved = None if weights is None else weights.on(device)
    heads = Posed(np.arange(len(reg)), reg, shares, *null_model(smooth, shares, intercept=intercept))
    return Problem(X.on(device), move(y.astype(np.int64), device), heads, smooth, moved, intercept)


def _spread(rows: np.ndarray) -> np.ndarray:
    """At most CURVATURE_ROWS rows, evenly spread over those that are chosen (n,): their places (m,)."""
    seen = np.flatnonzero(rows)
    count = min(len(seen), CURVATURE_ROWS)
    return seen[np.arange(count) * len(seen) // count]


def refuse_what_is_not_finite(X: Rows, metric: Metric) -> None:
    """Refuse features that the means and variances of which are not finite, naming the first culprit."""
    if np.isfinite(metric.highest()) and bool(np.isfinite(to_numpy(metric.mean)).all()):
        return
    place = first_not_finite(X)
    if place is not None:
        row, column = place
        what = "NaN" if np.isnan(X.read(np.array([row]), np.zeros(0))[0, column]) else "an infinite value"
        raise DataError(f"X has {what} at row {row}, column {column}; remove that row or fill it in")
    raise DataError(
        "X has values so large that their squares are infinite; divide it, for example by its largest value"
    )


def spans(shape: tuple[int, int]) -> bool:
    """Whether dense rows (n, D) are few enough to be turned into their own span, see span.py."""
    n, D = shape
    return n < D and n <= FULL_FEATURES and n * D <= SPAN_NUMBERS


def by_part_bytes(X: Array | Rows, weights: Weights | None, size: int, device: str) -> int:
    """What a copy of dense rows takes in which each fold's follow one another, numbers of so many bytes; 0 where it is
    not worth it, or too large to be made unasked.
    """
    (n, D), rows = X.shape, rows_of(X)
    if weights is None or device != "numpy" or n <= APART_ROWS or D < APART_FEATURES or spans((n, D)):
        return 0
    if rows.elsewhere or rows.values < n * D:
        return 0
    parts, copied = len(weights.table), n * D * size
    worth = parts <= MOST_PARTS and weights.leaves_out() >= LEFT_OUT
    return copied if worth and copied <= COPIED_BYTES else 0


def takes_span(shape: tuple[int, int], K: int, memory: int | None, device: str) -> bool:
    """Whether they are, in this much memory besides the data."""
    return spans(shape) and (memory is None or sum(solve_bytes(shape, K, 1, 8, device)) <= memory)


def solve_bytes(
    shape: tuple[int, int], K: int, heads: int, size: int, device: str = "numpy", *, span: bool | None = None
) -> tuple[int, int]:
    """Memory besides the data, for all heads and for each: dense X (n, D), numbers of so many bytes.

    span: whether the rows are turned into their own span, as they are, in float64, where they are few, unless given.
    """
    n, D = shape
    if spans(shape) if span is None else span:
        # The rows, their basis and its copy in the order of rows; the weights of all features.
        fixed, each = solve_bytes((n, n), K, heads, 8, device)
        return fixed + 3 * 8 * n * D, each + 2 * 8 * D * K
    chunk, rank = default_chunk(K, heads, device), directions((n, D), K * heads)
    # XᵀX, its principal axes, LAPACK's workspace of twice their size and a copy; a chunk of X, centred; BLAS's panels.
    # Losses and weights of a chunk, in float64. Curvatures of a loss in the scores: one at a time with its axes and
    # LAPACK's workspace, and five of every head.
    square = 8 * K**2
    fixed = 5 * D * rank * size + 3 * chunk * D * size + 8 * square + 32 * 2**20
    return fixed, D * K * ((2 * PAIRS + 11) * size + 3 * 8) + min(n, chunk) * (K * 3 * size + 3 * 8) + 5 * square


def newton_room(shape: tuple[int, int], K: int) -> int:
    """Memory of a Newton's step on dense X (n, D), or in the span of few rows; 0 where none is taken."""
    n, _ = shape
    return newton_bytes((n, n) if spans(shape) else shape, K)


def groups(heads: int, room: tuple[int, int], memory: int | None) -> int:
    """In how many stacks, one after the other, so many heads fit into the memory: what `solve_bytes` says, bytes."""
    if memory is None:
        return 1
    fixed, each = room
    most = (memory - fixed) // each
    if most < 1:
        raise IncompatibleError(
            f"a single head needs {(fixed + each) / 2**20:,.0f} MiB besides the data, and {memory / 2**20:,.0f} MiB "
            "are allowed; allow more with memory, or use solver='sgd'"
        )
    return -(-heads // most)

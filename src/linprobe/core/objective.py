"""The objective of heads on shared features: weighted mean loss + λ ΣW², and its gradient, in row chunks."""

from dataclasses import dataclass

import numpy as np

from linprobe.core.backend import Array, device_of, laid_as, namespace, row_chunks, to_numpy
from linprobe.core.losses import Loss, find_loss
from linprobe.data.rows import Rows, rows_of
from linprobe.data.terms import Addend, Chunk, Outer, OuterOfSome
from linprobe.data.weights import Weights
from linprobe.errors import UsageError

__all__ = ["CHUNK_ROWS", "default_chunk", "loss_and_gradient", "objective_and_gradient"]

# The scores of a chunk are what a pass over the rows needs in memory besides X and the gradient. On float32 features
# (20,000 x 3,072) and 10 heads of 10 classes, 512 to 4,096 rows take the same time, all rows at once twice as long.
# The second number keeps wide stacks at 64 MiB of float32.
CHUNK_ROWS = 2048
CHUNK_SCORES = 2**24
DEVICE_CHUNKS = 16  # times as many on a CUDA device, which needs more at a time to be busy


def objective_and_gradient(
    X: Array | Rows,
    y: Array,
    W: Array,
    b: Array | None,
    loss: str | Loss,
    reg: Array,
    *,
    sample_weight: Array | Weights | None = None,
    reg_bias: bool = False,
    chunk_rows: int | None = None,
) -> tuple[Array, Array, Array]:
    """Objective of every head of a stack and its gradient in the weights and in the bias.

    X (n, D), Rows or what they can be made of, of any numeric dtype; y (n,) int in [0, K); W (D, K, H) float; b (K, H),
    or None for heads without a bias; loss, one of LOSSES or its name; reg (H,) >= 0; sample_weight (n,) or (n, H), >=
    0, or Weights, 1 unless given; reg_bias, whether the penalty counts b too; chunk_rows, rows per pass, chosen from K
    and H unless given -> objective (H,), dW (D, K, H), db (K, H), or None without b; all float64, and all new arrays.

    Products run in the dtype of W, and where W is: rows of X that are elsewhere are moved there chunk by chunk. What is
    summed over rows is summed in float64, products over a few chunks first in the dtype of W. Beyond what it returns,
    it needs memory for the scores of one chunk, two products of W's shape, and a chunk of X when its dtype is not W's.
    Raises UsageError for shapes that do not fit, labels outside [0, K) and weights that are negative or sum to zero.
    """
    xp, rows = namespace(W), rows_of(X)
    D, K, H = W.shape
    n = rows.shape[0]
    reg = xp.asarray(reg, dtype=xp.float64, device=W.device)
    _check_shapes(rows, y, W, b, reg)
    _check_labels(y, K)
    if chunk_rows is None:
        chunk_rows = default_chunk(K, H, device_of(W))
    elif chunk_rows < 1:
        raise UsageError(f"chunk_rows is {chunk_rows}; it must be at least 1")

    columns, bias = _columns(W, b)
    weights = Weights.read(sample_weight, n, H)
    apart = weights is not None and len(weights.borders) > 0
    objective, dW, *of_bias = rows.reduce(
        _Pass(columns, bias, find_loss(loss), (K, H), n, apart),
        W,
        size=chunk_rows,
        labels=y,
        weights=weights,
    )
    db = of_bias[0] if of_bias else None
    if K == 2:
        dW, db = xp.stack((-dW, dW), axis=1), None if db is None else xp.concat((-db, db), axis=0)
    dW = xp.reshape(dW, (D, K, H))
    dW /= n
    for features_slice in row_chunks(D, max(1, CHUNK_SCORES // (K * H))):  # no float64 copy of all of W
        part = xp.astype(W[features_slice], xp.float64)
        objective += reg * xp.sum(part * part, axis=(0, 1))
        part *= 2 * reg
        dW[features_slice] += part
    if db is not None:
        db /= n
        if b is not None and reg_bias:
            bias = xp.astype(b, xp.float64)
            objective += reg * xp.sum(bias * bias, axis=0)
            db += 2 * reg * bias
    return objective, dW, db


def _columns(W: Array, b: Array | None) -> tuple[Array, Array | None]:
    """What rows are multiplied with, and its bias: all classes, or of two the second less the first.

    Nothing changes where a number is added to all scores: two classes are one column, whose slope the first has with
    the other sign.
    """
    D, K, H = W.shape
    if K == 2:
        return W[:, 1] - W[:, 0], None if b is None else b[1:] - b[:1]
    return namespace(W).reshape(W, (D, K * H)), b


@dataclass(frozen=True, eq=False)
class _Pass:
    """Of heads whose `_columns` are W and b, on some of n rows: the mean loss (H,), and n times its gradient in these.

    shape: classes and heads (K, H). apart: chunks are such that many of them count nothing for some of the heads.
    """

    W: Array
    b: Array | None
    loss: Loss
    shape: tuple[int, int]
    n: int
    apart: bool = False

    def __call__(self, chunk: Chunk) -> tuple[Array | Addend, ...]:
        trained = self._trained(chunk) if self.apart else None
        if trained is None:
            losses, slope, *of_bias = self._of(chunk, self.W, self.b, self.shape[1], chunk.weights)
            return losses, Outer(chunk.X, slope), *of_bias
        # The heads that hold these rows out need no products.
        xp, H, W, b = namespace(self.W), self.shape[1], self.W, self.b
        heads = xp.asarray(trained, device=W.device)
        columns = xp.asarray((np.arange(W.shape[1] // H)[:, None] * H + trained).reshape(-1), device=W.device)
        weights = xp.take(chunk.weights, heads, axis=1)
        W, b = xp.take(W, columns, axis=1), None if b is None else xp.take(b, heads, axis=1)
        losses, slope, *of_bias = self._of(chunk, W, b, len(trained), weights)

        def spread(values: Array) -> Array:
            found = xp.zeros((*values.shape[:-1], H), dtype=xp.float64, device=values.device)
            found[..., heads] = values
            return found

        placed = OuterOfSome(chunk.X, slope, columns, self.W.shape[1])
        return spread(losses), placed, *(spread(values) for values in of_bias)

    def _trained(self, chunk: Chunk) -> np.ndarray | None:
        """The heads (h,) for which any row of a chunk counts; None for all, or where none or all of them are such."""
        weights, H = chunk.weights, self.shape[1]
        if weights is None or weights.shape[1] != H:
            return None
        found = np.flatnonzero(to_numpy(namespace(weights).any(weights > 0, axis=0)))
        return found if 0 < len(found) < H else None

    def _of(self, chunk: Chunk, W: Array, b: Array | None, heads: int, weights: Array | None) -> tuple[Array, ...]:
        """Of so many heads, whose columns are W and b: losses (h,), slope in the scores (m, k·h), and in b (k, h)."""
        xp, K = namespace(W), self.shape[0]
        scores = chunk.scores(W, b, (1 if K == 2 else K, heads))
        if K == 2:
            scores = xp.concat((xp.zeros_like(scores), scores), axis=1)
        losses, slope = self.loss.value_and_slope(scores, chunk.labels)
        if K == 2:
            slope = slope[:, 1:]
        losses = xp.astype(losses, xp.float64)
        losses /= self.n
        if weights is not None:
            losses *= weights
            slope *= laid_as(slope[:, 0], xp.astype(weights, W.dtype))[:, None, :]
        found = xp.sum(losses, axis=0), xp.reshape(slope, (-1, W.shape[1]))
        return found if b is None else (*found, xp.sum(slope, axis=0, dtype=xp.float64))


def default_chunk(classes: int, heads: int, device: str) -> int:
    """How many rows are passed at a time."""
    more = DEVICE_CHUNKS if device == "cuda" else 1
    return max(1, min(more * CHUNK_ROWS, more * CHUNK_SCORES // (classes * heads)))


def loss_and_gradient(
    W: np.ndarray, X: np.ndarray, y: np.ndarray, reg: float, loss: str | Loss
) -> tuple[float, np.ndarray]:
    """Objective of a single head and its gradient, in the worksheet's form: the bias is a column of X and a row of W.

    W (D, C) float; X (N, D); y (N,) int in [0, C); reg >= 0, on all of W -> objective, dW (D, C); nothing is changed.
    One product, one loss, one product back: for data that fits in memory, without the stack's checks and chunks.
    """
    slope = X @ W
    # The scores are overwritten by their slope.
    losses, _ = find_loss(loss).value_and_slope(slope[:, :, None], np.asarray(y))
    dW = X.T @ slope
    dW /= len(X)
    dW += 2 * reg * W
    objective = np.sum(losses / len(X), dtype=np.float64) + reg * np.sum(np.square(W, dtype=np.float64))
    return float(objective), dW


def _check_shapes(X: Rows, y: Array, W: Array, b: Array | None, reg: Array) -> None:
    """Refuse what would otherwise broadcast into a wrong answer, or fail without naming its cause."""
    D, K, H = W.shape
    n = X.shape[0]
    expected = {"X": (X, (n, D)), "y": (y, (n,)), "reg": (reg, (H,))}
    if b is not None:
        expected["b"] = (b, (K, H))
    for name, (array, wanted) in expected.items():
        if tuple(array.shape) != wanted:
            raise UsageError(f"{name} has the shape {tuple(array.shape)}; W of {(D, K, H)} and {n} rows need {wanted}")
    if n == 0:
        raise UsageError("X has no rows; an objective needs at least one example")


def _check_labels(y: Array, K: int) -> None:
    """Refuse labels that would pick no score, or, below zero, silently pick another class's."""
    xp = namespace(y)
    lowest, highest = int(xp.min(y)), int(xp.max(y))
    if lowest < 0 or highest >= K:
        wrong = lowest if lowest < 0 else highest
        raise UsageError(f"y has the label {wrong}; with {K} classes in W, labels are 0 to {K - 1}")

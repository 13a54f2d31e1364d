"""The objective of heads on shared features: weighted mean loss + λ ΣW², and its gradient, in row chunks."""

import numpy as np

from linprobe.core.backend import (
    Array,
    add_product,
    device_of,
    is_sparse,
    move,
    namespace,
    product,
    row_chunks,
)
from linprobe.core.losses import Loss, find_loss
from linprobe.data.weights import Weights
from linprobe.errors import UsageError

# The scores of a chunk are what a pass over the rows needs in memory besides X and the gradient. On float32 features
# (20,000 x 3,072) and 10 heads of 10 classes, 512 to 4,096 rows take the same time, all rows at once twice as long.
# The second number keeps wide stacks at 64 MiB of float32.
CHUNK_ROWS = 2048
CHUNK_SCORES = 2**24
DEVICE_CHUNKS = 16  # times as many on a CUDA device, which needs more at a time to be busy

# Products add up in the dtype of W over so many rows, then in float64: often enough that sums of float32 keep their
# digits, seldom enough that adding a matrix of the size of W costs nothing beside the products.
FLUSH_ROWS = 2**15


def objective_and_gradient(
    X: Array,
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

    X (n, D), of any numeric dtype, or a sparse matrix; y (n,) int in [0, K); W (D, K, H) float; b (K, H), or None for
    heads without a bias; loss, one of LOSSES or its name; reg (H,) >= 0; sample_weight (n,) or (n, H), >= 0, or
    Weights, 1 unless given; reg_bias, whether the penalty counts b too; chunk_rows, rows per pass, chosen from K and H
    unless given -> objective (H,), dW (D, K, H), db (K, H), or None without b; all float64, and all new arrays.

    Products run in the dtype of W, and where W is: rows of X that are elsewhere are moved there chunk by chunk. What is
    summed over rows is summed in float64, over less than FLUSH_ROWS of them in the dtype of W. Beyond what it returns,
    it needs memory for the scores of one chunk, one product of W's shape, and a chunk of X when its dtype is not W's.
    Raises UsageError for shapes that do not fit, labels outside [0, K) and weights that are negative or sum to zero.
    """
    xp, value_and_slope = namespace(W), find_loss(loss).value_and_slope
    D, K, H = W.shape
    n = X.shape[0]
    reg = xp.asarray(reg, dtype=xp.float64, device=W.device)
    _check_shapes(X, y, W, b, reg)
    _check_labels(y, K)
    weights = Weights.read(sample_weight, n, H)
    weights = None if weights is None else weights.on(device_of(W))
    if chunk_rows is None:
        chunk_rows = default_chunk(K, H, device_of(W))
    elif chunk_rows < 1:
        raise UsageError(f"chunk_rows is {chunk_rows}; it must be at least 1")

    flat = xp.reshape(W, (D, K * H))
    like = {"dtype": W.dtype, "device": W.device}
    buffer = xp.empty((min(n, chunk_rows), K, H), **like)
    objective = xp.zeros(H, dtype=xp.float64, device=W.device)
    partial, partial_rows = xp.zeros((D, K * H), **like), 0
    dW = xp.zeros((D, K * H), dtype=xp.float64, device=W.device)
    db = None if b is None else xp.zeros((K, H), dtype=xp.float64, device=W.device)
    for rows in row_chunks(n, chunk_rows):
        features, labels = chunk_of(X, rows, W), move(y[rows], device_of(W))
        scores = buffer[: len(labels)]
        product(features, flat, xp.reshape(scores, (-1, K * H)))
        if b is not None:
            scores += b
        losses, slope = value_and_slope(scores, labels)
        losses = xp.astype(losses, xp.float64)
        losses /= n
        if weights is not None:
            weight = weights.of(rows)
            losses *= weight
            slope *= xp.astype(weight, W.dtype)[:, None, :]
        objective += xp.sum(losses, axis=0)
        add_product(partial, features, xp.reshape(slope, (-1, K * H)), 1.0)
        partial_rows += len(labels)
        if partial_rows + chunk_rows > FLUSH_ROWS or rows.stop == n:
            dW += partial
            partial[...], partial_rows = 0, 0
        if db is not None:
            db += xp.sum(slope, axis=0, dtype=xp.float64)

    dW = xp.reshape(dW, (D, K, H))
    dW /= n
    for features_slice in row_chunks(D, max(1, CHUNK_SCORES // (K * H))):  # no float64 copy of all of W
        part = xp.astype(W[features_slice], xp.float64)
        objective += reg * xp.sum(part * part, axis=(0, 1))
        part *= 2 * reg
        dW[features_slice] += part
    if b is not None:
        db /= n
        if reg_bias:
            bias = xp.astype(b, xp.float64)
            objective += reg * xp.sum(bias * bias, axis=0)
            db += 2 * reg * bias
    return objective, dW, db


def chunk_of(X: Array, rows: slice | np.ndarray, like: Array) -> Array:
    """Some rows of X in the dtype of an array and on its device; a copy only where they are not."""
    if is_sparse(X):
        return X[rows].astype(like.dtype, copy=False)
    return namespace(like).astype(move(X[rows], device_of(like)), like.dtype, copy=False)


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


def _check_shapes(X: Array, y: Array, W: Array, b: Array | None, reg: Array) -> None:
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

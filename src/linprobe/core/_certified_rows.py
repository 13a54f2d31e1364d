"""The arguments of the certificate, checked, the margins of some of the rows, and what rounding does to these.

Like the certificate it shares nothing with what that judges. The bounds of rounding: docs/certificate.md.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.sparse import issparse

from linprobe.core.backend import row_chunks
from linprobe.data.rows import Rows, rows_of
from linprobe.data.terms import Chunk, Term
from linprobe.errors import IncompatibleError, UsageError

__all__ = [
    "CHUNK_FEATURES",
    "CHUNK_ROWS",
    "CHUNK_SCORES",
    "UNDERFLOW",
    "UNIT",
    "Certification",
    "Claim",
    "Margins",
    "sum_rows",
]

SMALLEST_WEIGHT = 1e-290  # of an example, as a share of all: smaller ones underflow

UNIT = 2.0**-53  # the largest relative error of one operation in float64
UNDERFLOW = 1e-300  # more than all that a sum loses where numbers are too small to have it

# Numbers in a chunk of rows, in float64: 8 MiB, and 8 MiB a temporary. The rows of a chunk and the columns of a block
# are added up by themselves, so that the bounds of their rounding, which grow with the number of terms, stay small.
CHUNK_FEATURES, CHUNK_SCORES, CHUNK_ROWS, BLOCK = 2**20, 2**20, 2**12, 128


@dataclass(frozen=True, eq=False)
class Claim:
    """What is judged, with the heads first: W (H, D, K), b (H, K), reg (H,).

    possible (H, K): whether the optimum can give a class a score. A class without a weighted example costs least with a
    bias of minus infinity; without a bias there is no such way out, and all are possible.
    """

    W: np.ndarray
    b: np.ndarray | None
    reg: np.ndarray
    possible: np.ndarray


@dataclass(frozen=True, eq=False)
class Certification:
    """The arguments of `certify`, checked: a stack, and the rows that it is judged on, so many at a time.

    y (n,), weight (n, H), and their sums total (H,).
    """

    stack: Claim
    rows: Rows
    y: np.ndarray
    weight: np.ndarray
    total: np.ndarray
    chunk_rows: int

    @classmethod
    def of(cls, X: Any, y: Any, W: Any, b: Any, reg: Any, sample_weight: Any) -> "Certification":
        """From the arguments; raises what `certify` raises."""
        W = _real("W", W)
        if W.ndim != 3 or 0 in W.shape[1:]:
            raise UsageError(f"certify: W has the shape {W.shape}; it must be (features, classes, heads)")
        D, K, H = W.shape
        y = np.asarray(y)
        if not isinstance(X, Rows):
            X = X.tocsr() if issparse(X) else np.asarray(X)
        if len(X.shape) != 2 or X.shape[0] == 0 or X.shape[1] != D or X.dtype.kind not in "biuf":
            raise UsageError(f"certify: X is {X.dtype} of shape {X.shape}; it must be numbers, one or more rows of {D}")
        n = X.shape[0]
        if y.shape != (n,) or y.dtype.kind not in "iu" or y.min() < 0 or y.max() >= K:
            raise UsageError(f"certify: y is {y.dtype} of shape {y.shape}; it must be {n} integers from 0 to {K - 1}")
        reg = _real("reg", reg, (H,))
        if reg.min() < 0:
            raise UsageError(f"certify: reg is {reg.min():g}; it must be positive")
        if reg.min() == 0:
            raise IncompatibleError("certify: without a penalty there is no bound; train with a small reg above 0")
        weight = np.ones((n, 1)) if sample_weight is None else _real("sample_weight", sample_weight, (n,), (n, H))
        weight = np.broadcast_to(weight.reshape(n, -1), (n, H))
        total, smallest = np.zeros(H), np.full(H, np.inf)
        with np.errstate(over="ignore"):
            for rows in row_chunks(n, CHUNK_ROWS):
                total += sum_rows(weight[rows])
                smallest = np.minimum(smallest, np.where(weight[rows] > 0, weight[rows], np.inf).min(axis=0))
        if weight.min() < 0 or not ((total > 0) & np.isfinite(total)).all():
            raise UsageError("certify: sample_weight must be 0 or more, with a sum above 0 for every head")
        if (smallest < SMALLEST_WEIGHT * total).any():
            raise UsageError(
                f"certify: sample_weight has a value below {SMALLEST_WEIGHT:g} of its sum, too little for float64; set "
                "it to 0"
            )
        possible = np.ones((H, K), bool)
        if b is not None:
            b = np.ascontiguousarray(_real("b", b, (K, H)).T)
            possible = np.array([np.bincount(y, weight[:, head], K) > 0 for head in range(H)])
        stack, rows = Claim(np.ascontiguousarray(np.moveaxis(W, -1, 0)), b, reg, possible), rows_of(X)
        most = min(CHUNK_FEATURES // max(1, rows.values // n), CHUNK_SCORES // K, CHUNK_ROWS, n)
        return cls(stack, rows, y, weight, total, max(1, most))

    def reduce(self, term: Term) -> tuple[np.ndarray, ...]:
        """The sums of a term over all rows, all in float64."""
        weights = _Shares(self.weight, self.total)
        return self.rows.reduce(term, np.zeros(0), size=self.chunk_rows, labels=self.y, weights=weights)


@dataclass(frozen=True, eq=False)
class _Shares:
    """Weights (n, H) as shares of their sums (H,)."""

    weight: np.ndarray
    total: np.ndarray

    def of(self, rows: slice | np.ndarray) -> np.ndarray:
        return self.weight[rows] / self.total

    def on(self, device: str) -> "_Shares":
        del device  # there is one only
        return self

    @property
    def by_row(self) -> tuple[Any, ...]:
        return (self.weight,)

    def with_rows(self, by_row: tuple[Any, ...]) -> "_Shares":
        return _Shares(by_row[0], self.total)


class Margins:
    """Some rows as a stack sees them: features (m, D), labels (m,), weights (m, H)."""

    def __init__(self, stack: Claim, chunk: Chunk) -> None:
        _check_features(chunk.X, chunk.rows)
        self.stack, self.features, self.weights = stack, chunk.X, chunk.weights
        self.labels = chunk.labels.astype(np.intp)

    def of(self, head: int) -> np.ndarray:
        """Scores less that of the label (m, K); 0 for rows of weight 0, whatever they hold."""
        W = self.stack.W[head]
        if issparse(self.features):
            margins = self.features @ W
        else:
            margins = np.zeros((len(self.labels), W.shape[1]))
            for columns in row_chunks(len(W), BLOCK):
                margins += self.features[:, columns] @ W[columns]
        if self.stack.b is not None:
            margins += self.stack.b[head]
        margins -= margins[np.arange(len(self.labels)), self.labels][:, None]
        margins[self.weights[:, head] == 0] = 0
        return margins

    @cached_property
    def sizes(self) -> np.ndarray:
        """Euclidean length of every row, but never less than underflow hides (m,)."""
        if issparse(self.features):
            squares = np.asarray(self.features.multiply(self.features).sum(axis=1)).ravel()
        else:
            squares = np.einsum("md,md->m", self.features, self.features)
        return np.sqrt(squares + self.features.shape[1] * UNDERFLOW)

    def errors(self, head: int) -> np.ndarray:
        """What rounding may have put every margin off by (m, K)."""
        W, each = self.stack.W[head], np.arange(len(self.labels))
        terms = len(W) if len(W) <= BLOCK else BLOCK + -(-len(W) // BLOCK)
        if issparse(self.features):
            terms = int(np.diff(self.features.indptr).max())
        reach = self.sizes[:, None] * np.sqrt(np.einsum("dk,dk->k", W, W) + len(W) * UNDERFLOW)
        if self.stack.b is not None:
            reach += np.abs(self.stack.b[head])
        reach += reach[each, self.labels][:, None]
        reach[each, self.labels] = 0
        reach[self.weights[:, head] == 0] = 0
        return 2 * UNIT * (terms + 8) * reach


def sum_rows(terms: np.ndarray) -> np.ndarray:
    """The sum over the first axis, in halves: two roundings for every doubling of the number of terms."""
    while len(terms) > 1:
        half = len(terms) // 2
        rest, terms = terms[2 * half :], terms[:half] + terms[half : 2 * half]
        if len(rest):
            terms[0] += rest[0]
    return terms[0]


def _real(name: str, array: npt.ArrayLike, *shapes: tuple[int, ...]) -> np.ndarray:
    """A float64 array of one of the shapes, if any are given, with finite values; UsageError for any other."""
    array = np.asarray(array, np.float64)
    if shapes and array.shape not in shapes:
        raise UsageError(f"certify: {name} has the shape {array.shape}; it must be {' or '.join(map(str, shapes))}")
    if not np.isfinite(array).all():
        where = tuple(map(int, np.argwhere(~np.isfinite(array))[0]))
        raise UsageError(f"certify: {name} is {array[where]} at {where}; it must be finite")
    return array


def _check_features(features: Any, rows: slice | np.ndarray) -> None:
    """Refuse some rows of X, of these numbers, with a value that is not finite."""
    values = features.data if issparse(features) else features
    if np.isfinite(values).all():
        return
    if issparse(features):
        features = features.toarray()
    row, column = map(int, np.argwhere(~np.isfinite(features))[0])
    raise UsageError(
        f"certify: X is {features[row, column]} in row {np.r_[rows][row]}, column {column}; it must be finite: fill in "
        "or leave out such rows"
    )

"""How far heads can be from their optimum, proven from X, y, W, b and λ alone. The proof: docs/certificate.md.

Independent, on purpose, of what it judges: nothing here comes from the losses, the objective or the solvers.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.sparse import issparse

from linprobe.arrays import row_chunks
from linprobe.errors import IncompatibleError, UsageError

# A bias is taken for the best one where no score is off by more than this (float32 rounds a bias of 1,000 by 3e-5), or
# where being further off costs no more than this share of the objective. Any other was not fitted, and is refused.
BIAS_TOLERANCE = 1e-4
NEGLIGIBLE = 1e-9
# What may be left of the sums of the slopes after their repair, as a share of the objective.
LEFT_OVER = 1e-13

CHUNK_FEATURES, CHUNK_SCORES = 2**22, 2**20  # numbers in a chunk of rows, in float64: 32 MiB, and 8 MiB a temporary

TOO_LARGE = "certify: objective or gap is too large for float64; scale the features down, or raise reg"


@dataclass(frozen=True, eq=False)
class Certificate:
    """objective, gap (H,) float64: no weights and no bias have an objective below objective - gap."""

    objective: np.ndarray
    gap: np.ndarray

    @property
    def lower_bound(self) -> np.ndarray:
        """What the lowest objective is proven not to be below (H,)."""
        return self.objective - self.gap


def certify(
    X: Any,
    y: npt.ArrayLike,
    W: npt.ArrayLike,
    b: npt.ArrayLike | None,
    reg: npt.ArrayLike,
    loss: str,
    *,
    sample_weight: npt.ArrayLike | None = None,
) -> Certificate:
    """Objective of every head of a stack, and a proven bound on what any other weights and bias could take off it.

    X (n, D), an array of any real type, in memory or mapped, or a SciPy sparse matrix; y (n,) int in [0, K);
    W (D, K, H); b (K, H), not penalised, or None for heads without; reg (H,) > 0; loss "softmax" or "squared_hinge";
    sample_weight (n,) or (n, H), >= 0. The objective is the weighted mean loss + reg ΣW². All arithmetic is float64;
    rows are converted chunk by chunk, and with a bias X is read twice. The gap is never negative.
    Raises IncompatibleError where nothing can be certified: another loss, reg = 0, a bias that is not the best one for
    the weights. Raises UsageError for arguments that do not fit each other, or are not finite.
    """
    if loss not in CERTIFIABLE:
        raise IncompatibleError(
            f"certify: there is no certificate for the loss {loss!r}; train with {' or '.join(map(repr, CERTIFIABLE))}"
        )
    stack = _Stack.of(X, y, W, b, reg, sample_weight)
    with np.errstate(over="ignore", invalid="ignore", under="ignore"):
        certificate = _certify(stack, *CERTIFIABLE[loss])
    if not (np.isfinite(certificate.objective) & np.isfinite(certificate.gap)).all():
        raise UsageError(TOO_LARGE)
    return certificate


@dataclass(frozen=True, eq=False)
class _Stack:
    """The arguments, checked, with the heads first: W (H, D, K), b (H, K), reg (H,); weight (n, H), total (H,).

    possible (H, K): whether the optimum can give a class a score. A class without a weighted example costs least with a
    bias of minus infinity; without a bias there is no such way out, and all are possible.
    """

    X: Any
    y: np.ndarray
    W: np.ndarray
    b: np.ndarray | None
    reg: np.ndarray
    weight: np.ndarray
    total: np.ndarray
    possible: np.ndarray

    @classmethod
    def of(cls, X: Any, y: Any, W: Any, b: Any, reg: Any, sample_weight: Any) -> "_Stack":
        """The arguments of `certify`; raises what it raises."""
        W = _real("W", W)
        if W.ndim != 3 or 0 in W.shape[1:]:
            raise UsageError(f"certify: W has the shape {W.shape}; it must be (features, classes, heads)")
        D, K, H = W.shape
        X, y = X.tocsr() if issparse(X) else np.asarray(X), np.asarray(y)
        if X.ndim != 2 or X.shape[0] == 0 or X.shape[1] != D or X.dtype.kind not in "biuf":
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
        total = weight.sum(axis=0)
        if weight.min() < 0 or not ((total > 0) & np.isfinite(total)).all():
            raise UsageError("certify: sample_weight must be 0 or more, with a sum above 0 for every head")
        possible = np.ones((H, K), bool)
        if b is not None:
            b = np.ascontiguousarray(_real("b", b, (K, H)).T)
            possible = np.array([np.bincount(y, weight[:, head], K) > 0 for head in range(H)])
        return cls(X, y, np.ascontiguousarray(np.moveaxis(W, -1, 0)), b, reg, weight, total, possible)

    def pieces(self) -> Iterator[tuple[int, Any, np.ndarray, np.ndarray, np.ndarray]]:
        """Every head on every chunk of rows: head, features (m, D), labels (m,), weight (m,), margins (m, K).

        A head's weights add up to 1 over all rows. Margins are the scores less that of the label.
        """
        n, D = self.X.shape
        width = self.X.nnz // n if issparse(self.X) else D
        size = max(1, min(CHUNK_FEATURES // max(1, width), CHUNK_SCORES // self.W.shape[2]))
        for rows in row_chunks(n, size):
            features = self.X[rows].astype(np.float64)
            _check_features(features, rows.start)
            labels, each = self.y[rows].astype(np.intp), np.arange(features.shape[0])
            for head, W in enumerate(self.W):
                margins = features @ W
                if self.b is not None:
                    margins += self.b[head]
                margins -= margins[each, labels][:, None]
                weight = self.weight[rows, head] / self.total[head]
                margins[weight == 0] = 0  # whatever they are: 0 times infinity would be NaN
                yield head, features, labels, weight, margins


@dataclass(frozen=True, eq=False)
class _Points:
    """What a loss makes of margins (m, K): its values (m,), its slopes in the scores (m, K), and how they can be moved.

    An example moves givers_k · takers_j · (v_j - v_k) of its slope from class k to class j: linear in v, the sum over
    the classes stays 0, and it is the slope's own change for small steps v of the bias. givers, takers (m, K), >= 0.
    """

    loss: np.ndarray
    slope: np.ndarray
    givers: np.ndarray
    takers: np.ndarray

    def ahead(self, v: np.ndarray) -> np.ndarray:
        """A step v (K,) less its mean over an example's givers (m, K)."""
        return v - (self.givers @ v)[:, None]

    def change(self, v: np.ndarray, labels: np.ndarray) -> np.ndarray:
        """Change of the slopes (m, K) by a step v (K,)."""
        given = self.givers * ((self.takers @ v)[:, None] - v * self.takers.sum(axis=1)[:, None])
        return _balanced(self.takers * self.ahead(v) - given, labels)


def _softmax(margins: np.ndarray, labels: np.ndarray) -> _Points:
    """Cross-entropy; with givers p and takers p / 2, classes k and j exchange p_k p_j (v_j - v_k)."""
    each = np.arange(len(labels))
    highest = np.maximum(margins.max(axis=1), 0)
    p = np.exp(margins - highest[:, None])
    p[each, labels] = 0
    # Less 1, so that a loss near 0 keeps its digits: the sum of exp(margin - highest) with the label's own.
    beyond_one = np.expm1(-highest) + p.sum(axis=1)
    p /= 1 + beyond_one[:, None]
    slope = _balanced(p.copy(), labels)
    p[each, labels] = np.exp(-highest) / (1 + beyond_one)
    return _Points(highest + np.log1p(beyond_one), slope, p, p / 2)


def _divergence(points: _Points, v: np.ndarray) -> np.ndarray:
    """KL(p + change ‖ p) for a step v: p (1 + z) log(1 + z) summed, z the relative change; less p z, whose sum is 0."""
    z = points.ahead(v)
    return np.sum(points.givers * ((1 + z) * np.log1p(z) - z), axis=1)


def _squared_hinge(margins: np.ndarray, labels: np.ndarray) -> _Points:
    """Squared hinge; the label gives, and a wrong class takes as the loss is curved, but never more than it has."""
    each = np.arange(len(labels))
    terms = np.maximum(1 + margins, 0)
    terms[each, labels] = 0
    label = np.zeros_like(terms)
    label[each, labels] = 1
    takers = np.minimum(2, terms / BIAS_TOLERANCE)
    return _Points(np.sum(terms**2, axis=1), _balanced(2 * terms, labels), label, takers)


def _squares(points: _Points, v: np.ndarray) -> np.ndarray:
    """Sum over the wrong classes of (change / 2)² for a step v."""
    return np.sum((points.takers * points.ahead(v) / 2) ** 2, axis=1)


# For each loss its points, what a step of them costs, and the longest step that surely leaves them where the
# conjugate is finite: a step of 0.25 takes at most half off a probability.
CERTIFIABLE = {"softmax": (_softmax, _divergence, 0.25), "squared_hinge": (_squared_hinge, _squares, BIAS_TOLERANCE)}


def _certify(stack: _Stack, points_of: Any, cost: Any, longest: float) -> Certificate:
    """Objective and gap of a checked stack, for a loss as CERTIFIABLE has it."""
    H, D, K = stack.W.shape
    never = np.where(stack.possible, 0, -np.inf)
    step = np.zeros((H, K)) if stack.b is None else _steps(stack, points_of, longest, never)
    off = np.abs(step).max(axis=1)
    step[off > longest] = 0
    objective, gap, repair, gradient = np.zeros(H), np.zeros(H), np.zeros(H), np.zeros((H, D, K))
    for head, features, labels, weight, margins in stack.pieces():
        points = points_of(margins, labels)
        objective[head] += weight @ points.loss
        if not stack.possible[head].all():
            optimal = points_of(margins + never[head], labels)
            gap[head] += weight @ np.maximum(points.loss - optimal.loss, 0)
            points = optimal
        repair[head] += weight @ cost(points, step[head])
        slope = points.slope + points.change(step[head], labels)
        gradient[head] += features.T @ (weight[:, None] * slope)
    for head, reg in enumerate(stack.reg):
        W = stack.W[head]
        objective[head] += reg * np.sum(W * W)
        gradient[head] += 2 * reg * W
        gap[head] += np.sum(gradient[head] ** 2) / (4 * reg)
    gap += np.maximum(repair, 0)
    _check_bias(off, (off > longest) | ((off > BIAS_TOLERANCE) & (repair > NEGLIGIBLE * objective)))
    return Certificate(objective, gap)


def _steps(stack: _Stack, points_of: Any, longest: float, never: np.ndarray) -> np.ndarray:
    """The steps of the bias (H, K) after which every class's slopes add up to 0; infinite where there are none."""
    H, _, K = stack.W.shape
    size = stack.reg * np.einsum("hdk,hdk->h", stack.W, stack.W)
    sums, exchange = np.zeros((H, K)), np.zeros((H, K, K))
    for head, _, labels, weight, margins in stack.pieces():
        points = points_of(margins + never[head], labels)
        size[head] += weight @ points.loss
        sums[head] += weight @ points.slope
        exchange[head] += points.givers.T @ (weight[:, None] * points.takers)
    if not (np.isfinite(size).all() and np.isfinite(exchange).all()):
        raise UsageError(TOO_LARGE)
    steps = np.zeros((H, K))
    for head in range(H):
        # A graph on the classes with these weights on its edges: its Laplacian is the second derivative in the bias.
        edges = exchange[head] + exchange[head].T
        np.fill_diagonal(edges, 0)
        laplacian = np.diag(edges.sum(axis=1)) - edges
        curvature, directions = np.linalg.eigh(laplacian)
        # Classes that exchange next to nothing would turn rounding into a long step. What a step in a direction that is
        # left out could have moved is within LEFT_OVER.
        kept = curvature > LEFT_OVER * size[head] / longest
        directions = directions[:, kept]
        steps[head] = -directions @ ((sums[head] @ directions) / curvature[kept])
        if np.abs(sums[head] + laplacian @ steps[head]).sum() > LEFT_OVER * size[head]:
            steps[head] = np.inf
    return steps


def _check_bias(off: np.ndarray, wrong: np.ndarray) -> None:
    """Refuse heads (H,) whose bias is wrong, by the score that it is off by."""
    if not wrong.any():
        return
    heads = np.flatnonzero(wrong)
    listed = ", ".join(f"head {head}" + (f" by about {off[head]:.1g}" if off[head] < 1 else "") for head in heads[:3])
    listed += f" and {len(heads) - 3} more" if len(heads) > 3 else ""
    raise IncompatibleError(
        f"certify: the bias is not the best for the weights ({listed}; {BIAS_TOLERANCE:g} is allowed), so nothing "
        "follows for the optimum; fit the bias to these weights first, or train with solver='exact'"
    )


def _balanced(slope: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """The slopes with the label's set, in place, to minus the sum of the others': there it has all its digits."""
    each = np.arange(len(labels))
    slope[each, labels] = 0
    slope[each, labels] = -slope.sum(axis=1)
    return slope


def _real(name: str, array: npt.ArrayLike, *shapes: tuple[int, ...]) -> np.ndarray:
    """A float64 array of one of the shapes, if any are given, with finite values; UsageError for any other."""
    array = np.asarray(array, np.float64)
    if shapes and array.shape not in shapes:
        raise UsageError(f"certify: {name} has the shape {array.shape}; it must be {' or '.join(map(str, shapes))}")
    if not np.isfinite(array).all():
        where = tuple(map(int, np.argwhere(~np.isfinite(array))[0]))
        raise UsageError(f"certify: {name} is {array[where]} at {where}; it must be finite")
    return array


def _check_features(features: Any, first: int) -> None:
    """Refuse a chunk of rows, the first of them the given one of X, with a value that is not finite."""
    values = features.data if issparse(features) else features
    if np.isfinite(values).all():
        return
    if issparse(features):
        features = features.toarray()
    row, column = map(int, np.argwhere(~np.isfinite(features))[0])
    raise UsageError(
        f"certify: X is {features[row, column]} in row {first + row}, column {column}; it must be finite: fill in or "
        "leave out such rows"
    )

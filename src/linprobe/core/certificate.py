"""How far heads can be from their optimum, proven from X, y, W, b and λ alone. The proof: docs/certificate.md.

Independent, on purpose, of what it judges: nothing here comes from what the solvers compute with; of a loss it takes
the dual alone.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from linprobe.core._certified_rows import (
    CHUNK_FEATURES,
    CHUNK_ROWS,
    CHUNK_SCORES,
    UNDERFLOW,
    UNIT,
    Certification,
    Claim,
    Margins,
    sum_rows,
)
from linprobe.core.losses import LOSSES, Loss, find_loss
from linprobe.core.losses.dual import BIAS_TOLERANCE, Dual
from linprobe.data.terms import Chunk
from linprobe.errors import IncompatibleError, UsageError

__all__ = ["CERTIFIABLE", "Certificate", "certify", "certify_bytes", "no_certificate"]

# A bias that is further off than BIAS_TOLERANCE, or leaves sums of slopes that no step of it takes away, was not fit.
# It is refused, unless that costs no more than this share of the objective.
NEGLIGIBLE = 1e-9
NOISE = 1e-13  # the share of all slopes that their sum over a class may be off by

TOO_LARGE = "certify: objective or gap is too large for float64; scale the features down, or raise reg"


@dataclass(frozen=True, eq=False)
class Certificate:
    """objective, gap (H,) float64: no weights and no bias have an objective below objective - gap.

    Nor is that of the given ones, in exact arithmetic, further above the lowest than gap.
    """

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
    loss: str | Loss,
    *,
    sample_weight: npt.ArrayLike | None = None,
) -> Certificate:
    """Objective of every head of a stack, and a proven bound on what any other weights and bias could take off it.

    X (n, D), Rows or what they can be made of, of any real type; y (n,) int in [0, K);
    W (D, K, H); b (K, H), not penalised, or None for heads without; reg (H,) > 0; loss "softmax" or "squared_hinge";
    sample_weight (n,) or (n, H), >= 0. The objective is the weighted mean loss + reg ΣW². All arithmetic is float64;
    rows are converted chunk by chunk, and with a bias X is read twice. The gap pays for all rounding, so it is above 0.
    Raises IncompatibleError where nothing can be certified: another loss, reg = 0, a bias that is not the best one for
    the weights. Raises UsageError for arguments that do not fit each other, or are not finite.
    """
    found = find_loss(loss)
    if found.dual is None:
        raise IncompatibleError(f"certify: {no_certificate(found.name)}; use the loss {' or '.join(CERTIFIABLE)}")
    task = Certification.of(X, y, W, b, reg, sample_weight)
    with np.errstate(over="ignore", invalid="ignore", under="ignore", divide="ignore"):
        certificate = _certify(task, found.dual)
    if not (np.isfinite(certificate.objective) & np.isfinite(certificate.gap)).all():
        raise UsageError(TOO_LARGE)
    return certificate


CERTIFIABLE = tuple(loss.name for loss in LOSSES.values() if loss.dual)


def certify_bytes(shape: tuple[int, int], K: int) -> int:
    """Memory that certifying one head takes besides the data: dense X (n, D), K classes."""
    # The second derivative in the bias, its axes and LAPACK's workspace; weights and gradients; a chunk of rows.
    n, D = shape
    rows = max(1, min(CHUNK_FEATURES // D, CHUNK_SCORES // K, CHUNK_ROWS, n))
    return 16 * 8 * K**2 + 8 * 8 * D * K + rows * (16 * 8 * K + 3 * 8 * D)


def no_certificate(loss: str) -> str:
    """Why a loss without a dual has none."""
    known = LOSSES.get(loss)
    return f"the {loss} loss {'' if known is None or known.smooth else 'is not smooth, and '}has no certificate"


def _certify(task: Certification, dual: Dual) -> Certificate:
    """Objective and gap of a checked stack."""
    stack, longest = task.stack, dual.longest
    H, _, K = stack.W.shape
    step = np.zeros((H, K)) if stack.b is None else _steps(task, dual)
    off = np.abs(step).max(axis=1)
    step[off > longest] = 0
    sums, share, gradient = task.reduce(_Bounds(stack, dual, step))
    off_by = np.where(off > longest, 0, off)
    found = [_bound(task, head, sums[head], share[head], gradient[head], off_by[head]) for head in range(H)]
    objective, gap, moved, left = np.transpose(found)
    off[(off <= longest) & (left > NEGLIGIBLE * objective + UNDERFLOW)] = np.inf
    _check_bias(off, (off > longest) | ((off > BIAS_TOLERANCE) & (moved > NEGLIGIBLE * objective)))
    return Certificate(objective, gap)


@dataclass(frozen=True, eq=False)
class _Bounds:
    """What some rows add to the bounds of a stack, for steps of the bias (H, K).

    Of every head: sums (H, 6 + 3 K), numbers in _bound's order, and then numbers for each class; the share of each
    class (H, K); the gradient of the mean loss (H, D, K).
    """

    stack: Claim
    dual: Dual
    step: np.ndarray

    def __call__(self, chunk: Chunk) -> tuple[np.ndarray, ...]:
        H, D, K = self.stack.W.shape
        sums, share, gradient = np.empty((H, 6 + 3 * K)), np.empty((H, K)), np.empty((H, D, K))
        margins_of, dual = Margins(self.stack, chunk), self.dual
        labels = margins_of.labels
        for head, weight in enumerate(margins_of.weights.T):
            margins, errors = margins_of.of(head), margins_of.errors(head)
            points = dual.points(margins + _never(self.stack, head), labels)
            given = points.loss if self.stack.possible[head].all() else dual.points(margins, labels).loss
            highest = dual.points(margins + errors, labels).loss
            slope = points.moved(self.step[head], labels)
            sizes, slopes = np.where(weight > 0, margins_of.sizes, 0), np.abs(slope)
            sums[head] = sum_rows(
                np.column_stack(
                    [
                        weight * given,
                        weight * (highest - points.loss),
                        weight * dual.cost(points, self.step[head], labels),
                        weight * np.sum(slopes * errors, axis=1),
                        sizes * (weight * slopes.sum(axis=1) + UNDERFLOW),
                        sizes * weight,
                        weight[:, None] * slope,
                        weight[:, None] * slopes,
                        weight[:, None] * (np.abs(margins) + errors),
                    ]
                )
            )
            share[head] = np.bincount(labels, weight, K)
            gradient[head] = margins_of.features.T @ (weight[:, None] * slope)
        return sums, share, gradient


def _never(stack: Claim, head: int) -> np.ndarray:
    """Minus infinity for the classes that a head can never mean, else 0 (K,)."""
    return np.where(stack.possible[head], 0, -np.inf)


def _bound(
    task: Certification, head: int, sums: np.ndarray, share: np.ndarray, gradient: np.ndarray, off: float
) -> tuple[float, float, float, float]:
    """Objective and gap of a head; of the gap, the costs of the repair: of its step, and of what that leaves.

    Every sum of numbers >= 0 here is right but for its rounding, which is paid for at the end, all of it at once.
    """
    stack, K, rows = task.stack, len(share), task.chunk_rows
    W, root, chunks = stack.W[head], np.sqrt(stack.reg[head]), -(-len(task.y) // rows)
    of_example = UNIT * (1000 + 4 * K)
    of_sum = 2 * UNIT * (2 * np.log2(rows) + chunks + K + 16)
    of_product = 2 * UNIT * (rows + chunks + K + 8)
    loss, rise, moved, blurred, pulls, size = sums[:6]
    mixed = left_cost = 0.0
    if stack.b is not None:
        possible = stack.possible[head]
        left, slopes, far = sums[6:].reshape(3, K)[:, possible]
        left = np.abs(left) + of_sum * slopes + UNDERFLOW
        mixed = 1.01 * np.max(left / share[possible])
        left_cost = np.sum((mixed * share[possible] + left) * (loss + far))
    scaled = root * W
    penalty = sum_rows(np.ravel(scaled) ** 2)
    objective = loss + penalty
    pull = np.linalg.norm(scaled + gradient / (2 * root)) * (1 + UNIT * W.size)
    blur = 4 * UNIT * np.sqrt(penalty) + ((of_product + of_example + mixed) * pulls + 2 * mixed * size) / (2 * root)
    gap = rise + moved + blurred + left_cost + (pull + blur) ** 2
    gap += (of_sum + (6 + 30 * off) * of_example) * (objective + gap) + UNDERFLOW
    return objective, gap, moved, left_cost


@dataclass(frozen=True, eq=False)
class _Exchange:
    """Of every head the sum of each class's slopes (H, K), that of all their sizes (H,), and what classes exchange for
    each other where the bias moves (H, K, K).
    """

    stack: Claim
    dual: Dual

    def __call__(self, chunk: Chunk) -> tuple[np.ndarray, ...]:
        H, _, K = self.stack.W.shape
        sums, slopes, exchange = np.empty((H, K)), np.empty(H), np.empty((H, K, K))
        margins = Margins(self.stack, chunk)
        for head, weight in enumerate(margins.weights.T):
            points = self.dual.points(margins.of(head) + _never(self.stack, head), margins.labels)
            sums[head] = sum_rows(weight[:, None] * points.slope)
            slopes[head] = np.sum(weight @ np.abs(points.slope))
            exchange[head] = points.givers.T @ (weight[:, None] * points.takers)
        return sums, slopes, exchange


def _steps(task: Certification, dual: Dual) -> np.ndarray:
    """The steps of the bias (H, K) after which every class's slopes add up to 0, or to as little as steps can do."""
    sums, slopes, exchange = task.reduce(_Exchange(task.stack, dual))
    H, K = sums.shape
    if not (np.isfinite(slopes).all() and np.isfinite(exchange).all()):
        raise UsageError(TOO_LARGE)
    steps = np.zeros((H, K))
    for head in range(H):
        # A graph on the classes with these weights on its edges: its Laplacian is the second derivative in the bias.
        edges = exchange[head] + exchange[head].T
        np.fill_diagonal(edges, 0)
        laplacian = np.diag(edges.sum(axis=1)) - edges
        curvature, directions = np.linalg.eigh(laplacian)
        # Classes that exchange next to nothing would turn rounding into a long step.
        kept = curvature > NOISE * slopes[head] / dual.longest
        directions = directions[:, kept]
        steps[head] = -directions @ ((sums[head] @ directions) / curvature[kept])
    return steps


def _check_bias(off: np.ndarray, wrong: np.ndarray) -> None:
    """Refuse heads (H,) whose bias is wrong, by the score that it is off by."""
    if not wrong.any():
        return
    heads = np.flatnonzero(wrong)
    told = [
        (f"head {head}" if len(wrong) > 1 else "off") + (f" by about {off[head]:.1g}" if off[head] < 1 else "")
        for head in heads[:3]
    ]
    listed = ", ".join(told) + (f" and {len(heads) - 3} more" if len(heads) > 3 else "")
    raise IncompatibleError(
        f"certify: the bias is not the best for the weights ({listed}; {BIAS_TOLERANCE:g} is allowed), so nothing "
        "follows for the optimum; fit the bias to these weights first, or train with solver='exact'"
    )

"""The regularisation path: the proven optimum for every value of reg, judged on examples that it did not see.

The test split is not an argument here.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from linprobe.compare.choose import choose
from linprobe.compare.comparison import Comparison
from linprobe.core.exact.solver import solve
from linprobe.core.measure import score_stack
from linprobe.data.dataset import Examples
from linprobe.data.weights import Weights
from linprobe.errors import UsageError


@dataclass(frozen=True, eq=False)
class PathResult:
    """Per value of reg (R,), ascending: accuracies, loss on validation, objective and gap on train, and why it ended.

    With folds all of it is their mean, gap too, which bounds the mean objective; iterations are the most, stopped is
    "gap" if it is for all; failed: nothing is proven of a head; fold_accuracy (R, folds), else None. best: the index of
    the chosen one; edges: the axes on whose end it lies.
    """

    reg: np.ndarray
    train_accuracy: np.ndarray
    val_accuracy: np.ndarray
    val_loss: np.ndarray
    objective: np.ndarray
    gap: np.ndarray
    iterations: np.ndarray
    stopped: np.ndarray
    failed: np.ndarray
    fold_accuracy: np.ndarray | None
    best: int
    edges: tuple[str, ...]


def follow_path(train: Examples, val: Examples, regs: np.ndarray, problem: dict[str, Any]) -> PathResult:
    """All of the path as one stack on train, chosen on val; rows (n, D). problem: what `solve` takes besides."""
    found = solve(train.X, train.y, regs, **problem)
    on_train, on_val = (score_stack(part.X, part.y, found.W, found.b, problem["loss"]) for part in (train, val))
    scores, losses = on_val.accuracy[:, None], on_val.loss[:, None]
    choice = choose(Comparison({"reg": regs}, scores, losses, failed=found.failed))
    return PathResult(
        regs,
        on_train.accuracy,
        on_val.accuracy,
        on_val.loss,
        found.objective,
        found.gap,
        found.iterations,
        found.stopped,
        found.failed,
        None,
        choice.best,
        choice.edge_axes,
    )


def cross_validate(pool: Examples, regs: np.ndarray, folds: np.ndarray, problem: dict[str, Any]) -> PathResult:
    """The path once per fold, all as one stack: a head's weight is 0 on the fold that it is judged on; folds (n,)."""
    parts, R = int(folds.max()) + 1, len(regs)
    of_head = np.tile(np.arange(parts), R)  # the fold that each head does not see
    weights = Weights.of_parts(folds, 1 - np.eye(parts), of_head)
    found = solve(pool.X, pool.y, np.repeat(regs, parts), sample_weight=weights, **problem)
    accuracy, loss, sizes = np.empty((parts, R * parts)), np.empty((parts, R * parts)), np.bincount(folds)
    for fold in range(parts):
        rows = pool.take(folds == fold)
        score = score_stack(rows.X, rows.y, found.W, found.b, problem["loss"])
        accuracy[fold], loss[fold] = score.accuracy, score.loss

    def held_out(of_parts: np.ndarray) -> np.ndarray:
        return np.take_along_axis(of_parts, of_head[None, :], axis=0).reshape(R, parts)

    def mean(of_heads: np.ndarray) -> np.ndarray:
        return of_heads.reshape(R, parts).mean(axis=1)

    shares, others = sizes / sizes.sum(), sizes[:, None] * (np.arange(parts)[:, None] != of_head)
    failed = np.any(found.failed.reshape(R, parts), axis=1)
    compared = Comparison({"reg": regs}, held_out(accuracy), held_out(loss), shares, failed)
    choice = choose(compared)
    return PathResult(
        regs,
        mean((accuracy * others).sum(axis=0) / others.sum(axis=0)),
        compared.score,
        held_out(loss) @ shares,
        mean(found.objective),
        mean(found.gap),
        found.iterations.reshape(R, parts).max(axis=1),
        np.array([_worst(stopped) for stopped in found.stopped.reshape(R, parts)]),
        failed,
        held_out(accuracy),
        choice.best,
        choice.edge_axes,
    )


def make_folds(y: np.ndarray, folds: int, seed: int, classes: tuple[str, ...]) -> np.ndarray:
    """The fold of every example (n,), each with its share of every class; y (n,). Raises UsageError for too many."""
    from sklearn.model_selection import StratifiedKFold

    counts = np.bincount(y, minlength=len(classes))
    smallest = int(np.argmin(np.where(counts > 0, counts, len(y) + 1)))
    if folds > (fewest := int(counts[smallest])):
        way_out = f"ask for {fewest} or fewer" if fewest > 1 else "give it more, or choose on a split with --val-size"
        raise UsageError(
            f"--folds {folds}: class {classes[smallest]} has {fewest:,} example{'s' if fewest > 1 else ''} to part, "
            f"and every fold needs one; {way_out}"
        )
    of_example = np.empty(len(y), np.int64)
    for fold, (_, rows) in enumerate(StratifiedKFold(folds, shuffle=True, random_state=seed).split(y, y)):
        of_example[rows] = fold
    return of_example


def _worst(stopped: np.ndarray) -> str:
    return next((word for word in ("failed", "stalled", "max_iter") if word in stopped), "gap")

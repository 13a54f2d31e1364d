"""The regularisation path: the proven optimum for every value of reg, judged on examples that it did not see.

The test split is not an argument here.
"""

from typing import Any

import numpy as np

from linprobe.compare.comparison import Comparison, Fits
from linprobe.core.exact.optimum import Optimum
from linprobe.core.exact.solver import solve
from linprobe.core.measure import score_stack
from linprobe.data.dataset import Examples
from linprobe.data.weights import Weights
from linprobe.errors import UsageError


def follow_path(train: Examples, val: Examples, regs: np.ndarray, problem: dict[str, Any]) -> Comparison:
    """All of the path as one stack on train, judged on val; rows (n, D). problem: what `solve` takes besides."""
    found = solve(train.X, train.y, regs, **problem)
    on_train, on_val = (score_stack(part.X, part.y, found.W, found.b, problem["loss"]) for part in (train, val))
    fits = _fits(found, on_train.accuracy, 1)
    return Comparison({"reg": regs}, on_val.accuracy[:, None], fits, losses=on_val.loss[:, None])


def cross_validate(pool: Examples, regs: np.ndarray, folds: np.ndarray, problem: dict[str, Any]) -> Comparison:
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

    others = sizes[:, None] * (np.arange(parts)[:, None] != of_head)
    fits = _fits(found, (accuracy * others).sum(axis=0) / others.sum(axis=0), parts)
    return Comparison({"reg": regs}, held_out(accuracy), fits, losses=held_out(loss), shares=sizes / sizes.sum())


def _fits(found: Optimum, scores: np.ndarray, parts: int) -> Fits:
    """What is known of heads, with scores (H,) on train; each setting has one for each of so many parts."""
    names = ("objective", "stopped", "gap", "iterations", "failed")
    known = {name: getattr(found, name).reshape(-1, parts) for name in names}
    return Fits(scores=scores.reshape(-1, parts), **known)


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

"""What a search finds, and the same as GridSearchCV's cv_results_."""

from typing import Any

import numpy as np
from scipy.stats import rankdata

from linprobe.compare.comparison import Fits, scored
from linprobe.estimators._folds import JointFit, Setting

__all__ = ["CvResults", "Fitted", "cv_results"]

CvResults = dict[str, Any]  # cv_results_ as GridSearchCV has it: arrays (G,), but for the list of params


class Fitted:
    """How every setting ended on every split, as it comes: all arrays (G, F).

    fits, as of a comparison; reg, which may depend on the split; the seconds of training and of scoring.
    """

    def __init__(self, settings: int, splits: int) -> None:
        self.reg, self.fit_time, self.score_time, objective, gap, iterations = np.empty((6, settings, splits))
        stopped, failed = np.empty((settings, splits), "<U12"), np.empty((settings, splits), bool)
        self.fits = Fits(objective=objective, stopped=stopped, gap=gap, iterations=iterations, failed=failed)

    def add(self, stack: JointFit, fits: Fits, reg: np.ndarray, seconds: float) -> None:
        """Take in a stack that was trained in so many seconds; each fit has its share of them, by iterations."""
        at = np.ix_(stack.numbers, [split.number for split in stack.splits])
        iterations: Any = fits.iterations  # which are known of every exact fit
        passes = np.maximum(iterations, 1)
        self.reg[at], self.fit_time[at] = reg, seconds * passes / passes.sum()
        for name in ("objective", "stopped", "gap", "iterations", "failed"):
            getattr(self.fits, name)[at] = getattr(fits, name)


def cv_results(settings: list[Setting], found: Fitted, scores: dict[str, np.ndarray]) -> CvResults:
    """What was found, and scores (G, F), of every setting and split as GridSearchCV's cv_results_."""
    table: CvResults = {}
    _add(table, "fit_time", found.fit_time)
    _add(table, "score_time", found.score_time)
    for name in dict.fromkeys(name for setting in settings for name in setting.params):
        given = [name in setting.params for setting in settings]
        values = [setting.params[name] for setting in settings if name in setting.params]
        number = all(isinstance(value, (bool, int, float, np.number)) for value in values)
        column = np.ma.MaskedArray(np.empty(len(settings), np.array(values).dtype if number else object), mask=True)
        for place, value in zip(np.flatnonzero(given), values, strict=True):
            column[place] = value
        table[f"param_{name}"] = column
    table["params"] = [setting.params for setting in settings]
    fits = {"reg": found.reg} | {name: getattr(found.fits, name) for name in ("objective", "gap", "iterations")}
    for name, values in (scores | fits).items():
        for split, column in enumerate(values.T):
            table[f"split{split}_{name}"] = column
        _add(table, name, values)
        if name.startswith("test_"):
            mean = table[f"mean_{name}"]
            table[f"rank_{name}"] = rankdata(np.where(np.isnan(mean), np.inf, -mean), method="min").astype(np.int32)
    for split, column in enumerate(found.fits.stopped.T):
        table[f"split{split}_stopped"] = column
    return table


def _add(table: CvResults, name: str, values: np.ndarray) -> None:
    """The mean and the deviation over the splits, without those on which no setting has a score."""
    values = scored(values)
    nothing = np.full(len(values), np.nan)
    table[f"mean_{name}"] = values.mean(axis=1) if values.size else nothing
    table[f"std_{name}"] = values.std(axis=1) if values.size else nothing

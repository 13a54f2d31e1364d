"""What a search found, as GridSearchCV's cv_results_."""

from typing import Any

import numpy as np
from scipy.stats import rankdata

from linprobe.estimators.folds import Setting

TIMES = ("fit_time", "score_time")  # in cv_results_ by their mean and deviation only
PER_SPLIT = ("reg", "objective", "gap", "iterations")


def cv_results(settings: list[Setting], found: dict[str, np.ndarray], scores: dict[str, np.ndarray]) -> dict[str, Any]:
    """Measures and scores (G, F) of every setting and split as GridSearchCV's cv_results_."""
    table: dict[str, Any] = {}
    for name in TIMES:
        _add(table, name, found[name])
    for name in dict.fromkeys(name for setting in settings for name in setting.params):
        given = [name in setting.params for setting in settings]
        values = [setting.params[name] for setting in settings if name in setting.params]
        number = all(isinstance(value, (bool, int, float, np.number)) for value in values)
        column = np.ma.MaskedArray(np.empty(len(settings), np.array(values).dtype if number else object), mask=True)
        for place, value in zip(np.flatnonzero(given), values, strict=True):
            column[place] = value
        table[f"param_{name}"] = column
    table["params"] = [setting.params for setting in settings]
    for name, values in (scores | {name: found[name] for name in PER_SPLIT}).items():
        for split, column in enumerate(values.T):
            table[f"split{split}_{name}"] = column
        _add(table, name, values)
        if name.startswith("test_"):
            mean = table[f"mean_{name}"]
            table[f"rank_{name}"] = rankdata(np.where(np.isnan(mean), np.inf, -mean), method="min").astype(np.int32)
    return table


def _add(table: dict[str, Any], name: str, values: np.ndarray) -> None:
    """The mean and the deviation over the splits, without those on which no setting has a score."""
    values = scored(values)
    nothing = np.full(len(values), np.nan)
    table[f"mean_{name}"] = values.mean(axis=1) if values.size else nothing
    table[f"std_{name}"] = values.std(axis=1) if values.size else nothing


def scored(scores: np.ndarray) -> np.ndarray:
    """Scores (G, F) without the splits on which no setting has one: those tell nothing about the settings."""
    return scores[:, ~np.isnan(scores).all(axis=0)]

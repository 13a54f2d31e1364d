"""What a search scores by: one score or several, as GridSearchCV reads `scoring`, over all classes of the data."""

import warnings
from collections.abc import Callable, Collection, Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from inspect import signature
from numbers import Real
from typing import Any

import numpy as np
from sklearn.exceptions import UndefinedMetricWarning
from sklearn.metrics import check_scoring
from sklearn.utils import _safe_indexing
from sklearn.utils.validation import _check_method_params

from linprobe.compare.solver import Trained
from linprobe.data.dask_rows import DaskRows
from linprobe.errors import IncompatibleError, UsageError
from linprobe.estimators._folds import JointFit, TrainingData
from linprobe.estimators._inputs import check_weights
from linprobe.estimators._parameters import Params

__all__ = [
    "THE_SCORE",
    "Measure",
    "Scorer",
    "Scores",
    "by_name",
    "check_refit",
    "checked_index",
    "is_accuracy",
    "is_one",
    "over_all",
    "read_measures",
    "read_scorers",
    "takes_weight",
]

THE_SCORE = "score"  # the name of a score that is the only one

Scorer = Callable[..., Any]  # of an estimator, X and y; a score, or several by name


@dataclass(frozen=True, eq=False)
class Measure:
    """A scorer, its name, and what it is given besides X and y: a value for each example (n,), or anything else."""

    name: str
    scorer: Scorer
    params: Params
    is_accuracy: bool


def by_name(scoring: Any) -> dict[str, str | Scorer | None]:
    """What `scoring` asks for, by name."""
    if is_one(scoring):
        return {THE_SCORE: scoring}
    return dict(scoring) if isinstance(scoring, Mapping) else {name: name for name in scoring}


def is_one(scoring: Any) -> bool:
    """Whether there is one scorer; a function may still return several scores."""
    return scoring is None or isinstance(scoring, str) or callable(scoring)


def read_scorers(estimator: Any, scoring: Any) -> dict[str, Scorer]:
    """The scorers by name; raises ValueError, as scikit-learn does, for what is no scorer."""
    check: Callable[..., Any] = check_scoring
    check(estimator, scoring)
    return {name: check(estimator, given) for name, given in by_name(scoring).items()}


def is_accuracy(given: Any) -> bool:
    """Whether a score asked for by None or a name is the accuracy."""
    return given is None or (isinstance(given, str) and given == "accuracy")


def takes_weight(scorer: Any) -> bool:
    """Whether a scorer can weight the examples; warns, as GridSearchCV does, where it cannot."""
    # A scorer made from a name says so itself, in recent versions; a function by its arguments.
    asked = getattr(scorer, "_accept_sample_weight", None)
    accepts = asked() if asked else "sample_weight" in signature(getattr(scorer, "_score_func", scorer)).parameters
    if not accepts:
        warnings.warn(f"scoring={scorer} takes no sample_weight: training is weighted, scores are not", stacklevel=4)
    return accepts


def over_all(scorer: Any, classes: np.ndarray) -> tuple[Any, bool]:
    """A scorer that is told all classes (K,) where it can be, and whether it was.

    A metric of probabilities cannot know which class is which column unless all classes occur in its y, and then
    refuses. Metrics that have `labels` for another purpose take predictions.
    """
    metric: Any = getattr(scorer, "_score_func", None)
    if not getattr(metric, "__module__", "").startswith("sklearn.metrics"):
        return scorer, False
    if "labels" not in signature(metric).parameters or "predict_proba" not in np.atleast_1d(scorer._response_method):
        return scorer, False
    told = copy(scorer)
    told._kwargs = {"labels": classes, **scorer._kwargs}
    return told, True


def read_measures(
    scoring: Any, scorers: Mapping[str, Scorer], examples: TrainingData, params: Mapping[str, Params] | None
) -> list[Measure]:
    """The scorers with what they are given: as routed, or else the weights of training where they take them."""
    measures = []
    for name, asked in by_name(scoring).items():
        plain = is_accuracy(asked)
        if params is not None:
            given = dict(params[name])
            if given.get("sample_weight") is not None:
                given["sample_weight"] = check_weights(given["sample_weight"], None, examples.classes, examples.codes)
        elif examples.weight is not None and (plain or takes_weight(scorers[name])):
            given = {"sample_weight": examples.weight}
        else:
            given = {}
        measures.append(Measure(name, scorers[name], given, plain))
    return measures


def check_refit(search: Any, names: Collection[str], *, several: bool) -> None:
    """Refuse a `refit` that makes no sense for the scores of these names, several or one."""
    if not isinstance(search.refit, bool | np.bool_ | str) and not callable(search.refit):
        raise UsageError(f"refit is {search.refit!r}; give True, False, the name of a score, or a function")
    if several and search.refit and not callable(search.refit) and search.refit not in names:
        raise UsageError(
            f"refit is {search.refit!r}, and there are several scores; name the one to choose by ({', '.join(names)}), "
            "or give a function of cv_results_, or False"
        )
    if search.one_standard_error and (callable(search.refit) or (several and not search.refit)):
        raise IncompatibleError(
            "one_standard_error chooses by one score, and refit is "
            f"{'a rule of its own' if callable(search.refit) else 'False'}; set one_standard_error=False, or refit to "
            "the name of a score"
        )


def checked_index(index: Any, settings: int) -> int:
    """What a function as `refit` returned; errors of the kinds that GridSearchCV raises."""
    if not isinstance(index, int | np.integer):
        raise TypeError(f"refit returned {index!r}; it has to return the index of a setting, a whole number")
    if not 0 <= index < settings:
        raise IndexError(f"refit returned the index {index}; there are {settings:,} settings, numbered from 0")
    return int(index)


class Scores:
    """The scores of all settings (G) on all splits (F), as they come: NaN, and the reason, where there is none."""

    def __init__(self, measures: Sequence[Measure], settings: int, splits: int, *, several: bool) -> None:
        self.of_dicts = False  # whether there are several because a function returns a dict, which it may if `several`
        self.names = [measure.name for measure in measures]
        self._measures, self._shape, self._several = measures, (settings, splits), several
        self._asked = False
        self._found: dict[str, np.ndarray] = {}
        self._reasons: dict[tuple[str, int], str] = {}

    def add(self, part: str, stack: JointFit, examples: TrainingData, trained: Trained, place: int) -> None:
        """Score the settings of a stack on one part, "test" or "train", of one of its splits."""
        split = stack.splits[place]
        rows = getattr(split, part)
        X, y = None, examples.labels[rows]
        for measure in self._measures:
            params = _check_method_params(examples.X, dict(measure.params), rows)
            if measure.is_accuracy:
                scores = stack.accuracies(examples, trained, place, rows, params.get("sample_weight"))
                self._table(part, measure.name)[stack.numbers, split.number] = scores
                continue
            if X is None:
                X = examples.X.take(rows) if isinstance(examples.X, DaskRows) else _safe_indexing(examples.X, rows)
            scorer, of_all = over_all(measure.scorer, examples.classes)
            models = stack.estimators(examples, trained, place, of_all)
            # It may have had a score before its training was resumed.
            for name in self.names if self._several else [measure.name]:
                self._table(part, name)[stack.numbers, split.number] = np.nan
            for number, model in zip(stack.numbers, models, strict=True):
                try:
                    score = scorer(model, X, y, **params)
                except UsageError:
                    raise
                except ValueError as error:  # so scikit-learn's metrics refuse labels that they are not defined for
                    self._reasons.setdefault((f"{part}_{measure.name}", split.number), " ".join(str(error).split()))
                    continue
                for name, value in self._by_name(measure.name, score).items():
                    self._table(part, name)[number, split.number] = value

    def _by_name(self, name: str, score: Any) -> dict[str, float]:
        scores = {name: score}
        if self._several and isinstance(score, dict):
            scores = score
        if self._several and not self._asked:
            self.names, self.of_dicts, self._asked = list(scores), scores is score, True
        if self._several and set(scores) != set(self.names):
            raise UsageError(
                f"scoring returns {', '.join(map(repr, scores))} where it returned {', '.join(map(repr, self.names))} "
                "before; give a function that always returns the same names"
            )
        for given in scores.values():
            number = given.item() if getattr(given, "shape", None) == () else given
            if not isinstance(number, Real):
                raise UsageError(
                    f"scoring returns a {type(given).__name__}; give a function that returns one number, or a dict of "
                    "numbers for several scores"
                )
        return scores

    def _table(self, part: str, name: str) -> np.ndarray:
        return self._found.setdefault(f"{part}_{name}", np.full(self._shape, np.nan))

    def of_stack(self, stack: JointFit, name: Any) -> np.ndarray:
        """The score of this name, or else the first, on the test rows of every head of a stack (h,)."""
        at = np.ix_(stack.numbers, [split.number for split in stack.splits])
        return self._table("test", name if name in self.names else self.names[0])[at].ravel()

    def tables(self, parts: Sequence[str]) -> dict[str, np.ndarray]:
        """The scores (G, F), each as "test_" or "train_" and its name."""
        return {f"{part}_{name}": self._table(part, name) for part in parts for name in self.names}

    def reason(self, key: str, split: int) -> str:
        """Why there is no score on a split, in the words of the metric."""
        keys = (key, f"{key.split('_')[0]}_{THE_SCORE}")  # a function that fails does not say which scores are missing
        found = (why for (of, number), why in self._reasons.items() if of in keys and split == number)
        return next(found, "the score is undefined for its examples")

    def warn(self, tables: Mapping[str, np.ndarray]) -> None:
        """Name each split on which a score is missing."""
        for key, scores in tables.items():
            missing = np.isnan(scores).sum(axis=0)
            for split in np.flatnonzero(missing).tolist():
                everywhere = missing[split] == len(scores)
                warnings.warn(
                    f"split {split}: {key} is NaN for {missing[split]:,} of {len(scores):,} settings "
                    f"({self.reason(key, split)}); "
                    f"{'the means leave this split out' if everywhere else 'these settings rank last'}",
                    UndefinedMetricWarning,
                    stacklevel=3,
                )

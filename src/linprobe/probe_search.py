"""ProbeSearch: GridSearchCV's contract for our classifiers, with all settings and all splits trained as one stack."""

import time
import warnings
from collections.abc import Mapping, Sequence
from inspect import signature
from typing import Any, Self

import numpy as np
from scipy.stats import rankdata
from sklearn.base import BaseEstimator, ClassifierMixin, MetaEstimatorMixin, clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import check_scoring
from sklearn.model_selection import ParameterGrid
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from linprobe.errors import IncompatibleError, UsageError
from linprobe.estimators import LinearSVM, SoftmaxClassifier
from linprobe.estimators.folds import Examples, Setting, read_examples, read_splits, stacks_of
from linprobe.estimators.inputs import check_unchanged, file_stamps
from linprobe.estimators.parameters import check_parameters, find_reg
from linprobe.solvers.exact import Optimum

# The default grid, times the estimator's own penalty: with "scale", from 10 to 1e-6 times the features' variance.
# The strongest first, because the first of settings that are as good is taken.
DEFAULT_FACTORS = np.geomspace(1e3, 1e-4, 10)

PENALTIES = ("reg", "C")
TIMES = ("fit_time", "score_time")  # in cv_results_ by their mean and deviation only
PER_SPLIT = ("test_score", "reg", "objective", "gap", "iterations")


class EdgeOfGridWarning(UserWarning):
    """The best penalty is the strongest or the weakest of the grid; a better one may lie beyond it."""


def _refitted(name: str) -> Any:
    """Whether the best estimator has this method, or will have it after `fit`."""

    def check(search: "ProbeSearch") -> bool:
        if not search.refit:
            raise AttributeError(f"{name} needs the best estimator, trained on all of X; set refit=True")
        getattr(getattr(search, "best_estimator_", search.estimator or SoftmaxClassifier), name)
        return True

    return available_if(check)


class ProbeSearch(ClassifierMixin, MetaEstimatorMixin, BaseEstimator):
    """Choose the penalty of a SoftmaxClassifier or LinearSVM by cross-validation, all candidates trained at once.

    The scores are those of scikit-learn's GridSearchCV, but every setting and split is a head of one stack, in which
    an example that a split leaves out weighs zero.

    Parameters: estimator, with solver="exact"; a SoftmaxClassifier unless given. param_grid, as GridSearchCV takes it:
    values of reg or C, which share a stack, and of any other parameter, each value of which makes a stack of its own;
    unless given, ten, from 1e3 to 1e-4 times the estimator's own penalty. cv: a number of (stratified) folds, a
    splitter, or an iterable of (train, test) rows; PredefinedSplit for a validation split of your own.
    scoring: None, which is accuracy, the name of a scorer, or a function (estimator, X, y). refit: train the best
    setting on all of X. one_standard_error: prefer the strongest penalty whose mean score is within one standard error
    of the best; Hastie, Tibshirani and Friedman (2009), sec. 7.10. memory, bytes that training may take besides X,
    unlimited unless given.

    Attributes: best_index_ (the first of equals), best_params_, best_score_ (the mean over splits); cv_results_, with
    GridSearchCV's keys and, for each split and as mean and deviation, reg (λ), objective, gap and iterations; the time
    of a fit is its share, by iterations, of that of its stack. best_estimator_ and refit_time_ with refit; scorer_,
    n_splits_, classes_ (K,), n_features_in_, feature_names_in_.
    """

    n_features_in_: int
    feature_names_in_: np.ndarray
    best_estimator_: Any

    def __init__(
        self,
        estimator: SoftmaxClassifier | LinearSVM | None = None,
        param_grid: Mapping[str, Sequence[Any]] | Sequence[Mapping[str, Sequence[Any]]] | None = None,
        *,
        cv: Any = 5,
        scoring: Any = None,
        refit: bool = True,
        one_standard_error: bool = False,
        memory: int | None = None,
    ) -> None:
        self.estimator = estimator
        self.param_grid = param_grid
        self.cv = cv
        self.scoring = scoring
        self.refit = refit
        self.one_standard_error = one_standard_error
        self.memory = memory

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags

    def fit(self, X: Any, y: Any, sample_weight: Any = None, groups: Any = None) -> Self:
        """Score all settings on all splits of X (n, D), y (n,), and train the best on all of it.

        sample_weight (n,) >= 0 counts in training, and in scores that can be weighted; groups (n,), for splitters that
        keep groups together. Raises UsageError, a ValueError, for what cannot be searched; warns with EdgeOfGridWarning
        when the best penalty is at an end of the grid, with ConvergenceWarning for heads that stopped above `tol`.
        """
        estimator: Any = clone(SoftmaxClassifier() if self.estimator is None else self.estimator)
        if type(estimator) not in (SoftmaxClassifier, LinearSVM):
            raise IncompatibleError(
                f"estimator is a {type(estimator).__name__}; ProbeSearch trains a SoftmaxClassifier or a LinearSVM: "
                "for anything else use scikit-learn's GridSearchCV"
            )
        if not (self.scoring is None or isinstance(self.scoring, str) or callable(self.scoring)):
            raise UsageError(f"scoring is {self.scoring!r}; give the name of one scorer, or one function")
        stamps = file_stamps(X)
        examples = read_examples(self, X, y, sample_weight)
        settings = _settings(estimator, self.param_grid, examples)
        splits = read_splits(self.cv, examples, groups)
        if self.one_standard_error and len(splits) == 1:
            raise IncompatibleError("a single split has no standard error; set one_standard_error=False, or use folds")
        scorer: Any = check_scoring(estimator, self.scoring)
        weighted = examples.weight is not None and _takes_weight(scorer)
        found = {name: np.empty((len(settings), len(splits))) for name in TIMES + PER_SPLIT}
        for stack in stacks_of(settings, splits, len(examples.classes)):
            started = time.perf_counter()
            optimum, reg = stack.train(examples, self.memory)
            _warn_of_gaps(optimum, stack.settings[0].estimator)
            share = optimum.iterations / max(1, optimum.iterations.sum())
            at = np.ix_(stack.numbers, [split.number for split in stack.splits])
            found["fit_time"][at] = ((time.perf_counter() - started) * share).reshape(reg.shape)
            found["reg"][at] = reg
            for name in ("objective", "gap", "iterations"):
                found[name][at] = getattr(optimum, name).reshape(reg.shape)
            for place, split in enumerate(stack.splits):
                started = time.perf_counter()
                if self.scoring is None or self.scoring == "accuracy":
                    scores = stack.accuracies(examples, optimum, place)
                else:
                    scores = stack.scores(examples, optimum, place, scorer, weighted)
                found["test_score"][stack.numbers, split.number] = scores
                found["score_time"][stack.numbers, split.number] = (time.perf_counter() - started) / len(scores)
        check_unchanged(stamps, X)

        self.cv_results_ = _table(settings, found)
        self.best_index_ = self._choose(settings, found)
        self.best_params_ = settings[self.best_index_].params
        self.best_score_ = float(self.cv_results_["mean_test_score"][self.best_index_])
        self.n_splits_, self.scorer_, self.classes_ = len(splits), scorer, examples.classes
        if self.refit:
            started = time.perf_counter()
            best: Any = clone(settings[self.best_index_].estimator)
            self.best_estimator_ = best.fit(X, examples.labels, sample_weight)
            self.refit_time_ = time.perf_counter() - started
        return self

    @_refitted("score")
    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """The score of the best estimator, by `scoring`, on X (n, D) and y (n,)."""
        check_is_fitted(self, "best_estimator_")
        weight = {} if sample_weight is None else {"sample_weight": sample_weight}
        return self.scorer_(self.best_estimator_, X, y, **weight)

    @_refitted("predict")
    def predict(self, X: Any) -> np.ndarray:
        """The best estimator's classes (n,) for X (n, D)."""
        return self._best().predict(X)

    @_refitted("predict_proba")
    def predict_proba(self, X: Any) -> np.ndarray:
        """The best estimator's probabilities (n, K) for X (n, D)."""
        return self._best().predict_proba(X)

    @_refitted("predict_log_proba")
    def predict_log_proba(self, X: Any) -> np.ndarray:
        """The best estimator's logarithms of probabilities (n, K) for X (n, D)."""
        return self._best().predict_log_proba(X)

    @_refitted("decision_function")
    def decision_function(self, X: Any) -> np.ndarray:
        """The best estimator's scores (n, K), or (n,) for two classes, for X (n, D)."""
        return self._best().decision_function(X)

    def _best(self) -> Any:
        check_is_fitted(self, "best_estimator_")
        return self.best_estimator_

    def _choose(self, settings: list[Setting], found: dict[str, np.ndarray]) -> int:
        """The setting with the highest mean score, or the most regularised within a standard error of it."""
        scores, reg = found["test_score"], found["reg"].mean(axis=1)
        mean = scores.mean(axis=1)
        if np.isnan(mean).all():
            raise UsageError(
                f"scoring={self.scoring!r} gives NaN for every setting; choose another score or other splits"
            )
        best = chosen = int(np.nanargmax(mean))
        rivals = [number for number, setting in enumerate(settings) if setting.others == settings[best].others]
        if self.one_standard_error:
            error = scores[best].std(ddof=1) / np.sqrt(scores.shape[1])
            chosen = max((number for number in rivals if mean[number] >= mean[best] - error), key=lambda k: reg[k])
        weakest, strongest = reg[rivals].min(), reg[rivals].max()
        if weakest < strongest:
            as_good = {reg[number] for number in rivals if mean[number] == mean[best]}
            if as_good in ({weakest}, {strongest}):
                _warn_at_edge(settings[best].params, stronger=reg[best] == strongest)
            if chosen != best and reg[chosen] == strongest:
                _warn_at_edge(settings[chosen].params, stronger=True)
        return chosen


def _settings(estimator: Any, grid: Any, examples: Examples) -> list[Setting]:
    """All points of the grid, refused before any work where they make no sense."""
    if grid is None:
        check_parameters(estimator, estimator._loss())
        if estimator.C is None:
            own = find_reg(estimator.reg, None, examples.features, examples.weight, len(examples.classes))
            grid = {"reg": (own * DEFAULT_FACTORS).tolist()}
        else:
            grid = {"C": (estimator.C / DEFAULT_FACTORS).tolist()}
    settings, known = [], estimator.get_params()
    for params in ParameterGrid(grid):
        unknown = [name for name in params if name not in known]
        if unknown:
            raise UsageError(
                f"param_grid names {unknown[0]!r}, which {type(estimator).__name__} does not have; it has "
                f"{', '.join(known)}"
            )
        made: Any = clone(estimator)
        made.set_params(**{name: clone(value, safe=False) for name, value in params.items()})
        try:
            check_parameters(made, made._loss())
        except UsageError as error:
            raise type(error)(f"param_grid, {params}: {error}") from error
        if made.solver != "exact":
            raise IncompatibleError(
                f"solver is {made.solver!r}; ProbeSearch trains with solver='exact': for anything else "
                "use scikit-learn's GridSearchCV"
            )
        others = {name: value for name, value in params.items() if name not in PENALTIES}
        settings.append(Setting(params, others, made))
    if not settings:
        raise UsageError("param_grid is empty; give values of reg or C, such as {'reg': [1e-4, 1e-2, 1]}")
    return settings


def _table(settings: list[Setting], found: dict[str, np.ndarray]) -> dict[str, Any]:
    """Measures (G, F) of every setting and split as GridSearchCV's cv_results_."""
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
    for name in PER_SPLIT:
        for split, values in enumerate(found[name].T):
            table[f"split{split}_{name}"] = values
        _add(table, name, found[name])
        if name == "test_score":
            mean = table["mean_test_score"]
            table["rank_test_score"] = rankdata(np.where(np.isnan(mean), np.inf, -mean), method="min").astype(np.int32)
    return table


def _add(table: dict[str, Any], name: str, values: np.ndarray) -> None:
    table[f"mean_{name}"], table[f"std_{name}"] = values.mean(axis=1), values.std(axis=1)


def _takes_weight(scorer: Any) -> bool:
    """Whether a scorer can weight the examples; warns, as GridSearchCV does, where it cannot."""
    # A scorer made from a name says so itself, in recent versions; a function by its arguments.
    asked = getattr(scorer, "_accept_sample_weight", None)
    accepts = asked() if asked else "sample_weight" in signature(getattr(scorer, "_score_func", scorer)).parameters
    if not accepts:
        warnings.warn(f"scoring={scorer} takes no sample_weight: training is weighted, scores are not", stacklevel=3)
    return accepts


def _warn_of_gaps(optimum: Optimum, estimator: Any) -> None:
    late = optimum.stopped != "gap"
    if late.any():
        reasons = ", ".join(sorted(set(optimum.stopped[late].tolist())))
        warnings.warn(
            f"{late.sum():,} of {len(late):,} fits stopped before their tolerance ({reasons}), with a proven gap of at "
            f"most {(optimum.gap / optimum.objective)[late].max():.1e} of the objective; raise max_iter "
            f"({estimator.max_iter:,}) or tol ({estimator.tol:g}), or take the weakest penalties out of the grid",
            ConvergenceWarning,
            stacklevel=3,
        )


def _warn_at_edge(params: dict[str, Any], *, stronger: bool) -> None:
    name = "C" if "C" in params else "reg"
    lower = stronger == (name == "C")
    warnings.warn(
        f"the best {name}, {params.get(name)}, is the {'lowest' if lower else 'highest'} of the grid: a better one may "
        f"lie {'below' if lower else 'above'} it; extend param_grid there",
        EdgeOfGridWarning,
        stacklevel=4,
    )

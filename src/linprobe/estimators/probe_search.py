"""ProbeSearch: GridSearchCV's contract for our classifiers, with all settings and all splits trained as one stack."""

import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from numbers import Real
from typing import Any, ClassVar, Self

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, MetaEstimatorMixin, clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.metadata_routing import UNUSED, MetadataRouter
from sklearn.utils.validation import check_is_fitted

from linprobe.compare.choose import choose
from linprobe.compare.comparison import Comparison, Fits
from linprobe.core.backend import on_host
from linprobe.core.exact.optimum import EXPECTED
from linprobe.data.columns import as_matrix
from linprobe.data.dask_sources import is_dask, labels_here
from linprobe.errors import IncompatibleError, UsageError
from linprobe.estimators import LinearSVM, SoftmaxClassifier
from linprobe.estimators._exchange import Kept, refitted
from linprobe.estimators._folds import Setting, kinds_of, read_examples, read_splits, stacks_of
from linprobe.estimators._grid import read_settings
from linprobe.estimators._inputs import check_unchanged, file_stamps
from linprobe.estimators._judging import Judge
from linprobe.estimators._parameters import Params
from linprobe.estimators._preparing import Prepare
from linprobe.estimators._results import CvResults, Fitted, cv_results
from linprobe.estimators._routing import route_fit, route_score, router_of
from linprobe.estimators._scoring import (
    THE_SCORE,
    Scores,
    check_refit,
    checked_index,
    is_one,
    over_all,
    read_measures,
    read_scorers,
)
from linprobe.results.steps import proven_share

__all__ = ["EdgeOfGridWarning", "ProbeSearch"]

MOST_SEARCH_TOL = 0.1  # of more, scores say little

OF_THE_BEST = ("best_index_", "best_params_", "best_score_", "best_estimator_", "refit_time_")


class EdgeOfGridWarning(UserWarning):
    """The best penalty is the strongest or the weakest of the grid; a better one may lie beyond it."""


class ProbeSearch(Kept, ClassifierMixin, MetaEstimatorMixin, BaseEstimator):
    """Choose the penalty of a SoftmaxClassifier or LinearSVM by cross-validation, all candidates trained at once.

    The scores are those of scikit-learn's GridSearchCV, but every setting and split is a head of one stack, in which
    an example that a split leaves out weighs zero.

    Parameters: estimator, with solver="exact"; a SoftmaxClassifier unless given. param_grid, as GridSearchCV takes it:
    values of reg or C, which share a stack, and of any other parameter, each value of which makes a stack of its own;
    unless given, ten, from 1e3 to 1e-4 times the estimator's own penalty. cv: a number of (stratified) folds, a
    splitter, or an iterable of (train, test) rows; PredefinedSplit for a validation split of your own.
    scoring: None, which is accuracy, the name of a scorer, or a function (estimator, X, y) of one number; for several
    scores, a list of names, a dict of names or functions, or a function that returns a dict. refit: train the best
    setting on all of X, or False; with several scores, the name of the one to choose by; or a function of cv_results_
    that returns the index of the setting. return_train_score: score on the training rows too. one_standard_error:
    prefer the strongest penalty whose mean score is within one standard error of the best; Hastie, Tibshirani and
    Friedman (2009), sec. 7.10. prepare: the estimator's own, given here: "centred", "standardised" or "normalised"
    features, fitted anew to the training rows of every split, and for best_estimator_ to all of X. search_tol: where
    the fit of a setting on a split stops, which is only compared and then thrown away: where its next step is expected
    to gain no more than this share of what is measured against; those within one standard error of the best, by the
    score that refit names, else the first, go on to a tenth of it, and to a hundredth where scores still moved, before
    one is taken. Nothing is proven of these; the best estimator is, to its own tol. None: every fit is proven to tol.
    memory, bytes that training may take besides X, unlimited unless given.

    scikit-learn's metrics of probabilities are computed over all classes of y; a class that a split does not train on
    gets the probability 0 there. Where a scorer returns NaN or raises a ValueError, the score is NaN, as with
    GridSearchCV's default error_score, and a warning names the split. A split on which no setting has a score is left
    out of the means; otherwise a setting with a NaN ranks last. Splits that cannot be trained on are refused.

    With scikit-learn's metadata routing enabled, ProbeSearch is a router, as GridSearchCV is: the estimator, the
    scorers and the splitter get what each requests.

    Attributes: best_index_ (the first of equals), best_params_, best_score_ (the mean over splits; not set where refit
    is a function; none of the three is with several scores and refit=False); cv_results_, with GridSearchCV's keys and,
    for each split and as mean and deviation, reg (λ), objective, gap and iterations, and for each split stopped: "gap"
    (proven to tol), "search" or "contender" (not proven, see search_tol), or why it fell short; the time of a fit is
    its share, by iterations, of that of its stack. best_estimator_ and refit_time_ with refit; scorer_, a dict for
    several; multimetric_, n_splits_, classes_ (K,), n_features_in_, feature_names_in_.
    """

    # A router has no requests of its own: set_fit_request would do nothing.
    __metadata_request__fit: ClassVar = {"sample_weight": UNUSED, "groups": UNUSED}
    __metadata_request__score: ClassVar = {"sample_weight": UNUSED}

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
        refit: bool | str | Callable[[CvResults], int] = True,
        return_train_score: bool = False,
        one_standard_error: bool = False,
        search_tol: float | None = 1e-4,
        prepare: Prepare = None,
        memory: int | None = None,
    ) -> None:
        self.estimator = estimator
        self.param_grid = param_grid
        self.cv = cv
        self.scoring = scoring
        self.refit = refit
        self.return_train_score = return_train_score
        self.one_standard_error = one_standard_error
        self.search_tol = search_tol
        self.prepare: Prepare = prepare
        self.memory = memory

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags

    def get_metadata_routing(self) -> MetadataRouter:
        """Where scikit-learn's metadata routing sends what `fit` and `score` are given besides X and y."""
        estimator = SoftmaxClassifier() if self.estimator is None else self.estimator
        return router_of(self, estimator, read_scorers(estimator, self.scoring))

    def fit(self, X: Any, y: Any, sample_weight: Any = None, groups: Any = None, **params: Any) -> Self:
        """Score all settings on all splits of X (n, D), y (n,), and train the best on all of it.

        sample_weight (n,) >= 0 counts in training, and in scores that can be weighted; groups (n,), for splitters that
        keep groups together. With metadata routing, these and `params` go to whoever requests them.
        Raises UsageError, a ValueError, for what cannot be searched; TypeError or IndexError, as GridSearchCV does, for
        an index from `refit` that is none. Warns with EdgeOfGridWarning when the best penalty is at an end of the grid,
        with ConvergenceWarning for heads that stopped above `tol`, with UndefinedMetricWarning for splits on which a
        score is NaN.
        """
        estimator: Any = clone(SoftmaxClassifier() if self.estimator is None else self.estimator)
        if type(estimator) not in (SoftmaxClassifier, LinearSVM):
            raise IncompatibleError(
                f"estimator is a {type(estimator).__name__}; ProbeSearch trains a SoftmaxClassifier or a LinearSVM: "
                "for anything else use scikit-learn's GridSearchCV"
            )
        if self.prepare is not None:
            if estimator.prepare not in (None, self.prepare):
                raise IncompatibleError(
                    f"prepare is {self.prepare!r}, and that of the estimator {estimator.prepare!r}; give one of them"
                )
            estimator.set_params(prepare=self.prepare)
        is_number = isinstance(self.search_tol, Real) and not isinstance(self.search_tol, bool)
        if self.search_tol is not None and not (is_number and 0 < self.search_tol <= MOST_SEARCH_TOL):
            raise UsageError(
                f"search_tol is {self.search_tol!r}; give a share such as 1e-4, at most {MOST_SEARCH_TOL:g}, or None "
                "to prove every fit"
            )
        scorers = read_scorers(estimator, self.scoring)
        check_refit(self, scorers, several=not is_one(self.scoring))
        stamps = file_stamps(X)
        routed = route_fit(self, scorers, sample_weight, groups, params)
        examples = read_examples(self, X, y, routed.sample_weight)
        settings = read_settings(estimator, self.param_grid, examples)
        measures = read_measures(self.scoring, scorers, examples, routed.of_scorers)
        weights = [measure.params["sample_weight"] for measure in measures if "sample_weight" in measure.params]
        splits = read_splits(self.cv, examples, routed.of_splitter, weights)
        if self.one_standard_error and len(splits) == 1:
            raise IncompatibleError("a single split has no standard error; set one_standard_error=False, or use folds")
        found = Fitted(len(settings), len(splits))
        scores = Scores(measures, len(settings), len(splits), several=callable(self.scoring))
        started = time.perf_counter()
        stacks, ground = 0, None
        for stack in stacks_of(settings, splits, examples):
            stacks, ground = stacks + 1, None  # one at a time: it may take as much memory as X
            judge = Judge(stack, examples, scores, found, self.refit, keep=self.return_train_score)
            compared, reg, ground = stack.compare(examples, self.memory, self.search_tol, judge)
            _warn_of_gaps(compared.fits, stack.settings[0].estimator, self.search_tol)
            found.add(stack, compared.fits, reg, judge.asked - started - judge.scoring)
            judge.on_training_rows()
            started = time.perf_counter()  # preparing the next stack's features is part of its fit
        check_unchanged(stamps, X)

        tables = scores.tables(("test", "train") if self.return_train_score else ("test",))
        self.multimetric_ = scores.of_dicts or not is_one(self.scoring)
        if scores.of_dicts:
            check_refit(self, scores.names, several=True)
        self.cv_results_ = cv_results(settings, found, tables)
        self.n_splits_, self.classes_ = len(splits), examples.classes
        self.scorer_ = scorers[THE_SCORE] if is_one(self.scoring) else scorers
        for name in OF_THE_BEST:
            vars(self).pop(name, None)  # of an earlier fit
        if callable(self.refit):
            self.best_index_ = checked_index(self.refit(self.cv_results_), len(settings))
        elif self.refit or not self.multimetric_:
            name = f"test_{self.refit if self.multimetric_ else THE_SCORE}"
            if np.isnan(self.cv_results_[f"mean_{name}"]).all():
                first = int(np.isnan(tables[name]).any(axis=0).argmax())
                raise UsageError(
                    f"scoring={self.scoring!r} gives NaN for every setting, first on split {first}: "
                    f"{scores.reason(name, first)}; choose another score or other splits"
                )
            self.best_index_ = self._choose(settings, found, tables[name])
            self.best_score_ = float(self.cv_results_[f"mean_{name}"][self.best_index_])
        if hasattr(self, "best_index_"):
            self.best_params_ = settings[self.best_index_].params
        scores.warn(tables)
        if self.refit:
            started = time.perf_counter()
            best: Any = clone(settings[self.best_index_].estimator)
            # That of a single stack, whose features and options are those of the best.
            self.best_estimator_ = best._fit(
                examples.X, examples.labels, routed.sample_weight, ground if stacks == 1 else None
            )
            self.refit_time_ = time.perf_counter() - started
        return self

    @refitted("score")
    def score(self, X: Any, y: Any, sample_weight: Any = None, **params: Any) -> float:
        """The score of the best estimator, by `scoring`, or that of its scores that `refit` names, on X and y (n,)."""
        check_is_fitted(self, "best_estimator_")
        if self.multimetric_ and callable(self.refit):
            raise UsageError(
                "refit is a function, which does not say which of the scores to give; use those in scorer_"
            )
        scorers = self.scorer_
        several = isinstance(scorers, dict)
        name = str(self.refit) if several else THE_SCORE
        given = route_score(self, name, sample_weight, params)
        scorer = over_all(scorers[name] if several else scorers, self.classes_)[0]
        X = X if is_dask(X) else as_matrix(X)
        score = scorer(self.best_estimator_, X, on_host(labels_here(y)), **given)
        return score[self.refit] if self.multimetric_ and not several else score

    @refitted("predict")
    def predict(self, X: Any) -> np.ndarray:
        """The best estimator's classes (n,) for X (n, D)."""
        return self._best().predict(X)

    @refitted("predict_proba")
    def predict_proba(self, X: Any) -> np.ndarray:
        """The best estimator's probabilities (n, K) for X (n, D)."""
        return self._best().predict_proba(X)

    @refitted("predict_log_proba")
    def predict_log_proba(self, X: Any) -> np.ndarray:
        """The best estimator's logarithms of probabilities (n, K) for X (n, D)."""
        return self._best().predict_log_proba(X)

    @refitted("decision_function")
    def decision_function(self, X: Any) -> np.ndarray:
        """The best estimator's scores (n, K), or (n,) for two classes, for X (n, D)."""
        return self._best().decision_function(X)

    def _best(self) -> Any:
        check_is_fitted(self, "best_estimator_")
        return self.best_estimator_

    def _choose(self, settings: list[Setting], found: Fitted, scores: np.ndarray) -> int:
        """The setting to take by scores (G, F), and warnings about it."""
        compared = Comparison({"reg": found.reg.mean(axis=1)}, scores, found.fits, kind=kinds_of(settings))
        choice = choose(compared, one_standard_error=self.one_standard_error)
        if choice.why == "all failed":
            _warn_of_failure(self.scoring)
        for edge in choice.edges:
            _warn_at_edge(settings[edge.setting].params, stronger=edge.end == "highest")
        return choice.best


def _warn_of_gaps(fits: Fits, estimator: Any, search_tol: float | None) -> None:
    late = ~np.isin(fits.stopped, ("gap", *EXPECTED))
    goal = f"tol ({estimator.tol:g})" if search_tol is None else f"search_tol ({search_tol:g})"
    if late.any() and fits.gap is not None:
        reasons = ", ".join(sorted(set(fits.stopped[late].tolist())))
        warnings.warn(
            f"{late.sum():,} of {late.size:,} fits stopped before their tolerance ({reasons}), the farthest with "
            f"{proven_share((fits.gap / fits.objective)[late].max())}; raise max_iter "
            f"({estimator.max_iter:,}) or {goal}, or take the weakest penalties out of the grid",
            ConvergenceWarning,
            stacklevel=3,
        )


def _warn_of_failure(scoring: Any) -> None:
    warnings.warn(
        f"every setting with a score by scoring={scoring!r} failed: nothing is proven of its fits, and another setting "
        "may be better than the one taken; give stronger penalties, or raise max_iter",
        ConvergenceWarning,
        stacklevel=4,
    )


def _warn_at_edge(params: Params, *, stronger: bool) -> None:
    name = "C" if "C" in params else "reg"
    lower = stronger == (name == "C")
    warnings.warn(
        f"the best {name}, {params.get(name)}, is the {'lowest' if lower else 'highest'} of the grid: a better one may "
        f"lie {'below' if lower else 'above'} it; extend param_grid there",
        EdgeOfGridWarning,
        stacklevel=4,
    )

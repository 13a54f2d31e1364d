"""ProbeSearch against GridSearchCV's contract: refit, several scores, metadata routing, classes that a split lacks."""

from functools import partial
from inspect import signature
from typing import Any

import numpy as np
import pytest
import sklearn
from sklearn.datasets import load_iris
from sklearn.exceptions import UndefinedMetricWarning, UnsetMetadataPassedError
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import brier_score_loss, get_scorer, hinge_loss, log_loss, make_scorer, top_k_accuracy_score
from sklearn.model_selection import GridSearchCV, GroupKFold, KFold, cross_validate
from sklearn.utils.metadata_routing import MetadataRouter
from threadpoolctl import threadpool_limits

from linprobe import ProbeSearch, SoftmaxClassifier
from linprobe.core.exact import solver as engine
from linprobe.errors import IncompatibleError, UsageError
from linprobe.estimators import probe_search

# What is compared with fits one at a time has to end where they do.
proven = partial(ProbeSearch, search_tol=None)
pytestmark = pytest.mark.filterwarnings("ignore::linprobe.estimators.probe_search.EdgeOfGridWarning")


@pytest.fixture(autouse=True)
def one_thread():
    with threadpool_limits(1):
        yield


IRIS, SPECIES = load_iris(return_X_y=True)
NOISY = IRIS + np.random.default_rng(0).standard_normal(IRIS.shape)
WEIGHT = np.random.default_rng(1).integers(1, 4, 150).astype(float)
GROUPS = np.arange(150) % 10
GRID = {"C": [1e-4, 1.0, 1e-2]}


def both(X=NOISY, y=SPECIES, *, grid: Any = GRID, fit: Any = (), **options):
    """The search and GridSearchCV on scikit-learn's classifier, fitted."""
    theirs: Any = GridSearchCV(LogisticRegression(tol=1e-9, max_iter=10_000), grid, **{"cv": 3, **options})
    ours: Any = proven(SoftmaxClassifier(tol=1e-9), grid, **{"cv": 3, **options})
    return ours.fit(X, y, **dict(fit)), theirs.fit(X, y, **dict(fit))


def assert_same_results(ours, theirs):
    more = {f"{kind}_{name}" for kind in ("split0", "split1", "split2", "mean", "std") for name in MORE}
    more |= {f"split{split}_stopped" for split in range(3)}
    assert set(ours.cv_results_) - more == set(theirs.cv_results_)
    for name, expected in theirs.cv_results_.items():
        found = ours.cv_results_[name]
        if name == "params":
            assert found == expected
        else:
            assert type(found) is type(expected)
            assert (found.dtype, found.shape) == (expected.dtype, expected.shape)
            if "_time" not in name and not name.startswith("param_"):
                np.testing.assert_allclose(found, expected, atol=2e-4)
    for name in ("best_index_", "best_params_", "best_score_", "multimetric_", "n_splits_"):
        assert hasattr(ours, name) == hasattr(theirs, name), name
        if hasattr(theirs, name):
            assert getattr(ours, name) == (
                pytest.approx(getattr(theirs, name), abs=2e-4) if name == "best_score_" else getattr(theirs, name)
            )
    assert hasattr(ours, "best_estimator_") == hasattr(theirs, "best_estimator_")


MORE = ("reg", "objective", "gap", "iterations")


def log_losses(estimator, X, y):
    return {"log": -log_loss(y, estimator.predict_proba(X)), "hits": estimator.score(X, y)}


# ---- scores


@pytest.mark.sampled(4)
@pytest.mark.parametrize(
    ("scoring", "refit", "train"),
    [
        (None, True, True),
        ("neg_log_loss", "anything true", False),
        (["accuracy", "neg_log_loss"], "neg_log_loss", False),
        (("accuracy", "neg_log_loss"), "accuracy", True),
        (["accuracy"], "accuracy", False),
        ({"log": "neg_log_loss", "own": lambda model, *_: model.coef_[0, 0]}, "own", True),
        (
            {"log": "neg_log_loss", "top": make_scorer(top_k_accuracy_score, response_method="predict_proba")},
            *(False, True),
        ),
        ({"log": "neg_log_loss", "hits": "accuracy"}, lambda results: results["rank_test_log"].argmax(), False),
        (log_losses, "log", True),
        (log_losses, False, False),
        (lambda *_: {"score": 0.5}, "score", False),
    ],
)
def test_scores_and_results_are_those_of_grid_search(scoring, refit, train):
    ours, theirs = both(scoring=scoring, refit=refit, return_train_score=train)
    assert_same_results(ours, theirs)
    assert type(ours.scorer_) is type(theirs.scorer_)
    if isinstance(scoring, dict):
        assert list(ours.scorer_) == list(theirs.scorer_)
    if refit and not callable(refit):
        assert ours.score(NOISY, SPECIES) == pytest.approx(theirs.score(NOISY, SPECIES), abs=1e-4)
    if refit:
        assert (ours.predict(NOISY) == theirs.predict(NOISY)).all()


def test_a_set_of_scores_and_several_stacks():
    grid = [{"C": [1e-3, 1.0]}, {"C": [1e-2], "class_weight": [None, {0: 5.0}], "fit_intercept": [False]}]
    options: Any = {"scoring": {"accuracy", "neg_log_loss"}, "refit": "neg_log_loss"}
    ours = proven(SoftmaxClassifier(tol=1e-9), grid, cv=3, **options).fit(NOISY, SPECIES)
    options["scoring"] = sorted(options["scoring"])
    theirs = GridSearchCV(LogisticRegression(tol=1e-9, max_iter=10_000), grid, cv=3, **options).fit(NOISY, SPECIES)
    assert_same_results(ours, theirs)


def test_each_score_is_weighted_if_it_can_be():
    scoring = {"log": "neg_log_loss", "hits": "accuracy"}
    ours, theirs = both(scoring=scoring, refit="log", fit={"sample_weight": WEIGHT})
    assert_same_results(ours, theirs)
    plain, _ = both(scoring=scoring, refit="log")
    assert (plain.cv_results_["mean_test_hits"] != ours.cv_results_["mean_test_hits"]).any()
    with pytest.warns(UserWarning, match="takes no sample_weight"):
        mixed = proven(
            SoftmaxClassifier(tol=1e-9),
            GRID,
            cv=3,
            refit=False,
            scoring={"own": lambda m, X, y: m.score(X, y), "a": "accuracy"},
        ).fit(NOISY, SPECIES, WEIGHT)
    np.testing.assert_allclose(mixed.cv_results_["mean_test_a"], ours.cv_results_["mean_test_hits"])
    assert (mixed.cv_results_["mean_test_own"] != ours.cv_results_["mean_test_hits"]).any()


@pytest.mark.parametrize(
    ("options", "kind", "words"),
    [
        (
            {"scoring": ["accuracy", "f1_macro"]},
            UsageError,
            r"refit is True, and .* name the one .*\(accuracy, f1_macro\)",
        ),
        ({"scoring": ["accuracy"], "refit": "f1"}, UsageError, "refit is 'f1', and there are several scores"),
        ({"scoring": log_losses}, UsageError, r"refit is True, .* \(log, hits\)"),
        ({"refit": None}, UsageError, "refit is None; give True, False"),
        ({"refit": 1}, UsageError, "refit is 1; give"),
        ({"scoring": 3}, ValueError, "scoring"),
        ({"scoring": []}, ValueError, "Empty list"),
        ({"scoring": ["accuracy", "accuracy"]}, ValueError, "[Dd]uplicate"),
        ({"scoring": {}}, ValueError, "empty"),
        ({"scoring": {"a": lambda *_: {"b": 1.0}}, "refit": "a"}, UsageError, "returns a dict; give a function"),
        ({"scoring": lambda *_: "good"}, UsageError, "returns a str; give a function that returns one number"),
        ({"scoring": lambda *_: {"a": None}, "refit": "a"}, UsageError, "returns a NoneType"),
        ({"refit": lambda _: 0, "one_standard_error": True}, IncompatibleError, "refit is a rule of its own"),
        (
            {"scoring": ["accuracy"], "refit": False, "one_standard_error": True},
            *(IncompatibleError, "refit is False; set"),
        ),
    ],
)
def test_scores_and_refits_that_make_no_sense(options, kind, words):
    with pytest.raises(kind, match=words) as caught:
        proven(param_grid=GRID, cv=3, **options).fit(NOISY, SPECIES)
    assert "\n" not in str(caught.value)


def test_a_function_that_changes_its_mind_is_an_error():
    answers = iter([{"a": 1.0}, {"a": 1.0, "b": 2.0}])
    with pytest.raises(UsageError, match="scoring returns 'a', 'b' where it returned 'a' before"):
        proven(param_grid=GRID, cv=3, scoring=lambda *_: next(answers), refit="a").fit(NOISY, SPECIES)
    mixed = iter([0.5, {"a": 1.0}])
    with pytest.raises(UsageError, match="scoring returns 'a' where it returned 'score' before"):
        proven(param_grid=GRID, cv=3, scoring=lambda *_: next(mixed)).fit(NOISY, SPECIES)


# ---- refit


def test_a_function_as_refit_chooses():
    given = []

    def last(results):
        given.append(results)
        return np.int64(2)

    ours, theirs = both(refit=last)
    assert_same_results(ours, theirs)
    assert given[0] is ours.cv_results_
    assert ours.best_index_ == 2
    assert ours.best_estimator_.C == ours.best_params_["C"] == 1e-2
    assert not hasattr(ours, "best_score_")
    assert ours.score(NOISY, SPECIES) == ours.best_estimator_.score(NOISY, SPECIES)


@pytest.mark.parametrize(("index", "kind"), [("0", TypeError), (1.0, TypeError), (3, IndexError), (-1, IndexError)])
def test_what_a_function_as_refit_returns_is_an_index(index, kind):
    own: Any = lambda _: index  # noqa: E731
    for search in (proven(None, GRID, refit=own), GridSearchCV(LogisticRegression(), GRID, refit=own)):
        with pytest.raises(kind):
            search.fit(NOISY, SPECIES)


def test_nothing_is_left_of_an_earlier_fit():
    search: Any = proven(param_grid=GRID, cv=3).fit(NOISY, SPECIES)
    search.set_params(refit=lambda _: 0).fit(NOISY, SPECIES)
    assert not hasattr(search, "best_score_")
    search.set_params(refit=False, scoring=["accuracy"]).fit(NOISY, SPECIES)
    assert not any(hasattr(search, name) for name in ("best_index_", "best_params_", "best_estimator_", "refit_time_"))


def test_a_score_needs_a_name_where_a_function_chose():
    search: Any = proven(param_grid=GRID, cv=3, scoring=["accuracy"], refit=lambda _: 0).fit(NOISY, SPECIES)
    with pytest.raises(UsageError, match="does not say which of the scores"):
        search.score(NOISY, SPECIES)


# ---- times


def test_the_time_of_a_stack_is_shared_by_iterations(monkeypatch):
    now, solve = [0.0], engine.solve

    def taking_six_seconds(*arguments, **options):
        now[0] += 6.0
        return solve(*arguments, **options)

    monkeypatch.setattr(engine, "solve", taking_six_seconds)
    monkeypatch.setattr(probe_search.time, "perf_counter", lambda: now[0])

    def score(estimator, X, y):
        now[0] += 0.5
        return estimator.score(X, y)

    grid = {"C": [1e-4, 1.0], "fit_intercept": [True, False]}
    search = proven(SoftmaxClassifier(), grid, cv=3, scoring=score, return_train_score=True).fit(NOISY, SPECIES)
    results: Any = search.cv_results_
    with_bias = np.array([params["fit_intercept"] for params in results["params"]])
    for stack in (with_bias, ~with_bias):
        times, passes = 3 * results["mean_fit_time"][stack], 3 * results["mean_iterations"][stack]
        assert times.sum() == pytest.approx(6)
        np.testing.assert_allclose(times, 6 * passes / passes.sum())
        assert len(set(times)) == 2
    np.testing.assert_allclose(results["mean_score_time"], 0.5)
    assert search.refit_time_ == 6


# ---- classes that a split lacks


def few_of_a_class():
    """Three classes, of the last of which there is one example."""
    X = np.random.default_rng(0).standard_normal((10, 2))
    return X, np.array([1, 1, 1, 1, 1, 2, 2, 2, 2, 3])


def known_log_loss(model, X, y):
    """The log loss over the classes 1, 2 and 3, in plain loops."""
    total, smallest = 0.0, np.finfo(float).eps
    for probabilities, label in zip(model.predict_proba(X).astype(float), y, strict=True):
        of_class = dict(zip(model.classes_, probabilities, strict=True))
        total -= np.log(np.clip(of_class.get(label, 0.0), smallest, 1 - smallest))
    return -total / len(y)


@pytest.mark.filterwarnings("ignore:The least populated class")
@pytest.mark.parametrize("intercept", [True, False])
@pytest.mark.parametrize("as_text", [True, False])
def test_log_loss_is_over_all_known_classes(intercept, as_text):
    X, y = few_of_a_class()
    options: Any = {
        "estimator": SoftmaxClassifier(fit_intercept=intercept, tol=1e-9),
        "param_grid": {"reg": [1.0, 0.01]},
    }
    expected = proven(**options, cv=5, scoring=known_log_loss).fit(X, y).cv_results_
    labels = np.array(["", "a", "b", "c"])[y] if as_text else y
    found = proven(**options, cv=5, scoring="neg_log_loss").fit(X, labels)
    for split in range(5):
        np.testing.assert_allclose(
            found.cv_results_[f"split{split}_test_score"], expected[f"split{split}_test_score"], rtol=1e-5
        )
    assert found.best_index_ == expected["mean_test_score"].argmax()
    assert expected["mean_test_score"].min() < -4  # the probability of the class that is new costs 36 nats
    two = labels[5:9]
    assert np.isfinite(found.score(X[5:9], two))


def test_ranks_and_brier_are_over_all_known_classes():
    X, y = NOISY[:110], SPECIES[:110]  # ten of the last class, in the last fold
    cv = KFold(11)
    either: Any = ("decision_function", "predict_proba")
    scoring: Any = {"top": make_scorer(top_k_accuracy_score, response_method=either, k=2)}
    if "labels" in signature(brier_score_loss).parameters:  # in recent versions
        scoring["brier"] = "neg_brier_score"
    search = proven(SoftmaxClassifier(tol=1e-9), GRID, cv=cv, scoring=scoring, refit="top").fit(X, y)
    for number, (train, test) in enumerate(cv.split(X)):
        for place, C in enumerate(GRID["C"]):
            model = SoftmaxClassifier(C=C, tol=1e-9).fit(X[train], y[train])
            probabilities = np.zeros((10, 3))
            probabilities[:, model.classes_] = model.predict_proba(X[test])
            worse = (probabilities > probabilities[np.arange(10), y[test], None]).sum(axis=1)
            assert search.cv_results_[f"split{number}_test_top"][place] == np.mean((worse < 2) & (y[test] < 3)), number
            if "brier" in scoring:
                squares = ((probabilities - np.eye(3)[y[test]]) ** 2).sum(axis=1).mean()
                assert search.cv_results_[f"split{number}_test_brier"][place] == pytest.approx(-squares, abs=1e-4)
    assert search.cv_results_["split10_test_top"].tolist() == [0, 0, 0]


@pytest.mark.filterwarnings("ignore:Only one class:sklearn.exceptions.UndefinedMetricWarning")
@pytest.mark.parametrize("scoring", ["roc_auc_ovr", make_scorer(hinge_loss, response_method="decision_function")])
def test_a_split_without_a_score_is_named_and_left_out_of_the_means(scoring):
    X, y = NOISY[:130], SPECIES[:130]
    rows = np.random.default_rng(0).permutation(130)
    cv = [(rows[:60], rows[60:]), (np.r_[0:80, 120:130], np.arange(80, 120)), (rows[60:], rows[:60])]
    cv[1] = (np.r_[0:40, 50:90, 100:120], np.r_[40:50, 90:100])  # nothing of the last class to test on
    search = proven(SoftmaxClassifier(tol=1e-9), GRID, cv=cv, scoring=scoring)
    with pytest.warns(
        UndefinedMetricWarning, match=r"split 1: test_score is NaN for 3 of 3 settings \(.*leave"
    ) as caught:
        search.fit(X, y)
    assert [str(w.message).split(":")[0] for w in caught if "settings" in str(w.message)] == ["split 1"]
    assert {w.filename for w in caught if "settings" in str(w.message)} == {__file__}
    results = search.cv_results_
    assert np.isnan(results["split1_test_score"]).all()
    scores = np.stack([results["split0_test_score"], results["split2_test_score"]])
    np.testing.assert_allclose(results["mean_test_score"], scores.mean(axis=0))
    np.testing.assert_allclose(results["std_test_score"], scores.std(axis=0))
    assert search.best_index_ == scores.mean(axis=0).argmax() == results["rank_test_score"].argmin()
    assert search.best_score_ == pytest.approx(scores.mean(axis=0).max())


def failing_for(C, at=None):
    def score(estimator, X, y):
        if estimator.C == C and (at is None or at in X):
            raise ValueError("not\nthis one")
        return estimator.score(X, y)

    return score


def test_a_setting_whose_score_fails_ranks_last_as_in_grid_search():
    scoring = failing_for(1.0, at=NOISY[0, 0])
    with pytest.warns(UserWarning, match="split 0|Scoring failed|test scores") as caught:
        ours, theirs = both(scoring=scoring)
    messages = [str(w.message) for w in caught if "settings" in str(w.message)]
    assert messages == ["split 0: test_score is NaN for 1 of 3 settings (not this one); these settings rank last"]
    assert_same_results(ours, theirs)
    assert ours.cv_results_["rank_test_score"][1] == 3


def test_one_standard_error_needs_two_splits_with_a_score():
    def score(estimator, X, y):
        return estimator.score(X, y) if NOISY[0, 0] in X else np.nan

    with pytest.raises(UsageError, match="one_standard_error needs scores on two splits"):
        proven(param_grid=GRID, cv=3, scoring=score, one_standard_error=True).fit(NOISY, SPECIES)


def test_without_any_score_nothing_is_chosen():
    options: Any = {"param_grid": {"C": [1.0]}, "cv": 3, "scoring": failing_for(1.0)}
    with pytest.raises(UsageError, match="gives NaN for every setting, first on split 0: not this one; choose"):
        proven(**options).fit(NOISY, SPECIES)
    with pytest.warns(UndefinedMetricWarning):
        search = proven(**options, refit=lambda _: 0).fit(NOISY, SPECIES)
    assert search.best_index_ == 0


@pytest.mark.parametrize("error", [KeyError("ours"), TypeError("ours"), UsageError("ours")])
def test_other_errors_of_a_score_are_raised(error):
    def score(estimator, X, y):
        raise error

    with pytest.raises(type(error)) as caught:
        proven(param_grid=GRID, cv=3, scoring=score).fit(NOISY, SPECIES)
    assert caught.value is error


# ---- metadata routing


@pytest.fixture
def routing():
    with sklearn.config_context(enable_metadata_routing=True):
        yield


@pytest.mark.usefixtures("routing")
def test_groups_reach_a_nested_search():
    options: Any = {"params": {"groups": GROUPS}, "cv": GroupKFold(5), "return_indices": True, "return_estimator": True}
    ours = cross_validate(proven(SoftmaxClassifier(tol=1e-9), GRID, cv=GroupKFold(3)), NOISY, SPECIES, **options)
    search = GridSearchCV(LogisticRegression(tol=1e-9, max_iter=10_000), GRID, cv=GroupKFold(3))
    theirs = cross_validate(search, NOISY, SPECIES, **options)
    assert ours["test_score"].tolist() == theirs["test_score"].tolist()
    for found, expected in zip(ours["estimator"], theirs["estimator"], strict=True):
        assert_same_results(found, expected)


@pytest.mark.sampled(3)
@pytest.mark.usefixtures("routing")
@pytest.mark.parametrize(
    ("fitting", "scoring", "several"),
    [(True, True, False), (True, False, True), (True, "of_score", True), (False, True, True), (False, False, False),
     (False, "of_score", False), ("of_fit", True, True), ("of_fit", False, True), ("of_fit", "of_score", False)],
)  # fmt: skip
def test_weights_go_where_they_are_requested_as_in_grid_search(fitting, scoring, several):
    params: Any = {"of_fit": WEIGHT, "of_score": WEIGHT[::-1], "sample_weight": np.roll(WEIGHT, 3)}
    params = {name: value for name, value in params.items() if name in (fitting, scoring)} | (
        {"sample_weight": params["sample_weight"]} if True in (fitting, scoring) else {}
    )
    found = []
    kinds: tuple[Any, ...] = (proven, GridSearchCV)
    for search in kinds:
        scorer: Any = get_scorer("neg_log_loss").set_score_request(sample_weight=scoring)
        own: Any = get_scorer("accuracy").set_score_request(sample_weight=False)
        asked: Any = {"log": scorer, "own": own} if several else scorer
        model = SoftmaxClassifier(tol=1e-9).set_fit_request(sample_weight=fitting)
        one = search(model, GRID, cv=KFold(3, shuffle=True, random_state=0), scoring=asked, refit="log")
        found.append(one.fit(NOISY, SPECIES, **params))
    ours, theirs = found
    assert_same_results(ours, theirs)
    if scoring != "of_score":
        given = {name: value for name, value in params.items() if scoring is True and name == "sample_weight"}
        assert ours.score(NOISY, SPECIES, **given) == pytest.approx(theirs.score(NOISY, SPECIES, **given), abs=1e-4)
    elif several:  # GridSearchCV.score forgets the other name
        by_hand = get_scorer("neg_log_loss")(ours.best_estimator_, NOISY, SPECIES, sample_weight=WEIGHT)
        assert ours.score(NOISY, SPECIES, of_score=WEIGHT) == pytest.approx(by_hand)
    np.testing.assert_allclose(ours.best_estimator_.coef_, theirs.best_estimator_.coef_, atol=1e-3)


@pytest.mark.usefixtures("routing")
def test_what_nobody_asked_for_is_refused_as_grid_search_does():
    for search in (proven(param_grid=GRID), GridSearchCV(LogisticRegression(), GRID)):
        with pytest.raises(UnsetMetadataPassedError, match="sample_weight"):
            search.fit(NOISY, SPECIES, sample_weight=WEIGHT)
        with pytest.raises(TypeError, match="unexpected argument"):
            search.fit(NOISY, SPECIES, groups=GROUPS)
    ours, theirs = (
        search.get_metadata_routing()
        for search in (proven(cv=GroupKFold()), GridSearchCV(LogisticRegression(), GRID, cv=GroupKFold()))
    )
    assert isinstance(ours, MetadataRouter)
    assert ours.consumes("fit", ["groups", "other"]) == theirs.consumes("fit", ["groups", "other"]) == {"groups"}
    assert not hasattr(proven(), "set_fit_request")
    assert not hasattr(proven(), "set_score_request")


@pytest.mark.usefixtures("routing")
def test_a_score_of_ones_own_gets_what_it_requests():
    seen = []

    def metric(y, predicted, age):
        seen.append((len(y), len(age)))
        return np.mean(age * (y == predicted))

    scorer: Any = make_scorer(metric).set_score_request(age=True)
    search: Any = proven(param_grid=GRID, cv=3, scoring=scorer)
    search.fit(NOISY, SPECIES, age=np.arange(150.0))
    assert seen == [(50, 50)] * 9
    assert search.best_score_ > 1
    assert search.score(NOISY, SPECIES, age=np.ones(150)) == (search.predict(NOISY) == SPECIES).mean()


def test_without_routing_nothing_else_is_taken():
    with pytest.raises(UsageError, match=r"age: there is no such argument; .*enable_metadata_routing=True") as caught:
        proven(param_grid=GRID).fit(NOISY, SPECIES, age=1)
    assert "\n" not in str(caught.value)
    search: Any = proven(param_grid=GRID, cv=GroupKFold(3)).fit(NOISY, SPECIES, groups=GROUPS)
    with pytest.raises(UsageError, match="age: there is no such argument"):
        search.score(NOISY, SPECIES, age=1)


@pytest.mark.usefixtures("routing")
def test_splits_are_refused_for_the_weights_of_scores_only():
    alone = np.where(np.arange(150) < 100, 1.0, 0.0)
    search: Any = proven(SoftmaxClassifier().set_fit_request(sample_weight=True), GRID, cv=KFold(3, shuffle=False))
    X, y = NOISY[::-1], SPECIES[::-1]
    order = np.argsort(np.arange(150) % 3, kind="stable")
    X, y = X[order], y[order]
    search.set_params(scoring=get_scorer("neg_log_loss").set_score_request(sample_weight=False))
    search.fit(X, y, sample_weight=alone)  # the last split has no weight in training, and its scores have none
    search.set_params(scoring=get_scorer("neg_log_loss").set_score_request(sample_weight=True))
    with pytest.raises(UsageError, match="split 2 has no example of any weight to test on"):
        search.fit(X, y, sample_weight=alone)

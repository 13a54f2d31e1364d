"""Every metric against scikit-learn's: ties, classes without examples, 2 and 12 classes, weights, an SVM's scores."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar
from scipy.special import softmax
from sklearn import metrics
from sklearn.calibration import calibration_curve

from linprobe.core.losses import LOSSES
from linprobe.core.metrics import METRICS, Counted, Sample, available, find_metric, fit_temperature, measure, value_of
from linprobe.errors import IncompatibleError, UsageError

truth: Any = metrics  # as users call it


def classes_of(sample):
    return [1] if sample.classes == 2 else range(sample.classes)


def ranks_of(sample, k):
    """What users hand to scikit-learn: predict_proba, or decision_function."""
    if sample.probabilistic:
        return softmax(sample.scores.astype(np.float64), axis=1)[:, k]
    scores = sample.scores.astype(np.float64)
    return scores[:, 1] - scores[:, 0] if sample.classes == 2 else scores[:, k]


def mean_over_classes(score, sample, weight, *, needs_others):
    found = []
    for k in classes_of(sample):
        there = weight[sample.labels == k].sum() > 0
        others = weight[sample.labels != k].sum() > 0
        if there and (others or not needs_others):
            found.append(score(sample.labels == k, ranks_of(sample, k), sample_weight=weight))
    return np.mean(found) if found else np.nan


def calibration(sample, weight):
    """By scikit-learn's curve, of rows that stand as often as they count."""
    P = softmax(sample.scores.astype(np.float64), axis=1)
    sure, right = P.max(axis=1), (P.argmax(axis=1) == sample.labels).astype(float)
    bins = np.minimum((sure * 15).astype(int), 14)
    if (weight == weight.astype(int)).all():
        rows = np.repeat(np.arange(len(sure)), weight.astype(int))
        accuracy, confidence = calibration_curve(right[rows], sure[rows], n_bins=15)
        n = np.bincount(bins[rows], minlength=15)
        return (np.abs(accuracy - confidence) * n[n > 0]).sum() / len(rows)
    of_bins = [np.abs((weight * (sure - right))[bins == k].sum()) for k in range(15)]
    return sum(of_bins) / weight.sum()


def by_scikit_learn(name, sample, weight):
    """The number, of examples with weights, by a function of scikit-learn."""
    y, K, scores = sample.labels, sample.classes, sample.scores.astype(np.float64)
    seen, predicted = weight > 0, scores.argmax(axis=1)
    plain = {"sample_weight": weight[seen]}
    y_, p_ = y[seen], predicted[seen]
    match name:
        case "accuracy":
            return truth.accuracy_score(y_, p_, **plain)
        case "top5":
            # Of equal scores scikit-learn takes the last class first, and we the first.
            return truth.top_k_accuracy_score(
                K - 1 - y_, scores[seen][:, ::-1], k=5, labels=np.arange(K), sample_weight=weight[seen]
            )
        case "balanced_accuracy":
            recalls = truth.recall_score(y_, p_, labels=np.unique(y_), average=None, zero_division=0, **plain)
            return np.mean(recalls)
        case "macro_f1":
            return truth.f1_score(y_, p_, average="macro", zero_division=0, **plain)
        case "auroc":
            return mean_over_classes(truth.roc_auc_score, sample, weight, needs_others=True)
        case "average_precision":
            return mean_over_classes(truth.average_precision_score, sample, weight, needs_others=False)
        case "log_loss":
            return truth.log_loss(y_, softmax(scores[seen], axis=1), labels=np.arange(K), **plain)
        case "calibration_error":
            return calibration(sample, weight)
    raise AssertionError(name)


def drawn(seed, n, K, *, ties, absent=False, probabilistic=True):
    rng = np.random.default_rng(seed)
    y = rng.integers(0, K, n)
    if absent:
        y[y == K // 2] = 0
    scores = rng.normal(size=(n, K)) + 1.5 * np.eye(K)[y]
    if ties:
        scores = np.round(scores)
    return Sample(scores.astype(np.float32), y, probabilistic)


@pytest.mark.sampled(3)
@pytest.mark.filterwarnings("ignore:y_pred contains classes")
@pytest.mark.parametrize("weighted", ["ones", "counts", "weights"])
@pytest.mark.parametrize("absent", [False, True], ids=["all classes", "one absent"])
@pytest.mark.parametrize("ties", [False, True], ids=["distinct", "ties"])
@pytest.mark.parametrize("K", [2, 3, 12])
@pytest.mark.parametrize("probabilistic", [True, False], ids=["softmax", "hinge"])
def test_a_metric_is_scikit_learns(K, ties, absent, weighted, probabilistic):
    if absent and K == 2:
        pytest.skip("one class alone is left")
    sample = drawn(K, 150, K, ties=ties, absent=absent, probabilistic=probabilistic)
    rng = np.random.default_rng(9)
    weight = {"ones": np.ones(150), "counts": rng.poisson(1.0, 150).astype(float), "weights": rng.random(150)}[weighted]
    found = available("softmax" if probabilistic else "hinge", K)
    assert len(found) == (5 if K < 6 else 6) + 2 * probabilistic
    for metric in found:
        value = metric.of(Counted(sample, weight[:, None]))[0]
        assert value == pytest.approx(by_scikit_learn(metric.name, sample, weight), abs=1e-6), metric.name
        if weighted == "ones":
            assert value == value_of(metric, sample)


@settings(max_examples=60, deadline=None)
@given(
    st.integers(2, 8).flatmap(
        lambda K: st.lists(
            st.tuples(st.integers(0, K - 1), st.integers(0, 3), st.lists(st.integers(-3, 3), min_size=K, max_size=K)),
            min_size=1,
            max_size=25,
        )
    )
)
def test_whatever_the_examples(examples):
    y, counts, scores = (np.array(part) for part in zip(*examples, strict=True))
    if not counts.sum():
        counts[0] = 1
    sample = Sample(scores.astype(np.float32), y, probabilistic=True)
    several = np.stack([counts, np.ones_like(counts)], axis=1)
    for metric in available("softmax", sample.classes):
        for value, weight in zip(metric.of(Counted(sample, several)), several.T, strict=True):
            known = by_scikit_learn(metric.name, sample, weight.astype(float))
            np.testing.assert_allclose(value, known, atol=1e-6, err_msg=metric.name)


def test_balanced_accuracy_is_scikit_learns_and_the_mean_recall_where_every_class_is_there():
    sample = drawn(0, 300, 4, ties=False)
    value = value_of(METRICS["balanced_accuracy"], sample)
    assert value == pytest.approx(truth.balanced_accuracy_score(sample.labels, sample.predicted))
    assert value == pytest.approx(truth.recall_score(sample.labels, sample.predicted, average="macro"))
    assert find_metric("mean-per-class-recall") is find_metric("balanced_accuracy")


def test_of_a_single_class_there_is_no_area_under_a_curve():
    sample = Sample(np.random.default_rng(0).normal(size=(9, 3)).astype(np.float32), np.zeros(9, int), True)
    assert np.isnan(value_of(METRICS["auroc"], sample))
    assert value_of(METRICS["average_precision"], sample) == 1


def test_scores_that_are_far_apart_have_the_log_loss_of_scikit_learn():
    scores = np.array([[0, 900], [900, 0], [0, 1e30]], np.float32)
    sample = Sample(scores, np.array([0, 0, 1]), True)
    assert value_of(METRICS["log_loss"], sample) == pytest.approx(
        truth.log_loss(sample.labels, softmax(scores.astype(float), axis=1), labels=[0, 1])
    )


@pytest.mark.parametrize("seed", range(4))
def test_the_temperature_has_the_lowest_log_loss(seed):
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 5, 400)
    scores = (rng.normal(size=(400, 5)) + 1.2 * np.eye(5)[y]) * [0.3, 1, 4, 10][seed]

    def loss(log_temperature):
        return truth.log_loss(y, softmax(scores / np.exp(log_temperature), axis=1), labels=range(5))

    lowest: Any = minimize_scalar(loss, bounds=(-4, 4), method="bounded", options={"xatol": 1e-8})
    found = fit_temperature(scores.astype(np.float32), y)
    assert found == pytest.approx(np.exp(lowest.x), rel=1e-4)


@pytest.mark.parametrize("largest", [1e30, 3.4e38, 1e308])
@pytest.mark.parametrize("K", [2, 7])
def test_scores_as_large_as_their_type_leave_numbers(K, largest):
    sample = drawn(0, 60, K, ties=False)
    scores = sample.scores.astype(np.float64 if largest > 1e300 else np.float32)
    scores[:20] = np.sign(scores[:20]) * largest
    found = measure(Sample(scores, sample.labels, True), available("softmax", K), temperature=0.3, times=5)
    assert set(found) == {metric.name for metric in available("softmax", K)} | {"calibration_error_scaled"}
    assert np.isfinite([figure.value for figure in found.values()]).all()
    assert set(measure(Sample(scores, sample.labels, False), available("hinge", K), times=5)) < set(found)
    fit_temperature(scores, sample.labels)


def test_no_temperature_where_every_answer_is_right_or_none_tells_anything():
    y = np.arange(6) % 3
    assert fit_temperature(np.eye(3, dtype=np.float32)[y], y) is None
    assert fit_temperature(np.zeros((6, 3), np.float32), y) is None
    assert fit_temperature(-np.eye(3, dtype=np.float32)[y], y) is None


def test_a_class_that_was_not_learned_has_no_say_in_the_temperature():
    rng = np.random.default_rng(0)
    y = rng.integers(0, 3, 200)
    scores = (3 * rng.normal(size=(200, 3)) + 2 * np.eye(3)[y]).astype(np.float32)
    known = fit_temperature(scores, y)
    more = np.concatenate([scores, scores[:50]])
    more = np.concatenate([more, np.full((250, 1), -1e30, np.float32)], axis=1)
    assert fit_temperature(more, np.concatenate([y, np.full(50, 3)])) == pytest.approx(known)


def test_what_cannot_be_had_is_refused_with_the_way_out():
    with pytest.raises(UsageError, match=r"--metric f2: is unknown; use one of: accuracy, top5, balanced_accuracy"):
        find_metric("f2")
    with pytest.raises(IncompatibleError, match="--metric ece: needs probabilities, and the loss hinge gives scores"):
        find_metric("ece", "hinge")
    with pytest.raises(IncompatibleError, match="--metric top5: needs 6 classes or more, and there are 5"):
        find_metric("top5", "softmax", 5)
    assert find_metric("top5", "softmax").name == "top5"
    names = {loss: {metric.name for metric in available(loss, 10)} for loss in LOSSES}
    assert names["softmax"] - names["hinge"] == {"log_loss", "calibration_error"}
    assert names["softmax"] == set(METRICS)

"""Scores, intervals and counts against plain loops, SciPy and scikit-learn."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.stats import binomtest
from sklearn.metrics import confusion_matrix

from examples import examples  # pyright: ignore[reportMissingImports]
from linprobe.core.measure import CHUNK_ROWS, confusion, highest, score_stack, wilson_interval


def make_stack(n=200, features=7, classes=5, heads=4, seed=0, dtype: Any = np.float64):
    """Labels that some heads get right and others do not; every head another scale, so that no two agree."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, features)).astype(dtype)
    y = rng.integers(0, classes, n)
    W = (rng.normal(size=(features, classes, heads)) * np.geomspace(0.1, 3, heads)).astype(dtype)
    b = rng.normal(size=(classes, heads)).astype(dtype)
    right = rng.random(n) < 0.5  # half of the examples lean towards their label
    X[right] += 2 * W[:, y[right], 0].T
    return X, y, W, b


def plain_losses(scores, label):
    """Softmax in nats and hinge of one example, from its K scores, in float64."""
    scores = [float(score) for score in scores]
    top = max(scores)
    softmax = math.log(sum(math.exp(score - top) for score in scores)) + top - scores[label]
    hinge = sum(max(0.0, score - scores[label] + 1) for k, score in enumerate(scores) if k != label)
    return {"softmax": softmax, "hinge": hinge}


def plain_score(X, y, W, b, loss):
    """Accuracy and mean loss, head after head and example after example."""
    accuracy, mean = [], []
    for head in range(W.shape[2]):
        correct, total = 0, 0.0
        for x, label in zip(X.astype(np.float64), y, strict=True):
            scores = x @ W[:, :, head].astype(np.float64) + (0 if b is None else b[:, head].astype(np.float64))
            correct += int(np.argmax(scores)) == label
            total += plain_losses(scores, label)[loss]
        accuracy.append(correct / len(y))
        mean.append(total / len(y))
    return np.array(accuracy), np.array(mean)


# ---- score_stack


@pytest.mark.parametrize("loss", ["softmax", "hinge"])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize(
    "shape",
    [
        {"classes": 2, "heads": 1},
        {"classes": 2},
        {"classes": 10, "heads": 9},
        {"classes": 100, "heads": 3},
        {"n": 1},
        {"n": 2, "features": 1},
    ],
    ids=str,
)
def test_a_stack_scores_like_plain_loops(shape, bias, loss):
    X, y, W, b = make_stack(**shape)
    b = b if bias else None
    score = score_stack(X, y, W, b, loss)
    accuracy, mean = plain_score(X, y, W, b, loss)
    np.testing.assert_array_equal(score.accuracy, accuracy)
    np.testing.assert_allclose(score.loss, mean, rtol=1e-12)
    assert score.accuracy.shape == score.loss.shape == (W.shape[2],)


@pytest.mark.parametrize("n", [CHUNK_ROWS - 1, CHUNK_ROWS, CHUNK_ROWS + 1, 2 * CHUNK_ROWS, 3 * CHUNK_ROWS + 7])
def test_every_row_counts_once_whatever_the_chunks(n):
    X, y, W, b = make_stack(n=n)
    score = score_stack(X, y, W, b, "softmax")
    scores = np.einsum("nd,dkh->nkh", X, W) + b
    np.testing.assert_array_equal(score.accuracy, (scores.argmax(axis=1) == y[:, None]).mean(axis=0))
    assert 0.2 < score.accuracy[0] < 1  # neither chance nor all: the figure could be wrong
    # A last row that no head gets right, and one that all do, each move the count by what one row is worth.
    for label in range(5):
        y[-1] = label
        expected = (scores.argmax(axis=1) == y[:, None]).mean(axis=0)
        np.testing.assert_array_equal(score_stack(X, y, W, b, "softmax").accuracy, expected)


def test_float32_is_close_to_float64_loops():
    X, y, W, b = make_stack(n=300, dtype=np.float32)
    score = score_stack(X, y, W, b, "softmax")
    accuracy, mean = plain_score(X, y, W, b, "softmax")
    np.testing.assert_allclose(score.accuracy, accuracy, atol=1 / 300)
    np.testing.assert_allclose(score.loss, mean, rtol=1e-5)


@pytest.mark.parametrize(("of_X", "of_W"), [(np.float32, np.float64), (np.float64, np.float32)])
def test_types_may_differ(of_X, of_W):
    X, y, W, b = make_stack(dtype=np.float32)
    expected = score_stack(X, y, W, b, "softmax")
    score = score_stack(X.astype(of_X), y, W.astype(of_W), b, "softmax")
    np.testing.assert_allclose(score.accuracy, expected.accuracy, atol=1 / len(y))
    np.testing.assert_allclose(score.loss, expected.loss, rtol=1e-5)


def test_nothing_given_is_changed_and_views_will_do():
    X, y, W, b = make_stack(n=50)
    wide = np.repeat(W, 2, axis=2)
    before = [array.tobytes() for array in (X, y, W, b)]
    for array in (X, y, W, b):
        array.setflags(write=False)
    expected = score_stack(X, y, W, b, "hinge")
    assert [array.tobytes() for array in (X, y, W, b)] == before
    score = score_stack(np.asfortranarray(X), y, wide[:, :, ::2], b, "hinge")
    np.testing.assert_array_equal(score.accuracy, expected.accuracy)
    np.testing.assert_allclose(score.loss, expected.loss, rtol=1e-12)


@pytest.mark.parametrize("loss", ["softmax", "hinge"])
def test_without_weights_every_example_is_of_class_zero(loss):
    X, y, W, _ = make_stack(n=1_000)
    score = score_stack(X, y, np.zeros_like(W), None, loss)
    assert score.accuracy.tolist() == [(y == 0).mean()] * 4
    np.testing.assert_allclose(score.loss, math.log(5) if loss == "softmax" else 4, rtol=1e-14)


@pytest.mark.parametrize("loss", ["softmax", "hinge"])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("where", ["all", "one weight", "one bias"])
def test_a_head_that_is_not_finite_is_nan_and_disturbs_no_other(where, value, loss):
    X, y, W, b = make_stack(n=CHUNK_ROWS + 100, heads=9, dtype=np.float32)
    others = [head for head in range(9) if head not in (0, 5)]
    without = score_stack(X, y, W, b, loss)
    for head in (0, 5):
        if where == "all":
            W[:, :, head], b[:, head] = value, value
        elif where == "one weight":
            W[3, 1, head] = value
        else:
            b[2, head] = value
    score = score_stack(X, y, W, b, loss)
    assert score.accuracy[others].tobytes() == without.accuracy[others].tobytes()
    assert score.loss[others].tobytes() == without.loss[others].tobytes()
    if np.isnan(value):
        assert np.isnan(score.accuracy[[0, 5]]).all()
        assert np.isnan(score.loss[[0, 5]]).all()


def test_scores_that_overflow_are_nan_without_a_warning():
    X, y, W, b = make_stack(dtype=np.float32)
    W[:, :, 1] *= 3e38
    score = score_stack(X, y, W, b, "softmax")
    assert np.isnan(score.accuracy).tolist() == [False, True, False, False]
    assert np.isnan(score.loss).tolist() == [False, True, False, False]


def test_huge_but_finite_scores_are_not_taken_for_diverged():
    X, y, W, b = make_stack(dtype=np.float32)
    W[:, :, 1] *= 1e30
    score = score_stack(X, y, W, b, "softmax")
    assert np.isfinite(score.accuracy).all()
    assert np.isfinite(score.loss).all()
    expected = np.argmax(X.astype(np.float64) @ W[:, :, 1].astype(np.float64), axis=1) == y
    assert abs(score.accuracy[1] - expected.mean()) <= 1 / len(y)


# ---- highest


@given(
    scores=hnp.arrays(
        np.float32,
        st.tuples(st.integers(0, 6), st.integers(1, 40), st.integers(1, 4)),
        elements=st.sampled_from([-np.inf, -3.0, -0.0, 0.0, 1.0, 1.0000001, 3e38, np.inf]),
    )
)
def test_highest_is_numpys_argmax_ties_included(scores):
    found = highest(scores)
    assert found.dtype == np.int64
    np.testing.assert_array_equal(found, scores.argmax(axis=1))


def test_of_equals_the_first_is_the_highest():
    assert highest(np.zeros((2, 5, 3))).tolist() == [[0] * 3] * 2
    assert highest(np.array([1.0, 2.0, 2.0, 0.0])[None, :, None]).item() == 1


# ---- wilson_interval


@pytest.mark.parametrize("most", [20, pytest.param(60, marks=pytest.mark.slow)])
def test_wilson_is_scipys_for_every_small_count(most):
    for n in range(1, most + 1):
        for correct in range(n + 1):
            expected = binomtest(correct, n).proportion_ci(0.95, method="wilson")
            low, high = wilson_interval(correct, n)
            assert abs(low - expected.low) < 1e-12
            assert abs(high - expected.high) < 1e-12
            assert 0 <= low <= correct / n <= high <= 1


@given(data=st.data(), n=st.integers(1, 10**9), level=st.sampled_from([0.5, 0.8, 0.9, 0.95, 0.99, 0.999]))
@examples(200)
def test_wilson_is_scipys_for_any_count_and_level(data, n, level):
    correct = data.draw(st.integers(0, n))
    expected = binomtest(correct, n).proportion_ci(level, method="wilson")
    low, high = wilson_interval(correct, n, level)
    assert abs(low - expected.low) < 1e-12
    assert abs(high - expected.high) < 1e-12
    assert 0 <= low <= correct / n <= high <= 1
    # Right and wrong change places.
    assert wilson_interval(n - correct, n, level) == pytest.approx((1 - high, 1 - low), abs=1e-12)


def test_wilson_at_the_ends_and_on_the_published_figure():
    assert wilson_interval(0, 10)[0] == 0
    assert wilson_interval(10, 10)[1] == 1
    assert 0 < wilson_interval(0, 10)[1] < 0.35
    # The worksheet's 0.341 of 1,000: the formula worked by hand, z = 1.959964.
    assert wilson_interval(341, 1_000) == pytest.approx((0.312277, 0.370940), abs=2e-6)


def test_wilson_covers_the_truth_about_as_often_as_it_says():
    rng = np.random.default_rng(0)
    for truth in (0.05, 0.35, 0.9):
        counts = rng.binomial(200, truth, 4_000)
        intervals = np.array([wilson_interval(int(count), 200) for count in counts])
        covered = ((intervals[:, 0] <= truth) & (truth <= intervals[:, 1])).mean()
        assert abs(covered - 0.95) < 0.02


# ---- confusion


@given(
    classes=st.integers(2, 12),
    pairs=st.lists(st.tuples(st.integers(0, 11), st.integers(0, 11)), min_size=1, max_size=60),
    kind=st.sampled_from([np.int64, np.int32, np.uint8]),
)
def test_confusion_is_that_of_loops_and_of_scikit_learn(classes, pairs, kind):
    labels, predicted = (np.array(column, dtype=kind) % kind(classes) for column in zip(*pairs, strict=True))
    counts = confusion(labels, predicted, classes)
    loops = [[0] * classes for _ in range(classes)]
    for true, guess in zip(labels.tolist(), predicted.tolist(), strict=True):
        loops[true][guess] += 1
    assert counts.tolist() == loops
    np.testing.assert_array_equal(counts, confusion_matrix(labels, predicted, labels=range(classes)))


def test_confusion_knows_rows_from_columns_and_counts_a_hundred_classes():
    assert confusion(np.array([0, 0, 1]), np.array([1, 1, 0]), 3).tolist() == [[0, 2, 0], [1, 0, 0], [0, 0, 0]]
    labels = np.arange(100, dtype=np.uint8)  # 99 * 100 does not fit into a byte
    assert (confusion(labels, labels, 100) == np.eye(100)).all()
    assert confusion(np.array([], int), np.array([], int), 2).tolist() == [[0, 0], [0, 0]]


def test_the_mean_of_float32_losses_keeps_its_digits():
    # At W = 0 every loss is log K: float32 sums over the rows of a chunk would lose some of its digits.
    n = 20 * CHUNK_ROWS
    W = np.zeros((1, 10, 3), np.float32)
    found = score_stack(np.ones((n, 1), np.float32), np.zeros(n, np.int64), W, None, "softmax")
    np.testing.assert_allclose(found.loss, np.log(np.float32(10)).astype(np.float64), rtol=1e-9)

"""The cases and the truth that a function is judged by, against reference losses, differences and longer arithmetic."""

import subprocess
import sys

import numpy as np
import pytest

from linprobe.errors import UsageError
from linprobe.learn.checker import case
from linprobe.learn.checker.cases import CASES, KINK, LARGE, LARGE_SCORES, LARGE_SINGLE
from linprobe.learn.checker.truth import DOUBLE, SINGLE, answer, tolerances
from linprobe.learn.gradient_check import check_gradient

EVERY = [*CASES.values(), *LARGE_SCORES[LARGE_SINGLE]]
SMALL = [one for one in EVERY if one.X.size < 10_000]
ORDINARY = ["ordinary", "penalised", "labels in order", "in order, penalised", "identity", "zero weights", "tenth"]


def values_in_long_doubles(one, loss):
    """Loss and slope in the scores, in 64 bits of mantissa."""
    scores = one.X.astype(np.longdouble) @ one.W.astype(np.longdouble)
    rows = np.arange(len(one.y))
    if loss == "hinge":
        margins = np.maximum(scores - scores[rows, one.y][:, None] + 1, 0)
        margins[rows, one.y] = 0
        slope = (margins > 0).astype(np.longdouble)
        slope[rows, one.y] = -slope.sum(axis=1)
        value = margins.sum(axis=1).mean()
    else:
        scores -= scores.max(axis=1, keepdims=True)
        total = np.exp(scores).sum(axis=1)
        slope = np.exp(scores) / total[:, None]
        value = (np.log(total) - scores[rows, one.y]).mean()
        slope[rows, one.y] -= 1
    return value, one.X.T.astype(np.longdouble) @ slope / len(rows)


@pytest.mark.parametrize("loss", ["softmax", "hinge"])
@pytest.mark.parametrize("one", EVERY, ids=lambda one: one.name)
def test_the_truth_is_true_far_within_its_own_tolerance(one, loss):
    value, gradient = values_in_long_doubles(one, loss)
    of_value, of_gradient = tolerances(one, loss)
    assert abs(answer(one, loss).value - value) <= of_value / 2
    assert (abs(answer(one, loss).gradient - gradient) <= of_gradient / 2).all()


@pytest.mark.parametrize("loss", ["softmax", "hinge"])
@pytest.mark.parametrize("name", ["ordinary", "identity", "few examples", "one example", "absent classes"])
def test_the_gradient_is_that_of_the_value(name, loss):
    one = CASES[name]

    def value(W):
        return float(answer(type(one)("moved", W.copy(), one.X, one.y), loss).value)

    rng = np.random.default_rng(0)
    found = check_gradient(value, one.W.copy(), answer(one, loss).gradient, checks=40, h="auto", rng=rng)
    assert found.max_relative_error < 1e-7


@pytest.mark.parametrize("one", EVERY, ids=lambda one: one.name)
def test_no_margin_is_near_the_kink(one):
    scores = one.X @ one.W
    rows = np.arange(len(one.y))
    margins = scores - scores[rows, one.y][:, None] + 1
    margins[rows, one.y] = 1
    assert np.abs(margins).min() > KINK


@pytest.mark.parametrize("name", ORDINARY)
def test_every_class_occurs_where_absent_ones_are_not_the_point(name):
    one = CASES[name]
    assert set(one.y) == set(range(one.W.shape[1]))


def test_some_labels_are_repeated_and_none_is_its_own_index_throughout():
    one = CASES["ordinary"]
    C = one.W.shape[1]
    assert np.bincount(one.y).max() > 1
    assert 0 < (one.y[:C] == np.arange(C)).sum() < C or not (one.y[:C] == np.arange(C)).any()
    in_order = CASES["labels in order"]
    np.testing.assert_array_equal(in_order.y[:5], np.arange(5))


@pytest.mark.parametrize("loss", ["softmax", "hinge"])
@pytest.mark.parametrize("one", SMALL, ids=lambda one: one.name)
def test_tolerances_are_those_of_rounding_and_no_more(one, loss):
    value, gradient = tolerances(one, loss)
    scale = max(1.0, abs(answer(one, loss).value), float(np.abs(one.X @ one.W).max()))
    # A penalty brings its own rounding, of some ten of its last digits.
    assert value <= 1e-11 * scale + 1e-14 * one.reg * np.sum(one.W**2)
    assert gradient.max() <= 1e-11 * scale * one.W.shape[1] + 1e-14 * one.reg * np.abs(one.W).max()
    single, _ = tolerances(one, loss, SINGLE)
    assert single == pytest.approx(value * SINGLE / DOUBLE)


def test_large_scores_overflow_without_a_shift_and_have_a_finite_answer():
    with np.errstate(over="ignore"):
        for size, dtype in ((LARGE, np.float64), (LARGE_SINGLE, np.float32)):
            positive = LARGE_SCORES[size][0]
            assert np.isinf(np.exp((positive.X @ positive.W).astype(dtype))).all()
    for one in LARGE_SCORES[LARGE]:
        assert np.isfinite(answer(one, "softmax").value)


def test_a_case_by_its_name_in_either_layout():
    W, X, y, reg = case("penalised")
    assert (W.shape, X.shape, y.shape, reg) == ((13, 7), (23, 13), (23,), 0.37)
    other, columns, same, _ = case("penalised", layout="CD")
    np.testing.assert_array_equal(other, W.T)
    np.testing.assert_array_equal(columns, X.T)
    np.testing.assert_array_equal(same, y)
    W += 1  # a copy
    assert not np.array_equal(case("penalised")[0], W)
    with pytest.raises(UsageError, match="there is no case 'nope'; there are ordinary"):
        case("nope")


# In a process of its own, which has judged nothing yet. Where the cases are made by those who ask for them first, a
# slow generator has both threads make some.
AT_ONCE = """
import time
from concurrent.futures import ThreadPoolExecutor
import numpy as np
from linprobe.learn.checker.judge import judge
from linprobe.learn.checker.outcome import Outcome
from linprobe.learn.loops import softmax_loss_naive, svm_loss_naive

class Direct:
    libraries = ("numpy",)
    def __init__(self, f):
        self.f = f
    def __call__(self, W, X, y, reg, *, library="numpy", count=False):
        loss, gradient = self.f(W, X, y, reg)
        return Outcome(0.0, np.asarray(loss), gradient)

draw = np.random.default_rng
np.random.default_rng = lambda *seed: time.sleep(0.2) or draw(*seed)
with ThreadPoolExecutor(2) as threads:
    for verdict in threads.map(judge, map(Direct, (softmax_loss_naive, svm_loss_naive)), ("softmax", "svm")):
        print(verdict.name, verdict.verdict)
"""


@pytest.mark.slow
def test_two_threads_that_judge_at_once_for_the_first_time_have_a_verdict_each():
    done = subprocess.run([sys.executable, "-c", AT_ONCE], capture_output=True, text=True, check=False)
    assert done.stdout.splitlines() == ["softmax right", "svm right"], done.stderr


def test_a_case_is_found_by_itself_alone_and_by_its_name():
    assert len({one.name for one in EVERY}) == len(EVERY) == len(set(EVERY))

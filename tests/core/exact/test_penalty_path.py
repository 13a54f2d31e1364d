"""From stronger penalties to weaker ones: who follows whom, by which steps, and what is kept."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from linprobe.core.exact import _manner
from linprobe.core.exact.lbfgs import Iterates, Oracle
from linprobe.core.exact.metric import fit_metric
from linprobe.core.exact.null import null_curvature
from linprobe.core.exact.optimum import Optimum, Unfinished
from linprobe.core.exact.path import LOOSE, STEP, STRONG, follow
from linprobe.core.exact.problem import groups, pose
from linprobe.core.exact.solver import solve
from linprobe.core.exact.span import turned
from linprobe.core.exact.state import HeadProblem
from linprobe.errors import IncompatibleError


def posed(reg, weight=None, n=12):
    X = np.random.default_rng(0).standard_normal((n, 3))
    return pose(X, np.arange(n) % 3, np.array(reg), "softmax", 3, weight, True, "numpy")


def two_kinds(heads, n=12):
    """Weights (n, H) of heads that see all examples, or (True) half of them."""
    return np.where(np.array(heads) & (np.arange(n)[:, None] % 2 == 0), 0.0, 1.0)


def test_neighbours_have_the_same_examples_and_the_next_penalty():
    reg = [1.0, 0.1, 10.0, 1.0, 0.01]
    assert posed(reg).neighbours().tolist() == [2, 3, -1, 0, 1]
    assert posed(reg, np.ones(12)).neighbours().tolist() == [2, 3, -1, 0, 1]
    split = two_kinds([False, True, False, True, False])
    assert posed(reg, split).neighbours().tolist() == [2, 3, -1, -1, 0]


class Told:
    """A descent that goes nowhere: writes down what it was asked, and leaves its mark in the weights."""

    def __init__(self, objective=1.0):
        self.asked, self.objective = [], objective

    def __call__(self, problem, start, goal, *, arrives=True, instead=None):
        del instead
        self.asked.append((problem.heads.reg.tolist(), start.W[0, 0].tolist(), goal, arrives))
        h = len(problem.heads)
        return replace(
            start,
            W=start.W * 0 + problem.heads.reg,
            objective=np.full(h, self.objective),
            gap=np.full(h, 1e-3),
            iterations=start.iterations + 1,
        )


def test_heads_follow_their_neighbours_from_strong_to_weak_in_short_steps():
    highest = 1 / STRONG  # a start from nothing is as good as any from a penalty of STEP on
    problem = posed([1.0, 1e-3, 0.1, 1e-3], two_kinds([False, False, False, True]))
    told = Told()
    found = follow(problem, problem.start("float64"), np.arange(4), highest, 1e-6, told)
    alone = [1.0, 0.1, 0.01]  # on the way of the one without a neighbour, from STEP
    assert told.asked == [
        ([alone[0]], [0.0], LOOSE, False),
        ([pytest.approx(alone[1])], [alone[0]], LOOSE, False),
        ([pytest.approx(alone[2])], [pytest.approx(alone[1])], LOOSE, False),
        ([1.0, 1e-3], [0.0, pytest.approx(alone[2])], 1e-6, True),
        ([0.1], [1.0], 1e-6, True),
        ([pytest.approx(0.01)], [pytest.approx(0.1)], LOOSE, False),
        ([1e-3], [pytest.approx(0.01)], 1e-6, True),
    ]
    assert STEP == 10
    assert found.W[0, 0].tolist() == problem.heads.reg.tolist()
    assert found.iterations.tolist() == [1, 2, 1, 4]


def test_only_the_heads_that_are_asked_for_go_anew():
    problem = posed([1.0, 0.1])
    told = Told()
    before = replace(problem.start("float64"), W=np.full((3, 3, 2), 7.0))
    found = follow(problem, before, np.array([1]), 1.0, 1e-6, told)
    assert told.asked == [([0.1], [7.0], 1e-6, True)]
    assert found.W[0, 0].tolist() == [7.0, 0.1]


@pytest.mark.parametrize(("objective", "gap", "stays"), [(0.5, 1e-4, True), (0.5, 0.1, False), (2.0, 1e-4, False)])
def test_a_head_that_was_better_stays_where_it_was_and_has_made_its_passes(objective, gap, stays):
    problem = posed([1.0])
    before = replace(
        problem.start("float64"), W=np.full((3, 3, 1), 7.0), objective=np.array([objective]), gap=np.array([gap])
    )
    found = follow(problem, before, np.array([0]), 1.0, 1e-6, Told())
    assert found.W[0, 0, 0] == (7.0 if stays else 1.0)
    assert found.objective[0] == (objective if stays else 1.0)
    assert found.iterations[0] == 1


def test_an_optimum_is_within_a_share_of_its_scale():
    each = np.zeros((1, 2, 2))
    found = Optimum(
        each,
        each[0],
        np.full(2, 10.0),
        np.full(2, 0.5),
        np.array([1.0, 5.0]),
        np.ones(2, int),
        np.array(["gap", "gap"]),
    )
    assert found.within(0.1).tolist() == [False, True]
    assert found.within(0.099).tolist() == [False, False]


def test_what_is_replaced_has_the_wider_type_and_its_own_place():
    problem = posed([1.0, 2.0, 3.0])
    start = problem.start("float32")
    other = problem.start("float64").take(np.array([2, 0]))
    other = replace(other, W=other.W + np.array([3.0, 1.0]), gap=np.array([3.0, 1.0]))
    found = start.replaced(np.array([2, 0]), other)
    assert found.W.dtype == np.float64
    assert found.W[0, 0].tolist() == [1, 0, 3]
    assert found.gap.tolist() == [1, np.inf, 3]
    assert start.W.dtype == np.float32
    assert (start.W == 0).all()


@pytest.mark.parametrize(
    ("heads", "memory", "stacks"), [(10, None, 1), (10, 200, 1), (10, 199, 2), (10, 130, 4), (9, 130, 3), (10, 110, 10)]
)
def test_stacks_are_as_few_as_the_memory_allows(heads, memory, stacks):
    assert groups(heads, (100, 10), memory) == stacks


def test_less_than_a_head_is_refused():
    with pytest.raises(IncompatibleError, match="a single head needs"):
        groups(1, (100, 10), 109)


def test_weights_are_of_mean_one_for_each_head():
    weight = np.random.default_rng(0).random((12, 2)) * [1.0, 1e6]
    problem: Any = posed([1.0, 1.0], weight)
    share = weight / weight.mean(axis=0)
    np.testing.assert_allclose(problem.weights.of(slice(None)), share)
    np.testing.assert_allclose(problem.mean_weight(), share.mean(axis=1))
    np.testing.assert_allclose(problem.heads.shares.sum(axis=0), 1)


@pytest.mark.parametrize("intercept", [True, False])
def test_rows_are_turned_about_the_mean_that_weights_give_them(intercept):
    rng = np.random.default_rng(0)
    X, weight = rng.standard_normal((6, 20)) + 5, rng.random(6)
    problem = pose(X, np.arange(6) % 2, np.ones(1), "softmax", 2, weight, intercept, "numpy")
    _, span, _ = turned(problem, problem.mean_weight())
    np.testing.assert_allclose(span.centre, np.average(X, axis=0, weights=weight) if intercept else 0, atol=1e-12)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shape", [(50, 8), (10, 30)])
def test_no_direction_is_taken_for_stiller_than_rounding_can_tell(dtype, shape):
    rng = np.random.default_rng(0)
    X = rng.standard_normal(shape)
    X[:, 1] = X[:, 0]  # of rank 7
    found = fit_metric(X, np.zeros(0, dtype))
    assert found.basis is not None
    smallest = np.finfo(dtype).eps * found.variance.max()
    assert found.variance.min() >= smallest
    assert found.rest is None or found.rest[0] >= smallest


def test_without_a_bias_features_vary_about_zero():
    X = np.random.default_rng(0).standard_normal((50, 4)) + 3
    about_zero, about_mean = (fit_metric(X, X, centred=centred) for centred in (False, True))
    assert not about_zero.mean.any()
    np.testing.assert_allclose(about_zero.variance, np.linalg.eigvalsh(X.T @ X / 50))
    np.testing.assert_allclose(about_mean.variance, np.linalg.eigvalsh(np.cov(X.T, bias=True)))


def test_what_is_measured_keeps_a_part_of_the_curvature_at_the_start():
    # Or a direction in the classes that was flat where it was measured would be taken for flat ever after.
    X = np.random.default_rng(0).standard_normal((12, 3))
    problem = posed([1.0, 1.0])
    given = HeadProblem.of(
        problem.heads.reg,
        null_curvature(problem.loss, problem.heads.shares, problem.heads.null_bias),
        problem.heads.null_bias,
        problem.heads.null_objective,
    )
    flat = Oracle(
        evaluate=lambda W, b, _: (np.ones(2), W * 0, b * 0),
        curvature=lambda *at: np.zeros((3, 3, len(at[2]))),
        hessian=None,
        rows=len(X),
    )

    def standing(passes):
        start = replace(problem.start("float64"), iterations=np.array(passes))
        descent = Iterates(flat, fit_metric(X, X), given, start, intercept=True, goal=1e-6, max_iter=10, tell=None)
        assert descent.run().iterations.tolist() == passes  # where all is flat, nobody takes a step
        return descent.classes.stiffness

    at_start, later = standing([0, 0]), standing([0, 5])
    np.testing.assert_allclose(later[:, 0], at_start[:, 0])
    np.testing.assert_allclose(later[:, 1], at_start[:, 1] * 1e-2 / 1.01, rtol=1e-6)


@pytest.mark.slow
def test_a_path_of_many_classes_is_walked_first_and_proven_then(monkeypatch):
    """The same optima as of each penalty alone, in fewer passes than all from nothing."""
    draw = np.random.default_rng(0)
    y = np.arange(900) % 60
    X = draw.standard_normal((60, 48))[y] / 2 + draw.standard_normal((900, 48))
    reg = np.geomspace(1e-1, 1e-4, 6)
    alone = np.concatenate([solve(X, y, reg[[head]], tol=1e-7).objective for head in range(6)])
    monkeypatch.setattr(_manner, "WIDE", np.inf)
    at_once = solve(X, y, reg, tol=1e-4)
    monkeypatch.setattr(_manner, "WIDE", 60)
    kept: list[Unfinished] = []
    walked = solve(X, y, reg, tol=1e-4, keep=lambda state: kept.append(state()))
    for found in (at_once, walked):
        assert (found.stopped == "gap").all()
        assert (found.objective - alone <= 1e-4 * alone).all()
        assert (found.objective - found.gap <= alone).all()
    assert walked.iterations.sum() <= min(80, 0.7 * at_once.iterations.sum())
    # What is kept on the way is a state to go on from, to the same end.
    for state in (kept[len(kept) // 4], kept[-2]):
        again = solve(X, y, reg, tol=1e-4, start=state)
        assert (again.stopped == "gap").all()
        assert (again.objective - alone <= 1e-4 * alone).all()

"""A loose path: where each penalty begins, that it goes down all the way, and what is gone on with."""

import tracemalloc
from dataclasses import replace

import numpy as np
import pytest

from linprobe.core.exact import path
from linprobe.core.exact.optimum import Loosely, Unfinished
from linprobe.core.exact.path import walk
from linprobe.core.exact.problem import pose, solve_bytes
from linprobe.core.exact.solver import Search, solve
from linprobe.core.exact.start import lowest_in_span
from linprobe.core.exact.state import HeadProblem
from linprobe.core.objective import objective_and_gradient
from linprobe.data.weights import Weights
from linprobe.errors import UsageError

LOSSES = ("softmax", "squared_hinge")


def rows(n=240, D=30, K=4, seed=0):
    generator = np.random.default_rng(seed)
    y = np.arange(n) % K
    return generator.standard_normal((K, D))[y] + 1.5 * generator.standard_normal((n, D)), y


def in_folds(n, folds, penalties):
    """Weights of every penalty on every fold, and their penalties, the strongest last."""
    fold = np.arange(n) // (n // folds) % folds
    weights = Weights.of_parts(fold, 1 - np.eye(folds), np.tile(np.arange(folds), len(penalties)))
    return weights, np.repeat(penalties, folds)


def nobody(found):
    return np.zeros(len(found.objective), bool)


@pytest.mark.parametrize("loss", LOSSES)
def test_a_start_is_the_lowest_in_the_span_of_what_came_before(loss):
    X, y = rows()
    reg = np.array([1e-3])
    past = [solve(X, y, np.array([reg_]), loss=loss) for reg_ in (1e-2, 3e-2, 1e-1)]
    problem = pose(X, y, reg, loss, 4, None, True, "numpy")
    found = lowest_in_span(problem, past, problem.start("float64"))

    def objective(c):
        W, b = (sum(a * getattr(one, name) for a, one in zip(c, past, strict=True)) for name in ("W", "b"))
        return float(objective_and_gradient(X, y, W, b, loss, reg)[0][0])

    lowest = float(objective_and_gradient(X, y, found.W, found.b, loss, reg)[0][0])
    assert lowest < 0.98 * objective((1, 0, 0))
    # No neighbour in the span is lower: by differences, a truth of its own.
    c = np.linalg.lstsq(np.stack([one.W.ravel() for one in past], axis=1), found.W.ravel(), rcond=None)[0]
    np.testing.assert_allclose(objective(c), lowest, rtol=1e-10)
    for way in np.random.default_rng(1).standard_normal((20, 3)):
        assert objective(c + 1e-2 * way) >= lowest * (1 - 1e-9)


@pytest.mark.parametrize("loss", LOSSES)
def test_objectives_fall_along_the_path_whatever_the_order_of_the_grid(loss):
    X, y = rows()
    penalties = np.array([1e-3, 1e-1, 1e-5, 1.0, 1e-2])
    weights, reg = in_folds(len(y), 3, penalties)
    found = solve(X, y, reg, loss=loss, sample_weight=weights, search=Search(1e-4, lambda at: np.zeros(len(at), bool)))
    objective = found.objective.reshape(5, 3)[np.argsort(-penalties)]
    assert (np.diff(objective, axis=0) < 0).all()
    best = solve(X, y, reg, loss=loss, sample_weight=weights, tol=1e-8)
    assert (found.stopped == "search").all()
    assert not found.failed.any()
    # The next step promised 1e-4 at the most; the steps after it are many where the penalty is weak.
    assert (found.objective - best.objective <= 5e-3 * best.scale).all()
    assert (found.objective >= best.objective * (1 - 1e-6)).all()
    assert found.iterations.sum() < (0.33 if loss == "softmax" else 0.6) * best.iterations.sum()


def test_a_head_begins_at_the_last_solution_where_the_span_is_higher(monkeypatch):
    X, y = rows()
    reg = np.array([1e-1, 1e-2])
    plain = solve(X, y, reg, search=Search(1e-4, nobody))

    def far_off(problem, past, start):
        del problem
        return replace(start, W=past[0].W + 1e3 * np.random.default_rng(2).standard_normal(past[0].W.shape))

    monkeypatch.setattr(path, "lowest_in_span", far_off)
    # From the last solution it takes 19 passes, from far off 40.
    found = solve(X, y, reg, search=Search(1e-4, nobody), max_iter=25)
    assert found.stopped.tolist() == ["search", "search"]
    np.testing.assert_allclose(found.objective, plain.objective, rtol=1e-3)


def test_the_objective_of_the_last_solution_at_the_next_penalty_takes_no_pass():
    X, y = rows()
    problem = pose(X, y, np.array([1e-1, 1e-2]), "softmax", 4, None, True, "numpy")
    seen = []

    def descend(problem, start, goal, *, arrives=True, instead=None):
        del goal, start, arrives
        seen.append(instead)
        return solve(X, y, problem.heads.reg)

    walk(problem, problem.start("float64"), Loosely(1e-4), descend)
    first, second = seen
    assert first is None
    truth = objective_and_gradient(X, y, second.W, second.b, "softmax", np.array([1e-2]))[0]
    np.testing.assert_allclose(second.objective, truth, rtol=1e-9)


def test_only_contenders_are_gone_on_with_and_closer_each_time():
    X, y = rows()
    weights, reg = in_folds(len(y), 3, np.array([1.0, 1e-2, 1e-4]))
    seen = []

    def second(found):
        seen.append(found)
        return np.arange(9) // 3 == 1

    found = solve(X, y, reg, sample_weight=weights, search=Search(1e-2, second))
    best = solve(X, y, reg, sample_weight=weights, tol=1e-8)
    assert found.stopped.tolist() == ["search"] * 3 + ["contender"] * 3 + ["search"] * 3
    for before, after in zip(seen, [*seen[1:], found], strict=True):
        others = np.arange(9) // 3 != 1
        np.testing.assert_array_equal(before.W[..., others], after.W[..., others])
        assert (after.iterations[3:6] > before.iterations[3:6]).all()
    assert (found.objective - best.objective)[3:6].max() <= 1e-3 * best.scale[3:6].max()


def test_what_a_search_finds_of_few_rows_is_in_the_coordinates_of_the_features():
    X, y = rows(n=40, D=60)
    seen = []
    reg = np.array([1e-1, 1e-3])
    search = Search(1e-5, lambda found: seen.append(found.W.shape) or np.ones(2, bool))
    found = solve(X, y, reg, search=search)
    assert seen == [(60, 4, 2)] * 2
    value = objective_and_gradient(X, y, found.W, found.b, "softmax", reg)[0]
    np.testing.assert_allclose(value, found.objective, rtol=1e-9)
    np.testing.assert_allclose(found.objective, solve(X, y, reg).objective, rtol=1e-4)


@pytest.mark.parametrize("scale", [1e-17, 1e17])
def test_features_beyond_the_range_of_float32_are_searched_in_float64(scale):
    X, y = rows()
    small = (X * scale).astype(np.float32)
    found = solve(small, y, np.array([1e-2]) * scale**2, search=Search(1e-4, nobody))
    best = solve(X.astype(np.float32), y, np.array([1e-2]))
    assert found.iterations[0] > 3
    np.testing.assert_allclose(found.objective, best.objective, rtol=1e-3)


def test_more_heads_than_are_added_side_by_side():
    X, y = rows(n=60, D=3)
    reg = np.geomspace(1, 1e-2, 600)
    found = solve(X, y, reg, tol=1e-4)
    assert (found.stopped == "gap").all()
    alone = solve(X, y, reg[[0, 599]], tol=1e-4)
    np.testing.assert_allclose(found.objective[[0, 599]], alone.objective, rtol=2e-4)


def test_heads_that_lack_a_rare_class_are_measured_apart():
    y = np.r_[np.arange(400) % 3, np.full(4, 3)]
    shares = np.stack([np.bincount(y, minlength=4), np.bincount(y[:400], minlength=4)], axis=1) / 404.0
    curvature = np.stack([np.diag(p) - np.outer(p, p) for p in shares.T], axis=-1)
    same = HeadProblem.of(np.ones(3), curvature[..., [0, 1, 0]], np.zeros((4, 3)), np.ones(3)).alike
    assert same[0] == same[2] != same[1]
    apart = HeadProblem.of(np.array([1.0, 1.2, 2.0]), curvature[..., [0, 0, 0]], np.zeros((4, 3)), np.ones(3)).alike
    assert apart[0] == apart[1] != apart[2]


def test_a_search_of_many_classes_stays_within_its_plan():
    n, D, K = 6000, 4, 300
    generator = np.random.default_rng(0)
    X, y = generator.standard_normal((n, D)).astype(np.float32), np.arange(n) % K
    plan = sum(solve_bytes((n, D), K, 1, 4))
    tracemalloc.start()
    solve(X, y, np.array([1e-1, 1e-2, 1e-3]), memory=plan, search=Search(1e-2, nobody))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak <= plan


def test_a_search_is_not_gone_on_with():
    X, y = rows()
    state = Unfinished(0, pose(X, y, np.ones(1), "softmax", 4, None, True, "numpy").start("float64"))
    with pytest.raises(UsageError, match="give start or search"):
        solve(X, y, np.ones(1), start=state, search=Search(1e-4, nobody))

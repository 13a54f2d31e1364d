"""A loose path: where each penalty begins, that it goes down all the way, and what is gone on with."""

import numpy as np
import pytest

from linprobe.core.exact.optimum import Loosely
from linprobe.core.exact.path import walk
from linprobe.core.exact.problem import pose
from linprobe.core.exact.solver import Search, solve
from linprobe.core.exact.start import lowest_in_span
from linprobe.core.objective import objective_and_gradient
from linprobe.data.weights import Weights

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
    from linprobe.core.exact import path

    X, y = rows()
    problem = pose(X, y, np.array([1e-1, 1e-2]), "softmax", 4, None, True, "numpy")
    monkeypatch.setattr(path, "lowest_in_span", lambda _, past, start: path._moved(past[0], start)._each(lambda a: a))
    known = solve(X, y, np.array([1e-1]))
    worse = []

    def descend(problem, start, goal, *, arrives=True, instead=None):
        worse.append(instead)
        return solve(X, y, problem.heads.reg) if arrives else start

    walk(problem, problem.start("float64"), Loosely(1e-4), descend)
    first, second = worse
    assert first is None
    # The objective of the last solution with the next penalty, which no pass was made for.
    truth = objective_and_gradient(X, y, known.W, known.b, "softmax", np.array([1e-2]))[0]
    np.testing.assert_allclose(second.objective, truth, rtol=1e-6)


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

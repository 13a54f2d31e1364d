"""Newton's steps: their second derivative, the memory it takes, and who may not have it."""

import tracemalloc

import numpy as np
import pytest

from linprobe.core.exact import newton
from linprobe.core.exact import solver as exact
from linprobe.core.exact.newton import UNKNOWNS, bias_step, damped_step, newton_bytes, whole_curvature
from linprobe.core.exact.problem import pose, solve_bytes
from linprobe.core.exact.solver import solve
from linprobe.core.losses import find_loss


def posed(n, D, K, loss="softmax", seed=0):
    rng = np.random.default_rng(seed)
    X, y = rng.standard_normal((n, D)), rng.permutation(np.arange(n) % K)
    return pose(X, y, np.array([1e-3]), loss, K, None, True, "numpy")


@pytest.mark.parametrize("loss", ["softmax", "squared_hinge"])
def test_the_second_derivative_is_that_of_the_slope(loss):
    n, D, K, tiny = 60, 3, 4, 1e-6
    problem, rng = posed(n, D, K, loss), np.random.default_rng(1)
    X = problem.X.read(slice(None))
    mean = X.mean(axis=0)
    theta = rng.standard_normal((D + 1, K))

    def slope(theta):  # of features about their mean, the bias last
        augmented = np.column_stack([X - mean, np.ones(n)])
        scores = (augmented @ theta)[..., None]
        _, of_scores = find_loss(loss).value_and_slope(scores, problem.y)
        return augmented.T @ of_scores[..., 0] / n

    found = whole_curvature(problem, mean, theta[:-1], theta[-1] - mean @ theta[:-1], 0).reshape((D + 1) * K, -1)
    found = np.tril(found) + np.tril(found, -1).T
    for unknown in range((D + 1) * K):
        step = np.zeros((D + 1) * K)
        step[unknown] = tiny
        step = step.reshape(D + 1, K)
        np.testing.assert_allclose(
            found[:, unknown], ((slope(theta + step) - slope(theta - step)) / (2 * tiny)).ravel(), atol=1e-6
        )


@pytest.mark.parametrize(("n", "D", "K"), [(400, 300, 4), (3000, 100, 10), (5000, 20, 3)])
def test_a_step_takes_no_more_memory_than_is_planned(n, D, K):
    problem, rng = posed(n, D, K), np.random.default_rng(1)
    W, gradient = rng.standard_normal((D, K)), rng.standard_normal((D + 1, K))
    tracemalloc.start()
    damped_step(whole_curvature(problem, np.zeros(D), W, np.zeros(K), 0), gradient, 1e-3, intercept=True)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert newton_bytes((n, D), K) / 3 < peak < newton_bytes((n, D), K)


def test_too_many_unknowns_need_no_memory():
    assert newton_bytes((100, UNKNOWNS // 2 - 1), 2) > 0
    assert newton_bytes((100, UNKNOWNS // 2), 2) == 0
    assert newton_bytes((10**6, 200), 5) == 0


def test_a_solve_that_has_no_memory_for_them_goes_on_without(monkeypatch):
    rng = np.random.default_rng(3)
    X, y = rng.standard_normal((120, 40)), rng.permutation(np.arange(120) % 3)
    X[y == 0] += 0.7
    asked = []

    def seen(*given):
        asked.append(given)
        return whole_curvature(*given)

    monkeypatch.setattr(exact, "whole_curvature", seen)
    enough, reg = sum(solve_bytes(X.shape, 3, 1, 8)), np.array([1e-5])
    with_them = solve(X, y, reg, memory=enough + newton_bytes(X.shape, 3))
    assert asked
    asked.clear()
    without = solve(X, y, reg, memory=enough + newton_bytes(X.shape, 3) - 1)
    assert not asked
    assert with_them.stopped == without.stopped == "gap"
    np.testing.assert_allclose(without.objective, with_them.objective, rtol=3e-6)


def test_a_class_without_examples_does_not_keep_a_head_from_its_end():
    # Its share of a bias step would be what rounding leaves of the slope, over a curvature of nearly nothing.
    K, D, rng = 100, 16, np.random.default_rng(0)
    y = rng.integers(0, K, 3 * K)
    assert len(np.unique(y)) < K
    X = (rng.standard_normal((len(y), D)) + 2 * rng.standard_normal((K, D))[y]).astype(np.float32)
    found = solve(X, y, np.array([1e-3]), classes=K, precision="single")
    assert found.stopped == "gap"
    curvature = np.diag([2.0, 1.0, 0.0])
    curvature[:2, :2] -= 0.5
    assert bias_step(curvature, np.array([1e-3, -1e-3, 1e-12]))[2] == 0
    assert (bias_step(np.zeros((3, 3)), np.zeros(3)) == 0).all()


def test_rows_that_a_head_does_not_see_bend_nothing_where_they_fill_a_chunk(monkeypatch):
    rng, K = np.random.default_rng(0), 3
    X, y = rng.standard_normal((60, 4)), np.arange(60) % K
    W, b, weight = rng.standard_normal((4, K)), rng.standard_normal(K), np.ones(60)
    weight[20:45] = 0
    problem = pose(X, y, np.array([1e-3]), "softmax", K, weight, True, "numpy")
    whole = whole_curvature(problem, X.mean(axis=0), W, b, 0)
    monkeypatch.setattr(newton, "CHUNK_NUMBERS", 10 * K * 5)
    np.testing.assert_allclose(whole_curvature(problem, X.mean(axis=0), W, b, 0), whole, atol=1e-14)

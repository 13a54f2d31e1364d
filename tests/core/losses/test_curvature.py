"""Second derivatives of the losses, against differences of their slopes and of whole gradients."""

import numpy as np
import pytest
from scipy import sparse

from linprobe.core.exact.newton import whole_curvature
from linprobe.core.exact.problem import pose
from linprobe.core.losses import LOSSES, SmoothLoss, find_loss, smooth_loss
from linprobe.core.losses.curvature import total_curvature
from linprobe.core.objective import objective_and_gradient

N, D, K = 23, 5, 4
SMOOTH = [name for name, loss in LOSSES.items() if isinstance(loss, SmoothLoss)]


def draw(seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(N, D)), rng.integers(0, K, N), rng.normal(size=(D, K)), rng.normal(size=K)


def differences(f, x, h=1e-6):
    """The derivative of f along each entry of x, by central differences, the entries first."""
    rows = []
    for place in np.ndindex(x.shape):
        step = np.zeros_like(x)
        step[place] = h
        rows.append((f(x + step) - f(x - step)) / (2 * h))
    return np.array(rows)


@pytest.mark.parametrize("loss", SMOOTH)
def test_of_every_example_it_is_the_derivative_of_the_slope(loss):
    rng = np.random.default_rng(1)
    scores, labels = 2 * rng.normal(size=(N, K)), rng.integers(0, K, N)
    diagonal, outers = smooth_loss(loss).curvature(scores.copy(), labels)
    assert (diagonal >= 0).all()
    for i in range(N):
        found = np.diag(diagonal[i]) + sum(sign * np.outer(outer[i], outer[i]) for sign, outer in outers)
        slope = lambda s, i=i: find_loss(loss).value_and_slope(s[None, :, None].copy(), labels[i : i + 1])[1][0, :, 0]  # noqa: E731
        np.testing.assert_allclose(found, differences(slope, scores[i]), atol=1e-8)


@pytest.mark.parametrize("loss", SMOOTH)
def test_the_total_is_the_weighted_sum(loss):
    rng = np.random.default_rng(2)
    scores, labels, weight = 2 * rng.normal(size=(N, K)), rng.integers(0, K, N), rng.random(N)
    curvature = smooth_loss(loss).curvature
    expected = sum(
        weight[i] * total_curvature(curvature(scores[i : i + 1].copy(), labels[i : i + 1]), np.ones(1))
        for i in range(N)
    )
    found = total_curvature(smooth_loss(loss).curvature(scores.copy(), labels), weight)
    np.testing.assert_allclose(found, expected, atol=1e-13)


@pytest.mark.parametrize("loss", SMOOTH)
@pytest.mark.parametrize("make", [np.asarray, sparse.csr_array])
@pytest.mark.parametrize("weighted", [False, True])
def test_the_whole_of_it_is_the_derivative_of_the_gradient(loss, make, weighted, monkeypatch):
    monkeypatch.setattr("linprobe.core.exact.newton.CHUNK_NUMBERS", 7 * K * (D + 1))  # several chunks
    monkeypatch.setattr("linprobe.core.exact.newton.NEGLIGIBLE", 0.0)
    X, y, W, b = draw()
    weight = np.random.default_rng(3).integers(0, 3, (N, 2)).astype(float) if weighted else None
    problem = pose(make(X), y, np.array([0.1, 0.1]), loss, K, weight, True, "numpy")
    mean = X.mean(axis=0)
    found = whole_curvature(problem, mean, W, b, 1).reshape((D + 1) * K, -1)

    def gradient(flat):
        # In weights and in the bias of features about their mean.
        weights, bias = flat[:D], flat[D] - mean @ flat[:D]
        given = None if weight is None else problem.weights_of(np.array([1]))
        _, dW, db = objective_and_gradient(
            make(X), y, weights[:, :, None], bias[:, None], loss, np.zeros(1), sample_weight=given
        )
        return np.concatenate([dW[:, :, 0] - np.outer(mean, db[:, 0]), db.T]).ravel()

    start = np.concatenate([W, (b + mean @ W)[None]])
    expected = differences(gradient, start)
    np.testing.assert_allclose(np.tril(found), np.tril(expected), atol=1e-7)


@pytest.mark.parametrize("loss", SMOOTH)
def test_examples_without_curvature_to_speak_of_are_left_out(loss, monkeypatch):
    X, y, W, b = draw()
    W = 30 * W  # most examples are far from any boundary
    problem, mean = pose(X, y, np.array([0.1]), loss, K, None, True, "numpy"), X.mean(axis=0)
    found = whole_curvature(problem, mean, W, b, 0)
    monkeypatch.setattr("linprobe.core.exact.newton.NEGLIGIBLE", 0.0)
    whole = whole_curvature(problem, mean, W, b, 0)
    size = (D + 1) * K
    left_out = np.trace((whole - found).reshape(size, size)) / np.trace(whole.reshape(size, size))
    assert 0 <= left_out <= 1e-3
    assert (left_out > 0) == (loss == "softmax")  # the squared hinge has examples with a curvature, and without


def test_nowhere_any_curvature():
    _, y, _, b = draw()
    scores = 1e3 * np.eye(K)[y]
    problem = pose(np.eye(N), y, np.array([0.1]), "squared_hinge", K, None, True, "numpy")
    assert not whole_curvature(problem, np.zeros(N), scores, 0 * b, 0).any()


def test_examples_that_cost_nothing_do_not_drown_the_few_that_do():
    n = 20_000
    labels = np.arange(n) % 3
    scores = np.where(labels[:, None] == np.arange(3), 9.0, 0.0)
    scores[:2] = 0
    weight = np.random.default_rng(0).uniform(1, 2, n)
    weight[:2] = 1e-4
    find = smooth_loss("squared_hinge").curvature
    found = total_curvature(find(scores.astype(np.float32), labels), weight.astype(np.float32))
    np.testing.assert_allclose(found, total_curvature(find(scores, labels), weight), rtol=1e-5, atol=1e-12)

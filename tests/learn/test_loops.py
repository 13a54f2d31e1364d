"""The loops, against figures by hand and against PyTorch."""

import math

import numpy as np
import pytest

from linprobe.core.losses import LOSSES
from linprobe.learn.loops import LOOPS, softmax_loss_naive, squared_hinge_loss_naive, svm_loss_naive

EVERY = pytest.mark.parametrize("loops", [softmax_loss_naive, svm_loss_naive, squared_hinge_loss_naive])


def test_each_loss_has_its_loops():
    assert set(LOOPS) == set(LOSSES)


def draw(n=30, D=7, C=5, seed=0):
    rng = np.random.default_rng(seed)
    return rng.standard_normal((D, C)), 3 * rng.standard_normal((n, D)), rng.integers(0, C, n)


def by_torch(loops, W, X, y, reg):
    torch = pytest.importorskip("torch")
    weights = torch.tensor(W, requires_grad=True)
    scores = torch.tensor(X) @ weights
    if loops is softmax_loss_naive:
        loss = torch.nn.functional.cross_entropy(scores, torch.tensor(y))
    else:
        power = 1 if loops is svm_loss_naive else 2
        loss = W.shape[1] * torch.nn.functional.multi_margin_loss(scores, torch.tensor(y), p=power)
    loss = loss + reg * (weights * weights).sum()
    loss.backward()
    assert weights.grad is not None
    return loss.item(), weights.grad.numpy()


@EVERY
@pytest.mark.parametrize("reg", [0.0, 0.3])
@pytest.mark.parametrize("shape", [(30, 7, 5), (1, 7, 5), (30, 7, 2), (4, 3, 1000)])
def test_value_and_gradient_agree_with_torch(loops, reg, shape):
    W, X, y = draw(*shape)
    loss, dW = loops(W, X, y, reg)
    expected, gradient = by_torch(loops, W, X, y, reg)
    assert loss == pytest.approx(expected, rel=1e-12)
    assert dW.shape == W.shape
    np.testing.assert_allclose(dW, gradient, rtol=1e-12, atol=1e-12 * np.abs(gradient).max())


def test_by_hand():
    W = np.array([[0.0, math.log(3)], [0.0, 0.0]])
    X = np.array([[1.0, 1.0]])
    loss, dW = softmax_loss_naive(W, X, np.array([0]), 0.5)
    assert loss == pytest.approx(math.log(4) + 0.5 * math.log(3) ** 2)
    np.testing.assert_allclose(dW, [[-0.75, 0.75 + math.log(3)], [-0.75, 0.75]])
    loss, dW = svm_loss_naive(W, X, np.array([0]), 0.0)
    assert loss == pytest.approx(1 + math.log(3))
    np.testing.assert_allclose(dW, [[-1, 1], [-1, 1]])
    loss, dW = squared_hinge_loss_naive(W, X, np.array([0]), 0.0)
    assert loss == pytest.approx((1 + math.log(3)) ** 2)
    np.testing.assert_allclose(dW, 2 * (1 + math.log(3)) * np.array([[-1, 1], [-1, 1]]))


def test_tiny_softmax_losses_keep_all_digits():
    loss, dW = softmax_loss_naive(np.array([[60.0, 0.0]]), np.array([[1.0]]), np.array([0]), 0.0)
    assert loss == pytest.approx(math.exp(-60), rel=1e-14)
    np.testing.assert_allclose(dW, [[-math.exp(-60), math.exp(-60)]], rtol=1e-14)


@EVERY
def test_nothing_is_changed_and_read_only_arrays_are_welcome(loops):
    W, X, y = draw()
    kept = [array.copy() for array in (W, X, y)]
    for array in (W, X, y):
        array.setflags(write=False)
    loops(W, X, y, 0.1)
    for array, before in zip((W, X, y), kept, strict=True):
        np.testing.assert_array_equal(array, before)


@EVERY
@pytest.mark.parametrize("size", [1e4, 1e30, 1e300])
def test_scores_of_any_size_give_a_finite_loss(loops, size):
    if loops is squared_hinge_loss_naive:  # its gradient is of the size of X squared
        size = min(size, 1e150)
    W = np.array([[1.0, -1.0, 1.0]])
    X = np.array([[size], [-size], [0.0]])
    for y in ([0, 0, 0], [1, 1, 1]):
        loss, dW = loops(W, X, np.array(y), 0.0)
        assert math.isfinite(loss)
        assert np.isfinite(dW).all()


@EVERY
def test_float32_arguments_are_computed_in_float64(loops):
    W, X, y = draw()
    W, X = W.astype(np.float32), X.astype(np.float32)
    loss, dW = loops(W, X, y, 0.1)
    expected, gradient = loops(W.astype(np.float64), X.astype(np.float64), y, 0.1)
    assert loss == expected
    np.testing.assert_array_equal(dW, gradient)

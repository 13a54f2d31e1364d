"""Minibatch SGD with weights of the examples, against repeated and removed rows."""

import numpy as np
import pytest

from linprobe.core.backend import Products, to_numpy
from linprobe.core.sgd.settings import Data, Heads, Training
from linprobe.core.sgd.training import StackRun


def full_batches(X, y, weight=None, *, device="numpy", momentum=0.0, loss="softmax"):
    """All examples at every step: what the order of the rows cannot change."""
    heads = Heads.of([0.1, 0.3], [0.01, 0.001], momentum=momentum, batch_size=len(X))
    run = StackRun(Data(X, y, 3, weight), heads, Training(loss, epochs=40), products=Products(device))
    solution = run.finish()
    return to_numpy(solution.W), to_numpy(solution.b), solution.objective


@pytest.fixture(scope="module")
def problem():
    rng = np.random.default_rng(0)
    return rng.standard_normal((20, 5)), np.arange(20) % 3, rng.integers(0, 4, 20)


@pytest.mark.parametrize("loss", ["softmax", "hinge"])
@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_weights_are_repeated_rows(problem, loss, momentum):
    X, y, counts = problem
    repeated = np.repeat(np.arange(20), counts)
    weighted = full_batches(X, y, 7.0 * counts, momentum=momentum, loss=loss)  # in units of their mean
    for found, expected in zip(
        weighted, full_batches(X[repeated], y[repeated], momentum=momentum, loss=loss), strict=True
    ):
        np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-12)
    assert abs(weighted[0] - full_batches(X, y, momentum=momentum, loss=loss)[0]).max() > 1e-3


def test_equal_weights_change_no_bit(problem):
    X, y, _ = problem
    for found, expected in zip(full_batches(X, y, np.full(20, 2.0)), full_batches(X, y), strict=True):
        assert (found == expected).all()


def test_torch_weighs_alike(problem):
    pytest.importorskip("torch")
    X, y, counts = problem
    for found, expected in zip(
        full_batches(X, y, counts.astype(float), device="cpu"), full_batches(X, y, counts.astype(float)), strict=True
    ):
        np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-12)

"""What only the softmax loss promises."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from examples import examples  # pyright: ignore[reportMissingImports]
from linprobe.core.losses import softmax


def test_by_hand():
    # p = (1, 2, 5) / 8
    scores = np.log(np.array([1.0, 2.0, 5.0]))[None, :, None]
    losses, slope = softmax(scores, np.array([1]))
    assert losses[0, 0] == pytest.approx(math.log(4))
    np.testing.assert_allclose(slope[0, :, 0], [1 / 8, -3 / 4, 5 / 8], rtol=1e-14)


@pytest.mark.parametrize("K", [2, 10, 1000])
def test_equal_scores_cost_the_logarithm_of_the_number_of_classes(K):
    losses, slope = softmax(np.full((3, K, 2), 1e30), np.zeros(3, int))
    np.testing.assert_allclose(losses, math.log(K), rtol=1e-14)
    np.testing.assert_allclose(slope[:, 1:], 1 / K, rtol=1e-14)


@examples(50)
@given(shift=st.integers(-(2**15), 2**15), seed=st.integers(0, 2**32 - 1), dtype=st.sampled_from(["f4", "f8"]))
def test_a_constant_on_all_scores_changes_no_bit(shift, seed, dtype):
    # Multiples of 1/16 below 8: adding the integer is exact even in float32, so nothing may differ at all.
    rng = np.random.default_rng(seed)
    scores = (rng.integers(-128, 128, (6, 10, 3)) / 16).astype(dtype)
    labels = rng.integers(0, 10, 6)
    losses, slope = softmax(scores + np.dtype(dtype).type(shift), labels)
    expected_losses, expected_slope = softmax(scores, labels)
    np.testing.assert_array_equal(losses, expected_losses)
    np.testing.assert_array_equal(slope, expected_slope)


def test_an_impossible_class_adds_nothing():
    scores = np.array([1.0, -np.inf, 2.0])[None, :, None]
    losses, slope = softmax(scores, np.array([0]))
    assert losses[0, 0] == pytest.approx(math.log(1 + math.e))
    assert slope[0, 1, 0] == 0


@pytest.mark.parametrize(("dtype", "digits"), [("f4", 1e-6), ("f8", 1e-14)])
@pytest.mark.parametrize("lead", [5.0, 20.0, 60.0])
def test_tiny_losses_and_their_slopes_keep_all_digits(dtype, digits, lead):
    # With 1 + others in the way, both would be 0 here: at a lead of 20 in float32, of 60 in float64.
    losses, slope = softmax(np.array([lead, 0.0, 0.0], dtype)[None, :, None], np.array([0]))
    others = 2 * math.exp(-lead)
    assert float(losses[0, 0]) == pytest.approx(math.log1p(others), rel=digits)
    np.testing.assert_allclose(slope[0, :, 0], np.array([-others, others / 2, others / 2]) / (1 + others), rtol=digits)


def test_losses_are_never_negative():
    rng = np.random.default_rng(0)
    scores = (40 * rng.standard_normal((500, 10, 20))).astype(np.float32)
    losses, _ = softmax(scores, rng.integers(0, 10, 500))
    assert losses.min() >= 0

"""What only the hinge loss promises."""

import numpy as np

from linprobe.core.losses import hinge


def test_by_hand():
    # label 1: terms (1 - 2 + 1, -, 4 - 2 + 1, 1.5 - 2 + 1) = (0, -, 3, 0.5), the first exactly at its kink
    losses, slope = hinge(np.array([1.0, 2.0, 4.0, 1.5])[None, :, None], np.array([1]))
    assert losses[0, 0] == 3.5
    np.testing.assert_array_equal(slope[0, :, 0], [0, -2, 1, 1])


def test_a_margin_of_one_or_more_costs_exactly_nothing():
    losses, slope = hinge(np.array([[5.0, 4.0, -3.0], [1e30, 0.0, 0.0]])[:, :, None], np.array([0, 0]))
    np.testing.assert_array_equal(losses, 0)
    np.testing.assert_array_equal(slope, 0)


def test_the_slope_exactly_at_the_kink_is_zero_and_just_above_it_one():
    above = np.nextafter(1.0, 2.0)
    _, slope = hinge(np.array([[2.0, 1.0], [2.0, above]])[:, :, None], np.array([0, 0]))
    np.testing.assert_array_equal(slope[:, :, 0], [[0, 0], [-1, 1]])


def test_large_equal_scores_keep_their_margin_of_one():
    for size in (1e9, 1e30, -1e30):
        losses, slope = hinge(np.full((1, 10, 1), size, dtype=np.float32), np.array([3]))
        assert losses[0, 0] == 9
        assert slope[0, 3, 0] == -9


def test_slopes_are_whole_numbers_that_sum_to_zero():
    rng = np.random.default_rng(0)
    _, slope = hinge((3 * rng.standard_normal((200, 1000, 2))).astype(np.float32), rng.integers(0, 1000, 200))
    np.testing.assert_array_equal(slope, np.round(slope))
    np.testing.assert_array_equal(slope.sum(axis=1, dtype=np.float64), 0)

"""What only the squared hinge loss promises."""

import numpy as np

from linprobe.core.losses import squared_hinge


def test_by_hand():
    # label 1: terms (1 - 2 + 1, -, 4 - 2 + 1, 1.5 - 2 + 1) = (0, -, 3, 0.5)
    losses, slope = squared_hinge(np.array([1.0, 2.0, 4.0, 1.5])[None, :, None], np.array([1]))
    assert losses[0, 0] == 9.25
    np.testing.assert_array_equal(slope[0, :, 0], [0, -7, 6, 1])


def test_a_margin_of_one_or_more_costs_exactly_nothing():
    losses, slope = squared_hinge(np.array([[5.0, 4.0, -3.0], [1e30, 0.0, 0.0]])[:, :, None], np.array([0, 0]))
    np.testing.assert_array_equal(losses, 0)
    np.testing.assert_array_equal(slope, 0)


def test_the_slope_has_no_jump_where_a_term_begins():
    step = 2.0**-30
    _, slope = squared_hinge(np.array([[2.0, 1.0], [2.0, 1.0 + step]])[:, :, None], np.array([0, 0]))
    np.testing.assert_array_equal(slope[:, :, 0], [[0, 0], [-2 * step, 2 * step]])


def test_large_equal_scores_keep_their_margin_of_one():
    for size in (1e9, 1e30, -1e30):
        losses, slope = squared_hinge(np.full((1, 10, 1), size, dtype=np.float32), np.array([3]))
        assert losses[0, 0] == 9
        assert slope[0, 3, 0] == -18


def test_a_loss_beyond_its_type_leaves_the_slope_right():
    # The square of 1e30 is not a float32; twice 1e30 is.
    losses, slope = squared_hinge(np.array([0.0, 1e30], np.float32)[None, :, None], np.array([0]))
    assert losses[0, 0] == np.finfo(np.float32).max
    np.testing.assert_array_equal(slope[0, :, 0], np.array([-2e30, 2e30], np.float32))


def test_a_slope_beyond_its_type_is_the_largest_of_the_type():
    # Twice 2.5e38 is no float32.
    losses, slope = squared_hinge(np.array([0.0, 2.5e38, 0.0], np.float32)[None, :, None], np.array([0]))
    largest = np.finfo(np.float32).max
    assert losses[0, 0] == largest
    np.testing.assert_array_equal(slope[0, :, 0], np.array([-largest, largest, 2], np.float32))

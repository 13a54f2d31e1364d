"""Reductions over the classes."""

import numpy as np
import pytest

from linprobe.core.losses._over_classes import over_classes


@pytest.mark.parametrize("K", [1, 2, 15, 16, 17, 63, 64, 65, 79, 80, 81, 1000, 4097])
@pytest.mark.parametrize("H", [1, 3])
def test_sums_and_maxima_over_any_number_of_classes(K, H):
    # Whole numbers: their sum is exact in any order, so a class counted twice or not at all would show.
    scores = np.random.default_rng(K).integers(-1000, 1000, (4, K, H)).astype(np.float64)
    kept = scores.copy()
    np.testing.assert_array_equal(over_classes(np.add, scores), kept.sum(axis=1))
    np.testing.assert_array_equal(over_classes(np.maximum, scores), kept.max(axis=1))
    np.testing.assert_array_equal(scores, kept)


def test_the_result_is_a_new_array():
    scores = np.ones((2, 1, 3))
    assert not np.shares_memory(over_classes(np.add, scores), scores)

"""Several arrays read as one, against their concatenation."""

import numpy as np
import pytest

from linprobe.data.joined import Joined, join
from linprobe.data.rows import StoredRows

PARTS = [np.arange(12).reshape(4, 3), np.arange(6).reshape(2, 3) + 100, np.zeros((0, 3), int), np.full((3, 3), 7)]
WHOLE = np.concatenate(PARTS)


@pytest.mark.parametrize(
    "rows",
    [
        slice(None),
        slice(1, 3),
        slice(4, 6),
        slice(3, 8),
        slice(5, 5),
        slice(-2, None),
        slice(0, 9, 2),
        np.array([8, 0, 5, 5, -1]),
        np.array([], int),
        np.arange(9) % 3 == 1,
    ],
)
def test_rows_are_those_of_the_concatenation(rows):
    joined = Joined(PARTS)
    np.testing.assert_array_equal(joined[rows], WHOLE[rows])
    np.testing.assert_array_equal(StoredRows(joined)[rows], WHOLE[rows])


def test_it_looks_like_an_array():
    joined = Joined(PARTS)
    assert (joined.shape, joined.dtype, joined.ndim, len(joined)) == (WHOLE.shape, WHOLE.dtype, 2, 9)
    np.testing.assert_array_equal(np.asarray(joined), WHOLE)
    assert np.asarray(joined, np.float32).dtype == np.float32


def test_a_slice_within_one_part_is_a_view_of_it():
    assert np.shares_memory(Joined(PARTS)[1:3], PARTS[0])
    assert join(PARTS[:1]) is PARTS[0]

"""Half precision widened by its bits, against NumPy's own cast."""

import numpy as np
import pytest

from linprobe.core.backend import halves
from linprobe.core.backend.halves import widened
from linprobe.data.duplicates import row_hashes

EVERY = np.arange(2**16, dtype=np.uint16).view(np.float16)
EXTREME = np.array([[65504, -65504], [-np.inf, 1]], np.float16)


def assert_same_bits(found: np.ndarray, expected: np.ndarray) -> None:
    assert found.dtype == np.float32
    assert found.shape == expected.shape
    number = ~np.isnan(expected)
    np.testing.assert_array_equal(found[number].view(np.uint32), expected[number].view(np.uint32))
    assert np.isnan(found[~number]).all()


@pytest.mark.parametrize("piece", [1, 1000, 2**16])
def test_every_number_of_half_precision(piece, monkeypatch):
    monkeypatch.setattr(halves, "PIECE", piece)
    finite = EVERY[np.isfinite(EVERY)]
    for given in (EVERY.reshape(16, -1), finite, finite[:0], *EXTREME):
        if piece == 1 and given.size > 4096:
            given = given.reshape(-1)[::97]
        assert_same_bits(widened(given), given.astype(np.float32))


def test_it_is_written_where_it_is_asked_for():
    given, room = EVERY[:600].reshape(20, 30), np.full((40, 30), 7, np.float32)
    assert widened(given, room[10:30]).base is room
    np.testing.assert_array_equal(room[10:30], given)
    assert (room[:10] == 7).all()
    assert (room[30:] == 7).all()
    assert_same_bits(widened(given[:, ::3]), given[:, ::3].astype(np.float32))
    assert_same_bits(widened(given.astype(">f2")), given.astype(np.float32))


@pytest.mark.parametrize("dtype", ["uint8", "int8", "float32", "float64"])
def test_other_types_are_cast(dtype):
    given = np.arange(12).reshape(3, 4).astype(dtype)
    found, out = widened(given), np.empty((3, 4), np.float32)
    assert_same_bits(found, given.astype(np.float32))
    assert (found is given) == (dtype == "float32")
    assert_same_bits(widened(given, out), given.astype(np.float32))


def test_zero_and_minus_zero_are_the_same_row():
    rows = np.array([[0, 1], [-0.0, 1], [0, -1], [1, 0]], np.float16)
    first, second, *others = row_hashes(rows).tolist()
    assert first == second
    assert len({first, *others}) == 3

"""Identical rows, against what plain comparisons of rows find."""

import numpy as np
import pytest

from linprobe.data import duplicates
from linprobe.data.dataset import Dataset, Examples
from linprobe.data.duplicates import find_duplicates, row_hashes
from linprobe.data.rows import StoredRows


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "int64", "uint8"])
def test_rows_are_counted_as_comparing_them_does(dtype, monkeypatch):
    monkeypatch.setattr(duplicates, "CHUNK_BYTES", 64)  # some chunks
    rng = np.random.default_rng(0)
    parts = {name: rng.integers(0, 3, (n, 3)).astype(dtype) for name, n in (("train", 30), ("test", 20), ("val", 9))}
    labels = {name: rng.integers(0, 2, len(X)) for name, X in parts.items()}
    made = {name: Examples(X, labels[name]) for name, X in parts.items()}
    found = find_duplicates(Dataset("some", made["train"], made["test"], ("a", "b"), val=made["val"]))
    rows = {name: [tuple(row) for row in X.tolist()] for name, X in parts.items()}
    assert found.within == {name: sum(row in each[:at] for at, row in enumerate(each)) for name, each in rows.items()}
    for (first, second), n in found.across.items():
        assert n == sum(row in rows[first] for row in rows[second])
    assert set(found.across) == {("train", "test"), ("train", "val"), ("test", "val")}
    every = [(row, y) for name in rows for row, y in zip(rows[name], labels[name], strict=True)]
    assert found.contradicting == sum(any(row == other and y != z for other, z in every) for row, y in every)


def test_nothing_is_identical_where_rows_differ_in_one_value():
    X = np.zeros((3, 4), np.float32)
    X[1, 3], X[2, 3] = 1e-40, -0.0
    first, second, third = row_hashes(X)
    assert first != second
    assert first == third
    np.testing.assert_array_equal(row_hashes(StoredRows(X)), row_hashes(X))


def test_pictures_of_the_same_pixels():
    X = np.random.default_rng(0).integers(0, 256, (4, 3, 3, 3), dtype=np.uint8)
    X[3] = X[0]
    assert row_hashes(X)[3] == row_hashes(X)[0]
    assert len(set(row_hashes(X).tolist())) == 3

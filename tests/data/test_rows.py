"""Rows stand for an array: whatever is taken of them, in whatever order, is what the array has there."""

import json
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from alike import assert_same_test  # pyright: ignore[reportMissingImports]
from linprobe.compare.solver import Resources
from linprobe.core.exact.problem import solve_bytes
from linprobe.data.dataset import Dataset, Examples
from linprobe.data.prepare import fit_preparation
from linprobe.data.rows import CHUNK_ROWS, StoredRows
from linprobe.data.splits import make_splits
from linprobe.tasks.tune import Options, tune
from watched import WATCHED

N = 12
SOURCE = np.random.default_rng(0).integers(0, 256, (N, 2, 3, 1)).astype(np.uint8)


class Counted:
    """An array that counts the rows that are read of it."""

    def __init__(self, array):
        self.array, self.shape, self.dtype, self.read = array, array.shape, array.dtype, 0

    def __len__(self):
        return len(self.array)

    def __getitem__(self, rows):
        part = self.array[rows]
        self.read += len(part)
        return part


@st.composite
def chains(draw):
    """What is taken of N rows, and of that, and so on."""
    left, chain = N, []
    for _ in range(draw(st.integers(1, 4))):
        kind = draw(st.sampled_from(["slice", "indices", "mask"]))
        if kind == "slice":
            rows = draw(st.slices(left))
        elif kind == "indices":
            rows = np.array(draw(st.lists(st.integers(-left, left - 1), max_size=6) if left else st.just([])), np.int64)
        else:
            rows = np.array(draw(st.lists(st.booleans(), min_size=left, max_size=left)), bool)
        chain.append(rows)
        left = len(np.arange(left)[rows])
    return chain


@pytest.mark.parametrize("features", [None, "centred", "standardised", "normalised"])
@given(chain=chains())
def test_what_is_taken_is_what_the_array_has_there(features, chain):
    counted = Counted(SOURCE)
    rows, expected = StoredRows(counted), SOURCE
    preparation = None if features is None else fit_preparation(SOURCE, features)
    for k, taken in enumerate(chain):
        if k == 1 and preparation is not None:  # whenever it is prepared
            rows = rows.prepared(preparation)
        rows, expected = rows.take(taken), expected[taken]
    if preparation is not None:
        rows, expected = rows.prepared(preparation), preparation.apply(expected)
    assert counted.read == 0
    assert (rows.shape, rows.dtype, rows.ndim, len(rows)) == (
        *(expected.shape, expected.dtype, expected.ndim, len(expected)),
    )
    np.testing.assert_array_equal(rows.kept(), expected)
    assert counted.read == len(expected)
    np.testing.assert_array_equal(np.asarray(rows), expected)
    np.testing.assert_array_equal(rows[:], expected)
    for row in range(-len(expected), len(expected)):
        np.testing.assert_array_equal(rows[row], expected[row])
    np.testing.assert_array_equal(rows[::-1], expected[::-1])
    np.testing.assert_array_equal(
        rows.followed_by(rows.take(slice(1, None)))[:], np.concatenate([expected, expected[1:]])
    )


@pytest.mark.parametrize("places", [slice(2, 5), slice(5, 2, -1), np.array([2, 3, 4])])
@pytest.mark.parametrize("rows", [3, -4, np.array([0, 3]), np.array([-4]), np.ones(4, bool), np.ones(2, bool)])
def test_a_row_beyond_them_is_refused_though_the_source_has_it(places, rows):
    with pytest.raises(IndexError):
        StoredRows(SOURCE).take(places)[rows]
    with pytest.raises(IndexError):
        StoredRows(SOURCE).take(places).take(np.atleast_1d(rows))


def test_rows_that_lie_behind_each_other_stay_a_slice():
    rows = StoredRows(SOURCE)
    together = rows.take(slice(2, 5)).followed_by(rows.take(slice(5, 9)))
    assert np.shares_memory(together[:], SOURCE)
    np.testing.assert_array_equal(together[:], SOURCE[2:9])
    for one, two in ((slice(0, 2, 2), slice(2, 6)), (slice(0, 2), slice(2, 6, 3)), (slice(0, 2), slice(4, 6))):
        both = rows.take(one).followed_by(rows.take(two))
        np.testing.assert_array_equal(both[:], np.concatenate([SOURCE[one], SOURCE[two]]))


@pytest.mark.parametrize("own_test", [False, True])
def test_splits_read_and_copy_nothing_and_keep_rows_with_their_labels(own_test):
    X, y = np.random.default_rng(1).standard_normal((90, 4)).astype(np.float32), np.sort(np.arange(90) % 3)
    counted = Counted(X)  # in blocks of a class, so that rows are shuffled
    dataset = Dataset("d", Examples(StoredRows(counted), y), Examples(X + 9, y) if own_test else None, ("a", "b", "c"))
    splits = make_splits(dataset, seed=3, val=11, test=7)
    assert counted.read == 0
    order = np.random.default_rng(3).permutation(90)
    for part, rows in (("train", order[: len(splits.train)]), ("val", order[len(splits.train) :][:11])):
        np.testing.assert_array_equal(getattr(splits, part).X, X[rows])
    label_of = {row.tobytes(): label for row, label in zip(np.concatenate([X, X + 9]), np.tile(y, 2), strict=True)}
    for part in (splits.train, splits.val, splits.test, splits.dev):
        assert isinstance(part.X, StoredRows)
        assert [label_of[row.tobytes()] for row in part.X[:]] == part.y.tolist()
    assert bool((splits.test.X[:].mean() > 5) == own_test)


def clouds(n=3 * CHUNK_ROWS, D=20, K=4, dtype="float32"):
    rng = np.random.default_rng(5)
    y = rng.integers(0, K, n)
    X = rng.standard_normal((n, D)) * np.geomspace(1, 10, D) + rng.standard_normal((K, D))[y] + 3
    if np.dtype(dtype).kind == "u":
        X = np.abs(X)
    return Dataset("clouds", Examples(X.astype(dtype), y), None, tuple("abcd"))


@pytest.mark.sampled(3)
@pytest.mark.parametrize("folds", [None, 3])
@pytest.mark.parametrize("features", ["centred", "standardised", "normalised"])
def test_rows_that_do_not_fit_are_read_in_every_pass_and_end_in_the_same_model(folds, features, monkeypatch):
    dataset, read = clouds(), []
    options = Options(regs=np.array([1e-4, 1e-2, 1.0]), folds=folds, features=features)
    whole = tune(dataset, options)
    kept = StoredRows.kept
    monkeypatch.setattr(StoredRows, "kept", lambda rows: read.append(rows.shape) or kept(rows))
    # Enough for the solver and for the proof, not for the rows as well.
    shape = (len(dataset.train), 20)
    room = sum(solve_bytes(shape, 4, 1, 8)) + shape[0] * 20 * 2
    parts = tune(dataset, options, resources=lambda: Resources(memory=room))
    assert not read
    for name in ("objective", "loss"):
        np.testing.assert_allclose(getattr(parts.found, name), getattr(whole.found, name), rtol=2e-6)
    assert parts.found.best == whole.found.best
    assert_same_test(parts.numbers.test, whole.numbers.test)
    np.testing.assert_allclose(parts.classifier.W, whole.classifier.W, atol=1e-3 * np.abs(whole.classifier.W).max())


@pytest.mark.sampled(3)
@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("dtype", ["float16", "float64", "int16", "int8", "uint8"])
def test_features_of_another_type_are_those_of_float32(dtype, streamed):
    dataset = clouds(600, dtype=dtype)
    assert dataset.train.X.dtype == dtype
    options = Options(regs=np.array([1e-3, 1e-1]))
    X = dataset.train.X.astype(np.float32)
    same = tune(Dataset("clouds", Examples(X, dataset.train.y), None, tuple("abcd")), options)
    memory = sum(solve_bytes(dataset.train.X.shape, 4, 1, 8)) + 600 * 20 * 2 if streamed else None
    found = tune(dataset, options, resources=lambda: Resources(memory=memory))
    np.testing.assert_allclose(found.found.objective, same.found.objective, rtol=1e-6)
    assert_same_test(found.numbers.test, same.numbers.test)


MEASURED = (
    WATCHED
    + """
import json, sys
import numpy as np
from linprobe.data.dataset import Dataset, Examples
from linprobe.compare.solver import Resources
from linprobe.tasks.tune import Options, tune
import linprobe.core.exact.solver

path, budget = sys.argv[1], float(sys.argv[2])
X = np.memmap(path, np.float32, "r").reshape(-1, 1024)
data = Dataset("mapped", Examples(X, np.arange(len(X)) % 4), None, tuple("abcd"))
start = begin()
resources = lambda: Resources(memory=int(start + budget * X.nbytes), held=anonymous())
found = tune(data, Options(regs=np.array([1e-2, 1e-1, 1.0])), resources=resources)
print(json.dumps([(most - start) / X.nbytes, found.numbers.refit.status, found.numbers.test.accuracy]))
"""
)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_mapped_matrix_takes_a_third_of_it_or_a_copy_as_the_memory_allows(tmp_path):
    n, D, rng = 40_000, 1_024, np.random.default_rng(0)  # 156 MiB
    X = np.memmap(tmp_path / "X", np.float32, "w+", shape=(n, D))
    centres = rng.standard_normal((4, D)) / 5
    for start in range(0, n, 1000):
        X[start : start + 1000] = rng.standard_normal((1000, D)) + centres[np.arange(start, start + 1000) % 4]
    X.flush()
    for budget, most in ((0.9, 0.35), (1.9, 1.2)):
        done = subprocess.run(
            [sys.executable, "-c", MEASURED, tmp_path / "X", str(budget)], capture_output=True, text=True, timeout=250,
            check=True,
        )  # fmt: skip
        share, status, accuracy = json.loads(done.stdout)
        assert (status, accuracy) == ("gap", 1.0)
        assert share < most


def test_rows_are_indexed_as_an_array_is():
    X = np.arange(30).reshape(10, 3)
    rows = StoredRows(X).take(np.array([5, 2, 9]))
    np.testing.assert_array_equal(rows[:, 1], X[[5, 2, 9], 1])
    np.testing.assert_array_equal(rows[1:, :2], X[[2, 9], :2])
    assert rows[2, 0] == X[9, 0]

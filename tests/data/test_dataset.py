"""Examples, Dataset, fingerprint."""

import dataclasses
import hashlib
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from linprobe.data.dataset import Dataset, Examples
from linprobe.errors import DataError

NAMES = ("a", "b", "c")


def images(n=6, height=2, width=3, channels=1):
    return np.arange(n * height * width * channels, dtype=np.uint8).reshape(n, height, width, channels)


def labels(n=6):
    return np.arange(n) % 3


def dataset(**changes):
    base = Dataset("small", Examples(images(), labels()), Examples(images(3), labels(3)), NAMES)
    return dataclasses.replace(base, **changes)


def test_arrays_are_read_only_and_the_callers_own_stay_writable():
    X, y = images(), labels()
    examples = Examples(X, y)
    for array in (examples.X, examples.y):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0
    X[0], y[0] = 1, 1
    assert not np.shares_memory(examples.take(np.array([1])).X, X)


def test_a_data_set_is_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        dataset().name = "other"  # pyright: ignore[reportAttributeAccessIssue]


def test_taking_a_slice_shares_memory_and_taking_rows_keeps_their_order():
    examples = Examples(images(), labels())
    part = examples.take(slice(2, 5))
    assert np.shares_memory(part.X, examples.X)
    np.testing.assert_array_equal(part.X, images()[2:5])
    some = examples.take(np.array([4, 0, 4]))
    np.testing.assert_array_equal(some.y, [1, 0, 1])
    np.testing.assert_array_equal(some.X, images()[[4, 0, 4]])
    assert len(examples.take(labels() == 2)) == 2


@pytest.mark.parametrize("kind", [np.uint8, np.int32, np.uint64, ">i4"])
def test_labels_of_any_integer_type_become_int64(kind):
    y = Examples(images(), labels().astype(kind)).y
    assert y.dtype == np.int64
    np.testing.assert_array_equal(y, labels())


@pytest.mark.parametrize(
    ("X", "y", "finding"),
    [
        (images().astype(np.int16), labels(), "int16"),
        (images()[..., 0], labels(), r"\(6, 2, 3\)"),
        (np.zeros((6, 2), complex), labels(), "complex128"),
        (np.zeros((6, 2), bool), labels(), "bool"),
        pytest.param(
            *(np.zeros((6, 2), np.longdouble), labels(), "float1|float9"),
            marks=pytest.mark.skipif(np.dtype(np.longdouble).itemsize == 8, reason="is float64 here"),
        ),
        (images(), labels(5), "6 rows, but 5 labels"),
        (images(), labels()[:, None], r"int64 \(6, 1\)"),
        (images(), labels() / 2, "float64"),
        (images(), labels() > 0, "bool"),
    ],
)
def test_other_types_and_shapes_are_refused(X, y, finding):
    with pytest.raises(DataError, match=finding):
        Examples(X, y)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "int64", "uint8"])
def test_features_of_any_numbers_are_accepted(dtype):
    assert Examples(np.zeros((6, 2), dtype), labels()).X.dtype == dtype


@pytest.mark.parametrize(
    ("changes", "finding"),
    [
        ({"train": Examples(images(), labels() + 1)}, "small: train: row 2 has label 3, outside the 3 classes"),
        ({"train": Examples(images(), labels() - 1)}, "small: train: row 0 has label -1"),
        ({"test": Examples(images(3), labels(3) + 2)}, "small: test: row 1 has label 3"),
        ({"train": Examples(images(0), labels(0))}, "small: train: has no rows"),
        ({"test": Examples(images(0), labels(0))}, "small: test: has no rows"),
        ({"test": Examples(images(3, 3, 2), labels(3))}, "must be alike"),
        ({"test": Examples(np.zeros((3, 2), np.float32), labels(3))}, "must be alike"),
        ({"classes": ("a", "b", "a")}, "the same name"),
        ({"classes": ()}, "row 0 has label 0, outside the 0 classes"),
    ],
)
def test_a_data_set_that_does_not_fit_together_is_refused_in_one_line(changes, finding):
    with pytest.raises(DataError, match=finding) as caught:
        dataset(**changes)
    assert "\n" not in str(caught.value)


def test_the_fingerprint_is_that_of_the_content_whatever_its_name_memory_and_format():
    expected = dataset().fingerprint
    # Written out: a fingerprint in a run folder must be found again by later versions, on any machine.
    header = (
        b'{"arrays": [["|u1", [6, 2, 3, 1]], ["<i8", [6]], ["|u1", [3, 2, 3, 1]], ["<i8", [3]]], '
        b'"classes": ["a", "b", "c"]}\n'
    )
    content = bytes(range(36)), struct.pack("<6q", 0, 1, 2, 0, 1, 2), bytes(range(18)), struct.pack("<3q", 0, 1, 2)
    assert expected == "sha256:" + hashlib.sha256(header + b"".join(content)).hexdigest()
    strided = np.asfortranarray(images())
    wide = np.repeat(images(), 2, axis=0)[::2]
    for X in (strided, wide):
        same = Examples(X, labels().astype(np.uint8))
        assert dataset(name="other", train=same).fingerprint == expected
    assert dataset(classes=list(NAMES)).fingerprint == expected


def test_the_fingerprint_tells_every_difference_apart():
    pixel, label = images(), labels()
    pixel[-1, -1, -1, -1] ^= 1
    label[-1] = 0
    everything = np.concatenate([images(), images(3)]), np.concatenate([labels(), labels(3)])
    different = [
        dataset(),
        dataset(train=Examples(pixel, labels())),
        dataset(train=Examples(images(), label)),
        dataset(train=Examples(images()[::-1], labels()[::-1])),
        dataset(test=None),
        dataset(train=Examples(*everything), test=None),
        dataset(train=dataset().test, test=dataset().train),
        dataset(
            train=Examples(everything[0][:5], everything[1][:5]), test=Examples(everything[0][5:], everything[1][5:])
        ),
        dataset(train=Examples(images(6, 3, 2), labels()), test=Examples(images(3, 3, 2), labels(3))),
        dataset(train=Examples(images(6, 6, 1), labels()), test=Examples(images(3, 6, 1), labels(3))),
        dataset(classes=("a", "b", "d")),
        dataset(classes=("a", "b", "c", "d")),
        dataset(classes=("a,b", "c", "d")),
        dataset(classes=("a", "b,c", "d")),
        dataset(train=Examples(np.zeros((6, 2), np.float32), labels()), test=None),
        dataset(train=Examples(np.zeros((6, 3), np.float32), labels()), test=None),
    ]
    assert len({each.fingerprint for each in different}) == len(different)


@given(st.integers(0, 5), st.integers(0, 5), st.integers(1, 255))
def test_the_fingerprint_sees_every_single_pixel(row, value, change):
    X = images()
    X[row].flat[value] ^= np.uint8(change)
    assert dataset(train=Examples(X, labels())).fingerprint != dataset().fingerprint


def test_a_validation_split_is_covered_by_the_fingerprint_and_checked():
    with_val = dataset(test=None, val=Examples(images(3), labels(3)))
    assert len({with_val.fingerprint, dataset().fingerprint, dataset(test=None).fingerprint}) == 3
    assert [name for name, _ in dataset(val=with_val.val).splits()] == ["train", "test", "val"]
    np.testing.assert_array_equal(np.asarray(with_val.pool().X), np.concatenate([images(), images(3)]))
    np.testing.assert_array_equal(with_val.pool().y, np.concatenate([labels(), labels(3)]))
    with pytest.raises(DataError, match="small: val: row 1 has label 3"):
        dataset(val=Examples(images(3), labels(3) + 2))


def test_groups_go_where_their_rows_go():
    examples = Examples(images(), labels(), np.array(list("aabbcc")))
    taken = examples.lazily().take(np.array([5, 0, 2]))
    assert taken.groups is not None
    assert taken.groups.tolist() == ["c", "a", "b"]
    with pytest.raises(DataError, match="6 rows, but groups"):
        Examples(images(), labels(), np.arange(5))

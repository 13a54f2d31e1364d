"""Labels as people keep them, against class numbers that were written down by hand."""

import numpy as np
import pytest

from linprobe.data import labels as module
from linprobe.data.labels import Told, is_one_hot, read_labels
from linprobe.errors import DataError


def read(names=None, **splits):
    return read_labels({split: Told(split, np.asarray(values)) for split, values in splits.items()}, names)


@pytest.mark.parametrize(
    ("values", "numbers", "classes"),
    [
        ([2, 0, 1, 0], [2, 0, 1, 0], "012"),
        (np.array([7, 3, 7], np.uint8), [1, 0, 1], "37"),
        (np.array([2**64 - 1, 5, 5], np.uint64), [1, 0, 0], ("5", str(2**64 - 1))),
        ([1, -1, 1], [1, 0, 1], ("-1", "1")),
        ([-2, 0, -1], [0, 2, 1], ("-2", "-1", "0")),
        ([2.0, 1.0, 2.0], [1, 0, 1], "12"),
        ([True, False, True], [1, 0, 1], ("False", "True")),
        (["dog", "cat", "dog"], [1, 0, 1], ("cat", "dog")),
        (["10", "9", "10"], [1, 0, 1], ("9", "10")),
        ([b"dog", b"cat"], [1, 0], ("cat", "dog")),
        (np.array(["dog", "cat"], object), [1, 0], ("cat", "dog")),
        (np.array([b"dog", b"cat"], object), [1, 0], ("cat", "dog")),
        (np.array([3, 1, 3], object), [1, 0, 1], "13"),
        (np.array([True, False], object), [1, 0], ("False", "True")),
        ([[3], [1], [3]], [1, 0, 1], "13"),
        ([[[3]], [[1]]], [1, 0], "13"),
        ([[0, 1, 0], [1, 0, 0]], [1, 0], "012"),
        (np.eye(3, dtype=bool)[[2, 0]], [2, 0], "012"),
        (np.eye(2)[[1, 0, 1]], [1, 0, 1], "01"),
        ([["cat"], ["dog"]], [0, 1], ("cat", "dog")),
    ],
)
def test_every_kind_of_label_becomes_class_numbers_and_names(values, numbers, classes):
    found = read(train=values)
    assert found.numbers["train"].dtype == np.int64
    np.testing.assert_array_equal(found.numbers["train"], numbers)
    assert found.classes == tuple(classes)
    assert found.notes == ()


@pytest.mark.parametrize(
    ("values", "numbers", "classes"),
    [
        ([0, -1, 1, 0, -1], [0, -1, 1, 0, -1], "01"),
        ([2.0, np.nan, -1.0, 0.0], [1, -1, -1, 0], "02"),
        (np.array(["a", None, "b", ""], object), [0, -1, 1, -1], "ab"),
        (["a", " ", "b"], [0, -1, 1], "ab"),
        (np.array([1, None, 0], object), [1, -1, 0], "01"),
        (np.array([1.0, np.nan, 0], object), [1, -1, 0], "01"),
    ],
)
def test_what_is_missing_is_counted(values, numbers, classes):
    found = read(train=values)
    np.testing.assert_array_equal(found.numbers["train"], numbers)
    assert found.classes == tuple(classes)
    missing = numbers.count(-1)
    has, are = ("has", "is") if missing == 1 else ("have", "are")
    note = f"train: {missing} of {len(numbers)} rows {has} no label (-1 or missing) and {are} left out."
    assert found.notes == (note,)


def test_all_splits_are_numbered_alike():
    found = read(train=["b", "c"], test=["a", "c"], val=["c", "b"])
    assert found.classes == ("a", "b", "c")
    assert {split: numbers.tolist() for split, numbers in found.numbers.items()} == {
        "train": [1, 2],
        "test": [0, 2],
        "val": [2, 1],
    }


@pytest.mark.parametrize("test", [[-1, -1], [-1.0, -1.0]])
def test_a_test_split_of_nothing_but_minus_one_is_withheld(test):
    found = read(train=[0, 1, 1], test=test)
    assert list(found.numbers) == ["train"]
    assert found.classes == ("0", "1")
    assert found.notes == ("test: all 2 labels are -1 (withheld), so this split is not used.",)


def test_names_are_those_of_integers_from_0_and_some_may_be_absent():
    found = read(names=["ash", "birch", "cedar"], train=[2, 0, -1])
    assert found.classes == ("ash", "birch", "cedar")
    np.testing.assert_array_equal(found.numbers["train"], [2, 0, -1])
    assert read(names=["ash", "birch"], train=np.eye(2)).classes == ("ash", "birch")


@pytest.mark.parametrize(
    ("values", "finding"),
    [
        ([0.5, 1], "train: row 0 has label 0.5, a measurement rather than a class"),
        ([1, np.inf], "row 1 has label inf"),
        ([1.0, 1e300], "row 1 has label 1e"),
        ([[1, 1], [0, 1]], r"its labels are int64 \(2, 2\), and not rows with a single 1"),
        ([[0, 2], [1, 0]], "not rows with a single 1"),
        (np.zeros((2, 3, 4)), r"its labels are float64 \(2, 3, 4\), and one a row is expected"),
        (np.array([1j, 2]), "its labels are complex128"),
        (np.array(["a", 1], object), "its labels are int and str; integers or texts are expected"),
        (np.array([[1], {}], object), "its labels are dict and list"),
        ([b"\xff", b"a"], r"row 0 has label \\xff, which is not UTF-8 text"),
        (["a\x1b[2J", "b"], r"row 0 has label a\\x1b\[2J, which is not printable text"),
        (["a" * 101, "b"], "not printable text of 1 to 100 letters"),
        ([-1, -1], "none of its 2 rows has a label"),
        ([f"img_{row}" for row in range(30)], "its 30 labels are 30 different ones, such as img_0"),
        (np.arange(30), "its 30 labels are 30 different ones"),
    ],
)
def test_what_cannot_be_classes_is_refused_in_one_line(values, finding):
    with pytest.raises(DataError, match=finding) as caught:
        read(train=values)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("label", "row"), [(3, 1), (-2, 1), (2**63 - 1, 1)])
def test_a_label_without_a_name_is_named(label, row):
    with pytest.raises(DataError, match=f"row {row} has label {label}, where the 3 named classes are 0 to 2"):
        read(names=["a", "b", "c"], train=[0, label, -1])


@pytest.mark.parametrize("test", [["a"], np.eye(3)[:1]])
def test_splits_with_labels_of_different_kinds_are_refused(test):
    with pytest.raises(DataError, match="the labels are of different kinds"):
        read(train=[0, 1], test=test)


def test_names_that_are_not_names_are_refused():
    for names in (["a", "a"], ["a", "\x1b"], ["a", " "]):
        with pytest.raises(DataError, match="class"):
            read(names=names, train=[0, 1])


def test_the_number_of_classes_is_bounded(monkeypatch):
    monkeypatch.setattr(module, "MOST_CLASSES", 3)
    with pytest.raises(DataError, match="4 different ones"):
        read(train=[0, 1, 2, 3, 0])


def test_one_hot_rows_are_known_from_others():
    assert is_one_hot(np.eye(3))
    for other in (
        np.eye(3) * 2,
        np.ones((2, 2)),
        np.zeros((2, 2)),
        np.ones((2, 1)),
        np.arange(3),
        np.array([["1", "0"]]),
    ):
        assert not is_one_hot(other)

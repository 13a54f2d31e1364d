"""Splits as people bring them: other sources, a column that says them, and groups that stay together."""

import csv
from typing import Any

import numpy as np
import pytest

from linprobe.data.formats import open_dataset
from linprobe.errors import DataError, UsageError
from makers import picture, pictures, write_parquet  # pyright: ignore[reportMissingImports]

N, D, K = 30, 4, 3
RNG = np.random.default_rng(0)
X = RNG.normal(size=(N, D)).astype(np.float32).round(3)
Y = np.arange(N) % K
NAMES = np.array(["ash", "birch", "cedar"])


def table(path, columns):
    """A CSV file of columns by name."""
    pytest.importorskip("pyarrow")
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        writer.writerows(zip(*columns.values(), strict=True))
    return path


def numbers(rows=slice(None), names="abcd"):
    return {name: X[rows, column].tolist() for column, name in enumerate(names)}


def refused(error, *args, **options):
    with pytest.raises(error) as caught:
        open_dataset(*args, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


# ---- validation and test from other sources


def test_validation_and_test_come_from_sources_of_other_formats(tmp_path):
    train = table(tmp_path / "train.csv", {**numbers(slice(0, 20)), "species": NAMES[Y[:20]]})
    np.savez(tmp_path / "more.npz", X=X[20:25].astype(np.float64), y=NAMES[Y[20:25]])
    test = table(tmp_path / "test.csv", {"species": NAMES[Y[25:]][::-1], **numbers(slice(25, N))})
    dataset = open_dataset(train, val=tmp_path / "more.npz", test=str(test))
    assert dataset.classes == tuple(NAMES)
    for part, rows, y in ((dataset.train, slice(0, 20), Y[:20]), (dataset.val, slice(20, 25), Y[20:25])):
        assert part is not None
        np.testing.assert_allclose(part.X[:], X[rows], rtol=1e-6)
        assert part.y.tolist() == y.tolist()
    assert dataset.test is not None
    assert dataset.test.y.tolist() == Y[25:][::-1].tolist()
    assert {part.X.dtype for _, part in dataset.splits()} == {np.dtype(np.float64)}
    assert dataset.asked == {"val": str(tmp_path / "more.npz"), "test": str(test)}


def test_columns_of_another_table_are_those_of_train_in_their_order(tmp_path):
    train = table(tmp_path / "train.csv", {**numbers(), "site": ["n", "s"] * (N // 2), "label": NAMES[Y]})
    swapped = {name: numbers()[name] for name in "dbca"}
    test = table(tmp_path / "test.csv", {"kind": NAMES[Y], **swapped, "extra": Y, "label": NAMES[Y]})
    dataset = open_dataset(train, test=test)
    assert dataset.test is not None
    np.testing.assert_array_equal(dataset.test.X, dataset.train.X)
    np.testing.assert_array_equal(dataset.test.y, Y)
    without = table(tmp_path / "without.csv", {name: numbers()[name] for name in "abc"} | {"label": NAMES[Y]})
    assert f"{without}: has no column d, which the training examples have; it has a (" in refused(
        DataError, train, test=without
    )
    unlabelled = table(tmp_path / "unlabelled.csv", {**numbers(), "site": ["n", "s"] * (N // 2)})
    assert f"{unlabelled}: has no column label, which" in refused(DataError, train, test=unlabelled)


@pytest.mark.parametrize("kind", ["texts", "integers"])
def test_classes_are_matched_by_name_whatever_their_numbers(tmp_path, kind):
    names = {"texts": NAMES, "integers": np.array([7, 10, 200])}[kind]
    np.savez(tmp_path / "train.npz", X=X, y=names[Y])
    np.savez(tmp_path / "test.npz", X=X[:4], y=names[[2, 1, 2, 2]].astype(str if kind == "integers" else object))
    dataset = open_dataset(tmp_path / "train.npz", test=tmp_path / "test.npz")
    assert dataset.test is not None
    assert [dataset.classes[label] for label in dataset.test.y] == [str(names[k]) for k in (2, 1, 2, 2)]


def test_a_class_that_train_does_not_have_is_refused(tmp_path):
    np.savez(tmp_path / "train.npz", X=X, y=NAMES[Y])
    np.savez(tmp_path / "test.npz", X=X[:4], y=np.array(["ash", "elm", "fir", "elm"]))
    source = tmp_path / "test.npz"
    assert refused(DataError, tmp_path / "train.npz", val=source) == (
        f"--val {source}: has the class elm and 1 more, which train does not have; its classes are ash, birch, cedar: "
        "name them alike, or leave these rows out"
    )


def test_examples_of_another_shape_are_refused_with_both_shapes(tmp_path):
    np.savez(tmp_path / "train.npz", X=X, y=Y)
    np.savez(tmp_path / "test.npz", X=X[:, :3], y=Y)
    source = tmp_path / "test.npz"
    assert refused(DataError, tmp_path / "train.npz", test=source) == (
        f"--test {source}: its features are 3, those of train are 4; make them alike"
    )
    one = write_parquet(tmp_path / "a.parquet", [picture(each) for each in pictures(3)], [0, 1, 0])
    small = write_parquet(tmp_path / "b.parquet", [picture(each[:4]) for each in pictures(3)], [0, 1, 0])
    encoded = open_dataset(one, test=small)  # which are resized, where arrays are not
    assert encoded.test is not None
    assert encoded.test.X.shape == encoded.train.X.shape == (3, 6, 5, 3)
    np.savez(tmp_path / "arrays.npz", X=pictures(3)[:, :4], y=[0, 1, 0])
    said = refused(DataError, one, test=tmp_path / "arrays.npz")
    assert "its pictures are 4 x 5 x 3, those of train are 6 x 5 x 3; make" in said


def test_of_another_source_its_own_split_is_taken_or_all_of_it(tmp_path):
    np.savez(tmp_path / "train.npz", X=X, y=Y)
    np.savez(tmp_path / "both.npz", X_train=X[:20], y_train=Y[:20], X_test=X[20:], y_test=Y[20:])
    np.savez(tmp_path / "only.npz", X_test=X[:7], y_test=Y[:7])
    train, both, only = (tmp_path / f"{name}.npz" for name in ("train", "both", "only"))
    assert [len(part.y) for _, part in open_dataset(train, test=both, val=only).splits()] == [N, 10, 7]
    assert refused(UsageError, train, val=both) == (
        f"--val {both}: has train and test, and no val; give a source with val, or with one split"
    )


def test_another_source_takes_the_place_of_the_sources_own_split_which_is_said(tmp_path):
    np.savez(tmp_path / "both.npz", X_train=X[:20], y_train=Y[:20], X_test=X[20:], y_test=Y[20:])
    np.savez(tmp_path / "other.npz", X=X[:3], y=Y[:3])
    dataset = open_dataset(tmp_path / "both.npz", test=tmp_path / "other.npz")
    assert len(dataset.test or ()) == 3
    assert dataset.notes == (
        f"The test split is {tmp_path / 'other.npz'}; the source's own, of 10 examples, is not used.",
    )


def test_notes_of_another_source_are_said_of_it(tmp_path):
    np.savez(tmp_path / "train.npz", X=X, y=Y)
    np.savez(tmp_path / "test.npz", X=X[:3], y=[0, -1, 1])
    dataset = open_dataset(tmp_path / "train.npz", test=tmp_path / "test.npz")
    assert len(dataset.test or ()) == 2
    assert dataset.notes == (
        f"{tmp_path / 'test.npz'}: train: 1 of 3 rows has no label (-1 or missing) and is left out.",
    )


def test_a_file_of_labels_for_train_is_not_taken_for_those_of_test(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    np.save("train.npy", X)
    np.save("test.npy", X)
    np.save("kinds.npy", Y)
    assert "--label kinds.npy: is a file that belongs to the training examples; keep what belongs" in refused(
        UsageError, "train.npy", label="kinds.npy", test="test.npy"
    )


def test_the_names_digits_and_cifar10_can_be_splits_too(tmp_path):
    digits = open_dataset("digits")
    np.savez(tmp_path / "some.npz", X=digits.train.X[:40], y=digits.train.y[:40])
    dataset = open_dataset(tmp_path / "some.npz", test="digits")
    assert len(dataset.test or ()) == 1_797


# ---- a column that says the split


SAID = np.array(["train"] * 18 + ["Validation"] * 6 + ["TEST"] * 6)
ORDERS = {"in order": np.arange(N), "mixed": RNG.permutation(N)}


@pytest.mark.parametrize("order", ORDERS.values(), ids=ORDERS)
@pytest.mark.parametrize("form", ["csv", "npz"])
@pytest.mark.parametrize("asked", [True, False])
def test_a_column_says_which_rows_train_choose_and_test(tmp_path, form, order, asked):
    said, y = SAID[order], NAMES[Y]
    name = "usage" if asked else "split"
    if form == "csv":
        source = table(tmp_path / "some.csv", {"id": range(N), **numbers(), name: said, "species": y})
    else:
        arrays: dict[str, Any] = {"X": X, name: said, "species": y}
        np.savez(source := tmp_path / "some.npz", **arrays)
    dataset = open_dataset(source, split_column="usage") if asked else open_dataset(source)
    for part, value in ((dataset.train, "train"), (dataset.val, "Validation"), (dataset.test, "TEST")):
        assert part is not None
        rows = np.flatnonzero(said == value)
        np.testing.assert_allclose(np.asarray(part.X), X[rows], rtol=1e-6)
        assert part.y.tolist() == Y[rows].tolist()
    note = f"The column {name} says which rows are train, val and test."
    assert (note in dataset.notes) == (not asked)


def test_each_split_of_a_column_may_have_gaps_and_a_withheld_test(tmp_path):
    labels = Y.copy()
    labels[[0, 20]] = -1
    labels[24:] = -1
    np.savez(tmp_path / "some.npz", X=X, y=labels, split=SAID, patient=np.arange(N) // 2)
    dataset = open_dataset(tmp_path / "some.npz", groups="patient")
    assert [(name, len(part)) for name, part in dataset.splits()] == [("train", 17), ("val", 5)]
    assert dataset.notes == (
        "The column split says which rows are train, val and test.",
        "train: 1 of 18 rows has no label (-1 or missing) and is left out.",
        "val: 1 of 6 rows has no label (-1 or missing) and is left out.",
        "test: all 6 labels are -1 (withheld), so this split is not used.",
    )
    assert dataset.train.groups is not None
    assert dataset.train.groups.tolist() == (np.arange(1, 18) // 2).tolist()


@pytest.mark.parametrize(
    ("values", "finding"),
    [
        (np.arange(N) % 5, "0 (6), 1 (6), 2 (6), 3 (6), 4 (6), and train, val or test is expected in each"),
        (np.arange(N) % 7, "0 (5), 1 (5), 2 (4), 3 (4), 4 (4) and 2 more, and train"),
        (np.array(["train", "test", "extra"] * 10), "train (10), test (10), extra (10), and train, val or test"),
        (np.array(["test", "", "val"] * 10), "test (10), nothing (10), val (10), and"),
        (np.array(["val", "test"] * 15), "val (15), test (15), and train, val or test is expected in each, train in"),
    ],
)
def test_a_column_that_says_something_else_is_refused_with_what_is_in_it(tmp_path, values, finding):
    np.savez(tmp_path / "some.npz", X=X, y=Y, split=values)
    error = refused(UsageError, tmp_path / "some.npz", split_column="split")
    assert f"--split-column split: its rows have {finding}" in error
    assert error.endswith("; for cross-validation use --folds") == (values.dtype.kind == "i")
    # Without being asked for, it is what it always was: left aside.
    assert open_dataset(tmp_path / "some.npz", label="y").test is None


def test_what_says_the_splits_twice_is_refused(tmp_path):
    both = tmp_path / "both.npz"
    np.savez(both, X_train=X[:20], y_train=Y[:20], s_train=SAID[:20], X_test=X[20:], y_test=Y[20:], s_test=SAID[20:])
    assert refused(UsageError, both, split_column="s") == (
        f"--split-column s_train: {both} has train and test apart already; leave it out"
    )
    np.savez(tmp_path / "one.npz", X=X, y=Y, split=SAID)
    one = tmp_path / "one.npz"
    assert refused(UsageError, one, split_column="split", test=one) == (
        f"--test {one}: --split-column split says which rows are test; give one of the two"
    )
    assert refused(UsageError, "digits", split_column="split") == (
        "--split-column split: digits has no columns; leave it out"
    )


def test_a_column_of_labels_called_set_is_no_split(tmp_path):
    np.savez(tmp_path / "some.npz", X=X, set=NAMES[Y])
    assert open_dataset(tmp_path / "some.npz").classes == tuple(NAMES)


# ---- groups


@pytest.mark.parametrize("form", ["csv", "npz", "h5", "beside"])
@pytest.mark.parametrize("kind", ["integers", "texts"])
def test_groups_are_read_beside_the_examples_and_are_no_features(tmp_path, form, kind):
    patient = np.arange(N) // 4 + 100
    expected: list[Any] = patient.tolist()
    if kind == "texts":
        expected = [f"p{number}" for number in patient]
    if form == "csv":
        source = table(tmp_path / "some.csv", {"patient": expected, **numbers(), "label": NAMES[Y]})
    elif form == "npz":
        np.savez(source := tmp_path / "some.npz", X=X, y=Y, patient=np.array(expected))
    elif form == "beside":
        np.savez(source := tmp_path / "some.npz", X=X, y=Y)
        np.save(tmp_path / "patient.npy", np.array(expected))
    else:
        h5py = pytest.importorskip("h5py")
        with h5py.File(source := tmp_path / "some.h5", "w") as file:
            file["X"], file["y"] = X, Y
            file["patient"] = np.array(expected, h5py.string_dtype() if kind == "texts" else None)
    dataset = open_dataset(source, groups="patient.npy" if form == "beside" else "patient")
    assert dataset.train.X.shape == (N, D)
    assert dataset.train.groups is not None
    assert dataset.train.groups.tolist() == expected


def test_groups_of_rows_without_a_label_leave_with_them(tmp_path):
    labels = Y.copy()
    labels[5] = -1
    np.savez(tmp_path / "some.npz", X=X, y=labels, speaker=np.arange(N))
    groups = open_dataset(tmp_path / "some.npz", groups="Speaker").train.groups
    assert groups is not None
    assert groups.tolist() == [row for row in range(N) if row != 5]


def test_groups_of_other_sources_are_read_too_and_alike(tmp_path):
    np.savez(tmp_path / "train.npz", X=X, y=Y, p=np.arange(N) // 3)
    np.savez(tmp_path / "test.npz", X=X[:2], y=Y[:2], p=np.array(["3", "x"]))
    dataset = open_dataset(tmp_path / "train.npz", test=tmp_path / "test.npz", groups="p")
    assert dataset.test is not None
    assert dataset.train.groups is not None
    assert dataset.test.groups is not None
    assert dataset.train.groups[9:12].tolist() == ["3"] * 3 == [dataset.test.groups[0]] * 3


def test_a_column_that_is_named_but_not_there_is_not_taken_for_the_labels(tmp_path):
    np.savez(tmp_path / "train.npz", X=X[:20], y=Y[:20], p=np.arange(20) // 4)
    np.savez(tmp_path / "test.npz", X=X[20:], y=Y[20:])
    assert refused(UsageError, tmp_path / "train.npz", groups="q").endswith("give one of these, as --groups p")
    for option, name in (("groups", "p"), ("label", "p"), ("x", "X")):
        if option == "x":
            np.savez(tmp_path / "test.npz", Z=X[20:], y=Y[20:])
        said = refused(UsageError, tmp_path / "train.npz", test=tmp_path / "test.npz", **{option: name})
        assert said.startswith(f"--{option} {name}: is not in {tmp_path / 'test.npz'}, which has ")
        assert said.endswith("; call it as in train")


@pytest.mark.parametrize(
    ("groups", "error", "finding"),
    [
        (np.arange(N - 1), DataError, "--groups p has 29 rows, and there are 30 labels; give one group for each row"),
        (np.where(np.arange(N) == 7, np.nan, 1.0), DataError, "--groups p: row 7 has no group; fill it in, or leave"),
        (np.array(["a", ""] * 15), DataError, "--groups p: row 1 has no group"),
        (np.zeros((N, 2)), DataError, "p is float64 30 x 2, and one value a row is expected"),
    ],
    ids=str,
)
def test_groups_that_are_none_are_refused(tmp_path, groups, error, finding):
    np.savez(tmp_path / "some.npz", X=X, y=Y, p=groups)
    assert finding in refused(error, tmp_path / "some.npz", x="X", label="y", groups="p")


def test_groups_that_are_not_there_or_are_the_labels_are_refused(tmp_path):
    np.savez(tmp_path / "some.npz", X=X, y=Y)
    assert "--groups q: is not in" in refused(UsageError, tmp_path / "some.npz", groups="q")
    assert "--groups y: is what is to be learned, --label" in refused(
        UsageError, tmp_path / "some.npz", label="y", groups="y"
    )
    assert refused(UsageError, "digits", groups="q") == "--groups q: digits has no columns; leave it out"


@pytest.mark.parametrize("option", ["groups", "split_column"])
@pytest.mark.parametrize(
    ("columns", "asked", "label", "way"),
    [
        ({"y": Y}, "nope", None, "none of these can be it: leave it out"),
        ({"y": Y}, "yy", None, "none of these can be it: leave it out"),
        ({"species": np.array(["a", "b", "c"])[Y]}, "specie", None, "none of these can be it: leave it out"),
        ({"y": Y, "weight": np.arange(N) / 7}, "nope", None, "none of these can be it: leave it out"),
        ({"y": Y, "patient": Y}, "y2", None, "give one of these, as --{} patient"),
        ({"kind": Y, "patient": Y}, "kinds", "kind", "give one of these, as --{} patient"),
    ],
    ids=str,
)
def test_neither_labels_nor_features_are_proposed_for_what_is_not_there(tmp_path, option, columns, asked, label, way):
    np.savez(tmp_path / "some.npz", X=X, **columns)
    said = refused(UsageError, tmp_path / "some.npz", label=label, **{option: asked})
    assert said.endswith(way.format(option.replace("_", "-")))

"""Features and labels in NumPy's files, in the forms in which people keep them, against the arrays that were saved."""

from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from linprobe.data.formats import open_dataset
from linprobe.errors import DataError, LinprobeError, UsageError

N, D, K = 24, 5, 3
NAMES = np.array(["ash", "birch", "cedar"])
Y = np.arange(N) % K
X = np.random.default_rng(0).normal(size=(N, D)).astype(np.float32)
CUTS = {"train": slice(0, 14), "val": slice(14, 18), "test": slice(18, N)}


def same(examples, X, y):
    np.testing.assert_array_equal(np.asarray(examples.X), X)
    np.testing.assert_array_equal(examples.y, y)


def check(dataset, splits=("train",), classes=("0", "1", "2")):
    """The data set has exactly these splits of X and Y."""
    cuts = CUTS if len(splits) > 1 else {"train": slice(0, N)}
    assert {name for name, _ in dataset.splits()} == set(splits)
    for name, examples in dataset.splits():
        cut = (
            slice(CUTS["train"].start, CUTS["val"].stop)
            if splits == ("train", "test") and name == "train"
            else cuts[name]
        )
        same(examples, X[cut], Y[cut])
    assert dataset.classes == tuple(classes)


def refused(source, kind: type[LinprobeError] = UsageError, **choice):
    with pytest.raises(kind) as caught:
        open_dataset(source, **choice)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("x", ["X", "x", "features", "embeddings", "emb", "vectors", "data", "Features", "img_emb"])
@pytest.mark.parametrize("y", ["y", "Y", "labels", "label", "targets", "target"])
def test_the_usual_names_in_one_npz(tmp_path, x, y):
    np.savez(tmp_path / "some.npz", **{x: X, y: Y, "paths": np.array([f"{i}.png" for i in range(N)])})
    dataset = open_dataset(tmp_path / "some.npz")
    check(dataset)
    assert dataset.name == "some"


@pytest.mark.parametrize("form", ["X_{}", "{}_X", "X{}", "{}X"])
@pytest.mark.parametrize("val", ["val", "valid", "validation", "dev"])
def test_splits_in_one_npz(tmp_path, form, val):
    called = {"train": "train", "val": val, "test": "test"}
    arrays: dict[str, Any] = {form.format(called[name]): X[cut] for name, cut in CUTS.items()}
    arrays |= {form.replace("X", "y").format(called[name]): Y[cut] for name, cut in CUTS.items()}
    np.savez(tmp_path / "some.npz", **arrays)
    check(open_dataset(tmp_path / "some.npz"), ("train", "val", "test"))


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("dtype", ["f2", "<f4", ">f4", "f8", "i8", "u1", "?"])
def test_what_was_saved_is_read_whatever_the_type(tmp_path, save, order, dtype):
    values = np.asarray(X * 100 if np.dtype(dtype).kind in "iu" else X, dtype=dtype, order=order)
    save(tmp_path / "some.npz", X=values, y=Y)
    np.save(tmp_path / "features.npy", values)
    np.save(tmp_path / "labels.npy", Y)
    for source in ("some.npz", "features.npy"):
        same(open_dataset(tmp_path / source).train, values, Y)


def test_nothing_that_is_not_compressed_is_loaded(tmp_path):
    np.savez(tmp_path / "some.npz", X=X, y=Y)
    np.save(tmp_path / "features.npy", X)
    np.save(tmp_path / "labels.npy", Y)
    for source in ("some.npz", "features.npy"):
        base = open_dataset(tmp_path / source).train.X
        while isinstance(base.base, np.ndarray):
            base = base.base
        assert isinstance(base, np.memmap)


@pytest.mark.parametrize("order", [("X0", "X1", "y0", "y1"), ("X0", "y0", "X1", "y1")])
def test_arrays_without_names_are_paired(tmp_path, order):
    arrays = {"X0": X[:18], "y0": NAMES[Y[:18]], "X1": X[18:], "y1": NAMES[Y[18:]]}
    np.savez(tmp_path / "some.npz", *(arrays[name] for name in order))
    check(open_dataset(tmp_path / "some.npz"), ("train", "test"), NAMES)
    np.savez(tmp_path / "two.npz", X, Y)
    check(open_dataset(tmp_path / "two.npz"))


@pytest.mark.parametrize("key", ["labels", "target_names", "classes", "class_names"])
@pytest.mark.parametrize("kind", [str, "S", object])
def test_the_names_of_the_classes_are_recognised(tmp_path, key, kind):
    np.savez(tmp_path / "some.npz", **{"X": X, "y": Y, key: NAMES.astype(kind)})
    check(open_dataset(tmp_path / "some.npz"), classes=NAMES)


def test_names_of_classes_of_which_some_are_absent_and_texts_that_are_none(tmp_path):
    more = np.array([*NAMES, "durian"])
    np.savez(tmp_path / "some.npz", X=X, y=Y, target_names=more)
    check(open_dataset(tmp_path / "some.npz"), classes=more)
    np.savez(tmp_path / "some.npz", X=X, y=Y, names=more)  # of whatever
    check(open_dataset(tmp_path / "some.npz"))


def test_labels_that_are_booleans_have_their_own_names(tmp_path):
    np.savez(tmp_path / "some.npz", X=X, y=Y > 0, classes=NAMES[:2])
    dataset = open_dataset(tmp_path / "some.npz")
    same(dataset.train, X, Y > 0)
    assert dataset.classes == ("False", "True")


def test_names_stay_where_some_labels_are_nan_or_all_are_one_hot(tmp_path):
    np.savez(tmp_path / "some.npz", X=X, y=np.where(np.arange(N) < 2, np.nan, Y), names=NAMES)
    assert open_dataset(tmp_path / "some.npz").classes == tuple(NAMES)
    np.savez(tmp_path / "some.npz", X=X, y=np.eye(3)[Y], names=NAMES)
    check(open_dataset(tmp_path / "some.npz"), classes=NAMES)
    np.savez(tmp_path / "some.npz", X=X, y=np.eye(3)[Y], names=NAMES[:2])  # of something else
    check(open_dataset(tmp_path / "some.npz"))


def test_names_that_do_not_fit_the_labels_are_left_out_and_reported(tmp_path):
    np.savez(tmp_path / "some.npz", X=X, y=Y + 1, classes=NAMES)
    dataset = open_dataset(tmp_path / "some.npz")
    check(dataset, classes=("1", "2", "3"))
    assert dataset.notes == (
        "The classes have no names: classes has 3, and the labels, which count from 0, go up to 3.",
    )


def test_labels_of_a_split_without_features_are_reported(tmp_path):
    np.savez(tmp_path / "some.npz", X_train=X, y_train=Y, y_test=Y)
    dataset = open_dataset(tmp_path / "some.npz")
    check(dataset)
    assert dataset.notes == ("test: has no features, so this split is not used.",)


def test_a_table_of_objects_has_its_label_in_the_column_of_texts(tmp_path):
    np.save(tmp_path / "table.npy", np.column_stack([X.astype(object), NAMES[Y].astype(object)]))
    check(open_dataset(tmp_path / "table.npy"), classes=NAMES)


def test_records_are_arrays_by_name(tmp_path):
    rows = np.zeros(N, [("x", "f4", (D,)), ("label", "i4")])
    rows["x"], rows["label"] = X, Y
    np.save(tmp_path / "rows.npy", rows)
    check(open_dataset(tmp_path / "rows.npy"))


@pytest.mark.parametrize(
    ("x", "y"),
    [
        ("features.npy", "labels.npy"),
        ("X.npy", "y.npy"),
        ("Embeddings.npy", "Labels.npy"),
        ("clip_embeddings.npy", "clip_labels.npy"),
        ("X_train.npy", "y_train.npy"),
    ],
)
def test_labels_lie_beside_their_features(tmp_path, x, y):
    np.save(tmp_path / x, X)
    np.save(tmp_path / y, Y)
    np.save(tmp_path / "other_labels.npy", Y[::-1])
    check(open_dataset(tmp_path / x))


def test_a_folder_of_pairs(tmp_path):
    called = {"train": "train", "val": "dev", "test": "test"}
    for form in ("{}_features {}_labels", "X_{} y_{}", "{0}/features {0}/labels"):
        folder = tmp_path / form[:3]
        for name, cut in CUTS.items():
            for stem, values in zip(form.split(), (X, Y), strict=True):
                path = folder / f"{stem.format(called[name])}.npy"
                path.parent.mkdir(parents=True, exist_ok=True)
                np.save(path, values[cut])
        dataset = open_dataset(folder)
        check(dataset, ("train", "val", "test"))
        assert dataset.name == form[:3]


def test_a_folder_of_split_files(tmp_path):
    for name, cut in CUTS.items():
        np.savez(tmp_path / f"{name}.npz", features=X[cut], targets=NAMES[Y[cut]])
    check(open_dataset(tmp_path), ("train", "val", "test"), NAMES)
    only = open_dataset(tmp_path / "test.npz")  # named itself, it is what is learnt from
    same(only.train, X[CUTS["test"]], Y[CUTS["test"]])
    assert only.test is None


def test_parts_of_a_whole_follow_each_other_by_number(tmp_path):
    bounds = [0, 1, 3, 4, 5, 6, 7, 8, 9, 12, 20, N]
    for number, (start, stop) in enumerate(pairwise(bounds)):
        np.save(tmp_path / f"emb_{number}.npy", X[start:stop])
        np.save(tmp_path / f"labels_{number}.npy", NAMES[Y[start:stop]])
    dataset = open_dataset(tmp_path)
    check(dataset, classes=NAMES)
    assert type(dataset.train.X).__name__ == "StoredRows"
    (tmp_path / "emb_3.npy").unlink()
    assert "has 10 of the 11 files like emb_0.npy, number 3 is missing" in refused(tmp_path, DataError)


@pytest.mark.parametrize("shape", [(N, 1, D), (N, D, 1), (N, 1, 1, D)])
@pytest.mark.parametrize("labels", [Y, Y[:, None], np.eye(K)[Y]])
def test_further_axes_of_length_1_are_dropped(tmp_path, shape, labels):
    np.savez(tmp_path / "some.npz", X=X.reshape(shape), y=labels)
    check(open_dataset(tmp_path / "some.npz"))


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ((N, 8, 7), (8, 7, 1)),
        ((N, 8, 7, 1), (8, 7, 1)),
        ((N, 8, 7, 3), (8, 7, 3)),
        ((N, 3, 8, 7), (8, 7, 3)),
        ((N, 1, 8, 7), (8, 7, 1)),
    ],
)
def test_bytes_of_that_shape_are_pictures(tmp_path, shape, expected):
    pictures = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    np.savez(tmp_path / "some.npz", X=pictures, y=Y)
    found = np.asarray(open_dataset(tmp_path / "some.npz").train.X)
    assert found.shape == (N, *expected)
    channels_first = len(shape) == 4 and shape[1] in (1, 3)
    np.testing.assert_array_equal(
        found, (np.moveaxis(pictures, 1, 3) if channels_first else pictures).reshape(found.shape)
    )


def test_a_split_without_labels_is_reported_and_not_used(tmp_path):
    np.savez(tmp_path / "some.npz", X_train=X, y_train=Y, X_test=X[:5])
    dataset = open_dataset(tmp_path / "some.npz")
    assert dataset.test is None
    assert dataset.notes == ("test: has no labels, so this split is not used.",)
    np.savez(tmp_path / "some.npz", X_train=X, y_train=Y, X_test=X[:5], y_test=np.full(5, -1))
    dataset = open_dataset(tmp_path / "some.npz")
    assert dataset.test is None
    assert dataset.notes == ("test: all 5 labels are -1 (withheld), so this split is not used.",)


def test_rows_without_a_label_are_left_out(tmp_path):
    labels = Y.copy()
    labels[[0, 7]] = -1
    np.savez(tmp_path / "some.npz", X=X, y=labels)
    dataset = open_dataset(tmp_path / "some.npz")
    same(dataset.train, X[labels >= 0], Y[labels >= 0])
    assert dataset.notes == ("train: 2 of 24 rows have no label (-1 or missing) and are left out.",)


def test_what_is_chosen_is_read(tmp_path):
    arrays = {"clip_emb": X, "dino_emb": X[:, :2], "fine_label": Y, "coarse_label": Y // 2}
    np.savez(tmp_path / "some.npz", **arrays)
    message = refused(tmp_path / "some.npz")
    assert "several could be the features: clip_emb (float32 24 x 5), dino_emb (float32 24 x 2)" in message
    assert "choose one, as --x clip_emb" in message
    message = refused(tmp_path / "some.npz", x="clip_emb")
    assert "several could be the labels: fine_label (int64 24), coarse_label (int64 24)" in message
    assert "choose one, as --label fine_label" in message
    same(open_dataset(tmp_path / "some.npz", x="dino_emb", label="coarse_label").train, X[:, :2], Y // 2)
    same(open_dataset(tmp_path / "some.npz", x="CLIP_emb", label="Fine_Label").train, X, Y)
    message = refused(tmp_path / "some.npz", x="clip")
    assert "--x clip: is not in" in message
    assert all(name in message for name in arrays)


def test_what_is_likely_is_listed_and_suggested_first(tmp_path):
    names = [*(f"e{column}" for column in range(15)), "id", "count", "species"]
    kinds = {"id": "U4", "species": "U9", "count": "i8"}
    values = np.zeros(24, [(name, kinds.get(name, "f4")) for name in names])
    values["species"] = NAMES[Y]
    np.save(tmp_path / "some.npy", values)
    message = refused(tmp_path / "some.npy", label="nope")
    assert "which has species (text 24), count (int64 24), e0 (float32 24)" in message
    assert message.endswith("as --label species")
    assert refused(tmp_path / "some.npy", label="Speces").endswith("as --label species")
    assert refused(tmp_path / "some.npy", label="cuont").endswith("as --label count")
    np.savez(tmp_path / "two.npz", note=NAMES[Y], label=Y, clip=X, emb=X)
    message = refused(tmp_path / "two.npz", x="zzz")
    assert "which has emb (float32 24 x 5), clip (float32 24 x 5), label (int64 24), note (text 24)" in message
    assert message.endswith("as --x emb")


@pytest.mark.parametrize("where", ["beside", "here"])
def test_labels_may_be_in_any_file(tmp_path, monkeypatch, where):
    np.save(tmp_path / "things.npy", X)
    folder = tmp_path if where == "beside" else tmp_path / "elsewhere"
    folder.mkdir(exist_ok=True)
    monkeypatch.chdir(tmp_path.parent if where == "beside" else folder)
    np.save(folder / "kinds.npy", Y)
    np.savez(folder / "more.npz", a=Y, b=Y // 2)
    np.save(folder / "their_labels.npy", np.eye(K)[Y])
    check(open_dataset(tmp_path / "things.npy", label="kinds.npy"))
    check(open_dataset(tmp_path / "things.npy", label="their_labels.npy"))
    check(open_dataset(tmp_path / "things.npy", label="more.npz:a"))
    message = refused(tmp_path / "things.npy", label="more.npz")
    assert "has more.npz:a (int64 24), more.npz:b (int64 24); choose one" in message
    if where == "beside":
        assert refused(tmp_path / "things.npy").endswith("as --label their_labels.npy")
    assert "is not in" in refused(tmp_path / "things.npy", label="absent.npy")


@pytest.mark.parametrize(
    ("arrays", "kind", "finding"),
    [
        ({"X": X, "y": Y[:-1]}, DataError, "X has 24 rows, its labels y are 23; give one label for each row"),
        (
            {"X_train": X, "y_train": Y, "X_test": X, "y_test": Y[:3]},
            DataError,
            "X_test has 24 rows, its labels y_test",
        ),
        ({"X": X}, UsageError, "no labels found in X (float32 24 x 5)"),
        ({"X": X.reshape(4, 6, 5).repeat(6, 0), "y": Y}, DataError, "X is float32 24 x 6 x 5, and one row of features"),
        ({"X_test": X, "y_test": Y}, DataError, "has nothing to train on: X_test (float32 24 x 5), y_test (int64 24)"),
        ({"y": Y}, UsageError, "no features found in y (int64 24)"),
        ({"X": X, "y": X[:, 0]}, DataError, "a measurement rather than a class"),
    ],
)
def test_what_does_not_fit_is_said_with_the_way_out(tmp_path, arrays, kind, finding):
    np.savez(tmp_path / "some.npz", **arrays)
    message = refused(tmp_path / "some.npz", kind)
    assert message.startswith(str(tmp_path / "some.npz"))
    assert finding in message


def test_files_of_other_lengths_are_named_once_each(tmp_path):
    np.save(tmp_path / "some.npy", X)
    np.save(tmp_path / "some_labels.npy", Y[:3])
    message = refused(tmp_path / "some.npy", DataError)
    assert (
        message
        == f"{tmp_path / 'some.npy'}: has 24 rows, its labels some_labels.npy are 3; give one label for each row"
    )


def test_the_same_array_twice_is_not_chosen_between(tmp_path):
    for name in "ab":
        np.savez(tmp_path / f"{name}.npz", X=X, y=Y)
    assert "more than once" in refused(tmp_path)


def test_parts_that_differ_are_refused(tmp_path):
    np.save(tmp_path / "emb_0.npy", X)
    np.save(tmp_path / "emb_1.npy", X[:, :3])
    np.save(tmp_path / "labels.npy", np.tile(Y, 2))
    assert "parts of one array must be alike" in refused(tmp_path, DataError)


def test_a_name_with_its_own_labels_takes_no_choice():
    assert "--x data: digits has one kind of features" in refused("digits", x="data")
    assert "--label y: digits has one kind of features" in refused("digits", label="y")


def test_a_file_is_known_by_its_content_too(tmp_path):
    np.savez(tmp_path / "some.npz", X=X, y=Y)
    with (tmp_path / "vectors").open("wb") as file:
        np.save(file, X)
    check(open_dataset(tmp_path / "vectors", label="some.npz:y"))

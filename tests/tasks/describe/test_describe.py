"""What describe says of a source, against what was put into it."""

import numpy as np
import pytest

from linprobe.data.formats import open_dataset
from linprobe.errors import DataError, UsageError
from linprobe.tasks.describe import describe, description_steps
from linprobe.tasks.describe.estimate import estimate
from makers import picture, pictures, write_cifar10, write_parquet  # pyright: ignore[reportMissingImports]

Y = np.arange(60) % 3
X = np.random.default_rng(0).normal(size=(60, 5)).astype(np.float32)


def test_everything_that_is_in_it(tmp_path):
    train, test = X[:40].copy(), X[40:].copy()
    train[3] = train[0]  # the same label
    train[4] = train[0]  # another one
    test[:2] = train[7]
    test[5, 2:4] = np.nan
    test[6, 0] = np.inf
    path = tmp_path / "some.npz"
    np.savez(path, X_train=train, y_train=Y[:40], X_test=test, y_test=Y[40:], notes=np.array(["a"] * 7))
    found = describe(path)
    assert (found.format, found.undecided, found.name) == (".npz", "", "some")
    assert (found.shape, found.features, found.dtype, found.classes) == ((5,), 5, "float32", ("0", "1", "2"))
    parts = {part.name: part for part in found.splits}
    assert parts["train"].counts == tuple(np.bincount(Y[:40]))
    assert (parts["train"].n, parts["train"].repeated, parts["train"].not_finite) == (40, 2, 0)
    assert (parts["test"].n, parts["test"].repeated, parts["test"].not_finite) == (20, 1, 2)
    assert [(each.first, each.second, each.n) for each in found.shared] == [("train", "test", 2)]
    assert found.contradicting == 3 + 3
    assert found.bytes == 60 * 5 * 4
    assert found.fingerprint == open_dataset(path).fingerprint
    assert found.command == f"linprobe tune {path}"
    assert {each.name: (each.dtype, each.shape) for each in found.arrays}["X_test"] == ("float32", (20, 5))
    said = str(description_steps(found))
    for words in ("2 in train", "2 of test also in train", "6 rows with another label", "2 rows of test", "20"):
        assert words in said


def test_where_the_labels_are_not_clear_it_says_what_there_is(tmp_path):
    path = tmp_path / "two.npz"
    np.savez(path, emb=X, fine_label=Y, coarse_label=Y // 2)
    found = describe(path)
    assert "choose one, as --label fine_label" in found.undecided
    assert (found.classes, found.splits, found.seconds, found.command) == ((), (), None, None)
    assert [(each.name, each.shape) for each in found.arrays] == [
        ("emb", (60, 5)), ("fine_label", (60,)), ("coarse_label", (60,)),
    ]  # fmt: skip
    said = str(description_steps(found))
    assert "--label fine_label" in said
    assert "60 x 5" in said
    chosen = describe(path, label="coarse_label")
    assert chosen.classes == ("0", "1")
    assert chosen.command == f"linprobe tune {path} --label coarse_label"


def test_options_that_do_not_fit_a_source_that_is_clear_are_refused(tmp_path):
    path = tmp_path / "some.npz"
    np.savez(path, X=X, y=Y, place=Y)
    assert describe(path).classes == ("0", "1", "2")
    for wrong, words in (
        ({"val": str(tmp_path / "absent.npz")}, "does not exist"),
        ({"x": "absent"}, "--x absent: is not in"),
        ({"split_column": "place"}, "train, val or test is expected"),
    ):
        with pytest.raises(UsageError, match=words):
            describe(path, **wrong)


def test_a_folder_with_several_data_sets_is_described_by_what_names_one(tmp_path):
    write_cifar10(tmp_path)
    np.save(tmp_path / "features.npy", X)
    for k in "ab":
        (tmp_path / "photos" / k).mkdir(parents=True)
        (tmp_path / "photos" / k / "1.png").write_bytes(picture(pictures(1)[0]))
    found = describe(tmp_path)
    assert "holds more than one data set" in found.undecided
    assert found.format == "CIFAR and folders of pictures"


def test_pictures_in_parquet_with_two_columns_of_labels(tmp_path):
    pytest.importorskip("pyarrow")
    path = write_parquet(tmp_path / "p.parquet", list(map(picture, pictures(6))), [0, 1, 0, 1, 0, 1])
    found = describe(path)
    assert (found.format, found.shape, found.dtype) == ("pictures in parquet", (6, 5, 3), "uint8")
    assert [(each.name, each.dtype) for each in found.arrays] == [("img", "pictures"), ("label", "int64")]


def test_names_and_what_is_no_source(tmp_path):
    found = describe("digits")
    assert (found.format, found.arrays, found.splits[0].n) == ("digits", (), 1797)
    with pytest.raises(UsageError, match="does not exist"):
        describe(tmp_path / "absent.npz")
    (tmp_path / "notes.doc").write_text("x")
    with pytest.raises(UsageError, match="can't read this kind of file"):
        describe(tmp_path / "notes.doc")
    (tmp_path / "broken.npz").write_bytes(b"PK")
    with pytest.raises(DataError):
        describe(tmp_path / "broken.npz")


@pytest.mark.slow
def test_the_estimate_grows_with_the_work(tmp_path):
    rng = np.random.default_rng(0)
    seconds = []
    for n, D in ((2_000, 64), (200_000, 256)):
        np.savez(tmp_path / "some.npz", X=rng.normal(size=(n, D)).astype(np.float32), y=np.arange(n) % 10)
        cost = estimate(open_dataset(tmp_path / "some.npz"), 0.0)
        seconds.append(cost.seconds)
        assert cost.memory >= 4 * n * D * 0.9
    assert seconds[1] > seconds[0] + 3

"""Features and labels in HDF5 files that h5py wrote, in the forms in which people keep them."""

import sys

import numpy as np
import pytest

from linprobe.data.formats import hdf5 as module
from linprobe.data.formats import open_dataset
from linprobe.data.rows import Rows
from linprobe.errors import DataError, MissingDependencyError, UsageError

h5py = pytest.importorskip("h5py")

N, D, K = 24, 5, 3
NAMES = np.array(["ash", "birch", "cedar"])
Y = np.arange(N) % K
X = np.random.default_rng(0).normal(size=(N, D)).astype(np.float32)
IMAGES = np.random.default_rng(1).integers(0, 256, (N, 6, 4), np.uint8)
CUTS = {"train": slice(0, 14), "val": slice(14, 18), "test": slice(18, N)}


def same(examples, X, y):
    np.testing.assert_array_equal(np.asarray(examples.X), X)
    np.testing.assert_array_equal(examples.y, y)


def save(path, options=None, **arrays):
    with h5py.File(path, "w") as file:
        for name, values in arrays.items():
            file.create_dataset(name, data=values, **(options or {}))


@pytest.mark.parametrize("end", ["h5", "hdf5"])
@pytest.mark.parametrize(
    ("labels", "classes"),
    [
        (Y, ("0", "1", "2")),
        (Y[:, None].astype(np.uint8), ("0", "1", "2")),
        (np.eye(K, dtype=np.uint8)[Y], ("0", "1", "2")),
        (NAMES[Y].astype("S"), tuple(NAMES)),
        (NAMES[Y].tolist(), tuple(NAMES)),
        ([name.encode() for name in NAMES[Y]], tuple(NAMES)),
    ],
)
def test_the_forms_of_labels(tmp_path, end, labels, classes):
    save(tmp_path / f"some.{end}", embeddings=X, labels=labels)
    dataset = open_dataset(tmp_path / f"some.{end}")
    same(dataset.train, X, Y)
    assert dataset.classes == classes


@pytest.mark.parametrize("userblock", [0, 1024])
@pytest.mark.parametrize("libver", ["earliest", "latest"])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"chunks": (7,)},
        {"chunks": (7,), "compression": "gzip", "shuffle": True},
        {"chunks": (N,), "compression": "gzip", "shuffle": True},
        {"compression": "lzf"},
        {"maxshape": (None,), "chunks": (4,)},
    ],
)
def test_texts_whatever_the_layout(tmp_path, options, libver, userblock):
    with h5py.File(tmp_path / "some.h5", "w", libver=libver, userblock_size=userblock) as file:
        file["X"] = X
        labels = file.create_dataset("y", (N,), h5py.string_dtype(), **options)
        labels[:20] = NAMES[Y][:20].tolist()
    dataset = open_dataset(tmp_path / "some.h5")
    same(dataset.train, X[:20], Y[:20])
    assert dataset.classes == tuple(NAMES)
    assert dataset.notes == ("train: 4 of 24 rows have no label (-1 or missing) and are left out.",)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"chunks": True},
        {"compression": "gzip"},
        {"compression": "lzf", "shuffle": True},
        {"chunks": (7, 2), "compression": "gzip", "shuffle": True, "fletcher32": True},
        {"maxshape": (None, D), "chunks": (10, D)},
    ],
)
@pytest.mark.parametrize("dtype", ["f2", "<f4", ">f4", "f8", "i8", ">i2", "u1", "?"])
def test_what_was_saved_is_read_whatever_the_layout(tmp_path, dtype, options, monkeypatch):
    values = np.asarray(X * 100 if np.dtype(dtype).kind in "iu" else X, dtype=dtype)
    with h5py.File(tmp_path / "some.h5", "w") as file:
        file.create_dataset("features", data=values, **options)
        file["label"] = Y
    same(open_dataset(tmp_path / "some.h5").train, values, Y)
    monkeypatch.setattr(module, "KEPT", 10)
    examples = open_dataset(tmp_path / "some.h5").train
    same(examples, values, Y)
    assert isinstance(examples.X, Rows) == bool(options)
    rows = np.array([23, 3, 3, 0, 11])
    np.testing.assert_array_equal(examples.X[rows], values[rows])
    np.testing.assert_array_equal(examples.X[2:20:5], values[2:20:5])


def test_what_lies_in_one_piece_is_mapped(tmp_path):
    save(tmp_path / "some.h5", features=X, labels=Y)
    base = open_dataset(tmp_path / "some.h5").train.X
    while isinstance(base.base, np.ndarray):
        base = base.base
    assert isinstance(base, np.memmap)


@pytest.mark.parametrize("kept", [2**30, 10])
@pytest.mark.parametrize("options", [{}, {"chunks": (5, 6, 4, 1), "compression": "gzip"}])
def test_pictures(tmp_path, options, kept, monkeypatch):
    monkeypatch.setattr(module, "KEPT", kept)
    with h5py.File(tmp_path / "some.h5", "w") as file:
        file.create_dataset("sen2", data=IMAGES[..., None], **options)
        file["label"] = np.eye(K, dtype=np.uint8)[Y]
    same(open_dataset(tmp_path / "some.h5").train, IMAGES[..., None], Y)


@pytest.mark.parametrize("form", ["{}/{}", "{1}/{0}", "{}_{}", "data/{}/{}"])
def test_splits_in_one_file(tmp_path, form):
    arrays = {form.format(split, name): v[cut] for split, cut in CUTS.items() for name, v in (("X", X), ("y", Y))}
    save(tmp_path / "some.h5", **arrays)
    dataset = open_dataset(tmp_path / "some.h5")
    assert {name for name, _ in dataset.splits()} == set(CUTS)
    for name, examples in dataset.splits():
        same(examples, X[CUTS[name]], Y[CUTS[name]])


def test_splits_in_files(tmp_path):
    for split, cut in CUTS.items():
        save(tmp_path / f"{split}.h5", features=X[cut], targets=Y[cut])
    for name, examples in open_dataset(tmp_path).splits():
        same(examples, X[CUTS[name]], Y[CUTS[name]])


def test_records_enumerations_and_names(tmp_path):
    rows = np.zeros(N, [("x", "f4", (D,)), ("label", "i4")])
    rows["x"], rows["label"] = X, Y
    save(tmp_path / "rows.h5", table=rows)
    same(open_dataset(tmp_path / "rows.h5").train, X, Y)
    kind = h5py.enum_dtype({"birch": 1, "ash": 0, "cedar": 2}, np.int8)
    with h5py.File(tmp_path / "enum.h5", "w") as file:
        file["X"] = X
        file.create_dataset("y", data=Y.astype(np.int8), dtype=kind)
    save(tmp_path / "names.h5", X=X, y=Y, class_names=NAMES.tolist(), ids=[f"{i}.png" for i in range(N)])
    for name in ("enum.h5", "names.h5"):
        dataset = open_dataset(tmp_path / name)
        same(dataset.train, X, Y)
        assert dataset.classes == tuple(NAMES)


def test_links_within_the_file_and_other_values_do_no_harm(tmp_path):
    with h5py.File(tmp_path / "some.h5", "w") as file:
        file["features"], file["labels"], file["epoch"] = X, Y, 3
        file["empty"] = h5py.Empty("f4")
        file["again"] = file["features"]
        file["soft"] = h5py.SoftLink("/features")
        file["group/up"] = file["/"]
        file["type"] = np.dtype("f8")
    same(open_dataset(tmp_path / "some.h5").train, X, Y)


def test_a_file_is_known_by_its_content(tmp_path):
    save(tmp_path / "some.mat73", X=X, y=Y)
    same(open_dataset(tmp_path / "some.mat73").train, X, Y)


def test_without_h5py_the_command_that_installs_it(tmp_path, monkeypatch):
    save(tmp_path / "some.h5", X=X, y=Y)
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(MissingDependencyError, match=r"pip install './linprobe\[hdf5\]'"):
        open_dataset(tmp_path / "some.h5")


def test_what_is_not_clear_lists_what_is_there(tmp_path):
    save(tmp_path / "some.h5", **{"layers/3": X, "layers/4": X * 2, "labels": Y})
    with pytest.raises(UsageError, match=r"several could be the features: .*layers/3 \(float32 24 x 5\).*--x layers/"):
        open_dataset(tmp_path / "some.h5")
    same(open_dataset(tmp_path / "some.h5", x="layers/4").train, X * 2, Y)


def test_more_axes_are_refused_unread(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "KEPT", 10)
    save(tmp_path / "some.h5", {"chunks": True}, X=np.zeros((N, 4, 6)), y=Y)
    with pytest.raises(DataError, match="X is float64 24 x 4 x 6, and one row of features an example is expected"):
        open_dataset(tmp_path / "some.h5")

"""idx files against the arrays that were written, and files that lie: refused in one line."""

import gzip
import os
import struct
import tracemalloc

import numpy as np
import pytest

from linprobe.data.formats import idx as module
from linprobe.data.formats import open_dataset
from linprobe.errors import DataError, LinprobeError, UnsafeFileError, UsageError

N = 30
X = np.random.default_rng(0).integers(0, 256, (N, 5, 4), dtype=np.uint8)
Y = (np.arange(N) % 3).astype(np.uint8)
CODES = {"u1": 8, "i1": 9, "i2": 11, "i4": 12, "f4": 13, "f8": 14}


def raw(values):
    kind = values.dtype.str[1:]
    return (
        bytes([0, 0, CODES[kind], values.ndim])
        + struct.pack(f">{values.ndim}I", *values.shape)
        + values.astype(f">{kind}").tobytes()
    )


def put(path, values, packed=False):
    path.parent.mkdir(parents=True, exist_ok=True)
    content = raw(values) if isinstance(values, np.ndarray) else values
    path.write_bytes(gzip.compress(content) if packed else content)
    return path


def write(folder, packed=False, dash="-", ending=""):
    gz = ".gz" if packed else ""
    for split, cut in (("train", slice(0, 20)), ("t10k", slice(20, N))):
        put(folder / f"{split}-images{dash}idx3-ubyte{ending}{gz}", X[cut], packed)
        put(folder / f"{split}-labels{dash}idx1-ubyte{ending}{gz}", Y[cut], packed)
    return folder


def refused(path, kind: type[LinprobeError] = DataError):
    tracemalloc.start()
    with pytest.raises(kind) as caught:
        open_dataset(path)
    assert tracemalloc.get_traced_memory()[1] < 2**24
    tracemalloc.stop()
    assert "\n" not in str(caught.value)
    return str(caught.value)


def check(dataset):
    np.testing.assert_array_equal(dataset.train.X, X[:20, :, :, None])
    np.testing.assert_array_equal(dataset.test.X, X[20:, :, :, None])
    np.testing.assert_array_equal(dataset.train.y, Y[:20])
    np.testing.assert_array_equal(dataset.test.y, Y[20:])
    assert dataset.classes == ("0", "1", "2")


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("dash", ["-", "."])
def test_a_folder_of_them(tmp_path, packed, dash):
    dataset = open_dataset(write(tmp_path / "mnist", packed, dash))
    check(dataset)
    assert dataset.name == "mnist"


def test_the_folder_raw_as_torchvision_leaves_it(tmp_path):
    write(tmp_path / "MNIST" / "raw")
    write(tmp_path / "MNIST" / "raw", packed=True)
    for path in (tmp_path / "MNIST", tmp_path / "MNIST" / "raw"):
        dataset = open_dataset(path)
        check(dataset)
        assert dataset.name == "MNIST"


@pytest.mark.parametrize("packed", [False, True])
def test_one_pair_is_all_train(tmp_path, packed):
    write(tmp_path, packed)
    dataset = open_dataset(tmp_path / f"t10k-images-idx3-ubyte{'.gz' if packed else ''}")
    np.testing.assert_array_equal(dataset.train.X, X[20:, :, :, None])
    assert dataset.test is None
    assert dataset.name == "t10k-images-idx3-ubyte"


@pytest.mark.parametrize("kind", ["u1", "i1", "i2", "i4", "f4", "f8"])
@pytest.mark.parametrize("packed", [False, True])
def test_features_of_every_type(tmp_path, kind, packed):
    values = np.random.default_rng(0).integers(-99, 99, (N, 4)).astype(kind)
    put(tmp_path / "some-images-idx2-float", values, packed)
    put(tmp_path / "some-labels-idx1-int", Y.astype("i4"), packed)
    dataset = open_dataset(tmp_path)
    np.testing.assert_array_equal(dataset.train.X, values)
    assert dataset.train.X.dtype == values.dtype
    assert dataset.train.X.dtype.isnative


def test_what_is_not_packed_is_mapped(tmp_path):
    X = open_dataset(write(tmp_path)).train.X
    while isinstance(X, np.ndarray) and not isinstance(X, np.memmap):
        X = X.base
    assert isinstance(X, np.memmap)


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize(
    ("shape", "kind"),
    [
        ((21, 5, 4), DataError),
        ((19, 5, 4), DataError),
        ((0, 5, 4), DataError),
        ((2**32 - 1,) * 3, DataError),
        ((2**31, 2**20, 2**20), DataError),
        ((20, 5), DataError),
        ((20, 5, 2, 2, 1), DataError),
    ],
)
def test_headers_that_lie(tmp_path, packed, shape, kind):
    write(tmp_path)
    put(tmp_path / "train-labels-idx1-ubyte", np.resize(Y, min(shape[0], 99)))  # as many as announced
    header = bytes([0, 0, 8, len(shape)]) + struct.pack(f">{len(shape)}I", *shape)
    put(tmp_path / "train-images-idx3-ubyte", header + X[:20].tobytes(), packed)
    said = refused(tmp_path, kind)
    assert "train-images-idx3-ubyte: " in said
    assert "labels" not in said


def test_a_packed_file_that_announces_far_more_than_it_has_bytes(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "HARMLESS", 2**20)
    write(tmp_path)
    put(tmp_path / "train-images-idx3-ubyte", raw(np.zeros((20, 1000, 1000), np.uint8)), True)
    with (tmp_path / "train-images-idx3-ubyte").open("r+b") as file:
        file.truncate(100)
    assert "as no honest images do" in refused(tmp_path, UnsafeFileError)


@pytest.mark.parametrize("cut", [1, 3, 4, 10, 15, 16, 50])
def test_cut_files(tmp_path, cut):
    for packed in (False, True):
        write(tmp_path, packed)
        (path,) = tmp_path.glob(f"train-images-idx3-ubyte{'.gz' if packed else ''}")
        path.write_bytes(path.read_bytes()[:cut])
        refused(path)


def test_damaged_files(tmp_path):
    write(tmp_path, packed=True)
    path = tmp_path / "train-images-idx3-ubyte.gz"
    whole, rng = path.read_bytes(), np.random.default_rng(0)
    for _ in range(200):
        content = bytearray(whole)
        content[rng.integers(len(content))] = rng.integers(256)
        path.write_bytes(content)
        try:
            open_dataset(tmp_path)
        except DataError as error:
            assert "\n" not in str(error)  # noqa: PT017


def test_what_does_not_belong_together(tmp_path):
    write(tmp_path)
    put(tmp_path / "train-labels-idx1-ubyte", Y[:19])
    assert "has 20 images, and train-labels-idx1-ubyte has 19 labels" in refused(tmp_path)
    put(tmp_path / "train-labels-idx1-ubyte", X[:20])
    assert "one label for each image is expected" in refused(tmp_path)
    put(tmp_path / "train-labels-idx1-ubyte", Y[:20])
    put(tmp_path / "train-images-idx3-ubyte", Y[:20])
    assert "where images are expected" in refused(tmp_path)
    (tmp_path / "train-images-idx3-ubyte").unlink()
    assert "has no file train-images-idx3-ubyte beside it" in refused(tmp_path)
    (tmp_path / "train-labels-idx1-ubyte").unlink()
    assert "but no train-images-idx3-ubyte" in refused(tmp_path)


def test_two_sets_in_one_folder(tmp_path):
    write(tmp_path)
    put(tmp_path / "letters-train-images-idx3-ubyte", X)
    put(tmp_path / "letters-train-labels-idx1-ubyte", Y)
    assert "are both train" in refused(tmp_path)
    assert len(open_dataset(tmp_path / "letters-train-images-idx3-ubyte").train) == N


def test_a_pipe_does_not_hang(tmp_path):
    write(tmp_path)
    (tmp_path / "train-images-idx3-ubyte").unlink()
    os.mkfifo(tmp_path / "train-images-idx3-ubyte")
    assert "is not a file" in refused(tmp_path)


def test_nothing_is_to_be_chosen(tmp_path):
    with pytest.raises(UsageError, match="leave it out"):
        open_dataset(write(tmp_path), x="images")

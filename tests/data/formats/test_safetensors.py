"""Features and labels in safetensors files that the library wrote, against the arrays that were saved."""

import json
import struct

import numpy as np
import pytest
from safetensors.numpy import save_file

from linprobe.data.formats import open_dataset
from linprobe.data.rows import StoredRows
from linprobe.errors import DataError, UsageError

N, D, K = 24, 5, 3
Y = np.arange(N) % K
X = np.random.default_rng(0).normal(size=(N, D)).astype(np.float32)
CUTS = {"train": slice(0, 14), "val": slice(14, 18), "test": slice(18, N)}


def same(examples, X, y):
    np.testing.assert_array_equal(np.asarray(examples.X), X)
    np.testing.assert_array_equal(examples.y, y)


def save_raw(path, **tensors):
    """Tensors (type, array) of types that NumPy lacks, as the format has them."""
    header, data = {}, b""
    for name, (kind, array) in tensors.items():
        header[name] = {"dtype": kind, "shape": array.shape, "data_offsets": (len(data), len(data) + array.nbytes)}
        data += array.tobytes()
    raw = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(raw)) + raw + data)


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8", "i8", "i4", "i2", "i1", "u1", "u2", "u4", "?"])
def test_what_was_saved_is_read_where_it_lies(tmp_path, dtype):
    values = np.asarray(X * 100 if np.dtype(dtype).kind in "iu" else X, dtype=dtype)
    save_file({"embeddings": values, "labels": Y}, tmp_path / "some.safetensors", {"model": "x"})
    examples = open_dataset(tmp_path / "some.safetensors").train
    same(examples, values, Y)
    base = examples.X
    while isinstance(base.base, np.ndarray):
        base = base.base
    assert isinstance(base, np.memmap)


@pytest.mark.parametrize("shape", [(N, D), (N, 1, D), (N, D, 1, 1)])
def test_bfloat16_is_read_as_float32_row_by_row(tmp_path, shape):
    bits = (X.view(np.uint32) >> 16).astype(np.uint16)
    save_raw(tmp_path / "some.safetensors", y=("I64", Y), X=("BF16", bits.reshape(shape)))
    examples = open_dataset(tmp_path / "some.safetensors").train
    expected = (X.view(np.uint32) & 0xFFFF0000).view(np.float32)
    assert isinstance(examples.X, StoredRows)
    assert examples.X.dtype == np.float32
    same(examples, expected, Y)
    np.testing.assert_array_equal(examples.X[np.array([3, 1, 20])], expected[[3, 1, 20]])
    np.testing.assert_array_equal(examples.X[20:3:-4], expected[20:3:-4])
    assert np.abs(np.asarray(examples.X) - X).max() < 0.03


def test_bfloat16_as_torch_writes_it(tmp_path):
    torch = pytest.importorskip("torch")
    from safetensors.torch import save_file

    tensor = torch.from_numpy(X).bfloat16()
    save_file({"features": tensor, "labels": torch.from_numpy(Y)}, tmp_path / "some.safetensors")
    same(open_dataset(tmp_path / "some.safetensors").train, tensor.float().numpy(), Y)


def test_bfloat16_labels(tmp_path):
    bits = (Y.astype(np.float32).view(np.uint32) >> 16).astype(np.uint16)
    save_raw(tmp_path / "some.safetensors", X=("BF16", bits), features=("F32", X))
    same(open_dataset(tmp_path / "some.safetensors", x="features", label="X").train, X, Y)


def test_bfloat16_with_more_axes_is_refused_unread(tmp_path):
    save_raw(tmp_path / "some.safetensors", X=("BF16", np.zeros((N, 4, 6), np.uint16)), y=("I64", Y))
    with pytest.raises(DataError, match="X is float32 24 x 4 x 6, and one row of features an example is expected"):
        open_dataset(tmp_path / "some.safetensors")


def test_splits_by_name_and_by_file(tmp_path):
    arrays = {f"{name}.{array}": values[cut] for name, cut in CUTS.items() for array, values in (("X", X), ("y", Y))}
    save_file(arrays, tmp_path / "some.safetensors")
    (tmp_path / "folder").mkdir()
    for name, cut in CUTS.items():
        save_file({"features": X[cut], "label": Y[cut]}, tmp_path / "folder" / f"{name}.safetensors")
    for source in (tmp_path / "some.safetensors", tmp_path / "folder"):
        dataset = open_dataset(source)
        assert {name for name, _ in dataset.splits()} == set(CUTS)
        for name, examples in dataset.splits():
            same(examples, X[CUTS[name]], Y[CUTS[name]])


def indexed(folder, **where):
    """Features, labels and an array that nobody needs in two files, with an index as hubs have it."""
    save_file({"features": X, "unused": X}, folder / "model-00001-of-00002.safetensors")
    save_file({"labels": Y}, folder / "model-00002-of-00002.safetensors")
    weights = {"features": "model-00001-of-00002.safetensors", "labels": "model-00002-of-00002.safetensors"}
    content = {"metadata": {"total_size": X.nbytes + Y.nbytes}, "weight_map": weights | where}
    (folder / "model.safetensors.index.json").write_text(json.dumps(content))


@pytest.mark.parametrize("named", ["", "model.safetensors.index.json"])
def test_shards_with_an_index(tmp_path, named):
    indexed(tmp_path)
    same(open_dataset(tmp_path / named).train, X, Y)


def test_the_index_says_what_is_missing(tmp_path):
    indexed(tmp_path, classes="model-00002-of-00002.safetensors")
    with pytest.raises(DataError, match=r"says that classes is in model-00002-of-00002.safetensors, and it is not"):
        open_dataset(tmp_path)
    indexed(tmp_path, labels="model-00003-of-00003.safetensors")
    with pytest.raises(DataError, match=r"model-00003-of-00003.safetensors: is not a file"):
        open_dataset(tmp_path)


def test_numbered_shards_without_an_index_follow_each_other(tmp_path):
    for number, cut in enumerate((slice(0, 10), slice(10, N))):
        save_file({"X": X[cut], "y": Y[cut]}, tmp_path / f"data-{number:05}-of-00002.safetensors")
    same(open_dataset(tmp_path).train, X, Y)


def test_what_is_not_clear_lists_what_is_there(tmp_path):
    save_file({"clip": X, "dino": X * 2, "labels": Y}, tmp_path / "some.safetensors")
    with pytest.raises(UsageError, match=r"several could be the features: clip \(float32 24 x 5\), dino .*--x clip"):
        open_dataset(tmp_path / "some.safetensors")
    same(open_dataset(tmp_path / "some.safetensors", x="dino").train, X * 2, Y)


def test_a_type_that_numpy_lacks_is_refused_where_it_is_needed(tmp_path):
    tensors = {"X": ("F8_E4M3", np.zeros((N, D), np.uint8)), "y": ("I64", Y), "features": ("F32", X)}
    save_raw(tmp_path / "some.safetensors", **tensors)
    same(open_dataset(tmp_path / "some.safetensors").train, X, Y)
    with pytest.raises(DataError, match=r"X is F8_E4M3, a type that NumPy lacks; save it as float32"):
        open_dataset(tmp_path / "some.safetensors", x="X")

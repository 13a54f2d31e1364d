"""What is unpacked lies in memory, or in a file without a name, and has the same values in either place."""

import sys
import tarfile
from io import BytesIO

import numpy as np
import pytest

from linprobe import open_dataset
from linprobe.data.dataset import Dataset
from linprobe.data.formats import unpacked as module
from linprobe.data.formats.unpacked import unpacked
from linprobe.errors import DataError

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there it is always in memory")


@pytest.fixture(params=["memory", "file"])
def place(request, monkeypatch):
    """Where it lies."""
    monkeypatch.setattr(module, "IN_MEMORY", 0 if request.param == "file" else 2**30)
    return request.param


def mapped(X) -> bool:
    while X is not None:
        if isinstance(X, np.memmap):
            return True
        X = getattr(X, "base", None)
    return False


@pytest.mark.parametrize("dtype", ["float16", "uint8", "int8", "bool", "float64"])
def test_parts_are_one_array(place, dtype, tmp_path, monkeypatch):
    monkeypatch.setenv("LINPROBE_DATA", str(tmp_path))
    whole = np.random.default_rng(0).integers(0, 2, (50, 4, 3)).astype(dtype)
    found = unpacked(whole.shape, whole.dtype, lambda: np.array_split(whole, 7))
    assert mapped(found) == (place == "file")
    assert found.dtype == whole.dtype
    np.testing.assert_array_equal(found, whole)
    assert not list(tmp_path.iterdir())


def test_without_room_it_is_in_memory(monkeypatch):
    monkeypatch.setattr(module, "IN_MEMORY", 0)
    whole, asked = np.arange(12.0).reshape(4, 3), list[int]()

    def parts():
        asked.append(1)
        return [whole[:1], whole[1:]]

    class Full:
        def __enter__(self):
            return self

        def __exit__(self, *_):
            pass

        def write(self, part):
            if len(part) > 24:
                raise OSError(28, "No space left on device")

    monkeypatch.setattr(module.tempfile, "TemporaryFile", lambda **_: Full())
    found = unpacked((4, 3), whole.dtype, parts)
    np.testing.assert_array_equal(found, whole)
    assert len(asked) == 2  # from the first one on
    monkeypatch.setenv("LINPROBE_DATA", "/proc/nothing")
    np.testing.assert_array_equal(unpacked((4, 3), whole.dtype, parts), whole)


def save(path, X, y) -> None:
    """In the format of its name."""
    if path.suffix == ".npz":
        np.savez_compressed(path, X=X, y=y)
    elif path.suffix == ".tar":
        with tarfile.open(path, "w") as tar:
            for row, (values, label) in enumerate(zip(X, y, strict=True)):
                buffer = BytesIO()
                np.save(buffer, values)
                for ending, raw in (("npy", buffer.getvalue()), ("cls", str(label).encode())):
                    member = tarfile.TarInfo(f"{row:06}.{ending}")
                    member.size = len(raw)
                    tar.addfile(member, BytesIO(raw))
    else:
        pa, pq = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
        lists = pa.FixedSizeListArray.from_arrays(pa.array(X.reshape(-1)), X.shape[1])
        pq.write_table(pa.table({"X": lists, "label": y}), path, row_group_size=13)


@pytest.mark.parametrize("suffix", ["parquet", "npz", "tar"])
@pytest.mark.parametrize("dtype", ["float16", "uint8", "int8", "float32"])
def test_a_source_keeps_its_type_wherever_it_lies(place, suffix, dtype, tmp_path):
    rng = np.random.default_rng(0)
    X, y = (rng.standard_normal((40, 5)) * 50).astype(np.int8).astype(dtype), np.arange(40) % 3
    save(tmp_path / f"data.{suffix}", X, y)
    found: Dataset = open_dataset(tmp_path / f"data.{suffix}")
    assert found.train.X.dtype == X.dtype
    assert mapped(found.train.X) == (place == "file")
    np.testing.assert_array_equal(found.train.X, X)
    np.testing.assert_array_equal(found.train.y, y)


def test_shards_keep_their_type_and_their_order(place, tmp_path):
    X, y = np.arange(120.0, dtype=np.float16).reshape(40, 3), np.arange(40) % 3
    for part in range(4):
        rows = slice(part * 10, part * 10 + 10)
        save(tmp_path / f"train-{part:05}-of-00004.parquet", X[rows], y[rows])
    found = open_dataset(tmp_path)
    assert found.train.X.dtype == np.float16
    np.testing.assert_array_equal(found.train.X[:], X)
    np.testing.assert_array_equal(found.train.X[np.array([31, 2, 17])], X[[31, 2, 17]])


def test_a_gap_is_an_error_wherever_it_lies(place, tmp_path):
    pa, pq = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    pq.write_table(pa.table({"a": [1, None, 3], "b": [4, 5, 6], "label": ["x", "y", "x"]}), tmp_path / "t.parquet")
    with pytest.raises(DataError, match="row 1 has no value in a, counted from 0; "):
        open_dataset(tmp_path / "t.parquet")

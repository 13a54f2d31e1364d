"""Parquet files of a few bytes that would fill the memory."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from linprobe.data.formats import bounds, parquet, tables
from linprobe.data.formats import picture_columns as module
from linprobe.data.formats.entries import Selection
from linprobe.data.formats.parquet import _ParquetPictures
from linprobe.errors import DataError, UnsafeFileError
from makers import picture, pictures, read_parquet, write_parquet  # pyright: ignore[reportMissingImports]

pytest.importorskip("pyarrow")


@pytest.fixture(scope="module")
def repeated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A picture of 5 MB, written once and referred to 2,000 times: 10 GB, were it repeated in memory."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows = 2_000
    whole = picture(pictures(1)[0])
    values = pa.array([whole + bytes(5_000_000)], pa.binary())
    encoded = pa.DictionaryArray.from_arrays(pa.array(np.zeros(rows, np.int32)), values)
    image = pa.StructArray.from_arrays([encoded], ["bytes"])
    table = pa.table({"img": image, "label": np.zeros(rows, np.int64)})
    path = tmp_path_factory.mktemp("bomb") / "x.parquet"
    pq.write_table(table, path, compression="zstd", store_schema=False)
    return path


@pytest.mark.slow
def test_a_picture_that_is_repeated_is_in_memory_once(repeated):
    assert repeated.stat().st_size < 100_000
    # The peak of resident memory, not a limit on addresses: pyarrow reserves far more of these than it uses.
    script = """
import resource, sys
from pathlib import Path
from linprobe.data.formats.entries import Selection
from linprobe.data.formats.parquet import read
read(Path(sys.argv[2]), Selection())
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
rows = len(read(Path(sys.argv[1]), Selection()).train)
print(rows, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""
    pytest.importorskip("resource")
    small = write_parquet(repeated.with_name("small.parquet"), [picture(pictures(1)[0])], [0])
    command = [sys.executable, "-c", script, str(repeated), str(small)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=200)
    rows, mebibytes = map(int, done.stdout.split())
    assert rows == 2_000
    assert mebibytes < 100


def test_pictures_that_unfold_to_hundreds_of_gigabytes_are_refused_before_they_are_allocated(tmp_path):
    blank = picture(np.zeros((2_048, 2_048, 3), np.uint8))
    path = write_parquet(tmp_path / "x.parquet", [blank] * 20_000, [0] * 20_000, compression="zstd")
    with pytest.raises(
        UnsafeFileError, match=r"unfolds from [\d,]+ to 251,658,240,000 bytes, as no honest pictures do"
    ):
        read_parquet(path)


def test_encoded_pictures_that_unfold_are_refused_before_one_of_them_is_read(tmp_path, monkeypatch):
    encoded = [picture(each) + bytes(1_000_000) for each in pictures(40)]
    path = write_parquet(tmp_path / "x.parquet", encoded, [0] * 40, compression="zstd", use_dictionary=False)
    monkeypatch.setattr(bounds, "HARMLESS", 2**20)
    monkeypatch.setattr(bounds, "MOST_UNFOLDING", 500)
    monkeypatch.setattr(_ParquetPictures, "batches", None)
    with pytest.raises(UnsafeFileError, match=r"unfolds from [\d,]+ to 40,\d\d\d,\d\d\d bytes"):
        read_parquet(path)


def test_heavy_encoded_pictures_are_read_a_few_at_a_time(tmp_path, monkeypatch):
    encoded = [picture(each) + bytes(1_000_000) for each in pictures(12)]
    path = write_parquet(tmp_path / "x.parquet", encoded, [0] * 12, use_dictionary=False)
    monkeypatch.setattr(module, "BYTES_AT_ONCE", 3_500_000)
    sizes = []
    decode = module.decode
    monkeypatch.setattr(
        module, "decode", lambda some, *rest, **fit: sizes.append(len(some)) or decode(some, *rest, **fit)
    )
    np.testing.assert_array_equal(read_parquet(path).train.X, pictures(12))
    assert sizes == [3, 3, 3, 3]


def test_a_count_of_rows_that_lies_is_noticed(tmp_path, monkeypatch):
    path = write_parquet(tmp_path / "x.parquet", [picture(each) for each in pictures(5)], [0] * 5)
    for claimed in (3, 4, 6, 7):
        monkeypatch.setattr(_ParquetPictures, "rows", claimed)
        monkeypatch.setattr(
            tables.TableFile, "rows", property(lambda _, claimed=claimed: claimed, lambda *_: None), False
        )
        with pytest.raises(DataError, match=f"does not have the {claimed} rows that it announces"):
            read_parquet(path)
        file = parquet._pictures(path, None)
        with pytest.raises(DataError, match=f"does not have the {claimed} rows that it announces"):
            module._read([file], module._first_shape([file]), fit=False)
        with pytest.raises(DataError, match=f"does not have the {claimed} rows that it announces"):
            list(module._decoding(file, module._first_shape([file])))


@pytest.mark.parametrize("colours", [(3, 3, 3), (1, 1, 1), (1, 3, 1)], ids=["colour", "grey", "both"])
def test_pictures_decoded_as_they_are_asked_for_are_those_decoded_at_once(colours, tmp_path, monkeypatch):
    rng = np.random.default_rng(0)
    encoded = [
        picture(rng.integers(0, 256, (height, 6, 3), dtype=np.uint8)[..., : 3 if channels == 3 else 1].squeeze())
        for height, channels in zip((7, 9, 7) * 7, colours * 7, strict=True)
    ]
    path = write_parquet(tmp_path / "x.parquet", encoded, [row % 2 for row in range(21)])
    monkeypatch.setattr(module, "STREAMED_AT_ONCE", 500)
    whole = read_parquet(path)
    streamed = parquet.read(path, Selection(labelled=False))
    assert streamed.train.X.shape == whole.train.X.shape
    np.testing.assert_array_equal(np.asarray(streamed.train.X[:13]), whole.train.X[:13])
    np.testing.assert_array_equal(np.asarray(streamed.train.X[5:21]), whole.train.X[5:21])
    assert set(streamed.notes) == set(whole.notes)


def test_a_description_that_is_nested_without_end_is_left_alone(tmp_path):
    names = ["a", "b"]
    for _ in range(900):
        names = [names]
    path = write_parquet(tmp_path / "x.parquet", [picture(pictures(1)[0])], [0], features={"other": names})
    assert read_parquet(path).classes == ("0",)

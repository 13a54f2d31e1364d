"""Saved data sets that lead out of their folder, fill the memory, or are damaged."""

import json

import numpy as np
import pytest

from linprobe.data.formats import bounds, open_dataset
from linprobe.errors import DataError, LinprobeError, UnsafeFileError
from makers import complaint, picture, pictures, write_saved  # pyright: ignore[reportMissingImports]

pa = pytest.importorskip("pyarrow")
TABLE = {"emb": np.eye(4).tolist(), "label": [0, 1, 0, 1]}


def refused(path, kind: type[LinprobeError] = DataError):
    with pytest.raises(kind) as caught:
        open_dataset(path)
    assert "\n" not in str(caught.value)
    return str(caught.value)


OUTSIDE = ["../secret/data-00000-of-00001.arrow", "/etc/passwd", "..", ".", "a/b.arrow", "..\\b", "C:b", "C:\\b", "a/"]


@pytest.mark.parametrize("name", OUTSIDE)
def test_no_file_outside_of_the_folder_is_read(tmp_path, name):
    write_saved(tmp_path / "secret", [pa.table(TABLE)])
    write_saved(tmp_path / "some", [pa.table(TABLE)], state={"_data_files": [{"filename": name}]})
    assert "which is not in its folder; do not use it" in refused(tmp_path / "some", UnsafeFileError)
    (tmp_path / "some" / "dataset_dict.json").write_text(json.dumps({"splits": ["train", name]}))
    assert "which is not in its folder; do not use it" in refused(tmp_path / "some", UnsafeFileError)


@pytest.mark.parametrize("listed", [None, [], {}, "data", [None], ["x"], [{}], [{"filename": 3}], [{"filename": ""}]])
def test_what_lists_no_files_is_refused(tmp_path, listed):
    write_saved(tmp_path / "some", [pa.table(TABLE)], state={"_data_files": listed})
    assert "state.json: lists " in refused(tmp_path / "some")
    (tmp_path / "some" / "dataset_dict.json").write_text(json.dumps({"splits": listed}))
    said = refused(tmp_path / "some")
    assert "and no train" in said if listed == ["x"] else "dataset_dict.json: " in said


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "3", "[" * 100_000, "\ud800"])
@pytest.mark.parametrize("name", ["state.json", "dataset_info.json", "dataset_dict.json"])
def test_descriptions_that_are_none(tmp_path, text, name):
    write_saved(tmp_path / "some", [pa.table(TABLE)])
    (tmp_path / "some" / name).write_bytes(text.encode(errors="surrogatepass"))
    assert f"{name}: " in refused(tmp_path / "some")


@pytest.mark.parametrize("features", [[], "x", {"label": 3}, {"label": {"names": 3}}, {"label": {"names": ["a", "a"]}}])
def test_odd_features_are_left_alone_or_refused(tmp_path, features):
    write_saved(tmp_path / "some", [pa.table(TABLE)], features)
    said = complaint(lambda: open_dataset(tmp_path / "some"))
    assert "\n" not in said


def test_a_description_too_long_to_be_one_is_not_read(tmp_path):
    write_saved(tmp_path / "some", [pa.table(TABLE)])
    with (tmp_path / "some" / "state.json").open("ab") as file:
        file.truncate(2**24 + 1)
    assert "more than the 16,777,216 that are read" in refused(tmp_path / "some", UnsafeFileError)


def test_pictures_that_unfold_are_refused_before_they_are_allocated(tmp_path):
    blank = picture(np.zeros((2_048, 2_048, 3), np.uint8))
    table = pa.table({"image": [{"bytes": blank}] * 3_000, "label": [0, 1] * 1_500})
    write_saved(tmp_path / "some", [table], compression="zstd")
    assert "as no honest pictures do" in refused(tmp_path / "some", UnsafeFileError)


def test_columns_that_unfold_are_refused_as_they_are_read(tmp_path, monkeypatch):
    write_saved(
        tmp_path / "some",
        [pa.table({"emb": np.zeros((4_000, 500)).tolist(), "label": [0, 1] * 2_000})],
        compression="zstd",
    )
    monkeypatch.setattr(bounds, "HARMLESS", 2**20)
    monkeypatch.setattr(bounds, "MOST_UNFOLDING", 100)
    assert "as no honest tables do" in refused(tmp_path / "some", UnsafeFileError)


def test_a_truncated_or_damaged_file_is_a_data_error_or_reads(tmp_path):
    table = pa.table({"image": [{"bytes": picture(each)} for each in pictures(6)], "label": [0, 1] * 3})
    write_saved(tmp_path / "some", [table], batch=4)
    path = tmp_path / "some" / "data-00000-of-00001.arrow"
    whole = path.read_bytes()
    rng = np.random.default_rng(0)
    for cut in rng.integers(0, len(whole), 40):
        path.write_bytes(whole[:cut])
        assert "\n" not in complaint(lambda: open_dataset(tmp_path / "some"))
    for position in rng.integers(0, len(whole), 80):
        broken = bytearray(whole)
        broken[position] ^= 1 << rng.integers(8)
        path.write_bytes(broken)
        assert "\n" not in complaint(lambda: open_dataset(tmp_path / "some"))

"""Folders of `datasets.save_to_disk`: as the library itself wrote them, and in the same layout by pyarrow."""

import json
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest
from make_saved_datasets import NAMES, N, values  # pyright: ignore[reportMissingImports]

from linprobe.data.formats import contents, open_dataset, picture_columns
from linprobe.data.sight import see
from linprobe.errors import DataError, UsageError
from linprobe.tasks.describe import describe
from makers import picture, pictures, write_saved  # pyright: ignore[reportMissingImports]

pa = pytest.importorskip("pyarrow")
PIXELS, EMBEDDINGS, LABELS = values()


@pytest.fixture
def saved(tmp_path):
    with zipfile.ZipFile(Path(__file__).with_name("saved_datasets.zip")) as archive:
        archive.extractall(tmp_path)
    return tmp_path


def test_pictures_that_the_library_saved(saved):
    dataset = open_dataset(saved / "pictures")
    assert dataset.test is not None
    np.testing.assert_array_equal(dataset.train.X, PIXELS)
    np.testing.assert_array_equal(dataset.train.y, LABELS)
    np.testing.assert_array_equal(dataset.test.X, PIXELS[[5, 1]])
    np.testing.assert_array_equal(dataset.test.y, [2, 1])
    assert (dataset.name, dataset.classes, dataset.val) == ("pictures", tuple(NAMES), None)
    assert dataset.notes == ("extra is not train, val or test and is not used.",)


def test_one_split_or_one_file_of_it_is_what_is_learned_from(saved):
    for source, pixels in (("test", PIXELS[[5, 1]]), ("train/data-00001-of-00002.arrow", PIXELS[N // 2 :])):
        dataset = open_dataset(saved / "pictures" / source)
        np.testing.assert_array_equal(dataset.train.X, pixels)
        assert (dataset.classes, dataset.test, dataset.notes) == (tuple(NAMES), None, ())


@pytest.mark.parametrize(("name", "order"), [("fixed", slice(None)), ("lists", slice(None, None, -1))])
def test_embeddings_that_the_library_saved(saved, name, order):
    dataset = open_dataset(saved / name)
    np.testing.assert_array_equal(dataset.train.X, EMBEDDINGS[order])
    np.testing.assert_array_equal(dataset.train.y, LABELS[order])
    assert (dataset.train.X.dtype, dataset.classes, dataset.notes) == (np.float32, tuple(NAMES), ())


def test_pictures_are_resized_as_everywhere(saved):
    dataset = open_dataset(saved / "pictures", size="3x2")
    expected = [see(picture(each), (3, 2, 3), 255.0, "here") for each in PIXELS]
    np.testing.assert_array_equal(dataset.train.X, expected)


def test_what_is_not_listed_is_not_read(saved):
    shutil.copy(saved / "lists/data-00000-of-00001.arrow", saved / "fixed/cache-0123456789abcdef.arrow")
    np.save(saved / "fixed" / "more.npy", np.ones((3, 3)))
    assert len(open_dataset(saved / "fixed").train) == N


def test_it_is_described(saved):
    held = contents(saved / "fixed")
    assert held is not None
    assert [entry.name for entry in held.entries[:3]] == ["embedding", "label", "grid"]
    found = describe(saved / "pictures")
    assert found.format == "a saved data set of Hugging Face's datasets"
    assert [(split.name, split.n) for split in found.splits] == [("train", N), ("test", 2)]


@pytest.mark.parametrize("compression", [None, "lz4", "zstd"])
@pytest.mark.parametrize("at_once", [1, 3, 1024])
def test_any_batches_types_and_gaps(tmp_path, monkeypatch, compression, at_once):
    monkeypatch.setattr(picture_columns, "ROWS_AT_ONCE", at_once)
    pixels = pictures(9)
    encoded = pa.array(
        [{"bytes": picture(each), "path": "x"} for each in pixels], pa.struct({"bytes": pa.large_binary()})
    )
    labels = pa.array([0, None, 1, 0, 1, 0, 1, 0, 1])
    table = pa.table({"photo": encoded, "label": labels})
    write_saved(tmp_path / "some", [table[:5], table[5:]], batch=4, compression=compression)
    dataset = open_dataset(tmp_path / "some")
    np.testing.assert_array_equal(dataset.train.X, np.delete(pixels, 1, axis=0))
    assert dataset.classes == ("0", "1")


def test_the_options_of_tables(tmp_path):
    table = pa.table(
        {
            "image": [{"bytes": picture(each)} for each in pictures(6)],
            "emb": np.eye(6).tolist(),
            "fine": ["a", "b"] * 3,
            "coarse": [0, 1, 2] * 2,
            "patient": [0, 0, 1, 1, 2, 2],
        }
    )
    write_saved(tmp_path / "some", [table], {"coarse": {"_type": "ClassLabel", "names": ["x", "y", "z"]}})
    dataset = open_dataset(tmp_path / "some", x="emb", label="coarse", groups="patient")
    assert (dataset.train.X.shape, dataset.classes) == ((6, 6), ("x", "y", "z"))
    assert dataset.train.groups is not None
    assert open_dataset(tmp_path / "some", label="fine").train.X.shape == (6, 6, 5, 3)
    with pytest.raises(UsageError, match=r"--x nope: is not in .*, which has emb"):
        open_dataset(tmp_path / "some", x="nope", label="fine")


def refused(path):
    with pytest.raises(DataError) as caught:
        open_dataset(path)
    assert "\n" not in str(caught.value)
    return str(caught.value)


TABLE = {"emb": np.eye(4).tolist(), "label": [0, 1, 0, 1]}


def test_splits_that_leave_a_question_open_are_refused(tmp_path):
    for name in ("train", "training", "test", "validation"):
        write_saved(tmp_path / name, [pa.table(TABLE)])
    told = tmp_path / "dataset_dict.json"
    told.write_text(json.dumps({"splits": ["train", "training"]}))
    assert "train and training are both train; name the folder to learn from itself" in refused(tmp_path)
    told.write_text(json.dumps({"splits": ["test", "validation"]}))
    assert "has the splits val, test, and no train; name the folder to learn from itself" in refused(tmp_path)
    told.write_text(json.dumps({"splits": ["validation", "train"]}))
    dataset = open_dataset(tmp_path)
    assert (len(dataset.val or ()), dataset.test) == (4, None)


def test_an_index_of_rows_other_columns_and_missing_files_are_refused(tmp_path):
    write_saved(tmp_path / "index", [pa.table(TABLE)], state={"_indices_data_files": [{"filename": "indices.arrow"}]})
    assert "save it again with flatten_indices()" in refused(tmp_path / "index")
    write_saved(tmp_path / "other", [pa.table(TABLE), pa.table({"emb": TABLE["emb"]})])
    assert "has other columns than data-00000-of-00002.arrow" in refused(tmp_path / "other")
    write_saved(tmp_path / "gone", [pa.table(TABLE)] * 2)
    (tmp_path / "gone" / "data-00001-of-00002.arrow").unlink()
    assert refused(tmp_path / "gone").endswith("data-00001-of-00002.arrow: is not a file; copy or download it again")

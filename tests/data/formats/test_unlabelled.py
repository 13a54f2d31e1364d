"""Sources read to be predicted: every row, in order, whether it has a label or not."""

import io
import struct
import tarfile

import numpy as np
import pytest

from linprobe.data.formats import kind_of, read_source
from linprobe.data.formats.entries import Selection
from linprobe.data.sizes import PictureSize
from linprobe.errors import DataError
from makers import picture, pictures, write_cifar10, write_parquet  # pyright: ignore[reportMissingImports]

UNLABELLED = Selection(size=PictureSize(6, 5, 3), labelled=False)


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("LINPROBE_DATA", str(tmp_path / "cache"))


def write_tar(path, images, labels=None):
    with tarfile.open(path, "w") as tar:
        for row, image in enumerate(images):
            members = {"png": picture(image)} | ({} if labels is None else {"cls": str(labels[row]).encode()})
            for ending, content in members.items():
                member = tarfile.TarInfo(f"some/{row:04}.{ending}")
                member.size = len(content)
                tar.addfile(member, io.BytesIO(content))
    return path


@pytest.mark.parametrize("labels", [None, [0, -1, 1, 0]])
def test_a_webdataset_gives_all_pictures_by_their_keys(tmp_path, labels):
    path = write_tar(tmp_path / "some-000000.tar", pictures(4), labels)
    found = read_source(path, UNLABELLED)
    np.testing.assert_array_equal(found.train.X[:], pictures(4))
    assert found.ids["train"].tolist() == [f"some/{row:04}" for row in range(4)]
    if labels is None:
        with pytest.raises(DataError, match="no labels"):
            read_source(path, Selection())


def test_idx_files_of_images_need_none_of_labels(tmp_path):
    images = pictures(4, channels=1)
    path = tmp_path / "train-images-idx3-ubyte"
    path.write_bytes(struct.pack(">IIII", 2051, *images.shape) + images.tobytes())
    np.testing.assert_array_equal(read_source(path, UNLABELLED).train.X[..., 0], images)
    with pytest.raises(DataError, match="labels-idx1-ubyte"):
        read_source(path, Selection())


@pytest.mark.parametrize("labels", [[0, 1, 0, 1], [None, 1, None, 0]])
def test_parquet_pictures_are_all_there(tmp_path, labels):
    pytest.importorskip("pyarrow")
    path = write_parquet(tmp_path / "some.parquet", [picture(each) for each in pictures(4)], labels)
    np.testing.assert_array_equal(read_source(path, UNLABELLED).train.X[:], pictures(4))


def test_official_folders_keep_their_splits(tmp_path):
    folder = write_cifar10(tmp_path)
    found = read_source(folder, UNLABELLED)
    assert {split: len(examples) for split, examples in found.splits()} == {"train": 20, "test": 4}


def test_an_empty_zip_has_nothing_to_predict(tmp_path):
    import zipfile

    with zipfile.ZipFile(tmp_path / "s.zip", "w") as archive:
        archive.writestr("notes.txt", "none")
    with pytest.raises(DataError, match=r"s\.zip: has no PNG, JPEG or WebP pictures"):
        read_source(tmp_path / "s.zip", UNLABELLED)


def test_the_kind_of_a_source_is_told_without_reading_it(tmp_path):
    np.save(tmp_path / "x.npy", np.zeros((3, 2)))
    (tmp_path / "a.txt").write_text("1\n")
    (tmp_path / "a.png").write_bytes(picture(pictures(1)[0]))
    (tmp_path / "empty").mkdir()
    write_tar(tmp_path / "s.tar", pictures(1))
    kinds = {name: kind_of(name if name == "digits" else str(tmp_path / name)) for name in KINDS}
    assert kinds == KINDS


KINDS = {"digits": "name", "x.npy": "file", "s.tar": "whole", "a.txt": None, "a.png": None, "empty": None, "gone": None}

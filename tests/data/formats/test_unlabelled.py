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
    (tmp_path / "x.npy").write_bytes(b"damaged")  # which reading it would find
    (tmp_path / "a.txt").write_text("1\n")
    (tmp_path / "a.png").write_bytes(picture(pictures(1)[0]))
    (tmp_path / "empty").mkdir()
    write_tar(tmp_path / "s.tar", pictures(1))
    kinds = {name: kind_of(name if name == "digits" else str(tmp_path / name)) for name in KINDS}
    assert kinds == KINDS


KINDS = {"digits": "name", "x.npy": "file", "s.tar": "whole", "a.txt": None, "a.png": None, "empty": None, "gone": None}


def table_of(kind, folder, X):
    """A table of X (n, 4), in groups of seven rows or fewer, in two files -> the source."""
    pa, pq = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    place = folder / kind
    place.mkdir()
    for number, part in enumerate((X[:30], X[30:])):
        if kind == "lists":
            table = pa.table({"embedding": list(part)})
        elif kind == "texts":
            table = pa.table({"embedding": [str(row.tolist()) for row in part]})
        else:
            table = pa.table({f"e{d}": part[:, d].astype(int if kind == "whole numbers" else float) for d in range(4)})
        if kind == "arrow":
            with (
                pa.OSFile(str(place / f"data_{number}.arrow"), "wb") as sink,
                pa.ipc.new_file(sink, table.schema) as out,
            ):
                out.write_table(table, max_chunksize=7)
        else:
            pq.write_table(table, place / f"data_{number}.parquet", row_group_size=7)
    return place


@pytest.mark.parametrize("kind", ["lists", "texts", "numbers", "whole numbers", "arrow"])
def test_tables_are_read_in_order_without_holding_all_of_them(tmp_path, kind, monkeypatch):
    X = np.random.default_rng(0).integers(-50, 50, (50, 4)).astype(np.float32)
    source = table_of(kind, tmp_path, X)
    monkeypatch.setattr("linprobe.data.formats.columnar.ROWS_AT_ONCE", 7)
    # What would hold all rows asks here whether there is room.
    monkeypatch.setattr("linprobe.data.formats.tables.TableFile._all", lambda *_: pytest.fail("all rows at once"))
    found = read_source(source, UNLABELLED).train.X
    assert found.shape == (50, 4)
    for step in (50, 1, 6, 7, 13, 30):
        np.testing.assert_array_equal(np.concatenate([found[i : i + step] for i in range(0, 50, step)]), X)
    for rows in (slice(40, 45), slice(3, 9), slice(0, 0), slice(9, 31, 3), np.array([33, 2, 2, 49]), slice(48, 90)):
        np.testing.assert_array_equal(found[rows], X[rows])


def test_gaps_are_found_on_the_way(tmp_path, monkeypatch):
    monkeypatch.setattr("linprobe.data.formats.columnar.ROWS_AT_ONCE", 5)
    pa, pq = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    values = [[*range(20), None, *range(9)], list(range(30))]
    pq.write_table(pa.table(values, names=["a", "b"]), tmp_path / "s.parquet")
    found = read_source(tmp_path / "s.parquet", UNLABELLED).train.X
    np.testing.assert_array_equal(found[:20], np.arange(20)[:, None].repeat(2, axis=1))
    with pytest.raises(DataError, match="row 20 has no value in a"):
        _ = found[20:30]


def test_columns_of_several_files_have_one_type(tmp_path):
    pa, pq = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    for number, values in enumerate(([1, 2], [0.5, 1.5])):
        pq.write_table(pa.table({"a": values, "b": values}), tmp_path / f"data_{number}.parquet")
    found = read_source(tmp_path, UNLABELLED).train.X
    assert found.dtype == np.float64
    np.testing.assert_array_equal(found[:], [[1, 1], [2, 2], [0.5, 0.5], [1.5, 1.5]])

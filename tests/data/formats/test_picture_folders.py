"""Folders of pictures and zips of them, written by Pillow and zipfile, against the pixels that were saved."""

import json
import os
import shutil
import zipfile

import numpy as np
import pytest
from PIL import Image

from linprobe.data.fetch import cache_folder
from linprobe.data.formats import decoded as module
from linprobe.data.formats import open_dataset
from linprobe.data.formats.picture_folders import read_picture_folder
from linprobe.data.sight import see
from linprobe.errors import DataError, LinprobeError, UsageError
from makers import picture, pictures  # pyright: ignore[reportMissingImports]


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("LINPROBE_DATA", str(tmp_path / "cache"))
    return tmp_path / "cache"


def write(folder, classes=("ash", "birch"), each=3, ending="png", kind="PNG", seed=0, **options):
    """Pictures of noise by class; their pixels (n, height, width, channels) in the order of names."""
    pixels = pictures(len(classes) * each, seed=seed, **options)
    for row, values in enumerate(pixels):
        file = folder / classes[row // each] / f"{row}.{ending}"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(picture(values, kind))
    return pixels if pixels.ndim == 4 else pixels[..., None]


def zipped(folder, path, method=zipfile.ZIP_DEFLATED):
    with zipfile.ZipFile(path, "w", method) as archive:
        for file in sorted(folder.rglob("*")):
            archive.write(file, file.relative_to(folder))
    return path


def same(examples, X, y):
    np.testing.assert_array_equal(np.asarray(examples.X), X)
    np.testing.assert_array_equal(examples.y, y)


def refused(path, kind: type[LinprobeError] = DataError):
    with pytest.raises(kind) as caught:
        open_dataset(path)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("channels", [1, 3])
def test_the_folders_are_the_classes(tmp_path, channels):
    pixels = write(tmp_path / "some", channels=channels)
    dataset = open_dataset(tmp_path / "some")
    same(dataset.train, pixels, [0, 0, 0, 1, 1, 1])
    assert (dataset.name, dataset.classes, dataset.test, dataset.val) == ("some", ("ash", "birch"), None, None)
    assert dataset.notes == ()


@pytest.mark.parametrize(("ending", "kind"), [("jpg", "JPEG"), ("JPEG", "JPEG"), ("webp", "WEBP"), ("Png", "PNG")])
def test_each_kind_of_picture_is_decoded_as_prediction_does(tmp_path, ending, kind):
    write(tmp_path / "some", ending=ending, kind=kind, height=20, width=24)
    dataset = open_dataset(tmp_path / "some")
    files = sorted((tmp_path / "some").rglob(f"*.{ending}"))
    assert len(files) == 6
    for image, file in zip(dataset.train.X, files, strict=True):
        np.testing.assert_array_equal(image, see(file.read_bytes(), (20, 24, 3), 255.0, "here"))


@pytest.mark.parametrize("val", ["val", "valid", "validation", "dev", "Val"])
@pytest.mark.parametrize("wrapped", ["", "data", "one/two"])
def test_splits(tmp_path, val, wrapped):
    top = tmp_path / "some"
    pixels = {name: write(top / wrapped / name, seed=seed) for seed, name in enumerate(("train", val, "test"))}
    dataset = open_dataset(top)
    assert dataset.val is not None
    assert dataset.test is not None
    for found, name in ((dataset.train, "train"), (dataset.val, val), (dataset.test, "test")):
        same(found, pixels[name], [0, 0, 0, 1, 1, 1])


def test_folders_as_sets_on_the_web_have_them(tmp_path):
    for split in ("train", "test"):
        write(tmp_path / "some" / f"seg_{split}" / f"seg_{split}", seed=len(split))
    write(tmp_path / "some" / "seg_pred" / "seg_pred", classes=[""])
    dataset = open_dataset(tmp_path / "some")
    assert dataset.classes == ("ash", "birch")
    assert (len(dataset.train), dataset.test is not None and len(dataset.test)) == (6, 6)
    assert dataset.notes == ("Left out: 3 pictures in no folder of a split and a class.",)


def test_a_folder_called_train_may_be_a_class(tmp_path):
    pixels = write(tmp_path / "some", classes=["plane", "train", "test"])
    dataset = open_dataset(tmp_path / "some")
    assert dataset.classes == ("plane", "test", "train")
    same(dataset.train, pixels[[0, 1, 2, 6, 7, 8, 3, 4, 5]], [0, 0, 0, 1, 1, 1, 2, 2, 2])


def test_classes_and_pictures_in_natural_order(tmp_path):
    names = ["10", "9", "x2", "x10", "X1b", "a"]
    pixels = write(tmp_path / "some", classes=names, each=11)
    dataset = open_dataset(tmp_path / "some")
    assert dataset.classes == ("9", "10", "a", "X1b", "x2", "x10")
    for label, name in enumerate(dataset.classes):
        start = 11 * names.index(name)
        np.testing.assert_array_equal(dataset.train.X[dataset.train.y == label], pixels[start : start + 11])


def test_a_zip_of_the_same(tmp_path):
    pixels = write(tmp_path / "some" / "train")
    for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        dataset = open_dataset(zipped(tmp_path / "some", tmp_path / f"some{method}.zip", method))
        same(dataset.train, pixels, [0, 0, 0, 1, 1, 1])
        assert dataset.name == f"some{method}"


def test_what_is_left_out_is_counted(tmp_path):
    top = tmp_path / "some"
    pixels = write(top)
    write(top, classes=[".cache"])
    (top / "ash" / ".hidden.png").write_bytes(b"x")
    (top / "ash" / "notes.txt").write_text("x")
    (top / "birch" / "old.bmp").write_bytes(b"x")
    (top / "birch" / "Thumbs.db").write_bytes(b"x")
    (top / "loose.png").write_bytes(b"x")
    (top / "cedar").mkdir()
    dataset = open_dataset(top)
    same(dataset.train, pixels, [0, 0, 0, 1, 1, 1])
    assert dataset.notes == (
        "Left out: 2 files that are not PNG, JPEG or WebP, 3 hidden files and folders.",
        "Left out: a picture in no folder of a class.",
        "Left out: the folder cedar, without pictures.",
    )


def test_a_test_split_without_classes_is_withheld(tmp_path):
    write(tmp_path / "some" / "train")
    write(tmp_path / "some" / "test", classes=["unknown"])
    dataset = open_dataset(tmp_path / "some")
    assert dataset.test is None
    assert dataset.notes == ("test: the folder unknown is not a class of train, so this split is not used.",)


def test_mixed_sizes_become_the_most_frequent_as_prediction_does(tmp_path):
    top = tmp_path / "some"
    write(top, height=9, width=12)
    write(top, classes=["cedar"], each=2, height=30, width=21)
    dataset = open_dataset(top)
    assert dataset.train.X.shape == (8, 9, 12, 3)
    for row, name in ((6, 0), (7, 1)):
        encoded = (top / "cedar" / f"{name}.png").read_bytes()
        np.testing.assert_array_equal(dataset.train.X[row], see(encoded, (9, 12, 3), 255.0, "here"))
    (note,) = dataset.notes
    assert note == (
        "The pictures are 12 x 9 pixels, the most frequent size; 2 of 8 have another size and are cut and resized."
    )
    smaller = open_dataset(top, size="5x4")
    assert smaller.asked == {"size": "5x4"}
    assert smaller.train.X.shape == (8, 5, 4, 3)
    encoded = (top / "ash" / "0.png").read_bytes()
    np.testing.assert_array_equal(smaller.train.X[0], see(encoded, (5, 4, 3), 255.0, "here"))
    assert "the size asked for; 8 of 8 have" in smaller.notes[0]


@pytest.mark.parametrize("other", [{"size": "6x5"}, {"size": (6, 5)}, {"size": "6x5x3"}, {}])
@pytest.mark.parametrize("packed", [False, True])
def test_another_source_takes_the_size_of_train(tmp_path, other, packed):
    write(tmp_path / "train", each=4)
    write(tmp_path / "test", height=11, width=11, channels=1)
    path = zipped(tmp_path / "test", tmp_path / "test.zip") if packed else tmp_path / "test"
    dataset = open_dataset(tmp_path / "train", test=path, **other)
    assert dataset.test is not None
    files = sorted((tmp_path / "test").rglob("*.png"))
    expected = [see(file.read_bytes(), (6, 5, 3), 255.0, "here") for file in files]
    np.testing.assert_array_equal(dataset.test.X, expected)
    assert dataset.notes[-1].endswith(
        "The pictures are 5 x 6 pixels, the size asked for; 6 of 6 have another size and are cut and resized."
    )


def test_pictures_in_colour_are_made_grey_for_training_examples_that_are(tmp_path):
    write(tmp_path / "train", channels=1)
    write(tmp_path / "val")
    dataset = open_dataset(tmp_path / "train", val=tmp_path / "val")
    assert dataset.val is not None
    files = sorted((tmp_path / "val").rglob("*.png"))
    expected = [see(file.read_bytes(), (6, 5, 1), 255.0, "here") for file in files]
    np.testing.assert_array_equal(dataset.val.X, expected)
    assert dataset.notes[-1].endswith("6 of 6 pictures have colour and are made grey.")


def test_the_size_that_they_had_anyway_is_not_decoded_again(tmp_path, monkeypatch, cache):
    pixels = write(tmp_path / "some")
    open_dataset(tmp_path / "some")
    monkeypatch.setattr(module, "upright", never)
    same(open_dataset(tmp_path / "some", size=(6, 5, 3)).train, pixels, [0, 0, 0, 1, 1, 1])
    assert len([entry for entry in (cache / "pictures").iterdir() if entry.name != "partial"]) == 1


@pytest.mark.parametrize("size", ["", "0", "3x", "3x4x2", "3x4x3x1", "-1", "a", (3,) * 4, "99999x99999", "1x0", 2.5])
def test_a_size_that_is_none(tmp_path, size):
    write(tmp_path / "some")
    with pytest.raises(UsageError, match=r"^--size .*(write 64, or the height first: 48x64|choose another)$"):
        open_dataset(tmp_path / "some", size=size)


def test_what_cannot_be_resized_is_not(tmp_path):
    assert open_dataset("digits", size=8).train.X.shape[1:] == (8, 8, 1)
    with pytest.raises(UsageError, match="digits has pictures of 8x8x1 as arrays, and only encoded ones"):
        open_dataset("digits", size="8x9")
    np.savez(tmp_path / "some.npz", X=np.eye(4), y=[0, 1, 0, 1])
    with pytest.raises(UsageError, match=r"some\.npz has no pictures; leave it out"):
        open_dataset(tmp_path / "some.npz", size=8)


def test_grey_beside_colour_becomes_colour_and_a_turned_picture_counts_as_it_is_seen(tmp_path):
    top = tmp_path / "some"
    grey = write(top, classes=["ash"], channels=1, height=6, width=5)
    write(top, classes=["birch"], height=6, width=5)
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(pictures(1, 5, 6)[0]).save(top / "birch" / "turned.jpg", exif=exif)
    dataset = open_dataset(top)
    assert dataset.train.X.shape == (7, 6, 5, 3)
    assert dataset.notes == ()
    np.testing.assert_array_equal(dataset.train.X[:3], np.repeat(grey, 3, axis=3))


def test_progress_counts_pictures(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "MOST_AT_ONCE", 4)
    write(tmp_path / "some")
    seen = []
    read_picture_folder(tmp_path / "some", progress=lambda done, total: seen.append((done, total)))
    assert seen == [(4, 6), (6, 6)]


def never(*_):
    raise AssertionError("decoded again")


def test_the_second_time_comes_from_the_cache_and_is_mapped(tmp_path, monkeypatch, cache):
    pixels = write(tmp_path / "some")
    open_dataset(tmp_path / "some")
    with monkeypatch.context() as patch:
        patch.setattr(module, "upright", never)
        patch.setattr(module, "announced", never)
        dataset = open_dataset(tmp_path / "some")
    same(dataset.train, pixels, [0, 0, 0, 1, 1, 1])
    base = dataset.train.X
    while isinstance(base, np.ndarray) and not isinstance(base, np.memmap):
        base = base.base
    assert isinstance(base, np.memmap)
    assert cache_folder() == cache


@pytest.mark.parametrize("change", ["time", "bytes", "name", "one more"])
def test_a_changed_folder_is_decoded_again(tmp_path, change):
    write(tmp_path / "some")
    open_dataset(tmp_path / "some")
    file = tmp_path / "some" / "ash" / "0.png"
    old = file.stat()
    other = pictures(1, seed=9)[0]
    file.write_bytes(picture(other) + (b"" if change == "time" else b"more"))
    os.utime(file, ns=(old.st_atime_ns, old.st_mtime_ns + (change == "time")))
    if change == "name":
        file = file.rename(file.with_name("00.png"))
    if change == "one more":
        shutil.copy(file, file.with_name("1000.png"))
    np.testing.assert_array_equal(open_dataset(tmp_path / "some").train.X[0], other)


@pytest.mark.parametrize("damage", ["cut", "not an array", "no record", "bad record", "other type", "rows", "folder"])
def test_a_damaged_cache_is_made_again(tmp_path, cache, damage):
    pixels = write(tmp_path / "some")
    open_dataset(tmp_path / "some")
    (folder,) = (entry for entry in (cache / "pictures").iterdir() if entry.name != "partial")
    images, record = folder / "images.npy", folder / "record.json"
    match damage:
        case "cut":
            images.write_bytes(images.read_bytes()[:-1])
        case "not an array":
            images.write_bytes(b"PK\x03\x04")
        case "no record":
            record.unlink()
        case "bad record":
            record.write_text(json.dumps([1]))
        case "other type":
            np.save(images, np.zeros(pixels.shape))
        case "rows":
            np.save(images, pixels[1:])
        case "folder":
            images.unlink()
            images.mkdir()
    same(open_dataset(tmp_path / "some").train, pixels, [0, 0, 0, 1, 1, 1])
    np.testing.assert_array_equal(np.load(images), pixels)


def test_nothing_half_written_stays(tmp_path, cache):
    write(tmp_path / "some")
    (tmp_path / "some" / "birch" / "5.png").write_bytes(picture(pictures(1)[0])[:-30])
    assert "5.png: is a damaged picture" in refused(tmp_path / "some")
    assert [entry.name for entry in (cache / "pictures").iterdir()] == ["partial"]


def test_what_a_killed_process_left_goes(tmp_path, cache):
    write(tmp_path / "some")
    open_dataset(tmp_path / "some")
    (folder,) = (entry for entry in (cache / "pictures").iterdir() if entry.name != "partial")
    left = folder.with_name(f".{folder.name}.{'0' * 16}.partial")
    folder.rename(left)
    open_dataset(tmp_path / "some")
    assert folder.is_dir()
    assert not left.exists()


def test_a_cache_that_cannot_be_used_is_done_without(tmp_path, monkeypatch, cache):
    pixels = write(tmp_path / "some")
    cache.write_text("a file")
    dataset = open_dataset(tmp_path / "some")
    same(dataset.train, pixels, [0, 0, 0, 1, 1, 1])
    assert dataset.notes[0].startswith("Decoded into memory, as the cache cannot be used (")
    cache.unlink()

    def full(*_):
        raise module.OutputError("no room")

    monkeypatch.setattr(module, "need_room", full)
    dataset = open_dataset(tmp_path / "some")
    same(dataset.train, pixels, [0, 0, 0, 1, 1, 1])
    assert dataset.notes == ("Decoded into memory, as the cache cannot be used (no room).",)
    monkeypatch.setattr(module, "_memory", lambda: 539)
    assert "6 pictures of 5 x 6 pixels need 540 bytes; memory has 539" in refused(tmp_path / "some")


def test_arrays_with_pictures_beside_them_are_arrays(tmp_path):
    """But not beside folders of classes, which are a data set too: see test_mixed.py."""
    np.save(tmp_path / "features.npy", np.ones((6, 4)))
    np.save(tmp_path / "labels.npy", np.arange(6) % 2)
    for place in (tmp_path, tmp_path / "figures"):
        place.mkdir(exist_ok=True)
        (place / "seen.png").write_bytes(picture(pictures(1)[0]))
    assert open_dataset(tmp_path).train.X.shape == (6, 4)


@pytest.mark.parametrize("ending", [".svmlight", ".libsvm", ".svm"])
def test_any_file_of_arrays_with_a_picture_beside_it_is_arrays(tmp_path, ending):
    (tmp_path / f"digits{ending}").write_text("1 1:2 2:3\n2 1:5\n" * 3)
    (tmp_path / "figures").mkdir()
    (tmp_path / "figures" / "seen.png").write_bytes(picture(pictures(1)[0]))
    assert open_dataset(tmp_path).train.X.shape == (6, 2)


def test_nothing_is_to_be_chosen(tmp_path):
    write(tmp_path / "some")
    with pytest.raises(UsageError, match="leave it out"):
        open_dataset(tmp_path / "some", label="class")

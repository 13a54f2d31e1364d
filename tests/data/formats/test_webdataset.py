"""webdataset tar files, written by tarfile as its own writer does, against what was put into them."""

import io
import json
import tarfile

import numpy as np
import pytest

from linprobe.data.formats import open_dataset
from linprobe.data.sight import see
from linprobe.errors import DataError, LinprobeError, UsageError
from makers import picture, pictures  # pyright: ignore[reportMissingImports]

N = 12
PIXELS = pictures(N)
Y = np.arange(N) % 3
FEATURES = np.random.default_rng(0).normal(size=(N, 5)).astype(np.float32)


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("LINPROBE_DATA", str(tmp_path / "cache"))


def npy(values, **options):
    file = io.BytesIO()
    np.save(file, values, **options)
    return file.getvalue()


def write(path, *examples, start=0, form=tarfile.USTAR_FORMAT, prefix=""):
    """A tar of examples, each a dictionary of endings and bytes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w", format=form) as archive:
        for row, files in enumerate(examples, start):
            for ending, content in files.items():
                member = tarfile.TarInfo(f"{prefix}{row:06d}.{ending}")
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))
    return path


def examples(rows=range(N), kind="PNG"):
    ending = {"PNG": "png", "JPEG": "jpg", "WEBP": "webp"}[kind]
    return [{ending: picture(PIXELS[row], kind), "cls": str(Y[row]).encode()} for row in rows]


def check(dataset, X=PIXELS, classes=("0", "1", "2")):
    np.testing.assert_array_equal(np.asarray(dataset.train.X), X)
    np.testing.assert_array_equal(dataset.train.y, Y[: len(X)])
    assert dataset.classes == classes


def refused(path, kind: type[LinprobeError] = DataError, **choice):
    with pytest.raises(kind) as caught:
        open_dataset(path, **choice)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
@pytest.mark.parametrize("prefix", ["", "./", "a.b/c/", "k" * 120 + "/"])
def test_pictures_with_their_classes(tmp_path, form, prefix):
    if form == tarfile.USTAR_FORMAT and len(prefix) > 90:
        prefix = prefix[-90:]
    dataset = open_dataset(write(tmp_path / "test-000000.tar", *examples(), form=form, prefix=prefix))
    check(dataset)
    assert (dataset.name, dataset.test, dataset.notes) == ("test-000000", None, ())


@pytest.mark.parametrize("kind", ["JPEG", "WEBP"])
def test_pictures_are_what_prediction_sees(tmp_path, kind):
    made = examples(kind=kind)
    dataset = open_dataset(write(tmp_path / "some.tar", *made))
    for image, files in zip(dataset.train.X, made, strict=True):
        np.testing.assert_array_equal(image, see(next(iter(files.values())), (6, 5, 3), 255.0, "here"))
    small = open_dataset(tmp_path / "some.tar", size="3x2")
    expected = [see(next(iter(files.values())), (3, 2, 3), 255.0, "here") for files in made]
    np.testing.assert_array_equal(small.train.X, expected)


def test_arrays_with_labels_in_json(tmp_path):
    made = [
        {
            "npy": npy(FEATURES[row]),
            "json": json.dumps({"label": ["ash", "birch", "cedar"][Y[row]], "id": row}).encode(),
        }
        for row in range(N)
    ]
    check(open_dataset(write(tmp_path / "some.tar", *made)), FEATURES, ("ash", "birch", "cedar"))


@pytest.mark.parametrize("val", ["val", "valid", "validation", "dev"])
@pytest.mark.parametrize("form", ["set-{}-{:06d}.tar", "{}/{:06d}.tar", "{}_{}.TAR"])
def test_shards_by_split(tmp_path, val, form):
    cuts = {"train": range(6), val: range(6, 8), "test": range(8, N)}
    for split, rows in cuts.items():
        half = len(rows) // 2
        for part, which in enumerate((rows[:half], rows[half:])):
            write(tmp_path / "some" / form.format(split, part), *examples(which), start=which[0])
    dataset = open_dataset(tmp_path / "some")
    for found, rows in zip((dataset.train, dataset.val, dataset.test), cuts.values(), strict=True):
        assert found is not None
        np.testing.assert_array_equal(found.X, PIXELS[rows])
        np.testing.assert_array_equal(found.y, Y[rows])
    assert dataset.name == "some"


def test_what_is_missing_is_left_out_and_counted(tmp_path):
    made = examples()
    del made[2]["png"]
    del made[3]["cls"]
    made[4]["cls"] = b"-1\n"
    dataset = open_dataset(write(tmp_path / "some.tar", *made))
    kept = [row for row in range(N) if row not in (2, 3, 4)]
    np.testing.assert_array_equal(np.asarray(dataset.train.X), PIXELS[kept])
    np.testing.assert_array_equal(dataset.train.y, Y[kept])
    assert dataset.notes == (
        "train: 1 of 12 examples has no png and is left out.",
        "train: 2 of 11 rows have no label (-1 or missing) and are left out.",
    )
    assert not dataset.ids  # which would be one too many for each row that is left out


def test_what_is_ambiguous_is_asked_for(tmp_path):
    made = [
        files | {"npy": npy(FEATURES[row]), "tag.txt": b"odd" if row % 2 else b"even", "json": b'{"a": 1, "b": "x"}'}
        for row, files in enumerate(examples())
    ]
    path = write(tmp_path / "some.tar", *made)
    assert "choose one, as --x npy" in refused(path, UsageError)
    check(open_dataset(path, x="npy"), FEATURES)
    check(open_dataset(path, x=".png"))
    assert open_dataset(path, x="npy", label="tag.txt").classes == ("even", "odd")
    assert "--label c: is not in" in refused(path, UsageError, x="npy", label="c")
    assert "--x wav: is not" in refused(path, UsageError, x="wav")
    for files in made:
        del files["cls"]
    assert "choose one, as --label a" in refused(write(path, *made), UsageError, x="png")


def test_the_second_time_comes_from_the_cache(tmp_path):
    path = write(tmp_path / "some.tar", *examples())
    open_dataset(path)
    (images,) = (tmp_path / "cache" / "pictures").glob("*/images.npy")
    np.save(images, 255 - PIXELS)
    check(open_dataset(path), 255 - PIXELS)

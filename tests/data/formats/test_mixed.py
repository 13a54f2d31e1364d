"""Folders that hold more than one data set are refused; what only says something of the data does not count."""

import io
import shlex
import struct
import subprocess
import tarfile

import numpy as np
import pytest

from linprobe.data.formats import open_dataset
from linprobe.errors import UsageError
from makers import picture, pictures, write_cifar10, write_parquet  # pyright: ignore[reportMissingImports]

PIXELS = pictures(12)
Y = np.arange(12) % 3
X = np.random.default_rng(0).normal(size=(12, 5)).astype(np.float32)


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("LINPROBE_DATA", str(tmp_path / "cache"))


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "some data").mkdir()
    return tmp_path / "some data"


def tar(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w") as archive:
        for row, image in enumerate(PIXELS):
            for ending, content in (("png", picture(image)), ("cls", str(Y[row]).encode())):
                member = tarfile.TarInfo(f"{row:03d}.{ending}")
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))


def idx(folder):
    (folder / "train-images-idx3-ubyte").write_bytes(struct.pack(">IIII", 2051, 12, 6, 5) + PIXELS[..., 0].tobytes())
    (folder / "train-labels-idx1-ubyte").write_bytes(struct.pack(">II", 2049, 12) + Y.astype(np.uint8).tobytes())


def photos(folder):
    for row, image in enumerate(PIXELS):
        place = folder / "abc"[Y[row]]
        place.mkdir(parents=True, exist_ok=True)
        (place / f"{row}.png").write_bytes(picture(image))


def arrays(folder):
    np.save(folder / "features.npy", X)
    np.save(folder / "labels.npy", Y)


def table(folder):
    rows = [",".join([*map(str, map(float, row)), "abc"[y]]) for row, y in zip(X, Y, strict=True)]
    (folder / "flowers.csv").write_text("\n".join(["e0,e1,e2,e3,e4,species", *rows]) + "\n")


def nested(folder):
    (folder / "embedded").mkdir()
    arrays(folder / "embedded")


KINDS = {
    "webdataset": lambda folder: tar(folder / "a.tar"),
    "idx": idx,
    "folders of pictures": lambda folder: photos(folder / "photos"),
    "CIFAR": write_cifar10,
    "pictures in parquet": lambda folder: write_parquet(folder / "p.parquet", list(map(picture, PIXELS)), Y.tolist()),
}
BESIDE = {".npy (features.npy)": arrays, ".csv or .tsv (flowers.csv)": table, ".npy (embedded/features.npy)": nested}


def refused(folder):
    with pytest.raises(UsageError) as caught:
        open_dataset(folder)
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith(f"{folder}: holds more than one data set: ")
    return message


@pytest.mark.parametrize("beside", BESIDE)
@pytest.mark.parametrize("kind", KINDS)
def test_arrays_beside_a_source_that_is_a_folder(folder, kind, beside):
    KINDS[kind](folder)
    assert len(open_dataset(folder).train)
    BESIDE[beside](folder)
    message = refused(folder)
    assert f"{kind} (" in message
    assert beside in message
    # What it says opens one of them.
    command = shlex.split(message.partition("; ")[2].removeprefix("name one, as "))
    assert command[:2] == ["linprobe", "tune"]
    assert len(open_dataset(command[2]).train)


@pytest.mark.parametrize("one", KINDS)
@pytest.mark.parametrize("other", KINDS)
def test_two_of_these_beside_each_other(folder, one, other):
    if one == other:
        return
    KINDS[one](folder)
    KINDS[other](folder)
    message = refused(folder)
    assert f"{one} (" in message
    assert f"{other} (" in message


def test_what_no_path_names_alone_is_set_apart(folder):
    for name in ("train-0.tar", "train-1.tar"):
        tar(folder / name)
    idx(folder)
    message = refused(folder)
    way = message.partition("set one apart, as ")[2]
    setting, _, then = way.rpartition(" && ")
    subprocess.run(setting, shell=True, check=True)
    assert len(open_dataset(shlex.split(then)[2]).train) in (12, 24)
    assert len(open_dataset(folder).train) in (12, 24)


ABOUT = {
    "README.md": b"# About\n",
    "LICENSE": b"free",
    "info.json": b"{}",
    "labels.txt": b"a\nb\nc\n",
    "labels.csv": b"file,label\nx,1\n",
    "metadata.csv": b"key,value\nx,1\n",
    "a.parquet": b"PAR1",
    "a_stats.csv": b"key,value\nx,1\n",
    "image_ids.npy": b"",
    "sample.png": b"",
}


@pytest.mark.parametrize("kind", ["webdataset", "idx", "pictures in parquet"])
def test_what_only_says_something_of_the_data_does_not_count(folder, kind):
    KINDS[kind](folder)
    for name, content in ABOUT.items():
        if not (kind == "pictures in parquet" and name.endswith(".parquet")):
            (folder / name).write_bytes(content)
    (folder / "figures").mkdir()
    (folder / "figures" / "curve.png").write_bytes(b"")
    if kind != "webdataset":  # whose shards are called so
        (folder / "a.parquet").unlink(missing_ok=True)
        (folder / "a_stats.csv").unlink()
    assert len(open_dataset(folder).train) == 12


def test_a_run_beside_the_data_does_not_count(folder):
    tar(folder / "a.tar")
    run = folder / "runs" / "tune"
    run.mkdir(parents=True)
    (run / "run.json").write_text("{}")
    (run / "results.csv").write_text("reg,val\n1,2\n")
    (run / "model.safetensors").write_bytes(b"")
    assert len(open_dataset(folder).train) == 12


def test_an_official_folder_that_is_named_itself_is_that(folder):
    official = write_cifar10(folder)
    arrays(official)
    assert open_dataset(official).name == "cifar10"

"""open_dataset: which name or path goes where, and what is said about the rest."""

import os
import subprocess
import sys

import numpy as np
import pytest

from linprobe.data import fetch as download
from linprobe.data.formats import FILES, NAMES, WHOLE, open_dataset
from linprobe.data.formats.cifar10 import read_cifar10
from linprobe.errors import DataError, UsageError
from makers import picture, pictures, write_cifar10, write_parquet, write_tar  # pyright: ignore[reportMissingImports]


def test_digits_are_scikit_learns():
    from sklearn.datasets import load_digits

    dataset = open_dataset("digits")
    expected = load_digits()
    assert dataset.train.X.shape == (1797, 8, 8, 1)
    assert dataset.train.X.dtype == np.uint8
    assert (dataset.train.X.min(), dataset.train.X.max()) == (0, 16)
    np.testing.assert_array_equal(dataset.train.X[..., 0], expected.images)  # pyright: ignore[reportAttributeAccessIssue]
    np.testing.assert_array_equal(dataset.train.y, expected.target)  # pyright: ignore[reportAttributeAccessIssue]
    assert dataset.test is None
    assert dataset.classes == tuple("0123456789")
    assert dataset.fingerprint == open_dataset("digits").fingerprint


def test_cifar10_is_the_archive_in_the_cache(tmp_path, monkeypatch):
    archive = write_tar(write_cifar10(tmp_path), tmp_path / "cached")  # a name that says nothing
    asked = []
    monkeypatch.setattr(download, "cached", lambda name: asked.append(name) or archive)
    dataset = open_dataset("cifar10")
    assert asked == ["cifar10"]
    assert dataset.fingerprint == read_cifar10(archive).fingerprint


def test_every_kind_of_path(tmp_path):
    folder = write_cifar10(tmp_path / "official")
    expected = read_cifar10(folder).fingerprint
    archive = write_tar(folder, tmp_path / "cifar-10-python.tar.gz")
    renamed = tmp_path / "renamed"
    renamed.symlink_to(folder)
    for path in (folder, folder.parent, archive, renamed):
        assert open_dataset(path).fingerprint == expected
        assert open_dataset(str(path)).fingerprint == expected
    rows = [picture(each) for each in pictures(3)]
    file = write_parquet(tmp_path / "hub" / "data" / "train-00000-of-00001.parquet", rows, [0, 1, 0])
    for path in (file, file.parent, file.parent.parent):
        assert len(open_dataset(path).train) == 3


def test_a_name_wins_over_a_folder_of_that_name(tmp_path, monkeypatch):
    write_cifar10(tmp_path / "digits")
    monkeypatch.chdir(tmp_path)
    assert open_dataset("digits").name == "digits"
    assert open_dataset("./digits").name == "cifar10"


def test_home_is_found(tmp_path, monkeypatch):
    write_cifar10(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert open_dataset("~").name == "cifar10"


GIVE = "; give digits or cifar10, or the path of a file or folder"


@pytest.mark.parametrize(
    ("source", "finding"),
    [
        ("digit", "unknown source, did you mean digits?"),
        ("Digits", "unknown source, did you mean digits?"),
        ("cifar-10", "unknown source, did you mean cifar10?"),
        ("CIFAR10", "unknown source, did you mean cifar10?"),
        ("imagenet", f"unknown source, and no such path{GIVE}"),
        ("", f"unknown source, and no such path{GIVE}"),
        ("embedding", "unknown source, did you mean Embeddings.npy?"),
        ("embeddings.npz", "does not exist, did you mean Embeddings.npy?"),
        ("bare/../Embedings.npy", "does not exist, did you mean bare/../Embeddings.npy?"),
        ("nowhere/data", "does not exist, and there is no folder nowhere; correct the path"),
        ("/nowhere-at-all", "does not exist, and nothing in / has a similar name; correct the path"),
        ("./nowhere", "does not exist, and nothing here has a similar name; correct the path"),
        ("absent.parquet", "does not exist, and nothing here has a similar name; correct the path"),
        ("~nobody-of-this-name/x", "does not exist, and there is no folder ~nobody-of-this-name; correct the path"),
        ("bad\0name", "unknown source"),
        ("two\nlines", "unknown source"),
    ],
)
def test_what_is_not_there_is_answered_with_what_may_be_meant(tmp_path, monkeypatch, source, finding):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "Embeddings.npy").touch()
    (tmp_path / "bare").mkdir()
    with pytest.raises(UsageError) as caught:
        open_dataset(source)
    message = str(caught.value)
    place = ascii(source)[1:-1] or "(empty)"
    if "\0" in source or "\n" in source:
        assert message.startswith(f"{place}: {finding}")
    else:
        assert message == f"{place}: {finding}"
    assert "\n" not in message
    assert caught.value.exit_status == 2


@pytest.mark.parametrize(
    ("source", "finding"),
    [
        ("photo.txt", "photo.txt: linprobe can't read this kind of file; a source is digits, cifar10, .npy, "),
        ("bare", "bare: this folder has nothing that linprobe can read; a source is digits, cifar10, .npy, "),
    ],
)
def test_what_is_of_no_kind_is_answered_with_what_is_known(tmp_path, monkeypatch, source, finding):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photo.txt").write_text("x")
    (tmp_path / "bare").mkdir()
    with pytest.raises(UsageError) as caught:
        open_dataset(source)
    message = str(caught.value)
    assert message.startswith(finding)
    assert all(name in message for name in NAMES)
    assert all(kind.description in message for kind in (*WHOLE, *(file for file in FILES if file.source)))
    assert message.endswith(", or a folder or .zip of pictures, as class/1.png")
    assert "\n" not in message
    assert caught.value.exit_status == 2


def test_a_name_too_long_for_the_system():
    with pytest.raises((UsageError, DataError)) as caught:
        open_dataset("x" * 5_000)
    assert "\n" not in str(caught.value)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_what_may_not_be_read_as_a_user(tmp_path):
    folder = write_cifar10(tmp_path)
    (folder / "data_batch_1").chmod(0)
    with pytest.raises(DataError, match="data_batch_1: cannot be read: permission denied"):
        open_dataset(folder)
    folder.chmod(0)
    try:
        with pytest.raises(DataError, match="cannot be read: permission denied"):
            open_dataset(folder)
    finally:
        folder.chmod(0o700)


@pytest.mark.parametrize("method", ["open", "is_dir", "stat", "exists"])
@pytest.mark.parametrize("kind", ["folder", "archive", "parquet"])
def test_whatever_the_system_refuses_is_one_line(tmp_path, monkeypatch, kind, method):
    folder = write_cifar10(tmp_path / "folder")
    archive = write_tar(folder, tmp_path / "archive.tar.gz")
    parquet = write_parquet(tmp_path / "x.parquet", [picture(pictures(1)[0])], [0])
    path = {"folder": folder, "archive": archive, "parquet": parquet}[kind]

    def refuse(self, *arguments, **options):
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(type(path), method, refuse)
    if kind == "parquet" and method == "open":
        return  # pyarrow opens it
    with pytest.raises(DataError, match="cannot be read: permission denied; check the path and its permissions"):
        open_dataset(path)


def test_the_heavy_libraries_wait_until_they_are_needed():
    command = "import linprobe.data.formats, sys; print([m for m in ('sklearn', 'pyarrow', 'PIL') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", command], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"

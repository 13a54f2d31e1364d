"""CIFAR-100 and the binary CIFAR-10, written by pickle and byte by byte, against the arrays; and files that are bad."""

import io
import os
import pickle
import tarfile

import numpy as np
import pytest

from linprobe.data.formats import open_dataset
from linprobe.errors import DataError, LinprobeError, UnsafeFileError, UsageError
from makers import byte_keys, python2_pickle, write_tar  # pyright: ignore[reportMissingImports]

FINE = [f"fine {number}" for number in range(4)]
COARSE = ["large", "small"]
RNG = np.random.default_rng(0)
ROWS = {"train": 25, "test": 8}
DATA = {split: RNG.integers(0, 256, (rows, 3072), dtype=np.uint8) for split, rows in ROWS.items()}
LABELS = {split: [int(label) for label in RNG.integers(0, 4, rows)] for split, rows in ROWS.items()}


def pixels(split):
    """In plain loops."""
    X = np.empty((ROWS[split], 32, 32, 3), np.uint8)
    for row, values in enumerate(DATA[split]):
        for channel in range(3):
            X[row, :, :, channel] = values[1024 * channel :][:1024].reshape(32, 32)
    return X


def check(dataset, classes, name="cifar100", labels=LABELS):
    for split, examples in dataset.splits():
        np.testing.assert_array_equal(examples.X, pixels(split))
        np.testing.assert_array_equal(examples.y, labels[split])
    assert [split for split, _ in dataset.splits()] == ["train", "test"]
    assert (dataset.name, dataset.classes) == (name, tuple(classes))


def content(split, **changes):
    fine = LABELS[split]
    found = {
        "filenames": [f"{row}.png".encode() for row in range(len(fine))],
        "batch_label": b"noise",
        "fine_labels": fine,
        "coarse_labels": [label // 2 for label in fine],
        "data": DATA[split],
    }
    return found | changes


def write_python(folder, protocol=None, **changes):
    folder = folder / "cifar-100-python"
    folder.mkdir(parents=True)
    meta = {"fine_label_names": [name.encode() for name in FINE], "coarse_label_names": [n.encode() for n in COARSE]}
    for name, what in {"train": content("train"), "test": content("test"), "meta": meta}.items():
        raw = python2_pickle(what) if protocol is None else pickle.dumps(byte_keys(what), protocol)
        (folder / name).write_bytes(changes.get(name, raw))
    return folder


def write_binary(folder):
    folder = folder / "cifar-100-binary"
    folder.mkdir(parents=True)
    for split in ROWS:
        rows = [bytes([y // 2, y]) + row.tobytes() for y, row in zip(LABELS[split], DATA[split], strict=True)]
        (folder / f"{split}.bin").write_bytes(b"".join(rows))
    (folder / "fine_label_names.txt").write_text("\n".join(FINE) + "\n")
    (folder / "coarse_label_names.txt").write_text("\n".join(COARSE) + "\n")
    return folder


def write_binary_10(folder):
    folder = folder / "cifar-10-batches-bin"
    folder.mkdir(parents=True)
    rows = [bytes([y]) + row.tobytes() for y, row in zip(LABELS["train"], DATA["train"], strict=True)]
    for number in range(5):
        (folder / f"data_batch_{number + 1}.bin").write_bytes(b"".join(rows[5 * number : 5 * number + 5]))
    rows = [bytes([y]) + row.tobytes() for y, row in zip(LABELS["test"], DATA["test"], strict=True)]
    (folder / "test_batch.bin").write_bytes(b"".join(rows))
    (folder / "batches.meta.txt").write_text("\n".join(FINE) + "\n\n")
    return folder


def refused(path, kind: type[LinprobeError] = DataError, **choice):
    with pytest.raises(kind) as caught:
        open_dataset(path, **choice)
    assert "\n" not in str(caught.value)
    assert "cifar10" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("protocol", [None, 2, 3, 4, 5])
def test_pickles_in_a_folder_its_parent_and_an_archive(tmp_path, protocol):
    folder = write_python(tmp_path, protocol)
    for path in (folder, tmp_path, write_tar(folder, tmp_path / "some.tar.gz")):
        check(open_dataset(path), FINE)
        coarse = {split: [label // 2 for label in labels] for split, labels in LABELS.items()}
        check(open_dataset(path, label="coarse"), COARSE, labels=coarse)
    check(open_dataset(folder, label="fine_labels"), FINE)


def test_bytes_in_a_folder_its_parent_and_an_archive(tmp_path):
    folder = write_binary(tmp_path)
    for path in (folder, tmp_path, write_tar(folder, tmp_path / "some.tgz")):
        check(open_dataset(path), FINE)
        coarse = {split: [label // 2 for label in labels] for split, labels in LABELS.items()}
        check(open_dataset(path, label="coarse_labels"), COARSE, labels=coarse)


def test_the_bytes_of_cifar_10(tmp_path):
    folder = write_binary_10(tmp_path)
    for path in (folder, tmp_path, write_tar(folder, tmp_path / "some.tar.gz")):
        check(open_dataset(path), FINE, "cifar10")
    assert "leave it out" in refused(folder, UsageError, label="fine")


def test_labels_that_it_does_not_have(tmp_path):
    folder = write_python(tmp_path)
    assert "--label other: " in refused(folder, UsageError, label="other")
    assert "leave it out" in refused(folder, UsageError, x="data")


def test_a_folder_renamed(tmp_path):
    check(open_dataset(write_python(tmp_path).rename(tmp_path / "mine")), FINE)


class Runs:
    def __reduce__(self):
        return os.mkdir, ("/tmp/was-run",)


@pytest.mark.parametrize("name", ["train", "test", "meta"])
def test_a_pickle_that_runs_something(tmp_path, name):
    folder = write_python(tmp_path, **{name: pickle.dumps({"data": Runs()}, 4)})
    said = refused(folder, UnsafeFileError)
    assert "asks for posix.mkdir, which the images and labels of CIFAR-100 never need; nothing of it was run" in said
    assert "posix.mkdir" in refused(write_tar(folder, tmp_path / "some.tar.gz"), UnsafeFileError)


@pytest.mark.parametrize(
    ("changes", "finding"),
    [
        ({"fine_labels": [0] * 24}, "has 25 images and 24 fine_labels"),
        ({"fine_labels": "abc"}, "its fine_labels are not a list of integers"),
        ({"fine_labels": [4] * 25}, "row 0 has label 4, where the 4 named classes are 0 to 3"),
        ({"fine_labels": [2**40] * 25}, "not a list of integers"),
        ({"fine_labels": [-1] * 25}, "none of its 25 rows has a label"),
        ({"fine_labels": [0, -1] + [1] * 23}, "train has a label below 0"),
        ({"data": DATA["train"][:, :99]}, "its data is uint8 (25, 99)"),
        ({"data": None}, "its data is NoneType"),
    ],
)
def test_content_that_does_not_fit(tmp_path, changes, finding):
    folder = write_python(tmp_path, train=pickle.dumps(byte_keys(content("train", **changes)), 3))
    assert finding in refused(folder)


@pytest.mark.parametrize("write", [write_python, write_binary, write_binary_10])
def test_cut_missing_and_odd_files(tmp_path, write):
    folder = write(tmp_path)
    for file in sorted(folder.iterdir()):
        whole = file.read_bytes()
        if file.suffix != ".txt":
            for cut in (0, 1, len(whole) // 2 + 1, len(whole) - 1):
                file.write_bytes(whole[:cut])
                assert file.name in refused(folder)
        file.unlink()
        assert file.name in refused(folder)
        os.mkfifo(file)
        assert "is not a file" in refused(folder)
        file.unlink()
        file.write_bytes(whole)


def test_names_that_a_screen_cannot_show(tmp_path):
    folder = write_binary(tmp_path)
    (folder / "fine_label_names.txt").write_text("a\n\x1b[31m\nc\nd\n")
    assert "class name 1 is not printable" in refused(folder)


def test_archives_that_leave_their_folder_or_are_bombs(tmp_path):
    folder = write_binary(tmp_path)
    member = tarfile.TarInfo("../evil")
    said = refused(write_tar(folder, tmp_path / "some.tar.gz", (member, b"")), UnsafeFileError)
    assert "leads out of the archive; do not use it, download it again from its authors" in said
    with tarfile.open(tmp_path / "bomb.tar.gz", "w:gz", compresslevel=1) as archive:
        big = tarfile.TarInfo("cifar-100-binary/train.bin")
        big.size = 330 * 2**20
        archive.addfile(big, io.BytesIO(bytes(big.size)))
    assert "announces 346,030,080 bytes" in refused(tmp_path / "bomb.tar.gz", UnsafeFileError)
    with tarfile.open(tmp_path / "half.tar.gz", "w:gz") as archive:
        archive.add(folder / "train.bin", "cifar-100-binary/train.bin")
    assert "has no fine_label_names.txt" in refused(tmp_path / "half.tar.gz")

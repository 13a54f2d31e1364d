"""The official layout: folder, its parent, tar.gz, against readings by hand."""

import pickle
import shutil
import tarfile
import warnings

import numpy as np
import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st

from examples import examples  # pyright: ignore[reportMissingImports]
from linprobe.data.formats.cifar10 import CLASSES, read_cifar10
from linprobe.errors import DataError
from makers import (  # pyright: ignore[reportMissingImports]
    FILES,
    NAMES,
    TRAIN_FILES,
    byte_keys,
    meta,
    python2_pickle,
    random_batch,
    write_cifar10,
    write_tar,
)


def by_hand(folder):
    """(train images, train labels, test images, test labels) with Python's own unpickler and plain loops."""
    read = {}
    for name in FILES[:-1]:
        with warnings.catch_warnings(), (folder / name).open("rb") as file:
            warnings.simplefilter("ignore")  # numpy 2 about the alignment flag as Python 2 wrote it
            content = pickle.load(file, encoding="bytes")
        images = np.empty((len(content[b"labels"]), 32, 32, 3), np.uint8)
        for row, values in enumerate(content[b"data"]):
            for channel in range(3):
                images[row, :, :, channel] = values[1024 * channel :][:1024].reshape(32, 32)
        read[name] = images, np.array(content[b"labels"])
    train = [read[name] for name in TRAIN_FILES]
    return np.concatenate([x for x, _ in train]), np.concatenate([y for _, y in train]), *read["test_batch"]


def assert_is(dataset, folder):
    train, train_labels, test, test_labels = by_hand(folder)
    np.testing.assert_array_equal(dataset.train.X, train)
    np.testing.assert_array_equal(dataset.train.y, train_labels)
    np.testing.assert_array_equal(dataset.test.X, test)
    np.testing.assert_array_equal(dataset.test.y, test_labels)
    assert dataset.classes == tuple(NAMES) == CLASSES
    assert dataset.name == "cifar10"
    assert dataset.train.X.flags.c_contiguous
    assert dataset.test.X.flags.c_contiguous


@given(
    protocol=st.sampled_from([None, 2, 3, 4, 5]),
    rows=st.integers(1, 5),
    seed=st.integers(0, 99),
    order=st.permutations(FILES),
)
@examples(25, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_folder_parent_and_archive_are_read_as_python_reads_them(tmp_path, protocol, rows, seed, order):
    root = tmp_path / "one"
    shutil.rmtree(root, ignore_errors=True)
    folder = write_cifar10(root, rows, protocol, seed)
    dataset = read_cifar10(folder)
    assert_is(dataset, folder)
    assert read_cifar10(str(root)).fingerprint == dataset.fingerprint

    archive = root / "cifar-10-python.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:  # members in any order, the folder itself not among them
        for name in order:
            tar.add(folder / name, f"./{folder.name}/{name}")
    assert read_cifar10(archive).fingerprint == dataset.fingerprint


def test_an_archive_with_its_folder_and_other_files(tmp_path):
    folder = write_cifar10(tmp_path, rows=3)
    (folder / "readme.html").write_text("not needed")
    (folder / "._data_batch_1").write_bytes(b"what a Mac leaves behind")
    archive = write_tar(folder, tmp_path / "any name.tgz")
    assert read_cifar10(archive).fingerprint == read_cifar10(folder).fingerprint
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["any name.tgz", folder.name]  # nothing unpacked


def test_a_folder_under_another_name(tmp_path):
    folder = write_cifar10(tmp_path)
    renamed = folder.rename(tmp_path / "batches")
    assert_is(read_cifar10(renamed), renamed)


def test_labels_may_have_been_saved_again_as_an_array(tmp_path):
    content = random_batch(4, np.random.default_rng(5))
    as_array = content | {"labels": np.array(content["labels"])}
    folder = write_cifar10(tmp_path, data_batch_2=pickle.dumps(byte_keys(as_array), 5))
    np.testing.assert_array_equal(read_cifar10(folder).train.y[4:8], content["labels"])


def test_batches_may_have_different_lengths(tmp_path):
    folder = write_cifar10(tmp_path, data_batch_3=python2_pickle(random_batch(7, np.random.default_rng(1))))
    dataset = read_cifar10(folder)
    assert len(dataset.train) == 4 * 4 + 7
    assert_is(dataset, folder)


def batch(**changes):
    content = random_batch(4, np.random.default_rng(0)) | changes
    return python2_pickle({key: value for key, value in content.items() if value is not None})


WRONG = {
    "data_batch_1": [
        (b"", "is empty"),
        (batch(data=None), "holds batch_label, labels, filenames, where data and labels are expected"),
        (batch(labels=None, fine_labels=[1]), "holds batch_label, data, filenames, fine_labels, where"),
        (python2_pickle({}), "holds nothing, where data and labels are expected"),
        (batch(data=np.zeros((4, 3071), np.uint8)), r"its data is uint8 \(4, 3071\), where uint8 \(n, 3072\)"),
        (batch(data=np.zeros(3072, np.uint8)), r"its data is uint8 \(3072,\)"),
        (batch(data=np.zeros((4, 3072), np.int8)), r"its data is int8 \(4, 3072\)"),
        (batch(data=b"x" * 3072), "its data is bytes"),
        (batch(labels=[1, 2, 3]), "has 4 images and 3 labels"),
        (batch(labels=[1, 2, 3, 4, 5]), "has 4 images and 5 labels"),
        (batch(labels=[], data=np.zeros((0, 3072), np.uint8)), "has 0 images and 0 labels"),
        (batch(labels=[0, 1, 10, 2]), "row 2 has label 10, outside the 10 classes"),
        (batch(labels=[0, -1, 1, 2]), "row 1 has label -1, outside the 10 classes"),
        (batch(labels=["cat", 1, 2, 3]), "its labels are not a list of integers"),
        (batch(labels=[[1], 1, 2, 3]), "its labels are not a list of integers"),
        (batch(labels=b"1234"), "its labels are not a list of integers"),
        (
            pickle.dumps(byte_keys(random_batch(4, np.random.default_rng(0)) | {"labels": [True] * 4}), 2),
            "not a list of",
        ),
        (batch()[:-1], r"ends after [\d,]+ of at least [\d,]+ bytes"),
        (batch()[:-9], r"ends after [\d,]+ of at least [\d,]+ bytes"),
        (batch()[: len(batch()) // 2], r"ends after [\d,]+ of at least [\d,]+ bytes"),
        (b"<html>404 Not Found</html>", "is not a pickle"),
    ],
    "batches_meta": [
        (b"", "is empty"),
        (python2_pickle({"num_vis": 3072}), "has no list of class names"),
        (python2_pickle(meta([])), "has no list of class names"),
        (python2_pickle(meta(NAMES[:9])), "outside the 9 classes"),
        (python2_pickle(meta([*NAMES[:9], "cat"])), "names two classes cat"),
        (python2_pickle(meta([*NAMES[:9], "\x1b[2J"])), "class name 9 is not printable text"),
        (python2_pickle(meta([*NAMES[:9], "x" * 101])), "class name 9 is not printable text"),
        (python2_pickle({"label_names": [b"\xff"]}), "class name 0 is not printable text"),
        (python2_pickle({"label_names": [1]}), "class name 0 is not printable text"),
        (python2_pickle({"label_names": b"cat"}), "has no list of class names"),
    ],
}
WRONG["test_batch"] = WRONG["data_batch_1"][:5]


@pytest.mark.parametrize("packed", [False, True], ids=["folder", "archive"])
@pytest.mark.parametrize(("file", "raw", "finding"), [(file, *case) for file, cases in WRONG.items() for case in cases])
def test_a_wrong_file_is_said_in_one_line(tmp_path, file, raw, finding, packed):
    # Twenty rows, so that every label occurs.
    folder = write_cifar10(tmp_path, rows=20, **{file: raw})
    path = write_tar(folder, tmp_path / "cifar-10-python.tar.gz") if packed else folder
    with pytest.raises(DataError, match=finding) as caught:
        read_cifar10(path)
    message = str(caught.value)
    named = file if "outside the 9" not in finding else "data_batch_1"
    assert named.replace("batches_meta", "batches.meta") in message
    assert message.startswith(str(path))
    assert message.endswith("fetch it again: linprobe fetch cifar10")
    assert "\n" not in message


@pytest.mark.parametrize("name", FILES)
def test_a_missing_file_is_named(tmp_path, name):
    folder = write_cifar10(tmp_path)
    (folder / name).unlink()
    archive = write_tar(folder, tmp_path / "cifar-10-python.tar.gz")
    for path in (folder, archive):
        with pytest.raises(DataError, match=f"has no {name}; fetch it again: linprobe fetch cifar10"):
            read_cifar10(path)


def test_all_missing_files_are_named_at_once(tmp_path):
    folder = write_cifar10(tmp_path)
    (folder / "data_batch_2").unlink()
    (folder / "test_batch").unlink()
    with pytest.raises(DataError, match="has no data_batch_2, test_batch;"):
        read_cifar10(folder)


def test_what_is_not_there_or_not_a_file(tmp_path):
    with pytest.raises(DataError, match=r"absent\.tar\.gz: is not a file"):
        read_cifar10(tmp_path / "absent.tar.gz")
    folder = write_cifar10(tmp_path)
    (folder / "data_batch_1").unlink()
    (folder / "data_batch_1").mkdir()
    with pytest.raises(DataError, match="data_batch_1: is not a file"):
        read_cifar10(folder)

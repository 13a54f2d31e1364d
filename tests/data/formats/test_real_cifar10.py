"""All of CIFAR-10, in each of its formats: the same arrays."""

import pickle
import warnings
from pathlib import Path

import numpy as np
import pytest

from linprobe.data.formats import open_dataset
from makers import FILES, FOLDER, NAMES, TRAIN_FILES  # pyright: ignore[reportMissingImports]

pytestmark = [pytest.mark.real_data, pytest.mark.xdist_group("official files")]


def by_hand(folder: Path) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """data (n, 3072) and labels of each batch, by Python's own unpickler."""
    found = {}
    for name in FILES[:-1]:
        with warnings.catch_warnings(), (folder / name).open("rb") as file:
            warnings.simplefilter("ignore")  # numpy 2 about the alignment flag as Python 2 wrote it
            content = pickle.load(file, encoding="bytes")
        found[name] = content[b"data"], np.array(content[b"labels"])
    return found


def channel_major(images: np.ndarray) -> np.ndarray:
    return np.concatenate([images[..., channel].reshape(len(images), -1) for channel in range(3)], axis=1)


def test_parquet_folder_and_archive_are_the_same_and_what_python_reads(official_cifar10, shared):
    sources = {
        "parquet": shared / "data" / "cifar10",
        "folder": official_cifar10,
        "archive": official_cifar10.with_name("cifar-10-python.tar.gz"),
    }
    datasets = {name: open_dataset(source) for name, source in sources.items()}
    assert len({dataset.fingerprint for dataset in datasets.values()}) == 1

    batches = by_hand(official_cifar10)
    for dataset in datasets.values():
        assert dataset.name == "cifar10"
        assert dataset.classes == tuple(NAMES)
        assert dataset.train.X.shape == (50_000, 32, 32, 3)
        assert dataset.test is not None
        np.testing.assert_array_equal(dataset.train.y, np.concatenate([batches[name][1] for name in TRAIN_FILES]))
        np.testing.assert_array_equal(dataset.test.y, batches["test_batch"][1])
        np.testing.assert_array_equal(channel_major(dataset.test.X), batches["test_batch"][0])
        for number, name in enumerate(TRAIN_FILES):
            rows = dataset.train.take(slice(10_000 * number, 10_000 * (number + 1)))
            np.testing.assert_array_equal(channel_major(rows.X), batches[name][0])


def test_a_real_batch_that_was_cut_off_is_said_with_its_sizes(official_cifar10, tmp_path):
    from linprobe.errors import DataError

    folder = tmp_path / FOLDER
    folder.mkdir()
    for name in FILES:
        (folder / name).symlink_to(official_cifar10 / name)
    whole = (official_cifar10 / "data_batch_1").read_bytes()
    (folder / "data_batch_1").unlink()
    (folder / "data_batch_1").write_bytes(whole[: 3 * 2**20])
    with pytest.raises(
        DataError, match=r"data_batch_1: ends after 3,145,728 of at least 30,7\d\d,\d\d\d bytes; fetch it"
    ):
        open_dataset(folder)

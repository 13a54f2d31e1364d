"""The forms met in public repositories, as the two scripts beside the checkout write them."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from linprobe.data.formats import open_dataset
from linprobe.errors import UsageError

pytest.importorskip("pyarrow")

ABOVE = [folder / "shared" / "cases" / "data" for folder in Path(__file__).resolve().parents]
SCRIPTS = next((folder for folder in ABOVE if folder.is_dir()), None)
pytestmark = pytest.mark.skipif(SCRIPTS is None, reason="shared/cases/data is not beside this checkout")

NAMES = ("ash", "birch", "cedar", "durian")
NUMBERS = ("0", "1", "2", "3")


def made(script, folder):
    assert SCRIPTS is not None
    subprocess.run([sys.executable, SCRIPTS / script, folder], check=True, capture_output=True, timeout=300)
    return folder


@pytest.fixture(scope="module")
def forms(tmp_path_factory):
    return made("make_embedding_files.py", tmp_path_factory.mktemp("forms"))


@pytest.fixture(scope="module")
def hub(tmp_path_factory):
    return made("make_hub_layouts.py", tmp_path_factory.mktemp("hub") / "hub")


FORMS = [
    ("X_y_strings.npz", (120, 0, 0), 32, NAMES),
    ("X_y_paths_labels_objects.npz", (120, 0, 0), 32, NAMES),
    ("positional.npz", (80, 0, 40), 32, NAMES),
    ("features_labels_paths.npz", (120, 0, 0), 32, NUMBERS),
    ("embeddings_targets_names.npz", (120, 0, 0), 32, NAMES),
    ("splits_in_one.npz", (80, 20, 20), 32, NUMBERS),
    ("splits_as_files", (80, 20, 20), 32, NAMES),
    ("npy_pairs", (100, 0, 20), 32, NUMBERS),
    ("object_table.npy", (120, 0, 0), 4, NAMES),
    ("label_column.csv", (120, 0, 0), 32, NAMES),
    ("embedding_text.csv", (120, 0, 0), 32, NAMES),
    ("no_header.tsv", (120, 0, 0), 32, NUMBERS),
    ("plus_minus.libsvm", (120, 0, 0), 32, ("-1", "1")),
    ("column_y.mat", (120, 0, 0), 32, NUMBERS),
    ("features_labels.pt", (120, 0, 0), 32, NUMBERS),
    ("bf16.pt", (120, 0, 0), 32, NUMBERS),
    ("embeddings_labels.h5", (120, 0, 0), 32, NUMBERS),
]
PICTURES = [
    ("idx", (100, 0, 20), (28, 28, 1), NUMBERS),
    ("imagefolder", (100, 0, 20), (28, 28, 3), NAMES),
    ("webdataset-000000.tar", (20, 0, 0), (28, 28, 1), NUMBERS),
    ("onehot.h5", (120, 0, 0), (28, 28, 1), NUMBERS),
]
BESIDE = ["extra_axis.npy", "onehot_labels.npy", "no_header_labels.tsv"]


def labels():
    """What both scripts draw first."""
    return np.random.default_rng(0).permutation(np.arange(120) % 4)


@pytest.mark.sampled(4)
@pytest.mark.parametrize(("name", "sizes", "width", "classes"), FORMS)
def test_every_form_of_embeddings_opens_without_an_option(forms, name, sizes, width, classes):
    if name.endswith(".pt"):
        pytest.importorskip("torch")  # which makes it
    dataset = open_dataset(forms / name)
    found = tuple(0 if part is None else len(part) for part in (dataset.train, dataset.val, dataset.test))
    assert (found, dataset.train.X.shape[1:], dataset.classes) == (sizes, (width,), classes)
    # The classes of the forms are far apart: centroids of half of the rows find those of the other half.
    X, y = np.asarray(dataset.train.X, float), dataset.train.y
    if width == 32:
        means = np.stack([X[::2][y[::2] == k].mean(axis=0) for k in range(len(classes))])
        distance = ((X[1::2, None] - means) ** 2).sum(axis=2)
        assert (distance.argmin(axis=1) == y[1::2]).mean() > 0.9
    kept = labels() % 2 if len(classes) == 2 else labels()
    np.testing.assert_array_equal(y, kept[: len(y)])


@pytest.mark.parametrize(("name", "sizes", "shape", "classes"), PICTURES)
def test_every_form_of_pictures_opens_without_an_option(forms, name, sizes, shape, classes, tmp_path, monkeypatch):
    monkeypatch.setenv("LINPROBE_DATA", str(tmp_path))
    dataset = open_dataset(forms / name)
    found = tuple(0 if part is None else len(part) for part in (dataset.train, dataset.val, dataset.test))
    assert (found, dataset.train.X.shape[1:], dataset.classes) == (sizes, shape, classes)
    if name != "imagefolder":  # whose examples are in the order of their classes
        np.testing.assert_array_equal(dataset.train.y, labels()[: len(dataset.train)])


def test_nothing_that_the_scripts_write_is_left_out(forms, hub):
    pytest.importorskip("torch")
    assert {path.name for path in forms.iterdir()} == {name for name, *_ in FORMS + PICTURES} | set(BESIDE)
    assert {path.name for path in hub.iterdir()} == {name for name, *_ in LAYOUTS}


def test_what_belongs_to_a_file_beside_it_opens_with_it(forms):
    for name in BESIDE:
        with pytest.raises(UsageError, match=r"no (labels|features) found in "):
            open_dataset(forms / name)
    with pytest.raises(UsageError, match=r"as --label onehot_labels\.npy"):
        open_dataset(forms / "extra_axis.npy")
    expected = open_dataset(forms / "no_header.tsv", label="no_header_labels.tsv").train
    found = open_dataset(forms / "extra_axis.npy", label="onehot_labels.npy").train
    np.testing.assert_array_equal(found.y, expected.y)
    np.testing.assert_array_equal(found.y, labels())
    np.testing.assert_allclose(found.X, expected.X, atol=1e-5)


IMAGES = (8, 8, 3)


LAYOUTS = [
    ("string_label.parquet", {}, IMAGES, (40, 0, 0), "abcd"),
    ("labels_beans.parquet", {}, IMAGES, (40, 0, 0), "abcd"),
    ("labels_no_metadata.parquet", {}, IMAGES, (40, 0, 0), "0123"),
    ("cifar100.parquet", {"label": "fine_label"}, IMAGES, (40, 0, 0), "abcd"),
    ("jpg_column.parquet", {}, IMAGES, (40, 0, 0), "0123"),
    ("raw_bytes.parquet", {}, IMAGES, (40, 0, 0), "0123"),
    ("webp.parquet", {}, IMAGES, (40, 0, 0), "0123"),
    ("embedding_list.parquet", {}, (6,), (40, 0, 0), "0123"),
    ("embedding_fixed.parquet", {}, (6,), (40, 0, 0), "0123"),
    ("wide_columns.parquet", {}, (6,), (40, 0, 0), "abcd"),
    ("dictionary_label.parquet", {}, IMAGES, (40, 0, 0), "abcd"),
    ("converted", {}, IMAGES, (40, 0, 40), "abcd"),
    ("hashed", {}, IMAGES, (40, 40, 0), "0123"),
    ("bare", {}, IMAGES, (40, 0, 40), "0123"),
    ("minus", {}, IMAGES, (40, 0, 0), "0123"),
    ("nulls.parquet", {}, IMAGES, (39, 0, 0), "0123"),
]


@pytest.mark.parametrize(("name", "options", "shape", "sizes", "classes"), LAYOUTS)
def test_every_layout_of_the_hub_is_read(hub, name, options, shape, sizes, classes):
    dataset = open_dataset(hub / name, **options)
    found = tuple(0 if part is None else len(part) for part in (dataset.train, dataset.val, dataset.test))
    assert (found, dataset.train.X.shape[1:], dataset.classes) == (sizes, shape, tuple(classes))
    np.testing.assert_array_equal(dataset.train.y, (np.arange(40) % 4)[40 - sizes[0] :])
    assert any("withheld" in note for note in dataset.notes) == (name == "minus")
    assert any("1 of 40 rows has no label" in note for note in dataset.notes) == (name == "nulls.parquet")


def test_two_columns_of_labels_name_the_option(hub):
    with pytest.raises(UsageError, match=r"fine_label .*, coarse_label .*; choose one, as --label fine_label"):
        open_dataset(hub / "cifar100.parquet")

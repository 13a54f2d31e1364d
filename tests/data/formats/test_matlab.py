"""MATLAB's files as SciPy writes them, against the arrays that were saved; and damaged ones."""

import struct
import zlib

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st
from scipy.io import savemat

from linprobe.data.formats import matlab, open_dataset
from linprobe.errors import DataError, LinprobeError, UnsafeFileError

N = 24
X = np.random.default_rng(0).normal(size=(N, 5))
Y = np.arange(N) % 3
NAMES = ["ash", "birch", "cedar"]


def refused(path, kind: type[LinprobeError] = DataError):
    with pytest.raises(kind) as caught:
        open_dataset(path)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("dtype", ["float64", "float32", "uint8", "int16"])
@pytest.mark.parametrize("turn", ["column", "row"])
def test_a_matrix_and_its_labels(tmp_path, packed, dtype, turn):
    values = (10 * X).astype(dtype)
    labels = Y[:, None] if turn == "column" else Y[None]
    savemat(tmp_path / "some.mat", {"fea": values, "y": labels, "about": {"made": "here"}}, do_compression=packed)
    dataset = open_dataset(tmp_path / "some.mat")
    np.testing.assert_array_equal(dataset.train.X, values)
    np.testing.assert_array_equal(dataset.train.y, Y)
    assert dataset.train.X.dtype == dtype
    assert dataset.name == "some"


def test_texts_as_labels_in_letters_and_in_cells(tmp_path):
    texts = [NAMES[k] for k in Y]
    cells = np.empty((N, 1), object)
    cells[:, 0] = texts
    for labels in (cells, np.array(texts)):
        savemat(tmp_path / "some.mat", {"X": X, "labels": labels})
        dataset = open_dataset(tmp_path / "some.mat")
        assert dataset.classes == tuple(NAMES)
        np.testing.assert_array_equal(dataset.train.y, Y)


def test_names_of_classes_beside_numbers(tmp_path):
    cells = np.empty((1, 3), object)
    cells[0] = NAMES
    savemat(tmp_path / "some.mat", {"X": X, "y": Y, "classes": cells})
    assert open_dataset(tmp_path / "some.mat").classes == tuple(NAMES)


def test_pictures_that_lie_last_as_street_numbers_do(tmp_path):
    pictures = np.random.default_rng(1).integers(0, 256, (N, 5, 6, 3), dtype=np.uint8)
    for split, cut in (("train", slice(0, 16)), ("test", slice(16, N))):
        last = np.moveaxis(pictures[cut], 0, -1)
        savemat(tmp_path / f"{split}_32x32.mat", {"X": last, "y": (Y[cut] + 1)[:, None].astype(np.uint8)})
    dataset = open_dataset(tmp_path)
    np.testing.assert_array_equal(dataset.train.X, pictures[:16])
    assert dataset.test is not None
    np.testing.assert_array_equal(dataset.test.X, pictures[16:])
    assert dataset.classes == ("1", "2", "3")


def test_sparse_features_and_another_byte_order(tmp_path):
    values = np.where(X > 0, np.round(X, 3), 0)
    savemat(tmp_path / "some.mat", {"X": sp.csc_matrix(values), "y": Y})
    np.testing.assert_array_equal(open_dataset(tmp_path / "some.mat").train.X, values)
    savemat(tmp_path / "old.mat", {"X": X, "y": Y}, format="4")
    np.testing.assert_array_equal(open_dataset(tmp_path / "old.mat").train.X, X)


def test_splits_in_one_file(tmp_path):
    cut = slice(0, 16), slice(16, N)
    savemat(tmp_path / "s.mat", {"X_train": X[cut[0]], "y_train": Y[cut[0]], "X_test": X[cut[1]], "y_test": Y[cut[1]]})
    dataset = open_dataset(tmp_path / "s.mat")
    np.testing.assert_array_equal(dataset.train.X, X[cut[0]])
    assert dataset.test is not None
    np.testing.assert_array_equal(dataset.test.y, Y[cut[1]])


def test_the_hdf5_of_matlab_7_3_is_told(tmp_path):
    path = tmp_path / "some.mat"
    path.write_bytes(b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(512) + b"\x89HDF\r\n\x1a\n" + bytes(64))
    assert "-v7" in refused(path)


def test_cells_that_are_no_texts_and_files_without_matrices_are_refused(tmp_path):
    cells = np.empty((N, 1), object)
    cells[:, 0] = [np.ones(3)] * N
    savemat(tmp_path / "some.mat", {"X": X, "labels": cells})
    assert "no texts" in refused(tmp_path / "some.mat")
    savemat(tmp_path / "some.mat", {"about": {"made": "here"}})
    assert "no matrices" in refused(tmp_path / "some.mat")


def test_a_matrix_that_claims_more_than_its_file_can_hold_takes_no_memory(tmp_path):
    savemat(tmp_path / "some.mat", {"X": X, "y": Y})
    raw = bytearray((tmp_path / "some.mat").read_bytes())
    place = raw.index(struct.pack("<ii", N, 5))
    raw[place : place + 8] = struct.pack("<ii", 2**31 - 1, 5)
    (tmp_path / "some.mat").write_bytes(raw)
    assert "claims 2,147,483,647 x 5 values" in refused(tmp_path / "some.mat", UnsafeFileError)


def test_one_name_for_two_matrices_is_refused(tmp_path):
    savemat(tmp_path / "some.mat", {"X": X, "y": Y, "Z": X})
    raw = (tmp_path / "some.mat").read_bytes().replace(b"\x01\x00\x01\x00Z", b"\x01\x00\x01\x00X")
    (tmp_path / "some.mat").write_bytes(raw)
    assert "comes twice" in refused(tmp_path / "some.mat", UnsafeFileError)


@given(st.data())
def test_damage_anywhere_is_one_line_or_other_numbers(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("mat") / "some.mat"
    savemat(path, {"X": X[:6], "y": Y[:6], "names": np.array(NAMES)}, do_compression=data.draw(st.booleans()))
    raw = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(raw[: data.draw(st.integers(1, len(raw)))])
    found = None
    try:
        for entry in matlab.entries(path):
            entry.load()
    except LinprobeError as error:
        found = str(error)
    assert "\n" not in (found or "")


def test_a_stream_that_unfolds_without_end_is_refused_before_it_does(tmp_path):
    inner = struct.pack("<IIIIII", 6, 8, 6, 0, 5, 8) + struct.pack("<ii", 2**16, 2**16)
    inner = struct.pack("<II", 14, len(inner) + 16 + 8) + struct.pack("<II", 6, 8) + struct.pack("<II", 6, 0)
    inner += struct.pack("<II", 5, 8) + struct.pack("<ii", 2**16, 2**16) + struct.pack("<HH", 1, 1) + b"X\0\0\0"
    packed = zlib.compress(inner + struct.pack("<II", 9, 2**31) + bytes(2**20))
    head = b"MATLAB 5.0 MAT-file".ljust(124) + struct.pack("<H", 0x0100) + b"IM"
    (tmp_path / "some.mat").write_bytes(head + struct.pack("<II", 15, len(packed)) + packed)
    assert "do not use it" in refused(tmp_path / "some.mat", UnsafeFileError)

"""MATLAB files whose elements are not what SciPy takes them for, which would end the process: refused in one line."""

import struct
import zlib

import numpy as np
import pytest

from linprobe.data.formats import open_dataset
from linprobe.errors import DataError


def refused(path):
    with pytest.raises(DataError) as caught:
        open_dataset(path)
    assert str(caught.value).isprintable()
    return str(caught.value)


def element(kind, content):
    return struct.pack("<II", kind, len(content)) + content + bytes(-len(content) % 8)


def matrix(code, shape, *parts, name=b""):
    """A matrix of a class, of these elements, as the format has it."""
    head = element(6, struct.pack("<II", code, 0)) + element(5, struct.pack(f"<{len(shape)}i", *shape))
    return element(14, head + element(1, name) + b"".join(parts))


def write_matrices(path, *matrices):
    path.write_bytes(b"MATLAB 5.0 MAT-file".ljust(124) + struct.pack("<H", 0x0100) + b"IM" + b"".join(matrices))


DOUBLES = element(9, np.ones((3, 2)).tobytes())
TEXT = matrix(4, (1, 3), element(16, b"ash"))
LABELS = matrix(6, (3, 1), element(9, np.arange(3.0).tobytes()), name=b"y")


def test_what_the_next_ones_are_made_from_is_read(tmp_path):
    write_matrices(
        tmp_path / "some.mat", matrix(6, (3, 2), DOUBLES, name=b"X"), matrix(1, (3, 1), *[TEXT] * 3, name=b"y")
    )
    dataset = open_dataset(tmp_path / "some.mat")
    np.testing.assert_array_equal(dataset.train.X, np.ones((3, 2)))
    assert dataset.classes == ("ash",)


@pytest.mark.parametrize(
    "hostile",
    [
        matrix(6, (3, 2), element(1280, DOUBLES[8:]), name=b"X"),  # a type that is none
        matrix(6, (3, 2), element(10, DOUBLES[8:]), name=b"X"),
        matrix(6, (3, 2), element(14, DOUBLES[8:]), name=b"X"),
        matrix(6, (3, 2), name=b"X"),  # no values: those of the next matrix would be read
        matrix(6, (3, 2), DOUBLES, DOUBLES, name=b"X"),
        matrix(6 + 0x800, (3, 2), DOUBLES, name=b"X"),  # no imaginary part
        matrix(5, (3, 2), element(5, bytes(12)), element(5, bytes(12)), name=b"X"),
        element(14, matrix(6, (3, 2), DOUBLES, name=b"X")[8:-8]),
    ],
)
@pytest.mark.parametrize("packed", [False, True])
def test_elements_that_would_end_the_process_are_refused(tmp_path, hostile, packed):
    if packed:
        stream = zlib.compress(hostile)
        hostile = struct.pack("<II", 15, len(stream)) + stream
    write_matrices(tmp_path / "some.mat", hostile, LABELS)
    assert "is not an intact .mat file" in refused(tmp_path / "some.mat")


@pytest.mark.parametrize("cells", [[TEXT] * 2, [TEXT, DOUBLES, TEXT], [TEXT, TEXT, matrix(4, (1, 3))]])
def test_cells_that_would_end_the_process_are_refused(tmp_path, cells):
    write_matrices(tmp_path / "some.mat", matrix(6, (3, 2), DOUBLES, name=b"X"), matrix(1, (3, 1), *cells, name=b"y"))
    assert "is not an intact .mat file" in refused(tmp_path / "some.mat")


@pytest.mark.parametrize(
    ("rows", "starts"),
    [((0, 10**8), (0, 1, 2)), ((0, -1), (0, 1, 2)), ((0, 1), (0, 2 * 10**8, 2)), ((0, 1), (0, 1, 10**8))],
)
def test_a_sparse_matrix_that_points_elsewhere_is_refused(tmp_path, rows, starts):
    parts = [element(5, np.array(rows, "<i4").tobytes()), element(5, np.array(starts, "<i4").tobytes())]
    write_matrices(
        tmp_path / "some.mat", matrix(5, (3, 2), *parts, element(9, np.ones(2).tobytes()), name=b"X"), LABELS
    )
    assert "is not an intact .mat file" in refused(tmp_path / "some.mat")


def test_numbers_of_another_computer_are_refused_and_not_taken_for_others(tmp_path):
    """As those of a VAX, of which SciPy warns only, and goes on."""
    raw = struct.pack("<iiiii", 2000, 3, 2, 0, 2) + b"X\0" + np.ones(6).tobytes()
    (tmp_path / "some.mat").write_bytes(raw)
    assert "is not an intact .mat file" in refused(tmp_path / "some.mat")

"""HDF5 files that lead elsewhere, fill the memory or want a program; none may, and each is refused in one line."""

import os
import resource
import shutil
import zlib

import numpy as np
import pytest

from linprobe.data.formats import hdf5 as module
from linprobe.data.formats import open_dataset
from linprobe.errors import DataError, LinprobeError, UnsafeFileError

h5py = pytest.importorskip("h5py")

N = 30
X, Y = np.ones((N, 4), np.float32), np.arange(N) % 3


def refused(path, kind: type[LinprobeError] = DataError):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(kind) as caught:
        open_dataset(path)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 2**17  # KiB
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 500
    return str(caught.value)


@pytest.fixture
def secret(tmp_path):
    """A file that another one must not lead to."""
    path = tmp_path / "secret.h5"
    with h5py.File(path, "w") as file:
        file["X"], file["y"] = X, Y
    (tmp_path / "secret.bin").write_bytes(X.tobytes())
    return path


@pytest.mark.parametrize("name", ["X", "group/X", "unused"])
def test_links_to_other_files_are_refused(tmp_path, secret, name):
    with h5py.File(tmp_path / "some.h5", "w") as file:
        file["y"] = Y
        file["features"] = X
        file[name] = h5py.ExternalLink(str(secret), "/X")
    assert f"{name} is a link to another file" in refused(tmp_path / "some.h5", UnsafeFileError)


@pytest.mark.parametrize("target", ["/elsewhere/X", "/nothing", "/X", "../secret.h5"])
def test_soft_links_lead_nowhere(tmp_path, secret, target):
    with h5py.File(tmp_path / "some.h5", "w") as file:
        file["y"] = Y
        file["X"] = h5py.SoftLink(target)
        if target == "/elsewhere/X":
            file["elsewhere"] = h5py.ExternalLink(str(secret), "/")
    refused(tmp_path / "some.h5", LinprobeError)


def test_values_in_other_files_are_refused(tmp_path, secret):
    for name in ("X", "unused"):
        with h5py.File(tmp_path / "some.h5", "w") as file:
            file["y"], file["features"] = Y, X
            external = [(str(tmp_path / "secret.bin"), 0, X.nbytes)]
            file.create_dataset(name, X.shape, X.dtype, external=external)
        assert f"{name} has its values in other files" in refused(tmp_path / "some.h5", UnsafeFileError)
        with h5py.File(tmp_path / "some.h5", "w") as file:
            layout = h5py.VirtualLayout(X.shape, X.dtype)
            layout[:] = h5py.VirtualSource(str(secret), "X", X.shape)
            file["y"] = Y
            file.create_virtual_dataset(name, layout)
        assert f"{name} has its values in other files" in refused(tmp_path / "some.h5", UnsafeFileError)


def test_filters_that_are_code_from_elsewhere_are_refused_where_they_are_needed(tmp_path):
    with h5py.File(tmp_path / "some.h5", "w") as file:
        file["y"] = Y
        space, properties = h5py.h5s.create_simple(X.shape), h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        properties.set_chunk(X.shape)
        properties.set_filter(32001, h5py.h5z.FLAG_OPTIONAL, ())
        dataset = h5py.h5d.create(file.id, b"X", h5py.h5t.IEEE_F32LE, space, properties)
        dataset.write_direct_chunk((0, 0), X.tobytes())
        file["unused"] = file["X"]
    message = refused(tmp_path / "some.h5")
    assert "is packed by filter 32001" in message
    assert "save it again with compression='gzip'" in message
    with h5py.File(tmp_path / "some.h5", "a") as file:
        file["features"] = X
    assert len(open_dataset(tmp_path / "some.h5", x="features").train) == N


@pytest.mark.parametrize("kind", ["ref_dtype", "regionref_dtype", "vlen"])
def test_references_and_lists_are_refused_where_they_are_needed(tmp_path, kind):
    dtype = h5py.vlen_dtype(np.int32) if kind == "vlen" else getattr(h5py, kind)
    with h5py.File(tmp_path / "some.h5", "w") as file:
        file["X"] = X
        labels = file.create_dataset("y", (N,), dtype)
        for row in range(N):
            match kind:
                case "vlen":
                    labels[row] = [1, 2]
                case "ref_dtype":
                    labels[row] = file["X"].ref
                case _:
                    labels[row] = file["X"].regionref[:2]
    assert "y holds references or lists" in refused(tmp_path / "some.h5")


@pytest.mark.parametrize("shape", [(2**40, 4), (2**20, 2**13)])
@pytest.mark.parametrize("options", [{}, {"chunks": (64, 4)}, {"chunks": (64, 4), "compression": "gzip"}])
@pytest.mark.parametrize("written", [False, True])
def test_what_was_never_written_is_refused(tmp_path, shape, options, written):
    with h5py.File(tmp_path / "some.h5", "w") as file:
        file["y"] = Y
        dataset = file.create_dataset("X", shape, "f4", **options)
        if written and options:
            dataset[:64, :4] = 1
    refused(tmp_path / "some.h5")


def test_chunks_that_unfold_are_refused(tmp_path):
    with h5py.File(tmp_path / "some.h5", "w") as file:
        file["y"] = Y
        # One chunk of 1 GiB of zeros is a megabyte, of which a row is asked for.
        dataset = file.create_dataset(
            "X", (N, 4), "f4", chunks=(2**15, 2**13), maxshape=(None, None), compression="gzip"
        )
        dataset.id.write_direct_chunk((0, 0), b"x\x9c" + bytes(100))
    assert "chunks larger than all its values" in refused(tmp_path / "some.h5", UnsafeFileError)


@pytest.mark.parametrize("size", [0, 8, 2**64 - 16, 2**40])
def test_a_heap_of_texts_that_never_ends_is_refused(tmp_path, size):
    with h5py.File(tmp_path / "some.h5", "w") as file:
        file["X"], file["y"] = X, ["a", "b", "c"] * (N // 3)
    raw = bytearray((tmp_path / "some.h5").read_bytes())
    start = raw.index(b"GCOL") + 16
    raw[start : start + 2] = bytes(2)
    raw[start + 8 : start + 16] = size.to_bytes(8, "little")
    (tmp_path / "some.h5").write_bytes(raw)
    assert "its texts are damaged" in refused(tmp_path / "some.h5")


@pytest.mark.parametrize("options", [{}, {"chunks": (7,)}, {"chunks": (7,), "compression": "gzip", "shuffle": True}])
@pytest.mark.parametrize("length", [2**21, 2**32 - 1])
def test_a_text_that_announces_more_than_its_file_has_takes_no_memory(tmp_path, options, length):
    with h5py.File(tmp_path / "some.h5", "w") as file:
        file["X"] = X
        labels = file.create_dataset("y", data=["a", "b", "c"] * (N // 3), dtype=h5py.string_dtype(), **options)
        file.flush()
        heap = (tmp_path / "some.h5").read_bytes().index(b"GCOL")
        # As the file has it: the length of a text, the heap that it is in, and its number there.
        reference = length.to_bytes(4, "little") + heap.to_bytes(8, "little") + (1).to_bytes(4, "little")
        references, offset = np.frombuffer(reference * 7, "u1").reshape(-1, 16), labels.id.get_offset()
        if options:
            shuffled = zlib.compress(references.T.tobytes()) if "shuffle" in options else references.tobytes()
            labels.id.write_direct_chunk((7,), shuffled)
    if not options:
        raw = bytearray((tmp_path / "some.h5").read_bytes())
        raw[offset : offset + 16] = reference
        (tmp_path / "some.h5").write_bytes(raw)
    assert "the texts y are longer than their file" in refused(tmp_path / "some.h5", UnsafeFileError)


def test_heaps_that_overlap_are_refused_as_all_of_them_together_would_take_long(tmp_path):
    with h5py.File(tmp_path / "some.h5", "w") as file:
        file["X"] = X
        labels = file.create_dataset("y", (N,), h5py.string_dtype())
        labels[0] = "a"
        file["heaps"] = np.ones(4 * N, "u8")
        file.flush()
        offset, start = labels.id.get_offset(), file["heaps"].id.get_offset()
    raw = bytearray((tmp_path / "some.h5").read_bytes())
    # Each is a part of those before it.
    raw[start : start + 16 * N] = b"".join(b"GCOL\1\0\0\0" + (32 * (N - n)).to_bytes(8, "little") for n in range(N))
    references = np.zeros(N, module._REFERENCE)
    references["length"], references["heap"], references["number"] = 1, start + 16 * np.arange(N), 1
    raw[offset : offset + 16 * N] = references.tobytes()
    (tmp_path / "some.h5").write_bytes(raw)
    assert "its texts are damaged" in refused(tmp_path / "some.h5")


def test_texts_in_records_are_refused_unread(tmp_path):
    rows = np.zeros(N, [("x", "f4", (4,)), ("label", h5py.string_dtype())])
    rows["label"] = "a"
    with h5py.File(tmp_path / "some.h5", "w") as file:
        file["table"] = rows
    assert "table has label of any length" in refused(tmp_path / "some.h5")


def test_texts_that_share_their_bytes_are_refused(tmp_path):
    n = 20_000
    with h5py.File(tmp_path / "some.h5", "w") as file:
        file["X"] = np.ones((n, 2), np.float32)
        labels = file.create_dataset("y", (n,), h5py.string_dtype())
        labels[0] = "a" * 2**20
        file.flush()
        offset = labels.id.get_offset()
    raw = bytearray((tmp_path / "some.h5").read_bytes())
    raw[offset : offset + 16 * n] = raw[offset : offset + 16] * n
    (tmp_path / "some.h5").write_bytes(raw)
    assert "are longer than their file" in refused(tmp_path / "some.h5", UnsafeFileError)


@pytest.mark.sampled(3)
@pytest.mark.parametrize("name", ["..", "X\n\x1b[2J", "a" * 60_000, "<b>X</b>", "=1+1"])
def test_names_that_lead_elsewhere_stay_names(tmp_path, name):
    with h5py.File(tmp_path / "some.h5", "w") as file:
        file["y"], file[name], file["q"] = Y, X, X
    before = sorted(tmp_path.parent.rglob("*"))
    refused(tmp_path / "some.h5", LinprobeError)
    assert sorted(tmp_path.parent.rglob("*")) == before


def test_too_many_arrays_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "MOST_OBJECTS", 50)
    with h5py.File(tmp_path / "some.h5", "w") as file:
        for number in range(60):
            file[f"image_{number}"] = X[0]
    assert "holds more than 50 arrays" in refused(tmp_path / "some.h5")


@pytest.mark.parametrize(
    "raw", [b"\x89HDF\r\n\x1a\n", b"\x89HDF\r\n\x1a\n" + bytes(100), b"garbage" * 100, bytes(2048)]
)
def test_what_is_no_such_file_is_refused(tmp_path, raw):
    (tmp_path / "some.h5").write_bytes(raw)
    assert "is not an intact HDF5 file" in refused(tmp_path / "some.h5")


@pytest.mark.sampled(3)
@pytest.mark.parametrize("options", [{}, {"compression": "gzip", "fletcher32": True}, {"compression": "lzf"}])
def test_a_truncated_or_damaged_file_is_a_data_error_or_reads(tmp_path, options):
    with h5py.File(tmp_path / "whole.h5", "w") as file:
        file.create_dataset("X", data=X, **options)
        file["group/labels"] = ["a", "b", "c"] * (N // 3)
    whole = (tmp_path / "whole.h5").read_bytes()
    shutil.copy(tmp_path / "whole.h5", tmp_path / "some.h5")
    rng = np.random.default_rng(0)
    damaged = [whole[:cut] for cut in rng.integers(0, len(whole), 40)]
    for position in rng.integers(0, len(whole), 200):
        broken = bytearray(whole)
        broken[position] ^= 1 << rng.integers(8)
        damaged.append(bytes(broken))
    for raw in damaged:
        (tmp_path / "some.h5").write_bytes(raw)
        try:
            open_dataset(tmp_path / "some.h5")
        except LinprobeError as error:
            assert "\n" not in str(error)  # noqa: PT017
            assert len(str(error)) < 500  # noqa: PT017


def test_a_pipe_is_refused(tmp_path):
    os.mkfifo(tmp_path / "some.h5")
    assert "is not a file" in refused(tmp_path / "some.h5")

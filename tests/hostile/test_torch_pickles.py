"""Files of torch.save that would run code, fill the memory or lie about their tensors; none may, in one line each."""

import io
import os
import pickle
import pickletools
import resource
import struct
import zipfile

import numpy as np
import pytest
from gadgets import GADGETS  # pyright: ignore[reportMissingImports]

from linprobe.data.formats import open_dataset
from linprobe.errors import DataError, LinprobeError, UnsafeFileError

torch = pytest.importorskip("torch")

N = 30
X, Y = torch.ones(N, 4), torch.arange(N) % 3


def refused(path, kind: type[LinprobeError] = DataError):
    with pytest.raises(kind) as caught:
        open_dataset(path)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 500
    return str(caught.value)


def saved(content, **options):
    file = io.BytesIO()
    torch.save(content, file, **options)
    return file.getvalue()


def with_pickle(path, change):
    """A file of the present form whose pickle is another one."""
    with zipfile.ZipFile(io.BytesIO(saved({"X": X, "y": Y}))) as archive, zipfile.ZipFile(path, "w") as changed:
        for name in archive.namelist():
            raw = archive.read(name)
            changed.writestr(name, change(raw) if name.endswith("/data.pkl") else raw)
    return path


@pytest.mark.sampled(3)
@pytest.mark.parametrize("form", ["zip", "legacy", "bare"])
@pytest.mark.parametrize("gadget", GADGETS, ids=lambda gadget: gadget.name)
def test_no_gadget_runs(tmp_path, gadget, form):
    marker, path = tmp_path / "was_run", tmp_path / "some.pt"
    raw = gadget.build(str(marker))
    if form == "zip":
        with_pickle(path, lambda _: raw)
    else:
        legacy = saved((X, Y), _use_new_zipfile_serialization=False)
        start = 0
        for _ in range(3):
            start += max(at or 0 for _, _, at in pickletools.genops(legacy[start:])) + 1
        path.write_bytes(legacy[:start] + raw + pickle.dumps([], 2) if form == "legacy" else raw)
    refused(path)
    assert not marker.exists()


@pytest.mark.parametrize("shape", [(2**40, 4), (2**20, 2**10), (2**62, 2**62), (-1, 4), (N * 5, 5)])
@pytest.mark.parametrize("strides", [None, (1, 0), (2**40, 1), (-4, 1)])
def test_a_tensor_larger_than_its_storage_is_refused(tmp_path, shape, strides):
    class Lie:
        def __reduce__(self):
            return torch._utils._rebuild_tensor_v2, (storage, 0, shape, strides or (shape[1], 1), False, {})

    storage = torch.storage.TypedStorage(wrap_storage=X.untyped_storage(), dtype=X.dtype, _internal=True)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for zipped in (True, False):
        (tmp_path / "some.pt").write_bytes(saved((Lie(), Y), _use_new_zipfile_serialization=zipped))
        refused(tmp_path / "some.pt")
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 2**17  # KiB


def test_rows_that_repeat_are_refused_unless_small(tmp_path):
    torch.save({"X": X[:1].expand(N, 4), "y": Y}, tmp_path / "some.pt")
    assert len(open_dataset(tmp_path / "some.pt").train) == N
    torch.save({"X": X[:1].expand(2**40, 4), "y": torch.zeros(1).expand(2**40)}, tmp_path / "some.pt")
    assert "announces more than the" in refused(tmp_path / "some.pt", UnsafeFileError)
    torch.save({"X": [X[:1].expand(100, 4)] * 10_000, "y": Y}, tmp_path / "some.pt")
    refused(tmp_path / "some.pt")


def test_lists_within_lists_end(tmp_path):
    def nested(raw):
        return b"\x80\x02" + b"]" * 100_000 + b"a" * 99_999 + b"."

    refused(with_pickle(tmp_path / "some.pt", nested))
    refused(with_pickle(tmp_path / "some.pt", lambda _: b"\x80\x02]q\x00h\x00a."))
    refused(with_pickle(tmp_path / "some.pt", lambda _: b"\x80\x02}q\x00X\x01\x00\x00\x00ah\x00s."))
    doubling = b"\x80\x02" + b"]q\x00" + b"".join(b"]q%ch%ch%c\x86e" % (i, i - 1, i - 1) for i in range(1, 40)) + b"."
    refused(with_pickle(tmp_path / "some.pt", lambda _: doubling))


@pytest.mark.parametrize("call", [b"c__builtin__\nbytearray\n", b"ctorch\nTensor\n", b"ctorch\nFloatTensor\n"])
def test_what_only_takes_memory_is_refused(tmp_path, call):
    raw = b"\x80\x02" + call + b"J\x00\x00\x00\x40\x85R."
    assert "nothing of it was run" in refused(with_pickle(tmp_path / "some.pt", lambda _: raw), UnsafeFileError)


def test_a_compressed_file_is_refused_unread(tmp_path):
    with zipfile.ZipFile(tmp_path / "some.pt", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("some/data.pkl", bytes(2**27))
    assert "as torch.save never does" in refused(tmp_path / "some.pt", UnsafeFileError)


def test_two_pickles_are_refused(tmp_path):
    (tmp_path / "some.pt").write_bytes(saved((X, Y)))
    with zipfile.ZipFile(tmp_path / "some.pt", "a") as archive:
        archive.writestr("other/data.pkl", pickle.dumps(0, 2))
    assert "is not a file of torch.save" in refused(tmp_path / "some.pt")


@pytest.mark.parametrize(
    "raw", [b"PK\x03\x04", b"\x80\x02.", b"garbage" * 10, b"\x80\x02]" * 9, b"(" * 100, b"\0" * 99]
)
def test_what_is_no_such_file_is_refused(tmp_path, raw):
    (tmp_path / "some.pt").write_bytes(raw)
    assert "is not a" in refused(tmp_path / "some.pt")


def test_other_archives_are_refused(tmp_path):
    np.savez(tmp_path / "some.npz", X=X.numpy(), y=Y.numpy())
    (tmp_path / "some.npz").rename(tmp_path / "some.pt")
    assert "has no data.pkl" in refused(tmp_path / "some.pt")


@pytest.mark.sampled(2)
@pytest.mark.parametrize("zipped", [True, False])
def test_a_truncated_or_damaged_file_is_a_data_error_or_reads(tmp_path, zipped):
    path = tmp_path / "some.pt"
    whole = saved({"X": X, "y": Y, "names": ["a"] * N}, _use_new_zipfile_serialization=zipped)
    rng = np.random.default_rng(0)
    for cut in rng.integers(0, len(whole), 60):
        path.write_bytes(whole[:cut])
        _reads_or_is_refused(path)
    for position in rng.integers(0, len(whole), 400):
        broken = bytearray(whole)
        broken[position] ^= 1 << rng.integers(8)
        path.write_bytes(broken)
        _reads_or_is_refused(path)


def test_a_damaged_pickle_is_a_data_error_or_reads(tmp_path):
    rng = np.random.default_rng(1)

    def flip(raw):
        broken = bytearray(raw)
        broken[rng.integers(len(raw))] ^= 1 << rng.integers(8)
        return bytes(broken)

    for _ in range(400):
        _reads_or_is_refused(with_pickle(tmp_path / "some.pt", flip))


def _reads_or_is_refused(path):
    try:
        open_dataset(path)
    except LinprobeError as error:
        assert "\n" not in str(error)  # noqa: PT017
        assert len(str(error)) < 500  # noqa: PT017


def test_storages_that_are_announced_larger_than_the_file(tmp_path):
    legacy = saved((X, Y), _use_new_zipfile_serialization=False)
    size = struct.pack("<B", N * 4)  # BININT1
    at = legacy.index(b"cpu") + 3
    at = legacy.index(b"K" + size, at)
    path = tmp_path / "some.pt"
    path.write_bytes(legacy[:at] + b"J\xff\xff\xff\x7f" + legacy[at + 2 :])
    refused(path)


def test_a_pipe_is_refused(tmp_path):
    os.mkfifo(tmp_path / "some.pt")
    assert "is not a file" in refused(tmp_path / "some.pt")

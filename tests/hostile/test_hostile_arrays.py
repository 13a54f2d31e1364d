"""NumPy files that would run code, fill the memory or leave their folder; none may, and each is refused in one line."""

import io
import os
import pickle
import struct
import tracemalloc
import zipfile

import numpy as np
import pytest
from gadgets import GADGETS  # pyright: ignore[reportMissingImports]

from linprobe.data.formats import bounds, open_dataset
from linprobe.data.formats import npz as module
from linprobe.errors import DataError, LinprobeError, UnsafeFileError, UsageError

N = 30
X, Y = np.ones((N, 4), np.float32), np.arange(N) % 3


def refused(path, kind: type[LinprobeError] = DataError, **choice):
    with pytest.raises(kind) as caught:
        open_dataset(path, **choice)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 500
    return str(caught.value)


def npy(values, **options):
    file = io.BytesIO()
    np.save(file, values, **options)
    return file.getvalue()


def header(text, version=(1, 0)):
    raw = text.encode() + b"\n"
    return b"\x93NUMPY" + bytes(version) + struct.pack("<H" if version == (1, 0) else "<I", len(raw)) + raw


def objects(pickled, shape=(N,)):
    """An array of objects whose pickle is this one."""
    return header(f"{{'descr': '|O', 'fortran_order': False, 'shape': {shape}, }}") + pickled


class Calls:
    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


@pytest.fixture
def marker(tmp_path):
    """A folder that is there once anything was run."""
    return tmp_path / "was_run"


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_objects_that_run_something_are_refused_where_they_are_needed(tmp_path, marker, protocol):
    bad = np.empty(N, object)
    bad[:] = ["a"] * (N - 1) + [Calls(os.mkdir, str(marker))]
    pickled = pickle.dumps(bad, protocol)
    with zipfile.ZipFile(tmp_path / "some.npz", "w") as archive:
        archive.writestr("X.npy", npy(X))
        archive.writestr("y.npy", objects(pickled))
    assert "nothing of it was run" in refused(tmp_path / "some.npz", UnsafeFileError)
    np.save(tmp_path / "features.npy", X)
    (tmp_path / "labels.npy").write_bytes(objects(pickled))
    assert "asks for posix.mkdir" in refused(tmp_path / "features.npy", UnsafeFileError)
    assert not marker.exists()


def test_objects_that_are_not_needed_are_not_read(tmp_path, marker):
    bad = np.empty(N, object)
    bad[:] = [Calls(os.mkdir, str(marker))] * N
    with zipfile.ZipFile(tmp_path / "some.npz", "w") as archive:
        archive.writestr("X.npy", npy(X))
        archive.writestr("y.npy", npy(Y))
        archive.writestr("names.npy", objects(pickle.dumps(bad, 4)))
        archive.writestr("table.npy", objects(pickle.dumps(bad.reshape(15, 2), 4), (15, 2)))
    assert len(open_dataset(tmp_path / "some.npz").train) == N
    assert not marker.exists()


@pytest.mark.parametrize("finding", ["asks for posix.mkdir", "holds no array of texts or numbers"])
def test_names_of_classes_that_run_something_are_left_out_and_reported(tmp_path, marker, finding):
    bad = np.empty(3, object)
    bad[:] = [Calls(os.mkdir, str(marker)) if "mkdir" in finding else {"a": 1}] * 3
    with zipfile.ZipFile(tmp_path / "some.npz", "w") as archive:
        archive.writestr("X.npy", npy(X))
        archive.writestr("y.npy", npy(Y))
        archive.writestr("classes.npy", objects(pickle.dumps(bad, 4), (3,)))
    dataset = open_dataset(tmp_path / "some.npz")
    assert dataset.classes == ("0", "1", "2")
    (note,) = dataset.notes
    assert "The classes have no names: " in note
    assert finding in note
    assert not marker.exists()


@pytest.mark.parametrize("shape", [(N,), (15, 2)])
@pytest.mark.parametrize("gadget", GADGETS, ids=lambda gadget: gadget.name)
def test_no_gadget_runs(tmp_path, marker, gadget, shape):
    (tmp_path / "labels.npy").write_bytes(objects(gadget.build(str(marker)), shape))
    np.save(tmp_path / "features.npy", np.ones((shape[0], 4)))
    refused(tmp_path / "features.npy")
    assert not marker.exists()


@pytest.mark.parametrize("item", [[], {}, (), b"x" * 10, 1 + 2j, np.float32(1), {"a": 1}])
def test_objects_other_than_texts_and_numbers_are_refused_or_are_labels(tmp_path, item):
    values = np.empty(N, object)
    values[:] = [item] * N
    np.savez(tmp_path / "some.npz", X=X, y=values)
    if isinstance(item, bytes):
        assert open_dataset(tmp_path / "some.npz").classes == ("x" * 10,)
    else:
        refused(tmp_path / "some.npz")


def test_an_array_that_is_put_into_itself_or_has_another_length(tmp_path):
    good = pickle.dumps(np.array(["a"] * N, object), 4)
    for raw in (objects(good, (N + 1,)), objects(good, (10**15,)), objects(good, (0,)), objects(good[:-1])):
        (tmp_path / "labels.npy").write_bytes(raw)
        np.save(tmp_path / "features.npy", X)
        refused(tmp_path / "features.npy")


@pytest.mark.parametrize(
    ("shape", "descr"),
    [
        (f"({2**40}, 2)", "<f4"),  # 8 TiB
        ("(1099511627776, 1099511627776)", "<f8"),
        (f"({10**30}, 3)", "<f8"),
        ("(-1, 4)", "<f4"),
        ("(30, 5)", "<f4"),
        ("(30, 3)", "<f4"),
        ("(True, 4)", "<f4"),
        ("('a',)", "<f4"),
        ("(30, 4)", "<f1000000000000"),
        ("(30, 4)", "|V9223372036854775807"),
        ("(30, 4)", "<U536870911"),
        ("30", "<f4"),
    ],
)
@pytest.mark.parametrize("form", ["npy", "stored", "deflated"])
def test_a_header_that_lies_is_refused_before_anything_is_allocated(tmp_path, shape, descr, form):
    raw = header(f"{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}") + X.tobytes()
    np.save(tmp_path / "labels.npy", Y)
    if form == "npy":
        path = tmp_path / "features.npy"
        path.write_bytes(raw)
    else:
        path = tmp_path / "some.npz"
        with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED if form == "stored" else zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("X.npy", raw)
            archive.writestr("y.npy", npy(Y))
    tracemalloc.start()
    try:
        refused(path)
        assert tracemalloc.get_traced_memory()[1] < 2**24
    finally:
        tracemalloc.stop()


def test_a_header_of_python_2_is_read_without_a_warning(tmp_path):
    text = "{'descr': '<f4', 'fortran_order': False, 'shape': (30L, 4L), }"
    (tmp_path / "features.npy").write_bytes(header(text) + X.tobytes())
    np.save(tmp_path / "labels.npy", Y)
    np.testing.assert_array_equal(open_dataset(tmp_path / "features.npy").train.X, X)


@pytest.mark.parametrize(
    "text", ["", "{", "[" * 5000, "{'descr': __import__('os').mkdir('was_run')}", "{}", "x" * 60_000]
)
def test_a_header_that_is_none_is_refused(tmp_path, monkeypatch, text):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "features.npy").write_bytes(header(text) + X.tobytes())
    refused(tmp_path / "features.npy")
    assert not (tmp_path / "was_run").exists()


def test_members_that_unfold_are_refused_unread(tmp_path, monkeypatch):
    zeros = npy(np.zeros((2**20, 8), np.float32))
    with zipfile.ZipFile(tmp_path / "some.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("X.npy", zeros)
        archive.writestr("y.npy", npy(np.zeros(2**20, np.int8)))
    monkeypatch.setattr(bounds, "HARMLESS", 2**20)
    monkeypatch.setattr(bounds, "MOST_UNFOLDING", 100)
    monkeypatch.setattr(module, "read_header", None)
    assert "as no honest arrays do" in refused(tmp_path / "some.npz", UnsafeFileError)


def test_members_that_share_their_bytes_are_refused(tmp_path):
    """One packed member, listed 2,000 times: 66 GB out of 300 kB."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a0000.npy", npy(np.zeros((2**20, 8), np.float32)))
    raw = file.getvalue()
    start = raw.index(b"PK\x01\x02")
    end = raw.index(b"PK\x05\x06")
    entry = raw[start:end]
    listed = b"".join(entry.replace(b"a0000", f"a{number:04}".encode()) for number in range(2_000))
    tail = struct.pack("<4s4H2IH", b"PK\x05\x06", 0, 0, 2_000, 2_000, len(listed), start, 0)
    (tmp_path / "some.npz").write_bytes(raw[:start] + listed + tail)
    assert "as no honest arrays do" in refused(tmp_path / "some.npz", UnsafeFileError)


@pytest.mark.parametrize("change", ["size", "smaller", "name", "offset", "method", "encrypted"])
def test_a_member_that_is_not_as_it_is_listed(tmp_path, change):
    for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w", method) as archive:
            archive.writestr("X.npy", npy(X))
            archive.writestr("y.npy", npy(Y))
        raw = bytearray(file.getvalue())
        at = raw.index(b"PK\x01\x02")
        match change:
            case "size":
                raw[at + 24 : at + 28] = struct.pack("<I", 2**31)
            case "smaller":
                raw[at + 24 : at + 28] = struct.pack("<I", 100)
            case "name":
                raw[at + 46] ^= 1
            case "offset":
                raw[at + 42 : at + 46] = struct.pack("<I", len(raw) - 10)
            case "method":
                raw[at + 10 : at + 12] = struct.pack("<H", 99)
            case _:
                raw[at + 8] |= 1
        (tmp_path / "some.npz").write_bytes(raw)
        refused(tmp_path / "some.npz")


@pytest.mark.parametrize("name", ["../X.npy", "/tmp/X.npy", "..\\X.npy", "X\n\x1b[2J.npy", "a" * 60_000 + ".npy"])
def test_names_that_lead_elsewhere_stay_names(tmp_path, name):
    with zipfile.ZipFile(tmp_path / "some.npz", "w") as archive:
        archive.writestr(name, npy(X))
        archive.writestr("q.npy", npy(X))
        archive.writestr("y.npy", npy(Y))
    before = sorted(tmp_path.parent.rglob("*"))
    _reads_or_is_refused(tmp_path / "some.npz")
    assert sorted(tmp_path.parent.rglob("*")) == before


def test_a_name_that_comes_twice_is_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "some.npz", "w") as archive:
        archive.writestr("X.npy", npy(X))
        with pytest.warns(UserWarning, match="Duplicate"):
            archive.writestr("X.npy", npy(X * 2))
    assert "comes twice" in refused(tmp_path / "some.npz", UnsafeFileError)


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_a_truncated_or_damaged_npz_is_a_data_error_or_reads(tmp_path, save):
    path = tmp_path / "some.npz"
    save(path, X=X, y=np.array(["a", "b", "c"], object)[Y])
    whole = path.read_bytes()
    rng = np.random.default_rng(0)
    for cut in rng.integers(0, len(whole), 40):
        path.write_bytes(whole[:cut])
        refused(path)
    for position in rng.integers(0, len(whole), 150):
        broken = bytearray(whole)
        broken[position] ^= 1 << rng.integers(8)
        path.write_bytes(broken)
        _reads_or_is_refused(path)


@pytest.mark.slow
def test_a_truncated_or_damaged_npy_is_a_data_error_or_reads(tmp_path):
    np.save(tmp_path / "features.npy", X)
    for labels in (Y, np.array(["a", "b", "c"], object)[Y]):
        np.save(tmp_path / "labels.npy", labels)
        for name in ("features.npy", "labels.npy"):
            whole = (tmp_path / name).read_bytes()
            for cut in range(0, len(whole), 7):
                (tmp_path / name).write_bytes(whole[:cut])
                refused(tmp_path / "features.npy")
            rng = np.random.default_rng(0)
            for position in rng.integers(0, len(whole), 150):
                broken = bytearray(whole)
                broken[position] ^= 1 << rng.integers(8)
                (tmp_path / name).write_bytes(broken)
                _reads_or_is_refused(tmp_path / "features.npy")
            (tmp_path / name).write_bytes(whole)


def _reads_or_is_refused(path):
    try:
        open_dataset(path)
    except LinprobeError as error:
        assert "\n" not in str(error)  # noqa: PT017


def test_pipes_and_circles_of_links_end(tmp_path):
    os.mkfifo(tmp_path / "features.npy")
    assert "is not a file" in refused(tmp_path / "features.npy")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "again").symlink_to(tmp_path / "folder")
    np.savez(tmp_path / "folder" / "some.npz", X=X, y=Y)
    assert len(open_dataset(tmp_path / "folder").train) == N
    (tmp_path / "folder" / "labels.npy").symlink_to("labels.npy")
    refused(tmp_path / "folder")
    os.mkfifo(tmp_path / "pipe")
    refused(tmp_path / "pipe", UsageError)

"""Tar files of examples that leave their folder, lie or are damaged: refused in one line, memory not filled."""

import io
import json
import os
import tarfile
import tracemalloc

import numpy as np
import pytest

from linprobe.data.formats import open_dataset
from linprobe.errors import DataError, LinprobeError, UnsafeFileError, UsageError
from makers import picture, pictures, png  # pyright: ignore[reportMissingImports]

PNG = picture(pictures(1)[0])
GOOD = [
    (f"{row}.{ending}", content)
    for row in range(4)
    for ending, content in (("png", PNG), ("cls", b"01"[row % 2 :][:1]))
]


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("LINPROBE_DATA", str(tmp_path / "cache"))


def tar(path, *members, good=GOOD, form=tarfile.GNU_FORMAT):
    """Of names, or of headers, with their contents."""
    with tarfile.open(path, "w", format=form) as archive:
        for name, content in (*good, *members):
            member = name if isinstance(name, tarfile.TarInfo) else tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return path


def refused(path, kind: type[LinprobeError] = DataError, **choice):
    tracemalloc.start()
    with pytest.raises(kind) as caught:
        open_dataset(path, **choice)
    assert tracemalloc.get_traced_memory()[1] < 2**24
    tracemalloc.stop()
    said = str(caught.value)
    assert said.isascii()
    assert said.isprintable()
    assert len(said) < 600
    return said


def header(name, kind=tarfile.REGTYPE, link=""):
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, link
    return member


@pytest.mark.parametrize("name", ["../9.png", "/9.png", "a/../../9.png", "C:\\9.png", "..\\9.png"])
def test_paths_that_lead_out(tmp_path, name):
    assert "leads out of the archive" in refused(tar(tmp_path / "some.tar", (name, PNG)), UnsafeFileError)


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE, tarfile.BLKTYPE])
def test_links_and_devices(tmp_path, kind):
    path = tar(tmp_path / "some.tar", (header("9.png", kind, "/etc/passwd"), b""))
    assert "only files are expected" in refused(path, UnsafeFileError)


def test_a_key_twice(tmp_path):
    assert "0.cls: comes twice" in refused(tar(tmp_path / "some.tar", ("0.cls", b"1")), UnsafeFileError)


def test_a_size_beyond_the_end(tmp_path):
    path = tar(tmp_path / "some.tar")
    member = tarfile.TarInfo("9.png")
    for size in (len(PNG), 2**40, 2**62):
        member.size = size
        path.write_bytes(path.read_bytes()[: 512 * 16] + member.tobuf(tarfile.GNU_FORMAT))
        assert "some.tar: " in refused(path)


@pytest.mark.parametrize("kind", [tarfile.GNUTYPE_LONGNAME, tarfile.XHDTYPE])
def test_long_names(tmp_path, kind):
    assert "a name of more bytes than names have" in refused(
        tar(tmp_path / "some.tar", (header("x", kind), bytes(2**23)))
    )
    chain = [(header("x", kind), b"x\0")] * 3_000 if kind == tarfile.GNUTYPE_LONGNAME else []
    if chain:
        assert "is not an intact tar file" in refused(tar(tmp_path / "some.tar", *chain))


def test_30_000_x_30_000(tmp_path):
    path = tar(tmp_path / "some.tar", ("9.png", png(b"", 30_000, 30_000, 8, 2)), ("9.cls", b"1"))
    assert "some.tar: 9.png: announces" in refused(path, UnsafeFileError)


@pytest.mark.parametrize(
    ("content", "finding"),
    [
        (b"[" * 100_000, "is not intact JSON"),
        (b"{", "is not intact JSON"),
        (b"\xff", "is not intact JSON"),
        (b"[1]", "holds list"),
        (b'{"label": [1, 2]}', "have"),
    ],
)
def test_bad_json(tmp_path, content, finding):
    good = [(name.replace("cls", "json"), b'{"label": 1}' if name.endswith("cls") else raw) for name, raw in GOOD]
    said = refused(tar(tmp_path / "some.tar", ("9.png", PNG), ("9.json", content), good=good))
    if content[:1] != b"{" or len(content) == 1:
        assert finding in said
        assert "9.json" in said


def test_json_without_end(tmp_path):
    good = [(name.replace("cls", "json"), json.dumps({"label": "x" * 2**21}).encode()) for name, _ in GOOD]
    assert "at most 1,048,576 are read" in refused(
        tar(tmp_path / "some.tar", ("0.png", PNG), good=good[1::2]), UnsafeFileError
    )


@pytest.mark.parametrize("label", [b"\x1b[31m", b"\xff\xfe", b"x" * 999, b"two\nlines"])
def test_labels_that_a_screen_cannot_show(tmp_path, label):
    refused(tar(tmp_path / "some.tar", ("9.png", PNG), ("9.cls", label)))


def test_a_label_as_long_as_a_book(tmp_path):
    path = tar(tmp_path / "some.tar", ("9.png", PNG), ("9.cls", b"x" * 1_001))
    assert "9.cls: has 1,001 bytes" in refused(path, UnsafeFileError)


def array(shape, values=b"", kind="<f4"):
    raw = f"{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}\n".encode()
    return b"\x93NUMPY\x01\x00" + len(raw).to_bytes(2, "little") + raw + values


@pytest.mark.parametrize(
    ("content", "finding"),
    [
        (array((2**40,), bytes(16)), "announces"),
        (array((2**31, 2**31), bytes(16)), "announces"),
        (array((5,), bytes(20)), "where those before it are float32 (4,)"),
        (array((4,), bytes(32), "<f8"), "where those before it are float32 (4,)"),
        (array((4,), bytes(32), "|O"), "holds object"),
        (array((4,), bytes(15)), "announces"),
        (b"\x93NUMPY", "is not an intact NumPy file"),
        (b"\x80\x04cposix\nmkdir\n", "is not an intact NumPy file"),
        (b"", "is not an intact NumPy file"),
    ],
)
def test_arrays_that_lie(tmp_path, content, finding):
    good = [(name.replace("png", "npy"), raw if raw != PNG else array((4,), bytes(16))) for name, raw in GOOD]
    path = tar(tmp_path / "some.tar", ("9.npy", content), ("9.cls", b"1"), good=good)
    said = refused(path)
    assert "9.npy: " in said
    assert finding in said


def test_what_is_not_a_webdataset(tmp_path):
    assert "has txt (1)" in refused(tar(tmp_path / "some.tar", ("a.txt", b""), good=[]))
    assert "no labels" in refused(tar(tmp_path / "some.tar", good=GOOD[::2]))
    (tmp_path / "some.tar").unlink()
    os.mkfifo(tmp_path / "some.tar")
    assert "is not a file" in refused(tmp_path / "some.tar")


def test_names_in_errors_have_no_escapes(tmp_path):
    path = tar(tmp_path / "some.tar", ("\x1b[2J.png", b"bad"), ("\x1b[2J.cls", b"1"))
    assert "\\x1b[2J.png: is not a PNG" in refused(path)
    assert "--label \\x1b: is not" in refused(tar(path), UsageError, label="\x1b")


def test_no_train(tmp_path):
    tar(tmp_path / "test-0.tar")
    assert "has test and no train" in refused(tmp_path)


def test_damage(tmp_path):
    path = tar(tmp_path / "some.tar")
    whole, rng = path.read_bytes(), np.random.default_rng(0)
    end = 512 * 16
    for cut in (0, 1, 511, 512, 513, 600, end - 600, end - 1):
        path.write_bytes(whole[:cut])
        if cut != 512 * 15:
            refused(path)
    damaged = 0
    for _ in range(200):
        raw = bytearray(whole)
        raw[rng.integers(end)] ^= 1 << int(rng.integers(8))
        path.write_bytes(raw)
        try:
            assert len(open_dataset(path).train) in (3, 4)
        except (DataError, UsageError) as error:
            damaged += 1
            assert "\n" not in str(error)  # noqa: PT017
    assert damaged > 50

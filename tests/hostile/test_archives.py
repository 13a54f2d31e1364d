"""Archives that leave their folder, fill the memory or are damaged: refused, and nothing is written."""

import gzip
import io
import os
import struct
import subprocess
import sys
import tarfile
import time
import tracemalloc
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from linprobe.data.formats import archive as module
from linprobe.data.formats.cifar10 import read_cifar10
from linprobe.errors import DataError, UnsafeFileError
from makers import FILES, FOLDER, complaint, write_cifar10, write_tar  # pyright: ignore[reportMissingImports]

MIB = 2**20


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_cifar10(tmp_path / "made")


def member(
    name: str, content: bytes = b"", kind: bytes = tarfile.REGTYPE, link: str = ""
) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.type, info.size, info.linkname = kind, len(content), link
    return info, content


def header(name: str, size: int, kind: bytes = tarfile.REGTYPE) -> bytes:
    """Only the header: what it announces need not follow."""
    info = tarfile.TarInfo(name)
    info.size, info.type = size, kind
    return info.tobuf(tarfile.GNU_FORMAT)


def everything_under(path: Path) -> set[Path]:
    return set(path.rglob("*"))


INSIDE = f"{FOLDER}/extra"
MEMBERS = {
    "parent": (member(f"{FOLDER}/../../evil", b"x"), "leads out of the archive"),
    "parent only": (member("..", b"x"), "leads out of the archive"),
    "parent, in disguise": (member(f"{FOLDER}/./../evil", b"x"), "leads out of the archive"),
    "parent of a batch": (member(f"{FOLDER}/../{FOLDER}/data_batch_1", b"x"), "leads out of the archive"),
    "absolute": (member("/tmp/evil", b"x"), "leads out of the archive"),
    "absolute, Windows": (member("\\\\server\\evil", b"x"), "leads out of the archive"),
    "drive, Windows": (member("C:\\evil", b"x"), "leads out of the archive"),
    "parent, Windows": (member(f"{FOLDER}\\..\\..\\evil", b"x"), "leads out of the archive"),
    "symbolic link out": (member(INSIDE, kind=tarfile.SYMTYPE, link="/etc/passwd"), "is a symbolic link"),
    "symbolic link inside": (member(INSIDE, kind=tarfile.SYMTYPE, link="data_batch_1"), "is a symbolic link"),
    "batch as a symbolic link": (
        member(f"{FOLDER}/data_batch_1", kind=tarfile.SYMTYPE, link="/etc/passwd"),
        "is a symbolic link",
    ),
    "hard link": (member(INSIDE, kind=tarfile.LNKTYPE, link=f"{FOLDER}/test_batch"), "is a hard link"),
    "character device": (member(INSIDE, kind=tarfile.CHRTYPE), "is a device or pipe"),
    "block device": (member(INSIDE, kind=tarfile.BLKTYPE), "is a device or pipe"),
    "pipe": (member(INSIDE, kind=tarfile.FIFOTYPE), "is a device or pipe"),
    "name with control characters": (member("\x1b[2J\n/../x", b"x"), r"\x1b[2J\n"),
}


@pytest.mark.parametrize("case", MEMBERS)
@pytest.mark.parametrize("first", [False, True], ids=["last", "first"])
def test_a_member_that_has_no_place_there(folder, tmp_path, case, first):
    extra, finding = MEMBERS[case]
    path = tmp_path / "x.tar.gz"
    if first:
        with tarfile.open(path, "w:gz") as archive:
            archive.addfile(extra[0], io.BytesIO(extra[1]))
            archive.add(folder, folder.name)
    else:
        write_tar(folder, path, extra)
    before = everything_under(tmp_path)
    with pytest.raises(UnsafeFileError) as caught:
        read_cifar10(path)
    message = str(caught.value)
    assert finding in message
    assert message.startswith(f"{path}: ")
    assert message.endswith("fetch it again: linprobe fetch cifar10")
    assert message.isprintable()
    assert everything_under(tmp_path) == before


@pytest.mark.parametrize("name", ["{}/test_batch", "./{}//test_batch", "{}/./test_batch"])
def test_a_batch_that_comes_twice(folder, tmp_path, name):
    archive = write_tar(
        folder, tmp_path / "x.tar.gz", member(name.format(FOLDER), (folder / "test_batch").read_bytes())
    )
    with pytest.raises(UnsafeFileError, match="comes twice, so it is not clear which one counts"):
        read_cifar10(archive)


def test_harmless_members_elsewhere_are_left_alone(folder, tmp_path):
    extra = [
        member("readme.html", b"x" * 5_000),
        member(f"other/{FOLDER}/data_batch_1", b"not this one"),
        member("data_batch_1", b"nor this one"),
        member(f"{FOLDER}/sub/data_batch_1", b"nor this one"),
        member("x..y/..z", b"dots in names"),
        member("é" * 200, b"a long name"),
        member("empty folder", kind=tarfile.DIRTYPE),
    ]
    archive = write_tar(folder, tmp_path / "x.tar.gz", *extra)
    assert read_cifar10(archive).fingerprint == read_cifar10(folder).fingerprint


@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_every_dialect_of_tar(folder, tmp_path, form):
    path = tmp_path / "x.tar.gz"
    with tarfile.open(path, "w:gz", format=form) as archive:
        archive.add(folder, folder.name)
    assert read_cifar10(path).fingerprint == read_cifar10(folder).fingerprint


def zeros(count: int) -> bytes:
    """gzip of so many zeros: members of 16 MiB each, one after another, as gzip allows."""
    whole, rest = divmod(count, 16 * MIB)
    return gzip.compress(bytes(16 * MIB)) * whole + gzip.compress(bytes(rest))


def pax(size: int) -> bytes:
    return header("././@PaxHeader", size, tarfile.XHDTYPE)


def sparse_header() -> bytes:
    """A GNU sparse member, one byte long and 2**33 - 1 bytes wide."""
    info = bytearray(header(f"{FOLDER}/data_batch_1", 1, tarfile.GNUTYPE_SPARSE))
    info[386:398] = b"00000000000\0"
    info[398:410] = b"00000000001\0"
    info[483:495] = b"%011o\0" % (2**33 - 1)
    info[148:156] = b" " * 8
    info[148:156] = b"%06o\0 " % sum(info)
    return bytes(info)


def many_small() -> bytes:
    return b"".join(header(f"{number}", 0) for number in range(1_500))


BOMBS: dict[str, Callable[[], bytes]] = {
    "zeros": lambda: zeros(4 * 1024 * MIB),
    "zeros after the end": lambda: gzip.compress(header("a", 0) + bytes(1024)) + zeros(1024 * MIB),
    "a batch of 8 GB": lambda: gzip.compress(header(f"{FOLDER}/data_batch_1", 8 * 2**30)) + zeros(256 * MIB),
    "another file of 8 GB": lambda: gzip.compress(header("readme.html", 8 * 2**30)) + zeros(256 * MIB),
    "a size beyond 64 bits": lambda: gzip.compress(header(f"{FOLDER}/data_batch_1", 2**70)),
    "a negative size": lambda: gzip.compress(header(f"{FOLDER}/data_batch_1", -(2**40))),
    "many files of 60 MiB": lambda: gzip.compress(bytes(60 * MIB), 1).join(
        gzip.compress(header(f"{number}", 60 * MIB), 1) for number in range(13)
    ),
    "long name of 1 GiB": lambda: gzip.compress(header("././@LongLink", 2**30, tarfile.GNUTYPE_LONGNAME))
    + zeros(2**30),
    "extended header of 1 GiB": lambda: gzip.compress(pax(2**30)) + zeros(2**30),
    "extended header of a negative size": lambda: gzip.compress(pax(-512) + bytes(2048)),
    "extended headers without end": lambda: gzip.compress((pax(13) + b"13 path=abcd\n".ljust(512, b"\0")) * 20_000),
    "long names without end": lambda: gzip.compress(
        (header("././@LongLink", 5, tarfile.GNUTYPE_LONGNAME) + b"abcd".ljust(512, b"\0")) * 20_000
    ),
    "global headers without end": lambda: gzip.compress(
        (header("x", 13, tarfile.XGLTYPE) + b"13 path=abcd\n".ljust(512, b"\0")) * 20_000
    ),
    "sparse": lambda: gzip.compress(sparse_header() + bytes(2048)),
    "sparse, extended": lambda: gzip.compress(
        pax(60) + b"22 GNU.sparse.major=1\n22 GNU.sparse.minor=0\n".ljust(512, b"\0")
        + header(f"{FOLDER}/data_batch_1", 512) + b"9999999999\n".ljust(512, b"\0")
    ),
    "very many files": lambda: gzip.compress(many_small() * 20),
    "empty gzip members": lambda: gzip.compress(b"") * 50_000,
}  # fmt: skip


@pytest.mark.sampled(4)
@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_costs_little_time_and_little_memory(tmp_path, name):
    path = tmp_path / "x.tar.gz"
    path.write_bytes(BOMBS[name]())
    before = everything_under(tmp_path)
    tracemalloc.start()
    started = time.process_time()
    try:
        message = complaint(lambda: read_cifar10(path))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert message.startswith(str(path))
    assert message.isprintable()
    assert peak < 16 * MIB, f"{peak / MIB:.0f} MiB"
    assert time.process_time() - started < 10
    assert everything_under(tmp_path) == before


@pytest.mark.slow
def test_memory_stays_within_a_limit_set_from_outside(tmp_path):
    if not Path("/proc/self/statm").exists():
        pytest.skip("needs Linux")
    for number, build in enumerate(BOMBS.values()):
        (tmp_path / f"{number}.tar.gz").write_bytes(build())
    script = """
import resource, sys
from linprobe.errors import DataError
from linprobe.data.formats.cifar10 import read_cifar10
taken = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (taken + 2**27, taken + 2**27))
for number in range(int(sys.argv[2])):
    try:
        read_cifar10(f"{sys.argv[1]}/{number}.tar.gz")
    except DataError:
        print(number)
"""
    command = [sys.executable, "-c", script, str(tmp_path), str(len(BOMBS))]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    assert done.stdout.split() == [str(number) for number in range(len(BOMBS))], done.stderr


def test_the_total_has_a_limit_of_its_own(folder, tmp_path, monkeypatch):
    size = sum((folder / name).stat().st_size for name in FILES)
    archive = write_tar(folder, tmp_path / "x.tar.gz")
    monkeypatch.setattr(module, "MOST_BYTES", size + 20 * 1024)
    read_cifar10(archive)
    monkeypatch.setattr(module, "MOST_BYTES", size - 1)
    with pytest.raises(UnsafeFileError, match="unpacks to far more"):
        read_cifar10(archive)


def packed(content: bytes) -> bytes:
    """gzip of it, without the time of day: every process of a parallel run must collect the same tests."""
    return gzip.compress(content, mtime=0)


@pytest.mark.parametrize(
    ("raw", "finding"),
    [
        (b"", "is empty"),
        (b"PK\x03\x04 a zip", "is not an intact tar.gz: Not a gzipped file"),
        (b"\x1f\x8b", "ends before its content does"),
        (b"\x1f\x8b\x08\x04" + b"\0" * 6 + b"\xff\xff", "ends before its content does"),
        (packed(b""), "is not an intact tar.gz: empty file"),
        (packed(b"no tar at all" * 100), "is not an intact tar.gz"),
        (packed(bytes(10_240)), "has no batches.meta, data_batch_1"),
        (packed(bytes(10_240))[:-1], "ends before its content does"),
        (packed(bytes(10_240))[:-8] + b"\0" * 8, "is not an intact tar.gz: CRC check failed"),
        (packed(bytes(10_240)) + b"rubbish", "is not an intact tar.gz: Not a gzipped file"),
        (b"\x1f\x8b\x08" + b"\0" * 7 + b"\xff" * 100, "is not an intact tar.gz"),
    ],
)
def test_what_is_no_archive(tmp_path, raw, finding):
    path = tmp_path / "x.tar.gz"
    path.write_bytes(raw)
    with pytest.raises(DataError) as caught:
        read_cifar10(path)
    assert finding in str(caught.value)
    assert str(caught.value).isprintable()


def test_every_truncation_is_a_data_error(folder, tmp_path):
    whole = write_tar(folder, tmp_path / "x.tar.gz").read_bytes()
    path = tmp_path / "cut.tar.gz"
    cuts = {*np.random.default_rng(0).integers(0, len(whole), 150), *range(20), *range(len(whole) - 20, len(whole))}
    for cut in cuts:
        path.write_bytes(whole[:cut])
        with pytest.raises(DataError) as caught:
            read_cifar10(path)
        assert str(caught.value).isprintable()


def test_a_truncated_tar_in_an_intact_gzip_is_a_data_error(folder, tmp_path):
    plain = gzip.decompress(write_tar(folder, tmp_path / "x.tar.gz").read_bytes())
    path = tmp_path / "cut.tar.gz"
    # The last member ends within the last blocks; what is cut behind it is padding.
    for cut in np.random.default_rng(0).integers(0, len(plain) - 30 * 512, 60):
        path.write_bytes(gzip.compress(plain[:cut], 1))
        with pytest.raises(DataError) as caught:
            read_cifar10(path)
        assert str(caught.value).isprintable()


@pytest.mark.slow
def test_damaged_headers_are_a_data_set_or_a_data_error(folder, tmp_path):
    """Behind a correct checksum of gzip, and of the tar header where that is recomputed."""
    plain = gzip.decompress(write_tar(folder, tmp_path / "x.tar.gz").read_bytes())
    with tarfile.open(fileobj=io.BytesIO(plain)) as archive:
        starts = [info.offset for info in archive]
    path = tmp_path / "broken.tar.gz"
    rng = np.random.default_rng(1)
    for _ in range(250):
        broken = bytearray(plain)
        start = int(rng.choice(starts))
        for position in rng.integers(0, 512, rng.integers(1, 4)):
            broken[start + position] = rng.integers(256)
        if rng.random() < 0.7:
            broken[start + 148 : start + 156] = b" " * 8
            broken[start + 148 : start + 156] = b"%06o\0 " % sum(broken[start : start + 512])
        path.write_bytes(gzip.compress(broken, 1))
        message = complaint(lambda: read_cifar10(path))
        assert not message or message.isprintable()


def test_damaged_compressed_bytes_are_a_data_error(folder, tmp_path):
    """A flipped bit is an error, or nobody's: the name in gzip's header, the zeros after the tar, a run of equal bytes
    that is copied from another place. No bit makes other data.
    """
    whole = write_tar(folder, tmp_path / "x.tar.gz").read_bytes()
    sound = read_cifar10(tmp_path / "x.tar.gz").fingerprint
    path = tmp_path / "broken.tar.gz"
    rng = np.random.default_rng(2)
    errors, found = 0, set()
    for position in (*rng.integers(10, len(whole), 150), *range(len(whole) - 64, len(whole))):
        broken = bytearray(whole)
        broken[position] ^= 1 << rng.integers(8)
        path.write_bytes(broken)
        try:
            found.add(read_cifar10(path).fingerprint)
        except DataError:
            errors += 1
    assert found <= {sound}
    assert errors >= 150


def test_nothing_is_written_while_an_archive_is_read(folder, tmp_path):
    """Counted by Python itself: no file is opened for writing, nothing made, linked or renamed."""
    archive = write_tar(folder, tmp_path / "x.tar.gz")
    script = """
import sys
from linprobe.data.formats.cifar10 import read_cifar10
read_cifar10(sys.argv[1])  # imports what is imported late
events = []
def watch(event, arguments):
    if event == "open" and isinstance(arguments[1], str) and set(arguments[1]) & set("wax+"):
        events.append(arguments)
    if event.startswith(("os.", "shutil.", "tempfile.")) and event not in ("os.listdir", "os.scandir"):
        events.append(event)
sys.addaudithook(watch)
read_cifar10(sys.argv[1])
print(events)
"""
    done = subprocess.run([sys.executable, "-c", script, str(archive)], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_size_that_lies_about_the_compressed_file_is_refused_unopened(tmp_path):
    path = tmp_path / "x.tar.gz"
    with path.open("wb") as file:
        file.truncate(2**40)  # sparse: takes no room
    with pytest.raises(UnsafeFileError, match="has 1,099,511,627,776 bytes"):
        read_cifar10(path)
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(DataError, match="is not a file"):
        read_cifar10(path)


def test_stored_and_streamed_forms_of_gzip(folder, tmp_path):
    """Level 0, several gzip members, and extra header fields: all are gzip."""
    plain = gzip.decompress(write_tar(folder, tmp_path / "x.tar.gz").read_bytes())
    path = tmp_path / "y.tar.gz"
    extra = struct.pack("<4sBBHBB", b"\x1f\x8b\x08\x1c", 0, 0, 0, 0, 255)  # extra field, name and comment follow
    body = zlib.compressobj(6, zlib.DEFLATED, -15)
    packed = body.compress(plain) + body.flush()
    named = extra + b"\x02\x00ab" + b"name\0comment\0" + packed + struct.pack("<II", zlib.crc32(plain), len(plain))
    for raw in (gzip.compress(plain, 0), gzip.compress(plain[:7_000]) + gzip.compress(plain[7_000:]), named):
        path.write_bytes(raw)
        assert read_cifar10(path).fingerprint == read_cifar10(folder).fingerprint

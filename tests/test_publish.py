"""A file or a folder appears whole or not at all: the name is looked at from outside, after every kind of end."""

import errno
import os
from pathlib import Path

import pytest

from linprobe.errors import OutputError, UsageError
from linprobe.publish import publish_file, publish_folder
from publishing import assert_one_line, content, end_with, fill, half, names, publish_with, python

# ---- what succeeds


def test_a_file_appears_when_the_block_ends_and_not_before(tmp_path):
    path = tmp_path / "file.txt"
    with publish_file(path) as partial:
        partial.write_text("half")
        assert not path.exists()
        assert partial.parent == tmp_path  # a rename is one step on one disk only
        assert partial.name.startswith(".")
        partial.write_text("whole")
    assert names(tmp_path) == ["file.txt"]
    assert path.read_text() == "whole"


def test_an_existing_file_stays_until_the_new_one_is_whole(tmp_path):
    path = tmp_path / "file.txt"
    path.write_text("old")
    with publish_file(path) as partial:
        partial.write_text("new")
        assert path.read_text() == "old"
    assert path.read_text() == "new"
    assert names(tmp_path) == ["file.txt"]


def test_a_folder_appears_when_the_block_ends_and_not_before(tmp_path):
    path = tmp_path / "runs" / "deep" / "run"
    with publish_folder(path) as partial:
        fill(partial)
        assert not path.exists()
        assert partial.parent == path.parent
        assert partial.name.startswith(".")
    assert names(path.parent) == ["run"]
    assert content(path) == {"a.txt": "new", "deep/er/b.txt": "new"}


def test_an_empty_folder_is_filled(tmp_path):
    path = tmp_path / "run"
    path.mkdir()
    with publish_folder(path) as partial:
        fill(partial)
    assert content(path) == {"a.txt": "new", "deep/er/b.txt": "new"}
    assert names(tmp_path) == ["run"]


def test_what_is_written_reaches_the_disk_before_it_gets_its_name(tmp_path, monkeypatch):
    flushed = []
    monkeypatch.setattr(os, "fsync", lambda handle: flushed.append((os.fstat(handle).st_size, names(tmp_path))))
    with publish_folder(tmp_path / "run") as partial:
        (partial / "one").write_bytes(b"1")
        (partial / "two").write_bytes(b"22")
    with publish_file(tmp_path / "file") as partial:
        partial.write_bytes(b"333")
    assert sorted(size for size, _ in flushed) == [1, 2, 3]
    assert all(set(seen) & {"run", "file"} == (set() if size < 3 else {"run"}) for size, seen in flushed)


@pytest.mark.parametrize(
    "name", ["x" * 255, "é" * 127, "🦉" * 63, "line\nbreak", " ", ".hidden", "-rf", "a" * 200 + ".png"]
)
def test_every_name_that_the_system_allows_can_be_published(tmp_path, name):
    with publish_file(tmp_path / name) as partial:
        partial.write_text("x")
    assert names(tmp_path) == [name]
    (tmp_path / name).unlink()
    with publish_folder(tmp_path / name) as partial:
        fill(partial)
    assert names(tmp_path) == [name]


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o027, 0o077])
def test_modes_follow_the_umask(tmp_path, umask):
    before = os.umask(umask)
    try:
        with publish_file(tmp_path / "file") as partial:
            partial.write_text("x")
        with publish_folder(tmp_path / "new" / "run") as partial:
            (partial / "inside").write_text("x")
            assert os.umask(umask) == umask  # nobody else's files are made under another mask meanwhile
    finally:
        os.umask(before)
    modes = {path.name: path.stat().st_mode & 0o777 for path in tmp_path.rglob("*")}
    assert modes == {
        "file": 0o666 & ~umask,
        "new": 0o777 & ~umask,
        "run": 0o777 & ~umask,
        "inside": 0o666 & ~umask,
    }


def test_relative_places_and_links(tmp_path, monkeypatch):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere" / "not yet")
    monkeypatch.chdir(tmp_path)
    with publish_folder(Path("runs/run")) as partial:
        fill(partial)
    with publish_folder(Path("link")) as partial:  # leads nowhere until the folder is there
        fill(partial, "through the link")
    with publish_folder(Path("link"), replace=True) as partial:
        fill(partial, "again")
    with publish_file(Path("file")) as partial:
        partial.write_text("x")
    assert names(tmp_path) == ["elsewhere", "file", "link", "runs"]
    assert names(tmp_path / "elsewhere") == ["not yet"]
    assert (tmp_path / "link").is_symlink()
    assert set(content(tmp_path / "link").values()) == {"again"}


# ---- what fails in the block

ENDS = [
    ValueError("mine"),
    KeyboardInterrupt(),
    SystemExit(3),
    MemoryError(),
    GeneratorExit(),
    BrokenPipeError(32, "x"),
]


@pytest.mark.parametrize("end", ENDS, ids=lambda end: type(end).__name__)
def test_a_block_that_raises_leaves_nothing_and_its_error_passes_through(tmp_path, end):
    for publishing, place in ((publish_file, "file"), (publish_folder, "runs/deep/run")):
        with pytest.raises(type(end)) as caught:
            publish_with(publishing, tmp_path / place, half, end_with(end))
        assert caught.value is end
    assert names(tmp_path) == []


def test_a_block_that_raises_leaves_what_was_there(tmp_path):
    (tmp_path / "file").write_text("old")
    (tmp_path / "runs").mkdir()
    fill(tmp_path / "runs", "old")
    ctrl_c = end_with(KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        publish_with(publish_file, tmp_path / "file", half, ctrl_c)
    with pytest.raises(KeyboardInterrupt):
        publish_with(publish_folder, tmp_path / "runs", half, ctrl_c, replace=True)
    with pytest.raises(KeyboardInterrupt):
        publish_with(publish_folder, tmp_path / "runs" / "new" / "run", half, ctrl_c)
    assert (tmp_path / "file").read_text() == "old"
    assert content(tmp_path / "runs") == {"a.txt": "old", "deep/er/b.txt": "old"}
    assert names(tmp_path) == ["file", "runs"]


def test_an_error_about_another_file_is_not_called_a_failure_to_write(tmp_path):
    """A run folder is open while the data are read: a source that is gone must not be told as a full disk."""
    gone = tmp_path / "data" / "gone.bin"
    for block in (
        lambda _: gone.read_bytes(),
        lambda _: gone.rename(tmp_path / "x"),
        lambda _: list(gone.iterdir()),
        lambda _: os.open(os.fsencode(gone), os.O_RDONLY),
        lambda _: os.fsync(10_000),  # a bad number names no file, and is not the disk's fault either
        lambda partial: (partial.parent / f"{partial.name}x" / "y").read_bytes(),  # begins like ours, and is not
    ):
        for publishing in (publish_file, publish_folder):
            with pytest.raises(OSError, match=r"No such file|Bad file"):
                publish_with(publishing, tmp_path / "out", block)
            assert names(tmp_path) == []


def test_an_error_about_what_is_written_is_told_as_one(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path, other = Path("out"), Path("other")
    other.touch()
    for block in (
        lambda partial: (partial / "no" / "such" / "file").write_text("x"),
        lambda partial: (partial.absolute() / "no" / "such" / "file").write_text("x"),
        lambda partial: other.rename(partial / "no" / "such"),
    ):
        with pytest.raises(OutputError) as caught, publish_folder(path) as partial:
            block(partial)
        assert_one_line(caught, path, "cannot be written")
    with pytest.raises(OutputError) as caught, publish_file(path) as partial:
        (partial.absolute() / "below a file").write_text("x")
    assert_one_line(caught, path, "cannot be written: not a directory")
    assert names(tmp_path) == ["other"]


def test_a_file_in_a_folder_goes_by_the_name_that_it_would_have_had(tmp_path):
    with (
        pytest.raises(OutputError) as caught,
        publish_folder(tmp_path / "run") as partial,
        publish_file(partial / "loss.png") as inner,
    ):
        write_until_full(inner)
    assert_one_line(caught, tmp_path / "run" / "loss.png", "no space left on device")
    assert names(tmp_path) == []


# ---- places that are full


def write_until_full(_partial):
    """/dev/full answers every write like a disk without room; the error names no file, as a real one does not."""
    with Path("/dev/full").open("wb") as file:
        file.write(b"x" * 100_000)


@pytest.mark.parametrize("publishing", [publish_file, publish_folder])
def test_a_full_disk_is_one_line_and_leaves_nothing(tmp_path, publishing):
    if not Path("/dev/full").exists():
        pytest.skip("needs /dev/full, which is Linux's")
    with pytest.raises(OutputError) as caught, publishing(tmp_path / "out") as partial:
        write_until_full(partial)
    assert_one_line(caught, tmp_path / "out", "no space left on device", "with room")
    assert names(tmp_path) == []


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS], ids=errno.errorcode.get)
@pytest.mark.parametrize("call", ["fsync", "rename"])
@pytest.mark.parametrize("publishing", [publish_file, publish_folder])
def test_a_disk_that_fails_at_the_last_moment_leaves_nothing(tmp_path, monkeypatch, publishing, call, number):
    def fail(*arguments, **options):
        raise OSError(number, os.strerror(number))

    def spoil(_partial):
        if call == "fsync":
            monkeypatch.setattr(os, "fsync", fail)
        else:
            monkeypatch.setattr(Path, "rename", fail)
            monkeypatch.setattr(Path, "replace", fail)

    with pytest.raises(OutputError) as caught:
        publish_with(publishing, tmp_path / "out", half, spoil)
    assert_one_line(caught, tmp_path / "out", os.strerror(number).lower())
    assert names(tmp_path) == []


LIMITED = """
import resource, sys
from pathlib import Path
from linprobe.errors import OutputError
from linprobe import publish
resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))
try:
    with getattr(publish, sys.argv[1])(Path(sys.argv[2])) as partial:
        file = partial / "inside" if partial.is_dir() else partial
        file.write_bytes(bytes(9_000))
        with file.open("ab") as more:
            more.write(bytes(9_000))
except OutputError as error:
    print(error)
"""


@pytest.mark.parametrize("publishing", ["publish_file", "publish_folder"])
def test_a_file_that_the_system_cuts_off_is_never_seen(tmp_path, publishing):
    out, err = python(LIMITED, publishing, tmp_path / "out").communicate(timeout=30)
    assert (out.count("\n"), err) == (1, "")
    assert out.startswith(f"{tmp_path / 'out'}: cannot be written: file too large; ")
    assert names(tmp_path) == []


# ---- places that cannot be written: the tests may run as root, whom no mode stops


@pytest.mark.parametrize("below", ["file/out", "file/deep/out"])
@pytest.mark.parametrize("publishing", [publish_file, publish_folder])
def test_below_a_file_nothing_can_be_written(tmp_path, publishing, below):
    (tmp_path / "file").write_text("x")
    with pytest.raises(OutputError) as caught, publishing(tmp_path / below):
        pytest.fail("the block must not start")
    assert_one_line(caught, tmp_path / below, "cannot be written: not a directory")
    assert content(tmp_path) == {"file": "x"}


@pytest.mark.parametrize("publishing", [publish_file, publish_folder])
def test_a_system_folder_cannot_be_written(publishing):
    place = Path("/proc/linprobe/out")
    with pytest.raises(OutputError) as caught, publishing(place):
        pytest.fail("the block must not start")
    assert_one_line(caught, place, "cannot be written")


@pytest.mark.parametrize("publishing", [publish_file, publish_folder])
def test_a_name_too_long_is_refused_before_the_block(tmp_path, publishing):
    place = tmp_path / ("x" * 256)
    with pytest.raises(OutputError) as caught, publishing(place):
        pytest.fail("the block must not start")
    assert_one_line(caught, place, "cannot be written: file name too long")


@pytest.mark.parametrize("publishing", [publish_file, publish_folder])
def test_a_folder_without_the_right_to_write_is_refused_before_the_block(tmp_path, monkeypatch, publishing):
    def denied(self, *arguments, **options):
        raise PermissionError(errno.EACCES, "Permission denied", str(self))

    monkeypatch.setattr(Path, "touch", denied)
    monkeypatch.setattr(Path, "mkdir", denied)
    with pytest.raises(OutputError) as caught, publishing(tmp_path / "out"):
        pytest.fail("the block must not start")
    assert_one_line(caught, tmp_path / "out", "cannot be written: permission denied")


def test_publish_file_needs_its_folder_and_refuses_a_folder_as_a_file(tmp_path):
    with pytest.raises(OutputError) as caught, publish_file(tmp_path / "no" / "file"):
        pytest.fail("the block must not start")
    assert_one_line(caught, tmp_path / "no" / "file", "no such file or directory")
    with pytest.raises(OutputError) as caught, publish_file(tmp_path):
        pytest.fail("the block must not start")
    assert_one_line(caught, tmp_path, "is a folder")


def test_a_file_that_may_not_be_replaced_is_kept_whenever_it_came(tmp_path):
    path = tmp_path / "file"
    path.write_text("mine")
    begun = []
    with pytest.raises(UsageError, match="exists; name another file"), publish_file(path, replace=False):
        begun.append(True)
    assert begun == []  # refused before any work
    path.unlink()
    late = pytest.raises(UsageError, match="exists; name another file")
    with late, publish_file(path, replace=False) as partial:
        partial.write_text("ours")
        path.write_text("mine")  # somebody was faster
    assert path.read_text() == "mine"
    assert [each.name for each in tmp_path.iterdir()] == ["file"]
    path.unlink()
    with publish_file(path, replace=False) as partial:
        partial.write_text("ours")
    assert path.read_text() == "ours"

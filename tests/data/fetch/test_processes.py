"""Several processes at once, killed processes, interrupted ones, full disks: no half file, no wrong one."""

import errno
import functools
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

import loopback as act  # pyright: ignore[reportMissingImports]  # tests/ is on pytest's path
from linprobe.data import fetch as download
from linprobe.errors import OutputError

fetch = functools.partial(download.fetch, timeout=10.0, backoff=0.001)
NAME = "cifar-10-python.tar.gz"

CHILD = """
import sys
from linprobe.data import fetch as download
from linprobe.errors import LinprobeError
url, size, md5 = sys.argv[1:]
download.ARCHIVES["cifar10"] = download.Archive("cifar-10-python.tar.gz", url, int(size), md5)
print("ready", flush=True)
try:
    print(download.cached("cifar10"))
except LinprobeError as error:
    sys.exit(f"{type(error).__name__} {error}")
"""


def child(archive: download.Archive, before: str = "") -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", before + CHILD, archive.url, str(archive.size), archive.md5],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def wait_until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + 30
    while not true():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.01)


def on_disk(cache: Path) -> int:
    partial = cache / "partial" / NAME
    return partial.stat().st_size if partial.exists() else 0


def test_of_four_processes_one_downloads(server, archive, cache):
    server.gate.clear()
    children = [child(archive) for _ in range(4)]
    for process in children:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    wait_until(lambda: len(server.asked) == 1)
    server.gate.set()
    for process in children:
        out, err = process.communicate(timeout=30)
        assert (process.returncode, err) == (0, "")
        assert Path(out.strip()).read_bytes() == server.body
    assert len(server.asked) == 1
    assert {path.name for path in cache.iterdir()} == {NAME, f"{NAME}.json", "partial"}


def test_those_who_wait_see_the_progress_of_the_one(server, archive, cache):
    server.script.append(act.stall(200_000))
    process = child(archive)
    wait_until(lambda: on_disk(cache) == 200_000)

    def progress(done: int, total: int | None) -> None:
        seen.append((done, total))
        process.kill()

    seen: list[tuple[int, int | None]] = []
    assert fetch("cifar10", progress=progress).read_bytes() == server.body
    process.communicate()
    assert seen[0] == (200_000, archive.size)
    assert [asked.start for asked in server.asked] == [0, 200_000]


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_a_process_that_ends_early_leaves_a_partial_to_continue(server, archive, cache, number):
    server.script.append(act.stall(150_000))
    process = child(archive)
    wait_until(lambda: on_disk(cache) == 150_000)
    process.send_signal(number)
    _, err = process.communicate(timeout=30)
    assert process.returncode == -number
    assert ("KeyboardInterrupt" in err) == (number == signal.SIGINT)
    assert {path.name for path in cache.iterdir()} == {"partial"}
    assert fetch("cifar10").read_bytes() == server.body
    assert [asked.start for asked in server.asked] == [0, 150_000]


@pytest.mark.parametrize("moment", [0, 1, 100_000, 300_000])
def test_an_interrupt_anywhere_publishes_nothing(server, archive, cache, moment):
    def interrupt(done: int, total: int | None) -> None:
        if done >= moment:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fetch("cifar10", progress=interrupt)
    assert {path.name for path in cache.iterdir()} == {"partial"}
    assert fetch("cifar10").read_bytes() == server.body


def test_an_interrupted_copy_leaves_nothing(archive, cache, body, tmp_path):
    def interrupt(done: int, total: int | None) -> None:
        raise KeyboardInterrupt

    source = tmp_path / "mine.tar.gz"
    source.write_bytes(body)
    with pytest.raises(KeyboardInterrupt):
        fetch("cifar10", source=source, progress=interrupt)
    assert [path.name for path in cache.rglob("*")] == ["partial", f"{NAME}.lock"]
    assert source.read_bytes() == body


@pytest.mark.parametrize("step", ["replace", "fsync"])
@pytest.mark.parametrize("error", [KeyboardInterrupt(), OSError(errno.EIO, "Input/output error")])
def test_a_failure_while_publishing_leaves_no_archive(server, archive, cache, monkeypatch, step, error):
    def fail(*_):
        raise error

    with monkeypatch.context() as patched:
        patched.setattr(*{"replace": (Path, "replace", fail), "fsync": (os, "fsync", fail)}[step])
        with pytest.raises(KeyboardInterrupt if isinstance(error, KeyboardInterrupt) else OutputError):
            fetch("cifar10")
    assert not (cache / NAME).exists()
    assert fetch("cifar10").read_bytes() == server.body


def test_a_full_disk_is_one_line_and_leaves_nothing(server, archive, cache):
    # A limit on file size is a disk that is full after 100,000 bytes, for this process alone.
    limit = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))\n"
    _, err = (process := child(archive, limit)).communicate(timeout=30)
    assert process.returncode == 1
    assert err == (
        f"OutputError {cache / NAME}: cannot be written: file too large; "
        "name a folder with room that you may write in LINPROBE_DATA\n"
    )
    assert [path.name for path in cache.rglob("*")] == ["partial", f"{NAME}.lock"]
    assert fetch("cifar10").read_bytes() == server.body


def test_a_full_disk_while_copying(archive, cache, body, tmp_path, monkeypatch):
    source = tmp_path / "mine.tar.gz"
    source.write_bytes(body)

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OutputError, match="cannot be written: no space left on device"):
        fetch("cifar10", source=source)
    assert [path.name for path in cache.rglob("*")] == ["partial", f"{NAME}.lock"]

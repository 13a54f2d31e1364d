"""`linprobe fetch`: arguments in, library call, words out."""

import contextlib
import hashlib
import json
import os
import pty
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

import loopback as act  # pyright: ignore[reportMissingImports]  # tests/ is on pytest's path
from linprobe.cli.fetch import fetch
from linprobe.data import fetch as download
from linprobe.errors import DownloadError, UsageError

BODY = bytes(range(256)) * 400


@pytest.fixture(autouse=True)
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[act.Loopback]:
    monkeypatch.setenv("LINPROBE_DATA", str(tmp_path / "cache"))
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    with act.Loopback(BODY) as loopback:
        md5 = hashlib.md5(BODY, usedforsecurity=False).hexdigest()
        small = download.Archive("cifar-10-python.tar.gz", loopback.url, len(BODY), md5)
        monkeypatch.setitem(download.ARCHIVES, "cifar10", small)
        yield loopback


def run(*arguments: str):
    app = typer.Typer()
    app.command()(fetch)
    return CliRunner().invoke(app, list(arguments))


def test_it_says_what_it_did_and_that_it_needs_doing_only_once(server, tmp_path):
    path = tmp_path / "cache" / "cifar-10-python.tar.gz"
    sha256 = hashlib.sha256(BODY).hexdigest()
    details = f"{path} (102,400 bytes, sha256 {sha256})\n"
    first, second = run("cifar10"), run("cifar10")
    assert (first.exit_code, first.stdout) == (0, f"cifar10: fetched and verified: {details}")
    assert (second.exit_code, second.stdout) == (0, f"cifar10: already here and verified: {details}")
    assert first.stderr == second.stderr == ""  # no bar where there is no terminal
    assert path.read_bytes() == BODY
    assert len(server.asked) == 1


def test_a_damaged_archive_with_its_size_and_time_kept_is_fetched_again(server, tmp_path):
    run("cifar10")
    path = tmp_path / "cache" / "cifar-10-python.tar.gz"
    status = path.stat()
    path.write_bytes(BODY[:-1] + b"x")
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert run("cifar10").stdout.startswith("cifar10: fetched and verified: ")
    assert path.read_bytes() == BODY


def test_json(server, tmp_path):
    expected = {
        "name": "cifar10",
        "path": str(tmp_path / "cache" / "cifar-10-python.tar.gz"),
        "fetched": True,
        "size": len(BODY),
        "md5": hashlib.md5(BODY, usedforsecurity=False).hexdigest(),
        "sha256": hashlib.sha256(BODY).hexdigest(),
        "origin": server.url,
    }
    assert json.loads(run("cifar10", "--json").stdout) == expected
    assert json.loads(run("cifar10", "--json").stdout) == {**expected, "fetched": False}


def test_from_a_file_with_its_checksum(server, tmp_path):
    mine = tmp_path / "mine [1].tar.gz"
    mine.write_bytes(b"re-encoded")
    done = run("cifar10", "--from", str(mine), "--sha256", hashlib.sha256(b"re-encoded").hexdigest())
    assert (done.exit_code, server.asked) == (0, [])
    assert (tmp_path / "cache" / "cifar-10-python.tar.gz").read_bytes() == b"re-encoded"


def test_retries_are_told(server):
    server.script.append(act.status(503))
    done = run("cifar10")
    assert done.exit_code == 0
    assert done.stderr.startswith(f"{server.url}: answered 503; attempt 2 of 6 in ")


@pytest.mark.parametrize(
    ("arguments", "kind"),
    [
        (["cifar100"], UsageError),
        (["cifar10", "--sha256", "abc"], UsageError),
        (["cifar10", "--from", "ftp://example.invalid/x"], UsageError),
        (["cifar10", "--from", "no-such-file"], DownloadError),
    ],
)
def test_errors_come_through_to_the_common_wrapper(arguments, kind):
    done = run(*arguments)
    assert isinstance(done.exception, kind)
    assert (done.stdout, done.stderr) == ("", "")


def test_a_terminal_gets_a_bar(server, tmp_path):
    """A real one: a pseudo-terminal on standard error."""
    code = """
import sys, typer
from linprobe.data import fetch as download
from linprobe.cli.fetch import fetch
url, size, md5 = sys.argv[1:4]
download.ARCHIVES["cifar10"] = download.Archive("cifar-10-python.tar.gz", url, int(size), md5)
app = typer.Typer()
app.command()(fetch)
app(["cifar10"])
"""
    archive = download.ARCHIVES["cifar10"]
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-c", code, archive.url, str(archive.size), archive.md5],
        stdout=subprocess.PIPE,
        stderr=theirs,
        env={**os.environ, "TERM": "xterm", "COLUMNS": "100"},
        text=True,
    ) as process:
        os.close(theirs)
        bar = b""
        with contextlib.suppress(OSError):  # how Linux says that the other side was closed
            while piece := os.read(ours, 65536):
                bar += piece
        os.close(ours)
        assert process.stdout is not None
        assert process.stdout.read().startswith("cifar10: fetched and verified: ")
    assert process.returncode == 0
    assert b"102.4/102.4 kB" in bar


def test_the_worksheet_fetches_with_a_bar_what_the_cache_lacks(monkeypatch):
    from linprobe.cli.fetch import fetch_if_absent

    asked = []
    cached = "linprobe.data.fetch.cached"
    monkeypatch.setattr(cached, lambda name, *, progress: asked.append((name, callable(progress))))
    for source in ("digits", "some/path", "cifar10"):
        fetch_if_absent(source)
    assert asked == [("cifar10", True)]

"""The cache holds verified files or nothing; opening one trusts its size and time, verifying one reads it again."""

import dataclasses
import errno
import json
import os
import shutil
from pathlib import Path
from unittest import mock

import filelock
import platformdirs
import pytest

from linprobe.data import fetch as download
from linprobe.data.fetch import cache as cache_module
from linprobe.data.fetch import cached, fetch, obtain, verified
from linprobe.errors import DownloadError, OutputError, UsageError


def test_the_folder_is_the_platforms_or_the_one_named(monkeypatch, cache):
    assert download.cache_folder() == cache
    for nothing in ("", None):
        monkeypatch.setenv("LINPROBE_DATA", nothing) if nothing is not None else monkeypatch.delenv("LINPROBE_DATA")
        assert download.cache_folder() == platformdirs.user_cache_path("linprobe")
    monkeypatch.setenv("LINPROBE_DATA", "~/data")
    assert download.cache_folder() == Path.home() / "data"
    monkeypatch.setenv("LINPROBE_DATA", "~nobody-of-this-name/data")
    assert download.cache_folder() == Path("~nobody-of-this-name/data")


def test_the_official_archive():
    official = download.ARCHIVES["cifar10"]
    assert official.url == "https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz"
    assert (official.size, official.md5) == (170_498_071, "c58f30108f718f92721af3b95e74349a")


@pytest.mark.parametrize("function", [cached, fetch, verified])
@pytest.mark.parametrize("name", ["cifar100", "", "../cifar10", "CIFAR10"])
def test_unknown_names_are_refused_with_the_known_ones(function, name):
    with pytest.raises(UsageError, match=r"name one of: cifar10$"):
        function(name)


def test_cached_fetches_once_and_reads_no_more(server, archive, cache, monkeypatch):
    assert verified("cifar10") is None
    assert not cache.exists()  # asking leaves no trace
    path = cached("cifar10")
    assert path.read_bytes() == server.body
    known = verified("cifar10")
    assert known is not None
    assert (known.origin, known.size, known.md5) == (server.url, archive.size, archive.md5)
    monkeypatch.setattr(cache_module, "measured", mock.Mock(side_effect=AssertionError("read again")))
    assert cached("cifar10") == path
    assert len(server.asked) == 1


def test_other_bytes_of_the_same_size_and_time_are_not_called_verified(server, archive):
    path = cached("cifar10")
    status = path.stat()
    path.write_bytes(b"x" + server.body[1:])
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert cache_module.recorded(path) is not None  # nothing but the bytes tells
    assert verified("cifar10") is None
    done = obtain("cifar10")
    assert (done.fetched, done.verified.md5) == (True, archive.md5)
    assert path.read_bytes() == server.body
    assert not obtain("cifar10").fetched
    assert len(server.asked) == 2


def test_a_touched_file_is_verified_again(server, archive, monkeypatch):
    path = cached("cifar10")
    os.utime(path, ns=(1, 1))
    measured = mock.Mock(wraps=cache_module.measured)
    monkeypatch.setattr(cache_module, "measured", measured)
    assert cached("cifar10") == cached("cifar10") == path
    assert measured.call_count == 1  # and its record brought up to date
    assert len(server.asked) == 1


@pytest.mark.parametrize("damage", ["altered", "truncated", "longer", "empty"])
def test_a_damaged_file_is_refused_and_fetch_replaces_it(server, archive, damage):
    path = cached("cifar10")
    body = server.body
    path.write_bytes({"altered": b"x" + body[1:], "truncated": body[:-1], "longer": body + b"x", "empty": b""}[damage])
    os.utime(path, ns=(1, 1))
    assert verified("cifar10") is None
    with pytest.raises(DownloadError, match=r"neither what was verified here .*; replace it: linprobe fetch cifar10$"):
        cached("cifar10")
    assert len(server.asked) == 1
    assert fetch("cifar10").read_bytes() == body
    assert cached("cifar10") == path


@pytest.mark.parametrize("record", [None, "", "[]", "{}", '{"size": 1}', "\x00", "null"])
def test_without_a_readable_record_the_authors_file_is_recognised(server, archive, record):
    path = cached("cifar10")
    beside = path.with_name(f"{path.name}.json")
    beside.unlink() if record is None else beside.write_text(record)
    assert cached("cifar10") == path
    assert json.loads(beside.read_text())["md5"] == archive.md5
    assert len(server.asked) == 1


def test_a_file_that_nobody_verified_is_refused(archive, cache):
    cache.mkdir()
    (cache / archive.file).write_bytes(bytes(archive.size))
    with pytest.raises(DownloadError, match="replace it"):
        cached("cifar10")


def test_a_mirrors_archive_counts_until_the_official_one_is_asked_for(server, archive, tmp_path):
    other = tmp_path / "other.tar.gz"
    other.write_bytes(b"re-encoded")
    sha256 = cache_module.measured(other, "").sha256
    path = fetch("cifar10", source=other, sha256=sha256)
    os.utime(path, ns=(1, 1))
    assert cached("cifar10").read_bytes() == b"re-encoded"
    known = verified("cifar10")
    assert known is not None
    assert (known.origin, known.sha256) == (str(other), sha256)
    assert server.asked == []
    assert fetch("cifar10").read_bytes() == server.body


def test_a_cache_that_may_only_be_read_is_enough(server, archive, monkeypatch):
    path = cached("cifar10")
    os.utime(path, ns=(1, 1))  # so that its record is out of date, too
    denied = mock.Mock(side_effect=PermissionError(errno.EACCES, "Permission denied"))
    monkeypatch.setattr(Path, "mkdir", denied)
    monkeypatch.setattr(cache_module, "publish_file", denied)
    assert cached("cifar10") == path
    assert fetch("cifar10") == path
    assert denied.called


def test_a_cache_that_is_no_folder(archive, cache):
    cache.write_text("a file")
    with pytest.raises(OutputError, match=r"cannot be written: .*LINPROBE_DATA"):
        fetch("cifar10")


def test_a_folder_where_the_archive_belongs(server, archive, cache):
    (cache / archive.file).mkdir(parents=True)
    with pytest.raises(OutputError, match="is a folder where the archive belongs"):
        fetch("cifar10")
    with pytest.raises(DownloadError, match="neither what was verified"):
        cached("cifar10")
    assert server.asked == []


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="the superuser may write anywhere")
def test_a_cache_that_may_not_be_written(archive, cache):
    cache.mkdir()
    cache.chmod(0o500)
    with pytest.raises(OutputError, match="cannot be written: permission denied"):
        fetch("cifar10")


def test_no_room_is_noticed_before_the_first_byte(server, archive, cache, monkeypatch):
    usage = dataclasses.make_dataclass("Usage", [("free", int)])
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(archive.size - 1))
    with pytest.raises(OutputError, match=r"has room for 299,999 bytes where 300,000 are needed; make room"):
        fetch("cifar10")
    assert server.asked == []
    assert {path.name for path in cache.iterdir()} == {"partial"}


def test_a_file_system_without_locks(archive, monkeypatch):
    monkeypatch.setattr(filelock.FileLock, "acquire", mock.Mock(side_effect=NotImplementedError))
    with pytest.raises(OutputError, match="its file system has no locks; name a folder on another disk"):
        fetch("cifar10")

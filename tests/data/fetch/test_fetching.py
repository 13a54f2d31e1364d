"""Which sources are taken, and by which checksum they are verified."""

import functools
import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

import loopback as act  # pyright: ignore[reportMissingImports]  # tests/ is on pytest's path
from linprobe.data import fetch as download
from linprobe.errors import DownloadError, UsageError

fetch = functools.partial(download.fetch, timeout=10.0, backoff=0.001)


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@pytest.fixture
def file(tmp_path: Path, body: bytes) -> Path:
    path = tmp_path / "mine.tar.gz"
    path.write_bytes(body)
    return path


def leftovers(cache: Path) -> set[str]:
    return {str(path.relative_to(cache)) for path in cache.rglob("*")} - {
        "partial",
        "partial/cifar-10-python.tar.gz.lock",
    }


def test_a_local_file_is_copied(server, archive, cache, file, body):
    seen: list[tuple[int, int | None]] = []
    path = fetch("cifar10", source=file, progress=lambda done, total: seen.append((done, total)))
    assert path.read_bytes() == file.read_bytes() == body
    assert not path.is_symlink()
    assert seen[-1] == (len(body), len(body))
    assert server.asked == []
    assert leftovers(cache) == {"cifar-10-python.tar.gz", "cifar-10-python.tar.gz.json"}


def test_a_symbolic_link_is_followed(archive, tmp_path, file, body):
    link = tmp_path / "link"
    link.symlink_to(file)
    path = fetch("cifar10", source=str(link))
    assert path.read_bytes() == body
    assert not path.is_symlink()
    assert link.is_symlink()


def test_a_local_file_of_another_size_needs_its_checksum(archive, cache, file):
    file.write_bytes(b"re-encoded")
    with pytest.raises(DownloadError) as error:
        fetch("cifar10", source=file)
    assert str(error.value) == (
        f"{file}: has 10 bytes where 300,000 were expected; "
        f"if you trust it, name its checksum: linprobe fetch cifar10 --from {file} --sha256 HEX"
    )
    assert leftovers(cache) == set()
    assert fetch("cifar10", source=file, sha256=sha256(b"re-encoded").upper()).read_bytes() == b"re-encoded"


def test_a_local_file_with_other_bytes_is_refused(archive, cache, file, body):
    file.write_bytes(b"x" + body[1:])
    with pytest.raises(DownloadError, match=f"holds other bytes: md5 [0-9a-f]+ where {archive.md5} was expected; if"):
        fetch("cifar10", source=file)
    with pytest.raises(DownloadError, match=r"holds other bytes: sha256 .*; check the checksum"):
        fetch("cifar10", source=file, sha256=sha256(body))
    assert leftovers(cache) == set()


def test_a_bad_source_leaves_the_good_archive_alone(server, archive, file, body):
    path = fetch("cifar10")
    with pytest.raises(DownloadError):
        fetch("cifar10", source=file, sha256="0" * 64)
    assert download.cached("cifar10") == path
    assert path.read_bytes() == body


@pytest.mark.parametrize("kind", ["missing", "folder", "pipe", "loop", "unreadable"])
def test_what_is_not_a_file_is_refused(archive, cache, tmp_path, kind, monkeypatch):
    path = tmp_path / "source"
    if kind == "folder":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "loop":
        path.symlink_to(path)
    elif kind == "unreadable":
        path.write_bytes(bytes(archive.size))
        path.chmod(0)
        if os.access(path, os.R_OK):
            pytest.skip("the superuser may read anything")
    with pytest.raises(DownloadError, match=f"^{path}: .*; ") as error:
        fetch("cifar10", source=path)
    assert str(error.value).isprintable()
    assert leftovers(cache) == set()


def test_a_file_beyond_all_measure_is_refused_unread(archive, tmp_path):
    path = tmp_path / "sparse"
    with path.open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(DownloadError, match=r"has 1,099,511,627,776 bytes where at most 1,200,000 were expected"):
        fetch("cifar10", source=path, sha256="0" * 64)


@pytest.mark.parametrize("text", ["", "abc", "g" * 64, "0" * 63, "0" * 65, "sha512:" + "0" * 64])
def test_what_is_not_a_checksum_is_refused(archive, text):
    with pytest.raises(UsageError, match="64 hexadecimal digits"):
        fetch("cifar10", sha256=text)


@pytest.mark.parametrize(
    ("source", "finding"),
    [
        ("http://example.invalid/a.tar.gz", "use https, or add --sha256"),
        ("file:///etc/passwd", "cannot be fetched"),
        ("ftp://example.invalid/a", "cannot be fetched"),
        ("https:///a", "cannot be fetched"),
        ("https://example.invalid:99999/a", "not a URL"),
        ("https://[::1/a", "not a URL"),
    ],
)
def test_urls_that_are_not_asked(archive, cache, source, finding):
    with pytest.raises(UsageError, match=finding):
        fetch("cifar10", source=source)
    assert not cache.exists()


def test_a_url_that_no_client_can_ask(archive):
    with pytest.raises(DownloadError, match="cannot be asked"):
        fetch("cifar10", source="https://example.invalid/a\x07b")


@pytest.mark.parametrize(
    "settings", [{"timeout": 0}, {"timeout": float("nan")}, {"attempts": 0}, {"backoff": -1}, {"backoff": float("nan")}]
)
def test_settings_that_cannot_be(settings):
    with pytest.raises(UsageError, match="cannot be done"):
        download.fetch("cifar10", **settings)


def test_a_mirror_must_have_the_official_bytes_or_a_checksum(server, archive):
    server.body = b"re-encoded"
    with pytest.raises(DownloadError, match=f"twice; if you trust it, .* --from {server.url} --sha256 HEX$"):
        fetch("cifar10", source=server.url)
    assert fetch("cifar10", source=server.url, sha256=sha256(b"re-encoded")).read_bytes() == b"re-encoded"


@pytest.mark.parametrize("misbehaviour", [act.good, act.chunked, act.without_length, act.labelled_gzip])
def test_by_sha256_the_size_need_not_be_known(server, archive, misbehaviour):
    server.body = server.body[:123_456]
    server.script.append(misbehaviour)
    assert fetch("cifar10", sha256=sha256(server.body)).read_bytes() == server.body


def test_by_sha256_a_file_that_was_whole_is_recognised_by_416(server, archive):
    """Without any length the end of the file cannot be told from a break, so the rest is asked for, and is empty."""
    good = sha256(server.body)

    def cut(talk) -> None:
        talk.head(talk.honest, Content_Length=str(len(server.body) + 7))
        talk.write(talk.honest.payload)
        talk.hang_up()

    server.script.append(cut)
    with pytest.raises(DownloadError, match="bytes that are kept"):
        fetch("cifar10", sha256=good, attempts=1)
    assert fetch("cifar10", sha256=good).read_bytes() == server.body


def test_by_sha256_the_size_is_still_bounded(server, archive, cache):
    server.script.extend([act.endless] * 9)
    with pytest.raises(DownloadError, match=r"sent more than 1,200,000 bytes, twice"):
        fetch("cifar10", sha256="0" * 64)
    assert leftovers(cache) == set()
    server.script.clear()
    server.body = bytes(4 * archive.size + 1)
    with pytest.raises(DownloadError, match=r"offered 1,200,001 bytes where at most 1,200,000 are taken, twice"):
        fetch("cifar10", sha256="0" * 64)
    assert leftovers(cache) == set()


def test_a_partial_of_another_url_is_not_mixed_in(server, archive):
    server.script.append(act.drop(100_000))
    with pytest.raises(DownloadError):
        fetch("cifar10", source=f"{server.origin}/other", attempts=1)
    assert fetch("cifar10").read_bytes() == server.body
    assert [asked.start for asked in server.asked] == [0, 0]


@pytest.mark.parametrize("note", [None, "", "{", "[]", '{"url": 1}', '{"url": "x", "size": "y", "etag": 3}'])
def test_a_partial_without_a_readable_note_is_begun_again(server, archive, cache, note):
    server.script.append(act.drop(100_000))
    with pytest.raises(DownloadError):
        fetch("cifar10", attempts=1)
    beside = cache / "partial" / "cifar-10-python.tar.gz.json"
    beside.unlink() if note is None else beside.write_text(note)
    assert fetch("cifar10").read_bytes() == server.body
    assert [asked.start for asked in server.asked] == [0, 0]


@pytest.mark.parametrize("grown", [b"", b"x", b"x" * 1_000_000])
def test_a_partial_that_is_not_what_it_was(server, archive, cache, grown):
    """A complete partial is verified without a request; one that is too long is not trusted."""
    server.script.append(act.drop(299_999))
    with pytest.raises(DownloadError):
        fetch("cifar10", attempts=1)
    with (cache / "partial" / "cifar-10-python.tar.gz").open("ab") as file:
        file.write(grown)
    assert fetch("cifar10").read_bytes() == server.body
    assert [asked.start for asked in server.asked] == {0: [0, 299_999], 1: [0, 0], 1_000_000: [0, 0]}[len(grown)]


def test_unusable_proxy_settings_are_one_line(server, archive, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "nonsense://127.0.0.1:1")
    monkeypatch.setenv("NO_PROXY", "")
    with pytest.raises(DownloadError, match="check the proxy and certificate variables"):
        fetch("cifar10")


def test_importing_is_cheap():
    """No HTTP client, no lock, no retries, no platform folders until they are needed."""
    heavy = {"httpx", "filelock", "tenacity", "platformdirs", "rich", "numpy", "asyncio"}
    code = f"import sys, linprobe.data.fetch; print(','.join({heavy!r} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("\n", "")

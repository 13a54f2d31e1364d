"""A small archive, the loopback server that has it, and a cache of the test's own."""

import hashlib
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from linprobe.data import fetch as download
from loopback import Loopback  # pyright: ignore[reportMissingImports]  # tests/ is on pytest's path

BODY = random.Random(2009).randbytes(300_000)


@pytest.fixture(scope="session")
def body() -> bytes:
    return BODY


@pytest.fixture
def server(body: bytes) -> Iterator[Loopback]:
    with Loopback(body) as loopback:
        yield loopback


@pytest.fixture
def archive(server: Loopback, monkeypatch: pytest.MonkeyPatch) -> download.Archive:
    """The archive that cifar10 is during the test: the server's."""
    md5 = hashlib.md5(server.body, usedforsecurity=False).hexdigest()
    small = download.Archive("cifar-10-python.tar.gz", server.url, len(server.body), md5)
    monkeypatch.setitem(download.ARCHIVES, "cifar10", small)
    return small


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the cache, which nobody has made yet."""
    folder = tmp_path / "cache"
    monkeypatch.setenv("LINPROBE_DATA", str(folder))
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    return folder

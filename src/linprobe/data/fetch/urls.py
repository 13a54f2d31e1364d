"""Which URLs may be asked, and how they are spoken of."""

import os
import re
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from linprobe.errors import UsageError

if TYPE_CHECKING:
    import httpx

__all__ = ["digest", "expanded", "may_follow", "parse_place", "shown"]

LOOPBACK = re.compile(r"localhost|127\.\d+\.\d+\.\d+|::1")


def parse_place(source: str | os.PathLike[str], checksum: str | None) -> str | Path:
    """The URL, if it is one that may be asked, or the path of a local file."""
    if not isinstance(source, str) or not re.match(r"[A-Za-z][A-Za-z0-9+.-]*://", source):
        return expanded(source)
    try:
        parts = urlsplit(source)
        host = parts.hostname
        parts.port  # noqa: B018  # reading it checks it
    except ValueError as error:
        raise UsageError(f"not a URL ({error}); write https://host/file, or the path of a local file") from error
    if parts.scheme.lower() not in ("https", "http") or not host:
        raise UsageError(f"{shown(source)}: cannot be fetched; name an https URL, or a local file by its path")
    if parts.scheme.lower() == "http" and checksum is None and not LOOPBACK.fullmatch(host):
        raise UsageError(f"{shown(source)}: http can be altered on its way; use https, or add --sha256 HEX")
    return source


def may_follow(place: "httpx.URL", target: "httpx.URL") -> bool:
    """Whether a redirect is followed: to https anywhere, otherwise only within the same scheme, host and port."""
    same = (place.scheme, place.host, place.port) == (target.scheme, target.host, target.port)
    possible = bool(target.host) and (target.port or 0) < 65536
    return possible and (target.scheme == "https" or (target.scheme == "http" and same))


def shown(url: str) -> str:
    """The URL without what may be secret: user, password, query."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def digest(url: str) -> str:
    """What a note keeps of a URL, which may hold a password."""
    return sha256(os.fsencode(url)).hexdigest()


def expanded(path: str | os.PathLike[str]) -> Path:
    """The path with `~` replaced, or as it is where there is no such home: Path.expanduser would raise."""
    return Path(os.path.expanduser(path))  # noqa: PTH111

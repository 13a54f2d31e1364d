"""A file that is not finished: its bytes, and the note that says of what they are a part."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from linprobe.data.fetch.urls import digest
from linprobe.publish import publish_file

__all__ = ["Note", "Partial", "Progress"]

Progress = Callable[[int, int | None], None]  # bytes done; bytes in all, or None while nobody knows


@dataclass(frozen=True)
class Note:
    """What a partial file is a part of: the URL's digest, the server's validators, the size it announced."""

    url: str
    etag: str | None = None
    last_modified: str | None = None
    size: int | None = None


class Partial:
    """An unfinished file, and the note beside it without which its bytes are worth nothing."""

    def __init__(self, path: Path):
        self.path = path
        self._note = path.with_name(f"{path.name}.json")

    def size(self) -> int:
        """Bytes on disk, 0 when there is no file."""
        try:
            return self.path.stat().st_size
        except FileNotFoundError:
            return 0

    def note(self, url: str) -> Note | None:
        """The note, if it is readable and speaks of this URL."""
        try:
            kept: Any = Note(**json.loads(self._note.read_text(encoding="utf-8")))
        except (FileNotFoundError, ValueError, TypeError):
            return None
        texts = all(isinstance(text, str | None) for text in (kept.etag, kept.last_modified))
        return kept if texts and isinstance(kept.size, int | None) and kept.url == digest(url) else None

    def restart(self, note: Note) -> None:
        """Forget the bytes and begin again under another note."""
        # In this order: a crash in between must never leave old bytes under a new note.
        self.path.write_bytes(b"")
        with publish_file(self._note) as beside:
            beside.write_text(json.dumps(vars(note)), encoding="utf-8")

    def drop(self) -> None:
        """Remove file and note."""
        self.path.unlink(missing_ok=True)
        self._note.unlink(missing_ok=True)

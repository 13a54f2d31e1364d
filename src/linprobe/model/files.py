"""Arrays and texts in a safetensors file: with a checksum of every byte, and the same bytes for the same content.

The checksum comes first in the header, in a place that never moves: SHA-256 of the file with zeros for its own digits.
safetensors itself notices few flipped bits, and orders metadata at random.
"""

import hashlib
import json
import struct
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from linprobe.errors import DataError, UncheckedFileWarning, short
from linprobe.publish import publish_file

__all__ = ["BEFORE", "DIGITS", "LENGTH", "PLACE", "Kind", "damaged", "read", "warn_unchecked", "write"]

CHECKSUM = "checksum"
LENGTH = struct.Struct("<Q")  # of the header, at the very beginning
BEFORE = f'{{"__metadata__":{{"{CHECKSUM}":"sha256:'.encode()  # what a header begins with
DIGITS = 64
PLACE = slice(LENGTH.size + len(BEFORE), LENGTH.size + len(BEFORE) + DIGITS)

PIECE_BYTES = 2**20


@dataclass(frozen=True)
class Kind:
    """A kind of file: its format, that of the files from before there were checksums, and what to do without one.

    before: None where those had no metadata at all; types: of the arrays, in the words of safetensors; older: the
    formats in between.
    """

    format: str
    before: str | None
    types: frozenset[str]
    give: str
    again: str
    older: frozenset[str] = frozenset()


def write(path: Path, kind: Kind, arrays: Mapping[str, np.ndarray], metadata: Mapping[str, str]) -> None:
    """Write a file; it appears whole or not at all."""
    from safetensors.numpy import save

    content = save({name: np.ascontiguousarray(array) for name, array in arrays.items()})
    (length,) = LENGTH.unpack_from(content)
    of_arrays, data = content[LENGTH.size : LENGTH.size + length], memoryview(content)[LENGTH.size + length :]
    texts = {CHECKSUM: "sha256:" + "0" * DIGITS, "format": kind.format, **dict(sorted(metadata.items()))}
    header = json.dumps({"__metadata__": texts, **json.loads(of_arrays)}, separators=(",", ":")).encode()
    header += b" " * (-len(header) % 8)
    start = bytearray(LENGTH.pack(len(header)) + header)
    total = hashlib.sha256(start)
    total.update(data)
    start[PLACE] = total.hexdigest().encode()
    # Written by Python and not by the library, which has an error of its own for a full disk.
    with publish_file(path) as partial, partial.open("wb") as file:
        file.write(start)
        file.write(data)


def read(
    path: Path, kind: Kind, names: Iterable[str] = (), optional: Iterable[str] = ()
) -> tuple[dict[str, str], dict[str, np.ndarray]]:
    """The metadata of a file and its arrays: those with these names, or all; and those of the optional that it has.

    Raises DataError, of one line, unless it is what `write` wrote, every bit of it, or a file of the format from before
    there were checksums: whose metadata has none then, and of which `warn_unchecked` says so.
    """
    from safetensors import SafetensorError, safe_open

    try:
        checked = _check(path, kind)
        with safe_open(path, "numpy") as file:
            metadata = file.metadata() or {}
            if (found := metadata.get("format")) not in (kind.format, *kind.older, kind.before):
                raise DataError(
                    f"{path}: is a safetensors file of another format, {short(found)}, not {kind.format}; {kind.give}"
                )
            if not checked and (found != kind.before or CHECKSUM in metadata):
                raise damaged(path, kind, "its checksum is missing or out of place")
            if missing := set(names) - set(file.keys()):
                raise damaged(path, kind, f"it has no array {min(missing)}")
            names = [name for name in sorted(file.keys()) if name in {*names, *optional} or not names]
            # Asked before anything is read: NumPy does not know all of the types, and fails in as many ways.
            types = {name: file.get_slice(name).get_dtype() for name in names}
            if wrong := {name: type_ for name, type_ in types.items() if type_ not in kind.types}:
                expected = " or ".join(sorted(kind.types))
                raise damaged(path, kind, f"{short(min(wrong))} holds {wrong[min(wrong)]}, expected {expected}")
            return metadata, {name: file.get_tensor(name) for name in names}
    except (SafetensorError, OSError) as error:
        raise DataError(f"{path}: is not a readable safetensors file ({short(error)}); {kind.give}") from error


def _check(path: Path, kind: Kind) -> bool:
    """Whether there is a checksum in its place. Raises DataError where it is not that of the file."""
    with path.open("rb") as file:
        start = bytearray(file.read(PLACE.stop))
        if start[LENGTH.size : PLACE.start] != BEFORE:
            return False
        expected, start[PLACE] = bytes(start[PLACE]), b"0" * DIGITS
        total = hashlib.sha256(start)
        while piece := file.read(PIECE_BYTES):
            total.update(piece)
    if total.hexdigest().encode() != expected:
        raise damaged(path, kind, "its checksum is not that of its bytes")
    return True


def warn_unchecked(path: Path, kind: Kind, metadata: Mapping[str, str]) -> None:
    """Warn of a file without a checksum, once all else about it is found to be right."""
    if CHECKSUM not in metadata:
        message = f"{path}: an older linprobe wrote it, without a checksum, so damage may go unnoticed; {kind.again}"
        warnings.warn(message, UncheckedFileWarning, stacklevel=3)


def damaged(path: Path, kind: Kind, finding: str) -> DataError:
    """The error for a file that was ours once."""
    return DataError(f"{path}: is damaged: {finding}; {kind.again}")

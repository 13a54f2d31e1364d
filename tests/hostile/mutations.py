"""What is done to the bytes of a valid file, drawn by Hypothesis: also to what is packed in it, with sums mended."""

import gzip
import hashlib
import io
import re
import struct
import zipfile
import zlib
from collections.abc import Sequence
from typing import NamedTuple

from hypothesis import strategies as st

from linprobe.model.files import BEFORE, DIGITS, LENGTH, PLACE

__all__ = ["Change", "change", "changed"]

NUMBERS = (0, 1, 2, 3, 5, 127, 128, 255, 256, 65_535, 65_536, 10**6, 2**24 + 1, 2**31 - 1, 2**31, 2**32 - 1)
NUMBERS += (2**32, 10**12, 2**43, 2**63 - 1, 2**63, 2**64 - 1, -1, -2, -(2**31), -(2**63))
WORDS = (
    *(b"\n", b"\0", b"\r\n", b"\x1b[31m", b"\x07", b"\xff\xfe", b"\xe2\x80\xae", b"../", b"/", b"C:\\", b'"', b"'"),
    *(b"nan", b"inf", b"1e999", b"<script>alert(1)</script>", b"=cmd|'/c calc'!A1", b"{", b"[" * 2_000, b"9" * 5_000),
)
EDITS = ("flip", "byte", "cut", "end", "insert", "repeat", "number", "digits", "word", "move", "splice")


class Edit(NamedTuple):
    """One of EDITS at a place, counted from the end where that is below 0, with what it needs."""

    what: str
    at: int
    length: int
    number: int
    form: str
    word: bytes


class Change(NamedTuple):
    """Edits of one file, or of a part that is packed in it; mend: whether sums over what was edited are made right."""

    inside: bool
    part: int
    edits: list[Edit]
    mend: bool


_EDIT = st.builds(
    Edit,
    st.sampled_from(EDITS),
    st.integers(0, 400) | st.integers(-400, -1) | st.integers(0, 2**16),
    st.integers(1, 8) | st.integers(1, 3_000),
    st.sampled_from(NUMBERS) | st.integers(-300, 300),
    st.sampled_from([order + size for order in "<>" for size in "BHIQ"]),
    st.sampled_from(WORDS) | st.binary(min_size=1, max_size=12),
)
change = st.builds(
    Change,
    st.booleans(),
    st.integers(0, 20),
    st.lists(_EDIT, min_size=1, max_size=3),
    st.sampled_from([True, True, False]),
)


def changed(raw: bytes, how: Change, donors: Sequence[bytes]) -> bytes:
    """The bytes after a change; donors: other files, of which parts are spliced in."""
    if how.inside and raw.startswith(b"PK\x03\x04"):
        return _in_zip(raw, how, donors)
    if how.inside and raw.startswith(b"\x1f\x8b"):
        return gzip.compress(changed(gzip.decompress(raw), how, donors), 1)
    if how.inside and raw.startswith(b"MATLAB 5.0"):
        return _in_matlab(raw, how, donors)
    for edit in how.edits:
        raw = _edited(raw, edit, donors)
    return _mended(raw) if how.mend else raw


def _edited(raw: bytes, edit: Edit, donors: Sequence[bytes]) -> bytes:
    at = edit.at % (len(raw) + 1)
    until = at + edit.length
    match edit.what:
        case "flip":
            return raw[:at] + bytes(byte ^ 1 << edit.number % 8 for byte in raw[at : at + 1]) + raw[at + 1 :]
        case "byte":
            return raw[:at] + bytes([edit.number % 256]) + raw[at + 1 :]
        case "cut":
            return raw[:at] + raw[until:]
        case "end":
            return raw[:at]
        case "insert":
            return raw[:at] + edit.word[:12] + raw[at:]
        case "repeat":
            return raw[:at] + raw[at:until] * (abs(edit.number) % 40) + raw[at:]
        case "number":
            size = struct.calcsize(edit.form)
            return raw[:at] + struct.pack(edit.form, edit.number % 256**size) + raw[at + size :]
        case "digits":  # the next number that is written as text
            found = re.compile(rb"[0-9]+").search(raw, at)
            return raw if found is None else raw[: found.start()] + str(edit.number).encode() + raw[found.end() :]
        case "word":
            return raw[:at] + edit.word + raw[at + (len(edit.word) if edit.number % 2 else 0) :]
        case "move":
            return raw[:at] + raw[until : until + edit.length] + raw[at:until] + raw[until + edit.length :]
        case _:
            donor = donors[edit.number % len(donors)]
            start = edit.number * 37 % (len(donor) + 1)
            return raw[:at] + donor[start : start + edit.length] + raw[until:]


def _in_zip(raw: bytes, how: Change, donors: Sequence[bytes]) -> bytes:
    """With one member changed, or its name, and packed again."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(raw)) as archive, zipfile.ZipFile(out, "w") as again:
        members = archive.infolist()
        for number, member in enumerate(members):
            content = archive.read(member)
            if number == how.part % len(members):
                content = changed(content, how._replace(inside=False), donors)
            again.writestr(member.filename, content, member.compress_type)
    return out.getvalue()


def _in_matlab(raw: bytes, how: Change, donors: Sequence[bytes]) -> bytes:
    """With one of its elements changed, and packed again where it was."""
    elements: list[bytes] = []
    at = 128
    while at + 8 <= len(raw):
        kind, size = struct.unpack_from("<II", raw, at)
        elements.append(raw[at : at + 8 + size])
        at += 8 + size + (0 if kind == 15 else -size % 8)
    number = how.part % len(elements)
    element = elements[number]
    packed = element[:4] == struct.pack("<I", 15)
    element = changed(zlib.decompress(element[8:]) if packed else element, how._replace(inside=False), donors)
    if packed:
        element = zlib.compress(element)
        element = struct.pack("<II", 15, len(element)) + element
    elements[number] = element
    return raw[:128] + b"".join(elements)


def _mended(raw: bytes) -> bytes:
    """With the sums of PNG's chunks, of tar's headers and of a model file made right, as a forger would."""
    if raw.startswith(b"\x89PNG"):
        return _mended_png(raw)
    if raw[257:262] == b"ustar":
        blocks = [raw[at : at + 512] for at in range(0, len(raw), 512)]
        return b"".join(_mended_header(block) if block[257:262] == b"ustar" else block for block in blocks)
    if raw[LENGTH.size : PLACE.start] == BEFORE and len(raw) >= PLACE.stop:
        blank = raw[: PLACE.start] + b"0" * DIGITS + raw[PLACE.stop :]
        return raw[: PLACE.start] + hashlib.sha256(blank).hexdigest().encode() + raw[PLACE.stop :]
    return raw


def _mended_header(block: bytes) -> bytes:
    total = sum(block[:148]) + 8 * 32 + sum(block[156:])
    return block[:148] + b"%06o\0 " % total + block[156:]


def _mended_png(raw: bytes) -> bytes:
    at, parts = 8, [raw[:8]]
    while at + 12 <= len(raw):
        (size,) = struct.unpack_from(">I", raw, at)
        body = raw[at + 4 : at + 8 + size]
        parts += [raw[at : at + 4], body, struct.pack(">I", zlib.crc32(body))]
        at += 12 + size
    return b"".join(parts) + raw[at:]

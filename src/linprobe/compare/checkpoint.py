"""A file from which interrupted work goes on: the state between two steps, and what it is a state of.

    linprobe-checkpoint-1\\n
    8 bytes     length of the header, little-endian
    32 bytes    SHA-256 of all before this and of the header
    header      JSON: identity, state with its arrays numbered, the arrays' types and shapes
    arrays      their bytes, one after the other
    32 bytes    SHA-256 of all before this but the other sum

Neither NumPy's .npz nor safetensors notices every flipped bit, and safetensors wants a second copy of all arrays; here
they are written and read piece by piece, and nothing is believed, nor memory asked for, that the sums do not cover.
"""

import contextlib
import hashlib
import json
import math
import os
import re
import signal
import struct
import threading
import time
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from linprobe import __version__
from linprobe.compare.encoding import Identity, NonsenseError, Packed, decode, encode, read_header
from linprobe.errors import DataError, IncompatibleError, OutputError
from linprobe.publish import publish_file

__all__ = ["ABANDONED_SECONDS", "MAGIC", "Checkpoint", "MakeCheckpoint", "Part"]

MAGIC = b"linprobe-checkpoint-1\n"
LENGTH = struct.Struct("<Q")
SUM_BYTES = hashlib.sha256().digest_size

# Writing takes at most this share of the time; a large state on a slow disk is written less often.
SHARE = 0.1

# No write is silent for so many seconds: what a process killed in one has left is rubbish by then.
ABANDONED_SECONDS = 300

PIECE_ELEMENTS, PIECE_BYTES = 2**20, 2**23

WAYS_OUT = "delete it to start from the beginning, or give another --out"


class Checkpoint:
    """A file from which interrupted work goes on; written whole or not at all, at most every so many seconds.

    identity is what the work is: names with JSON values, NumPy's too; the version of linprobe is added. State is a dict
    with text keys of NumPy arrays (bool, integers, floats, complex, text, bytes), NumPy scalars, Python numbers, texts,
    None, lists and dicts; it comes back bit for bit. Under "kept" it may have a few words on how far the work has come;
    `kept` are those of the state that is in the file.
    """

    def __init__(
        self,
        path: Path,
        identity: Identity,
        *,
        every: float = 30.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.path, self.every, self.clock = Path(path), every, clock
        self.identity = json.loads(_json({"version": __version__, **identity}))
        self.last, self.wait = clock(), every
        self.kept: str | None = None
        self._stop: Callable[[], object] | None = None

    def load(self) -> Packed | None:
        """The state that was written last; None where there is no file.

        Raises DataError for a file that is damaged or not ours, IncompatibleError for one of other work.
        """
        self._sweep()
        try:
            with self.path.open("rb") as file:
                state = self._read(file)
        except FileNotFoundError:
            return None
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise DataError(f"{self.path}: the checkpoint cannot be read: {reason}; {WAYS_OUT}") from error
        self.last, self.kept = self.clock(), state.get("kept")
        return state

    @contextlib.contextmanager
    def stopping_at_offers(self) -> Generator[None]:
        """Inside, Ctrl-C or a kill waits until the next `offer` has written the state; a second one does not wait.

        Only what has a handler in Python waits, and only in the main thread: no other gets signals.
        """
        before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
        handlers = {number: handler for number, handler in before.items() if callable(handler)}
        if threading.current_thread() is not threading.main_thread():
            handlers = {}

        def put_back() -> None:
            for number, handler in handlers.items():
                signal.signal(number, handler)

        def wait(number: int, _frame: object) -> None:
            put_back()
            self._stop = lambda: handlers[signal.Signals(number)](number, None)

        for number in handlers:
            signal.signal(number, wait)
        try:
            yield
            if stop := self._stop:
                stop()
        finally:
            self._stop = None
            put_back()

    def offer(self, state: Callable[[], Packed], *, now: bool = False) -> bool:
        """Write what `state` gives if it is time, if the work is about to be interrupted, or `now`; whether it was.

        Raises OutputError where it cannot be written; the file that was there stays.
        """
        started, stop = self.clock(), self._stop
        if not now and stop is None and started - self.last < self.wait:
            return False
        try:
            # The folder of the results may be made at the end only; what is wrong with it, publish_file says.
            with contextlib.suppress(OSError):
                self.path.parent.mkdir(parents=True, exist_ok=True)
            content = state()
            with publish_file(self.path) as partial, partial.open("wb") as file:
                _write(file, self.identity, content)
            self.kept = content.get("kept")
        finally:
            self.last = self.clock()
            self.wait = max(self.every, (self.last - started) / SHARE) if self.every > 0 else 0
        if stop is not None:
            self._stop = None
            stop()
        return True

    def parts(self, *names: str) -> list["Part"]:
        """The checkpoint shared among pieces of work that are done one after the other."""
        parts = self.load() or {}
        return [Part(self, name, parts) for name in names]

    def remove(self) -> None:
        """Remove the file, once the work is done; raises OutputError where that is not possible."""
        self._sweep()
        try:
            self.path.unlink(missing_ok=True)
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise OutputError(f"{self.path}: cannot be removed: {reason}; delete it yourself") from error

    def _sweep(self) -> None:
        """Remove what a process that was killed while writing has left beside the file."""
        ours = re.compile(rf"\.{re.escape(self.path.name[:50])}\.[0-9a-f]{{16}}\.partial")
        with contextlib.suppress(OSError):
            for beside in self.path.parent.iterdir():
                if ours.fullmatch(beside.name) and time.time() - beside.stat().st_mtime > ABANDONED_SECONDS:
                    beside.unlink(missing_ok=True)

    def _read(self, file: BinaryIO) -> Packed:
        start = file.read(len(MAGIC) + LENGTH.size)
        if len(start) < len(MAGIC) + LENGTH.size or not start.startswith(MAGIC):
            raise DataError(f"{self.path}: is not a checkpoint that this linprobe can read; {WAYS_OUT}")
        (length,) = LENGTH.unpack(start[len(MAGIC) :])
        left = os.fstat(file.fileno()).st_size - file.tell() - 2 * SUM_BYTES - length
        if left < 0:
            raise self._damaged("it ends too early")
        expected, header = file.read(SUM_BYTES), file.read(length)
        total = hashlib.sha256(start + header)
        if total.digest() != expected:
            raise self._damaged("the checksum of its header differs")
        # From here on it is what some linprobe wrote, or somebody who wants to be taken for one.
        try:
            identity, state, kinds = read_header(header)
        except NonsenseError as error:
            raise self._damaged("its header makes no sense") from error
        if sum(dtype.itemsize * math.prod(shape) for dtype, shape in kinds) != left:
            raise self._damaged("its length is not that of its arrays")
        self._compare(identity)
        try:
            arrays = [_read_array(file, dtype, shape, total) for dtype, shape in kinds]
            found = decode(state, arrays)
        except NonsenseError as error:
            raise self._damaged("its state makes no sense") from error
        if file.read(SUM_BYTES + 1) != total.digest():
            raise self._damaged("the checksum of its arrays differs")
        return found

    def _compare(self, there: Identity) -> None:
        differing = [
            name
            for name in [*self.identity, *(name for name in there if name not in self.identity)]
            # As text, so that NaN is NaN and 1 is not True; only one side may have it.
            if (name in there) != (name in self.identity) or _json(there[name]) != _json(self.identity[name])
        ]
        if differing:
            found = [_difference(name, there, self.identity) for name in differing[:3]]
            if len(differing) > 3:
                found.append(f"and {len(differing) - 3} more")
            raise IncompatibleError(f"{self.path}: is a checkpoint of other work: {', '.join(found)}; {WAYS_OUT}")

    def _damaged(self, finding: str) -> DataError:
        return DataError(f"{self.path}: is a damaged checkpoint: {finding}; {WAYS_OUT}")


MakeCheckpoint = Callable[[Identity], Checkpoint]  # made once it is known what the work is


class Part:
    """A piece of work in a checkpoint that has several: what those before it have found is kept with it."""

    def __init__(self, whole: Checkpoint, name: str, parts: Packed) -> None:
        self.whole, self.name, self.parts = whole, name, parts
        self.stopping_at_offers = whole.stopping_at_offers

    def load(self) -> Packed | None:
        """The state of this piece."""
        return self.parts.get(self.name)

    def offer(self, state: Callable[[], Packed], *, now: bool = False) -> bool:
        """As that of the checkpoint; what is offered with `now` is kept with what the pieces after this one offer."""

        def all_of_it() -> Packed:
            own = state()
            parts = {**self.parts, self.name: own, "kept": f"{own['kept']} of the {self.name}"}
            if now:
                self.parts.update(parts)
            return parts

        return self.whole.offer(all_of_it, now=now)


def _write(file: BinaryIO, identity: Identity, state: Packed) -> None:
    arrays: list[np.ndarray] = []
    content = {"identity": identity, "state": encode(state, arrays)}
    content["arrays"] = [[array.dtype.str, array.shape] for array in arrays]
    header = _json(content).encode()
    start = MAGIC + LENGTH.pack(len(header))
    total = hashlib.sha256(start + header)
    file.write(start + total.digest())
    file.write(header)
    for array in arrays:
        for piece in _pieces(array):
            total.update(piece)
            file.write(piece)
    file.write(total.digest())


def _pieces(array: np.ndarray) -> Iterator[memoryview]:
    """The bytes of an array in C order; only one in another order is copied, piece by piece."""
    flags: Any = ["external_loop", "buffered", "zerosize_ok"]
    pieces: Any = np.nditer(array, flags=flags, buffersize=PIECE_ELEMENTS, order="C")
    return (np.ascontiguousarray(piece).view(np.uint8).data for piece in pieces if piece.size)


def _read_array(file: BinaryIO, dtype: np.dtype, shape: tuple[int, ...], total: Any) -> np.ndarray:
    try:
        array = np.empty(shape, dtype)
    except (ValueError, MemoryError) as error:  # more axes or cells than NumPy has numbers for, though none has a byte
        raise NonsenseError from error
    if array.size:
        content = array.reshape(-1).view(np.uint8).data
        for start in range(0, len(content), PIECE_BYTES):
            piece = content[start : start + PIECE_BYTES]
            file.readinto(piece)  # type: ignore[attr-defined]  # a file that ends here has another sum in the end
            total.update(piece)
    return array


def _json(value: Any) -> str:
    def plain(other: Any) -> Any:
        if isinstance(other, np.ndarray | np.generic):
            return other.tolist()
        raise TypeError(f"{type(other).__name__} has no place in a checkpoint")

    return json.dumps(value, default=plain, separators=(",", ":"))


def _difference(name: str, there: Identity, here: Identity) -> str:
    old, new = there.get(name), here.get(name)
    label = name[:40] if name.isidentifier() else _short(name)
    if name not in there or name not in here:
        sides = (_short(values[name]) if name in values else "nothing" for values in (there, here))
        return "{} is {} there, {} here".format(label, *sides)
    if isinstance(old, list) and isinstance(new, list):
        if len(old) != len(new):
            return f"{label} has {len(old):,} values there, {len(new):,} here"
        place = next(i for i, pair in enumerate(zip(old, new, strict=True)) if _json(pair[0]) != _json(pair[1]))
        label, old, new = f"{label}[{place}]", old[place], new[place]
    texts = _json(old), _json(new)
    same = next((i for i, (a, b) in enumerate(zip(*texts, strict=False)) if a != b), min(map(len, texts)))
    return f"{label} is {_short(old, same)} there, {_short(new, same)} here"


def _short(value: Any, place: int = 0) -> str:
    """A value as text in one line; of a long one, the part around this place."""
    text = _json(value)
    if len(text) <= 40:
        return text
    first = max(0, min(place - 10, len(text) - 32))
    return ("..." if first else "") + text[first : first + 32] + ("..." if first + 32 < len(text) else "")

"""Standard output and standard error as places that no work ends by: closed, full, or without some of our letters."""

import codecs
import contextlib
import errno
import os
import sys
import unicodedata
from collections.abc import Generator
from typing import Any, TextIO

from linprobe.errors import OutputError

__all__ = [
    "PLAIN_LETTERS",
    "Output",
    "answer",
    "in_its_letters",
    "lasting_output",
    "lost_output",
    "require_output",
    "say",
]

# What the commands print beyond ASCII, as ASCII says it.
PLAIN = {
    **dict.fromkeys("−–—", "-"),
    **dict.fromkeys("█▉▊▋▌", "#"),
    **dict.fromkeys("▍▎▏", " "),
    **dict(zip("×⊗✗✓·λΣσμ", ("x", "x", "x", "+", "*", "lambda", "sum", "sigma", "mu"), strict=True)),
    **dict(zip("½²ᵀ⁻…→←≤≥", ("1/2", "^2", "^T", "^-", "...", "->", "<-", "<=", ">="), strict=True)),
}
PLAIN_LETTERS = "linprobe.plain_letters"


class Output:
    """A stream that drops what it cannot write, and remembers why; in all else it is the stream that it stands for."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self.failure: OSError | None = None

    def write(self, text: str) -> int:
        """Write what can be written."""
        try:
            self._stream.write(text)
        except OSError as error:
            self._give_up(error)
        return len(text)

    def flush(self) -> None:
        """Write what is still held back."""
        try:
            self._stream.flush()
        except OSError as error:
            self._give_up(error)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def _give_up(self, error: OSError) -> None:
        self.failure = self.failure or error
        # What the stream still holds would fail again, at Python's own exit at the latest.
        with contextlib.suppress(OSError):  # a stream without a file, which holds nothing
            _to_nowhere(self._stream.fileno())


@contextlib.contextmanager
def lasting_output() -> Generator[None]:
    """Inside, printing never raises: letters that a stream lacks become plain ones, what cannot be written is dropped.

    `lost_output` says whether something was.
    """
    codecs.register_error(PLAIN_LETTERS, _in_plain_letters)
    # A closed one of the three is taken by the next file that is opened, which would then be printed into.
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            _to_nowhere(number)
    with contextlib.ExitStack() as stack:
        for name, redirect in (("stdout", contextlib.redirect_stdout), ("stderr", contextlib.redirect_stderr)):
            stream: Any = getattr(sys, name)
            if stream is None:
                stream = stack.enter_context(open(os.devnull, "w", encoding="utf-8"))  # noqa: PTH123
            if hasattr(stream, "reconfigure"):
                stream.reconfigure(errors=PLAIN_LETTERS)
            stack.enter_context(redirect(Output(stream)))  # pyright: ignore[reportArgumentType]
        yield


def lost_output() -> str | None:
    """Why something printed has not arrived, said once; None where all has, or where whoever read it has left."""
    sys.stdout.flush()
    failure, stream = getattr(sys.stdout, "failure", None), sys.stdout
    if not isinstance(stream, Output) or failure is None or failure.errno == errno.EPIPE:
        return None
    stream.failure = None
    reason = (failure.strerror or str(failure)).lower()
    return f"standard output: cannot be written: {reason}"


def say(text: str) -> None:
    """Print a text as it is, which rich would wrap."""
    print(text)  # noqa: T201


def in_its_letters(text: str) -> str:
    """A text in letters that standard output has, for a library that prints around it where letters are missing."""
    encoding = sys.stdout.encoding or "utf-8"
    return text.encode(encoding, PLAIN_LETTERS).decode(encoding)


def answer(text: str) -> None:
    """Print what a command was asked for, all that it leaves. Raises OutputError where it has not arrived."""
    say(text)
    require_output()


def require_output() -> None:
    """Raise OutputError where what was printed, which is all that the command leaves, has not arrived."""
    if lost := lost_output():
        raise OutputError(f"{lost}; send it to a place with room")


def _to_nowhere(number: int) -> None:
    nowhere = os.open(os.devnull, os.O_RDWR)
    if nowhere != number:
        os.dup2(nowhere, number)
        os.close(nowhere)


def _in_plain_letters(error: UnicodeError) -> tuple[str, int]:
    """What the codec is to write in place of letters that it does not have."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    text, plain = error.object, []
    for place in range(error.start, error.end):
        letter, after = text[place], text[place + 1 : place + 2]
        said = PLAIN.get(letter)
        if said is None:  # é as e; what has no such form by its number
            base = unicodedata.normalize("NFKD", letter).encode("ascii", "ignore").decode()
            said = base or ("" if unicodedata.combining(letter) else ascii(letter)[1:-1])
        elif len(said) > 1 and said[-1].isalnum() and after.isalnum():
            said += " "
        plain.append(said)
    return "".join(plain), error.end

"""What may be told of an answer from a submission's process: fixed sentences, bounded numbers, the file's own words.

Whoever forges an answer can choose among these, and say nothing that is not in the file already; only the message of
an error is free text, which is quoted as the file's own words.
"""

import builtins
import importlib.util
import re
from collections.abc import Iterable
from dataclasses import replace

from linprobe.learn.checker.outcome import Crash, Outcome, plain_text
from linprobe.learn.checker.sandbox.shims import EMPTY_COURSE, FORGOTTEN, FORMER, OLD_NAMES, RENAMED
from linprobe.learn.checker.sandbox.wire import WireError

__all__ = ["Believed"]

ENDS = {"timeout", "exit", "signal"}  # that only we can see
LONGEST_NAME = 40
# Names that are neither built in nor in the file: errors of NumPy and PyTorch, and what a function may return.
OTHER_NAMES = {
    *(
        "memory",
        "LinAlgError",
        "AxisError",
        "UFuncTypeError",
        "OutOfMemoryError",
        "TooHardError",
        "DTypePromotionError",
    ),
    *(f"_UFunc{kind}Error" for kind in ("NoLoop", "BinaryResolution", "Casting", "InputCasting", "OutputCasting")),
    *("callable_iterator", "generator", "function", "method", "module", "NoneType", "ndarray", "matrix", "Tensor"),
}
NAME = r"([^\W\d][\w.]*)"
NOTE = re.compile(
    rf"{NAME} is of Python 2: {NAME} was used in its place\."
    r"|scipy\.misc is no longer in SciPy: scipy\.special was used in its place\."
    rf"|{NAME}, which bridges Python 2 and 3, is not installed: its names were supplied\."
    rf"|{NAME} is not installed: its calls do nothing\."
    rf"|{NAME} is no longer there: (?:its calls do nothing|what it was has been supplied)\."
    rf"|{re.escape(EMPTY_COURSE)}"
)
PART = (
    rf"(?:None|a number|something that raises {NAME} when it is looked at|an? {NAME}(?: of \d{{1,12}})?"
    r"|an array(?: of (?:object|[<>|=]?[A-Za-z]\w{0,11}(?:\[\w{1,4}\])?))? of shape \([\d, ]{0,200}\))"
)
RETURNED = re.compile(rf"|{PART}|a pair whose (?:first|second) part is {PART}(?: and whose second part is {PART})?")


class Believed:
    """Reads answers for a file with this text."""

    def __init__(self, source: bytes) -> None:
        try:
            text = importlib.util.decode_source(source)
        except (SyntaxError, UnicodeDecodeError, LookupError):
            text = source.decode("utf-8", "replace")
        self._lines = text.split("\n")
        self._words = set(re.findall(r"[^\W\d]\w*", text))
        tables = [
            *FORMER,
            *OLD_NAMES,
            *RENAMED,
            *RENAMED.values(),
            *(name for names in FORMER.values() for name in names),
        ]
        self._known = self._words | {*dir(builtins), *OTHER_NAMES, *tables}

    def names(self, names: Iterable[str]) -> list[str]:
        """The functions that it says it has."""
        return [name for name in dict.fromkeys(names) if name in self._words]

    def notes(self, notes: Iterable[str]) -> list[str]:
        """What it says it has needed."""
        return [note for note in dict.fromkeys(notes) if self._is_sentence(NOTE, note)]

    def missing(self, found: Iterable[tuple[str, int]], libraries: Iterable[str]) -> list[tuple[str, int]]:
        """The names that it says it uses without importing them, with their lines."""
        usual = {*FORGOTTEN, *libraries}
        return [(name, line) for name, line in found if name in usual and self._is_line(line)]

    def crash(self, crash: Crash | None) -> Crash | None:
        """An error, with the text that its line has in the file. Raises WireError for what is not its to say."""
        if crash is None:
            return None
        if crash.kind in ENDS:
            raise WireError(f"a {crash.kind} that we have not seen")
        line = crash.line if self._is_line(crash.line) else None
        text = None if line is None or crash.text is None else plain_text(self._lines[line - 1])
        return Crash(crash.kind if self._is_known(crash.kind) else "Exception", crash.message, line, text)

    def outcome(self, outcome: Outcome) -> Outcome:
        """What a call did."""
        returned = outcome.returned if self._is_sentence(RETURNED, outcome.returned) else "something of its own making"
        supplied = tuple(self.notes(outcome.supplied))
        return replace(outcome, returned=returned, crash=self.crash(outcome.crash), supplied=supplied)

    def _is_line(self, line: int | None) -> bool:
        return line is not None and 0 < line <= len(self._lines)

    def _is_known(self, name: str) -> bool:
        return len(name) <= LONGEST_NAME and name in self._known

    def _is_sentence(self, form: re.Pattern[str], text: str) -> bool:
        found = form.fullmatch(text)
        names = [] if found is None else [name for name in found.groups() if name]
        return found is not None and all(self._is_known(part) for name in names for part in name.split("."))

"""What is said about a loss function: frozen, and the same in Python, on the screen and as JSON."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypedDict

__all__ = [
    "NOT_ENFORCED",
    "NOT_JUDGED",
    "NOT_RIGHT",
    "RIGHT",
    "Convention",
    "Fault",
    "FaultJson",
    "FileVerdict",
    "FileVerdictJson",
    "Judgement",
    "Layout",
    "Loss",
    "Verdict",
    "VerdictJson",
]

Judgement = Literal["right", "right_unstable", "wrong", "unfinished", "crashes", "absent"]
Loss = Literal["softmax", "hinge"]
Layout = Literal["DC", "CD"]
Convention = Literal["full", "half"]

RIGHT, NOT_RIGHT, NOT_JUDGED = 0, 1, 2
NOT_ENFORCED = "Not enforced on this system: "  # how the note begins that names the missing protections


@dataclass(frozen=True)
class Fault:
    """Something that is not right: a code of `codes.CODES`, a sentence on where to look, the figures that show it.

    evidence, plain JSON: `case` (the arguments, to be had from `linprobe.learn.checker.case`), `where` ("loss" or an
    entry such as "dW[3, 2]", as the function itself lays it out), `expected`, `found`; `line` and `text` where code
    stopped.
    """

    code: str
    message: str
    evidence: Mapping[str, Any] = field(default_factory=dict)


class FaultJson(TypedDict):
    """An entry of "faults" in what `linprobe check --json` prints."""

    code: str
    message: str
    evidence: Mapping[str, Any]


class VerdictJson(TypedDict):
    """An entry of "functions" in what `linprobe check --json` prints."""

    name: str
    verdict: Judgement
    convention: Convention | None
    layout: Layout | None
    loop_free: bool | None
    seconds: float | None
    faults: list[FaultJson]
    notes: list[str]


class FileVerdictJson(TypedDict):
    """What `linprobe check FILE --json` prints."""

    file: str
    functions: list[VerdictJson]
    notes: list[str]


@dataclass(frozen=True)
class Verdict:
    """What was found out about one function.

    convention: the penalty is λΣW² ("full") or ½λΣW² ("half"), None where it is neither; layout: W (D, C) with X (N, D)
    is "DC", W (C, D) with X (D, N) "CD"; loop_free: the number of lines that Python runs does not grow with N;
    seconds: of one call at the exercise's own size, 500 x 3,073 x 10; faults, the root of the others first. What could
    not be found out is None.
    """

    name: str
    verdict: Judgement
    loss: Loss | None = None
    convention: Convention | None = None
    layout: Layout | None = None
    loop_free: bool | None = None
    seconds: float | None = None
    faults: tuple[Fault, ...] = ()
    notes: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        """Whether the function is right, at large scores too."""
        return self.verdict == "right"

    def to_json(self) -> VerdictJson:
        """An entry of "functions" in what `linprobe check --json` prints."""
        return {
            "name": self.name,
            "verdict": self.verdict,
            "convention": self.convention,
            "layout": self.layout,
            "loop_free": self.loop_free,
            "seconds": self.seconds,
            "faults": [
                {"code": fault.code, "message": fault.message, "evidence": dict(fault.evidence)}
                for fault in self.faults
            ],
            "notes": list(self.notes),
        }


@dataclass(frozen=True)
class FileVerdict:
    """What was found out about the functions of one file; notes are about the file as a whole."""

    file: str
    functions: tuple[Verdict, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def exit_status(self) -> int:
        """0 every function that is there is right, 1 one of them is not, 2 there was nothing that could be judged."""
        there = [verdict for verdict in self.functions if verdict.verdict != "absent"]
        if not there:
            return NOT_JUDGED
        return RIGHT if all(there) else NOT_RIGHT

    def to_json(self) -> FileVerdictJson:
        """What `linprobe check FILE --json` prints."""
        return {
            "file": self.file,
            "functions": [verdict.to_json() for verdict in self.functions],
            "notes": list(self.notes),
        }

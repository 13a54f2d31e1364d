"""What one call of a function under test did, and who can make such calls."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np

__all__ = ["LARGEST", "MOST_AXES", "Caller", "Crash", "Outcome", "plain_text"]

LARGEST = 2**26  # bytes of all arrays of a call, and of its answer
MOST_AXES = 32
LONGEST_TEXT = 200


@dataclass(frozen=True)
class Crash:
    """How a call ended that gave no answer.

    kind: the exception's name, or "SystemExit", "timeout", "memory", "exit", "signal"; line, of the function's own
    file, and its text where they are known.
    """

    kind: str
    message: str
    line: int | None = None
    text: str | None = None

    @property
    def words(self) -> str:
        """What was raised, with the message marked as the function's own words."""
        message = self.message.replace("\N{RIGHT DOUBLE QUOTATION MARK}", '"')
        return f"{self.kind} (its own words: “{message}”)" if message else self.kind


@dataclass(frozen=True, eq=False)
class Outcome:
    """What came back from f(W, X, y, reg).

    loss, gradient: arrays as they were returned, in their own dtype and shape, None where that part is no array of
    numbers; returned, what came back in words ("None", "a tuple of 3"), "" for a pair; changed, which of "W", "X", "y"
    no longer hold what they held; lines, how many lines of Python ran, where that was asked for; supplied, what the
    file needed and did not have (see `shims`).
    """

    seconds: float
    loss: np.ndarray | None = None
    gradient: np.ndarray | None = None
    returned: str = ""
    changed: tuple[str, ...] = ()
    lines: int | None = None
    crash: Crash | None = None
    supplied: tuple[str, ...] = ()


class Caller(Protocol):
    """Calls one function, here or in a process of its own."""

    @property
    def libraries(self) -> tuple[str, ...]:
        """Whose arrays it may want, in the order to try: "numpy", then "torch" and "jax" where its file uses them."""
        ...

    def __call__(
        self, W: np.ndarray, X: np.ndarray, y: np.ndarray, reg: float, *, library: str = "numpy", count: bool = False
    ) -> Outcome:
        """Call it with copies of these; count, how many lines of Python it runs. Never raises for what f does."""
        ...


def plain_text(text: str) -> str:
    """What a file says, on one line, without what does not print, cut off where it gets long."""
    # Far more than is kept is not even looked at: a message may be gigabytes long.
    line = " ".join("".join(c if c.isprintable() else " " for c in text[: 10 * LONGEST_TEXT]).split())
    return line if len(line) <= LONGEST_TEXT else line[: LONGEST_TEXT - 1] + "…"

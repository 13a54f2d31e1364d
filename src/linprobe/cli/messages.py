"""Lines of text that a terminal may show, whatever a file put into them."""

import os
import sys
import traceback

from linprobe.errors import LinprobeError

__all__ = ["LONGEST", "complain", "explain", "one_line"]

LONGEST = 2_000  # characters of a line; a path alone may have 4,096, which nobody reads


def complain(message: str, status: int = 1) -> int:
    """Say what went wrong in one line on standard error; gives the exit status back."""
    print(f"linprobe: {one_line(message)}", file=sys.stderr)  # noqa: T201 (rich would wrap it)
    return status


def explain(error: Exception) -> str:
    """What is said of an error: what it says itself, or, where nobody raised it on purpose, that it is ours."""
    if isinstance(error, LinprobeError):
        return str(error)
    if isinstance(error, MemoryError):
        return f"the memory is full ({error}); close other programs or ask for less"
    if "LINPROBE_TRACEBACK" in os.environ:
        traceback.print_exception(error)
    return (
        f"unexpected {type(error).__name__}: {error}; this is a fault of linprobe's: please report it with what "
        "LINPROBE_TRACEBACK=1 in the environment shows"
    )


def one_line(text: str) -> str:
    """Text without the line breaks and control characters that a terminal would obey, of a bounded length."""
    line = "".join(letter if letter.isprintable() else " " for letter in " ".join(text.split()))
    # What was found may be of any length; what it ends with is what to do.
    return line if len(line) <= LONGEST else f"{line[: LONGEST // 2]} … {line[-LONGEST // 2 :]}"

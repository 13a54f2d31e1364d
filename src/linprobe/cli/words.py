"""Lines of text that a terminal may show, whatever a file put into them."""

import sys


def complain(message: str, status: int = 1) -> int:
    """Say what went wrong in one line on standard error; gives the exit status back."""
    print(f"linprobe: {one_line(message)}", file=sys.stderr)  # noqa: T201 (rich would wrap it)
    return status


def one_line(text: str) -> str:
    """Text without the line breaks and control characters that a terminal would obey."""
    return "".join(letter if letter.isprintable() else " " for letter in " ".join(text.split()))

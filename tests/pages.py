"""Pages of the documentation, run as a reader would: block after block, in one folder, with one set of variables.

A ```text block right behind a ```python or ```sh block is what that block prints, as `differs` compares it.
"""

import contextlib
import io
import re
import shlex
import subprocess
import sys
import textwrap
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from linprobe.cli import main

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]

FENCE = re.compile(r"(?ms)^(?P<indent> *)```(?P<language>\w*)[^\n]*\n(?P<code>.*?)^(?P=indent)```$")
NUMBER = r"\d+(?:,\d{3})*(?:\.\d+)?(?:e[+-]?\d+)?"


@dataclass(frozen=True)
class Block:
    """A block of code, the line of the page above it, and what it is said to print."""

    language: str
    code: str
    line: int
    output: str | None = None


def blocks(page: Path) -> list[Block]:
    """The blocks of a page, each with the text block behind it."""
    text, found, end = page.read_text(encoding="utf-8"), [], None
    for fence in FENCE.finditer(text):
        code = textwrap.dedent(fence["code"])
        if fence["language"] == "text" and end is not None and not text[end : fence.start()].strip():
            last = found.pop()
            found.append(Block(last.language, last.code, last.line, code))
            end = None
        else:
            found.append(Block(fence["language"], code, text.count("\n", 0, fence.start()) + 1))
            end = fence.end() if fence["language"] in ("python", "sh") else None
    return found


def commands(code: str) -> list[str]:
    """The commands of a shell block, without comments, continued lines joined."""
    lines = code.replace("\\\n", " ").splitlines()
    return [command for line in lines if (command := line.partition(" #")[0].strip()) and not command.startswith("#")]


def differs(stated: str, printed: str) -> str:
    """How what was printed differs from what a page states; nothing if it does not.

    `...` stands for anything, and any run of blanks and line ends for any other: tables are as wide as the terminal.
    Another machine rounds otherwise, and ends elsewhere: a number with a fraction may differ by one in its last digit
    or by a thousandth, and one below 1 in powers of ten, such as a gap, may be smaller, or ten times as large.
    """
    parts = re.split(rf"(\.\.\.|\s+|(?<![\w.]){NUMBER})", stated.strip())
    match = re.fullmatch("".join(map(_pattern, parts)), printed.strip(), re.DOTALL)
    if match is None:
        return "other words"
    numbers = [part for part in parts if part[:1].isdigit()]
    wrong = [(a, b) for a, b in zip(numbers, match.groups(), strict=True) if not _alike(a, b)]
    return ", ".join(f"{b} and not {a}" for a, b in wrong)


def _pattern(part: str) -> str:
    if part[:1].isdigit():
        return f"({NUMBER})"
    return {"...": ".*?"}.get(part, r"\s+" if part.isspace() else re.escape(part))


def _alike(stated: str, printed: str) -> bool:
    one, other = (float(number.replace(",", "")) for number in (stated, printed))
    if "e-" in stated:
        return 0 < other <= 10 * one
    mantissa, _, exponent = stated.partition("e")
    if "." not in mantissa:
        return one == other
    digit = 10.0 ** (int(exponent or 0) - len(mantissa.partition(".")[2]))
    return abs(one - other) <= max(1.5 * digit, 1e-3 * abs(one))


def read_page(page: Path, monkeypatch: pytest.MonkeyPatch, cheaper: Callable[[str], list[str]]) -> None:
    """Run all blocks of a page in the working folder; `cheaper` adds options to a command without stated output."""
    variables: dict[str, Any] = {"__name__": "__main__"}
    for block in blocks(page):
        place = f"{page.relative_to(ROOT)}:{block.line}"
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            if block.language == "python":
                # Line numbers of errors are those of the page.
                exec(compile("\n" * block.line + block.code, str(page), "exec"), variables)
            elif block.language == "sh":
                for command in commands(block.code):
                    run_command(command, place, monkeypatch, cheaper(command) if block.output is None else [])
        if block.output is not None and (found := differs(block.output, printed.getvalue())):
            pytest.fail(f"{place}: {found}\n\nThe page:\n{block.output}\nPrinted:\n{printed.getvalue()}", pytrace=False)


def run_command(command: str, place: str, monkeypatch: pytest.MonkeyPatch, more: list[str]) -> None:
    """A command of linprobe, or a script of ours, is run; of pip, make and pytest, it is looked up whether there is
    what they are to do. The repository has no address yet, and nothing to install but a clone of it.

    Any other command is refused, so that none goes unseen.
    """
    words = shlex.split(command)
    if words[0] == "linprobe" and "--memory" in words:
        # The bound is of all that a process holds, and this one holds what earlier tests left in it.
        run_apart(["-m", "linprobe", *words[1:], *more], f"{place}: {command}")
    elif words[0] == "linprobe":
        monkeypatch.setattr(sys, "argv", [*words, *more])
        with pytest.raises(SystemExit) as exit_:
            main()
        assert exit_.value.code == 0, f"{place}: {command}"
    elif words[0] == "make":
        done = subprocess.run(["make", "--dry-run", *words[1:]], cwd=ROOT, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{place}: {command}: {done.stderr}"
    elif words[:2] == ["git", "clone"]:
        assert re.fullmatch(r"URL-OF-[A-Z-]+", words[2]), f"{place}: {command}: a reader is to fill in the address"
        assert words[3:] == ["linprobe"], f"{place}: {command}: pip is told this folder"
    elif words[0] == "cd":  # where the scripts are, which are found there in any case
        assert words[1:] == ["linprobe"], f"{place}: {command}: the clone is in this folder"
    elif words[0] == "python" and words[1].startswith("scripts/"):
        run_apart([str(ROOT / words[1]), *words[2:]], f"{place}: {command}")
    elif words[:3] == ["python", "-m", "pytest"]:
        assert " ".join(words[1:]) in (ROOT / "Makefile").read_text(), f"{place}: {command}: make test runs another"
    else:
        assert words[:2] == ["pip", "install"], f"{place}: {command}: what is this?"
        import tomllib

        extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
        assert re.match(r"\./linprobe\[|\.\[", words[-1]), f"{place}: {command}: nothing is released yet"
        for asked in re.findall(r"\[(.+?)\]", words[-1]):
            assert set(asked.split(",")) <= set(extras), f"{place}: {command}"


def run_apart(arguments: list[str], what: str) -> None:
    """Run Python in a process of its own, and print what it prints."""
    done = subprocess.run([sys.executable, *arguments], capture_output=True, text=True, check=False, timeout=100)
    assert done.returncode == 0, f"{what}: {done.stderr}"
    sys.stdout.write(done.stdout)

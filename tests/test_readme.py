"""What is said of the README alone; tests/test_docs.py runs its code, as that of every page."""

import re
import subprocess
import sys
from pathlib import Path

from pages import blocks, commands  # pyright: ignore[reportMissingImports]

ROOT = Path(__file__).resolve().parents[1]
README = ROOT / "README.md"


TOLD = [command for block in blocks(README) if block.language == "sh" for command in commands(block.code)]


def test_the_first_two_commands_are_there():
    assert TOLD[:2] == ["make demo", "make test"]


def test_every_command_is_shown():
    assert {"worksheet", "tune", "evaluate", "fetch"} <= {
        line.split()[1] for line in TOLD if line.startswith("linprobe")
    }


def test_nothing_says_to_install_what_is_not_released():
    folders = [ROOT / name for name in ("docs", "notebooks", "src")]
    places = [README, *(path for folder in folders for path in folder.rglob("*") if path.suffix in ENDINGS)]
    told = [(path.name, found) for path in places for found in INSTALLED.findall(path.read_text(encoding="utf-8"))]
    assert len({name for name, _ in told}) > 5
    assert {found[:11] for _, found in told} <= {"./linprobe[", ".[all,test]"}


ENDINGS = {".md", ".py", ".ipynb", ".txt", ".j2"}
INSTALLED = re.compile(r"""pip install (?:-{1,2}[\w-]+ )*\\?['"]?([^\s'"`\\]+)""")


def test_the_help_lists_what_the_readme_names():
    done = subprocess.run(
        [sys.executable, "-m", "linprobe", "worksheet", "--help"], capture_output=True, text=True, check=True
    )
    named = re.findall(r"lists schedules.*", README.read_text())
    assert named
    for option in ("--schedule", "--momentum", "--patience", "--trials", "--screen", "--memory", "--device"):
        assert option in done.stdout

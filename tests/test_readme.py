"""Every command and example of the README does what it says."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from linprobe.cli import main
from makers import write_cifar10  # pyright: ignore[reportMissingImports]

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text()


def blocks(language):
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


COMMANDS = [line.partition("#")[0].strip() for block in blocks("sh") for line in block.splitlines()]


@pytest.mark.parametrize("command", [line for line in COMMANDS if line.startswith("linprobe worksheet")])
def test_a_worksheet_command_runs(command, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "path" / "to").mkdir(parents=True)
    folder = write_cifar10(tmp_path / "path" / "to", rows=40)
    assert folder.name == "cifar-10-batches-py"
    # Fewer steps: this test is about the words of the command, not about its result.
    monkeypatch.setattr(sys, "argv", [*shlex.split(command), "--iterations", "20"])
    with pytest.raises(SystemExit) as exit_:
        main()
    assert exit_.value.code == 0
    assert list(tmp_path.glob("run/run.json")) or list(tmp_path.glob("runs/*/run.json"))


def test_the_commands_of_tuning_run_one_after_the_other(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "path" / "to").mkdir(parents=True)
    write_cifar10(tmp_path / "path" / "to", rows=40)
    commands = [line for line in COMMANDS if line.startswith(("linprobe tune", "linprobe evaluate"))]
    assert {command.split()[1] for command in commands} == {"tune", "evaluate"}
    for command in commands:
        # Less exactly where nothing is certified later: this test is about the words of the command.
        loosely = [] if "evaluate" in command or "tuned" in command or "sgd" in command else ["--tol", "0.01"]
        monkeypatch.setattr(sys, "argv", [*shlex.split(command), *loosely])
        with pytest.raises(SystemExit) as exit_:
            main()
        assert exit_.value.code == 0, command


def test_the_fetch_command_asks_for_what_it_says(monkeypatch, tmp_path):
    (command,) = [line for line in COMMANDS if line.startswith("linprobe fetch")]
    asked = []
    monkeypatch.setattr("linprobe.download.fetch", lambda name, **_: asked.append(name) or tmp_path / "archive")
    monkeypatch.setenv("LINPROBE_DATA", str(tmp_path))
    monkeypatch.setattr(sys, "argv", shlex.split(command))
    with pytest.raises(SystemExit) as exit_:
        main()
    assert (exit_.value.code, asked) == (0, ["cifar10"])


def test_the_python_example_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["linprobe", "worksheet", "digits", "--out", "run", "--iterations", "20"])
    with pytest.raises(SystemExit):
        main()
    (example,) = blocks("python")
    exec(compile(example, "README.md", "exec"), {})


def test_the_first_two_commands_are_there():
    assert [line for line in COMMANDS if line][:2] == ["make demo", "make test"]
    for target in ("demo", "test"):
        subprocess.run(["make", "--dry-run", target], cwd=ROOT, check=True, capture_output=True)


def test_what_the_readme_points_to_is_there():
    for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", README):
        assert (ROOT / target).exists(), target


def test_the_help_lists_what_the_readme_names():
    done = subprocess.run(
        [sys.executable, "-m", "linprobe", "worksheet", "--help"], capture_output=True, text=True, check=True
    )
    for option in ("--schedule", "--momentum", "--patience", "--trials", "--screen", "--memory", "--device"):
        assert option in done.stdout

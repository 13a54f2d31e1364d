"""What the command line says of itself: help at any width, wrong command lines, and what a shell completes."""

import os
import re
import subprocess
import sys

import pytest
import typer

from linprobe.cli import app
from linprobe.cli.arguments import SOURCES
from linprobe.cli.fetch import DATASETS
from linprobe.cli.help import KINDS, default, page
from linprobe.data.fetch import ARCHIVES
from linprobe.data.formats import NAMES

GROUP = typer.main.get_command(app)
COMMANDS = GROUP.commands  # pyright: ignore[reportAttributeAccessIssue]


def shown(run, monkeypatch, width, *arguments):
    monkeypatch.setenv("COLUMNS", str(width))
    status, out, err = run(*arguments)
    assert err == ""
    return status, out


@pytest.mark.parametrize("width", [80, 120])
@pytest.mark.parametrize("name", COMMANDS)
def test_help_has_whole_words_and_every_option(run, monkeypatch, name, width):
    status, out = shown(run, monkeypatch, width, name, "--help")
    assert status == 0
    assert max(map(len, out.splitlines())) <= min(width, 100)
    assert out.count(f"Usage: linprobe {name} [OPTIONS]") == 1
    words, known = out.split(), COMMANDS[name].help.split()
    for parameter in COMMANDS[name].params:
        known += (parameter.help or "").split()
        for spelling in parameter.opts if parameter.param_type_name == "option" else ():
            assert {spelling, f"{spelling},"} & set(words)
        if choices := parameter.type_descriptor.choices:
            assert "|".join(choices) in words
        # A flag takes nothing; what follows its name is its help.
        if getattr(parameter, "is_flag", False):
            assert re.search(rf"^  {parameter.opts[0]} +{parameter.help.split()[0]}\b", out, re.MULTILINE)
        # Each help stands there in one piece, so that no word of it is broken.
        assert " ".join((parameter.help or "").split()) in " ".join(words)
        if said := default(parameter):
            assert f"default: {said}" in " ".join(words)
        if getattr(parameter, "min", None) is not None:
            assert f"[{parameter.min:g} or more" in " ".join(words)
    assert not {"<bool>", "<str>", "<path>", *(f"<{kind}>" for kind in KINDS)} & set(words)


@pytest.mark.parametrize("name", COMMANDS)
def test_no_width_breaks_a_word(name, monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")
    command = COMMANDS[name]
    context = typer.Context(command, info_name=name)
    pages = {width: page(command, context, width) for width in range(50, 101)}
    for width, text in pages.items():
        assert text.split() == pages[100].split()
        assert max(map(len, text.splitlines())) <= width


def test_without_a_command_there_is_help_and_nothing_else(run, monkeypatch):
    status, out = shown(run, monkeypatch, 80)
    assert status == 2
    assert (0, out) == shown(run, monkeypatch, 80, "--help")
    assert "Usage: linprobe [OPTIONS] COMMAND ..." in out
    for name, command in COMMANDS.items():
        sentence = " ".join(command.help.partition("\n\n")[0].split())
        assert f"{name} {sentence}" in " ".join(out.split())


def test_colours_are_for_terminals_that_want_them(tmp_path):
    import pty

    def seen(**environment):
        leader, follower = pty.openpty()
        clean = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "COLUMNS")}
        subprocess.run(
            [sys.executable, "-m", "linprobe", "--help"], stdout=follower, env=clean | environment, check=True
        )
        os.close(follower)
        screen = b""
        try:
            while part := os.read(leader, 65536):
                screen += part
        except OSError:  # Linux's way to say that the other end has closed
            pass
        os.close(leader)
        return screen

    assert b"\x1b[1mUsage:\x1b[0m" in seen()
    assert b"\x1b" not in seen(NO_COLOR="1")


WRONG = {
    "command": (["tun", "digits"], "tun: is not a command; did you mean tune?"),
    "no such command": (["xyz"], "xyz: is not a command; choose from worksheet, tune, describe, evaluate, predict,"),
    "option": (["tune", "digits", "--fold", "3"], "--fold: is not an option of linprobe tune; did you mean --folds?"),
    "no such option": (["tune", "digits", "-q"], "-q: is not an option of linprobe tune; see linprobe tune --help"),
    "option of the group": (["--versio"], "--versio: is not an option of linprobe; did you mean --version?"),
    "no source": (["tune"], "SOURCE is missing: digits, cifar10, "),
    "no inputs": (["predict", "model"], "INPUT is missing: PNG, JPEG or WebP pictures, "),
    "below the range": (["tune", "digits", "--folds", "1"], "--folds 1: give an integer, 2 or more"),
    "no integer": (["tune", "digits", "--folds", "2.5"], "--folds 2.5: give an integer, 2 or more"),
    "no number": (["tune", "digits", "--tol", "tight"], "--tol tight: give a number"),
    "below nothing": (["worksheet", "--checkpoint-every", "-1"], "--checkpoint-every -1: give a number, 0 or more"),
    "empty": (["predict", "model", "a", "--top", ""], "--top (empty): give an integer, 1 or more"),
    "hostile": (["tune", "digits", "--folds", "\x1b[2J\n"], "--folds [2J: give an integer"),
    "long": (["tune", "digits", "--folds", "x" * 500], f"--folds {'x' * 60}…: give an integer"),
    "no value": (["tune", "digits", "--folds"], "--folds: its value is missing; give an integer, 2 or more"),
    "no choice": (["tune", "digits", "--solver"], "--solver: its value is missing; choose from exact, sgd"),
    "no text": (["tune", "digits", "--reg"], "--reg: its value is missing; give AXIS"),
    "value of a flag": (["tune", "digits", "--json=3"], "--json: takes no value; leave it out"),
    "choice": (["tune", "digits", "--solver", "exat"], "--solver exat: choose from exact, sgd"),
    "no such choice": (["tune", "digits", "--device", "tpu"], "--device tpu: choose from cpu, cuda, auto"),
    "one too many": (["tune", "digits", "10"], "10: is one argument too many; write linprobe tune [OPTIONS] SOURCE"),
    "words in a range": (["tune", "digits", "--reg", "a,b"], "--reg a,b: 'a' is not a number; write LO:HI:COUNT, "),
    "epochs": (["worksheet", "--epochs", "0"], "epochs 0: give a number above 0"),
    "average": (["worksheet", "--average", "2"], "average 2: give a share of the iterations, 0 or more and below 1"),
    "source": (["tune", "digitz"], "digitz: unknown source, did you mean digits?"),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_command_line_gets_one_line_with_the_option_and_its_range(run, case):
    arguments, said = WRONG[case]
    status, out, err = run(*arguments)
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert " ".join(err.split()).startswith(f"linprobe: {said}")
    assert "?;" not in err
    assert all(letter.isprintable() for letter in err.rstrip("\n"))


COMPLETED = {
    "tune ": ["digits", "cifar10", "cats/", "data.parquet", "model"],
    "tune c": ["cifar10", "cats/"],
    "worksheet dig": ["digits"],
    "evaluate model d": ["digits", "data.parquet"],
    "fetch ": ["cifar10"],
    "tune --solver ": ["exact", "sgd"],
    "tune --prec": ["--precision"],
    "ev": ["evaluate"],
    # Files alone are left to the shell, which completes those where it is told nothing.
    "tune da/": [],
    "tune mod": [],
    "predict mod": [],
    "report ": [],
}


@pytest.mark.parametrize("typed", COMPLETED)
def test_a_shell_completes_names_and_leaves_files_to_itself(typed, run, tmp_path, monkeypatch):
    (tmp_path / "cats").mkdir()
    for name in ("data.parquet", "model", ".hidden"):
        (tmp_path / name).touch()
    words = f"linprobe {typed}"
    monkeypatch.setenv("_LINPROBE_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", words)
    monkeypatch.setenv("COMP_CWORD", str(len(words.split(" ")) - 1))
    status, out, err = run()
    assert (status, out.split(), err) == (0, COMPLETED[typed], "")


def test_the_names_said_again_are_the_librarys():
    assert set(SOURCES) == set(NAMES)
    assert set(DATASETS) == set(ARCHIVES)

"""Standard output and error that are closed, full, left by their reader, or without some letters: in all commands."""

import hashlib
import io
import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from pageless import COMMAND  # pyright: ignore[reportMissingImports]

from linprobe.cli import main
from linprobe.data import fetch as download
from linprobe.model import load

FILES = Path(__file__).resolve().parents[1] / "learn" / "checker" / "corpus" / "files"
TUNE = ["tune", "digits", "--reg", "1", "--train-size", "300"]
WORKSHEET = [*("worksheet", "digits", "--train-size", "300", "--dev", "50", "--iterations", "20"),
             *("--learning-rate", "1e-3", "--reg", "0.1")]  # fmt: skip

# Command, exit status, and whether what it prints is all that it leaves.
COMMANDS = {
    "tune": ([*TUNE, "--out", "new"], 0, False),
    "worksheet": ([*WORKSHEET, "--out", "new"], 0, False),
    "worksheet --json": ([*WORKSHEET, "--out", "new", "--json"], 0, True),
    "evaluate --json": (["evaluate", "run/model.safetensors", "digits", "--json"], 0, True),
    "evaluate --certify": (["evaluate", "run/model.safetensors", "digits", "--certify"], 0, True),
    "describe": (["describe", "digits"], 0, True),
    "describe --json": (["describe", "digits", "--json"], 0, True),
    "predict": (["predict", "run/model.safetensors", "é.npy"], 0, True),
    "predict --json": (["predict", "run/model.safetensors", "é.npy", "--json"], 0, True),
    "report": (["report", "run"], 0, False),
    "fetch": (["fetch", "cifar10"], 0, False),
    "fetch --json": (["fetch", "cifar10", "--json"], 0, True),
    "check wrong": (["check", FILES / "vectorized_wrong.py"], 1, False),
    "check --json": (["check", FILES / "vectorized_wrong.py", "--json"], 1, False),
    "check FOLDER": (["check", "course"], 1, False),
    "--version": (["--version"], 0, True),
    "--help": (["tune", "--help"], 0, False),
}


class Full(io.RawIOBase):
    """A file on a disk without room, or a pipe that nobody reads any more."""

    def __init__(self, error):
        self.error = error

    def writable(self):
        return True

    def write(self, _content):
        raise self.error


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    """A folder with a run, an array to predict and an archive in a cache."""
    folder = tmp_path_factory.mktemp("output")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setattr("sys.argv", ["linprobe", *TUNE, "--out", "run"])
        with pytest.raises(SystemExit) as left:
            main()
    assert left.value.code == 0
    import numpy as np

    np.save(folder / "é.npy", np.zeros(load(folder / "run" / "model.safetensors").preparation.shape, np.float32))
    (folder / "course").mkdir()
    for name in ("softmax_pair", "vectorized_wrong"):
        (folder / "course" / f"{name}_λ.py").write_bytes((FILES / f"{name}.py").read_bytes())
    return folder


@pytest.fixture
def command(prepared, monkeypatch, tmp_path):
    """Run a command in a folder that has what it needs, with such streams -> its exit status."""
    for path in prepared.iterdir():
        (tmp_path / path.name).symlink_to(path)
    (tmp_path / "archive").write_bytes(b"an archive")
    monkeypatch.chdir(tmp_path)
    # Without the page, which takes the longest and prints nothing.
    monkeypatch.setattr("linprobe.report.folder.views", lambda *_: {})
    monkeypatch.setenv("LINPROBE_DATA", str(tmp_path / "cache"))
    md5 = hashlib.md5(b"an archive", usedforsecurity=False).hexdigest()
    monkeypatch.setitem(download.ARCHIVES, "cifar10", download.Archive("a.tar.gz", "https://nowhere.invalid", 10, md5))
    download.fetch("cifar10", source=tmp_path / "archive")

    def call(arguments, out, err):
        monkeypatch.setattr(sys, "argv", ["linprobe", *map(str, arguments)])
        monkeypatch.setattr(sys, "stdout", out)
        monkeypatch.setattr(sys, "stderr", err)
        with pytest.raises(SystemExit) as left:
            main()
        assert (sys.stdout, sys.stderr) == (out, err)
        return left.value.code

    return call


def text(raw, encoding="utf-8"):
    return io.TextIOWrapper(raw, encoding, write_through=True)


def said(stream):
    return stream.buffer.getvalue().decode(stream.encoding)


@pytest.mark.sampled(12)
@pytest.mark.parametrize("name", COMMANDS)
def test_a_full_output_is_one_line_and_a_failure_only_of_what_was_to_be_printed(name, command):
    arguments, status, printed = COMMANDS[name]
    err = text(io.BytesIO())
    found = command(arguments, text(Full(OSError(28, "No space left on device"))), err)
    assert found == (1 if printed else status)
    assert said(err).count("\n") == 1
    assert "standard output: cannot be written: no space left on device" in said(err)
    assert "Traceback" not in said(err)
    if "new" in arguments:
        assert {"run.json", "model.safetensors"} <= {path.name for path in Path("new").iterdir()}
        assert "the run is complete, in new" in said(err)


@pytest.mark.sampled(3)
@pytest.mark.parametrize("name", ["tune", "worksheet --json", "predict", "check wrong", "fetch", "--help"])
def test_a_reader_that_has_left_changes_nothing(name, command):
    arguments, status, _ = COMMANDS[name]
    err = text(io.BytesIO())
    assert command(arguments, text(Full(BrokenPipeError(32, "Broken pipe"))), err) == status
    assert said(err) == ""
    if "new" in arguments:
        assert {"run.json", "model.safetensors"} <= {path.name for path in Path("new").iterdir()}


@pytest.mark.parametrize("name", ["evaluate --json", "predict"])
def test_an_error_output_that_is_full_changes_nothing(name, command):
    arguments, status, _ = COMMANDS[name]
    full = OSError(28, "No space left on device")
    assert command(arguments, text(io.BytesIO()), text(Full(full))) == status
    assert command(["tune", "nothing"], text(io.BytesIO()), text(Full(full))) == 2


@pytest.mark.sampled(4)
@pytest.mark.parametrize(
    ("name", "encoding"), [*((name, "ascii") for name in COMMANDS), ("tune", "latin-1"), ("predict", "cp437")]
)
def test_letters_that_are_not_there_become_plain_ones(name, encoding, command):
    arguments, status, _ = COMMANDS[name]
    out, err = text(io.BytesIO(), encoding), text(io.BytesIO(), encoding)
    assert command(arguments, out, err) == status
    assert said(err) == ""
    assert said(out)
    if "--json" in arguments:
        json.loads(said(out))
    if name == "tune" and encoding == "ascii":
        assert "mean softmax loss + reg x sum W^2" in said(out)
        assert "->" in said(out)
    if name == "check FOLDER":
        assert "softmax_pair_lambda.py: " in said(out)


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_an_error_has_plain_letters_too(encoding, command):
    err = text(io.BytesIO(), encoding)
    assert command(["evaluate", "λ×−é日\udcff.safetensors", "digits"], text(io.BytesIO()), err) == 1
    times, e = ("×", "é") if encoding == "latin-1" else ("x", "e")
    assert said(err).startswith(f"linprobe: lambda{times}-{e}\\u65e5")


def test_a_name_that_is_no_text_is_no_fault_of_ours(command):
    err = text(io.BytesIO())
    assert command(["tune", "\udcff.parquet"], text(io.BytesIO()), err) == 2
    assert "does not exist" in said(err)


@pytest.mark.parametrize(
    ("letters", "plain"),
    [
        ("λΣW²", "lambda sum W^2"),
        ("½λΣW²", "1/2 lambda sum W^2"),
        ("of λ, to", "of lambda, to"),
        ("3 × 4 − 1", "3 x 4 - 1"),
        ("✓ right, ✗ wrong", "+ right, x wrong"),
        ("naïve cafe\u0301", "naive cafe"),
        ("日本", "\\u65e5\\u672c"),
        ("a\udcffb", "a\\udcffb"),
        ("██▌▏", "### "),
    ],
)
def test_plain_letters(letters, plain):
    from linprobe.cli.output import PLAIN_LETTERS, lasting_output

    with lasting_output():
        assert letters.encode("ascii", PLAIN_LETTERS) == plain.encode()
        assert letters.encode("utf-8", PLAIN_LETTERS) == letters.replace("\udcff", "\\udcff").encode()


# ---- the files behind the streams


def shell(folder, line):
    """What a line of a shell leaves: exit status, standard error."""
    line = re.sub(r"(?<![/\w])linprobe(?![/\w])", lambda _: shlex.join(COMMAND), line)  # the word, not a folder's name
    done = subprocess.run(["bash", "-c", line], cwd=folder, stderr=subprocess.PIPE, text=True)
    return done.returncode, done.stderr


@pytest.mark.sampled(4)
@pytest.mark.parametrize("place", [">&- 2>&- <&-", "| true", ">/dev/full"])
def test_a_run_ends_well_wherever_its_words_go(place, tmp_path):
    if "full" in place and not Path("/dev/full").exists():
        pytest.skip("needs /dev/full, which is Linux's")
    status, err = shell(tmp_path, f"set -o pipefail; linprobe {' '.join(TUNE)} --out run {place}")
    assert status == 0
    lost = "linprobe: warning: standard output: cannot be written: no space left on device; the run is complete, in run"
    assert err == (f"{lost}\n" if "full" in place else "")
    names = sorted(path.name for path in (tmp_path / "run").iterdir())
    assert {"model.safetensors", "results.csv", "run.json"} <= set(names)
    for name in names:  # what is printed must not land in a file that took the number of a closed stream
        assert b"Refit" not in (tmp_path / "run" / name).read_bytes()


@pytest.mark.sampled(2)
@pytest.mark.parametrize("place", ["2>&-", "2>/dev/full"])
def test_an_error_keeps_its_status_wherever_it_goes(place, tmp_path):
    assert shell(tmp_path, f"set -o pipefail; linprobe tune nothing {place}")[0] == 2
    assert os.listdir(tmp_path) == []  # noqa: PTH208


HELD_BACK = """
from linprobe.cli.output import lasting_output, say
with lasting_output():
    for _ in range(3):
        say("x" * 7000)
"""
CLOSED = """
import os
from linprobe.cli.output import lasting_output
with lasting_output():
    os.write(1, b"as a library does")
    with open("file", "w") as file:
        raise SystemExit(file.fileno() < 3)
"""


@pytest.mark.parametrize(("code", "place"), [(HELD_BACK, ">/dev/full"), (CLOSED, "<&- >&- 2>&-")])
def test_no_stream_fails_at_the_end_or_is_taken_for_a_file(code, place, tmp_path):
    if "full" in place and not Path("/dev/full").exists():
        pytest.skip("needs /dev/full, which is Linux's")
    (tmp_path / "code.py").write_text(code)
    assert shell(tmp_path, f"'{sys.executable}' code.py {place}") == (0, "")

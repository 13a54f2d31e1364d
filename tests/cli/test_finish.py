"""Nothing that is finished is lost: to a bug or a full disk at the pictures and the page, or to where the words go."""

import errno
import json
import os
import signal
import subprocess
import sys

import pytest

from linprobe.publish import publish_file

WORK = {
    "tune": ["tune", "digits", "--reg", "1,2", "--train-size", "300", "--out", "run"],
    "worksheet": [*("worksheet", "digits", "--train-size", "300", "--dev", "50", "--iterations", "20"),
                  *("--learning-rate", "1e-4,1e-3", "--reg", "0.1,1", "--out", "run")],
}  # fmt: skip
DONE = {"evidence.safetensors", "model.safetensors", "results.csv", "run.json", "test_predictions.csv"}
PICTURES = {
    "tune": {"path.png", "templates.png", "confusion.png"},
    "worksheet": {"loss.png", "grid.png", "templates.png", "confusion.png"},
}


def left(folder):
    return {path.name for path in (folder / "run").iterdir()}


def bug(*_arguments, **_options):
    raise KeyError("planted")


def other_bug(*_arguments, **_options):
    raise TypeError("planted")


def full(*_arguments, **_options):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def full_disk(path):
    with publish_file(path / "report.html"):
        full()


FAILING_PAGES = {
    "KeyError": ("linprobe.report.page.facts_of", bug, ["report.html: unexpected KeyError", "fault of linprobe's"]),
    "TypeError": ("linprobe.report.page.figures_of", other_bug, ["report.html: unexpected TypeError"]),
    "full": ("linprobe.report.folder.write_page", full_disk, ["report.html: cannot be written: no space left"]),
    "memory": ("linprobe.report.folder.write_page", lambda _folder: [0] * 2**62, ["the memory is full"]),
}


@pytest.mark.sampled(3)
@pytest.mark.parametrize(("command", "case"), [*(("tune", case) for case in FAILING_PAGES), ("worksheet", "KeyError")])
def test_a_page_that_fails_costs_a_line_and_not_the_run(command, case, run, monkeypatch, tmp_path):
    place, failing, words = FAILING_PAGES[case]
    with monkeypatch.context() as patch:
        patch.setattr(place, failing)
        status, out, err = run(*WORK[command])
    assert status == 0
    assert "The run is in run: run.json and results.csv have" in " ".join(out.split())
    assert err.startswith("linprobe: warning: run: the run is complete, but not all that shows it: report.html: ")
    assert err.endswith("; linprobe report run writes the page\n")
    assert err.count("\n") == 1
    for word in words:
        assert word in err
    assert left(tmp_path) == DONE | PICTURES[command]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["run"]
    assert run("report", "run")[::2] == (0, "")
    assert left(tmp_path) == DONE | PICTURES[command] | {"report.html"}


@pytest.mark.sampled(2)
@pytest.mark.parametrize("command", WORK)
def test_a_picture_that_fails_costs_neither_the_page_nor_the_other_pictures(command, run, monkeypatch, tmp_path):
    monkeypatch.setattr("linprobe.report.pictures.draw_confusion", bug)
    status, _, err = run(*WORK[command])
    assert status == 0
    assert "confusion.png: unexpected KeyError: 'planted'" in err
    assert err.count("\n") == 1
    assert left(tmp_path) == DONE | PICTURES[command] - {"confusion.png"} | {"report.html"}


@pytest.mark.sampled(2)
@pytest.mark.parametrize("command", WORK)
def test_ctrl_c_at_the_page_keeps_the_run(command, run, monkeypatch, tmp_path):
    monkeypatch.setattr("linprobe.report.folder.write_page", lambda _: signal.raise_signal(signal.SIGINT))
    status, _, err = run(*WORK[command])
    assert status == 130
    assert err.startswith("linprobe: interrupted; the run is complete, in run, but not all of its pictures")
    assert "linprobe report run" in err
    assert err.count("\n") == 1
    assert left(tmp_path) == DONE | PICTURES[command]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["run"]


WITHOUT_PLOTS = """
import sys
from importlib import metadata

EXTRA = ("matplotlib", "jinja2", "plotly")
sys.modules.update(dict.fromkeys(EXTRA))
version = metadata.version
metadata.version = lambda name: version("no-such-package" if name in EXTRA else name)
from linprobe.cli import main
main()
"""


@pytest.mark.slow
def test_without_what_draws_there_is_a_run_all_the_same(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_PLOTS, *WORK["worksheet"]], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0
    assert done.stderr.count("\n") == 1
    assert "matplotlib is not installed" in done.stderr
    assert "report.html: plotly is not installed" in done.stderr
    assert "pip install './linprobe[plots]'" in done.stderr
    assert left(tmp_path) == DONE
    assert "matplotlib" not in json.loads((tmp_path / "run" / "run.json").read_text())["versions"]


@pytest.mark.slow
def test_a_disk_that_is_full_at_the_page(run, tmp_path):
    resource = pytest.importorskip("resource")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    # Files of two megabytes have room, the page has four; it fails with "file too large".
    resource.setrlimit(resource.RLIMIT_FSIZE, (2 * 2**20, before[1]))
    try:
        status, _, err = run(*WORK["tune"])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert status == 0
    assert err == (
        "linprobe: warning: run: the run is complete, but not all that shows it: report.html: run/report.html: cannot "
        "be written: file too large; name a place with room that you may write; linprobe report run writes the page\n"
    )
    assert left(tmp_path) == DONE | PICTURES["tune"]

"""`linprobe worksheet --notebook --pdf` as a user types it."""

import json
import os
import signal
import subprocess
import sys
import time

import nbformat
import pytest

QUICK = ["--iterations", "40", "--learning-rate", "1e-4,1e-3", "--reg", "0.01:1:3:log", "--out", "run"]


def printed(path, name):
    cell = next(cell for cell in nbformat.read(path, as_version=4).cells if cell.id == name)
    return "".join(output.text for output in cell.outputs if output.output_type == "stream")


@pytest.mark.slow
def test_both_files_come_besides_the_run(run, tmp_path, monkeypatch):
    monkeypatch.setattr("linprobe.report.folder.views", lambda *_: {})
    status, out, err = run(
        *("worksheet", "digits", "--loss", "hinge", "--seed", "5", "--test-size", "100", "--batch-size", "50"),
        *("--notebook", "w.ipynb", "--pdf", "w.pdf", *QUICK),
    )
    assert (status, err) == (0, "")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["run", "w.ipynb", "w.pdf"]
    assert "w.ipynb" in out
    assert "w.pdf" in out
    numbers = json.loads((tmp_path / "run" / "run.json").read_text())
    nbformat.validate(nbformat.read(tmp_path / "w.ipynb", as_version=4))
    assert f"final test set accuracy: {numbers['test']['accuracy']:f}" in printed(tmp_path / "w.ipynb", "test")
    assert f"loss: {numbers['first_loss']['naive']:f}" in printed(tmp_path / "w.ipynb", "first-loss")
    assert f"accuracy: {numbers['grid']['best']['val_accuracy']:f}" in printed(tmp_path / "w.ipynb", "tune")
    assert (tmp_path / "w.pdf").read_bytes().startswith(b"%PDF")


WRONG = {
    "momentum": (["--momentum", "0.9"], 2, ["--momentum", "leave"]),
    "several batch sizes": (["--batch-size", "50,100"], 2, ["--batch-size"]),
    "schedule": (["--schedule", "cosine", "--warmup", "3"], 2, ["--schedule, --warmup"]),
    "trials": (["--trials", "3"], 2, ["--trials"]),
    "screen": (["--screen", "auto"], 2, ["--screen"]),
    "features": (["--prepare", "standardised"], 2, ["--prepare"]),
    "memory": (["--memory", "4GiB"], 2, ["--memory"]),
    "no suffix": (["--notebook", "digits"], 2, ["--notebook digits", ".ipynb"]),
    "no such folder": (["--notebook", "no/w.ipynb"], 1, ["no/w.ipynb", "cannot be written"]),
    "exists": (["--notebook", "mine.ipynb"], 2, ["mine.ipynb", "--force"]),
    "a folder": (["--notebook", "folder.ipynb"], 1, ["folder.ipynb", "is a folder"]),
    "pdf suffix": (["--pdf", "w.ipynb"], 2, ["--pdf w.ipynb", ".pdf"]),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_cannot_be_is_refused_before_the_work(case, run, tmp_path):
    arguments, expected, words = WRONG[case]
    if not {"--notebook", "--pdf"} & set(arguments):
        arguments = [*arguments, "--notebook", "w.ipynb"]
    (tmp_path / "mine.ipynb").write_text("mine")
    (tmp_path / "folder.ipynb").mkdir()
    status, out, err = run("worksheet", *QUICK, *arguments)
    assert (status, out) == (expected, "")
    assert err.count("\n") == 1
    for word in words:
        assert word in err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["folder.ipynb", "mine.ipynb"]
    assert (tmp_path / "mine.ipynb").read_text() == "mine"


@pytest.mark.parametrize(("library", "extra"), [("nbclient", "notebook"), ("typst", "pdf")])
def test_a_missing_library_is_named_before_the_work(library, extra, run, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, library, None)
    status, _, err = run("worksheet", *QUICK, "--pdf", "w.pdf")
    assert status == 1
    assert f"{library} is not installed" in err
    assert f"pip install './linprobe[{extra}]'" in err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_a_notebook_that_fails_leaves_the_run_and_no_half_file(run, tmp_path, monkeypatch):
    from linprobe.learn.notebook import cells

    whole = cells._fill
    monkeypatch.setattr(cells, "_fill", lambda *given: whole(*given) + "\nraise ValueError('no\\nluck')")
    status, out, err = run("worksheet", *QUICK, "--notebook", "w.ipynb", "--pdf", "w.pdf")
    assert status == 1
    assert err == "linprobe: the notebook: cell 'parameters' failed with ValueError: no luck\n"
    assert "run" in out
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


@pytest.mark.real_data
def test_ctrl_c_while_the_notebook_runs_leaves_the_run_alone(tmp_path):
    command = [sys.executable, "-m", "linprobe", "worksheet", *QUICK, "--notebook", "w.ipynb"]
    there = {"cwd": tmp_path, "env": os.environ | {"TMPDIR": str(tmp_path)}}
    process = subprocess.Popen(command, **there, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 100
    while not list(tmp_path.glob("linprobe-*/kernel.json")):
        assert time.monotonic() < deadline
        assert process.poll() is None
        time.sleep(0.02)
    time.sleep(1)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (130, "linprobe: interrupted\n")
    assert [path.name for path in tmp_path.iterdir()] == ["run"]

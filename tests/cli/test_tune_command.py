"""`linprobe tune` as a user types it: what it leaves, what it says, and what wrong input gets."""

import csv
import json
import os
import re
import signal
import subprocess
import time

import numpy as np
import pytest
from pageless import COMMAND  # pyright: ignore[reportMissingImports]
from PIL import Image

import linprobe
from linprobe.data.splits import make_splits
from linprobe.results.steps import at_most, number

SHARED = {"confusion.png", "evidence.safetensors", "model.safetensors", "report.html", "results.csv", "run.json"}
SHARED |= {"test_predictions.csv"}
EXACT = sorted(SHARED | {"path.png", "templates.png"})
SGD = sorted(SHARED | {"grid.png", "loss.png", "templates.png"})
QUICK = ["--reg", "0.1:10:3:log"]


def read(folder):
    with (folder / "results.csv").open() as file:
        return json.loads((folder / "run.json").read_text()), list(csv.DictReader(file))


def test_the_run_folder_of_a_path(run, tmp_path):
    status, out, err = run("tune", "digits", "--out", "a/run", *QUICK)
    assert (status, err) == (0, "")
    folder = tmp_path / "a" / "run"
    assert sorted(path.name for path in folder.iterdir()) == EXACT
    for picture in folder.glob("*.png"):
        with Image.open(picture) as image:
            assert min(image.size) > 200
    numbers, rows = read(folder)
    assert numbers["command"] == "linprobe tune digits --out a/run " + " ".join(QUICK)
    assert set(numbers) == {"command", "versions", "options", "data", "grid", "refit", "test"}
    assert list(rows[0]) == [
        *("learning_rate", "reg", "train_accuracy", "val_accuracy", "objective", "gap", "status", "iterations"),
    ]  # fmt: skip
    assert [float(row["reg"]) for row in rows] == [0.1, 1, 10]
    for row, known in zip(rows, numbers["grid"]["rows"], strict=True):
        assert row["learning_rate"] == ""
        assert row["status"] == known["status"] == "gap"
        for name in ("train_accuracy", "val_accuracy", "objective", "gap", "iterations"):
            assert float(row[name]) == pytest.approx(known[name], rel=1e-5)
        assert f"{known['objective']:.6g}" in out
        assert f"{known['val_accuracy']:.4f}" in out
        assert at_most(known["gap"]) in out
    # In the page's words.
    page = (folder / "report.html").read_text()
    for title in ("validation", "proven gap", "ended"):
        assert title in re.split(r"  +", next(line for line in out.splitlines() if " objective " in line).strip())
        assert f">{title}</" in page
    assert sum(line.endswith(" proven") for line in map(str.rstrip, out.splitlines())) == 3
    assert page.count(">proven</td>") >= 3
    marked = [line for line in out.splitlines() if "→" in line]
    assert len(marked) == 1
    assert f" {number(numbers['grid']['best']['reg'])} " in marked[0]
    assert f"{numbers['test']['accuracy']:.4f}" in out
    assert "no linear classifier has an objective below" in " ".join(out.split())
    assert "a/run" in out


def test_the_model_predicts_what_the_run_measured(run, tmp_path, pageless):
    run("tune", "digits", "--out", "run", *QUICK, "--val-size", "100", "--test-size", "150", "--seed", "7")
    numbers, _ = read(tmp_path / "run")
    model = linprobe.load(tmp_path / "run" / "model.safetensors")
    splits = make_splits(linprobe.open_dataset("digits"), seed=7, train=1547, val=100, test=150, rule="stratified")
    assert [numbers["data"][name] for name in ("train", "val", "test")] == [1547, 100, 150]
    assert np.mean(model.predict(splits.test.X) == splits.test.y) == numbers["test"]["accuracy"]
    assert numbers["test"]["n"] == 150
    assert np.mean(model.predict(splits.val.X) == splits.val.y) != numbers["test"]["accuracy"]  # or either would do
    assert model.provenance.fingerprint == numbers["data"]["fingerprint"]
    assert model.provenance.reg == numbers["grid"]["best"]["reg"]
    assert numbers["options"] == {**model.provenance.tell(), "white": model.white}


def test_folds(run, tmp_path, pageless):
    status, out, _ = run("tune", "digits", "--folds", "3", "--out", "run", *QUICK)
    assert status == 0
    assert "3 settings x 3 folds" in out
    assert "train 1,618, in 3 folds" in out
    numbers, rows = read(tmp_path / "run")
    assert len(rows) == 3
    assert all(len(row["fold_accuracy"]) == 3 for row in numbers["grid"]["rows"])


def test_sgd(run, tmp_path):
    status, out, err = run(
        "tune", "digits", "--solver", "sgd", "--loss", "hinge", "--learning-rate", "1e-3,1e30", *QUICK, "--out", "run"
    )
    assert (status, err) == (0, "")
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == SGD
    numbers, rows = read(tmp_path / "run")
    assert [row["status"] for row in rows] == ["max_iter"] * 3 + ["diverged"] * 3
    assert {row["gap"] for row in rows} == {""}
    assert rows[5]["val_accuracy"] == rows[5]["objective"] == ""
    assert numbers["grid"]["best"]["learning_rate"] == 1e-3
    assert "proves nothing" in out


@pytest.mark.slow
def test_sgd_in_folds(run, tmp_path, pageless):
    sgd = ("--solver", "sgd", "--loss", "hinge", "--learning-rate", "1e-3,1e30", "--train-size", "300")
    status, out, err = run("tune", "digits", *sgd, "--folds", "3", *QUICK, "--out", "run")
    assert (status, err) == (0, "")
    assert "6 settings x 3 folds" in out
    numbers, rows = read(tmp_path / "run")
    assert [row["status"] for row in rows] == ["max_iter"] * 3 + ["diverged"] * 3
    assert [len(row.get("fold_accuracy") or ()) for row in numbers["grid"]["rows"]] == [3] * 3 + [0] * 3


def test_json_is_the_only_output(run, tmp_path, pageless):
    status, out, err = run("tune", "digits", "--json", "--out", "run", *QUICK)
    assert (status, err) == (0, "")
    assert json.loads(out) == read(tmp_path / "run")[0]


def test_the_default_folder_is_a_new_one_each_time(run, tmp_path, pageless):
    for _ in range(2):
        assert run("tune", "digits", *QUICK)[0] == 0
    assert sorted(path.name for path in (tmp_path / "runs").iterdir()) == [
        "tune-digits-softmax",
        "tune-digits-softmax-2",
    ]


def test_an_existing_folder_is_refused_or_replaced_whole(run, tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "mine").write_text("precious")
    assert run("tune", "digits", "--out", "run", *QUICK)[0] == 2
    assert run("tune", "digits", "--out", "run", "--force", *QUICK)[0] == 2
    assert (tmp_path / "run" / "mine").read_text() == "precious"
    (tmp_path / "run" / "mine").rename(tmp_path / "run" / "run.json")
    assert run("tune", "digits", "--out", "run", "--force", *QUICK)[0] == 0
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == EXACT


@pytest.mark.parametrize("columns", [80, 100])
def test_nothing_is_wider_than_the_terminal_and_no_figure_is_broken(columns, run, monkeypatch, pageless):
    monkeypatch.setenv("COLUMNS", str(columns))
    _, out, _ = run("tune", "digits", "--out", "run", "--reg", "1e-3:1e3:7:log", "--tol", "1e-2")
    assert max(map(len, out.splitlines())) <= columns
    table = [line for line in out.splitlines() if line.rstrip().endswith(" proven")]
    assert len(table) == 7
    for line in table:
        assert re.fullmatch(r"   [→ ]  +\S+  0\.\d{4}|   [→ ]  +\S+  +\S+  +\S+  +\S+  +\S+  +\d+  proven *", line)


WRONG = {
    "unknown source": (["nosuch"], 2, ["nosuch", "digits", "cifar10"]),
    "no source": ([], 2, ["SOURCE is missing"]),
    "no penalty": (["digits", "--reg", "0,1"], 2, ["--reg 0", "--solver sgd"]),
    "no penalty in a range": (["digits", "--reg", "0:1:5"], 2, ["--reg 0"]),
    "negative": (["digits", "--reg=-1,1"], 2, ["--reg", "above 0"]),
    "NaN": (["digits", "--reg", "nan"], 2, ["--reg"]),
    "words": (["digits", "--reg", "a:b:c"], 2, ["a:b:c", "LO:HI:COUNT"]),
    "hinge": (["digits", "--loss", "hinge"], 2, ["hinge", "squared_hinge", "the solver sgd"]),
    "unknown loss": (["digits", "--loss", "huber"], 2, ["huber", "squared_hinge"]),
    "learning rate": (["digits", "--learning-rate", "1e-3"], 2, ["--learning-rate", "--solver sgd"]),
    "tolerance": (["digits", "--tol", "0"], 2, ["--tol 0"]),
    "tolerance in words": (["digits", "--tol", "tight"], 2, ["--tol", "number"]),
    "tolerance of SGD": (["digits", "--solver", "sgd", "--tol", "1e-3"], 2, ["--tol", "exact"]),
    "one fold": (["digits", "--folds", "1"], 2, ["--folds", "2"]),
    "folds in words": (["digits", "--folds", "many"], 2, ["--folds", "integer"]),
    "folds and val": (["digits", "--folds", "3", "--val-size", "9"], 2, ["--folds and --val-size"]),
    "folds beyond a class": (["digits", "--folds", "500"], 2, ["--folds 500", "or fewer"]),
    "folds beyond all": (["digits", "--folds", "5000"], 2, ["--folds 5000", "or fewer"]),
    "too many": (
        ["digits", "--train-size", "1700", "--val-size", "90", "--test-size", "90"],
        2,
        ["1,797", "--train-size"],
    ),
    "one example": (["digits", "--train-size", "1"], 1, ["single class"]),
    "no memory": (["digits", "--memory", "1M"], 2, ["--memory", "allow more"]),
    "no size": (["digits", "--memory", "lots"], 2, ["--memory lots"]),
    "all diverged": (["digits", "--solver", "sgd", "--learning-rate", "1e30"], 1, ["diverged", "smaller"]),
    "out below a file": (["digits", "--out", "file/run"], 1, ["file/run"]),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_input_gets_one_line_and_leaves_nothing(case, run, tmp_path):
    arguments, expected, words = WRONG[case]
    (tmp_path / "file").write_text("mine")
    if "--out" not in arguments:
        arguments = [*arguments, "--out", "run"]
    status, out, err = run("tune", *arguments)
    assert status == expected
    assert err.count("\n") == 1
    assert "Traceback" not in out + err
    for word in words:
        assert word in err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file"]


def start(folder, *arguments, **options):
    return subprocess.Popen(
        [*COMMAND, "tune", "digits", "--out", "run", *arguments],
        cwd=folder, env=os.environ | {"OPENBLAS_NUM_THREADS": "1", "COLUMNS": "100", "TERM": "xterm"}, **options,
    )  # fmt: skip


@pytest.mark.slow
def test_ctrl_c_leaves_nothing(tmp_path):
    process = start(
        tmp_path,
        "--reg",
        "1e-9:1e-7:400:log",
        "--tol",
        "1e-12",
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + 60
    while not list(tmp_path.glob(".run.*")):  # the folder in the making appears before the work starts
        assert time.monotonic() < deadline
        time.sleep(0.005)
    # At once: what the first pass has found would be kept, as tests/cli/test_interrupted.py holds.
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    # What a shell calls 130: Python ends by the signal itself where it fell into code that an import makes.
    assert process.returncode in (130, -signal.SIGINT)
    assert err == "linprobe: interrupted; nothing was kept\n"
    assert list(tmp_path.iterdir()) == []


def test_the_terminal_shows_a_bar_of_the_heads_that_are_done(on_terminal, pageless):
    status, screen = on_terminal("tune", "digits", "--out", "run", "--reg", "1e-3:10:20:log")
    assert status == 0
    assert b"fits done" in screen
    assert re.search(rb"\d+/20", screen)

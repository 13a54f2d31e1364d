"""`linprobe worksheet` as a user types it: what it leaves, what it says, and what wrong input gets."""

import csv
import json

import numpy as np
import pytest
from PIL import Image
from safetensors import safe_open

import linprobe

FILES = [
    *("confusion.png", "evidence.safetensors", "grid.png", "loss.png", "model.safetensors", "report.html"),
    *("results.csv", "run.json", "templates.png", "test_predictions.csv"),
]
QUICK = ["--iterations", "40", "--learning-rate", "1e-4,1e-3", "--reg", "0.01:1:3:log"]


def test_the_run_folder_holds_everything(run, tmp_path):
    status, out, err = run("worksheet", "digits", "--out", "a/run", *QUICK)
    assert (status, err) == (0, "")
    folder = tmp_path / "a" / "run"
    assert sorted(path.name for path in folder.iterdir()) == FILES
    for picture in (name for name in FILES if name.endswith(".png")):
        with Image.open(folder / picture) as image:
            assert min(image.size) > 200
    numbers = json.loads((folder / "run.json").read_text())
    for key in ("first_loss.naive", "first_loss.expected", "gradient_check.max_relative_error", "gradient_check.checks",
                "vectorized.naive_seconds", "vectorized.seconds", "vectorized.loss_difference",
                "vectorized.gradient_difference", "grid.settings", "grid.seconds", "grid.best", "test.accuracy",
                "test.interval", "test.n", "questions.first_loss", "questions.svm_unchanged", "optimum.gap",
                "optimum.sgd.excess", "command", "versions", "options.seed", "data.fingerprint"):  # fmt: skip
        value = numbers
        for part in key.split("."):
            value = value[part]
    assert numbers["command"] == "linprobe worksheet digits --out a/run " + " ".join(QUICK)
    with (folder / "results.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["learning_rate", "reg", "train_accuracy", "val_accuracy", "objective", "gap", "status"]
    assert len(rows) == numbers["grid"]["settings"] == 6
    best = max(rows, key=lambda row: float(row["val_accuracy"]))
    assert float(best["val_accuracy"]) == pytest.approx(numbers["grid"]["best"]["val_accuracy"], rel=1e-5)
    # Every figure of the last steps is on the screen and in run.json.
    assert f"{numbers['test']['accuracy']:.4f}" in out
    assert f"{numbers['first_loss']['naive']:.6f}" in out
    assert "a/run" in out


def test_the_model_file_predicts_what_the_run_measured(run, tmp_path, pageless):
    run("worksheet", "--out", "run", *QUICK, "--val-size", "100", "--test-size", "150")
    numbers = json.loads((tmp_path / "run" / "run.json").read_text())
    model = linprobe.load(tmp_path / "run" / "model.safetensors")
    from linprobe.data.splits import make_splits

    splits = make_splits(linprobe.open_dataset("digits"), val=100, test=150)
    accuracy = np.mean(model.predict(splits.test.X) == splits.test.y)
    assert (accuracy, numbers["test"]["n"]) == (numbers["test"]["accuracy"], 150)
    assert np.mean(model.predict(splits.val.X) == splits.val.y) != accuracy  # or a test measured on it would pass
    assert model.provenance.fingerprint == numbers["data"]["fingerprint"]
    with safe_open(tmp_path / "run" / "model.safetensors", "numpy") as file:
        assert sorted(file.keys()) == ["W", "b", "mean"]


def test_json_is_the_only_output(run, tmp_path, pageless):
    status, out, err = run("worksheet", "--json", "--out", "run", *QUICK)
    assert (status, err) == (0, "")
    assert json.loads(out) == json.loads((tmp_path / "run" / "run.json").read_text())


def test_the_default_folder_is_a_new_one_each_time(run, tmp_path, pageless):
    for _ in range(2):
        assert run("worksheet", *QUICK)[0] == 0
    assert sorted(path.name for path in (tmp_path / "runs").iterdir()) == [
        "worksheet-digits-softmax",
        "worksheet-digits-softmax-2",
    ]


@pytest.mark.slow
def test_an_existing_folder_is_refused_or_replaced_whole(run, tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "mine").write_text("precious")
    status, _, err = run("worksheet", "--out", "run", *QUICK)
    assert status == 2
    assert "run: exists and is not empty" in err
    assert (tmp_path / "run" / "mine").read_text() == "precious"
    status, _, err = run("worksheet", "--out", "run", "--force", *QUICK)
    assert (status, (tmp_path / "run" / "mine").read_text()) == (2, "precious")
    assert "not an earlier run" in err
    (tmp_path / "run" / "mine").rename(tmp_path / "run" / "run.json")
    assert run("worksheet", "--out", "run", "--force", *QUICK)[0] == 0
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == FILES


def test_a_diverging_setting_is_reported(run, tmp_path, pageless):
    status, out, _ = run(
        "worksheet", "--out", "run", "--learning-rate", "1e-3,1e30", "--reg", "0.1", "--iterations", "40"
    )
    assert status == 0
    assert "1 of 2 settings" in out
    with (tmp_path / "run" / "results.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["status"] for row in rows] == ["max_iter", "diverged"]
    assert rows[1]["val_accuracy"] == rows[1]["objective"] == ""


WRONG = {
    "unknown source": (["nosuch"], 2, ["nosuch", "digits", "cifar10"]),
    "missing folder": (["no/such/folder"], 2, ["no/such/folder", "does not exist"]),
    "empty file": (["empty.parquet"], 1, ["empty.parquet"]),
    "empty grid": (["--reg", "1:2:0"], 2, ["--reg 1:2:0"]),
    "no grid": (["--reg", ""], 2, ["--reg"]),
    "negative grid": (["--learning-rate=-1:2:3"], 2, ["--learning-rate", "negative"]),
    "negative in a list": (["--learning-rate=1,-2"], 2, ["-2", "negative"]),
    "NaN grid": (["--reg", "nan"], 2, ["nan"]),
    "NaN in a range": (["--reg", "1:nan:3"], 2, ["finite"]),
    "infinite grid": (["--reg", "inf"], 2, ["inf"]),
    "grid that is words": (["--reg", "a:b:c"], 2, ["a:b:c", "LO:HI:COUNT"]),
    "reversed grid": (["--reg", "2:1:3"], 2, ["lower one first"]),
    "gigantic grid": (["--reg", "1:2:99999999"], 2, ["99999999"]),
    "no iterations": (["--iterations", "0"], 2, ["iterations"]),
    "no batch": (["--batch-size", "0"], 2, ["batch"]),
    "negative seed": (["--seed", "-1"], 2, ["seed"]),
    "unknown loss": (["--loss", "hinged"], 2, ["hinged", "softmax", "hinge"]),
    "unknown option": (["--lr", "1"], 2, ["--lr"]),
    "splits too large": (["--val-size", "1700", "--test-size", "97"], 2, ["1,797", "--val-size"]),
    "dev too large": (["--dev", "99999"], 2, ["--dev 99999"]),
    "out below a file": (["--out", "file/run"], 1, ["file/run"]),
    "out is a file": (["--out", "file"], 2, ["file", "not a folder"]),
    "all diverged": (["--learning-rate", "1e30", "--iterations", "40"], 1, ["diverged", "smaller"]),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_input_gets_one_line_and_leaves_nothing(case, run, tmp_path):
    arguments, expected, words = WRONG[case]
    (tmp_path / "file").write_text("mine")
    (tmp_path / "empty.parquet").touch()
    if "--out" not in arguments:
        arguments = [*arguments, "--out", "run"]
    status, out, err = run("worksheet", *arguments)
    assert status == expected
    assert err.count("\n") == 1
    assert "Traceback" not in out + err
    for word in words:
        assert word in err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["empty.parquet", "file"]
    assert (tmp_path / "file").read_text() == "mine"


def test_a_full_disk_gets_one_line_and_leaves_nothing(run, tmp_path):
    resource = pytest.importorskip("resource")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    # Smaller than run.json: writing fails as on a full disk, but with "file too large".
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000, before[1]))
    try:
        status, _, err = run("worksheet", "--out", "run", *QUICK)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert status == 1
    assert err.startswith("linprobe: run")
    assert "cannot be written: file too large" in err
    assert err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("arguments", [["--help"], ["worksheet", "--help"], ["fetch", "--help"], ["--version"], []])
def test_help_and_version(arguments, run):
    status, out, err = run(*arguments)
    assert "linprobe" in out + err
    assert "Traceback" not in out + err
    assert status == (0 if arguments else 2)


def test_a_fault_of_ours_is_one_line_too(run, monkeypatch):
    def broken(*_, **__):
        raise RuntimeError("what nobody\nforesaw")

    monkeypatch.setattr("linprobe.learn.worksheet.run_worksheet", broken)
    monkeypatch.delenv("LINPROBE_TRACEBACK", raising=False)
    status, _, err = run("worksheet", *QUICK)
    assert status == 1
    assert err.count("\n") == 1
    assert "unexpected RuntimeError: what nobody foresaw" in err
    assert "LINPROBE_TRACEBACK" in err


def test_the_terminal_shows_a_bar_with_the_running_loss(on_terminal, pageless):
    status, screen = on_terminal("worksheet", "--out", "run", "--iterations", "1000", *QUICK[2:])
    assert status == 0
    assert b"lowest loss" in screen
    assert b"/1000" in screen

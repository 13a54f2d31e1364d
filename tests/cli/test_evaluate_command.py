"""`linprobe evaluate` as a user types it: the figures, the certificate, and what wrong input gets."""

import importlib
import json

import pytest

import linprobe
from linprobe.prepare import make_splits
from makers import write_cifar10  # pyright: ignore[reportMissingImports]
from models import make_classifier  # pyright: ignore[reportMissingImports]


@pytest.fixture
def tuned(run, tmp_path):
    """A run of tune in the folder `run`: what its run.json says."""
    assert run("tune", "digits", "--reg", "1,10", "--out", "run")[0] == 0
    return json.loads((tmp_path / "run" / "run.json").read_text())


def test_the_runs_own_figure_again_with_recall_and_certificate(run, tuned):
    status, out, err = run("evaluate", "run/model.safetensors", "digits", "--certify")
    assert (status, err) == (0, "")
    test, refit = tuned["test"], tuned["refit"]
    assert f"{test['accuracy']:.4f}" in out
    assert "from 179 examples" in out
    assert f"{refit['objective']:.10g}" in out
    assert "1,618 examples, train + validation" in out
    said = " ".join(out.split())
    assert "at this reg no linear classifier has an objective below" in said
    assert len([line for line in out.splitlines() if line.strip()[:1].isdigit() and "%" not in line]) == 10


def test_json_is_the_only_output_and_has_every_figure(run, tuned):
    status, out, err = run("evaluate", "run/model.safetensors", "digits", "--certify", "--json")
    assert (status, err) == (0, "")
    numbers = json.loads(out)
    assert {name: numbers[name] for name in ("accuracy", "interval", "n")} == tuned["test"]
    assert numbers["data"]["fingerprint"] == tuned["data"]["fingerprint"]
    splits = make_splits(linprobe.open_dataset("digits"), train=1439, val=179, test=179)
    counts = [int((splits.test.y == k).sum()) for k in range(10)]
    assert [sum(row) for row in numbers["confusion"]] == [one["n"] for one in numbers["classes"]] == counts
    certificate = numbers["certificate"]
    assert certificate["objective"] == pytest.approx(tuned["refit"]["objective"], rel=1e-12)
    assert 0 <= certificate["relative_gap"] <= 1e-6
    assert "certificate" not in json.loads(run("evaluate", "run/model.safetensors", "digits", "--json")[1])


def test_a_test_split_of_its_own_is_used_whole(run, tmp_path):
    folder = write_cifar10(tmp_path, rows=40)
    assert run("tune", folder, "--reg", "1e4", "--out", "run", "--test", "15")[0] == 0
    assert json.loads((tmp_path / "run" / "run.json").read_text())["test"]["n"] == 15
    status, out, _ = run("evaluate", "run/model.safetensors", folder, "--certify")
    assert status == 0
    assert "its test split" in out
    assert "from 40 examples" in out


def test_many_classes_are_cut_to_the_worst(run, tmp_path, monkeypatch):
    monkeypatch.setattr(importlib.import_module("linprobe.cli.evaluate"), "CLASSES", 3)
    run("tune", "digits", "--reg", "100", "--out", "run")
    _, out, _ = run("evaluate", "run/model.safetensors", "digits")
    recall = [float(line.split()[2]) for line in out.splitlines() if line.strip()[:1].isdigit() and "%" not in line]
    classes = json.loads(run("evaluate", "run/model.safetensors", "digits", "--json")[1])["classes"]
    assert recall == [round(one["recall"], 4) for one in sorted(classes, key=lambda one: one["recall"])[:3]]
    assert "The 3 classes with the lowest recall of 10" in " ".join(out.split())


def test_a_worksheets_model_is_measured_but_not_certified(run):
    assert run("worksheet", "--iterations", "40", "--reg", "0.1", "--learning-rate", "1e-3", "--out", "run")[0] == 0
    assert run("evaluate", "run/model.safetensors", "digits")[0] == 0
    status, out, err = run("evaluate", "run/model.safetensors", "digits", "--certify")
    assert (status, out) == (2, "")
    assert err.count("\n") == 1
    assert "SGD penalises the bias" in err
    assert "linprobe tune --solver exact" in err


WRONG = {
    "no model": (["nosuch", "digits"], 1, ["nosuch", "does not exist"]),
    "a folder": (["run", "digits"], 1, ["run", "is not a file", "model.safetensors"]),
    "no model file": (["run/run.json", "digits"], 1, ["run.json", "model file"]),
    "no source": (["run/model.safetensors"], 2, ["source"]),
    "unknown source": (["run/model.safetensors", "nosuch"], 2, ["nosuch"]),
    "another shape": (["run/model.safetensors", "cifar-10-batches-py"], 1, ["32 x 32 x 3", "8 x 8 x 1"]),
    "other data": (
        ["run/model.safetensors", "cifar-10-batches-py", "--certify"],
        1,
        ["is not the data", "(digits, sha256:"],
    ),
    "unknown classes": (["letters", "digits"], 1, ["class 3 and 6 more", "0, 1, 2"]),
    "tells no rows": (["letters", "digits", "--certify"], 1, ["is not the data"]),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_input_gets_one_line(case, run, tuned, tmp_path):
    arguments, expected, words = WRONG[case]
    write_cifar10(tmp_path, rows=4)
    make_classifier(("0", "1", "2"), (8, 8, 1)).save(tmp_path / "letters")
    status, out, err = run("evaluate", *arguments)
    assert (status, out) == (expected, "")
    assert err.count("\n") == 1
    assert "Traceback" not in err
    for word in words:
        assert word in err

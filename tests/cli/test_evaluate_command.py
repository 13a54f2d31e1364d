"""`linprobe evaluate` as a user types it: the figures, the certificate, and what wrong input gets."""

import importlib
import json
import re
import shutil
import warnings
from dataclasses import replace

import numpy as np
import pytest

import linprobe
from linprobe.cli import main
from linprobe.data.splits import make_splits
from makers import write_cifar10  # pyright: ignore[reportMissingImports]
from models import make_classifier, save_first  # pyright: ignore[reportMissingImports]


@pytest.fixture(scope="module")
def tuning(tmp_path_factory):
    """A run of tune, made once and without its page."""
    folder = tmp_path_factory.mktemp("tuned")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setattr("linprobe.report.folder.views", lambda *_: {})
        patch.setattr("sys.argv", ["linprobe", "tune", "digits", "--reg", "1,10", "--out", "run"])
        with pytest.raises(SystemExit) as left:
            main()
    assert left.value.code == 0
    return folder / "run"


@pytest.fixture
def tuned(tuning, tmp_path):
    """A run of tune in the folder `run`: what its run.json says."""
    shutil.copytree(tuning, tmp_path / "run")
    return json.loads((tuning / "run.json").read_text())


def test_the_runs_own_figure_again_with_recall_and_certificate(run, tuned):
    status, out, err = run("evaluate", "run/model.safetensors", "digits", "--certify")
    assert (status, err) == (0, "")
    test, refit = tuned["test"], tuned["refit"]
    assert f"{test['accuracy']:.4f}" in out
    assert "from 179 examples" in out
    assert f"{refit['objective']:.10g}" in out
    assert "1,618 examples, train + validation" in out
    assert "Certificate: proven" in out
    said = " ".join(out.split())
    assert "1e-6 of the objective the one it was trained with" in said
    # What is printed of a bound is one, too.
    printed = re.search(r"proven gap ([^ ]+) ([^ ]+) of the objective", said)
    exact = json.loads(run("evaluate", "run/model.safetensors", "digits", "--certify", "--json")[1])["certificate"]
    assert printed is not None
    for text, truth in zip(printed.groups(), (exact["gap"], exact["relative_gap"]), strict=True):
        assert truth <= float(text) <= 2 * truth
    assert "at this reg no linear classifier has an objective below" in said
    assert len([line for line in out.splitlines() if line.strip()[:1].isdigit() and "%" not in line]) == 10


def test_json_is_the_only_output_and_has_every_figure(run, tuned):
    status, out, err = run("evaluate", "run/model.safetensors", "digits", "--certify", "--json")
    assert (status, err) == (0, "")
    numbers = json.loads(out)
    told = ("accuracy", "interval", "n", "temperature", "metrics")
    assert {name: numbers[name] for name in told} == tuned["test"]
    assert numbers["data"]["fingerprint"] == tuned["data"]["fingerprint"]
    splits = make_splits(linprobe.open_dataset("digits"), train=1439, val=179, test=179, rule="stratified")
    counts = [int((splits.test.y == k).sum()) for k in range(10)]
    assert [sum(row) for row in numbers["confusion"]] == [one["n"] for one in numbers["classes"]] == counts
    certificate = numbers["certificate"]
    assert certificate["objective"] == pytest.approx(tuned["refit"]["objective"], rel=1e-12)
    assert 0 <= certificate["relative_gap"] <= certificate["tolerance"] == 1e-6
    assert (certificate["proven"], certificate["stored"], certificate["why"]) == (True, True, "")
    assert "certificate" not in json.loads(run("evaluate", "run/model.safetensors", "digits", "--json")[1])


def test_a_test_split_of_its_own_is_used_whole(run, tmp_path, pageless):
    folder = write_cifar10(tmp_path, rows=40)
    assert run("tune", folder, "--reg", "1e4", "--out", "run", "--test-size", "15")[0] == 0
    assert json.loads((tmp_path / "run" / "run.json").read_text())["test"]["n"] == 15
    status, out, _ = run("evaluate", "run/model.safetensors", folder, "--certify")
    assert status == 0
    assert "its test split" in out
    assert "from 40 examples" in out


def test_many_classes_are_cut_to_the_worst(run, tuned, monkeypatch):
    monkeypatch.setattr(importlib.import_module("linprobe.cli.evaluate"), "CLASSES", 3)
    _, out, _ = run("evaluate", "run/model.safetensors", "digits")
    recall = [float(line.split()[2]) for line in out.splitlines() if line.strip()[:1].isdigit() and "%" not in line]
    classes = json.loads(run("evaluate", "run/model.safetensors", "digits", "--json")[1])["classes"]
    assert recall == [round(one["recall"], 4) for one in sorted(classes, key=lambda one: one["recall"])[:3]]
    assert "The 3 classes with the lowest recall of 10" in " ".join(out.split())


def test_a_class_that_the_model_never_saw_is_named(run, tmp_path):
    classes = ("0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "ten")
    make_classifier(classes, (8, 8, 1), absent=["ten", "not a class"]).save(tmp_path / "model")
    _, out, _ = run("evaluate", "model", "digits")
    assert "Class ten has no example to learn from." in out
    assert json.loads(run("evaluate", "model", "digits", "--json")[1])["unlearned"] == ["ten"]


@pytest.mark.slow
def test_a_worksheets_model_is_measured_but_not_proven(run):
    assert run("worksheet", "--iterations", "40", "--reg", "0.1", "--learning-rate", "1e-3", "--out", "run")[0] == 0
    assert run("evaluate", "run/model.safetensors", "digits")[0] == 0
    status, out, err = run("evaluate", "run/model.safetensors", "digits", "--certify")
    assert (status, err) == (1, "")
    said = " ".join(out.split())
    assert "Certificate: not proven" in said
    assert "the default: its file has none" in said
    assert "SGD ends near the optimum at best" in said
    assert "linprobe tune --solver exact" in said
    assert "Proven in" not in said


def changed(model, change):
    """The model with something else in its file, under a checksum of its own."""
    said, b = model.provenance, model.b.astype(np.float64)
    match change:
        case "reg":
            return replace(model, provenance=replace(said, reg=said.reg * 1.5))
        case "a flipped bit":
            W = model.W.copy()
            W.view(np.uint32)[20, 3] ^= 1 << 30
            return replace(model, W=W)
        case "a sign":
            return replace(model, W=model.W * np.where(np.arange(64) == 20, np.float32(-1), np.float32(1))[:, None])
        case "class names":
            return replace(model, classes=(*model.classes[1:], model.classes[0]))
        case "a huge bias" | "the hugest bias":
            return replace(model, b=np.where(np.arange(10) == 0, 1e9 if change == "a huge bias" else 1e308, b))
        case "the loss":
            return replace(model, provenance=replace(said, loss="squared_hinge"))
        case _:  # the seed
            return replace(model, provenance=replace(said, rows=replace(said.rows, seed=1)))


@pytest.mark.parametrize(
    "change",
    ["reg", "a flipped bit", "a sign", "class names", "a huge bias", "the hugest bias", "the loss", "the seed"],
)
def test_what_is_not_the_optimum_is_not_called_proven(change, run, tuned, tmp_path):
    changed(linprobe.load(tmp_path / "run" / "model.safetensors"), change).save(tmp_path / "other")
    status, out, err = run("evaluate", "other", "digits", "--certify")
    assert status == 1
    assert "Proven in" not in out
    assert "--solver exact" not in out + err
    if change == "the seed":
        assert out == ""
        assert "so the file was changed" in err
        return
    assert "Certificate: not proven" in out
    status, out, _ = run("evaluate", "other", "digits", "--certify", "--json")
    certificate = json.loads(out)["certificate"]
    assert (status, certificate["proven"]) == (1, False)
    assert certificate["why"]


def test_a_damaged_file_is_refused_before_anything_is_said(run, tuned, tmp_path):
    path = tmp_path / "run" / "model.safetensors"
    content = bytearray(path.read_bytes())
    content[-100] ^= 1
    path.write_bytes(content)
    status, out, err = run("evaluate", "run/model.safetensors", "digits")
    assert (status, out) == (1, "")
    assert err.startswith("linprobe: run/model.safetensors: is damaged: its checksum is not that of its bytes; ")
    assert err.count("\n") == 1


def test_an_older_file_is_judged_after_a_line_about_its_checksum(run, tuned, tmp_path):
    path = tmp_path / "run" / "model.safetensors"
    save_first(linprobe.load(path), path)
    with warnings.catch_warnings():
        warnings.simplefilter("default")
        status, out, err = run("evaluate", "run/model.safetensors", "digits", "--certify")
    assert status == 0
    assert "Certificate: proven" in out
    assert err.startswith("linprobe: warning: run/model.safetensors: an older linprobe wrote it, without a checksum")
    assert err.count("\n") == 1


def test_other_data_is_said_to_be_that_before_any_number(run, tuned, tmp_path):
    write_cifar10(tmp_path, rows=40)
    names = linprobe.open_dataset(tmp_path / "cifar-10-batches-py").classes
    make_classifier(names, (32, 32, 3), data="photos", fingerprint="sha256:0123456789").save(tmp_path / "photos")
    make_classifier(names, (32, 32, 3)).save(tmp_path / "unknown")
    for model, whose in (("photos", "photos sha256:01234567"), ("unknown", "the model's file does not say")):
        status, out, err = run("evaluate", model, "cifar-10-batches-py")
        assert (status, err) == (0, "")
        said = " ".join(out.split())
        assert said.startswith(f"Other data than the model was trained on trained on {whose}")
        numbers = json.loads(run("evaluate", model, "cifar-10-batches-py", "--json")[1])
        assert numbers["data"]["other_data"] is True
        assert list(numbers).index("data") < list(numbers).index("accuracy")
    assert "Other data" not in run("evaluate", "run/model.safetensors", "digits")[1]
    own = json.loads(run("evaluate", "run/model.safetensors", "digits", "--json")[1])["data"]
    assert own["other_data"] is False
    assert own["trained_on"] == {"source": "digits", "fingerprint": own["fingerprint"]}


WRONG = {
    "no model": (["nosuch", "digits"], 1, ["nosuch", "does not exist"]),
    "a folder": (["run", "digits"], 1, ["run", "is not a file", "model.safetensors"]),
    "no model file": (["run/run.json", "digits"], 1, ["run.json", "model file"]),
    "no source": (["run/model.safetensors"], 2, ["SOURCE is missing"]),
    "unknown source": (["run/model.safetensors", "nosuch"], 2, ["nosuch"]),
    "another shape": (["run/model.safetensors", "cifar-10-batches-py"], 1, ["32 x 32 x 3", "8 x 8 x 1"]),
    "other data": (
        ["run/model.safetensors", "cifar-10-batches-py", "--certify"],
        1,
        ["is not the data", "(digits, sha256:"],
    ),
    "unknown classes": (["letters", "digits"], 1, ["class 3 and 6 more", "0, 1, 2"]),
    "tells no rows": (["letters", "digits", "--certify"], 1, ["does not say which data it was trained on"]),
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

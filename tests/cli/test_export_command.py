"""`linprobe export` as a user types it."""

import importlib
import json

import numpy as np
import pytest

from linprobe import load
from models import CLASSES, SHAPE, images, make_classifier  # pyright: ignore[reportMissingImports]


@pytest.fixture
def model(tmp_path):
    pytest.importorskip("onnx")
    pytest.importorskip("torch")
    pytest.importorskip("skops")
    make_classifier(loss="softmax", reg=0.25).save(tmp_path / "model")
    return load(tmp_path / "model")


def test_what_was_written_is_shown_and_works(run, model, tmp_path):
    onnxruntime = pytest.importorskip("onnxruntime")
    status, out, err = run("export", "model", "m.onnx")
    assert (status, err) == (0, "")
    lines = [" ".join(line.split()) for line in out.splitlines() if line.strip()]
    assert lines == [
        "Exported",
        f"file m.onnx ONNX, {(tmp_path / 'm.onnx').stat().st_size:,} bytes",
        "in X: float32 (n, 4, 3, 2)",
        "out label: string (n,)",
        "probabilities: float32 (n, 3)",
        "scores: float32 (n, 3)",
        "classes cat, dog, owl in this order",
        "To use it: onnxruntime.InferenceSession('m.onnx').run(None, {'X': X})",
    ]
    X = images(12).astype(np.float32)
    (labels,) = onnxruntime.InferenceSession("m.onnx").run(["label"], {"X": X})
    assert labels.tolist() == [CLASSES[k] for k in model.predict(X)]


@pytest.mark.parametrize(("name", "to"), [("m.pt", "torch"), ("m.pth", "torch"), ("m.skops", "sklearn")])
def test_json_says_what_goes_in_and_comes_out(run, model, tmp_path, name, to):
    status, out, err = run("export", "model", name, "--json")
    assert (status, err) == (0, "")
    told = json.loads(out)
    assert (told["model"], told["file"], told["to"]) == ("model", name, to)
    assert told["bytes"] == (tmp_path / name).stat().st_size
    assert told["inputs"][0]["shape"] == ["n", int(np.prod(SHAPE))]
    typed = " ".join(run("export", "model", name, "--force")[1].partition("To use it: ")[2].split())
    X = images(12).astype(np.float32).reshape(12, -1)
    known = {"X": X, "torch": importlib.import_module("torch"), "skops": importlib.import_module("skops")}
    importlib.import_module("skops.io")
    if to == "torch":
        exec(typed, known)
        labels = [CLASSES[k] for k in known["layer"](known["torch"].tensor(X)).argmax(1)]
    else:
        labels = eval(typed, known).tolist()
    assert labels == [CLASSES[k] for k in model.predict(X.reshape(12, *SHAPE))]


def test_an_earlier_file_is_replaced_when_asked_to(run, model, tmp_path):
    (tmp_path / "m.onnx").write_text("mine")
    status, out, err = run("export", "model", "m.onnx")
    assert (status, out) == (2, "")
    assert err == "linprobe: m.onnx: exists; name another file, or replace this one with --force\n"
    assert (tmp_path / "m.onnx").read_text() == "mine"
    assert run("export", "model", "m.onnx", "--force")[0] == 0
    assert (tmp_path / "m.onnx").read_bytes()[:1] != b"m"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["m.onnx", "model"]


WRONG = {
    "no model": (["nosuch", "m.onnx"], 1, "nosuch: does not exist"),
    "no form": (["model", "m.bin"], 2, "or name one with --to: onnx, torch, sklearn"),
    "two forms": (["model", "m.onnx", "--to", "torch"], 2, "call it m.pt"),
    "another form": (["model", "m", "--to", "tflite"], 2, "--to"),
    "no folder": (["model", "nosuch/m.onnx"], 1, "nosuch/m.onnx: cannot be written"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_cannot_be_written_is_said_in_one_line(case, run, model, tmp_path):
    arguments, expected, words = WRONG[case]
    status, out, err = run("export", *arguments)
    assert (status, out, err.count("\n")) == (expected, "", 1)
    assert words in err
    assert [path.name for path in tmp_path.iterdir()] == ["model"]

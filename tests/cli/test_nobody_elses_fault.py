"""Whatever a file, an option or a shared folder holds: one line that says what to do, never a fault of linprobe's."""

import json
import signal
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from linprobe.cli.messages import LONGEST, one_line
from linprobe.core.sgd.settings import Training
from linprobe.data.dataset import Examples
from linprobe.data.prepare import Preparation
from linprobe.errors import DataError, OutputError, UsageError
from linprobe.estimators import SoftmaxClassifier
from linprobe.model import Model, Provenance, load
from linprobe.model.evidence import observe
from linprobe.publish import _lock, claimed
from linprobe.tasks.tune import Options

HUGE = 10**400
CLASSES = tuple("abc")


def model(**changes):
    """A small classifier of rows of four features."""
    rng = np.random.default_rng(0)
    W, provenance = rng.normal(size=(4, 3)).astype(np.float32), Provenance(loss=changes.pop("loss", "softmax"))
    made = Model(W, np.zeros(3), CLASSES, Preparation(np.zeros(4, np.float32), (4,)), provenance)
    return replace(made, **changes)


@pytest.fixture
def rows(tmp_path):
    np.save(tmp_path / "rows.npy", np.random.default_rng(1).normal(size=(3, 4)))
    return "rows.npy"


def alternating(value, dtype):
    return np.where(np.arange(12) % 2, value, -value).reshape(4, 3).astype(dtype)


# ---- model files


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("loss", ["softmax", "squared_hinge"])
def test_scores_beyond_float32_are_those_of_float64(loss, tmp_path, rows, run):
    """Predicted in float32, as `evaluate` does, and in float64, as `predict` does: the same classes, no warning."""
    great = model(W=alternating(3e38, np.float32), loss=loss)
    great.save(tmp_path / "model.safetensors")
    X = np.load(tmp_path / rows)
    exact = [
        [sum(int(x * 2**60) * int(w) for x, w in zip(row, column, strict=True)) for column in great.W.T] for row in X
    ]
    assert great.predict(X).tolist() == [scores.index(max(scores)) for scores in exact]
    status, out, err = run("predict", "model.safetensors", rows, "--json")
    assert (status, err) == (0, "")
    found = [CLASSES.index(one["class"]) for one in json.loads(out)["predictions"]]
    assert found == great.predict(X).tolist()


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    "change",
    [
        {"W": alternating(1.7e308, np.float64)},
        {"preparation": Preparation(np.full(4, 1.7e308), (4,))},
    ],
    ids=["W", "mean"],
)
@pytest.mark.parametrize("loss", ["softmax", "squared_hinge"])
def test_scores_beyond_float64_are_one_line(change, loss, tmp_path, rows, run):
    great = model(**change, loss=loss)
    with pytest.raises(DataError, match="scores beyond what float64 can hold"):
        great.predict(np.load(tmp_path / rows))
    great.save(tmp_path / "model.safetensors")
    status, _, err = run("predict", "model.safetensors", rows)
    assert status == 1
    assert err.startswith(f"linprobe: {rows}: the model's weights give scores beyond what float64 can hold; ")
    assert err.count("\n") == 1


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("loss", ["softmax", "squared_hinge"])
def test_differences_of_scores_beyond_float64_are_its_largest_number(loss, tmp_path, rows, run):
    great = model(b=np.array([1.7e308, -1.7e308, 0]), loss=loss)
    great.save(tmp_path / "model.safetensors")
    status, out, err = run("predict", "model.safetensors", rows, "--json")
    assert (status, err) == (0, "")
    assert "Infinity" not in out
    assert {one["class"] for one in json.loads(out)["predictions"]} == {"a"}
    seen = observe(great, Examples(np.load(tmp_path / rows).astype(np.float32), np.array([0, 1, 2])))
    assert (seen.correct, seen.n) == (1, 3)
    assert np.isfinite(seen.mistakes.confidence).all()


@pytest.mark.parametrize("name", ["loss", "solver", "features", "data", "fingerprint", "version"])
@pytest.mark.parametrize("junk", [["softmax"], {"a": 1}, 3, True])
def test_what_is_told_of_a_model_in_another_type_is_damage(name, junk, tmp_path):
    made = model()
    object.__setattr__(made.provenance, name, junk)  # which its constructor refuses
    made.save(tmp_path / "model.safetensors")
    with pytest.raises(DataError, match=f"is damaged: {name} is not a text; train the model again"):
        load(tmp_path / "model.safetensors")


@pytest.mark.parametrize("white", [HUGE, 0, -1, True, "x", float("inf")])
def test_a_white_that_no_pixel_has_is_damage(white, tmp_path):
    model(white=white).save(tmp_path / "model.safetensors")
    with pytest.raises(DataError, match="is damaged: white is not the value of a pixel"):
        load(tmp_path / "model.safetensors")


# ---- numbers too large


@pytest.mark.parametrize("name", ["reg", "C", "tol"])
def test_a_parameter_beyond_float64_is_refused_in_a_short_line(name):
    X = np.random.default_rng(0).normal(size=(20, 3))
    with pytest.raises(UsageError, match=f"^{name} is 1000") as caught:
        SoftmaxClassifier().set_params(**{name: HUGE}).fit(X, np.arange(20) % 2)
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize("seed", [-1, 2**63, 10**23])
def test_a_seed_that_does_not_fit_is_refused_by_every_engine(seed):
    for make in (Training, Options):
        with pytest.raises(UsageError, match=r"the seed is .*; give a whole number from 0 to 9223372036854775807"):
            make(seed=seed)


@pytest.mark.parametrize("command", [["worksheet"], ["tune"], ["tune", "--solver", "sgd"]], ids=" ".join)
def test_a_seed_of_23_digits_is_one_line(command, run, tmp_path):
    name, *options = command
    status, _, err = run(name, "digits", *options, "--seed", 10**23)
    assert (status, err.count("\n")) == (2, 1)
    assert "seed is 100000000000000000000000; give a whole number" in err
    assert not list(tmp_path.iterdir())


# ---- places


@pytest.mark.parametrize("place", ["", ".", "..", "/", "a/.."])
@pytest.mark.parametrize("command", ["tune", "worksheet"])
def test_a_place_that_is_no_new_folder_is_one_line(command, place, run, tmp_path):
    status, _, err = run(command, "digits", "--out", place)
    assert (status, err.count("\n")) == (2, 1)
    assert "is a folder that is there already, not a new one; name one to make, such as runs/first" in err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("kind", ["link", "dangling link", "folder"])
def test_what_stands_in_the_place_of_a_lock_is_named(kind, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    place, other = Path(_lock(tmp_path / "run").lock_file), tmp_path / "other"
    if kind == "folder":
        place.mkdir()
    else:
        place.symlink_to(other)
    if kind == "link":
        other.write_text("somebody's")
    said = r"run: cannot be locked: .*linprobe-.*; remove it, or name another place in TMPDIR"
    with pytest.raises(OutputError, match=said), claimed(tmp_path / "run"):
        pass
    assert other.exists() == (kind == "link")
    assert kind != "link" or other.read_text() == "somebody's"


# ---- Ctrl-C


@pytest.mark.parametrize("first", ["typer", "linprobe.cli.worksheet"])
def test_ctrl_c_while_the_command_is_imported_is_one_line(first):
    """Python's own start, before any line of linprobe's, is out of reach."""
    early = (
        "import importlib.abc, signal, sys\n"
        "class Finder(importlib.abc.MetaPathFinder):\n"
        "    def find_spec(self, name, *_):\n"
        f"        if name == {first!r}: signal.raise_signal(signal.SIGINT)\n"
        "sys.meta_path.insert(0, Finder())\n"
        "from linprobe.cli import main\n"
        "print('not reached')\n"
    )
    done = subprocess.run([sys.executable, "-c", early], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "linprobe: interrupted\n")


def test_importing_the_commands_leaves_ctrl_c_to_whoever_imports():
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


# ---- names


def test_a_name_of_100000_letters_is_never_printed_whole(tmp_path, rows, run):
    names = tuple("k" * 100_000 + str(k) for k in range(3))
    model(classes=names).save(tmp_path / "model.safetensors")
    pictures = Preparation(np.zeros(64, np.float32), (8, 8, 1))
    model(classes=names, W=np.zeros((64, 3)), preparation=pictures).save(tmp_path / "pictures.safetensors")
    for arguments in (("predict", "model.safetensors", rows), ("evaluate", "pictures.safetensors", "digits")):
        _, out, err = run(*arguments)
        assert "k" * 30 in out + err
        assert len(out + err) < 3_000
    status, out, err = run("tune", "k" * 100_000)
    assert status != 0
    assert len(out + err) < 3_000
    assert err.count("\n") == 1


def test_a_line_that_is_cut_keeps_what_to_do():
    text = one_line("a.npy: is " + "long " * 100_000 + "; leave it out")
    assert text.startswith("a.npy: is long")
    assert text.endswith("; leave it out")
    assert len(text) <= LONGEST + 3
    assert one_line("as it is") == "as it is"

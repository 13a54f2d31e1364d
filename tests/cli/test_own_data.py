"""`linprobe tune` and `evaluate` on people's own files: --x, --label, and what is said of how a source was read."""

import json
from typing import Any

import numpy as np
import pytest
from PIL import Image

from linprobe import load

N, K = 90, 3
Y = np.arange(N) % K
X = (np.random.default_rng(0).normal(size=(N, 6)) + 4 * np.eye(K, 6)[Y]).astype(np.float32)
QUICK = ["--reg", "0.1,1"]


def test_a_source_with_all_three_splits_is_tuned_judged_and_certified(run, tmp_path):
    labels = Y.copy()
    labels[3] = -1
    parts = {"train": slice(0, 60), "val": slice(60, 75), "test": slice(75, N)}
    arrays: dict[str, Any] = {
        f"{name}_{part}": values[cut] for part, cut in parts.items() for name, values in (("X", X), ("y", labels))
    }
    np.savez(tmp_path / "some.npz", **arrays)
    status, out, err = run("tune", "some.npz", "--out", "run", *QUICK)
    assert status == 0
    note = "train: 1 of 60 rows has no label (-1 or missing) and is left out."
    assert err == f"note: {note}\n"
    assert "train 59, validation 15, test 15" in out
    numbers = json.loads((tmp_path / "run" / "run.json").read_text())
    assert numbers["data"]["notes"] == [note]
    assert numbers["refit"]["n"] == 74
    assert numbers["test"]["accuracy"] > 0.8
    status, out, err = run("evaluate", "run/model.safetensors", "some.npz", "--certify", "--json")
    assert status == 0
    found = json.loads(out)
    assert (found["n"], found["certificate"]["proven"], found["certificate"]["n"]) == (15, True, 74)
    assert found["data"]["notes"] == [note]


@pytest.mark.slow
def test_with_folds_train_and_validation_are_one_pool(run, tmp_path):
    parts = {"train": slice(0, 60), "val": slice(60, 75), "test": slice(75, N)}
    arrays: dict[str, Any] = {
        f"{name}_{part}": values[cut] for part, cut in parts.items() for name, values in (("X", X), ("y", Y))
    }
    np.savez(tmp_path / "some.npz", **arrays)
    status, out, _ = run("tune", "some.npz", "--out", "run", "--folds", "3", *QUICK)
    assert status == 0
    assert "train 75, in 3 folds, test 15" in out
    for size, trained in (("--train-size", 40), ("--train-size", 62)):
        status, out, _ = run("tune", "some.npz", "--out", f"run-{trained}", "--folds", "3", size, str(trained), *QUICK)
        assert status == 0
        assert f"train {trained}, in 3 folds" in out


@pytest.mark.slow
def test_a_small_validation_split_is_no_limit_to_folds(run, tmp_path):
    np.savez(tmp_path / "some.npz", X_train=X[:70], y_train=Y[:70], X_val=X[70:73], y_val=Y[70:73])
    status, out, _ = run("tune", "some.npz", "--out", "run", "--folds", "3", "--train-size", "50", *QUICK)
    assert status == 0
    assert "train 50, in 3 folds" in out


def test_other_data_without_a_test_split_is_judged_on_all_of_it(run, tmp_path):
    np.savez(tmp_path / "one.npz", X=X, y=Y)
    assert run("tune", "one.npz", "--out", "run", *QUICK)[0] == 0
    np.savez(tmp_path / "other.npz", X_train=X[:20], y_train=Y[:20], X_val=X[20:27], y_val=Y[20:27])
    status, out, _ = run("evaluate", "run/model.safetensors", "other.npz", "--json")
    assert status == 0
    assert (json.loads(out)["n"], json.loads(out)["data"]["rows"]) == (27, "all of it")


def test_what_is_not_clear_is_chosen_by_options(run, tmp_path):
    np.savez(tmp_path / "some.npz", clip=X, dino=X * 2, fine_label=Y, coarse_label=Y // 2)
    status, _, err = run("tune", "some.npz", *QUICK)
    assert status == 2
    assert err.endswith("choose one, as --x clip; linprobe describe some.npz shows what is in it\n")
    status, out, err = run("describe", "some.npz")
    assert (status, err) == (0, "")
    assert "choose one, as --x clip" in " ".join(out.split())
    assert "90 x 6" in out
    status, out, err = run("describe", "some.npz", "--x", "dino", "--label", "coarse_label", "--json")
    assert (status, err) == (0, "")
    assert json.loads(out)["classes"] == ["0", "1"]
    assert json.loads(out)["command"] == "linprobe tune some.npz --x dino --label coarse_label"
    assert "describe" not in run("tune", "absent.npz", *QUICK)[2]
    assert "describe" not in run("tune", "some.npz", "--x", "dino", "--label", "fine_label", "--val", "absent.npz")[2]
    chosen = ["--x", "dino", "--label", "coarse_label"]
    status, out, err = run("tune", "some.npz", *chosen, "--out", "run", *QUICK)
    assert (status, err) == (0, "")
    assert "6, 2 classes" in out
    status, out, _ = run("evaluate", "run/model.safetensors", "some.npz", *chosen)
    assert status == 0


def splits_of(tmp_path):
    """Train, validation and test in files of their own, patients of four rows, and two rows of train in test."""
    patient, rows = np.arange(N) // 4, {"train": slice(0, 60), "val": slice(60, 75), "test": slice(75, N)}
    for name, cut in rows.items():
        arrays: dict[str, Any] = {"X": X[cut].copy(), "y": Y[cut], "patient": patient[cut] + 100 * (name == "test")}
        if name == "test":
            arrays["X"][:2] = X[:2]
        np.savez(tmp_path / f"{name}.npz", **arrays)


@pytest.mark.slow
def test_splits_of_other_sources_and_what_is_in_two_of_them_are_told_and_found_again(run, tmp_path):
    splits_of(tmp_path)
    status, out, err = run("tune", "train.npz", "--val", "val.npz", "--test", "test.npz", "--out", "run", *QUICK)
    assert (status, err) == (0, "")
    assert "train 60, validation 15, test 15" in out
    twice = "2 of 15 test examples are identical to one in train or validation, so test accuracy may be too high."
    assert twice in " ".join(out.split())
    data = json.loads((tmp_path / "run" / "run.json").read_text())["data"]
    assert data["identical"] == {"val": 0, "test": 2}
    assert twice in (tmp_path / "run" / "report.html").read_text()
    # What the model was trained with is found again, and so is what it was not given.
    status, out, _ = run("evaluate", "run/model.safetensors", "train.npz", "--certify", "--json")
    found = json.loads(out)
    assert (status, found["n"], found["certificate"]["proven"], found["certificate"]["n"]) == (0, 15, True, 75)
    status, out, _ = run("evaluate", "run/model.safetensors", "val.npz", "--json")
    found = json.loads(out)
    assert (status, found["n"], found["data"]["rows"]) == (0, 15, "all of it")


def test_groups_stay_whole_and_are_found_again(run, tmp_path):
    np.savez(tmp_path / "some.npz", X=X, y=Y, patient=np.arange(N) // 4)
    np.savez(tmp_path / "new.npz", X=X[:20], y=Y[:20])
    status, out, _ = run("tune", "some.npz", "--groups", "patient", "--out", "run", *QUICK)
    assert status == 0
    numbers = json.loads((tmp_path / "run" / "run.json").read_text())
    assert sum(numbers["data"]["groups"].values()) == 23
    assert "none in two of them" in out
    assert "none in two of them" in (tmp_path / "run" / "report.html").read_text()
    assert (numbers["options"]["rows"]["rule"], numbers["options"]["asked"]) == ("grouped", {"groups": "patient"})
    status, out, _ = run("evaluate", "run/model.safetensors", "some.npz", "--certify", "--json")
    found = json.loads(out)
    assert (status, found["certificate"]["proven"]) == (0, True)
    assert found["n"] == numbers["test"]["n"]
    status, out, _ = run("evaluate", "run/model.safetensors", "new.npz", "--json")
    assert (status, json.loads(out)["n"]) == (0, 20)
    status, _, err = run("tune", "some.npz", "--groups", "patient", "--folds", "30", *QUICK)
    assert status == 2
    assert "--folds 30: there are" in err
    assert run("tune", "some.npz", "--groups", "patient", "--folds", "4", "--out", "folds", *QUICK)[0] == 0


@pytest.mark.slow
def test_other_data_without_the_groups_is_read_by_the_label_of_the_training(run, tmp_path):
    arrays = {"X": X, "y": Y, "other": 1 - Y // 2}
    np.savez(tmp_path / "some.npz", **arrays, patient=np.arange(N) // 4)
    assert run("tune", "some.npz", "--label", "other", "--groups", "patient", "--out", "run", *QUICK)[0] == 0
    np.savez(
        tmp_path / "new.npz", **{name: array[:60] for name, array in arrays.items()}
    )  # in which y would be taken for the label
    status, out, err = run("evaluate", "run/model.safetensors", "new.npz", "--json")
    assert (status, err) == (0, "")
    assert [one["n"] for one in json.loads(out)["classes"]] == np.bincount(1 - Y[:60] // 2).tolist()
    np.savez(tmp_path / "without.npz", X=X, y=np.minimum(Y, 1))
    status, out, _ = run("evaluate", "run/model.safetensors", "without.npz", "--json")
    assert (status, json.loads(out)["n"]) == (0, N)
    assert "read without --label other, which" in json.loads(out)["data"]["notes"][-1]


@pytest.mark.slow
def test_that_a_test_source_of_the_training_is_gone_is_said(run, tmp_path):
    splits_of(tmp_path)
    assert run("tune", "train.npz", "--test", "test.npz", "--out", "run", *QUICK)[0] == 0
    (tmp_path / "test.npz").unlink()
    status, _, err = run("evaluate", "run/model.safetensors", "train.npz")
    assert status == 0
    assert "read without --test test.npz, which the model was trained with" in " ".join(err.split())


def test_what_a_source_is_read_by_is_on_the_page(run, tmp_path):
    labels = Y.copy()
    labels[80:] = -1
    np.savez(tmp_path / "some.npz", X=X, y=labels, split=np.repeat(["train", "val", "test"], [60, 20, 10]))
    assert run("tune", "some.npz", "--out", "run", *QUICK)[0] == 0
    notes = json.loads((tmp_path / "run" / "run.json").read_text())["data"]["notes"]
    assert len(notes) == 2
    assert all(note in (tmp_path / "run" / "report.html").read_text() for note in notes)


def test_a_test_source_that_is_unclear_is_the_one_to_describe(run, tmp_path):
    np.savez(tmp_path / "some.npz", X=X, y=Y)
    np.savez(tmp_path / "other.npz", clip=X, dino=X, y=Y)
    status, _, err = run("tune", "some.npz", "--test", "other.npz", "--out", "run", *QUICK)
    assert status == 2
    assert err.startswith("linprobe: other.npz: ")
    assert err.endswith("; linprobe describe other.npz shows what is in it\n")


def write_pictures(folder, height, width, seed=0):
    """A dark and a bright class of noise."""
    rng = np.random.default_rng(seed)
    for row in range(24):
        place = folder / ("dark", "bright")[row % 2]
        place.mkdir(parents=True, exist_ok=True)
        pixels = rng.integers(0, 128, (height, width, 3), dtype=np.uint8) + 127 * (row % 2)
        Image.fromarray(pixels.astype(np.uint8)).save(place / f"{row:02}.png")


@pytest.mark.slow
def test_pictures_keep_the_size_of_the_training_wherever_the_model_goes(run, tmp_path, monkeypatch):
    monkeypatch.setenv("LINPROBE_DATA", str(tmp_path / "cache"))
    write_pictures(tmp_path / "some", 9, 12)
    write_pictures(tmp_path / "other", 20, 20, seed=1)
    for name, options, shape in (("asked", ["--size", "6x5x1"], (6, 5, 1)), ("most", [], (9, 12, 3))):
        status, out, err = run("tune", "some", "--test", "other", "--out", name, *options, *QUICK)
        assert (status, "test 24" in out) == (0, True)
        assert f"The pictures are {shape[1]} x {shape[0]} pixels, the size asked for; 24 of 24" in err
        model = load(tmp_path / name / "model.safetensors")
        assert model.preparation.shape == shape
        assert model.provenance.asked.get("size") == ("6x5x1" if options else None)
        (tmp_path / "here").mkdir(exist_ok=True)
        for source, certify in (("some", ["--certify"]), ("other", [])):
            status, out, err = run("evaluate", f"{name}/model.safetensors", source, *certify, "--json")
            assert (status, json.loads(out)["accuracy"]) == (0, 1.0)
        status, out, _ = run("predict", f"{name}/model.safetensors", "other/bright/01.png")
        assert status == 0
    status, out, _ = run("describe", "some", "--size", "6", "--json")
    assert json.loads(out)["shape"] == [6, 6, 3]
    assert json.loads(out)["command"] == "linprobe tune some --size 6"

"""`linprobe tune` and `evaluate` on people's own files: --x, --label, and what is said of how a source was read."""

import json
from typing import Any

import numpy as np

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
    chosen = ["--x", "dino", "--label", "coarse_label"]
    status, out, err = run("tune", "some.npz", *chosen, "--out", "run", *QUICK)
    assert (status, err) == (0, "")
    assert "6, 2 classes" in out
    status, out, _ = run("evaluate", "run/model.safetensors", "some.npz", *chosen)
    assert status == 0

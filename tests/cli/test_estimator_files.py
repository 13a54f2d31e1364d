"""The commands on files that estimators saved."""

import json
from dataclasses import replace

import numpy as np
import pytest

import linprobe
from linprobe import LinearSVM, Model, SoftmaxClassifier
from linprobe.data.dataset import Dataset, Examples
from linprobe.errors import DataError
from linprobe.tasks.evaluate import assess


@pytest.fixture
def rows():
    rng, y = np.random.default_rng(0), np.arange(200) % 2
    return (rng.standard_normal((200, 7)) + 0.8 * np.eye(2, 7)[y]).astype(np.float32), y


def test_the_commands_work_on_what_an_estimator_saved(run, rows, tmp_path):
    """Classes are matched by their names; features are rows, not pictures."""
    X, y = rows
    estimator = LinearSVM().fit(X, y)
    estimator.save(tmp_path / "svm.safetensors")
    np.save(tmp_path / "rows.npy", X)
    status, out, err = run("predict", "svm.safetensors", "rows.npy", "--json")
    assert (status, err) == (0, "")
    found = [int(one["class"]) for one in json.loads(out)["predictions"]]
    assert found == estimator.predict(X).tolist()
    assert "its scores are not probabilities" in " ".join(run("predict", "svm.safetensors", "rows.npy")[1].split())
    model = linprobe.load(tmp_path / "svm.safetensors")
    dataset = Dataset("rows", Examples(X, 1 - y), None, ("1", "0"))
    assert assess(model, dataset).accuracy == estimator.score(X, y)
    with pytest.raises(DataError, match="shape 6, this model was trained on 7"):
        assess(model, Dataset("rows", Examples(X[:, :6], y), None, ("0", "1")))

    digits = linprobe.open_dataset("digits")
    pictures = Model.from_estimator(SoftmaxClassifier().fit(digits.train.X.reshape(-1, 64), digits.train.y))
    pictures = replace(pictures, preparation=replace(pictures.preparation, shape=(8, 8, 1)))
    pictures.save(tmp_path / "digits.safetensors")
    status, out, err = run("evaluate", "digits.safetensors", "digits")
    assert (status, err) == (0, "")
    assert "Other data than the model was trained on trained on the model's file does not say" in " ".join(out.split())
    status, out, err = run("evaluate", "digits.safetensors", "digits", "--certify")
    assert (status, out) == (1, "")
    assert "does not say which data it was trained on" in err

"""Prediction against plain loops; a saved model comes back as it was, and its file is whole or not there."""

import importlib
import math
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors import safe_open

from examples import examples  # pyright: ignore[reportMissingImports]
from linprobe import open_dataset
from linprobe.data.prepare import fit_preparation
from linprobe.errors import DataError, IncompatibleError, OutputError
from linprobe.model import Model, Proven, load
from models import CLASSES, SHAPE, assert_same, images, make_classifier

# ---- prediction


def test_predict_is_the_highest_score_of_centred_flattened_images():
    X = images(60)
    preparation = fit_preparation(images(40, seed=1))
    model = Model(make_classifier().W, make_classifier().b, CLASSES, preparation)
    scores, predicted = model.decision_function(X), model.predict(X)
    assert scores.shape == (60, 3)
    assert (predicted.shape, predicted.dtype) == ((60,), np.int64)
    for i in range(60):
        plain = [float(model.b[k]) for k in range(3)]
        for d, pixel in enumerate(X[i].ravel().tolist()):
            for k in range(3):
                plain[k] += (pixel - float(preparation.mean[d])) * float(model.W[d, k])
        np.testing.assert_allclose(scores[i], plain, rtol=1e-4, atol=1e-2)
        second, first = sorted(plain)[-2:]
        if first - second > 0.1:
            assert predicted[i] == plain.index(first)
    assert len(set(predicted.tolist())) == 3  # each class is somebody's


def test_of_equal_scores_the_first_class_is_predicted_and_none_is_no_error():
    model = Model(np.zeros((24, 3), np.float32), np.zeros(3, np.float32), CLASSES, make_classifier().preparation)
    assert model.predict(images(5)).tolist() == [0] * 5
    assert model.predict(images(0)).shape == (0,)


def test_features_are_classified_as_well_as_images():
    model = make_classifier(shape=(7,))
    X = np.random.default_rng(1).normal(size=(9, 7)).astype(np.float32)
    expected = (X.astype(np.float64) - model.preparation.mean) @ model.W + model.b
    np.testing.assert_allclose(model.decision_function(X), expected, rtol=1e-5, atol=1e-3)


def test_examples_of_another_shape_are_refused():
    with pytest.raises(DataError, match="4 x 3 x 2"):
        make_classifier().predict(np.zeros((2, 3, 4, 2), np.uint8))


def test_probabilities_are_softmax_of_the_scores_and_an_svm_has_none():
    model, scores = make_classifier(loss="softmax"), np.array([[1.0, 2.0, -3.0], [1000.0, 999.0, -1000.0]])
    assert model.probabilistic
    found = model.probabilities(scores.astype(np.float32))
    assert found.dtype == np.float64
    for row, probabilities in zip(scores, found, strict=True):
        exponentials = [math.exp(score - max(row)) for score in row]
        np.testing.assert_allclose(probabilities, [e / sum(exponentials) for e in exponentials], rtol=1e-6)
    for svm in (make_classifier(loss="hinge"), make_classifier()):
        assert not svm.probabilistic
        with pytest.raises(IncompatibleError, match="no probabilities"):
            svm.probabilities(scores)


def test_the_value_of_white_comes_back_and_is_that_of_uint8_unless_said(tmp_path):
    assert make_classifier().white == 255
    make_classifier(white=16.0).save(tmp_path / "model.safetensors")
    assert load(tmp_path / "model.safetensors").white == 16


@pytest.mark.parametrize("white", [0, -1.0, "16", None, [16], True, math.nan, math.inf])
def test_a_white_that_is_no_pixel_value_is_refused(white, tmp_path):
    make_classifier(white=white).save(tmp_path / "model.safetensors")
    with pytest.raises(DataError, match="white"):
        load(tmp_path / "model.safetensors")


def test_templates_are_the_weights_of_each_class_as_a_picture():
    model = make_classifier()
    assert model.templates.shape == (3, *SHAPE)
    for k in range(3):
        for h, w, c in np.ndindex(*SHAPE):
            assert model.templates[k, h, w, c] == model.W[(h * 3 + w) * 2 + c, k]


# ---- there and back

HOSTILE_NAMES = (
    "",
    " ",
    "Eule 🦉 שלום ﷺ",
    "line\nbreak\r\n",
    "\x1b[31mred\x1b[0m\x07",
    "nul\x00byte",
    'quote " and \\ and {"json": [1]}',
    "../../etc/passwd",
    "<script>alert(1)</script>",
    "\u202eright to left",
    "lone \ud800 surrogate",
    "e\u0301 is not \u00e9",
    "x" * 10_000,
)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_saved_model_comes_back_bit_for_bit(tmp_path, dtype):
    about = {"loss": "softmax", "reg": 1e-7, "learning_rate": 0.1 + 0.2, "big": 2**70, "text": "é", "list": [1, None]}
    model = make_classifier(dtype=dtype, **about)
    assert set(model.provenance.more) == {"big", "text", "list"}
    model.save(tmp_path / "model.safetensors")
    assert_same(load(tmp_path / "model.safetensors"), model)
    assert_same(load(str(tmp_path / "model.safetensors")), model)
    again = load(tmp_path / "model.safetensors")
    np.testing.assert_array_equal(again.predict(images(50)), model.predict(images(50)))


def test_the_same_model_is_the_same_bytes_in_whatever_order_things_are_said_of_it(tmp_path):
    about = {"loss": "softmax", "mine": {"train": 5, "seed": 0}, "reg": 0.5}
    contents = set()
    for names in [list(about), list(about)[::-1]] * 4:
        make_classifier(**{name: about[name] for name in names}).save(tmp_path / "model")
        contents.add((tmp_path / "model").read_bytes())
    assert len(contents) == 1


def test_special_values_and_memory_orders_come_back(tmp_path):
    model = make_classifier()
    W = np.asfortranarray(model.W)
    W[:6, 0] = [0.0, -0.0, 1e-45, -3.4e38, 3.4e38, 2**-126]
    saved = Model(W[::-1], model.b[::-1], model.classes, model.preparation)
    saved.save(tmp_path / "model")
    loaded = load(tmp_path / "model")
    assert loaded.W.tobytes() == np.ascontiguousarray(W[::-1]).tobytes()
    assert loaded.b.tobytes() == np.ascontiguousarray(model.b[::-1]).tobytes()


def test_unicode_and_hostile_class_names_survive(tmp_path):
    model = make_classifier(classes=HOSTILE_NAMES)
    model.save(tmp_path / "model")
    assert load(tmp_path / "model").classes == HOSTILE_NAMES


@given(names=st.lists(st.text(st.characters(exclude_categories=())), min_size=1, max_size=5))
@examples(50)
def test_any_class_names_survive(tmp_path_factory, names):
    path = tmp_path_factory.getbasetemp() / "any names"
    make_classifier(classes=names).save(path)
    assert load(path).classes == tuple(names)


# ---- whole or not at all


def test_a_file_that_cannot_be_written_leaves_the_old_one(tmp_path, monkeypatch):
    path = tmp_path / "model"
    make_classifier(seed=1).save(path)

    def full(handle):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OutputError, match="model: cannot be written: no space left on device"):
        make_classifier(seed=2).save(path)
    assert_same(load(path), make_classifier(seed=1))
    assert list(tmp_path.iterdir()) == [path]


LIMITED = """
import resource, sys
import numpy as np
from linprobe.model import Model
from linprobe.errors import OutputError
from linprobe.data.prepare import Preparation
resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))
model = Model(np.zeros((30_000, 2), np.float32), np.zeros(2, np.float32), ("a", "b"),
                   Preparation(np.zeros(30_000, np.float32), (100, 100, 3)))
try:
    model.save(sys.argv[1])
except OutputError as error:
    print(error)
"""


def test_a_disk_that_is_full_in_the_middle_is_one_line_and_leaves_nothing(tmp_path):
    """The library that makes the bytes has an exception of its own for this, which is no OSError."""
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, tmp_path / "model"], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stderr == ""
    assert done.stdout.startswith(f"{tmp_path / 'model'}: cannot be written: file too large; ")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("unit_rows", [False, True])
def test_a_loaded_model_divides_by_the_length_of_rows_if_it_was_trained_so(unit_rows, tmp_path):
    model = make_classifier()
    model = replace(model, preparation=replace(model.preparation, unit_rows=unit_rows))
    model.save(tmp_path / "model")
    again = load(tmp_path / "model")
    assert again.preparation.unit_rows == unit_rows
    np.testing.assert_array_equal(again.decision_function(images(9)), model.decision_function(images(9)))


def test_only_classes_that_the_model_has_are_called_unlearned():
    assert make_classifier(absent=["owl", "cow"]).unlearned == ["owl"]
    for junk in ("owl", {"owl": 1}, [["owl"]]):
        with pytest.raises(DataError, match="absent is not a list of names"):
            make_classifier(absent=junk)
    assert make_classifier(absent=None).unlearned == []
    assert make_classifier().unlearned == []


# ---- older files and names


def test_a_file_from_before_there_was_room_for_a_scale_predicts_what_it_did():
    """A run of version 0.1.0 on digits, standardised: its weights are multiplied by the scale."""
    path = Path(__file__).parent / "files" / "digits-standardised.safetensors"
    model, X = load(path), open_dataset("digits").train.X
    with safe_open(path, "numpy") as file:
        W, b, mean = (file.get_tensor(name) for name in ("W", "b", "mean"))
    np.testing.assert_array_equal(model.decision_function(X), (X.reshape(-1, 64) - mean) @ W + b)
    assert (model.white, model.provenance.reg, model.provenance.features) == (16.0, 0.01, "standardised")
    assert model.provenance.tell()["rows"]["train"] == 1518
    assert model.preparation.scale is None


def test_a_scale_comes_back_and_multiplies(tmp_path):
    model = make_classifier()
    scale = np.random.default_rng(3).uniform(0, 2, 24).astype(np.float32)
    model = replace(model, preparation=replace(model.preparation, scale=scale, dtype=np.dtype(np.uint8)))
    model.save(tmp_path / "model")
    again, X = load(tmp_path / "model"), images(20)
    assert_same(again, model)
    expected = (X.reshape(20, -1) - model.preparation.mean.astype(float)) * scale @ model.W + model.b
    np.testing.assert_allclose(again.decision_function(X), expected, rtol=1e-4, atol=1e-2)
    np.testing.assert_array_equal(again.weights, again.W * scale[:, None])
    both = replace(model, preparation=replace(model.preparation, unit_rows=True))
    rows = (X.reshape(20, -1) - model.preparation.mean.astype(float)) * scale
    expected = rows / np.linalg.norm(rows, axis=1, keepdims=True) @ model.W + model.b
    np.testing.assert_allclose(both.decision_function(X), expected, rtol=1e-4, atol=1e-4)


def test_all_that_is_known_of_a_model_comes_back(tmp_path):
    model = replace(
        make_classifier(("1", "2", "30"), shape=(7,), loss="softmax", reg=0.5, seed=3, absent=["30"]),
        certificate=Proven(0.25, 1e-9),
        feature_names=tuple("abcdefg"),
        labels=np.array([1, 2, 30], np.uint8),
    )
    model.save(tmp_path / "model")
    assert_same(load(tmp_path / "model"), model)


def test_the_old_name_is_the_class_of_today():
    with pytest.warns(DeprecationWarning, match="linprobe.Classifier is now linprobe.Model"):
        assert importlib.import_module("linprobe.model").Classifier is Model

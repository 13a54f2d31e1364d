"""Files into predictions: against the classifier called directly, and what wrong files get."""

import importlib
import io
from dataclasses import replace

import numpy as np
import pytest
from scipy.special import softmax

from linprobe.data.prepare import Preparation
from linprobe.data.sight import see
from linprobe.errors import DataError
from linprobe.model import Model, Provenance
from linprobe.tasks.predict import predict_file
from makers import complaint, picture, pictures  # pyright: ignore[reportMissingImports]
from models import CLASSES, make_classifier  # pyright: ignore[reportMissingImports]

SHAPE = (6, 5, 3)


def by_hand(classifier, X):
    """Scores (n, K), example by example in float64."""
    mean, W = classifier.preparation.mean.astype(float), classifier.W.astype(float)
    return np.array([(x.reshape(-1).astype(float) - mean) @ W + classifier.b for x in X])


@pytest.fixture
def model():
    """With scores near each other, so that probabilities are neither 0 nor 1."""
    steep = make_classifier(shape=SHAPE, loss="softmax")
    return replace(steep, W=steep.W / 1000, b=steep.b / 100)


@pytest.fixture
def save(tmp_path):
    def write(content, name="x.npy"):
        path = tmp_path / name
        if isinstance(content, bytes):
            path.write_bytes(content)
        else:
            np.save(path, content)
        return path

    return write


def test_a_picture_of_the_right_size_gets_its_own_scores_in_order(model, save):
    (pixels,) = pictures(1)
    (prediction,) = predict_file(model, save(picture(pixels)), top=3)
    (scores,) = by_hand(model, pixels[None])
    order = np.argsort(-scores)
    assert [one.name for one in prediction.top] == [CLASSES[k] for k in order]
    np.testing.assert_allclose([one.score for one in prediction.top], scores[order], rtol=1e-9)
    np.testing.assert_allclose(
        np.array([one.probability for one in prediction.top], float), softmax(scores)[order], rtol=1e-7
    )
    assert prediction.margin == pytest.approx(scores[order[0]] - scores[order[1]], rel=1e-9)
    assert prediction.row is None


def test_a_picture_of_another_size_is_seen_first(model, save):
    file = picture(pictures(1, 40, 30)[0], "JPEG")
    (prediction,) = predict_file(model, save(file, "x.jpg"), invert=True)
    (scores,) = by_hand(model, see(file, SHAPE, 255.0, "x", invert=True)[None])
    assert prediction.top[0].score == pytest.approx(scores.max(), rel=1e-9)


@pytest.mark.parametrize("dtype", ["u1", "<i8", ">i2", "f2", ">f4", "f8"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_an_array_is_taken_as_the_source_gave_it(model, save, dtype, order):
    X = np.asarray(pictures(7) // 2, dtype, order=order)
    predictions = predict_file(model, save(X))
    scores = by_hand(model, X)
    assert [prediction.row for prediction in predictions] == list(range(7))
    assert [one.top[0].name for one in predictions] == [CLASSES[k] for k in scores.argmax(axis=1)]
    np.testing.assert_allclose([one.top[0].score for one in predictions], scores.max(axis=1), rtol=1e-9)
    assert [one.top[0].name for one in predictions] == [CLASSES[k] for k in model.predict(np.asarray(X, "f8"))]


def test_a_single_example_is_not_numbered_and_is_what_its_picture_is(model, save):
    (pixels,) = pictures(1)
    assert predict_file(model, save(pixels)) == predict_file(model, save(picture(pixels), "x.png"))
    assert predict_file(model, save(pixels[None]))[0].row == 0
    inverted = predict_file(model, save(255 - pixels))
    assert inverted == predict_file(model, save(pixels), invert=True) != predict_file(model, save(pixels))


def names(prediction):
    return [ranked.name for ranked in prediction.top]


def figures(prediction):
    numbers = [number for ranked in prediction.top for number in (ranked.score, ranked.probability)]
    return np.array([prediction.margin, *numbers], float)


def test_many_rows_are_read_in_chunks(model, save, monkeypatch):
    path = save(pictures(50))
    whole = predict_file(model, path)
    monkeypatch.setattr(importlib.import_module("linprobe.tasks.predict"), "CHUNK_ELEMENTS", 90 * 7)
    chunked = predict_file(model, path)
    # A product of fewer rows may add in another order.
    assert [(one.row, names(one)) for one in chunked] == [(one.row, names(one)) for one in whole]
    np.testing.assert_allclose([figures(one) for one in chunked], [figures(one) for one in whole], rtol=1e-12)
    broken = pictures(50).astype(np.float32)
    broken[33, 1, 0, 2] = np.nan
    assert "feature 17 of row 33" in complaint(lambda: predict_file(model, save(broken)))


def test_top_is_cut_and_equal_scores_keep_the_order_of_the_classes(save):
    flat = Model(np.zeros((4, 3)), np.array([1.0, 2.0, 2.0]), ("a", "b", "c"), Preparation(np.zeros(4), (4,)))
    (prediction,) = predict_file(flat, save(np.ones(4)), top=2)
    assert [(one.name, one.score, one.probability) for one in prediction.top] == [("b", 2, None), ("c", 2, None)]
    assert prediction.margin == 0
    (single,) = predict_file(flat, save(np.ones(4)), top=1)
    assert (len(single.top), single.margin) == (1, 0)


def test_one_class_leads_nobody(save):
    alone = Model(np.ones((4, 1)), np.zeros(1), ("a",), Preparation(np.zeros(4), (4,)), Provenance(loss="softmax"))
    (prediction,) = predict_file(alone, save(np.ones(4)))
    assert (prediction.margin, prediction.top[0].probability) == (None, 1.0)


def test_unit_rows_are_made(save):
    preparation = Preparation(np.full(2, 1.0, np.float32), (2,), unit_rows=True)
    turned = Model(np.eye(2), np.zeros(2), ("a", "b"), preparation)
    (prediction,) = predict_file(turned, save(np.array([4.0, 5.0])))
    assert [(one.name, one.score) for one in prediction.top] == [("b", 0.8), ("a", 0.6)]


def npy(header):
    text = header.encode().ljust(118)
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text


WRONG = {
    "another shape": (np.zeros((3, 5, 6, 3)), "has the shape 3 x 5 x 6 x 3, this model was trained on 6 x 5 x 3"),
    "flat rows": (np.zeros((3, 90)), "one such example, or n of them along a first axis"),
    "no rows": (np.zeros((0, *SHAPE)), "has the shape 0 x 6 x 5 x 3"),
    "a number": (np.float64(3), "has the shape () (a single number), this model was trained on 6 x 5 x 3"),
    "words": (np.full(SHAPE, "white"), "holds <U5, integers or floats are expected"),
    "complex": (np.zeros(SHAPE, complex), "holds complex128"),
    "booleans": (np.zeros(SHAPE, bool), "holds bool"),
    "NaN": (np.full(SHAPE, np.nan), "feature 0 is not a finite float32 number"),
    "infinity": (np.full((1, *SHAPE), np.inf, np.float32), "feature 0 of row 0"),
    "beyond float32": (np.full(SHAPE, 1e39), "not a finite float32 number"),
    "objects": (np.array([None, {}]), "is not a readable .npy array"),
    "only a beginning": (b"\x93NUMPY", "is not a readable .npy array"),
    "a header that is no literal": (npy("{'descr': __import__('os')}"), "is not a readable .npy array"),
    "a header without an end": (npy("{'descr': '<f8', 'fortran_order': False, 'shape': (((("), "is not a readable"),
    "more than there is": (
        npy("{'descr': '<f8', 'fortran_order': False, 'shape': (1000000, 6, 5, 3), }"),
        "is not a readable .npy array",
    ),
    "no picture": (b"words", "is not a PNG, JPEG or WebP image"),
    "nothing": (b"", "is empty"),
}


@pytest.mark.filterwarnings("ignore:overflow encountered in cast")
@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_is_said_in_one_line(case, model, save):
    content, finding = WRONG[case]
    if not isinstance(content, bytes):
        buffer = io.BytesIO()
        np.save(buffer, content)
        content = buffer.getvalue()
    path = save(content)
    with pytest.raises(DataError) as caught:
        predict_file(model, path)
    assert finding in str(caught.value)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


def test_what_is_not_there_or_no_file(model, tmp_path):
    assert "does not exist" in complaint(lambda: predict_file(model, tmp_path / "x.png"))
    assert "is not a file" in complaint(lambda: predict_file(model, tmp_path))


@pytest.mark.parametrize("shape", [(90,), (6, 5, 2), (6, 5, 4)])
def test_a_model_of_no_pictures_says_so(shape, save):
    model = make_classifier(shape=shape)
    said = complaint(lambda: predict_file(model, save(picture(pictures(1)[0]))))
    assert "takes only those" in said
    assert f"of the shape {' x '.join(map(str, shape))}" in said
    assert predict_file(model, save(np.zeros((2, *shape))))[1].row == 1


def test_damaged_arrays_are_arrays_or_data_errors(model, save):
    buffer = io.BytesIO()
    np.save(buffer, pictures(1)[0])
    whole = buffer.getvalue()
    rng = np.random.default_rng(5)
    for _ in range(200):
        broken = bytearray(whole[: rng.integers(7, len(whole) + 1)])
        for position in rng.integers(6, min(len(broken), 140), rng.integers(0, 4)):
            broken[position] = rng.integers(256)
        path = save(bytes(broken))
        assert "\n" not in complaint(lambda path=path: predict_file(model, path))

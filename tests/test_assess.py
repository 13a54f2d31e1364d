"""A saved model on data it knows and does not know, and its certificate from the rows that it was trained on."""

from dataclasses import replace

import numpy as np
import pytest

from linprobe import load, open_dataset
from linprobe.assess import assess, prove
from linprobe.classifier import Classifier
from linprobe.dataset import Dataset, Examples
from linprobe.errors import DataError, IncompatibleError
from linprobe.evaluate import per_class
from linprobe.prepare import Preparation
from linprobe.solvers.settings import Training
from linprobe.tune import Options, tune
from linprobe.worksheet import Options as WorksheetOptions
from linprobe.worksheet import run_worksheet


@pytest.fixture(scope="module")
def digits():
    return open_dataset("digits")


@pytest.fixture(scope="module")
def tuned(digits):
    return tune(digits, Options(regs=np.array([1.0])))


@pytest.fixture(scope="module")
def descended(digits):
    return run_worksheet(digits, WorksheetOptions(Training(iterations=60), np.array([1e-3]), np.array([0.1])))


def telling(classifier, **about):
    return replace(classifier, about={**classifier.about, **about})


def test_on_its_own_source_it_has_the_runs_own_test_figure(digits, tuned, descended):
    for result in (tuned, descended):
        found = assess(result.classifier, digits)
        test = result.numbers["test"]
        assert (found.accuracy, list(found.interval), found.n) == (test["accuracy"], test["interval"], test["n"])
        np.testing.assert_array_equal(found.counts, result.evidence.counts)
        assert found.rows == "what training left for test"


def test_on_another_source_it_is_judged_on_all_of_its_test_split_or_on_everything(digits, tuned):
    some, rest = digits.train.take(slice(100)), digits.train.take(slice(100, 300))
    for dataset, n, rows in (
        (Dataset("split", some, rest, digits.classes), 200, "its test split"),
        (Dataset("whole", some, None, digits.classes), 100, "all of it"),
    ):
        found = assess(tuned.classifier, dataset)
        judged = some if n == 100 else rest
        assert (found.n, found.rows) == (n, rows)
        assert found.accuracy == np.mean(tuned.classifier.predict(judged.X) == judged.y)


def test_classes_are_matched_by_name(digits, tuned):
    order = np.random.default_rng(0).permutation(10)
    shuffled = Examples(digits.train.X, np.argsort(order)[digits.train.y])
    dataset = Dataset("shuffled", shuffled, None, tuple(digits.classes[k] for k in order))
    expected = np.mean(tuned.classifier.predict(digits.train.X) == digits.train.y)
    assert assess(tuned.classifier, dataset).accuracy == expected > 0.9
    few = digits.train.y < 3
    part = Dataset("part", digits.train.take(few), None, digits.classes[:3])
    assert assess(tuned.classifier, part).accuracy > 0.9


def test_recall_of_each_class_and_what_it_is_taken_for():
    classifier = Classifier(
        np.eye(3, dtype=np.float32),
        np.zeros(3, np.float32),
        ("a", "b", "c"),
        Preparation(np.zeros(3, np.float32), (3,)),
    )
    X = np.eye(3, dtype=np.float32)[[0, 1, 2, 2, 1]]
    found = assess(classifier, Dataset("d", Examples(X, np.array([0, 0, 0, 0, 1])), None, ("a", "b")))
    assert per_class(found.counts, classifier.classes) == [
        {"class": "a", "n": 4, "recall": 0.25, "mistaken_for": "c", "times": 2},
        {"class": "b", "n": 1, "recall": 1.0, "mistaken_for": None, "times": 0},
        {"class": "c", "n": 0, "recall": None, "mistaken_for": None, "times": 0},
    ]
    assert (found.accuracy, found.n) == (0.4, 5)


def test_what_the_model_cannot_judge_is_refused(digits, tuned):
    with pytest.raises(DataError, match="shape 4 x 4 x 1, this model was trained on 8 x 8 x 1"):
        assess(
            tuned.classifier,
            Dataset("small", Examples(digits.train.X[:, :4, :4], digits.train.y), None, digits.classes),
        )
    other = Dataset("letters", digits.train, None, tuple("0123456xyz"))
    with pytest.raises(DataError, match=r"letters: has the class x and 2 more, which the model does not know.*0, 1, 2"):
        assess(tuned.classifier, other)


def test_features_that_are_not_finite_are_refused():
    X = np.zeros((4, 3), np.float32)
    X[2, 1] = np.nan
    classifier = Classifier(
        np.eye(3, dtype=np.float32),
        np.zeros(3, np.float32),
        ("a", "b", "c"),
        Preparation(np.zeros(3, np.float32), (3,)),
    )
    with pytest.raises(DataError, match="train has nan in row 2, column 1"):
        assess(classifier, Dataset("d", Examples(X, np.zeros(4, int)), None, ("a",)))


@pytest.mark.parametrize("loss", ["softmax", "squared_hinge"])
@pytest.mark.parametrize(
    ("features", "folds"), [("centred", None), ("standardised", None), ("standardised", 3), ("normalised", None)]
)
def test_the_certificate_of_a_saved_model_is_that_of_its_refit(digits, features, folds, loss, tmp_path):
    reg = 1.0 if features == "centred" else 1e-2
    result = tune(digits, Options(loss=loss, regs=np.array([reg]), features=features, folds=folds, seed=3, test=100))
    result.classifier.save(tmp_path / "model")
    proof, refit = prove(load(tmp_path / "model"), digits), result.numbers["refit"]
    assert proof.objective == pytest.approx(refit["objective"], rel=1e-9)
    assert proof.gap == pytest.approx(refit["gap"], rel=1e-2, abs=1e-10 * refit["objective"])
    assert 0 <= proof.relative_gap <= 1e-6
    assert (proof.n, proof.rows, proof.loss, proof.reg) == (1697, "train + validation", loss, reg)


def test_the_optimum_of_another_reg_has_a_larger_gap(digits, tuned):
    before, after = prove(tuned.classifier, digits), prove(telling(tuned.classifier, reg=1.01), digits)
    squares = np.sum(tuned.classifier.W.astype(np.float64) ** 2)
    assert after.objective == pytest.approx(before.objective + 0.01 * squares, rel=1e-9)
    # Its gradient is 2 x 0.01 W, but for what was left of it before.
    assert after.gap == pytest.approx(0.01**2 * squares / 1.01, rel=0.3)
    assert after.gap > 3 * before.gap


def test_no_certificate_without_the_rows(digits, tuned):
    other = Dataset("other", digits.train.take(slice(1700)), None, digits.classes)
    with pytest.raises(DataError, match=r"other: is not the data that the model was trained on \(digits, sha256:"):
        prove(tuned.classifier, other)
    for junk in (None, "train", {}, {**tuned.classifier.about["rows"], "train": "many"}):
        with pytest.raises(DataError, match="does not tell which rows"):
            prove(telling(tuned.classifier, rows=junk), digits)
    for junk in (None, "raw", ["centred"]):
        with pytest.raises(DataError, match="features, which are unknown"):
            prove(telling(tuned.classifier, features=junk), digits)
    with pytest.raises(DataError, match="does not tell which rows"):
        assess(telling(tuned.classifier, rows=None), digits)


def test_no_certificate_where_nothing_can_be_proven(digits, tuned, descended):
    with pytest.raises(IncompatibleError, match=r"SGD penalises the bias.*train it with linprobe tune --solver exact"):
        prove(descended.classifier, digits)
    with pytest.raises(IncompatibleError, match="stopped short"):
        prove(replace(tuned.classifier, b=tuned.classifier.b + np.arange(10)), digits)
    with pytest.raises(IncompatibleError, match=r"hinge loss has no certificate.*--loss softmax or squared_hinge"):
        prove(telling(descended.classifier, loss="hinge"), digits)
    for junk in (0, -1.0, None, "much", float("nan")):
        with pytest.raises(IncompatibleError, match="without a penalty there is no certificate"):
            prove(telling(tuned.classifier, reg=junk), digits)

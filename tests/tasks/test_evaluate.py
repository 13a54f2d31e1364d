"""A saved model on data it knows and does not know, and its certificate from the rows that it was trained on."""

# A figure of a run may be None, which fails the tests that compare it.
# pyright: reportOptionalMemberAccess=false

import re
from dataclasses import replace

import numpy as np
import pytest

from linprobe import load, open_dataset
from linprobe.core.measure import ClassScore, per_class
from linprobe.core.sgd.settings import Training
from linprobe.data.dataset import Dataset, Examples
from linprobe.data.prepare import Preparation
from linprobe.errors import DataError
from linprobe.learn.worksheet import WorksheetOptions, run_worksheet
from linprobe.model import Model, Proven, Provenance
from linprobe.tasks.evaluate import assess, open_as_trained, prove
from linprobe.tasks.tune import Options, tune
from models import save_second  # pyright: ignore[reportMissingImports]


@pytest.fixture(scope="module")
def digits():
    return open_dataset("digits")


@pytest.fixture(scope="module")
def tuned(digits):
    return tune(digits, Options(regs=np.array([1.0])))


@pytest.fixture(scope="module")
def descended(digits):
    return run_worksheet(digits, WorksheetOptions(Training(iterations=60), np.array([1e-3]), np.array([0.1])))


def telling(classifier, **said):
    return replace(classifier, provenance=replace(classifier.provenance, **said))


def folded(classifier, tmp_path):
    """The same as a version left it whose files had no room for a scale."""
    save_second(classifier, tmp_path / "folded")
    return load(tmp_path / "folded")


def test_on_its_own_source_it_has_the_runs_own_test_figure(digits, tuned, descended):
    for result in (tuned, descended):
        found = assess(result.classifier, digits)
        test = result.numbers.test
        assert (found.accuracy, found.interval, found.n) == (test.accuracy, test.interval, test.n)
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
    classifier = Model(
        np.eye(3, dtype=np.float32),
        np.zeros(3, np.float32),
        ("a", "b", "c"),
        Preparation(np.zeros(3, np.float32), (3,)),
    )
    X = np.eye(3, dtype=np.float32)[[0, 1, 2, 2, 1]]
    found = assess(classifier, Dataset("d", Examples(X, np.array([0, 0, 0, 0, 1])), None, ("a", "b")))
    assert per_class(found.counts, classifier.classes) == [
        ClassScore("a", 4, 0.25, "c", 2),
        ClassScore("b", 1, 1.0, None, 0),
        ClassScore("c", 0, None, None, 0),
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
    classifier = Model(
        np.eye(3, dtype=np.float32),
        np.zeros(3, np.float32),
        ("a", "b", "c"),
        Preparation(np.zeros(3, np.float32), (3,)),
    )
    with pytest.raises(DataError, match="train has nan in row 2, column 1"):
        assess(classifier, Dataset("d", Examples(X, np.zeros(4, int)), None, ("a",)))


@pytest.mark.sampled(4)
@pytest.mark.parametrize("loss", ["softmax", "squared_hinge"])
@pytest.mark.parametrize(
    ("features", "folds"), [("centred", None), ("standardised", None), ("standardised", 3), ("normalised", None)]
)
def test_the_certificate_of_a_saved_model_is_that_of_its_refit(digits, features, folds, loss, tmp_path):
    reg = 1.0 if features == "centred" else 1e-2
    result = tune(digits, Options(loss=loss, regs=np.array([reg]), features=features, folds=folds, seed=3, test=100))
    result.classifier.save(tmp_path / "model")
    saved, refit = load(tmp_path / "model"), result.numbers.refit
    assert refit is not None
    assert refit.gap is not None
    assert saved.certificate == Proven(refit.objective, refit.gap)
    for model, rel in ((saved, 1e-12), (folded(saved, tmp_path), 1e-9)):
        proof = prove(model, digits)
        assert proof.objective == pytest.approx(refit.objective, rel=rel)
        assert proof.gap == pytest.approx(refit.gap, rel=1e6 * rel, abs=1e-10 * refit.objective)
        assert 0 <= (proof.relative_gap or 0) <= 1e-6
        assert (proof.n, proof.rows, proof.loss, proof.reg) == (1697, "train + validation", loss, reg)
        assert (proof.proven, proof.tolerance, proof.stored) == (True, 1e-6, True)


def test_the_scale_of_a_saved_model_is_not_fitted_again(digits, tmp_path, monkeypatch):
    model = tune(digits, Options(regs=np.array([1e-2]), features="standardised")).classifier
    old = folded(model, tmp_path)
    np.testing.assert_array_equal(old.decision_function(digits.train.X), model.decision_function(digits.train.X))

    def fit(*arguments):
        raise AssertionError("fitted again")

    monkeypatch.setattr("linprobe.data.splits.fit_preparation", fit)
    assert prove(model, digits).proven
    with pytest.raises(AssertionError, match="fitted again"):
        prove(old, digits)
    assert model.preparation.scale is not None
    scale = model.preparation.scale * np.where(np.arange(64) == 20, 2, 1).astype(np.float32)
    assert not prove(replace(model, preparation=replace(model.preparation, scale=scale)), digits).proven


def test_the_optimum_of_another_reg_has_a_larger_gap(digits, tuned):
    before, after = prove(tuned.classifier, digits), prove(telling(tuned.classifier, reg=1.01), digits)
    squares = np.sum(tuned.classifier.W.astype(np.float64) ** 2)
    assert after.objective == pytest.approx(before.objective + 0.01 * squares, rel=1e-9)
    # Its gradient is 2 x 0.01 W, but for what was left of it before.
    assert after.gap == pytest.approx(0.01**2 * squares / 1.01, rel=0.3)
    assert (after.gap or 0) > 3 * (before.gap or 0)
    assert before.proven
    assert not after.proven
    assert "the tolerance is 1e-6" in after.why


def test_no_certificate_without_the_rows(digits, tuned):
    other = Dataset("other", digits.train.take(slice(1700)), None, digits.classes)
    with pytest.raises(DataError, match=r"other: is not the data that the model was trained on \(digits, sha256:"):
        prove(tuned.classifier, other)
    told = tuned.classifier.provenance.tell()
    for junk in ("train", {}, {**told["rows"], "train": "many"}):
        with pytest.raises(DataError, match="does not tell which rows"):
            Provenance.read(told | {"rows": junk})
    with pytest.raises(DataError, match="does not tell which rows"):
        prove(telling(tuned.classifier, rows=None), digits)
    rows = replace(tuned.classifier.provenance.rows, fingerprint=None)
    for junk in (None, "raw"):
        with pytest.raises(DataError, match="features, which are unknown"):
            prove(telling(tuned.classifier, features=junk, rows=rows), digits)
    with pytest.raises(DataError, match="features is not a text"):
        telling(tuned.classifier, features=["centred"])
    with pytest.raises(DataError, match="does not say which data it was trained on"):
        prove(telling(tuned.classifier, fingerprint=None), digits)
    with pytest.raises(DataError, match="does not say with which reg"):
        prove(telling(tuned.classifier, reg=None), digits)
    with pytest.raises(DataError, match="does not tell which rows"):
        assess(telling(tuned.classifier, rows=None), digits)


def test_not_proven_where_nothing_can_be_proven(digits, tuned, descended):
    for classifier, words in (
        (descended.classifier, r"bias is not the best.*SGD .*penalises the bias.*linprobe tune --solver exact$"),
        (replace(tuned.classifier, b=tuned.classifier.b + np.arange(10)), "bias is not the best"),
        (
            telling(descended.classifier, loss="hinge"),
            r"hinge loss is not smooth, and has no certificate.*--loss softmax or squared_hinge",
        ),
        (telling(descended.classifier, loss="of another kind"), "no certificate"),
        (telling(descended.classifier, reg=0), "without a penalty there is no certificate"),
    ):
        proof = prove(classifier, digits)
        assert (proof.proven, proof.objective, proof.gap, proof.relative_gap) == (False, None, None, None)
        assert re.search(words, proof.why)
        assert "certify" not in proof.why


@pytest.mark.parametrize("name", ["reg", "tol"])
@pytest.mark.parametrize("junk", [-1.0, "much", True, [1], float("nan"), float("inf"), 10**400])
def test_numbers_that_no_training_leaves_are_refused(tuned, name, junk):
    with pytest.raises(DataError, match=f"{name} is not a number of 0 or more"):
        telling(tuned.classifier, **{name: junk})


def test_the_exact_solver_is_not_advised_to_whom_has_used_it(digits, tuned):
    squeezed = replace(tuned.classifier, W=tuned.classifier.W * 0.9)
    for solver, advised in (("exact", False), ("sgd", True), (None, False)):
        proof = prove(telling(squeezed, solver=solver), digits)
        assert not proof.proven
        assert ("--solver exact" in proof.why) == advised
    assert "its solver stopped short, or the file was changed" in prove(squeezed, digits).why


def test_the_verdict_is_by_the_models_own_tolerance(digits, tuned):
    gap = prove(tuned.classifier, digits).relative_gap or 0
    for tol, proven in ((gap * 0.99, False), (gap * 1.01, True), (0.5, True)):
        proof = prove(telling(tuned.classifier, tol=tol), digits)
        assert (proof.proven, proof.tolerance, proof.stored) == (proven, tol, True)
    by_default = prove(telling(tuned.classifier, tol=None), digits)
    assert (by_default.proven, by_default.tolerance, by_default.stored) == (True, 1e-6, False)


def test_a_proof_matches_classes_by_name(digits, tuned):
    model, order = tuned.classifier, np.random.default_rng(0).permutation(10)
    names = tuple(model.classes[k] for k in order)
    moved = prove(replace(model, W=model.W[:, order], b=model.b[order], classes=names), digits)
    assert moved.objective == pytest.approx(prove(model, digits).objective, rel=1e-12)
    assert moved.proven
    renamed = replace(model, classes=names)
    assert assess(renamed, digits).accuracy < 0.5
    assert not prove(renamed, digits).proven
    with pytest.raises(DataError, match="has the class 9, which the model does not know"):
        prove(replace(model, classes=(*model.classes[:9], "nine")), digits)


@pytest.mark.parametrize("old", [False, True])
def test_training_rows_are_never_measured_as_what_training_left(digits, tuned, old):
    rows = tuned.classifier.provenance.rows
    rows = replace(rows, fingerprint=None) if old else rows
    found = assess(telling(tuned.classifier, rows=rows), digits)
    assert (found.n, found.rows) == (179, "what training left for test" + old * ", as its file says")
    changes = [{"seed": 1}, {"train": rows.train - 100}]
    if not old:  # whose only trace of the rows is the mean of train
        changes += [{"val": rows.val - 50, "test": rows.test + 50}]
    for change in changes:
        changed = telling(tuned.classifier, rows=replace(rows, **change))
        for judge in (assess, prove):
            with pytest.raises(DataError, match="so the file was changed"):
                judge(changed, digits)


def test_a_preparation_that_is_not_the_trainings_is_refused_or_not_proven(digits, tuned):
    preparation = tuned.classifier.preparation
    old = telling(tuned.classifier, rows=replace(tuned.classifier.provenance.rows, fingerprint=None))
    for change in ({"mean": preparation.mean + np.float32(1e-3)}, {"unit_rows": True}):
        with pytest.raises(DataError, match="the preparation in the model's file is not that of the rows"):
            prove(replace(old, preparation=replace(preparation, **change)), digits)
    # Where the rows are known by their fingerprint, the certificate is about the preparation that the file has.
    for change in ({"mean": preparation.mean + np.arange(64)}, {"unit_rows": True}):
        assert not prove(replace(tuned.classifier, preparation=replace(preparation, **change)), digits).proven


def test_a_weight_of_a_feature_that_is_constant_in_training_counts_with_standardised_features(digits):
    result = tune(digits, Options(regs=np.array([1e-2]), features="standardised"))
    assert prove(result.classifier, digits).proven
    assert not digits.train.X[:, 0, 0].any()
    W = result.classifier.W.copy()
    W[0, 3] = 2.0
    assert not prove(replace(result.classifier, W=W), digits).proven


@pytest.mark.parametrize("path", ["x" * 5000, "nul\0byte", "cifar10"])
def test_a_test_source_that_no_path_can_be_or_that_is_not_there_is_not_looked_for(digits, tuned, path, monkeypatch):
    monkeypatch.setattr("linprobe.data.fetch.obtain", lambda *_, **__: pytest.fail("asks for a source to be fetched"))
    found = open_as_trained(telling(tuned.classifier, asked={"test": path}), "digits", {})
    assert found.fingerprint == digits.fingerprint
    assert "read without --test" in found.notes[-1]


@pytest.mark.parametrize("features", ["centred", "standardised", "normalised"])
def test_pictures_in_which_white_is_another_value_are_judged_as_those_of_training(features, digits):
    trained = tune(digits, Options(regs=np.array([1.0]), features=features)).classifier
    some = digits.train.take(slice(400))
    bright = Examples(np.asarray(some.X) * 15, some.y)
    found = assess(trained, Dataset("bright", bright, None, digits.classes), white=240.0)
    expected = np.zeros((10, 10), int)
    np.add.at(expected, (some.y, trained.predict(np.asarray(some.X))), 1)
    np.testing.assert_array_equal(found.counts, expected)


def test_a_folder_of_pictures_is_judged_in_the_units_of_the_model_and_an_array_as_it_is(digits, tuned, tmp_path):
    from PIL import Image

    some = digits.train.take(slice(100))
    pixels = np.asarray(some.X)[..., 0]
    for row, (image, k) in enumerate(zip((pixels * (255 / 16)).round().astype(np.uint8), some.y, strict=True)):
        place = tmp_path / "pictures" / str(k) / f"{row}.png"
        place.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(place)
    np.savez(tmp_path / "arrays.npz", X=some.X, y=some.y)
    right = (tuned.classifier.predict(np.asarray(some.X)) == some.y).mean()
    for name in ("pictures", "arrays.npz"):
        dataset = open_as_trained(tuned.classifier, str(tmp_path / name), {})
        assert assess(tuned.classifier, dataset, white=dataset.white).accuracy == pytest.approx(right, abs=0.011)

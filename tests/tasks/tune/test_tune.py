"""Tuning against scikit-learn on the same rows; what it chooses by, what it refuses, and what it never looks at."""

# A figure of a run may be None, which fails the tests that compare it.
# pyright: reportOptionalMemberAccess=false, reportOptionalOperand=false, reportOperatorIssue=false, reportCallIssue=false, reportArgumentType=false

import json
from dataclasses import replace

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold

from alike import assert_same_test  # pyright: ignore[reportMissingImports]
from linprobe import open_dataset
from linprobe.compare.compare import compare
from linprobe.compare.descent import Descent
from linprobe.compare.held_out import HeldOut, make_folds
from linprobe.compare.settings import Grid
from linprobe.compare.solver import Resources
from linprobe.core.certificate import certify
from linprobe.core.exact import solver as exact
from linprobe.core.exact.solver import solve
from linprobe.core.losses import LOSSES
from linprobe.core.sgd import feed
from linprobe.core.sgd.plan import Plan
from linprobe.core.sgd.settings import Training
from linprobe.data.dataset import Dataset, Examples
from linprobe.data.prepare import fit_preparation
from linprobe.data.splits import make_splits
from linprobe.errors import DataError, DivergedError, IncompatibleError, UsageError
from linprobe.results import Compared, Refit, Tried
from linprobe.tasks.tune import Options, TuneResult, engines, tune
from linprobe.tasks.tune.steps import SHOWN, refit_step, settings_step

REG = np.array([0.3, 3.0, 30.0])


@pytest.fixture(scope="module")
def digits():
    return open_dataset("digits")


@pytest.fixture(scope="module")
def tuned(digits):
    steps = []
    return tune(digits, Options(regs=REG), on_step=steps.append), steps


def draw(n=240, D=6, K=3, *, seed=0, test=None):
    """Overlapping classes: a Dataset of features."""
    rng = np.random.default_rng(seed)
    y = np.arange(n) % K
    X = (rng.standard_normal((n, D)) + rng.standard_normal((K, D))[y]).astype(np.float32)
    own = None if test is None else Examples(X[:test].copy(), y[:test])
    return Dataset("drawn", Examples(X, y), own, tuple("abcdefgh"[:K]))


def rows_of(dataset, part):
    """The rows of a default tuning, centred in float64 as plain NumPy does it, and their labels."""
    n = len(dataset.train)
    splits = make_splits(dataset, val=n // 10, test=n // 10, rule="stratified")
    mean = splits.train.X[:].reshape(len(splits.train), -1).mean(axis=0, dtype=np.float64)
    chosen = {"train": [splits.train], "val": [splits.val], "both": [splits.train, splits.val], "test": [splits.test]}
    X = np.concatenate([examples.X[:].reshape(len(examples), -1) for examples in chosen[part]])
    return X - mean, np.concatenate([examples.y for examples in chosen[part]])


def fit(X, y, reg):
    """scikit-learn at its tightest, and the objective that it reaches."""
    model = LogisticRegression(C=1 / (2 * len(X) * reg), solver="newton-cg", tol=1e-10, max_iter=1000).fit(X, y)
    losses = -model.predict_log_proba(X)[np.arange(len(X)), y]
    return model, float(losses.mean() + reg * np.sum(model.coef_**2))


def test_the_path_is_scikit_learns(digits, tuned):
    result, _ = tuned
    X, y = rows_of(digits, "train")
    val_X, val_y = rows_of(digits, "val")
    for row, reg in zip(result.numbers.grid.rows, REG, strict=True):
        model, objective = fit(X, y, reg)
        assert row.reg == reg
        assert row.objective == pytest.approx(objective, rel=2e-6)
        assert -1e-9 < row.objective - objective <= row.gap + 1e-6 * objective
        assert row.val_accuracy == model.score(val_X, val_y)
        assert row.train_accuracy == pytest.approx(model.score(X, y), abs=1.5 / len(X))
        assert row.status == "gap"
        assert row.iterations >= 1


def test_the_best_is_refitted_on_train_and_validation_and_measured_once(digits, tuned):
    result, steps = tuned
    grid, refit, test = (result.numbers.grid, result.numbers.refit, result.numbers.test)
    assert grid.best.val_accuracy == max(row.val_accuracy for row in grid.rows)
    X, y = rows_of(digits, "both")
    model, objective = fit(X, y, grid.best.reg)
    assert refit.n == len(X) == 1618
    assert refit.objective == pytest.approx(objective, rel=1e-6)
    assert refit.gap <= 1e-6 * refit.objective
    assert refit.objective - refit.gap <= objective * (1 + 1e-12)
    test_X, test_y = rows_of(digits, "test")
    assert test.accuracy == model.score(test_X, test_y)
    assert test.n == len(test_y) == result.evidence.counts.sum()
    assert test.interval[0] < test.accuracy < test.interval[1]
    assert [step.number for step in steps] == [1, 2, 3, 4]
    assert json.loads(result.numbers.text)


def test_the_gap_of_the_refit_is_the_certificates(digits, tuned):
    result, _ = tuned
    X = result.classifier.preparation.apply(np.concatenate([part.X for part in _pool(digits)]))
    y, reg = rows_of(digits, "both")[1], result.numbers.grid.best.reg
    proof = certify(X, y, result.classifier.W[:, :, None], result.classifier.b[:, None], [reg], "softmax")
    assert (proof.objective[0], proof.gap[0]) == (result.numbers.refit.objective, result.numbers.refit.gap)


def _pool(dataset):
    n = len(dataset.train)
    splits = make_splits(dataset, val=n // 10, test=n // 10, rule="stratified")
    return splits.train, splits.val


def test_the_choice_does_not_see_the_test_split(digits):
    rng = np.random.default_rng(0)
    half = Examples(digits.train.X[:900], digits.train.y[:900])
    rest, n = digits.train.X[900:], len(digits.train.y) - 900
    honest = Dataset("digits", half, Examples(rest, digits.train.y[900:]), digits.classes)
    noise = Dataset("digits", half, Examples(rest, rng.integers(0, 10, n)), digits.classes)
    a, b = (tune(dataset, Options(regs=REG)) for dataset in (honest, noise))
    assert a.classifier.W.tobytes() == b.classifier.W.tobytes()
    assert a.numbers.grid.best == b.numbers.grid.best
    assert b.numbers.test.accuracy < 0.3 < a.numbers.test.accuracy
    assert a.numbers.test.n == n  # all of the source's own


def test_the_choice_does_not_see_validation_before_it_is_made(digits):
    """Other validation labels: the same path, perhaps another choice."""
    train, val = _pool(digits)
    test = Examples(digits.train.X[:50], digits.train.y[:50])
    others = (val, Examples(val.X, np.roll(val.y, 1)))
    a, b = (tune(Dataset("d", train, test, digits.classes, val=each), Options(regs=REG)) for each in others)
    for name in ("objective", "train_accuracy"):
        assert [getattr(row, name) for row in a.numbers.grid.rows] == [
            getattr(row, name) for row in b.numbers.grid.rows
        ]
    assert b.numbers.grid.best.val_accuracy < 0.5 < a.numbers.grid.best.val_accuracy


@pytest.mark.parametrize("features", ["centred", "standardised", "normalised"])
def test_the_preparation_does_not_see_validation(features):
    """Other validation rows, far from all others: the same path, bit for bit."""
    dataset, test = draw(200), draw(30, seed=1).train
    options = Options(regs=np.array([0.01, 1.0]), features=features)
    near = draw(40, seed=2).train
    far = Examples(50 * near.X + 1000, near.y)
    a, b = (tune(Dataset("d", dataset.train, test, dataset.classes, val=val), options) for val in (near, far))
    for name in ("objective", "train_accuracy", "gap"):
        assert [getattr(row, name) for row in a.numbers.grid.rows] == [
            getattr(row, name) for row in b.numbers.grid.rows
        ]
    assert a.numbers.grid.rows[0].val_loss != b.numbers.grid.rows[0].val_loss
    assert a.classifier.preparation.mean.tobytes() == b.classifier.preparation.mean.tobytes()


@pytest.mark.parametrize("features", ["centred", "standardised"])
def test_folds_are_scikit_learns_cross_validation(digits, features):
    regs = REG[1:] / (1 if features == "centred" else 1000)
    result = tune(digits, Options(regs=regs, folds=3, features=features))
    train, val = _pool(digits)
    pool = Examples(np.concatenate([train.X, val.X]), np.concatenate([train.y, val.y]))
    X, y = fit_preparation(pool.X, features).apply(pool.X).astype(np.float64), pool.y
    parts = list(StratifiedKFold(3, shuffle=True, random_state=0).split(X, y))
    for row, reg in zip(result.numbers.grid.rows, regs, strict=True):
        fitted = [fit(X[learn], y[learn], reg) for learn, _ in parts]
        objectives = [objective for _, objective in fitted]
        assert row.objective == pytest.approx(np.mean(objectives), rel=2e-6)
        accuracy = [model.score(X[held], y[held]) for (model, _), (_, held) in zip(fitted, parts, strict=True)]
        np.testing.assert_allclose(row.fold_accuracy, accuracy, atol=1.1 / 500)
        right = sum(
            model.score(X[held], y[held]) * len(held) for (model, _), (_, held) in zip(fitted, parts, strict=True)
        )
        assert row.val_accuracy == pytest.approx(right / len(X), abs=2.1 / len(X))
        learned = [model.score(X[learn], y[learn]) for (model, _), (learn, _) in zip(fitted, parts, strict=True)]
        assert row.train_accuracy == pytest.approx(np.mean(learned), abs=2.1 / len(X))
        assert row.gap <= 1e-6 * row.objective
    assert result.numbers.refit.n == len(X)


def test_of_equal_accuracies_the_lower_loss_wins():
    result = tune(draw(), Options(regs=np.array([1e-5, 7.5e-4, 3.2e-3])))
    rows = result.numbers.grid.rows
    assert len({row.val_accuracy for row in rows}) == 1
    surest = min(rows, key=lambda row: row.val_loss)
    assert surest is not rows[0]  # or whatever chose the first of equals would pass
    assert result.numbers.grid.best == surest


@pytest.mark.parametrize("regs", [np.array([100.0, 1000.0]), np.array([0.01, 0.1])])
def test_the_edge_is_said_with_what_to_type(digits, regs):
    steps = []
    result = tune(digits, Options(regs=regs, tol=1e-2), on_step=steps.append)
    assert result.numbers.grid.edges == ("reg",)
    (note,) = [note for note in steps[1].notes if "edge" in note]
    low, high = map(float, note.partition("--reg ")[2].rstrip(".").split(":")[:2])
    assert low <= result.numbers.grid.best.reg <= high
    assert low < regs[0] or high > regs[-1]


def test_a_hundredfold_scale_gives_the_same_classifier():
    one, hundred = draw(), draw()
    hundred = Dataset("drawn", Examples(100 * one.train.X, one.train.y), None, one.classes)
    a, b = tune(one), tune(hundred)
    assert_same_test(b.numbers.test, a.numbers.test)
    np.testing.assert_allclose(b.classifier.W * 100, a.classifier.W, atol=0.02)


def test_sizes(digits):
    def sizes(dataset, **asked):
        data = tune(dataset, Options(regs=np.array([10.0]), tol=0.1, **asked)).numbers.data
        return data.train, data.val, data.test

    assert sizes(digits) == (1439, 179, 179)
    assert sizes(digits, val=300) == (1318, 300, 179)
    assert sizes(digits, test=100) == (1518, 179, 100)
    assert sizes(digits, train=500) == (500, 179, 179)
    assert sizes(digits, train=1700, val=50, test=47) == (1700, 50, 47)
    assert sizes(digits, train=1700, test=47) == (1700, 50, 47)  # validation has what is left
    assert sum(sizes(digits, train=500, folds=4)[:2]) == 500
    assert sizes(draw(test=33)) == (216, 24, 33)
    assert sizes(draw(test=33), test=20) == (216, 24, 20)
    with pytest.raises(UsageError, match="ask for fewer"):
        sizes(digits, val=1700, test=97)


@pytest.mark.sampled(3)
@pytest.mark.parametrize("loss", ["softmax", "squared_hinge"])
@pytest.mark.parametrize("kind", ["constant", "all constant", "duplicate", "n < K", "absent class"])
def test_degenerate_data_get_a_finite_answer(loss, kind):
    dataset = draw(40, 4, 3)
    X, y, classes = dataset.train.X.copy(), dataset.train.y.copy(), dataset.classes
    if kind == "constant":
        X[:, 1] = 5
    elif kind == "all constant":
        X[:] = 5
    elif kind == "duplicate":
        X[:, 1] = X[:, 0]
    elif kind == "n < K":
        X, y, classes = X[:6], np.array([0, 1, 2, 3, 4, 5]), tuple("abcdefgh")
    else:
        classes = ("a", "b", "c", "never")
    result = tune(Dataset(kind, Examples(X, y), None, classes), Options(loss=loss))
    numbers = result.numbers
    assert json.loads(numbers.text)
    assert all(0 <= row.gap <= 1e-6 * row.objective + 1e-12 for row in numbers.grid.rows)
    assert numbers.refit.gap <= 2e-6 * numbers.refit.objective
    assert np.isfinite(result.classifier.W).all()
    assert np.isfinite(result.classifier.b).all()


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("split", ["train", "test"])
def test_what_is_not_finite_is_named_by_row_and_column(value, split):
    dataset = draw(test=30)
    X = getattr(dataset, split).X.copy()
    X[17, 4] = value
    parts = {"train": dataset.train, "test": dataset.test} | {split: Examples(X, getattr(dataset, split).y)}
    with pytest.raises(DataError, match=rf"drawn: {split} has {value} in row 17, column 4") as caught:
        tune(Dataset("drawn", parts["train"], parts["test"], dataset.classes))
    assert "\n" not in str(caught.value)


def test_one_class_is_refused():
    dataset = draw()
    alone = Dataset("one", Examples(dataset.train.X, np.zeros(240, int)), None, dataset.classes)
    with pytest.raises(DataError, match="single class"):
        tune(alone)


REFUSED = {
    "no penalty": ({"regs": np.array([0.0, 1.0])}, UsageError, "--reg 0"),
    "negative": ({"regs": np.array([-1.0, 1.0])}, UsageError, "--reg"),
    "NaN": ({"regs": np.array([np.nan])}, UsageError, "--reg"),
    "no values": ({"regs": np.array([])}, UsageError, "--reg"),
    "hinge": ({"loss": "hinge"}, IncompatibleError, "squared_hinge, or the solver sgd"),
    "unknown loss": ({"loss": "huber"}, UsageError, "huber"),
    "unknown solver": ({"solver": "newton"}, UsageError, "--solver newton"),
    "learning rate": ({"learning_rates": np.array([1.0])}, IncompatibleError, "--learning-rate"),
    "no tolerance": ({"tol": 0.0}, UsageError, "--tol 0"),
    "NaN tolerance": ({"tol": float("nan")}, UsageError, "--tol nan"),
    "one fold": ({"folds": 1}, UsageError, "--folds 1"),
    "folds and val": ({"folds": 3, "val": 20}, IncompatibleError, "--folds and --val-size"),
    "tolerance of SGD": ({"solver": "sgd", "tol": 1e-3}, IncompatibleError, "--tol"),
    "precision of the exact solver": ({"precision": "bfloat16"}, IncompatibleError, "--precision bfloat16"),
    "unknown precision": ({"precision": "double"}, UsageError, "--precision double: is unknown; use auto, float64"),
    "precision of SGD": ({"solver": "sgd", "precision": "float64"}, IncompatibleError, "--precision"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_options_that_make_no_sense_are_refused_before_the_work(case):
    options, kind, words = REFUSED[case]
    with pytest.raises(kind, match=words) as caught:
        Options(**options)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("folds", [73, 240])
def test_folds_beyond_the_smallest_class_are_refused(folds):
    dataset = draw(test=30)
    counts = np.bincount(dataset.train.y)  # with a test split of its own, all of it is parted
    assert counts.min() < 81
    X, y = dataset.train.X[8:], dataset.train.y[8:]
    uneven = Dataset(
        "drawn",
        Examples(np.delete(X, np.flatnonzero(y == 1)[:5], 0), np.delete(y, np.flatnonzero(y == 1)[:5])),
        dataset.test,
        dataset.classes,
    )
    with pytest.raises(UsageError, match=f"--folds {folds}: class b has 72 examples to part.*ask for 72 or fewer"):
        tune(uneven, Options(folds=folds))
    assert tune(uneven, Options(regs=np.array([1.0]), folds=72)).numbers.grid.folds == 72


def test_a_class_of_one_example_has_no_folds():
    dataset = draw()
    y = dataset.train.y % 2
    y[np.flatnonzero(y == 0)[0]] = 2
    X = np.concatenate([dataset.train.X, dataset.train.X[:24]])
    test = Examples(dataset.train.X[:24], dataset.train.y[:24])
    with pytest.raises(UsageError, match=r"class c has 1 example to part.*choose on a split with --val-size"):
        tune(Dataset("rare", Examples(X[:240], y), test, dataset.classes), Options(folds=2))


def test_too_little_memory_is_refused_and_enough_changes_nothing(digits, tuned):
    with pytest.raises(IncompatibleError, match="--memory: 191 MiB are in use before training, and 95 MiB are allowed"):
        tune(digits, Options(regs=REG), resources=lambda: Resources(memory=100 * 10**6, held=200 * 10**6))
    with pytest.raises(IncompatibleError, match="a single head needs"):
        tune(digits, Options(regs=REG), resources=lambda: Resources(memory=1000, held=0))
    bounded = tune(digits, Options(regs=REG), resources=lambda: Resources(memory=3 * 10**8, held=2 * 10**8))
    assert_same_test(bounded.numbers.test, tuned[0].numbers.test)


def test_what_stops_short_is_said():
    steps = []
    tune(draw(), Options(regs=np.array([1e-5, 10.0]), tol=1e-13, precision="float32"), on_step=steps.append)
    said = " ".join((*(row.found for row in steps[1].rows), *steps[1].notes, *steps[2].notes))
    assert "of 2 within 1e-13" in said
    assert "Stopped short of that: reg 1e-5, at " in said
    assert "small values of reg are the hard ones" in said
    assert "raise reg, or --tol" in said


def path_row(reg, gap, status="stalled", objective=1.0):
    return Tried(reg=reg, train_accuracy=1.0, val_accuracy=0.5, val_loss=1.0, objective=objective,
                 gap=gap, iterations=9, status=status)  # fmt: skip


def path_said(rows, tol=1e-6):
    step = settings_step(
        Compared(solver="exact", loss="softmax", tol=tol, rows=tuple(rows), best=rows[0], edges=(),
                 settings=len(rows), axes={"reg": tuple(row.reg for row in rows)}, seconds=1.0)
    )  # fmt: skip
    return " ".join((*(f"{row.what} {row.found}" for row in step.rows), *step.notes))


def test_whether_a_head_is_done_is_a_matter_of_its_gap():
    within_it = path_said([path_row(250.0, 6e-7), path_row(792.0, 1e-6)])  # however the solver ended
    assert "proven all within 1e-6 of" in within_it
    assert "Stopped short" not in within_it
    both = path_said([path_row(0.25, 3e-6), path_row(1.0, 2e-5), path_row(4.0, 1e-9, "gap")])
    assert "proven 1 of 3 within 1e-6 of" in both
    assert "Stopped short of that: 2 of 3, reg 1 the farthest, at 2e-5: small values of reg are the hard ones" in both
    large = path_said([path_row(0.25, 1e-9, "gap"), path_row(1.0, 2e-5)])
    assert large.endswith("Stopped short of that: reg 1, at 2e-5: raise --tol.")
    assert "1e-4, of which nothing is proven" in path_said([path_row(1e-4, 1.3e8), path_row(1.0, 0.0, "gap")])
    assert "1 setting, softmax, trained in 1.0 s" in path_said([path_row(1.0, 0.0)])


def test_the_refit_is_judged_by_its_certificate():
    def said(gap, status):
        refit = Refit(n=9, seconds=0.1, objective=1.0, gap=gap, relative_gap=gap, iterations=9, status=status)
        return " ".join(refit_step(refit, path_row(250.0, 0.0), "softmax", 1e-6).notes)

    assert "not within" not in said(3e-7, "stalled")
    assert "That is not within 1e-6 of it, relative: rounding hides all further progress; raise reg" in said(
        3e-6, "stalled"
    )
    assert "not within 1e-6 of it, relative: it took all" in said(3e-6, "max_iter")
    assert "Nothing is proven of how near" in said(1.5, "stalled")


def test_of_a_loss_without_a_certificate_the_refit_names_no_way_to_one(monkeypatch):
    monkeypatch.setitem(LOSSES, "softmax", replace(LOSSES["softmax"], dual=None))
    refit = Refit(n=9, seconds=0.1, objective=1.0, iterations=9, status="gap")
    said = "How near this is to the optimum is not proven: the softmax loss has no certificate."
    assert refit_step(refit, path_row(250.0, 0.0), "softmax", 1e-6).notes == (said,)


def test_a_class_without_examples_is_named():
    dataset, steps = draw(40, 4, 3), []
    absent = Dataset("drawn", dataset.train, None, ("a", "b", "c", "never"))
    result = tune(absent, Options(regs=np.array([1.0]), tol=0.1), on_step=steps.append)
    assert steps[0].notes == ("Class never has no example to learn from.",)
    assert result.numbers.data.absent == (*result.classifier.unlearned,) == ("never",)
    assert tune(dataset, Options(regs=np.array([1.0]), tol=0.1)).classifier.unlearned == []


def test_a_class_of_validation_alone_is_learned_by_folds_and_by_the_refit():
    dataset, steps = draw(40, 4, 3), []
    X, y = dataset.train.X, np.where(np.arange(40) < 34, dataset.train.y, 3)
    moved = Dataset(
        "drawn", Examples(X[:34], y[:34]), None, ("a", "b", "c", "late"), val=Examples(X[30:].copy() + 9, y[30:])
    )
    held_out = tune(moved, Options(regs=np.array([1.0]), tol=0.1), on_step=steps.append)
    assert steps[0].notes == ("Class late has no example in train, only in validation.",)
    assert held_out.numbers.data.absent == (*held_out.classifier.unlearned,) == ()
    tune(moved, Options(regs=np.array([1.0]), tol=0.1, folds=2), on_step=(folds := []).append)
    assert folds[0].notes == ()


@pytest.mark.slow
def test_sgd_searches_learning_rates_and_refits_the_best(digits):
    steps = []
    options = Options("sgd", "hinge", np.array([0.01, 1.0]), np.array([1e-4, 1e-3, 1e30]))
    result = tune(digits, options, on_step=steps.append)
    numbers = result.numbers
    assert json.loads(numbers.text)
    rows = numbers.grid.rows
    assert [row.status for row in rows] == ["max_iter"] * 4 + ["diverged"] * 2
    assert rows[5].val_accuracy is None
    assert "none; left out of the choice" in [row.expected for row in steps[1].rows]
    best = numbers.grid.best
    assert best.val_accuracy == max(row.val_accuracy for row in rows[:4])
    assert numbers.refit.n == 1618
    assert numbers.refit.iterations is None
    assert "proves nothing" in steps[2].notes[0]
    assert numbers.test.accuracy > 0.9
    # The objective that is told is that of the kept weights on train + validation, bias and all.
    X = result.classifier.preparation.apply(np.concatenate([part.X for part in _pool(digits)])).astype(np.float64)
    y, W, b = rows_of(digits, "both")[1], result.classifier.W.astype(np.float64), result.classifier.b
    scores = X @ W + b
    margins = np.maximum(0, scores - scores[np.arange(len(y)), y][:, None] + 1)
    margins[np.arange(len(y)), y] = 0
    expected = margins.sum(axis=1).mean() + best.reg * (np.sum(W**2) + np.sum(b**2))
    assert numbers.refit.objective == pytest.approx(expected, rel=1e-5)
    again = tune(digits, options)
    assert again.classifier.W.tobytes() == result.classifier.W.tobytes()


@pytest.mark.slow
def test_sgd_in_folds_is_a_comparison_called_by_hand():
    dataset, regs, rates = draw(), np.array([0.01, 1.0]), np.array([1e-3, 1e-2, 1e30])
    result = tune(dataset, Options("sgd", regs=regs, learning_rates=rates, folds=3))
    splits = make_splits(dataset, val=24, test=24, rule="stratified")
    X, y = (np.concatenate([getattr(part, name)[:] for part in (splits.train, splits.val)]) for name in "Xy")
    X = fit_preparation(X).apply(X)
    expected = compare(
        *(X, y, Grid(rates, regs), HeldOut.in_folds(make_folds(y, 3, 0, dataset.classes))),
        Descent(training=Training("softmax", schedule="cosine", seed=0)),
        classes=3,
    )
    rows = result.numbers.grid.rows
    assert [(row.learning_rate, row.reg) for row in rows] == [(rate, reg) for rate in rates for reg in regs]
    assert [row.fold_accuracy for row in rows] == [*map(tuple, expected.scores[:4].tolist()), None, None]
    assert [row.objective for row in rows] == [*expected.objective[:4].tolist(), None, None]
    assert [row.status for row in rows] == ["max_iter"] * 4 + ["diverged"] * 2
    assert result.numbers.grid.folds == 3
    assert result.numbers.grid.best == rows[expected.best]
    assert result.numbers.refit.n == len(X) == 216
    assert json.loads(result.numbers.text)


def test_sgd_of_which_nothing_is_left_is_an_error(digits):
    with pytest.raises(DivergedError, match="the only setting diverged"):
        tune(digits, Options("sgd", regs=np.array([1.0]), learning_rates=np.array([1e30])))


@pytest.mark.slow
@pytest.mark.parametrize("loss", ["softmax", "squared_hinge"])
def test_sgd_has_defaults_that_train(loss):
    dataset = draw()
    result, proven = tune(dataset, Options("sgd", loss)), tune(dataset, Options("exact", loss))
    assert result.numbers.grid.settings == 7 * 13
    assert result.numbers.grid.best.val_accuracy >= proven.numbers.grid.best.val_accuracy - 0.02


def test_a_long_table_shows_the_best():
    rows = [
        Tried(learning_rate=1.0 + k, reg=1.0, train_accuracy=0.5, val_accuracy=k / 100, objective=1.0,
              status="max_iter")
        for k in range(40)
    ]  # fmt: skip
    axes = {"learning_rate": tuple(row.learning_rate for row in rows), "reg": (1.0,)}
    grid = Compared(solver="sgd", loss="hinge", rows=tuple(rows), best=rows[30], settings=40,
                    axes=axes, edges=(), seconds=1.0)  # fmt: skip
    step = settings_step(grid)
    assert step.table is not None
    assert len(step.table.rows) == SHOWN
    assert step.table.marked == 0
    assert step.table.rows[0][0] == "31"
    assert step.table.rows[1][3] == "0.3900"
    assert f"The best {SHOWN} of 40" in step.notes[0]


def failing(monkeypatch, failed):
    """Let the fits with these values of reg fail: no weights to speak of, and nothing proven."""

    def solve_some(X, y, reg, **arguments):
        found = solve(X, y, reg, **arguments)
        lost = np.isin(reg, failed)
        gap, stopped = np.where(lost, 9 * found.objective, found.gap), np.where(lost, "stalled", found.stopped)
        return replace(found, gap=gap, stopped=stopped)

    for module in (exact, engines):
        monkeypatch.setattr(module, "solve", solve_some)


@pytest.mark.parametrize("folds", [None, 3])
def test_a_fit_that_failed_is_not_chosen_while_another_has_not(folds, monkeypatch):
    options = Options(regs=np.array([0.01, 0.1, 1e6]), folds=folds)
    assert tune(draw(seed=1), options).numbers.grid.best.reg < 1e6
    failing(monkeypatch, [0.01, 0.1])
    steps = []
    result = tune(draw(seed=1), options, on_step=steps.append)
    grid = result.numbers.grid
    assert [row.status for row in grid.rows] == ["failed", "failed", "gap"]
    assert grid.best.reg == 1e6
    assert ("failed", "2 of 3", "the solver failed on them; left out of the choice") in [
        (row.what, row.found, row.expected) for row in steps[1].rows
    ]


def test_that_every_fit_failed_is_said_first(monkeypatch):
    failing(monkeypatch, [0.01, 0.1])
    steps = []
    result = tune(draw(), Options(regs=np.array([0.01, 0.1])), on_step=steps.append)
    assert result.numbers.grid.best.status == "failed"
    assert result.numbers.grid.edges == ()
    assert result.numbers.refit.status == "failed"
    first = steps[1].rows[0]
    assert (first.what, first.found) == ("failed", "all 2")
    assert "the solver failed on all of them, the one chosen too" in first.expected


@pytest.mark.parametrize(("precision", "products"), [("float64", {"float64"}), ("float32", {"float32"})])
def test_precision_is_that_of_all_products_and_of_the_model(precision, products, monkeypatch):
    seen = set()

    def watched(X, y, W, *arguments, **options):
        seen.add(str(W.dtype))
        return objective_and_gradient(X, y, W, *arguments, **options)

    objective_and_gradient = exact.objective_and_gradient
    monkeypatch.setattr(exact, "objective_and_gradient", watched)
    result = tune(draw(), Options(regs=np.array([0.01, 1.0]), precision=precision))
    assert seen == products == {str(result.classifier.W.dtype)}


def test_the_plan_is_that_of_the_precision_asked_for():
    dataset, plans = draw(400, 60, 3), {}
    for precision in ("float32", "float64", "auto"):
        options = Options(regs=np.array([1.0]), tol=0.1, precision=precision)
        tune(
            dataset,
            options,
            resources=lambda: Resources(held=0),
            on_plan=lambda plan, p=precision: plans.update({p: plan.bytes}),
        )
    assert plans["float32"] < plans["float64"] == plans["auto"]


def test_more_folds_than_can_be_parted_are_refused_before_a_plan_is_told():
    plans = []
    with pytest.raises(UsageError, match="--folds 41"):
        tune(draw(40, 4, 3), Options(regs=np.array([1.0]), folds=41), on_plan=plans.append)
    assert plans == []


@pytest.mark.slow
def test_sgd_on_rows_that_do_not_fit_draws_them_in_blocks_and_where_they_fit_as_ever(monkeypatch):
    monkeypatch.setattr(feed, "WINDOW", 600)
    rng = np.random.default_rng(0)
    y = np.sort(rng.integers(0, 3, 40_000))  # in one order of the classes, as files are
    X = (rng.standard_normal((len(y), 100)) + rng.standard_normal((3, 100))[y] / 6).astype(np.float16)
    data = Dataset("rows", Examples(X, y), None, tuple("abc"))
    options = Options(solver="sgd", regs=np.array([1e-3]), learning_rates=np.array([1e-3, 1e-2]))
    plans: list[Plan] = []

    def tuned_within(memory: int | None, options: Options = options) -> TuneResult:
        return tune(data, options, resources=lambda: Resources(memory=memory), on_plan=plans.append)

    whole, roomy, little, less = map(tuned_within, (None, 10**9, 42 * 2**20, 40 * 2**20))
    np.testing.assert_array_equal(roomy.classifier.W, whole.classifier.W)
    np.testing.assert_array_equal(less.classifier.W, little.classifier.W)
    assert (little.classifier.W != whole.classifier.W).any()
    assert little.numbers.test.accuracy == pytest.approx(whole.numbers.test.accuracy, abs=0.01)
    np.testing.assert_allclose(little.found.score, whole.found.score, atol=0.01)
    assert plans[-1].bytes <= 40 * 2**20
    folded = tuned_within(40 * 2**20, replace(options, folds=3))
    np.testing.assert_allclose(folded.found.score, whole.found.score, atol=0.02)

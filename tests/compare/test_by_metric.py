"""Settings judged by other metrics than accuracy: against scikit-learn on what each split holds out."""

import numpy as np
import pytest
from scipy.special import softmax
from sklearn.metrics import f1_score, log_loss, roc_auc_score

from linprobe.compare import held_out as module
from linprobe.compare.compare import compare
from linprobe.compare.descent import Descent
from linprobe.compare.exact import Exact
from linprobe.compare.held_out import HeldOut
from linprobe.compare.settings import Grid, Path
from linprobe.core.metrics import METRICS
from linprobe.core.sgd.settings import Training

REGS = np.array([1e-3, 0.1, 3.0])


def draw(n=150, K=3):
    rng = np.random.default_rng(0)
    y = rng.integers(0, K, n)
    X = (rng.standard_normal((n, 4)) + rng.standard_normal((K, 4))[y]).astype(np.float32)
    return X - X.mean(axis=0), y


TRUTH = {
    "macro_f1": lambda y, S: f1_score(y, S.argmax(axis=1), average="macro"),
    "auroc": lambda y, S: roc_auc_score(y, softmax(S, axis=1), multi_class="ovr"),
    "log_loss": lambda y, S: -log_loss(y, softmax(S, axis=1)),
}


@pytest.mark.parametrize("few", [2**24, 100], ids=["at once", "head by head"])
@pytest.mark.parametrize("folds", [False, True], ids=["held out", "folds"])
@pytest.mark.parametrize("name", TRUTH)
def test_the_scores_are_scikit_learns_on_what_a_split_holds_out(name, folds, few, monkeypatch):
    monkeypatch.setattr(module, "SCORES", few)
    X, y = draw()
    fold = np.arange(150) % 3
    held_out = HeldOut.in_folds(fold) if folds else HeldOut.after(100)
    rng = np.random.default_rng(1)
    W, b = rng.standard_normal((4, 3, 6)).astype(np.float32), rng.standard_normal((3, 6)).astype(np.float32)
    split = np.arange(6) % len(held_out)
    plain = held_out.judge(X, y, W, b, split, "softmax")
    found = held_out.judge(X, y, W, b, split, "softmax", metric=METRICS[name])
    assert found.accuracy is not None
    np.testing.assert_array_equal(found.accuracy, plain.score)
    np.testing.assert_array_equal(found.loss, plain.loss)
    for head in range(6):
        rows = fold == split[head] if folds else np.arange(150) >= 100
        S = X[rows].astype(float) @ W[:, :, head] + b[:, head]
        assert found.score[head] == pytest.approx(TRUTH[name](y[rows], S), abs=1e-5)


def test_of_heads_that_diverged_there_is_none():
    X, y = draw()
    W = np.zeros((4, 3, 2), np.float32)
    W[:, :, 1] = np.nan
    found = HeldOut.after(100).judge(X, y, W, np.zeros((3, 2)), np.zeros(2, int), "softmax", metric=METRICS["macro_f1"])
    assert np.isfinite(found.score[0])
    assert np.isnan(found.score[1])


@pytest.mark.slow
def test_comparing_keeps_accuracy_beside_what_decides():
    X, y = draw()
    held_out = HeldOut.in_folds(np.arange(150) % 3)
    for space, solver in ((Path(REGS), Exact()), (Grid(np.array([0.1]), REGS), Descent(training=Training("softmax")))):
        plain, by_loss = (
            compare(X, y, space, held_out, solver, classes=3, metric=METRICS[name]) for name in ("accuracy", "log_loss")
        )
        assert plain.accuracies is None
        np.testing.assert_array_equal(by_loss.accuracy, plain.score)
        np.testing.assert_array_equal(by_loss.fits.objective, plain.fits.objective)
        assert by_loss.loss == pytest.approx(-by_loss.score, abs=1e-6)  # the log-loss of softmax is what it minimises
        assert by_loss.best == np.argmin(by_loss.loss)


def test_where_all_held_out_examples_are_of_one_class_there_is_no_area():
    y = np.concatenate([np.arange(100) % 2, np.zeros(20, int)])
    held_out = HeldOut.after(100)
    assert not held_out.defines(METRICS["auroc"], y, 2)
    assert held_out.defines(METRICS["balanced_accuracy"], y, 2)
    assert held_out.defines(METRICS["auroc"], y[::-1], 2)
    assert not HeldOut.in_folds(np.minimum(np.arange(120) // 40, 2)).defines(METRICS["auroc"], np.sort(y), 2)

"""What one look at the test split leaves: compared with plain loops over the examples."""

import math

import numpy as np
import pytest

from linprobe.data.dataset import Examples
from linprobe.data.prepare import Preparation
from linprobe.model import Model, Provenance, evidence
from linprobe.model.evidence import measure_reliability, observe

K, D = 4, 6


def classifier(loss="softmax", seed=0, scale=2.0, W=None):
    rng = np.random.default_rng(seed)
    W = scale * rng.standard_normal((D, K)) if W is None else W
    preparation = Preparation(rng.standard_normal(D).astype(np.float32), (D,))
    b = rng.standard_normal(K).astype(np.float32)
    return Model(W.astype(np.float32), b, tuple("abcd"), preparation, Provenance(loss=loss))


def examples(n, seed=1):
    rng = np.random.default_rng(seed)
    return Examples(rng.standard_normal((n, D)).astype(np.float32), rng.integers(0, K, n))


def by_hand(model, data):
    """Predicted class and confidence of each example, one at a time, in float64."""
    found = []
    for x, y in zip(data.X, data.y, strict=True):
        row = x.astype(np.float64) - model.preparation.mean
        scores = [float(row @ model.W[:, k].astype(np.float64) + model.b[k]) for k in range(K)]
        best = max(range(K), key=lambda k: (scores[k], -k))
        if model.probabilistic:
            found.append((best, math.exp(scores[best]) / sum(map(math.exp, scores))))
        else:
            found.append((best, scores[best] - scores[y]))
    return found


@pytest.mark.parametrize("loss", ["softmax", "hinge"])
@pytest.mark.parametrize("n", [1, 7, 300])
def test_counts_and_mistakes_are_those_of_a_loop(loss, n, monkeypatch):
    monkeypatch.setattr(evidence, "CHUNK_ROWS", 64)  # several chunks, the last of them not full
    model, data = classifier(loss), examples(n)
    found, known = observe(model, data), by_hand(model, data)
    counts = np.zeros((K, K), int)
    for y, (best, _) in zip(data.y, known, strict=True):
        counts[y, best] += 1
    np.testing.assert_array_equal(found.counts, counts)
    assert (found.n, found.correct) == (n, sum(counts[k, k] for k in range(K)))

    wrong = [(confidence, i) for i, (best, confidence) in enumerate(known) if best != data.y[i]]
    wrong.sort(key=lambda one: (-one[0], one[1]))
    surest = [i for _, i in wrong[:24]]
    np.testing.assert_array_equal(found.mistakes.X, data.X[surest])
    np.testing.assert_array_equal(found.mistakes.labels, data.y[surest])
    np.testing.assert_array_equal(found.mistakes.predicted, [known[i][0] for i in surest])
    np.testing.assert_allclose(found.mistakes.confidence, [known[i][1] for i in surest], rtol=1e-5)


def test_the_reliability_is_that_of_a_loop():
    model, data = classifier(scale=0.7), examples(500)
    found, known = observe(model, data).reliability, by_hand(model, data)
    assert found is not None
    error = 0.0
    for k in range(10):
        of_bin = [
            (confidence, best == y)
            for y, (best, confidence) in zip(data.y, known, strict=True)
            if k / 10 <= confidence < (k + 1) / 10 or (k == 9 and confidence == 1)
        ]
        assert found.n[k] == len(of_bin)
        if not of_bin:
            assert np.isnan(found.confidence[k])
            assert np.isnan(found.accuracy[k])
            continue
        confidence, accuracy = np.mean([one[0] for one in of_bin]), np.mean([one[1] for one in of_bin])
        assert found.confidence[k] == pytest.approx(confidence, rel=1e-5)
        assert found.accuracy[k] == pytest.approx(accuracy)
        error += len(of_bin) / len(data) * abs(confidence - accuracy)
    assert (found.n > 0).sum() > 4  # or this would have compared nothing
    assert found.error == pytest.approx(error, rel=1e-5)


def test_confidences_at_the_ends_of_the_bins():
    found = measure_reliability(np.array([0.0, 0.1, 0.95, 1.0, 1.0]), np.array([True, False, True, True, False]))
    assert found.n.tolist() == [1, 1, 0, 0, 0, 0, 0, 0, 0, 3]
    assert found.accuracy[9] == pytest.approx(2 / 3)
    assert found.error == pytest.approx((1 * 1.0 + 1 * 0.1 + 3 * abs(2.95 / 3 - 2 / 3)) / 5)


def test_an_svm_has_no_reliability():
    assert observe(classifier("hinge"), examples(20)).reliability is None


def test_without_a_mistake_there_are_none_to_show():
    W = np.zeros((D, K))
    W[:K] = 100 * np.eye(K)
    model = classifier(W=W)
    data = Examples(np.eye(K, D, dtype=np.float32) * 50 + model.preparation.mean, np.arange(K))
    found = observe(model, data)
    assert found.correct == found.n == K
    assert found.mistakes.X.shape == (0, D)
    assert len(found.mistakes.labels) == len(found.mistakes.predicted) == len(found.mistakes.confidence) == 0


def test_pictures_stay_as_the_source_gave_them():
    rng = np.random.default_rng(0)
    X = rng.integers(0, 256, (30, 2, 3, 1), dtype=np.uint8)
    preparation = Preparation(np.full(6, 100, np.float32), (2, 3, 1))
    model = Model(rng.standard_normal((6, 3)).astype(np.float32), np.zeros(3, np.float32), tuple("abc"), preparation)
    data = Examples(X, rng.integers(0, 3, 30))
    found = observe(model, data).mistakes
    assert found.X.dtype == np.uint8
    assert 0 < len(found.X) <= 24
    assert all((one == X).all(axis=(1, 2, 3)).any() for one in found.X)


@pytest.mark.parametrize("extreme", [1e30, -1e30])
def test_scores_that_are_extreme_leave_finite_confidences(extreme):
    W = np.zeros((D, K))
    W[0, 1] = extreme
    found = observe(classifier(W=W), examples(50))
    assert np.isfinite(found.mistakes.confidence).all()
    assert found.reliability is not None
    assert found.reliability.n.sum() == 50

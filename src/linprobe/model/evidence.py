"""What one look at the test split leaves of a classifier: confusions, calibration, the worst mistakes, its metrics."""

from dataclasses import dataclass

import numpy as np

from linprobe.core.losses import LOSSES
from linprobe.core.measure import confusion
from linprobe.core.metrics import COUNTS, MetricValue, Sample, available, measure
from linprobe.data.dataset import Examples
from linprobe.data.rows import rows_of
from linprobe.data.terms import Chunk
from linprobe.model.model import Model
from linprobe.model.predictions import Predictions

__all__ = ["Evidence", "Mistakes", "Reliability", "look", "look_bytes", "measure_reliability", "observe"]

CHUNK_ROWS, CHUNK_SCORES = 4096, 2**22
BINS = 10  # of the reliability diagram; fewer examples than these make deserve no more
MISTAKES = 24


@dataclass(frozen=True, eq=False)
class Evidence:
    """Counts (K, K), a row per true class and a column per predicted one; reliability is None without probabilities.

    mistakes: the examples that it was surest of and wrong about; predictions: of every example, None of a run that was
    read again, whose folder has them in a file of their own.
    """

    counts: np.ndarray
    reliability: "Reliability | None"
    mistakes: "Mistakes"
    predictions: Predictions | None = None

    @property
    def n(self) -> int:
        """How many examples were looked at."""
        return int(self.counts.sum())

    @property
    def correct(self) -> int:
        """How many of them it got right."""
        return int(np.trace(self.counts))


@dataclass(frozen=True, eq=False)
class Reliability:
    """Whether of examples called with a confidence of p a share of p is right; per bin of confidence (B,).

    The bins part [0, 1] evenly: n examples of each, their mean confidence (highest probability) and the accuracy on
    them, NaN in empty ones. Guo et al. (2017), On calibration of modern neural networks.
    """

    n: np.ndarray
    confidence: np.ndarray
    accuracy: np.ndarray

    @property
    def error(self) -> float:
        """The expected calibration error: |confidence - accuracy|, averaged over the examples."""
        seen = self.n > 0
        return float(np.abs(self.confidence - self.accuracy)[seen] @ self.n[seen] / self.n.sum())


@dataclass(frozen=True, eq=False)
class Mistakes:
    """Examples X (m, *shape) as the source gave them, the surest first, their labels and predicted classes (m,).

    confidence (m,): the probability of the predicted class; where the classifier has none, by how much its score led
    that of the label.
    """

    X: np.ndarray
    labels: np.ndarray
    predicted: np.ndarray
    confidence: np.ndarray


def observe(classifier: Model, examples: Examples) -> Evidence:
    """Look at examples once, in chunks of rows."""
    return _evidence(classifier, examples, *_seen(classifier, examples, scores=False))


def look(
    classifier: Model, examples: Examples, *, temperature: float | None = None
) -> tuple[Evidence, dict[str, MetricValue]]:
    """The same, and every metric of a model that says which loss it was trained with, by its name.

    Accuracy is among them only where the examples are in groups, of which its interval must know: the others stand in
    the evidence. temperature: to give the calibration error after scaling too.
    """
    predicted, confidence, scores = _seen(classifier, examples, scores=True)
    evidence = _evidence(classifier, examples, predicted, confidence)
    if (loss := LOSSES.get(str(classifier.provenance.loss))) is None:
        return evidence, {}
    groups = examples.groups
    if groups is not None and len(np.unique(groups)) < 2:
        groups = None
    asked = [one for one in available(loss, len(classifier.classes)) if groups is not None or one.name != "accuracy"]
    sample = Sample(scores, examples.y, loss.probabilities)
    return evidence, measure(sample, asked, temperature=temperature if loss.probabilities else None, groups=groups)


def look_bytes(n: int, K: int, itemsize: int) -> int:
    """Memory that a look at n examples takes besides them, for K classes and scores of numbers of so many bytes."""
    rows = _chunk_rows(n, K)
    # The scores, the same after temperature scaling, and for every class the numbers of the examples down to its last
    # one with a 1 each. Confusions, and what the examples of a class count in some resamples. A chunk's probabilities.
    scores = n * K * (itemsize + 4 + 12)
    counts = 3 * 8 * K**2 + 8 * 8 * max(8 * (K + n), COUNTS)
    return scores + counts + rows * K * (2 * itemsize + 4 * 8)


def _chunk_rows(n: int, K: int) -> int:
    """Of how many examples the scores are made at a time."""
    return max(1, min(CHUNK_ROWS, CHUNK_SCORES // K, n))


def _seen(classifier: Model, examples: Examples, *, scores: bool) -> list[np.ndarray]:
    """What is predicted of each example (n,), how sure the classifier is (n,), and if asked for its scores (n, K)."""
    chunk = _chunk_rows(len(examples), len(classifier.classes))
    seen = rows_of(examples.X).map(_Look(classifier, scores), None, size=chunk, labels=examples.y)
    return [of_all[:] for of_all in seen]


def _evidence(classifier: Model, examples: Examples, predicted: np.ndarray, confidence: np.ndarray) -> Evidence:
    wrong = np.flatnonzero(predicted != examples.y)
    surest = wrong[np.argsort(-confidence[wrong], kind="stable")[:MISTAKES]]
    right = predicted == examples.y
    return Evidence(
        confusion(examples.y, predicted, len(classifier.classes)),
        measure_reliability(confidence, right) if classifier.probabilistic else None,
        Mistakes(examples.X[surest], examples.y[surest], predicted[surest], confidence[surest]),
        Predictions.of(examples, predicted, classifier.classes),
    )


@dataclass(frozen=True, eq=False)
class _Look:
    """The predicted class (m,), how sure of it the classifier is (m,), and where they are kept its scores (m, K)."""

    classifier: Model
    scores: bool

    def __call__(self, chunk: Chunk) -> tuple[np.ndarray, ...]:
        scores = self.classifier.decision_function(chunk.X)
        kept = (scores,) if self.scores else ()
        predicted, rows = self.classifier.decide(scores), np.arange(len(scores))
        if self.classifier.probabilistic:
            return predicted, self.classifier.probabilities(scores)[rows, predicted], *kept
        with np.errstate(over="ignore"):
            lead = scores[rows, predicted].astype(np.float64) - scores[rows, chunk.labels]
        return predicted, np.minimum(lead, np.finfo(np.float64).max), *kept


def measure_reliability(confidence: np.ndarray, right: np.ndarray) -> Reliability:
    """From the confidence (n,) of each prediction and whether it was right (n,) bool."""
    of_bin = np.minimum((confidence * BINS).astype(np.int64), BINS - 1)
    n = np.bincount(of_bin, minlength=BINS)
    of_nothing = np.full(BINS, np.nan)

    def mean(values: np.ndarray) -> np.ndarray:
        return np.divide(np.bincount(of_bin, values, BINS), n, out=of_nothing.copy(), where=n > 0)

    return Reliability(n, mean(confidence), mean(right))

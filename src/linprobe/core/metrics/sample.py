"""What metrics are made from: examples with their scores, and how often each counts in each of many resamples."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.sparse import csr_array

from linprobe.core.backend import row_chunks

__all__ = ["Counted", "InOrder", "Sample", "Steps"]

CHUNK_SCORES = 2**20  # at a time, in float64: 8 MiB
TOP = 5


@dataclass(frozen=True, eq=False)
class Sample:
    """Examples that a classifier has given scores to.

    Attributes
    ----------
    scores : float array (n, K)
        In the order of the classes, finite.
    labels : int array (n,)
        In [0, K).
    probabilistic : bool
        Whether scores are logarithms of probabilities, but for a constant of each example.
    """

    scores: np.ndarray
    labels: np.ndarray
    probabilistic: bool

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def classes(self) -> int:
        """K."""
        return self.scores.shape[1]

    @cached_property
    def predicted(self) -> np.ndarray:
        """The class (n,) with the highest score, the first of equals."""
        return self.scores.argmax(axis=1)

    @cached_property
    def right(self) -> np.ndarray:
        """Whether that is the label (n,)."""
        return self.predicted == self.labels

    @cached_property
    def near(self) -> np.ndarray:
        """Whether the label is one of the five classes with the highest scores (n,), the first of equals."""
        found = np.empty(len(self), bool)
        numbers = np.arange(self.classes)
        for rows in self._chunks():
            scores, labels = self.scores[rows], self.labels[rows, None]
            own = np.take_along_axis(scores, labels, axis=1)
            before = (scores > own) | ((scores == own) & (numbers < labels))
            found[rows] = before.sum(axis=1) < TOP
        return found

    @cached_property
    def highest(self) -> np.ndarray:
        """The highest score (n,)."""
        return self.scores.max(axis=1).astype(np.float64)

    @cached_property
    def mass(self) -> np.ndarray:
        """What exp(scores - the highest) sum to (n,)."""
        found = np.empty(len(self))
        for rows in self._chunks():
            found[rows] = np.exp(self.scores[rows].astype(np.float64) - self.highest[rows, None]).sum(axis=1)
        return found

    def probability(self, scores: np.ndarray) -> np.ndarray:
        """The probability of the class that has this score, of each example (n,)."""
        # Operation by operation as SciPy's softmax, so that examples are tied where predict_proba has them tied.
        return np.exp(scores.astype(np.float64) - self.highest) / self.mass

    @cached_property
    def surprise(self) -> np.ndarray:
        """-log of the label's probability (n,), in nats; as in scikit-learn, no probability is below float64's eps."""
        own = np.take_along_axis(self.scores, self.labels[:, None], axis=1)[:, 0]
        eps = np.finfo(np.float64).eps
        return -np.log(np.clip(self.probability(own), eps, 1 - eps))

    @cached_property
    def confidence(self) -> np.ndarray:
        """The highest probability (n,)."""
        return 1 / self.mass

    def ranks(self, k: int) -> np.ndarray:
        """What examples are put in order by, from those that are least of class k (n,): its probability, or its score.

        Of two classes that have scores alone, by how much the score leads the other.
        """
        if self.probabilistic:
            return self.probability(self.scores[:, k])
        own = self.scores[:, k].astype(np.float64)
        return np.nan_to_num(own - self.scores[:, 1 - k]) if self.classes == 2 else own  # finite, as large as they are

    @cached_property
    def by_class(self) -> "tuple[InOrder, ...]":
        """The examples in the order of each class; of two classes, of the second alone."""
        classes = (1,) if self.classes == 2 else range(self.classes)
        return tuple(InOrder.of(self.ranks(k), self.labels == k) for k in classes)

    def at(self, temperature: float) -> "Sample":
        """The same with scores divided by a temperature, and the highest of each example at 0."""
        scaled = np.empty(self.scores.shape, np.float32)
        for rows in self._chunks():
            scaled[rows] = (self.scores[rows].astype(np.float64) - self.highest[rows, None]) / temperature
        return Sample(scaled, self.labels, self.probabilistic)

    def _chunks(self) -> Iterable[slice]:
        return row_chunks(len(self), max(1, CHUNK_SCORES // self.classes))


@dataclass(frozen=True, eq=False)
class InOrder:
    """Examples from the highest rank down, cut into steps, each of which ends with all that share a positive's rank.

    Sums over steps and cumulative sums over them are all that ranking metrics need; as matrices of ones (steps, n), so
    that a product makes them for many resamples. all: the examples of each step; positive: those of the class; tied:
    those of the step's last rank, None where these are the positives, with no other example among them.
    """

    all: csr_array
    positive: csr_array
    tied: csr_array | None

    @classmethod
    def of(cls, ranks: np.ndarray, positive: np.ndarray) -> "InOrder":
        """From what they are put in order by (n,), and which are of the class (n,)."""
        order = np.argsort(-ranks, kind="stable").astype(np.int32)
        in_order, of_class, n = ranks[order], positive[order], len(ranks)
        first = np.flatnonzero(np.diff(in_order, prepend=np.inf) != 0)  # of each rank
        past = np.append(first[1:], n)
        many = np.add.reduceat(of_class, first, dtype=np.int64) if n else np.empty(0, np.int64)
        first, past, many = first[many > 0], past[many > 0], many[many > 0]
        ends = np.concatenate([[0], past])
        tied = None
        if (past - first != many).any():
            held = np.concatenate([np.arange(a, b) for a, b in zip(first, past, strict=True)])
            tied = _ones(order[held], np.concatenate([[0], np.cumsum(past - first)]), n)
        return cls(
            all=_ones(order[: ends[-1]], ends, n),
            positive=_ones(order[of_class], np.concatenate([[0], np.cumsum(many)]), n),
            tied=tied,
        )


@dataclass(frozen=True, eq=False)
class Steps:
    """What the steps of a class's order count in each resample: (steps, R).

    positive: the examples of the class; seen: those and all before; all: every example by the step's end; ties: the
    others that rank as the positives do, or None.
    """

    positive: np.ndarray
    seen: np.ndarray
    all: np.ndarray
    ties: np.ndarray | None


class Counted:
    """A sample, and what each example counts in each resample: counts (n, R), 0 or more, as numbers or as weights.

    Metrics are functions of this. What several of them need is made once.
    """

    def __init__(self, sample: Sample, counts: np.ndarray) -> None:
        self.sample, self.counts = sample, np.ascontiguousarray(counts, np.float64)

    @cached_property
    def total(self) -> np.ndarray:
        """What all examples count together (R,)."""
        return self.counts.sum(axis=0)

    @cached_property
    def labelled(self) -> np.ndarray:
        """What the examples of each class count together (K, R)."""
        return self.sums(self.sample.labels, self.sample.classes)

    @cached_property
    def predicted(self) -> np.ndarray:
        """What those that were predicted as each class count together (K, R)."""
        return self.sums(self.sample.predicted, self.sample.classes)

    @cached_property
    def recognised(self) -> np.ndarray:
        """What those of each class that were predicted as it count together (K, R)."""
        return self.sums(self.sample.labels, self.sample.classes, self.sample.right)

    @cached_property
    def steps(self) -> tuple[Steps, ...]:
        """For each class that examples are put in order by."""
        return tuple(map(self._steps, self.sample.by_class))

    def _steps(self, ranked: InOrder) -> Steps:
        positive = ranked.positive @ self.counts
        return Steps(
            positive,
            np.cumsum(positive, axis=0),
            np.cumsum(ranked.all @ self.counts, axis=0),
            None if ranked.tied is None else ranked.tied @ self.counts - positive,
        )

    def mean(self, values: np.ndarray) -> np.ndarray:
        """The mean (R,) of a value of each example (n,)."""
        # Not a product, which would wake a pool of threads for a single vector.
        return np.einsum("n,nr->r", values.astype(np.float64), self.counts) / self.total

    def sums(self, part: np.ndarray, parts: int, values: np.ndarray | None = None) -> np.ndarray:
        """The sum (parts, R) of each part of the examples, part (n,) in [0, parts), or of their values (n,)."""
        order = np.argsort(part, kind="stable").astype(np.int32)
        ends = np.concatenate([[0], np.cumsum(np.bincount(part, minlength=parts))])
        sums = _ones(order, ends, len(part))
        if values is not None:
            sums.data = values[order].astype(np.float64)
        return sums @ self.counts


def _ones(columns: np.ndarray, ends: np.ndarray, n: int) -> csr_array:
    """A matrix (rows, n) with ones in these columns, row after row, each of which ends where the next begins."""
    return csr_array((np.ones(len(columns)), columns, ends.astype(np.int32)), shape=(len(ends) - 1, n))

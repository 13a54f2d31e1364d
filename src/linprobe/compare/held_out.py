"""Which examples train each setting and which it is judged on: held out, or in folds."""

from dataclasses import dataclass, replace

import numpy as np

from linprobe.compare.solver import Judged
from linprobe.core.backend import Array, to_numpy
from linprobe.core.losses import Loss, find_loss
from linprobe.core.measure import score_rows, score_stack
from linprobe.core.metrics import METRICS, NamedMetric, Sample, value_of
from linprobe.data.draw import grouped
from linprobe.data.rows import StoredRows
from linprobe.data.weights import ClassWeight, Weights
from linprobe.errors import UsageError

__all__ = ["HeldOut", "make_folds", "some_of"]

Part = slice | np.ndarray
SCORES = 2**24  # of a metric at a time


@dataclass(frozen=True, eq=False, kw_only=True)
class HeldOut:
    """What all rows are used for in each split (F).

    learned: the first rows, up to the last that any split trains on; weights: what these count, one head for each
    split, None where there is one split in which every row counts 1. parts: rows that are judged together, and trains
    (P, F), whether they are trained on; a head is judged on the others. shares (F,): what each split counts in means,
    None where all count alike.
    """

    learned: slice
    weights: Weights | None
    parts: tuple[Part, ...]
    trains: np.ndarray
    shares: np.ndarray | None = None

    @classmethod
    def after(cls, train: int) -> "HeldOut":
        """The first so many rows train, all others judge."""
        learned = slice(train)
        return cls(
            learned=learned, weights=None, parts=(learned, slice(train, None)), trains=np.array([[True], [False]])
        )

    @classmethod
    def in_folds(cls, fold: np.ndarray) -> "HeldOut":
        """Every fold judges what is trained on all others; fold (n,), from 0."""
        count, sizes = int(fold.max()) + 1, np.bincount(fold)
        trains = ~np.eye(count, dtype=bool)
        return cls(
            learned=slice(None),
            weights=Weights.of_parts(fold, trains.astype(np.float64)),
            parts=tuple(fold == number for number in range(count)),
            trains=trains,
            shares=sizes / sizes.sum(),
        )

    @classmethod
    def of_weights(cls, weights: Weights) -> "HeldOut":
        """Every split trains on what it gives a weight; what judges is known to whoever judges."""
        return cls(learned=slice(None), weights=weights, parts=(), trains=np.empty((0, weights.heads), bool))

    def weighted(
        self, y: np.ndarray, classes: int, own: np.ndarray | None, class_weight: ClassWeight | None
    ) -> "HeldOut":
        """The same with what every example counts in training, own (n,), y (n,) of all rows; all classes the same in
        each split, where they are to be balanced.
        """
        if own is None and class_weight is None:
            return self
        part = np.empty(len(y), np.int64)
        for number, rows in enumerate(self.parts):
            part[rows] = number
        of_row, own = (part * classes + y)[self.learned], None if own is None else own[self.learned]
        share = np.bincount(of_row, own, len(self.parts) * classes).reshape(-1, classes)
        table = np.zeros((*share.shape, len(self)))
        for split, trained in enumerate(self.trains.T):
            of_class = share[trained].sum(axis=0)
            even = class_weight is None
            table[trained, :, split] = 1 if even else np.divide(1, of_class, where=of_class > 0, out=np.zeros(classes))
        return replace(self, weights=Weights.of_parts(of_row, table.reshape(-1, len(self)), own=own))

    def __len__(self) -> int:
        return self.trains.shape[1]

    def judge(
        self,
        X: Array,
        y: Array,
        W: Array,
        b: Array,
        split: np.ndarray,
        loss: str,
        *,
        metric: NamedMetric = METRICS["accuracy"],
        whole: bool = True,
        by_weight: bool = True,
    ) -> Judged:
        """A metric and the mean loss of heads W (D, K, h) and b (K, h), each of its split (h,), on what that held out.

        whole: and on the rows that each was trained on. by_weight: with the loss there that it was trained by, of what
        every example counts; a solver that has its objective needs none.
        """
        trains = self.trains[:, split]
        asked = [number for number in range(len(self.parts)) if whole or not trains[number].all()]
        trains, sizes = trains[asked], np.empty(len(asked))
        accuracy, losses, weighted = np.empty(trains.shape), np.empty(trains.shape), np.zeros(trains.shape)
        counts = self.weights.take(split) if self.weights is not None and whole and by_weight else None
        for place, number in enumerate(asked):
            part, labels = self.parts[number], y[self.parts[number]]
            of_part = None if counts is None or not trains[place].any() else counts.at(part)
            score = score_stack(some_of(X, part), labels, W, b, loss, of_part)
            accuracy[place], losses[place], sizes[place] = score.accuracy, score.loss, len(labels)
            if score.weighted is not None:
                weighted[place] = score.weighted * len(labels)
        score, mean_loss = (_mean(values, sizes, ~trains) for values in (accuracy, losses))
        if not whole:
            return Judged(score=score, loss=mean_loss)
        train_score, train_loss = (_mean(values, sizes, trains) for values in (accuracy, losses))
        if counts is not None:
            train_loss = np.where(trains, weighted, 0).sum(axis=0) / len(counts)
        found = Judged(score=score, loss=mean_loss, train_score=train_score, train_loss=train_loss)
        if metric is METRICS["accuracy"]:
            return found
        return replace(found, score=self._by_metric(X, y, W, b, split, find_loss(loss), metric), accuracy=score)

    def _by_metric(
        self, X: Array, y: Array, W: Array, b: Array, split: np.ndarray, loss: Loss, metric: NamedMetric
    ) -> np.ndarray:
        """A metric of every head (h,) on what its split holds out, of several parts the mean, as a score."""
        trains, classes = self.trains[:, split], W.shape[1]
        values, sizes = np.full(trains.shape, np.nan), np.array([len(y[part]) for part in self.parts])
        for number, part in enumerate(self.parts):
            heads = np.flatnonzero(~trains[number])
            few = max(1, SCORES // (classes * int(sizes[number])))
            rows, labels = (some_of(X, part), to_numpy(y[part])) if len(heads) else (X, y)
            for some in (heads[start : start + few] for start in range(0, len(heads), few)):
                scores = score_rows(rows, W[:, :, some], b[:, some])
                for place, head in enumerate(some.tolist()):
                    of_head = scores[:, :, place]
                    if np.isfinite(of_head).all():
                        values[number, head] = value_of(metric, Sample(of_head, labels, loss.probabilities))
        return _mean(metric.score(values), sizes, ~trains)

    def defines(self, metric: NamedMetric, y: np.ndarray, classes: int) -> bool:
        """Whether a metric can be had of what every split holds out, by its labels: y (n,), in [0, classes)."""
        held_out = [y[part] for part, trained in zip(self.parts, self.trains, strict=True) if not trained.all()]
        return all(np.isfinite(value_of(metric, Sample(np.zeros((len(of), classes)), of, True))) for of in held_out)


def some_of(X: Array, rows: Part) -> Array:
    """Some of the rows, as Rows where they are."""
    if isinstance(rows, slice) and rows == slice(None):
        return X
    return X.take(rows) if isinstance(X, StoredRows) else X[rows]


def make_folds(
    y: np.ndarray, folds: int, seed: int, classes: tuple[str, ...], groups: np.ndarray | None = None
) -> np.ndarray:
    """The fold of every example (n,), each with its share of every class; y (n,). Raises UsageError for too many.

    groups (n,): rows of one group are in one fold, and shares are only nearly the same.
    """
    from sklearn.model_selection import StratifiedKFold

    if groups is not None:
        of_row = np.unique(groups, return_inverse=True)[1].reshape(-1)
        if folds > (there := int(of_row.max()) + 1):
            raise UsageError(
                f"--folds {folds}: there are {there:,} groups to split into folds, and every fold needs one; ask for "
                f"{there:,} or fewer"
            )
        return grouped(y, of_row, [1] * folds, np.random.default_rng(seed))

    counts = np.bincount(y, minlength=len(classes))
    smallest = int(np.argmin(np.where(counts > 0, counts, len(y) + 1)))
    if folds > (fewest := int(counts[smallest])):
        way_out = f"ask for {fewest} or fewer" if fewest > 1 else "give it more, or choose on a split with --val-size"
        raise UsageError(
            f"--folds {folds}: class {classes[smallest]} has {fewest:,} example{'s' if fewest > 1 else ''} to part, "
            f"and every fold needs one; {way_out}"
        )
    of_example = np.empty(len(y), np.int64)
    for fold, (_, rows) in enumerate(StratifiedKFold(folds, shuffle=True, random_state=seed).split(y, y)):
        of_example[rows] = fold
    return of_example


def _mean(values: np.ndarray, sizes: np.ndarray, of_head: np.ndarray) -> np.ndarray:
    """The mean over the parts (P, h) that are a head's, by their sizes (P,)."""
    if (of_head.sum(axis=0) == 1).all():
        return np.take_along_axis(values, of_head.argmax(axis=0)[None], axis=0)[0]
    counted = sizes[:, None] * of_head
    return (np.where(of_head, values, 0) * counted).sum(axis=0) / counted.sum(axis=0)

"""A saved model on a data set: how good it is there, and how near to the optimum of what it was trained on."""

import contextlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast, get_args

import numpy as np

from linprobe.core.certificate import CERTIFIABLE, certify, no_certificate
from linprobe.data.dataset import Dataset, Examples, Splits
from linprobe.data.formats import kind_of, open_dataset
from linprobe.data.prepare import Features, Preparation
from linprobe.data.reading import show
from linprobe.data.splits import TrainedOn, refuse_what_is_not_finite
from linprobe.data.weights import in_training
from linprobe.errors import DataError, UsageError
from linprobe.model import Model
from linprobe.model.evidence import look
from linprobe.results import Accuracy
from linprobe.results.steps import at_most, brief, number
from linprobe.tasks.tune.options import TOLERANCE

__all__ = ["Assessment", "Proof", "assess", "open_as_trained", "prove", "trained_on"]

# What `open_dataset` can be told; what comes last is the first that other data than the training's is read without.
READ_BY = ("x", "label", "split_column", "groups", "weights", "test", "val")

# The mean in the file is that of the rows it was fitted on, but for how another machine rounds.
MEAN_TOLERANCE = 1e-6


@dataclass(frozen=True, eq=False)
class Assessment:
    """Accuracy with its 95 % interval (Wilson) on n examples, which `rows` says in words; counts (K, K) of them.

    counts: a row per true class, a column per predicted class. measured: the same accuracy, with all other metrics.
    """

    rows: str
    n: int
    accuracy: float
    interval: tuple[float, float]
    counts: np.ndarray
    measured: Accuracy


@dataclass(frozen=True)
class Proof:
    """The verdict on a model: objective on the n rows it was trained on, and how much lower the lowest possible can be.

    tolerance: of the gap, as a share of the objective; stored: whether it is the model's own, or the default because
    the file has none. objective, gap: None where nothing can be proven. why: why it is not proven that the model is
    within the tolerance, and what to do; "" where it is.
    """

    rows: str
    n: int
    loss: str
    reg: float
    tolerance: float
    stored: bool
    objective: float | None = None
    gap: float | None = None
    why: str = ""

    @property
    def proven(self) -> bool:
        """The verdict: whether the model is proven to be within the tolerance."""
        return not self.why

    @property
    def relative_gap(self) -> float | None:
        """The gap as a share of the objective."""
        if self.objective is None or self.gap is None:
            return None
        return self.gap / self.objective if self.gap else 0.0


def assess(classifier: Model, dataset: Dataset, *, white: float | None = None) -> Assessment:
    """How good a classifier is on the data set's own test split, all of it.

    Where the data set has none: on the rows that the model's training left for test, if it was trained on this data
    set, else on all. Classes are matched by their names. white: the value that a white pixel has in the data set, None
    where that is as in training. Raises DataError for examples of another shape, for classes that the model does not
    know, for features that are not finite, and where the file describes other rows than those that were left.
    """
    classifier.preparation.apply(dataset.train.X[:0])  # which refuses another shape, before any work
    numbers = _class_numbers(classifier, dataset)
    refuse_what_is_not_finite(dataset)
    rows, examples = _rows_to_judge(classifier, dataset)
    temperature = classifier.provenance.temperature
    examples = Examples(examples.X, numbers[examples.y], examples.groups)
    seen, figures = look(_of_white(classifier, white), examples, temperature=temperature)
    found = Accuracy.of(seen.correct, seen.n).with_metrics(figures, temperature, examples.groups)
    return Assessment(rows, seen.n, found.accuracy, found.interval, seen.counts, found)


def _of_white(classifier: Model, white: float | None) -> Model:
    """The same classifier for pictures in which white has another value; (f X - m) W is (X - m / f) f W."""
    saved = classifier.preparation
    if white is None or white == classifier.white or len(saved.shape) != 3:
        return classifier
    factor = classifier.white / white
    W = classifier.W if saved.unit_rows else classifier.W * factor  # rows of length 1 are of any factor
    return replace(classifier, W=W, preparation=replace(saved, mean=saved.mean / factor), white=white)


def open_as_trained(classifier: Model, source: str, given: dict[str, str]) -> Dataset:
    """A source, read with the options that are given, and else as the model's training read its own.

    Other data than that of the training has its own validation and test splits, and need not have weights, groups, a
    column of splits, or the features and labels by these names; a note says without which options that may matter it
    was read.
    Raises what `open_dataset` raises.
    """
    told = classifier.provenance.asked
    known = {name: told[name] for name in READ_BY if name in told and name not in given}
    tried: dict[str, str] = {}
    for names in (READ_BY, *(READ_BY[:many] for many in (5, 4, 3, 2))):
        used = {name: known[name] for name in names if name in known}
        others = [used[split] for split in ("val", "test") if split in used]
        # A model names files that are there, and sends nobody for others.
        if used != tried and all(map(_is_there, others)):
            with contextlib.suppress(UsageError, DataError):
                dataset = _open(classifier, source, used | given)
                if not others or trained_on(classifier, dataset):
                    return _noted(dataset, known, used)
        tried = used
    return _noted(_open(classifier, source, given), known, {})


def _open(classifier: Model, source: str, options: dict[str, str]) -> Dataset:
    """A source, its pictures of the size that the model takes where they can be resized. Arrays have the units of the
    training, as where they are predicted.
    """
    shape = classifier.preparation.shape
    dataset = None
    if len(shape) == 3 and shape[2] in (1, 3):
        with contextlib.suppress(UsageError):
            dataset = open_dataset(source, size=shape, **options)
    dataset = dataset or open_dataset(source, **options)
    return replace(dataset, white=classifier.white) if kind_of(source) == "file" else dataset


def _is_there(path: str) -> bool:
    try:
        return Path(path).exists()
    except (OSError, ValueError):  # too long, or what no path can be
        return False


def _noted(dataset: Dataset, known: dict[str, str], used: dict[str, str]) -> Dataset:
    """With a note of the options of the training that may matter for what is measured, where it was read without."""
    left = [
        f"--{name} {show(known[name], 200)}" for name in ("x", "label", "val", "test") if name in known.keys() - used
    ]
    if not left:
        return dataset
    note = f"This source was read without {' '.join(left)}, which the model was trained with."
    return replace(dataset, notes=(*dataset.notes, note))


def trained_on(classifier: Model, dataset: Dataset) -> bool:
    """Whether the data set is, by its fingerprint, the one that the model was trained on."""
    return classifier.provenance.fingerprint == dataset.fingerprint


def _class_numbers(classifier: Model, dataset: Dataset) -> np.ndarray:
    """The model's number of each class of the data set, by name."""
    unknown = [name for name in dataset.classes if name not in classifier.classes]
    if unknown:
        more = f" and {len(unknown) - 1} more" if len(unknown) > 1 else ""
        raise DataError(
            f"{dataset.name}: has the class {brief(unknown[0])}{more}, which the model does not know; give data of its "
            f"classes: {_listed(classifier.classes)}"
        )
    return np.array([classifier.classes.index(name) for name in dataset.classes])


def _rows_to_judge(classifier: Model, dataset: Dataset) -> tuple[str, Examples]:
    if dataset.test is not None:
        return "its test split", dataset.test
    if not trained_on(classifier, dataset):
        return "all of it", dataset.pool()
    rows = _rows_of(classifier)
    splits = _split_again(classifier, dataset, rows)[0]
    # An older file has no fingerprint of the rows: that those of validation are not among them, it only says.
    said = "" if rows.fingerprint is not None else ", as its file says"
    return f"what training left for test{said}", splits.test


def _rows_of(classifier: Model) -> TrainedOn:
    rows = classifier.provenance.rows
    if rows is None:
        raise DataError("the model does not tell which rows it was trained on; train it again, with linprobe tune")
    return rows


def _split_again(classifier: Model, dataset: Dataset, rows: TrainedOn) -> tuple[Splits, Preparation, np.ndarray]:
    """The splits that the model was trained on, the preparation that it was trained behind, and its weights there.

    These are in the file, but of older versions', which lack the scale or the fingerprint of the rows: there the
    preparation is fitted again, and must be the model's but for the scale, by which the weights are multiplied.
    """
    splits, features = rows.splits(dataset), classifier.provenance.features
    saved, W = classifier.preparation, classifier.W
    if rows.fingerprint is not None and (saved.scale is not None or features != "standardised"):
        return splits, saved, W
    if features not in get_args(Features):
        raise DataError(f"the model was trained on {features} features, which are unknown; train it again")
    fitted = rows.fit(splits, cast("Features", features))
    # The files of older versions have no fingerprint of the split, but another split has another mean.
    off = MEAN_TOLERANCE * np.abs(fitted.mean).max(initial=0)
    if not np.allclose(saved.mean, fitted.mean, MEAN_TOLERANCE, off) or saved.unit_rows != fitted.unit_rows:
        raise DataError(
            f"{dataset.name}: the preparation in the model's file is not that of the rows that it describes, so the "
            "file was changed; train the model again"
        )
    if saved.scale is None and fitted.scale is not None:
        saved, scale = replace(saved, scale=fitted.scale), fitted.scale[:, None]
        W = np.divide(W, scale, out=W.copy(), where=scale > 0)
    return splits, saved, W


def prove(classifier: Model, dataset: Dataset) -> Proof:
    """Whether a classifier is within its tolerance of the optimum, in float64, from the very rows it was trained on.

    Raises DataError where the data set is not the one that it was trained on, or the file does not describe how it was
    trained. Classes are matched by their names.
    """
    origin = classifier.provenance
    if origin.fingerprint is None:
        raise DataError(
            "the model's file does not say which data it was trained on, and a certificate is about those rows; train "
            "it with linprobe tune"
        )
    if not trained_on(classifier, dataset):
        raise DataError(
            f"{dataset.name}: is not the data that the model was trained on "
            f"({origin.data}, {_short(origin.fingerprint)}; this has {_short(dataset.fingerprint)}); a "
            "certificate is about those rows: give that source, as it was"
        )
    classifier.preparation.apply(dataset.train.X[:0])  # which refuses examples of another shape
    rows, loss, reg = _rows_of(classifier), str(origin.loss), origin.reg
    if reg is None:
        raise DataError("the model's file does not say with which reg it was trained; train it again")
    numbers = _class_numbers(classifier, dataset)
    splits, preparation, W = _split_again(classifier, dataset, rows)
    examples = rows.prepared(splits, preparation)
    stored, tolerance = origin.tol is not None, TOLERANCE if origin.tol is None else float(origin.tol)
    told = (rows.trained_on, len(examples), loss, float(reg), tolerance, stored)
    if loss not in CERTIFIABLE:
        way = f"train with linprobe tune --loss {' or '.join(CERTIFIABLE)}"
        return Proof(*told, why=f"{no_certificate(loss)}; {way}")
    if reg == 0:
        return Proof(*told, why="reg is 0, and without a penalty there is no certificate; train with a small reg")
    advice = _advice(origin.solver)
    labels = numbers[examples.y]
    if origin.class_weight not in (None, "balanced"):
        raise DataError("the model's file has a class_weight that is unknown; train it again, with linprobe tune")
    if "weights" in origin.asked and examples.weights is None:
        raise DataError(
            f"{dataset.name}: the model was trained on weighted examples, and there are no weights here; give their "
            "column, with --weights"
        )
    class_weight = None if origin.class_weight is None else "balanced"
    weight = in_training(labels, len(classifier.classes), examples.weights, class_weight)
    try:
        found = certify(examples.X, labels, W[:, :, None], classifier.b[:, None], [reg], loss, sample_weight=weight)
    except UsageError as error:
        # What it ends with is advice to whoever called it.
        finding, *_ = str(error).removeprefix("certify: ").rpartition("; ")
        return Proof(*told, why=f"{finding}; {advice}")
    objective, gap = float(found.objective[0]), float(found.gap[0])
    if gap <= tolerance * objective:
        return Proof(*told, objective, gap)
    finding = f"the gap is {at_most(gap / objective)} of the objective, the tolerance is {number(tolerance)}"
    return Proof(*told, objective, gap, f"{finding}; {advice}")


def _advice(solver: str | None) -> str:
    if solver == "exact":
        return (
            "its solver stopped short, or the file was changed: compare refit in the run's run.json, or train it again"
        )
    if solver == "sgd":
        return (
            "SGD ends near the optimum at best, and penalises the bias with the weights: train it with linprobe tune "
            "--solver exact"
        )
    return "train it with linprobe tune"


def _listed(names: tuple[str, ...]) -> str:
    return ", ".join(map(brief, names[:5])) + (f" and {len(names) - 5} more" if len(names) > 5 else "")


def _short(fingerprint: str) -> str:
    return fingerprint[:15]

"""A saved model on a data set: how good it is there, and how near to the optimum of what it was trained on."""

from dataclasses import dataclass
from typing import Any, cast, get_args

import numpy as np

from linprobe.classifier import Classifier
from linprobe.dataset import Dataset, Examples
from linprobe.errors import DataError, IncompatibleError
from linprobe.evaluate import wilson_interval
from linprobe.evidence import observe
from linprobe.prepare import Features, Preparation
from linprobe.rows import Rows, refuse_what_is_not_finite
from linprobe.solvers.certificate import CERTIFIABLE, certify


@dataclass(frozen=True, eq=False)
class Assessment:
    """Accuracy with its 95 % interval (Wilson) on n examples, which `rows` says in words; counts (K, K) of them.

    counts: a row per true class, a column per predicted class.
    """

    rows: str
    n: int
    accuracy: float
    interval: tuple[float, float]
    counts: np.ndarray


@dataclass(frozen=True)
class Proof:
    """Objective of a model on the n rows that it was trained on, and how much lower the lowest possible one can be."""

    rows: str
    n: int
    loss: str
    reg: float
    objective: float
    gap: float

    @property
    def relative_gap(self) -> float:
        """The gap as a share of the objective."""
        return self.gap / self.objective


def assess(classifier: Classifier, dataset: Dataset) -> Assessment:
    """How good a classifier is on the data set's own test split, all of it.

    Where the data set has none: on the rows that the model's training left for test, if it was trained on this data
    set, else on all. Classes are matched by their names. Raises DataError for examples of another shape, for classes
    that the model does not know, and for features that are not finite.
    """
    classifier.preparation.apply(dataset.train.X[:0])  # which refuses another shape, before any work
    unknown = [name for name in dataset.classes if name not in classifier.classes]
    if unknown:
        more = f" and {len(unknown) - 1} more" if len(unknown) > 1 else ""
        raise DataError(
            f"{dataset.name}: has the class {unknown[0]}{more}, which the model does not know; give data of its "
            f"classes: {_listed(classifier.classes)}"
        )
    refuse_what_is_not_finite(dataset)
    rows, examples = _rows_to_judge(classifier, dataset)
    number = np.array([classifier.classes.index(name) for name in dataset.classes])
    seen = observe(classifier, Examples(examples.X, number[examples.y]))
    return Assessment(rows, seen.n, seen.correct / seen.n, wilson_interval(seen.correct, seen.n), seen.counts)


def _rows_to_judge(classifier: Classifier, dataset: Dataset) -> tuple[str, Examples]:
    if dataset.test is not None:
        return "its test split", dataset.test
    if classifier.about.get("fingerprint") != dataset.fingerprint:
        return "all of it", dataset.train
    return "what training left for test", Rows.read(classifier.about.get("rows")).splits(dataset).test


def prove(classifier: Classifier, dataset: Dataset) -> Proof:
    """The certificate of a classifier: objective and gap, in float64, from the very rows that it was trained on.

    Raises DataError where the data set is not the one that it was trained on, or the model does not tell on which of
    its rows, and IncompatibleError where nothing can be proven: the hinge, no penalty, a bias that is not the best one.
    """
    about = classifier.about
    if about.get("fingerprint") != dataset.fingerprint:
        raise DataError(
            f"{dataset.name}: is not the data that the model was trained on "
            f"({about.get('data')}, {_short(about.get('fingerprint'))}; this has {_short(dataset.fingerprint)}); a "
            "certificate is about those rows: give that source, as it was"
        )
    rows, loss, reg, features = (about.get(name) for name in ("rows", "loss", "reg", "features"))
    rows = Rows.read(rows)
    if loss not in CERTIFIABLE:
        raise IncompatibleError(
            f"the {loss} loss has no certificate, because it is not smooth; train with linprobe tune --loss "
            f"{' or '.join(CERTIFIABLE)}"
        )
    if not isinstance(reg, float | int) or not reg > 0:
        raise IncompatibleError(
            f"the model was trained with reg {reg}, and without a penalty there is no certificate; train it with a "
            "small reg above 0"
        )
    if not (isinstance(features, str) and features in get_args(Features)):
        raise DataError(f"the model was trained on {features} features, which are unknown; train it again")
    X, y, W = _as_trained(classifier, dataset, rows, cast("Features", features))
    try:
        found = certify(X, y, W[:, :, None], classifier.b[:, None], [reg], loss)
    except IncompatibleError as error:
        why = (
            "SGD penalises the bias with the weights, and so does not end at the best one"
            if about.get("solver") == "sgd"
            else "the solver stopped short of it"
        )
        raise IncompatibleError(
            f"no certificate: the model's bias is not the best one for its weights ({why}), and without that nothing "
            "follows for the optimum; train it with linprobe tune --solver exact"
        ) from error
    return Proof(rows.trained_on, len(y), loss, float(reg), float(found.objective[0]), float(found.gap[0]))


def _as_trained(
    classifier: Classifier, dataset: Dataset, rows: Rows, features: Features
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The rows X (n, D) and labels y (n,) that the weights W (D, K) were trained on."""
    splits, saved, W = rows.splits(dataset), classifier.preparation, classifier.W
    scale = rows.fit(splits, features).scale
    if scale is not None:  # which the model file has no place for: its weights are multiplied by it
        W = np.divide(W, scale[:, None], out=np.zeros_like(W), where=scale[:, None] > 0)
    examples = rows.prepared(splits, Preparation(saved.mean, saved.shape, scale, saved.unit_rows))
    return examples.X, examples.y, W


def _listed(names: tuple[str, ...]) -> str:
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")


def _short(fingerprint: Any) -> str:
    return str(fingerprint)[:15]

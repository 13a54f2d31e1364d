"""A trained head with its preparation: what predicts, and what a model file holds."""

import json
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
from scipy.special import softmax

from linprobe import __version__
from linprobe.core.losses import LOSSES
from linprobe.core.measure import highest
from linprobe.data.prepare import Features, Preparation
from linprobe.errors import DataError, IncompatibleError, short
from linprobe.model.files import Kind, write
from linprobe.model.provenance import Proven, Provenance

if TYPE_CHECKING:
    from sklearn.linear_model import LogisticRegression
    from sklearn.svm import LinearSVC

    from linprobe.estimators import LinearSVM, SoftmaxClassifier
    from linprobe.model.export import Exported

__all__ = ["MODEL", "Model"]

MODEL = Kind(
    "linprobe-model-3",
    "linprobe-classifier-1",
    frozenset({"F32", "F64"}),
    "give a model file that linprobe wrote",
    "train the model again",
    older=frozenset({"linprobe-classifier-2"}),
)


@dataclass(frozen=True, eq=False)
class Model:
    """Weights W (D, K) of prepared examples, bias b (K,), the classes' names and the preparation.

    provenance: how it was trained, and on what; certificate: what was proven of it then. white: the value that a white
    pixel had in the pictures it was trained on. feature_names: (D,), where they have some. labels (K,): the classes as
    an estimator was given them, numbers or truth values; None where those are the names.
    """

    W: np.ndarray
    b: np.ndarray
    classes: tuple[str, ...]
    preparation: Preparation
    provenance: Provenance = field(default_factory=Provenance)
    certificate: Proven | None = None
    white: float = 255.0
    feature_names: tuple[str, ...] | None = None
    labels: np.ndarray | None = None

    def decision_function(self, X: np.ndarray, dtype: np.typing.DTypeLike | None = None) -> np.ndarray:
        """Scores (n, K) of examples as the source gave them, X (n, *shape).

        Summed in `dtype`, else in that of the preparation's mean, or in float64 where these are too narrow for them.
        Raises DataError where float64 is, too.
        """
        preparation, W = self._folded
        with np.errstate(over="ignore", invalid="ignore"):
            scores = preparation.apply(X, dtype or preparation.mean.dtype) @ W + self.b
        if np.isfinite(scores).all():
            return scores
        if np.dtype(dtype or preparation.mean.dtype) != np.float64:
            return self.decision_function(X, np.float64)
        raise DataError(
            "the model's weights give scores beyond what float64 can hold; train it again, on smaller features"
        )

    def predict(self, X: np.ndarray) -> np.ndarray:
        """The class with the highest score for each example of X (n, *shape) -> its number (n,) int."""
        return self.decide(self.decision_function(X))

    def decide(self, scores: np.ndarray) -> np.ndarray:
        """The class with the highest score, the first of equals: scores (n, K) -> labels (n,) int."""
        return highest(scores[:, :, None])[:, 0]

    @property
    def probabilistic(self) -> bool:
        """Whether its scores are log-probabilities but for a constant: those of softmax are, an SVM's are not."""
        loss = LOSSES.get(str(self.provenance.loss))
        return loss is not None and loss.probabilities

    def probabilities(self, scores: np.ndarray) -> np.ndarray:
        """The probability of every class: scores (n, K) -> (n, K) float64. Raises IncompatibleError for an SVM."""
        if not self.probabilistic:
            raise IncompatibleError(
                f"a model trained with the loss {short(self.provenance.loss)} has scores but no probabilities; "
                "train one with softmax, or read its scores"
            )
        # The largest numbers may be a model's, too, and one score further below the highest than float64 reaches.
        with np.errstate(over="ignore", invalid="ignore"):
            return softmax(scores.astype(np.float64), axis=1)

    @property
    def unlearned(self) -> list[str]:
        """The classes of which no example was among those that it was trained on."""
        return [name for name in self.classes if name in self.provenance.absent]

    @property
    def weights(self) -> np.ndarray:
        """Weights (D, K) of centred features in the source's own units: W times the scale, if there is one."""
        return self._folded[1]

    @property
    def templates(self) -> np.ndarray:
        """The weights as pictures (K, height, width, channels), without the bias."""
        return self.weights.T.reshape(len(self.classes), *self.preparation.shape)

    @cached_property
    def _folded(self) -> tuple[Preparation, np.ndarray]:
        """The preparation without its scale, and weights that are multiplied by it, where that is the same."""
        with np.errstate(over="ignore"):
            preparation, W = self.preparation.without_scale(self.W)
            return (
                (preparation, W) if np.isfinite(W).all() else self.preparation.without_scale(self.W.astype(np.float64))
            )

    def linear(self) -> tuple[np.ndarray, np.ndarray]:
        """Weights (D, K) and bias (K,) of flattened examples as the source gave them, with the preparation folded in.

        x W + b are the scores; in float64, but where there is nothing to prepare. Raises IncompatibleError where rows
        are divided by their length.
        """
        preparation, W = self._folded
        if preparation.unit_rows:
            raise IncompatibleError(
                "this model divides each row by its length, which no weights can do; use its decision_function, or "
                "export it as .onnx or .skops"
            )
        if W is self.W and not preparation.mean.any():
            return W, self.b
        W = W.astype(np.float64)
        return W, self.b - preparation.mean @ W

    def export(self, path: str | Path, to: Literal["onnx", "torch", "sklearn"] | None = None) -> "Exported":
        """Write it for another library, its preparation included, as `linprobe.model.export.export_model` does.

        to: "onnx", a graph; "torch", the state_dict of an nn.Linear; "sklearn", a fitted estimator in a skops file;
        unless given, what `path` ends in says so: .onnx, .pt or .skops. A file in its place is replaced.
        """
        from linprobe.model.export import export_model

        return export_model(self, path, to)

    def save(self, path: str | Path) -> None:
        """Write a safetensors file with the metadata as JSON; it appears whole or not at all.

        The same model gives the same bytes, under a checksum that `linprobe.load` compares.
        """
        preparation, labels = self.preparation, self.labels
        said: dict[str, object] = {
            "classes": self.classes,
            "labels": None if labels is None else labels.dtype.name,
            "feature_names": self.feature_names,
            "shape": preparation.shape,
            "dtype": None if preparation.dtype is None else preparation.dtype.name,
            "white": self.white,
            "unit_rows": preparation.unit_rows,
            "provenance": self.provenance.tell(),
            "certificate": None if self.certificate is None else asdict(self.certificate),
        }
        metadata = {"version": __version__, **{key: json.dumps(value, sort_keys=True) for key, value in said.items()}}
        arrays = {"W": self.W, "b": self.b, "mean": preparation.mean}
        if preparation.scale is not None:
            arrays["scale"] = preparation.scale
        write(Path(path), MODEL, arrays, metadata)

    @classmethod
    def from_estimator(cls, estimator: Any) -> "Model":
        """The model of a fitted SoftmaxClassifier or LinearSVM, or of the best one that a search has refitted.

        Of two classes each gets half of the estimator's weights, with its sign. Raises IncompatibleError for another
        estimator, one that is not fitted, and labels that are neither texts nor numbers of up to 64 bits.
        """
        from linprobe.estimators import LinearSVM, SoftmaxClassifier

        best: Any = getattr(estimator, "best_estimator_", estimator)
        if not isinstance(best, SoftmaxClassifier | LinearSVM) or not hasattr(best, "coef_"):
            raise IncompatibleError(
                f"a model cannot be made of this {type(best).__name__}; give a SoftmaxClassifier or a LinearSVM that "
                "is fitted, or a search that has refitted one"
            )
        W, b, exact = best.coef_.T, best.intercept_, best.solver == "exact"
        if W.shape[1] == 1:
            W, b = np.hstack([-W / 2, W / 2]), np.concatenate([-b / 2, b / 2])
        scale = best._scale
        if scale is not None:  # as they were trained, for the penalty is on these
            W = np.divide(W, scale[:, None], out=np.zeros_like(W), where=scale[:, None] > 0)
        names = getattr(best, "feature_names_in_", None)
        classes, labels = _names(best.classes_)
        return cls(
            W,
            b,
            classes,
            best.preparation_ or Preparation(np.zeros(len(W), W.dtype), (len(W),), scale),
            Provenance(
                solver=best.solver,
                loss="softmax" if isinstance(best, SoftmaxClassifier) else best.loss,
                tol=float(best.tol) if exact else None,
                class_weight="balanced" if best.class_weight == "balanced" else None,
                iterations=best.n_iter_,
                intercept="none" if not best.fit_intercept else None if exact else "penalized",
                folds=getattr(estimator, "n_splits_", None),
                features=best.prepare,
                reg=float(best.reg_),
                version=__version__,
            ),
            Proven(best.objective_, best.gap_) if np.isfinite(best.gap_) else None,
            feature_names=None if names is None else tuple(map(str, names)),
            labels=labels,
        )

    def to_estimator(self) -> "SoftmaxClassifier | LinearSVM":
        """A fitted SoftmaxClassifier or LinearSVM with the same scores, for rows of features (n, D).

        The preparation becomes part of its weights and bias, but for rows that are divided by their length, which the
        estimator does then. Where it is fitted again, it prepares features as the model's training did. Raises
        IncompatibleError for a single class or a loss that is none of theirs.
        """
        from linprobe.estimators import LinearSVM, SoftmaxClassifier

        said = self.provenance
        prepare = "normalised" if self.preparation.unit_rows else said.features
        options: dict[str, Any] = {"reg": said.reg, "tol": said.tol}
        options["prepare"] = prepare if prepare in get_args(Features) else None
        options = {name: value for name, value in options.items() if value is not None}
        options |= {"class_weight": said.class_weight} if said.class_weight == "balanced" else {}
        options |= {"fit_intercept": said.intercept != "none"} | ({"solver": "sgd"} if said.solver == "sgd" else {})
        loss = self._loss()
        estimator = SoftmaxClassifier(**options) if loss == "softmax" else LinearSVM(**options, loss=loss)
        self._give(estimator, *((self.W, self.b) if self.preparation.unit_rows else self.linear()))
        estimator.preparation_ = self.preparation if self.preparation.unit_rows else None
        estimator._scale = None if self.preparation.unit_rows else self.preparation.scale
        if said.reg is not None:
            estimator.reg_ = said.reg
        if said.iterations is not None:
            estimator.n_iter_ = said.iterations
        if self.certificate is not None:
            estimator.objective_, estimator.gap_ = self.certificate.objective, self.certificate.gap
        return estimator

    def to_sklearn(self) -> "LogisticRegression | LinearSVC":
        """A fitted LogisticRegression or, of an SVM, LinearSVC of scikit-learn with the same scores, as `to_estimator`.

        Its C is scikit-learn's default: the model does not know the weight of its training examples.
        """
        from sklearn.linear_model import LogisticRegression
        from sklearn.svm import LinearSVC

        loss = self._loss()
        estimator = LogisticRegression() if loss == "softmax" else LinearSVC(loss=loss)
        self._give(estimator, *self.linear())
        iterations = self.provenance.iterations or 0
        estimator.n_iter_ = iterations if isinstance(estimator, LinearSVC) else np.array([iterations], np.int32)
        return estimator

    def _loss(self) -> Literal["softmax", "hinge", "squared_hinge"]:
        """The loss, which is one of an estimator's."""
        loss = self.provenance.loss
        if loss != "softmax" and loss != "hinge" and loss != "squared_hinge":
            raise IncompatibleError(
                f"a model trained with the loss {short(loss)} is none of the estimators; use its decision_function"
            )
        return loss

    def _give(self, estimator: Any, W: np.ndarray, b: np.ndarray) -> None:
        """Set what a fit would have set: classes, weights, bias, and what the features are called."""
        if len(self.classes) < 2:
            raise IncompatibleError("this model knows one class, an estimator at least two; use its decision_function")
        if len(self.classes) == 2:
            W, b = W[:, 1:] - W[:, :1], b[1:] - b[:1]
        estimator.classes_ = np.array(self.classes) if self.labels is None else self.labels
        estimator.coef_, estimator.intercept_, estimator.n_features_in_ = np.ascontiguousarray(W.T), b, len(W)
        if self.feature_names is not None:
            estimator.feature_names_in_ = np.array(self.feature_names, object)


def _names(classes: np.ndarray) -> tuple[tuple[str, ...], np.ndarray | None]:
    """The names of an estimator's classes (K,), and the classes themselves where those are no texts."""
    if all(isinstance(name, str) for name in classes.tolist()):
        return tuple(classes.tolist()), None
    if classes.dtype.kind not in "biuf" or classes.dtype.itemsize > 8:
        raise IncompatibleError(
            f"a model file has no room for labels of the type {classes.dtype}; train with texts, or with numbers"
        )
    return tuple(map(str, classes.tolist())), classes

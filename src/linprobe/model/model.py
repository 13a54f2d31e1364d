"""A trained head with its preparation: what predicts, and what a model file holds."""

import json
import math
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from scipy.special import softmax

from linprobe import __version__
from linprobe.core.losses import LOSSES
from linprobe.core.measure import highest
from linprobe.data.prepare import Preparation
from linprobe.errors import DataError, IncompatibleError, UnsafeFileError
from linprobe.model.files import Kind, damaged, read, short, warn_unchecked, write

MODEL = Kind(
    "linprobe-classifier-2",
    "linprobe-classifier-1",
    frozenset({"F32", "F64"}),
    "give a model file that linprobe wrote",
    "train the model again",
)

TEXTS = ("loss", "solver", "features", "data", "fingerprint", "version")  # of what is told about a model

# 224 x 224 x 3 pixels and 5,000 classes stay below it. A file can claim more than it takes on the disk.
MOST_BYTES = 2**32


@dataclass(frozen=True, eq=False)
class Classifier:
    """Weights W (D, K), bias b (K,), the classes' names and the preparation that the weights were trained behind.

    about is what else the model file tells: loss, reg, learning_rate, data fingerprint, version.
    """

    W: np.ndarray
    b: np.ndarray
    classes: tuple[str, ...]
    preparation: Preparation
    about: Mapping[str, Any] = field(default_factory=dict)

    def decision_function(self, X: np.ndarray, dtype: np.typing.DTypeLike = np.float32) -> np.ndarray:
        """Scores (n, K) of examples as the source gave them, X (n, *shape).

        Summed in `dtype`, or in float64 where that is too narrow for them. Raises DataError where float64 is, too.
        """
        with np.errstate(over="ignore", invalid="ignore"):
            scores = self.preparation.apply(X, dtype) @ self.W + self.b
        if np.isfinite(scores).all():
            return scores
        if np.dtype(dtype) != np.float64:
            return self.decision_function(X, np.float64)
        raise DataError(
            "the model's weights give scores beyond what float64 can hold; train it again, on smaller features"
        )

    def predict(self, X: np.ndarray) -> np.ndarray:
        """The class with the highest score for each example of X (n, *shape) -> labels (n,) int."""
        return self.decide(self.decision_function(X))

    def decide(self, scores: np.ndarray) -> np.ndarray:
        """The class with the highest score, the first of equals: scores (n, K) -> labels (n,) int."""
        return highest(scores[:, :, None])[:, 0]

    @property
    def probabilistic(self) -> bool:
        """Whether its scores are log-probabilities but for a constant: those of softmax are, an SVM's are not."""
        loss = LOSSES.get(str(self.about.get("loss")))
        return loss is not None and loss.probabilities

    def probabilities(self, scores: np.ndarray) -> np.ndarray:
        """The probability of every class: scores (n, K) -> (n, K) float64. Raises IncompatibleError for an SVM."""
        if not self.probabilistic:
            raise IncompatibleError(
                f"a model trained with the loss {short(self.about.get('loss'))} has scores but no probabilities; "
                "train one with softmax, or read its scores"
            )
        # The largest numbers may be a model's, too, and one score further below the highest than float64 reaches.
        with np.errstate(over="ignore", invalid="ignore"):
            return softmax(scores.astype(np.float64), axis=1)

    @property
    def white(self) -> float:
        """The value that a white pixel had in the pictures it was trained on."""
        return float(self.about.get("white", 255))

    @property
    def unlearned(self) -> list[str]:
        """The classes of which no example was among those that it was trained on."""
        told = self.about.get("absent")
        return [name for name in self.classes if name in told] if isinstance(told, list) else []

    @property
    def templates(self) -> np.ndarray:
        """The weights as pictures (K, height, width, channels), without the bias."""
        return self.W.T.reshape(len(self.classes), *self.preparation.shape)

    def save(self, path: Path) -> None:
        """Write a safetensors file with the metadata as JSON; it appears whole or not at all.

        The same model gives the same bytes, under a checksum that `load` compares.
        """
        metadata = {
            "version": __version__,
            "classes": json.dumps(self.classes),
            "shape": json.dumps(self.preparation.shape),
            "unit_rows": json.dumps(self.preparation.unit_rows),
            "about": json.dumps(dict(self.about), sort_keys=True),
        }
        write(path, MODEL, {"W": self.W, "b": self.b, "mean": self.preparation.mean}, metadata)


def load(path: Path | str) -> Classifier:
    """Read a model file; nothing in it can run.

    Raises DataError for a file that is not one of ours, or not as it was written; of one that an older linprobe wrote,
    without a checksum, an UncheckedFileWarning says that damage may go unnoticed.
    """
    path = Path(path)
    metadata, tensors = _read(path)
    classes, shape, about = (_json(path, metadata, key) for key in ("classes", "shape", "about"))
    if not (isinstance(classes, list) and classes and all(isinstance(name, str) for name in classes)):
        raise damaged(path, MODEL, "classes is not a list of names")
    if not (
        isinstance(shape, list)
        and len(shape) in (1, 3)
        and all(type(size) is int and 0 < size < 2**32 for size in shape)
    ):
        raise damaged(path, MODEL, "shape is not that of an image or of a row of features")
    unit_rows = "unit_rows" in metadata and _json(path, metadata, "unit_rows")
    if not isinstance(unit_rows, bool):
        raise damaged(path, MODEL, "unit_rows is neither true nor false")
    if not isinstance(about, dict):
        raise damaged(path, MODEL, "about is not a table")
    white = about.get("white", 255)
    if not (type(white) in (int, float) and 0 < white <= sys.float_info.max):
        raise damaged(path, MODEL, "white is not the value of a pixel")
    for name in TEXTS:
        if not isinstance(about.get(name), str | None):
            raise damaged(path, MODEL, f"{name} is not a text")
    features = math.prod(shape)
    expected = {"W": (features, len(classes)), "b": (len(classes),), "mean": (features,)}
    for name, array in tensors.items():
        if array.shape != expected[name]:
            finding = f"{name} has the shape {short(array.shape)}, classes and shape ask for {expected[name]}"
            raise damaged(path, MODEL, finding)
        if not np.isfinite(array).all():
            raise damaged(path, MODEL, f"{name} holds values that are not finite")
    warn_unchecked(path, MODEL, metadata)
    preparation = Preparation(tensors["mean"], tuple(shape), unit_rows=unit_rows)
    return Classifier(tensors["W"], tensors["b"], tuple(classes), preparation, about)


def _read(path: Path) -> tuple[dict[str, str], dict[str, np.ndarray]]:
    """The metadata and the three arrays, float32 or float64, of whatever shape the file gives them."""
    try:
        if not path.is_file():
            finding = "is not a file" if path.exists() else "does not exist"
            raise DataError(f"{path}: {finding}; give a model file that linprobe wrote, such as RUN/model.safetensors")
        size = path.stat().st_size
    except OSError as error:
        raise DataError(f"{path}: is not a readable file ({short(error)}); {MODEL.give}") from error
    if size > MOST_BYTES:
        raise UnsafeFileError(f"{path}: has {size:,} bytes, a model at most {MOST_BYTES:,}; {MODEL.give}")
    return read(path, MODEL, ("W", "b", "mean"))


def _json(path: Path, metadata: Mapping[str, str], key: str) -> Any:
    try:
        return json.loads(metadata[key])
    except KeyError as error:
        raise damaged(path, MODEL, f"its metadata lacks {key}") from error
    except (ValueError, RecursionError) as error:
        raise damaged(path, MODEL, f"{key} is not JSON ({short(error)})") from error

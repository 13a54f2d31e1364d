"""What a classifier says about a file: a picture, or an array of examples."""

import os
import tokenize
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from linprobe.core.backend import Array, row_chunks
from linprobe.core.finite import first_not_finite
from linprobe.data.pictures import FORMAT_NAMES, MOST_BYTES
from linprobe.data.prepare import times
from linprobe.data.reading import readable, require_file, show
from linprobe.data.sight import see
from linprobe.errors import DataError
from linprobe.model import Model

__all__ = ["Prediction", "Ranked", "examples", "files_of", "is_array", "predict_file", "rank", "scored"]

ARRAY = b"\x93NUMPY"  # how a .npy file begins
PICTURES = (".png", ".jpg", ".jpeg", ".webp")  # what is picked out of a folder; a file may have any name
CHUNK_ELEMENTS = 2**22
MOST = float(np.finfo(np.float64).max)

# What NumPy raises on damaged .npy files, whose header is a Python literal.
_BROKEN = (
    *(OSError, ValueError, TypeError, KeyError, SyntaxError, EOFError, OverflowError, RecursionError, MemoryError),
    tokenize.TokenError,
)


@dataclass(frozen=True)
class Ranked:
    """A class with its score, and its probability where the classifier has probabilities."""

    name: str
    score: float
    probability: float | None


@dataclass(frozen=True)
class Prediction:
    """The classes with the highest scores, highest first, and by how much the first leads the second, if there is one.

    row: which example of an array it is about; None for a picture and for an array that is a single example.
    """

    row: int | None
    top: tuple[Ranked, ...]
    margin: float | None


def predict_file(classifier: Model, path: Path, *, top: int = 5, invert: bool = False) -> list[Prediction]:
    """Predict a PNG, JPEG or WebP picture, as `linprobe.data.sight` sees it, or a .npy array (n, *shape) or of one.

    Arrays are taken as the source gave them to training, in its units. top: how many classes to name; invert: light for
    dark, of pictures and of arrays. Scores are summed in float64. Raises DataError, of one line naming the file, for
    what cannot be read, has another shape or is not finite.
    """
    rows, single = examples(classifier, path)
    scores = np.concatenate([part for _, part in scored(classifier, rows, str(path), invert=invert, single=single)])
    ranked = enumerate(rank(classifier, scores, top))
    return [Prediction(None if single else row, *prediction) for row, prediction in ranked]


def scored(
    classifier: Model, X: Array, place: str, *, invert: bool = False, single: bool = False, white: float | None = None
) -> Iterator[tuple[slice, np.ndarray]]:
    """The scores (m, K) float64 of examples X (n, *shape), chunk by chunk, each with the rows that it is about.

    X: an array or Rows, which may lie in a file, n of any size; place, single: as errors name them; white: the value
    that white has in X, where that is not the one of training. Raises DataError for what is not finite.
    """
    size = max(1, CHUNK_ELEMENTS // max(classifier.W.shape))
    for rows in row_chunks(X.shape[0], size):
        part = np.asarray(X[rows])
        _check_finite(part, place, rows, single)
        if white is not None and white != classifier.white:
            part = part.astype(np.float64) * (classifier.white / white)
        if invert:
            part = classifier.white - part.astype(np.float64)
        try:
            yield rows, classifier.decision_function(part, np.float64)
        except DataError as error:
            raise DataError(f"{place}: {error}") from error


def files_of(classifier: Model, path: Path) -> list[Path]:
    """The files that a path stands for: itself or, of a folder, all in it and in its folders that the model can take.

    Those are pictures for a model of pictures, else .npy arrays; hidden files are left out. Raises DataError for a
    folder that has none, or that cannot be read.
    """
    with readable(path):
        if not path.is_dir():
            return [path]
        shape = classifier.preparation.shape
        endings = PICTURES if len(shape) == 3 and shape[2] in (1, 3) else (".npy",)
        found: list[Path] = []
        for folder, folders, names in os.walk(path, onerror=_raise):
            folders[:] = sorted(name for name in folders if not name.startswith("."))
            wanted = sorted(name for name in names if name.lower().endswith(endings) and not name.startswith("."))
            found += [Path(folder, name) for name in wanted]
    if not found:
        what = f"{FORMAT_NAMES} pictures" if endings is PICTURES else ".npy arrays"
        raise DataError(f"{path}: this folder has no {what}; give one that has some, or a file")
    return found


def _raise(error: OSError) -> None:
    raise error


def examples(classifier: Model, path: Path) -> tuple[np.ndarray, bool]:
    """The examples of a file (n, *shape), and whether it is a picture or an array that is itself a single example."""
    shape = classifier.preparation.shape
    if is_array(path):
        return _open_array(path, shape)
    if len(shape) != 3 or shape[2] not in (1, 3):
        raise DataError(
            f"{path}: is not a .npy array, and this model takes only those: it was trained on examples of the shape "
            f"{times(shape)}, not on pictures with 1 or 3 channels; save them with numpy.save"
        )
    require_file(path, MOST_BYTES, f"give a {FORMAT_NAMES} picture, or a .npy array")
    with readable(path):
        encoded = path.read_bytes()
    return see(encoded, shape, classifier.white, str(path))[None], True


def is_array(path: Path) -> bool:
    """Whether a file begins as .npy arrays do. Raises DataError for what is not a file."""
    with readable(path):
        if not path.is_file():
            finding = "is not a file" if path.exists() else "does not exist"
            raise DataError(f"{path}: {finding}; give a {FORMAT_NAMES} picture, or a .npy array")
        with path.open("rb") as file:
            return file.read(len(ARRAY)) == ARRAY


def _open_array(path: Path, shape: tuple[int, ...]) -> tuple[np.ndarray, bool]:
    """The rows of a .npy file, read from the disk as they are used."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            array = np.load(path, mmap_mode="r")
    except _BROKEN as error:
        finding = f"is not a readable .npy array ({show(str(error))})"
        raise DataError(f"{path}: {finding}; save it with numpy.save") from error
    if array.dtype.kind not in "uif":
        raise DataError(f"{path}: holds {show(str(array.dtype))}, integers or floats are expected; convert them first")
    if array.shape == shape:
        return array[None], True
    if array.shape[1:] != shape or len(array) == 0:
        raise DataError(
            f"{path}: has the shape {times(array.shape)}, this model was trained on {times(shape)}; give it one such "
            "example, or n of them along a first axis"
        )
    return array, False


def _check_finite(part: np.ndarray, path: str, rows: slice, single: bool) -> None:
    # As float32, which is what examples are: a larger value is none that a model was trained on.
    with np.errstate(over="ignore"):
        found = first_not_finite(part.reshape(len(part), -1).astype(np.float32))
    if found is not None:
        place = "" if single else f" of row {rows.start + found[0]:,}"
        raise DataError(
            f"{path}: feature {found[1]:,}{place} is not a finite float32 number; replace it or leave it out"
        )


def rank(classifier: Model, scores: np.ndarray, top: int) -> Iterator[tuple[tuple[Ranked, ...], float | None]]:
    """For each row of scores (n, K) its first classes, at most `top`, and its margin."""
    probabilities = classifier.probabilities(scores) if classifier.probabilistic else None
    # Stable, so that of equal scores the first class comes first, as in Model.decide.
    order = np.argsort(-scores, axis=1, kind="stable")[:, : max(top, 2)]
    for row, (classes, values) in enumerate(zip(order, scores, strict=True)):
        ranked = tuple(
            Ranked(
                classifier.classes[k], float(values[k]), None if probabilities is None else float(probabilities[row, k])
            )
            for k in classes[:top]
        )
        # Half of each, so that what leads by more than float64 can hold leads by the most that it can.
        lead = min(values[classes[0]] / 2 - values[classes[1]] / 2, MOST / 2) * 2 if len(classes) > 1 else None
        yield ranked, None if lead is None else float(lead)

"""The model as the page computes with it, and a few of its mistakes to try it on."""

import base64
import json
import math
from typing import TypedDict

import numpy as np

from linprobe.report.page.names import class_names, isolated
from linprobe.report.run import Run

__all__ = ["NoPageModel", "PageModel", "PageSamples", "model_of"]

SAMPLES = 8
REST = 300  # bytes, about, of the keys and the small values


class PageSamples(TypedDict):
    """Mistakes to try the model on: pixels, bytes (m, *shape) in base64 as the source gave them, and both classes."""

    pixels: str
    labels: list[int]
    predicted: list[int]


class PageModel(TypedDict):
    """The model as the page's script reads it: names as the page shows them.

    W (D, K), b and mean: little-endian float32 in base64.
    """

    classes: list[str]
    shape: tuple[int, ...]
    white: float
    unitRows: bool
    probabilistic: bool
    W: str
    b: str
    mean: str
    samples: PageSamples


class NoPageModel(TypedDict):
    """Why the page has no model, in a sentence."""

    absent: str


def model_of(run: Run, room: int) -> PageModel | NoPageModel:
    """The run's model, in at most `room` bytes of JSON; or why it is absent.

    Where there is little room, samples are left out; the model is absent where no picture fits it, or it does not fit
    into the room.
    """
    classifier, preparation = run.classifier, run.classifier.preparation
    shape, names = preparation.shape, [isolated(name) for name in class_names(classifier.classes)]
    if len(shape) != 3 or shape[2] not in (1, 3):
        kind = " x ".join(map(str, shape))
        return {"absent": f"This model takes examples of {kind} numbers, not pictures with 1 or 3 channels."}
    arrays = {"W": classifier.weights, "b": classifier.b, "mean": preparation.mean}
    floats = {name: np.ascontiguousarray(array, "<f4") for name, array in arrays.items()}
    size = sum(map(_encoded_size, floats.values())) + _names_size(names) + REST
    if size > room:
        return {
            "absent": f"This page has no room for the model: {len(names):,} classes with {math.prod(shape):,} weights "
            f"each would take {size / 1e6:.1f} MB."
        }
    return {
        "classes": names,
        "shape": shape,
        "white": classifier.white,
        "unitRows": preparation.unit_rows,
        "probabilistic": classifier.probabilistic,
        "W": _base64(floats["W"]),
        "b": _base64(floats["b"]),
        "mean": _base64(floats["mean"]),
        "samples": _samples(run, room - size),
    }


def _samples(run: Run, room: int) -> PageSamples:
    """The surest mistakes on test, as many as there is room for."""
    mistakes = run.evidence.mistakes
    count = 0
    if mistakes.X.dtype == np.uint8 and len(mistakes.X):
        count = min(SAMPLES, len(mistakes.X), room // (_encoded_size(mistakes.X[:1]) + 20))
    return {
        "pixels": _base64(mistakes.X[:count]),
        "labels": mistakes.labels[:count].tolist(),
        "predicted": mistakes.predicted[:count].tolist(),
    }


def _names_size(names: list[str]) -> int:
    """Bytes of the names as the page's JSON has them, in which <, > and & take six."""
    text = json.dumps(names)
    return len(text) + 5 * sum(map(text.count, "<>&"))


def _encoded_size(array: np.ndarray) -> int:
    return 4 * math.ceil(array.nbytes / 3)


def _base64(array: np.ndarray) -> str:
    return base64.b64encode(array.tobytes()).decode()

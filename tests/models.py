"""A small model made at will, and what makes two of them the same."""

import json
from dataclasses import replace

import numpy as np
from safetensors.numpy import save_file

from linprobe.data.prepare import Preparation
from linprobe.model import Model, Provenance
from linprobe.model.files import write
from linprobe.model.model import MODEL

SHAPE = (4, 3, 2)
CLASSES = ("cat", "dog", "owl")


def images(n, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (n, *SHAPE), dtype=np.uint8)


def make_classifier(classes=CLASSES, shape=SHAPE, dtype=np.float32, seed=0, **about):
    rng = np.random.default_rng(seed)
    features = int(np.prod(shape))
    W = rng.normal(size=(features, len(classes))).astype(dtype)
    b = (100 * rng.normal(size=len(classes))).astype(dtype)
    mean = rng.uniform(0, 255, features).astype(np.float32)
    white = about.pop("white", 255.0)
    return Model(W, b, tuple(classes), Preparation(mean, shape), Provenance.read(about), white=white)


def assert_same(one, other):
    arrays = [
        (model.W, model.b, model.preparation.mean, model.preparation.scale, model.labels) for model in (one, other)
    ]
    for a, b in zip(*arrays, strict=True):
        assert (a is None) == (b is None)
        assert a is None or (a.dtype, a.shape, a.tobytes()) == (b.dtype, b.shape, b.tobytes())
    for name in ("classes", "provenance", "certificate", "white", "feature_names"):
        assert getattr(one, name) == getattr(other, name)
    for name in ("shape", "unit_rows", "dtype"):
        assert getattr(one.preparation, name) == getattr(other.preparation, name)


def told_before(model):
    """The metadata of the first two formats, which had no room for a scale, and the arrays."""
    about = model.provenance.tell() | {"white": model.white}
    said = {"classes": model.classes, "shape": model.preparation.shape, "unit_rows": model.preparation.unit_rows}
    metadata = {"version": "0.1.0", **{key: json.dumps(value) for key, value in (said | {"about": about}).items()}}
    return metadata, {"W": model.weights, "b": model.b, "mean": model.preparation.mean}


def save_first(model, path):
    """Write a file of the format from before there were checksums."""
    metadata, arrays = told_before(model)
    save_file(arrays, path, metadata | {"format": "linprobe-classifier-1"})


def save_second(model, path):
    """Write a file of the format from before there was room for a scale."""
    metadata, arrays = told_before(model)
    write(path, replace(MODEL, format="linprobe-classifier-2"), arrays, metadata)

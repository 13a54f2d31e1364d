"""A small model made at will, and what makes two of them the same."""

import numpy as np

from linprobe.data.prepare import Preparation
from linprobe.model.model import Classifier

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
    return Classifier(W, b, tuple(classes), Preparation(mean, shape), about)


def assert_same(one, other):
    for a, b in ((one.W, other.W), (one.b, other.b), (one.preparation.mean, other.preparation.mean)):
        assert (a.dtype, a.shape, a.tobytes()) == (b.dtype, b.shape, b.tobytes())
    assert one.classes == other.classes
    assert one.preparation.shape == other.preparation.shape
    assert dict(one.about) == dict(other.about)

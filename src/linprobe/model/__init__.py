"""What is kept of a training: the model, its file, and what one look at the test split leaves."""

import warnings
from typing import Any

from linprobe.model.model import Model
from linprobe.model.provenance import Proven, Provenance
from linprobe.model.reading import load

__all__ = ["Model", "Proven", "Provenance", "load"]


def __getattr__(name: str) -> Any:
    if name != "Classifier":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    message = "linprobe.Classifier is now linprobe.Model; the old name goes in the next version"
    warnings.warn(message, DeprecationWarning, stacklevel=2)
    return Model

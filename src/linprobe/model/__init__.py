"""What is kept of a training: the model, its file, and what one look at the test split leaves."""

from typing import Any

from linprobe._moved import warn_of_old_name
from linprobe.model.model import Model
from linprobe.model.provenance import Proven, Provenance
from linprobe.model.reading import load

__all__ = ["Model", "Proven", "Provenance", "load"]


def __getattr__(name: str) -> Any:
    if name != "Classifier":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    warn_of_old_name("linprobe.Classifier", "linprobe.Model")
    return Model

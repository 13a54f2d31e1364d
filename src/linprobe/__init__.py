"""Train, tune, certify and look at linear classifiers: the whole grid at once."""

import importlib
import sys
from typing import TYPE_CHECKING, Any

from linprobe._moved import OldNames, warn_of_old_name

if TYPE_CHECKING:
    from linprobe.data.dataset import Dataset, Examples, Splits
    from linprobe.data.formats import open_dataset
    from linprobe.estimators import LinearSVM, SoftmaxClassifier
    from linprobe.estimators.probe_search import ProbeSearch
    from linprobe.learn.checker import check_loss
    from linprobe.model import Model, Proven, Provenance, load
    from linprobe.report.saving import save_run

__version__ = "0.1.0"
__all__ = [
    "Dataset",
    "Examples",
    "LinearSVM",
    "Model",
    "ProbeSearch",
    "Proven",
    "Provenance",
    "SoftmaxClassifier",
    "Splits",
    "__version__",
    "check_loss",
    "load",
    "open_dataset",
    "save_run",
]

_PLACES = {
    "Dataset": "linprobe.data.dataset",
    "Examples": "linprobe.data.dataset",
    "LinearSVM": "linprobe.estimators",
    "Model": "linprobe.model",
    "ProbeSearch": "linprobe.estimators.probe_search",
    "Proven": "linprobe.model",
    "Provenance": "linprobe.model",
    "SoftmaxClassifier": "linprobe.estimators",
    "Splits": "linprobe.data.dataset",
    "check_loss": "linprobe.learn.checker",
    "load": "linprobe.model",
    "open_dataset": "linprobe.data.formats",
    "save_run": "linprobe.report.saving",
}

sys.meta_path.insert(0, OldNames())


def __getattr__(name: str) -> Any:
    # Names are imported when they are first asked for: `import linprobe` costs nothing, whatever they bring with them.
    if name == "Classifier":
        warn_of_old_name("linprobe.Classifier", "linprobe.Model")
        name = "Model"
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(_PLACES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)

"""scikit-learn: a fitted LogisticRegression or LinearSVC in a skops file, which runs no code when it is loaded."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from linprobe.data.prepare import Preparation
from linprobe.errors import require
from linprobe.model.export.tensors import Tensor

if TYPE_CHECKING:
    from linprobe.model.model import Model

__all__ = ["write_skops"]


def write_skops(model: "Model", path: Path) -> tuple[list[Tensor], list[Tensor]]:
    """Write the estimator, behind steps that divide rows by their length where the model does; gives in- and outputs.

    Raises IncompatibleError for a single class or a loss that is none of theirs, MissingDependencyError without skops.
    """
    io = require("skops.io", "skops")
    estimator = _pipeline(model) if model.preparation.unit_rows else model.to_sklearn()
    path.write_bytes(io.dumps(estimator))
    (D, K), labels = model.W.shape, model.labels
    outputs = [Tensor("predict", "string" if labels is None else labels.dtype.name, ("n",))]
    outputs += [Tensor("predict_proba", "float64", ("n", K))] if model.probabilistic else []
    scores = Tensor("decision_function", "float64", ("n",) if K == 2 else ("n", K))
    return [Tensor("X", "float64", ("n", D))], [*outputs, scores]


def _pipeline(model: "Model") -> Any:
    """The mean subtracted, each row divided by its length, and the estimator of what is left."""
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import Normalizer, StandardScaler

    mean = model.preparation.mean.astype(np.float64)
    centre: Any = StandardScaler(with_std=False).fit(mean[None])
    if model.feature_names is not None:
        centre.feature_names_in_ = np.array(model.feature_names, object)
    # What comes behind the first step has no names any more.
    rest = replace(model, preparation=Preparation(np.zeros_like(mean), mean.shape), feature_names=None)
    return make_pipeline(centre, Normalizer(), rest.to_sklearn())

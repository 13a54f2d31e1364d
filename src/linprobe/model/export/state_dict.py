"""PyTorch: weight (K, D) and bias (K,) of a torch.nn.Linear, with the preparation folded in."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from linprobe.data.formats.torch_files import write_tensors
from linprobe.model.export.tensors import Tensor

if TYPE_CHECKING:
    from linprobe.model.model import Model

__all__ = ["write_state_dict"]


def write_state_dict(model: "Model", path: Path) -> tuple[list[Tensor], list[Tensor]]:
    """Write the tensors, of the type of the model's own weights; gives what that layer takes and returns.

    Raises IncompatibleError for rows that are divided by their length, MissingDependencyError without torch.
    """
    dtype = np.dtype(np.float64 if model.W.dtype == np.float64 else np.float32)
    W, b = (part.astype(dtype) for part in model.linear())
    write_tensors(path, {"weight": np.ascontiguousarray(W.T), "bias": b})
    return [Tensor("", dtype.name, ("n", len(W)))], [Tensor("", dtype.name, ("n", len(b)))]

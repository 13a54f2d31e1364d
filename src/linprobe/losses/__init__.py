"""Losses: functions of the scores and the labels; they know nothing of features, weights or the penalty.

Each takes scores (n, K, H), which it overwrites, and labels (n,), integers in [0, K), and gives the losses (n, H) and
their slope in the scores (n, K, H), which is the memory of the scores. NumPy arrays and torch tensors alike.
"""

from collections.abc import Callable

from linprobe.arrays import Array
from linprobe.errors import UsageError
from linprobe.losses.hinge import hinge
from linprobe.losses.softmax import softmax
from linprobe.losses.squared_hinge import squared_hinge

__all__ = ["LOSSES", "Loss", "find_loss", "hinge", "softmax", "squared_hinge"]

Loss = Callable[[Array, Array], tuple[Array, Array]]

LOSSES: dict[str, Loss] = {"softmax": softmax, "hinge": hinge, "squared_hinge": squared_hinge}


def find_loss(loss: str | Loss) -> Loss:
    """The loss function of a name; a function is handed back as it is.

    Raises UsageError for a name that LOSSES does not have.
    """
    if not isinstance(loss, str):
        return loss
    if loss not in LOSSES:
        raise UsageError(f"loss {loss!r} is unknown; use one of: {', '.join(LOSSES)}")
    return LOSSES[loss]

"""What a stack is trained with: the settings of each head, and what all heads share."""

import math
import reprlib
from dataclasses import KW_ONLY, dataclass
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from linprobe.core.backend import Array, namespace
from linprobe.core.sgd.feed import Streamed
from linprobe.errors import IncompatibleError, UsageError

__all__ = ["Data", "Heads", "Training", "check_seed"]

Schedule = Literal["constant", "cosine", "step"]


def check_seed(seed: int) -> None:
    """Raise UsageError for a seed that the draws, or a model's file, have no room for."""
    if not 0 <= seed < 2**63:
        raise UsageError(f"the seed is {reprlib.repr(seed)}; give a whole number from 0 to {2**63 - 1}")


@dataclass(frozen=True, eq=False)
class Data:
    """What a stack is trained on: X (n, D) float32 or float64, y (n,) int in [0, classes), on one device.

    X may be a `Streamed`, whose rows are read window by window and its batches drawn in blocks: see `BlockBatches`.
    weight (n,) float64 >= 0: how often each example's loss counts, in units of the mean weight. Raises UsageError for
    what cannot be trained on.
    """

    X: Array
    y: Array
    classes: int
    weight: np.ndarray | None = None

    def __post_init__(self) -> None:
        X, y = self.X, self.y
        xp = namespace(y if isinstance(X, Streamed) else X)
        if len(X.shape) != 2 or not X.shape[0] or X.dtype not in (xp.float32, xp.float64):
            raise UsageError(
                f"X must be a matrix of float32 or float64 with at least one row, not {X.dtype} {tuple(X.shape)}"
            )
        if tuple(y.shape) != (X.shape[0],):
            raise UsageError(f"y must hold one label for each of the {X.shape[0]:,} rows of X, not {tuple(y.shape)}")
        lowest, highest = int(y.min()), int(y.max())
        if lowest < 0 or highest >= self.classes:
            raise UsageError(f"labels must lie in 0..{self.classes - 1}; found {lowest}..{highest}")


@dataclass(frozen=True, eq=False, kw_only=True)
class Heads:
    """The settings of a stack, one entry per head: arrays (H,).

    learning_rate, reg, momentum float64. batch_size int: the head learns from so many of the examples that are drawn
    for the largest. seed int, of the head's initial weights.
    """

    learning_rate: np.ndarray
    reg: np.ndarray
    seed: np.ndarray
    momentum: np.ndarray
    batch_size: np.ndarray

    @classmethod
    def of(
        cls,
        learning_rate: npt.ArrayLike,
        reg: npt.ArrayLike,
        *,
        seed: npt.ArrayLike = 0,
        momentum: npt.ArrayLike = 0.0,
        batch_size: npt.ArrayLike = 200,
    ) -> "Heads":
        """Heads from arrays (H,) and from single numbers, which stand for all heads."""
        settings = {
            "learning_rate": np.asarray(learning_rate, float),
            "reg": np.asarray(reg, float),
            "seed": np.asarray(seed, int),
            "momentum": np.asarray(momentum, float),
            "batch_size": np.asarray(batch_size, int),
        }
        arrays = np.broadcast_arrays(*(np.atleast_1d(values) for values in settings.values()))
        return cls(**{name: array.copy() for name, array in zip(settings, arrays, strict=True)})

    def __len__(self) -> int:
        return len(self.learning_rate)

    def take(self, which: slice | np.ndarray) -> "Heads":
        """The settings of some of the heads."""
        return Heads(**{name: values[which] for name, values in vars(self).items()})


@dataclass(frozen=True)
class Training:
    """What all heads of a stack share.

    iterations: steps of SGD; epochs instead: passes through the data, drawn without replacement. schedule of the
    learning rate: "constant"; "cosine", down to 0, which the step after the last would have; "step", a tenth from half
    the way on and a hundredth from three quarters. warmup: iterations in which the learning rate rises to its value in
    equal steps; the schedule has the rest. nesterov: momentum looks ahead. average: the weights are the mean over this
    last part of the iterations (0: the last ones; Polyak and Juditsky, 1992). patience: a head stops after this many
    validations in a row that were no better, and keeps its best weights (None: never). seed: of the draws. intercept:
    "penalized" like the weights, as a column of ones is, or "none". Raises UsageError for values that make no sense,
    IncompatibleError for patience with average.
    """

    loss: str = "softmax"
    iterations: int = 1500
    _: KW_ONLY
    epochs: float | None = None
    schedule: Schedule = "constant"
    warmup: int = 0
    nesterov: bool = False
    average: float = 0.0
    patience: int | None = None
    seed: int = 0
    intercept: Literal["penalized", "none"] = "penalized"

    def __post_init__(self) -> None:
        check_seed(self.seed)
        if self.iterations < 1:
            raise UsageError(f"iterations {self.iterations}: give an integer, 1 or more")
        if self.epochs is not None and not (0 < self.epochs < math.inf):
            raise UsageError(f"epochs {self.epochs:g}: give a number above 0")
        if self.schedule not in (known := get_args(Schedule)):
            raise UsageError(f"the schedule {self.schedule!r} is unknown; use one of: {', '.join(known)}")
        if self.warmup < 0:
            raise UsageError(f"warmup {self.warmup}: give an integer, 0 or more")
        if not 0 <= self.average < 1:
            raise UsageError(f"average {self.average:g}: give a share of the iterations, 0 or more and below 1")
        if self.patience is not None and self.patience < 1:
            raise UsageError(f"patience {self.patience}: give an integer, 1 or more")
        if self.patience is not None and self.average:
            raise IncompatibleError(
                "patience keeps the best weights, average the mean of the last; ask for one of them"
            )

    def steps(self, examples: int, batch_size: int) -> int:
        """The number of steps on so many examples."""
        if self.epochs is None:
            return self.iterations
        # 1.1 passes through 100 examples by 10 are 11 steps, and in floating point 11.000000000000002.
        return max(1, math.ceil(self.epochs * examples / batch_size * (1 - 1e-12)))

    def rate(self, step: int, steps: int) -> float:
        """What the learning rates are multiplied by at a step, counted from 0."""
        if step < self.warmup:
            return (step + 1) / self.warmup
        done = (step - self.warmup) / max(1, steps - self.warmup)
        if self.schedule == "cosine":
            return 0.5 * (1 + math.cos(math.pi * done))
        if self.schedule == "step":
            return 1.0 if done < 0.5 else 0.1 if done < 0.75 else 0.01
        return 1.0

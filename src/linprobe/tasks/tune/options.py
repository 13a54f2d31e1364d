"""What may be chosen in tuning, refused before any work where it makes no sense."""

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from linprobe.compare.settings import Axis
from linprobe.core.losses import find_loss, smooth_loss
from linprobe.core.metrics import find_metric
from linprobe.core.sgd.settings import check_seed
from linprobe.data.dataset import Dataset
from linprobe.data.prepare import Features
from linprobe.data.weights import ClassWeight
from linprobe.errors import IncompatibleError, UsageError

__all__ = ["TOLERANCE", "Options", "Solver", "values_of"]

Solver = Literal["exact", "sgd"]
Precision = Literal["auto", "float64", "float32", "bfloat16"]

TOLERANCE = 1e-6


@dataclass(frozen=True)
class Options:
    """solver: "exact", the proven optimum for each value of reg, or "sgd", Engine 1 on a grid of learning rates x regs.

    None: values that fit the data. folds: choose by cross-validation in so many parts, not on a validation split;
    train is then the number of examples that are split into folds. metric: what decides, on what was not trained
    on. tol: the gap to prove, as a share of the objective. precision: of the exact solver's products; that of SGD's
    is one of the resources. train, val, test: examples; else for validation and for test the source's own splits or
    a tenth each, and the rest to train on. Raises UsageError for what makes no sense, IncompatibleError for what
    makes none together.
    """

    solver: Solver = "exact"
    loss: str = "softmax"
    regs: Axis | np.ndarray | None = None
    learning_rates: Axis | np.ndarray | None = None
    folds: int | None = None
    tol: float | None = None
    precision: Precision = "auto"
    features: Features = "centred"
    seed: int = 0
    train: int | None = None
    val: int | None = None
    test: int | None = None
    metric: str = "accuracy"
    class_weight: ClassWeight | None = None

    def __post_init__(self) -> None:
        find_loss(self.loss)
        find_metric(self.metric, self.loss)
        check_seed(self.seed)
        if self.solver not in ("exact", "sgd"):
            raise UsageError(f"--solver {self.solver}: is unknown; use exact or sgd")
        if self.precision not in get_args(Precision):
            words = ", ".join(get_args(Precision))
            raise UsageError(f"--precision {self.precision}: is unknown; use {words}")
        if self.class_weight not in (None, "balanced"):
            raise UsageError(f"--class-weight {self.class_weight}: is unknown; use balanced, or leave it out")
        if self.solver == "exact":
            self._check_exact()
        else:
            self._check_sgd()
        if self.folds is not None and self.val is not None:
            raise IncompatibleError(
                "--folds and --val-size: choose by cross-validation or on a split; give one of them"
            )
        if self.folds is not None and self.folds < 2:
            raise UsageError(f"--folds {self.folds}: one part is held out of all; give 2 or more")

    def _check_exact(self) -> None:
        smooth_loss(self.loss)
        if self.precision == "bfloat16":
            raise IncompatibleError("--precision bfloat16: the exact solver has float32 and float64; give one of them")
        if self.learning_rates is not None:
            raise IncompatibleError("--learning-rate: the exact solver has none; leave it out, or use --solver sgd")
        if self.tol is not None and not 0 < self.tol < 1:
            raise UsageError(f"--tol {self.tol:g}: is a share of the objective; give a number between 0 and 1")
        regs = values_of(self.regs)
        if regs is None:
            return
        if not len(regs) or not np.isfinite(regs).all() or (regs < 0).any():
            raise UsageError("--reg: its values must be finite and above 0; write LO:HI:COUNT:log or a list")
        if (regs == 0).any():
            raise UsageError(
                "--reg 0: without a penalty there may be no optimum, and nothing can be proven about one; give a small "
                "reg, such as 1e-6 times the features' mean variance, or use --solver sgd"
            )

    def _check_sgd(self) -> None:
        if self.tol is not None:
            raise IncompatibleError("--tol: is for the exact solver; leave it out, or use --solver exact")
        if self.precision == "float64":
            raise IncompatibleError("--precision float64: SGD has float32 and bfloat16; or use --solver exact")

    def sizes(self, dataset: Dataset) -> dict[str, int | None]:
        """How many examples train, val and test are to have, as `make_splits` takes them, which refuses too many."""
        n = len(dataset.train)
        tenth = max(1, n // 10) if dataset.val is None else len(dataset.val)
        test = (len(dataset.test) if dataset.test is not None else max(1, n // 10)) if self.test is None else self.test
        held_out = test if dataset.test is None else 0
        if self.train is None:
            val = tenth if self.val is None else self.val
            rest = n - held_out - (val if dataset.val is None else 0)
            return {"train": rest if rest > 0 else None, "val": val, "test": test}
        if self.folds is not None:
            part = min(max(1, self.train // 10), tenth) if dataset.val is not None else max(1, self.train // 10)
            return {"train": self.train - part, "val": part, "test": test}  # the parts are joined again
        if self.val is not None or dataset.val is not None:
            return {"train": self.train, "val": tenth if self.val is None else self.val, "test": test}
        return {"train": self.train, "val": max(1, min(tenth, n - held_out - self.train)), "test": test}


def values_of(given: Axis | np.ndarray | None) -> np.ndarray | None:
    """The values of an axis (V,), ascending, each once; None for none."""
    if given is None:
        return None
    return np.unique(np.asarray(given.values if isinstance(given, Axis) else given, np.float64))

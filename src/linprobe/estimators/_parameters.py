"""The parameters of the estimators: refused before any work where they make no sense, and turned into λ."""

import math
import numbers
import reprlib
from typing import Any, TypeGuard, get_args

import numpy as np

from linprobe.compare.defaults import default_reg
from linprobe.core.backend import Device
from linprobe.core.exact.solver import Precision
from linprobe.core.losses import smooth_loss
from linprobe.data.moments import moments
from linprobe.data.prepare import Features as PreparedFeatures
from linprobe.errors import IncompatibleError, UsageError
from linprobe.estimators._inputs import Features

__all__ = ["Params", "check_parameters", "find_reg", "reg_from_c"]

Params = dict[str, Any]  # keyword arguments as scikit-learn has them: parameters of an estimator, or routed metadata

CHOICES = {
    "solver": ("exact", "sgd"),
    "precision": get_args(Precision),
    "device": get_args(Device),
}


def check_parameters(estimator: Any, loss: str) -> None:
    """Raise UsageError for a parameter that makes no sense, IncompatibleError for some that make none together."""
    for name, choices in CHOICES.items():
        value = getattr(estimator, name)
        if not isinstance(value, str) or value not in choices:
            raise UsageError(f"{name} is {value!r}; use one of: {', '.join(choices)}")
    prepare = estimator.prepare
    if not (prepare is None or (isinstance(prepare, str) and prepare in get_args(PreparedFeatures))):
        raise UsageError(f"prepare is {prepare!r}; use one of: {', '.join(get_args(PreparedFeatures))}, or None")
    if estimator.solver == "exact":
        smooth_loss(loss)
    _check_penalty(estimator.reg, estimator.C, estimator.solver)
    if not (_is_number(estimator.tol) and estimator.tol > 0):
        raise UsageError(
            f"tol is {reprlib.repr(estimator.tol)}; give a number above 0, the gap as a share of the objective"
        )
    if not (isinstance(estimator.max_iter, (int, np.integer)) and estimator.max_iter >= 1):
        raise UsageError(f"max_iter is {reprlib.repr(estimator.max_iter)}; give a whole number of at least 1")


def find_reg(reg: Any, C: Any, X: Features, weight: np.ndarray | None, classes: int) -> float:
    """λ from one of its spellings, for features X (n, D) and weights (n,) or None."""
    if C is not None:
        return reg_from_c(float(C), X.shape[0] if weight is None else float(weight.sum()), classes)
    if not isinstance(reg, str):
        return float(reg)
    variance = float(moments(X, weight)[1].mean())
    if not math.isfinite(variance):
        raise UsageError("the variance of X overflows float64; divide X by its largest value, or give reg")
    return default_reg(variance)


def reg_from_c(C: float, total_weight: float, classes: int) -> float:
    """The λ with which the classifier is that of scikit-learn's LogisticRegression with this C.

    total_weight: the sum of the examples' weights, class weights included, which is n without any. scikit-learn adds
    ½ ΣW² to C times the sum of the losses: λ = 1 / (2 C Σw). For two classes it has a single column w, the difference
    of our two, which are −w/2 and w/2 at the optimum: λ ΣW² is λ/2 ‖w‖², hence λ = 1 / (C Σw).
    """
    return 1 / ((1 if classes == 2 else 2) * C * total_weight)


def _check_penalty(reg: Any, C: Any, solver: str) -> None:
    """Of the two spellings one is given, a number, and above 0 where the exact solver is to use it."""
    scale = isinstance(reg, str) and reg == "scale"
    if C is not None and not scale:
        raise IncompatibleError("reg and C are two spellings of the same penalty; give one of them")
    if C is not None and not (_is_number(C) and C > 0):
        raise UsageError(f"C is {reprlib.repr(C)}; give a number above 0")
    if C is None and not scale and not (_is_number(reg) and reg >= 0 and math.isfinite(reg)):
        raise UsageError(f"reg is {reprlib.repr(reg)}; give a number above 0, or 'scale'")
    none = (not scale and reg == 0) if C is None else math.isinf(C)
    if none and solver == "exact":
        raise IncompatibleError(
            f"{'reg is 0' if C is None else 'C is infinite'}: without a penalty there may be no optimum, and no "
            "distance to it can be proven; give a small reg, such as 1e-8 times the variance of a feature, or use "
            "solver='sgd'"
        )


def _is_number(value: Any) -> TypeGuard[float]:
    if not isinstance(value, numbers.Real) or isinstance(value, bool):
        return False
    try:
        return not math.isnan(value)
    except OverflowError:  # a whole number beyond what float64 can hold
        return False

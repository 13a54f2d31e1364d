"""What both families share: forms, labels, means, and a penalty that forgets reg."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from linprobe.learn.checker.cases import Case

__all__ = [
    "EXAMPLES",
    "FIRST",
    "LAST",
    "ROWS_OF_X",
    "Aspect",
    "Form",
    "into_weights",
    "last_of_each",
    "one_hot",
    "penalties_without_reg",
    "scaled",
    "scales",
    "signs",
]


@dataclass(frozen=True)
class Form:
    """One form of an aspect: the code of what is wrong with it (None: right), and what a formula makes of it.

    fitted: whether it has a figure that was taken from the answers.
    """

    code: str | None
    form: Any
    fields: Mapping[str, Any] = field(default_factory=dict)
    fitted: bool = False


Aspect = tuple[Form, ...]  # the right form first, fitted ones last

RIGHT = Form(None, None)


def one_hot(labels: np.ndarray, classes: int) -> np.ndarray:
    """(N,) labels -> (N, C), 1 where the class is the label."""
    return (np.arange(classes) == labels[:, None]).astype(float)


def last_of_each(labels: np.ndarray, classes: int) -> np.ndarray:
    """What A[:, y] -= B leaves of the labels: of equal ones, the last alone; (N, C)."""
    truth = one_hot(labels, classes)
    later = np.cumsum(truth[::-1], axis=0)[::-1] > 1
    return np.where(later, 0.0, truth)


FIRST, LAST = ({"which": which} for which in ("first", "last"))


# How often each example counts, from their number N: (N, 1).
EXAMPLES: Aspect = (
    Form(None, lambda N: np.ones((N, 1))),
    Form("example_missing", lambda N: _column(N) < N - 1, LAST),
    Form("example_missing", lambda N: _column(N) > 0, FIRST),
    Form("one_example_only", lambda N: _column(N) == N - 1, {**LAST, "cause": "= where += is meant"}),
    Form("one_example_only", lambda N: _column(N) == 0, {**FIRST, "cause": "a return inside the loop"}),
    # And the mean over that one.
    Form("one_example_only", lambda N: N * (_column(N) == 0), {**FIRST, "cause": "a return inside the loop"}),
    Form("mean_in_loop", lambda N: float(N) ** (_column(N) + 1 - N)),
)


def _column(N: int) -> np.ndarray:
    return np.arange(N)[:, None]


def scales(what: str, found: float, total: float, examples: int) -> Aspect:
    """Means that went wrong: from N, D and C, what the sum over the examples is multiplied by.

    found / total, of a right function's sum over that many examples: a constant divisor, and a constant factor.
    """
    ratio = found / total if total else 0.0
    by_size = {
        "C, the number of classes": lambda _N, _D, C: 1 / C,
        "D, the number of features": lambda _N, D, _C: 1 / D,
    }
    forms = [
        Form(None, lambda N, _D, _C: 1 / N),
        Form("mean_missing", lambda _N, _D, _C: 1.0, {"what": what}),
        Form("mean_doubled", lambda N, _D, _C: 1 / N**2, {"what": what}),
        Form("mean_over_classes", lambda N, _D, C: 1 / (N * C), {"what": what}),
        Form("mean_over_classes", lambda N, _D, C: 1 / (N * (C - 1)), {"what": what}),
        *(Form("wrong_divisor", form, {"what": what, "found": size}) for size, form in by_size.items()),
    ]
    # Dividing by 1, or by N, has been said above.
    if np.isfinite(ratio) and ratio > 0 and not np.isclose([1, ratio * examples], [ratio, 1], rtol=1e-6).any():
        factor = ratio * examples
        fields = {"what": what, "found": factor}
        forms.append(Form("constant_factor", lambda N, _D, _C: factor / N, fields, fitted=True))
        hint = f"{what.lower()} is divided by {1 / ratio:.6g}, whatever the batch"
        forms.append(Form("hard_coded_size", lambda _N, _D, _C: ratio, {"hint": hint}, fitted=True))
    return tuple(forms)


def scaled(total: Any, case: Case, scale: Callable[[int, int, int], float]) -> Any:
    """A sum over the examples, times what `scales` says."""
    (N, D), C = case.X.shape, case.W.shape[1]
    return total * scale(N, D, C)


# In which terms of the gradient, those of the other classes and that of the true one, X is indexed by the class.
ROWS_OF_X: Aspect = (
    Form(None, (False, False)),
    *(Form("example_of_class", which) for which in ((True, False), (False, True), (True, True))),
)


def into_weights(case: Case, slope: np.ndarray, by_class: bool) -> np.ndarray:
    """The gradient (D, C) of slopes (N, C) in the scores; by_class, with X[j] in place of X[i] for each class j."""
    return case.X[: slope.shape[1]].T * slope.sum(axis=0) if by_class else case.X.T @ slope


def signs(code: str) -> Aspect:
    """As it is, or the other way round."""
    return (Form(None, 1.0), Form(code, -1.0))


def penalties_without_reg(what: str) -> Aspect:
    """How many times W, or ΣW², is added whatever reg is."""
    return (Form(None, 0.0), *(Form("penalty_without_reg", factor, {"what": what}) for factor in (1.0, 2.0, 0.5)))

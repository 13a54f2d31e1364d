"""The multiclass hinge with faults in it."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from linprobe.learn.checker.cases import Case
from linprobe.learn.checker.models.forms import (
    EXAMPLES,
    FIRST,
    LAST,
    ROWS_OF_X,
    Aspect,
    Form,
    into_weights,
    last_of_each,
    one_hot,
    penalties_without_reg,
    scaled,
    scales,
    signs,
)
from linprobe.learn.checker.truth import answer

__all__ = ["ClassIndexed", "gradient", "gradient_aspects", "value", "value_aspects"]


class ClassIndexed(NamedTuple):
    """Where y is indexed by the class j instead of the example: what is skipped, compared with, and subtracted from."""

    skipped: bool = False
    compared: bool = False
    subtracted: bool = False


LABELS: Aspect = (
    Form(None, ClassIndexed()),
    *(
        Form("label_of_class", ClassIndexed(skipped, compared, subtracted))
        for skipped in (False, True)
        for compared in (False, True)
        for subtracted in (False, True)
        if skipped or compared or subtracted
    ),
)
OF_THE_VALUE = tuple(form for form in LABELS if not form.form.subtracted)


class _Loop(NamedTuple):
    """Margins (N, C) and labels (N,)."""

    margins: np.ndarray
    y: np.ndarray

    @property
    def classes(self) -> np.ndarray:
        """The class of each margin."""
        return np.broadcast_to(np.arange(self.margins.shape[1]), self.margins.shape)


# Which classes, beside the label, the loop over the classes reaches (N, C).
REACHED: Aspect = (
    Form(None, lambda at: np.ones_like(at.margins)),
    Form("stops_at_true_class", lambda at: at.classes < at.y[:, None]),
    Form("stops_at_first_margin", lambda at: at.classes == (at.margins > 0).argmax(axis=1)[:, None]),
    Form("class_missing", lambda at: at.classes < at.margins.shape[1] - 1, LAST),
    Form("class_missing", lambda at: at.classes > 0, FIRST),
)
HINGES: Aspect = (Form(None, True), Form("no_hinge", False))


def _margins(at_zero: float | None) -> Aspect:
    """The sign of s_j - s_y and what is added: some that people write, and what the loss at W = 0 shows was added."""
    usual = [0.0, 0.5, 2.0, 5.0, 10.0, -1.0]
    known = at_zero is None or not np.isfinite(at_zero) or np.isclose([1.0, *usual], at_zero).any()
    return (
        Form(None, (1.0, 1.0)),
        *(Form("margin", (1.0, margin), {"found": margin}) for margin in usual),
        Form("margin_reversed", (-1.0, 1.0)),
        *(() if known else (Form("margin", (1.0, at_zero), {"found": at_zero}, fitted=True),)),
    )


def _at_zero(found: Mapping[Case, float]) -> float | None:
    for case, value in found.items():
        if not case.W.any():
            return value / (case.W.shape[1] - 1)
    return None


def value_aspects(found: Mapping[Case, float]) -> tuple[Aspect, ...]:
    """Labels, margin, hinge, power, true class, which classes and examples, how put together, sign, mean, penalty."""
    case, value = next(iter(found.items()))
    total = answer(case, "hinge").value * len(case.y)
    return (
        OF_THE_VALUE,
        _margins(_at_zero(found)),
        HINGES,
        (Form(None, 1), Form("squared_hinge", 2)),
        (Form(None, False), Form("true_class_counted", True)),
        REACHED,
        EXAMPLES,
        (Form(None, np.sum), Form("largest_margin_only", np.max)),
        signs("sign_of_value"),
        scales("The loss", value, total, len(case.y)),
        penalties_without_reg("The loss"),
    )


def value(case: Case, forms: Sequence[Any]) -> float | None:
    """The value without a penalty."""
    labels, margin, hinge, power, with_true, reached, examples, reduce, sign, scale, penalty = forms
    margins = _of_case(case, labels, margin, with_true)
    if margins is None:
        return None
    losses = (np.maximum(margins, 0) if hinge else margins) ** power * reached(_Loop(margins, case.y))
    total = float(np.sum(examples(len(case.y)) * reduce(losses, axis=1, keepdims=True)))
    return sign * scaled(total, case, scale) + penalty * answer(case, "hinge").squares


def _of_case(case: Case, labels: ClassIndexed, margin: tuple[float, float], with_true: bool) -> np.ndarray | None:
    """Every margin (N, C), 0 where it is skipped; None where a label would be looked for beyond the last."""
    (N, _), C = case.X.shape, case.W.shape[1]
    if any(labels) and N < C:
        return None
    scores = case.X @ case.W
    compared = scores[:, case.y[:C]] if labels.compared else scores[np.arange(N), case.y][:, None]
    sign, added = margin
    margins = sign * (scores - compared) + added
    if with_true:
        return margins
    return np.where(_skipped(case, labels), 0.0, margins)


def _skipped(case: Case, labels: ClassIndexed) -> np.ndarray:
    N, C = len(case.y), case.W.shape[1]
    if labels.skipped:
        return np.tile(case.y[:C] == np.arange(C), (N, 1))
    return one_hot(case.y, C) > 0


def _largest(margins: np.ndarray, _hinge: bool) -> np.ndarray:
    chosen = one_hot(margins.argmax(axis=1), margins.shape[1])
    return chosen * (margins > 0)


class _Taken(NamedTuple):
    """How often an example counts (N, 1), its true class and the last example of each label (N, C), and C."""

    counts: np.ndarray
    true: np.ndarray
    last: np.ndarray
    C: int


WEIGHTS: Aspect = (
    Form(None, lambda margins, hinge: (margins > 0 if hinge else margins != 0).astype(float)),
    Form("hinge_not_in_gradient", lambda margins, _hinge: (margins != 0).astype(float)),
    Form("margins_not_counted", lambda margins, hinge: np.maximum(margins, 0) if hinge else margins),
    Form("squared_hinge", lambda margins, hinge: 2 * (np.maximum(margins, 0) if hinge else margins)),
    Form("largest_margin_only", _largest),
    Form("negative_margins_left", lambda margins, _hinge: np.where(margins > 0, 1.0, margins)),
)


# What is taken off the true class's column.
TRUE: Aspect = (
    Form(None, lambda at: at.counts * at.true),
    Form("true_class_not_subtracted", lambda at: 0 * at.true),
    Form("true_class_once", lambda at: (at.counts > 0) * at.true),
    Form("true_class_once", lambda at: at.true),
    Form("true_class_per_class", lambda at: (at.C - 1) * at.true),
    Form("true_class_per_class", lambda at: at.C * at.true),
    Form("true_class_sign", lambda at: -at.counts * at.true),
    Form("repeated_labels", lambda at: at.counts * at.last),
    Form("true_class_counted", lambda at: (at.counts + 1) * at.true),
    Form("boolean_mask", lambda at: -(at.counts > 0).astype(float) * at.true),
)


def gradient_aspects(found: Mapping[Case, np.ndarray]) -> tuple[Aspect, ...]:
    """Labels, margin, hinge, weights, others, true class, classes, examples, rows of X, sign, mean, penalty."""
    case, gradient = next(iter(found.items()))
    right = answer(case, "hinge").gradient * len(case.y)
    likeness = float(np.sum(gradient * right) / np.sum(right * right))
    return (
        LABELS,
        _margins(None),
        HINGES,
        WEIGHTS,
        (Form(None, 1.0), Form("others_missing", 0.0)),
        TRUE,
        REACHED,
        EXAMPLES,
        ROWS_OF_X,
        signs("sign_of_gradient"),
        scales("The gradient", likeness, 1.0, len(case.y)),
        penalties_without_reg("The gradient"),
    )


def gradient(case: Case, forms: Sequence[Any]) -> np.ndarray | None:
    """The gradient (D, C) without a penalty."""
    labels, margin, hinge, weigh, others, of_true, reached, examples, by_class, sign, scale, penalty = forms
    y, C = case.y, case.W.shape[1]
    margins = _of_case(case, labels, margin, with_true=False)
    if margins is None:
        return None
    weights = weigh(margins, hinge) * reached(_Loop(margins, y))
    counts = weights.sum(axis=1, keepdims=True)
    others_by_class, true_by_class = by_class
    if margins.shape[0] < C and any(by_class):
        return None
    weights = examples(len(y)) * weights
    if labels.subtracted:  # dW[:, y[j]] -= X[i] for each class j
        taken = case.X.T @ weights @ one_hot(y[:C], C)
    elif true_by_class:  # dW[:, y[i]] -= X[j] for each class j
        taken = case.X[:C].T @ (weights.T @ one_hot(y, C))
    else:
        true = of_true(_Taken(counts, one_hot(y, C), last_of_each(y, C), C))
        taken = case.X.T @ (examples(len(y)) * true)
    slope = into_weights(case, others * weights, others_by_class) - taken
    return sign * scaled(slope, case, scale) + penalty * case.W

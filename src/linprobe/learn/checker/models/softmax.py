"""The softmax loss with faults in it."""

from collections.abc import Callable, Mapping, Sequence
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

__all__ = ["gradient", "gradient_aspects", "value", "value_aspects"]


class _Sums(NamedTuple):
    """exp(scores) and the true class, both (N, C)."""

    e: np.ndarray
    true: np.ndarray


class _Slopes(NamedTuple):
    """Probabilities, the true class, the last example of each label, all (N, C), and C."""

    p: np.ndarray
    true: np.ndarray
    last: np.ndarray
    C: int


def _probabilities(scores: np.ndarray) -> np.ndarray:
    shifted = np.exp(scores - scores.max(axis=1, keepdims=True))
    return shifted / shifted.sum(axis=1, keepdims=True)


def _twice(scores: np.ndarray) -> np.ndarray:
    return _probabilities(scores)


SCORES: Aspect = (
    Form(None, lambda scores: scores),
    Form("softmax_twice", _probabilities),
    Form("column_maximum", lambda scores: scores - scores.max(axis=0)),
)


# What is taken off the scores: each row's maximum (True), the whole batch's (False) or nothing (None).
_SHIFTS: dict[str | None, tuple[bool | None, ...]] = {
    None: (True,),
    "true_class_not_normalised": (True,),
    "not_normalised": (True, False, None),
}
PADDINGS = [10.0**-power for power in range(3, 16)]
SLIGHT = 1e-2  # relative; a padding does no more


def _normalisers(*, slight: bool) -> Aspect:
    """What exp(scores) (N, C) is divided by, as far as it differs by row or class; slight, whether little is wrong."""
    forms: list[tuple[str | None, Callable[[_Sums], Any]]] = [
        (None, lambda at: at.e.sum(axis=1, keepdims=True)),
        ("batch_normaliser", lambda at: at.e.sum()),
        ("example_normaliser", lambda at: at.e.sum(axis=0)),
        ("running_normaliser", lambda at: np.cumsum(at.e.sum(axis=1))[:, None]),
        ("true_class_not_normalised", lambda at: (at.e * (1 - at.true)).sum(axis=1, keepdims=True)),
        ("not_normalised", lambda _at: 1.0),
    ]
    known = [Form(code, (form, own)) for code, form in forms for own in _SHIFTS.get(code, (True, False))]
    padded = [
        Form("padded_normaliser", (_padded(eps), own), {"found": eps}) for eps in PADDINGS for own in (True, None)
    ]
    return (*known, *(padded if slight else []))


def _padded(eps: float) -> Callable[[_Sums], Any]:
    return lambda at: at.e.sum(axis=1, keepdims=True) + eps


LABELS: Aspect = (
    Form(None, lambda y, C: one_hot(y, C)),
    Form("label_of_class", lambda y, C: _where_label_is_own_index(y, C)),
    Form("label_of_class", lambda y, C: _labels_of_the_first(y, C)),
    Form("label_of_class", lambda y, C: one_hot(np.full(len(y), y[min(C, len(y)) - 1]), C)),
)


Take = Callable[[np.ndarray, int], np.ndarray | None]  # labels (N,), C -> how often each entry (N, C) is taken

COLUMNS = {"index": "p[:, y]", "part": "columns", "loops": ""}
ROWS = {"index": "p[y]", "part": "rows", "loops": ""}
# Where every class occurs, p[j] - 1 in a loop over all classes j does the same.
COLUMNS_OR_LOOPS = COLUMNS | {"loops": "; in loops, take 1 off only where j == y[i]"}


def _of_columns(y: np.ndarray, C: int) -> np.ndarray:
    """How often `p[:, y]` takes each entry."""
    return np.tile(np.bincount(y, minlength=C).astype(float), (len(y), 1))


def _of_rows(y: np.ndarray, C: int) -> np.ndarray | None:
    """How often `p[y]` takes each entry."""
    return None if y.max() >= len(y) else np.tile(np.bincount(y, minlength=len(y))[:, None].astype(float), (1, C))


def _once(take: Take) -> Take:
    """What `-=` changes of it: each entry once."""

    def changed(y: np.ndarray, C: int) -> np.ndarray | None:
        taken = take(y, C)
        return None if taken is None else (taken > 0).astype(float)

    return changed


def _mean_of(take: Take) -> Take:
    """The same, its mean over all that it takes."""

    def share(y: np.ndarray, C: int) -> np.ndarray | None:
        taken = take(y, C)
        return None if taken is None else taken * len(y) / taken.sum()  # the mean over the examples comes later

    return share


LABELS_OF_THE_VALUE: Aspect = (
    *LABELS,
    *(Form("label_index", form, COLUMNS) for form in (_of_columns, _mean_of(_of_columns))),
    *(Form("label_index", form, ROWS) for form in (_of_rows, _mean_of(_of_rows))),
)
LABELS_OF_THE_GRADIENT: Aspect = (
    *LABELS,
    Form("label_index", _once(_of_columns), COLUMNS_OR_LOOPS),
    Form("label_index", _once(_of_rows), ROWS),
)


def _where_label_is_own_index(y: np.ndarray, C: int) -> np.ndarray | None:
    """`if j == y[j]` in a loop over the classes j."""
    return None if len(y) < C else np.tile((y[:C] == np.arange(C)).astype(float), (len(y), 1))


def _labels_of_the_first(y: np.ndarray, C: int) -> np.ndarray | None:
    """`[y[j]]` in a loop over the classes j."""
    return None if len(y) < C else np.tile(np.bincount(y[:C], minlength=C).astype(float), (len(y), 1))


def value_aspects(found: Mapping[Case, float]) -> tuple[Aspect, ...]:
    """Scores, normaliser, label, logarithm, examples, sign, mean, penalty."""
    case, value = next(iter(found.items()))
    logarithms = (
        Form(None, lambda p: -np.log(p)),
        Form("no_logarithm", lambda p: -p),
        Form("no_logarithm", lambda p: p),
        Form("no_logarithm", lambda p: 1 - p),
        Form("logarithm_base", lambda p: -np.log2(p), {"base": 2}),
        Form("logarithm_base", lambda p: -np.log10(p), {"base": 10}),
    )
    total = answer(case, "softmax").value * len(case.y)
    return (
        SCORES,
        _normalisers(slight=abs(value * len(case.y) - total) < SLIGHT * abs(total)),
        LABELS_OF_THE_VALUE,
        logarithms,
        EXAMPLES,
        signs("sign_of_value"),
        scales("The loss", value, total, len(case.y)),
        penalties_without_reg("The loss"),
    )


def value(case: Case, forms: Sequence[Any]) -> float | None:
    """The value without a penalty."""
    of_scores, normaliser, labels, logarithm, examples, sign, scale, penalty = forms
    true = labels(case.y, case.W.shape[1])
    if true is None:
        return None
    p = _divided(of_scores(case.X @ case.W), true, normaliser)
    total = float(np.sum(examples(len(case.y)) * np.where(true != 0, true * logarithm(p), 0.0)))
    return sign * scaled(total, case, scale) + penalty * answer(case, "softmax").squares


def _divided(scores: np.ndarray, true: np.ndarray, normaliser: tuple[Callable, bool | None]) -> np.ndarray:
    divisor, own_maximum = normaliser  # whether each row's is taken off, the whole batch's, or (None) nothing
    shift = scores.max(axis=1, keepdims=True) if own_maximum else 0.0 if own_maximum is None else scores.max()
    e = np.exp(scores - shift)
    return e / divisor(_Sums(e, true))


OTHERS: Aspect = (
    Form(None, lambda p, _true: p),
    Form("others_get_one", lambda p, _true: np.ones_like(p)),
    Form("others_missing", lambda p, _true: np.zeros_like(p)),
    Form("others_get_true", lambda p, true: np.broadcast_to(np.sum(p * true, axis=1, keepdims=True), p.shape)),
)
# What the true class gets.
TRUE: Aspect = (
    Form(None, lambda at: (at.p - 1) * at.true),
    Form("true_class_not_subtracted", lambda at: at.p * at.true),
    Form("true_class_probability_missing", lambda at: -at.true),
    Form("true_class_sign", lambda at: (at.p + 1) * at.true),
    Form("true_class_sign", lambda at: (1 - at.p) * at.true),
    Form("true_class_per_class", lambda at: (at.p - at.C) * at.true),
    Form("true_class_per_class", lambda at: (at.p - (at.C - 1)) * at.true),
    Form("true_class_not_subtracted", lambda at: 0 * at.true),
    Form("repeated_labels", lambda at: at.p * at.true - at.last),
)


# Which class's column is never reached.
CLASSES: Aspect = (
    Form(None, None),
    Form("class_missing", -1, LAST),
    Form("class_missing", 0, FIRST),
)


def gradient_aspects(found: Mapping[Case, np.ndarray]) -> tuple[Aspect, ...]:
    """Scores, normaliser, label, other classes, true class, logarithm, examples, rows of X, classes, sign, mean."""
    case, gradient = next(iter(found.items()))
    right = answer(case, "softmax").gradient * len(case.y)
    likeness = float(np.sum(gradient * right) / np.sum(right * right))
    return (
        (*SCORES, Form("softmax_twice", _twice)),
        _normalisers(slight=bool(np.max(np.abs(gradient * len(case.y) - right)) < SLIGHT * np.max(np.abs(right)))),
        LABELS_OF_THE_GRADIENT,
        OTHERS,
        TRUE,
        (Form(None, False), Form("no_logarithm", True)),
        EXAMPLES,
        ROWS_OF_X,
        CLASSES,
        signs("sign_of_gradient"),
        scales("The gradient", likeness, 1.0, len(case.y)),
        penalties_without_reg("The gradient"),
    )


def gradient(case: Case, forms: Sequence[Any]) -> np.ndarray | None:
    """The gradient (D, C) without a penalty."""
    of_scores, normaliser, labels, others, of_true, of_probability, examples, by_class, missing, *whole = forms
    sign, scale, penalty = whole
    N, C = len(case.y), case.W.shape[1]
    true = labels(case.y, C)
    if true is None or (any(by_class) and N < C):
        return None
    p = _divided(of_scores(case.X @ case.W), true, normaliser)
    if of_scores is _twice:  # the exact derivative of that loss, as autograd gives it
        inner = _probabilities(case.X @ case.W)
        slope = examples(N) * inner * (p - true - np.sum((p - true) * inner, axis=1, keepdims=True))
        return sign * scaled(case.X.T @ slope, case, scale) + penalty * case.W
    slopes = [others(p, true) * (1 - true), of_true(_Slopes(p, true, last_of_each(case.y, C), C))]
    if of_probability:  # of the mean of -p, not of -log p
        slopes = [slope * np.sum(p * true, axis=1, keepdims=True) for slope in slopes]
    if missing is not None:
        for slope in slopes:
            slope[:, missing] = 0
    gradient = sum(into_weights(case, examples(N) * slope, of) for slope, of in zip(slopes, by_class, strict=True))
    return sign * scaled(gradient, case, scale) + penalty * case.W

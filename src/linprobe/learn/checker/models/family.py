"""Families of wrong functions: every aspect of a formula has its right form and some wrong ones.

A family is a list of aspects, a member one form of each. What a function under test gives is compared with the members
that have few wrong forms; those with the fewest that agree in every case say what is wrong.
"""

import itertools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from linprobe.learn.checker.cases import Case
from linprobe.learn.checker.models import hinge, softmax
from linprobe.learn.checker.models.forms import EXAMPLES, ROWS_OF_X, Aspect, Form
from linprobe.learn.checker.verdict import Loss

__all__ = ["Explanation", "alike", "explain_gradient", "explain_value"]

MOST_FAULTS = 3
# What is compared carries the roundings of a wrong formula, which nobody has bounded.
AGREES = 1e-11


@dataclass(frozen=True, eq=False)
class Explanation:
    """The codes of a member of a family, and what fills in their sentences.

    predict: what that member gives in a case, None where it gives nothing; fitted: how many of its figures were taken
    from the answers themselves, so that they agree with less.
    """

    faults: tuple[tuple[str, Mapping[str, Any]], ...]
    predict: Callable[[Case], Any] = lambda _: None
    fitted: int = 0

    @property
    def codes(self) -> set[str]:
        """Without the fields."""
        return {code for code, _ in self.faults}


# A member, by the place of its form in every aspect.
_Member = tuple[int, ...]

# What `_predictions` found in a case: the same cases are asked of every function.
_KNOWN: dict[Any, tuple[list[_Member], np.ndarray]] = {}


@dataclass(frozen=True)
class _Family:
    aspects: tuple[Aspect, ...]
    predict: Callable[[Case, Sequence[Any]], Any]

    def of(self, member: _Member) -> tuple[Form, ...]:
        """Its forms."""
        return tuple(aspect[place] for aspect, place in zip(self.aspects, member, strict=True))

    def given(self, member: _Member, case: Case) -> Any:
        """What it gives in a case."""
        return self.predict(case, [form.form for form in self.of(member)])


def explain_value(loss: Loss, found: Mapping[Case, float], single: bool = False) -> list[Explanation]:
    """The fewest faults that give these values of the loss without a penalty: every way, none where no few do."""
    part = softmax if loss == "softmax" else hinge
    family = _Family(part.value_aspects(found), part.value)
    return _explain(family, found, 1e-4 if single else AGREES)


def explain_gradient(loss: Loss, found: Mapping[Case, np.ndarray], single: bool = False) -> list[Explanation]:
    """The fewest faults that give these gradients (D, C) without a penalty: every way, none where no few do."""
    part = softmax if loss == "softmax" else hinge
    family = _Family(part.gradient_aspects(found), part.gradient)
    return _explain(family, found, 1e-4 if single else AGREES)


def _explain(family: _Family, found: Mapping[Case, Any], agrees: float) -> list[Explanation]:
    with np.errstate(all="ignore"):
        for faults in range(1, MOST_FAULTS + 1):
            agree = [
                member
                for member in _alike_at_first(family, faults, found, agrees)
                if all(alike(family.given(member, case), it, agrees) for case, it in found.items())
            ]
            if agree:
                return [_explanation(family, member) for member in agree]
    return []


def _explanation(family: _Family, member: _Member) -> Explanation:
    forms = family.of(member)
    faults = tuple((form.code, form.fields) for form in forms if form.code is not None)
    return Explanation(faults, partial(family.given, member), sum(form.fitted for form in forms))


def _alike_at_first(family: _Family, faults: int, found: Mapping[Case, Any], agrees: float) -> list[_Member]:
    """The members of so many faults that may agree in the first case: nearly all others are left out here."""
    case, it = next(iter(found.items()))
    # What was not fitted to these answers is the same for every function, and found out once.
    kinds = tuple(
        tuple((form.code, str(form.fields)) for form in aspect if not form.fitted) for aspect in family.aspects
    )
    key = (family.predict, case, faults, kinds)
    if key not in _KNOWN:
        _KNOWN[key] = _predictions(family, faults, case, np.shape(it))
    members, predicted = _KNOWN[key]
    scale = max(float(np.max(np.abs(it))), 1e-3)
    near = np.abs(predicted - np.ravel(it)).max(axis=1) <= 2 * agrees * scale
    fitted = [member for member in _members(family.aspects, faults) if any(form.fitted for form in family.of(member))]
    # In the order of the aspects that are wrong, then of their forms.
    return sorted(
        [*(members[row] for row in np.flatnonzero(near)), *fitted], key=lambda one: (np.flatnonzero(one).tolist(), one)
    )


def _predictions(family: _Family, faults: int, case: Case, shape: tuple[int, ...]) -> tuple[list[_Member], np.ndarray]:
    """All members that are not fitted, m of them, and what they give: (m, numbers), NaN where that is nothing."""
    members = [
        member for member in _members(family.aspects, faults) if not any(form.fitted for form in family.of(member))
    ]
    predicted = np.full((len(members), math.prod(shape)), np.nan)
    for row, member in zip(predicted, members, strict=True):
        if (given := family.given(member, case)) is not None:
            row[:] = np.ravel(given)
    return members, predicted


def alike(predicted: Any, found: Any, agrees: float = AGREES) -> bool:
    """Whether what a member gives is what was found, up to the roundings of either."""
    if predicted is None:
        return False
    scale = max(float(np.max(np.abs(found))), 1e-3)
    return bool(np.max(np.abs(predicted - found)) <= agrees * scale)


def _members(aspects: Sequence[Aspect], faults: int) -> Iterator[_Member]:
    """Every choice of a form an aspect with so many wrong ones."""
    # Which examples count is rarely wrong among many faults, and would double their number.
    rare = [EXAMPLES, ROWS_OF_X] if faults == MOST_FAULTS else []
    places = [i for i, aspect in enumerate(aspects) if not any(aspect is one for one in rare)]
    for changed in itertools.combinations(places, faults):
        yield from itertools.product(
            *(range(1, len(aspect)) if i in changed else range(1) for i, aspect in enumerate(aspects))
        )

"""Families of wrong functions: every aspect of a formula has its right form and some wrong ones.

A family is a list of aspects, a member one form of each. What a function under test gives is compared with the members
that have few wrong forms; those with the fewest that agree in every case say what is wrong.
"""

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from linprobe.checker.cases import Case
from linprobe.checker.models import hinge, softmax
from linprobe.checker.models.forms import EXAMPLES, ROWS_OF_X, Aspect, Form
from linprobe.checker.verdict import Loss

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


@dataclass(frozen=True)
class _Family:
    aspects: tuple[Aspect, ...]
    predict: Callable[[Case, Sequence[Any]], Any]


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
    explanations: list[Explanation] = []
    with np.errstate(all="ignore"):
        for forms in _members(family.aspects):
            faults = tuple((form.code, form.fields) for form in forms if form.code is not None)
            if explanations and len(faults) > len(explanations[0].faults):
                break
            if all(
                alike(family.predict(case, [form.form for form in forms]), it, agrees) for case, it in found.items()
            ):
                explanations.append(Explanation(faults, _predicts(family, forms), sum(form.fitted for form in forms)))
    return explanations


def _predicts(family: _Family, forms: Sequence[Form]) -> Callable[[Case], Any]:
    return lambda case: family.predict(case, [form.form for form in forms])


def alike(predicted: Any, found: Any, agrees: float = AGREES) -> bool:
    """Whether what a member gives is what was found, up to the roundings of either."""
    if predicted is None:
        return False
    scale = max(float(np.max(np.abs(found))), 1e-3)
    return bool(np.max(np.abs(predicted - found)) <= agrees * scale)


def _members(aspects: Sequence[Aspect]) -> Iterator[tuple[Form, ...]]:
    """Every choice of a form an aspect but the right one, those with fewer faults first."""
    for faults in range(1, MOST_FAULTS + 1):
        # Which examples count is rarely wrong among many faults, and would double their number.
        rare = [EXAMPLES, ROWS_OF_X] if faults == MOST_FAULTS else []
        places = [i for i, aspect in enumerate(aspects) if not any(aspect is one for one in rare)]
        for changed in itertools.combinations(places, faults):
            yield from itertools.product(
                *(aspect[1:] if i in changed else aspect[:1] for i, aspect in enumerate(aspects))
            )

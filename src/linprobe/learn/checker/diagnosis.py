"""What is wrong with value and gradient at ordinary scores, without a penalty."""

import itertools
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from linprobe.learn.checker.cases import CASES, Case
from linprobe.learn.checker.codes import RANK, fault
from linprobe.learn.checker.models import Explanation, alike, explain_gradient, explain_value
from linprobe.learn.checker.trial import Given, Part, Trial
from linprobe.learn.checker.truth import SINGLE, tolerances
from linprobe.learn.checker.verdict import Fault
from linprobe.learn.gradient_check import check_gradient

__all__ = ["diagnose"]

CONSISTENT = 1e-5  # relative error of a gradient beside central differences of its own value
# Asked only where two explanations say different things of them.
TELLING_APART = ("square", "absent classes", "few examples", "one example", "two classes", "many examples", "dominant")


def diagnose(trial: Trial, answers: Mapping[Case, Given]) -> list[Fault]:
    """The faults, the root of them first; none where value and gradient are right in every case."""
    if not all(given.finite for given in answers.values()):
        worst = next(given for given in answers.values() if not given.finite)
        figures = trial.at_gradient(worst) if np.isfinite(worst.value) else trial.at_value(worst)
        return [fault("not_finite", figures)]
    value_wrong = [given for given in answers.values() if not trial.value_right(given)]
    gradient_wrong = [given for given in answers.values() if not trial.gradient_right(given)]
    nothing = [Explanation(())]
    values, gradients = nothing, nothing
    if value_wrong:
        said = {case: given.value for case, given in answers.items()}
        values = explain_value(trial.loss, said, trial.unit == SINGLE)
    if gradient_wrong:
        found = {case: given.gradient for case, given in answers.items()}
        gradients = explain_gradient(trial.loss, found, trial.unit_of_gradient == SINGLE)
    values, gradients = _simplest(values, gradients)
    values, gradients = _simplest(_told_apart(trial, "loss", values), _told_apart(trial, "gradient", gradients))
    faults: dict[str, Fault] = {}
    for explanations, wrong, figures, code in (
        (values, value_wrong, trial.at_value, "wrong_value"),
        (gradients, gradient_wrong, trial.at_gradient, "wrong_gradient"),
    ):
        certain = _certain(explanations)
        if certain is None:
            faults[code] = fault(code, figures(wrong[0]), hint=_hint(trial, wrong[0], code))
            continue
        if left := sorted(set().union(*(one.codes for one in explanations)) - {name for name, _ in certain}):
            hint = f"More than one known fault explains it: {', '.join(left)}."
            faults[code] = fault(code, figures(wrong[0]), hint=hint)
        for name, fields in certain:
            if name in faults and "what" in fields:
                fields = {**fields, "what": "Each of loss and gradient"}
                faults[name] = fault(name, faults[name].evidence, **fields)
            elif name not in faults:
                faults[name] = fault(name, figures(wrong[0]), **fields)
            trial.padded = fields.get("found", 0.0) if name == "padded_normaliser" else trial.padded
    return sorted(faults.values(), key=lambda one: RANK[one.code])


def _simplest(values: list[Explanation], gradients: list[Explanation]) -> tuple[list[Explanation], list[Explanation]]:
    """The explanations of each part that are together the fewest faults, with the fewest figures fitted."""
    pairs = list(itertools.product(values or [None], gradients or [None]))
    sizes = [_size(*pair) for pair in pairs]
    kept = [pair for pair, size in zip(pairs, sizes, strict=True) if size == min(sizes)]
    of_value, of_gradient = (list(dict.fromkeys(one for one in part if one)) for part in zip(*kept, strict=True))
    return of_value, of_gradient


def _size(*explanations: Explanation | None) -> tuple[int, int]:
    there = [one for one in explanations if one is not None]
    return len(set().union(*(one.codes for one in there))), sum(one.fitted for one in there)


def _told_apart(trial: Trial, part: Part, explanations: list[Explanation]) -> list[Explanation]:
    """Those that also hold in further cases, which are asked where the explanations differ there."""
    # Of a gradient alone the two say the same, the latter in words that are about the gradient.
    if {"no_hinge", "hinge_not_in_gradient"} <= set().union(*(one.codes for one in explanations)):
        explanations = [one for one in explanations if "no_hinge" not in one.codes]
    for name in TELLING_APART:
        if len(explanations) < 2:
            break
        case = replace(CASES[name], reg=0.0)
        with np.errstate(all="ignore"):
            predicted = [one.predict(case) for one in explanations]
        known = [one for one in predicted if one is not None and np.isfinite(one).all()]
        if len(known) < len(predicted) or all(alike(one, known[0]) for one in known[1:]):
            continue
        given = trial.ask(case)
        if given is None or not given.finite:
            continue
        found = given.value if part == "loss" else given.gradient
        held = [one for one, value in zip(explanations, known, strict=True) if alike(value, found)]
        explanations = held or explanations
    return explanations


def _certain(explanations: list[Explanation]) -> list[tuple[str, Mapping[str, Any]]] | None:
    """The faults that all explanations share; None where there is no explanation."""
    if not explanations:
        return None
    shared = set.intersection(*(one.codes for one in explanations))
    return [(code, fields) for code, fields in explanations[0].faults if code in shared]


def _hint(trial: Trial, given: Given, code: str) -> str:
    """Which classes are off, and whether value and gradient at least belong together."""
    belongs = not trial.unfinished and not trial.value_right(given) and _belongs(trial, given)
    if code == "wrong_value":
        return "dW is the gradient of this loss all the same." if belongs else "No known fault explains it."
    off = np.abs(given.gradient - trial.answer(given.case).gradient) > tolerances(given.case, trial.loss)[1]
    return f"{_which(off)} {'It is the gradient of the loss that you return.' if belongs else ''}".strip()


def _which(off: np.ndarray) -> str:
    """Which entries of dW (D, C) are wrong."""
    features, classes = off.all(axis=1), off.all(axis=0)
    if off.all():
        return "Every entry is off."
    if classes.any() and not off[:, ~classes].any():
        return f"The entries of class {_list(np.flatnonzero(classes))} are off, the others right."
    if features.any() and not off[~features].any():
        return f"The entries of feature {_list(np.flatnonzero(features))} are off, the others right."
    return f"{int(off.sum())} of {off.size} entries are off."


def _list(indices: np.ndarray) -> str:
    return ", ".join(map(str, indices))


def _belongs(trial: Trial, given: Given) -> bool:
    """Whether the gradient is that of the value, by central differences that step around the hinge's kinks."""
    case = given.case

    def value(W: np.ndarray) -> float:
        moved = trial.ask(Case(case.name, W, case.X, case.y, case.reg))
        return float("nan") if moved is None else moved.value

    found = check_gradient(value, case.W.copy(), given.gradient, checks=5, h="auto", rng=np.random.default_rng(0))
    return bool(np.max(found.relative_error) < CONSISTENT)

"""What is wrong with value and gradient at ordinary scores, without a penalty."""

import itertools
from collections.abc import Mapping

import numpy as np

from linprobe.checker.cases import Case
from linprobe.checker.codes import RANK, fault
from linprobe.checker.models import Explanation, explain_gradient, explain_value
from linprobe.checker.trial import Given, Trial
from linprobe.checker.truth import SINGLE, tolerances
from linprobe.checker.verdict import Fault
from linprobe.gradient_check import check_gradient

CONSISTENT = 1e-5  # relative error of a gradient beside central differences of its own value


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
    of_value, of_gradient = _simplest(values, gradients)
    faults: dict[str, Fault] = {}
    for explanation, wrong, figures, code in (
        (of_value, value_wrong, trial.at_value, "wrong_value"),
        (of_gradient, gradient_wrong, trial.at_gradient, "wrong_gradient"),
    ):
        if explanation is None:
            faults[code] = fault(code, figures(wrong[0]), hint=_hint(trial, wrong[0], code))
            continue
        for name, fields in explanation.faults:
            if name in faults and "what" in fields:
                fields = {**fields, "what": "Each of loss and gradient"}
                faults[name] = fault(name, faults[name].evidence, **fields)
            elif name not in faults:
                faults[name] = fault(name, figures(wrong[0]), **fields)
            trial.padded = fields.get("found", 0.0) if name == "padded_normaliser" else trial.padded
    return sorted(faults.values(), key=lambda one: RANK[one.code])


def _simplest(values: list[Explanation], gradients: list[Explanation]) -> tuple[Explanation | None, Explanation | None]:
    """An explanation of each part: together the fewest faults, and of these the deepest roots."""
    pairs = itertools.product(values or [None], gradients or [None])
    return min(pairs, key=lambda pair: _depth(set().union(*(one.codes for one in pair if one is not None))))


def _depth(codes: set[str]) -> tuple[int, list[int]]:
    return len(codes), sorted(RANK[code] for code in codes)


def _hint(trial: Trial, given: Given, code: str) -> str:
    """Which classes are off, and whether value and gradient at least belong together."""
    belongs = not trial.unfinished and not trial.value_right(given) and _belongs(trial, given)
    if code == "wrong_value":
        return "dW is the gradient of this loss all the same." if belongs else "No fault that is known explains it."
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

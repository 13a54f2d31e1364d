"""Whether a softmax holds at large scores, and by what it does not: each way to shift the scores fails in its own."""

from dataclasses import replace

import numpy as np

from linprobe.learn.checker.cases import LARGE, LARGE_SCORES, LARGE_SINGLE, Case
from linprobe.learn.checker.codes import fault
from linprobe.learn.checker.trial import Given, Trial
from linprobe.learn.checker.truth import value_with_added
from linprobe.learn.checker.verdict import Fault

__all__ = ["find_added", "judge_large_scores"]

EXCUSED = {"dominant", "underflow"}
SMALLEST = 740.0  # -log of about the smallest number above 0
LARGEST_ADDED = 1e-2
NOT_SHIFTED = {"positive", "negative"}


def find_added(trial: Trial) -> None:
    """Note what is added to the probabilities before their logarithm, or the least one that is taken."""
    if trial.loss == "hinge":
        return
    cases = {one.name.removesuffix(", float32"): one for one in LARGE_SCORES[_size(trial)]}
    near, far, farther = (trial.ask(cases[name]) for name in ("spread", "far spread", "underflow"))
    if near is None or far is None or farther is None or not (near.finite and far.finite):
        return
    if 0 < far.value < 0.99 * trial.answer(far.case).value and np.exp(-far.value) < LARGEST_ADDED:
        added = float(np.exp(-far.value))
        # A cap is the same however small the probabilities get.
        capped = np.isclose(farther.value, value_with_added(farther.case, added), rtol=1e-4)
        if capped and np.isclose(near.value, value_with_added(near.case, added), rtol=1e-6):
            trial.added = added


def judge_large_scores(trial: Trial, *, only_finite: bool) -> list[Fault]:
    """The faults; only_finite, where the function is wrong at ordinary scores too."""
    failed: dict[str, Fault] = {}
    for case in LARGE_SCORES[_size(trial)]:
        name = case.name.removesuffix(", float32")
        outcome = trial.call(case)
        given = trial.read(case, outcome)
        if given is None:
            error = "no answer" if outcome.crash is None else outcome.crash.words
            failed[name] = fault("wrong_at_large_scores", {"case": str(case)}, hint=f"{error}.")
        elif name in EXCUSED and not trial.added and _value_underflows(trial, given):
            # -log(p) of a p that has underflown to 0 is what most people hand in, and what they are taught; so is a sum
            # over all classes of which all but one are times 0.
            continue
        elif not given.finite or not (only_finite or trial.right(given)):
            capped = name == "positive" and np.isclose(given.value, _of_equal_scores(trial, case), rtol=1e-6)
            failed[name] = fault("capped_scores", trial.at_value(given)) if capped else _differs(trial, given)
    capped = []
    if trial.added:
        far = trial.ask(next(one for one in LARGE_SCORES[_size(trial)] if one.name.startswith("far")))
        capped = [] if far is None else [fault("capped_logarithm", trial.at_value(far), found=trial.added)]
    return [*_named(failed), *capped]


def _of_equal_scores(trial: Trial, case: Case) -> float:
    """The value where all scores of an example are the same."""
    return trial.answer(replace(case, W=np.zeros_like(case.W))).value


def _value_underflows(trial: Trial, given: Given) -> bool:
    """Whether the value alone is wrong, by the logarithm of 0, or of the smallest number there is."""
    lost = not np.isfinite(given.value) or (given.value > SMALLEST and not trial.value_right(given))
    return lost and trial.gradient_right(given)


def _size(trial: Trial) -> float:
    return LARGE_SINGLE if trial.single else LARGE


def _named(failed: dict[str, Fault]) -> list[Fault]:
    """The fault behind the cases that failed."""
    if "positive" in failed and failed["positive"].code == "capped_scores":
        return [failed["positive"]]
    lost = {name for name, one in failed.items() if one.evidence.get("found") in {"nan", "inf", "-inf"}}
    if lost >= NOT_SHIFTED or "dominant" in lost:
        code, name = "overflow", "positive" if "positive" in lost else "dominant"
    elif "negative" in lost:
        code, name = "maximum_from_zero", "negative"
    elif "rows apart" in lost:
        code, name = "batch_maximum", "rows apart"
    else:
        return list(failed.values())[:1]
    return [fault(code, failed[name].evidence)]


def _differs(trial: Trial, given: Given) -> Fault:
    """The figures of an answer that is wrong, by the value where that is."""
    figures = trial.at_gradient(given) if trial.value_right(given) else trial.at_value(given)
    return fault("wrong_at_large_scores", figures, hint="compare the figures with those that are expected.")

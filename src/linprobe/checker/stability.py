"""Whether a softmax holds at large scores, and by what it does not: each way to shift the scores fails in its own."""

import numpy as np

from linprobe.checker.cases import LARGE, LARGE_SINGLE, large_scores
from linprobe.checker.codes import fault
from linprobe.checker.trial import Given, Trial, evidence
from linprobe.checker.verdict import Fault

UNDERFLOW = (
    "Where a score is hundreds below the largest, its probability is 0 in floating point, and -log(p) no finite "
    "number; scores - log(sum(exp(scores))) has no such limit."
)
NOT_SHIFTED = {"positive", "negative"}


def judge_large_scores(trial: Trial, *, only_finite: bool) -> tuple[list[Fault], list[str]]:
    """Faults, and notes on what is within custom; only_finite, where the function is wrong at ordinary scores too."""
    failed: dict[str, Fault] = {}
    notes: list[str] = []
    for case in large_scores(LARGE_SINGLE if trial.single else LARGE):
        name = case.name.removesuffix(", float32")
        outcome = trial.call(case)
        given = trial.read(case, outcome)
        if given is None:
            error = "no answer" if outcome.crash is None else f"{outcome.crash.kind}: {outcome.crash.message}"
            failed[name] = fault("wrong_at_large_scores", {"case": str(case)}, hint=f"{error}.")
        elif name == "underflow" and trial.loss == "softmax":
            # -log(p) of a p that has underflown to 0 is what most people hand in, and what they are taught.
            if not trial.right(given) and not failed:
                notes.append(UNDERFLOW)
        elif name == "dominant" and not np.isfinite(given.value) and trial.gradient_right(given):
            notes.append(UNDERFLOW)  # a sum over all classes of -log(p), of which all but one are times 0
        elif not given.finite or not (only_finite or trial.right(given)):
            failed[name] = (_capped(trial, given) if "spread" in name else None) or _differs(trial, given)
    return (_named(failed) if failed else []), list(dict.fromkeys(notes))


def _named(failed: dict[str, Fault]) -> list[Fault]:
    """The faults behind the cases that failed."""
    capped = [one for one in failed.values() if one.code == "capped_logarithm"][:1]
    others = {name: one for name, one in failed.items() if one.code != "capped_logarithm"}
    lost = {name for name, one in others.items() if one.evidence.get("found") in {"nan", "inf", "-inf"}}
    if lost >= NOT_SHIFTED or "dominant" in lost:
        code, name = "overflow", "positive" if "positive" in lost else "dominant"
    elif "negative" in lost:
        code, name = "maximum_from_zero", "negative"
    elif "rows apart" in lost:
        code, name = "batch_maximum", "rows apart"
    else:  # whatever is finite and wrong elsewhere is wrong for the same reason where p is tiny
        return [next(iter(others.values()))] if others else capped
    return [fault(code, others[name].evidence), *capped]


def _differs(trial: Trial, given: Given) -> Fault:
    """The figures of an answer that is wrong, by the value where that is."""
    figures = trial.at_gradient(given) if trial.value_right(given) else trial.at_value(given)
    return fault("wrong_at_large_scores", figures, hint="compare the figures with those that are expected.")


def _capped(trial: Trial, given: Given) -> Fault | None:
    """A loss that is finite and too small where p is tiny: something was added to the probability."""
    value, _ = trial.expected(given.case)
    if trial.loss == "hinge" or not given.finite or not 0 < given.value < value:
        return None
    # Every p of these examples is far below what is added to it.
    trial.added = float(np.exp(-given.value))
    return fault("capped_logarithm", evidence(given.case, "loss", value, given.value), found=trial.added)

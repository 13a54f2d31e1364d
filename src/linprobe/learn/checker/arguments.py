"""Batches and types that a function which is right at ordinary ones may still get wrong."""

import numpy as np

from linprobe.learn.checker.calling import of_outcome
from linprobe.learn.checker.cases import CASES, Case
from linprobe.learn.checker.codes import fault
from linprobe.learn.checker.outcome import Outcome
from linprobe.learn.checker.trial import Trial
from linprobe.learn.checker.truth import SINGLE
from linprobe.learn.checker.verdict import Convention, Fault

__all__ = ["FACTORS", "TELLING", "compare", "judge_arguments"]

# The first case that goes wrong tells, and those before it that were right: an absent class is one only where the same
# sizes with every class were right.
ANY = "wrong_value"
TELLING = (
    *((name, ANY) for name in ("in order, penalised", "tenth", "every class", "square", "one feature", "two classes")),
    ("absent classes", "absent_class"),
    ("few examples", "few_examples"),
    ("one example", "single_example"),
    ("other labels", "not_repeatable"),
    ("many examples", ANY),
    ("strong penalty", ANY),
)
FACTORS = {"full": 1.0, "half": 0.5}


def judge_arguments(trial: Trial, convention: Convention | None, *, stable: bool) -> tuple[list[Fault], list[str]]:
    """The first fault, and notes; stable, whether it holds at large scores: float32 has fewer that are not large."""
    factor = FACTORS[convention or "full"]
    for name, code in TELLING:
        case = CASES[name]
        if (one := compare(trial, case, trial.call(case), factor, code)) is not None:
            return [one], []
    return _in_single_precision(trial, factor) if stable else ([], [])


def _in_single_precision(trial: Trial, factor: float) -> tuple[list[Fault], list[str]]:
    case = CASES["penalised"]
    held = Trial(trial.caller, trial.loss, trial.layout, trial.library, SINGLE, SINGLE, trial.added, trial.padded)
    held.missing, held.unfinished = trial.missing, trial.unfinished
    outcome = held.call(case, dtype=np.float32)
    if outcome.crash is not None and (trial.library != "numpy" or "dtype" in outcome.crash.message):
        return [], ["It takes float64 only, and says so."]
    one = compare(held, case, outcome, factor, "single_precision")
    return ([] if one is None else [one]), []


def compare(trial: Trial, case: Case, outcome: Outcome, factor: float, code: str) -> Fault | None:
    """The fault of this code where the answer to this case is wrong, with its figures."""
    given = trial.read(case, outcome)
    if given is None:
        said = of_outcome(trial, outcome, case)
        return said if code == ANY else fault(code, said.evidence, hint=said.message)
    if trial.right(given, factor):
        return None
    wrong_value = not trial.value_right(given, factor)
    figures = trial.at_value(given, factor) if wrong_value else trial.at_gradient(given, factor)
    if code == ANY and not wrong_value:
        code = "wrong_gradient"
    single = "the answer is off by more than float32's rounding."
    return fault(code, figures, hint=single if code == "single_precision" else "It is right for other arguments.")

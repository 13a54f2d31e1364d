"""From what a function answers to a verdict: is it right, and where not, what is wrong with it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import get_args

import numpy as np

from linprobe.checker.calling import arrange, first_case, named_loss, no_answer, place
from linprobe.checker.cases import EXERCISE, Case, all_cases
from linprobe.checker.codes import CODES, RANK, fault
from linprobe.checker.diagnosis import diagnose
from linprobe.checker.outcome import Caller, Outcome
from linprobe.checker.penalty import Pair, judge_penalty
from linprobe.checker.stability import judge_large_scores
from linprobe.checker.trial import Given, Trial
from linprobe.checker.truth import SINGLE
from linprobe.checker.verdict import Convention, Fault, Judgement, Loss, Verdict

ORDINARY = ("ordinary", "labels in order", "identity", "zero weights")
SOME_ARGUMENTS = (
    ("absent classes", "absent_class"),
    ("few examples", "few_examples"),
    ("one example", "single_example"),
    ("one feature", "single_example"),
    ("two classes", "absent_class"),
    ("other labels", "not_repeatable"),
    ("many examples", "wrong_value"),
)
CHANGES = {"W": "changes_weights", "X": "changes_data", "y": "changes_labels"}
UNEXPLAINED = {"wrong_value", "wrong_gradient"}
ABSENT_PENALTIES = {"penalty_missing", "penalty_not_in_value", "penalty_not_in_gradient"}
# Formulas that are infinite at large scores however the scores are shifted.
INFINITE_ANYWAY = UNEXPLAINED | {
    "label_of_class",
    "softmax_twice",
    "column_maximum",
    "batch_normaliser",
    "example_normaliser",
    "running_normaliser",
    "true_class_not_normalised",
    "no_logarithm",
}
WHOLE = {"sign_of_value", "sign_of_gradient"}
WORST: tuple[Judgement, ...] = ("crashes", "unfinished", "wrong", "right_unstable")
PATIENCE = 1.0  # seconds that one call at the exercise's own size may take


@dataclass
class _Findings:
    faults: list[Fault] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    convention: Convention | None = None
    loop_free: bool | None = None
    seconds: float | None = None
    answers: dict[str, Given] = field(default_factory=dict)


def judge(caller: Caller, name: str, loss: Loss | None = None) -> Verdict:
    """The verdict on a function that should be this loss; None: the one its name says, or that explains it best."""
    loss = loss or named_loss(name)
    if loss is not None:
        return _judge(caller, name, loss)
    return min((_judge(caller, name, one) for one in get_args(Loss)), key=_distance)


def _distance(verdict: Verdict) -> int:
    """How far from right; what no known fault explains is further than what some do."""
    return sum(10 if one.code in UNEXPLAINED else 1 for one in verdict.faults)


def _judge(caller: Caller, name: str, loss: Loss) -> Verdict:
    trial, first = arrange(caller, loss)
    findings = _Findings()
    given = trial.read(first_case(), first)
    if given is None:
        findings.faults.append(no_answer(trial, first))
    else:
        _judge_answers(trial, given, findings)
    findings.faults += [fault(CHANGES[which], {"case": str(case)}) for which, case in trial.changed.items()]
    return _verdict(name, trial, findings, answered=given is not None)


def _judge_answers(trial: Trial, first: Given, findings: _Findings) -> None:
    """Everything that can be known of a function that gives a loss and a dW."""
    if not _repeats(trial, findings):
        return
    findings.loop_free = _loop_free(trial)
    kind = trial.call(first.case).gradient
    if kind is not None and not np.issubdtype(kind.dtype, np.floating):
        findings.faults.append(fault("gradient_type", {"case": str(first.case)}, found=f"numbers of type {kind.dtype}"))
        return
    ordinary = _ask_all(trial, first)
    trial.settle_precision(ordinary.values())
    if unfinished := _unfinished(trial, ordinary):
        findings.faults.append(unfinished)
        return
    wrong = diagnose(trial, ordinary)
    findings.faults += wrong
    if not all(given.finite for given in ordinary.values()):
        return
    _judge_penalty(trial, ordinary, findings)
    if not {one.code for one in wrong} & INFINITE_ANYWAY:
        large, notes = judge_large_scores(trial, only_finite=bool(wrong))
        findings.faults += large
        findings.notes += notes
    if not findings.faults or {CODES[one.code].judgement for one in findings.faults} == {"right_unstable"}:
        _judge_some_arguments(trial, findings)
    if trial.single:
        findings.notes.append("It computes in single precision (float32), whatever it is given.")
    _time(trial, findings)
    _repeats(trial, findings)  # what it keeps may tell only now


def _repeats(trial: Trial, findings: _Findings) -> bool:
    """Whether the same arguments give the same answer as ever; the only fault where they do not."""
    for name in ("ordinary", "penalised"):
        given = trial.ask(all_cases()[name])
        if given is None:
            continue
        before = findings.answers.setdefault(name, given)
        again = trial.ask(given.case) if before is given else given
        if again is None or not _same(before, again):
            figures = {} if again is None else trial.at_value(again) | {"expected": before.value}
            findings.faults = [fault("not_repeatable", figures)]
            return False
    return True


def _ask_all(trial: Trial, first: Given) -> Mapping[Case, Given]:
    answers = {first.case: first}
    for name in ORDINARY[1:]:
        if (given := trial.ask(all_cases()[name])) is not None:
            answers[given.case] = given
    return answers


def _same(one: Given, other: Given) -> bool:
    """Up to what threads that add in another order may do, in single precision."""
    values = bool(np.isclose(one.value, other.value, rtol=1e-6, equal_nan=True))
    return values and np.allclose(one.gradient, other.gradient, rtol=1e-4, atol=1e-6, equal_nan=True)


def _unfinished(trial: Trial, answers: Mapping[Case, Given]) -> Fault | None:
    """A function that gives 0 where something is to be computed."""
    first = answers[first_case()]
    no_value = all(given.value == 0 for given in answers.values())
    no_gradient = all(not given.gradient.any() for given in answers.values())
    if no_value and no_gradient:
        return fault("unfinished", trial.at_value(first), found="It returns 0 and zeros")
    if no_value and trial.gradient_right(first):
        return fault("value_unfinished", trial.at_value(first))
    if no_gradient and trial.value_right(first):
        return fault("gradient_unfinished", trial.at_gradient(first))
    return None


def _judge_penalty(trial: Trial, ordinary: Mapping[Case, Given], findings: _Findings) -> None:
    """The penalty, from what reg adds; a factor that the whole of value or gradient has is not said of it again."""
    names = (("ordinary", "penalised"), ("labels in order", "in order, penalised"))
    pairs: list[Pair] = []
    for name, with_reg in names:
        without, given = ordinary.get(all_cases()[name]), trial.ask(all_cases()[with_reg])
        if without is None or given is None or not (without.finite and given.finite):
            return
        pairs.append((without, given))
    codes = {one.code for one in findings.faults}
    findings.convention, faults = judge_penalty(trial, pairs)
    if faults and codes & WHOLE:
        signs = (-1 if "sign_of_value" in codes else 1), (-1 if "sign_of_gradient" in codes else 1)
        turned = [(_turned(without, *signs), _turned(given, *signs)) for without, given in pairs]
        convention, left = judge_penalty(trial, turned)
        if not left:
            findings.convention, faults = convention, left
    if "penalty_without_reg" in codes:  # then reg adds nothing, and that has been said
        faults = [one for one in faults if one.code not in ABSENT_PENALTIES]
    if codes & UNEXPLAINED:  # then what reg adds is not known well enough to name a factor
        faults = [one for one in faults if one.code not in {"penalty_scale", "penalty_wrong"}]
    findings.faults += faults


def _turned(given: Given, of_value: int, of_gradient: int) -> Given:
    return Given(given.case, of_value * given.value, of_gradient * given.gradient)


def _judge_some_arguments(trial: Trial, findings: _Findings) -> None:
    """Batches of few examples and classes, float32 arguments, and the exercise's own values."""
    factor = {"full": 1.0, "half": 0.5}.get(findings.convention or "full", 1.0)
    for name, code in SOME_ARGUMENTS:
        case = all_cases()[name]
        outcome = trial.call(case)
        if (one := _compare(trial, case, outcome, factor, code)) is not None:
            findings.faults.append(one)
            return
    for name in ("in order, penalised", "tenth"):
        case = all_cases()[name]
        if (one := _compare(trial, case, trial.call(case), factor, "wrong_value")) is not None:
            findings.faults.append(one)
            return
    case = all_cases()["penalised"]
    held = Trial(trial.caller, trial.loss, trial.layout, trial.library, SINGLE, SINGLE)
    outcome = held.call(case, dtype=np.float32)
    if (one := _compare(held, case, outcome, factor, "single_precision")) is not None:
        findings.faults.append(one)


def _compare(trial: Trial, case: Case, outcome: Outcome, factor: float, code: str) -> Fault | None:
    """The fault of this code where the answer to this case is wrong, with its figures."""
    given = trial.read(case, outcome)
    if given is None:
        error = "dW or the loss has another shape"
        if outcome.crash is not None:
            error = f"it raises {outcome.crash.kind}: {outcome.crash.message}"
        elif outcome.returned:
            error = f"it returns {outcome.returned}"
        return fault(code, {"case": str(case), **place(outcome.crash)}, hint=f"{error}.")
    if trial.right(given, factor):
        return None
    wrong_value = not trial.value_right(given, factor)
    figures = trial.at_value(given, factor) if wrong_value else trial.at_gradient(given, factor)
    if code == "wrong_value" and not wrong_value:
        code = "wrong_gradient"
    return fault(code, figures, hint=f"{figures['where']} is {figures['found']}, not {figures['expected']}.")


def _loop_free(trial: Trial) -> bool | None:
    """Whether the number of lines that Python runs stays the same for five times as many examples."""
    short, long = (trial.call(all_cases()[name], count=True) for name in ("short", "long"))
    if short.lines is None or long.lines is None:
        return None
    return long.lines - short.lines < (len(all_cases()["long"].y) - len(all_cases()["short"].y)) / 2


def _time(trial: Trial, findings: _Findings) -> None:
    """Seconds at the exercise's own size; from a hundredth of it where a call would take long."""
    small, whole = all_cases()["tenth"], all_cases()["exercise"]
    overhead = trial.call(all_cases()["short"]).seconds
    estimate = overhead + 100 * max(trial.call(small).seconds - overhead, 0)
    findings.seconds = estimate
    if estimate > PATIENCE:
        N, D, C = EXERCISE
        findings.notes.append(f"It is slow: about {estimate:.0f} s for {N} x {D:,} x {C}, by a hundredth of that.")
        return
    outcome = trial.call(whole)
    findings.seconds = outcome.seconds
    given = trial.read(whole, outcome)
    if not findings.faults and (given is None or not trial.right(given)):
        one = _compare(trial, whole, outcome, 1.0, "wrong_value")
        findings.faults += [one] if one is not None else []


def _verdict(name: str, trial: Trial, findings: _Findings, *, answered: bool) -> Verdict:
    """All of it, the root of the faults first."""
    kinds = {CODES[one.code].judgement for one in findings.faults}
    # What is wrong at scores of any size need not be said of large ones again.
    said = [one for one in findings.faults if one.code != "wrong_at_large_scores" or "wrong" not in kinds]
    faults = tuple(sorted(said, key=lambda one: RANK[one.code]))
    found: list[Judgement] = [kind for kind in WORST if kind in kinds]
    judgement: Judgement = found[0] if found else "right"
    return Verdict(
        name,
        judgement,
        trial.loss,
        findings.convention,
        trial.layout if answered and not any(one.code == "unfinished" for one in faults) else None,
        findings.loop_free,
        findings.seconds,
        faults,
        (*trial.supplied, *findings.notes, *_on_loops(name, findings)),
    )


def _on_loops(name: str, findings: _Findings) -> list[str]:
    if "vectori" in name and findings.loop_free is False:
        return ["It has a loop over the examples; the exercise asks for none."]
    return []

"""From what a function answers to a verdict: is it right, and where not, what is wrong with it."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import get_args

import numpy as np

from linprobe.checker.arguments import compare, judge_arguments
from linprobe.checker.calling import arrange, first_case, named_loss, no_answer, of_outcome
from linprobe.checker.cases import CASES, EXERCISE, Case
from linprobe.checker.codes import CODES, RANK, fault
from linprobe.checker.diagnosis import diagnose
from linprobe.checker.outcome import Caller
from linprobe.checker.penalty import Pair, judge_penalty
from linprobe.checker.stability import find_added, judge_large_scores
from linprobe.checker.trial import Given, Trial, plain
from linprobe.checker.verdict import Convention, Fault, Judgement, Loss, Verdict

ORDINARY = ("ordinary", "labels in order", "identity", "zero weights")
CHANGES = {"W": "changes_weights", "X": "changes_data", "y": "changes_labels"}
UNEXPLAINED = {"wrong_value", "wrong_gradient"}
PENALTY_UNKNOWN = UNEXPLAINED | {"mean_in_loop"}  # where the loop may hold the penalty as well
UNSURE = {"penalty_scale", "penalty_wrong", "penalty_without_bias"}
ABSENT_PENALTIES = {"penalty_missing", "penalty_not_in_value", "penalty_not_in_gradient"}
# Formulas that are infinite at large scores however the scores are shifted.
INFINITE_ANYWAY = UNEXPLAINED | {
    "label_of_class",
    "label_index",
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
    meant = loss or named_loss(name)
    if meant is None:
        found = min((_judge(caller, name, one) for one in get_args(Loss)), key=_distance)
        unsure = any(one.code in UNEXPLAINED for one in found.faults)
        note = f"It was judged as the {found.loss} loss, which its name does not say; say it with --loss."
        return replace(found, notes=(*found.notes, note)) if unsure else found
    found = _judge(caller, name, meant)
    if any(one.code in UNEXPLAINED for one in found.faults):
        other = _judge(caller, name, "hinge" if meant == "softmax" else "softmax")
        if other.verdict in {"right", "right_unstable"}:
            swapped = fault("other_loss", found.faults[0].evidence, other=other.loss, loss=meant)
            return replace(found, faults=(swapped, *other.faults), convention=other.convention)
    return found


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
    ordinary = _ask_all(trial, first, findings)
    trial.settle_precision(ordinary.values())
    find_added(trial)
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
    if not {CODES[one.code].judgement for one in findings.faults} - {"right_unstable"}:
        others, notes = judge_arguments(trial, findings.convention, stable=not findings.faults)
        findings.faults += others
        findings.notes += notes
    if trial.single:
        findings.notes.append("It computes in single precision (float32), whatever it is given.")
    _time(trial, findings)
    _repeats(trial, findings)  # what it keeps may tell only now


def _repeats(trial: Trial, findings: _Findings) -> bool:
    """Whether the same arguments give the same answer as ever; the only fault where they do not."""
    for name in ("ordinary", "penalised"):
        given = trial.ask(CASES[name])
        if given is None:
            continue
        before = findings.answers.setdefault(name, given)
        again = trial.ask(given.case) if before is given else given
        if again is None or not _same(before, again):
            figures = {} if again is None else trial.at_value(again) | {"expected": plain(before.value)}
            findings.faults = [fault("not_repeatable", figures)]
            return False
    return True


def _ask_all(trial: Trial, first: Given, findings: _Findings) -> Mapping[Case, Given]:
    """The answers to the ordinary cases; the first that there is none to is a fault."""
    answers = {first.case: first}
    for name in ORDINARY[1:]:
        if (given := _answer(trial, CASES[name], findings)) is not None:
            answers[given.case] = given
    return answers


def _answer(trial: Trial, case: Case, findings: _Findings) -> Given | None:
    """The answer to a case that any function must have one to; a fault where there is none."""
    outcome = trial.call(case)
    given = trial.read(case, outcome)
    if given is None and not findings.faults:
        findings.faults.append(of_outcome(trial, outcome, case))
    return given


def _same(one: Given, other: Given) -> bool:
    """Up to what threads that add in another order may do, in single precision."""
    values = bool(np.isclose(one.value, other.value, rtol=1e-6, equal_nan=True))
    return values and np.allclose(one.gradient, other.gradient, rtol=1e-4, atol=1e-6, equal_nan=True)


def _unfinished(trial: Trial, answers: Mapping[Case, Given]) -> Fault | None:
    """A function that gives 0 where something is to be computed."""
    first = answers[first_case()]
    no_value = all(given.value == 0 for given in answers.values())
    no_gradient = all(not given.gradient.any() for given in answers.values())
    if not (no_value or no_gradient):
        return None
    # What is 0 because every class occurs, or but for a penalty, has been written, and wrongly.
    more = [given for name in ("absent classes", "penalised") if (given := trial.ask(CASES[name])) is not None]
    penalty_alone = [
        what
        for what, nothing, some in (
            ("The loss", no_value, any(given.value for given in more)),
            ("The gradient", no_gradient, any(given.gradient.any() for given in more)),
        )
        if nothing and some
    ]
    if penalty_alone:
        what = "Each of loss and gradient" if len(penalty_alone) == 2 else penalty_alone[0]
        figures = trial.at_value(first) if "The loss" in penalty_alone else trial.at_gradient(first)
        return fault("only_penalty", figures, what=what)
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
        without, given = ordinary.get(CASES[name]), _answer(trial, CASES[with_reg], findings)
        if without is None or given is None:
            return
        if not (without.finite and given.finite):
            findings.faults.append(fault("not_finite", trial.at_value(given)))
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
    if codes & PENALTY_UNKNOWN:  # then what reg adds is not known well enough to name a factor
        faults = [one for one in faults if one.code not in UNSURE]
    findings.faults += faults


def _turned(given: Given, of_value: int, of_gradient: int) -> Given:
    return Given(given.case, of_value * given.value, of_gradient * given.gradient)


def _loop_free(trial: Trial) -> bool | None:
    """Whether the number of lines that Python runs stays the same for five times as many examples."""
    short, long = (trial.call(CASES[name], count=True) for name in ("short", "long"))
    if short.lines is None or long.lines is None:
        return None
    return long.lines - short.lines < (len(CASES["long"].y) - len(CASES["short"].y)) / 2


def _time(trial: Trial, findings: _Findings) -> None:
    """Seconds at the exercise's own size; from a hundredth of it where a call would take long."""
    small, whole = CASES["tenth"], CASES["exercise"]
    overhead = trial.call(CASES["short"]).seconds
    estimate = overhead + 100 * max(trial.call(small).seconds - overhead, 0)
    if estimate > PATIENCE:
        N, D, C = EXERCISE
        size = f"{N} x {D:,} x {C}"
        findings.notes.append(f"It is slow: {size} would take about {estimate:.0f} s, and was not tried.")
        return
    outcome = trial.call(whole)
    findings.seconds = outcome.seconds if outcome.crash is None else None
    if not findings.faults:
        one = compare(trial, whole, outcome, {"half": 0.5}.get(findings.convention or "", 1.0), "wrong_value")
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

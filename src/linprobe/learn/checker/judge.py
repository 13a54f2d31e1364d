"""From what a function answers to a verdict: is it right, and where not, what is wrong with it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import get_args

import numpy as np

from linprobe.learn.checker.arguments import compare, judge_arguments
from linprobe.learn.checker.calling import arrange, first_case, named_loss, no_answer, of_outcome
from linprobe.learn.checker.cases import CASES, EXERCISE, Case
from linprobe.learn.checker.codes import CODES, INFINITE_ANYWAY, RANK, UNEXPLAINED, fault
from linprobe.learn.checker.diagnosis import diagnose
from linprobe.learn.checker.outcome import Caller
from linprobe.learn.checker.penalty import Pair, judge_penalty
from linprobe.learn.checker.repair import Source, locate
from linprobe.learn.checker.stability import find_added, judge_large_scores
from linprobe.learn.checker.trial import Given, Part, Trial, plain
from linprobe.learn.checker.verdict import Convention, Fault, Judgement, Loss, Verdict

__all__ = ["judge"]

ORDINARY = ("ordinary", "labels in order", "identity", "zero weights")
CHANGES = {"W": "changes_weights", "X": "changes_data", "y": "changes_labels"}
PENALTY_UNKNOWN = UNEXPLAINED | {"mean_in_loop"}  # where the loop may hold the penalty as well
UNSURE = {"penalty_scale", "penalty_wrong", "penalty_without_bias"}
ABSENT_PENALTIES = {"penalty_missing", "penalty_not_in_value", "penalty_not_in_gradient"}
WHOLE = {"sign_of_value", "sign_of_gradient"}
WORST: tuple[Judgement, ...] = ("crashes", "unfinished", "wrong", "right_unstable")
TRIES = 3  # of so many estimates the shortest says whether that is longer than one may wait
PATIENCE = 1.0  # seconds that one call at the exercise's own size may take


@dataclass
class _Findings:
    faults: list[Fault] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    convention: Convention | None = None
    loop_free: bool | None = None
    seconds: float | None = None
    answers: dict[str, Given] = field(default_factory=dict)


def judge(caller: Caller, name: str, loss: Loss | None = None, source: Source | None = None) -> Verdict:
    """The verdict on a function that should be this loss, or the one that its name says, or that explains it best."""
    meant = loss or named_loss(name)
    if meant is None:
        found = min((_judge(caller, name, one, source) for one in get_args(Loss)), key=_distance)
        unsure = any(one.code in UNEXPLAINED for one in found.faults)
        note = f"It was judged as the {found.loss} loss, which its name does not say; say it with --loss."
        return replace(found, notes=(*found.notes, note)) if unsure else found
    found = _judge(caller, name, meant, source)
    if any(one.code in UNEXPLAINED for one in found.faults):
        other = _judge(caller, name, "hinge" if meant == "softmax" else "softmax")
        if _written_right(other):
            swapped = fault("other_loss", found.faults[0].evidence, other=other.loss, loss=meant)
            faults = sorted((swapped, *other.faults), key=lambda one: RANK[one.code])
            return replace(found, faults=tuple(faults), convention=other.convention)
    return found


def _written_right(verdict: Verdict) -> bool:
    """Whether what has been written is right, and something has been."""
    kinds = {CODES[one.code].judgement for one in verdict.faults}
    return kinds <= {"unfinished", "right_unstable"} and not any(one.code == "unfinished" for one in verdict.faults)


def _distance(verdict: Verdict) -> int:
    """How far from right; what no known fault explains is further than what some do."""
    return sum(10 if one.code in UNEXPLAINED else 1 for one in verdict.faults)


def _judge(caller: Caller, name: str, loss: Loss, source: Source | None = None) -> Verdict:
    trial, first = arrange(caller, loss)
    findings = _Findings()
    given = trial.read(first_case(), first)
    if given is None:
        findings.faults.append(no_answer(trial, first))
    else:
        _judge_answers(trial, given, findings)
        if source is not None and "wrong" in _judgements(findings):
            findings.faults = locate(source, trial, findings.faults)
    findings.faults += [fault(CHANGES[which], {"case": str(case)}) for which, case in trial.changed.items()]
    return _verdict(name, trial, findings, answered=given is not None)


def _judge_answers(trial: Trial, first: Given, findings: _Findings) -> None:
    """Everything that can be known of a function that gives a loss and a dW."""
    if not _repeats(trial, findings):
        return
    findings.loop_free = _loop_free(trial)
    ordinary = _with_telling(trial, _ask_all(trial, first, findings))
    kind = trial.call(first.case).gradient
    if kind is not None and kind.ndim and not np.issubdtype(kind.dtype, np.floating):
        findings.faults = [fault("gradient_type", {"case": str(first.case)}, found=f"numbers of type {kind.dtype}")]
        if _factor_of_gradient(ordinary) is None:
            return
    findings.faults += _unfinished(trial, ordinary, cut_off=bool(findings.faults))
    if any(one.code == "unfinished" for one in findings.faults):
        return
    trial.settle_precision(ordinary.values())
    find_added(trial)
    wrong = diagnose(trial, ordinary)
    findings.faults = _merged([*findings.faults, *wrong])
    if not all(given.finite for given in ordinary.values()):
        return
    _judge_penalty(trial, ordinary, findings)
    if not {one.code for one in wrong} & INFINITE_ANYWAY:
        findings.faults += judge_large_scores(trial, only_finite=bool(wrong))
    if not _judgements(findings) - {"right_unstable", "unfinished"}:
        stable = "right_unstable" not in _judgements(findings)
        others, notes = judge_arguments(trial, findings.convention, stable=stable)
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


def _with_telling(trial: Trial, answers: Mapping[Case, Given]) -> Mapping[Case, Given]:
    """And the answer where classes are absent, if it alone shows that a part which is 0 elsewhere has been written."""
    empty = [of_part for of_part in (_factor_of_value, _factor_of_gradient) if of_part(answers) is not None]
    absent = trial.ask(replace(CASES["absent classes"], reg=0.0)) if empty else None
    if absent is None:
        return answers
    more = {**answers, absent.case: absent}
    return more if any(of_part(more) is None for of_part in empty) else answers


def _unfinished(trial: Trial, answers: Mapping[Case, Given], *, cut_off: bool) -> list[Fault]:
    """What has not been written of loss and gradient, each for itself; the trial no longer judges that part."""
    first, penalised = answers[first_case()], trial.ask(CASES["penalised"])
    of_value, of_gradient = _factor_of_value(answers), _factor_of_gradient(answers)
    nothing = penalised is not None and not penalised.value and not penalised.gradient.any()
    if of_value == of_gradient == 0 and nothing and not cut_off:
        return [fault("unfinished", trial.at_value(first), found="It returns 0 and zeros")]
    faults: list[Fault] = []
    unfinished: list[Part] = []
    if of_value is not None:
        unfinished.append("loss")
        if of_value or (penalised is not None and penalised.value):
            faults.append(fault("only_penalty", trial.at_value(first)))
        else:
            found = "None" if "loss" in trial.missing else "0"
            faults.append(fault("value_unfinished", trial.at_value(first), found=found))
    if of_gradient is not None:
        unfinished.append("gradient")
    if of_gradient is not None and not cut_off:  # what is cut off to 0 may have been written
        penalty = of_gradient or (penalised is not None and penalised.gradient.any())
        found = "holds the penalty alone" if penalty else _nothing(trial.call(first.case).gradient)
        faults.append(fault("gradient_unfinished", trial.at_gradient(first), found=found))
    trial.unfinished = frozenset(unfinished)
    if of_value:
        faults.append(fault("penalty_without_reg", trial.at_value(first), what="The loss"))
    if of_gradient:
        faults.append(fault("penalty_without_reg", trial.at_gradient(first), what="The gradient"))
    return faults


def _nothing(gradient: np.ndarray | None) -> str:
    """What a dW is that has nothing in it."""
    if gradient is None:
        return "is None"
    if gradient.ndim == 0:
        return "is the number 0"
    return "is 0 throughout"


def _merged(faults: Sequence[Fault]) -> list[Fault]:
    """One fault where loss and gradient forget reg alike."""
    both = [one for one in faults if one.code == "penalty_without_reg"]
    if len(both) < 2:
        return list(faults)
    one = fault("penalty_without_reg", both[0].evidence, what="Each of loss and gradient")
    return [other for other in faults if other not in both] + [one]


def _factor_of_value(answers: Mapping[Case, Given]) -> float | None:
    """How many times ΣW² every value is, whatever the data; None where that is not so."""
    return _factor([(np.array(one.value), np.sum(case.W * case.W)) for case, one in answers.items()])


def _factor_of_gradient(answers: Mapping[Case, Given]) -> float | None:
    """How many times W every gradient is, whatever the data; None where that is not so."""
    return _factor([(one.gradient, case.W) for case, one in answers.items()])


def _factor(pairs: Sequence[tuple[np.ndarray, np.ndarray]]) -> float | None:
    found, penalty = (np.concatenate([np.ravel(part) for part in parts]) for parts in zip(*pairs, strict=True))
    if not np.isfinite(found).all():
        return None
    factor = float(found @ penalty) / float(penalty @ penalty)
    return factor if np.allclose(found, factor * penalty, rtol=1e-6, atol=0) else None


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


def _judgements(findings: _Findings) -> set[Judgement]:
    return {CODES[one.code].judgement for one in findings.faults}


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
    estimates: list[float] = []
    # On a busy machine one call may wait for others, and a hundred times as long would be far too much.
    while len(estimates) < TRIES and not any(one <= PATIENCE for one in estimates):
        overhead = trial.call(CASES["short"]).seconds
        estimates.append(overhead + 100 * max(trial.call(small).seconds - overhead, 0))
    if (estimate := min(estimates)) > PATIENCE:
        N, D, C = EXERCISE
        size = f"{N} x {D:,} x {C}"
        findings.notes.append(f"It is slow: {size} would take about {estimate:.0f} s, and was not tried.")
        return
    outcome = trial.call(whole)
    findings.seconds = outcome.seconds if outcome.crash is None else None
    if not _judgements(findings) - {"unfinished"}:
        one = compare(trial, whole, outcome, {"half": 0.5}.get(findings.convention or "", 1.0), "wrong_value")
        findings.faults += [one] if one is not None else []


def _verdict(name: str, trial: Trial, findings: _Findings, *, answered: bool) -> Verdict:
    """All of it, the root of the faults first."""
    kinds = _judgements(findings)
    # What is wrong at scores of any size need not be said of large ones again.
    said = [one for one in findings.faults if one.code != "wrong_at_large_scores" or "wrong" not in kinds]
    faults = tuple(sorted(said, key=lambda one: RANK[one.code]))
    found: list[Judgement] = [kind for kind in WORST if kind in kinds]
    judgement: Judgement = found[0] if found else "right"
    return Verdict(
        name,
        judgement,
        trial.loss,
        None if trial.unfinished else findings.convention,
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

"""The second witness: of many small edits of a wrong function, the one line with which it would be right.

An edit is believed where it makes right what was wrong, in every case asked, and leaves alone what was right; a line is
named where all the least edits that do so are of that line.
"""

import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace

import numpy as np

from linprobe.learn.checker.arguments import FACTORS, TELLING, compare
from linprobe.learn.checker.calling import ENDS
from linprobe.learn.checker.cases import CASES
from linprobe.learn.checker.codes import RANK, fault
from linprobe.learn.checker.edits import Edit, edits
from linprobe.learn.checker.outcome import Caller
from linprobe.learn.checker.penalty import CONVENTIONS, convention_of
from linprobe.learn.checker.trial import Given, Trial
from linprobe.learn.checker.verdict import Fault

__all__ = ["Source", "locate"]

FIRST = ("ordinary", "penalised")
ALL = (*FIRST, "labels in order", "in order, penalised", "identity", "zero weights")
PAIRS = (("ordinary", "penalised"), ("labels in order", "in order, penalised"))
UNNAMED = {"wrong_value", "wrong_gradient", "penalty_wrong"}
MOST_EDITS = 900
QUICK = replace(CASES["square"], reg=0.0)  # asked first: it takes little time, and tells most edits to be of no use

# What can be right by itself: of loss and gradient, the data's part and the penalty's.
Piece = tuple[str, str]
PIECES: tuple[Piece, ...] = tuple((part, of) for part in ("loss", "gradient") for of in ("data", "penalty"))
Versions = Callable[[Sequence[Edit]], AbstractContextManager[Iterable[Caller]]]


@dataclass(frozen=True)
class Source:
    """The text of a function, from its `def` on, the number of that line, and how to run other versions of it."""

    text: str
    first_line: int
    versions: Versions


@dataclass(frozen=True)
class _Success:
    """An edit and what it makes right that was not."""

    edit: Edit
    gained: frozenset[Piece]


UNDECIDED = _Success(Edit("", 0, 0, "", ""), frozenset())  # edits of several lines do the same


def locate(source: Source, trial: Trial, faults: Sequence[Fault]) -> list[Fault]:
    """The faults with their lines where an edit of one line shows them, and with a name where they had none."""
    before = _answers(trial, ALL)
    if before is None or not any(_piece(one) for one in faults):
        return list(faults)
    found = _causes(source, trial, before)
    named = {_piece(one) for one in faults if one.code not in UNNAMED}
    told: dict[tuple[str, str], Fault] = {}
    for one in faults:
        piece = _piece(one)
        success = None if piece is None else found.get(piece)
        if success is None:
            told.setdefault((one.code, one.message), one)
            continue
        if one.code in UNNAMED and piece in named:
            continue  # all that is wrong with the piece has a name, as the one edit shows
        edit = success.edit
        line = source.first_line + edit.line - 1
        evidence = {**one.evidence, "line": line, "text": source.text.splitlines()[edit.line - 1].strip()}
        if edit.instead is not None:
            evidence["instead"] = edit.instead
        if one.code in UNNAMED:
            placed = fault(edit.code, evidence, line=line, advice=edit.advice, what=_what(success.gained))
        else:
            placed = replace(one, evidence=evidence)
        told.setdefault((placed.code, placed.message), placed)
    return sorted(told.values(), key=lambda one: RANK[one.code])


def _piece(one: Fault) -> Piece | None:
    """What of the function a fault is about."""
    where = one.evidence.get("where", "")
    if not where or "line" in one.evidence:
        return None
    return "gradient" if "dW" in where else "loss", "penalty" if where.startswith("the penalty") else "data"


def _what(gained: frozenset[Piece]) -> str:
    """What an edit makes right, as the subject of a sentence."""
    parts, of = {part for part, _ in gained}, {of for _, of in gained}
    if of == {"penalty"}:
        return "the penalty is"
    return "loss and gradient are" if len(parts) == 2 else f"the {parts.pop()} is"


def _causes(source: Source, trial: Trial, before: Mapping[str, Given]) -> dict[Piece, _Success]:
    """For each piece that is wrong, the edit that makes it right, where all the least that do are of one line."""
    with np.errstate(all="ignore"):
        wrong = frozenset(PIECES) - _right(trial, before)
    quick = trial.ask(QUICK)
    causes: dict[Piece, _Success] = {}
    for _, of_cost in itertools.groupby(itertools.islice(edits(source.text), MOST_EDITS), key=lambda edit: edit.cost):
        tried = list(of_cost)
        successes: list[_Success] = []
        with source.versions(tried) as callers:
            for edit, caller in zip(tried, callers, strict=False):
                version = replace(trial, caller=caller, changed={}, supplied={})
                outcome = version.call(QUICK)
                if outcome.crash is not None and outcome.crash.kind in ENDS:
                    return {}  # what has not been tried might have been a cause as well
                after = version.read(QUICK, outcome)
                if quick is None or after is None or not _promises(trial, quick, after):
                    continue
                if gained := _gained(trial, before, version):
                    successes.append(_Success(edit, gained))
        for piece in PIECES:
            of_it = [one for one in successes if piece in one.gained]
            most = [one for one in of_it if len(one.gained) == max(len(other.gained) for other in of_it)]
            if piece not in causes and most:
                causes[piece] = most[0]
                if len({one.edit.line for one in most}) > 1:
                    causes[piece] = UNDECIDED
        if wrong <= causes.keys():
            break
    return {piece: cause for piece, cause in causes.items() if cause is not UNDECIDED}


def _gained(trial: Trial, before: Mapping[str, Given], version: Trial) -> frozenset[Piece]:
    """What a version makes right; nothing where it makes anything wrong, or changes a part that it does not mend."""
    nothing = frozenset[Piece]()
    for names in (FIRST, ALL):
        after = _answers(version, names)
        if after is None:
            return nothing
        had, has = (_right(trial, {name: of[name] for name in names}) for of in (before, after))
        if had - has or not has - had:
            return nothing
        for part, same in (("loss", _same_loss), ("gradient", _same_gradient)):
            mended = any(piece[0] == part for piece in has - had)
            if not mended and not all(same(before[name], after[name]) for name in names):
                return nothing
    gained = has - had
    return gained if len(has) < len(PIECES) or _right_elsewhere(version, after) else nothing


def _promises(trial: Trial, before: Given, after: Given) -> bool:
    """Whether one answer allows that something has been mended: what changed has become right."""
    with np.errstate(all="ignore"):
        loss = _same_loss(before, after) or trial.value_right(after)
        return loss and (_same_gradient(before, after) or trial.gradient_right(after))


def _answers(trial: Trial, names: Sequence[str]) -> dict[str, Given] | None:
    """The answers to these cases; None where there is none to one of them."""
    answers: dict[str, Given] = {}
    for name in names:
        if (given := trial.ask(CASES[name])) is None:
            return None
        answers[name] = given
    return answers


def _same_loss(one: Given, other: Given) -> bool:
    return bool(np.isclose(one.value, other.value, rtol=1e-12, atol=0, equal_nan=True))


def _same_gradient(one: Given, other: Given) -> bool:
    return bool(np.allclose(one.gradient, other.gradient, rtol=1e-9, atol=1e-12, equal_nan=True))


def _right(trial: Trial, answers: Mapping[str, Given]) -> frozenset[Piece]:
    """The pieces that are right in these answers; that the penalties agree is asked of the gradient's."""
    right: set[Piece] = set()
    with np.errstate(all="ignore"):
        plain = [given for given in answers.values() if not given.case.reg]
        if all(map(trial.value_right, plain)):
            right.add(("loss", "data"))
        if all(map(trial.gradient_right, plain)):
            right.add(("gradient", "data"))
        pairs = [(answers[one], answers[other]) for one, other in PAIRS if other in answers]
        of_loss, of_gradient = convention_of(trial, pairs)
    if of_loss is not None:
        right.add(("loss", "penalty"))
    if of_gradient is not None and of_loss in {None, of_gradient}:
        right.add(("gradient", "penalty"))
    return frozenset(right)


def _right_elsewhere(version: Trial, answers: Mapping[str, Given]) -> bool:
    """Whether a version that is right in the ordinary cases is so in the others as well."""
    _, convention = convention_of(version, [(answers[one], answers[other]) for one, other in PAIRS])
    factor = FACTORS[CONVENTIONS.get(convention or 1.0, "full")]
    return all(compare(version, CASES[name], version.call(CASES[name]), factor, code) is None for name, code in TELLING)

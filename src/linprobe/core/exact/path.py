"""From strong penalties to weak ones, each head from where its stronger neighbour ended."""

from collections.abc import Callable
from dataclasses import replace
from typing import Protocol

import numpy as np

from linprobe.core.exact.optimum import Loosely, Optimum
from linprobe.core.exact.problem import Problem
from linprobe.core.exact.start import lowest_in_span

__all__ = ["LOOSE", "STEP", "STRONG", "Descend", "follow", "lawful", "walk"]

STRONG = 1e-2  # times the highest variance of the features: from there on, a start from nothing is as good as any
STEP = 10  # by so much, at the most, the penalty falls from one solution to the next
LOOSE = 1e-2  # the tolerance of what is only on the way
SPAN = 3  # so many solutions of stronger penalties span where the next one begins
ROUNDING = 1e-6  # of an objective, where products are of single precision


class Descend(Protocol):
    """Heads from where they stand, or where `instead` says if that is lower, to a goal; arrives: whether they are done
    then, or only on the way.
    """

    def __call__(  # noqa: D102
        self,
        problem: Problem,
        start: Optimum,
        goal: float | Loosely,
        *,
        arrives: bool = True,
        instead: Optimum | None = None,
    ) -> Optimum: ...


def follow(
    problem: Problem,
    found: Optimum,
    heads: np.ndarray,
    highest: float,
    tol: float,
    descend: Descend,
    arrived: Callable[[Optimum], None] | None = None,
) -> Optimum:
    """Some of the heads anew, the strongest penalties first.

    Where a stack cannot find the optimum from nothing, since few examples count there and others in the end, it is near
    that of a stronger penalty. Penalties in between are added where neighbours are far apart, or where there is none.
    highest: the features' variance in their widest direction; arrived is told whenever some have, with all heads.
    """
    before = problem.neighbours()
    for wave in _waves(before, heads):
        near = before[wave]
        known = near >= 0
        start = found.take(wave)
        if known.any():
            start = start.replaced(np.flatnonzero(known), _moved(found.take(near[known]), start.take(known)))
        reached = np.where(known, problem.heads.reg[near], STEP * STRONG * highest)
        asked = problem.heads.reg[wave]
        while (far := np.flatnonzero(reached > STEP * asked)).size:
            reached[far] /= STEP
            part = problem.take(wave[far]).with_reg(reached[far])
            start = start.replaced(far, descend(part, start.take(far), LOOSE, arrives=False))
        ended = descend(problem.take(wave), start, tol)
        # A head that had been elsewhere, and is no better now, stays there.
        worse = np.flatnonzero((ended.objective > found.objective[wave]) & (ended.gap > found.gap[wave]))
        if len(worse):
            ended = ended.replaced(worse, replace(found.take(wave[worse]), iterations=ended.iterations[worse]))
        found = found.replaced(wave, ended)
        if arrived is not None:
            arrived(found)
    return found


def walk(problem: Problem, found: Optimum, goal: Loosely, descend: Descend) -> Optimum:
    """All heads from the null model, the strongest penalties first, folds and label sets side by side.

    Each begins at the lowest point in the span of the last solutions of the same examples, so that a weak penalty,
    which is far from anywhere, is near when its turn comes.
    """
    before = problem.neighbours()
    for wave in _waves(before, np.arange(len(before))):
        start, instead, near = found.take(wave), None, before[wave]
        if (near >= 0).all():
            at, past = near, list[Optimum]()
            while len(past) < SPAN and (at >= 0).all():
                past.append(found.take(at))
                at = before[at]
            part = problem.take(wave)
            instead = _at_penalty(past[0], start, problem.heads.reg[near], problem.heads.reg[wave])
            start = lowest_in_span(part, past, start)
        elif (near >= 0).any():  # a fold whose grid begins further on
            known = np.flatnonzero(near >= 0)
            start = start.replaced(known, _moved(found.take(near[known]), start.take(known)))
        found = found.replaced(wave, descend(problem.take(wave), start, goal, instead=instead))
    return found


def _at_penalty(where: Optimum, other: Optimum, before: np.ndarray, now: np.ndarray) -> Optimum:
    """Optima (h,) of other penalties as a start with these: their objective follows from the square of the weights."""
    square = np.sum(np.square(where.W, dtype=np.float64), axis=(0, 1))
    return replace(_moved(where, other), objective=where.objective - (before - now) * square)


def lawful(problem: Problem, found: Optimum, tol: float) -> Optimum:
    """The same, but no head above its neighbour: the lowest objective never grows as the penalty falls.

    A head that is above where its stronger neighbour stands, or above the null model, has failed, and is put there. Its
    bound follows from the neighbour's: the lowest objective is concave in the penalty, and not negative without any.
    """
    nulls = problem.start(str(found.W.dtype))
    order = np.argsort(-problem.heads.reg, kind="stable")  # none before its stronger neighbour
    for head, near in zip(order, problem.neighbours()[order], strict=True):
        at = np.array([head])
        null = nulls.take(at)
        best = replace(null, gap=null.objective)
        if near >= 0:
            other, ratio = found.take(np.array([near])), problem.heads.reg[at] / problem.heads.reg[near]
            square = np.sum(np.square(other.W, dtype=np.float64))
            objective = other.objective - (problem.heads.reg[near] - problem.heads.reg[at]) * square
            bound = np.maximum((other.objective - other.gap) * ratio, 0)
            if objective[0] < best.objective[0]:
                best = replace(_moved(other, best), objective=objective, gap=objective - bound)
        if not found.objective[head] <= best.objective[0] * (1 + ROUNDING):
            # As the solver does: the gap counts against what there is to gain, where that is less than the objective.
            scale = np.minimum(best.objective, best.gap + np.maximum(null.objective - best.objective, 0))
            best = replace(best, scale=scale, iterations=found.iterations[at])
            best = replace(best, stopped=np.where(best.within(tol), "gap", "failed"))
            found = found.replaced(at, best)
    return found


def _moved(where: Optimum, other: Optimum) -> Optimum:
    """The weights and the bias of one optimum, and all else of the other."""
    return replace(other, W=where.W, b=where.b)


def _waves(before: np.ndarray, heads: np.ndarray) -> list[np.ndarray]:
    """The heads in the order of their penalties, those of different examples together."""
    rank = np.zeros(len(before), int)
    for head in range(len(before)):
        at = before[head]
        while at >= 0:
            rank[head], at = rank[head] + 1, before[at]
    return [heads[rank[heads] == level] for level in np.unique(rank[heads])]

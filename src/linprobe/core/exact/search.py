"""Heads of a search: loosely along the path of penalties, and closer where one of them may be the best."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from linprobe.core.exact.optimum import Loosely, Optimum
from linprobe.core.exact.path import Descend, lawful, walk
from linprobe.core.exact.problem import Problem

__all__ = ["Search", "Searching"]

LEVELS = 1e-1, 1e-2  # of its share, in turn: what is expected of going on with a contender


@dataclass(frozen=True)
class Search:
    """What a search asks of heads: most are only compared, and nobody uses more of them than a score.

    share: what going on with a head may be expected to gain, as in `Loosely`; contenders: which of all heads (H,),
    booleans, may still be the best by their scores where they stand, given weights and biases of the features as they
    were given.
    """

    share: float
    contenders: Callable[[Optimum], np.ndarray]


class Searching:
    """A search under way: reached (H,), the share that each head has come down to."""

    def __init__(self, search: Search, heads: int) -> None:
        self.search, self.reached = search, np.full(heads, np.inf)

    def begin(self, problem: Problem, found: Optimum, descend: Descend) -> Optimum:
        """All heads from the null model along the path, loosely."""
        goal = Loosely(self.search.share)
        found = lawful(problem, walk(problem, found, goal, descend), goal.share)
        self._note(np.arange(len(found.gap)), found, goal)
        return found

    def go_on(self, problem: Problem, found: Optimum, descend: Descend) -> Optimum:
        """Heads that rounding has stopped, with more digits."""
        stopped, goal = np.flatnonzero(found.stopped == "stalled"), Loosely(self.search.share)
        found = found.replaced(stopped, descend(problem.take(stopped), found.take(stopped), goal))
        self._note(stopped, found, goal)
        return found

    def refine(self, problem: Problem, found: Optimum, descend: Descend, seen: Callable[[Optimum], Optimum]) -> Optimum:
        """Contenders closer to their optima; seen: heads as those of the features as they were given."""
        for level in LEVELS:
            goal = Loosely(self.search.share * level, least=1, many=1, name="contender")
            near = np.flatnonzero(self.search.contenders(seen(found)) & (self.reached > goal.share))
            if len(near):
                found = found.replaced(near, descend(problem.take(near), found.take(near), goal))
                self._note(near, found, goal)
        return found

    def _note(self, heads: np.ndarray, found: Optimum, goal: Loosely) -> None:
        self.reached[heads] = np.where(found.stopped[heads] == goal.name, goal.share, np.inf)

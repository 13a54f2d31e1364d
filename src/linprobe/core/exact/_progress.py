"""Where a solve stands: what whoever waits for it is told, and what is kept of it, after every pass."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from linprobe.core.exact.optimum import Optimum, Unfinished

__all__ = ["Estimate", "Keep", "Meter", "Progress", "Teller"]

Estimate = Callable[[float], None]  # told after a pass about what share of all passes is made
Keep = Callable[[Callable[[], Unfinished]], None]  # called after a pass with what gives the state then


@dataclass
class Progress:
    """Where all heads stand, told after every pass; at_work: those whose descent says itself where they do."""

    keep: Keep | None
    phase: int
    found: Optimum
    at_work: np.ndarray | None = None

    def arrived(self, found: Optimum) -> None:
        """Some heads have arrived."""
        self.found = found

    def told(self, part: Callable[[], Optimum]) -> None:
        """A pass has been made; what gives where the heads in it stand."""
        if self.keep is not None:
            self.keep(lambda: Unfinished(self.phase, self._whole(part)))

    def _whole(self, part: Callable[[], Optimum]) -> Optimum:
        return self.found if self.at_work is None else self.found.replaced(self.at_work, part())


@dataclass
class Teller:
    """Tells whoever wants to know how many of the heads are done."""

    progress: Callable[[int, int], None] | None
    heads: int
    told: int = 0

    def __call__(self, done: int) -> None:
        if self.progress is not None:
            self.told = min(done, self.heads)
            self.progress(self.told, self.heads)

    def end(self) -> None:
        """No head is at work any longer."""
        if self.told < self.heads:
            self(self.heads)


LEAST = 0.02  # of the way down to its goal: less says nothing yet of how many passes a head will take
# Passes grow with the root of a problem's condition, which the penalty bounds (Nocedal and Wright, 2006, sec. 5.1), so
# with the fall of the penalty to this power at the steepest; MORE: times as many are let pass.
STEEP, MORE = 0.5, 1.5
SLIGHT = 0.25  # the power of those that have not begun: between that and none, which is what was seen


@dataclass
class Meter:
    """Says about what share of a solve's passes is made, each counted once for every head in it.

    On a logarithmic scale the gap of a head comes down about evenly, so the share of that way which lies behind it is
    about its share of the passes. Heads that have not begun are taken to need as many as those nearest in penalty.
    reg (H,); tol, the goal; most, the passes that a head may make.
    """

    estimate: Estimate | None
    reg: np.ndarray
    tol: float
    most: int
    made: np.ndarray = field(init=False)
    first: np.ndarray = field(init=False)  # the gap (H,) where a head was first seen, NaN before
    way: np.ndarray = field(init=False)  # what share of its way down a head has made (H,)

    def __post_init__(self) -> None:
        self.made, self.way = np.zeros((2, len(self.reg)))
        self.first = np.full(len(self.reg), np.nan)

    def passed(self, heads: np.ndarray, gap: np.ndarray) -> None:
        """Some heads (h,) have made a pass, and their gaps (h,) are these shares of what they are measured against."""
        if self.estimate is None:
            return
        goal, gap = max(self.tol, 1e-15), np.where(gap > 0, gap, 1e-15)
        self.made[heads] += 1
        self.first[heads] = np.where(np.isnan(self.first[heads]) & np.isfinite(gap), gap, self.first[heads])
        with np.errstate(divide="ignore", invalid="ignore"):
            way = np.log(self.first[heads] / gap) / np.log(self.first[heads] / goal)
        self.way[heads] = np.where(gap <= goal, 1.0, np.clip(np.nan_to_num(way, nan=0.0), LEAST, 1.0))
        self.estimate(self.share())

    def over(self, heads: np.ndarray) -> None:
        """Some heads (h,) are done, at their goal or short of it."""
        self.way[heads] = 1.0

    def share(self) -> float:
        """What share of the passes is made, as far as can be told."""
        begun, ended = np.flatnonzero(self.way > 0), np.flatnonzero((self.way == 1) & (self.made > 0))
        if not len(begun):
            return 0.0
        total = np.minimum(self.made / np.maximum(self.way, LEAST), self.most)
        if len(ended):
            # A head whose gap has not come down yet takes no more than its penalty and those that have ended say.
            total = np.minimum(total, MORE * self._as_of(ended, total, STEEP))
        total[begun] = np.maximum(total, self.made)[begun]
        waiting = self.way == 0
        total[waiting] = self._as_of(begun, total, SLIGHT)[waiting]
        return float(self.made.sum() / max(total.sum(), 1.0))

    def _as_of(self, heads: np.ndarray, total: np.ndarray, power: float) -> np.ndarray:
        """What the passes (H,) of these heads (h,) make of those of all (H,): more by a power of the penalty's fall."""
        order = heads[np.argsort(self.reg[heads], kind="stable")]
        near = np.interp(np.log(self.reg), np.log(self.reg[order]), total[order])
        return near * np.maximum(self.reg[order[0]] / self.reg, 1.0) ** power

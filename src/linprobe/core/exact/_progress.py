"""Where a solve stands: what whoever waits for it is told, and what is kept of it, after every pass."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from linprobe.core.exact.optimum import Optimum, Unfinished

__all__ = ["Keep", "Progress", "Teller"]

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

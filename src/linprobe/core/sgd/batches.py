"""Which examples each step sees: drawn by NumPy from the seed, so that every array library sees the same."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

__all__ = ["Batches", "BlockBatches", "Place"]


@dataclass(frozen=True, eq=False)
class Place:
    """How far the draws have come: the generator's own state, the rows (m,) that are drawn ahead, and of an epoch in
    blocks those that are still to come.
    """

    generator: Mapping[str, Any]
    ahead: np.ndarray
    blocks: np.ndarray = field(default_factory=lambda: np.empty(0, np.int64))


class Batches:
    """Draws batch after batch: with replacement, or in passes through shuffled data, one after the other."""

    def __init__(self, examples: int, size: int, seed: int, *, replacement: bool) -> None:
        self.examples, self.size, self.replacement = examples, size, replacement
        self.generator = np.random.default_rng(seed)
        self.ahead = np.empty(0, np.int64)
        self.blocks = np.empty(0, np.int64)

    def draw(self) -> np.ndarray:
        """The next batch: rows (size,) int64."""
        if self.replacement:
            return self.generator.integers(0, self.examples, self.size)
        while len(self.ahead) < self.size:
            self.ahead = np.concatenate([self.ahead, self._more()])
        rows, self.ahead = self.ahead[: self.size], self.ahead[self.size :]
        return rows

    def place(self) -> Place:
        """What `go_on` needs to go on from here."""
        return Place(dict(self.generator.bit_generator.state), self.ahead, self.blocks)  # replaced, never written to

    def go_on(self, place: Place) -> None:
        """Go on from there."""
        self.generator.bit_generator.state = place.generator
        self.ahead = np.array(place.ahead, np.int64)
        self.blocks = np.array(place.blocks, np.int64)

    def _more(self) -> np.ndarray:
        """The next rows in the order in which they are drawn."""
        return self.generator.permutation(self.examples)


class BlockBatches(Batches):
    """The same of rows that lie in a file: in every epoch blocks of neighbouring rows come in a random order, and the
    rows of so many blocks, a window, are shuffled among each other. Each example comes once an epoch.
    """

    def __init__(self, examples: int, size: int, seed: int, *, block: int, window: int) -> None:
        super().__init__(examples, size, seed, replacement=False)
        self._block, self._at_once = block, max(1, window // block)

    def _more(self) -> np.ndarray:
        if not len(self.blocks):
            self.blocks = self.generator.permutation(-(-self.examples // self._block))
        here, self.blocks = self.blocks[: self._at_once], self.blocks[self._at_once :]
        rows = (here[:, None] * self._block + np.arange(self._block)).reshape(-1)
        return self.generator.permutation(rows[rows < self.examples])

"""Which examples each step sees: drawn by NumPy from the seed, so that every array library sees the same."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

__all__ = ["Batches", "Place"]


@dataclass(frozen=True, eq=False)
class Place:
    """How far the draws have come: the generator's own state, and the rows (m,) that are drawn ahead."""

    generator: Mapping[str, Any]
    ahead: np.ndarray


class Batches:
    """Draws batch after batch: with replacement, or in passes through shuffled data, one after the other."""

    def __init__(self, examples: int, size: int, seed: int, *, replacement: bool) -> None:
        self.examples, self.size, self.replacement = examples, size, replacement
        self.generator = np.random.default_rng(seed)
        self.ahead = np.empty(0, np.int64)

    def draw(self) -> np.ndarray:
        """The next batch: rows (size,) int64."""
        if self.replacement:
            return self.generator.integers(0, self.examples, self.size)
        while len(self.ahead) < self.size:
            self.ahead = np.concatenate([self.ahead, self.generator.permutation(self.examples)])
        rows, self.ahead = self.ahead[: self.size], self.ahead[self.size :]
        return rows

    def place(self) -> Place:
        """What `go_on` needs to go on from here."""
        return Place(dict(self.generator.bit_generator.state), self.ahead)  # replaced, never written to

    def go_on(self, place: Place) -> None:
        """Go on from there."""
        self.generator.bit_generator.state = place.generator
        self.ahead = np.array(place.ahead, np.int64)

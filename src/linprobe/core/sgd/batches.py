"""Which examples each step sees: drawn by NumPy from the seed, so that every array library sees the same."""

from typing import Any

import numpy as np


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

    def state(self) -> dict[str, Any]:
        """What `restore` needs to go on from here."""
        return {"generator": self.generator.bit_generator.state, "ahead": self.ahead}  # replaced, never written to

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from a state."""
        self.generator.bit_generator.state = state["generator"]
        self.ahead = np.array(state["ahead"], np.int64)

"""The matrix products of a search and nothing else: below their time none that trains the same heads can go."""

import statistics
import time
from collections import Counter

import numpy as np

from linprobe.core.backend import add_product, product, row_chunks
from linprobe.core.measure import CHUNK_ROWS
from task import Task

# Products are timed in bursts before and after what they are compared with, as processors change their clock.
BURST_SECONDS = 0.5


class BareProducts:
    """Two products a step on one batch, and the scores of all rows once, for stacks of so many columns each."""

    def __init__(self, task: Task, columns: list[int]) -> None:
        generator = np.random.default_rng(0)
        self.parts = task.train.X, task.val.X
        self.iterations = task.training.iterations
        self.batch = task.train.X[generator.integers(0, len(task.train), task.batch_size)]
        self.stacks = Counter(columns)
        shape = self.batch.shape[1], max(columns)
        self.weights = 0.001 * generator.standard_normal(shape, dtype=np.float32)
        self.step_seconds: list[float] = []
        self.evaluation_seconds: list[float] = []

    def measure(self, bursts: int = 3, *, evaluate: bool = True) -> None:
        """Time the steps in so many bursts, and the evaluation once."""
        matrices = [(np.ascontiguousarray(self.weights[:, :width]), count) for width, count in self.stacks.items()]
        for _ in range(bursts):
            self.step_seconds.append(sum(count * self._burst(W) for W, count in matrices))
        if evaluate:
            self.evaluation_seconds.append(sum(count * self._evaluation(W) for W, count in matrices))

    @property
    def training(self) -> float:
        """Seconds of all steps."""
        return statistics.median(self.step_seconds) * self.iterations

    @property
    def evaluation(self) -> float:
        """Seconds of all scores."""
        return statistics.median(self.evaluation_seconds)

    def _burst(self, W: np.ndarray) -> float:
        """Seconds of a step: scores = batch @ W, W += batchᵀ @ scores."""
        scores, steps, started = np.empty((len(self.batch), W.shape[1]), np.float32), 0, time.perf_counter()
        while True:
            product(self.batch, W, scores)
            add_product(W, self.batch, scores, -1e-20)  # so small that W stays what it is, however many the steps
            steps += 1
            seconds = time.perf_counter() - started
            if steps >= self.iterations or seconds >= BURST_SECONDS:
                return seconds / steps

    def _evaluation(self, W: np.ndarray) -> float:
        scores, started = np.empty((CHUNK_ROWS, W.shape[1]), np.float32), time.perf_counter()
        for X in self.parts:
            for rows in row_chunks(len(X), CHUNK_ROWS):
                part = X[rows]
                product(part, W, scores[: len(part)])
        return time.perf_counter() - started

"""The scores of the fits of a search: of those that are trained, and of those that may be gone on with."""

import time
from typing import Any

import numpy as np

from linprobe.compare.solver import Judged, Trained
from linprobe.estimators._folds import JointFit, TrainingData
from linprobe.estimators._results import Fitted
from linprobe.estimators._scoring import Scores

__all__ = ["Judge"]


class Judge:
    """Scores all settings and splits of one stack on the rows that each split tests on, each time it is asked.

    asked: when it was last; scoring: the seconds that it took before that; keep: what it is shown last, for the scores
    on training rows.
    """

    def __init__(
        self, stack: JointFit, examples: TrainingData, scores: Scores, found: Fitted, refit: Any, *, keep: bool
    ) -> None:
        self.stack, self.examples, self.scores, self.found, self.refit = stack, examples, scores, found, refit
        self.asked, self.scoring, self._spent, self._keep = 0.0, 0.0, 0.0, keep
        self._shown: Trained | None = None

    def __call__(self, trained: Trained, split: np.ndarray) -> Judged:
        """The score that the best setting is chosen by, else the first, of every head."""
        del split
        self.asked, self.scoring = time.perf_counter(), self._spent
        self._shown = trained if self._keep else None
        self.stack.check(trained)
        self._add("test", trained)
        self._spent += time.perf_counter() - self.asked
        return Judged(score=self.scores.of_stack(self.stack, self.refit))

    def on_training_rows(self) -> None:
        """The scores on the rows that each split was trained on, too, once all are done."""
        if self._shown is not None:
            self._add("train", self._shown)
            self._shown = None

    def _add(self, part: str, trained: Trained) -> None:
        settings = len(self.stack.numbers)
        for place, split in enumerate(self.stack.splits):
            started = time.perf_counter()
            self.scores.add(part, self.stack, self.examples, trained, place)
            if part == "test":
                self.found.score_time[self.stack.numbers, split.number] = (time.perf_counter() - started) / settings

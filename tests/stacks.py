"""A caller's loop around a stack in training, with what the tests want to see on the way."""

from collections.abc import Callable
from typing import Any

import numpy as np

from linprobe.core.sgd.training import Recorded, Solution, StackRun, Validate


def follow(
    run: StackRun,
    *,
    validate: Callable[[Any, Any], np.ndarray] | None = None,
    look: Callable[[StackRun], object] | None = None,
    progress: Callable[[int, int, np.ndarray], object] | None = None,
    record_every: int | None = None,
) -> Solution:
    """Train to the end: accuracies (H,) from `validate`, `look` at every event, `progress` at what is recorded."""
    for event in run.events(record_every):
        if isinstance(event, Recorded) and progress is not None:
            progress(event.step, event.steps, event.objective)
        if isinstance(event, Validate) and validate is not None:
            run.judge(validate(*run.weights()))
        if look is not None:
            look(run)
    return run.solution()

"""How long a piece of work takes."""

import time
from collections.abc import Callable
from typing import TypeVar

__all__ = ["timed"]

T = TypeVar("T")


def timed(work: Callable[[], T]) -> tuple[T, float]:
    """What a piece of work returns, and the seconds that it took."""
    started = time.perf_counter()
    result = work()
    return result, time.perf_counter() - started

"""About how long `tune` will take and what memory it needs: its passes, from a chunk that is timed.

What the exact solver does on n rows is passes over them for each head, until that head is done, and once in each solve
the matrix of all products of features, with its decomposition. How many passes, the data decide; `PASSES` is what was
met on digits, embeddings and pictures (docs/how-to/data.md), so the whole is good to a factor of about three.
"""

import os
import time
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import psutil

from linprobe.compare.defaults import REGS
from linprobe.core.backend import add_gram
from linprobe.core.exact.metric import FULL_FEATURES, directions
from linprobe.core.exact.problem import solve_bytes, spans
from linprobe.core.losses import find_loss
from linprobe.core.objective import default_chunk, objective_and_gradient
from linprobe.data.dataset import Dataset
from linprobe.tasks.tune.options import Options

__all__ = ["Cost", "estimate"]

PASSES, REFIT_PASSES = 22, 45  # of a head, on the average of a path, and of the one that is refitted
BEGIN, SHOW = 1.5, 2.5  # seconds of imports, and of the pictures and the page of a run
OF_PICTURES = 1.5  # seconds more, where templates are drawn and the model's page works on pictures
DECOMPOSITION = 20  # products of as many numbers, of a decomposition of (r, r): its steps are no matrix products
READINGS = 4  # of all rows, beside those that are kept: checks, moments, fingerprint, preparation
FLOPS, CHUNK_NUMBERS = 2e9, 2**22  # about what the timed chunk takes
FEWEST_RUNS, MOST_RUNS, ENOUGH = 3, 40, 0.6  # of what is timed, and seconds that are


class Cost(NamedTuple):
    """Seconds and bytes."""

    seconds: float
    memory: int


def estimate(dataset: Dataset, opened: float) -> Cost:
    """What `tune` will take with the options that hold unless given; opened: the seconds that opening took."""
    sizes, K, H = Options().sizes(dataset), len(dataset.classes), len(REGS)
    D = int(np.prod(dataset.train.X.shape[1:]))
    n = (sizes["train"] or len(dataset.train)) + (sizes["val"] or 0)
    span = spans((n, D))
    r, dtype = (n, "float64") if span else (D, "float32")
    m = min(n, default_chunk(K, H, "numpy"), max(16, int(FLOPS / (4 * r * K * H))), max(16, CHUNK_NUMBERS // r))
    chunk, reading = _chunk(dataset, m, r, dtype)
    m = len(chunk)
    y, W, b = np.arange(m) % K, np.zeros((r, K, H), dtype), np.zeros((K, H))
    loss, reg = find_loss("softmax"), np.ones(H)
    together = _timed(lambda: objective_and_gradient(chunk, y, W, b, loss, reg))
    alone = _timed(lambda: objective_and_gradient(chunk, y, W[:, :, :1].copy(), b[:, :1].copy(), loss, reg[:1]))
    gram = np.zeros((min(r, FULL_FEATURES),) * 2, dtype)
    few = chunk[:, : len(gram)].copy()
    of_gram = _timed(lambda: add_gram(gram, few, 1.0))
    # A solve: directions of the features, all or what a sketch shows of them; then passes, and as much again for each.
    known = directions((n, r), K * H)
    rows = n if r <= FULL_FEATURES else n * 4 * r * known / len(gram) ** 2
    begin = of_gram / m * (rows + DECOMPOSITION * known)
    passes = (PASSES * together + REFIT_PASSES * alone) / m * (n + known)
    turning = of_gram / m / len(gram) * n * D * 4 if span else 0.0
    shown = SHOW + (OF_PICTURES if dataset.train.X.ndim == 4 else 0.0)
    fixed, each = solve_bytes((n, D), K, H, 8 if span else 4)
    # What was timed here was slowed down by others already.
    seconds = opened + _crowd() * (BEGIN + shown) + READINGS * reading + 2 * (begin + turning) + passes
    return Cost(seconds, 4 * n * D + fixed + H * each)


def _crowd() -> float:
    """How much longer work takes where more is at work on this machine than it has cores; 1 where that is not known."""
    try:
        return max(1.0, psutil.getloadavg()[0] / (os.cpu_count() or 1))
    except (AttributeError, OSError):
        return 1.0


def _chunk(dataset: Dataset, m: int, r: int, dtype: str) -> tuple[np.ndarray, float]:
    """Some rows (m, r) as the solver has them, or noise where it turns them; and seconds to read all rows of train."""
    X = dataset.train.X
    m = min(m, len(X))
    started = time.perf_counter()
    rows = np.asarray(X[slice(0, m)]).reshape(m, -1).astype(np.float32)
    seconds = (time.perf_counter() - started) * len(X) / m
    rows = np.nan_to_num(rows / max(1.0, float(np.nanmax(np.abs(rows), initial=0.0))), posinf=1.0, neginf=-1.0)
    if rows.shape[1] != r:
        rows = np.random.default_rng(0).normal(size=(m, r))
    return np.ascontiguousarray(rows, dtype), seconds


def _timed(work: Callable[[], object]) -> float:
    """The seconds of the fastest of some runs: the first finds the memory, and others on the machine slow some down."""
    seconds: list[float] = []
    while len(seconds) < FEWEST_RUNS or (len(seconds) < MOST_RUNS and sum(seconds) < ENOUGH):
        started = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - started)
    return min(seconds)

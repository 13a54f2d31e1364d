"""Kill workers of a Dask cluster at random moments of a solve, and compare what it finds with one machine's.

python scripts/kill_workers.py [KILLS] [SEED]
"""

import os
import random
import signal
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from linprobe.core.certificate import certify
from linprobe.core.exact.solver import solve
from linprobe.data.formats.on_cluster import open_on_cluster
from linprobe.errors import ClusterError

__all__ = ["Outcome", "kill_workers", "processes"]

REG = np.array([1e-3, 1e-1])
ROWS, FEATURES, CLASSES, FILES = 6_000, 24, 4, 6
WORKERS, PATIENCE = 2, 15.0  # seconds


@dataclass
class Outcome:
    """How many workers were killed, and how the solves ended: with the right optimum, another one, or an error."""

    kills: int = 0
    right: int = 0
    wrong: int = 0
    errors: int = 0


def processes(client: Any) -> list[int]:
    """The numbers of the workers' processes."""
    return list(client.run(os.getpid, on_error="ignore").values())


def wait_for_others(client: Any, cluster: Any, victim: int) -> None:
    """Until a killed process is replaced."""
    patience = time.monotonic() + PATIENCE
    while victim in (alive := processes(client)) or len(alive) < WORKERS:
        time.sleep(0.2)
        if time.monotonic() > patience:  # now and then Dask gives up a worker that was killed: one more in its place
            cluster.scale(len(cluster.workers) + 1)
            patience += PATIENCE


def kill_workers(kills: int, seed: int) -> Outcome:
    """Solve and certify until so many workers were killed, each at a random moment of one solve."""
    from distributed import Client, LocalCluster

    rng, found = random.Random(seed), Outcome()  # noqa: S311
    draws = np.random.default_rng(seed)
    y = draws.integers(0, CLASSES, ROWS)
    X = draws.standard_normal((ROWS, FEATURES)) + draws.standard_normal((CLASSES, FEATURES))[y]
    here = solve(X, y, REG)
    options = {"n_workers": WORKERS, "threads_per_worker": 1, "host": "127.0.0.1", "dashboard_address": "127.0.0.1:0"}
    made: Any = LocalCluster(**options)
    with tempfile.TemporaryDirectory() as folder, made as cluster, Client(cluster) as client:
        for number, rows in enumerate(np.array_split(np.arange(ROWS), FILES)):
            np.savez(Path(folder, f"part{number}.npz"), X=X[rows], y=y[rows])
        rows = open_on_cluster(client, folder).train.X
        started = time.perf_counter()
        solve(rows, y, REG)
        length = time.perf_counter() - started
        while found.kills < kills:
            victim = rng.choice(processes(client))
            killer = threading.Timer(rng.uniform(0, length), os.kill, (victim, signal.SIGKILL))
            killer.start()
            try:
                there = solve(rows, y, REG)
                certify(rows, y, there.W, there.b, REG, "softmax")
                same = np.allclose(there.objective, here.objective, rtol=1e-6)
                found.right, found.wrong = found.right + same, found.wrong + (not same)
            except ClusterError:
                found.errors += 1
            killer.join()
            found.kills += 1
            wait_for_others(client, cluster, victim)
    return found


if __name__ == "__main__":
    asked = [int(each) for each in sys.argv[1:]]
    outcome = kill_workers(*(asked + [50, 0][len(asked) :]))
    sys.stdout.write(f"{outcome}\n")
    sys.exit(outcome.wrong > 0)

"""What a pass costs on a Dask cluster of processes here, beside the same pass in memory, and what it sends.

python benchmarks/cluster.py [--rows N] [--features D] [--classes K] [--heads H] [--partitions P] [--passes R]
"""

import argparse
import os
import pickle
import statistics
import time
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from linprobe.core.objective import objective_and_gradient
from linprobe.data.rows import Rows, StoredRows
from linprobe.data.terms import Chunk


def nothing(chunk: Chunk) -> tuple[np.ndarray]:
    """A term that costs nothing."""
    return (np.array([len(chunk)]),)


def transferred(dask_worker: Any) -> int:
    """The bytes that a worker has had from others."""
    return sum(each["total"] for each in dask_worker.transfer_incoming_log)


def received(client: Any) -> int:
    """The bytes that workers have had from each other."""
    return sum(client.run(transferred).values())


def report(name: str, work: Callable[[], object], passes: int, client: Any = None) -> float:
    """Print how long passes took after one that is not counted, by the clock and of processors; gives the last."""

    def processors() -> float:
        return time.process_time() + (0 if client is None else sum(client.run(time.process_time).values()))

    work()
    took, begun = list[float](), processors()
    for _ in range(passes):
        started = time.perf_counter()
        work()
        took.append(time.perf_counter() - started)
    spent = (processors() - begun) / passes
    numbers = ", ".join(f"{1e3 * each:,.0f}" for each in (statistics.median(took), min(took), max(took)))
    print(f"{name:36} {numbers} ms (median, fastest, slowest); processors {1e3 * spent:,.0f} ms")
    return spent


def main() -> None:
    """Print all of it."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    given = {"rows": 200_000, "features": 768, "classes": 20, "heads": 10, "partitions": 8, "passes": 7}
    for name, value in given.items():
        parser.add_argument(f"--{name}", type=int, default=value)
    asked = parser.parse_args()
    warnings.filterwarnings("ignore", "(?s)Sending large graph", UserWarning)  # so that the data is here at all
    import dask.array as da
    from distributed import Client, LocalCluster

    from linprobe.data.dask_sources import dask_rows

    rng, n, D, K, H = np.random.default_rng(0), asked.rows, asked.features, asked.classes, asked.heads
    X, y = rng.standard_normal((n, D), dtype=np.float32), rng.integers(0, K, n)
    W, b, reg = rng.standard_normal((D, K, H), dtype=np.float32) / D, np.zeros((K, H)), np.ones(H)

    def one_pass(rows: Rows) -> object:
        return objective_and_gradient(rows, y, W, b, "softmax", reg)

    print(f"{n:,} x {D}, {K} classes, {H} heads, {asked.partitions} partitions; load {os.getloadavg()[0]:.1f}")
    here = report("in memory, one thread", lambda: one_pass(StoredRows(X)), asked.passes)
    for workers in (1, 2):
        options = {"n_workers": workers, "threads_per_worker": 1, "dashboard_address": "127.0.0.1:0"}
        with LocalCluster(host="127.0.0.1", **options) as cluster, Client(cluster) as client:
            rows = dask_rows(da.concatenate([da.from_array(part) for part in np.array_split(X, asked.partitions)]))
            name = f"{workers} worker process{'es'[: 2 * (workers > 1)]}"
            report(
                f"{name}, an empty pass",
                lambda rows=rows: rows.reduce(nothing, W, size=2048, labels=y),
                asked.passes,
                client,
            )
            before = received(client)
            there = report(name, lambda rows=rows: one_pass(rows), asked.passes, client)
            moved = (received(client) - before) / (asked.passes + 1)
            print(
                f"   processors, more than in memory: {1e3 * (there - here):,.0f} ms, {100 * (there / here - 1):.0f} %"
            )
            print(f"   between workers, a pass: {moved / 2**20:,.1f} MiB")
    size = D * K * H
    print(f"weights out, a pass: {len(pickle.dumps(W)) / 2**20:.1f} MiB; D K H numbers are {4 * size / 2**20:.1f} MiB")
    print(f"sums in, a pass: {8 * size / 2**20:.1f} MiB")


if __name__ == "__main__":
    main()

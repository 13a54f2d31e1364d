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
from typing import Any, NamedTuple

import numpy as np
from threadpoolctl import threadpool_limits

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


class Measured(NamedTuple):
    """Seconds of passes by the clock, and of all processors together."""

    clock: list[float]
    processors: list[float]

    def __str__(self) -> str:
        numbers = ", ".join(f"{1e3 * one(self.clock):,.0f}" for one in (statistics.median, min, max))
        return f"{numbers} ms (median, fastest, slowest); processors {1e3 * statistics.median(self.processors):,.0f} ms"


def in_turns(works: dict[str, Callable[[], object]], passes: int, client: Any) -> dict[str, Measured]:
    """So many passes of each kind, one after the other and then again, since a machine's speed changes within seconds;
    the first of each is not counted.
    """

    def processors() -> float:
        return time.process_time() + sum(client.run(time.process_time).values())

    found = {name: Measured([], []) for name in works}
    for number in range(passes + 1):
        for name, work in works.items():
            spent, started = processors(), time.perf_counter()
            work()
            if number:
                found[name].clock.append(time.perf_counter() - started)
                found[name].processors.append(processors() - spent)
    return found


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
    for workers in (1, 2):
        options = {"n_workers": workers, "threads_per_worker": 1, "dashboard_address": "127.0.0.1:0"}
        with LocalCluster(host="127.0.0.1", **options) as cluster, Client(cluster) as client:
            rows = dask_rows(da.concatenate([da.from_array(part) for part in np.array_split(X, asked.partitions)]))
            before, there = received(client), f"{workers} worker process{'es'[: 2 * (workers > 1)]}"
            here = f"in memory, {workers} thread{'s'[: workers > 1]}"
            with threadpool_limits(workers):
                found = in_turns(
                    {
                        f"{there}, an empty pass": lambda rows=rows: rows.reduce(nothing, W, size=2048, labels=y),
                        here: lambda: one_pass(StoredRows(X)),
                        there: lambda rows=rows: one_pass(rows),
                    },
                    asked.passes,
                    client,
                )
            for name, measured in found.items():
                print(f"{name:36} {measured}")
            pairs = list(zip(found[there].clock, found[here].clock, strict=True))
            more = statistics.median(one - other for one, other in pairs)
            share = statistics.median(one / other for one, other in pairs) - 1
            print(f"   by the clock, more than in memory: {1e3 * more:,.0f} ms, {100 * share:.0f} % (medians of pairs)")
            moved = (received(client) - before) / (asked.passes + 1)
            print(f"   between workers, a pass: {moved / 2**20:,.1f} MiB")
    size = D * K * H
    print(f"weights out, a pass: {len(pickle.dumps(W)) / 2**20:.1f} MiB; D K H numbers are {4 * size / 2**20:.1f} MiB")
    print(f"sums in, a pass: {8 * size / 2**20:.1f} MiB")


if __name__ == "__main__":
    main()

"""What the figures were measured on, and how long things take."""

import os
import platform
import resource
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import threadpoolctl


def describe() -> str:
    """Processor, cores, memory, BLAS and versions, in one line."""
    import scipy.linalg.blas  # noqa: F401  (so that its BLAS is loaded and listed)

    processor = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        names = [
            line.split(":", 1)[1].strip() for line in cpuinfo.read_text().splitlines() if line.startswith("model name")
        ]
        processor = names[0] if names else processor
    blas = {
        f"{info['internal_api']} {info['version']} ({info.get('architecture')}, {info['num_threads']} threads)"
        for info in threadpoolctl.threadpool_info()
        if info["user_api"] == "blas"
    }
    return (
        f"{processor}, {os.cpu_count()} cores; Python {platform.python_version()}, NumPy {np.__version__}; "
        + ", ".join(sorted(blas))
    )


def peak_memory() -> float:
    """The most memory that this process has held so far, in GiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def timed(work: Callable[[], Any]) -> tuple[Any, float]:
    """The result, and the seconds it took."""
    started = time.perf_counter()
    result = work()
    return result, time.perf_counter() - started


def median_seconds(work: Callable[[], Any], times: int) -> float:
    """The median of several runs."""
    return statistics.median(timed(work)[1] for _ in range(times))


def print_row(name: str, *cells: str) -> None:
    """A row of a table, at once: the next one may take minutes."""
    print(f"{name:50}" + "".join(f"{cell:>12}" for cell in cells), flush=True)

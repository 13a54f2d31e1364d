"""More than the memory: a float16 file tuned by the command within a bound, and how fast one pass over it is.

    python benchmarks/streaming.py [--rows 800000] [--features 768] [--memory 700MiB] [--folder DIR]

Made-up embeddings are written to a folder that is removed in the end. Bytes are those of the file, of every pass.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from linprobe.core.objective import objective_and_gradient
from linprobe.data.prepare import fit_preparation
from linprobe.data.rows import Rows, StoredRows
from machine import describe, print_row, timed

CLASSES = 10
REGS = (1e-3, 1e-2)
BLOCK = 8192  # rows that are made at a time
READ = 2**23  # bytes that are read at a time, of the disk alone
LOOK = 0.02  # seconds between two looks at the memory of the command
PIECE = 2**16  # rows of the pass in memory, which are scaled


def make(folder: Path, n: int, D: int) -> tuple[Path, Path]:
    """Embeddings (n, D) float16 whose features vary less and less, in as many clouds as there are classes."""
    rng = np.random.default_rng(0)
    y = rng.integers(0, CLASSES, n).astype(np.uint8)
    spread = np.arange(1, D + 1, dtype=np.float32) ** -0.5
    centres = 0.5 * spread * rng.standard_normal((CLASSES, D), np.float32)
    X = np.lib.format.open_memmap(folder / "X.npy", "w+", np.float16, (n, D))
    for start in range(0, n, BLOCK):
        here = y[start : start + BLOCK]
        X[start : start + BLOCK] = spread * rng.standard_normal((len(here), D), np.float32) + centres[here]
    X.flush()
    np.save(folder / "y.npy", y)
    return folder / "X.npy", folder / "y.npy"


def forget(path: Path) -> None:
    """Let the system drop what it keeps of a file in memory."""
    with path.open("rb") as file:
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def read(path: Path) -> None:
    """Read a file from its beginning to its end and keep nothing."""
    room = bytearray(READ)
    with path.open("rb", buffering=0) as file:
        while file.readinto(room):
            pass


def watched(command: list[str]) -> tuple[str, int, float]:
    """What a command prints, the most bytes of memory that it held beside mapped files, and its seconds."""
    started, most = time.perf_counter(), 0
    with tempfile.TemporaryFile("w+") as printed, subprocess.Popen(command, stdout=printed) as process:
        while process.poll() is None:
            for line in Path(f"/proc/{process.pid}/status").read_text().splitlines():
                if line.startswith("RssAnon:"):
                    most = max(most, 1024 * int(line.split()[1]))
            time.sleep(LOOK)
        seconds = time.perf_counter() - started
        printed.seek(0)
        if process.returncode:
            sys.exit(process.returncode)
        return printed.read(), most, seconds


def seconds_of(work: Callable[[], object]) -> np.ndarray:
    """On the clock, and of the processor: where others hold the cores, the latter say more."""
    started = time.process_time()
    _, seconds = timed(work)
    return np.array([seconds, time.process_time() - started])


def seconds_of_pass(rows: Rows, y: np.ndarray) -> np.ndarray:
    """Of objective and gradient of all heads at once."""
    D = rows.shape[1]
    W, b = np.full((D, CLASSES, len(REGS)), 1e-3, np.float32), np.zeros((CLASSES, len(REGS)), np.float32)
    return seconds_of(lambda: objective_and_gradient(rows, y, W, b, "softmax", np.array(REGS)))


def median(measured: Callable[[], np.ndarray], times: int) -> np.ndarray:
    """Of several measurements, number by number."""
    return np.median([measured() for _ in range(times)], axis=0)


def compare_passes(X_file: Path, y: np.ndarray) -> None:
    """Print the seconds of one pass over a file, beside reading it and beside rows in memory."""
    X, size = np.load(X_file, mmap_mode="r"), X_file.stat().st_size
    forget(X_file)
    disk = seconds_of(lambda: read(X_file))
    kept = StoredRows(X, slice(PIECE))
    preparation = fit_preparation(kept)
    rows = StoredRows(X).prepared(preparation)
    forget(X_file)
    cold = seconds_of_pass(rows, y)
    warm = median(lambda: seconds_of_pass(rows, y), 3)
    memory = StoredRows(kept.prepared(preparation).kept())
    inside = median(lambda: seconds_of_pass(memory, y[:PIECE]), 5) * len(X) / len(memory)
    print_row("one pass", "s", "MiB/s", "CPU s")
    for name, taken in (
        ("the disk alone, read in order", disk),
        ("streaming, nothing of the file in memory", cold),
        ("streaming, the system's memory has the file", warm),
        ("float32 rows in memory, scaled from some", inside),
    ):
        print_row(name, f"{taken[0]:.2f}", f"{size / taken[0] / 2**20:.0f}", f"{taken[1]:.2f}")


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rows", type=int, default=800_000)
    parser.add_argument("--features", type=int, default=768)
    parser.add_argument("--memory", default="700MiB")
    parser.add_argument("--tol", default="1e-3")
    parser.add_argument("--folder", type=Path, help="where the file is made; the folder for temporary files by default")
    asked = parser.parse_args()
    print(describe())
    with tempfile.TemporaryDirectory(dir=asked.folder) as made:
        folder = Path(made)
        X_file, y_file = make(folder, asked.rows, asked.features)
        size = X_file.stat().st_size
        print(f"{asked.rows:,} x {asked.features:,} float16, {size / 2**30:.2f} GiB; {CLASSES} classes, {len(REGS)} λ")

        command = [sys.executable, "-m", "linprobe", "tune", str(X_file), "--label", str(y_file), "--json"]
        command += ["--reg", ",".join(map(str, REGS)), "--tol", asked.tol, "--memory", asked.memory]
        forget(X_file)
        printed, most, seconds = watched([*command, "--out", str(folder / "run")])
        found = json.loads(printed)
        grid, refit = found["grid"], found["refit"]
        print_row(f"tune within {asked.memory}: the most held, MiB", f"{most / 2**20:.0f}")
        print_row("tune, to its end, s", f"{seconds:.0f}")
        print_row("  of it comparing, s", f"{grid['seconds']:.0f}", f"{refit['seconds']:.0f} refit")
        iterations = [row["iterations"] for row in grid["rows"]]
        print_row("  passes of the solver, comparing", f"{max(iterations)}", f"{refit['iterations']} refit")
        print_row("  the proven gap of the refit, relative", f"{refit['gap'] / refit['objective']:.1e}")

        compare_passes(X_file, np.load(y_file))


if __name__ == "__main__":
    main()

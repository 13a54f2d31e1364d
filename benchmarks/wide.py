"""Many features of many rows: six penalties on random patches of pictures, proven to 1e-3, and their passes.

    python benchmarks/wide.py SOURCE [--rows 50000] [--filters 3200]

Every picture has four features of each filter, the sums of its four quarters: SOURCE is one of pictures, such as
cifar10 or a folder of it. 50,000 rows of 12,800 features take 2.4 GiB.
"""

import argparse
import time

import numpy as np

from linprobe import open_dataset
from linprobe.core.certificate import certify
from linprobe.core.exact.solver import solve
from linprobe.data.moments import feature_mean, feature_variance
from linprobe.data.rows import StoredRows
from machine import describe, print_row

SIDE, STEP = 6, 2  # pixels of a patch, and between two
PATCHES = 40_000  # of which filters are drawn, and by which they are whitened
THRESHOLD = 0.25  # what a patch must have in common with a filter to count
BLOCK = 100  # pictures at a time
SHARES = np.geomspace(1e-2, 1e-4, 6)  # of the mean variance, the penalties
TOL, PASSES = 1e-3, 150


def patches_of(pictures: np.ndarray) -> np.ndarray:
    """All patches (m, rows, columns, d) of pictures (m, h, w, c), each of one mean and contrast."""
    windows = np.lib.stride_tricks.sliding_window_view(pictures, (SIDE, SIDE), axis=(1, 2))[:, ::STEP, ::STEP]
    flat = windows.reshape(*windows.shape[:3], -1)
    flat = flat - flat.mean(axis=-1, keepdims=True)
    return flat / np.sqrt(flat.var(axis=-1, keepdims=True) + 1e-2)


def filters_of(pictures: np.ndarray, count: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """The mean (d,) of patches, and filters (d, count): some of them, whitened."""
    some = patches_of(pictures[rng.choice(len(pictures), min(len(pictures), 2_000), replace=False)])
    some = some.reshape(-1, some.shape[-1])
    some = some[rng.choice(len(some), min(len(some), PATCHES), replace=False)]
    mean = some.mean(axis=0)
    variances, axes = np.linalg.eigh(np.cov(some.T))
    whiten = (axes / np.sqrt(variances + 0.1)) @ axes.T
    drawn = (some[rng.choice(len(some), count, replace=len(some) < count)] - mean) @ whiten
    drawn /= np.linalg.norm(drawn, axis=1, keepdims=True)
    return mean.astype(np.float32), (whiten @ drawn.T).astype(np.float32)


def features_of(pictures: np.ndarray, count: int) -> np.ndarray:
    """Features (n, 4 · count) float32 of pictures (n, h, w, c), their mean variance 1."""
    mean, filters = filters_of(pictures, count, np.random.default_rng(0))
    X = np.empty((len(pictures), 4 * count), np.float32)
    for start in range(0, len(X), BLOCK):
        found = (patches_of(pictures[start : start + BLOCK]).astype(np.float32) - mean) @ filters
        np.maximum(found - THRESHOLD, 0, out=found)
        half = found.shape[1] // 2
        parts = (
            found[:, rows, columns].sum(axis=(1, 2))
            for rows in (slice(half), slice(half, None))
            for columns in (slice(half), slice(half, None))
        )
        X[start : start + BLOCK] = np.concatenate(list(parts), axis=1)
    X /= np.sqrt(mean_variance(X))
    return X


def mean_variance(X: np.ndarray) -> float:
    """That of the features of X (n, D)."""
    rows, shares = StoredRows(X), np.full(len(X), 1 / len(X))
    return float(np.mean(feature_variance(rows, shares, feature_mean(rows, shares, X[:0].astype(np.float64)))))


def main() -> None:
    """Make the features, solve, prove, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source")
    parser.add_argument("--rows", type=int, default=50_000)
    parser.add_argument("--filters", type=int, default=3_200)
    asked = parser.parse_args()
    train = open_dataset(asked.source).train
    pictures = np.asarray(train.X[: asked.rows], np.float32) / 255
    pictures = pictures.reshape(*pictures.shape[:3], -1)
    X, y = features_of(pictures, asked.filters), train.y[: asked.rows]
    print(describe())
    print(
        f"{len(X):,} rows of {X.shape[1]:,} features, random patches; six λ, a gap of {TOL:g} in {PASSES} passes each\n"
    )
    seconds, processor = time.perf_counter(), time.process_time()
    found = solve(X, y, SHARES, tol=TOL, max_iter=PASSES)
    seconds, processor = time.perf_counter() - seconds, time.process_time() - processor
    proof = certify(X, y, found.W, found.b, SHARES, "softmax")
    for share, passes, gap in zip(SHARES, found.iterations, proof.gap / proof.objective, strict=True):
        print_row(f"λ = {share:.2g} of the mean variance: passes", f"{passes}", f"gap {gap:.1e}")
    print_row("seconds, and those of all processors", f"{seconds:.0f}", f"{processor:.0f}")


if __name__ == "__main__":
    main()

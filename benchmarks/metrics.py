"""How long the metrics of a test split and their bootstrap intervals take, beside a loop over scikit-learn's functions.

    python benchmarks/metrics.py

10,000 examples of 10 classes, 1,000 resamples, all metrics together; the loop is scaled from a few resamples.
"""

import argparse
import time

import numpy as np
from scipy.special import softmax
from sklearn import metrics as theirs

import machine
from linprobe.core.metrics import METRICS, Sample, fit_temperature, measure


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name, default in (("examples", 10_000), ("classes", 10), ("resamples", 1_000), ("of-loop", 5)):
        parser.add_argument(f"--{name}", type=int, default=default)
    asked = parser.parse_args()
    n, K, times = asked.examples, asked.classes, asked.resamples
    print(machine.describe())
    print(f"{n:,} examples, {K} classes, {times:,} resamples\n")
    rng = np.random.default_rng(0)
    labels = rng.integers(0, K, n)
    scores = (2 * rng.standard_normal((n, K)) + 3 * np.eye(K)[labels]).astype(np.float32)

    temperature, fitting = machine.timed(lambda: fit_temperature(scores, labels))
    started = time.process_time()
    found, seconds = machine.timed(
        lambda: measure(Sample(scores, labels, True), METRICS.values(), temperature=temperature, times=times)
    )
    of_processor = time.process_time() - started
    machine.print_row("fitting the temperature, seconds", f"{fitting:.2f}")
    machine.print_row("all metrics and intervals, seconds", f"{seconds:.2f}")
    machine.print_row("of one processor, seconds", f"{of_processor:.2f}")
    few = max(1, asked.of_loop)
    loop = machine.timed(lambda: [_one(scores, labels, rng.integers(0, n, n)) for _ in range(few)])[1] * times / few
    machine.print_row(f"the loop, scaled from {few} resamples, seconds", f"{loop:.0f}")
    machine.print_row("faster than the loop by", f"{loop / seconds:.0f}")
    machine.print_row("peak memory, GiB", f"{machine.peak_memory():.2f}")
    print()
    for name, figure in found.items():
        interval = figure.interval or (np.nan, np.nan)
        machine.print_row(name, f"{figure.value:.4f}", *(f"{end:.4f}" for end in interval))


def _one(scores: np.ndarray, labels: np.ndarray, rows: np.ndarray) -> list[float]:
    """The metrics of one resample, as users would ask for them; scikit-learn has no calibration error."""
    y, P, K = labels[rows], softmax(scores[rows].astype(np.float64), axis=1), scores.shape[1]
    predicted, all_ = P.argmax(axis=1), np.arange(K)
    two = {"y_score": P[:, 1]} if K == 2 else {"y_score": P}
    found = [
        theirs.accuracy_score(y, predicted),
        theirs.balanced_accuracy_score(y, predicted),
        theirs.f1_score(y, predicted, average="macro"),
        theirs.roc_auc_score(y, **two, multi_class="ovr"),
        theirs.average_precision_score(y, **two),
        theirs.log_loss(y, P, labels=all_),
    ]
    return [*found, theirs.top_k_accuracy_score(y, P, k=5, labels=all_)] if K > 5 else found


if __name__ == "__main__":
    main()

"""Time ProbeSearch against GridSearchCV with scikit-learn's LogisticRegression: 5 folds x 10 C, and the refit.

    python benchmarks/probe.py                       # digits
    python benchmarks/probe.py embeddings            # 20,000 x 768, 20 classes, made here

Each in a process of its own, one after the other, on the same float32 features. LogisticRegression has its defaults
(lbfgs, tol=1e-4), but for as many iterations as it wants; C is scikit-learn's own ten, 1e-4 to 1e4. ProbeSearch has its
defaults as well: a proven relative gap of 1e-6. At a large C, the default tol ends long before the optimum, and scores
differ by that; --tol has scikit-learn go further.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path
from typing import Any

import numpy as np

import machine
from embeddings import Draws, make_embeddings
from linprobe import open_dataset
from linprobe.data.prepare import fit_preparation
from linprobe.data.splits import make_splits

EMBEDDINGS = (20_000, 768, 20)
SMALL_EMBEDDINGS = (500, 16, 4)
FOLDS = 5
STRENGTHS = np.logspace(-4, 4, 10)
FEW = slice(3, 6)

SEARCHES = {
    "probe": "linprobe ProbeSearch",
    "grid": "GridSearchCV, n_jobs=None",
    "grid-2": "GridSearchCV, n_jobs=2",
}


def main() -> None:
    """Print the table, or, in one of the processes, what it measured as JSON."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("source", nargs="?", default="digits", help="what linprobe opens, or embeddings")
    arguments.add_argument("--quick", action="store_true", help="few rows and three C: does it run?")
    arguments.add_argument("--tol", type=float, default=1e-4, help="of scikit-learn: the largest slope it ends at")
    arguments.add_argument("--search", choices=SEARCHES, help=argparse.SUPPRESS)
    arguments.add_argument("--data-in", type=Path, help=argparse.SUPPRESS)
    options = arguments.parse_args()
    C = STRENGTHS[FEW] if options.quick else STRENGTHS
    if options.search is not None:
        print(json.dumps(measure(options, C)))
        return
    print(machine.describe())
    with tempfile.TemporaryDirectory() as folder:
        print(
            write_data(options, Path(folder))
            + f"; {FOLDS} folds x {len(C)} C from {C[0]:.3g} to {C[-1]:.3g}, the refit\n"
        )
        machine.print_row("", "s", "x ours", "best C", "its score", "unconverged")
        ours: dict = {}
        for name, label in SEARCHES.items():
            command = [sys.executable, __file__, *sys.argv[1:], "--search", name, "--data-in", folder]
            found = json.loads(subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout)
            ours = ours or found
            best = int(np.argmax(found["scores"]))
            machine.print_row(
                label,
                f"{found['seconds']:.2f}",
                f"{found['seconds'] / ours['seconds']:.1f}",
                f"{found['best_C']:.3g}",
                f"{found['scores'][best]:.4f}",
                "" if found["unconverged"] is None else f"{found['unconverged']}",
            )
            if found is not ours:
                apart = np.abs(np.subtract(found["scores"], ours["scores"])).max()
                machine.print_row("  mean score of any C off by at most", f"{apart:.5f}")
                machine.print_row("  same best C", "yes" if found["best_C"] == ours["best_C"] else "no")


def write_data(options: argparse.Namespace, folder: Path) -> str:
    """Write X.npy (n, D) float32 and y.npy (n,) into a folder, and say what they are."""
    if options.source == "embeddings":
        X, y = make_embeddings(Draws.numpy(), *(SMALL_EMBEDDINGS if options.quick else EMBEDDINGS))
        name = "made-up embeddings"
    else:
        dataset = open_dataset(options.source)
        train = make_splits(dataset).train
        X, y, name = fit_preparation(train.X).apply(train.X), train.y, dataset.name
        if options.quick:
            X, y = X[:500], y[:500]
    np.save(folder / "X.npy", X)
    np.save(folder / "y.npy", y)
    return f"{name}: {X.shape[0]:,} rows of {X.shape[1]:,} features, {len(np.unique(y))} classes"


def measure(options: argparse.Namespace, C: np.ndarray) -> dict:
    """Seconds of a search, mean scores (H,), the best C, and how many fits scikit-learn says did not converge."""
    X, y = (np.load(options.data_in / f"{name}.npy") for name in ("X", "y"))
    make_search(options, C[:1]).fit(X[:200, :8].copy(), y[:200] % 2)  # a first call is not measured
    search = make_search(options, C)
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        _, seconds = machine.timed(lambda: search.fit(X, y))
    unconverged = sum(warning.category.__name__ == "ConvergenceWarning" for warning in heard)
    return {
        "seconds": seconds,
        "scores": search.cv_results_["mean_test_score"].tolist(),
        "best_C": float(search.best_params_["C"]),
        # What processes of its own hear is not told.
        "unconverged": None if options.search == "grid-2" else unconverged,
    }


def make_search(options: argparse.Namespace, C: np.ndarray) -> Any:
    """One of SEARCHES, over these C."""
    if options.search == "probe":
        from linprobe import ProbeSearch, SoftmaxClassifier

        return ProbeSearch(SoftmaxClassifier(), {"C": C.tolist()}, cv=FOLDS)
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import GridSearchCV

    model = LogisticRegression(tol=options.tol, max_iter=1_000_000)
    return GridSearchCV(model, {"C": C.tolist()}, cv=FOLDS, n_jobs=2 if options.search == "grid-2" else None)


if __name__ == "__main__":
    main()

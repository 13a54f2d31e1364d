"""Time ProbeSearch against what a user would otherwise call: 5 folds x 10 C, and the best of them on all rows.

    python benchmarks/search.py                              # digits, and three made-up problems
    python benchmarks/search.py 20000x768x20 --repeats 1     # rows x features x classes, made here

All have their defaults on the same float32 features, but that max_iter never ends a fit of scikit-learn's
LogisticRegression, unless a row says so; scikit-learn-intelex where it is installed. C is scikit-learn's own ten, 1e-4
to 1e4. Each search runs in a process of its own, warm with its workers, all of them one after the other and then all
again, since a machine's speed changes within seconds: times ours is the median of the rounds, as are the seconds (of
one round, where every fit is proven). Errors are the worst of a mean score of any C, against fits proven to a relative
gap of 1e-6.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import warnings
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

import machine
from embeddings import Draws, make_embeddings
from linprobe import open_dataset
from linprobe.data.prepare import fit_preparation
from linprobe.data.splits import make_splits

PROBLEMS = ("digits", "6000x256x12", "900x2000x2", "300x800x3")
FOLDS = 5
INTELEX = find_spec("sklearnex") is not None
STRENGTHS = np.logspace(-4, 4, 10)
FEW = slice(3, 6)

SEARCHES = {
    "probe": "linprobe ProbeSearch",
    "proven": "  with search_tol=None: every fit proven",
    "grid": "GridSearchCV, n_jobs=2",
    "grid-100": "GridSearchCV, n_jobs=2, max_iter=100",
    "path": "LogisticRegressionCV, n_jobs=2",
    "intelex": "GridSearchCV, scikit-learn-intelex, n_jobs=2",
}
SCIKIT_LEARNS = ("grid", "grid-100", "path", "intelex")


def main() -> None:
    """Print the tables, or, in one of the processes, what it measured as JSON."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument(
        "problems", nargs="*", default=PROBLEMS, help="what linprobe opens, or ROWSxFEATURESxCLASSES"
    )
    arguments.add_argument("--repeats", type=int, default=5, help="rounds of all searches")
    arguments.add_argument("--without", action="append", default=[], choices=SEARCHES, help="leave a search out")
    arguments.add_argument("--quick", action="store_true", help="few rows and three C: does it run?")
    arguments.add_argument("--search", choices=SEARCHES, help=argparse.SUPPRESS)
    arguments.add_argument("--data-in", type=Path, help=argparse.SUPPRESS)
    options = arguments.parse_args()
    C = STRENGTHS[FEW] if options.quick else STRENGTHS
    if options.search is not None:
        print(json.dumps(measure(options, C)))
        return
    print(machine.describe())
    for problem in options.problems:
        with tempfile.TemporaryDirectory() as folder:
            about = write_data(problem, Path(folder), quick=options.quick)
            print(f"\n{about}; {FOLDS} folds x {len(C)} C from {C[0]:.3g} to {C[-1]:.3g}, and the refit")
            machine.print_row("", "s", "x ours", "best C", "its score", "worst error")
            compare(options, folder)


def compare(options: argparse.Namespace, folder: str) -> None:
    """The rows of one problem."""
    rounds = dict[str, list[dict]]()
    for number in range(options.repeats):
        for name in SEARCHES:
            if name in options.without or (name == "proven" and number) or (name == "intelex" and not INTELEX):
                continue
            own = [sys.executable, __file__, "--search", name, "--data-in", folder] + ["--quick"] * options.quick
            answer = json.loads(subprocess.run(own, stdout=subprocess.PIPE, text=True, check=True).stdout)
            rounds.setdefault(name, []).append(answer)
    truth = rounds["proven"][0]["scores"] if "proven" in rounds else None
    ours = [one["seconds"] for one in rounds.get("probe", [])]
    for name, each in rounds.items():
        seconds, one = [of_round["seconds"] for of_round in each], each[0]
        error = "" if truth is None or name == "proven" else f"{np.abs(np.subtract(one['scores'], truth)).max():.5f}"
        machine.print_row(
            SEARCHES[name],
            f"{statistics.median(seconds):.2f}",
            f"{statistics.median(s / of_us for s, of_us in zip(seconds, ours, strict=False)):.1f}" if ours else "",
            f"{one['best_C']:.3g}",
            f"{max(one['scores']):.4f}",
            error,
        )
        if one["passes"]:
            machine.print_row("  passes over the rows, of all fits together", f"{one['passes']:,}")


def write_data(problem: str, folder: Path, *, quick: bool) -> str:
    """Write X.npy (n, D) float32 and y.npy (n,) into a folder, and say what they are."""
    if problem[0].isdigit():
        n, D, K = (int(number) for number in problem.split("x"))
        X, y = make_embeddings(Draws.numpy(), min(n, 500) if quick else n, min(D, 16) if quick else D, K)
        name = "made-up embeddings"
    else:
        dataset = open_dataset(problem)
        train = make_splits(dataset).train
        X, y, name = fit_preparation(train.X).apply(train.X), train.y, dataset.name
        X, y = (X[:500], y[:500]) if quick else (X, y)
    np.save(folder / "X.npy", X)
    np.save(folder / "y.npy", y)
    return f"{name}: {X.shape[0]:,} rows of {X.shape[1]:,} features, {len(np.unique(y))} classes"


def measure(options: argparse.Namespace, C: np.ndarray) -> dict:
    """Seconds of a search, the mean scores (H,), the best C, and our passes over the rows."""
    X, y = (np.load(options.data_in / f"{name}.npy") for name in ("X", "y"))
    warnings.simplefilter("ignore")
    make_search(options.search, C[:2]).fit(X, y)  # a first call is not measured
    search = make_search(options.search, C)
    found, seconds = machine.timed(lambda: search.fit(X, y))
    result = {"seconds": seconds, "passes": 0}
    if options.search == "path":
        scores = next(iter(found.scores_.values()))
        return result | {"scores": scores.mean(axis=0).tolist(), "best_C": float(found.C_[0])}
    table = found.cv_results_
    if options.search not in SCIKIT_LEARNS:
        passes = sum(table[f"split{split}_iterations"].sum() for split in range(FOLDS))
        result["passes"] = int(passes) + found.best_estimator_.n_iter_
    return result | {"scores": table["mean_test_score"].tolist(), "best_C": float(found.best_params_["C"])}


def make_search(name: str, C: np.ndarray) -> Any:
    """One of SEARCHES, over these C."""
    if name not in SCIKIT_LEARNS:
        from linprobe import ProbeSearch

        search = ProbeSearch(param_grid={"C": C.tolist()}, cv=FOLDS)
        return search.set_params(search_tol=None) if name == "proven" else search
    from sklearn.linear_model import LogisticRegression, LogisticRegressionCV
    from sklearn.model_selection import GridSearchCV

    if name == "intelex":
        from sklearnex.linear_model import LogisticRegression  # pyright: ignore[reportMissingImports]

    most = 100 if name == "grid-100" else 1_000_000
    if name == "path":
        return LogisticRegressionCV(Cs=C.tolist(), cv=FOLDS, n_jobs=2, max_iter=most)
    return GridSearchCV(LogisticRegression(max_iter=most), {"C": C.tolist()}, cv=FOLDS, n_jobs=2)


if __name__ == "__main__":
    main()

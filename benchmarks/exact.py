"""Time a certified path of λ, its bare matrix products, and other libraries to the same objective.

    python benchmarks/exact.py ../shared/data/cifar10
    python benchmarks/exact.py embeddings            # 200,000 x 768, 100 classes, made here

All in one run, on one machine, so that the ratios mean something where the seconds do not; each library in a process
of its own, one after the other. The path is ten λ at once; the others fit one λ at a time, by default a single one,
and are compared with a tenth of our seconds. --all-lambdas has them fit all ten.
"""

import argparse
import json
import math
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

import machine
from embeddings import Draws, make_embeddings
from exact_peers import PEERS, Fit, run
from linprobe import open_dataset
from linprobe.core.certificate import certify
from linprobe.core.exact.solver import solve
from linprobe.data.prepare import fit_preparation
from linprobe.data.splits import make_splits
from passes import bare_metric, bare_passes

REGS = np.logspace(0, -5, 10)
EMBEDDINGS = (200_000, 768, 100)
SMALL_EMBEDDINGS = (1_000, 32, 5)
PIXEL_SCALE = 64  # raw pixels, centred, then of the order of 1

HOURS = 10_000.0  # for the one fit that is never cut off
TO_THE_GOAL = ("lbfgs", "newton-cg", "cyanure")


def main() -> None:
    """Print the tables, or, in the process of the path, what was measured as JSON."""
    options = parse_arguments()
    if options.path_in is not None:
        print(json.dumps(measure_path(options.path_in, options.tol, options.repeat)))
        return
    print(machine.describe())
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        print(write_data(options, folder) + f"; softmax, {len(REGS)} λ from {REGS[0]:g} to {REGS[-1]:g}\n")
        command = [sys.executable, __file__, *sys.argv[1:], "--path-in", name]
        path = json.loads(subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout)
        print_path(path, options)
        wanted = np.arange(len(REGS)) if options.all_lambdas else nearest(options.peer_reg)
        print_one_fit(folder, path, int(nearest([1e-3])[0]), options)
        print(
            "\nTo our objective, for one λ of the path at a time; x ours: of a tenth of our seconds. near: within "
            f"{options.tol:g} of it.\nFits in float32 that end short of it are repeated in float64; after "
            f"{options.peer_limit:g} s they are cut off.\n"
        )
        print_peers(folder, path, wanted, options)


def parse_arguments() -> argparse.Namespace:
    """What to measure."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("source", nargs="?", default="digits", help="what linprobe opens, or embeddings")
    arguments.add_argument("--tol", type=float, default=1e-6, help="relative gap")
    arguments.add_argument("--repeat", type=int, default=3, help="times that the path is timed")
    arguments.add_argument("--peer-reg", type=float, nargs="+", default=[1e-3], help="λ that the others fit")
    arguments.add_argument("--all-lambdas", action="store_true", help="have the others fit all of them")
    arguments.add_argument("--peers", nargs="*", choices=TO_THE_GOAL, default=TO_THE_GOAL, help="whom to compare with")
    arguments.add_argument("--peer-limit", type=float, default=900, help="seconds that a fit of theirs may take")
    arguments.add_argument("--quick", action="store_true", help="a thousand rows: does it run?")
    arguments.add_argument("--path-in", type=Path, help=argparse.SUPPRESS)
    return arguments.parse_args()


def write_data(options: argparse.Namespace, folder: Path) -> str:
    """Write X.npy (n, D) float32 and y.npy (n,) into a folder, and say what they are."""
    if options.source == "embeddings":
        X, y = make_embeddings(Draws.numpy(), *(SMALL_EMBEDDINGS if options.quick else EMBEDDINGS))
        name = "made-up embeddings"
    else:
        dataset = open_dataset(options.source)
        train = make_splits(dataset).train
        X, y, name = fit_preparation(train.X).apply(train.X), train.y, dataset.name
        X = X / np.float32(PIXEL_SCALE)
        name += f", centred, divided by {PIXEL_SCALE}"
        if options.quick:
            X, y = X[:1000], y[:1000]
    np.save(folder / "X.npy", X)
    np.save(folder / "y.npy", y)
    return f"{name}: {X.shape[0]:,} rows of {X.shape[1]:,} features, {int(y.max()) + 1} classes"


def measure_path(folder: Path, tol: float, repeat: int) -> dict:
    """Our seconds, the floor's, memory, and what the independent certificate says of every head."""
    X, y = (np.load(folder / f"{name}.npy") for name in ("X", "y"))
    classes = int(y.max()) + 1
    solve(X[:200, :8].copy(), y[:200], REGS, classes=classes, max_iter=3)  # what a first call does is not measured
    ours, metric, products, peak, found = [], [], [], 0.0, []
    for _ in range(repeat):
        ours.append(seconds_of(lambda: found.append(solve(X, y, REGS, classes=classes, tol=tol))))
        peak = peak or machine.peak_memory()
        # Beside each other, as processors change their clock.
        metric.append(seconds_of(lambda: bare_metric(X)))
        products.append(bare_passes(X, classes, found[-1].iterations, seconds_of))
    optimum = found[-1]
    certificate = certify(X, y, optimum.W, optimum.b, REGS, "softmax")
    return {
        "seconds": statistics.median(ours),
        "metric": statistics.median(metric),
        "products": statistics.median(products),
        "peak": peak,
        "passes": optimum.iterations.tolist(),
        "stopped": optimum.stopped.tolist(),
        "objective": certificate.objective.tolist(),
        "gap": certificate.gap.tolist(),
    }


def seconds_of(work: Callable[[], Any]) -> float:
    """How long it takes."""
    return machine.timed(work)[1]


def print_path(path: dict, options: argparse.Namespace) -> None:
    """Our part of the table."""
    ours, floor = path["seconds"], path["metric"] + path["products"]
    machine.print_row(f"linprobe, {len(REGS)} λ at once (median of {options.repeat})", f"{ours:.2f} s")
    machine.print_row("bare products of its passes", f"{path['products']:.2f} s")
    machine.print_row("Gram matrix and its principal axes", f"{path['metric']:.2f} s")
    machine.print_row("linprobe takes, of these", f"{ours / floor:.2f} x")
    machine.print_row("peak memory, data included", f"{path['peak']:.2f} GiB")
    print()
    machine.print_row("λ (the certificate is the independent one)", "passes", "objective", "gap", "stopped")
    for reg, passes, value, gap, stopped in zip(
        REGS, path["passes"], path["objective"], path["gap"], path["stopped"], strict=True
    ):
        machine.print_row(f"{reg:.3g}", f"{passes}", f"{value:.6f}", f"{gap / value:.1e}", stopped)
    largest = max(gap / value for gap, value in zip(path["gap"], path["objective"], strict=True))
    machine.print_row("largest relative gap", f"{largest:.1e}")


def print_one_fit(folder: Path, path: dict, head: int, options: argparse.Namespace) -> None:
    """The whole path beside one unconverged fit of a single λ."""
    fit = run_peer(folder, path, "hundred", "float32", head, options, HOURS)
    print()
    machine.print_row(f"scikit-learn lbfgs, {fit.iterations} iterations, λ = {REGS[head]:.3g}", f"{fit.seconds:.2f} s")
    machine.print_row("  its objective over our lower bound, relative", f"{relative_gap(fit, path, head):.1e}")
    machine.print_row("  our whole path takes, of this one fit", f"{path['seconds'] / fit.seconds:.2f} x")


def print_peers(folder: Path, path: dict, heads: np.ndarray, options: argparse.Namespace) -> None:
    """A row for each fit, and for each library the sum of its fastest if all λ were fitted."""
    machine.print_row("", "s", "x ours", "iterations", "gap", "near, s", "x ours")
    fastest: dict[str, list[Fit]] = {}
    for head in heads:
        print(f"λ = {REGS[head]:.3g}")
        fits: dict[str, list[Fit]] = {}
        for peer in options.peers:
            label, module, _ = PEERS[peer]
            library = module.split(".")[0]
            if find_spec(library) is None:
                machine.print_row(f"  {label}", "not installed")
                continue
            for dtype in ("float32", "float64"):
                fit = run_peer(folder, path, peer, dtype, int(head), options, options.peer_limit)
                fits.setdefault(library, []).append(fit)
                print_fit(f"  {label} {version_of(library)}, {dtype}", fit, path, int(head))
                if fit.ended != "short":
                    break
        for library, done in fits.items():
            there = [fit for fit in done if fit.ended == "goal"] or [fit for fit in done if fit.ended == "limit"]
            fastest.setdefault(library, []).extend(sorted(there, key=lambda fit: fit.seconds)[:1])
    if not options.all_lambdas:
        return
    print()
    for library, best in fastest.items():
        seconds, more = sum(fit.seconds for fit in best), ">" * any(fit.ended == "limit" for fit in best)
        what = f"{library}, the fastest fit of each of {len(best)} λ"
        machine.print_row(what, f"{more}{seconds:.1f}", f"{more}{seconds / path['seconds']:.1f}")


def print_fit(label: str, fit: Fit, path: dict, head: int) -> None:
    """The row of a fit."""
    more = ">" if fit.ended == "limit" else ""
    ours = path["seconds"] / len(REGS)
    ratio = f"{more}{fit.seconds / ours:.1f}" if fit.ended != "short" else "ends short"
    near = ("-", "") if math.isnan(fit.near) else (f"{fit.near:.2f}", f"{fit.near / ours:.1f}")
    gap = f"{relative_gap(fit, path, head):.1e}"
    machine.print_row(label, f"{more}{fit.seconds:.2f}", ratio, f"{fit.iterations}", gap, *near)


def run_peer(
    folder: Path, path: dict, peer: str, dtype: str, head: int, options: argparse.Namespace, limit: float
) -> Fit:
    """A fit of a head's λ to our objective, cut off after so many seconds."""
    return run(folder, peer, dtype, float(REGS[head]), path["objective"][head], options.tol, limit)


def relative_gap(fit: Fit, path: dict, head: int) -> float:
    """How far a fit is from the optimum, at most."""
    return (fit.objective - (path["objective"][head] - path["gap"][head])) / fit.objective


def nearest(regs: list[float]) -> np.ndarray:
    """Which of the path's λ are nearest to these, each once."""
    return np.unique([np.argmin(np.abs(np.log(REGS / reg))) for reg in regs])


def version_of(library: str) -> str:
    """As its distribution says."""
    return version("scikit-learn" if library == "sklearn" else library)


if __name__ == "__main__":
    main()

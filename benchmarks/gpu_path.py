"""Time a certified path of λ on a device, for as many examples and classes as the largest linear probes have."""

import argparse
import sys
from typing import Any, Protocol

import numpy as np

from embeddings import Draws, make_embeddings
from linprobe.core.backend import Array, to_numpy
from linprobe.core.exact.solver import Optimum, solve
from passes import Seconds, bare_metric, bare_passes

TOL = 1e-4
STRENGTHS = (6, -5)  # C from 1e6 to 1e-5


class Clock(Protocol):
    """What measures on a device."""

    seconds: Seconds

    def forget_peak(self) -> None:
        """Count the peak memory from here."""
        ...

    def peak(self) -> str:
        """The most memory that was held at once."""
        ...


def measure(torch: Any, clock: Clock, options: argparse.Namespace) -> None:
    """Print the table: X is made on the device, and never is on the host."""
    torch.set_float32_matmul_precision("high" if options.tf32 else "highest")
    device, n, K, H = options.device, options.rows, options.classes, options.heads
    made: list[tuple[Array, Array]] = []
    making = clock.seconds(lambda: made.append(make_embeddings(Draws.torch(torch, device), n, options.features, K)))
    X, y = made[0][0], to_numpy(made[0][1])
    C = np.logspace(*STRENGTHS, H)
    reg = 1 / (2 * n * C)
    print(
        f"made up on the device in {making:.1f} s: {n:,} rows of {options.features:,} features, {K:,} classes; "
        f"softmax, {H} λ from {reg[0]:.1e} to {reg[-1]:.1e} (C from {C[0]:g} to {C[-1]:g}), relative gap {TOL:g}\n"
    )

    def path(X: Array, y: np.ndarray, reg: np.ndarray, max_iter: int) -> Optimum:
        return solve(X, y, reg, classes=K, tol=TOL, max_iter=max_iter, device=device, progress=progress)

    path(X[:2000], y[:2000], reg[-2:], 2)  # what a first call does is not measured
    clock.forget_peak()
    found: list[Optimum] = []
    seconds = clock.seconds(lambda: found.append(path(X, y, reg, options.max_iter)))
    optimum, peak = found[0], clock.peak()
    metric = clock.seconds(lambda: bare_metric(X))
    products = bare_passes(X, K, optimum.iterations, clock.seconds)
    relative = optimum.gap / optimum.objective
    for what, value in (
        (f"{H} λ at once", f"{seconds:10.2f} s"),
        ("bare products of its passes", f"{products:10.2f} s"),
        ("Gram matrix and its principal axes", f"{metric:10.2f} s"),
        ("it takes, of these", f"{seconds / (metric + products):10.2f} x"),
        ("the last passes were in", f"{optimum.W.dtype!s:>12}"),
        ("peak memory on the device, data included", peak),
        (f"certified to {TOL:g}", f"{int((relative <= TOL).sum()):10d} of {H}"),
        ("largest relative gap", f"{relative.max():10.1e}"),
        ("passes over the data: median, most", f"{np.median(optimum.iterations):6.0f}, {optimum.iterations.max()}"),
    ):
        print(f"{what:56}{value}")
    print(f"\n{'C':>12}{'λ':>12}{'passes':>12}{'objective':>12}{'gap':>12}{'stopped':>12}")
    for head in range(H):
        numbers = f"{C[head]:12.2g}{reg[head]:12.2g}{optimum.iterations[head]:12d}{optimum.objective[head]:12.6f}"
        print(f"{numbers}{relative[head]:12.1e}{optimum.stopped[head]:>12}")


def progress(done: int, heads: int) -> None:
    """Show how far it is, where somebody may be looking, on a line that is written over."""
    print(f"\r{done} of {heads} heads done", end="\n" if done == heads else "", file=sys.stderr, flush=True)

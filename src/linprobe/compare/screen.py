"""Compare on the leading principal directions first, then the best few settings again in full."""

import time
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from linprobe.compare.checkpoint import Checkpoint
from linprobe.compare.choose import choose, ranked
from linprobe.compare.compare import Control, compare
from linprobe.compare.comparison import Comparison
from linprobe.compare.held_out import HeldOut
from linprobe.compare.screening import fit_basis
from linprobe.compare.settings import Listed, Space
from linprobe.compare.solver import Solver

__all__ = ["Screening", "screen"]


@dataclass(frozen=True, eq=False)
class Screening:
    """What was screened: the whole space on the leading principal directions, and what was kept of it.

    residual: the share of the training rows' energy outside those directions; kept: the settings trained again in full.
    """

    result: Comparison
    rank: int
    residual: float
    seconds: float
    kept: np.ndarray


def screen(
    rows: np.ndarray,
    labels: np.ndarray,
    settings: Space,
    held_out: HeldOut,
    solver: Solver,
    *,
    classes: int,
    rank: int | Literal["auto"],
    keep: int = 5,
    control: Control | None = None,
) -> tuple[Comparison, Screening]:
    """Compare on the leading principal directions of the rows that train, then the best few settings in full.

    Only what is trained in full is a result; the others are known to the accuracy of the screening alone. What is not
    said here is as in `compare`.
    """
    control = control or Control()
    solver.refuse(settings.axes)
    before = after = None
    if isinstance(control.checkpoint, Checkpoint):
        before, after = control.checkpoint.parts("screening", "retraining")
    started, train = time.perf_counter(), range(len(rows))[held_out.learned].stop
    basis, Z = fit_basis(rows, rank, seed=solver.seed, train=train)
    held = control.resources.held + basis.directions.nbytes + Z.nbytes
    screened = compare(
        *(Z, labels, settings, held_out, solver.within(basis, rows)),
        classes=classes,
        control=replace(control, resources=replace(control.resources, held=held), checkpoint=before),
    )
    del Z
    choose(screened)  # or it refuses: nothing is left to train in full
    kept = ranked(screened.score, screened.loss, screened.failed)
    kept = kept[: min(keep, int(np.isfinite(screened.score).sum()))]
    seconds = time.perf_counter() - started
    found = compare(
        *(rows, labels, Listed(settings, kept), held_out, solver),
        classes=classes,
        control=replace(control, checkpoint=after),
    )
    return found, Screening(screened, basis.rank, basis.residual, seconds, kept)

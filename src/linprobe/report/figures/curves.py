"""The objective along the iterations."""

import math
from dataclasses import dataclass

import numpy as np

from linprobe.report.figures.scales import WIDE, Scale
from linprobe.report.run import Run
from linprobe.report.settings import Settings, settings_of
from linprobe.results import LowestObjective

__all__ = ["BEST", "Losses", "losses"]

BEST = ("chosen", "second", "third")  # the curves that are told apart


@dataclass(frozen=True, eq=False)
class Losses:
    """The objective on the batches of `steps` (R,): curves (R, H) float32, NaN where a head has none.

    Heads from the best on: best, those with a name of BEST; others and lost, which diverged; left_out: so many others
    have no place. lowest: the lowest objective possible, if it is known. limits of the axis are those of the heads that
    did not diverge, None where there are none.
    """

    title: str
    settings: Settings
    steps: np.ndarray
    curves: np.ndarray
    best: list[int]
    others: list[int]
    lost: list[int]
    left_out: int
    lowest: float | None
    limits: tuple[float, float] | None
    scale: Scale


def losses(run: Run, most: int | None = None) -> Losses | None:
    """The loss curves of all heads, or of at most so many but for the best; None where there are none."""
    if not len(run.steps):
        return None
    settings = settings_of(run)
    order = settings.order
    best = [k for k in order if settings.rows[k].val_accuracy is not None][: len(BEST)]
    others = [k for k in order if k not in best]
    if most is not None and len(others) > most:
        others = [others[place * len(others) // most] for place in range(most)]
    left_out = len(order) - len(best) - len(others)
    lost = [k for k in others if settings.rows[k].status == "diverged"]
    others = [k for k in others if k not in lost]
    curves = np.where(np.isfinite(run.curves), run.curves, np.nan).astype(np.float32)
    optimum = run.numbers.optimum
    lowest = optimum.objective if isinstance(optimum, LowestObjective) else None
    shown = np.concatenate([curves[:, [*best, *others]].ravel(), [np.nan if lowest is None else lowest]])
    title = f"{run.numbers.data.source}: {run.numbers.loss} objective on each batch"
    limits, scale = _range(shown[np.isfinite(shown)])
    return Losses(title, settings, run.steps, curves, best, others, lost, left_out, lowest, limits, scale)


def _range(values: np.ndarray) -> tuple[tuple[float, float] | None, Scale]:
    """The limits that show these values, whatever others do."""
    if not len(values):
        return None, "linear"
    low, high = float(values.min()), float(values.max())
    if low > 0 and high > WIDE * low:
        a, b = math.log10(low), math.log10(high)
        return (a - 0.04 * (b - a), b + 0.04 * (b - a)), "log"
    edge = 0.04 * (high - low) or 0.1 * abs(high) or 1.0
    return (low - edge, high + edge), "linear"

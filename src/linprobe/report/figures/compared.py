"""The validation accuracy of all settings: a map or points over two axes, a path along the only one."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from linprobe.core.measure import wilson_interval
from linprobe.report.figures.scales import Scale, scale_of
from linprobe.report.run import Run
from linprobe.report.settings import Settings, screened_of, settings_of
from linprobe.results import Tried
from linprobe.results.steps import AXES

__all__ = ["Map", "PathLines", "TrialPoints", "grid", "path"]


@dataclass(frozen=True, eq=False)
class Map:
    """Validation accuracy (Y, X) over two axes, the best of what differs in others too, NaN where it diverged.

    heads (Y, X): the settings that the cells show; frame: the place of the chosen one; lost: the settings without
    accuracy that are shown; marked: places of what was retrained on all features; limits: of all accuracies.
    """

    title: str
    settings: Settings
    down: str
    across: str
    ys: list[float]
    xs: list[float]
    heads: np.ndarray
    accuracy: np.ndarray
    frame: tuple[int, int]
    lost: list[int]
    marked: list[tuple[int, int]]
    others: list[str]
    limits: tuple[float, float]


@dataclass(frozen=True, eq=False)
class TrialPoints:
    """Random settings over two axes: trained, from the lowest validation accuracy on, and lost, which diverged.

    left_out: so many, the lowest, have no place; marked: what was retrained on all features.
    """

    title: str
    settings: Settings
    down: str
    across: str
    trained: list[int]
    lost: list[int]
    left_out: int
    marked: Sequence[Tried]
    scales: dict[str, Scale]
    limits: tuple[float, float]


@dataclass(frozen=True, eq=False)
class PathLines:
    """What settings were chosen by along the only axis: those trained, ascending, and lost ones; of accuracy with its
    95 % interval on validation, of which other metrics have none.

    left_out: so many, evenly, have no place; folds: of a cross-validation.
    """

    title: str
    settings: Settings
    along: str
    trained: list[int]
    lost: list[int]
    left_out: int
    intervals: list[tuple[float, float]]
    folds: int | None
    scale: Scale

    def value(self, k: int) -> float:
        """Where a setting lies."""
        return self.settings.rows[k].setting[self.along]


def grid(run: Run, most: int | None = None) -> Map | TrialPoints | None:
    """All settings over the first two axes along which they differ, at most so many of random ones."""
    settings, retrained = _compared(run)
    if len(settings.varied) < 2:
        return None
    down, across = settings.varied[:2]
    rank = "" if run.numbers.grid.screening is None else f", screened at rank {run.numbers.grid.screening.rank}"
    title = f"{run.numbers.data.source}: validation accuracy of {len(settings.rows):,} settings{rank}"
    if run.numbers.grid.trials:
        return _points(settings, title, down, across, retrained, most)
    return _map(settings, title, down, across, retrained)


def _compared(run: Run) -> tuple[Settings, Sequence[Tried]]:
    """All settings that were looked at, and those of them that were retrained on all features."""
    settings, screened = settings_of(run), screened_of(run)
    return (settings, ()) if screened is None else (screened, settings.rows)


def _map(settings: Settings, title: str, down: str, across: str, marked: Sequence[Tried]) -> Map:
    rows = settings.rows
    ys, xs = (sorted({row.setting[name] for row in rows}) for name in (down, across))
    of_y, of_x = ({value: place for place, value in enumerate(values)} for values in (ys, xs))
    heads = np.full((len(ys), len(xs)), -1)
    accuracy = np.full(heads.shape, np.nan)
    for k in reversed(settings.order):
        place = of_y[rows[k].setting[down]], of_x[rows[k].setting[across]]
        heads[place], accuracy[place] = k, settings.accuracy(k)
    places = [(of_y[row.setting[down]], of_x[row.setting[across]]) for row in (rows[settings.best], *marked)]
    return Map(
        title,
        settings,
        down,
        across,
        ys,
        xs,
        heads,
        accuracy,
        frame=places[0],
        lost=heads[np.isnan(accuracy) & (heads >= 0)].tolist(),
        marked=places[1:],
        others=[AXES[name] for name in settings.varied if name not in (down, across)],
        limits=_colours(settings, range(len(rows))),
    )


def _points(
    settings: Settings, title: str, down: str, across: str, marked: Sequence[Tried], most: int | None
) -> TrialPoints:
    order = settings.order if most is None else settings.order[: max(1, most)]
    trained = [k for k in reversed(order) if settings.rows[k].val_accuracy is not None]
    scales: dict[str, Scale] = {name: scale_of([row.setting[name] for row in settings.rows]) for name in (down, across)}
    lost = [k for k in order if settings.rows[k].val_accuracy is None]
    left_out, limits = len(settings.rows) - len(order), _colours(settings, trained)
    return TrialPoints(title, settings, down, across, trained, lost, left_out, marked, scales, limits)


def path(run: Run, most: int | None = None) -> PathLines | None:
    """What settings were chosen by along the only axis that differs, of about so many of very many values."""
    settings, _ = _compared(run)
    if len(settings.varied) != 1:
        return None
    rows, along = settings.rows, settings.varied[0]
    step = 1 if most is None else -(-len(rows) // max(1, most))
    order = sorted({*range(0, len(rows), step), settings.best}, key=lambda k: rows[k].setting[along])
    trained = [k for k in order if rows[k].val_accuracy is not None]
    return PathLines(
        f"{run.numbers.data.source}: {settings.metric.label} along {AXES[along]}",
        settings,
        along,
        trained,
        lost=[k for k in order if rows[k].val_accuracy is None],
        left_out=len(rows) - len(order),
        intervals=[wilson_interval(round(settings.accuracy(k) * settings.n), settings.n) for k in trained]
        if settings.by_accuracy
        else [],
        folds=run.numbers.grid.folds,
        scale=scale_of([rows[k].setting[along] for k in order]),
    )


def _colours(settings: Settings, heads: Sequence[int]) -> tuple[float, float]:
    """The limits of the colours of some settings' validation accuracy, never the same."""
    known = [settings.accuracy(k) for k in heads if settings.rows[k].val_accuracy is not None]
    low, high = min(known), max(known)
    edge = 0.01 if low == high else 0
    return low - edge, high + edge

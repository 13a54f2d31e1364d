"""The settings that a run compared, in their order, and a setting in words."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from linprobe.core.metrics import METRICS, NamedMetric
from linprobe.report.labels import short_number
from linprobe.report.run import Run
from linprobe.results import Tried
from linprobe.results.steps import AXES, ENDED, TITLES, at_most

__all__ = ["Settings", "cell", "screened_of", "settings_of"]

FOLDS_LISTED = 10


@dataclass(frozen=True, eq=False)
class Settings:
    """What was tried, the best's place among them, their columns, and n, the validation examples behind each.

    metric: what they were chosen by.
    """

    rows: Sequence[Tried]
    best: int
    columns: tuple[str, ...]
    n: int
    metric: NamedMetric = METRICS["accuracy"]

    @cached_property
    def varied(self) -> list[str]:
        """The axes along which the rows differ."""
        return [name for name in AXES if len({row.setting.get(name) for row in self.rows}) > 1]

    def accuracy(self, k: int) -> float:
        """The validation accuracy of a row, NaN where it diverged."""
        accuracy = self.rows[k].val_accuracy
        return math.nan if accuracy is None else accuracy

    @property
    def by_accuracy(self) -> bool:
        """Whether that is what they were chosen by."""
        return self.metric is METRICS["accuracy"]

    def figure(self, k: int) -> float:
        """What a row was chosen by, NaN where it diverged."""
        figure = self.rows[k].val_accuracy if self.by_accuracy else self.rows[k].val_metric
        return math.nan if figure is None else figure

    @cached_property
    def order(self) -> list[int]:
        """Rows from the best on: the chosen one, then by what they were chosen by, of equals by validation loss."""

        def place(k: int) -> tuple[bool, bool, float, float]:
            figure, loss = self.figure(k), self.rows[k].val_loss
            lost = math.isnan(figure)
            score = 0.0 if lost else self.metric.score(figure)
            return k != self.best, lost, -score, float("inf") if loss is None else loss

        return sorted(range(len(self.rows)), key=place)

    def cells(self, k: int, columns: Sequence[str] | None = None) -> list[str]:
        """The figures of a row in words."""
        return [cell(name, getattr(self.rows[k], name)) for name in columns or self.columns]

    def parts(self, k: int) -> list[str]:
        """What tells a setting from the others, axis by axis."""
        names = self.varied or [name for name in ("learning_rate", "reg") if name in self.rows[k].setting]
        return [f"{AXES[name]} {cell(name, self.rows[k].setting[name])}" for name in names]

    def named(self, k: int) -> str:
        """A setting by what tells it from the others."""
        return ", ".join(self.parts(k))


def settings_of(run: Run) -> Settings:
    """What the run chose among."""
    grid = run.numbers.grid
    return _settings(run, grid.rows, grid.rows.index(grid.best))


def screened_of(run: Run) -> Settings | None:
    """What was screened, the chosen setting among them; None where nothing was."""
    grid = run.numbers.grid
    if grid.screening is None:
        return None
    rows = grid.screening.rows
    return _settings(run, rows, [row.setting for row in rows].index(grid.best.setting))


def _settings(run: Run, rows: Sequence[Tried], best: int) -> Settings:
    several = {name for name in AXES if len({row.setting.get(name) for row in rows}) > 1} | {"learning_rate", "reg"}
    told = [name for name in TITLES if any(getattr(row, name) is not None for row in rows)]
    columns = tuple(name for name in told if name not in AXES or name in several)
    return Settings(rows, best, columns, run.numbers.validated, run.numbers.grid.chosen_by)


def cell(name: str, value: Any) -> str:
    """A figure in words."""
    if value is None:
        return "–"
    if name == "status":
        return ENDED.get(value, str(value))
    if name == "fold_accuracy":
        listed = value if len(value) <= FOLDS_LISTED else (min(value), max(value))
        return (" " if listed is value else " to ").join(f"{one:.4f}" for one in listed)
    if name.endswith("accuracy"):
        return f"{value:.4f}"
    if name in ("iterations", "batch_size"):
        return f"{value:,.0f}"
    if name == "gap":
        return at_most(value)
    if name == "val_metric":
        return f"{value:.4f}"
    if name in ("val_loss", "objective"):  # with as many digits in every row, zeros too
        return format(value, "#.4g" if name == "val_loss" else "#.6g").rstrip(".")
    return short_number(value)

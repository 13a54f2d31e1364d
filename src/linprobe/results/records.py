"""What a run found: a type for each table of its run.json."""

import json
import math
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from linprobe.compare.comparison import Comparison
from linprobe.compare.settings import NAMES
from linprobe.core.metrics import METRICS, NamedMetric
from linprobe.errors import DataError, short
from linprobe.results.accuracy import Accuracy
from linprobe.results.exercise import FirstLoss, GradientChecks, LowestObjective, Questions, Skipped, Vectorized
from linprobe.results.tables import (
    Count,
    FieldError,
    Json,
    Many,
    Number,
    Share,
    Shown,
    Some,
    null,
    of_json,
    to_json,
)

__all__ = [
    "Compared",
    "Refit",
    "Results",
    "Screened",
    "SourceData",
    "Tried",
    "tried",
]

NEEDED = {"command", "versions", "options", "data", "grid", "test"}


@dataclass(frozen=True, kw_only=True)
class SourceData:
    """The source, its classes, and how many examples each split has.

    notes: what a user should know of how it was read; shape: of an example, which a worksheet calls image_shape;
    absent: classes without an example to learn from; only_in_validation: classes of which only validation has examples;
    identical: how many examples of val are in train too, and of test in train or val; groups: how many each split has,
    where those stay whole.
    """

    source: Shown
    notes: tuple[str, ...] | None = None
    fingerprint: Shown
    classes: tuple[str, ...]
    image_shape: tuple[Count, ...] | None = None
    shape: tuple[Count, ...] | None = None
    features: Count
    train: Count
    val: Some
    test: Count
    dev: Count | None = None
    absent: tuple[str, ...] = ()
    only_in_validation: tuple[str, ...] | None = None
    identical: dict[str, Count] | None = None
    groups: dict[str, Count] | None = None


@dataclass(frozen=True, kw_only=True)
class Tried:
    """A setting, its figures on train and validation, None where it diverged, and why its training ended.

    Of several folds, figures are means, and fold_accuracy has each, of a setting that diverged on none. val_metric is
    what settings were chosen by, if not by accuracy.
    """

    learning_rate: Number | None = None
    reg: Number | None = None
    momentum: Number | None = None
    batch_size: Number | None = None
    train_accuracy: Share | None = field(metadata=null(beside="status"))
    val_accuracy: Share | None = field(metadata=null(beside="status"))
    val_metric: Number | None = None
    val_loss: Number | None = field(default=None, metadata=null(beside="status"))
    objective: Number | None = field(default=None, metadata=null(beside="status"))
    gap: Number | None = field(default=None, metadata=null())
    iterations: Number | None = field(default=None, metadata=null())
    status: str
    fold_accuracy: Many[Share] | None = None

    @cached_property
    def setting(self) -> dict[str, float]:
        """The value of each axis that the run had."""
        values = {name: getattr(self, name) for name in NAMES}
        return {name: value for name, value in values.items() if value is not None}


def tried(found: Comparison, metric: NamedMetric = METRICS["accuracy"]) -> tuple[Tried, ...]:
    """A row for each of the settings that were compared, by a metric."""
    means = (found.train_score, found.accuracy, found.loss, found.objective)
    figures: dict[str, np.ndarray] = dict(
        zip(("train_accuracy", "val_accuracy", "val_loss", "objective"), means, strict=True)
    )
    if found.accuracies is not None:
        figures["val_metric"] = metric.score(found.score)
    accuracies = found.scores if found.accuracies is None else found.accuracies
    gap, iterations, several = found.gap, found.iterations, found.scores.shape[1] > 1
    status, lost = np.where(found.failed, "failed", found.stopped), np.logical_or.reduce(np.isnan(found.scores), axis=1)
    return tuple(
        Tried(
            **found.setting(number),
            **{name: _known(values[number].item()) for name, values in figures.items()},
            gap=None if iterations is None else gap[number].item(),
            iterations=None if iterations is None else iterations[number].item(),
            status=str(status[number]),
            fold_accuracy=tuple(accuracies[number].tolist()) if several and not lost[number] else None,
        )
        for number in range(len(found))
    )


def _known(figure: float) -> float | None:
    return figure if math.isfinite(figure) else None


@dataclass(frozen=True, kw_only=True)
class Screened:
    """All settings as compared at a low rank, and how many of them were retrained."""

    rank: Count
    residual: Number
    seconds: Number
    retrained: Count
    rows: Many[Tried]


@dataclass(frozen=True, kw_only=True)
class Compared:
    """All settings that were compared, along which axes, the one that was chosen, and on which axes' ends it lies.

    metric: that it was chosen by, None for accuracy. solver, loss, tol and precision or iterations and schedule,
    class_weight, weights, where they were read, folds: of a tuning; trials, how many random settings, training, the
    planned memory, the stacks and the settings that diverged: of a worksheet.
    """

    solver: str | None = None
    loss: str | None = None
    tol: Number | None = None
    precision: str | None = None
    class_weight: str | None = None
    weights: str | None = None
    iterations: Count | None = None
    schedule: str | None = None
    folds: Count | None = field(default=None, metadata=null(beside="solver"))
    metric: str | None = None
    settings: Count
    axes: dict[str, Many[Number]]
    trials: Count | None = field(default=None, metadata=null(beside="training"))
    training: Json | None = None
    seconds: Number
    memory_plan_bytes: Count | None = None
    stacks: Count | None = None
    diverged: Count | None = None
    best: Tried
    edges: tuple[str, ...]
    rows: Many[Tried]
    screening: Screened | None = None
    published_val_accuracy: Share | None = field(default=None, metadata=null())

    @property
    def weighted(self) -> bool:
        """Whether some examples counted more than others in training."""
        return self.weights is not None or self.class_weight is not None

    @property
    def chosen_by(self) -> NamedMetric:
        """The metric that it was chosen by."""
        return METRICS[self.metric or "accuracy"]

    def figure(self, row: Tried) -> float | None:
        """That metric of a setting on validation, None where it diverged."""
        return row.val_accuracy if self.metric is None else row.val_metric

    def score(self, row: Tried) -> float:
        """The same as a score: the higher, the better, and below all where it diverged."""
        figure = self.figure(row)
        return -math.inf if figure is None else self.chosen_by.score(figure)

    def check(self, place: str) -> None:
        """Raise FieldError where the parts do not fit together."""
        best = self.best.setting
        if unknown := set(self.axes) - set(NAMES):
            raise FieldError(f"{place}.axes: has {min(unknown)[:40]!r}, which is not an axis")
        if any(row.setting.keys() != best.keys() for row in self.rows):
            raise FieldError(f"{place}.rows: have not all the same settings")
        if self.best not in self.rows:
            raise FieldError(f"{place}.best: is none of {place}.rows")
        if self.best.val_accuracy is None or self.best.train_accuracy is None:
            raise FieldError(f"{place}.best: has no accuracy")
        if self.metric is not None and (self.metric not in METRICS or self.best.val_metric is None):
            raise FieldError(f"{place}.metric: is unknown, or {place}.best has none")
        for name in self.edges:
            if name not in self.axes or name not in best:
                raise FieldError(f"{place}.edges: names {name[:40]!r}, which is not an axis")
        if self.settings != 1 and not any(len(values) > 1 for values in self.axes.values()):
            raise FieldError(f"{place}.axes: have one value each, for several settings")
        if self.solver == "exact" and (
            self.tol is None or any(row.gap is None or row.objective is None for row in self.rows)
        ):
            raise FieldError(f"{place}: lacks the tolerance, or a gap or an objective of {place}.rows")
        if self.screening is not None:
            screened = [row.setting for row in self.screening.rows]
            if any(set(one) != set(NAMES) for one in screened) or any(row.setting not in screened for row in self.rows):
                raise FieldError(f"{place}.screening.rows: do not have what was retrained")


@dataclass(frozen=True, kw_only=True)
class Refit:
    """The chosen setting on n examples, those of train and validation; iterations, of a solver that proves its answer.

    gap: None where nothing is proven.
    """

    n: Count
    seconds: Number
    objective: Number
    gap: Number | None = field(default=None, metadata=null(beside="iterations"))
    relative_gap: Number | None = field(default=None, metadata=null(beside="iterations"))
    iterations: Count | None = None
    status: str

    def check(self, place: str) -> None:
        """Raise FieldError where the parts do not fit together."""
        if self.gap is not None and self.relative_gap is None:
            raise FieldError(f"{place}.relative_gap: is missing")


@dataclass(frozen=True, kw_only=True)
class Results:
    """All of run.json. Of a tuning there is a refit; the rest that may be None is a worksheet's.

    command: the command line, "" for none; options: what the model's file says of how it was trained.
    """

    command: Shown = ""
    versions: dict[str, Shown] = field(default_factory=dict)
    options: Json
    data: SourceData
    first_loss: FirstLoss | None = None
    gradient_check: GradientChecks | None = None
    vectorized: Vectorized | None = None
    grid: Compared
    refit: Refit | None = None
    test: Accuracy
    questions: Questions | None = None
    optimum: Skipped | LowestObjective | None = None

    @property
    def loss(self) -> str:
        """The loss that the run trained with."""
        return self.options["loss"]

    @property
    def validated(self) -> int:
        """How many examples each validation accuracy is of: of several folds, all of them."""
        return self.data.val + (self.data.train if self.grid.folds else 0)

    @property
    def text(self) -> str:
        """The text of run.json, but for the end of its last line."""
        return json.dumps(to_json(self), indent=2, allow_nan=False)

    def check(self, place: str) -> None:
        """Raise FieldError where the parts do not fit together."""
        del place
        if not isinstance(self.options.get("loss"), str):
            raise FieldError("options.loss: is not text")
        if "linprobe" not in self.versions:
            raise FieldError("versions.linprobe: is missing")
        exercise = ("first_loss", "gradient_check", "vectorized", "questions")
        missing = [name for name in exercise if getattr(self, name) is None]
        if missing and self.first_loss is not None:
            raise FieldError(f"{missing[0]}: is missing")

    @classmethod
    def read(cls, path: Path) -> "Results":
        """Those of a run.json, a file that people can edit. Raises DataError of one line for what is not one."""
        try:
            told: Any = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError) as error:
            raise DataError(f"{path}: cannot be read ({short(error)}); make the run again") from error
        if not isinstance(told, dict):
            raise DataError(f"{path}: is not a table of names and values; make the run again")
        if missing := NEEDED - set(told):
            raise DataError(f"{path}: lacks {min(missing)}; make the run again")
        try:
            return of_json(cls, told)
        except FieldError as error:
            raise DataError(f"{path}: does not tell what the page needs ({error}); make the run again") from error

"""The steps of tuning in words."""

import math
from collections.abc import Sequence

from linprobe.core.certificate import no_certificate
from linprobe.core.losses import LOSSES
from linprobe.core.metrics import METRICS, NamedMetric
from linprobe.results import Accuracy, Compared, Refit, SourceData, Tried
from linprobe.results.steps import (
    AXES,
    ENDED,
    SPLITS,
    TITLES,
    Row,
    Step,
    Table,
    accuracy_rows,
    at_most,
    counted,
    in_two_splits,
    number,
    proven,
    wider,
    within,
    without_examples,
)
from linprobe.results.steps.metrics import metrics_notes, metrics_table
from linprobe.tasks.tune.options import Options

__all__ = ["SHOWN", "data_step", "refit_step", "settings_step", "test_step"]

SHOWN = 15  # rows of a table; more are for results.csv
WHY = {
    "failed": "the solver failed there",
    "stalled": "rounding hides all further progress",
    "max_iter": "it took all the passes that it may take",
}


def data_step(data: SourceData, options: Options) -> Step:
    """Step 1: the source and its splits."""
    shape, classes = " x ".join(map(str, data.shape or ())), counted(len(data.classes), "class")
    if options.folds is None:
        train = f"train {data.train:,}, validation {data.val:,}"
    else:
        train = f"train {data.train + data.val:,}, in {options.folds} folds"
    rows = [
        Row("examples", f"{data.source}: {shape}, {classes}"),
        Row("splits", f"{train}, test {data.test:,}"),
        Row("features", f"{data.features:,}, {options.features}"),
    ]
    if data.groups:
        many = ", ".join(f"{SPLITS[name]} {number:,}" for name, number in data.groups.items())
        rows.insert(2, Row("groups", f"{many}; none in two of them"))
    late = without_examples(data.only_in_validation or (), "in train, only in validation")
    twice = in_two_splits(data.identical, {"val": data.val, "test": data.test})
    return Step(1, "Data", tuple(rows), without_examples(data.absent) + late + twice)


def settings_step(grid: Compared) -> Step:
    """Step 2: all settings, or the best of many, and what to be careful about."""
    exact, best, rows = grid.solver == "exact", grid.best, grid.rows
    many = counted(grid.settings, "setting")
    if grid.folds is not None:
        many += f" x {grid.folds} folds"
    together = " together" if grid.settings > 1 or grid.folds is not None else ""
    lines = [Row("compared", f"{many}, {grid.loss}, trained{together} in {grid.seconds:.1f} s")]
    notes = []
    if exact:
        failed = sum(row.status == "failed" for row in rows)
        if best.status == "failed":
            text = "the solver failed on all of them, the one chosen too; give larger values of reg"
            lines.insert(0, Row("failed", f"all {len(rows)}" if len(rows) > 1 else "the only one", text))
        elif failed:
            lines.append(Row("failed", f"{failed} of {len(rows)}", "the solver failed on them; left out of the choice"))
        short = [row for row in rows if not within(row.gap, row.objective, grid.tol)]
        done = "all" if not short else f"{len(rows) - len(short)} of {len(rows)}"
        lines.append(Row("proven", f"{done} within {_say(grid.tol)} of the lowest objective, relative"))
        if short:
            notes.append(_short(short, rows))
    else:
        lost = sum(row.status == "diverged" for row in rows)
        if lost:
            lines.append(Row("diverged", f"{lost} of {len(rows)}", "none; left out of the choice"))
    if grid.class_weight is not None:
        lines.append(Row("class weight", f"{grid.class_weight}, in training alone"))
    if grid.weights is not None:
        lines.append(Row("weights", f"{grid.weights}, in training alone"))
    if grid.metric is not None:
        best_is = "highest" if grid.chosen_by.larger_is_better else "lowest"
        lines.append(Row("chosen by", f"the {best_is} {grid.chosen_by.label} on {_judged_on(grid)}"))
    names = list(grid.axes)
    shown = rows
    if len(rows) > SHOWN:
        shown = sorted(rows, key=lambda row: (row is not best, -grid.score(row)))[:SHOWN]
        notes.insert(0, f"The best {SHOWN} of {len(rows)}; all of them are in results.csv.")
    notes += [_edge(name, best.setting[name], grid.axes[name]) for name in grid.edges]
    metric = None if grid.metric is None else grid.chosen_by
    proof = ("gap", *(("iterations",) if metric is None else ())) if exact else ()
    # No more columns than a narrow terminal has room for: results.csv has all.
    by = ("train_accuracy", "val_accuracy") if metric is None else ("val_accuracy", "val_metric")
    columns = (*names, *by, "objective", *proof, "status")
    titles = TITLES if metric is None else TITLES | {"val_accuracy": "accuracy", "val_metric": metric.label}
    header = tuple(titles[name] for name in columns)
    cells = tuple(_cells(row, names, metric, exact=exact) for row in shown)
    table = Table(header, ("number",) * (len(header) - 1) + ("word",), cells, shown.index(best))
    return Step(2, "Path" if exact else "Grid", tuple(lines), tuple(notes), table)


def _judged_on(grid: Compared) -> str:
    return "validation" if grid.folds is None else "the folds, their mean"


def _short(short: Sequence[Tried], rows: Sequence[Tried]) -> str:
    """Which settings stopped short of the tolerance, how far the farthest is, and what to do."""
    worst = max(short, key=_relative_gap)
    far = _relative_gap(worst)
    share = f"at {at_most(far, 1)}" if far < 1 else "of which nothing is proven"
    which = f"reg {_say(worst.reg)}, {share}"
    if len(short) > 1:
        which = f"{len(short)} of {len(rows)}, reg {_say(worst.reg)} the farthest, {share}"
    # Among the smallest values of reg they are what can be expected; elsewhere leaving them out says nothing.
    smallest = {row.reg for row in short} == {row.reg for row in rows[: len(short)]}
    way = "small values of reg are the hard ones; leave them out, or raise --tol" if smallest else "raise --tol"
    return f"Stopped short of that: {which}: {way}."


def _relative_gap(row: Tried) -> float:
    """The gap as a share of the objective; infinite where nothing is proven."""
    return math.inf if row.gap is None or row.objective is None else row.gap / row.objective


def _say(value: float | None) -> str:
    return "-" if value is None else number(value)


def _cells(row: Tried, names: list[str], metric: NamedMetric | None, *, exact: bool) -> tuple[str, ...]:
    def say(value: float | None, form: str) -> str:
        return "-" if value is None else format(value, form)

    if metric is None:
        figures = (say(row.train_accuracy, ".4f"), say(row.val_accuracy, ".4f"))
    else:
        figures = (say(row.val_accuracy, ".4f"), "-" if row.val_metric is None else metric.say(row.val_metric))
    proof = ("-" if row.gap is None else at_most(row.gap), say(row.iterations, ",")) if exact else ()
    return (
        *(number(row.setting[name]) for name in names),
        *figures,
        say(row.objective, ".6g"),
        *(proof if metric is None else proof[:1]),
        ENDED.get(row.status, str(row.status)),
    )


def _edge(name: str, best: float, values: Sequence[float]) -> str:
    """That better may lie beyond the end of an axis, and what to type to see."""
    low = best == values[0]
    return (
        f"The best is at the {'low' if low else 'high'} edge ({AXES[name]}): better may lie beyond it, so widen it, "
        f"as with {wider(name, best, low=low)}."
    )


def refit_step(
    refit: Refit,
    best: Tried,
    loss: str,
    tol: float | None = None,
    metric: NamedMetric = METRICS["accuracy"],
    *,
    weighted: bool = False,
) -> Step:
    """Step 3: the chosen setting on all training rows, and how near to its optimum it is.

    tol: what was asked for; metric: what the setting was chosen by; weighted: whether examples were.
    """
    setting = ", ".join(
        f"{AXES[name]} {number(best.setting[name])}" for name in ("learning_rate", "reg") if name in best.setting
    )
    figure = (best.val_accuracy if best.val_metric is None else best.val_metric) or 0.0
    rows = [
        Row("chosen", setting, f"validation {metric.label} {metric.say(figure)}"),
        Row("trained on", counted(refit.n, "example"), "train + validation"),
        Row("time", f"{refit.seconds:.1f} s", timed=True),
        Row("objective", f"{refit.objective:.6g}", f"{'weighted ' * weighted}mean {loss} loss + reg x ΣW²"),
    ]
    if refit.iterations is None:
        way = "--solver exact" + ("" if LOSSES[loss].dual else " --loss squared_hinge")
        notes = (f"How near this is to the optimum is not known: SGD proves nothing, {way} does.",)
    elif not LOSSES[loss].dual:
        notes = (f"How near this is to the optimum is not proven: {no_certificate(loss)}.",)
    elif refit.gap is None or refit.relative_gap is None:
        notes = (f"How near this is to the optimum is not proven{_why(refit.status)}. Raise reg, or --tol.",)
    else:
        rows.append(Row("proven gap", at_most(refit.gap), f"{at_most(refit.relative_gap, 1)} of the objective"))
        notes = (proven(refit.objective, refit.gap),)
        if tol is not None and not within(refit.gap, refit.objective, tol):
            notes += (f"That is not within {number(tol)} of it, relative{_why(refit.status)}; raise reg, or --tol.",)
    return Step(3, "Refit", tuple(rows), notes)


def _why(status: str) -> str:
    return f": {WHY[status]}" if status in WHY else ""


def test_step(test: Accuracy, classes: int) -> Step:
    """Step 4: test accuracy and its interval, and all other metrics."""
    rows = accuracy_rows("accuracy, measured once", test.accuracy, test.interval, test.n, classes)
    return Step(4, "Test", rows, metrics_notes(test), metrics_table(test))

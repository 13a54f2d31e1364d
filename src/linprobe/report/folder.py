"""The files of a run folder, from what a worksheet or a tuning found."""

import csv
import platform
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from importlib import metadata
from pathlib import Path
from typing import Protocol

import numpy as np

from linprobe import __version__
from linprobe.compare.comparison import Comparison
from linprobe.compare.screen import Screening
from linprobe.core.measure import wilson_interval
from linprobe.model import Model
from linprobe.model.evidence import Evidence
from linprobe.report import draw_confusion, draw_grid, draw_losses, draw_path, draw_templates
from linprobe.report.page import write_page
from linprobe.report.run import write_evidence
from linprobe.report.words import short_number
from linprobe.results import Compared, Results, Tried
from linprobe.steps import counted
from linprobe.tune import TuneResult

COLUMNS = ("learning_rate", "reg", "train_accuracy", "val_accuracy", "objective", "gap", "status")
FIGURES = ("train_accuracy", "val_accuracy", "objective", "gap")
TRIAL_CELLS = 10

LIBRARIES = ("numpy", "scipy", "scikit-learn", "pillow", "matplotlib", "plotly", "safetensors")


Views = dict[str, Callable[[], object]]


class Searched(Protocol):
    """What a run leaves that searched for a setting by SGD, as the worksheet's does; numbers is what run.json tells."""

    @property
    def search(self) -> Comparison: ...  # noqa: D102

    @property
    def screening(self) -> Screening | None: ...  # noqa: D102

    @property
    def classifier(self) -> Model: ...  # noqa: D102

    @property
    def evidence(self) -> Evidence: ...  # noqa: D102

    @property
    def numbers(self) -> Results: ...  # noqa: D102


def write_run(folder: Path, result: Searched, *, command: str) -> Results:
    """Write all that a run is into an existing folder, and leave out what shows it; returns what run.json says."""
    numbers = _write_numbers(folder, result.classifier, result.numbers, command)
    write_evidence(folder, result.evidence, result.search.curves.steps, result.search.curves.objective)
    write_results(folder / "results.csv", numbers.grid, numbers.grid.rows)
    if numbers.grid.screening is not None:
        write_results(folder / "screening.csv", numbers.grid, numbers.grid.screening.rows)
    return numbers


def write_tuned(folder: Path, result: TuneResult, *, command: str) -> Results:
    """Write the same of a tuning."""
    numbers = _write_numbers(folder, result.classifier, result.numbers, command)
    write_evidence(folder, result.evidence, result.found.curves.steps, result.found.curves.objective)
    write_results(folder / "results.csv", numbers.grid, numbers.grid.rows)
    return numbers


def run_views(folder: Path, result: Searched, numbers: Results) -> Views:
    """What shows a run that `write_run` wrote, its page last: by the name of the file, what writes it."""
    whole = result.search if result.screening is None else result.screening.result
    screened = "" if result.screening is None else f", screened at rank {result.screening.rank}"
    return {
        **_search_views(folder, numbers, result.search, whole, screened),
        **_classifier_views(folder, numbers, result.classifier, result.evidence.counts),
        "report.html": lambda: write_page(folder),
    }


def tuned_views(folder: Path, result: TuneResult, numbers: Results) -> Views:
    """The same of a tuning; path.png in place of loss.png and grid.png where there are no learning rates."""
    found = result.found
    return {
        **(
            {"path.png": lambda: _draw_path(folder / "path.png", numbers, found)}
            if numbers.grid.solver == "exact"
            else _search_views(folder, numbers, found, found)
        ),
        **_classifier_views(folder, numbers, result.classifier, result.evidence.counts),
        "report.html": lambda: write_page(folder),
    }


def _write_numbers(folder: Path, classifier: Model, found: Results, command: str) -> Results:
    """run.json and the model."""
    versions = {"linprobe": __version__, "python": platform.python_version()}
    versions |= {library: version for library in LIBRARIES if (version := _version(library))}
    numbers = replace(found, command=command, versions=versions)
    (folder / "run.json").write_text(numbers.text + "\n", encoding="utf-8")
    classifier.save(folder / "model.safetensors")
    return numbers


def _version(library: str) -> str | None:
    """The version of a library; None where it is not installed, as what draws need not be."""
    try:
        return metadata.version(library)
    except metadata.PackageNotFoundError:
        return None


def write_results(path: Path, grid: Compared, rows: Sequence[Tried]) -> None:
    """A row per setting, in the order of the space; a figure that it does not have, as a gap without a proof, is empty.

    Momentum and batch size come as further columns where they are not the same for all; the exact solver's iterations.
    """
    extra = [name for name in ("momentum", "batch_size") if len(grid.axes.get(name, ())) > 1]
    extra += ["iterations"] * (rows[0].iterations is not None)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow([*COLUMNS, *extra])
        for row in rows:
            writer.writerow([_cell(name, getattr(row, name)) for name in (*COLUMNS, *extra)])


def _cell(name: str, value: str | float | None) -> str:
    if value is None or isinstance(value, str):
        return value or ""
    return f"{value:.6g}" if name in FIGURES else repr(value)


def _draw_path(path: Path, numbers: Results, found: Comparison) -> None:
    data, grid, n = numbers.data, numbers.grid, numbers.validated
    draw_path(
        path,
        found.settings["reg"],
        found.train_score,
        found.score,
        [wilson_interval(round(accuracy * n), n) for accuracy in found.score],
        best=found.best,
        title=f"{data.source}: accuracy along the regularisation path",
        caption=f"{grid.loss}; chosen: λ {short_number(grid.best.setting['reg'])}, validation accuracy "
        f"{grid.best.val_accuracy:.3f} on {counted(n, 'example')}"
        + (f" in {grid.folds} folds." if grid.folds else "."),
    )


def _search_views(folder: Path, numbers: Results, search: Comparison, whole: Comparison, screened: str = "") -> Views:
    """loss.png of what was trained, grid.png of all settings that were looked at."""

    def draw_loss() -> None:
        source, loss = numbers.data.source, numbers.loss
        draw_losses(
            folder / "loss.png",
            search.curves.steps,
            {name: search.curves.objective[:, head] for name, head in _three_heads(search).items()},
            title=f"{source}: {loss} objective on each batch",
        )

    def draw_heat() -> None:
        heat = heat_map(whole)
        draw_grid(
            folder / "grid.png",
            heat.learning_rates,
            heat.regs,
            heat.accuracy,
            best=heat.best,
            status=heat.status,
            title=f"{numbers.data.source}: validation accuracy of {len(whole):,} settings{screened}",
        )

    return {"loss.png": draw_loss, "grid.png": draw_heat}


def _classifier_views(folder: Path, numbers: Results, classifier: Model, confusion: np.ndarray) -> Views:
    """confusion.png, and templates.png where the features are an image's."""

    def draw_classes() -> None:
        title = f"{numbers.data.source}: what each class looks for"
        draw_templates(folder / "templates.png", classifier.templates, classifier.classes, title=title)

    def draw_counts() -> None:
        title = f"{numbers.data.source}: what the test examples are predicted as"
        draw_confusion(folder / "confusion.png", confusion, classifier.classes, title=title)

    pictures = len(classifier.preparation.shape) == 3
    return {**({"templates.png": draw_classes} if pictures else {}), "confusion.png": draw_counts}


@dataclass(frozen=True, eq=False)
class HeatMap:
    """Validation accuracy over learning rate and reg (L, R); the best over the other axes and in a cell of trials."""

    learning_rates: np.ndarray
    regs: np.ndarray
    accuracy: np.ndarray
    status: np.ndarray
    best: tuple[int, int]


def heat_map(search: Comparison) -> HeatMap:
    """The cells of grid.png: a grid's own values, or ten cells along each range of random trials."""
    (learning_rates, rows), (regs, columns) = (_cells(search, name) for name in ("learning_rate", "reg"))
    accuracy = np.full((len(learning_rates), len(regs)), np.nan)
    status = np.full(accuracy.shape, "no trial", dtype="<U12")
    for row, column, value, stopped in zip(rows, columns, search.score, search.stopped, strict=True):
        accuracy[row, column] = np.fmax(accuracy[row, column], value)
        if np.isnan(accuracy[row, column]):
            status[row, column] = stopped
    status[np.isfinite(accuracy)] = "trained"
    return HeatMap(learning_rates, regs, accuracy, status, (int(rows[search.best]), int(columns[search.best])))


def _cells(search: Comparison, name: str) -> tuple[np.ndarray, np.ndarray]:
    """The values along an axis, and the place of every head among them."""
    axis, values = search.axes[name], search.settings[name]
    if not (search.drawn and axis.ranged and axis.values.min() < axis.values.max()):
        return np.unique(values, return_inverse=True)
    places = np.array([axis.place(value) for value in values])
    middles = (np.arange(TRIAL_CELLS) + 0.5) / TRIAL_CELLS
    low, high = axis.values.min(), axis.values.max()
    centres = low * (high / low) ** middles if axis.log else low + (high - low) * middles
    return centres, np.minimum((places * TRIAL_CELLS).astype(int), TRIAL_CELLS - 1)


def _three_heads(search: Comparison) -> dict[str, int]:
    """The best, the median and the worst head by validation accuracy, and one that diverged where there is one."""
    finished = [int(head) for head in np.argsort(-search.score, kind="stable") if search.score[head] >= 0]
    heads = {"best": search.best, "median": finished[len(finished) // 2], "worst": finished[-1]}
    diverged = np.flatnonzero(search.stopped == "diverged")
    if len(diverged):
        heads["diverged"] = int(diverged[0])
    rate, reg = search.settings["learning_rate"], search.settings["reg"]
    return {
        f"{name}: learning rate {short_number(rate[head])}, λ {short_number(reg[head])}": head
        for name, head in heads.items()
    }

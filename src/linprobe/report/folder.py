"""The files of a run folder, from what a worksheet or a tuning found."""

import csv
import platform
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import Protocol

import numpy as np

from linprobe import __version__
from linprobe.compare.comparison import Curves
from linprobe.model import Model
from linprobe.model.evidence import Evidence
from linprobe.model.predictions import PREDICTIONS
from linprobe.report import figures
from linprobe.report.page import write_page
from linprobe.report.pictures import Figure, draw
from linprobe.report.run import Run, write_evidence
from linprobe.results import Compared, Results, Tried

__all__ = ["Found", "views", "write_results", "write_run"]

COLUMNS = ("learning_rate", "reg", "train_accuracy", "val_accuracy", "objective", "gap", "status")
FIGURES = ("train_accuracy", "val_accuracy", "val_metric", "objective", "gap")
MOST_CURVES, MOST_VALUES = 300, 1000  # of a picture; results.csv has all, and the page what it has room for

LIBRARIES = ("numpy", "scipy", "scikit-learn", "pillow", "matplotlib", "plotly", "safetensors")


class Found(Protocol):
    """What a run leaves; numbers is what run.json tells."""

    @property
    def classifier(self) -> Model: ...  # noqa: D102

    @property
    def evidence(self) -> Evidence: ...  # noqa: D102

    @property
    def numbers(self) -> Results: ...  # noqa: D102


def write_run(folder: Path, result: Found, curves: Curves, *, command: str) -> Run:
    """Write all that a run is into an existing folder, and leave out what shows it; returns what is there to be read.

    curves: of the settings that were compared.
    """
    numbers = _write_numbers(folder, result.classifier, result.numbers, command)
    if result.evidence.predictions is not None:
        result.evidence.predictions.write(folder / PREDICTIONS)
    with np.errstate(over="ignore"):  # a head that diverged
        objective = curves.objective.astype(np.float32)
    write_evidence(folder, result.evidence, curves.steps, objective)
    write_results(folder / "results.csv", numbers.grid, numbers.grid.rows)
    if numbers.grid.screening is not None:
        write_results(folder / "screening.csv", numbers.grid, numbers.grid.screening.rows)
    return Run(numbers, result.classifier, result.evidence, curves.steps, objective)


def views(folder: Path, run: Run) -> dict[str, Callable[[], object]]:
    """What shows a run that `write_run` wrote, its page last: by its name, what writes a file if the run has it."""
    pictures = {
        "loss.png": partial(figures.losses, most=MOST_CURVES),
        "path.png": partial(figures.path, most=MOST_VALUES),
        "grid.png": figures.grid,
        "templates.png": figures.templates,
        "confusion.png": figures.confusion,
    }
    return {
        **{name: partial(_show, folder / name, figure, run) for name, figure in pictures.items()},
        "report.html": lambda: write_page(folder),
    }


def _show(path: Path, figure: Callable[[Run], Figure | None], run: Run) -> None:
    """Draw a figure that the run has."""
    found = figure(run)
    if found is not None:
        draw(path, found)


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

    Momentum and batch size come as further columns where they are not the same for all; the exact solver's iterations;
    what the setting was chosen by, if not by accuracy.
    """
    extra = [name for name in ("momentum", "batch_size") if len(grid.axes.get(name, ())) > 1]
    extra += ["iterations"] * (rows[0].iterations is not None)
    extra += ["val_metric"] * (grid.metric is not None)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow([*COLUMNS, *extra])
        for row in rows:
            writer.writerow([_cell(name, getattr(row, name)) for name in (*COLUMNS, *extra)])


def _cell(name: str, value: str | float | None) -> str:
    if value is None or isinstance(value, str):
        return value or ""
    return f"{value:.6g}" if name in FIGURES else repr(value)

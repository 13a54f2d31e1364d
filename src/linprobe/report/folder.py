"""The files of a run folder, from what a worksheet found."""

import csv
import json
import platform
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from linprobe import __version__
from linprobe.report import draw_confusion, draw_grid, draw_losses, draw_templates
from linprobe.report.words import short_number
from linprobe.search import SearchResult
from linprobe.space import Trials
from linprobe.worksheet import WorksheetResult

COLUMNS = ("learning_rate", "reg", "train_accuracy", "val_accuracy", "objective", "gap", "status")
TRIAL_CELLS = 10

LIBRARIES = ("numpy", "scipy", "scikit-learn", "pillow", "matplotlib", "safetensors")


def write_run(folder: Path, result: WorksheetResult, *, command: str) -> dict[str, Any]:
    """Write run.json, results.csv, the model and the pictures into an existing folder; returns what run.json says."""
    numbers = {
        "command": command,
        "versions": {
            "linprobe": __version__,
            "python": platform.python_version(),
            **{library: metadata.version(library) for library in LIBRARIES},
        },
        "options": dict(result.classifier.about),
        **result.numbers,
    }
    (folder / "run.json").write_text(json.dumps(numbers, indent=2, allow_nan=False) + "\n", encoding="utf-8")
    write_results(folder / "results.csv", result.search)
    if result.screening is not None:
        write_results(folder / "screening.csv", result.screening.result)
    result.classifier.save(folder / "model.safetensors")
    draw_pictures(folder, result)
    return numbers


def write_results(path: Path, search: SearchResult) -> None:
    """A row per setting, in the order of the space; a figure that a head does not have is left empty.

    Momentum and batch size come as further columns where they are not the same for all.
    """
    extra = [name for name in ("momentum", "batch_size") if len(search.space.axes[name].values) > 1]
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow([*COLUMNS, *extra])
        for head, stopped in enumerate(search.stopped):
            setting = search.setting(head)
            figures = (search.train_accuracy[head], search.val_accuracy[head], search.objective[head])
            writer.writerow(
                [
                    repr(setting["learning_rate"]),
                    repr(setting["reg"]),
                    *("" if np.isnan(figure) else f"{figure:.6g}" for figure in figures),
                    "",  # the gap is the exact solver's to prove
                    stopped,
                    *(repr(setting[name]) for name in extra),
                ]
            )


def draw_pictures(folder: Path, result: WorksheetResult) -> None:
    """loss.png, grid.png, templates.png and confusion.png."""
    numbers, search, classes = result.numbers, result.search, result.classifier.classes
    source, loss = numbers["data"]["source"], result.classifier.about["loss"]
    draw_losses(
        folder / "loss.png",
        search.steps,
        {name: search.curves[:, head] for name, head in _three_heads(search).items()},
        title=f"{source}: {loss} objective on each batch",
    )
    whole = search if result.screening is None else result.screening.result
    heat = heat_map(whole)
    screened = "" if result.screening is None else f", screened at rank {result.screening.rank}"
    draw_grid(
        folder / "grid.png",
        heat.learning_rates,
        heat.regs,
        heat.accuracy,
        best=heat.best,
        status=heat.status,
        title=f"{source}: validation accuracy of {len(whole.space):,} settings{screened}",
    )
    draw_templates(
        folder / "templates.png", result.classifier.templates, classes, title=f"{source}: what each class looks for"
    )
    draw_confusion(
        folder / "confusion.png",
        result.confusion,
        classes,
        title=f"{source}: what the test images are taken for",
    )


@dataclass(frozen=True, eq=False)
class HeatMap:
    """Validation accuracy over learning rate and reg (L, R); the best over the other axes and in a cell of trials."""

    learning_rates: np.ndarray
    regs: np.ndarray
    accuracy: np.ndarray
    status: np.ndarray
    best: tuple[int, int]


def heat_map(search: SearchResult) -> HeatMap:
    """The cells of grid.png: a grid's own values, or ten cells along each range of random trials."""
    (learning_rates, rows), (regs, columns) = (_cells(search, name) for name in ("learning_rate", "reg"))
    accuracy = np.full((len(learning_rates), len(regs)), np.nan)
    status = np.full(accuracy.shape, "no trial", dtype="<U12")
    for row, column, value, stopped in zip(rows, columns, search.val_accuracy, search.stopped, strict=True):
        accuracy[row, column] = np.fmax(accuracy[row, column], value)
        if np.isnan(accuracy[row, column]):
            status[row, column] = stopped
    status[np.isfinite(accuracy)] = "trained"
    return HeatMap(learning_rates, regs, accuracy, status, (int(rows[search.best]), int(columns[search.best])))


def _cells(search: SearchResult, name: str) -> tuple[np.ndarray, np.ndarray]:
    """The values along an axis, and the place of every head among them."""
    axis, values = search.space.axes[name], getattr(search.heads, name)
    if not (isinstance(search.space, Trials) and axis.ranged and axis.values.min() < axis.values.max()):
        return np.unique(values, return_inverse=True)
    places = np.array([axis.place(value) for value in values])
    middles = (np.arange(TRIAL_CELLS) + 0.5) / TRIAL_CELLS
    low, high = axis.values.min(), axis.values.max()
    centres = low * (high / low) ** middles if axis.log else low + (high - low) * middles
    return centres, np.minimum((places * TRIAL_CELLS).astype(int), TRIAL_CELLS - 1)


def _three_heads(search: SearchResult) -> dict[str, int]:
    """The best, the median and the worst head by validation accuracy, and one that diverged where there is one."""
    finished = [int(head) for head in np.argsort(-search.val_accuracy, kind="stable") if search.val_accuracy[head] >= 0]
    heads = {"best": search.best, "median": finished[len(finished) // 2], "worst": finished[-1]}
    diverged = np.flatnonzero(search.stopped == "diverged")
    if len(diverged):
        heads["diverged"] = int(diverged[0])
    rate, reg = search.heads.learning_rate, search.heads.reg
    return {
        f"{name}: learning rate {short_number(rate[head])}, λ {short_number(reg[head])}": head
        for name, head in heads.items()
    }

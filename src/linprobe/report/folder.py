"""The files of a run folder, from what a worksheet found."""

import csv
import json
import platform
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from linprobe import __version__
from linprobe.report import draw_confusion, draw_grid, draw_losses, draw_templates
from linprobe.report.words import short_number
from linprobe.search import SearchResult
from linprobe.worksheet import WorksheetResult

COLUMNS = ("learning_rate", "reg", "train_accuracy", "val_accuracy", "objective", "gap", "status")
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
    result.classifier.save(folder / "model.safetensors")
    draw_pictures(folder, result)
    return numbers


def write_results(path: Path, search: SearchResult) -> None:
    """A row per setting, in grid order; a figure that a head does not have is left empty."""
    heads = search.grid.heads(seed=0)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        for head, stopped in enumerate(search.solution.stopped):
            figures = (search.train_accuracy[head], search.val_accuracy[head], search.objective[head])
            writer.writerow(
                [
                    repr(float(heads.learning_rate[head])),
                    repr(float(heads.reg[head])),
                    *("" if np.isnan(figure) else f"{figure:.6g}" for figure in figures),
                    "",  # the gap is the exact solver's to prove
                    stopped,
                ]
            )


def draw_pictures(folder: Path, result: WorksheetResult) -> None:
    """loss.png, grid.png, templates.png and confusion.png."""
    numbers, search, classes = result.numbers, result.search, result.classifier.classes
    source, loss = numbers["data"]["source"], result.classifier.about["loss"]
    draw_losses(
        folder / "loss.png",
        search.solution.steps,
        {name: search.solution.objective[:, head] for name, head in _three_heads(search).items()},
        title=f"{source}: {loss} objective on each batch",
    )
    draw_grid(
        folder / "grid.png",
        search.grid.learning_rates,
        search.grid.regs,
        search.val_accuracy.reshape(search.grid.shape),
        best=divmod(search.best, len(search.grid.regs)),
        title=f"{source}: validation accuracy of {len(search.grid):,} settings",
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


def _three_heads(search: SearchResult) -> dict[str, int]:
    """The best, the median and the worst head by validation accuracy, and one that diverged where there is one."""
    finished = [int(head) for head in np.argsort(-search.val_accuracy, kind="stable") if search.val_accuracy[head] >= 0]
    heads = {"best": search.best, "median": finished[len(finished) // 2], "worst": finished[-1]}
    diverged = np.flatnonzero(search.solution.stopped == "diverged")
    if len(diverged):
        heads["diverged"] = int(diverged[0])
    grid = search.grid.heads(seed=0)
    return {
        f"{name}: learning rate {short_number(grid.learning_rate[head])}, λ {short_number(grid.reg[head])}": head
        for name, head in heads.items()
    }

"""The steps of the exercise in words: each figure beside what was expected of it."""

from dataclasses import dataclass
from typing import Any

WORDS = {"learning_rate": "learning rate", "reg": "reg", "momentum": "momentum", "batch_size": "batch size"}


@dataclass(frozen=True)
class Row:
    """One line of a step: what, the figure found, and what was expected of it."""

    what: str
    found: str
    expected: str = ""


@dataclass(frozen=True)
class Step:
    """A finished step of the exercise: its figures, and what is to be said about them in whole sentences."""

    number: int
    title: str
    rows: tuple[Row, ...]
    notes: tuple[str, ...] = ()


def data_step(data: dict[str, Any]) -> Step:
    """Step 1: the source and the shapes of its splits."""
    columns = data["features"] + 1
    rows = [Row(name, f"{data[name]:,} x {columns:,}") for name in ("train", "val", "test", "dev")]
    what = "{} x {} x {}".format(*data["image_shape"])
    return Step(1, "Data", (Row("images", f"{data['source']}: {what}, {len(data['classes'])} classes"), *rows))


def first_loss_step(first: dict[str, float], loss: str, classes: int) -> Step:
    """Step 2: the looped loss at the first weights."""
    formula = f"-log(1/{classes})" if loss == "softmax" else f"{classes} - 1"
    row = Row(f"{loss} loss, loops", f"{first['naive']:.6f}", f"about {first['expected']:.6f} = {formula}")
    return Step(2, "First loss", (row,))


def gradient_check_step(check: dict[str, Any]) -> Step:
    """Step 3: the largest relative errors."""
    rows = []
    for reg in (0.0, 50.0):
        errors = [one["relative_error"] for one in check["checks"] if one["reg"] == reg]
        rows.append(Row(f"reg {reg:g}: largest of {len(errors)} errors", f"{max(errors):.1e}", "below 1e-6, relative"))
    return Step(3, "Gradient check", tuple(rows))


def vectorized_step(figures: dict[str, float]) -> Step:
    """Step 4: loops against matrix form."""
    faster = figures["naive_seconds"] / figures["seconds"]
    rows = (
        Row("loss: loops, matrix form", f"{figures['naive']:.6f}, {figures['loss']:.6f}", "the same"),
        Row("gradients differ by", f"{figures['gradient_difference']:.1e}", "0, to rounding"),
        Row(
            "seconds: loops, matrix form",
            f"{figures['naive_seconds']:.4f}, {figures['seconds']:.4f}",
            f"{faster:.0f} x as fast",
        ),
    )
    return Step(4, "Matrix form", rows)


def grid_step(grid: dict[str, Any]) -> Step:
    """Step 5: the grid, its best setting, and what to be careful about."""
    best, notes = grid["best"], []
    published = grid.get("published_val_accuracy")
    expected = "" if published is None else f"about {published:.3f}, as published"
    rows = [
        *(Row(WORDS[name], _axis(values)) for name, values in grid["axes"].items() if shown(name, values)),
        Row("settings", f"{grid['settings']:,}, trained together in {grid['seconds']:.1f} s"),
        Row("best on validation", setting(best, grid["axes"])),
        Row("its accuracy", f"train {best['train_accuracy']:.4f}, validation {best['val_accuracy']:.4f}", expected),
    ]
    if grid["diverged"]:
        rows.append(
            Row("diverged", f"{grid['diverged']} of {grid['settings']} settings", "none; left out of the choice")
        )
    if "screening" in grid:
        screening = grid["screening"]
        notes.append(
            f"Screened at rank {screening['rank']} in {screening['seconds']:.1f} s: {screening['residual']:.2%} of the "
            f"features' energy lies outside. The best {screening['retrained']} settings were retrained on all of it, "
            "and only they are results."
        )
    if grid["edges"]:
        axes = " and ".join(WORDS[edge] for edge in grid["edges"])
        notes.append(f"The best is at the edge of the grid ({axes}): better may lie beyond it, so widen it.")
    return Step(5, "Tune", tuple(rows), tuple(notes))


def setting(best: dict[str, Any], axes: dict[str, list[float]]) -> str:
    """A setting in words, without what is the same for all and plain."""
    return ", ".join(f"{WORDS[name]} {best[name]:.3g}" for name, values in axes.items() if shown(name, values))


def shown(name: str, values: list[float]) -> bool:
    """Whether an axis is worth a line."""
    return name in ("learning_rate", "reg") or len(values) > 1


def _axis(values: list[float]) -> str:
    return f"{values[0]:.3g}" if len(values) == 1 else f"{min(values):.3g} to {max(values):.3g}, {len(values)} values"


def test_step(test: dict[str, Any], classes: int) -> Step:
    """Step 6: test accuracy and its interval."""
    low, high = test["interval"]
    rows = (
        Row("accuracy, measured once", f"{test['accuracy']:.4f}", f"above chance, {1 / classes:.4f}"),
        Row("95 % interval (Wilson)", f"{low:.4f} to {high:.4f}", f"from {test['n']:,} images"),
    )
    return Step(6, "Test", rows)


def look_step(classes: int, questions: dict[str, Any]) -> Step:
    """Step 7: where the templates are, and the two answers."""
    notes = (
        f"Why is the first softmax loss near log {classes}? {questions['first_loss']['answer']}",
        "Can one more image leave the SVM loss as it is, but never the softmax loss? "
        f"{questions['svm_unchanged']['answer']}",
    )
    return Step(7, "Look, and the two questions", (Row("templates", f"{classes} classes", "templates.png"),), notes)

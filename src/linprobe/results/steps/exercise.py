"""The steps of the exercise in words: each figure beside what was expected of it."""

from collections.abc import Mapping, Sequence
from decimal import ROUND_FLOOR

from linprobe.results import (
    Accuracy,
    Compared,
    FirstLoss,
    GradientChecks,
    LowestObjective,
    Questions,
    Skipped,
    SourceData,
    Tried,
    Vectorized,
)
from linprobe.results.steps import (
    AXES,
    Row,
    Step,
    accuracy_rows,
    at_most,
    counted,
    in_two_splits,
    number,
    within,
    without_examples,
)

__all__ = [
    "NEAR",
    "data_step",
    "excess",
    "first_loss_step",
    "gradient_check_step",
    "grid_step",
    "look_step",
    "optimum_step",
    "proven_lowest",
    "setting",
    "shown",
    "test_step",
    "vectorized_step",
]

NEAR = 0.05  # above the lowest objective, relative: what SGD with a constant learning rate may well end at

BIAS = (
    "Neither objective counts the bias, which SGD penalised and the optimum did not. Other values of reg: "
    "linprobe tune."
)


def data_step(data: SourceData) -> Step:
    """Step 1: the source and the shapes of its splits."""
    columns = data.features + 1
    rows = [Row(name, f"{getattr(data, name):,} x {columns:,}") for name in ("train", "val", "test", "dev")]
    what = " x ".join(map(str, data.image_shape or ()))
    return Step(
        1,
        "Data",
        (Row("images", f"{data.source}: {what}, {counted(len(data.classes), 'class')}"), *rows),
        without_examples(data.absent) + in_two_splits(data.identical, {"val": data.val, "test": data.test}),
    )


def first_loss_step(first: FirstLoss, loss: str, classes: int) -> Step:
    """Step 2: the looped loss at the first weights."""
    formula = f"-log(1/{classes})" if loss == "softmax" else f"{classes} - 1"
    row = Row(f"{loss} loss, loops", f"{first.naive:.6f}", f"about {first.expected:.6f} = {formula}")
    return Step(2, "First loss", (row,))


def gradient_check_step(check: GradientChecks) -> Step:
    """Step 3: the largest relative errors."""
    rows = []
    for reg in (0.0, 50.0):
        errors = [one.relative_error for one in check.checks if one.reg == reg]
        rows.append(
            Row(f"reg {reg:g}: largest of {len(errors)} errors", number(max(errors), 2), "below 1e-6, relative")
        )
    return Step(3, "Gradient check", tuple(rows))


def vectorized_step(figures: Vectorized) -> Step:
    """Step 4: loops against matrix form."""
    faster = figures.naive_seconds / figures.seconds
    times = f"{faster:.0f} x" if faster >= 10 else f"{number(faster, 2)} x"
    rows = (
        Row("loss: loops, matrix form", f"{figures.naive:.6f}, {figures.loss:.6f}", "the same"),
        Row("gradients differ by", number(figures.gradient_difference, 2), "0, to rounding"),
        Row(
            "seconds: loops, matrix form",
            f"{figures.naive_seconds:.4f}, {figures.seconds:.4f}",
            f"{times} as fast",
            timed=True,
        ),
    )
    return Step(4, "Matrix form", rows)


def grid_step(grid: Compared) -> Step:
    """Step 5: the grid, its best setting, and what to be careful about."""
    best, notes = grid.best, []
    published = grid.published_val_accuracy
    expected = "" if published is None else f"published: {published:.3f}"
    together = " together" if grid.settings > 1 else ""
    rows = [
        *(Row(AXES[name], _axis(values)) for name, values in grid.axes.items() if shown(name, values)),
        Row("settings", f"{grid.settings:,}, trained{together} in {grid.seconds:.1f} s"),
        Row("best on validation", setting(best, grid.axes)),
        Row("its accuracy", f"train {best.train_accuracy:.4f}, validation {best.val_accuracy:.4f}", expected),
    ]
    if grid.diverged:
        rows.append(
            Row(
                "diverged",
                f"{grid.diverged} of {counted(grid.settings, 'setting')}",
                "none; left out of the choice",
            )
        )
    if grid.screening is not None:
        screening = grid.screening
        notes.append(
            f"Screened at rank {screening.rank} in {screening.seconds:.1f} s: {screening.residual:.2%} of the "
            f"features' energy lies outside. {_retrained(screening.retrained)} results."
        )
    if grid.edges:
        axes = " and ".join(AXES[edge] for edge in grid.edges)
        notes.append(f"The best is at the edge of the grid ({axes}): better may lie beyond it, so widen it.")
    return Step(5, "Tune", tuple(rows), tuple(notes))


def _retrained(count: int) -> str:
    if count == 1:
        return "The best setting was retrained on all of it, and only that is among the"
    return f"The best {count} settings were retrained on all of it, and only they are"


def setting(best: Tried, axes: Mapping[str, Sequence[float]]) -> str:
    """A setting in words, without what is the same for all and plain."""
    return ", ".join(
        f"{AXES[name]} {number(best.setting[name])}" for name, values in axes.items() if shown(name, values)
    )


def shown(name: str, values: Sequence[float]) -> bool:
    """Whether an axis is worth a line."""
    return name in ("learning_rate", "reg") or len(values) > 1


def _axis(values: Sequence[float]) -> str:
    if len(values) == 1:
        return number(values[0])
    return f"{number(min(values))} to {number(max(values))}, {len(values)} values"


def test_step(test: Accuracy, classes: int) -> Step:
    """Step 6: test accuracy and its interval."""
    return Step(6, "Test", accuracy_rows("accuracy, measured once", test.accuracy, test.interval, test.n, classes))


def look_step(classes: int, questions: Questions) -> Step:
    """Step 7: where the templates are, and the two answers."""
    notes = (
        f"Why is the first softmax loss near log {classes}? {questions.first_loss.answer}",
        f"Can one more image leave the SVM loss as it is, but never the softmax loss? {questions.svm_unchanged.answer}",
    )
    return Step(
        7, "Look, and the two questions", (Row("templates", counted(classes, "class"), "templates.png"),), notes
    )


def optimum_step(optimum: LowestObjective | Skipped) -> Step:
    """Step 8: the lowest objective at the winner's reg, and how far above it SGD's winner was."""
    title = "The best a linear classifier can do here"
    if isinstance(optimum, Skipped):
        return Step(8, title, notes=(f"Left out: {optimum.skipped}.",))
    sgd, share = optimum.sgd, optimum.sgd.relative_excess
    known = proven_lowest(optimum)
    rows = (
        Row("reg", number(optimum.reg), "the best setting's own"),
        Row(
            "lowest objective" if known else "lowest objective found",
            number(optimum.objective, 7),
            f"proven to {at_most(optimum.gap, 1)}" if known else "not proven to be the lowest possible",
        ),
        Row("SGD's", number(sgd.objective, 7), _above(share) if known else ""),
        Row("validation accuracy", f"{optimum.val_accuracy:.4f}", f"SGD's {sgd.val_accuracy:.4f}"),
    )
    if not known:
        notes = ("The solver stopped short of the optimum, so how far SGD's best is from it is not known.", BIAS)
        return Step(8, title, rows, notes)
    far = share >= NEAR
    lowest = number(optimum.objective - optimum.gap, 7, ROUND_FLOOR)
    slower = " or --schedule cosine" if optimum.schedule == "constant" else ""
    came = f"is far from it: more steps{slower} bring it nearer" if far else f"came within {_percent(share)} of it"
    notes = [f"At this reg, no linear classifier has an objective below {lowest}, and SGD's best {came}."]
    if far and sgd.val_accuracy >= optimum.val_accuracy:
        notes.append("On validation it is no worse for that: stopping early is a penalty of its own.")
    notes.append(BIAS)
    return Step(8, title, rows, tuple(notes))


def proven_lowest(optimum: LowestObjective) -> bool:
    """Whether the objective found is the lowest possible one, to the tolerance that it was solved to."""
    return within(optimum.gap, optimum.objective, optimum.tol)


def excess(share: float) -> str:
    """By how much an objective exceeds the lowest one, of which it has this share more, with that to follow."""
    return f"{_percent(share)} above" if share < 1 else f"{number(1 + share)} times"


def _above(share: float) -> str:
    return f"{excess(share)} {'it' if share < 1 else 'as high'}"


def _percent(share: float) -> str:
    return f"{at_most(round(100 * max(share, 0), 12))} %"

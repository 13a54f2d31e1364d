"""`linprobe predict`: what a saved model says about pictures and arrays."""

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from linprobe.classifier import Classifier
    from linprobe.predict import Prediction, Ranked
    from linprobe.steps import Step

ROWS = 20  # of an array, on the screen
BAR = 20  # characters of a probability of 1
EIGHTHS = " ▏▎▍▌▋▊▉"


def predict(
    model: Annotated[Path, typer.Argument(help="A model file, such as RUN/model.safetensors.", show_default=False)],
    files: Annotated[
        list[Path],
        typer.Argument(
            metavar="IMAGE_OR_ARRAY...",
            help="PNG, JPEG or WebP pictures; .npy arrays of one or of n examples, as the source gave them.",
            show_default=False,
        ),
    ],
    top: Annotated[int, typer.Option(min=1, help="How many classes to name.")] = 5,
    invert: Annotated[bool, typer.Option("--invert", help="Light for dark: for dark ink on light paper.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print everything as JSON, only that.")] = False,
) -> None:
    """Say what a saved model takes pictures or arrays for.

    A picture is cut to the model's aspect ratio about its middle and resized; one of the right size is taken as it is.

    A file that cannot be read gets a line on standard error; the others are still predicted, and the exit status is 1.
    """
    from rich.console import Console

    from linprobe.classifier import load
    from linprobe.cli.output import answer, require_output
    from linprobe.cli.screen import print_step
    from linprobe.cli.words import complain
    from linprobe.errors import DataError, UsageError
    from linprobe.predict import predict_file

    classifier = load(model)
    if invert and len(classifier.preparation.shape) != 3:
        raise UsageError(f"--invert: {model} was not trained on pictures, there is nothing light or dark; leave it out")
    console = Console(highlight=False)
    found: list[dict[str, Any]] = []
    failed = False
    for path in files:
        try:
            predictions = predict_file(classifier, path, top=top, invert=invert)
        except DataError as error:
            failed = True
            found.append({"file": os.fspath(path), "error": str(error)})
            complain(str(error))
            continue
        found += [{"file": os.fspath(path), **_numbers(prediction)} for prediction in predictions]
        if not as_json:
            print_step(console, _step(str(path), predictions, classifier))
    if as_json:
        answer(json.dumps({"model": str(model), "predictions": found}, indent=2))
    require_output()
    if failed:
        raise typer.Exit(1)


def _numbers(prediction: "Prediction") -> dict[str, Any]:
    first = _entry(prediction.top[0])
    return {"row": prediction.row, **first, "margin": prediction.margin, "top": [_entry(one) for one in prediction.top]}


def _entry(one: "Ranked") -> dict[str, Any]:
    return {"class": one.name, "probability": one.probability, "score": one.score}


def _step(path: str, predictions: "list[Prediction]", classifier: "Classifier") -> "Step":
    """A picture's or an example's first classes, one below the other; of an array of several, the first of each row."""
    from linprobe.steps import Step, Table, number

    probabilistic, several = classifier.probabilistic, predictions[0].row is not None
    columns = [("class", "word"), ("probability", "number"), ("", "word"), ("score", "number")]
    if not probabilistic:
        columns = [columns[0], columns[-1]]
    rows = [_cells(one) for prediction in predictions[:ROWS] for one in prediction.top[: 1 if several else None]]
    notes = []
    if several:
        columns = [("row", "number"), *columns]
        rows = [(f"{prediction.row:,}", *row) for prediction, row in zip(predictions, rows, strict=False)]
        if len(predictions) > ROWS:
            notes.append(f"The first {ROWS} of {len(predictions):,} rows; --json has them all.")
    if not probabilistic:
        notes.append("The model was not trained with softmax: its scores are not probabilities.")
        margin = predictions[0].margin
        if not several and margin is not None:
            leads = f"The first class leads the second by {f'{margin:.4f}' if margin >= 1e-4 else number(margin)}."
            notes.append(leads if margin else "The first two classes have the same score.")
    header, kinds = zip(*columns, strict=True)
    return Step(None, path, (), tuple(notes), Table(header, kinds, tuple(rows)))


def _cells(one: "Ranked") -> tuple[str, ...]:
    from linprobe.losses import NEVER
    from linprobe.steps import LONGEST_CELL, brief, number

    found = () if one.probability is None else (f"{one.probability:.4f}", _bar(one.probability))
    score = f"{one.score:.4f}" if abs(one.score) < 1e9 else number(one.score)
    # Of a class without examples the bias alone makes the score what it is.
    return (brief(one.name, LONGEST_CELL), *found, score if one.score > NEVER / 2 else "never")


def _bar(share: float) -> str:
    eighths = round(8 * BAR * share)
    return "█" * (eighths // 8) + EIGHTHS[eighths % 8].strip()

"""`linprobe predict`: what a saved model says about pictures and arrays."""

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, TypedDict

import typer

from linprobe.cli.arguments import ModelArgument

if TYPE_CHECKING:
    from linprobe.model import Model
    from linprobe.results.steps import Step
    from linprobe.tasks.predict import Prediction, Ranked

__all__ = ["predict"]

ROWS = 20  # of an array, on the screen
BAR = 20  # characters of a probability of 1
SCORES = "The model was not trained with softmax: its scores are not probabilities."
EIGHTHS = " ▏▎▍▌▋▊▉"

_ClassJson = TypedDict("_ClassJson", {"class": str, "probability": float | None, "score": float})


class _PredictionJson(_ClassJson):
    """An example in --json, with its first class."""

    file: str
    row: int | None
    margin: float | None
    top: list[_ClassJson]


class _FailureJson(TypedDict):
    """A file in --json that could not be read."""

    file: str
    error: str


def predict(
    model: ModelArgument,
    inputs: Annotated[
        list[Path],
        typer.Argument(
            metavar="INPUT",
            help="PNG, JPEG or WebP pictures, folders of them, .npy arrays of one or of n examples.",
        ),
    ],
    top: Annotated[int, typer.Option(min=1, help="How many classes to name.")] = 5,
    invert: Annotated[bool, typer.Option("--invert", help="Light for dark: for dark ink on light paper.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print everything as JSON, only that.")] = False,
) -> None:
    """Predict the classes of pictures or arrays with a saved model.

    A picture is cut to the model's aspect ratio about its middle and resized; one of the right size is used as it is.
    An array has examples as the source gave them. A folder stands for all pictures in it and in its folders.

    A file that cannot be read gets a line on standard error; the others are still predicted, and the exit status is 1.
    """
    from rich.console import Console

    from linprobe.cli.messages import complain
    from linprobe.cli.output import answer, require_output
    from linprobe.cli.screen import print_step
    from linprobe.errors import DataError, UsageError
    from linprobe.model import load
    from linprobe.tasks.predict import files_of, predict_file

    classifier = load(model)
    if invert and len(classifier.preparation.shape) != 3:
        raise UsageError(f"--invert: {model} was not trained on pictures, there is nothing light or dark; leave it out")
    console = Console(highlight=False)
    found: list[_PredictionJson | _FailureJson] = []

    def fail(path: Path, error: DataError) -> None:
        found.append({"file": os.fspath(path), "error": str(error)})
        complain(str(error))

    for given in inputs:
        paths: list[Path] = []
        pictures: list[tuple[str, Prediction]] = []  # of a folder, which has one table for all of them
        try:
            paths = files_of(classifier, given)
        except DataError as error:
            fail(given, error)
        for path in paths:
            try:
                predictions = predict_file(classifier, path, top=top, invert=invert)
            except DataError as error:
                fail(path, error)
                continue
            found += [_numbers(path, prediction) for prediction in predictions]
            if path != given and predictions[0].row is None:
                pictures.append((str(path.relative_to(given)), predictions[0]))
            elif not as_json:
                print_step(console, _step(str(path), predictions, classifier))
        if pictures and not as_json:
            print_step(console, _folder_step(str(given), pictures, classifier))
    if as_json:
        answer(json.dumps({"model": str(model), "predictions": found}, indent=2))
    require_output()
    if any("error" in one for one in found):
        raise typer.Exit(1)


def _numbers(path: Path, prediction: "Prediction") -> _PredictionJson:
    top = [_entry(one) for one in prediction.top]
    return {
        "file": os.fspath(path),
        "row": prediction.row,
        "class": top[0]["class"],
        "probability": top[0]["probability"],
        "score": top[0]["score"],
        "margin": prediction.margin,
        "top": top,
    }


def _entry(one: "Ranked") -> _ClassJson:
    return {"class": one.name, "probability": one.probability, "score": one.score}


def _step(path: str, predictions: "list[Prediction]", classifier: "Model") -> "Step":
    """A picture's or an example's first classes, one below the other; of an array of several, the first of each row."""
    from linprobe.results.steps import Step, Table, number

    probabilistic, several = classifier.probabilistic, predictions[0].row is not None
    columns = _columns(classifier)
    rows = [_cells(one) for prediction in predictions[:ROWS] for one in prediction.top[: 1 if several else None]]
    notes = []
    if several:
        columns = [("row", "number"), *columns]
        rows = [(f"{prediction.row:,}", *row) for prediction, row in zip(predictions, rows, strict=False)]
        if len(predictions) > ROWS:
            notes.append(f"The first {ROWS} of {len(predictions):,} rows; --json has them all.")
    if not probabilistic:
        notes.append(SCORES)
        margin = predictions[0].margin
        if not several and margin is not None:
            leads = f"The first class leads the second by {f'{margin:.4f}' if margin >= 1e-4 else number(margin)}."
            notes.append(leads if margin else "The first two classes have the same score.")
    header, kinds = zip(*columns, strict=True)
    return Step(None, path, (), tuple(notes), Table(header, kinds, tuple(rows)))


def _folder_step(path: str, pictures: "list[tuple[str, Prediction]]", classifier: "Model") -> "Step":
    """The first class of each picture of a folder."""
    from linprobe.results.steps import Step, Table

    header, kinds = zip(("file", "word"), *_columns(classifier), strict=True)
    rows = tuple((name, *_cells(prediction.top[0])) for name, prediction in pictures)
    return Step(None, path, (), () if classifier.probabilistic else (SCORES,), Table(header, kinds, rows))


def _columns(classifier: "Model") -> "list[tuple[str, Literal['word', 'number']]]":
    """Heads and kinds of what `_cells` has for a class."""
    if not classifier.probabilistic:
        return [("class", "word"), ("score", "number")]
    return [("class", "word"), ("probability", "number"), ("", "word"), ("score", "number")]


def _cells(one: "Ranked") -> tuple[str, ...]:
    from linprobe.core.losses import NEVER
    from linprobe.results.steps import LONGEST_CELL, brief, number

    found = () if one.probability is None else (f"{one.probability:.4f}", _bar(one.probability))
    score = f"{one.score:.4f}" if abs(one.score) < 1e9 else number(one.score)
    # Of a class without examples the bias alone makes the score what it is.
    return (brief(one.name, LONGEST_CELL), *found, score if one.score > NEVER / 2 else "never")


def _bar(share: float) -> str:
    eighths = round(8 * BAR * share)
    return "█" * (eighths // 8) + EIGHTHS[eighths % 8].strip()

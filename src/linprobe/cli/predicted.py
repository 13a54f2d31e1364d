"""What `linprobe predict` shows on a terminal."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from linprobe.model import Model
    from linprobe.results.steps import Step
    from linprobe.tasks.predict import Prediction, Ranked

__all__ = ["ROWS", "folder_step", "source_step", "step_of", "written_step"]

ROWS = 20  # of an array, on the screen
BAR = 20  # characters of a probability of 1
SCORES = "The model was not trained with softmax: its scores are not probabilities."
EIGHTHS = " ▏▎▍▌▋▊▉"


def step_of(path: str, predictions: "list[Prediction]", classifier: "Model") -> "Step":
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


def source_step(given: str, first: "list[tuple[str, Prediction]]", n: int, classifier: "Model") -> "Step":
    """The class of each of the first rows of a source, of n rows, with their ids."""
    from linprobe.results.steps import LONGEST_CELL, Step, Table, brief

    header, kinds = zip(("id", "word"), *_columns(classifier), strict=True)
    cells = tuple((brief(name, LONGEST_CELL), *_cells(prediction.top[0])) for name, prediction in first)
    notes = () if classifier.probabilistic else (SCORES,)
    if n > len(cells):
        notes = (f"The first {len(cells)} of {n:,} rows; --out FILE.csv or FILE.parquet writes them all.", *notes)
    return Step(None, given, (), notes, Table(header, kinds, cells))


def written_step(out: Path, columns: Sequence[str], predicted: Mapping[str, int]) -> "Step":
    """What is in the file, and how often each class was predicted."""
    from linprobe.results.steps import LONGEST_CELL, Row, Step, Table, brief, counted

    n, K = sum(predicted.values()), len(predicted)
    shown = [brief(name) for name in columns[: len(columns) - K + 1]]
    more = f" and {K - 1:,} more" if K > 1 else ""
    rows = (Row("file", str(out), counted(n, "row")), Row("columns", f"{', '.join(shown)}{more}"))
    often = sorted(((name, times) for name, times in predicted.items() if times), key=lambda pair: -pair[1])
    cells = tuple((brief(name, LONGEST_CELL), f"{times:,}", f"{times / n:.1%}") for name, times in often[:ROWS])
    notes = (f"The {ROWS} most frequent of {len(often):,} classes.",) if len(often) > ROWS else ()
    table = Table(("predicted as", "rows", "share"), ("word", "number", "number"), cells)
    return Step(None, "Predictions", rows, notes, table)


def folder_step(path: str, pictures: "list[tuple[str, Prediction]]", classifier: "Model") -> "Step":
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

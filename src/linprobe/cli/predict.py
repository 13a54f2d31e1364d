"""`linprobe predict`: what a saved model says about pictures and arrays."""

import json
import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple, NotRequired, TypedDict

import typer

from linprobe.cli.arguments import ClusterOption, LabelOption, ModelArgument, XOption
from linprobe.cli.messages import complain
from linprobe.cli.output import answer, require_output
from linprobe.cli.predicted import ROWS, folder_step, source_step, step_of, written_step

if TYPE_CHECKING:
    from rich.console import Console

    from linprobe.errors import DataError
    from linprobe.model import Model
    from linprobe.tasks.batch import Batch, Input
    from linprobe.tasks.predict import Prediction, Ranked

__all__ = ["predict"]


TOP = 5  # classes that are named


class _RowJson(TypedDict):
    """What a row of a source is called."""

    id: str | int
    split: NotRequired[str]


_ClassJson = TypedDict("_ClassJson", {"class": str, "probability": float | None, "score": float})


class _NumbersJson(_ClassJson):
    """What is predicted of an example, with its first class."""

    row: int | None
    margin: float | None
    top: list[_ClassJson]


class _PredictionJson(_NumbersJson):
    """An example in --json."""

    file: str
    id: NotRequired[str | int]
    split: NotRequired[str]


class _FailureJson(TypedDict):
    """An input in --json that could not be read."""

    file: str
    error: str


def predict(
    model: ModelArgument,
    inputs: Annotated[
        list[str],
        typer.Argument(
            metavar="INPUT",
            help="PNG, JPEG or WebP pictures, folders of them, .npy arrays of one or of n examples; or sources, as "
            "linprobe tune reads them, with labels or without.",
        ),
    ],
    x: XOption = None,
    label: LabelOption = None,
    top: Annotated[int | None, typer.Option(min=1, help="How many classes to name.", show_default="5")] = None,
    invert: Annotated[bool, typer.Option("--invert", help="Light for dark: for dark ink on light paper.")] = False,
    out: Annotated[
        Path | None, typer.Option(help="A .csv or .parquet to write the class and all probabilities of each row to.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a file that exists.")] = False,
    cluster: ClusterOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print everything as JSON, only that.")] = False,
) -> None:
    """Predict the classes of pictures, arrays and whole sources with a saved model.

    A picture is cut to the model's aspect ratio about its middle and resized; one of the right size is used as it is.
    An array has examples as the source gave them. A folder stands for all pictures in it and in its folders.

    With --out, any number of examples is predicted part by part, and each keeps its id: the name of its file, its value
    in a column such as id, or its row number.

    With --cluster, INPUT is a file, a folder, a pattern or a URL of files that the workers read, and --out a folder,
    with one parquet file for each of these.

    A file that cannot be read gets a line on standard error; the others are still predicted, and the exit status is 1.
    """
    from rich.console import Console

    from linprobe.errors import UsageError
    from linprobe.model import load

    classifier = load(model)
    if invert and len(classifier.preparation.shape) != 3:
        raise UsageError(f"--invert: {model} was not trained on pictures, there is nothing light or dark; leave it out")
    if force and out is None:
        raise UsageError("--force: replaces the file of --out only; give --out, or leave it out")
    if top is not None and out is not None:
        raise UsageError("--top: the table of --out has all classes; leave --top out")
    if cluster is not None:
        if out is None or len(inputs) > 1 or invert or label is not None:
            raise UsageError(
                "--cluster: takes one INPUT and writes to a folder; give both, and leave --label and --invert out"
            )
        _write_on_cluster(classifier, cluster, inputs[0], x, out, force, str(model) if as_json else None)
        return
    _refuse_options_of_sources(classifier, inputs, {"--x": x, "--label": label})
    asked = _Wanted(str(model), classifier, tuple(inputs), {"x": x, "label": label}, invert, as_json)
    console = Console(highlight=False)
    failed = _show(console, asked, top or TOP) if out is None else _write(console, asked, out, force)
    require_output()
    if failed:
        raise typer.Exit(1)


def _refuse_options_of_sources(model: "Model", inputs: list[str], given: "dict[str, str | None]") -> None:
    """Raise UsageError where an option says how sources are read, and none of the inputs is one."""
    from linprobe.errors import DataError, UsageError
    from linprobe.tasks.batch import is_source

    names = [name for name, value in given.items() if value is not None]
    if not names:
        return
    for one in inputs:
        try:
            if is_source(model, one):
                return
        except DataError:  # which is said when its turn comes
            return
    say, them = ("say", "them") if len(names) > 1 else ("says", "it")
    raise UsageError(
        f"{' and '.join(names)}: {say} how a source is read, and {inputs[0]} is a picture or an array of examples; "
        f"leave {them} out"
    )


@dataclass(frozen=True)
class _Wanted:
    """What the command was asked for."""

    path: str
    model: "Model"
    inputs: tuple[str, ...]
    options: "dict[str, str | None]"
    invert: bool
    as_json: bool


def _show(console: "Console", asked: _Wanted, top: int) -> bool:
    """Print the classes of all inputs, tables or JSON; whether one of them could not be predicted."""
    from linprobe.cli.screen import print_step
    from linprobe.errors import DataError
    from linprobe.tasks.predict import predict_file

    classifier, found = asked.model, list[_PredictionJson | _FailureJson]()
    pictures: list[tuple[str, Prediction]] = []  # of a folder, which has one table for all of them

    def fail(place: str, error: DataError) -> None:
        found.append({"file": place, "error": str(error)})
        complain(str(error))

    for one in _pieces(asked, fail):
        place = one.given if one.path is None else os.fspath(one.path)
        try:
            if one.path is None:
                source = _opened(asked, one.given)
                rows = _rows_of(asked, source, top)
                if asked.as_json:
                    found += [_json(place, prediction, about) for about, prediction in rows]
                else:  # and no more of it is read than what is shown
                    first = [(str(about["id"]), prediction) for about, prediction in islice(rows, ROWS)]
                    print_step(console, source_step(place, first, len(source), classifier))
            else:
                predictions = predict_file(classifier, one.path, top=top, invert=asked.invert)
                found += [_json(place, prediction) for prediction in predictions]
                if one.name is not None and predictions[0].row is None:
                    pictures.append((one.name, predictions[0]))
                elif not asked.as_json:
                    print_step(console, step_of(place, predictions, classifier))
        except DataError as error:
            fail(place, error)
        if one.last and pictures:
            if not asked.as_json:
                print_step(console, folder_step(os.fspath(Path(one.given)), pictures, classifier))
            pictures = []
    if asked.as_json:
        answer(json.dumps({"model": asked.path, "predictions": found}, indent=2))
    return any("error" in one for one in found)


def _rows_of(asked: _Wanted, source: "Input", top: int) -> "Iterator[tuple[_RowJson, Prediction]]":
    """The rows of a source, one by one, each with its id and its split."""
    from linprobe.tasks.predict import Prediction, rank

    for batch in source.batches(asked.model, invert=asked.invert):
        for place, ranked in enumerate(rank(asked.model, batch.scores, top)):
            name = batch.ids[place]
            about: _RowJson = {"id": name if isinstance(name, str) else int(name)}
            if batch.split:
                about["split"] = batch.split
            yield about, Prediction(batch.rows.start + place, *ranked)


def _opened(asked: _Wanted, given: str) -> "Input":
    from linprobe.cli.source import opened
    from linprobe.tasks.batch import open_source

    return opened(given, asked.options, lambda options: open_source(asked.model, given, **options))


def _write(console: "Console", asked: _Wanted, out: Path, force: bool) -> bool:
    """Write the predictions of all inputs to a file; whether one of them could not be predicted."""
    from linprobe.cli.screen import print_step, rows_progress
    from linprobe.errors import DataError
    from linprobe.tasks.batch import header, open_array, prediction_table

    classifier, counts, errors = asked.model, Counter[int](), list[str]()
    several = len(asked.inputs) > 1

    def fail(_: str, error: DataError) -> None:
        errors.append(str(error))
        complain(str(error))

    with (
        prediction_table(out, classifier, several=several, replace=force) as write,
        rows_progress(console, quiet=asked.as_json) as advance,
    ):
        for one in _pieces(asked, fail):
            try:
                source = _opened(asked, one.given) if one.path is None else open_array(classifier, one.path)
                batches: Iterable[Batch] = source.batches(classifier, invert=asked.invert)
                if source.single:  # which may be damaged, and the next one not
                    batches = [*batches]
            except DataError as error:
                fail(one.given, error)
                continue
            for batch in batches:
                counts.update(write(one.given, batch.within(one.name)).tolist())
                advance(*((batch.rows.stop, len(source)) if one.name is None else (one.number, one.count)))
    predicted = {name: counts[k] for k, name in enumerate(classifier.classes)}
    rows, columns = counts.total(), header(classifier, several=several)
    if asked.as_json:
        told = {"model": asked.path, "out": str(out) if rows else None, "rows": rows, "columns": columns}
        answer(json.dumps({**told, "predicted": predicted, "errors": errors}, indent=2))
    elif rows:
        print_step(console, written_step(out, columns, predicted))
    return bool(errors)


def _write_on_cluster(
    classifier: "Model", cluster: str, source: str, x: str | None, out: Path, force: bool, as_json: str | None
) -> None:
    """Write the predictions of files on a cluster to a folder; as_json: the model's file, to print JSON."""
    from rich.console import Console

    from linprobe.cli.cluster import connected
    from linprobe.cli.screen import print_step
    from linprobe.publish import publish_folder
    from linprobe.tasks.batch import header
    from linprobe.tasks.partitioned import predict_partitions

    with publish_folder(out, replace=force, holding="part-00000.parquet") as partial, connected(cluster) as client:
        counts = predict_partitions(client, classifier, source, partial, x=x)
    predicted = dict(zip(classifier.classes, counts.tolist(), strict=True))
    if as_json is not None:
        told = {"model": as_json, "out": str(out), "rows": int(counts.sum()), "columns": header(classifier)}
        answer(json.dumps({**told, "predicted": predicted, "errors": []}, indent=2))
    else:
        print_step(Console(highlight=False), written_step(out, header(classifier), predicted))
    require_output()


class _Piece(NamedTuple):
    """What is read by itself: the input that it is of; its path, None for a source; its name, where it is in a folder;
    which of how many of that input it is.
    """

    given: str
    path: Path | None
    name: str | None
    number: int
    count: int

    @property
    def last(self) -> bool:
        """Whether it is the last of its input."""
        return self.number == self.count


def _pieces(asked: _Wanted, fail: "Callable[[str, DataError], None]") -> Iterator[_Piece]:
    """Sources, and the pictures and arrays that all other inputs stand for."""
    from linprobe.errors import DataError
    from linprobe.tasks.batch import is_source
    from linprobe.tasks.predict import files_of

    for given in asked.inputs:
        try:
            paths = [None] if is_source(asked.model, given) else files_of(asked.model, Path(given))
        except DataError as error:
            fail(given, error)
            continue
        for number, path in enumerate(paths, 1):
            name = None if path is None or path == Path(given) else path.relative_to(given).as_posix()
            yield _Piece(given, path, name, number, len(paths))


def _json(file: str, prediction: "Prediction", about: "_RowJson | None" = None) -> "_PredictionJson":
    top = [_entry(one) for one in prediction.top]
    numbers: _NumbersJson = {"row": prediction.row, **top[0], "margin": prediction.margin, "top": top}
    return {"file": file, **numbers} if about is None else {"file": file, **about, **numbers}


def _entry(one: "Ranked") -> "_ClassJson":
    return {"class": one.name, "probability": one.probability, "score": one.score}

"""`linprobe worksheet`: the exercise from start to end, and the folder it leaves behind."""

import json
import shlex
import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from linprobe.worksheet import Step


class Loss(StrEnum):
    """The losses that the exercise knows."""

    softmax = "softmax"
    hinge = "hinge"


AXIS = "LO:HI:COUNT (evenly spaced), LO:HI:COUNT:log (evenly in the logarithm) or a list, 1e-7,3e-7."


def worksheet(
    source: Annotated[
        str, typer.Argument(help="digits, cifar10, a CIFAR-10 folder or tar.gz, a parquet file or folder.")
    ] = "digits",
    loss: Annotated[Loss, typer.Option(help="The loss to train with.")] = Loss.softmax,
    learning_rate: Annotated[str | None, typer.Option(metavar="AXIS", help=f"Learning rates to try: {AXIS}")] = None,
    reg: Annotated[str | None, typer.Option(metavar="AXIS", help="Regularisation strengths to try, likewise.")] = None,
    iterations: Annotated[int, typer.Option(min=1, help="Steps of SGD.")] = 1500,
    batch_size: Annotated[int, typer.Option(min=1, help="Examples drawn for a step, with replacement.")] = 200,
    seed: Annotated[int, typer.Option(min=0, help="Of every draw: splits, weights, batches.")] = 0,
    train: Annotated[int | None, typer.Option(min=1, help="Training examples.")] = None,
    val: Annotated[int | None, typer.Option(min=1, help="Validation examples.")] = None,
    test: Annotated[int | None, typer.Option(min=1, help="Test examples.")] = None,
    dev: Annotated[int | None, typer.Option(min=1, help="Examples for the loss and gradient checks.")] = None,
    out: Annotated[Path | None, typer.Option(help="The folder to leave the run in.", show_default="runs/...")] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace the folder if it is there.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print run.json and nothing else.")] = False,
) -> None:
    """Do the softmax or SVM worksheet: load, check the loss, tune on validation, test once, look at the templates."""
    from rich.console import Console

    from linprobe.cli.screen import print_step, search_progress
    from linprobe.errors import require
    from linprobe.publish import free_folder, publish_folder
    from linprobe.report.folder import write_run
    from linprobe.search import parse_axis
    from linprobe.sources import open_dataset
    from linprobe.worksheet import Options, run_worksheet

    require("matplotlib", "plots")
    options = Options(
        loss=loss.value,
        learning_rates=None if learning_rate is None else parse_axis(learning_rate, "--learning-rate"),
        regs=None if reg is None else parse_axis(reg, "--reg"),
        iterations=iterations,
        batch_size=batch_size,
        seed=seed,
        train=train,
        val=val,
        test=test,
        dev=dev,
    )
    console = Console(quiet=as_json, highlight=False)

    def show(step: "Step") -> None:
        print_step(console, step)

    # The folder is made before the work, so that a place that cannot be written is found out at once.
    folder = out or free_folder(Path("runs") / f"worksheet-{Path(source).stem}-{loss.value}")
    with publish_folder(folder, replace=force) as partial:
        dataset = open_dataset(source)
        with search_progress(console, options.iterations) as progress:
            result = run_worksheet(dataset, options, on_step=show, progress=progress)
        numbers = write_run(partial, result, command=shlex.join(["linprobe", *sys.argv[1:]]))
    if as_json:
        typer.echo(json.dumps(numbers, indent=2))
    console.print(f"\nThe run is in [bold]{folder}[/]: run.json, results.csv, model.safetensors and four pictures.")

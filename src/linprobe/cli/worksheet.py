"""`linprobe worksheet`: the exercise from start to end, and the folder it leaves behind."""

import shlex
import sys
import time
from pathlib import Path
from typing import Annotated, Literal

import typer

from linprobe.cli.arguments import (
    AXIS,
    MACHINE,
    SETTINGS,
    SPLITS,
    TRAINING,
    DeviceOption,
    ForceOption,
    JsonOption,
    MemoryOption,
    OutOption,
    PrecisionOption,
    PrepareOption,
    SeedOption,
    SourceArgument,
    TestSizeOption,
    TrainSizeOption,
    ValSizeOption,
)
from linprobe.cli.handin import HandIn, NotebookOption, PdfOption, choices_of

__all__ = ["worksheet"]

# The library's own choices, said again: importing them here would load NumPy before `--help` is answered.
Loss = Literal["softmax", "hinge"]
Schedule = Literal["constant", "cosine", "step"]


def worksheet(
    source: SourceArgument = "digits",
    loss: Annotated[Loss, typer.Option(help="The loss to train with.")] = "softmax",
    learning_rate: Annotated[
        str | None, typer.Option(metavar="AXIS", help=f"Learning rates to try: {AXIS}", rich_help_panel=SETTINGS)
    ] = None,
    reg: Annotated[
        str | None,
        typer.Option(metavar="AXIS", help="Regularisation strengths λ to try, likewise.", rich_help_panel=SETTINGS),
    ] = None,
    momentum: Annotated[
        str, typer.Option(metavar="AXIS", help="Momenta to try, likewise.", rich_help_panel=SETTINGS)
    ] = "0",
    batch_size: Annotated[
        str, typer.Option(metavar="AXIS", help="Examples in each step, likewise.", rich_help_panel=SETTINGS)
    ] = "200",
    trials: Annotated[
        int | None,
        typer.Option(
            min=1, help="Try this many random settings from these ranges, not all of them.", rich_help_panel=SETTINGS
        ),
    ] = None,
    screen: Annotated[
        str | None,
        typer.Option(
            metavar="RANK|auto",
            help="Compare on this many principal directions first, then retrain the best few on all.",
            rich_help_panel=SETTINGS,
        ),
    ] = None,
    iterations: Annotated[int, typer.Option(min=1, help="Steps of SGD.", rich_help_panel=TRAINING)] = 1500,
    epochs: Annotated[
        float | None,
        typer.Option(
            help="Passes through the data, without replacement, in place of iterations.", rich_help_panel=TRAINING
        ),
    ] = None,
    schedule: Annotated[
        Schedule, typer.Option(help="How the learning rate falls.", rich_help_panel=TRAINING)
    ] = "constant",
    warmup: Annotated[int, typer.Option(min=0, help="Steps in which it rises first.", rich_help_panel=TRAINING)] = 0,
    nesterov: Annotated[
        bool, typer.Option("--nesterov", help="Momentum looks ahead.", rich_help_panel=TRAINING)
    ] = False,
    average: Annotated[
        float, typer.Option(help="Average the weights over this last share of the steps.", rich_help_panel=TRAINING)
    ] = 0.0,
    patience: Annotated[
        int | None,
        typer.Option(
            min=1, help="Stop a setting after so many validations without improvement.", rich_help_panel=TRAINING
        ),
    ] = None,
    prepare: PrepareOption = "centred",
    seed: SeedOption = 0,
    train_size: TrainSizeOption = None,
    val_size: ValSizeOption = None,
    test_size: TestSizeOption = None,
    dev: Annotated[
        int | None, typer.Option(min=1, help="Examples for the loss and gradient checks.", rich_help_panel=SPLITS)
    ] = None,
    device: DeviceOption = "cpu",
    precision: PrecisionOption = "auto",
    memory: MemoryOption = None,
    checkpoint_every: Annotated[
        float, typer.Option(metavar="SECONDS", min=0, help="How often to save the work.", rich_help_panel=MACHINE)
    ] = 30.0,
    out: OutOption = None,
    force: ForceOption = False,
    notebook: NotebookOption = None,
    pdf: PdfOption = None,
    as_json: JsonOption = False,
) -> None:
    """Do the softmax or SVM worksheet, from the first loss to the templates.

    Interrupted, it goes on where it was when the same command is run again.
    """
    from rich.console import Console

    from linprobe.cli.arguments import of_sgd, parse_rank, resources
    from linprobe.cli.fetch import fetch_if_absent
    from linprobe.cli.finish import close, show
    from linprobe.cli.resume import resumable
    from linprobe.cli.screen import print_notes, print_step, search_progress
    from linprobe.compare.settings import parse_axis
    from linprobe.core.sgd.settings import Training
    from linprobe.data.formats import open_dataset
    from linprobe.learn.worksheet import WorksheetOptions, run_worksheet
    from linprobe.publish import claimed, publish_folder, sweep
    from linprobe.report.folder import views, write_run

    training = Training(
        loss,
        iterations,
        epochs=epochs,
        schedule=schedule,
        warmup=warmup,
        nesterov=nesterov,
        average=average,
        patience=patience,
        seed=seed,
    )
    options = WorksheetOptions(
        training,
        None if learning_rate is None else parse_axis(learning_rate, "--learning-rate"),
        None if reg is None else parse_axis(reg, "--reg"),
        parse_axis(momentum, "--momentum"),
        parse_axis(batch_size, "--batch-size"),
        trials,
        parse_rank(screen, "--screen"),
        prepare,
        train_size,
        val_size,
        test_size,
        dev,
    )
    may_use = resources(device, of_sgd(precision), memory)
    hand_in = None
    if notebook is not None or pdf is not None:
        machine = {"--device": device != "cpu", "--precision": precision == "bfloat16", "--memory": memory is not None}
        hand_in = HandIn(notebook, pdf, choices_of(source, options, machine))
        hand_in.check(force)
    console = Console(quiet=as_json, highlight=False)
    default = Path("runs") / f"worksheet-{Path(source).stem}-{loss}"
    started = time.monotonic()
    with claimed(out or default, or_next=out is None) as folder:
        saved = folder.with_name(f"{folder.name}.checkpoint")
        for path in (folder, saved):
            sweep(path)
        with (
            resumable(saved, checkpoint_every) as checkpoint,
            # The folder is made before the work, so that a place that cannot be written is found out at once.
            publish_folder(folder, replace=force, holding="run.json") as partial,
        ):
            fetch_if_absent(source)
            dataset = open_dataset(source)
            print_notes(dataset.notes)
            with search_progress(console) as progress:
                result = run_worksheet(
                    dataset,
                    options,
                    resources=may_use,
                    on_step=lambda step: print_step(console, step),
                    on_plan=lambda plan: console.print(f"\n   [dim]{plan.describe()}[/]"),
                    progress=progress,
                    checkpoint=checkpoint,
                )
            found = write_run(partial, result, result.search.curves, command=shlex.join(["linprobe", *sys.argv[1:]]))
        show(folder, views(folder, found))
    try:
        close(console, folder, found.numbers, as_json=as_json)
    finally:  # where its output has nowhere to go, too
        if hand_in is not None:
            # A cell does a part of what the run did. One that takes ten times as long hangs.
            hand_in.make(console, limit=600 + 10 * (time.monotonic() - started))

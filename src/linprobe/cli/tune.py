"""`linprobe tune`: compare, choose, refit, measure test once, and the folder that it leaves behind."""

import contextlib
import re
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from linprobe.cli.arguments import (
    AXIS,
    SETTINGS,
    SPLITS,
    TRAINING,
    ClusterOption,
    DeviceOption,
    ForceOption,
    GroupsOption,
    JsonOption,
    LabelOption,
    MemoryOption,
    OutOption,
    PrecisionOption,
    PrepareOption,
    SeedOption,
    SizeOption,
    SourceArgument,
    SplitColumnOption,
    TestOption,
    TestSizeOption,
    TrainSizeOption,
    ValOption,
    ValSizeOption,
    WeightsOption,
    XOption,
)

if TYPE_CHECKING:
    from linprobe.core.sgd.plan import Plan

__all__ = ["tune"]

# The library's own choices, said again: importing them here would load NumPy before `--help` is answered.
Solver = Literal["exact", "sgd"]
Loss = Literal["softmax", "squared_hinge", "hinge"]
ClassWeight = Literal["balanced"]


def tune(
    source: SourceArgument,
    x: XOption = None,
    label: LabelOption = None,
    val: ValOption = None,
    test: TestOption = None,
    split_column: SplitColumnOption = None,
    groups: GroupsOption = None,
    weights: WeightsOption = None,
    size: SizeOption = None,
    solver: Annotated[
        Solver, typer.Option(help="The proven optimum for each reg, or SGD for each learning rate and reg.")
    ] = "exact",
    loss: Annotated[Loss, typer.Option(help="The loss to train with; hinge with --solver sgd only.")] = "softmax",
    reg: Annotated[
        str | None,
        typer.Option(
            metavar="AXIS",
            help=f"Regularisation strengths λ to try: {AXIS}",
            show_default="1e-5 to 10 times the features' mean variance",
            rich_help_panel=SETTINGS,
        ),
    ] = None,
    learning_rate: Annotated[
        str | None,
        typer.Option(metavar="AXIS", help="Learning rates of --solver sgd, likewise.", rich_help_panel=SETTINGS),
    ] = None,
    metric: Annotated[
        str,
        typer.Option(
            metavar="METRIC",
            help="What decides, on validation or over the folds: accuracy, top5, balanced_accuracy, "
            "mean_per_class_recall, macro_f1, auroc, average_precision, log_loss or calibration_error; test shows all.",
            rich_help_panel=SETTINGS,
        ),
    ] = "accuracy",
    folds: Annotated[
        int | None,
        typer.Option(min=2, help="Choose by cross-validation, not on a validation split.", rich_help_panel=SPLITS),
    ] = None,
    tol: Annotated[
        float | None,
        typer.Option(
            help="The gap to prove, as a share of the objective.", show_default="1e-6", rich_help_panel=TRAINING
        ),
    ] = None,
    class_weight: Annotated[
        ClassWeight | None,
        typer.Option(
            help="Let every class count the same in training, however many examples it has; validation and test count "
            "each example once.",
            show_default="each example once",
            rich_help_panel=TRAINING,
        ),
    ] = None,
    prepare: PrepareOption = "centred",
    seed: SeedOption = 0,
    train_size: TrainSizeOption = None,
    val_size: ValSizeOption = None,
    test_size: TestSizeOption = None,
    device: DeviceOption = "cpu",
    precision: PrecisionOption = "auto",
    memory: MemoryOption = None,
    cluster: ClusterOption = None,
    out: OutOption = None,
    force: ForceOption = False,
    as_json: JsonOption = False,
) -> None:
    """Find the best reg, prove how near each optimum is, and measure test once.

    Validation and test are the source's own splits, or those of --val, --test and --split-column; else each is a tenth
    of the training examples, drawn with --seed so that every class has its share, and no group of --groups is in two.

    With --folds, --train-size is the number of examples that are split into folds.

    With --cluster, SOURCE is a file, a folder, a pattern such as "emb-*.parquet" or a URL of these.

    Interrupted, it goes on when the same command is run again: SGD where it was, the exact solver with every fit that
    it had proven.
    """
    from rich.console import Console

    from linprobe.cli.arguments import of_sgd, resources
    from linprobe.cli.cluster import on_cluster
    from linprobe.cli.finish import close, show
    from linprobe.cli.resume import resumable
    from linprobe.cli.screen import KEPT, PathWatch, path_progress, print_step, search_progress
    from linprobe.cli.source import opened, opened_on
    from linprobe.compare.settings import parse_axis
    from linprobe.publish import claimed, publish_folder, sweep
    from linprobe.report.folder import views, write_run
    from linprobe.tasks.tune import Options
    from linprobe.tasks.tune import tune as run_tuning

    options = Options(
        solver,
        loss,
        None if reg is None else parse_axis(reg, "--reg"),
        None if learning_rate is None else parse_axis(learning_rate, "--learning-rate"),
        folds,
        tol,
        precision,
        prepare,
        seed,
        train_size,
        val_size,
        test_size,
        metric,
        class_weight,
    )
    may_use = resources(device, of_sgd(precision) if solver == "sgd" else "float32", memory)
    console = Console(quiet=as_json, highlight=False)

    def on_plan(plan: "Plan") -> None:
        console.print(f"\n   [dim]{plan.describe()}[/]")
        if console.is_terminal:
            console.print(f"   [dim]{KEPT[solver]}[/]")

    # A name of its own for each solver: neither goes on from the checkpoint that the other has left beside the folder.
    name = re.sub(r"[^\w.=-]+", "_", Path(source).stem) if cluster else Path(source).stem  # of a pattern
    default = Path("runs") / f"tune-{name}-{loss}{'' if solver == 'exact' else '-sgd'}"
    with claimed(out or default, or_next=out is None) as folder:
        saved = folder.with_name(f"{folder.name}.checkpoint")
        for path in (folder, saved):
            sweep(path)
        with (
            resumable(saved, every=30.0) as checkpoint,
            # The folder is made before the work, so that a place that cannot be written is found out at once.
            publish_folder(folder, replace=force, holding="run.json") as partial,
            on_cluster(cluster) as client,
        ):
            given = {"x": x, "label": label, "val": val, "test": test, "split_column": split_column, "groups": groups}
            given |= {"weights": weights, "size": size}
            dataset = opened(source, given) if client is None else opened_on(client, source, given)
            with contextlib.ExitStack() as bars:
                if solver == "exact":
                    watch = bars.enter_context(path_progress(console))
                else:
                    watch = PathWatch(bars.enter_context(search_progress(console)))
                result = run_tuning(
                    dataset,
                    options,
                    resources=may_use,
                    on_step=lambda step: print_step(console, step),
                    on_plan=on_plan,
                    progress=watch.fits,
                    on_share=watch.share,
                    checkpoint=checkpoint,
                )
            found = write_run(partial, result, result.found.curves, command=shlex.join(["linprobe", *sys.argv[1:]]))
        show(folder, views(folder, found))
    close(console, folder, found.numbers, as_json=as_json)

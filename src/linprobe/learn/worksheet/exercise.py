"""The exercise from start to end: eight steps, each with what it measured beside what was expected."""

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from typing import Literal

import numpy as np

from linprobe import __version__
from linprobe.compare.checkpoint import MakeCheckpoint
from linprobe.compare.compare import Control, compare
from linprobe.compare.comparison import Comparison
from linprobe.compare.defaults import exercise_axes, spread_axes
from linprobe.compare.descent import Descent
from linprobe.compare.encoding import Identity
from linprobe.compare.held_out import HeldOut
from linprobe.compare.screen import Screening, screen
from linprobe.compare.settings import Axis, Grid, Space, Trials
from linprobe.compare.solver import Progress, Resources
from linprobe.core.sgd.plan import Plan
from linprobe.core.sgd.settings import Training
from linprobe.data.dataset import Dataset, Examples, Splits
from linprobe.data.duplicates import identical_examples
from linprobe.data.prepare import Features, Preparation, fit_preparation
from linprobe.data.splits import TrainedOn, absent_classes, make_splits, part_of, prepared
from linprobe.errors import IncompatibleError
from linprobe.learn.worksheet.checks import TAUGHT, first_loss, gradient_check, vectorized
from linprobe.learn.worksheet.optimum import find_optimum
from linprobe.learn.worksheet.questions import answer_first_loss, answer_svm_unchanged
from linprobe.model import Model, Provenance
from linprobe.model.evidence import Evidence, observe
from linprobe.results import Accuracy, Compared, Questions, Results, Screened, SourceData, tried
from linprobe.results.steps import Step
from linprobe.results.steps.exercise import (
    data_step,
    first_loss_step,
    gradient_check_step,
    grid_step,
    look_step,
    optimum_step,
    test_step,
    vectorized_step,
)

__all__ = ["WorksheetOptions", "WorksheetResult", "choose_space", "identity", "is_cifar10", "run_worksheet"]

CIFAR10_CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")

PUBLISHED_VAL_ACCURACY = 0.350  # of the completed worksheet whose grid this one is compared with


@dataclass(frozen=True)
class WorksheetOptions:
    """What may be chosen. None: the worksheet's own value on CIFAR-10, one that fits the data elsewhere.

    trials: so many random settings from the axes' ranges, not their grid. screen: the rank at which the settings are
    screened. features: what is done to the rows, see `prepare.fit_preparation`.
    """

    training: Training = field(default_factory=Training)
    learning_rates: Axis | np.ndarray | None = None
    regs: Axis | np.ndarray | None = None
    momenta: Axis | np.ndarray | float = 0.0
    batch_sizes: Axis | np.ndarray | int = 200
    trials: int | None = None
    screen: int | Literal["auto"] | None = None
    features: Features = "centred"
    train: int | None = None
    val: int | None = None
    test: int | None = None
    dev: int | None = None


@dataclass(frozen=True, eq=False)
class WorksheetResult:
    """All that the exercise produced; numbers is what run.json tells."""

    search: Comparison
    screening: Screening | None
    classifier: Model
    evidence: Evidence
    numbers: Results


def run_worksheet(
    dataset: Dataset,
    options: WorksheetOptions | None = None,
    *,
    resources: Callable[[], Resources] = Resources,
    on_step: Callable[[Step], None] | None = None,
    on_plan: Callable[[Plan], None] | None = None,
    progress: Progress | None = None,
    checkpoint: MakeCheckpoint | None = None,
) -> WorksheetResult:
    """Do the exercise on any dataset of images. Raises IncompatibleError for a dataset of anything else."""
    options = options or WorksheetOptions()
    on_step = on_step or (lambda _: None)
    if dataset.train.X.ndim != 4:
        raise IncompatibleError(
            f"{dataset.name}: holds features, and the worksheet is about images; give a source of images"
        )
    if options.training.loss not in TAUGHT:
        raise IncompatibleError(f"the worksheet has no loops for {options.training.loss!r}; use {' or '.join(TAUGHT)}")
    splits = make_splits(
        dataset, seed=options.training.seed, train=options.train, val=options.val, test=options.test, dev=options.dev
    )
    preparation = fit_preparation(splits.train.X, options.features)
    # Read once and kept: SGD draws its batches from all of it.
    rows = prepared(part_of(splits, "train + validation"), preparation)
    rows = Examples(rows.X.kept(), rows.y)
    train, val = rows.take(slice(len(splits.train))), rows.take(slice(len(splits.train), None))
    space = choose_space(dataset, train, options)
    data = _describe(dataset, splits, len(preparation.mean))
    on_step(data_step(data))

    # From here to the search the exercise works in float64, with the bias as a last column of ones.
    X = np.column_stack([preparation.apply(splits.dev.X, np.float64), np.ones(len(splits.dev))])
    y, classes = splits.dev.y, len(dataset.classes)
    generator = np.random.default_rng(options.training.seed)
    W = 0.0001 * generator.standard_normal((X.shape[1], classes))
    first = first_loss(W, X, y, options.training.loss)
    on_step(first_loss_step(first, options.training.loss, classes))
    gradient = gradient_check(W, X, y, options.training.loss, generator)
    on_step(gradient_check_step(gradient))
    matrix = vectorized(W, X, y, options.training.loss)
    on_step(vectorized_step(matrix))

    started = time.perf_counter()
    use = resources()
    keep = None if checkpoint is None else checkpoint(identity(dataset, splits, space, options, use))
    control = Control(resources=use, on_plan=on_plan, progress=progress, checkpoint=keep)
    solver, held_out, screening = Descent(training=options.training), HeldOut.after(len(train)), None
    if options.screen is None:
        found = compare(rows.X, rows.y, space, held_out, solver, classes=classes, control=control)
    else:
        found, screening = screen(
            *(rows.X, rows.y, space, held_out, solver), classes=classes, rank=options.screen, control=control
        )
    grid = _describe_search(found, screening, time.perf_counter() - started, options)
    if is_cifar10(dataset) and _is_the_exercise(space, options):
        grid = replace(grid, published_val_accuracy=PUBLISHED_VAL_ACCURACY)
    on_step(grid_step(grid))

    classifier = _classifier(dataset, splits, preparation, found, options)
    # The one place that reads the test split; the choice is made.
    evidence = observe(classifier, splits.test)
    test = Accuracy.of(evidence.correct, evidence.n)
    on_step(test_step(test, classes))
    questions = Questions(
        first_loss=answer_first_loss(W, X, y), svm_unchanged=answer_svm_unchanged(classifier, splits.dev)
    )
    on_step(look_step(classes, questions))
    optimum = find_optimum(found, train, val, options.training, classes, use)
    on_step(optimum_step(optimum))
    numbers = Results(
        options={**classifier.provenance.tell(), "white": classifier.white},
        data=data,
        first_loss=first,
        gradient_check=gradient,
        vectorized=matrix,
        grid=grid,
        test=test,
        questions=questions,
        optimum=optimum,
    )
    return WorksheetResult(found, screening, classifier, evidence, numbers)


def choose_space(dataset: Dataset, train: Examples, options: WorksheetOptions) -> Space:
    """The settings asked for; else the worksheet's on CIFAR-10, and some to the data's scale elsewhere."""
    learning_rates, regs = options.learning_rates, options.regs
    exercise = is_cifar10(dataset) and options.features == "centred"
    default = exercise_axes() if exercise else spread_axes(train.X)
    grid = Grid(
        default[0] if learning_rates is None else learning_rates,
        default[1] if regs is None else regs,
        options.momenta,
        options.batch_sizes,
    )
    return grid if options.trials is None else Trials(grid, options.trials)


def _is_the_exercise(space: Space, options: WorksheetOptions) -> bool:
    """Whether this is the search that the published run made, on data that may be its own."""
    training = options.training == Training(seed=options.training.seed)
    plain = (options.learning_rates, options.regs, options.trials, options.screen) == (None,) * 4
    others = [space.axes[name].values.tolist() for name in ("momentum", "batch_size")]
    return training and plain and options.features == "centred" and others == [[0], [200]]


def identity(
    dataset: Dataset, splits: Splits, space: Space, options: WorksheetOptions, resources: Resources
) -> Identity:
    """What must be the same for interrupted training to go on: data, splits, settings, device."""
    axes = {name: [axis.values.tolist(), axis.ranged, axis.log] for name, axis in space.axes.items()}
    sizes = {name: len(getattr(splits, name)) for name in ("train", "val")}
    others = {"features": options.features, "screen": options.screen, "trials": options.trials}
    where = {"device": resources.products.device, "precision": resources.products.precision}
    return {"data": dataset.fingerprint, **sizes, **asdict(options.training), **axes, **others, **where}


def is_cifar10(dataset: Dataset) -> bool:
    """Whether this is CIFAR-10, in whatever format it was kept."""
    return dataset.train.X.shape[1:] == (32, 32, 3) and dataset.classes == CIFAR10_CLASSES


def _describe(dataset: Dataset, splits: Splits, features: int) -> SourceData:
    return SourceData(
        source=dataset.name,
        notes=dataset.notes,
        fingerprint=dataset.fingerprint,
        classes=dataset.classes,
        image_shape=dataset.train.X.shape[1:],
        features=features,
        train=len(splits.train),
        val=len(splits.val),
        test=len(splits.test),
        dev=len(splits.dev),
        absent=tuple(absent_classes(splits.train.y, dataset.classes)),
        identical=identical_examples(splits),
    )


def _describe_search(
    found: Comparison, screening: Screening | None, seconds: float, options: WorksheetOptions
) -> Compared:
    whole, rows = found if screening is None else screening.result, tried(found)
    described = Compared(
        settings=len(whole),
        axes={name: tuple(axis.values.tolist()) for name, axis in whole.axes.items()},
        trials=options.trials,
        training=asdict(options.training),
        seconds=seconds,
        memory_plan_bytes=found.plan.bytes,
        stacks=len(found.plan.stacks),
        diverged=int((whole.stopped == "diverged").sum()),
        best=rows[found.best],
        edges=tuple(found.choice.edge_axes),
        rows=rows,
    )
    if screening is None:
        return described
    return replace(
        described,
        memory_plan_bytes=max(found.plan.bytes, screening.result.plan.bytes),
        screening=Screened(
            rank=screening.rank,
            residual=screening.residual,
            seconds=screening.seconds,
            retrained=len(screening.kept),
            rows=tried(screening.result),
        ),
    )


def _classifier(
    dataset: Dataset, splits: Splits, preparation: Preparation, found: Comparison, options: WorksheetOptions
) -> Model:
    setting = found.setting(found.best)
    provenance = Provenance(
        solver="sgd",
        **asdict(options.training),
        learning_rate=setting["learning_rate"],
        reg=setting["reg"],
        momentum=setting["momentum"],
        batch_size=setting["batch_size"],
        features=options.features,
        data=dataset.name,
        fingerprint=dataset.fingerprint,
        rows=TrainedOn.of(splits, options.training.seed, "train", "train"),
        absent=tuple(absent_classes(splits.train.y, dataset.classes)),
        version=__version__,
    )
    return Model(found.W, found.b, dataset.classes, preparation, provenance, white=dataset.white)

"""Tuning, start to end: four steps, the last of which is the only one that reads the test split."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from linprobe import __version__
from linprobe.compare.checkpoint import MakeCheckpoint
from linprobe.compare.compare import Control
from linprobe.compare.comparison import Comparison
from linprobe.compare.solver import Progress, Resources
from linprobe.core.metrics import find_metric
from linprobe.core.sgd.plan import Plan
from linprobe.data.dataset import Dataset, Splits
from linprobe.data.duplicates import identical_examples
from linprobe.data.rows import rows_of
from linprobe.data.splits import Part, Rule, TrainedOn, absent_classes, make_splits, part_of, refuse_what_is_not_finite
from linprobe.errors import DataError, IncompatibleError
from linprobe.model import Model, Proven, Provenance
from linprobe.model.evidence import Evidence, look
from linprobe.results import Accuracy, Compared, Refit, Results, SourceData, tried
from linprobe.results.steps import Step
from linprobe.results.timing import timed
from linprobe.tasks.tune.engines import Tuning, kept
from linprobe.tasks.tune.options import Options
from linprobe.tasks.tune.steps import data_step, refit_step, settings_step, test_step

__all__ = ["TuneResult", "tune"]


@dataclass(frozen=True, eq=False)
class TuneResult:
    """The classifier, refitted on train + validation, and what was compared to find it.

    evidence: of the test split; numbers: what run.json tells.
    """

    classifier: Model
    found: Comparison
    evidence: Evidence
    numbers: Results


def tune(
    dataset: Dataset,
    options: Options | None = None,
    *,
    resources: Callable[[], Resources] = Resources,
    on_step: Callable[[Step], None] | None = None,
    on_plan: Callable[[Plan], None] | None = None,
    progress: Progress | None = None,
    on_share: Callable[[float], None] | None = None,
    checkpoint: MakeCheckpoint | None = None,
) -> TuneResult:
    """Compare values of reg (with SGD, and learning rates) on any data set, refit the best, measure test once.

    on_plan, progress and on_share are those of `compare`; checkpoint makes its checkpoint, of what the work is. Raises
    UsageError and DataError for what cannot be trained on, DivergedError where SGD leaves nothing to choose from.
    """
    options = options or Options()
    on_step = on_step or (lambda _: None)
    metric = find_metric(options.metric, options.loss, len(dataset.classes))
    on_cluster = rows_of(dataset.train.X).elsewhere
    if options.solver == "sgd" and on_cluster:
        raise IncompatibleError(
            "--solver sgd: draws its batches from all rows, which a cluster would send one by one; use --solver exact, "
            "which asks the workers for sums alone, or leave --cluster out"
        )
    refuse_what_is_not_finite(dataset)
    weighted = _check_weights(dataset)
    rule: Rule = "stratified" if dataset.train.groups is None else "grouped"
    splits = make_splits(dataset, seed=options.seed, rule=rule, **options.sizes(dataset))
    # With folds there is one pool of rows from the start; else the preparation must not see validation either.
    prepared_on: Part = "train" if options.folds is None else "train + validation"
    rows = TrainedOn.of(splits, options.seed, "train + validation", prepared_on, rule)
    preparation = rows.fit(splits, options.features)
    pool = kept(rows.prepared(splits, preparation), len(dataset.classes), options, resources())
    identical = {} if on_cluster else identical_examples(splits)
    if options.folds is not None:
        identical.pop("val", None)  # which are no split of their own then
    data = SourceData(
        source=dataset.name,
        notes=dataset.notes,
        fingerprint=dataset.fingerprint,
        classes=dataset.classes,
        shape=dataset.train.X.shape[1:],
        features=pool.X.shape[1],
        train=len(splits.train),
        val=len(splits.val),
        test=len(splits.test),
        absent=tuple(absent_classes(pool.y, dataset.classes)),
        only_in_validation=() if options.folds else _only_in(splits.val.y, splits.train.y, dataset.classes),
        identical=identical,
        groups=None if rule != "grouped" else _groups(splits, options.folds),
    )
    on_step(data_step(data, options))

    control = Control(resources=resources(), on_plan=on_plan, progress=progress, on_share=on_share)
    tuning = Tuning(
        pool=pool,
        train=len(splits.train),
        tested=len(splits.test),
        classes=dataset.classes,
        options=options,
        control=control,
    )
    work = {
        "work": "tune",
        "data": dataset.fingerprint,
        "train": data.train,
        "val": data.val,
        "rows": rows.fingerprint,
        "features": options.features,
    }
    keep = None if checkpoint is None else lambda settings: checkpoint({**work, **settings})
    found, seconds = timed(lambda: tuning.compare(keep))
    said = tuning.said()
    settings = tried(found, metric)
    best = settings[found.best]
    names = [name for name in ("learning_rate", "reg") if name in best.setting]
    grid = Compared(
        solver=options.solver,
        loss=options.loss,
        tol=said.tol,
        precision=said.precision,
        class_weight=options.class_weight,
        weights=dataset.asked.get("weights", "") if weighted else None,
        iterations=said.iterations,
        schedule=said.schedule,
        folds=options.folds,
        metric=None if metric.name == "accuracy" else metric.name,
        settings=len(settings),
        axes={name: tuple(sorted({row.setting[name] for row in settings})) for name in names},
        seconds=seconds,
        best=best,
        edges=tuple(found.choice.edge_axes),
        rows=settings,
    )
    on_step(settings_step(grid))

    refitted, seconds = timed(lambda: tuning.refit(found.setting(found.best)))
    refit = Refit(
        n=len(pool),
        seconds=seconds,
        objective=refitted.objective,
        gap=refitted.gap,
        relative_gap=refitted.relative_gap,
        iterations=refitted.iterations,
        status=refitted.status,
    )
    on_step(refit_step(refit, best, options.loss, grid.tol, metric, weighted=weighted or grid.class_weight is not None))
    temperature = tuning.temperature(found)

    provenance = Provenance(
        solver=options.solver,
        loss=options.loss,
        tol=said.tol,
        precision=said.precision,
        class_weight=options.class_weight,
        iterations=said.iterations,
        schedule=said.schedule,
        folds=options.folds,
        learning_rate=best.learning_rate,
        reg=best.reg,
        features=options.features,
        temperature=temperature,
        seed=options.seed,
        data=dataset.name,
        fingerprint=dataset.fingerprint,
        asked=dict(dataset.asked),
        rows=rows,
        absent=tuple(absent_classes(pool.y, dataset.classes)),
        version=__version__,
    )
    proven = None if refit.gap is None else Proven(refit.objective, refit.gap)
    # So that other data may have its columns in another order.
    columns = (
        dataset.columns.features if dataset.columns.table and len(dataset.columns.features) == len(refitted.W) else None
    )
    classifier = Model(refitted.W, refitted.b, dataset.classes, preparation, provenance, proven, dataset.white, columns)
    # The one place that reads the test split; the choice is made.
    evidence, figures = look(classifier, splits.test, temperature=temperature)
    test = Accuracy.of(evidence.correct, evidence.n).with_metrics(figures, temperature, splits.test.groups)
    on_step(test_step(test, len(dataset.classes)))
    options_said = {**provenance.tell(), "white": dataset.white}
    numbers = Results(options=options_said, data=data, grid=grid, refit=refit, test=test)
    return TuneResult(classifier, found, evidence, numbers)


def _check_weights(dataset: Dataset) -> bool:
    """Whether examples have weights. Raises DataError where training can't go by them."""
    weights = dataset.train.weights
    if weights is None:
        return False
    if dataset.val is not None and dataset.val.weights is None:
        raise DataError(f"{dataset.name}: train has weights, and validation has none; give both, or leave them out")
    if len(np.unique(dataset.train.y[weights > 0])) < 2:
        raise DataError(
            f"{dataset.name}: examples of a single class have a weight above 0, and a classifier needs two; mend the "
            "weights"
        )
    return True


def _groups(splits: Splits, folds: int | None) -> dict[str, int]:
    """How many groups each split has."""
    learned = part_of(splits, "train + validation" if folds else "train")
    every = {"train": learned} | ({} if folds else {"val": splits.val}) | {"test": splits.test}
    return {name: len(np.unique(examples.groups)) for name, examples in every.items() if examples.groups is not None}


def _only_in(val: np.ndarray, train: np.ndarray, classes: tuple[str, ...]) -> tuple[str, ...]:
    """The classes of which validation has examples and train none."""
    return tuple(classes[number] for number in np.setdiff1d(val, train))

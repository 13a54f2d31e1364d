"""Tuning, start to end: four steps, the last of which is the only one that reads the test split."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from linprobe import __version__
from linprobe.classifier import Classifier
from linprobe.compare.checkpoint import Checkpoint
from linprobe.compare.comparison import Comparison
from linprobe.compare.search import Resources
from linprobe.core.measure import measured_accuracy
from linprobe.core.sgd.plan import Plan
from linprobe.data.dataset import Dataset
from linprobe.data.splits import Part, TrainedOn, absent_classes, make_splits, refuse_what_is_not_finite
from linprobe.evidence import Evidence, observe
from linprobe.steps import Step
from linprobe.tune.engines import Descent, Exact, kept
from linprobe.tune.options import Options
from linprobe.tune.words import data_step, refit_step, settings_step, test_step


@dataclass(frozen=True, eq=False)
class TuneResult:
    """The classifier, refitted on train + validation, and what was compared to find it.

    evidence: of the test split; numbers: what run.json tells, JSON-ready.
    """

    classifier: Classifier
    found: Comparison
    evidence: Evidence
    numbers: dict[str, Any]


def tune(
    dataset: Dataset,
    options: Options | None = None,
    *,
    resources: Callable[[], Resources] = Resources,
    on_step: Callable[[Step], None] | None = None,
    on_plan: Callable[[Plan], None] | None = None,
    progress: Callable[..., None] | None = None,
    checkpoint: Callable[[dict[str, Any]], Checkpoint] | None = None,
) -> TuneResult:
    """Compare values of reg (with SGD, and learning rates) on any data set, refit the best, measure test once.

    progress: called as that of `solve` or of `search`; on_plan: by `search` alone; checkpoint: makes that of `search`,
    of what the work is. Raises UsageError and DataError for
    what cannot be trained on, DivergedError where SGD leaves nothing to choose from.
    """
    options = options or Options()
    on_step = on_step or _ignore
    refuse_what_is_not_finite(dataset)
    splits = make_splits(dataset, seed=options.seed, **options.sizes(dataset))
    # With folds there is one pool of rows from the start; else the preparation must not see validation either.
    prepared_on: Part = "train" if options.folds is None else "train + validation"
    rows = TrainedOn.of(splits, options.seed, "train + validation", prepared_on)
    preparation = rows.fit(splits, options.features)
    pool = kept(rows.prepared(splits, preparation), len(dataset.classes), options, resources())
    numbers: dict[str, Any] = {
        "data": {
            "source": dataset.name,
            "fingerprint": dataset.fingerprint,
            "classes": list(dataset.classes),
            "shape": list(dataset.train.X.shape[1:]),
            "features": pool.X.shape[1],
            **{name: len(getattr(splits, name)) for name in ("train", "val", "test")},
            "absent": absent_classes(pool.y, dataset.classes),
            "only_in_validation": [] if options.folds else _only_in(splits.val.y, splits.train.y, dataset.classes),
        }
    }
    on_step(data_step(numbers["data"], options))

    def keep(settings: dict[str, Any]) -> Checkpoint | None:
        sizes = {name: numbers["data"][name] for name in ("train", "val")}
        work = {"work": "tune", "data": dataset.fingerprint, **sizes, "features": options.features}
        return None if checkpoint is None else checkpoint(work | settings)

    engine = (Exact if options.solver == "exact" else Descent)(
        pool, len(splits.train), dataset.classes, options, resources(), on_plan, progress, keep
    )
    found, seconds = _timed(engine.compare)
    settings = found.rows()
    best = settings[found.best]
    axes = {name: sorted({row[name] for row in settings}) for name in ("learning_rate", "reg") if name in best}
    numbers["grid"] = {
        "solver": options.solver,
        "loss": options.loss,
        **engine.told,
        "folds": options.folds,
        "settings": len(settings),
        "axes": axes,
        "seconds": seconds,
        "best": best,
        "edges": list(found.choice.edge_axes),
        "rows": settings,
    }
    on_step(settings_step(numbers["grid"]))

    (W, b, refit), seconds = _timed(lambda: engine.refit(found.setting(found.best)))
    numbers["refit"] = {"n": len(pool), "seconds": seconds, **refit}
    on_step(refit_step(numbers["refit"], best, options.loss, engine.told.get("tol")))

    about = {
        **{name: numbers["grid"][name] for name in ("solver", "loss", *engine.told, "folds")},
        **{name: best[name] for name in axes},
        "features": options.features,
        "seed": options.seed,
        "data": dataset.name,
        "white": dataset.white,
        "fingerprint": dataset.fingerprint,
        "rows": rows.tell(),
        **({"absent": absent} if (absent := absent_classes(pool.y, dataset.classes)) else {}),
        "version": __version__,
    }
    preparation, W = preparation.fold(W)
    classifier = Classifier(W, b, dataset.classes, preparation, about)
    # The one place that reads the test split; the choice is made.
    evidence = observe(classifier, splits.test)
    numbers["test"] = measured_accuracy(evidence.correct, evidence.n)
    on_step(test_step(numbers["test"], len(dataset.classes)))
    return TuneResult(classifier, found, evidence, numbers)


def _only_in(val: np.ndarray, train: np.ndarray, classes: tuple[str, ...]) -> list[str]:
    """The classes of which validation has examples and train none."""
    return [classes[number] for number in np.setdiff1d(val, train)]


def _ignore(step: Step) -> None:
    """Nobody is watching."""


def _timed(work: Callable[[], Any]) -> tuple[Any, float]:
    started = time.perf_counter()
    result = work()
    return result, time.perf_counter() - started

"""The metrics, one record each, and their values on examples. A new one is a function of `Counted` and a record."""

from collections.abc import Iterable

import numpy as np

from linprobe.core.losses import LOSSES, Loss
from linprobe.core.metrics._classes import accuracy, balanced_accuracy, macro_f1, top5
from linprobe.core.metrics._probabilities import BINS, calibration_error, log_loss
from linprobe.core.metrics._ranking import auroc, average_precision
from linprobe.core.metrics.record import MetricValue, NamedMetric
from linprobe.core.metrics.sample import Counted, Sample
from linprobe.core.metrics.temperature import fit_temperature
from linprobe.core.resampling import RESAMPLES, percentile_interval, resample_counts
from linprobe.errors import IncompatibleError, UsageError

__all__ = [
    "BINS",
    "METRICS",
    "SCALED",
    "Counted",
    "MetricValue",
    "NamedMetric",
    "Sample",
    "available",
    "find_metric",
    "fit_temperature",
    "measure",
    "value_of",
]

COUNTS = 2**18  # kept at a time: ten times their 2 MiB is all the memory, and fewer take longer
MANY_CLASSES = 100  # above which sorting by every class again and again takes longer than anybody waits

METRICS: dict[str, NamedMetric] = {
    metric.name: metric
    for metric in (
        NamedMetric(name="accuracy", label="accuracy", of=accuracy, about="the share that is right"),
        NamedMetric(
            name="top5",
            label="top-5 accuracy",
            of=top5,
            about="the label is among the five highest scores",
            least_classes=6,
        ),
        NamedMetric(
            name="balanced_accuracy",
            label="balanced accuracy",
            of=balanced_accuracy,
            about="the mean recall of the classes",
            also=("mean_per_class_recall",),
        ),
        NamedMetric(name="macro_f1", label="macro-F1", of=macro_f1, about="the mean F1 of the classes"),
        NamedMetric(
            name="auroc",
            label="AUROC",
            of=auroc,
            about="area under the ROC curve",
            most_classes=MANY_CLASSES,
        ),
        NamedMetric(
            name="average_precision",
            label="average precision",
            of=average_precision,
            about="area under precision and recall",
            most_classes=MANY_CLASSES,
        ),
        NamedMetric(
            name="log_loss",
            label="log-loss",
            of=log_loss,
            about="mean −log of the label's probability",
            larger_is_better=False,
            probabilities=True,
        ),
        NamedMetric(
            name="calibration_error",
            label="calibration error",
            of=calibration_error,
            about="|confidence − accuracy|, in 15 bins",
            larger_is_better=False,
            probabilities=True,
            also=("ece",),
        ),
    )
}

SCALED = NamedMetric(
    name="calibration_error_scaled",
    label="after scaling",
    of=calibration_error,
    about="the same after temperature scaling",
    larger_is_better=False,
    probabilities=True,
)


def available(loss: str | Loss, classes: int) -> tuple[NamedMetric, ...]:
    """The metrics that classifiers of so many classes have which are trained with a loss."""
    record = LOSSES[loss] if isinstance(loss, str) else loss
    return tuple(metric for metric in METRICS.values() if metric.lacks(record, classes) is None)


def find_metric(name: str, loss: str | Loss | None = None, classes: int | None = None) -> NamedMetric:
    """The record of a metric, by its name or another name of it.

    Raises
    ------
    UsageError
        For a name that there is not.
    IncompatibleError
        For a metric that can't be had with this loss, or of so many classes, where they are given.
    """
    asked = name.replace("-", "_")
    for metric in METRICS.values():
        if asked in (metric.name, *metric.also):
            break
    else:
        raise UsageError(f"--metric {name}: is unknown; use one of: {', '.join(METRICS)}")
    if loss is not None:
        record = LOSSES[loss] if isinstance(loss, str) else loss
        why = metric.lacks(record, max(metric.least_classes, 2) if classes is None else classes)
        if why is not None:
            way = "train with softmax, or choose by accuracy" if metric.probabilities else "choose by accuracy"
            raise IncompatibleError(f"--metric {name}: {why}; {way}")
    return metric


@np.errstate(over="ignore")  # of scores as large as their type
def value_of(metric: NamedMetric, sample: Sample) -> float:
    """A metric of examples that count 1 each."""
    return float(metric.of(Counted(sample, np.ones((len(sample), 1))))[0])


@np.errstate(over="ignore")
def measure(
    sample: Sample,
    metrics: Iterable[NamedMetric],
    *,
    temperature: float | None = None,
    groups: np.ndarray | None = None,
    times: int = RESAMPLES,
    seed: int = 0,
) -> dict[str, MetricValue]:
    """Metrics of examples with their 95 % intervals, by the bootstrap's percentiles; all on the same resamples.

    Parameters
    ----------
    sample : Sample
        The examples, each of which counts 1.
    metrics : iterable of NamedMetric
        Those to measure; one that isn't defined on these examples is left out.
    temperature : float, optional
        To give the calibration error of scores that are divided by it, too.
    groups : array (n,), optional
        What examples belong to, which are then drawn together.
    times : int
        Resamples; 0 for no intervals.
    seed : int
        Of the resamples.

    Returns
    -------
    figures : dict
        By the metrics' names. Metrics of more classes than they allow have no interval.
    """
    asked = [(metric, sample) for metric in metrics]
    if temperature is not None:
        asked.append((SCALED, sample.at(temperature)))
    values = {metric.name: value_of(metric, seen) for metric, seen in asked}
    asked = [(metric, seen) for metric, seen in asked if np.isfinite(values[metric.name])]
    drawn: dict[str, list[np.ndarray]] = {
        metric.name: [] for metric, _ in asked if metric.most_classes is None or sample.classes <= metric.most_classes
    }
    n = len(sample)
    if times:
        for counts in resample_counts(n, groups=groups, times=times, seed=seed, at_a_time=max(8, COUNTS // max(n, 1))):
            ways: dict[int, Counted] = {}
            for metric, seen in asked:
                if metric.name in drawn:
                    counted = ways.setdefault(id(seen), Counted(seen, counts.T))
                    drawn[metric.name].append(metric.of(counted))
    figures = {}
    for metric, _ in asked:
        name, interval = metric.name, None
        if drawn.get(name):
            low, high = percentile_interval(np.concatenate(drawn[name]))
            interval = (float(low), float(high))
        figures[name] = MetricValue(values[name], interval)
    return figures

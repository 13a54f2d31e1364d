"""The metrics of a test split in words, for terminal and page alike."""

from linprobe.core.metrics import METRICS, SCALED
from linprobe.core.resampling import RESAMPLES
from linprobe.results.accuracy import Accuracy
from linprobe.results.steps import Table, counted, number

__all__ = ["metrics_notes", "metrics_table"]


def metrics_table(test: Accuracy, *, about: bool = False) -> Table | None:
    """Every metric but accuracy, which has its own line; None where none was measured. about: and what each is."""
    if not test.metrics:
        return None
    rows = []
    for metric in (*METRICS.values(), SCALED):
        if (found := test.metrics.get(metric.name)) is None:
            continue
        label = metric.label
        if metric is SCALED:
            label = f"at temperature {number(test.temperature or 1)}"
        elif metric.name == "accuracy":
            label = "accuracy, by groups"
        ends = found.interval
        interval = "-" if ends is None else f"{metric.say(ends[0])} to {metric.say(ends[1])}"
        rows.append((label, metric.say(found.value), interval, *((metric.about,) if about else ())))
    header, found = ("metric", "value", "95 % interval"), tuple(rows)
    if about:
        return Table((*header, "what it is"), ("word", "number", "number", "word"), found)
    return Table(header, ("word", "number", "number"), found)


def metrics_notes(test: Accuracy) -> tuple[str, ...]:
    """How their intervals come about, and what to think of accuracy's where examples are in groups."""
    if not test.metrics:
        return ()
    of = counted(test.n, "example") if test.groups is None else f"{counted(test.groups, 'group')}"
    notes = (f"Accuracy's interval is Wilson's; all others are from {RESAMPLES:,} bootstrap resamples of the {of}.",)
    if "accuracy" in test.metrics:
        notes += ("Wilson's interval takes examples of one group for independent, and is too narrow if they are not.",)
    return notes

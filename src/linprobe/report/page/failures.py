"""Where a classifier fails: class by class, pair by pair, picture by picture, and whether it knows."""

import numpy as np

from linprobe.core.measure import per_class, wilson_interval
from linprobe.core.metrics import BINS, METRICS, SCALED
from linprobe.report.figures import reliability
from linprobe.report.labels import percent, short_number
from linprobe.report.page.names import isolated
from linprobe.report.page.parts import (
    BinFacts,
    CalibrationFacts,
    Card,
    ClassRecall,
    Confused,
    MistakeFacts,
    MistakeTile,
    RecallFacts,
)
from linprobe.report.page.pictures import mistake_pictures
from linprobe.report.run import Run
from linprobe.results.steps import counted, number

__all__ = ["alike", "calibration", "mistakes", "pairs", "recall", "weakest"]

PAIRS = 12
ROW_BYTES = 420  # of HTML in a row of the table of classes


def weakest(run: Run, names: list[str]) -> Card:
    """The headline's card: the class with the lowest recall."""
    if run.evidence.correct == run.evidence.n:
        n = run.evidence.n
        value = "Nowhere in test"
        sentence = "The only test example is right." if n == 1 else f"All {n:,} test examples are right."
    else:
        rows = _classes(run, names)
        worst, never = rows[0], sum(row.right == 0 and row.score.n > 0 for row in rows)
        if never > 1:
            # Of many that are never recognised the first is no worse than the others.
            value = f"{never:,} of {counted(len(rows), 'class')}"
            sentence = f"None of their test examples are recognised; {_few(rows)}."
            return Card(section="failures", label="Where it fails", value=value, sentences=[sentence])
        name, other = worst.score.name, worst.score.mistaken_for
        most = "" if other is None else f"; {_are(worst.score.times)} predicted as {isolated(other)}"
        value = f"class {name}" if name.isdecimal() else name
        sentence = f"The lowest recall of all classes: {worst.right:,} of {worst.score.n:,} recognised{most}."
    return Card(section="failures", label="Where it fails", value=value, sentences=[sentence])


def _few(rows: list[ClassRecall]) -> str:
    """How many test examples the classes that are never recognised have."""
    most = max(row.score.n for row in rows if row.right == 0)
    if most == 1:
        return "each has only one"
    return f"the largest has {most:,}"


def _are(count: int) -> str:
    return f"{count:,} {'is' if count == 1 else 'are'}"


def recall(run: Run, names: list[str], room: int) -> RecallFacts:
    """Of each class its recall, its 95 % interval and the class it is most often confused with, the lowest first."""
    rows = _classes(run, names)
    left = room
    for kept, row in enumerate(rows):
        left -= ROW_BYTES + 2 * len(row.score.name.encode()) + len((row.score.mistaken_for or "").encode())
        if left < 0 and kept:
            return RecallFacts(rows[:kept], len(rows))
    return RecallFacts(rows, len(rows))


def _classes(run: Run, names: list[str]) -> list[ClassRecall]:
    counts, rows = run.evidence.counts, []
    for k, told in enumerate(per_class(counts, names)):
        right = int(counts[k, k])
        low, high = wilson_interval(right, told.n) if told.n else (None, None)
        rows.append(ClassRecall(told, right, low, high))
    return sorted(rows, key=lambda row: (row.score.recall is None, row.score.recall or 0))


def pairs(run: Run, names: list[str]) -> list[Confused]:
    """The most frequent confusions."""
    counts = run.evidence.counts
    n = counts.sum(axis=1)
    true, predicted = np.nonzero(counts)
    wrong = true != predicted  # of many classes nearly all pairs are never confused, and none of these is sorted
    true, predicted = true[wrong], predicted[wrong]
    times = counts[true, predicted]
    return [
        Confused(
            label=names[true[place]],
            predicted=names[predicted[place]],
            times=int(times[place]),
            share=percent(times[place] / n[true[place]]),
        )
        for place in np.argsort(-times, kind="stable")[:PAIRS]
    ]


def alike(run: Run, shown: list[Confused]) -> str | None:
    """How many more pairs are confused as often as the last one shown; None for none."""
    if not shown:
        return None
    counts, last = run.evidence.counts, shown[-1].times
    as_often = int((counts == last).sum() - (counts.diagonal() == last).sum())
    more = as_often - sum(pair.times == last for pair in shown)
    if not more:
        return None
    return f"{more:,} other {'pair is' if more == 1 else 'pairs are'} confused as often as the last of these."


def mistakes(run: Run, names: list[str], room: int) -> MistakeFacts:
    """The mistakes that the model was surest of, as pictures where they are some."""
    found = run.evidence.mistakes
    pictures = len(run.classifier.preparation.shape) == 3
    drawn = mistake_pictures(run, room) if pictures and len(found.labels) else None
    many = len(found.labels) if drawn is None else len(drawn.uris)
    if run.classifier.probabilistic:
        sure = [percent(confidence) for confidence in found.confidence]
    else:
        sure = [short_number(confidence) for confidence in found.confidence]
    tiles = [
        MistakeTile(
            label=names[found.labels[k]],
            predicted=names[found.predicted[k]],
            sure=sure[k],
            uri=None if drawn is None else drawn.uris[k],
        )
        for k in range(many)
    ]
    return MistakeFacts(
        tiles=tiles,
        pictures=pictures,
        wrong=run.evidence.n - run.evidence.correct,
        probabilistic=run.classifier.probabilistic,
    )


def _error(run: Run, of_bars: float, bins: int) -> str:
    """The expected calibration error in sentences; of the figure's bins where the run measured no other."""
    measured, temperature = run.numbers.test.metrics or {}, run.numbers.test.temperature
    found, scaled = measured.get(METRICS["calibration_error"].name), measured.get(SCALED.name)
    apart = "the difference of the two in each of {} bins, averaged over the examples, is {:.4f}"
    if found is None:
        return f"The expected calibration error, {apart.format(bins, of_bars)}."
    sentence = f"The expected calibration error, {apart.format(BINS, found.value)}"
    if scaled is None or temperature is None:
        return f"{sentence}."
    return (
        f"{sentence}; with scores divided by {number(temperature)}, the temperature that suits validation best, it "
        f"would be {scaled.value:.4f}."
    )


def calibration(run: Run) -> CalibrationFacts:
    """Whether its confidence can be believed: the expected calibration error and its bins, or why there are none."""
    found, bars = run.evidence.reliability, reliability(run)
    if found is None or bars is None:
        return CalibrationFacts(
            why="An SVM's scores are margins and no probabilities: it never says how sure it is, so that there is "
            "nothing to compare with how often it is right. Train with softmax for that."
        )
    n = sum(one.n for one in bars.seen)
    sure = sum(one.confidence * one.n for one in bars.seen) / n
    right = sum(one.accuracy * one.n for one in bars.seen) / n
    low, high = wilson_interval(run.evidence.correct, run.evidence.n)
    if low <= sure <= high:
        lean = f"that is the same, within the noise of {counted(run.evidence.n, 'example')}"
    else:
        lean = f"it is {'surer than it is right' if sure > right else 'right more often than it is sure'}"
    rows = [
        BinFacts(
            bin=f"{100 * one.low:.0f} to {100 * one.high:.0f} %",
            n=f"{one.n:,}",
            confidence=percent(one.confidence),
            accuracy=percent(one.accuracy),
            interval=f"{100 * one.interval[0]:.1f} to {percent(one.interval[1])}",
        )
        for one in bars.seen
    ]
    return CalibrationFacts(
        sentence=f"On average it gives its answers a probability of {percent(sure)}, and {percent(right)} of them "
        f"are right: {lean}. {_error(run, found.error, bars.bins)}",
        rows=rows,
        absent=bars.bins - len(rows),
    )

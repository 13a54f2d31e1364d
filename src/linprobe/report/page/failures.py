"""Where a classifier fails: class by class, pair by pair, picture by picture, and whether it knows."""

from dataclasses import asdict
from typing import Any

import numpy as np

from linprobe.core.measure import per_class, wilson_interval
from linprobe.report.figures import reliability
from linprobe.report.labels import percent, short_number
from linprobe.report.page.names import isolated
from linprobe.report.page.pictures import mistake_pictures
from linprobe.report.run import Run
from linprobe.results.steps import counted

__all__ = ["calibration", "mistakes", "pairs", "recall", "weakest"]

PAIRS = 12
ROW_BYTES = 420  # of HTML in a row of the table of classes


def weakest(run: Run, names: list[str]) -> dict[str, Any]:
    """The headline's card: the class with the lowest recall."""
    card = {"section": "failures", "label": "Where it fails"}
    if run.evidence.correct == run.evidence.n:
        n = run.evidence.n
        right = "The only test example is right." if n == 1 else f"All {n:,} test examples are right."
        return card | {"value": "Nowhere in test", "sentences": [right]}
    worst = _classes(run, names)[0]
    most = f"; {_are(worst['times'])} predicted as {isolated(worst['mistaken_for'])}" if worst["times"] else ""
    sentence = f"The lowest recall of all classes: {worst['right']:,} of {worst['n']:,} recognised{most}."
    name = f"class {worst['class']}" if worst["class"].isdecimal() else worst["class"]
    return card | {"value": name, "sentences": [sentence]}


def _are(count: int) -> str:
    return f"{count:,} {'is' if count == 1 else 'are'}"


def recall(run: Run, names: list[str], room: int) -> dict[str, Any]:
    """Of each class its recall, its 95 % interval and the class it is most often confused with, the lowest first."""
    rows = _classes(run, names)
    left = room
    for kept, row in enumerate(rows):
        left -= ROW_BYTES + 2 * len(row["class"].encode()) + len((row["mistaken_for"] or "").encode())
        if left < 0 and kept:
            return {"rows": rows[:kept], "all": len(rows)}
    return {"rows": rows, "all": len(rows)}


def _classes(run: Run, names: list[str]) -> list[dict[str, Any]]:
    counts, rows = run.evidence.counts, []
    for k, told in enumerate(per_class(counts, names)):
        right = int(counts[k, k])
        low, high = wilson_interval(right, told.n) if told.n else (None, None)
        rows.append({"class": told.name, **asdict(told), "right": right, "low": low, "high": high})
    return sorted(rows, key=lambda row: (row["recall"] is None, row["recall"] or 0))


def pairs(run: Run, names: list[str]) -> list[dict[str, Any]]:
    """The most frequent confusions."""
    wrong = run.evidence.counts.copy()
    n = wrong.sum(axis=1)
    np.fill_diagonal(wrong, 0)
    flat = wrong.ravel()
    most = np.argsort(-flat, kind="stable")[:PAIRS]
    return [
        {
            "label": names[place // len(names)],
            "predicted": names[place % len(names)],
            "times": int(flat[place]),
            "share": percent(flat[place] / n[place // len(names)]),
        }
        for place in most
        if flat[place]
    ]


def mistakes(run: Run, names: list[str], room: int) -> dict[str, Any]:
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
        {
            "label": names[found.labels[k]],
            "predicted": names[found.predicted[k]],
            "sure": sure[k],
            "uri": None if drawn is None else drawn.uris[k],
        }
        for k in range(many)
    ]
    return {
        "tiles": tiles,
        "pictures": pictures,
        "wrong": run.evidence.n - run.evidence.correct,
        "probabilistic": run.classifier.probabilistic,
    }


def calibration(run: Run) -> dict[str, Any]:
    """Whether its confidence can be believed: the expected calibration error and its bins, or why there are none."""
    found, bars = run.evidence.reliability, reliability(run)
    if found is None or bars is None:
        return {
            "why": "An SVM's scores are margins and no probabilities: it never says how sure it is, so that there is "
            "nothing to compare with how often it is right. Train with softmax for that."
        }
    n = sum(one.n for one in bars.seen)
    sure = sum(one.confidence * one.n for one in bars.seen) / n
    right = sum(one.accuracy * one.n for one in bars.seen) / n
    low, high = wilson_interval(run.evidence.correct, run.evidence.n)
    if low <= sure <= high:
        lean = f"that is the same, within the noise of {counted(run.evidence.n, 'example')}"
    else:
        lean = f"it is {'surer than it is right' if sure > right else 'right more often than it is sure'}"
    rows = [
        {
            "bin": f"{100 * one.low:.0f} to {100 * one.high:.0f} %",
            "n": f"{one.n:,}",
            "confidence": percent(one.confidence),
            "accuracy": percent(one.accuracy),
            "interval": f"{100 * one.interval[0]:.1f} to {percent(one.interval[1])}",
        }
        for one in bars.seen
    ]
    return {
        "why": None,
        "error": f"{found.error:.4f}",
        "sentence": f"On average it gives its answers a probability of {percent(sure)}, and {percent(right)} of them "
        f"are right: {lean}. The expected calibration error, the difference of the two in each of {bars.bins} bins, "
        f"averaged over the examples, is {found.error:.4f}.",
        "rows": rows,
        "absent": bars.bins - len(rows),
    }

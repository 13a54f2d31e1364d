"""What is plotted: data and layout of plotly's figures, as it documents them, and what is said about them."""

import base64
import math
from typing import Any

import numpy as np

from linprobe.core.measure import wilson_interval
from linprobe.report.page.names import class_names, in_figure
from linprobe.report.page.settings import Settings, screened_of, settings_of
from linprobe.report.page.views import GAPS, WIDE, Figure, view
from linprobe.report.run import Run
from linprobe.report.words import percent
from linprobe.results import LowestObjective
from linprobe.steps import counted

# Wider below than above: where they run together, all of them are seen.
BEST = (("chosen", "--first", "solid", 2), ("second", "--second", "dash", 4), ("third", "--third", "dot", 6))
CURVE_BYTES = 230  # of JSON around a curve
SHORT = 16  # characters of a class on an axis
IN_WORDS = 900  # cells of a confusion matrix that each get a sentence
TICKS = (0, 1, 5, 25, 50, 100)  # per cent


def figures(run: Run, room: dict[str, int]) -> dict[str, Figure]:
    """The figures by their names; room: bytes for each of them."""
    grid, settings, screened = run.numbers.grid, settings_of(run), screened_of(run)
    trials = bool(grid.trials)
    marked = list(settings.rows) if screened is not None else None
    found = {
        "grid": view(screened or settings, room["grid"], trials=trials, marked=marked),
        "losses": _losses(run, settings, room["losses"]),
        "confusion": _confusion(run, room["confusion"]),
        "reliability": _reliability(run),
    }
    return {name: figure for name, figure in found.items() if figure is not None}


def _losses(run: Run, settings: Settings, room: int) -> Figure | None:
    """The objective on the batches of every head, the best three on top; fewer of the others where there are many."""
    steps, curves = run.steps, run.curves
    if not len(steps):
        return None
    order = settings.order
    best = [k for k in order if settings.rows[k].val_accuracy is not None][: len(BEST)]
    others = [k for k in order if k not in best]
    most = max(0, (room - 12 * len(steps)) // (6 * len(steps) + CURVE_BYTES) - len(best))
    if len(others) > most:
        others = [others[place * len(others) // most] for place in range(most)]
    lost = [k for k in others if settings.rows[k].status == "diverged"]
    faint = [k for k in others if k not in lost]
    y = np.where(np.isfinite(curves), curves, np.nan).astype(np.float32)
    mode = "lines" if len(steps) > 2 else "lines+markers"

    def curve(k: int, name: str, line: dict[str, Any], **other: Any) -> dict[str, Any]:
        told = {"hovertemplate": "%{fullData.name}<br>iteration %{x}: <b>%{y:.4g}</b><extra></extra>"}
        return {"type": "scatter", "mode": mode, "name": name, "y": _packed(y[:, k], "f4"), "line": line} | told | other

    hidden = {"showlegend": False}
    data = [curve(k, settings.named(k), {"color": "--faint", "width": 1}, **hidden) for k in reversed(faint)]
    if faint:
        rest = "the other one" if len(faint) == 1 else f"the other {len(faint):,}"
        data.append(_only_named(rest, {"color": "--faint", "width": 1}))
    gone = {"color": "--bad", "width": 1, "dash": "dashdot"}
    data += [curve(k, f"diverged: {settings.named(k)}", gone, **hidden) for k in lost]
    if lost:
        data.append(_only_named(f"diverged ({len(lost):,})", gone))
    for rank, (k, (word, colour, dash, width)) in reversed(list(enumerate(zip(best, BEST, strict=False)))):
        line = {"color": colour, "dash": dash, "width": width}
        data.append(curve(k, f"{word}: {settings.named(k)}", line, legendrank=rank))
    optimum = run.numbers.optimum
    lowest = optimum.objective if isinstance(optimum, LowestObjective) else None
    if lowest is not None:
        ends, line = [int(steps[0]), int(steps[-1])], {"color": "--good", "width": 2, "dash": "longdash"}
        data.append({"type": "scatter", "mode": "lines", "name": "lowest possible at the chosen reg", "line": line})
        data[-1] |= {"x": ends, "y": [lowest] * 2, "hovertemplate": "lowest possible: %{y:.6g}<extra></extra>"}
    shown = np.concatenate([y[:, [*best, *faint]].ravel(), [np.nan if lowest is None else lowest]])
    axis, log = _range(shown[np.isfinite(shown)])
    left_out = len(order) - len(best) - len(others)
    caption = f"Recorded {counted(len(steps), 'time')} along the way, on that step's batch, the penalty included."
    if left_out:
        caption += (
            f" To keep the page small, {left_out:,} of the {len(order):,} curves are left out, evenly by accuracy."
        )
    if lost:
        caption += " Curves that diverged leave the plot."
    return Figure(
        label=f"Lines: the objective of {counted(len(best) + len(others), 'setting')} along the iterations; the chosen "
        f"one is {settings.named(settings.best)}",
        caption=caption,
        data=data,
        layout={
            "xaxis": {"title": {"text": "iteration"}},
            "yaxis": {"title": {"text": f"objective{' (logarithmic scale)' if log else ''}"}, **axis},
        },
        more={"x": [int(step) for step in steps]},
    )


def _only_named(name: str, line: dict[str, Any]) -> dict[str, Any]:
    """A line of the legend that stands for many."""
    return {"type": "scatter", "mode": "lines", "name": name, "x": [None], "y": [None], "line": line}


def _range(values: np.ndarray) -> tuple[dict[str, Any], bool]:
    """The axis that shows these values, whatever others do."""
    if not len(values):
        return {}, False
    low, high = float(values.min()), float(values.max())
    if low > 0 and high > WIDE * low:
        a, b = math.log10(low), math.log10(high)
        return {"type": "log", "range": [a - 0.04 * (b - a), b + 0.04 * (b - a)]}, True
    edge = 0.04 * (high - low) or 0.1 * abs(high) or 1.0
    return {"range": [low - edge, high + edge]}, False


def _confusion(run: Run, room: int) -> Figure:
    """Counts, coloured by their share of the true class; of very many classes, sums over some at a time."""
    counts, names = run.evidence.counts, class_names(run.classifier.classes)
    short = class_names(names, SHORT)
    K = len(names)
    block = math.ceil(K / max(2, math.isqrt(room // 5)))
    if block > 1:
        starts = np.arange(0, K, block)
        counts = np.add.reduceat(np.add.reduceat(counts, starts, axis=0), starts, axis=1)
        short = [f"{short[start]} …" for start in starts]
    share = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    labels = [in_figure(name) for name in short]
    told = block == 1 and counts.size <= IN_WORDS and room > 100 * counts.size
    heat = {
        "type": "heatmap",
        "x": labels,
        "y": labels,
        # The square root lets the few per cent that errors usually are be seen; without it they look like none.
        "z": _packed(np.rint(255 * np.sqrt(share)).astype(np.uint8), "u1"),
        "zmin": 0,
        "zmax": 255,
        "text": [[int(count) if count or not told else "" for count in row] for row in counts],
        "hovertemplate": "<b>%{y}</b> predicted as <b>%{x}</b>: %{text}<extra></extra>",
        "colorscale": "--share",
        "colorbar": {
            "title": {"text": "share of the true class", "side": "right"},
            "tickvals": [round(255 * math.sqrt(tick / 100)) for tick in TICKS],
            "ticktext": [f"{tick} %" for tick in TICKS],
        },
        "xgap": int(len(labels) <= GAPS),
        "ygap": int(len(labels) <= GAPS),
    }
    if told:
        whole = [in_figure(name) for name in names]
        heat["hovertext"] = [[_sentence(counts, whole, i, j) for j in range(K)] for i in range(K)]
        heat["hovertemplate"] = "%{hovertext}<extra></extra>"
    caption = "A row for each true class, a column for each predicted class; the diagonal is right."
    if block > 1:
        caption += (
            f" Of {K:,} classes, each cell sums {block:,} by {block:,}, named by the first of them; the tables have "
            "the single ones."
        )
    category = {"type": "category", "categoryarray": labels, "showgrid": False}
    ends = [-0.5, len(labels) - 0.5]
    return Figure(
        label=f"Heat map: confusion matrix of {counted(run.evidence.n, 'test example')} in {K:,} classes, "
        f"{run.evidence.correct:,} on the diagonal",
        caption=caption,
        data=[heat],
        layout={
            "xaxis": category | {"title": {"text": "predicted as"}, "range": ends},
            "yaxis": category | {"title": {"text": "true class"}, "range": ends[::-1]},
        },
        cells=(len(labels), len(labels), len(str(int(counts.max(initial=0))))),
        shape="square",
    )


def _sentence(counts: np.ndarray, names: list[str], i: int, j: int) -> str:
    count, n = int(counts[i, j]), int(counts[i].sum())
    if not n:
        return f"no examples of <b>{names[i]}</b> in test"
    what = "recognised" if i == j else f"predicted as <b>{names[j]}</b>"
    return f"{count:,} of {n:,} examples of <b>{names[i]}</b> {what} ({percent(count / n)})"


def _reliability(run: Run) -> Figure | None:
    """How often predictions of a confidence are right, with how many there are of each."""
    found = run.evidence.reliability
    if found is None:
        return None
    bins = len(found.n)
    seen = [k for k in range(bins) if found.n[k]]
    right = [round(found.accuracy[k] * found.n[k]) for k in seen]
    intervals = [wilson_interval(count, int(found.n[k])) for count, k in zip(right, seen, strict=True)]
    x = [100 * (k + 0.5) / bins for k in seen]
    accuracy = [100 * float(found.accuracy[k]) for k in seen]
    told = [
        f"confidence {100 * k / bins:.0f} to {100 * (k + 1) / bins:.0f} %, {percent(found.confidence[k])} on average"
        f"<br><b>{count:,} of {found.n[k]:,}</b> right: {percent(count / found.n[k])} "
        f"(95\u00a0% interval {100 * low:.1f} to {percent(high)})"
        for k, count, (low, high) in zip(seen, right, intervals, strict=True)
    ]
    words = {"text": told, "hovertemplate": "%{text}<extra></extra>", "textposition": "none"}
    bar = {"type": "bar", "x": x, "width": 94 / bins}
    reach = {
        "type": "data",
        "symmetric": False,
        "array": [max(0.0, 100 * high - value) for value, (_, high) in zip(accuracy, intervals, strict=True)],
        "arrayminus": [max(0.0, value - 100 * low) for value, (low, _) in zip(accuracy, intervals, strict=True)],
        "color": "--ink",
        "thickness": 1.5,
        "width": 4,
    }
    data = [
        bar | words | {"name": "share that is right", "y": accuracy, "error_y": reach, "marker": {"color": "--bar"}},
        {"type": "scatter", "mode": "lines", "name": "as often right as sure", "x": [0, 100], "y": [0, 100]}
        | {"line": {"color": "--ink", "dash": "dash", "width": 1.5}, "hoverinfo": "skip"},
        bar | words | {"name": "examples", "y": [int(found.n[k]) for k in seen], "yaxis": "y2", "showlegend": False}
        | {"marker": {"color": "--faint"}},
    ]  # fmt: skip
    return Figure(
        label=f"Bars: share of right predictions in {bins} bins of confidence, and how many examples each has",
        caption="Above: of the predictions with a confidence in each bin, the share that is right, with its 95 % "
        "interval; on the dashed line it would be as often right as it was sure. Below: how many there are.",
        data=data,
        layout={
            "xaxis": {"title": {"text": "confidence"}, "range": [0, 100], "anchor": "y2", "ticksuffix": " %"},
            "yaxis": {"title": {"text": "right"}, "range": [0, 102], "domain": [0.34, 1], "ticksuffix": " %"},
            "yaxis2": {"title": {"text": "examples"}, "domain": [0, 0.24], "nticks": 4},
        },
    )


def _packed(values: np.ndarray, kind: str) -> dict[str, str]:
    """An array as plotly reads it, in base64: a third of its size as text, and NaN is possible."""
    raw = np.ascontiguousarray(values, f"<{kind}").tobytes()
    packed = {"dtype": kind, "bdata": base64.b64encode(raw).decode()}
    return packed | ({"shape": ", ".join(map(str, values.shape))} if values.ndim > 1 else {})

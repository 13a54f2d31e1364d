"""What is plotted: data and layout of plotly's figures, as it documents them, and what is said about them."""

import base64
import math
from typing import Any

import numpy as np

from linprobe.report import figures as of_run
from linprobe.report.labels import percent
from linprobe.report.page.names import class_names, in_figure
from linprobe.report.page.views import GAPS, Figure, Plotly, view
from linprobe.report.run import Run
from linprobe.results.steps import counted

__all__ = ["figures_of"]

# Wider below than above: where they run together, all of them are seen.
LOOKS = (("--first", "solid", 2), ("--second", "dash", 4), ("--third", "dot", 6))
CURVE_BYTES = 230  # of JSON around a curve
SHORT = 16  # characters of a class on an axis
IN_WORDS = 900  # cells of a confusion matrix that each get a sentence
TICKS = (0, 1, 5, 25, 50, 100)  # per cent


def figures_of(run: Run, room: dict[str, int]) -> dict[str, Figure]:
    """The figures by their names; room: bytes for each of them."""
    found = {
        "grid": view(run, room["grid"]),
        "losses": _losses(run, room["losses"]),
        "confusion": _confusion(of_run.confusion(run), room["confusion"]),
        "reliability": _reliability(of_run.reliability(run)),
    }
    return {name: figure for name, figure in found.items() if figure is not None}


def _losses(run: Run, room: int) -> Figure | None:
    """The objective on the batches of every head, the best three on top; fewer of the others where there are many."""
    R = len(run.steps)
    found = of_run.losses(run, max(0, (room - 12 * R) // (6 * R + CURVE_BYTES) - len(of_run.BEST)))
    if found is None:
        return None
    steps, settings, best, others, lost = found.steps, found.settings, found.best, found.others, found.lost
    mode = "lines" if len(steps) > 2 else "lines+markers"

    def curve(k: int, name: str, line: Plotly, **other: Any) -> Plotly:
        told = {"hovertemplate": "%{fullData.name}<br>iteration %{x}: <b>%{y:.4g}</b><extra></extra>"}
        y = _packed(found.curves[:, k], "f4")
        return {"type": "scatter", "mode": mode, "name": name, "y": y, "line": line} | told | other

    hidden = {"showlegend": False}
    traces = [curve(k, settings.named(k), {"color": "--faint", "width": 1}, **hidden) for k in reversed(others)]
    if others:
        rest = "the other one" if len(others) == 1 else f"the other {len(others):,}"
        traces.append(_only_named(rest, {"color": "--faint", "width": 1}))
    gone = {"color": "--bad", "width": 1, "dash": "dashdot"}
    traces += [curve(k, f"diverged: {settings.named(k)}", gone, **hidden) for k in lost]
    if lost:
        traces.append(_only_named(f"diverged ({len(lost):,})", gone))
    named = list(enumerate(zip(best, of_run.BEST, LOOKS, strict=False)))
    for rank, (k, word, (colour, dash, width)) in reversed(named):
        line = {"color": colour, "dash": dash, "width": width}
        traces.append(curve(k, f"{word}: {settings.named(k)}", line, legendrank=rank))
    if found.lowest is not None:
        ends, line = [int(steps[0]), int(steps[-1])], {"color": "--good", "width": 2, "dash": "longdash"}
        traces.append({"type": "scatter", "mode": "lines", "name": "lowest possible at the chosen reg", "line": line})
        traces[-1] |= {"x": ends, "y": [found.lowest] * 2, "hovertemplate": "lowest possible: %{y:.6g}<extra></extra>"}
    log = found.scale == "log"
    axis = ({"type": "log"} if log else {}) | ({} if found.limits is None else {"range": list(found.limits)})
    caption = f"Recorded {counted(len(steps), 'time')} along the way, on that step's batch, the penalty included."
    if found.left_out:
        caption += (
            f" To keep the page small, {found.left_out:,} of the {len(settings.rows):,} curves are left out, evenly by "
            "accuracy."
        )
    if lost:
        caption += " Curves that diverged leave the plot."
    return Figure(
        label=f"Lines: the objective of {counted(len(best) + len(others) + len(lost), 'setting')} along the "
        f"iterations; the chosen one is {settings.named(settings.best)}",
        caption=caption,
        data=traces,
        layout={
            "xaxis": {"title": {"text": "iteration"}},
            "yaxis": {"title": {"text": f"objective{' (logarithmic scale)' if log else ''}"}, **axis},
        },
        x=[int(step) for step in steps],
    )


def _only_named(name: str, line: Plotly) -> Plotly:
    """A line of the legend that stands for many."""
    return {"type": "scatter", "mode": "lines", "name": name, "x": [None], "y": [None], "line": line}


def _confusion(found: of_run.Confusion, room: int) -> Figure:
    """Counts, coloured by their share of the true class; of very many classes, sums over some at a time."""
    names = class_names(found.classes)
    short = class_names(names, SHORT)
    K = len(names)
    block = math.ceil(K / max(2, math.isqrt(room // 5)))
    shown = found.summed(block) if block > 1 else found
    if block > 1:
        short = [f"{name} …" for name in short[::block]]
    counts = shown.counts
    labels = [in_figure(name) for name in short]
    told = block == 1 and counts.size <= IN_WORDS and room > 100 * counts.size
    heat = {
        "type": "heatmap",
        "x": labels,
        "y": labels,
        "z": _packed(np.rint(255 * shown.shade).astype(np.uint8), "u1"),
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
        label=f"Heat map: confusion matrix of {counted(found.n, 'test example')} in {K:,} classes, "
        f"{found.correct:,} on the diagonal",
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


def _reliability(found: of_run.ReliabilityBars | None) -> Figure | None:
    """How often predictions of a confidence are right, with how many there are of each."""
    if found is None:
        return None
    bins, seen = found.bins, found.seen
    x = [50 * (one.low + one.high) for one in seen]
    told = [
        f"confidence {100 * one.low:.0f} to {100 * one.high:.0f} %, {percent(one.confidence)} on average"
        f"<br><b>{one.right:,} of {one.n:,}</b> right: {percent(one.right / one.n)} "
        f"(95\u00a0% interval {100 * one.interval[0]:.1f} to {percent(one.interval[1])})"
        for one in seen
    ]
    words = {"text": told, "hovertemplate": "%{text}<extra></extra>", "textposition": "none"}
    bar = {"type": "bar", "x": x, "width": 94 / bins}
    reach = {
        "type": "data",
        "symmetric": False,
        "array": [max(0.0, 100 * (one.interval[1] - one.accuracy)) for one in seen],
        "arrayminus": [max(0.0, 100 * (one.accuracy - one.interval[0])) for one in seen],
        "color": "--ink",
        "thickness": 1.5,
        "width": 4,
    }
    traces = [
        bar | words | {"name": "share that is right", "y": [100 * one.accuracy for one in seen]}
        | {"error_y": reach, "marker": {"color": "--bar"}},
        {"type": "scatter", "mode": "lines", "name": "as often right as sure", "x": [0, 100], "y": [0, 100]}
        | {"line": {"color": "--ink", "dash": "dash", "width": 1.5}, "hoverinfo": "skip"},
        bar | words | {"name": "examples", "y": [one.n for one in seen], "yaxis": "y2", "showlegend": False}
        | {"marker": {"color": "--faint"}},
    ]  # fmt: skip
    return Figure(
        label=f"Bars: share of right predictions in {bins} bins of confidence, and how many examples each has",
        caption="Above: of the predictions with a confidence in each bin, the share that is right, with its 95 % "
        "interval; on the dashed line it would be as often right as it was sure. Below: how many there are.",
        data=traces,
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

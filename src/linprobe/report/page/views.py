"""How a comparison of settings is plotted: a heat map over two axes, lines along one, points for random trials."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from linprobe.report import figures as of_run
from linprobe.report.labels import short_numbers
from linprobe.report.run import Run
from linprobe.report.settings import Settings, cell
from linprobe.results import Tried
from linprobe.results.steps import AXES, TITLES

__all__ = ["GAPS", "Figure", "Plotly", "view"]

Plotly = dict[str, Any]  # a trace, a layout, or a part of one, with the keys that plotly documents

GAPS = 40  # rows or columns of a map; more of them stand without gaps between them
POINT_BYTES = 100  # of JSON for a setting without its hover


@dataclass(frozen=True, eq=False)
class Figure:
    """A figure: its name for those who do not see it, what is said below it, and data and layout as plotly documents.

    Colours are names of the page's CSS variables. cells: rows, columns and characters of a map with numbers in its
    cells, which are left out where they do not fit. x: of all traces that have none of their own.
    """

    label: str
    caption: str
    data: list[Plotly]
    layout: Plotly
    cells: tuple[int, int, int] | None = None
    shape: str = "wide"
    x: list[Any] | None = None

    def plot(self) -> Plotly:
        """What the page's script draws."""
        shared = {} if self.x is None else {"x": self.x}
        return {"data": self.data, "layout": self.layout, "cells": self.cells, **shared}


def view(run: Run, room: int) -> Figure | None:
    """The fitting plot of all settings, None for a single one."""
    most = room // POINT_BYTES
    found = of_run.path(run, most) or of_run.grid(run, most)
    match found:
        case of_run.PathLines():
            return _lines(found, _Hover(found.settings, room))
        case of_run.TrialPoints():
            return _points(found, _Hover(found.settings, room))
        case of_run.Map():
            return _map(found, _Hover(found.settings, room))
    return None


class _Hover:
    """What a setting says when pointed at: all its figures, or where that would take too much room, its place alone."""

    def __init__(self, settings: Settings, room: int) -> None:
        size = sum(len(one.encode()) + 3 for one in settings.cells(settings.best))
        self.settings, self.whole = settings, len(settings.rows) * (size + POINT_BYTES) <= room

    def adds(self, places: Any, **plain: str) -> Plotly:
        """The keys of a trace; places: of its settings, nested as it has them; plain: title -> what plotly knows."""
        if not self.whole:
            lines = [f"{title} <b>%{{{known}}}</b>" for title, known in plain.items()]
            return {"hovertemplate": "<br>".join(lines).replace("_", " ") + "<extra></extra>"}
        columns = self.settings.columns
        lines = [f"{TITLES[name]} <b>%{{customdata[{place}]}}</b>" for place, name in enumerate(columns)]
        return {"customdata": self._cells(places), "hovertemplate": "<br>".join(lines) + "<extra></extra>"}

    def _cells(self, places: Any) -> Any:
        if isinstance(places, list):
            return [self._cells(place) for place in places]
        return None if places is None else self.settings.cells(places)

    @property
    def said(self) -> str:
        what = "Point at a setting for all its figures" if self.whole else "Point at a setting for its accuracy"
        return f"{what}; the table below has {'them too' if self.whole else 'more, and results.csv all'}."


def _map(found: of_run.Map, hover: _Hover) -> Figure:
    """A cell for every pair of values: the best of what differs in other axes too."""
    settings, down, across = found.settings, found.down, found.across
    names_y, names_x = _names(found.ys), _names(found.xs)
    known = np.isfinite(found.accuracy)
    heat = {
        "type": "heatmap",
        "x": names_x,
        "y": names_y,
        # Cells show three digits: of four they would round again.
        "z": _nested(np.where(known, found.accuracy.round(6), np.nan), known),
        **hover.adds(_nested(found.heads, known), **{down: "y", across: "x", "validation": "z:.4f"}),
        "hoverongaps": False,
        **_colours(found.limits, "z"),
        "xgap": int(len(names_x) <= GAPS),
        "ygap": int(len(names_y) <= GAPS),
    }

    def place(row: Tried) -> tuple[str, str]:
        return names_x[found.xs.index(row.setting[across])], names_y[found.ys.index(row.setting[down])]

    y, x = found.frame
    frame = {"type": "rect", "x0": x - 0.5, "x1": x + 0.5, "y0": y - 0.5, "y1": y + 0.5}
    frames = [frame | {"line": {"color": colour, "width": width}} for colour, width in (("--paper", 7), ("--ink", 3))]
    for y, x in found.marked:
        frame = {"type": "rect", "x0": x - 0.4, "x1": x + 0.4, "y0": y - 0.38, "y1": y + 0.38}
        frames.append(frame | {"line": {"color": "--paper", "width": 4}})
        frames.append(frame | {"line": {"color": "--ink", "width": 2, "dash": "dot"}})
    caption = f"Framed: the chosen setting. {hover.said}"
    if found.others:
        caption = f"Each cell has the best of all values of {' and '.join(found.others)}. {caption}"
    if found.lost:
        caption += f" Crosses: {len(found.lost):,} that diverged."
    if found.marked:
        kept = "the one that was" if len(found.marked) == 1 else f"the {len(found.marked):,} that were"
        caption += f" Dotted: {kept} retrained on all features."
    return Figure(
        label=f"Heat map: validation accuracy of {len(settings.rows):,} settings over {AXES[down]} and {AXES[across]}; "
        f"the best has {settings.named(settings.best)}",
        caption=caption,
        data=[heat, *_crosses(settings, found.lost, place)],
        layout={
            "xaxis": _axis(across) | _category(names_x),
            "yaxis": _axis(down) | _category(names_y),
            "shapes": frames,
        },
        cells=(len(names_y), len(names_x), 5),
    )


def _points(found: of_run.TrialPoints, hover: _Hover) -> Figure:
    """A point for every random trial, for the best of very many."""
    settings, down, across, trained = found.settings, found.down, found.across, found.trained
    rows = settings.rows
    points = {
        "type": "scatter",
        "mode": "markers",
        "name": "setting",
        "showlegend": False,
        "x": [rows[k].setting[across] for k in trained],
        "y": [rows[k].setting[down] for k in trained],
        **hover.adds(trained, **{across: "x", down: "y", "validation": "marker.color:.4f"}),
        "marker": {
            "color": [round(settings.accuracy(k), 4) for k in trained],
            **_colours(found.limits, "c"),
            "size": 13,
            "line": {"color": "--line", "width": 1},
        },
    }

    def place(row: Tried) -> tuple[float, float]:
        return row.setting[across], row.setting[down]

    ring = _ring([place(rows[settings.best])], "chosen", "--ink", 22)
    caption = f"Random trials; the ring is the chosen one. {hover.said}{_kept(found.left_out, len(rows), 'best ')}"
    if found.lost:
        caption += f" Crosses: {len(found.lost):,} that diverged."
    return Figure(
        label=f"Points: validation accuracy of {len(rows):,} random settings over {AXES[down]} and {AXES[across]}; "
        f"the best has {settings.named(settings.best)}",
        caption=caption,
        data=[points, ring, *_crosses(settings, found.lost, place), *_rings(found.marked, place)],
        layout={"xaxis": _axis(across, found.scales[across]), "yaxis": _axis(down, found.scales[down])},
    )


def _lines(found: of_run.PathLines, hover: _Hover) -> Figure:
    """What settings were chosen by along the only axis, for some of very many values: accuracy on train too."""
    settings, along, trained, lost = found.settings, found.along, found.trained, found.lost
    rows, intervals = settings.rows, found.intervals
    shown = sorted([*trained, *lost], key=found.value)
    names = dict(zip(shown, _names([found.value(k) for k in shown]), strict=True))

    def at(k: int) -> Any:
        return names[k] if found.scale == "category" else found.value(k)

    x = [at(k) for k in trained]
    of_accuracy, measured = settings.by_accuracy, settings.metric.label
    val = [settings.figure(k) for k in trained]
    line = {"type": "scatter"}
    band = line | {"mode": "lines", "line": {"width": 0}, "hoverinfo": "skip", "showlegend": False}
    bands: list[Plotly] = [
        band | {"y": [round(low, 5) for low, _ in intervals]},
        band
        | {"y": [round(high, 5) for _, high in intervals], "fill": "tonexty", "fillcolor": "--band"}
        | {"name": "95\u00a0% interval of validation", "showlegend": True},
    ]
    data = bands if of_accuracy else []
    folds = [(at(k), value) for k in trained for value in rows[k].fold_accuracy or ()]
    if folds and of_accuracy:
        marks = {"size": 5, "color": "--muted", "symbol": "circle-open"}
        data.append(_marks(folds, "each fold", marks) | {"hovertemplate": "one fold: %{y:.4f}<extra></extra>"})
    if of_accuracy:
        data.append(
            line
            | {"mode": "lines", "name": "train", "y": [rows[k].train_accuracy for k in trained]}
            | {"line": {"color": "--muted", "dash": "dash"}, "hovertemplate": "train <b>%{y:.4f}</b><extra></extra>"}
        )
    data += [
        line
        | {"mode": "lines+markers", "name": "validation", "y": val, "marker": {"size": 7}}
        | {"line": {"color": "--accent", "width": 2.5}}
        | hover.adds(trained, **{along: "x", "validation": "y:.4f"}),
        _ring([(at(settings.best), settings.figure(settings.best))], "chosen", "--ink", 16),
    ]
    if lost:
        floor = min([low for low, _ in intervals] or val)
        told = [f"{AXES[along]} {cell(along, found.value(k))}: diverged" for k in lost]
        marks = {"symbol": "x", "size": 10, "color": "--bad"}
        data.append(_marks([(at(k), floor) for k in lost], "diverged", marks) | _telling(told))
    return Figure(
        label=f"Lines: {measured} on {'train and ' * of_accuracy}validation of {len(rows):,} values of {AXES[along]}; "
        f"validation is best "
        f"at {settings.named(settings.best)}",
        caption=f"Ringed: the chosen setting. {hover.said}{_kept(found.left_out, len(rows))}",
        data=data,
        layout={"xaxis": _axis(along, found.scale), "yaxis": {"title": {"text": measured}}},
        x=x,
    )


def _kept(left_out: int, count: int, which: str = "") -> str:
    return f" Drawn are the {which}{count - left_out:,} of {count:,}, to keep the page small." if left_out else ""


def _marks(points: list[tuple[Any, Any]], name: str, marker: Plotly) -> Plotly:
    xs, ys = ([point[place] for point in points] for place in (0, 1))
    return {"type": "scatter", "mode": "markers", "name": name, "x": xs, "y": ys, "marker": marker}


def _ring(points: list[tuple[Any, Any]], name: str, colour: str, size: int) -> Plotly:
    marker = {"symbol": "circle-open", "size": size, "color": colour, "line": {"width": 3}}
    return _marks(points, name, marker) | {"hoverinfo": "skip"}


def _crosses(settings: Settings, lost: list[int], place: Any) -> list[Plotly]:
    """The settings that diverged."""
    if not lost:
        return []
    rows = [settings.rows[k] for k in lost]
    told = [f"{settings.named(k)}: diverged" for k in lost]
    marker = {"symbol": "x", "size": 9, "color": "--bad"}
    return [_marks([place(row) for row in rows], "diverged", marker) | _telling(told)]


def _rings(marked: Sequence[Tried], place: Any) -> list[Plotly]:
    return [_ring([place(row) for row in marked], "retrained", "--accent", 20)] if marked else []


def _telling(told: list[str]) -> Plotly:
    return {"text": told, "hovertemplate": "%{text}<extra></extra>"}


def _axis(name: str, scale: of_run.Scale = "linear") -> Plotly:
    return {"title": {"text": AXES[name]}} | ({} if scale == "linear" else {"type": scale})


def _category(names: list[str]) -> Plotly:
    return {"type": "category", "categoryarray": names, "range": [-0.5, len(names) - 0.5], "showgrid": False}


def _colours(limits: tuple[float, float], of: str) -> Plotly:
    """The scale of validation accuracy, as the attributes of plotly's that begin with z or c."""
    return {
        "colorscale": "--ordered",
        "colorbar": {"title": {"text": "validation accuracy", "side": "right"}},
        f"{of}min": limits[0],
        f"{of}max": limits[1],
    }


def _nested(values: np.ndarray, known: np.ndarray) -> list[list[Any]]:
    """Values (Y, X) as JSON has them, None where they are not known."""
    pairs = zip(values.tolist(), known.tolist(), strict=True)
    return [[value if seen else None for value, seen in zip(*pair, strict=True)] for pair in pairs]


def _names(values: list[float]) -> list[str]:
    """Values as names of a figure's rows, each a different one."""
    names = short_numbers(values)
    return names if len(set(names)) == len(values) else [repr(value) for value in values]

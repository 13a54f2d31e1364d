"""How a comparison of settings is plotted: a heat map over two axes, lines along one, points for random trials."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from linprobe.core.measure import wilson_interval
from linprobe.report.page.settings import Settings, cell
from linprobe.report.words import short_numbers
from linprobe.results import Tried
from linprobe.steps import AXES, TITLES

WIDE = 20  # an axis whose values span a larger factor is logarithmic
GAPS = 40  # rows or columns of a map; more of them stand without gaps between them
POINT_BYTES = 100  # of JSON for a setting without its hover


@dataclass(frozen=True, eq=False)
class Figure:
    """A figure: its name for those who do not see it, what is said below it, and data and layout as plotly documents.

    Colours are names of the page's CSS variables. cells: rows, columns and characters of a map with numbers in its
    cells, which are left out where they do not fit.
    """

    label: str
    caption: str
    data: list[dict[str, Any]]
    layout: dict[str, Any]
    cells: tuple[int, int, int] | None = None
    shape: str = "wide"
    more: dict[str, Any] = field(default_factory=dict)

    def plot(self) -> dict[str, Any]:
        """What the page's script draws."""
        return {"data": self.data, "layout": self.layout, "cells": self.cells, **self.more}


def view(settings: Settings, room: int, *, trials: bool, marked: Sequence[Tried] | None = None) -> Figure | None:
    """The fitting plot of all settings, None for a single one; marked: those that were retrained on all features."""
    varied = settings.varied
    if not varied:
        return None
    hover = _Hover(settings, room)
    most = room // POINT_BYTES
    if len(varied) == 1:
        return _lines(settings, varied[0], hover, most)
    down, across = varied[:2]
    if trials:
        return _points(settings, down, across, hover, marked or [], most)
    return _map(settings, down, across, hover, marked or [])


class _Hover:
    """What a setting says when pointed at: all its figures, or where that would take too much room, its place alone."""

    def __init__(self, settings: Settings, room: int) -> None:
        size = sum(len(one.encode()) + 3 for one in settings.cells(settings.best))
        self.settings, self.whole = settings, len(settings.rows) * (size + POINT_BYTES) <= room

    def adds(self, places: Any, **plain: str) -> dict[str, Any]:
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


def _map(settings: Settings, down: str, across: str, hover: _Hover, marked: Sequence[Tried]) -> Figure:
    """A cell for every pair of values: the best of what differs in other axes too."""
    rows = settings.rows
    ys, xs = (sorted({row.setting[name] for row in rows}) for name in (down, across))
    of_y, of_x = ({value: place for place, value in enumerate(values)} for values in (ys, xs))
    best: dict[tuple[int, int], int] = {}
    for k in reversed(settings.order):
        best[of_y[rows[k].setting[down]], of_x[rows[k].setting[across]]] = k
    names_y, names_x = _names(ys), _names(xs)
    z: list[list[float | None]] = [[None] * len(xs) for _ in ys]
    shown: list[list[int | None]] = [[None] * len(xs) for _ in ys]
    lost = []
    for (y, x), k in best.items():
        accuracy = rows[k].val_accuracy
        if accuracy is None:
            lost.append(k)
        else:
            z[y][x], shown[y][x] = round(accuracy, 6), k  # cells show three digits: of four they would round again
    heat = {
        "type": "heatmap",
        "x": names_x,
        "y": names_y,
        "z": z,
        **hover.adds(shown, **{down: "y", across: "x", "validation": "z:.4f"}),
        "hoverongaps": False,
        **_colours([row.val_accuracy for row in rows], "z"),
        "xgap": int(len(xs) <= GAPS),
        "ygap": int(len(ys) <= GAPS),
    }

    def place(row: Tried) -> tuple[str, str]:
        return names_x[of_x[row.setting[across]]], names_y[of_y[row.setting[down]]]

    chosen = rows[settings.best]
    x, y = of_x[chosen.setting[across]], of_y[chosen.setting[down]]
    frame = {"type": "rect", "x0": x - 0.5, "x1": x + 0.5, "y0": y - 0.5, "y1": y + 0.5}
    frames = [frame | {"line": {"color": colour, "width": width}} for colour, width in (("--paper", 7), ("--ink", 3))]
    for row in marked:
        x, y = of_x[row.setting[across]], of_y[row.setting[down]]
        frame = {"type": "rect", "x0": x - 0.4, "x1": x + 0.4, "y0": y - 0.38, "y1": y + 0.38}
        frames.append(frame | {"line": {"color": "--paper", "width": 4}})
        frames.append(frame | {"line": {"color": "--ink", "width": 2, "dash": "dot"}})
    others = [AXES[name] for name in settings.varied if name not in (down, across)]
    caption = f"Framed: the chosen setting. {hover.said}"
    if others:
        caption = f"Each cell has the best of all values of {' and '.join(others)}. {caption}"
    if lost:
        caption += f" Crosses: {len(lost):,} that diverged."
    if marked:
        kept = "the one that was" if len(marked) == 1 else f"the {len(marked):,} that were"
        caption += f" Dotted: {kept} retrained on all features."
    return Figure(
        label=f"Heat map: validation accuracy of {len(rows):,} settings over {AXES[down]} and {AXES[across]}; "
        f"the best has {settings.named(settings.best)}",
        caption=caption,
        data=[heat, *_crosses(settings, lost, place)],
        layout={
            "xaxis": _axis(across) | _category(names_x),
            "yaxis": _axis(down) | _category(names_y),
            "shapes": frames,
        },
        cells=(len(ys), len(xs), 5),
    )


def _points(settings: Settings, down: str, across: str, hover: _Hover, marked: Sequence[Tried], most: int) -> Figure:
    """A point for every random trial, for the best of very many."""
    rows = settings.rows
    order = settings.order[: max(1, most)]
    trained = [k for k in reversed(order) if rows[k].val_accuracy is not None]
    lost = [k for k in order if rows[k].val_accuracy is None]
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
            **_colours([rows[k].val_accuracy for k in trained], "c"),
            "size": 13,
            "line": {"color": "--line", "width": 1},
        },
    }

    def place(row: Tried) -> tuple[float, float]:
        return row.setting[across], row.setting[down]

    ring = _ring([place(rows[settings.best])], "chosen", "--ink", 22)
    values = {name: [row.setting[name] for row in rows] for name in (down, across)}
    caption = f"Random trials; the ring is the chosen one. {hover.said}{_kept(len(order), len(rows), 'best ')}"
    if lost:
        caption += f" Crosses: {len(lost):,} that diverged."
    return Figure(
        label=f"Points: validation accuracy of {len(rows):,} random settings over {AXES[down]} and {AXES[across]}; "
        f"the best has {settings.named(settings.best)}",
        caption=caption,
        data=[points, ring, *_crosses(settings, lost, place), *_rings(marked, place)],
        layout={"xaxis": _axis(across, values[across]), "yaxis": _axis(down, values[down])},
    )


def _lines(settings: Settings, along: str, hover: _Hover, most: int) -> Figure:
    """Accuracy on train and validation along the only axis, for some of very many values."""
    rows, n = settings.rows, settings.n
    chosen = set(range(0, len(rows), -(-len(rows) // max(1, most)))) | {settings.best}
    order = sorted(chosen, key=lambda k: rows[k].setting[along])
    trained = [k for k in order if rows[k].val_accuracy is not None]
    lost = [k for k in order if rows[k].val_accuracy is None]
    axis = _axis(along, [rows[k].setting[along] for k in order])
    category = axis.get("type") == "category"
    names = dict(zip(order, _names([rows[k].setting[along] for k in order]), strict=True))

    def at(k: int) -> Any:
        return names[k] if category else rows[k].setting[along]

    x = [at(k) for k in trained]
    val = [settings.accuracy(k) for k in trained]
    intervals = [wilson_interval(round(accuracy * n), n) for accuracy in val]
    line = {"type": "scatter"}
    band = line | {"mode": "lines", "line": {"width": 0}, "hoverinfo": "skip", "showlegend": False}
    data: list[dict[str, Any]] = [
        band | {"y": [round(low, 5) for low, _ in intervals]},
        band
        | {"y": [round(high, 5) for _, high in intervals], "fill": "tonexty", "fillcolor": "--band"}
        | {"name": "95\u00a0% interval of validation", "showlegend": True},
    ]
    folds = [(at(k), value) for k in trained for value in rows[k].fold_accuracy or ()]
    if folds:
        marks = {"size": 5, "color": "--muted", "symbol": "circle-open"}
        data.append(_marks(folds, "each fold", marks) | {"hovertemplate": "one fold: %{y:.4f}<extra></extra>"})
    data += [
        line
        | {"mode": "lines", "name": "train", "y": [rows[k].train_accuracy for k in trained]}
        | {"line": {"color": "--muted", "dash": "dash"}, "hovertemplate": "train <b>%{y:.4f}</b><extra></extra>"},
        line
        | {"mode": "lines+markers", "name": "validation", "y": val, "marker": {"size": 7}}
        | {"line": {"color": "--accent", "width": 2.5}}
        | hover.adds(trained, **{along: "x", "validation": "y:.4f"}),
        _ring([(at(settings.best), settings.accuracy(settings.best))], "chosen", "--ink", 16),
    ]
    if lost:
        floor = min(low for low, _ in intervals)
        told = [f"{AXES[along]} {cell(along, rows[k].setting[along])}: diverged" for k in lost]
        marks = {"symbol": "x", "size": 10, "color": "--bad"}
        data.append(_marks([(at(k), floor) for k in lost], "diverged", marks) | _telling(told))
    return Figure(
        label=f"Lines: accuracy on train and validation of {len(rows):,} values of {AXES[along]}; validation is best "
        f"at {settings.named(settings.best)}",
        caption=f"Ringed: the chosen setting. {hover.said}{_kept(len(order), len(rows))}",
        data=data,
        layout={"xaxis": axis, "yaxis": {"title": {"text": "accuracy"}}},
        more={"x": x},
    )


def _kept(shown: int, count: int, which: str = "") -> str:
    return f" Drawn are the {which}{shown:,} of {count:,}, to keep the page small." if shown < count else ""


def _marks(points: list[tuple[Any, Any]], name: str, marker: dict[str, Any]) -> dict[str, Any]:
    xs, ys = ([point[place] for point in points] for place in (0, 1))
    return {"type": "scatter", "mode": "markers", "name": name, "x": xs, "y": ys, "marker": marker}


def _ring(points: list[tuple[Any, Any]], name: str, colour: str, size: int) -> dict[str, Any]:
    marker = {"symbol": "circle-open", "size": size, "color": colour, "line": {"width": 3}}
    return _marks(points, name, marker) | {"hoverinfo": "skip"}


def _crosses(settings: Settings, lost: list[int], place: Any) -> list[dict[str, Any]]:
    """The settings that diverged."""
    if not lost:
        return []
    rows = [settings.rows[k] for k in lost]
    told = [f"{settings.named(k)}: diverged" for k in lost]
    marker = {"symbol": "x", "size": 9, "color": "--bad"}
    return [_marks([place(row) for row in rows], "diverged", marker) | _telling(told)]


def _rings(marked: Sequence[Tried], place: Any) -> list[dict[str, Any]]:
    return [_ring([place(row) for row in marked], "retrained", "--accent", 20)] if marked else []


def _telling(told: list[str]) -> dict[str, Any]:
    return {"text": told, "hovertemplate": "%{text}<extra></extra>"}


def _axis(name: str, values: list[float] | None = None) -> dict[str, Any]:
    axis: dict[str, Any] = {"title": {"text": AXES[name]}}
    if values is not None and max(values) > WIDE * min(values):
        # A logarithm has no place for a reg of 0.
        axis |= {"type": "log"} if min(values) > 0 else {"type": "category"}
    return axis


def _category(names: list[str]) -> dict[str, Any]:
    return {"type": "category", "categoryarray": names, "range": [-0.5, len(names) - 0.5], "showgrid": False}


def _colours(accuracies: list[float | None], of: str) -> dict[str, Any]:
    """The scale of validation accuracy, as the attributes of plotly's that begin with z or c."""
    known = [accuracy for accuracy in accuracies if accuracy is not None]
    low, high = min(known), max(known)
    edge = 0.01 if low == high else 0  # or plotly's own, which is a whole 1
    return {
        "colorscale": "--ordered",
        "colorbar": {"title": {"text": "validation accuracy", "side": "right"}},
        f"{of}min": low - edge,
        f"{of}max": high + edge,
    }


def _names(values: list[float]) -> list[str]:
    """Values as names of a figure's rows, each a different one."""
    names = short_numbers(values)
    return names if len(set(names)) == len(values) else [repr(value) for value in values]

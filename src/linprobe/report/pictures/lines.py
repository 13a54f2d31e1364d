"""loss.png, path.png and the grid.png of random trials: values along axes."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from linprobe.report.figures import BEST, Losses, PathLines, Scale, TrialPoints
from linprobe.report.labels import log_ticks, nice_ticks, short_number, short_numbers, tick_labels, wrap
from linprobe.report.pictures.paper import Look, Paper, arrange, blank, colours, dress, explain, letters
from linprobe.report.style import ACCENT, BAR, CURVES, FAINT, INK, LOST, LOWEST, ORDERED_MAP, PAPER, SMALL
from linprobe.results.steps import AXES, counted

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.lines import Line2D

__all__ = ["draw_losses", "draw_path", "draw_points"]

WIDTH, HEIGHT = 1140, 440  # pixels; of the whole paper, and of the plot on it
NAME = 290  # pixels; the longest line of a curve's name
MARKED = 60  # values that have a mark each
LINE: Look = {
    "solid_capstyle": "round",
    "solid_joinstyle": "round",
    "dash_capstyle": "butt",
    "dash_joinstyle": "round",
}


def draw_losses(figure: Losses) -> Paper:
    """The objective of all heads along the iterations, the best three told apart, those that diverged marked."""
    steps, settings = figure.steps, figure.settings
    low, high = figure.limits or (0.0, 1.0)
    paper = blank(WIDTH, HEIGHT + 200)
    axes = paper.add_subplot()
    dress(axes, down=_named("objective", figure.scale), across="iteration", lines=True)
    lines: dict[str, Line2D] = {}

    def draw(k: int, look: tuple[str, Any, float], **more: Any) -> "Line2D":
        """A curve, and where it ends or leaves the plot."""
        colour, style, points = look
        y = _places(figure.curves[:, k], figure.scale)
        # Far beyond the paper Agg loses its way, so a curve ends a little outside.
        (line,) = axes.plot(
            steps, np.clip(y, 2 * low - high, 2 * high - low), color=colour, linestyle=style, linewidth=points,
            marker="o" if len(steps) <= 2 else "", markersize=4, markerfacecolor=colour, markeredgecolor=colour,
            **LINE | more,
        )  # fmt: skip
        if k in figure.lost and np.isfinite(y).any():
            out = np.flatnonzero(y > high)
            end = out[0] if len(out) else np.flatnonzero(np.isfinite(y))[-1]
            _mark(axes, [steps[end]], [np.clip(y[end], low, high)], "X", 7, LOST[0], PAPER, 0.8)
        return line

    for k in reversed(figure.others):
        lines["the other one" if len(figure.others) == 1 else f"the other {len(figure.others):,}"] = draw(
            k, (FAINT, "solid", 0.6), alpha=0.35, zorder=2
        )
    for k in figure.lost:
        lines[f"diverged ({len(figure.lost):,})"] = draw(k, LOST, zorder=2)
    if figure.lowest is not None:
        place = _places(np.array([figure.lowest]), figure.scale)[0]
        colour, style, points = LOWEST
        lines[f"lowest possible at the chosen reg\n{short_number(figure.lowest)}"] = axes.axhline(
            place, color=colour, linestyle=style, linewidth=points, zorder=3, marker=""
        )
    for rank, (k, word, look) in reversed(list(enumerate(zip(figure.best, BEST, CURVES, strict=False)))):
        last = figure.curves[-1, k]
        told = [word, *wrap(settings.named(k), SMALL, NAME), f"last value {_last(float(last))}"]
        lines["\n".join(told)] = draw(k, look, zorder=4 - rank / 10)

    _scale(axes.yaxis, (low, high), figure.scale, 6)
    first, last = float(steps[0]), float(steps[-1])
    _scale(axes.xaxis, (first, last) if last > first else (first - 0.5, first + 0.5), "linear", 7)
    _legend(axes, dict(reversed(lines.items())), loc="upper left", bbox_to_anchor=(1.02, 1.02))
    caption = [f"Recorded {counted(len(steps), 'time')} along the way, on that step's batch, the penalty included."]
    if figure.left_out:
        caption.append(f"Of {len(settings.rows):,} curves {figure.left_out:,} are left out, evenly by accuracy.")
    arrange(paper, axes, figure.title, caption, size=(None, HEIGHT))
    return paper


def _last(value: float) -> str:
    return f"{value:#.3g}".rstrip(".") if 1e-3 <= abs(value) < 1e3 else short_number(value)


def draw_path(figure: PathLines) -> Paper:
    """What settings were chosen by along the only axis, the chosen value ringed; accuracy on train too."""
    settings, trained, of_accuracy = figure.settings, figure.trained, figure.settings.by_accuracy
    measured = settings.metric.label
    shown = sorted([*trained, *figure.lost], key=figure.value)
    values = np.array([figure.value(k) for k in shown])
    along = _places(values, figure.scale)
    places = dict(zip(shown, along, strict=True))
    x, band = [places[k] for k in trained], np.array(figure.intervals).reshape(-1, 2)
    val = [settings.figure(k) for k in trained]
    folds = [(places[k], accuracy) for k in trained for accuracy in settings.rows[k].fold_accuracy or ()]
    folds = folds if of_accuracy else []
    train = np.array([settings.rows[k].train_accuracy for k in trained], np.float64)
    seen = [*band.ravel(), *train, *(y for _, y in folds)] if of_accuracy else val
    low, high = min(seen), max(seen)
    edge = max(0.04 * (high - low), 0.005)
    low, high = max(0.0, low - edge), min(1.0, high + edge) if of_accuracy else high + edge

    paper = blank(WIDTH, HEIGHT + 200)
    axes = paper.add_subplot()
    dress(axes, across=_named(figure.along, figure.scale), lines=True)
    if of_accuracy:
        axes.fill_between(x, band[:, 0], band[:, 1], color=ACCENT, alpha=0.13, linewidth=0, zorder=1)
    lines: dict[str, Line2D] = {}
    on_validation = "validation, with its 95 % interval" if of_accuracy else f"{measured} on validation"
    for name, y, (colour, style, points), above in (
        (on_validation, val, CURVES[0], 4),
        *([("train", train, CURVES[1], 3)] if of_accuracy else []),
    ):
        (lines[name],) = axes.plot(
            x, y, color=colour, linestyle=style, linewidth=points, marker="o" if len(x) <= MARKED else "", markersize=4,
            markerfacecolor=colour, markeredgecolor=colour, clip_on=False, zorder=above, **LINE,
        )  # fmt: skip
    if folds:
        lines["each fold"] = _mark(axes, [x for x, _ in folds], [y for _, y in folds], "o", 4, "none", FAINT, 0.8)
    chosen = settings.best
    lines["chosen"] = _mark(axes, [places[chosen]], [settings.figure(chosen)], "o", 9, PAPER, INK, 1.6)
    if figure.lost:
        lost = [places[k] for k in figure.lost]
        lines["diverged"] = _mark(axes, lost, [low] * len(lost), "X", 8, LOST[0], PAPER, 0.8)
    _scale(axes.yaxis, (low, high), "linear", 6)
    _scale_to(axes.xaxis, along, values, figure.scale)
    _legend(axes, lines, loc="lower left", bbox_to_anchor=(0, 1), ncols=len(lines))
    on = f"{counted(settings.n, 'example')}" + (f" in {figure.folds} folds" if figure.folds else "")
    caption = [f"Chosen: {settings.named(chosen)}, validation {measured} {settings.figure(chosen):.3f} on {on}."]
    if figure.left_out:
        caption.append(f"Of {len(settings.rows):,} values {figure.left_out:,} are left out, evenly.")
    arrange(paper, axes, figure.title, caption, size=(None, HEIGHT))
    return paper


def draw_points(figure: TrialPoints) -> Paper:
    """A point for every random setting in the colour of its validation accuracy, the chosen one ringed."""
    settings, rows = figure.settings, figure.settings.rows
    paper = blank(WIDTH, HEIGHT + 300)
    places = paper.add_gridspec(1, 2, width_ratios=(WIDTH, BAR), wspace=0)
    axes, scale = paper.add_subplot(places[0, 0]), paper.add_subplot(places[0, 1])
    down, across = (_named(name, figure.scales[name]) for name in (figure.down, figure.across))
    dress(axes, down=down, across=across, lines=True)
    shown = [*figure.trained, *figure.lost]
    where: dict[int, list[float]] = {k: [] for k in shown}
    for name, axis in ((figure.across, axes.xaxis), (figure.down, axes.yaxis)):
        values = np.array([rows[k].setting[name] for k in shown])
        along = _places(values, figure.scales[name])
        for k, place in zip(shown, along, strict=True):
            where[k].append(place)
        _scale_to(axis, along, values, figure.scales[name])

    def at(heads: Sequence[int]) -> tuple[list[float], list[float]]:
        return [where[k][0] for k in heads], [where[k][1] for k in heads]

    axes.scatter(
        *at(figure.trained), c=[settings.accuracy(k) for k in figure.trained], cmap=colours(ORDERED_MAP),
        vmin=figure.limits[0], vmax=figure.limits[1], s=60, marker="o", edgecolors=INK, linewidths=0.4, clip_on=False,
        zorder=3,
    )  # fmt: skip
    _mark(axes, *at([settings.best]), "o", 14, "none", INK, 2)
    if figure.lost:
        _mark(axes, *at(figure.lost), "X", 7, LOST[0], PAPER, 0.8)
    retrained = [k for k in shown if rows[k].setting in [row.setting for row in figure.marked]]
    if retrained:
        _mark(axes, *at(retrained), "o", 11, "none", ACCENT, 1.5)
    explain(scale, "validation accuracy", ORDERED_MAP, figure.limits, nice_ticks(*figure.limits, 6))
    chosen = f"{settings.named(settings.best)}, validation accuracy {settings.accuracy(settings.best):.3f}"
    caption = [f"Random settings; the ring is the chosen one: {chosen}."]
    if figure.lost:
        caption.append(f"Crosses: {len(figure.lost):,} that diverged.")
    if retrained:
        caption.append(f"Blue rings: {len(retrained):,} retrained on all features.")
    if figure.left_out:
        caption.append(f"Of {len(rows):,} settings the {figure.left_out:,} lowest are left out.")
    arrange(paper, axes, figure.title, caption, size=(None, HEIGHT))
    return paper


def _mark(
    axes: "Axes", x: Sequence[Any], y: Sequence[Any], marker: str, size: float, face: str, edge: str, line: float
) -> "Line2D":
    """Marks without a line between them."""
    (marks,) = axes.plot(
        x, y, linestyle="", marker=marker, markersize=size, markerfacecolor=face, markeredgecolor=edge,
        markeredgewidth=line, clip_on=False, zorder=5,
    )  # fmt: skip
    return marks


def _legend(axes: "Axes", lines: "dict[str, Line2D]", **where: Any) -> None:
    """What the lines mean."""
    look = letters()
    legend = axes.legend(
        lines.values(), lines.keys(), prop=look["fontproperties"], labelcolor=look["color"], frameon=False,
        handlelength=2.5, handletextpad=0.8, labelspacing=1.0, columnspacing=2.0, borderpad=0, borderaxespad=0.9,
        markerscale=1, numpoints=1, alignment="left", **where,
    )  # fmt: skip
    for word in legend.get_texts():
        word.set(parse_math=False, usetex=False)


def _named(name: str, scale: Scale) -> str:
    return f"{AXES.get(name, name)}{' (logarithmic scale)' if scale == 'log' else ''}"


def _places(values: np.ndarray, scale: Scale) -> np.ndarray:
    """Where values lie: matplotlib's own logarithm fails at what it holds to be too far."""
    if scale == "category":
        return np.unique(values, return_inverse=True)[1]
    if scale == "linear":
        return values.astype(np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.log10(values.astype(np.float64))


def _scale(axis: Any, limits: tuple[float, float], scale: Scale, about: int) -> None:
    """Limits, and round numbers between them."""
    low, high = limits
    axis.axes.set(**{f"{axis.axis_name}lim": limits})
    if scale == "log":
        ticks = log_ticks(10.0 ** max(low, -307), 10.0 ** min(high, 308), about)
        axis.set_ticks(np.log10(ticks), short_numbers(ticks), **letters())
    else:
        ticks = nice_ticks(low, high, about)
        axis.set_ticks(ticks, tick_labels(ticks), **letters())


def _scale_to(axis: Any, places: np.ndarray, values: np.ndarray, scale: Scale) -> None:
    """The same for these values, with a little room at both ends; categories have their own names."""
    low, high = float(places.min()), float(places.max())
    edge = 0.03 * (high - low) or 0.5
    _scale(axis, (low - edge, high + edge), scale, 8)
    if scale == "category":
        named = np.unique(values)
        step = -(-len(named) // 12)
        axis.set_ticks(range(0, len(named), step), short_numbers(named)[::step], **letters())

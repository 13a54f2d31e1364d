"""What the page needs of run.json, a file that people can edit: asked before the page is made, and said by its place.

Whatever goes wrong after that is a fault of ours, and passes for nothing else.
"""

import math
from collections.abc import Callable
from typing import Any

from linprobe.report.run import Run
from linprobe.steps import AXES

Check = Callable[[Any, str], None]

CHECKED_REGS = (0, 50)  # at which the worksheet checks its gradient


class UnfitError(Exception):
    """What is wrong, and where in run.json."""


def require_needs(run: Run) -> None:
    """Raise UnfitError for numbers of which no page can be made."""
    told = run.numbers
    _NUMBERS(told, "")
    grid = told["grid"]
    rows, best, axes = grid["rows"], grid["best"], _axes(grid["best"])
    if any(_axes(row).keys() != axes.keys() for row in rows):
        raise UnfitError("grid.rows: have not all the same settings")
    if best not in rows:
        raise UnfitError("grid.best: is none of grid.rows")
    for name in grid["edges"]:
        if name not in grid["axes"] or name not in axes:
            raise UnfitError(f"grid.edges: names {name[:40]!r}, which is not an axis")
    if grid["settings"] != 1 and not any(len(values) > 1 for values in grid["axes"].values()):
        raise UnfitError("grid.axes: have one value each, for several settings")
    if grid.get("solver") == "exact":
        for one in rows:
            _table({"gap": _or_none(_NUMBER), "objective": _NUMBER})(one, "grid.rows")
        _table({"tol": _NUMBER})(grid, "grid")
    if len(run.steps) and run.curves.shape[1] != len(rows):
        raise UnfitError(f"grid.rows: has {len(rows):,} settings for {run.curves.shape[1]:,} loss curves")
    if "screening" in grid:
        screened = [_axes(row) for row in grid["screening"]["rows"]]
        if any(row.keys() != AXES.keys() for row in screened) or any(_axes(row) not in screened for row in rows):
            raise UnfitError("grid.screening.rows: do not have what was retrained")
    if "first_loss" in told:
        _WORKSHEET(told, "")
        regs = {one["reg"] for one in told["gradient_check"]["checks"]}
        if not regs.issuperset(CHECKED_REGS):
            raise UnfitError("gradient_check.checks: are not of all values of reg")


def _axes(row: dict[str, Any]) -> dict[str, float]:
    return {name: row[name] for name in AXES if name in row}


def _number(low: float = -math.inf, high: float = math.inf, *, whole: bool = False) -> Check:
    kind, kinds = ("a whole number", int) if whole else ("a number", (int, float))
    bounds = "" if low == -math.inf else f" of {low:g} or more" if high == math.inf else f" of {low:g} to {high:g}"

    def check(value: Any, place: str) -> None:
        # With bounds, because JSON's readers take NaN, Infinity and integers of any length.
        number = isinstance(value, kinds) and not isinstance(value, bool) and abs(value) < 1e308
        if not (number and low <= value <= high):
            raise UnfitError(f"{place}: is not {kind}{bounds}")

    return check


def _text(value: Any, place: str) -> None:
    if not isinstance(value, str):
        raise UnfitError(f"{place}: is not text")


def _anything(value: Any, place: str) -> None:
    """Shown as it is."""


def _or_none(check: Check) -> Check:
    return lambda value, place: None if value is None else check(value, place)


def _many(check: Check, least: int = 1, most: float = math.inf) -> Check:
    def check_all(value: Any, place: str) -> None:
        if not isinstance(value, list) or not least <= len(value) <= most:
            raise UnfitError(f"{place}: is not a list of {least}{'' if most == least else ' or more'}")
        for index, one in enumerate(value):
            check(one, f"{place}[{index}]")

    return check_all


def _table(needed: dict[str, Check], more: dict[str, Check] | None = None) -> Check:
    def check(value: Any, place: str) -> None:
        if not isinstance(value, dict):
            raise UnfitError(f"{place or 'all of it'}: is not a table of names and values")
        for name, of_one in needed.items():
            if name not in value:
                raise UnfitError(f"{place}{'.' if place else ''}{name}: is missing")
            of_one(value[name], f"{place}{'.' if place else ''}{name}")
        for name, of_one in (more or {}).items():
            if name in value:
                of_one(value[name], f"{place}{'.' if place else ''}{name}")

    return check


def _row(accuracy: Check) -> Check:
    figures = dict.fromkeys(("val_loss", "objective", "gap", "iterations"), _or_none(_NUMBER))
    more = dict.fromkeys(AXES, _NUMBER) | figures | {"fold_accuracy": _many(_SHARE)}
    return _table({"val_accuracy": accuracy, "train_accuracy": accuracy, "status": _text}, more)


def _only_axes(value: Any, place: str) -> None:
    _table({}, dict.fromkeys(AXES, _many(_NUMBER)))(value, place)
    if unknown := set(value) - set(AXES):
        raise UnfitError(f"{place}: has {min(unknown)[:40]!r}, which is not an axis")


def _refit(value: Any, place: str) -> None:
    proof = {"gap": _or_none(_NUMBER), "relative_gap": _or_none(_NUMBER)}
    _table({"n": _COUNT, "seconds": _NUMBER, "objective": _NUMBER, "status": _text}, proof)(value, place)
    if value.get("gap") is not None:
        _table({"relative_gap": _NUMBER})(value, place)


def _optimum(value: Any, place: str) -> None:
    _table({}, {"objective": _NUMBER})(value, place)
    if "skipped" not in value:
        sgd = _table({"objective": _NUMBER, "relative_excess": _NUMBER, "val_accuracy": _SHARE})
        figures = dict.fromkeys(("reg", "objective", "gap", "relative_gap", "tol"), _NUMBER)
        _table({**figures, "val_accuracy": _SHARE, "sgd": sgd})(value, place)


_NUMBER, _SHARE, _COUNT, _SOME = _number(), _number(0, 1), _number(0, whole=True), _number(1, whole=True)
_ROWS = _many(_row(_or_none(_SHARE)))
_GRID = _table(
    {
        "axes": _only_axes,
        "settings": _COUNT,
        "seconds": _NUMBER,
        "best": _row(_SHARE),
        "edges": _many(_text, 0),
        "rows": _ROWS,
    },
    {
        "folds": _or_none(_COUNT),
        "tol": _NUMBER,
        "published_val_accuracy": _or_none(_SHARE),
        "screening": _table({"rank": _COUNT, "residual": _NUMBER, "retrained": _COUNT, "rows": _ROWS}),
    },
)
_NUMBERS = _table(
    {
        "command": _anything,
        "versions": _table({"linprobe": _anything}),
        "options": _table({"loss": _text}),
        "data": _table(
            {"source": _anything, "fingerprint": _anything, "train": _COUNT, "val": _SOME},
            {"test": _COUNT, "dev": _COUNT, "absent": _many(_text, 0)},
        ),
        "grid": _GRID,
        "test": _table({"accuracy": _SHARE, "interval": _many(_SHARE, 2, 2), "n": _COUNT}),
    },
    {"refit": _refit, "optimum": _optimum},
)
_WORKSHEET = _table(
    {
        "first_loss": _table({"naive": _NUMBER, "expected": _NUMBER}),
        "gradient_check": _table({"checks": _many(_table({"reg": _NUMBER, "relative_error": _NUMBER}))}),
        "vectorized": _table(
            {
                **dict.fromkeys(("naive", "loss", "gradient_difference", "naive_seconds"), _NUMBER),
                "seconds": _number(1e-12),
            }
        ),
        "questions": _table(dict.fromkeys(("first_loss", "svm_unchanged"), _table({"answer": _anything}))),
    }
)

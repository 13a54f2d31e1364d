"""The steps of tuning in words."""

from typing import Any

from linprobe.steps import Row, Step, Table, accuracy_rows, proven
from linprobe.tune.options import Options

SHOWN = 15  # rows of a table; more are for results.csv
TITLES = {"learning_rate": "learning rate", "reg": "reg"}


def data_step(data: dict[str, Any], options: Options) -> Step:
    """Step 1: the source and its splits."""
    shape, classes = " x ".join(map(str, data["shape"])), len(data["classes"])
    if options.folds is None:
        train = f"train {data['train']:,}, validation {data['val']:,}"
    else:
        train = f"train {data['train'] + data['val']:,}, in {options.folds} folds"
    rows = (
        Row("examples", f"{data['source']}: {shape}, {classes} classes"),
        Row("splits", f"{train}, test {data['test']:,}"),
        Row("features", f"{data['features']:,}, {options.features}"),
    )
    return Step(1, "Data", rows)


def settings_step(grid: dict[str, Any]) -> Step:
    """Step 2: all settings, or the best of many, and what to be careful about."""
    exact, best, rows = grid["solver"] == "exact", grid["best"], grid["rows"]
    many = f"{grid['settings']:,} setting{'s' if grid['settings'] > 1 else ''}"
    if grid["folds"] is not None:
        many += f" x {grid['folds']} folds"
    lines = [Row("compared", f"{many}, {grid['loss']}, trained together in {grid['seconds']:.1f} s")]
    notes = []
    if exact:
        short = [row for row in rows if row["status"] != "gap"]
        proven = "all" if not short else f"{len(rows) - len(short)} of {len(rows)}"
        lines.append(Row("proven", f"{proven} within {grid['tol']:g} of the lowest objective, relative"))
        if short:
            worst = max(short, key=lambda row: row["gap"] / row["objective"])
            notes.append(
                f"{len(short)} of {len(rows)} stopped short of that, reg {worst['reg']:.3g} the farthest, at "
                f"{worst['gap'] / worst['objective']:.0e}: small values of reg are the hard ones; leave them out, or "
                "raise --tol."
            )
    else:
        lost = sum(row["status"] == "diverged" for row in rows)
        if lost:
            lines.append(Row("diverged", f"{lost} of {len(rows)}", "none; left out of the choice"))
    names = list(grid["axes"])
    shown = rows
    if len(rows) > SHOWN:
        shown = sorted(rows, key=lambda row: (row is not best, -(row["val_accuracy"] or 0)))[:SHOWN]
        notes.insert(0, f"The best {SHOWN} of {len(rows)}; all of them are in results.csv.")
    notes += [_edge(name, best[name], grid["axes"][name]) for name in grid["edges"]]
    proof = ("gap", "iterations") if exact else ()
    header = (*(TITLES[name] for name in names), "train", "val", "objective", *proof, "status")
    cells = tuple(_cells(row, names, exact=exact) for row in shown)
    table = Table(header, ("number",) * (len(header) - 1) + ("word",), cells, shown.index(best))
    return Step(2, "Path" if exact else "Grid", tuple(lines), tuple(notes), table)


def _cells(row: dict[str, Any], names: list[str], *, exact: bool) -> tuple[str, ...]:
    def say(value: float | None, form: str) -> str:
        return "-" if value is None else format(value, form)

    proof = (say(row["gap"], ".1e"), say(row["iterations"], ",")) if exact else ()
    return (
        *(say(row[name], ".3g") for name in names),
        say(row["train_accuracy"], ".4f"),
        say(row["val_accuracy"], ".4f"),
        say(row["objective"], ".6g"),
        *proof,
        row["status"],
    )


def _edge(name: str, best: float, values: list[float]) -> str:
    """That better may lie beyond the end of an axis, and what to type to see."""
    low = best == values[0]
    reach = 1e3 if len(values) > 4 else 1e2
    beyond = (best / reach, best * 10) if low else (best / 10, best * reach)
    option = f"--{name.replace('_', '-')} {beyond[0]:.1e}:{beyond[1]:.1e}:9:log" if best > 0 else ""
    return (
        f"The best is at the {'low' if low else 'high'} edge ({TITLES[name]}): better may lie beyond it, so widen it"
        + (f", as with {option}." if option else ".")
    )


def refit_step(refit: dict[str, Any], best: dict[str, Any], loss: str) -> Step:
    """Step 3: the chosen setting on all training rows, and how near to its optimum it is."""
    setting = ", ".join(f"{TITLES[name]} {best[name]:.3g}" for name in ("learning_rate", "reg") if name in best)
    rows = [
        Row("chosen", setting, f"validation accuracy {best['val_accuracy']:.4f}"),
        Row("trained on", f"{refit['n']:,} examples", "train + validation"),
        Row("time", f"{refit['seconds']:.1f} s", timed=True),
        Row("objective", f"{refit['objective']:.6g}", f"mean {loss} loss + reg x ΣW²"),
    ]
    if "gap" not in refit:
        way = "--solver exact" + (" --loss squared_hinge" if loss == "hinge" else "")
        notes = (f"How near this is to the optimum is not known: SGD proves nothing, {way} does.",)
    elif refit["gap"] is None:
        notes = (
            f"How near this is to the optimum is not proven: the solver stopped short of it ({refit['status']}). "
            "Raise reg, or --tol.",
        )
    else:
        rows.append(Row("proven gap", f"{refit['gap']:.1e}", f"{refit['relative_gap']:.0e} of the objective"))
        notes = (proven(refit["objective"], refit["gap"]),)
        if refit["status"] != "gap":
            notes += (f"That is short of the tolerance ({refit['status']}); raise reg, or --tol.",)
    return Step(3, "Refit", tuple(rows), notes)


def test_step(test: dict[str, Any], classes: int) -> Step:
    """Step 4: test accuracy and its interval."""
    return Step(4, "Test", accuracy_rows("accuracy, measured once", test, f"above chance, {1 / classes:.4f}"))

"""Which setting won and by how much, and all of them as a table."""

from dataclasses import dataclass

from linprobe.compare.settings import EDGE
from linprobe.core.measure import wilson_interval
from linprobe.report.page.parts import SettingColumn, SettingRow, SettingsTable
from linprobe.report.run import Run
from linprobe.report.settings import Settings
from linprobe.results.steps import AXES, TITLES, counted, wider

__all__ = ["Standing", "edges", "lead", "lead_in_brief", "standing", "table"]

ALL_LOST = "All {:,} others diverged."
ROW_BYTES = 26  # of HTML around a figure in a row


def table(settings: Settings, room: int) -> SettingsTable:
    """The rows as the page's table shows them, the best first, as many as there is room for; marked: the chosen."""
    rows, left = [], room
    for k in settings.order:
        cells = settings.cells(k)
        left -= sum(len(one.encode()) + ROW_BYTES for one in cells) + ROW_BYTES
        if left < 0 and rows:
            break
        rows.append(SettingRow(cells, k == settings.best, settings.rows[k].status == "diverged"))
    kinds = {"status": "word", "fold_accuracy": "word"}
    titles = TITLES | {"val_metric": settings.metric.label}
    header = [SettingColumn(titles[name], kinds.get(name, "number")) for name in settings.columns]
    sorted_by = settings.columns.index("val_accuracy" if settings.by_accuracy else "val_metric")
    return SettingsTable(
        header=header,
        rows=rows,
        all=len(settings.rows),
        sorted_by=sorted_by,
        ascending=not settings.metric.larger_is_better,
    )


@dataclass(frozen=True)
class Standing:
    """How the chosen setting stands among those that were trained; second: the runner-up's place, None without one.

    behind: by how much its accuracy is lower (below 0 where one with a higher accuracy was left out of the choice), and
    examples, how many of those of validation that are. interval: 95 % (Wilson) of the chosen one's accuracy, within:
    how many of the others lie in it.
    """

    second: int | None
    others: int
    behind: float
    examples: int
    interval: tuple[float, float]
    within: int


def standing(settings: Settings) -> Standing:
    """By how much the chosen setting won."""
    n, accuracy = settings.n, settings.accuracy(settings.best)
    others = [k for k in settings.order[1:] if settings.rows[k].val_accuracy is not None]
    interval = wilson_interval(round(accuracy * n), n)
    behind = accuracy - settings.accuracy(others[0]) if others else 0.0
    within = sum(interval[0] <= settings.accuracy(k) <= interval[1] for k in others)
    return Standing(others[0] if others else None, len(others), behind, round(behind * n), interval, within)


def lead(settings: Settings) -> list[str]:
    """By how much the chosen setting won, in sentences."""
    found, n = standing(settings), settings.n
    if found.second is None:
        lost = len(settings.rows) - 1
        return [
            "There was no other." if not lost else "The other one diverged." if lost == 1 else ALL_LOST.format(lost)
        ]
    second = settings.named(found.second)
    if not settings.by_accuracy:
        theirs, ours = (settings.figure(k) for k in (found.second, settings.best))
        decided = f"; {_decided(settings, found.second)}" if theirs == ours else ""
        return [f"The runner-up ({second}) has {settings.metric.say(theirs)}{decided}."]
    if found.examples < 0:
        failed = settings.rows[found.second].status == "failed"
        why = "nothing is proven of it" if failed else "it was left out of the choice"
        first = (
            f"Another ({second}) has a validation accuracy {-found.behind:.4f} higher, {-found.examples:,} of "
            f"{counted(n, 'example')}, but {why}."
        )
    elif found.examples == 0:
        right = [round(row.val_accuracy * n) for row in settings.rows if row.val_accuracy is not None]
        equals = right.count(round(settings.accuracy(settings.best) * n)) - 1
        first = (
            f"{equals:,} other setting{'s have' if equals > 1 else ' has'} the same validation accuracy; "
            f"{_decided(settings, found.second)}, and the runner-up is {second}."
        )
    else:
        first = (
            f"It leads the runner-up ({second}) by {found.behind:.4f} in accuracy: {found.examples:,} of "
            f"{counted(n, 'validation example')}."
        )
    interval = f"the 95\u00a0% interval of its own accuracy, {found.interval[0]:.3f} to {found.interval[1]:.3f}"
    if found.others == 1:
        lie = f"the other setting lies in {interval}"
    else:
        lie = f"{found.within:,} of the {found.others:,} other settings lie{'s' * (found.within == 1)} in {interval}"
    return [first, f"That is within the noise: {lie}." if found.within else f"No other setting lies in {interval}."]


def _decided(settings: Settings, second: int) -> str:
    """By what the chosen setting won over one of the same accuracy."""
    losses = [settings.rows[k].val_loss for k in (settings.best, second)]
    if None in losses or losses[0] == losses[1]:
        return "it came first"
    return "the lowest validation loss decided"


def lead_in_brief(settings: Settings) -> str:
    """The same, as the end of a sentence."""
    found = standing(settings)
    if found.second is None:
        return "without another to compare with"
    if not settings.by_accuracy:
        return f"and the runner-up's {settings.metric.say(settings.figure(found.second))}"
    if found.examples == 0:
        return f"which the runner-up has too; {_decided(settings, found.second)}"
    if found.examples < 0:
        many = counted(-found.examples, "example")
        return f"{-found.behind:.4f} ({many}) below that of another, which was left out of the choice"
    many, noise = counted(found.examples, "example"), "within the noise" if found.within else "outside the noise"
    return f"{found.behind:.4f} ({many}) above the runner-up's: {noise}"


def edges(run: Run) -> list[tuple[str, str]]:
    """For each axis on whose end the best lies, that better may lie beyond it, and what to type to see."""
    grid, says = run.numbers.grid, []
    for name in grid.edges:
        values, best = grid.axes[name], grid.best.setting[name]
        # Of a range of random trials too, even in the logarithm, of which the upper end looks like its middle here.
        low = best - min(values) <= EDGE * (max(values) - min(values))
        option = wider(name, best, low=low) if name in ("learning_rate", "reg") else ""
        where = "has" if not grid.trials else "is near"
        end = f"the {'lowest' if low else 'highest'} {AXES[name]}"
        says.append((f"The best {where} {end} that was tried. Better may lie beyond: widen the axis", option))
    return says

"""What the commands show on a terminal."""

import contextlib
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from rich.console import Console
from rich.markup import escape
from rich.padding import Padding
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table

from linprobe.cli.messages import one_line
from linprobe.compare.solver import Progress as Watch
from linprobe.results.steps import Step
from linprobe.results.steps import Table as Figures

__all__ = [
    "KEPT",
    "PathWatch",
    "path_progress",
    "print_notes",
    "print_step",
    "rows_progress",
    "search_progress",
    "time_left",
]

# What Ctrl-C leaves, by solver.
KEPT = {
    "exact": "Ctrl-C keeps the fits that are done: run the same command again to go on.",
    "sgd": "Ctrl-C keeps what is done: run the same command again to go on.",
}
SURE = 0.05  # of the work: before that the passes of most heads are a guess


def print_step(console: Console, step: Step) -> None:
    """One step: its title, each figure beside what was expected, its table, and what is to be said about them."""
    number = "" if step.number is None else f"{step.number}  "
    console.print(f"\n[bold]{number}{_plain(step.title)}[/]")
    if step.rows:
        table = _indented(show_header=False)
        table.add_column(style="dim", no_wrap=True)
        table.add_column(overflow="fold")
        table.add_column(style="dim")
        for row in step.rows:
            table.add_row("", _plain(row.what), _plain(row.found), _plain(row.expected))
        console.print(table)
    if step.table is not None:
        if step.rows:
            console.print()
        console.print(_columns(step.table))
        if step.notes:
            console.print()
    for note in step.notes:
        console.print(Padding(_plain(note), (0, 0, 0, 3), expand=False))


def print_notes(notes: Sequence[str]) -> None:
    """What is to be known of how a source was read, on standard error."""
    console = Console(stderr=True, highlight=False)
    for note in notes:
        console.print(f"[dim]note:[/] {_plain(note)}", soft_wrap=True)


def _plain(text: str) -> str:
    return escape(one_line(text))


def _columns(figures: Figures) -> Table:
    """A table of figures, its marked row with an arrow, so that it is seen without colours too."""
    table = _indented(header_style="dim")
    if figures.marked is not None:
        table.add_column("", no_wrap=True)
    for name, kind in zip(figures.header, figures.kinds, strict=True):
        table.add_column(_plain(name), justify="left" if kind == "word" else "right", overflow="fold")
    for index, row in enumerate(figures.rows):
        chosen = index == figures.marked
        arrow = [] if figures.marked is None else ["→" if chosen else ""]
        table.add_row("", *arrow, *map(_plain, row), style="bold" if chosen else None)
    return table


def _indented(**look: Any) -> Table:
    """A table without lines, its first column empty: three characters, as far as the sentences stand in."""
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, **look)
    table.add_column("", width=1)
    return table


@contextlib.contextmanager
def search_progress(console: Console) -> Generator[Watch | None]:
    """A bar with the running loss of the best head; None where nobody watches."""
    if not console.is_terminal or console.quiet:
        yield None
        return
    columns = (
        TextColumn("   training"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("iterations, lowest loss {task.fields[loss]}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("", total=None, loss="-", visible=False)

        def advance(done: int, total: int, objective: np.ndarray) -> None:
            finite = objective[np.isfinite(objective)]
            loss = f"{finite.min():.4f}" if len(finite) else "-"
            bar.update(task, completed=done, total=total, loss=loss, visible=True)

        yield advance


@contextlib.contextmanager
def rows_progress(console: Console, *, quiet: bool) -> Generator[Callable[[int, int], None]]:
    """A bar of the rows or the pictures that are predicted, told how many of how many; none where nobody watches."""
    if quiet or not console.is_terminal:
        yield lambda *_: None
        return
    columns = (TextColumn("   predicting"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("", total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


@dataclass(frozen=True)
class PathWatch:
    """Who is told of fits that have ended, and about what share of all passes is made; None where nobody watches."""

    fits: Watch | None = None
    share: Callable[[float], None] | None = None


@contextlib.contextmanager
def path_progress(console: Console) -> Generator[PathWatch]:
    """A bar of the passes, with the heads that have ended, at their optimum or short of it, and the time left."""
    if not console.is_terminal or console.quiet:
        yield PathWatch()
        return
    columns = (
        TextColumn("   solving"),
        BarColumn(),
        TextColumn("{task.fields[done]} fits done"),
        TimeElapsedColumn(),
        TextColumn("{task.fields[left]}"),
    )
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("", total=1.0, visible=False, done="0", left="")
        farthest = 0.0

        def fits(done: int, total: int, _: np.ndarray) -> None:
            nonlocal farthest
            if done == total:  # what comes next is another solve
                farthest = 0.0
                bar.reset(task, total=1.0, visible=False, done="0", left="")
            else:
                bar.update(task, done=f"{done:,}/{total:,}", visible=True, refresh=True)

        def share(made: float) -> None:
            nonlocal farthest
            farthest = max(farthest, made)  # the estimate may fall, but a bar must not go back
            elapsed = bar.tasks[0].elapsed or 0.0
            bar.update(task, completed=farthest, left=time_left(elapsed, made), visible=True)

        yield PathWatch(fits, share)


def time_left(elapsed: float, made: float) -> str:
    """About how long the rest will take, after so many seconds for this share of the work; "" while that is vague."""
    if made < SURE or elapsed < 1:
        return ""
    seconds = round(elapsed * (1 - made) / made)
    if seconds < 90:
        return f"about {seconds} s left"
    minutes = round(seconds / 60)
    return f"about {minutes} min left" if minutes < 90 else f"about {round(minutes / 60)} h left"

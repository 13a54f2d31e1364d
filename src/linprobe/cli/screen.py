"""What the commands show on a terminal."""

import contextlib
from collections.abc import Iterator

import numpy as np
from rich.console import Console
from rich.markup import escape
from rich.padding import Padding
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from linprobe.solvers.sgd import Progress as Callback
from linprobe.worksheet import Step


def print_step(console: Console, step: Step) -> None:
    """One step of the exercise: its title, and each figure beside what was expected."""
    console.print(f"\n[bold]{step.number}  {escape(step.title)}[/]")
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0), pad_edge=False)
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    table.add_column(style="dim")
    for row in step.rows:
        table.add_row(escape(row.what), escape(row.found), escape(row.expected))
    console.print(Padding(table, (0, 0, 0, 3)))
    for note in step.notes:
        console.print(Padding(escape(note), (0, 0, 0, 3)))


@contextlib.contextmanager
def search_progress(console: Console) -> Iterator[Callback | None]:
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

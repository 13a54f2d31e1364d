"""`linprobe compare`: several runs on the same test rows, and which of them is shown to be better."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from linprobe.cli.arguments import OUTPUT
from linprobe.cli.messages import complain

if TYPE_CHECKING:
    from linprobe.tasks.compare_runs import RunsComparison

__all__ = ["compare"]

NUMBERS, PAGE = "compare.json", "compare.html"


def compare(
    runs: Annotated[
        list[Path], typer.Argument(metavar="RUN", help="Folders that linprobe tune or linprobe worksheet left.")
    ],
    out: Annotated[
        Path | None,
        typer.Option(help="The folder to leave the page in.", show_default="comparison", rich_help_panel=OUTPUT),
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Replace an earlier comparison there.", rich_help_panel=OUTPUT)
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print everything as JSON, only that.", rich_help_panel=OUTPUT)
    ] = False,
) -> None:
    """Compare runs on the same test rows, and say which is better only where that is shown.

    The runs may be of other features, such as those of two encoders, but must be tested on the same rows: the same
    numbers of rows, with the same labels.

    Differences have paired bootstrap intervals, of whole groups where a run was made with --groups.
    """
    from rich.console import Console
    from rich.markup import escape

    from linprobe.cli.output import answer, require_output
    from linprobe.cli.screen import print_step
    from linprobe.publish import claimed, publish_folder
    from linprobe.results import to_json
    from linprobe.tasks.compare_runs import best_step, compare_runs, runs_step

    with (
        claimed(out or Path("comparison"), or_next=out is None) as folder,
        publish_folder(folder, replace=force, holding=NUMBERS) as partial,
    ):
        found = compare_runs(runs)
        text = json.dumps(to_json(found), indent=2, allow_nan=False)
        (partial / NUMBERS).write_text(f"{text}\n", encoding="utf-8")
        paged = _page(partial / PAGE, found)
    if as_json:
        answer(text)
        return
    console = Console(highlight=False)
    for step in (runs_step(found), best_step(found)):
        print_step(console, step)
    every = "every pair" if len(found.runs) > 2 else "all of it"
    shows = f"{PAGE} shows {every}, " if paged else ""
    console.print(f"\nThe comparison is in [bold]{escape(str(folder))}[/]: {shows}{NUMBERS} has the figures.")
    require_output()


def _page(path: Path, found: "RunsComparison") -> bool:
    """Write the page, and say why where that cannot be done; the figures are there without it."""
    from linprobe.errors import MissingDependencyError
    from linprobe.report.page.runs import write_runs_page

    try:
        write_runs_page(found, path)
    except MissingDependencyError as error:
        complain(f"warning: no page: {error}")
        return False
    return True

"""`linprobe report`: the page of a run, written again from what its folder holds."""

import json
from pathlib import Path
from typing import Annotated

import typer

__all__ = ["report"]


def report(
    run: Annotated[Path, typer.Argument(help="A folder that linprobe worksheet or linprobe tune left.")],
    out: Annotated[
        Path | None, typer.Option(help="The file to write.", show_default="report.html in that folder")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print where the page is as JSON, only that.")] = False,
) -> None:
    """Write the page of a run again: one file that shows all of it, in any browser, without a network."""
    from rich.console import Console
    from rich.markup import escape

    from linprobe.cli.output import answer
    from linprobe.report.page import write_page

    path = write_page(run, out)
    if as_json:
        answer(json.dumps({"run": str(run), "page": str(path), "bytes": path.stat().st_size}))
        return
    size = path.stat().st_size / 1e6
    Console(highlight=False).print(f"The page is in [bold]{escape(str(path))}[/]: {size:.1f} MB, open it in a browser.")

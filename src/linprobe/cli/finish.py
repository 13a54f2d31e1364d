"""The end of `linprobe tune` and `linprobe worksheet`: the run is in its folder, and is shown."""

import shlex
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from linprobe.cli.messages import complain, explain
from linprobe.cli.output import lost_output, say
from linprobe.errors import InterruptedWorkError, OutputError

if TYPE_CHECKING:
    from rich.console import Console

    from linprobe.results import Results

__all__ = ["close", "show"]


def show(folder: Path, views: Mapping[str, Callable[[], object]]) -> None:
    """Write the pictures and the page of a run that lies complete in its folder; what fails costs a line, not the run.

    views: by its name, what writes a file.
    """
    again = f"linprobe report {shlex.quote(str(folder))}"
    failed: dict[str, list[str]] = {}
    try:
        for name, write in views.items():
            try:
                write()
            except Exception as error:  # noqa: BLE001 - ours too: the run is done, whatever is wrong with a picture
                failed.setdefault(explain(error), []).append(name)
    except KeyboardInterrupt as interrupt:
        raise InterruptedWorkError(
            f"interrupted; the run is complete, in {folder}, but not all of its pictures and its page: {again} writes "
            "the page"
        ) from interrupt
    if failed:
        causes = "; ".join(f"{', '.join(names)}: {cause}" for cause, names in failed.items())
        complain(
            f"warning: {folder}: the run is complete, but not all that shows it: {causes}; {again} writes the page"
        )


def close(console: "Console", folder: Path, numbers: "Results", *, as_json: bool) -> None:
    """Say where the run is, or print its numbers. Raises OutputError where those have not arrived."""
    from rich.markup import escape

    if as_json:
        say(numbers.text)
    page = "report.html shows all of it, " if (folder / "report.html").is_file() else ""
    console.print(
        f"\nThe run is in [bold]{escape(str(folder))}[/]: {page}run.json and results.csv have the figures, "
        "model.safetensors predicts."
    )
    if lost := lost_output():
        told = f"{lost}; the run is complete, in {folder}"
        if as_json:
            raise OutputError(f"{told}, and run.json there is what was to be printed")
        complain(f"warning: {told}")

"""What `linprobe worksheet --notebook` and `--pdf` leave besides the run."""

import contextlib
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from linprobe.cli.arguments import OUTPUT
from linprobe.errors import IncompatibleError, UsageError

if TYPE_CHECKING:
    from rich.console import Console

    from linprobe.learn.notebook import Choices
    from linprobe.learn.worksheet import WorksheetOptions

__all__ = ["HandIn", "NotebookOption", "PdfOption", "choices_of"]

NotebookOption = Annotated[
    Path | None,
    typer.Option(
        metavar="OUT.ipynb",
        help="After the run, do it again as a notebook with the same data and settings, and leave that here, executed. "
        "A file that exists is replaced with --force only.",
        rich_help_panel=OUTPUT,
    ),
]
PdfOption = Annotated[
    Path | None,
    typer.Option(metavar="OUT.pdf", help="Likewise, as a PDF to hand in.", rich_help_panel=OUTPUT),
]


class _Tried(Exception):  # noqa: N818  (nothing went wrong)
    """Ends the trial of a place before anything is written to it."""


@dataclass(frozen=True)
class HandIn:
    """The files asked for, and what the notebook is about."""

    notebook: Path | None
    pdf: Path | None
    choices: "Choices"

    def check(self, force: bool) -> None:
        """Find out before the work whether libraries and places are there. Raises what says why they are not."""
        from linprobe.errors import require
        from linprobe.publish import publish_file

        for library in ("nbclient", "nbformat", "ipykernel"):
            require(library, "notebook")
        for library in ("typst", "markdown_it") if self.pdf is not None else ():
            require(library, "pdf")
        for path, option, suffix in ((self.notebook, "--notebook", ".ipynb"), (self.pdf, "--pdf", ".pdf")):
            if path is None:
                continue
            if path.suffix.lower() != suffix:
                raise UsageError(f"{option} {path}: name a file that ends in {suffix}")
            with contextlib.suppress(_Tried), publish_file(path, replace=force):
                raise _Tried

    def make(self, console: "Console", limit: float) -> None:
        """Execute the notebook and write the files; limit: the seconds that a cell may take."""
        from rich.markup import escape

        from linprobe.learn.notebook import execute, make_notebook, print_pdf, write_notebook

        notebook = make_notebook(self.choices)
        with _progress(console) as progress:
            execute(notebook, limit=limit, progress=progress)
        if self.notebook is not None:
            write_notebook(self.notebook, notebook)
            console.print(f"The notebook is in [bold]{escape(str(self.notebook))}[/].")
        if self.pdf is not None:
            print_pdf(self.pdf, notebook)
            console.print(f"The PDF is in [bold]{escape(str(self.pdf))}[/].")


def choices_of(source: str, options: "WorksheetOptions", others: Mapping[str, bool]) -> "Choices":
    """What of a run's options goes into its notebook; others: further options, and whether they were given.

    Raises IncompatibleError where one was given that the exercise's own training does not have.
    """
    from linprobe.core.sgd.settings import Training
    from linprobe.learn.notebook import Choices
    from linprobe.learn.worksheet import WorksheetOptions

    plain, training = WorksheetOptions(), options.training
    momenta, batch_sizes = (_values(axis) or [] for axis in (options.momenta, options.batch_sizes))
    given = {
        **{f"--{name}": getattr(options, name) != getattr(plain, name) for name in ("trials", "screen")},
        "--prepare": options.features != plain.features,
        **{
            f"--{name}": getattr(training, name) != getattr(Training(), name)
            for name in ("epochs", "schedule", "warmup", "nesterov", "average", "patience")
        },
        "--momentum": momenta != [0],
        "several values of --batch-size": len(batch_sizes) > 1,
        **others,
    }
    if unfit := [name for name, is_given in given.items() if is_given]:
        raise IncompatibleError(
            f"the notebook trains as the exercise does, which knows nothing of {', '.join(unfit)}; leave that out, or "
            "leave out --notebook and --pdf"
        )
    sizes = {name: getattr(options, name) for name in ("train", "val", "test", "dev")}
    return Choices(
        source,
        training.loss,
        training.seed,
        {name: size for name, size in sizes.items() if size is not None},
        _values(options.learning_rates),
        _values(options.regs),
        training.iterations,
        round(batch_sizes[0]),
    )


def _values(axis: object) -> list[float] | None:
    import numpy as np

    return None if axis is None else np.atleast_1d(np.asarray(getattr(axis, "values", axis), float)).tolist()


@contextlib.contextmanager
def _progress(console: "Console") -> Generator[Callable[[int, int], None] | None]:
    """A bar of the cells that are done; None where nobody watches."""
    from rich import progress

    if not console.is_terminal or console.quiet:
        yield None
        return
    columns = (
        progress.TextColumn("   notebook"),
        progress.BarColumn(),
        progress.MofNCompleteColumn(),
        progress.TextColumn("cells"),
        progress.TimeElapsedColumn(),
    )
    with progress.Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("", total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)

"""`linprobe fetch`: put a dataset's archive, verified, into the cache."""

import contextlib
import json
import logging
from collections.abc import Generator
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from linprobe.data.fetch import Progress

__all__ = ["DATASETS", "fetch", "fetch_if_absent"]

# The library's own choices, said again: importing them here would load its client before `--help` is answered.
DATASETS = ("cifar10",)


def fetch(
    name: Annotated[str, typer.Argument(help="The dataset: cifar10.", autocompletion=lambda: list(DATASETS))],
    source: Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar="URL_OR_FILE",
            help="Take the archive from here, not from its authors' site. A local file is copied.",
            show_default=False,
        ),
    ] = None,
    sha256: Annotated[
        str | None,
        typer.Option(
            "--sha256",
            metavar="HEX",
            help="Verify by this checksum, not by the authors' own: for mirrors that packed the archive anew.",
            show_default=False,
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print what is in the cache as JSON.")] = False,
) -> None:
    """Download a dataset's archive, verify it, and keep it for later.

    What was interrupted is continued. The cache is the platform's own, or the folder in LINPROBE_DATA.
    """
    from rich.console import Console

    from linprobe.cli.output import answer
    from linprobe.data.fetch import obtain

    with _bar() as progress:
        done = obtain(name, source=source, sha256=sha256, progress=progress)
    found = done.verified
    if as_json:
        known = {key: getattr(found, key) for key in ("size", "md5", "sha256", "origin")}
        answer(json.dumps({"name": name, "path": str(done.path), "fetched": done.fetched, **known}))
        return
    words = (
        f"{name}: {'fetched and verified' if done.fetched else 'already here and verified'}: {done.path} "
        f"({found.size:,} bytes, sha256 {found.sha256})"
    )
    Console(soft_wrap=True).print(words, markup=False, highlight=False)


def fetch_if_absent(source: str) -> None:
    """Before a source is opened: fetch what it is the name of, with the same bar, unless the cache holds it."""
    from linprobe.data.fetch import ARCHIVES, cached

    if source in ARCHIVES:
        with _bar() as progress:
            cached(source, progress=progress)


class _Words(logging.Handler):
    """Says what the library logs, above the bar."""

    def __init__(self, console: "Console"):
        super().__init__()
        self._console = console

    def emit(self, record: logging.LogRecord) -> None:
        self._console.print(record.getMessage(), markup=False, highlight=False, soft_wrap=True)


@contextlib.contextmanager
def _bar() -> Generator["Progress"]:
    """A bar with bytes, speed and time left on standard error, if that is a terminal; and words about retries."""
    from rich import progress
    from rich.console import Console

    console = Console(stderr=True)
    columns = (
        progress.BarColumn(),
        progress.DownloadColumn(),
        progress.TransferSpeedColumn(),
        progress.TimeRemainingColumn(),
    )
    log = logging.getLogger("linprobe.data.fetch")
    words, level = _Words(console), log.level
    log.addHandler(words)
    log.setLevel(logging.INFO)
    try:
        with progress.Progress(*columns, console=console, disable=not console.is_terminal) as bar:
            task = bar.add_task("", total=None, visible=False)
            yield lambda done, total: bar.update(task, completed=done, total=total, visible=True)
    finally:
        log.removeHandler(words)
        log.setLevel(level)

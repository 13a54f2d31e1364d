"""The source of a command: fetched where it is absent, opened, and what is to be known of it said."""

import shlex
from typing import TYPE_CHECKING

from linprobe.errors import UsageError

if TYPE_CHECKING:
    from linprobe.data.dataset import Dataset


def opened(source: str, x: str | None, label: str | None) -> "Dataset":
    """The data set. A UsageError about a source with something in it names the command that lists what."""
    from linprobe.cli.fetch import fetch_if_absent
    from linprobe.cli.screen import print_notes
    from linprobe.data.formats import contents, open_dataset

    fetch_if_absent(source)
    try:
        dataset = open_dataset(source, x=x, label=label)
    except UsageError as error:
        if contents(source) is None:
            raise
        raise UsageError(f"{error}; linprobe describe {shlex.quote(source)} shows what is in it") from error
    print_notes(dataset.notes)
    return dataset

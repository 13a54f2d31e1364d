"""The source of a command: fetched where it is absent, opened, and what is to be known of it said."""

import shlex
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Protocol, TypeVar, overload

from linprobe.errors import UsageError

if TYPE_CHECKING:
    from distributed import Client

    from linprobe.data.dataset import Dataset

__all__ = ["opened", "opened_on"]

Asked = dict[str, str]


class _Noted(Protocol):
    """What was read of a source, with what is to be known of that."""

    @property
    def notes(self) -> tuple[str, ...]: ...


Opened = TypeVar("Opened", bound=_Noted)


@overload
def opened(source: str, options: Mapping[str, str | None]) -> "Dataset": ...
@overload
def opened(source: str, options: Mapping[str, str | None], how: Callable[[Asked], Opened]) -> Opened: ...
def opened(source: str, options: Mapping[str, str | None], how: Callable[[Asked], _Noted] | None = None) -> _Noted:
    """The data set as the options that are given say; how: in place of `open_dataset`, what takes those.

    A UsageError about sources with something in them names the command that lists what.
    """
    from linprobe.cli.fetch import fetch_if_absent
    from linprobe.cli.screen import print_notes
    from linprobe.data.formats import contents, open_dataset

    chosen = {name: asked for name, asked in options.items() if asked is not None}
    sources = [source, *(chosen[split] for split in ("val", "test") if split in chosen)]
    for each in sources:
        fetch_if_absent(each)
    try:
        dataset = open_dataset(source, **chosen) if how is None else how(chosen)
    except UsageError as error:
        if any(contents(each) is None for each in sources):
            raise
        # An error begins with the place that it is about.
        about = next((each for each in reversed(sources) if str(error).startswith(each)), source)
        raise UsageError(f"{error}; linprobe describe {shlex.quote(about)} shows what is in it") from error
    print_notes(dataset.notes)
    return dataset


def opened_on(client: "Client", source: str, options: Mapping[str, str | None]) -> "Dataset":
    """The same, read by the workers of a cluster."""
    from linprobe.cli.screen import print_notes
    from linprobe.data.formats.on_cluster import open_on_cluster

    dataset = open_on_cluster(client, source, **{name: each for name, each in options.items() if each is not None})
    print_notes(dataset.notes)
    return dataset

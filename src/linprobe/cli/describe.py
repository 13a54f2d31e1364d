"""`linprobe describe`: what is in a source, and what `tune` would take."""

import json
from dataclasses import asdict
from typing import Annotated

import typer

from linprobe.cli.arguments import (
    GroupsOption,
    LabelOption,
    SizeOption,
    SourceArgument,
    SplitColumnOption,
    TestOption,
    ValOption,
    XOption,
)

__all__ = ["describe"]


def describe(
    source: SourceArgument,
    x: XOption = None,
    label: LabelOption = None,
    val: ValOption = None,
    test: TestOption = None,
    split_column: SplitColumnOption = None,
    groups: GroupsOption = None,
    size: SizeOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print everything as JSON, only that.")] = False,
) -> None:
    """Describe what is in a source, without training anything.

    Format, examples, classes, splits, what is missing or there twice, and about how long tune will take.

    Where the features or the labels are not clear, what there is, and the option that says which.
    """
    from rich.console import Console

    from linprobe.cli.fetch import fetch_if_absent
    from linprobe.cli.output import answer, require_output
    from linprobe.cli.screen import print_notes, print_step
    from linprobe.tasks.describe import describe as look_at
    from linprobe.tasks.describe import description_steps

    for each in filter(None, (source, val, test)):
        fetch_if_absent(each)
    found = look_at(source, x=x, label=label, val=val, test=test, split_column=split_column, groups=groups, size=size)
    print_notes(found.notes)
    if as_json:
        answer(json.dumps(asdict(found), indent=2))
        return
    console = Console(highlight=False)
    for step in description_steps(found):
        print_step(console, step)
    require_output()

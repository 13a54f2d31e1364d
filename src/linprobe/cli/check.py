"""`linprobe check`: whether somebody's loss function is right, and what is wrong with it."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from linprobe.checker import Fault, FileVerdict, Verdict

Loss = Literal["softmax", "hinge"]

LOOKS = {
    "right": "[green]✓ right[/]",
    "right_unstable": "[yellow]~ unstable[/]",
    "wrong": "[red]✗ wrong[/]",
    "unfinished": "[yellow]… unfinished[/]",
    "crashes": "[red]✗ crashes[/]",
    "absent": "[dim]- absent[/]",
}
PENALTIES = {"full": "λΣW²", "half": "½λΣW²", None: ""}
LAYOUTS = {"DC": "(D, C)", "CD": "(C, D)", None: ""}
LOOPS = {True: "none", False: "over N", None: ""}


def check(
    path: Annotated[
        Path | None,
        typer.Argument(help="A Python file, or a folder of submissions.", metavar="FILE", show_default=False),
    ] = None,
    function: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="A function f(W, X, y, reg) -> (loss, dW) of the file to judge instead; or FILE:NAME.",
            show_default=False,
        ),
    ] = None,
    loss: Annotated[
        Loss | None,
        typer.Option(help="What it should be; by its name and its answers, unless given."),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the verdict as JSON; one line a file for a folder.")
    ] = False,
) -> None:
    """Judge the loss functions of the exercise that a file has: right or wrong, what is wrong, and where it shows.

    Looks for softmax_loss_naive, softmax_loss_vectorized, svm_loss_naive and svm_loss_vectorized. The code runs in a
    process of its own, with limits on time, memory, files, processes and network; see the page on `linprobe check`.

    Exits with 0 if every function that is there is right, 1 if one is not, 2 if there is nothing that can be judged.
    """
    from linprobe.checker.verdict import NOT_JUDGED
    from linprobe.cli.words import complain
    from linprobe.errors import LinprobeError

    path, function = _named(path, function)
    try:
        status = _folder(path, function, loss, as_json) if path.is_dir() else _file(path, function, loss, as_json)
    except LinprobeError as error:
        status = complain(str(error), NOT_JUDGED)
    raise typer.Exit(status)


def _named(path: Path | None, function: str | None) -> tuple[Path, str | None]:
    """The file and the function, which may be given together as FILE:NAME."""
    from linprobe.errors import UsageError

    before, colon, name = (function or "").rpartition(":")
    if colon and path is None:
        path = Path(before)
    elif colon and path is not None and Path(before) != path:
        raise UsageError(f"--function names {before}, and FILE is {path}; leave one of them out")
    if path is None:
        raise UsageError("there is no file to judge; give one: linprobe check FILE, or --function FILE:NAME")
    return path, name or None


def _file(path: Path, function: str | None, loss: Loss | None, as_json: bool) -> int:
    """The verdict on one file; gives the exit status."""
    from rich.console import Console

    from linprobe.checker import check_file
    from linprobe.cli.output import say

    verdict = check_file(path, function, loss)
    if as_json:
        say(json.dumps(verdict.to_json(), indent=2))
    else:
        _show(verdict, Console(highlight=False))
    return verdict.exit_status


def _folder(folder: Path, function: str | None, loss: Loss | None, as_json: bool) -> int:
    """A line for each submission of a folder; gives the exit status."""
    from rich.console import Console
    from rich.markup import escape

    from linprobe.checker.folder import check_folder, submissions
    from linprobe.checker.verdict import NOT_ENFORCED, NOT_JUDGED, NOT_RIGHT, RIGHT
    from linprobe.cli.output import say
    from linprobe.cli.words import one_line
    from linprobe.errors import UsageError

    if function is not None or loss is not None:
        raise UsageError(f"{folder} is a folder; --function and --loss are for one file")
    paths = submissions(folder)
    console = Console(highlight=False)
    statuses = []
    unprotected: dict[str, None] = {}
    for verdict in check_folder(paths):
        statuses.append(verdict.exit_status)
        unprotected.update(dict.fromkeys(note for note in verdict.notes if note.startswith(NOT_ENFORCED)))
        if as_json:
            say(json.dumps(verdict.to_json()))
            continue
        name = escape(one_line(str(Path(verdict.file).relative_to(folder))))
        said = ", ".join(_briefly(one) for one in verdict.functions) or f"[dim]{escape(one_line(verdict.notes[0]))}[/]"
        console.print(f"{name}: {said}", soft_wrap=True)
    if not as_json:
        right = statuses.count(RIGHT)
        files = "file is" if len(statuses) == 1 else "files are"
        console.print(f"\n{right} of {len(statuses)} {files} right.")
        for note in unprotected:
            console.print(note, soft_wrap=True)
    if all(status == NOT_JUDGED for status in statuses):
        return NOT_JUDGED
    return RIGHT if all(status == RIGHT for status in statuses) else NOT_RIGHT


def _briefly(verdict: "Verdict") -> str:
    codes = f" ({', '.join(fault.code for fault in verdict.faults)})" if verdict.faults else ""
    return f"{verdict.name} {LOOKS[verdict.verdict]}{codes}"


def _show(verdict: "FileVerdict", console: "Console") -> None:
    """The table of the functions, then each fault with the figures that show it."""
    from rich.markup import escape
    from rich.padding import Padding
    from rich.table import Table

    from linprobe.cli.words import one_line

    def say(text: str, indent: int) -> None:
        console.print(Padding(text, (0, 0, 0, indent), expand=False))

    console.print(f"\n[bold]{escape(one_line(verdict.file))}[/]\n")
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
    table.add_column("   function", no_wrap=True)
    table.add_column("verdict", no_wrap=True)
    for header in ("penalty", "W", "loops"):
        table.add_column(header)
    table.add_column("time*", justify="right", no_wrap=True)
    for one in verdict.functions:
        seconds = "" if one.seconds is None else f"{1e3 * one.seconds:,.1f} ms"
        looks = (PENALTIES[one.convention], LAYOUTS[one.layout], LOOPS[one.loop_free])
        table.add_row(f"   {escape(one_line(one.name))}", LOOKS[one.verdict], *looks, seconds)
    if verdict.functions:
        console.print(table)
    if any(one.seconds is not None for one in verdict.functions):
        say("[dim]* of one call at the exercise's own size, 500 x 3,073 x 10[/]", 3)
    for names, faults, notes in _alike(verdict.functions):
        console.print(f"\n   [bold]{escape(one_line(names))}[/]")
        for fault in faults:
            say(f"[red]{fault.code}[/]  {escape(one_line(fault.message))}", 3)
            for line in _figures(fault):
                say(f"[dim]{escape(one_line(line))}[/]", 6)
        for note in notes:
            say(f"[dim]note[/]  {escape(one_line(note))}", 3)
    if verdict.notes and verdict.functions:
        console.print()
    for note in verdict.notes:
        say(f"[dim]note[/]  {escape(one_line(note))}", 3)


def _alike(verdicts: "tuple[Verdict, ...]") -> "list[tuple[str, tuple[Fault, ...], tuple[str, ...]]]":
    """What there is to say, once for the functions of which the same is to be said."""
    said: list[tuple[str, tuple[Fault, ...], tuple[str, ...]]] = []
    for one in verdicts:
        if said and (one.faults, one.notes) == said[-1][1:]:
            said[-1] = (f"{said[-1][0]}, {one.name}", *said[-1][1:])
        elif one.faults or one.notes:
            said.append((one.name, one.faults, one.notes))
    return said


def _figures(fault: "Fault") -> list[str]:
    """What shows a fault: the line it stopped in, or a figure beside the one that is expected."""
    evidence = fault.evidence
    lines = []
    if "line" in evidence:
        lines.append(f"line {evidence['line']}: {evidence['text']}".rstrip(": "))
    if "found" in evidence:
        found, expected = (_figure(evidence[name], 8) for name in ("found", "expected"))
        if found == expected:  # they differ in later digits
            found, expected = (_figure(evidence[name], 12) for name in ("found", "expected"))
        lines.append(f"{evidence['where']} is {found}, expected {expected}")
    if "case" in evidence:
        lines.append(f"in the case {evidence['case']}")
    return lines


def _figure(figure: float | str, digits: int) -> str:
    return figure if isinstance(figure, str) else f"{figure:.{digits}g}"

"""`linprobe check`: whether somebody's loss function is right, and what is wrong with it."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from linprobe.learn.checker import Fault, FileVerdict, Verdict
    from linprobe.learn.checker.folder import JudgedSubmission

__all__ = ["check"]

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
    paths: Annotated[
        list[Path] | None,
        typer.Argument(metavar="FILE", help="Python files, or folders of submissions.", show_default=False),
    ] = None,
    function: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="A function f(W, X, y, reg) -> (loss, dW) of the file to judge instead; or FILE:NAME. "
            "softmax_loss_naive=NAME says what one of the exercise's functions is called, in all the files.",
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
    as_csv: Annotated[bool, typer.Option("--csv", help="Print a table as CSV, one line a function.")] = False,
    html: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write a page on the class, with the commonest faults.", show_default=False),
    ] = None,
) -> None:
    """Judge the loss functions of the exercise that a file has: right or wrong, what is wrong, and where it shows.

    Looks for softmax_loss_naive, softmax_loss_vectorized, svm_loss_naive and svm_loss_vectorized. The code runs in a
    process of its own, with limits on time, memory, files, processes and network; see the page on `linprobe check`.

    Exits with 0 if every function that is there is right, 1 if one is not, 2 if there is nothing that can be judged.
    """
    from linprobe.cli.messages import complain
    from linprobe.errors import LinprobeError, UsageError
    from linprobe.learn.checker.verdict import NOT_JUDGED

    try:
        if as_json and as_csv:
            raise UsageError("--json and --csv are two forms of one answer; leave one of them out")
        places, name, renamed = _named(paths or [], function or [])
        if len(places) == 1 and not places[0].is_dir() and not as_csv and html is None:
            status = _file(places[0], name, loss, renamed, as_json)
        elif name is not None or loss is not None:
            raise UsageError(
                "--function NAME and --loss are for one file by itself; for a folder, several files, --csv and --html "
                "write --function softmax_loss_naive=NAME"
            )
        else:
            status = _class(places, renamed, html, "json" if as_json else "csv" if as_csv else "lines")
    except LinprobeError as error:
        status = complain(str(error), NOT_JUDGED)
    raise typer.Exit(status)


def _named(paths: list[Path], functions: list[str]) -> tuple[list[Path], str | None, dict[str, str]]:
    """The files, the one function to judge instead, and other names of the exercise's functions."""
    from linprobe.errors import UsageError
    from linprobe.learn.checker.checking import EXERCISE

    renamed: dict[str, str] = {}
    name: str | None = None
    for one in functions:
        meant, equals, other = one.partition("=")
        if equals and (meant not in EXERCISE or not other.isidentifier()):
            raise UsageError(f"--function is {one!r}; it is NAME=OTHER, NAME one of {', '.join(EXERCISE)}")
        if equals:
            renamed[meant] = other
            continue
        if name is not None or renamed:
            raise UsageError("--function names two functions; name one, or give softmax_loss_naive=NAME for each")
        before, colon, name = one.rpartition(":")
        if colon and not paths:
            paths = [Path(before)]
        elif colon and [Path(before)] != paths:
            raise UsageError(f"--function names {before}, and FILE is {paths[0]}; leave one of them out")
    if name and renamed:
        raise UsageError("--function names two functions; name one, or give softmax_loss_naive=NAME for each")
    if not paths:
        raise UsageError("there is no file to judge; give one: linprobe check FILE, or --function FILE:NAME")
    return paths, name or None, renamed


def _file(path: Path, function: str | None, loss: Loss | None, renamed: dict[str, str], as_json: bool) -> int:
    """The verdict on one file; gives the exit status."""
    from rich.console import Console

    from linprobe.cli.output import say
    from linprobe.learn.checker import check_file

    verdict = check_file(path, function, loss, renamed=renamed)
    if as_json:
        say(json.dumps(verdict.to_json(), indent=2))
    else:
        _show(verdict, Console(highlight=False))
    return verdict.exit_status


def _class(places: list[Path], renamed: dict[str, str], html: Path | None, form: str) -> int:
    """A line for each submission, and what they add up to; gives the exit status."""
    from rich.console import Console
    from rich.markup import escape

    from linprobe.cli.messages import one_line
    from linprobe.cli.output import say
    from linprobe.learn.checker.folder import JudgedSubmission, check_folder, submissions
    from linprobe.learn.checker.verdict import NOT_JUDGED, NOT_RIGHT, RIGHT

    handed_in = submissions(places, renamed)
    console = Console(highlight=False)
    judged: list[JudgedSubmission] = []
    if form == "csv":
        say(_csv([COLUMNS]))
    for submission, verdict in zip(handed_in, check_folder(handed_in, renamed), strict=True):
        judged.append(JudgedSubmission(submission, verdict))
        if form == "json":
            say(json.dumps(verdict.to_json()))
        elif form == "csv":
            say(_csv(_rows(judged[-1])))
        else:
            note = f"[dim]{escape(one_line(verdict.notes[0] if verdict.notes else ''))}[/]"
            said = ", ".join(_briefly(one) for one in verdict.functions) or note
            console.print(f"{escape(one_line(submission.name))}: {said}", soft_wrap=True)
    if form == "lines":
        _sum_up(judged, console)
    if html is not None:
        from linprobe.cli.class_page import write_class_page

        write_class_page(judged, html)
    statuses = {one.verdict.exit_status for one in judged}
    return NOT_JUDGED if statuses == {NOT_JUDGED} else RIGHT if statuses == {RIGHT} else NOT_RIGHT


def _sum_up(judged: "Sequence[JudgedSubmission]", console: "Console") -> None:
    """The totals: by fault, by student, the same texts, and how many are right."""
    from rich.markup import escape

    from linprobe.cli.messages import one_line
    from linprobe.learn.checker.folder import by_fault, by_student, same_texts
    from linprobe.learn.checker.verdict import NOT_ENFORCED

    def say(text: str) -> None:
        console.print(text, soft_wrap=True)

    if faults := by_fault(judged):
        say("\nFaults, and in how many files:")
        for code, count in faults:
            say(f"{count:5}  {code}")
    students = by_student(judged)
    if len(students) < len(judged):
        say("\nFiles of each student:")
        for student, counted in students.items():
            kinds = ", ".join(f"{count} {kind.replace('_', ' ')}" for kind, count in counted.most_common())
            say(f"       {escape(one_line(student))}: {kinds}")
    for names in same_texts(judged):
        say(f"\nThe same text: {escape(one_line(', '.join(names)))}")
    kinds = [one.judgement for one in judged]
    right, unstable = kinds.count("right"), kinds.count("right_unstable")
    more = f", {unstable} more at ordinary scores only" if unstable else ""
    say(f"\n{right} of {len(judged)} {'file is' if len(judged) == 1 else 'files are'} right{more}.")
    notes = [note for one in judged for note in one.verdict.notes if note.startswith(NOT_ENFORCED)]
    for note in dict.fromkeys(notes):
        say(note)


COLUMNS = (
    *("student", "file", "function", "verdict", "penalty", "layout", "loop_free", "seconds"),
    *("faults", "lines", "message", "note"),
)


def _rows(one: "JudgedSubmission") -> list[tuple[Any, ...]]:
    """The lines of a submission in a table: one a function, or one that says why there is none."""
    from linprobe.cli.messages import one_line

    head = one.submission.student, one.submission.name
    note = one_line(" ".join(one.verdict.notes))
    rows = [
        (
            *(*head, f.name, f.verdict, f.convention, f.layout, f.loop_free, f.seconds),
            " ".join(fault.code for fault in f.faults),
            " ".join(str(fault.evidence["line"]) for fault in f.faults if "line" in fault.evidence),
            one_line(" ".join(fault.message for fault in f.faults)),
            note,
        )
        for f in one.verdict.functions
    ]
    return rows or [(*head, *[None] * 9, note)]


def _csv(rows: "Sequence[Sequence[Any]]") -> str:
    """Lines of CSV; a text that a spreadsheet would take for a formula begins with an apostrophe."""
    import csv
    import io

    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    for row in rows:
        writer.writerow([f"'{one}" if isinstance(one, str) and one[:1] in set("=+-@\t") else one for one in row])
    return out.getvalue().rstrip("\n")


def _briefly(verdict: "Verdict") -> str:
    codes = f" ({', '.join(fault.code for fault in verdict.faults)})" if verdict.faults else ""
    return f"{verdict.name} {LOOKS[verdict.verdict]}{codes}"


def _show(verdict: "FileVerdict", console: "Console") -> None:
    """The table of the functions, then each fault with the figures that show it."""
    from rich.markup import escape
    from rich.padding import Padding
    from rich.table import Table

    from linprobe.cli.messages import one_line

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
    """What shows a fault: its line, as it is and as it would be right, and a figure beside the one that is expected."""
    evidence = fault.evidence
    lines = []
    if "line" in evidence:
        lines.append(f"line {evidence['line']}: {evidence['text']}".rstrip(": "))
    if "instead" in evidence:
        lines.append(f"right as: {evidence['instead']}")
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

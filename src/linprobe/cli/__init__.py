"""The command line: one file per command; arguments in, library call, words out."""

import sys
import warnings

from linprobe.cli import interrupt  # before all that takes its time to import

# isort: split
import typer

from linprobe import __version__
from linprobe.cli import check, compare, describe, evaluate, export, fetch, predict, report, tune, worksheet
from linprobe.cli.arguments import refuse_little_address_space
from linprobe.cli.help import WIDEST, Command, Group
from linprobe.cli.interrupt import INTERRUPTED
from linprobe.cli.messages import complain, explain
from linprobe.cli.mistakes import mistake
from linprobe.cli.output import answer, lasting_output, lost_output
from linprobe.cli.renamed import modern
from linprobe.errors import LinprobeError, UncheckedFileWarning

COMPUTING = ("worksheet", "tune", "evaluate", "predict", "export", "describe", "compare")  # which load what computes

app = typer.Typer(
    name="linprobe",
    cls=Group,
    help="Train, tune, certify and look at linear classifiers: the whole grid at once.",
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": WIDEST},
)
for command in (
    *(worksheet.worksheet, tune.tune, describe.describe, evaluate.evaluate, predict.predict),
    *(compare.compare, export.export, report.report, check.check, fetch.fetch),
):
    app.command(cls=Command)(command)


def _show_version(wanted: bool) -> None:
    if wanted:
        answer(f"linprobe {__version__}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def options(
    context: typer.Context,
    version: bool = typer.Option(  # noqa: ARG001 (its callback is all)
        False, "--version", callback=_show_version, is_eager=True, help="Print the version and stop."
    ),
) -> None:
    """Hold what comes before the command; without one, show what there is."""
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())
        raise typer.Exit(2)


def main() -> None:
    """Run the command line: exit 0 done, 1 the work failed, 2 wrong usage, 130 interrupted; errors are one line."""
    warnings.showwarning = _warn
    try:
        with lasting_output():
            sys.argv[1:] = modern(sys.argv[1:])  # which run.json keeps as the command
            status = _run()
            sys.stdout.flush()
            sys.stderr.flush()
    except KeyboardInterrupt:  # before or after the work
        status = complain("interrupted", INTERRUPTED)
    sys.exit(status)


def _run() -> int:
    """Run the command and say what went wrong; gives the exit status."""
    try:
        if sys.argv[1:2] and sys.argv[1] in COMPUTING and not {"-h", "--help"}.intersection(sys.argv):
            refuse_little_address_space()
        status = app(prog_name="linprobe", standalone_mode=False)
        if lost := lost_output():
            complain(f"{lost}; what is missing there is lost")
        if status == INTERRUPTED:  # what typer makes of Ctrl-C, without a word
            return complain("interrupted", INTERRUPTED)
    except (KeyboardInterrupt, typer.Abort):
        return complain("interrupted", INTERRUPTED)
    except LinprobeError as error:
        return complain(explain(error), error.exit_status)
    except typer.exceptions.TyperException as error:
        return complain(mistake(error), 2)
    except Exception as error:  # noqa: BLE001 - whatever it is, it is ours
        return complain(explain(error))
    return status if isinstance(status, int) else 0


def _warn(message: Warning | str, category: type[Warning], filename: str, lineno: int, *_: object) -> None:
    """Say a warning of ours in one line, as errors are said; any other as Python does, with the place in the code."""
    if issubclass(category, UncheckedFileWarning):
        complain(f"warning: {message}")
    else:
        sys.stderr.write(warnings.formatwarning(message, category, filename, lineno))


interrupt.over()

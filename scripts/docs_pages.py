"""Pages of the documentation that are made when it is built: the command line from the commands' own help, and the
repository's CONTRIBUTING.md and CHANGELOG.md.

A hook of mkdocs; see mkdocs.yml.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer

from linprobe.cli import app
from linprobe.cli.help import default, is_option, least, term

ROOT = Path(__file__).resolve().parents[1]

# Pages whose text lies elsewhere in the repository, by their place on the site.
COPIED = {"contributing.md": "CONTRIBUTING.md", "changelog.md": "CHANGELOG.md"}

INTRODUCTION = """\
# The command line

Made from the commands' own help: `linprobe COMMAND --help` says the same.

Every command ends with the exit status 0 when the work is done, 1 when it failed, 2 for wrong usage and 130 when it was
interrupted. An error is one line on standard error: place, finding, expectation, next step. Progress bars appear on a
terminal only. `--json` prints one JSON document on standard output, and nothing else.
"""


def on_files(files: Any, config: Any) -> Any:
    """Add the pages to mkdocs' list of files."""
    from mkdocs.structure.files import File

    files.append(File.generated(config, "reference/command-line.md", content=command_line()))
    for page, source in COPIED.items():
        files.append(File.generated(config, page, content=(ROOT / source).read_text(encoding="utf-8")))
        config.watch.append(str(ROOT / source))
    return files


def command_line() -> str:
    """The reference of all commands, Markdown."""
    group: Any = typer.main.get_command(app)
    parts = [INTRODUCTION]
    for name, command in group.commands.items():
        parts += _command(f"linprobe {name}", command)
    return "\n".join(parts)


def _command(name: str, command: Any) -> Iterator[str]:
    """One command: its first sentence, its usage, its arguments, and its options by their panels."""
    first, _, rest = command.help.partition("\n")
    yield f"\n## {name}\n\n{first.strip()}\n"
    usage = " ".join([name, "[OPTIONS]", *(term(one) for one in command.params if not is_option(one))])
    yield f"```console\n{usage}\n```\n"
    if rest.strip():
        yield f"{rest.strip()}\n"
    panels: dict[str, list[Any]] = {}
    for parameter in command.params:
        panel = "Options" if is_option(parameter) else "Arguments"
        panels.setdefault(parameter.rich_help_panel or panel, []).append(parameter)
    for panel, parameters in panels.items():
        yield f"**{panel}**\n"
        for parameter in parameters:
            yield f"`{term(parameter)}`\n:   {_meaning(parameter)}\n"


def _meaning(parameter: Any) -> str:
    """The help, what it is unless given, and its bounds."""
    words = [_escaped(parameter.help or "")]
    if bound := least(parameter):
        words.append(f"{bound.capitalize()}.")
    if said := default(parameter):
        words.append(f"Unless given: {_escaped(said) if isinstance(parameter.show_default, str) else f'`{said}`'}.")
    return " ".join(words)


def _escaped(text: str) -> str:
    return "".join(f"\\{letter}" if letter in r"\`*_<>[]" else letter for letter in text)

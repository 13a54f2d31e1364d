"""Pages of the documentation that are made when it is built: the command line from the commands' own help, and the
repository's CONTRIBUTING.md and CHANGELOG.md.

A hook of mkdocs; see mkdocs.yml.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer

from linprobe.cli import app

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
    context = typer.Context(command, info_name=name)
    first, _, rest = command.help.partition("\n")
    yield f"\n## {name}\n\n{first.strip()}\n"
    usage = " ".join([name, "[OPTIONS]", *(_argument(one) for one in command.params if not _option(one))])
    yield f"```console\n{usage}\n```\n"
    if rest.strip():
        yield f"{rest.strip()}\n"
    panels: dict[str, list[Any]] = {}
    for parameter in command.params:
        panel = "Options" if _option(parameter) else "Arguments"
        panels.setdefault(parameter.rich_help_panel or panel, []).append(parameter)
    for panel, parameters in panels.items():
        yield f"**{panel}**\n"
        for parameter in parameters:
            yield f"{_term(parameter, context)}\n:   {_meaning(parameter)}\n"


def _option(parameter: Any) -> bool:
    return parameter.param_type_name == "option"


def _argument(parameter: Any) -> str:
    name = parameter.metavar or parameter.name.upper()
    return name if parameter.required else f"[{name}]"


def _term(parameter: Any, context: Any) -> str:
    """How it is written: the argument's name, or the option with what it takes."""
    if not _option(parameter):
        return f"`{_argument(parameter)}`"
    spellings = ", ".join([*parameter.opts, *parameter.secondary_opts])
    return f"`{spellings}`" if parameter.is_flag else f"`{spellings} {_kind(parameter, context)}`"


def _kind(parameter: Any, context: Any) -> str:
    """What an option takes: the words to choose from, its own name for it, or a type."""
    if parameter.metavar is not None:
        return parameter.metavar
    kind = parameter.display_type(context).strip("<>").removesuffix(" range")
    return kind if parameter.type_descriptor.is_choice else kind.upper()


def _meaning(parameter: Any) -> str:
    """The help, what it is unless given, and its bounds."""
    words = [_escaped(parameter.help or "")]
    if getattr(parameter, "min", None) is not None:
        words.append(f"At least {parameter.min:g}.")
    if isinstance(parameter.show_default, str):
        words.append(f"Unless given: {_escaped(parameter.show_default)}.")
    elif parameter.show_default and parameter.default is not None and not getattr(parameter, "is_flag", False):
        words.append(f"Unless given: `{parameter.default}`.")
    return " ".join(words)


def _escaped(text: str) -> str:
    return "".join(f"\\{letter}" if letter in r"\`*_<>[]" else letter for letter in text)

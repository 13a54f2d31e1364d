"""What `--help` prints: what a command does, its usage, its arguments, and its options by their panels."""

import difflib
import inspect
import os
import textwrap
from collections.abc import Iterator
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

from linprobe.cli.output import in_its_letters
from linprobe.errors import UsageError

__all__ = ["KINDS", "WIDEST", "Command", "Group", "default", "is_option", "least", "name", "page", "term", "usage"]

WIDEST = 100  # letters of a line, on any screen
TERM = 26  # letters of a term that its explanation stands beside; below a longer one
KINDS = {"int": "N", "float": "NUMBER", "Path": "PATH"}


class _Helpful:
    """Help in our form."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Write all of the help."""
        formatter.write(in_its_letters(page(self, ctx, formatter.width)))


class Command(_Helpful, TyperCommand):
    """A command with our help, and with our words for what is one argument too many."""

    allow_extra_args = True

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Refuse arguments that the command has no place for."""
        try:
            rest = super().parse_args(ctx, args)
        except typer.exceptions.TyperException as error:
            error.__dict__["ctx"] = ctx  # which an option without its value does not know
            raise
        if rest and not ctx.resilient_parsing:
            raise UsageError(f"{rest[0]}: is one argument too many; write {usage(self, ctx)}")
        return rest


class Group(_Helpful, TyperGroup):
    """The command line as a whole: our help, and our words for a command that is not there."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Find the command, or name one that is spelt much like it."""
        if args[0] not in self.commands and not args[0].startswith("-") and not ctx.resilient_parsing:
            near = difflib.get_close_matches(args[0].lower(), self.commands, n=1)
            step = f"did you mean {near[0]}?" if near else f"choose from {', '.join(self.commands)}"
            raise UsageError(f"{args[0]}: is not a command; {step}")
        return super().resolve_command(ctx, args)


def usage(command: Any, context: Any) -> str:
    """The command with the places of what it takes: linprobe tune [OPTIONS] SOURCE."""
    if isinstance(command, TyperGroup):
        return f"{context.command_path} [OPTIONS] COMMAND ..."
    return " ".join([context.command_path, "[OPTIONS]", *(term(one) for one in command.params if not is_option(one))])


def is_option(parameter: Any) -> bool:
    """Whether this is an option, not an argument."""
    return parameter.param_type_name == "option"


def name(parameter: Any) -> str:
    """What a parameter is called: --folds, SOURCE."""
    return max(parameter.opts, key=len) if is_option(parameter) else parameter.metavar or parameter.name.upper()


def term(parameter: Any) -> str:
    """How a parameter is written: `--folds K`, `-h, --help`, `SOURCE`, `[FILE]`, `INPUT...`."""
    if is_option(parameter):
        spellings = ", ".join(sorted(parameter.opts, key=len))
        return spellings if parameter.is_flag else f"{spellings} {_kind(parameter)}"
    written = name(parameter) + ("..." if parameter.nargs != 1 else "")
    return written if parameter.required else f"[{written}]"


def _kind(parameter: Any) -> str:
    """What an option takes: its own word for it, the words to choose from, or a kind of value."""
    descriptor = parameter.type_descriptor
    if parameter.metavar is not None:
        return parameter.metavar
    if descriptor.is_choice:
        return "|".join(descriptor.choices)
    return KINDS.get(descriptor.annotation.__name__, "TEXT")


def least(parameter: Any) -> str:
    """The smallest value of a number, in words; nothing where it has none."""
    return f"{parameter.min:g} or more" if getattr(parameter, "min", None) is not None else ""


def default(parameter: Any) -> str:
    """What holds unless it is given; nothing where that says nothing."""
    if isinstance(parameter.show_default, str):
        return parameter.show_default
    if not parameter.show_default or parameter.default is None or getattr(parameter, "is_flag", False):
        return ""
    return f"{parameter.default:g}" if isinstance(parameter.default, float) else str(parameter.default)


def page(command: Any, context: Any, width: int) -> str:
    """All of the help of a command, in lines of at most `width` letters."""
    what = [" ".join(part.split()) for part in inspect.cleandoc(command.help or "").split("\n\n")]
    parts = ["\n".join(_filled(part, width)) for part in what]
    parts.insert(1, f"{_head('Usage:')} {usage(command, context)}")
    panels: dict[str, list[tuple[str, str]]] = {"Arguments": [], "Options": []}
    if isinstance(command, TyperGroup):
        panels = {"Commands": [(word, _first(one)) for word, one in command.commands.items()], "Options": []}
    parameters: list[Any] = command.get_params(context)
    for parameter in parameters:
        # Without a panel of its own, an option comes before those that have one; --help is the last of all.
        panel = "Options" if is_option(parameter) else "Arguments"
        panels.setdefault(parameter.rich_help_panel or panel, []).append((term(parameter), _meaning(parameter)))
    for title, rows in panels.items():
        if rows:
            parts.append("\n".join([_head(f"{title}:"), *_rows(rows, width)]))
    return "\n\n".join(parts)


def _rows(rows: list[tuple[str, str]], width: int) -> Iterator[str]:
    """Terms in one column and what they mean in the other; below a term that does not fit there."""
    indent = 4 + min(TERM, max(len(one) for one, _ in rows))
    for one, meaning in rows:
        lines = _filled(meaning, width - indent)
        first = lines.pop(0) if len(one) <= indent - 4 and lines else ""
        yield f"  {_style(one)}{' ' * (indent - 2 - len(one))}{first}".rstrip()
        yield from (" " * indent + line for line in lines)


def _filled(text: str, width: int) -> list[str]:
    """Lines of whole words: an option's name is never parted at its hyphens."""
    return textwrap.wrap(text, width, break_on_hyphens=False, break_long_words=False)


def _first(command: Any) -> str:
    """The first sentence of a command's help."""
    return " ".join(inspect.cleandoc(command.help or "").partition("\n\n")[0].split())


def _meaning(parameter: Any) -> str:
    more = [least(parameter), f"default: {said}" if (said := default(parameter)) else ""]
    return " ".join([parameter.help or "", f"[{'; '.join(filter(None, more))}]" if any(more) else ""]).strip()


def _head(text: str) -> str:
    return text if "NO_COLOR" in os.environ else typer.style(text, bold=True)


def _style(text: str) -> str:
    return text if "NO_COLOR" in os.environ else typer.style(text, fg="cyan")

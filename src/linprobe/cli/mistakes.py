"""What typer and pydantic find wrong with a command line, said as we say it: option, value, what is expected."""

from typing import Any

from linprobe.cli.help import least, name

__all__ = ["mistake"]

LONGEST = 60  # letters of a value that are shown
NUMBERS = {"int": "an integer", "float": "a number"}


def mistake(error: Any) -> str:
    """One line for an exception of typer's about the command line."""
    context = getattr(error, "ctx", None)
    command = "linprobe" if context is None else context.command_path
    see = f"see {command} --help"
    parameter = getattr(error, "param", None)
    option = getattr(error, "option_name", None)
    if parameter is not None and hasattr(error, "param_type"):  # it is missing
        return f"{name(parameter)} is missing: {(parameter.help or 'give it').rstrip('.')}; {see}"
    if parameter is not None:
        return f"{name(parameter)} {_given(error)}: {_expected(parameter)}"
    if hasattr(error, "possibilities"):
        near = sorted(error.possibilities or ())
        return f"{option}: is not an option of {command}; {f'did you mean {near[0]}?' if near else see}"
    if option is not None:
        known = [] if context is None else context.command.params
        meant = next((one for one in known if option in one.opts), None)
        if meant is None or meant.is_flag:
            return f"{option}: takes no value; leave it out"
        return f"{option}: its value is missing; {_expected(meant)}"
    return f"{error.format_message().rstrip('.?')}; {see}"


def _given(error: Any) -> str:
    """The value that was refused, as it was typed."""
    cause = error.__cause__
    given = str(cause.errors()[0].get("input", "")) if hasattr(cause, "errors") else ""
    return (given if len(given) <= LONGEST else f"{given[:LONGEST]}…").strip() or "(empty)"


def _expected(parameter: Any) -> str:
    """What an option or argument takes, with its range."""
    descriptor = parameter.type_descriptor
    if descriptor.is_choice:
        return f"choose from {', '.join(descriptor.choices)}"
    number = NUMBERS.get(descriptor.annotation.__name__)
    if number is None:
        return f"give {parameter.metavar or 'a value'}"
    return f"give {number}" + (f", {bound}" if (bound := least(parameter)) else "")

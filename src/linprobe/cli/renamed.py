"""Earlier names of options and of their values, which work for this version still."""

from linprobe.cli.messages import complain

__all__ = ["modern"]

OPTIONS = {"--train": "--train-size", "--val": "--val-size", "--test": "--test-size", "--features": "--prepare"}
VALUES = {"--precision": {"single": "float32", "double": "float64"}}
SOURCES = ("--val", "--test")
COMMANDS = ("worksheet", "tune")


def modern(arguments: list[str]) -> list[str]:
    """The command line in today's names; each old one costs a warning."""
    if not arguments or arguments[0] not in COMMANDS:
        return arguments
    written: list[str] = []
    for word, after in zip(arguments, [*arguments[1:], ""], strict=True):
        option, equals, value = word.partition("=")
        # Of tune, these name a source today; a number was the size that they asked for.
        source = arguments[0] == "tune" and option in SOURCES and not (value if equals else after).isdecimal()
        if option in OPTIONS and not source:
            _warn(option, OPTIONS[option])
            word = f"{OPTIONS[option]}{equals}{value}"
        elif equals and value in VALUES.get(option, {}):
            _warn(word, f"{option} {VALUES[option][value]}")
            word = f"{option}={VALUES[option][value]}"
        elif written and word in VALUES.get(written[-1], {}):
            _warn(f"{written[-1]} {word}", f"{written[-1]} {VALUES[written[-1]][word]}")
            word = VALUES[written[-1]][word]
        written.append(word)
    return written


def _warn(old: str, new: str) -> None:
    complain(f"warning: {old} is now {new}; the old name works in this version only")

"""The notebook from cells.txt, the one place where its words and its code stand, with what was chosen filled in."""

import re
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

from linprobe.errors import require
from linprobe.publish import publish_file

if TYPE_CHECKING:
    from nbformat import NotebookNode

__all__ = ["WIDTH", "Choices", "make_notebook", "write_notebook"]

WIDTH = 92  # columns of code; what a line of the PDF holds

CELL = re.compile(r"^%% (text|code) ([a-z0-9-]+)\n", re.MULTILINE)


@dataclass(frozen=True)
class Choices:
    """The values in the cell at the top of the notebook; source as the user gave it, None: what suits the data."""

    source: str = "digits"
    loss: str = "softmax"
    seed: int = 0
    sizes: Mapping[str, int] = field(default_factory=dict)
    learning_rates: Sequence[float] | None = None
    regs: Sequence[float] | None = None
    iterations: int = 1500
    batch_size: int = 200


def make_notebook(choices: Choices | None = None) -> "NotebookNode":
    """The worksheet's notebook without outputs; the same choices give the same notebook, cell ids included."""
    v4 = require("nbformat", "notebook").v4
    notebook = v4.new_notebook(
        metadata={
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
        }
    )
    _, *parts = CELL.split(resources.files("linprobe.learn.notebook").joinpath("cells.txt").read_text(encoding="utf-8"))
    for kind, name, source in zip(parts[::3], parts[1::3], parts[2::3], strict=True):
        new_cell = v4.new_code_cell if kind == "code" else v4.new_markdown_cell
        if name == "parameters":
            source = _fill(source, choices or Choices())
        tags = ["parameters"] if name == "parameters" else ["hosted"] if name.startswith("hosted") else []
        notebook.cells.append(new_cell(source.strip(), id=name, metadata={"tags": tags} if tags else {}))
    return notebook


def write_notebook(path: Path, notebook: "NotebookNode") -> None:
    """Write a notebook; it appears whole or not at all."""
    content = require("nbformat", "notebook").writes(notebook) + "\n"
    with publish_file(path) as partial:
        partial.write_text(content, encoding="utf-8", newline="\n")


def _fill(source: str, choices: Choices) -> str:
    """The cell of parameters with these values."""
    for name in (choice.name for choice in fields(choices)):
        line = f"{name.upper()} = {_literal(getattr(choices, name))}"
        source, found = re.subn(rf"^{name.upper()} = .*$", lambda _, line=line: line, source, flags=re.MULTILINE)
        if found != 1:
            raise LookupError(f"cells.txt: {name.upper()} is set {found} times, once is expected")
    return source


def _literal(value: object) -> str:
    """A value as Python reads it again; whatever a path holds, it stays one string on one line."""
    if isinstance(value, str):
        # repr escapes all that cannot be printed: line ends, marks that turn the direction of writing, lone surrogates.
        return f'"{value}"' if value.isprintable() and not set(value) & set('"\\') else repr(value)
    if isinstance(value, Mapping):
        return "{" + ", ".join(f'"{name}": {number!r}' for name, number in value.items()) + "}"
    if isinstance(value, Sequence):
        words = ", ".join(repr(float(number)) for number in value)
        if len(words) < WIDTH - len("LEARNING_RATES = []"):
            return f"[{words}]"
        return "[\n" + textwrap.fill(words, WIDTH, initial_indent="    ", subsequent_indent="    ") + ",\n]"
    return repr(value)

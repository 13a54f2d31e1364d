"""Docstrings as Markdown: they are plain prose, in which a star is a star and the names of parameters are names.

An extension of griffe, which reads the package for mkdocstrings; see mkdocs.yml.
"""

import re
from typing import Any

import griffe

# What comes before a name where it is explained, and what comes behind it there.
BEFORE, BEHIND = r"(?:(?<=^)|(?<=[.;:,] )|(?<= and )|(?<=-> ))", r"(?=:|,|;|\.| \(| \"| instead|$)"
LABEL = re.compile(r"(Parameters|Attributes):")
ATTRIBUTE = re.compile(r"(?<![\w`])([a-z]\w*_)(?![\w`])")


class Prose(griffe.Extension):
    """Rewrites every docstring once it has been read."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        """Called for every module, class, function and attribute."""
        if obj.docstring is not None:
            names = {parameter.name.lstrip("*") for parameter in getattr(obj, "parameters", ())} - {"self", "cls"}
            if obj.is_class:
                names |= {name for name, member in obj.members.items() if member.is_attribute}
            obj.docstring.value = markdown(obj.docstring.value, {name for name in names if not name.startswith("_")})


def markdown(text: str, names: set[str]) -> str:
    """A docstring of paragraphs and indented drawings; names (of parameters, of attributes) become code."""
    return "\n\n".join(
        part if part.startswith("    ") else _paragraph(part, names) for part in re.split(r"\n{2,}", text.strip("\n"))
    )


def _paragraph(text: str, names: set[str]) -> str:
    pieces = re.split(r"(`[^`]*`)", text)  # what is code already stays as it is
    told = "".join(piece if piece.startswith("`") else _plain(piece, names) for piece in pieces)
    label, found = LABEL.match(told), re.sub(r"\s+", " ", told)
    if label is None:
        return told
    # One point for each sentence that begins with a name.
    points = re.split(r"(?<=\.) (?=`)", found[label.end() :].strip())
    return f"**{label[1]}**\n\n" + "\n".join(f"- {point}" for point in points)


def _plain(text: str, names: set[str]) -> str:
    escaped = re.sub(r"([\\*<>\[\]])", r"\\\1", text)
    if names:
        found = "|".join(sorted(map(re.escape, names), key=len, reverse=True))
        escaped = re.sub(f"{BEFORE}({found}){BEHIND}", r"`\1`", escaped, flags=re.MULTILINE)
    return ATTRIBUTE.sub(r"`\1`", escaped)

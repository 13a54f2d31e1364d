"""An executed notebook as the PDF that is handed in: set by Typst, which comes with its Python package.

Typst needs neither a browser nor LaTeX nor a network, brings its fonts, and takes all text as data: the notebook goes
to it as JSON, which handin.typ lays out, so that nothing in it can be read as markup.
"""

import base64
import json
import tempfile
from collections.abc import Iterator
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NotRequired, TypedDict

from linprobe.errors import OutputError, require
from linprobe.learn.notebook.cells import WIDTH
from linprobe.publish import publish_file

if TYPE_CHECKING:
    from nbformat import NotebookNode

__all__ = ["CodeCell", "MarkdownNode", "PictureOutput", "TextOutput", "WordsCell", "print_pdf"]

PRINTED = ("image/png", "text/markdown", "text/plain")  # of an output's forms the first that it has
TEMPLATE = "handin.typ"


class MarkdownNode(TypedDict):
    """A node of Markdown with its children, or with its text; lang: of a fence; align: of a table's cell."""

    type: str
    children: "NotRequired[list[MarkdownNode]]"
    text: NotRequired[str]
    lang: NotRequired[str]
    level: NotRequired[int]
    align: NotRequired[str]


class WordsCell(TypedDict):
    """A cell of Markdown, or an output that is."""

    kind: Literal["words"]
    blocks: list[MarkdownNode]


class TextOutput(TypedDict):
    """What was printed."""

    kind: Literal["text"]
    text: str


class PictureOutput(TypedDict):
    """A picture, by the name of its file, and its width in pixels, if the notebook says it."""

    kind: Literal["picture"]
    file: str
    width: int | None


class CodeCell(TypedDict):
    """A cell of code, and what it left."""

    kind: Literal["code"]
    number: int | None
    source: str
    outputs: list[WordsCell | TextOutput | PictureOutput]


def print_pdf(path: Path, notebook: "NotebookNode") -> None:
    """Write the PDF of a notebook that was executed; it appears whole or not at all.

    Cells tagged "hosted" that left nothing are left out. Raises OutputError where it cannot be made.
    """
    typst = require("typst", "pdf")
    with tempfile.TemporaryDirectory(prefix="linprobe-") as name, publish_file(path) as partial:
        folder = Path(name)
        cells = [_cell(cell, folder) for cell in notebook.cells if not _skipped(cell)]
        title = notebook.cells[0].source.partition("\n")[0].removeprefix("# ")
        content = json.dumps({"title": title, "cells": cells}, ensure_ascii=False)
        (folder / "notebook.json").write_text(content, encoding="utf-8", errors="replace")
        template = folder / TEMPLATE
        template.write_bytes(resources.files("linprobe.learn.notebook").joinpath(TEMPLATE).read_bytes())
        try:
            partial.write_bytes(_compiled(typst, template))
        except typst.TypstError as error:
            raise OutputError(f"{path}: cannot be set: {' '.join(str(error).split())[:200]}") from error


def _compiled(typst: Any, template: Path) -> bytes:
    """The PDF as PDF/UA, which can be read aloud; without that where a letter, as of a path, is in no font."""
    where = {"input": str(template), "root": str(template.parent), "format": "pdf"}
    try:
        return typst.compile(**where, pdf_standards="ua-1")
    except typst.TypstError:
        return typst.compile(**where)


def _skipped(cell: "NotebookNode") -> bool:
    """Whether a cell is about hosted notebooks, and this was none."""
    return "hosted" in cell.metadata.get("tags", ()) and not cell.get("outputs")


def _cell(cell: "NotebookNode", folder: Path) -> WordsCell | CodeCell:
    if cell.cell_type == "markdown":
        return {"kind": "words", "blocks": _blocks(cell.source)}
    outputs = [_output(output, folder) for output in cell.outputs]
    return {"kind": "code", "number": cell.execution_count, "source": _folded(cell.source), "outputs": outputs}


def _output(output: "NotebookNode", folder: Path) -> WordsCell | TextOutput | PictureOutput:
    if output.output_type == "stream":
        return {"kind": "text", "text": _folded(output.text.rstrip("\n"))}
    form = next(form for form in PRINTED if form in output.data)
    if form == "image/png":
        file = folder / f"{len(list(folder.iterdir()))}.png"
        file.write_bytes(base64.b64decode(output.data[form]))
        return {"kind": "picture", "file": file.name, "width": output.metadata.get(form, {}).get("width")}
    if form == "text/markdown":
        return {"kind": "words", "blocks": _blocks(output.data[form])}
    return {"kind": "text", "text": _folded(output.data[form])}


def _folded(text: str) -> str:
    """Text whose lines fit the page: what is beyond goes on in the next line, after an arrow."""
    lines = []
    for line in text.split("\n"):
        whole = "".join(
            letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in line.expandtabs(4)
        )
        lines.append(whole[:WIDTH])
        rest = WIDTH - 2
        lines += [f"\N{RIGHTWARDS ARROW WITH HOOK} {whole[at : at + rest]}" for at in range(WIDTH, len(whole), rest)]
    return "\n".join(lines)


def _blocks(markdown: str) -> list[MarkdownNode]:
    """Markdown as a tree that JSON can hold."""
    tree = require("markdown_it.tree", "pdf")
    parser = require("markdown_it", "pdf").MarkdownIt("commonmark", {"html": True}).enable("table")
    return _nodes(tree.SyntaxTreeNode(parser.parse(markdown)).children)


def _nodes(nodes: list[Any]) -> list[MarkdownNode]:
    waiting: Iterator[Any] = iter(nodes)
    return [_node(node, waiting) for node in waiting]


def _node(node: Any, siblings: Iterator[Any]) -> MarkdownNode:
    if node.type == "html_inline" and node.content == "<sub>":
        inside = []
        for sibling in siblings:
            if sibling.type == "html_inline" and sibling.content == "</sub>":
                break
            inside.append(sibling)
        return {"type": "sub", "children": _nodes(inside)}
    if node.type in ("text", "code_inline", "fence", "html_inline", "html_block"):
        text = node.content.rstrip("\n")
        return {"type": node.type, "text": text, "lang": node.info if node.type == "fence" else ""}
    found: MarkdownNode = {"type": node.type, "children": _nodes(node.children)}
    if node.type == "heading":
        found["level"] = int(node.tag[1])
    if node.type in ("th", "td"):
        found["align"] = "right" if "right" in str(node.attrs.get("style")) else "left"
    return found

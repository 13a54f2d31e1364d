"""docs/check.md, made from the corpus; a test holds it to what it says.

`python tests/learn/checker/check_page.py` writes it.

For each code of `CODES`, the example of the corpus that is marked as such, or a small file, and the learner's message.
"""

import functools
import inspect
import re
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import corpus.everything  # noqa: F401  # pyright: ignore[reportMissingImports, reportUnusedImport]
from corpus.registry import ENTRIES  # pyright: ignore[reportMissingImports]

from linprobe.learn.checker import Fault, check_file, check_loss
from linprobe.learn.checker.codes import CODES

ROOT = Path(__file__).resolve().parents[3]
PAGE = ROOT / "docs" / "check.md"
TEMPLATE = Path(__file__).with_suffix(".md")

HEAD = "import numpy as np\n\n\ndef softmax_loss_naive(W, X, y, reg):\n"

# What only a whole file can show.
FILES = {
    "python2_print": HEAD + "    loss, dW = 0.0, np.zeros_like(W)\n    print loss\n    return loss, dW\n",
    "mixed_indentation": HEAD + "    for i in range(len(y)):\n        scores = X[i].dot(W)\n\tscores -= scores.max()\n",
    "syntax_error": HEAD + "    scores = X.dot(W\n    return scores\n",
    "import_fails": 'import numpy as np\n\nX_train = np.load("X_train.npy")\n\n\n'
    "def softmax_loss_naive(W, X, y, reg):\n    return 0.0, np.zeros_like(W)\n",
    "hangs": HEAD + "    i = 0\n    while i < len(y):\n        scores = X[i].dot(W)\n    return 0.0, W\n",
    "out_of_memory": HEAD
    + "    every_pair = np.ones((len(y) * 10**5, W.shape[1], 10**4))\n    return every_pair.sum(), W\n",
    "exits": HEAD + '    if len(y) != 500:\n        exit("wrong batch")\n    return 0.0, np.zeros_like(W)\n',
    "needs_gpu": HEAD + "    X, W, y = X.cuda(), W.cuda(), y.cuda()\n    scores = X @ W\n    return scores.sum(), W\n",
    "undefined_name": HEAD + "    scores = X.dot(W)\n    loss = score.sum()\n    return loss, np.zeros_like(W)\n",
    "killed": "import ctypes\n\n\ndef softmax_loss_naive(W, X, y, reg):\n"
    "    return ctypes.string_at(0), W  # reads the address 0\n",
}


def render() -> str:
    """The page."""
    return TEMPLATE.read_text(encoding="utf-8").replace("{codes}\n", "\n".join(map(section, CODES)))


def section(code: str, faults: Sequence[Fault] | None = None) -> str:
    """What the page has of a code; faults: those of its example in the corpus, where they are known already."""
    example, language, fault = _example(code, faults)
    said = f"> **{CODES[code].judgement}**: {fault.message}\n{_evidence(fault)}"
    return f"### `{code}`\n\n```{language}\n{example.strip()}\n```\n\n{said}"


@functools.cache
def sections() -> dict[str, str]:
    """The same as `section` of every code, as the page has it now."""
    before = TEMPLATE.read_text(encoding="utf-8").removesuffix("{codes}\n")
    written = PAGE.read_text(encoding="utf-8").removeprefix(before)
    parts = re.split("\n(?=### `)", written)
    return {part.partition("`")[2].partition("`")[0]: part for part in parts}


def assert_up_to_date(code: str, faults: Sequence[Fault] | None = None) -> None:
    """That the page has of a code what `section` makes of it."""
    assert sections()[code] == section(code, faults), (
        "docs/check.md is not what the checker says now; make it anew: python tests/learn/checker/check_page.py"
    )


def _example(code: str, faults: Sequence[Fault] | None) -> tuple[str, str, Fault]:
    """The source of the example of a code, how it is to be shown, and its fault."""
    if code in FILES:
        fault = _of(code, _checked(FILES[code]))
        return FILES[code].replace("\t", "→   "), "py", fault
    entry = next(entry for entry in ENTRIES if entry.example and entry.codes[0] == code)
    source = _source(entry.function)
    fault = _of(code, check_loss(entry.untouched(), entry.loss).faults if faults is None else faults)
    if "line" in fault.evidence:  # that of the corpus; a reader counts in what the page shows
        source = f"import numpy as np\n\n\n{source}"
        fault = _of(code, _checked(source, entry.name, entry.loss))
    return source, "py", fault


def _source(function: Any) -> str:
    """The text of a function without its decorators, behind that of the corpus's own functions that it calls."""
    text = inspect.getsource(function)
    called = [function.__globals__.get(name) for name in function.__code__.co_names]
    before = [_source(one) for one in called if inspect.isfunction(one) and one.__module__ == function.__module__]
    return "\n\n".join([*before, text[text.index("def ") :]])


def _checked(text: str, function: str | None = None, loss: Any = None) -> tuple[Fault, ...]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "softmax.py"
        path.write_text(text)
        return check_file(path, function, loss, seconds=2 if "while" in text else 60).functions[0].faults


def _of(code: str, faults: Sequence[Fault]) -> Fault:
    return next(fault for fault in faults if fault.code == code)


def _evidence(fault: Fault) -> str:
    evidence = fault.evidence
    said = []
    if evidence.get("text"):
        said.append(f"line {evidence['line']}: `{evidence['text'].strip()}`")
    if "instead" in evidence:
        said.append(f"right as: `{evidence['instead']}`")
    if "found" in evidence:
        said.append(f"{evidence['where']} is {_figure(evidence['found'])}, expected {_figure(evidence['expected'])}")
    return "".join(f">\n> {one}\n" for one in said)


def _figure(figure: float | str) -> str:
    # Another machine rounds the last digits otherwise.
    return figure if isinstance(figure, str) else f"{figure:.4g}"


if __name__ == "__main__":
    PAGE.write_text(render(), encoding="utf-8")

"""The page of a class: how many submissions are right, the commonest faults, each student and each file."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from linprobe.errors import require
from linprobe.learn.checker.folder import JudgedSubmission, by_fault, by_student, same_texts
from linprobe.publish import publish_file

__all__ = ["write_class_page"]

TEMPLATE = Path(__file__).with_name("class_page.html.j2")
WORDS = {
    "right": "right",
    "right_unstable": "right at ordinary scores only",
    "wrong": "wrong",
    "unfinished": "unfinished",
    "crashes": "crashes",
    "not judged": "not judged",
}
SHOWN = 3  # submissions named beside a fault


def write_class_page(judged: Sequence[JudgedSubmission], path: Path) -> None:
    """Write it, one file that needs nothing else; what the submissions say is text in it and nothing more.

    Raises OutputError where it cannot be written.
    """
    jinja2 = require("jinja2", "plots")
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True)
    kinds = [one.judgement for one in judged]
    page = environment.from_string(TEMPLATE.read_text(encoding="utf-8")).render(
        count=len(judged),
        kinds=[(kind, word, kinds.count(kind)) for kind, word in WORDS.items() if kinds.count(kind)],
        words=WORDS,
        faults=[_fault(code, count, judged) for code, count in by_fault(judged)],
        students=by_student(judged),
        same=same_texts(judged),
        judged=judged,
    )
    with publish_file(path) as partial:
        partial.write_bytes(page.encode(errors="replace"))


@dataclass(frozen=True, kw_only=True)
class _FaultOfMany:
    """A fault of the class: how many have it, which share in per cent, what one of them was told, and who has it.

    more: how many names there is no room for.
    """

    code: str
    count: int
    share: float
    message: str
    names: list[str]
    more: int


def _fault(code: str, count: int, judged: Sequence[JudgedSubmission]) -> _FaultOfMany:
    having = [one for one in judged if code in one.codes]
    told = next(
        fault.message
        for one in having
        for function in one.verdict.functions
        for fault in function.faults
        if fault.code == code
    )
    names = [one.submission.name for one in having]
    return _FaultOfMany(
        code=code,
        count=count,
        share=100 * count / len(judged),
        message=told,
        names=names[:SHOWN],
        more=max(0, len(names) - SHOWN),
    )

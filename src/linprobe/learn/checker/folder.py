"""The teacher's mode: the submissions of a class, several judged at once, none of which can stop the others."""

import difflib
import hashlib
import os
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

from linprobe.errors import DataError, LinprobeError
from linprobe.learn.checker.checking import EXERCISE, check_file
from linprobe.learn.checker.outcome import plain_text
from linprobe.learn.checker.sandbox.supervisor import LARGEST_FILE
from linprobe.learn.checker.verdict import FileVerdict, Judgement

__all__ = ["JudgedSubmission", "Submission", "by_fault", "by_student", "check_folder", "same_texts", "submissions"]

DEFINED = re.compile(r"^[ \t]*def[ \t]+(\w+)[ \t]*\(([^)]*)\)?", re.MULTILINE)
ALIKE = 0.85  # of two names, as difflib measures it
NOTHING = "It has none of the exercise's functions."
ARGUMENTS = 4  # W, X, y, reg: what has as many may be meant as one of the functions


@dataclass(frozen=True)
class Submission:
    """One file that was handed in, or a folder in which there is none.

    name, as it is shown; student, the folder of the class that it lies in, or the file itself; reason, why it cannot be
    judged, None where it can; same_as, the names of those with the same text.
    """

    path: Path
    name: str
    student: str
    reason: str | None = None
    same_as: tuple[str, ...] = ()


def submissions(places: Sequence[Path], renamed: Mapping[str, str] | None = None) -> list[Submission]:
    """What was handed in: the files named, and of a folder its Python files at any depth; hidden folders left out.

    A file that has nothing to do with the exercise is left out where the student has handed in another that has.
    renamed, other names for the exercise's functions. Raises DataError where there are none.
    """
    renamed = renamed or {}
    found: list[Submission] = []
    for place in places:
        found += _of_folder(place, renamed) if place.is_dir() else [_of_file(place, str(place), str(place), renamed)]
    if not found:
        names = ", ".join(renamed.get(name, name) for name in EXERCISE)
        where = ", ".join(map(str, places))
        raise DataError(f"{where}: no Python file in it names one of {names}; give the folder of the submissions")
    return _with_same(found)


def _of_folder(folder: Path, renamed: Mapping[str, str]) -> list[Submission]:
    students: dict[str, list[Submission]] = {}
    for path in sorted(folder.rglob("*")):
        inside = path.relative_to(folder)
        if any(part.startswith(".") or part == "__pycache__" for part in inside.parts):
            continue
        student, slash, _ = inside.as_posix().partition("/")
        of_student = students.setdefault(student, []) if slash or not path.is_dir() else []
        if path.suffix == ".py" and not path.is_dir():
            of_student.append(_of_file(path, inside.as_posix(), student, renamed))
    found: list[Submission] = []
    for student, handed_in in students.items():
        theirs = [one for one in handed_in if one.reason != NOTHING]
        if not theirs and (folder / student).is_dir():
            what = (
                "None of its Python files has one of the exercise's functions."
                if handed_in
                else "It has no Python file."
            )
            theirs = [Submission(folder / student, f"{student}/", student, what)]
        found += theirs
    return found if any(one.path.suffix == ".py" for one in found) else []


def _of_file(path: Path, name: str, student: str, renamed: Mapping[str, str]) -> Submission:
    return Submission(path, name, student, _reason(path, renamed))


def _reason(path: Path, renamed: Mapping[str, str]) -> str | None:
    """Why a file cannot be judged, found out by a cheap look, so that a whole course's helpers are not run."""
    try:
        if path.is_symlink() and not path.exists():
            return "The link leads nowhere."
        if path.exists() and not path.is_file():
            return "It is not a regular file."
        if path.stat().st_size > LARGEST_FILE:
            return f"It is larger than {LARGEST_FILE // 2**20} MiB."
        data = path.read_bytes()
    except OSError as error:
        return f"It can't be opened: {error.strerror}."
    if not data.strip():
        return "The file is empty."
    if any(name.encode() in data for name in (*EXERCISE, *renamed.values())):
        return None
    if b"\0" in data:
        return "It is not UTF-8 text: save it as UTF-8."
    defined = [(name, arguments.count(",") + 1) for name, arguments in DEFINED.findall(data.decode("latin-1"))]
    for name, _ in defined:
        for meant in difflib.get_close_matches(name, EXERCISE, 1, ALIKE):
            return f"{NOTHING} If {name} is meant as {meant}, say --function {meant}={name}."
    for name, arguments in defined:
        if arguments >= ARGUMENTS:
            return f"{NOTHING} If {name} is one, say which: --function softmax_loss_naive={name}."
    return NOTHING


def _with_same(found: list[Submission]) -> list[Submission]:
    """The same submissions, those with the same text knowing of each other."""
    groups: dict[bytes, list[str]] = {}
    digests = [_digest(one) for one in found]
    for one, digest in zip(found, digests, strict=True):
        if digest:
            groups.setdefault(digest, []).append(one.name)
    return [
        replace(one, same_as=tuple(name for name in groups.get(digest, ()) if name != one.name))
        for one, digest in zip(found, digests, strict=True)
    ]


def _digest(one: Submission) -> bytes:
    """Of a file's lines without what ends them; nothing of a file without text."""
    try:
        data = one.path.read_bytes() if one.path.is_file() and one.path.stat().st_size <= LARGEST_FILE else b""
    except OSError:
        return b""
    lines = [line.rstrip() for line in data.strip().splitlines()]
    return hashlib.sha256(b"\n".join(lines)).digest() if lines else b""


def check_folder(handed_in: Sequence[Submission], renamed: Mapping[str, str] | None = None) -> Iterator[FileVerdict]:
    """A verdict on each, in their order, as soon as it is there; what cannot be judged has its reason as a note."""

    def check(one: Submission) -> FileVerdict:
        same = (f"The same text as {', '.join(one.same_as)}.",) if one.same_as else ()
        if one.reason is not None:
            return FileVerdict(os.fspath(one.path), (), (one.reason, *same))
        verdict = _check(one.path, renamed)
        return replace(verdict, notes=(*verdict.notes, *same))

    workers = ThreadPoolExecutor(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count())
    try:
        yield from workers.map(check, handed_in)
    finally:
        workers.shutdown(cancel_futures=True)


def _check(path: Path, renamed: Mapping[str, str] | None) -> FileVerdict:
    try:
        return check_file(path, renamed=renamed)
    except LinprobeError as error:
        return FileVerdict(os.fspath(path), (), (str(error),))
    except Exception as error:  # noqa: BLE001 - a fault of ours with one submission must not stop the others
        found = plain_text(f"unexpected {type(error).__name__}: {error}")
        note = f"{found}; this is a fault of linprobe's: please report it"
        return FileVerdict(os.fspath(path), (), (note,))


# The verdict on a whole file: the worst of its functions', or that there is none.
WORST: tuple[Judgement, ...] = ("crashes", "wrong", "unfinished", "right_unstable", "right")


@dataclass(frozen=True)
class JudgedSubmission:
    """A submission and what was found out about it."""

    submission: Submission
    verdict: FileVerdict

    @property
    def judgement(self) -> str:
        """The worst of its functions' verdicts; "not judged" where it has none."""
        kinds = {one.verdict for one in self.verdict.functions}
        return next((kind for kind in WORST if kind in kinds), "not judged")

    @property
    def codes(self) -> set[str]:
        """All that is wrong with it."""
        return {one.code for function in self.verdict.functions for one in function.faults}


def by_fault(judged: Sequence[JudgedSubmission]) -> list[tuple[str, int]]:
    """How many submissions have each fault, the commonest first."""
    return Counter(code for one in judged for code in sorted(one.codes)).most_common()


def by_student(judged: Sequence[JudgedSubmission]) -> dict[str, Counter[str]]:
    """For each folder of the class, how many of its files are right, wrong, ...; a file by itself is its own folder."""
    counted: dict[str, Counter[str]] = {}
    for one in judged:
        counted.setdefault(one.submission.student, Counter())[one.judgement] += 1
    return counted


def same_texts(judged: Sequence[JudgedSubmission]) -> list[list[str]]:
    """The names of submissions that have the same text, group by group."""
    groups = {frozenset({one.submission.name, *one.submission.same_as}) for one in judged if one.submission.same_as}
    return sorted(sorted(group) for group in groups)

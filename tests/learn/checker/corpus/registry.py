"""The corpus: functions as students write them, each with the verdict it must get."""

import copy
import types
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

import pytest

Function = Callable[..., Any]
Loss = Literal["softmax", "hinge"]


@dataclass(frozen=True)
class Entry:
    """A function and what must be said about it; None is not asserted.

    codes: must be among the faults, the first of them being the first fault reported; none where the verdict alone is
    asserted; example: it is the one that docs/check.md shows for its first code.
    """

    function: Function
    loss: Loss
    verdict: str
    codes: tuple[str, ...] = ()
    convention: str | None = None
    layout: str | None = None
    loop_free: bool | None = None
    example: bool = False
    defaults: tuple | None = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "defaults", copy.deepcopy(getattr(self.function, "__defaults__", None)))

    @property
    def name(self) -> str:
        return self.function.__name__

    def untouched(self) -> Function:
        """The function as if it had never been called: some keep something in a default, and that is their fault."""
        made = self.function
        return types.FunctionType(
            made.__code__, made.__globals__, self.name, copy.deepcopy(self.defaults), made.__closure__
        )


ENTRIES: list[Entry] = []


def wrong(
    *codes: str, loss: Loss, verdict: str = "wrong", example: bool = False, **facts: Any
) -> Callable[[Function], Function]:
    """Register a function that has these faults, the root first; facts: convention, layout, loop_free."""

    def register(function: Function) -> Function:
        ENTRIES.append(Entry(function, loss, verdict, codes, example=example, **facts))
        return function

    return register


def right(
    loss: Loss,
    convention: str | None = "full",
    layout: str | None = "DC",
    loop_free: bool | None = None,
    verdict: str = "right",
) -> Callable[[Function], Function]:
    """Register a function that has no fault."""

    def register(function: Function) -> Function:
        ENTRIES.append(Entry(function, loss, verdict, (), convention, layout, loop_free))
        return function

    return register


def each(entries: list[Entry]) -> pytest.MarkDecorator:
    """A test for each entry."""
    return pytest.mark.parametrize("entry", entries, ids=lambda entry: entry.name)


def each_in_turn(entries: list[Entry]) -> pytest.MarkDecorator:
    """The same, but all are slow except every sixth right one, and one each of every third of the first codes."""
    right = [entry for entry in entries if not entry.codes]
    by_code = {entry.codes[0]: entry for entry in reversed(entries) if entry.codes}
    by_code |= {entry.codes[0]: entry for entry in entries if entry.example}  # as docs/check.md shows it
    quick = {entry.name for entry in (*right[::6], *list(by_code.values())[::3])}
    parameters = [
        pytest.param(entry, id=entry.name, marks=[] if entry.name in quick else [pytest.mark.slow]) for entry in entries
    ]
    return pytest.mark.parametrize("entry", parameters)

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
    """The same; of wrong ones with the same codes all but the first are slow, unless an example of the docs."""
    seen: set[tuple[str, ...]] = set()
    parameters = []
    for entry in entries:
        again = entry.verdict != "right" and entry.codes in seen and not entry.example
        seen.add(entry.codes)
        parameters.append(pytest.param(entry, id=entry.name, marks=[pytest.mark.slow] if again else []))
    return pytest.mark.parametrize("entry", parameters)

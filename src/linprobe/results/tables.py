"""Frozen dataclasses as tables of JSON, and back: what a field may hold is said by its type, once.

A field that is None was not recorded, and is left out; of one with the metadata of `null`, JSON may have a null too.
"""

import functools
import math
from dataclasses import MISSING, dataclass, fields, is_dataclass
from types import NoneType, UnionType
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin, get_type_hints

__all__ = [
    "Count",
    "FieldError",
    "Json",
    "Many",
    "Number",
    "Positive",
    "Share",
    "Shown",
    "Some",
    "null",
    "of_json",
    "to_json",
]

T = TypeVar("T")

Json = dict[str, Any]  # a table as the json module has it


class FieldError(Exception):
    """What is wrong, and where in the JSON."""


@dataclass(frozen=True)
class _Range:
    """What a number may be."""

    low: float = -math.inf
    high: float = math.inf
    whole: bool = False

    def read(self, _: Any, value: Any, place: str) -> Any:
        kind, kinds = ("a whole number", int) if self.whole else ("a number", (int, float))
        low, high = self.low, self.high
        bounds = "" if low == -math.inf else f" of {low:g} or more" if high == math.inf else f" of {low:g} to {high:g}"
        # With bounds, because JSON's readers take NaN, Infinity and integers of any length.
        number = isinstance(value, kinds) and not isinstance(value, bool) and abs(value) < 1e308
        if not (number and low <= value <= high):
            raise FieldError(f"{place}: is not {kind}{bounds}")
        return value


class _Anything:
    """Whatever is there, to be shown as text."""

    def read(self, _: Any, value: Any, place: str) -> str:
        del place
        return str(value)


class _NotEmpty:
    """A list that has something."""

    def read(self, kind: Any, value: Any, place: str) -> Any:
        found = of_json(kind, value, place)
        if not found:
            raise FieldError(f"{place}: is not a list of 1 or more")
        return found


Number = Annotated[float, _Range()]
Positive = Annotated[float, _Range(1e-12)]
Share = Annotated[float, _Range(0, 1)]
Count = Annotated[int, _Range(0, whole=True)]
Some = Annotated[int, _Range(1, whole=True)]
Shown = Annotated[str, _Anything()]
Many = Annotated[tuple[T, ...], _NotEmpty()]

_types_of = functools.cache(functools.partial(get_type_hints, include_extras=True))


def null(beside: str | None = None) -> dict[str, object]:
    """The metadata of a field that may be null in JSON, and is written as that where the field `beside` is recorded."""
    return {"null": True, "beside": beside}


def to_json(record: Any) -> Json:
    """A dataclass as a table, its fields in their order."""
    told: Json = {}
    for one in fields(record):
        value, beside = getattr(record, one.name), one.metadata.get("beside")
        if value is not None or (beside is not None and getattr(record, beside) is not None):
            told[_key(one.name)] = _plain(value)
    return told


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return to_json(value) if is_dataclass(value) else value


def _key(name: str) -> str:
    return name.rstrip("_")  # of `class_`


def of_json(kind: Any, value: Any, place: str = "") -> Any:
    """What JSON holds, as the type `kind`: a dataclass, or what a field of one may be. Raises FieldError."""
    if is_dataclass(kind):
        return _table(kind, value, place)
    origin, parts = get_origin(kind), get_args(kind)
    if origin is Annotated:
        return parts[1].read(parts[0], value, place)
    if origin in (Union, UnionType):
        # Of several tables, the first of which all is there, else the last.
        *others, last = (part for part in parts if part is not NoneType)
        names = value.keys() if isinstance(value, dict) else ()
        return of_json(next((part for part in others if _needed(part) <= set(names)), last), value, place)
    if origin is tuple:
        return _many(parts, value, place)
    if origin is dict:
        held = _require_table(value, place)
        return {name: of_json(parts[1], one, _within(place, name)) for name, one in held.items()}
    if kind in (str, bool) and not isinstance(value, kind):
        raise FieldError(f"{place}: is not {'text' if kind is str else 'true or false'}")
    return value


def _table(kind: Any, value: Any, place: str) -> Any:
    held, found = _require_table(value, place), {}
    for one in fields(kind):
        at = _within(place, key := _key(one.name))
        if key not in held:
            if one.name in _needed(kind):
                raise FieldError(f"{at}: is missing")
            continue
        may_be_null = one.metadata.get("null", False)
        found[one.name] = (
            None if held[key] is None and may_be_null else of_json(_types_of(kind)[one.name], held[key], at)
        )
    made = kind(**found)
    if hasattr(made, "check"):
        made.check(place)
    return made


@functools.cache
def _needed(kind: Any) -> set[str]:
    """The fields without a default."""
    return {one.name for one in fields(kind) if MISSING is one.default is one.default_factory}


def _many(parts: tuple[Any, ...], value: Any, place: str) -> tuple[Any, ...]:
    """A list of any length from (kind, ...), else with one of each kind."""
    some = parts[-1] is Ellipsis
    if not isinstance(value, list) or not (some or len(value) == len(parts)):
        raise FieldError(f"{place}: is not a list{'' if some else f' of {len(parts)}'}")
    kinds = (parts[0],) * len(value) if some else parts
    return tuple(of_json(kind, one, f"{place}[{k}]") for k, (kind, one) in enumerate(zip(kinds, value, strict=True)))


def _require_table(value: Any, place: str) -> Json:
    if not isinstance(value, dict):
        raise FieldError(f"{place or 'all of it'}: is not a table of names and values")
    return value


def _within(place: str, name: str) -> str:
    return f"{place}{'.' if place else ''}{name}"

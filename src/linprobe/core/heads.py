"""State that belongs to heads: some of them leave, the others go on, whatever is known of each."""

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from functools import cache, partial
from typing import Self

import numpy as np

from linprobe.core.backend import Array, device_of, move, namespace

__all__ = ["OfHeads", "inner", "total"]

WIDE, MANY = 512, 8  # numbers of rows that are added side by side, and how many times as many rows make it pay


@dataclass(frozen=True, eq=False)
class OfHeads:
    """A base for frozen dataclasses whose fields are all arrays (..., H), each on NumPy or on a device of its own."""

    def __len__(self) -> int:
        """The number of heads."""
        return getattr(self, fields(self)[0].name).shape[-1]

    def take(self, heads: np.ndarray) -> Self:
        """Some of the heads: their numbers (h,), or whether each of all is meant (H,)."""
        at = _at(np.flatnonzero(heads) if heads.dtype == bool else heads)

        def some(every: Array) -> Array:
            return every[..., at(device_of(every))]

        return self._each(some)

    def replaced(self, heads: np.ndarray, found: Self) -> Self:
        """The same with what was found for some of the heads (h,), in the wider type of both."""
        if np.array_equal(heads, np.arange(len(self))):
            return found
        at = _at(heads)

        def put(old: Array, new: Array) -> Array:
            xp = namespace(old)
            every = xp.astype(old, xp.result_type(old, new), copy=True)
            every[..., at(device_of(old))] = new
            return every

        return self._each(put, found)

    def where(self, heads: np.ndarray, other: Self) -> Self:
        """These heads as they are here, True in (H,), and all others as there."""
        if heads.all():
            return self
        at = _at(heads)

        def mix(here: Array, there: Array) -> Array:
            return namespace(here).where(at(device_of(here)), here, there)

        return self._each(mix, other)

    def _each(self, make: Callable[..., Array], *others: Self) -> Self:
        parts: dict[str, Array] = {}
        for field in fields(self):
            parts[field.name] = make(*(getattr(state, field.name) for state in (self, *others)))
        return replace(self, **parts)


def inner(A: Array, B: Array) -> Array:
    """Inner product of each head: (..., h), (..., h) -> (h,) float64."""
    return total(A * B)


def total(array: Array) -> Array:
    """Sum over all but the heads, in float64: (..., h) -> (h,)."""
    xp, h = namespace(array), array.shape[-1]
    flat = array.reshape(-1, h)
    # Few heads are short vectors to add: many rows side by side are longer, and take a sixth of the time.
    wide = WIDE // max(1, h)
    whole = len(flat) // wide * wide if wide > 1 else 0
    if whole < MANY * max(1, wide):
        return xp.sum(flat, axis=0, dtype=xp.float64)
    sums = xp.sum(flat[:whole].reshape(-1, wide * h), axis=0, dtype=xp.float64).reshape(wide, h)
    return xp.sum(sums, axis=0) + xp.sum(flat[whole:], axis=0, dtype=xp.float64)


def _at(heads: np.ndarray) -> Callable[[str], Array]:
    """What picks heads, on the device that it is called with; moved there once."""
    return cache(partial(move, np.ascontiguousarray(heads)))

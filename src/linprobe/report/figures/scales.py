"""Which scale the values along an axis ask for."""

from typing import Literal

__all__ = ["WIDE", "Scale", "scale_of"]

WIDE = 20  # an axis whose values span a larger factor is logarithmic

Scale = Literal["linear", "log", "category"]


def scale_of(values: list[float]) -> Scale:
    """The scale of these values, none of them below 0."""
    if max(values) <= WIDE * min(values):
        return "linear"
    return "log" if min(values) > 0 else "category"  # a logarithm has no place for a reg of 0

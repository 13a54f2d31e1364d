"""The settings to compare: axes, the grid of all their combinations, and random trials from their ranges."""

from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np

from linprobe.errors import UsageError

__all__ = [
    "EDGE",
    "MOST_SETTINGS",
    "NAMES",
    "Axis",
    "End",
    "Grid",
    "Listed",
    "Path",
    "Space",
    "Trials",
    "end_of",
    "parse_axis",
]

# Far more than anybody can read; a count with a zero too many is a slip, not a wish.
MOST_SETTINGS = 10_000

NAMES = ("learning_rate", "reg", "momentum", "batch_size")
LEAST = {"learning_rate": 0, "reg": 0, "momentum": 0, "batch_size": 1}  # nothing lies beyond these
EDGE = 0.05  # of a range from which trials are drawn: so near to its end, better may lie beyond
End = Literal["lowest", "highest"]
SPELLINGS = "LO:HI:COUNT, LO:HI:COUNT:log or a list such as 1e-7,3e-7"


@dataclass(frozen=True, eq=False)
class Axis:
    """The values (V,) of one setting, and what random trials draw: from between the first and the last if `ranged`
    (evenly in the logarithm if `log`), else one of the values.
    """

    values: np.ndarray
    ranged: bool = False
    log: bool = False

    def draw(self, generator: np.random.Generator, count: int) -> np.ndarray:
        """Values for so many trials."""
        if not self.ranged:
            return generator.choice(self.values, count)
        low, high = self.values[0], self.values[-1]
        return (
            np.exp(generator.uniform(np.log(low), np.log(high), count))
            if self.log
            else generator.uniform(low, high, count)
        )

    def place(self, value: float) -> float:
        """How far between the lowest and the highest value this lies, in [0, 1]."""
        low, high = self.values.min(), self.values.max()
        if self.log:
            low, high, value = np.log(low), np.log(high), np.log(value)
        return float((value - low) / (high - low))


class Space(Protocol):
    """Settings to compare."""

    @property
    def axes(self) -> dict[str, Axis]:
        """The axis of each setting."""
        ...

    @property
    def drawn(self) -> bool:
        """Whether the settings are drawn from the axes at random."""
        ...

    def values(self, seed: int) -> dict[str, np.ndarray]:
        """Those of each setting (G,) by their names; the seed is of what is drawn."""
        ...

    def __len__(self) -> int: ...


class Grid:
    """Every combination of the axes' values; the last axis runs fastest: learning_rate, reg, momentum, batch_size."""

    drawn = False

    def __init__(
        self,
        learning_rates: Axis | np.ndarray,
        regs: Axis | np.ndarray,
        momenta: Axis | np.ndarray | float = 0.0,
        batch_sizes: Axis | np.ndarray | int = 200,
    ) -> None:
        given = (learning_rates, regs, momenta, batch_sizes)
        self.axes = {name: _checked(name, axis) for name, axis in zip(NAMES, given, strict=True)}
        if len(self) > MOST_SETTINGS:
            shape = " x ".join(
                f"{len(axis.values):,}" for name, axis in self.axes.items() if name in NAMES[:2] or len(axis.values) > 1
            )
            raise UsageError(
                f"the grid has {shape} settings, at most {MOST_SETTINGS:,} are possible; give fewer values, or --trials"
            )

    def __len__(self) -> int:
        return int(np.prod([len(axis.values) for axis in self.axes.values()], dtype=object))

    def values(self, seed: int) -> dict[str, np.ndarray]:
        """Those of every combination."""
        del seed
        columns = np.meshgrid(*(axis.values for axis in self.axes.values()), indexing="ij")
        return {name: _typed(name, column.ravel()) for name, column in zip(self.axes, columns, strict=True)}


class Path:
    """Values of reg alone, for a solver that has no other settings."""

    drawn = False

    def __init__(self, regs: Axis | np.ndarray) -> None:
        self.axes = {"reg": _checked("reg", regs)}

    def __len__(self) -> int:
        return len(self.axes["reg"].values)

    def values(self, seed: int) -> dict[str, np.ndarray]:
        """Those of the axis."""
        del seed
        return {"reg": self.axes["reg"].values}


class Trials:
    """So many settings drawn from the axes' ranges at random (Bergstra and Bengio, 2012)."""

    drawn = True

    def __init__(self, grid: Grid | Path, count: int) -> None:
        if not 1 <= count <= MOST_SETTINGS:
            raise UsageError(f"--trials {count}: 1 to {MOST_SETTINGS:,} settings can be drawn")
        self.axes, self.count = grid.axes, count

    def __len__(self) -> int:
        return self.count

    def values(self, seed: int) -> dict[str, np.ndarray]:
        """Those of every trial."""
        generator = np.random.default_rng([seed, len(NAMES)])  # not the stream that draws the batches
        return {name: _typed(name, axis.draw(generator, self.count)) for name, axis in self.axes.items()}


class Listed:
    """Some settings of another space: their numbers (g,)."""

    def __init__(self, space: Space, numbers: np.ndarray) -> None:
        self.axes, self.drawn, self.space, self.numbers = space.axes, space.drawn, space, numbers

    def __len__(self) -> int:
        return len(self.numbers)

    def values(self, seed: int) -> dict[str, np.ndarray]:
        """Those of the listed settings."""
        return {name: values[self.numbers] for name, values in self.space.values(seed).items()}


def end_of(name: str, axis: Axis, value: float, *, margin: float = 0.0) -> End | None:
    """The end of its axis on which a value lies, or this near to it; None where no others lie beyond.

    By value and not by place, as a list need not be in order. Nothing lies beyond a momentum or a reg of 0.
    """
    low, high = axis.values.min(), axis.values.max()
    if low == high:
        return None
    place = axis.place(value)
    if place <= margin and low > LEAST.get(name, -np.inf):
        return "lowest"
    return "highest" if place >= 1 - margin else None


def parse_axis(text: str, name: str) -> Axis:
    """LO:HI:COUNT, LO:HI:COUNT:log or a list with commas. Raises UsageError naming `name`."""
    parts = text.split(":")
    try:
        if len(parts) == 1:
            return Axis(np.array([_number(part) for part in text.split(",")]))
        if len(parts) == 3 or (len(parts) == 4 and parts[3] == "log"):
            log = len(parts) == 4
            low, high, count = _number(parts[0]), _number(parts[1]), _number(parts[2], whole=True)
            return Axis(_spaced(low, high, int(count), log=log), ranged=True, log=log)
        raise ValueError("neither a range nor a list")
    except ValueError as error:
        raise UsageError(f"{name} {' '.join(text.split())}: {error}; write {SPELLINGS}") from error


def _typed(name: str, values: np.ndarray) -> np.ndarray:
    return np.rint(values).astype(int) if name == "batch_size" else values


def _number(text: str, *, whole: bool = False) -> float:
    try:
        return int(text) if whole else float(text)
    except ValueError:
        raise ValueError(f"{text.strip()!r} is not a {'whole ' if whole else ''}number") from None


def _spaced(low: float, high: float, count: int, *, log: bool) -> np.ndarray:
    if not 1 <= count <= MOST_SETTINGS:
        raise ValueError(f"{count} values asked for, 1 to {MOST_SETTINGS:,} possible")
    if not (np.isfinite(low) and np.isfinite(high) and 0 <= low <= high):
        raise ValueError("the bounds must be finite, not negative, and the lower one first")
    if log and low == 0:
        raise ValueError("a logarithmic range cannot start at 0")
    # NumPy's logarithm puts values between the bounds, to rounding only.
    return np.geomspace(low, high, count).clip(low, high) if log else np.linspace(low, high, count)


def _checked(name: str, given: Axis | np.ndarray | float) -> Axis:
    axis = given if isinstance(given, Axis) else Axis(np.atleast_1d(np.asarray(given, float)))
    word = name.replace("_", " ")
    if not len(axis.values):
        raise UsageError(f"the grid has no {word}; give at least one")
    wrong = axis.values[~(np.isfinite(axis.values) & (axis.values >= 0))]
    if len(wrong):
        raise UsageError(f"the grid has the {word} {wrong[0]:g}; it must be a finite number that is not negative")
    if name == "momentum" and axis.values.max() >= 1:
        raise UsageError(f"the grid has the momentum {axis.values.max():g}; it must be below 1")
    if name == "batch_size" and (axis.values.min() < 1 or axis.values.max() > 1e6):
        raise UsageError(
            f"the grid has the batch sizes {axis.values.min():g} to {axis.values.max():g}; 1 to 1,000,000 work"
        )
    if name == "batch_size" and not axis.ranged and (axis.values % 1).any():
        raise UsageError("a batch size is a whole number of examples")
    return Axis(np.rint(axis.values), axis.ranged, axis.log) if name == "batch_size" else axis

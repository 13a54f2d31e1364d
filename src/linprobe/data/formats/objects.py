"""Arrays of Python objects in NumPy's files: texts and numbers are read, and nothing that they ask for is run.

NumPy writes such an array as a pickle: see `unpickle`, whose machine reads it here with the few names that one needs.
"""

from collections.abc import Callable, Sequence

import numpy as np

from linprobe.data.formats.entries import Entry
from linprobe.data.formats.pickled_arrays import Array, Global, Type
from linprobe.data.formats.unpickle import Machine
from linprobe.errors import UnsafeFileError

__all__ = ["object_columns"]

OBJECTS = "O8"  # as NumPy calls their type
PLAIN = (str, bytes, bool, int, float, type(None))


def object_columns(
    place: str, name: str, shape: tuple[int, ...], fortran: bool, pickled: Callable[[], bytes]
) -> list[Entry]:
    """An array of objects (n,) as one entry, a table (n, columns) as one entry a column, named by their numbers.

    What asks to run something is left out of the choice: it becomes an entry that cannot be loaded.
    """

    def load() -> np.ndarray:
        values = np.empty(int(np.prod(shape, dtype=object)), object)
        values[:] = _values(place, pickled(), len(values))
        return values.reshape(shape, order="F" if fortran else "C")

    if len(shape) == 2 and shape[1] > 1:
        try:
            table = load()
        except UnsafeFileError:
            return [Entry(name, place, shape, None, load)]
        columns = _Columns({str(number): _column(values) for number, values in enumerate(table.T)})
        return [
            Entry(key, place, shape[:1], _dtype(values), lambda values=values: values, table=columns)
            for key, values in columns.values.items()
        ]
    return [Entry(name, place, shape, None, load)]


class _Columns:
    """Columns that are in memory."""

    def __init__(self, values: dict[str, np.ndarray]) -> None:
        self.values = values

    def matrix(self, names: Sequence[str]) -> np.ndarray:
        return np.column_stack([self.values[name] for name in names])

    def stream(self, names: Sequence[str]) -> np.ndarray:
        return self.matrix(names)


def _dtype(values: np.ndarray) -> np.dtype | None:
    return values.dtype if values.dtype.kind in "if" else None


def _column(values: np.ndarray) -> np.ndarray:
    """A column of numbers as one, others as they are."""
    kinds = {type(value) for value in values}
    if kinds == {int} and all(-(2**63) <= value < 2**63 for value in values):
        return values.astype(np.int64)
    return values.astype(np.float64) if kinds and kinds <= {int, float} and float in kinds else values


def _values(place: str, raw: bytes, n: int) -> list[object]:
    array = _Objects(raw, place).run()
    assert isinstance(array, _Table)  # noqa: S101  # as `fits` has seen
    if len(array.items) != n:
        raise UnsafeFileError(f"{place}: announces {n:,} objects and has {len(array.items):,}; {_Objects.again}")
    return array.items


class _Table(Array):
    """An array of objects, announced and then filled."""

    items: list[object]


class _Objects(Machine):
    again = "save the array again as text, with array.astype(str)"
    holds = "array of texts or numbers"
    never = "texts and numbers"
    most_operations = 20_000_000

    def fits(self, found: object) -> bool:
        return (
            isinstance(found, _Table) and hasattr(found, "items") and all(type(item) in PLAIN for item in found.items)
        )

    def call(self, function: object, arguments: object) -> object:
        match function, arguments:
            case Global.RECONSTRUCT, (Global.NDARRAY, (0,), b"b" | "b"):
                return _Table()
            case Global.DTYPE, (str() | bytes() as code, _, _) if code in (OBJECTS, OBJECTS.encode()):
                return Type(OBJECTS)
            case _:
                return super().call(function, arguments)

    def set_state(self, target: object, state: object) -> None:
        match target, state:
            case Type(code="O8"), (3, "|" | b"|", None, None, None, -1, -1, int()):
                return
            case _Table(), (1, tuple(), Type(code="O8"), _, list() as items) if not hasattr(target, "items"):
                target.items = items
            case _:
                super().set_state(target, state)

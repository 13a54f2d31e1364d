"""Several arrays one after the other, read as one; nothing is copied until rows are asked for."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from linprobe.core.backend import Array

__all__ = ["Joined", "join"]


class Joined:
    """Arrays (n_i, *shape) of one type as one (n, *shape), a source for `Rows`: its rows are asked for by number."""

    def __init__(self, parts: Sequence[Array]) -> None:
        self._parts = tuple(parts)
        self._starts = np.cumsum([0, *map(len, parts)])
        self.shape = (int(self._starts[-1]), *parts[0].shape[1:])
        self.dtype = parts[0].dtype
        self.ndim = len(self.shape)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: slice | np.ndarray) -> np.ndarray:
        """These rows, as an array."""
        if isinstance(rows, slice) and (rows.step or 1) == 1:
            start, stop, _ = rows.indices(len(self))
            pieces = [
                part[max(0, start - begin) : max(0, stop - begin)]
                for begin, part in zip(self._starts.tolist(), self._parts, strict=False)
                if begin < stop and start < begin + len(part)
            ]
            return pieces[0] if len(pieces) == 1 else np.concatenate([self._parts[0][:0], *pieces])
        numbers = np.arange(len(self))[rows]
        found = np.empty((len(numbers), *self.shape[1:]), self.dtype)
        belongs = np.searchsorted(self._starts, numbers, side="right") - 1
        for which in np.unique(belongs):
            mine = belongs == which
            found[mine] = self._parts[which][numbers[mine] - self._starts[which]]
        return found

    def astype(self, dtype: np.typing.DTypeLike, *, copy: bool = True) -> "Joined":
        """The same in another type."""
        return Joined([part.astype(dtype, copy=copy) for part in self._parts])

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        """All of them, for what asks for all at once."""
        del copy  # it always is one
        return np.concatenate([np.asarray(part) for part in self._parts]).astype(dtype or self.dtype, copy=False)


def join(parts: Sequence[Array]) -> Array:
    """One array as it is, several as one."""
    return parts[0] if len(parts) == 1 else Joined(parts)

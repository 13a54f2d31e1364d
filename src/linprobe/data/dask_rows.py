"""Rows on the workers of a Dask cluster: terms are sent to them, and sums come back.

Scheduling, retries and transport are Dask's. All that a pass needs is a task or the argument of one, and nothing is
scattered: what is scattered is lost with its worker, and a task is done again.
"""

import math
import weakref
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from linprobe.core.backend import Array
from linprobe.data.partition_tasks import Call, Constant, added, kept_part, mapped, one_of, summed
from linprobe.data.partitions import Partitions, Within, layout
from linprobe.data.rows import Prepares, StoredRows, chosen
from linprobe.data.terms import PerRow, Term, TermOfRows, Weighs
from linprobe.errors import IncompatibleError

if TYPE_CHECKING:
    from distributed import Future

__all__ = ["DaskRows"]

FAN_IN = 8  # sums that are added up in one task


class DaskRows(StoredRows):
    """Some rows of an array that lies in partitions on the workers of a cluster, prepared there if so asked.

    Parameters
    ----------
    source : Partitions
        On their workers, which keep them in memory.
    places : slice, or array (m,) of indices or (n,) of booleans
        Which of its rows, in this order; all unless given.
    preparation : optional
        Makes of examples, as they are read, rows (m, D).
    """

    elsewhere = True

    _source: Partitions

    def __init__(
        self, source: Partitions, places: slice | np.ndarray = slice(None), preparation: Prepares | None = None
    ) -> None:
        super().__init__(source, places, preparation)
        self._all: list[Within] | None = None
        self._sent = _Sent(source)

    @property
    def values(self) -> int:  # noqa: D102
        source = self._source
        return source.values * len(self) // len(source) if source.sparse else math.prod(self.shape)

    @classmethod
    def joined(cls, parts: "Sequence[DaskRows]") -> "DaskRows":
        """Several, not prepared, one after the other, nothing of which is moved."""
        sources, starts = [part._source for part in parts], np.cumsum([0, *(len(part._source) for part in parts)])
        source = Partitions(
            sources[0].client,
            [future for each in sources for future in each.parts],
            [told for each in sources for told in each.about],
        )
        if all(len(part) == len(of) for part, of in zip(parts, sources, strict=True)):
            return cls(source)
        return cls(source, np.concatenate([part.places() + start for part, start in zip(parts, starts, strict=False)]))

    @property
    def sparse(self) -> bool:
        """Whether they are CSR matrices."""
        return self._source.sparse

    @property
    def digests(self) -> list[bytes]:
        """What the content of the partitions, and which rows of them these are, is told by."""
        every = isinstance(self._places, slice) and len(self) == len(self._source)
        places = [] if every else [self.places().astype("<i8").tobytes()]
        return [about.digest.encode() for about in self._source.about] + places

    def on(self, device: str) -> "DaskRows":
        """These; raises IncompatibleError for another device than the CPUs of the workers."""
        if device != "numpy":
            raise IncompatibleError("the rows are on a Dask cluster, whose workers compute with NumPy; use the CPU")
        return self

    def reduce(  # noqa: D102
        self,
        term: Term,
        like: Array | None,
        *,
        size: int,
        labels: Array | None = None,
        weights: Weighs | Array | None = None,
        rows: np.ndarray | None = None,
    ) -> tuple[Array, ...]:
        _, sums = self._asked(summed, term, like, size, labels, weights, rows)
        below = list(sums)
        while len(sums) > 1:
            groups = [sums[start : start + FAN_IN] for start in range(0, len(sums), FAN_IN)]
            sums = self._source.map(added, groups)
            below += sums
        return self._source.gather(sums, below)[0]

    def map(  # noqa: D102
        self,
        term: TermOfRows,
        like: Array | None,
        *,
        size: int,
        labels: Array | None = None,
        weights: Weighs | Array | None = None,
        rows: np.ndarray | None = None,
    ) -> tuple[PerRow, ...]:
        places, found = self._asked(mapped, term, like, size, labels, weights, rows)
        n = len(self) if rows is None else len(rows)
        (shapes,) = self._source.gather(self._source.map(_shapes, found[:1]))
        return tuple(
            _Elsewhere((n, *shape), dtype, self._source, places, found, which)
            for which, (shape, dtype) in enumerate(shapes)
        )

    def each(self, task: Callable[..., Any], **shared: Any) -> list[Any]:
        """What a task makes of every partition, its number and the number of its first row, here; of rows that are all
        of their source, and as it has them.
        """
        source = self._source
        numbers = list(range(len(source.parts)))
        return source.gather(source.map(task, source.parts, numbers, source.starts[:-1].tolist(), **shared))

    def kept(self) -> "DaskRows":
        """The same, prepared once, in the memory of the workers."""
        places = self._layout()
        call = self._source.hold([Call(None, None, 1, self._preparation, None)])[0]
        parts = self._source.map(kept_part, *self._of_parts(places, self._sent.locals(places)), call=call)
        source = self._source.replaced(parts, [place.part for place in places])
        order = np.concatenate([np.r_[place.here] for place in places])
        if (order == np.arange(len(order))).all():
            return DaskRows(source)
        back = np.empty(len(order), np.int64)
        back[order] = np.arange(len(order))
        return DaskRows(source, back)

    def _layout(self) -> list[Within]:
        if self._all is None:
            self._all = layout(self._source.starts, self._places)
        return self._all

    def _of_parts(self, places: Sequence[Within], local: Sequence[Any]) -> tuple[list[Any], ...]:
        """What tasks are given of the partitions that rows are in."""
        source = self._source
        parts = [source.parts[place.part] for place in places]
        return parts, [source.about[place.part].digest for place in places], list(local)

    def _asked(
        self,
        how: Callable[..., Any],
        term: Any,
        like: Array | None,
        size: int,
        labels: Array | None,
        weights: Any,
        rows: np.ndarray | None,
    ) -> "tuple[list[Within], list[Future[Any]]]":
        """A term on all partitions that the rows are in, and where their rows are among those asked for."""
        split = hasattr(weights, "by_row")
        by_row = [labels, *(weights.by_row if split else (weights,))]
        dtype = None if like is None else np.dtype(like.dtype)
        bare = weights.with_rows((None,) * (len(by_row) - 1)) if split else None
        call = self._source.hold([Call(term, dtype, size, self._preparation, bare)])[0]
        if rows is None:
            places = self._layout()
            local, beside = self._sent.locals(places), [self._sent.pieces(each, places) for each in by_row]
        else:  # a sample, which is small, and another one each time
            places = layout(self._source.starts, chosen(self._places, rows))
            local = [place.local for place in places]
            beside = [_pieces(None if each is None else each[rows], places) for each in by_row]
        found = self._source.map(how, *self._of_parts(places, local), *beside, call=call)
        return places, found


class _Sent:
    """What lies beside the partitions already: which of their rows are asked for, and numbers of these, by the array
    that has them all, for as long as that is there.
    """

    def __init__(self, source: Partitions) -> None:
        self._source = source
        self._local: list[Any] | None = None
        self._known: dict[int, tuple[Any, list[Any]]] = {}

    def locals(self, places: Sequence[Within]) -> list[Any]:
        if self._local is None:
            arrays = [place.local for place in places]
            small = all(isinstance(each, slice) for each in arrays)
            self._local = arrays if small else self._source.hold(arrays)
        return self._local

    def pieces(self, numbers: Array | None, places: Sequence[Within]) -> list[Any]:
        if numbers is None:
            return [None] * len(places)
        key = id(numbers)
        known = self._known.get(key)
        if known is None or known[0]() is not numbers:
            forget = self._known
            known = weakref.ref(numbers, lambda _: forget.pop(key, None)), self._source.hold(_pieces(numbers, places))
            self._known[key] = known
        return known[1]


def _pieces(numbers: Array | None, places: Sequence[Within]) -> list[Any]:
    """Numbers of the rows of each partition, in as few bytes as hold them."""
    return [None if numbers is None else _small(numbers[place.here]) for place in places]


def _small(piece: np.ndarray) -> Any:
    if piece.ndim == 2 and piece.strides[1] == 0:  # the same for all heads
        piece = piece[:, :1]
    if piece.size and (piece == piece.flat[0]).all():
        return Constant(piece.flat[0], piece.shape)
    if piece.dtype.kind in "iu" and piece.size:
        return piece.astype(np.result_type(np.min_scalar_type(piece.min()), np.min_scalar_type(piece.max())))
    return piece


@dataclass(frozen=True, eq=False)
class _Elsewhere:
    """Results for each row, beside the partitions: `which` of what a task returned; shape (n, ...)."""

    shape: tuple[int, ...]
    dtype: np.dtype
    source: Partitions
    places: list[Within]
    found: "list[Future[Any]]"
    which: int

    def __getitem__(self, rows: slice | np.ndarray) -> np.ndarray:
        wanted = np.arange(self.shape[0])[rows]
        needed = np.zeros(self.shape[0], bool)
        needed[wanted] = True
        asked = [number for number, place in enumerate(self.places) if needed[place.here].any()]
        parts = self.source.map(one_of, [self.found[number] for number in asked], which=self.which)
        found = np.empty(self.shape, self.dtype)
        for number, part in zip(asked, self.source.gather(parts), strict=True):
            found[self.places[number].here] = part
        return found if len(wanted) == len(found) and isinstance(rows, slice) else found[wanted]


def _shapes(found: Sequence[np.ndarray]) -> list[tuple[tuple[int, ...], np.dtype]]:
    return [(part.shape[1:], part.dtype) for part in found]

"""An array in partitions on the workers of a Dask cluster, and the tasks that are done there."""

import asyncio
import hashlib
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from scipy import sparse

from linprobe.core.backend import Array, is_sparse
from linprobe.errors import ClusterError, DataError

if TYPE_CHECKING:
    from distributed import Client, Future

__all__ = [
    "About",
    "Partition",
    "Partitions",
    "Within",
    "about",
    "gathered",
    "layout",
    "part_of",
]


# Seconds between two looks at which workers there are, and how many in a row that find none are the end: Dask itself
# would wait for ever.
LOOK, LOOKS = 5.0, 60


class Within(NamedTuple):
    """A partition, by number, which rows of it are asked for, and their places among all that are."""

    part: int
    here: slice | np.ndarray
    local: slice | np.ndarray


class About(NamedTuple):
    """What the client knows of a partition."""

    name: str
    rows: int
    shape: tuple[int, ...]
    dtype: np.dtype
    values: int
    sparse: bool
    digest: str


@dataclass(frozen=True, eq=False)
class Partition:
    """A partition in the memory of its worker: examples X (m, *shape), an array or CSR, what its content is told by,
    and what its file has beside them, labels and so on, arrays (m,), which the client takes.
    """

    name: str
    X: Array
    digest: str
    beside: tuple[np.ndarray | None, ...] = ()

    def __sizeof__(self) -> int:
        # Dask sends tasks to where the largest of what they need is, and spills by this.
        arrays = (self.X.data, self.X.indices, self.X.indptr) if is_sparse(self.X) else (self.X,)
        return 200 + sum(array.nbytes for array in (*arrays, *self.beside) if array is not None)

    def __setstate__(self, state: dict[str, object]) -> None:
        # Dask's messages put an array at any byte, and every product of every pass would begin with a copy.
        self.__dict__.update({**state, "X": _aligned(state["X"])})

    def checked(self, digest: str) -> "Partition":
        """Itself, if it has the content that it had when the work began; another one would be a wrong result."""
        if self.digest != digest:
            raise DataError(
                f"{self.name}: was read again after a worker was lost, and has another content than before; leave the "
                "data as it is while it is trained on, and start again"
            )
        return self


class Partitions:
    """An array (n, *shape) in parts on the workers of a cluster, a source for `DaskRows`: rows are read by number.

    Parameters
    ----------
    client : distributed.Client
    parts : list of Future of Partition
    about : list of About
        Of each; those without rows are left out.

    Raises
    ------
    DataError
        Where there are no rows, or parts of different shapes or types.
    """

    def __init__(self, client: "Client", parts: "Sequence[Future[Any]]", about: Sequence[About]) -> None:
        some = [(part, each) for part, each in zip(parts, about, strict=True) if each.rows]
        if not some:
            raise DataError(f"{about[0].name if about else 'X'}: no partition has rows; give it at least one row")
        self.client = client
        self.parts, self.about = [part for part, _ in some], [each for _, each in some]
        first = self.about[0]
        for each in self.about:
            if (each.shape, each.dtype, each.sparse) != (first.shape, first.dtype, first.sparse):
                raise DataError(
                    f"{each.name}: has {_kind(each)}, but {first.name} has {_kind(first)}; all partitions need the same"
                )
        self.starts = np.cumsum([0, *(each.rows for each in self.about)])
        self.shape = (int(self.starts[-1]), *first.shape)
        self.dtype, self.sparse, self.ndim = first.dtype, first.sparse, len(self.shape)
        self.values = sum(each.values for each in self.about)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: slice | np.ndarray) -> Array:
        """These rows, here: an array, or a CSR matrix."""
        places = layout(self.starts, rows)
        if not places:
            empty = np.empty((0, *self.shape[1:]), self.dtype)
            return sparse.csr_array(empty) if self.sparse else empty
        parts = self.map(
            _rows_of,
            [self.parts[place.part] for place in places],
            [self.about[place.part].digest for place in places],
            [place.local for place in places],
        )
        found = self.gather(parts)
        if len(found) == 1 and isinstance(places[0].here, slice):
            return found[0]
        order = np.argsort(np.concatenate([np.r_[place.here] for place in places]))
        return sparse.csr_array(sparse.vstack(found))[order] if self.sparse else np.concatenate(found)[order]

    def replaced(self, parts: "Sequence[Future[Any]]", numbers: Sequence[int]) -> "Partitions":
        """Others, made of those of these numbers."""
        of_parts = [
            _renamed(self.about[number], told)
            for number, told in zip(numbers, self.gather(self.map(about, parts)), strict=True)
        ]
        return Partitions(self.client, parts, of_parts)

    def map(self, function: Callable[..., Any], *arguments: Sequence[Any], **shared: Any) -> "list[Future[Any]]":
        """A task for each of the arguments."""
        with warnings.catch_warnings():
            # Labels and weights go out once, W once a pass; Dask would rather have them scattered, and lost.
            warnings.filterwarnings("ignore", "(?s)Sending large graph", UserWarning)
            futures: Any = self.client.map(function, *arguments, pure=False, **shared)
            return futures

    def hold(self, values: Sequence[Any]) -> "list[Future[Any]]":
        """Values on the cluster, each one that a task has made, so that a lost one is made again."""
        return self.map(_itself, [_Wrapped(value) for value in values])

    def gather(self, futures: "Sequence[Future[Any]]", below: "Sequence[Future[Any]]" = ()) -> list[Any]:
        """What tasks have made, here; below: those that they need. Raises what they raised, ClusterError where the
        cluster failed.
        """
        return gathered(self.client, futures, below)


def gathered(client: "Client", futures: "Sequence[Future[Any]]", below: "Sequence[Future[Any]]" = ()) -> list[Any]:
    """What tasks have made, here; if that ends otherwise, they are cancelled, and those below, that they need.

    Raises what a task raised, and ClusterError where the cluster lost a worker or what it held.
    """
    from distributed import CancelledError, KilledWorker
    from distributed.client import FutureCancelledError
    from distributed.comm.core import CommClosedError
    from distributed.scheduler import NoValidWorkerError

    try:
        found: Any = client.sync(_waited_for, client, futures, below)
        return found
    except KilledWorker as error:
        raise ClusterError(
            "the cluster: workers died again and again over the same partition, as they do without memory for it; give "
            "them more, or make partitions smaller"
        ) from error
    except (CancelledError, FutureCancelledError, CommClosedError, NoValidWorkerError, OSError) as error:
        raise ClusterError(
            "the cluster: lost its scheduler, or data that only one worker had and no task can make again; start it "
            "again, and keep the data in files, which are read anew"
        ) from error
    except BaseException:  # Ctrl-C too: nobody waits for them any longer
        client.cancel([*futures, *below])
        raise


async def _waited_for(client: "Client", futures: "Sequence[Future[Any]]", below: "Sequence[Future[Any]]") -> Any:
    """What tasks have made, as long as there are workers; in the client's own loop, where its calls are awaited."""
    asked: Any = client.gather(list(futures))
    made, looks = asyncio.ensure_future(asked), 0
    while not (await asyncio.wait({made}, timeout=LOOK))[0]:
        workers: Any = client.nthreads()
        looks = 0 if await workers else looks + 1
        if looks >= LOOKS:
            given_up: Any = client.cancel([*futures, *below])
            await given_up
            await asyncio.wait({made})
            made.exception()  # that they were cancelled, or Python would complain that nobody asked
            raise ClusterError(
                f"the cluster: has had no worker for {LOOK * LOOKS:.0f} seconds; start workers, and then this again"
            )
    return made.result()


def layout(starts: np.ndarray, rows: slice | np.ndarray) -> list[Within]:
    """The partitions, which begin at starts, that some rows are in; of rows by number, in any order."""
    n = int(starts[-1])
    if isinstance(rows, slice):
        first, stop, step = rows.indices(n)
        if step != 1:
            return layout(starts, np.arange(n)[rows])
        found = []
        for part in range(len(starts) - 1):
            low, high = max(first, int(starts[part])), min(stop, int(starts[part + 1]))
            if low < high:
                begin = int(starts[part])
                found.append(Within(part, slice(low - first, high - first), slice(low - begin, high - begin)))
        return found
    rows = np.arange(n)[rows] if rows.dtype == bool else np.asarray(rows, np.int64)
    belongs = np.searchsorted(starts, rows, side="right") - 1
    ordered = bool((np.diff(belongs) >= 0).all())
    order = np.arange(len(rows)) if ordered else np.argsort(belongs, kind="stable")
    borders = np.searchsorted(belongs[order], np.arange(len(starts)))
    found = []
    for part, (low, high) in enumerate(zip(borders[:-1].tolist(), borders[1:].tolist(), strict=True)):
        if low < high:
            here = slice(low, high) if ordered else order[low:high]
            local = rows[here] - starts[part]
            found.append(Within(part, here, _as_slice(local)))
    return found


def _as_slice(numbers: np.ndarray) -> slice | np.ndarray:
    if (np.diff(numbers) == 1).all():
        return slice(int(numbers[0]), int(numbers[-1]) + 1)
    return numbers.astype(np.min_scalar_type(int(numbers.max())))


@dataclass(frozen=True, eq=False)
class _Wrapped:
    """A value that Dask takes as it is, and does not look into for tasks."""

    value: Any


def _itself(wrapped: _Wrapped) -> Any:
    return wrapped.value


def part_of(name: str, X: Array, beside: tuple[np.ndarray | None, ...] = ()) -> Partition:
    """A partition, read. Raises DataError, naming it and the row, for a value that is not finite."""
    X = _aligned(sparse.csr_array(X) if is_sparse(X) else X)
    values = X.data if is_sparse(X) else X
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        wrong = ~np.isfinite(values)
        row, column = _first_wrong(X, wrong)
        raise DataError(
            f"{name}: has {values[wrong].flat[0]} in row {row:,}, column {column:,}, counted from 0; a linear "
            "classifier needs finite features: leave the row out, or fill the value in"
        )
    digest = hashlib.sha256(repr((X.shape, X.dtype.str)).encode())
    for array in (X.data, X.indices, X.indptr) if is_sparse(X) else (X,) if X.size else ():
        digest.update(np.ascontiguousarray(array).reshape(-1).data)
    return Partition(name, X, digest.hexdigest(), beside)


def _aligned(X: Any) -> Any:
    """An array or CSR matrix as BLAS takes it: itself, or a copy where its numbers lie across their places."""
    if not is_sparse(X):
        return np.require(X, requirements=["C", "A"])
    if all(array.flags.aligned for array in (X.data, X.indices, X.indptr)):
        return X
    return sparse.csr_array(tuple(map(_aligned, (X.data, X.indices, X.indptr))), shape=X.shape)


def _first_wrong(X: Any, wrong: np.ndarray) -> tuple[int, int]:
    if is_sparse(X):
        at = int(wrong.argmax())
        return int(np.searchsorted(X.indptr, at, side="right")) - 1, int(X.indices[at])
    row, column = np.argwhere(wrong.reshape(len(wrong), -1))[0]
    return int(row), int(column)


def about(part: Partition) -> About:
    """What the client is told of a partition."""
    X, hollow = part.X, is_sparse(part.X)
    values = X.nnz if hollow else X.size
    return About(part.name, X.shape[0], tuple(X.shape[1:]), X.dtype, values, hollow, part.digest)


def _renamed(before: About, now: About) -> About:
    """What is known of a partition that was made of another, whose content it is still told by."""
    return now._replace(digest=before.digest, name=before.name)


def _kind(found: About) -> str:
    return f"{found.dtype} {found.shape}{' (sparse)' if found.sparse else ''}"


def _rows_of(part: Partition, digest: str, local: slice | np.ndarray) -> Array:
    return part.checked(digest).X[local]

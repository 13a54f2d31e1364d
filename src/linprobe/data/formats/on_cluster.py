"""A source of many files as rows on a Dask cluster: each file is read by the worker that keeps its rows.

Files are named by a path, a folder, a pattern (emb-*.parquet) or a URL that fsspec knows, and must be there for every
worker. What Dask has to read again it reads from the same file, of the same size and time, or not at all.
"""

import re
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from linprobe.core.backend import is_sparse
from linprobe.data.dask_rows import DaskRows
from linprobe.data.dataset import Dataset, Examples
from linprobe.data.formats import read_source
from linprobe.data.formats.entries import Selection
from linprobe.data.formats.other_sources import with_split
from linprobe.data.labels import Told, read_labels
from linprobe.data.partitions import About, Partition, Partitions, about, gathered, part_of
from linprobe.data.reading import at_home, show
from linprobe.errors import DataError, UsageError, require

if TYPE_CHECKING:
    from distributed import Client

__all__ = ["open_on_cluster", "rows_on_cluster"]

ENDINGS = (".parquet", ".npz", ".npy", ".csv", ".tsv", ".arrow", ".feather", ".safetensors", ".pt", ".pth", ".h5")
ENDINGS += (".hdf5", ".libsvm", ".svm", ".svmlight", ".mat", ".tar")
_PATTERN, _WHOLE = re.compile(r"[*?\[]"), re.compile(r"[+-]?[0-9]{1,18}")
NOTE = "On a cluster, rows that are in two splits are not looked for."


class _Stamp(NamedTuple):
    """A file, and what is known of it without reading it."""

    url: str
    size: int
    time: str


class _Beside(NamedTuple):
    """What the client has of a file: names of classes, groups and weights, each (m,) or None."""

    names: np.ndarray | None
    groups: np.ndarray | None
    weights: np.ndarray | None


def open_on_cluster(client: "Client", source: str, **asked: str) -> Dataset:
    """A source whose files are read on the workers, as `open_dataset` reads one here.

    Parameters
    ----------
    client : distributed.Client
    source : str
        A file, a folder of files, a pattern, or a URL of these.
    **asked : str
        x, label, groups, weights, val and test, as `open_dataset` takes them.

    Returns
    -------
    Dataset
        Of DaskRows, a partition for each file; labels, groups and weights are here.

    Raises
    ------
    UsageError
        For a source without files, and what `open_dataset` refuses.
    DataError
        For a file that can't be read, has splits of its own, or a value that is not finite.
    """
    if others := asked.keys() - {"x", "label", "groups", "weights", "val", "test"}:
        name = min(others).replace("_", "-")
        raise UsageError(f"--{name}: is not for --cluster, which reads files of rows; leave it out")
    selection = Selection(asked.get("x"), asked.get("label"), groups=asked.get("groups"), weights=asked.get("weights"))
    dataset = _opened(client, source, selection)
    if (val := asked.get("val")) is not None:
        dataset = with_split(dataset, "val", _opened(client, val, selection), val)
    if (test := asked.get("test")) is not None:
        dataset = with_split(dataset, "test", _opened(client, test, selection._replace(weights=None)), test)
    return replace(dataset, asked=dict(asked), notes=tuple(dict.fromkeys((*dataset.notes, NOTE))))


def rows_on_cluster(client: "Client", source: str, x: str | None = None) -> DaskRows:
    """The rows of a source alone, without labels; raises what `open_on_cluster` does."""
    return DaskRows(Partitions(client, *_parts(client, source, Selection(x, labelled=False))))


def _opened(client: "Client", source: str, selection: Selection) -> Dataset:
    parts, abouts = _parts(client, source, selection)
    beside: list[_Beside] = gathered(client, client.map(_beside, parts, pure=False))
    names, which = np.unique(np.concatenate([_texts(each.names) for each in beside]), return_inverse=True)
    whole = all(_WHOLE.fullmatch(name) for name in names.tolist())
    told = names.astype(np.int64) if whole else names.astype(object)
    # Each name twice, or twenty classes would look like the names of rows.
    read = read_labels({"train": Told(source, np.concatenate([told, told]))})
    y = read.numbers["train"][: len(names)][which]
    groups, weights = (_joined([getattr(each, name) for each in beside]) for name in ("groups", "weights"))
    examples = Examples(DaskRows(Partitions(client, parts, abouts)), y, groups, weights)
    return Dataset(_called(source), examples, None, read.classes)


def _texts(names: np.ndarray | None) -> np.ndarray:
    return np.empty(0, "U1") if names is None else names


def _joined(parts: Sequence[np.ndarray | None]) -> np.ndarray | None:
    known = [part for part in parts if part is not None]
    return np.concatenate(known) if known else None


def _called(source: str) -> str:
    return Path(source.rstrip("/")).name or source


def _parts(client: "Client", source: str, selection: Selection) -> tuple[list[Any], list[About]]:
    """Every file, read: its partition, and what is known of that."""
    parts: Any = client.map(_read, _files(source), selection=selection, pure=False)
    return parts, gathered(client, client.map(about, parts, pure=False))


def _files(source: str) -> list[_Stamp]:
    """The files of a source, in the order of their names."""
    fsspec = require("fsspec.core", "dask")
    place = show(source, 200)
    try:
        system, path = fsspec.url_to_fs(source if "://" in source else str(at_home(source).absolute()))
        if _PATTERN.search(path):
            paths = system.glob(path)
        elif system.isdir(path):
            paths = [each for each in system.find(path) if each.lower().endswith(ENDINGS)]
        else:
            paths = [path] if system.exists(path) else []
        stamps = [_stamp(system, each) for each in sorted(paths) if not system.isdir(each)]
    except (OSError, ValueError, ImportError) as error:
        raise DataError(
            f"{place}: cannot be listed: {show(str(error), 160)}; check the URL and who may read it"
        ) from error
    if not stamps:
        raise UsageError(
            f"{place}: no files are there; give files, a folder of them or a pattern such as 'emb-*.parquet'"
        )
    return stamps


def _stamp(system: Any, path: str) -> _Stamp:
    known = system.info(path)
    time = next(
        (known[name] for name in ("ETag", "etag", "mtime", "LastModified", "updated", "created") if name in known), ""
    )
    return _Stamp(system.unstrip_protocol(path), int(known["size"]), str(time))


def _read(stamp: _Stamp, *, selection: Selection) -> Partition:
    """A file, on a worker; its labels are the names of their classes."""
    fsspec = require("fsspec.core", "dask")
    try:
        system, path = fsspec.url_to_fs(stamp.url)
        if _stamp(system, path) != stamp:
            raise DataError(f"{stamp.url}: was written to since the work began; leave it as it is, and start again")
        if "file" in np.atleast_1d(system.protocol):
            return _part(path, Path(path), selection)
        with tempfile.TemporaryDirectory() as folder:
            here = Path(folder, Path(path).name)
            system.get_file(path, str(here))
            return _part(stamp.url, here, selection)
    except OSError as error:
        raise DataError(
            f"{stamp.url}: cannot be read: {show(str(error), 160)}; it must be there for every worker"
        ) from error


def _part(name: str, path: Path, selection: Selection) -> Partition:
    dataset = read_source(str(path), selection)
    if len(dataset.splits()) > 1:
        several = " and ".join(split for split, _ in dataset.splits())
        raise DataError(
            f"{name}: has splits of its own ({several}), and a file on a cluster is one partition; write them to "
            "files of their own, and give them with --val and --test"
        )
    found = dataset.train
    X = found.X[:] if is_sparse(found.X) else np.array(found.X)  # none of which stays in its file
    names = np.array(dataset.classes)[found.y] if selection.labelled else None
    return part_of(name, X, (names, found.groups, found.weights))


def _beside(part: Partition) -> _Beside:
    return _Beside(*part.beside)

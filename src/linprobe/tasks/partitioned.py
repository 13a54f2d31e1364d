"""Predictions of files on a Dask cluster: each worker writes those of its partitions, one parquet file for each."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from linprobe.data.formats.on_cluster import rows_on_cluster
from linprobe.data.partitions import Partition
from linprobe.model import Model
from linprobe.tasks.batch import Batch, prediction_table
from linprobe.tasks.predict import scored

if TYPE_CHECKING:
    from distributed import Client

__all__ = ["predict_partitions"]


def predict_partitions(
    client: "Client", classifier: Model, source: str, folder: Path, *, x: str | None = None
) -> np.ndarray:
    """Predict every row of the files of a source, and write part-00000.parquet and so on, a file for a file.

    Parameters
    ----------
    client : distributed.Client
    classifier : Model
    source : str
        As `open_on_cluster` takes it; its labels, if any, are not read.
    folder : Path
        Where the tables go: there, and the same place for every worker.
    x : str, optional
        Which key or column has the features; the one of the model's training unless given.

    Returns
    -------
    array (K,) int
        How many rows each class was predicted of.

    Raises
    ------
    DataError
        For examples of another shape, and for what can't be read.
    """
    rows = rows_on_cluster(client, source, x or classifier.provenance.asked.get("x"))
    classifier.preparation.apply(rows[:0])  # which refuses examples of another shape
    counts = rows.each(_written, classifier=classifier, folder=str(folder.absolute()))
    return np.sum(counts, axis=0)


def _written(part: Partition, number: int, start: int, *, classifier: Model, folder: str) -> np.ndarray:
    """Write the predictions of a partition, which begins at a row; gives the counts of the classes."""
    counts = np.zeros(len(classifier.classes), np.int64)
    # Replaced, if another worker was lost while it wrote the same.
    with prediction_table(Path(folder, f"part-{number:05}.parquet"), classifier, replace=True) as write:
        for rows, scores in scored(classifier, part.X, part.name):
            ids = np.arange(start + rows.start, start + rows.stop)
            counts += np.bincount(write(part.name, Batch(None, rows, ids, scores)), minlength=len(counts))
    return counts

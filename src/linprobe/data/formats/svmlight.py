"""Text of svmlight and libsvm: a label and number:value pairs in each line, columns counted from 0 or from 1."""

from pathlib import Path

import numpy as np

from linprobe.data.formats.dense import dense
from linprobe.data.formats.entries import Entry
from linprobe.data.reading import readable, require_file, show
from linprobe.errors import DataError

__all__ = ["entries"]

AGAIN = "write it again, with sklearn.datasets.dump_svmlight_file"
LARGEST_FILE = 2**36


def entries(path: Path) -> list[Entry]:
    """The features X and the labels y of a file; columns count from 0 where one of them is called 0."""
    from sklearn.datasets import load_svmlight_file

    size = require_file(path, LARGEST_FILE, AGAIN)
    try:
        with readable(path):
            X, y = load_svmlight_file(str(path))
    except (ValueError, OverflowError, IndexError, MemoryError) as error:
        raise DataError(
            f"{path}: is not svmlight text, a label and number:value pairs in each line: {show(str(error), 120)}; "
            f"{AGAIN}"
        ) from error
    if not len(y):
        raise DataError(f"{path}: holds no examples; {AGAIN}")
    place = str(path)
    return [
        Entry("X", place, X.shape, X.dtype, lambda: dense(X, place, size), role="x"),
        Entry("y", place, y.shape, y.dtype, lambda: np.asarray(y), role="y"),
    ]

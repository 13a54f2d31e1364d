"""What the estimators are given, checked before any work: errors that name the place, and no copy of the features."""

import mmap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from linprobe.core.backend import on_host
from linprobe.core.finite import first_not_finite
from linprobe.data.columns import as_matrix
from linprobe.data.dask_rows import DaskRows
from linprobe.data.dask_sources import dask_rows, is_dask, labels_here
from linprobe.errors import DataError, UsageError

__all__ = [
    "Features",
    "check_features",
    "check_finite",
    "check_labels",
    "check_unchanged",
    "check_weights",
    "file_stamps",
]

# A chunk of rows in float64 takes 512 KiB, and stays in a core's cache: the variance of (20,000 x 3,072) float32 took
# 0.06 s so, and 0.6 to 2 s in chunks of 4 MiB.
LARGEST_EXACT = 2**24  # integers up to here are float32 numbers

Features = Any  # a NumPy matrix, a SciPy CSR array, or DaskRows


def check_features(estimator: Any, X: Any, *, reset: bool) -> Features:
    """Features (n, D) as the solvers read them: a matrix, or a CSR array; in the caller's own memory where it can be.
    Those of Dask stay on its workers, as DaskRows.

    X: what scikit-learn takes, or a column of vectors. float16, float32, float64, integers and bool stay as they are
    (bool is read as uint8); integers beyond 2^24, which float32 would round, become float64, and so do objects and
    wider floats. With `reset` the estimator learns the number and names of the features, else X has to have the same.
    Raises UsageError or ValueError for what is not a matrix of finite numbers, DataError for a mapped file that has
    become shorter.
    """
    from sklearn.utils.validation import validate_data

    if is_dask(X):
        X = dask_rows(X)
    if isinstance(X, DaskRows):
        rows: Any = X  # of which scikit-learn is shown the number of features
        return validate_data(estimator, rows, reset=reset, skip_check_array=True)
    _check_files(X)
    X = validate_data(estimator, as_matrix(X), reset=reset, accept_sparse="csr", ensure_all_finite=False)
    if X.dtype.kind not in "buif":
        raise UsageError(f"X holds {X.dtype}; a linear classifier needs numbers: convert or encode it first")
    if sp.issparse(X):
        X = sp.csr_array(X)  # the same memory, with the operators of an array
        _check_structure(X)
        if not X.has_canonical_format:
            X = X.copy()
            X.sum_duplicates()
    check_finite(X, getattr(estimator, "feature_names_in_", None))
    dtype = _dtype_to_read(X.data if sp.issparse(X) else X)
    if X.dtype == bool and dtype == np.uint8:
        return sp.csr_array((X.data.view(dtype), X.indices, X.indptr), X.shape) if sp.issparse(X) else X.view(dtype)
    return X.astype(dtype, copy=False)


def check_finite(X: Features, names: npt.ArrayLike | None = None) -> None:
    """Raise UsageError with the row and the column of the first NaN or infinity of X (n, D); names (D,) of features."""
    if X.dtype.kind != "f":
        return
    place = first_not_finite(X)
    if place is not None:
        raise _not_finite(X[place], *place, names)


def check_labels(y: Any, n: int) -> tuple[np.ndarray, np.ndarray]:
    """The classes (K,), sorted, and which of them each example has: (n,) int64.

    Raises ValueError as scikit-learn does for labels that are no classes, UsageError for a single class.
    """
    from sklearn.utils import assert_all_finite, column_or_1d
    from sklearn.utils.multiclass import check_classification_targets

    y = column_or_1d(on_host(labels_here(y)), warn=True)
    assert_all_finite(y, input_name="y")
    check_classification_targets(y)
    if len(y) != n:
        raise UsageError(f"X has {n:,} rows and y {len(y):,} labels; give one label for each row")
    classes, codes = np.unique(y, return_inverse=True)
    if len(classes) < 2:
        raise UsageError(
            f"y has one class only, {_name(classes, 0)}; a classifier needs examples of at least two classes"
        )
    return classes, codes.astype(np.int64, copy=False)


@np.errstate(over="ignore")
def check_weights(sample_weight: Any, class_weight: Any, classes: np.ndarray, codes: np.ndarray) -> np.ndarray | None:
    """The weight of each example, its own times that of its class: (n,) float64, or None where all weigh the same.

    sample_weight: None, a number or (n,), >= 0; class_weight: None, a dict, or "balanced", which gives every class that
    has weight the same share of it. Raises UsageError for weights that are negative, not finite, all zero, or zero for
    all classes but one.
    """
    from sklearn.utils.class_weight import compute_class_weight

    if sample_weight is None and class_weight is None:
        return None
    weight = np.ones(len(codes))
    if sample_weight is not None:
        given = np.asarray(on_host(labels_here(sample_weight)), np.float64)
        if given.shape not in ((), (len(codes),)):
            raise UsageError(f"sample_weight has the shape {given.shape}; {len(codes):,} examples need {(len(codes),)}")
        weight *= given
        _check_weight(weight, "sample_weight", lambda row: f"at row {row}, counted from 0")
    if isinstance(class_weight, str) and class_weight == "balanced":
        share = np.bincount(codes, weight, len(classes))
        present = share > 0
        # Not scikit-learn's function: a class whose examples all weigh zero would get an infinite weight.
        of_class = np.divide(weight.sum(), present.sum() * share, out=np.zeros(len(classes)), where=present)
        weight *= of_class[codes]
    elif class_weight is not None:
        of_class = compute_class_weight(class_weight, classes=classes, y=classes[codes])
        _check_weight(of_class, "class_weight", lambda k: f"for the class {_name(classes, k)}")
        weight *= of_class[codes]
    weighted = np.unique(codes[weight > 0])
    if not len(weighted):
        raise UsageError("all weights of the examples are zero; at least two classes need examples of some weight")
    if len(weighted) < 2:
        raise UsageError(
            f"only the class {_name(classes, weighted[0])} has examples with a weight above 0; "
            "a classifier needs at least two classes"
        )
    if not np.isfinite(weight.sum()):
        raise UsageError("the weights of the examples sum to infinity; divide them by their largest")
    return weight


def file_stamps(X: Any) -> dict[str, tuple[int, int, int]]:
    """The inode, size and time of change of every file that X is mapped from, as far as they can be known."""
    stamps = {}
    for name, _, _ in _mappings(X):
        if name is not None and Path(name).exists():
            status = Path(name).stat()
            stamps[str(name)] = (status.st_ino, status.st_size, status.st_mtime_ns)
    return stamps


def check_unchanged(before: dict[str, tuple[int, int, int]], X: Any) -> None:
    """Raise DataError for a mapped file that was written to since its stamp was taken.

    A file that was replaced by another is left in peace: the map still shows the old one.
    """
    for name, stamp in file_stamps(X).items():
        if name in before and before[name][0] == stamp[0] and before[name] != stamp:
            raise DataError(
                f"{name}: was written to while X was read from it, and the result would belong to neither version; "
                "fit again when it no longer changes"
            )


def _mappings(X: Any) -> Iterator[tuple[Any, int, mmap.mmap]]:
    """Name, first byte and memory map of what X, or the three arrays of a sparse one, are mapped from."""
    arrays = (getattr(X, name, None) for name in ("data", "indices", "indptr")) if sp.issparse(X) else (X,)
    for array in arrays:
        name, start = None, 0
        while isinstance(array, np.ndarray):
            if isinstance(array, np.memmap):
                name, start = array.filename, array.offset - array.offset % mmap.ALLOCATIONGRANULARITY
            array = array.base
        if isinstance(array, mmap.mmap):
            yield name, start, array


def _check_files(X: Any) -> None:
    """Raise DataError for a file that is shorter than its map: reading beyond its end would end the process."""
    for name, start, mapping in _mappings(X):
        try:
            size = mapping.size()  # of the file that is mapped, even where another one has its name by now
        except (OSError, ValueError):
            continue  # memory of no file
        if size < start + len(mapping):
            raise DataError(
                f"{name or 'X'}: the mapped file has {size:,} of the {start + len(mapping):,} bytes that it had when "
                "it was opened; write it again and open it anew"
            )


def _check_structure(X: Features) -> None:
    """Refuse a CSR matrix whose indices point outside of it: SciPy's products would read foreign memory."""
    try:
        X.check_format(full_check=True)
    except ValueError as error:
        raise UsageError(
            f"X is not a valid sparse matrix ({error}); build it again from rows, columns and values"
        ) from error


def _dtype_to_read(values: np.ndarray) -> np.dtype:
    """The type in which the solvers read these numbers without losing any of their digits, or float64."""
    kind, size = values.dtype.kind, values.dtype.itemsize
    if kind == "b":
        return np.dtype(np.uint8)
    if kind == "f":
        fits = size <= 8
    else:
        fits = size <= 2 or not values.size or -LARGEST_EXACT <= values.min() <= values.max() <= LARGEST_EXACT
    return values.dtype.newbyteorder("=") if fits else np.dtype(np.float64)


def _check_weight(weight: np.ndarray, what: str, place: Callable[[int], str]) -> None:
    wrong = np.flatnonzero(~((weight >= 0) & (weight < np.inf)))
    if len(wrong):
        raise UsageError(f"{what} is {weight[wrong[0]]:g} {place(wrong[0])}; weights must be finite and 0 or more")


def _name(classes: np.ndarray, k: int) -> str:
    """A class as the user wrote it: 1 and not np.int64(1)."""
    return repr(classes[k : k + 1].tolist()[0])


def _not_finite(value: Any, row: int, column: int, names: Any) -> UsageError:
    what = "NaN" if np.isnan(value) else "infinity"
    feature = "" if names is None else f" (feature {str(names[column])!r})"
    return UsageError(
        f"X has {what} at row {row}, column {column}{feature}, counted from 0; "
        "a linear classifier needs finite numbers: drop the row, or fill the value in"
    )

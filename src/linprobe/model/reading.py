"""A model file, read: whatever is in it, nothing of it runs, and what is not a model is refused."""

import json
import math
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from linprobe.data.prepare import Preparation
from linprobe.errors import DataError, UnsafeFileError, short
from linprobe.model.files import damaged, read, warn_unchecked
from linprobe.model.model import MODEL, Model
from linprobe.model.provenance import Proven, Provenance

__all__ = ["load"]

# 224 x 224 x 3 pixels and 5,000 classes stay below it. A file can claim more than it takes on the disk.
MOST_BYTES = 2**32

# In NumPy's words: what labels and examples may be.
NUMBERS = (
    *("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "float16", "float32", "float64"),
)


def load(path: Path | str) -> Model:
    """Read a model file; nothing in it can run.

    Raises DataError for a file that is not one of ours, or not as it was written; of one that an older linprobe wrote,
    without a checksum, an UncheckedFileWarning says that damage may go unnoticed.
    """
    path = Path(path)
    metadata, arrays = _read(path)
    if metadata["format"] != MODEL.format:
        arrays.pop("scale", None)  # which older files have in their weights
    try:
        model = _model(_told(metadata), arrays)
    except DataError as error:
        raise damaged(path, MODEL, str(error)) from error
    warn_unchecked(path, MODEL, metadata)
    return model


def _read(path: Path) -> tuple[dict[str, str], dict[str, np.ndarray]]:
    """The metadata and the arrays, float32 or float64, of whatever shape the file gives them."""
    try:
        if not path.is_file():
            finding = "is not a file" if path.exists() else "does not exist"
            raise DataError(f"{path}: {finding}; give a model file that linprobe wrote, such as RUN/model.safetensors")
        size = path.stat().st_size
    except OSError as error:
        raise DataError(f"{path}: is not a readable file ({short(error)}); {MODEL.give}") from error
    if size > MOST_BYTES:
        raise UnsafeFileError(f"{path}: has {size:,} bytes, a model at most {MOST_BYTES:,}; {MODEL.give}")
    return read(path, MODEL, ("W", "b", "mean"), ("scale",))


@dataclass(frozen=True, kw_only=True)
class _Unchecked:
    """What the metadata of the newest format says, as JSON has it: each of it may still be anything."""

    classes: Any
    labels: Any = None
    feature_names: Any = None
    shape: Any
    dtype: Any = None
    white: Any
    unit_rows: Any
    provenance: Any
    certificate: Any = None


def _told(metadata: Mapping[str, str]) -> _Unchecked:
    """What the metadata says, of any format."""
    if metadata["format"] == MODEL.format:
        return _Unchecked(**{one.name: _json(metadata, one.name) for one in fields(_Unchecked)})
    classes, shape = (_json(metadata, key) for key in ("classes", "shape"))
    about = _expect(_json(metadata, "about"), dict, "about is not a table")
    unit_rows = "unit_rows" in metadata and _json(metadata, "unit_rows")
    white = about.pop("white", 255)
    return _Unchecked(classes=classes, shape=shape, white=white, unit_rows=unit_rows, provenance=about)


def _model(told: _Unchecked, arrays: dict[str, np.ndarray]) -> Model:
    """The model that this is. Raises DataError, whose message says what is wrong, where it is none."""
    classes, shape, white, unit_rows = told.classes, told.shape, told.white, told.unit_rows
    if not (_are_names(classes) and classes):
        raise DataError("classes is not a list of names")
    if not (
        isinstance(shape, list)
        and len(shape) in (1, 3)
        and all(type(size) is int and 0 < size < 2**32 for size in shape)
    ):
        raise DataError("shape is not that of an image or of a row of features")
    if not isinstance(unit_rows, bool):
        raise DataError("unit_rows is neither true nor false")
    if not (type(white) in (int, float) and 0 < white <= sys.float_info.max):
        raise DataError("white is not the value of a pixel")
    dtype, names = told.dtype, told.feature_names
    if dtype is not None and dtype not in NUMBERS:
        raise DataError("dtype is not that of examples")
    features = math.prod(shape)
    if names is not None and not (_are_names(names) and len(names) == features):
        raise DataError("feature_names is not a list of a name for each feature")
    _check_arrays(arrays, features, len(classes))
    if unit_rows and "scale" in arrays:
        raise DataError("it has a scale, and rows that are divided by their length")
    certificate = told.certificate
    if certificate is not None and not (isinstance(certificate, dict) and set(certificate) == {"objective", "gap"}):
        raise DataError("certificate is not an objective and a gap")
    return Model(
        arrays["W"],
        arrays["b"],
        tuple(classes),
        Preparation(
            arrays["mean"], tuple(shape), arrays.get("scale"), unit_rows, None if dtype is None else np.dtype(dtype)
        ),
        Provenance.read(_expect(told.provenance, dict, "provenance is not a table")),
        None if certificate is None else Proven(**certificate),
        float(white),
        None if names is None else tuple(names),
        None if told.labels is None else _labels(told.labels, classes),
    )


def _check_arrays(arrays: dict[str, np.ndarray], D: int, K: int) -> None:
    expected = {"W": (D, K), "b": (K,), "mean": (D,), "scale": (D,)}
    for name, array in arrays.items():
        if array.shape != expected[name]:
            finding = f"{name} has the shape {short(array.shape)}, classes and shape ask for {expected[name]}"
            raise DataError(finding)
        if not np.isfinite(array).all():
            raise DataError(f"{name} holds values that are not finite")
    # 0 is the scale of a feature that is the same in all training examples.
    if (arrays.get("scale", np.zeros(1)) < 0).any():
        raise DataError("scale holds values below 0")


def _labels(dtype: Any, names: list[str]) -> np.ndarray:
    """The classes (K,) as an estimator was given them: of this type, which the names are texts of."""
    read: dict[Any, Callable[[str], Any]] = {name: float if name.startswith("float") else int for name in NUMBERS}
    read["bool"] = {"False": False, "True": True}.__getitem__
    if not isinstance(dtype, str) or dtype not in read:
        raise DataError("labels is not a type of labels")
    try:
        with np.errstate(over="ignore"):
            labels = np.array([read[dtype](name) for name in names]).astype(dtype)
    except (ValueError, KeyError, OverflowError) as error:
        raise DataError(f"classes is not a list of {dtype}") from error
    if list(map(str, labels.tolist())) != names:
        raise DataError(f"classes is not a list of {dtype}")
    return labels


def _are_names(found: Any) -> bool:
    return isinstance(found, list) and all(isinstance(name, str) for name in found)


def _expect(found: Any, kind: type, finding: str) -> Any:
    if not isinstance(found, kind):
        raise DataError(finding)
    return found


def _json(metadata: Mapping[str, str], key: str) -> Any:
    try:
        return json.loads(metadata[key])
    except KeyError as error:
        raise DataError(f"its metadata lacks {key}") from error
    except (ValueError, RecursionError) as error:
        raise DataError(f"{key} is not JSON ({short(error)})") from error

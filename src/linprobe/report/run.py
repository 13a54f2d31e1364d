"""A run folder, read again: what the page is made from."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from linprobe.errors import DataError
from linprobe.model import Model, load
from linprobe.model.evidence import Evidence, Mistakes, Reliability
from linprobe.model.files import Kind, read, warn_unchecked, write
from linprobe.results import Results

__all__ = ["EVIDENCE", "KIND", "Run", "read_run", "write_evidence"]

EVIDENCE = "evidence.safetensors"

# Of the mistakes, whose features are of the type that the source has them in; of all else F32, F64 and I64.
TYPES = {"F16", "F32", "F64", "U8", "I8", "U16", "I16", "U32", "I32", "U64", "I64"}

KIND = Kind(
    "linprobe-evidence-2",
    None,
    frozenset(TYPES),
    "give a run that linprobe made",
    "make the run again",
)

# Of more classes, each pair that there is: true class, predicted class, and how often (m, 3).
CELLS, WHOLE_CLASSES = "counts.cells", 256
NUMBERS, WHOLE = "iuf", ("counts", CELLS, "mistakes.labels", "mistakes.predicted", "reliability.n")


@dataclass(frozen=True, eq=False)
class Run:
    """A finished run: run.json's numbers, the model, what it did on test, and the losses of all heads of an SGD grid.

    steps (R,), curves (R, H): the objective on the batches of those iterations, NaN once a head has stopped; R = 0
    where there are none.
    """

    numbers: Results
    classifier: Model
    evidence: Evidence
    steps: np.ndarray
    curves: np.ndarray


def write_evidence(folder: Path, evidence: Evidence, steps: np.ndarray, curves: np.ndarray) -> None:
    """Write what of a run is neither in run.json nor in the model; steps and curves as `Run` has them."""
    arrays = {**_packed(evidence.counts), "steps": steps, "curves": curves.astype(np.float32)}
    arrays |= {f"mistakes.{name}": array for name, array in vars(evidence.mistakes).items()}
    if evidence.reliability is not None:
        arrays |= {f"reliability.{name}": array for name, array in vars(evidence.reliability).items()}
    write(folder / EVIDENCE, KIND, arrays, {})


def read_run(folder: Path) -> Run:
    """Read a run folder that `linprobe worksheet` or `linprobe tune` left. Raises DataError for any other folder."""
    path = folder / "run.json"
    if not path.is_file():
        finding = "holds no run.json" if folder.is_dir() else "is not a folder"
        raise DataError(f"{folder}: {finding}; give a folder that linprobe worksheet or linprobe tune left")
    numbers = Results.read(path)
    classifier = load(folder / "model.safetensors")
    arrays = _read_arrays(folder / EVIDENCE, len(classifier.classes), classifier.preparation.shape)
    if len(arrays["steps"]) and arrays["curves"].shape[1] != len(numbers.grid.rows):
        raise DataError(
            f"{path}: does not tell what the page needs (grid.rows: has {len(numbers.grid.rows):,} settings for "
            f"{arrays['curves'].shape[1]:,} loss curves); make the run again"
        )
    parts: dict[str, dict[str, np.ndarray]] = {"mistakes": {}, "reliability": {}}
    for name, array in arrays.items():
        part, _, of_part = name.partition(".")
        if of_part:
            parts[part][of_part] = array
    reliability = Reliability(**parts["reliability"]) if parts["reliability"] else None
    evidence = Evidence(arrays["counts"], reliability, Mistakes(**parts["mistakes"]))
    return Run(numbers, classifier, evidence, arrays["steps"], arrays["curves"])


def _read_arrays(path: Path, K: int, shape: tuple[int, ...]) -> dict[str, np.ndarray]:
    """The arrays of an evidence file, each of the shape that it must have."""
    if not path.is_file():
        raise DataError(f"{path}: does not exist; the run was made by a version without it: make it again")
    metadata, arrays = read(path, KIND)
    counts = "counts" if CELLS not in arrays else CELLS
    m, bins = (len(arrays.get(name, ())) for name in ("mistakes.labels", "reliability.n"))
    R = len(arrays.get("steps", ()))
    expected: dict[str, tuple[int | None, ...]] = {
        counts: (K, K) if counts == "counts" else (len(arrays[CELLS]), 3),
        "steps": (R,),
        "curves": (R, None),
        "mistakes.X": (m, *shape),
        **dict.fromkeys(("mistakes.labels", "mistakes.predicted", "mistakes.confidence"), (m,)),
    }
    if bins:
        expected |= dict.fromkeys(("reliability.n", "reliability.confidence", "reliability.accuracy"), (bins,))
    if set(arrays) != set(expected):
        raise DataError(f"{path}: holds {', '.join(sorted(arrays)) or 'nothing'}; make the run again")
    for name, wanted in expected.items():
        found = arrays[name].shape
        if len(found) != len(wanted) or any(b not in (None, a) for a, b in zip(found, wanted, strict=True)):
            raise DataError(f"{path}: {name} has the shape {found}, the model asks for {wanted}; make the run again")
    for name in ("mistakes.labels", "mistakes.predicted"):
        if m and not (arrays[name].min() >= 0 and arrays[name].max() < K):
            raise DataError(f"{path}: {name} names classes that the model does not have; make the run again")
    for name, array in arrays.items():
        kinds = NUMBERS if name in ("curves", "steps", "mistakes.X") else "iu" if name in WHOLE else "f"
        # Curves end where their head stopped, and bins without examples have no mean.
        finite = name == "curves" or name.startswith("reliability.") or np.isfinite(array).all()
        if array.dtype.kind not in kinds or not finite or (name in WHOLE and (array < 0).any()):
            raise DataError(f"{path}: {name} does not hold what it must ({array.dtype}); make the run again")
    if not arrays[counts].any() or (bins and not arrays["reliability.n"].any()):
        raise DataError(f"{path}: has no example; make the run again")
    warn_unchecked(path, KIND, metadata)
    if counts == CELLS:
        true, predicted, times = arrays.pop(CELLS).astype(np.int64).T
        if max(true.max(), predicted.max()) >= K:
            raise DataError(f"{path}: {CELLS} names classes that the model does not have; make the run again")
        arrays["counts"] = np.zeros((K, K), np.int64)
        arrays["counts"][true, predicted] = times
    return arrays


def _packed(counts: np.ndarray) -> dict[str, np.ndarray]:
    """Confusions (K, K) as a file keeps them: of very many classes nearly all are 0, and are left out."""
    if len(counts) <= WHOLE_CLASSES:
        return {"counts": counts}
    true, predicted = np.nonzero(counts)
    return {CELLS: np.stack([true, predicted, counts[true, predicted]], axis=1)}

"""From a dataset to what a classifier trains on: splits, and centred rows fitted on the training rows only."""

import hashlib
import json
from dataclasses import dataclass
from typing import Literal

import numpy as np

from linprobe.arrays import row_chunks
from linprobe.dataset import Dataset, Examples, Splits
from linprobe.errors import DataError, UsageError

Features = Literal["centred", "standardised", "normalised"]

CHUNK_ROWS = 1024

# The worksheet's sizes on CIFAR-10; elsewhere the same shares of what there is.
WORKSHEET_SIZES = {"train": 49_000, "val": 1_000, "test": 1_000, "dev": 500}

# Shares of a small source leave too few examples to measure anything: a tenth of it, up to this many, is the least.
LEAST_EXAMPLES = 200


@dataclass(frozen=True, eq=False)
class Preparation:
    """Flattens examples to rows and subtracts the training mean: mean (D,) float32, shape of one example.

    scale (D,) float32, if any, multiplies the centred features; unit_rows divides each centred row by its length.
    """

    mean: np.ndarray
    shape: tuple[int, ...]
    scale: np.ndarray | None = None
    unit_rows: bool = False

    def apply(self, X: np.ndarray, dtype: np.typing.DTypeLike = np.float32) -> np.ndarray:
        """X (n, *shape) -> rows (n, D) of `dtype`, centred. Raises DataError for examples of another shape."""
        if X.shape[1:] != self.shape:
            raise DataError(
                f"examples have the shape {_times(X.shape[1:])}, this model was trained on "
                f"{_times(self.shape)}; give it examples of that shape"
            )
        rows = np.empty((len(X), len(self.mean)), dtype)
        for chunk in row_chunks(len(X), CHUNK_ROWS):
            flat = X[chunk].reshape(-1, len(self.mean))
            # The type is said, or uint8 less float32 would be rounded to float32 on its way to float64.
            np.subtract(flat, self.mean, out=rows[chunk], dtype=rows.dtype, casting="same_kind")
            if self.scale is not None:
                rows[chunk] *= self.scale
            if self.unit_rows:
                # An example that is the mean has no direction; it stays a row of zeros.
                length = np.linalg.norm(rows[chunk], axis=1, keepdims=True)
                rows[chunk] /= np.where(length > 0, length, 1)
        return rows

    def fold(self, W: np.ndarray) -> tuple["Preparation", np.ndarray]:
        """The same classifier without a scale: a preparation that only centres, and W (D, K) that does the rest."""
        if self.scale is None:
            return self, W
        return Preparation(self.mean, self.shape, None, self.unit_rows), W * self.scale[:, None]


def fit_preparation(train: Examples, features: Features = "centred") -> Preparation:
    """The preparation for these training examples; sums are in float64.

    features: "centred", the mean is subtracted; "standardised", and each feature divided by its standard deviation
    (constant ones stay 0); "normalised", and each row divided by its length.
    """
    total, size = np.zeros(train.X[0].size), len(train)
    for chunk in row_chunks(size, CHUNK_ROWS):
        total += train.X[chunk].reshape(-1, total.size).sum(axis=0, dtype=np.float64)
    mean = total / size
    scale = None
    if features == "standardised":
        squares = np.zeros(total.size)
        for chunk in row_chunks(size, CHUNK_ROWS):
            squares += np.square(train.X[chunk].reshape(-1, total.size) - mean).sum(axis=0)
        deviation = np.sqrt(squares / size)
        scale = np.divide(1, deviation, out=np.zeros_like(deviation), where=deviation > 0).astype(np.float32)
    return Preparation(mean.astype(np.float32), train.X.shape[1:], scale, features == "normalised")


def make_splits(
    dataset: Dataset,
    *,
    seed: int = 0,
    train: int | None = None,
    val: int | None = None,
    test: int | None = None,
    dev: int | None = None,
) -> Splits:
    """Cut a dataset into train, val, test and dev; sizes not given are the worksheet's, in proportion.

    Training rows come first, validation rows next; test rows from the source's own test split, or after the validation
    rows where it has none. The order is the source's own, but shuffled with `seed` where the source has no test split,
    or comes in blocks of a class or lacks one where it should have some. dev is drawn without replacement from train.
    Raises UsageError where fewer examples are there than asked for, DataError where they are too few at all, or all of
    one class.
    """
    present = np.unique(dataset.train.y)
    if len(present) < 2:
        raise DataError(
            f"{dataset.name}: holds a single class ({dataset.classes[present[0]]}) for training; a classifier "
            "needs at least two"
        )
    available = len(dataset.train)
    own_test = dataset.test is not None
    sizes = default_sizes(available, len(dataset.test) if dataset.test is not None else None)
    asked = {"train": train, "val": val, "test": test, "dev": dev}
    for name, size in asked.items():
        if size is not None:
            if size < 1:
                raise UsageError(f"{_option(name)} {size}: a split needs at least one example")
            sizes[name] = size
    pool = sizes["train"] + sizes["val"] + (0 if own_test else sizes["test"])
    if train is None and pool > available:
        # An asked-for validation or test split takes its examples from training.
        sizes["train"] -= pool - available
        pool = available
    if sizes["train"] < 1 or pool > available:
        if all(size is None for size in asked.values()):
            raise DataError(
                f"{dataset.name}: has {available:,} example{'s' if available > 1 else ''}, too few to split into "
                "train, val and test; give it more"
            )
        names = ("train", "val") if own_test else ("train", "val", "test")
        wanted = " + ".join(f"{sizes[name]:,} {name}" for name in names if sizes[name] > 0)
        raise UsageError(
            f"{dataset.name}: has {available:,} examples, the splits ask for more ({wanted}"
            f"{', and at least one to train on' if train is None else ''}); "
            f"ask for fewer with {' or '.join(map(_option, names))}"
        )
    if dataset.test is not None and sizes["test"] > len(dataset.test):
        raise UsageError(
            f"{dataset.name}: its test split has {len(dataset.test):,} examples, --test-size asks for "
            f"{sizes['test']:,}; ask for fewer"
        )
    if dev is None:
        sizes["dev"] = min(sizes["dev"], sizes["train"])
    if sizes["dev"] > sizes["train"]:
        raise UsageError(f"--dev {sizes['dev']}: is drawn from the {sizes['train']:,} training examples; ask for fewer")
    return _cut(dataset, sizes, np.random.default_rng(seed))


def _option(name: str) -> str:
    """What the size of a split is called on the command line."""
    return "--dev" if name == "dev" else f"--{name}-size"


def default_sizes(train: int, test: int | None) -> dict[str, int]:
    """The sizes of the four splits for a source with this many examples; test None: it has no test split of its own."""
    worksheet = WORKSHEET_SIZES
    whole = worksheet["train"] + worksheet["val"] + (worksheet["test"] if test is None else 0)

    def share(name: str, of: int) -> int:
        return max(round(of * worksheet[name] / whole), min(LEAST_EXAMPLES, of // 10), 1)

    sizes = {"val": share("val", train), "test": share("test", train), "dev": share("dev", train)}
    if test is not None:
        sizes["test"] = min(sizes["test"], test)
    sizes["train"] = train - sizes["val"] - (sizes["test"] if test is None else 0)
    return sizes


def _cut(dataset: Dataset, sizes: dict[str, int], generator: np.random.Generator) -> Splits:
    everything = dataset.train
    order = None
    if dataset.test is None or not _mixed(everything.y, sizes["train"], sizes["val"]):
        order = generator.permutation(len(everything))

    def part(start: int, size: int) -> Examples:
        return everything.take(slice(start, start + size) if order is None else order[start : start + size])

    train, val = part(0, sizes["train"]), part(sizes["train"], sizes["val"])
    if len(np.unique(train.y)) < 2:
        raise DataError(
            f"{dataset.name}: all of train, {len(train):,} of {len(everything):,} examples, is of a single class; a "
            "classifier needs at least two: train on more examples"
        )
    dev = train.take(np.sort(generator.choice(len(train), sizes["dev"], replace=False)))
    if dataset.test is None:
        test = part(sizes["train"] + sizes["val"], sizes["test"])
    else:
        rows = slice(0, sizes["test"])
        if not _mixed(dataset.test.y, sizes["test"]):
            rows = generator.permutation(len(dataset.test))[rows]
        test = dataset.test.take(rows)
    held_out = sizes["test"] if dataset.test is None else 0
    rows = np.arange(len(everything)) if order is None else order
    digest = hashlib.sha256(json.dumps([sizes["train"], sizes["val"], held_out]).encode())
    digest.update(rows[: sizes["train"] + sizes["val"] + held_out].astype("<i8").data)
    return Splits(train, val, test, dev, f"sha256:{digest.hexdigest()}")


def _mixed(y: np.ndarray, *sizes: int) -> bool:
    """Whether the first sizes[0] rows, the next sizes[1] and so on can stand for the whole, in the order they have."""
    share = np.bincount(y) / len(y)
    # From row to row the label changes as often as two rows drawn at random differ; in blocks of a class, hardly ever.
    if np.count_nonzero(np.diff(y)) < (len(y) - 1) * (1 - share @ share) / 2:
        return False
    start = 0
    for size in sizes:
        found = np.bincount(y[start : start + size], minlength=len(share))
        # A class of which 20 are expected is absent from mixed rows once in e^20 times.
        if ((share * size >= 20) & (found == 0)).any():
            return False
        start += size
    return True


def _times(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape)) or "a single number"

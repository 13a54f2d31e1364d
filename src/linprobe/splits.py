"""The rows that a model is trained on: prepared from a data set, told in the model's file, and found again."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Literal, get_args

import numpy as np

from linprobe.dataset import Dataset, Examples, Splits
from linprobe.errors import DataError, UsageError
from linprobe.finite import first_not_finite
from linprobe.prepare import Features, Preparation, fit_preparation, make_splits

Part = Literal["train", "train + validation"]


@dataclass(frozen=True)
class Rows:
    """Which rows of a data set a model is trained on, and which its preparation is fitted on.

    seed, train, val, test: of the splits, as `make_splits` takes them. fingerprint: of the splits that they made and of
    all else here; None in the files of older versions.
    """

    trained_on: Part
    prepared_on: Part
    seed: int
    train: int
    val: int
    test: int
    fingerprint: str | None = None

    @classmethod
    def of(cls, splits: Splits, seed: int, trained_on: Part, prepared_on: Part) -> "Rows":
        """Those of splits that were made with a seed."""
        rows = cls(trained_on, prepared_on, seed, len(splits.train), len(splits.val), len(splits.test))
        digest = hashlib.sha256(json.dumps([rows.tell(), splits.fingerprint], sort_keys=True).encode())
        return replace(rows, fingerprint=f"sha256:{digest.hexdigest()}")

    @classmethod
    def read(cls, told: Any) -> "Rows":
        """What `tell` wrote, from a file that may hold anything. Raises DataError for anything else."""
        numbers = ("seed", "train", "val", "test")
        if (
            not isinstance(told, Mapping)
            or any(type(told.get(name)) is not int or not 0 <= told[name] < 2**63 for name in numbers)
            or any(told.get(name) not in get_args(Part) for name in ("trained_on", "prepared_on"))
            or not isinstance(told.get("fingerprint"), str | None)
        ):
            raise DataError("the model does not tell which rows it was trained on; train it again, with linprobe tune")
        known: dict[str, Any] = {field.name: told.get(field.name) for field in fields(cls)}
        return cls(**known)

    def tell(self) -> dict[str, Any]:
        """All of it, JSON-ready."""
        return asdict(self)

    def splits(self, dataset: Dataset) -> Splits:
        """The same splits again, of the same data set. Raises DataError where they are not what was trained on."""
        changed = DataError(
            f"{dataset.name}: the rows that the model's file describes are not those that the model was trained on, so "
            "the file was changed; train the model again"
        )
        try:
            splits = make_splits(dataset, seed=self.seed, train=self.train, val=self.val, test=self.test)
        except UsageError as error:  # which speaks of options that nobody typed
            raise changed from error
        if self.fingerprint not in (None, Rows.of(splits, self.seed, self.trained_on, self.prepared_on).fingerprint):
            raise changed
        return splits

    def fit(self, splits: Splits, features: Features) -> Preparation:
        """The preparation, fitted on the rows that it is fitted on."""
        return fit_preparation(part_of(splits, self.prepared_on), features)

    def prepared(self, splits: Splits, preparation: Preparation) -> Examples:
        """The rows that the model is trained on: X (n, D) float32."""
        part = part_of(splits, self.trained_on)
        return Examples(preparation.apply(part.X), part.y)


def part_of(splits: Splits, part: Part) -> Examples:
    """The training examples, or those with the validation examples behind them."""
    train, val = splits.train, splits.val
    if part == "train":
        return train
    return Examples(np.concatenate([train.X, val.X]), np.concatenate([train.y, val.y]))


def absent_classes(y: np.ndarray, classes: tuple[str, ...]) -> list[str]:
    """The classes of which none of the labels y (n,) is."""
    counts = np.bincount(y, minlength=len(classes))
    return [name for name, count in zip(classes, counts, strict=True) if not count]


def refuse_what_is_not_finite(dataset: Dataset) -> None:
    """Raise DataError for the first feature of a data set that is NaN or infinite."""
    for name, examples in (("train", dataset.train), ("test", dataset.test)):
        if examples is None or examples.X.dtype.kind != "f":
            continue
        place = first_not_finite(examples.X)
        if place is not None:
            row, column = place
            raise DataError(
                f"{dataset.name}: {name} has {examples.X[place]} in row {row:,}, column {column:,}, counted from 0; a "
                "linear classifier needs finite features: leave the row out, or fill the value in"
            )

"""What a run predicted of each test example, as a table that people and programs can read."""

import csv
import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from linprobe.data.dataset import Examples
from linprobe.errors import DataError, short

__all__ = ["PREDICTIONS", "Predictions"]

PREDICTIONS = "test_predictions.csv"
COLUMNS = ["row", "label", "predicted"]
LARGEST_CELL = 2**20  # characters of a name; csv allows 131,072


@dataclass(frozen=True, eq=False)
class Predictions:
    """The label and the predicted class of each test example, by the number of its row.

    Parameters
    ----------
    rows : int array (n,)
        Ascending: which rows they are of the source's test split, or of its training split where it has none.
    labels, predicted : int array (n,)
        In [0, K).
    classes : tuple of str
        K names.
    groups : array (n,) of text, optional
        What rows belong to.
    """

    rows: np.ndarray
    labels: np.ndarray
    predicted: np.ndarray
    classes: tuple[str, ...]
    groups: np.ndarray | None = None

    @classmethod
    def of(cls, examples: Examples, predicted: np.ndarray, classes: tuple[str, ...]) -> "Predictions":
        """Those of examples, whose classes were predicted (n,) in the same order."""
        rows = examples.lazily().X.places()
        order = np.argsort(rows, kind="stable")
        groups = None if examples.groups is None else np.array([_text(one) for one in examples.groups[order]], object)
        return cls(rows[order], examples.y[order], predicted[order], classes, groups)

    @property
    def right(self) -> np.ndarray:
        """Which of them are right (n,) bool."""
        return self.labels == self.predicted

    @property
    def fingerprint(self) -> str:
        """The same text for the same test rows: of their numbers and the names of their classes, whatever X was."""
        digest, names = hashlib.sha256(), [json.dumps(name) for name in self.classes]
        for row, label in zip(self.rows.tolist(), self.labels.tolist(), strict=True):
            digest.update(f"{row} {names[label]}\n".encode())
        return f"sha256:{digest.hexdigest()}"

    def write(self, path: Path) -> None:
        """Write the table: row, label, predicted, and group where there are such; classes by their names."""
        names, extra = self.classes, [] if self.groups is None else [self.groups.tolist()]
        columns = [
            self.rows.tolist(),
            *([names[k] for k in numbers.tolist()] for numbers in (self.labels, self.predicted)),
            *extra,
        ]
        with path.open("w", newline="", encoding="utf-8", errors="surrogatepass") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow([*COLUMNS, *(["group"] if extra else [])])
            writer.writerows(zip(*columns, strict=True))

    @classmethod
    def read(cls, path: Path) -> "Predictions":
        """Those of a file that people can edit. Raises DataError of one line for what `write` does not leave."""
        before = csv.field_size_limit(LARGEST_CELL)
        try:
            with path.open(newline="", encoding="utf-8", errors="surrogatepass") as file:
                header, *table = csv.reader(file, strict=True)
        except (OSError, ValueError, csv.Error) as error:
            raise DataError(f"{path}: cannot be read ({short(error)}); make the run again") from error
        finally:
            csv.field_size_limit(before)
        if header not in (COLUMNS, [*COLUMNS, "group"]):
            raise DataError(
                f"{path}: has the columns {short(', '.join(header))}, and {', '.join(COLUMNS)} are expected; make the "
                "run again"
            )
        lost = next((number for number, line in enumerate(table, 2) if not _is_whole(line, len(header))), None)
        if lost is not None or not table:
            where = "holds no row" if lost is None else f"line {lost:,} is not a row number and {len(header) - 1} names"
            raise DataError(f"{path}: {where}; make the run again")
        numbers, labels, predicted, *groups = zip(*table, strict=True)
        rows = np.array([int(number) for number in numbers])
        if (np.diff(rows) <= 0).any():
            raise DataError(f"{path}: its row numbers do not ascend; make the run again")
        classes = tuple(sorted({*labels, *predicted}))
        number_of = {name: k for k, name in enumerate(classes)}
        return cls(
            rows,
            np.array([number_of[name] for name in labels]),
            np.array([number_of[name] for name in predicted]),
            classes,
            np.array(groups[0], object) if groups else None,
        )


def _is_whole(line: list[str], columns: int) -> bool:
    return len(line) == columns and line[0].isascii() and line[0].isdigit() and len(line[0]) < 19


def _text(name: object) -> str:
    return name.decode(errors="replace") if isinstance(name, bytes) else str(name)

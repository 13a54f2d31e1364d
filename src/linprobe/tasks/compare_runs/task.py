"""Several runs on the same test rows: how good each is, and which of them is shown to be better than which."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from linprobe.core.measure import wilson_interval
from linprobe.core.paired import TIMES, grouped_interval, paired_differences
from linprobe.errors import DataError, IncompatibleError, UsageError
from linprobe.model.predictions import PREDICTIONS, Predictions
from linprobe.results import Results
from linprobe.results.steps import brief
from linprobe.results.tables import Count, Number, Share, Shown, Some

__all__ = ["ComparedPair", "ComparedRun", "RunsComparison", "compare_runs"]

FEW_GROUPS = 20


@dataclass(frozen=True, kw_only=True)
class ComparedRun:
    """A run: what it is called here, its folder, its source, loss and solver, and its accuracy on the test rows.

    interval: of 95 %, Wilson's, by groups where there are such.
    """

    name: Shown
    folder: Shown
    source: Shown
    loss: Shown
    solver: Shown
    features: Count
    correct: Count
    accuracy: Share
    interval: tuple[Share, Share]


@dataclass(frozen=True, kw_only=True)
class ComparedPair:
    """Two runs by their names, and by how much the accuracy of the first lies above that of the second.

    interval: of 95 %, for this pair alone; interval_of_all: the wider one that holds for all pairs at once.
    verdict: "better", "better alone" where only the first interval says so, else "no difference shown".
    """

    first: Shown
    second: Shown
    difference: Number
    interval: tuple[Number, Number]
    interval_of_all: tuple[Number, Number]
    verdict: Shown


@dataclass(frozen=True, kw_only=True)
class RunsComparison:
    """Runs, the best first, and all pairs of them, each with the better of two first.

    fingerprint: of the n test rows; groups: how many those are of, None where rows stand for themselves; resamples: of
    the bootstrap that the intervals of pairs are from.
    """

    n: Some
    fingerprint: Shown
    groups: Count | None = None
    resamples: Count
    runs: tuple[ComparedRun, ...]
    pairs: tuple[ComparedPair, ...]

    @property
    def with_best(self) -> tuple[ComparedPair, ...]:
        """The pairs of the best run with every other."""
        return tuple(pair for pair in self.pairs if pair.first == self.runs[0].name)

    @property
    def few_groups(self) -> bool:
        """Whether there are so few groups that the intervals are rough."""
        return self.groups is not None and self.groups < FEW_GROUPS


def compare_runs(folders: Sequence[Path]) -> RunsComparison:
    """Compare runs by what each predicted of the same test rows.

    Parameters
    ----------
    folders : sequence of Path
        Two or more run folders, as `linprobe tune` and `linprobe worksheet` leave them.

    Returns
    -------
    RunsComparison

    Raises
    ------
    UsageError
        For fewer than two runs, and for one that is given twice.
    IncompatibleError
        Where the test rows are not the same, which is found by their numbers, labels and groups; X has no part in it.
    DataError
        For a folder that is not a run, or has not what is needed.
    """
    if len(folders) < 2:
        raise UsageError("give two or more runs: their folders, such as runs/a runs/b")
    twice = [path for path, times in Counter(path.resolve() for path in folders).items() if times > 1]
    if twice:
        raise UsageError(f"{twice[0]}: is given twice; give each run once")
    names, runs = _names(folders), [_read(folder) for folder in folders]
    for folder, (_, predictions) in zip(folders[1:], runs[1:], strict=True):
        _require_same_rows(folders[0], runs[0][1], folder, predictions)
    if len(runs[0][1].rows) < 2:
        raise IncompatibleError(
            f"{folders[0]}: was tested on a single example, which says nothing of how much they differ; make the runs "
            "with a larger --test-size"
        )
    groups = _common_groups(folders, [predictions for _, predictions in runs])
    right = np.stack([predictions.right for _, predictions in runs], axis=1)
    order = np.argsort(-right.sum(axis=0), kind="stable")
    right = right[:, order]
    found = paired_differences(right, groups)
    compared = tuple(
        _run(names[place], folders[place], runs[place][0], right[:, rank], groups) for rank, place in enumerate(order)
    )
    pairs = tuple(
        _pair(compared[a].name, compared[b].name, *map(float, numbers))
        for a, b, *numbers in zip(
            *(found.first, found.second, found.difference),
            *(found.low, found.high, found.low_of_all, found.high_of_all),
            strict=True,
        )
    )
    return RunsComparison(
        n=len(right),
        fingerprint=runs[0][1].fingerprint,
        groups=None if groups is None else len(np.unique(groups)),
        resamples=TIMES,
        runs=compared,
        pairs=pairs,
    )


def _names(folders: Sequence[Path]) -> list[str]:
    """What runs are called: the names of their folders, or as much of the paths as tells them apart."""
    places = [path.resolve() for path in folders]
    for parts in range(1, max(len(place.parts) for place in places)):
        names = ["/".join(place.parts[-parts:]) for place in places]
        if len(set(names)) == len(names):
            return names
    return [str(place) for place in places]


def _read(folder: Path) -> tuple[Results, Predictions]:
    """A run's numbers and predictions, which must fit together."""
    if not (folder / "run.json").is_file():
        finding = "holds no run.json" if folder.is_dir() else "is not a folder"
        raise DataError(f"{folder}: {finding}; give a folder that linprobe worksheet or linprobe tune left")
    numbers = Results.read(folder / "run.json")
    path = folder / PREDICTIONS
    if not path.is_file():
        again = f": {brief(numbers.command, 300)}" if numbers.command else ""
        raise DataError(
            f"{folder}: has no {PREDICTIONS}, which versions before this one did not write; make the run again{again}"
        )
    predictions = Predictions.read(path)
    n, correct = len(predictions.rows), int(predictions.right.sum())
    if n != numbers.test.n or abs(correct / n - numbers.test.accuracy) > 0.5 / n:
        raise DataError(
            f"{path}: has {correct:,} of {n:,} right, and run.json says {numbers.test.accuracy:.4f} of "
            f"{numbers.test.n:,}; make the run again"
        )
    return numbers, predictions


def _require_same_rows(one: Path, these: Predictions, other: Path, those: Predictions) -> None:
    """Raise IncompatibleError, which says what differs, unless two runs were tested on the same rows."""
    if these.fingerprint == those.fingerprint:
        return
    if not np.array_equal(these.rows, those.rows):
        common = len(np.intersect1d(these.rows, those.rows))
        raise IncompatibleError(
            f"{other}: was tested on other rows than {one}: {len(those.rows):,} and {len(these.rows):,}, of which they "
            f"share {common:,}; make both with the same --test, --test-size and --seed, on sources whose rows have the "
            "same order"
        )
    labels = [[run.classes[k] for k in run.labels.tolist()] for run in (these, those)]
    differ = [place for place, (a, b) in enumerate(zip(*labels, strict=True)) if a != b]
    first = differ[0]
    raise IncompatibleError(
        f"{other}: has other labels than {one} in {len(differ):,} of {len(these.rows):,} test rows, first in row "
        f"{these.rows[first]:,}: {brief(labels[1][first])}, and there {brief(labels[0][first])}; their sources must "
        "have the same examples in the same order, and the same names of classes"
    )


def _common_groups(folders: Sequence[Path], runs: Sequence[Predictions]) -> np.ndarray | None:
    """The groups of the rows, from any run that has such. Raises IncompatibleError where two have others."""
    known, place = None, None
    for folder, run in zip(folders, runs, strict=True):
        if run.groups is None:
            continue
        if known is None or place is None:
            known, place = run.groups, folder
        elif (known != run.groups).any():
            row = run.rows[int(np.argmax(known != run.groups))]
            raise IncompatibleError(
                f"{folder}: has other groups than {place}, first in test row {row:,}; give both the same --groups"
            )
    if known is not None and len(np.unique(known)) < 2:
        raise IncompatibleError(
            f"{place}: all {len(known):,} test rows are of one group ({brief(known[0])}), which says nothing of how "
            "much groups differ; make the runs with a larger --test-size"
        )
    return known


def _run(name: str, folder: Path, numbers: Results, right: np.ndarray, groups: np.ndarray | None) -> ComparedRun:
    correct = int(right.sum())
    return ComparedRun(
        name=name,
        folder=str(folder),
        source=numbers.data.source,
        loss=numbers.loss,
        solver=numbers.grid.solver or "sgd",
        features=numbers.data.features,
        correct=correct,
        accuracy=correct / len(right),
        interval=wilson_interval(correct, len(right)) if groups is None else grouped_interval(right, groups),
    )


def _pair(
    first: str, second: str, difference: float, low: float, high: float, low_of_all: float, high_of_all: float
) -> ComparedPair:
    verdict = "better" if low > 0 and low_of_all > 0 else "better alone" if low > 0 else "no difference shown"
    return ComparedPair(
        first=first,
        second=second,
        difference=difference,
        interval=(low, high),
        interval_of_all=(low_of_all, high_of_all),
        verdict=verdict,
    )

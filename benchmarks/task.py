"""What every benchmark works on: a source as the worksheet prepares it, and the settings that it compares."""

import argparse
from dataclasses import dataclass, replace

from linprobe import open_dataset
from linprobe.compare.settings import Space
from linprobe.core.measure import CHUNK_ROWS
from linprobe.core.sgd.plan import Plan, Work, plan_stacks
from linprobe.core.sgd.settings import Heads, Training
from linprobe.data.dataset import Dataset, Examples
from linprobe.data.prepare import fit_preparation
from linprobe.data.splits import make_splits
from linprobe.learn.worksheet.exercise import Options, choose_space


@dataclass(frozen=True, eq=False)
class Task:
    """Prepared rows to train and to choose on, float32 (n, D), and how all settings are trained."""

    dataset: Dataset
    train: Examples
    val: Examples
    training: Training
    batch_size: int

    @property
    def classes(self) -> int:
        """The number of classes, K."""
        return len(self.dataset.classes)

    def space(self, trials: int | None = None) -> Space:
        """The worksheet's grid, or so many random settings from its ranges."""
        return choose_space(self.dataset, self.train, Options(batch_sizes=self.batch_size, trials=trials))

    def plan(self, heads: Heads) -> Plan:
        """The stacks that a search cuts these heads into."""
        X = self.train.X
        work = Work(
            examples=len(X),
            features=X.shape[1],
            classes=self.classes,
            itemsize=X.itemsize,
            evaluation_rows=CHUNK_ROWS,
        )
        return plan_stacks(heads, self.training, work, held=0)

    def columns(self, heads: Heads) -> list[int]:
        """The columns of each of these stacks."""
        return [self.classes * len(members) for members in self.plan(heads).stacks]

    def first(self, rows: int, features: int) -> "Task":
        """The same with the first training rows and the first features alone."""
        train = Examples(self.train.X[:rows, :features].copy(), self.train.y[:rows])
        return replace(self, train=train, val=Examples(self.val.X[:, :features].copy(), self.val.y))

    def describe(self) -> str:
        """The data and the training in words."""
        return (
            f"{self.dataset.name}: {len(self.train):,} training rows of {self.train.X.shape[1]:,} features, "
            f"{self.classes} classes; {self.training.iterations:,} steps of {self.batch_size}"
        )


def parser(description: str | None, iterations: int = 1500) -> argparse.ArgumentParser:
    """The arguments that all benchmarks have: a source, and how long to train."""
    arguments = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("source", nargs="?", default="digits")
    arguments.add_argument("--iterations", type=int, default=iterations)
    arguments.add_argument("--batch-size", type=int, default=200)
    return arguments


def open_task(options: argparse.Namespace) -> Task:
    """Read and prepare what the arguments name."""
    dataset = open_dataset(options.source)
    splits = make_splits(dataset)
    preparation = fit_preparation(splits.train)
    train, val = (Examples(preparation.apply(part.X), part.y) for part in (splits.train, splits.val))
    return Task(dataset, train, val, Training(iterations=options.iterations), options.batch_size)

"""What every benchmark works on: a source as the worksheet prepares it, and the settings that it compares."""

import argparse
from dataclasses import dataclass, replace

import numpy as np

from linprobe import open_dataset
from linprobe.compare.descent import Descent
from linprobe.compare.held_out import HeldOut
from linprobe.compare.settings import Space
from linprobe.core.measure import CHUNK_ROWS
from linprobe.core.sgd.plan import Plan, Work, plan_stacks
from linprobe.core.sgd.settings import Heads, Training
from linprobe.data.dataset import Dataset, Examples
from linprobe.data.prepare import fit_preparation
from linprobe.data.splits import make_splits, part_of, prepared
from linprobe.learn.worksheet.exercise import WorksheetOptions, choose_space


@dataclass(frozen=True, eq=False)
class Task:
    """Prepared rows, float32 (n, D), some first that train and others that choose, and how all settings are trained."""

    dataset: Dataset
    rows: Examples
    trained: int
    training: Training
    batch_size: int

    @property
    def train(self) -> Examples:
        """What is trained on."""
        return self.rows.take(slice(self.trained))

    @property
    def val(self) -> Examples:
        """What is chosen on."""
        return self.rows.take(slice(self.trained, None))

    @property
    def posed(self) -> tuple[np.ndarray, np.ndarray, Space, HeldOut, Descent]:
        """What `compare` and `screen` are given."""
        held_out, solver = HeldOut.after(self.trained), Descent(training=self.training)
        return self.rows.X, self.rows.y, self.space(), held_out, solver

    @property
    def classes(self) -> int:
        """The number of classes, K."""
        return len(self.dataset.classes)

    def space(self, trials: int | None = None) -> Space:
        """The worksheet's grid, or so many random settings from its ranges."""
        return choose_space(self.dataset, self.train, WorksheetOptions(batch_sizes=self.batch_size, trials=trials))

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
        rows = min(rows, self.trained)
        X, y = (np.concatenate([part[:rows], part[self.trained :]]) for part in (self.rows.X, self.rows.y))
        return replace(self, rows=Examples(np.ascontiguousarray(X[:, :features]), y), trained=rows)

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
    preparation = fit_preparation(splits.train.X)
    rows = prepared(part_of(splits, "train + validation"), preparation)
    rows = Examples(rows.X.kept(), rows.y)
    return Task(dataset, rows, len(splits.train), Training(iterations=options.iterations), options.batch_size)

"""Time the worksheet's grid as a stack, in the worksheet's own way, and against its bare matrix products.

    python benchmarks/grid.py ../shared/data/cifar10

All in one run, on one machine, so that the ratios mean something where the seconds do not.
"""

import argparse
import statistics

import numpy as np

import loop
import machine
from linprobe import open_dataset
from linprobe.arrays import add_product, product, row_chunks
from linprobe.dataset import Examples
from linprobe.prepare import fit_preparation, make_splits
from linprobe.search import search
from linprobe.worksheet.exercise import Options, choose_grid

HEADS_MEASURED = 3
BURST = 100  # steps of bare products timed at once; the stack is timed between two sets of bursts


def main() -> None:
    """Print the table."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("source", nargs="?", default="digits")
    arguments.add_argument("--iterations", type=int, default=1500)
    arguments.add_argument("--batch-size", type=int, default=200)
    options = arguments.parse_args()
    print(machine.describe())

    dataset = open_dataset(options.source)
    splits = make_splits(dataset)
    preparation = fit_preparation(splits.train)
    train = Examples(preparation.apply(splits.train.X), splits.train.y)
    val = Examples(preparation.apply(splits.val.X), splits.val.y)
    grid = choose_grid(dataset, train, Options())
    classes = len(dataset.classes)
    run = {"iterations": options.iterations, "batch_size": options.batch_size}
    print(
        f"{dataset.name}: {len(train):,} training rows of {train.X.shape[1]:,} features, {classes} classes; "
        f"{len(grid)} settings, {options.iterations:,} steps of {options.batch_size}\n"
    )

    products = Products(train.X, val.X, classes * len(grid), options.batch_size)
    bursts = [products.burst() for _ in range(3)]
    found, stack = machine.timed(lambda: search(train, val, grid, classes=classes, loss="softmax", seed=0, **run))
    peak = machine.peak_memory()
    bursts += [products.burst() for _ in range(3)]
    steps = statistics.median(bursts) / BURST * options.iterations
    floor = steps + products.evaluation_seconds()

    # The loop has its own float64 rows with their column of ones; the peak above is from before they were made.
    X = np.column_stack([train.X.astype(np.float64), np.ones(len(train))])
    X_val = np.column_stack([val.X.astype(np.float64), np.ones(len(val))])
    heads = grid.heads(seed=0)
    one_head = []
    for head in np.linspace(0, len(grid) - 1, HEADS_MEASURED).astype(int):
        setting = (float(heads.learning_rate[head]), float(heads.reg[head]))

        def one(setting: tuple[float, float] = setting) -> None:
            W = loop.train(X, train.y, classes, *setting, **run)
            loop.accuracy(W, X, train.y)
            loop.accuracy(W, X_val, val.y)

        one_head.append(machine.timed(one)[1])
    whole_loop = statistics.mean(one_head) * len(grid)

    print(f"{'as one stack, evaluation included':46}{stack:10.1f} s")
    print(f"{f'the loop, {HEADS_MEASURED} heads measured and scaled to {len(grid)}':46}{whole_loop:10.1f} s")
    print(f"{'bare products: steps alone':46}{steps:10.1f} s")
    print(f"{'bare products: steps and evaluation':46}{floor:10.1f} s")
    print(f"{'stack is faster than the loop by':46}{whole_loop / stack:10.1f} x")
    print(f"{'stack takes, of its bare products':46}{stack / floor:10.2f} x")
    print(f"{'peak memory, data included':46}{peak:10.2f} GiB")
    print(f"{'best on validation':46}{found.val_accuracy[found.best]:10.3f}")


class Products:
    """The matrix products of the search and nothing else, on its shapes."""

    def __init__(self, X: np.ndarray, X_val: np.ndarray, columns: int, batch_size: int) -> None:
        generator = np.random.default_rng(0)
        self.X, self.X_val = X, X_val
        self.batch = X[generator.integers(0, len(X), batch_size)]
        self.W = 0.001 * generator.standard_normal((X.shape[1], columns), dtype=np.float32)
        self.slope = generator.standard_normal((batch_size, columns), dtype=np.float32)
        self.scores = np.empty((512, columns), np.float32)

    def burst(self) -> float:
        """Seconds of BURST steps: scores = batch @ W, W += batchᵀ @ slope."""

        def steps() -> None:
            for _ in range(BURST):
                product(self.batch, self.W, self.slope)
                add_product(self.W, self.batch, self.slope, -1e-9)

        return machine.timed(steps)[1]

    def evaluation_seconds(self) -> float:
        """Seconds of the scores of every row of train and val, once."""

        def scores() -> None:
            for X in (self.X, self.X_val):
                for rows in row_chunks(len(X), len(self.scores)):
                    part = X[rows]
                    product(part, self.W, self.scores[: len(part)])

        return machine.timed(scores)[1]


if __name__ == "__main__":
    main()

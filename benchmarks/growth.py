"""How the time of a stack grows with heads, rows and features, and which width of a stack is best.

    python benchmarks/growth.py ../shared/data/cifar10

Training and evaluation, each against its bare matrix products measured around it in the same run. Quick measurements
are the median of three.
"""

import statistics
from dataclasses import replace
from unittest import mock

import machine
from linprobe.compare.descent import heads_of
from linprobe.core.measure import score_stack
from linprobe.core.sgd import plan
from linprobe.core.sgd.settings import Data
from linprobe.core.sgd.training import StackRun, record_interval
from products import BareProducts
from task import Task, open_task, parser

HEADS = (1, 3, 10, 30, 100, 300, 1_000)
ROWS = (5_000, 10_000, 20_000)
FEATURES = (64, 256, 1_024)
WIDTHS = (250, 500, 1_000, 2_000, 4_000, 10_000)

FULL_RUN = 1_500  # steps; shorter ones here must not look at their objectives more often than this does
RUNS = 3
QUICK = 10.0  # seconds


def main() -> None:
    """Print the tables."""
    arguments = parser(__doc__, iterations=150)
    arguments.add_argument("--most-heads", type=int, default=HEADS[-1], help="the largest number of heads")
    arguments.add_argument("--width-iterations", type=int, default=60, help="steps where widths are compared")
    options = arguments.parse_args()
    print(machine.describe())
    task = open_task(options)
    print(f"{task.describe()}; the last column scales training to {FULL_RUN:,} steps, and adds evaluation")
    n, features = task.train.X.shape
    heads = min(100, options.most_heads)

    print_heading("heads")
    for count in (*(count for count in HEADS if count < options.most_heads), options.most_heads):
        print_row(f"{count:,}", task, count)
    print_heading(f"training rows, {heads} heads")
    for rows in (*(rows for rows in ROWS if rows < n), n):
        print_row(f"{rows:,}", task.first(rows, features), heads)
    print_heading(f"features, {heads} heads")
    for few in (*(few for few in FEATURES if few < features), features):
        print_row(f"{few:,}", task.first(n, few), heads)

    task = replace(task, training=replace(task.training, iterations=options.width_iterations))
    print_heading(f"columns of a stack, {options.most_heads:,} heads, {options.width_iterations} steps")
    for width in WIDTHS:
        with mock.patch.object(plan, "WIDTH", width):
            print_row(f"{width:,}", task, options.most_heads)


def print_heading(what: str) -> None:
    """The head of a table."""
    print()
    machine.print_row(what, "stacks", "training", "x bare", "evaluation", "x bare", f"{FULL_RUN:,} steps")


def print_row(name: str, task: Task, count: int) -> None:
    """Measure so many heads, and say what was found."""
    columns = task.columns(heads_of(task.space(count), task.training.seed))
    products = BareProducts(task, columns)
    products.measure()
    runs = [seconds_of(task, count)]
    while len(runs) < RUNS and sum(runs[0]) < QUICK:
        runs.append(seconds_of(task, count))
    products.measure(evaluate=sum(runs[0]) < QUICK)
    training, evaluation = (statistics.median(seconds) for seconds in zip(*runs, strict=True))
    machine.print_row(
        name,
        f"{len(columns)}",
        f"{training:.3f} s",
        f"{training / products.training:.2f}",
        f"{evaluation:.3f} s",
        f"{evaluation / products.evaluation:.2f}",
        f"{training / task.training.iterations * FULL_RUN + evaluation:.1f} s",
    )


def seconds_of(task: Task, count: int) -> tuple[float, float]:
    """Seconds of training and of evaluation, stack after stack as in a search."""
    heads = heads_of(task.space(count), task.training.seed)
    training = evaluation = 0.0
    for members in task.plan(heads).stacks:
        solution, seconds = machine.timed(
            lambda members=members: StackRun(
                Data(task.train.X, task.train.y, task.classes), heads.take(members), task.training
            ).finish(record_every=record_interval(FULL_RUN))
        )
        training += seconds
        for rows in (task.train, task.val):
            evaluation += machine.timed(
                lambda rows=rows, solution=solution: score_stack(
                    rows.X, rows.y, solution.W, solution.b, task.training.loss
                )
            )[1]
    return training, evaluation


if __name__ == "__main__":
    main()

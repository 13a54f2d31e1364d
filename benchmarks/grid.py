"""Time the worksheet's grid as a stack, screened, in the worksheet's own way, and against its bare matrix products.

    python benchmarks/grid.py ../shared/data/cifar10

All in one run, on one machine, so that the ratios mean something where the seconds do not.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np

import loop
import machine
from linprobe.compare.compare import compare
from linprobe.compare.comparison import Comparison
from linprobe.compare.descent import heads_of
from linprobe.compare.screen import Screening, screen
from products import BareProducts
from task import Task, open_task, parser

RANK = 512  # what a hundred heads on CIFAR-10 lose nothing by


def main() -> None:
    """Print the table."""
    arguments = parser(__doc__)
    arguments.add_argument("--heads-measured", type=int, default=3, help="settings that the loop is timed on")
    options = arguments.parse_args()
    print(machine.describe())
    task = open_task(options)
    space = task.space()
    print(f"{task.describe()}; {len(space)} settings\n")

    heads = heads_of(space, task.training.seed)
    products = BareProducts(task, task.columns(heads))
    products.measure()
    found, stack = machine.timed(lambda: compare(*task.posed, classes=task.classes))
    peak = machine.peak_memory()
    products.measure()
    ranks: tuple[int | Literal["auto"], ...] = (min(RANK, *task.train.X.shape), "auto")
    screened = [screened_grid(task, found, rank) for rank in ranks]

    # The loop has its own float64 rows with their column of ones; the peak above is from before they were made.
    one_setting, _ = loop.measure(loop.setting_by_setting(task), heads, options.heads_measured)
    whole_loop = one_setting * len(space)
    floor = products.training + products.evaluation

    machine.print_row("as one stack, evaluation included", f"{stack:.2f} s")
    measured = len(loop.measured_heads(heads, options.heads_measured))
    machine.print_row(f"the loop, scaled to {len(space)} settings from {measured}", f"{whole_loop:.1f} s")
    machine.print_row("bare products: steps alone", f"{products.training:.2f} s")
    machine.print_row("bare products: steps and evaluation", f"{floor:.2f} s")
    machine.print_row("stack is faster than the loop by", f"{whole_loop / stack:.1f} x")
    machine.print_row("stack takes, of its bare products", f"{stack / floor:.2f} x")
    machine.print_row("peak memory, data and bare products included", f"{peak:.2f} GiB")
    machine.print_row("best on validation", f"{found.score[found.best]:.3f}")
    for grid in screened:
        print()
        grid.print_rows(whole_loop)


@dataclass(frozen=True, eq=False)
class ScreenedGrid:
    """What a screened search found, beside the full one."""

    asked: int | Literal["auto"]
    seconds: float
    full: Comparison
    found: Comparison
    screening: Screening

    def print_rows(self, whole_loop: float) -> None:
        """Its part of the table."""
        screening, kept = self.screening, self.screening.kept
        name = f"rank {screening.rank}" if self.asked != "auto" else f"rank auto ({screening.rank})"
        machine.print_row(f"screened at {name}, {len(kept)} retrained", f"{self.seconds:.2f} s")
        machine.print_row("  of it screening, basis included", f"{screening.seconds:.2f} s")
        machine.print_row("  faster than the loop by", f"{whole_loop / self.seconds:.1f} x")
        machine.print_row("  energy outside, measured", f"{screening.residual:.5f}")
        machine.print_row("  same winner", "yes" if kept[self.found.best] == self.full.best else "no")
        apart, lost = self.differences()
        machine.print_row("  training accuracy of any setting off by at most", f"{apart:.5f}")
        if lost:
            machine.print_row("  settings that diverged in one of the two alone", f"{lost}")

    def differences(self) -> tuple[float, int]:
        """The largest, and the number of settings that have none as they diverged in one of the searches alone."""
        full, screened = self.full.train_score, self.screening.result.train_score
        both = np.isfinite(full) & np.isfinite(screened)
        lost = int((np.isfinite(full) ^ np.isfinite(screened)).sum())
        return float(np.max(np.abs(full - screened)[both], initial=0.0)), lost


def screened_grid(task: Task, full: Comparison, rank: int | Literal["auto"]) -> ScreenedGrid:
    """Screen the grid at this rank."""
    (found, screening), seconds = machine.timed(lambda: screen(*task.posed, rank=rank, classes=task.classes))
    return ScreenedGrid(rank, seconds, full, found, screening)


if __name__ == "__main__":
    main()

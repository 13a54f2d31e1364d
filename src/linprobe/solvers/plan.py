"""How much memory a search will need, and the stacks that it is cut into; decided before any work."""

from dataclasses import dataclass

import numpy as np

from linprobe.errors import IncompatibleError
from linprobe.solvers.settings import Heads, Training

# Wider stacks are no faster: two products with this many columns already run at the processor's own speed, and their
# weights still fit its last cache. It is a constant, so that the memory at hand does not decide which heads share a
# product, unless it is too small even for this.
WIDTH = 2_000

# What NumPy, BLAS and the interpreter take beside the arrays that are counted, and the pieces of a sweep.
SLACK = 64 * 2**20


@dataclass(frozen=True, eq=False)
class Plan:
    """stacks: the heads (indices) that are trained together, one stack after the other; bytes: the most memory that the
    process will hold, with the `held` bytes that it holds already.
    """

    stacks: tuple[np.ndarray, ...]
    bytes: int
    held: int

    def describe(self) -> str:
        """The plan in words."""
        widths = sorted({len(stack) for stack in self.stacks})
        width = f"{widths[0]:,}" if len(widths) == 1 else f"{widths[0]:,} to {widths[-1]:,}"
        stacks = "1 stack" if len(self.stacks) == 1 else f"{len(self.stacks):,} stacks"
        return f"{stacks} of {width} heads; at most {_size(self.bytes)} of memory, {_size(self.held)} of it data"


def plan_stacks(
    heads: Heads,
    training: Training,
    *,
    features: int,
    classes: int,
    itemsize: int = 4,
    evaluation_rows: int,
    held: int,
    memory: int | None = None,
) -> Plan:
    """Cut the heads into stacks of at most WIDTH columns, fewer where `memory` (bytes, held ones included) asks for it.

    Plain heads and heads with momentum take different steps, and come into different stacks. Raises IncompatibleError
    where not even one head at a time fits.
    """
    width = max(1, WIDTH // classes)
    shape = {"features": features, "classes": classes, "itemsize": itemsize, "evaluation_rows": evaluation_rows}

    def need(count: int) -> int:
        return held + results_bytes(heads, training, **shape) + stack_bytes(count, heads, training, **shape)

    if memory is not None:
        while width > 1 and need(width) > memory:
            width -= max(1, width // 8)
        if need(width) > memory:
            raise IncompatibleError(
                f"one head at a time needs {_size(need(1))} of memory, {_size(held)} of it for the data, and "
                f"{_size(memory)} are allowed; allow more with --memory, or train on fewer examples with --train"
            )
    stacks: list[np.ndarray] = []
    for kind in (heads.momentum == 0, heads.momentum != 0):
        members = np.flatnonzero(kind)
        if len(members):
            # Of equal width, as nearly as can be: no narrow rest.
            stacks += np.array_split(members, -(-len(members) // width))
    return Plan(tuple(stacks), need(max(len(stack) for stack in stacks)), held)


def stack_bytes(
    count: int, heads: Heads, training: Training, *, features: int, classes: int, itemsize: int, evaluation_rows: int
) -> int:
    """Memory of a stack of so many heads in training and in its evaluation."""
    columns, batch = count * classes, int(heads.batch_size.max())
    copies = 1 + bool(heads.momentum.any()) + bool(training.average) + (training.patience is not None)
    weights = copies * features * columns * itemsize
    # Scores, the same again for their comparisons (a quarter, labels of 8 bytes, a running maximum), shares per head.
    scores = max(batch, evaluation_rows) * (columns * itemsize * 5 // 4 + count * 24)
    return weights + scores + batch * (features + 2) * itemsize * 2 + SLACK


def results_bytes(
    heads: Heads, training: Training, *, features: int, classes: int, itemsize: int, evaluation_rows: int
) -> int:
    """Memory of what is kept of all heads: a loss curve each, and the weights of the best."""
    del training, evaluation_rows
    return len(heads) * 110 * 8 + 4 * features * classes * itemsize


def _size(size: float) -> str:
    return f"{size / 2**30:.2f} GiB" if size >= 2**29 else f"{size / 2**20:.0f} MiB"

"""How much memory a search will need, and the stacks that it is cut into; decided before any work."""

import os
from dataclasses import dataclass

import numpy as np

from linprobe.core.backend import SWEEP_ELEMENTS
from linprobe.core.losses import find_loss
from linprobe.core.sgd.columns import columns_of
from linprobe.core.sgd.settings import Heads, Training
from linprobe.core.sgd.training import STEPS_AHEAD, record_interval
from linprobe.errors import IncompatibleError

__all__ = ["SLACK", "WIDTH", "Plan", "Work", "plan_stacks", "results_bytes", "stack_bytes"]

# Wider stacks are no faster: two products with this many columns already run at the processor's own speed, and their
# weights still fit its last cache. It is a constant, so that the memory at hand does not decide which heads share a
# product, unless it is too small even for this.
WIDTH = 2_000

# What is not counted array by array: the panels that each thread of BLAS packs, the pieces of a checkpoint, memory that
# was given back and stays with the process. Of it 6 MiB were seen in use, on two cores.
SLACK = (24 + 4 * (os.cpu_count() or 1)) * 2**20


@dataclass(frozen=True, eq=False, kw_only=True)
class Plan:
    """stacks: the heads (indices) that are trained together, one stack after the other; bytes: the most memory that the
    process will hold from here on, with the `held` bytes that it holds already; width: the most heads that a stack may
    have, which together with the heads decides the stacks.
    """

    stacks: tuple[np.ndarray, ...]
    bytes: int
    held: int
    width: int

    def describe(self) -> str:
        """The plan in words."""
        widths = sorted({len(stack) for stack in self.stacks})
        width = f"{widths[0]:,}" if len(widths) == 1 else f"{widths[0]:,} to {widths[-1]:,}"
        stacks = "1 stack" if len(self.stacks) == 1 else f"{len(self.stacks):,} stacks"
        heads = "head" if widths == [1] else "heads"
        memory = f"at most {_size(self.bytes)} of memory, {_size(self.held)} of it in use already"
        return f"{stacks} of {width} {heads}; {memory}"


@dataclass(frozen=True, kw_only=True)
class Work:
    """The sizes of what is trained on: examples (rows of train), features, classes, bytes of a number.

    evaluation_rows: so many are scored at a time; rounded: the factors of products are copied in half the precision.
    """

    examples: int
    features: int
    classes: int
    itemsize: int
    evaluation_rows: int
    rounded: bool = False


def plan_stacks(
    heads: Heads, training: Training, work: Work, *, held: int, memory: int | None = None, width: int | None = None
) -> Plan:
    """Cut the heads into stacks of at most WIDTH columns, fewer where `memory` (bytes, held ones included) asks for it.

    Plain heads and heads with momentum take different steps, and come into different stacks. `width` is that of an
    earlier plan, whose stacks are wanted again. Raises IncompatibleError where those, or one head at a time, do not
    fit.
    """
    kinds = [members for kind in (heads.momentum == 0, heads.momentum != 0) if len(members := np.flatnonzero(kind))]
    results = held + results_bytes(heads, training, work)

    def plan(width: int) -> Plan:
        # Of equal width, as nearly as can be: no narrow rest.
        stacks = tuple(stack for kind in kinds for stack in np.array_split(kind, -(-len(kind) // width)))
        widest = max(len(stack) for stack in stacks)
        size = results + stack_bytes(widest, heads, training, work)
        return Plan(stacks=stacks, bytes=size, held=held, width=width)

    found = plan(width or max(1, WIDTH // work.classes))
    # In steps of an eighth, so that a little more or less memory at hand does not lead to other stacks.
    while memory is not None and width is None and found.bytes > memory and found.width > 1:
        found = plan(found.width - max(1, found.width // 8))
    if memory is not None and found.bytes > memory:
        what, way_out = (
            "one head at a time needs",
            "allow more with --memory, or train on fewer examples with --train-size",
        )
        if width is not None:
            what, way_out = f"going on in stacks of {width:,} heads needs", "allow as much with --memory as before"
        raise IncompatibleError(
            f"{what} {_size(found.bytes)} of memory, {_size(held)} of it in use already, and {_size(memory)} are "
            f"allowed; {way_out}"
        )
    return found


def stack_bytes(count: int, heads: Heads, training: Training, work: Work) -> int:
    """Memory of a stack of so many heads in training and in its evaluation."""
    itemsize, columns, batch = work.itemsize, count * work.classes, int(heads.batch_size.max())
    weights = work.features * columns * itemsize
    arrays = 1 + bool(heads.momentum.any()) + bool(training.average)
    arrays += columns_of(work.classes) < work.classes  # at the end, what is made of the columns

    def scores(rows: int) -> int:
        # Numbers per example and head: in softmax its sums, in the highest score a running maximum and two labels of 8
        # bytes. Many classes are reduced by 16; the hinge marks the scores above 0 in a byte each, the squared
        # hinge squares a quarter of them at a time.
        workspace = int(itemsize * find_loss(training.loss).workspace)
        shares = 6 * itemsize + 8 + (16 * itemsize if work.classes >= 64 else 0)
        return rows * (columns * (itemsize + workspace) + count * shares)

    steps = training.steps(work.examples, batch)
    ahead = min(STEPS_AHEAD, record_interval(steps))
    inputs = batch * (work.features * itemsize + 8 + 16 * ahead)
    if training.epochs is not None:  # the order of a pass, and of the next
        inputs += 24 * (work.examples + batch)
    if len(np.unique(heads.batch_size)) > 1:  # each example's share in each head's batch
        inputs += batch * count * itemsize
    tables = ahead * count * (160 + 8 * itemsize)
    curves = 3 * 8 * count * _records(steps)
    sweeps = 4 * itemsize * max(SWEEP_ELEMENTS, columns)
    step = inputs + scores(batch) + tables + sweeps
    if work.rounded:
        step += 4 * work.features * columns + batch * (4 * work.features + 8 * columns)
    # The penalty is summed in float64, 64 features at a time.
    evaluation = scores(min(work.evaluation_rows, work.examples)) + 2 * 64 * 8 * columns
    if training.patience is None:
        most = max(arrays * weights + step, weights + evaluation)
    else:  # the weights that were best, and those of now with their scale, while the batch's arrays are there too
        most = (arrays + 1 + bool((heads.momentum == 0).any())) * weights + step + evaluation
    return most + curves + SLACK


def results_bytes(heads: Heads, training: Training, work: Work) -> int:
    """Memory of what is kept of all heads: a loss curve each, and the weights of the best."""
    records = _records(training.steps(work.examples, int(heads.batch_size.max())))
    # Curves are twice there when the first ones come in. The confusions of the best are counted, and written.
    confusions = 3 * 8 * work.classes**2
    return len(heads) * (2 * 8 * records + 300) + 3 * work.features * work.classes * work.itemsize + confusions


def _records(steps: int) -> int:
    """The points of a loss curve."""
    return -(-steps // record_interval(steps)) + 1


def _size(size: float) -> str:
    return f"{size / 2**30:.2f} GiB" if size >= 2**29 else f"{size / 2**20:.0f} MiB"

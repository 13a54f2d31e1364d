"""The solver that is minibatch SGD: every learning rate, reg, momentum and batch size, stack after stack."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np

from linprobe.compare.screening import Basis, project_weights
from linprobe.compare.settings import Axis, Space
from linprobe.compare.solver import Monitor, Resources, Task, Trained
from linprobe.core.backend import Array, device_of, move, namespace, quiet, row_chunks, to_numpy
from linprobe.core.measure import CHUNK_ROWS
from linprobe.core.sgd.feed import Streamed, feed_bytes
from linprobe.core.sgd.plan import Plan, Work, plan_stacks, results_bytes
from linprobe.core.sgd.settings import Data, Heads, Training
from linprobe.core.sgd.stack import initial_weights
from linprobe.core.sgd.state import Start, State
from linprobe.core.sgd.training import Recorded, Solution, StackRun, Validate
from linprobe.data.rows import StoredRows

__all__ = ["Descent", "data_of", "heads_of", "penalty"]


@dataclass(frozen=True, kw_only=True)
class Descent:
    """How a `StackRun` trains; start: the initial weights of heads for so many classes, drawn from their seeds unless
    given.
    """

    training: Training
    start: Callable[[Heads, int], Start] | None = None

    unit = "iterations"

    @property
    def seed(self) -> int:
        """That of all draws."""
        return self.training.seed

    @property
    def loss(self) -> str:
        """What is minimised, but for the penalty."""
        return self.training.loss

    def refuse(self, axes: Mapping[str, Axis]) -> None:
        """Nothing: there is no setting that SGD has no use for."""

    def place(self, rows: Array, resources: Resources) -> Array:
        """Rows on the device: batches are drawn from all of them. Those that are to be streamed stay where they are."""
        return rows if isinstance(rows, StoredRows) else move(rows, resources.products.device)

    def work(self, task: Task, plan: Plan) -> int:
        """The steps of all stacks."""
        return sum(self._steps(task, int(members[0]) % task.splits) for members in plan.stacks)

    def plan(self, task: Task, resources: Resources, width: int | None) -> Plan:
        """Stacks of heads that take the same steps on the same rows, one split after the other."""
        heads, splits, (n, D) = self._heads(task), task.splits, task.X.shape
        one = heads.take(np.arange(len(heads)) % splits == 0)
        work = Work(
            examples=n,
            features=D,
            classes=task.classes,
            itemsize=task.X.dtype.itemsize,
            evaluation_rows=CHUNK_ROWS,
            rounded=resources.products.rounded,
        )
        more = 0
        if task.weights is not None:  # the rows of a split, and what is kept of the other splits' heads
            more = n * D * work.itemsize + (splits - 1) * results_bytes(one, self.training, work)
        if isinstance(task.X, StoredRows):
            more += feed_bytes((n, D), self._draw(task), work.itemsize)
            more -= 0 if task.weights is None else n * D * work.itemsize
        plan = plan_stacks(one, self.training, work, held=resources.held + more, memory=resources.memory, width=width)
        stacks = tuple(members * splits + split for split in range(splits) for members in plan.stacks)
        return replace(plan, stacks=stacks, held=resources.held)

    def train(self, task: Task, plan: Plan, resources: Resources, watch: Monitor) -> Iterator[Trained]:
        """One stack after the other, from where it was interrupted."""
        begun, done = watch.begun(), 0
        # In a list, to be handed over: on a device, its arrays here are one copy too many.
        states = [] if begun is None else [State.unpack(begun)]
        del begun
        for split in range(task.splits):
            stacks = [stack for stack in enumerate(plan.stacks) if int(stack[1][0]) % task.splits == split]
            steps = self._steps(task, split)
            data = self._data(task, split) if stacks[-1][0] >= watch.finished else None
            for number, members in stacks:
                if data is not None and number >= watch.finished:
                    yield self._trained(task, data, members, resources, watch, states, done)
                done += steps
            del data  # or for a moment there would be the rows of two splits

    def _trained(
        self,
        task: Task,
        data: Data,
        members: np.ndarray,
        resources: Resources,
        watch: Monitor,
        states: list[State],
        done: int,
    ) -> Trained:
        heads = self._heads(task).take(members)
        run = StackRun(
            data,
            heads,
            self.training,
            products=resources.products,
            start=states.pop() if states else None if self.start is None else self.start(heads, task.classes),
            draw=self._draw(task),
        )
        for event in run.events():
            match event:
                case Recorded(step, _, objective):
                    watch.advance(done + step, objective)
                case Validate():
                    run.judge(watch.judge(*run.weights(), members))
                case _:
                    pass
            watch.keep(lambda: run.state(copies=False).pack(), done + run.step)
        found: Solution = run.solution()
        return Trained(
            members=members,
            W=found.W,
            b=found.b,
            stopped=found.stopped,
            done=done + run.steps,
            penalty=penalty(found.W, found.b, heads.reg),
            steps=found.steps,
            objectives=found.objective,
        )

    def within(self, basis: Basis, X: Array) -> "Descent":
        """The same from the projection of the weights that it would start from on rows X (n, D)."""
        features, dtype = X.shape[1], np.dtype(X.dtype)

        def start(heads: Heads, classes: int) -> Start:
            # All heads of a space start at the same weights; those of a whole stack might take more than training.
            one = heads.take(slice(1))
            W, b = initial_weights(one, (features, classes, 1), dtype, self.training.intercept)
            starts = project_weights(W, basis), b
            return Start(*(np.broadcast_to(start, (*start.shape[:-1], len(heads))) for start in starts))

        return replace(self, start=start)

    def _heads(self, task: Task) -> Heads:
        return Heads.of(**task.settings, seed=self.training.seed)

    def _draw(self, task: Task) -> int:
        # By the axis and not by a stack's heads: the few that are retrained see the batches that all would see.
        return int(task.axes["batch_size"].values.max())

    def _steps(self, task: Task, split: int) -> int:
        rows = len(task.y) if task.weights is None else int(task.weights.counted()[split])
        return self.training.steps(rows, self._draw(task))

    def _data(self, task: Task, split: int) -> Data:
        """What a split trains on: all rows, or those that it gives a weight."""
        weight = None
        if task.weights is not None:
            weight = to_numpy(task.weights.take(np.array([split])).of(slice(None)))[:, 0]
        return data_of(task.X, task.y, task.classes, weight)


def data_of(X: Array | StoredRows, y: Array, classes: int, weight: np.ndarray | None = None) -> Data:
    """What a stack is trained on, without what weighs nothing, weight (n,); Rows are read as it comes to them."""
    if weight is not None and not weight.all():
        seen = np.flatnonzero(weight)
        weight, at = weight[seen], move(seen, device_of(y))
        X, y = X.take(seen) if isinstance(X, StoredRows) else X[at], y[at]
    if weight is not None and (weight == weight[0]).all():
        weight = None
    X = Streamed(X.shape, X.dtype, X.__getitem__) if isinstance(X, StoredRows) else X
    return Data(X, y, classes, weight)


def heads_of(space: Space, seed: int) -> Heads:
    """The settings of a space as heads that start at the same weights, so that they differ by their settings alone."""
    return Heads.of(**space.values(seed), seed=seed)


def penalty(W: Array, b: Array, reg: np.ndarray) -> np.ndarray:
    """λ ΣW² of every head (H,) in float64: W (D, K, H), b (K, H), the bias included."""
    xp = namespace(W)
    with quiet(W):
        squares = xp.zeros(W.shape[2], dtype=xp.float64, device=W.device)
        for rows in row_chunks(len(W), 64):  # no float64 copy of all of W
            squares += xp.sum(xp.astype(W[rows], xp.float64) ** 2, axis=(0, 1))
        squares += xp.sum(xp.astype(b, xp.float64) ** 2, axis=0)
    return reg * to_numpy(squares)

"""Minibatch SGD for a whole stack of heads: one batch and two products a step, whatever the number of heads."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from linprobe.core.backend import Array, Products, capture, move, namespace, quiet, to_numpy
from linprobe.core.sgd.batches import Batches, BlockBatches
from linprobe.core.sgd.feed import Feed, Streamed
from linprobe.core.sgd.settings import Data, Heads, Training
from linprobe.core.sgd.stack import Stack
from linprobe.core.sgd.state import Start, State, on_host
from linprobe.core.sgd.tables import idle_table
from linprobe.errors import UsageError

__all__ = [
    "Advanced",
    "Data",
    "Event",
    "Heads",
    "Products",
    "Recorded",
    "Solution",
    "StackRun",
    "Start",
    "State",
    "Streamed",
    "Training",
    "Validate",
    "record_interval",
]

RECORDS = 100  # points of a loss curve, and looks for diverged heads
VALIDATIONS = 50  # looks at validation where heads may stop early
STEPS_AHEAD = 64  # steps whose tables and rows are made, and moved to the device, at once


@dataclass(frozen=True)
class Advanced:
    """So many of the steps are taken."""

    step: int
    steps: int


@dataclass(frozen=True, eq=False)
class Recorded:
    """So many of the steps are taken, and the objective (H,) of the last one was recorded: NaN for stopped heads."""

    step: int
    steps: int
    objective: np.ndarray


@dataclass(frozen=True)
class Validate:
    """So many of the steps are taken, and `StackRun.judge` has to be told how good the weights are on validation."""

    step: int
    steps: int


Event = Advanced | Recorded | Validate


@dataclass(frozen=True, eq=False, kw_only=True)
class Solution:
    """A trained stack.

    W (D, K, H) and b (K, H) in the type of X and on its device, NaN for heads that diverged or were left out; b is 0
    without an intercept. stopped (H,) says why each head ended: "max_iter", "diverged", "no_progress" on validation, or
    "idle" for one that was left out. objective (R, H) is batch loss + λ ΣW² at the iterations steps (R,).
    """

    W: Array
    b: Array
    stopped: np.ndarray
    steps: np.ndarray
    objective: np.ndarray

    def head(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        """The weights (D, K) and the bias (K,) of one head, copied out of the stack."""
        return to_numpy(self.W[:, :, index]).copy(), to_numpy(self.b[:, index]).copy()


class StackRun:
    """The training of all heads on the same batches, each with its own settings and start.

    It goes on while its events are asked for, and between two of them its weights and its state may be. A head starts
    at 0.001 x standard normal from its own seed, the bias last, unless `start` has the weights; from a state it goes on
    to the same bits as without the pause. `draw` is how many examples a step draws, of which each head sees its first;
    as many as the largest batch size unless given. Raises UsageError for what cannot be trained.
    """

    def __init__(
        self,
        data: Data,
        heads: Heads,
        training: Training,
        *,
        products: Products | None = None,
        start: Start | State | None = None,
        draw: int | None = None,
    ) -> None:
        _check(heads)
        products, draw = products or Products(), draw or int(heads.batch_size.max())
        self.training = training
        n = data.X.shape[0]
        self.steps = training.steps(n, draw)
        self.feed, self._labels = None, np.empty(0, np.int64)
        if isinstance(data.X, Streamed):
            self.feed, self._labels = Feed(data.X, draw), to_numpy(data.y).astype(np.int64)
            self.batches = BlockBatches(n, draw, training.seed, block=self.feed.block, window=self.feed.window)
            data = replace(data, X=data.X.read(np.array([0])), y=self._labels[:1])
        else:
            self.batches = Batches(n, draw, training.seed, replacement=training.epochs is None)
        self.stack = Stack(_moved(data, products.device), heads, training, products=products, start=start)
        self._weights = self.stack.weight
        # Recorded here and not in the stack, which would then hold itself, and its memory on the device, in a ring.
        idle = idle_table(len(heads)).astype(self.stack.dtype)
        self.take_step = capture(self.stack.step, self.stack.batch_size, idle, products.device)
        self.step = 0
        self.owed = False  # a validation
        self.recorded: list[int] = []
        self.objectives: list[np.ndarray] = []
        self.kept: tuple[Array, Array] | None = None  # each head's best weights on validation
        if isinstance(start, State):
            self._go_on(start)

    def train_only(self, heads: Sequence[int]) -> None:
        """Train just these heads, each in the slot that it has in the whole stack: the same bits as with the others."""
        self.stack.stop(~np.isin(np.arange(self.stack.shape[2]), np.asarray(heads)), "idle")

    def events(self, record_every: int | None = None) -> Iterator[Event]:
        """Train, and tell what has happened or is to be done; who stops asking may ask again, and it goes on.

        Objectives are recorded every so many iterations, and at the last. Validations come with `training.patience`
        alone: without it the weights are the last ones or their mean, and validation is for whoever chooses a head.
        Raises UsageError where one was not judged.
        """
        every = record_every or record_interval(self.steps)
        patient = self.training.patience is not None
        check_every = max(1, self.steps // VALIDATIONS) if patient else self.steps
        while self.owed or (self.step < self.steps and self.stack.standing.alive.any()):
            if not self.owed:
                # A head that blows up does so in its own columns of every array; its warnings concern nobody else.
                with quiet(self.stack.X):
                    event = self._go(every, check_every)
                self.owed = patient and (self.step % check_every == 0 or self.step == self.steps)
                yield event
            if self.owed:
                yield Validate(self.step, self.steps)
                if self.owed:
                    raise UsageError("patience counts validations; give validation data")

    def finish(self, record_every: int | None = None) -> Solution:
        """Train to the end without validation. Raises UsageError where `training.patience` counts by it."""
        if self.training.patience is not None:
            raise UsageError("patience counts validations; give validation data")
        for _ in self.events(record_every):
            pass
        return self.solution()

    def weights(self) -> tuple[Array, Array]:
        """W (D, K, H) and b (K, H) as they are now, to be read before the next step."""
        with quiet(self.stack.X):
            return self.stack.weights()

    def judge(self, accuracy: np.ndarray) -> None:
        """Keep the weights that are better on validation; stop the heads that have waited too long for better ones.

        accuracy (H,) is NaN for heads that have diverged.
        """
        stack = self.stack
        with quiet(stack.X):
            stack.stop(stack.standing.alive & np.isnan(accuracy), "diverged")
            if self.kept is None:
                like = {"dtype": stack.X.dtype, "device": stack.X.device}
                self.kept = stack.xp.zeros(stack.shape, **like), stack.xp.zeros(stack.shape[1:], **like)
            stack.copy_weights(stack.standing.better(accuracy), *self.kept)
            stack.standing = stack.standing.judge(accuracy)
            patience = self.training.patience or np.inf
            stack.stop(stack.standing.alive & (stack.standing.since >= patience), "no_progress")
        self.owed = False

    def solution(self) -> Solution:
        """The weights as they are now, or the kept or averaged ones where that was asked for; the run ends with it."""
        stack, mean = self.stack, self.stack.parameters.mean
        with quiet(stack.X):
            if self.kept is not None:
                W, b = self.kept
            elif mean is not None and self.step > self._first_averaged:
                W, b = stack.mean_weights()
            else:
                W, b = stack.take_weights()
            finite = np.isfinite(to_numpy(stack.xp.sum(W, axis=(0, 1)) + stack.xp.sum(b, axis=0)))
            stopped = np.where(stack.standing.alive & ~finite, "diverged", stack.standing.stopped)
            lost = move(np.isin(stopped, ("diverged", "idle")), stack.products.device)
            W[:, :, lost] = np.nan
            b[:, lost] = np.nan
        objective = np.array(self.objectives, np.float64).reshape(-1, len(stopped))
        return Solution(W=W, b=b, stopped=stopped, steps=np.array(self.recorded), objective=objective)

    def state(self, *, copies: bool = True) -> State:
        """All that a run needs to go on from here; copies, or what is true until the next step."""
        return State(
            step=self.step,
            owed=self.owed,
            place=self.batches.place(),
            parameters=self.stack.parameters.map(lambda array: on_host(array, copy=copies)),
            standing=self.stack.standing,
            recorded=np.array(self.recorded),
            objectives=np.array(self.objectives),
            kept=self.kept and Start(*(on_host(array, copy=copies) for array in self.kept)),
        )

    def _go_on(self, state: State) -> None:
        """Take over from a state what the stack has not."""
        self.step, self.owed = state.step, state.owed
        self.batches.go_on(state.place)
        self.recorded, self.objectives = state.recorded.tolist(), list(state.objectives)
        if state.kept is not None:
            device = self.stack.products.device
            self.kept = move(state.kept.W, device), move(state.kept.b, device)

    @property
    def _first_averaged(self) -> int:
        """The step after which the weights are the first ones in the mean."""
        return min(round(self.steps * (1 - self.training.average)), self.steps - 1)

    def _go(self, every: int, check_every: int) -> Advanced | Recorded:
        """Take the steps up to what comes next: an objective to record, a validation, or the most at once."""
        if self.step % every == 0 or self.step == self.steps - 1:
            return self._record()
        to_next = every - self.step % every, check_every - self.step % check_every
        at_once = STEPS_AHEAD if self.feed is None else max(1, self.feed.window // self.batches.size)
        self._advance(min(*to_next, self.steps - 1 - self.step, STEPS_AHEAD, at_once))
        return Advanced(self.step, self.steps)

    def _advance(self, count: int) -> None:
        """Take so many steps; what they need from the host goes to the device in one piece."""
        stack, device, first_averaged = self.stack, self.stack.products.device, self._first_averaged
        rows = np.stack([self.batches.draw()[: stack.batch_size] for _ in range(count)])
        if self.feed is not None:
            rows = self._brought(self.feed, rows)
        rates = np.array([self.training.rate(self.step + i, self.steps) for i in range(count)])
        tables, folds = stack.tables(rates)
        device_rows, device_tables = move(rows, device), move(tables, device)
        for i in range(count):
            self.take_step(device_rows[i], device_tables[i], folds[i])
            if self.training.average and self.step + i >= first_averaged:
                stack.add_to_mean(self.step + i - first_averaged + 1, device_tables[i])
        self.step += count

    def _brought(self, feed: Feed, rows: np.ndarray) -> np.ndarray:
        """Hand the stack the rows of some batches; where they are among what it then has."""
        if feed.bring(rows, self.batches.ahead):
            device, numbers = self.stack.products.device, feed.numbers
            weight = None if self._weights is None else self._weights[move(numbers, device)]
            self.stack.hold(move(feed.rows, device), move(self._labels[numbers], device), weight)
        return feed.places(rows)

    def _record(self) -> Recorded:
        """Take one step and record its objective; heads that have left all bounds are stopped."""
        penalty, alive, at = self.stack.penalty(), self.stack.standing.alive, self.step
        self._advance(1)
        objective = np.where(alive, to_numpy(self.stack.losses).astype(np.float64) + penalty(), np.nan)
        self.recorded.append(at)
        self.objectives.append(objective)
        self.stack.stop_diverged(objective)
        return Recorded(self.step, self.steps, objective)


def record_interval(steps: int) -> int:
    """After how many of so many steps the objectives are recorded, unless another number is asked for."""
    return max(1, steps // RECORDS)


def _moved(data: Data, device: str) -> Data:
    """The same on a device, with labels of 64 bits: to torch, those of 8 bits would be a mask."""
    X, y = move(data.X, device), move(data.y, device)
    return replace(data, X=X, y=namespace(X).astype(y, namespace(X).int64, copy=False))


def _check(heads: Heads) -> None:
    if not len(heads):
        raise UsageError("there is no setting to train; give at least one learning rate and one reg")
    if heads.batch_size.min() < 1:
        raise UsageError(f"batch sizes must be at least 1; got {heads.batch_size.min()}")
    wrong = heads.momentum[~((heads.momentum >= 0) & (heads.momentum < 1))]
    if len(wrong):
        raise UsageError(f"momentum must be 0 or more and below 1; got {wrong[0]:g}")

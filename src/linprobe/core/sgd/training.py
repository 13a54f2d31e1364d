"""Minibatch SGD for a whole stack of heads: one batch and two products a step, whatever the number of heads."""

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from linprobe.core.backend import Array, Products, capture, move, namespace, quiet, sweep_rows, to_numpy
from linprobe.core.sgd.batches import Batches
from linprobe.core.sgd.settings import Heads, Training
from linprobe.core.sgd.stack import Stack, idle_table
from linprobe.errors import UsageError

__all__ = ["Heads", "Products", "Progress", "Saver", "Solution", "Training", "Validate", "train_stack"]

RECORDS = 100  # points of a loss curve, and looks for diverged heads
VALIDATIONS = 50  # looks at validation where heads may stop early
STEPS_AHEAD = 64  # steps whose tables and rows are made, and moved to the device, at once

Progress = Callable[[int, int, np.ndarray], None]
Validate = Callable[[Array, Array], np.ndarray]
Saver = Callable[[Callable[..., dict[str, Any]]], None]


@dataclass(frozen=True, eq=False)
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


def train_stack(
    X: np.ndarray,
    y: np.ndarray,
    heads: Heads,
    training: Training | None = None,
    *,
    classes: int,
    products: Products | None = None,
    sample_weight: np.ndarray | None = None,
    initial: np.ndarray | None = None,
    initial_bias: np.ndarray | None = None,
    draw: int | None = None,
    only: Sequence[int] | None = None,
    record_every: int | None = None,
    validate: Validate | None = None,
    progress: Progress | None = None,
    saver: Saver | None = None,
    state: dict[str, Any] | None = None,
    take_state: bool = False,
) -> Solution:
    """Train all heads on the same batches; each has its own settings and start.

    X (n, D) float32 or float64, y (n,) int in [0, classes), NumPy arrays or already moved to the device of `products`.
    sample_weight (n,) float64 >= 0: how often each example's loss counts, in units of the mean weight. Weights start at
    0.001 x standard normal from each head's own seed, the bias last, or at `initial` (D, K, H) and `initial_bias`
    (K, H), zero unless given. `draw` is how many examples a step draws, of which each head sees its first; as many as
    the largest batch size unless given. `only` trains just these heads, each in the slot that it has in the whole
    stack, and leaves the others idle: the same bits as with them. Objectives are recorded every so many iterations, and
    at the last. `validate` gives each head's accuracy (H,) for W (D, K, H), b (K, H); it is what `training.patience`
    counts by. `progress` is called with the iteration, their number and the objectives (H,). `saver` is handed, between
    steps, a function that gives the state as plain NumPy arrays and numbers, with copies=False without a second set of
    weights, to be read before the next step; `state` is one to go on from, which loses its arrays with `take_state`.
    Raises UsageError for what cannot be trained.
    """
    training, products = training or Training(), products or Products()
    _check(X, y, heads, classes)
    if training.patience is not None and validate is None:
        raise UsageError("patience counts validations; give validation data")
    X, y = move(X, products.device), move(y, products.device)
    xp = namespace(X)
    y = xp.astype(y, xp.int64, copy=False)  # to torch, labels of 8 bits would be a mask
    run = _Run(
        Stack(
            X,
            y,
            heads,
            training,
            classes,
            products=products,
            sample_weight=sample_weight,
            initial=initial,
            initial_bias=initial_bias,
            blank=state is not None,
        ),
        training,
        len(X),
        draw or int(heads.batch_size.max()),
    )
    if only is not None:
        run.stack.stop(~np.isin(np.arange(len(heads)), np.asarray(only)), "idle")
    if state is not None:
        run.restore(state, take=take_state)
    every = record_every or record_interval(run.steps)
    # Without patience the weights are the last ones or their mean, and validation is for whoever chooses a head.
    validate = None if training.patience is None else validate
    check_every = run.steps if validate is None else max(1, run.steps // VALIDATIONS)
    # A head that blows up does so in its own columns of every array; its warnings would concern nobody else.
    with quiet(X):
        while run.step < run.steps and run.stack.alive.any():
            if run.step % every == 0 or run.step == run.steps - 1:
                run.record(progress)
            else:
                to_next = every - run.step % every, check_every - run.step % check_every, run.steps - 1 - run.step
                run.advance(min(*to_next, STEPS_AHEAD))
            if validate is not None and (run.step % check_every == 0 or run.step == run.steps):
                run.validate(validate)
            if saver is not None:
                saver(run.state)
        return run.solution()


def record_interval(steps: int) -> int:
    """After how many of so many steps the objectives are recorded, unless another number is asked for."""
    return max(1, steps // RECORDS)


class _Run:
    """A stack and how far its training has come."""

    def __init__(self, stack: Stack, training: Training, examples: int, draw: int) -> None:
        self.stack, self.training = stack, training
        self.steps = training.steps(examples, draw)
        self.batches = Batches(examples, draw, training.seed, replacement=training.epochs is None)
        # Recorded here and not in the stack, which would then hold itself, and its memory on the device, in a ring.
        idle = idle_table(len(stack.stopped)).astype(stack.dtype)
        self.take_step = capture(stack.step, stack.batch_size, idle, stack.products.device)
        self.step = 0
        self.recorded: list[int] = []
        self.objectives: list[np.ndarray] = []
        # For early stopping: each head's best weights, their accuracy, and the validations since.
        self.kept: tuple[Array, Array] | None = None
        self.best = np.full(len(stack.stopped), -1.0)
        self.since = np.zeros(len(stack.stopped), np.int64)

    def advance(self, count: int) -> None:
        """Take so many steps; what they need from the host goes to the device in one piece."""
        stack, device = self.stack, self.stack.products.device
        first_averaged = min(round(self.steps * (1 - self.training.average)), self.steps - 1)
        rows = np.stack([self.batches.draw()[: stack.batch_size] for _ in range(count)])
        rates = np.array([self.training.rate(self.step + i, self.steps) for i in range(count)])
        tables, folds = stack.tables(rates)
        device_rows, device_tables = move(rows, device), move(tables, device)
        for i in range(count):
            self.take_step(device_rows[i], device_tables[i], folds[i])
            if self.training.average and self.step + i >= first_averaged:
                stack.add_to_mean(self.step + i - first_averaged + 1, device_tables[i])
        self.step += count

    def record(self, progress: Progress | None) -> None:
        """Take one step and record its objective; heads that have left all bounds are stopped."""
        penalty, alive, at = self.stack.penalty(), self.stack.alive, self.step
        self.advance(1)
        objective = np.where(alive, to_numpy(self.stack.losses).astype(np.float64) + penalty(), np.nan)
        self.recorded.append(at)
        self.objectives.append(objective)
        self.stack.stop_diverged(objective)
        if progress is not None:
            progress(self.step, self.steps, objective)

    def validate(self, validate: Validate) -> None:
        """Keep the weights that are better on validation; stop the heads that have waited too long for better ones."""
        W, b = self.stack.weights()
        accuracy = validate(W, b)
        self.stack.stop(self.stack.alive & np.isnan(accuracy), "diverged")
        better = self.stack.alive & (accuracy > self.best)
        if self.kept is None:
            self.kept = (self.stack.xp.zeros_like(W), self.stack.xp.zeros_like(b))
        which = move(better, self.stack.products.device)
        flat = self.kept[0].reshape(len(W), -1)
        for rows in sweep_rows(flat):  # what is picked out of an array is a copy
            self.kept[0][rows][..., which] = W[rows][..., which]
        self.kept[1][..., which] = b[..., which]
        self.best = np.where(better, accuracy, self.best)
        self.since = np.where(better, 0, self.since + 1)
        self.stack.stop(self.stack.alive & (self.since >= (self.training.patience or np.inf)), "no_progress")

    def solution(self) -> Solution:
        """The weights as they are now, or the kept or averaged ones where that was asked for."""
        stack = self.stack
        if self.kept is not None:
            W, b = self.kept
        elif stack.mean is not None:
            W, b = stack.mean.reshape(stack.shape), stack.mean_bias
        else:
            W, b = stack.take_weights()
        finite = np.isfinite(to_numpy(stack.xp.sum(W, axis=(0, 1)) + stack.xp.sum(b, axis=0)))
        stack.stopped[stack.alive & ~finite] = "diverged"
        lost = move(np.isin(stack.stopped, ("diverged", "idle")), stack.products.device)
        W[:, :, lost] = np.nan
        b[:, lost] = np.nan
        objectives = np.array(self.objectives, np.float64).reshape(-1, len(stack.stopped))
        return Solution(W, b, stack.stopped, np.array(self.recorded), objectives)

    def state(self, *, copies: bool = True) -> dict[str, Any]:
        """All that `restore` needs, as NumPy arrays and plain numbers; copies, or what is true until the next step."""
        kept = dict(zip("Wb", map(to_numpy, self.kept), strict=True)) if self.kept is not None else {}
        return {
            "step": self.step,
            "batches": self.batches.state(),
            "stack": self.stack.state(copies=copies),
            "recorded": np.array(self.recorded),
            "objectives": np.array(self.objectives),
            "kept": {name: np.array(array, copy=copies or None) for name, array in kept.items()},
            "best": self.best,
            "since": self.since,
        }

    def restore(self, state: dict[str, Any], *, take: bool = False) -> None:
        """Go on from a state: the same bits from there as without the pause; `take` its arrays, or leave them as they
        are.
        """
        self.step = state["step"]
        self.batches.restore(state["batches"])
        self.stack.restore(state["stack"], take=take)
        self.recorded, self.objectives = state["recorded"].tolist(), list(state["objectives"])
        if state["kept"]:
            device, kept = self.stack.products.device, state["kept"] if take else copy.deepcopy(state["kept"])
            self.kept = (move(kept.pop("W"), device), move(kept.pop("b"), device))
        self.best, self.since = state["best"], state["since"]


def _check(X: np.ndarray, y: np.ndarray, heads: Heads, classes: int) -> None:
    xp = namespace(X)
    if X.ndim != 2 or not len(X) or X.dtype not in (xp.float32, xp.float64):
        raise UsageError(
            f"X must be a matrix of float32 or float64 with at least one row, not {X.dtype} {tuple(X.shape)}"
        )
    if tuple(y.shape) != (len(X),):
        raise UsageError(f"y must hold one label for each of the {len(X):,} rows of X, not {tuple(y.shape)}")
    lowest, highest = int(y.min()), int(y.max())
    if lowest < 0 or highest >= classes:
        raise UsageError(f"labels must lie in 0..{classes - 1}; found {lowest}..{highest}")
    if not len(heads):
        raise UsageError("there is no setting to train; give at least one learning rate and one reg")
    if heads.batch_size.min() < 1:
        raise UsageError(f"batch sizes must be at least 1; got {heads.batch_size.min()}")
    wrong = heads.momentum[~((heads.momentum >= 0) & (heads.momentum < 1))]
    if len(wrong):
        raise UsageError(f"momentum must be 0 or more and below 1; got {wrong[0]:g}")

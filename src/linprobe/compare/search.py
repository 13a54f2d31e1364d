"""Train the settings to compare, stack by stack, and choose among them; the test split is not an argument here."""

import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np

from linprobe.compare.checkpoint import Checkpoint, Part
from linprobe.compare.choose import choose, ranked
from linprobe.compare.comparison import Comparison, Curves, Fits
from linprobe.compare.screening import fit_basis, project_weights, rotate
from linprobe.compare.settings import Listed, Progress, Space
from linprobe.core.backend import Array, Products, move, namespace, quiet, row_chunks, to_numpy
from linprobe.core.measure import CHUNK_ROWS, StackScore, score_stack
from linprobe.core.sgd.plan import Plan, Work, plan_stacks
from linprobe.core.sgd.settings import Data, Heads, Training
from linprobe.core.sgd.stack import initial_weights
from linprobe.core.sgd.state import Start, State
from linprobe.core.sgd.training import Recorded, Solution, StackRun, Validate
from linprobe.data.dataset import Examples
from linprobe.errors import OutputError


@dataclass(frozen=True)
class Resources:
    """What a search may use: device and precision of its products, memory in bytes (None: no bound), those held."""

    products: Products = field(default_factory=Products)
    memory: int | None = None
    held: int = 0


def search(
    train: Examples,
    val: Examples,
    space: Space,
    training: Training,
    *,
    classes: int,
    resources: Resources | None = None,
    start: Callable[[Heads], tuple[np.ndarray, np.ndarray]] | None = None,
    on_plan: Callable[[Plan], None] | None = None,
    progress: Progress | None = None,
    checkpoint: Checkpoint | Part | None = None,
) -> Comparison:
    """Train every setting on train, keep the best on val; both hold rows (n, D) float32.

    `start` gives the initial W (D, K, H) and b (K, H) of a stack's heads, drawn from their seeds unless given.
    `on_plan` is told the stacks and the memory before any work. With a checkpoint, work that was interrupted goes on
    from there, in the stacks that it had, and ends in the same bits; Ctrl-C waits until what there
    is has been kept. Raises DivergedError when no head is left, IncompatibleError where the memory is too small.
    """
    resources = resources or Resources()
    heads = space.heads(training.seed)
    saved = checkpoint.load() if checkpoint is not None else None
    plan = plan_stacks(
        heads,
        training,
        Work(
            examples=len(train),
            features=train.X.shape[1],
            classes=classes,
            itemsize=train.X.dtype.itemsize,
            evaluation_rows=CHUNK_ROWS,
            rounded=resources.products.rounded,
        ),
        held=resources.held,
        memory=resources.memory,
        width=None if saved is None else saved["width"],
    )
    if on_plan is not None:
        on_plan(plan)
    rows = _Rows(train, val, training.loss, resources.products.device)
    found = _Found(len(heads)) if saved is None else _Found(len(heads), **saved["found"])
    # In a list, to be handed over: on a device, its arrays here are one copy too many.
    begun = [] if saved is None or saved["run"] is None else [State.unpack(saved.pop("run"))]
    # By the axis and not by a stack's heads: the few that are retrained see the batches that all would see.
    draw = int(space.axes["batch_size"].values.max())
    keep = _Keep(checkpoint, found, plan, training.steps(len(train), draw))

    def trained(stack: Heads) -> Solution:
        run = StackRun(
            Data(rows.X, rows.y, classes),
            stack,
            training,
            products=resources.products,
            start=begun.pop() if begun else None if start is None else Start(*start(stack)),
            draw=draw,
        )
        for event in run.events():
            match event:
                case Recorded(step, steps, objective) if progress is not None:
                    progress(found.finished * steps + step, len(plan.stacks) * steps, objective)
                case Validate():
                    run.judge(rows.val_accuracy(*run.weights()))
                case _:
                    pass
            keep.within(run)
        return run.solution()

    with contextlib.nullcontext() if checkpoint is None else checkpoint.stopping_at_offers():
        for members in plan.stacks[found.finished :]:
            stack = heads.take(members)
            solution = trained(stack)
            found.add(members, solution, stack, rows)
            del solution  # or the next stack would be trained beside this one's weights
            keep.between()
    compared = Comparison(
        {name: getattr(heads, name) for name in space.axes},
        found.val_accuracy[:, None],
        Fits(objective=found.objective[:, None], stopped=found.stopped[:, None], scores=found.train_accuracy[:, None]),
        losses=found.val_loss[:, None],
        axes=space.axes,
        drawn=space.drawn,
        W=found.W,
        b=found.b,
        curves=Curves(found.steps, found.curves),
        plan=plan,
    )
    choose(compared)  # refuses where nothing is left
    return compared


@dataclass(frozen=True, eq=False)
class Screening:
    """What was screened: the whole space on the leading principal directions, and what was kept of it.

    residual: the share of the training rows' energy outside those directions; kept: the heads retrained at full rank.
    """

    result: Comparison
    rank: int
    residual: float
    seconds: float
    kept: np.ndarray


def screen(
    train: Examples,
    val: Examples,
    space: Space,
    training: Training,
    *,
    rank: int | Literal["auto"],
    classes: int,
    keep: int = 5,
    resources: Resources | None = None,
    on_plan: Callable[[Plan], None] | None = None,
    progress: Progress | None = None,
    checkpoint: Checkpoint | None = None,
) -> tuple[Comparison, Screening]:
    """Search on the leading principal directions of train, then retrain the best few settings on all of it.

    Only the retrained settings are results; the others are known to the accuracy of the screening alone. What is not
    said here is as in `search`.
    """
    before, after = (None, None) if checkpoint is None else checkpoint.parts("screening", "retraining")
    started = time.perf_counter()
    basis, Z = fit_basis(train.X, rank, seed=training.seed)
    rows = Examples(Z, train.y), Examples(rotate(val.X, basis), val.y)
    shape = (train.X.shape[1], classes)

    def start(heads: Heads) -> tuple[np.ndarray, np.ndarray]:
        # All heads of a space start at the same weights; a stack of them in full rank might take more than training.
        one = heads.take(slice(1))
        W, b = initial_weights(one, (*shape, 1), train.X.dtype, training.intercept)
        starts = project_weights(W, basis), b
        W, b = (np.broadcast_to(start, (*start.shape[:-1], len(heads))) for start in starts)
        return W, b

    resources = resources or Resources()
    held = resources.held + basis.directions.nbytes + sum(part.X.nbytes for part in rows)
    screened = search(
        *rows,
        space,
        training,
        classes=classes,
        resources=replace(resources, held=held),
        start=start,
        on_plan=on_plan,
        progress=progress,
        checkpoint=before,
    )
    del rows, Z
    kept = ranked(screened.score, screened.loss)[: min(keep, int(np.isfinite(screened.score).sum()))]
    seconds = time.perf_counter() - started
    found = search(
        train,
        val,
        Listed(space, space.heads(training.seed).take(kept)),
        training,
        classes=classes,
        resources=resources,
        on_plan=on_plan,
        progress=progress,
        checkpoint=after,
    )
    return found, Screening(screened, basis.rank, basis.residual, seconds, kept)


class _Rows:
    """The rows of train and val on the device, and what is measured on them."""

    def __init__(self, train: Examples, val: Examples, loss: str, device: str) -> None:
        self.X, self.y, self.val_X, self.val_y = (move(part, device) for part in (train.X, train.y, val.X, val.y))
        self.loss = loss

    def train_score(self, W: Array, b: Array) -> StackScore:
        return score_stack(self.X, self.y, W, b, self.loss)

    def val_score(self, W: Array, b: Array) -> StackScore:
        return score_stack(self.val_X, self.val_y, W, b, self.loss)

    def val_accuracy(self, W: Array, b: Array) -> np.ndarray:
        return self.val_score(W, b).accuracy


class _Found:
    """What is known of all heads so far; its attributes are what a checkpoint keeps."""

    def __init__(self, heads: int, **saved: Any) -> None:
        self.finished = 0
        self.stopped = np.full(heads, "", dtype="<U12")
        self.train_accuracy, self.val_accuracy, self.val_loss, self.objective = np.full((4, heads), np.nan)
        self.steps = np.empty(0, np.int64)
        self.curves = np.empty((0, heads))
        self.W, self.b = np.empty((0, 0), np.float32), np.empty(0, np.float32)
        vars(self).update(saved)

    def add(self, members: np.ndarray, solution: Solution, heads: Heads, rows: _Rows) -> None:
        """Take in a trained stack, whose heads are these members of all."""
        on_train, on_val = rows.train_score(solution.W, solution.b), rows.val_score(solution.W, solution.b)
        self.stopped[members] = solution.stopped
        self.train_accuracy[members] = on_train.accuracy
        self.val_accuracy[members], self.val_loss[members] = on_val.accuracy, on_val.loss
        self.objective[members] = on_train.loss + penalty(solution.W, solution.b, heads.reg)
        if len(solution.steps) > len(self.steps):  # a stack whose heads have all stopped has a shorter record
            more = np.full((len(solution.steps) - len(self.steps), self.curves.shape[1]), np.nan)
            self.steps, self.curves = solution.steps, np.concatenate([self.curves, more])
        self.curves[: len(solution.steps), members] = solution.objective
        # Of all that are known by now: what is chosen at the end was chosen here, when its stack came.
        if not np.isnan(self.val_accuracy).all():
            mine = np.flatnonzero(members == ranked(self.val_accuracy, self.val_loss)[0])
            if len(mine):
                self.W, self.b = solution.head(int(mine[0]))
        self.finished += 1


class _Keep:
    """Offers a checkpoint what is known of all heads, with or without a stack in training."""

    def __init__(self, checkpoint: Checkpoint | Part | None, found: _Found, plan: Plan, steps: int) -> None:
        self.checkpoint, self.found, self.plan, self.steps = checkpoint, found, plan, steps

    def within(self, run: StackRun) -> None:
        """Between two steps of a stack."""
        if self.checkpoint is not None:
            self.checkpoint.offer(lambda: self._state(run.state(copies=False)))

    def between(self) -> None:
        """Between two stacks, and at once after the last: what comes then may be interrupted too."""
        if self.checkpoint is None:
            return
        last = self.found.finished == len(self.plan.stacks)
        # The training is done, and is not given up for a disk that has no room to keep it.
        with contextlib.suppress(OutputError) if last else contextlib.nullcontext():
            self.checkpoint.offer(lambda: self._state(None), now=last)

    def _state(self, run: State | None) -> dict[str, Any]:
        done = self.found.finished * self.steps + (0 if run is None else run.step)
        kept = f"{done:,} of {len(self.plan.stacks) * self.steps:,} iterations"
        within = None if run is None else run.pack()
        return {"width": self.plan.width, "found": dict(vars(self.found)), "run": within, "kept": kept}


def penalty(W: Array, b: Array, reg: np.ndarray) -> np.ndarray:
    """λ ΣW² of every head (H,) in float64: W (D, K, H), b (K, H), the bias included."""
    xp = namespace(W)
    with quiet(W):
        squares = xp.zeros(W.shape[2], dtype=xp.float64, device=W.device)
        for rows in row_chunks(len(W), 64):  # no float64 copy of all of W
            squares += xp.sum(xp.astype(W[rows], xp.float64) ** 2, axis=(0, 1))
        squares += xp.sum(xp.astype(b, xp.float64) ** 2, axis=0)
    return reg * to_numpy(squares)

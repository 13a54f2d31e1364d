"""The one place that compares: settings on splits, by either solver, stack by stack; the test split is no argument."""

import contextlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from linprobe.compare.checkpoint import Checkpoint, Part
from linprobe.compare.choose import ranked
from linprobe.compare.comparison import Comparison, Curves, Fits
from linprobe.compare.encoding import Packed
from linprobe.compare.held_out import HeldOut, some_of
from linprobe.compare.settings import Space
from linprobe.compare.solver import Judged, Progress, Resources, Solver, Task, Trained
from linprobe.core.backend import Array, to_numpy
from linprobe.core.metrics import METRICS, NamedMetric
from linprobe.core.sgd.plan import Plan
from linprobe.errors import OutputError

__all__ = ["Control", "Judge", "compare"]

Judge = Callable[[Trained, np.ndarray], Judged]  # of trained heads, and the split (h,) of each


@dataclass(frozen=True, kw_only=True)
class Control:
    """What comparing may use, and who is told and asked in between.

    on_plan is told the stacks and the memory before any work, and on_share after every pass of the exact solver about
    what share of its passes is made. With a checkpoint, work that was interrupted goes on from there; Ctrl-C waits
    until what there is has been kept.
    """

    resources: Resources = field(default_factory=Resources)
    on_plan: Callable[[Plan], None] | None = None
    progress: Progress | None = None
    on_share: Callable[[float], None] | None = None
    checkpoint: Checkpoint | Part | None = None


def compare(
    rows: Array,
    labels: np.ndarray,
    settings: Space,
    held_out: HeldOut,
    solver: Solver,
    *,
    classes: int,
    metric: NamedMetric = METRICS["accuracy"],
    judge: Judge | None = None,
    control: Control | None = None,
) -> Comparison:
    """Train every setting on every split, and judge it on what the split holds out, by a metric unless told otherwise.

    rows (n, D), labels (n,) int in [0, classes). SGD that was interrupted goes on in the stacks that it had and ends in
    the same bits; the exact solver trains no finished head again, and the others from where they stood. Raises
    IncompatibleError where the memory is too small, and for settings that the solver has no use for.
    """
    control = control or Control()
    solver.refuse(settings.axes)
    values, splits = settings.values(solver.seed), len(held_out)
    of_split = np.tile(np.arange(splits), len(settings))
    task = Task(
        X=some_of(rows, held_out.learned),
        y=labels[held_out.learned],
        classes=classes,
        weights=None if held_out.weights is None else held_out.weights.take(of_split),
        settings={name: _of_heads(each, splits) for name, each in values.items()},
        axes=settings.axes,
        splits=splits,
        rows=len(labels),
    )
    saved = None if control.checkpoint is None else control.checkpoint.load()
    plan = solver.plan(task, control.resources, None if saved is None else saved["width"])
    if control.on_plan is not None:
        control.on_plan(plan)
    X, y = (solver.place(part, control.resources) for part in (rows, labels))
    task = replace(task, X=some_of(X, held_out.learned), y=y[held_out.learned])
    found = _Found.nothing(task.heads)
    if saved is not None:
        found = replace(found, **saved["found"])
    begun = None if saved is None else saved.pop("run")

    def accuracy(W: Array, b: Array, members: np.ndarray) -> np.ndarray:
        return held_out.judge(X, y, W, b, of_split[members], solver.loss, whole=False).score

    def judged(trained: Trained) -> Judged:
        members = trained.members
        if judge is None:
            heads, split = (trained.W, trained.b), of_split[members]
            by_weight = trained.objective is None
            return held_out.judge(X, y, *heads, split, solver.loss, metric=metric, by_weight=by_weight)
        return judge(trained, of_split[members])

    rate = _Rates(accuracy, lambda trained: judged(trained).score)
    watch = _Watch(control, found, plan, solver, solver.work(task, plan), [] if begun is None else [begun], rate)
    del saved, begun
    with contextlib.nullcontext() if control.checkpoint is None else control.checkpoint.stopping_at_offers():
        for trained in solver.train(task, plan, control.resources, watch):
            found.add(trained, judged(trained), best=splits == 1)
            watch.between(trained.done)
            del trained  # or the next stack would be trained beside this one's weights
    return found.compared(settings, values, splits, plan, held_out.shares)


@dataclass(eq=False)
class _Found:
    """What is known of all heads (H,) so far; its fields are what a checkpoint keeps.

    finished: stacks; others: whatever else is known, by name; steps (R,) and curves (R, H); W and b, of the best head.
    """

    finished: int
    stopped: np.ndarray
    score: np.ndarray
    objective: np.ndarray
    others: dict[str, np.ndarray]
    steps: np.ndarray
    curves: np.ndarray
    W: np.ndarray
    b: np.ndarray

    @classmethod
    def nothing(cls, heads: int) -> "_Found":
        """Before the first stack."""
        score, objective = np.full((2, heads), np.nan)
        return cls(
            finished=0,
            stopped=np.full(heads, "", dtype="<U12"),
            score=score,
            objective=objective,
            others={},
            steps=np.empty(0, np.int64),
            curves=np.empty((0, heads)),
            W=np.empty((0, 0), np.float32),
            b=np.empty(0, np.float32),
        )

    def add(self, trained: Trained, judged: Judged, *, best: bool) -> None:
        """Take in a trained stack; keep its best head's weights if those are asked for, and it is the best of all."""
        members = trained.members
        self.stopped[members], self.score[members] = trained.stopped, judged.score
        others = {name: getattr(judged, name) for name in ("loss", "train_score", "accuracy")}
        others |= {name: getattr(trained, name) for name in ("gap", "iterations", "failed")}
        for name, values in others.items():
            if values is not None:
                self.others.setdefault(name, np.full(len(self.score), 0, values.dtype))[members] = values
        if trained.objective is not None:
            self.objective[members] = trained.objective
        elif trained.penalty is not None and judged.train_loss is not None:
            self.objective[members] = judged.train_loss + trained.penalty
        if len(trained.steps) > len(self.steps):  # a stack whose heads have all stopped has a shorter record
            more = np.full((len(trained.steps) - len(self.steps), self.curves.shape[1]), np.nan)
            self.steps, self.curves = trained.steps, np.concatenate([self.curves, more])
        if trained.objectives is not None:
            self.curves[: len(trained.steps), members] = trained.objectives
        # Of all that are known by now: what is chosen at the end was chosen here, when its stack came.
        if best and not np.isnan(self.score).all():
            first = ranked(self.score, self.others.get("loss"), self.others.get("failed"))[0]
            for place in np.flatnonzero(members == first).tolist():
                self.W, self.b = (to_numpy(array[..., place]).copy() for array in (trained.W, trained.b))
        self.finished += 1

    def compared(
        self, space: Space, values: dict[str, np.ndarray], splits: int, plan: Plan, shares: np.ndarray | None
    ) -> Comparison:
        """All of it, by setting (G) and split (F)."""

        def of_splits(name: str) -> np.ndarray | None:
            return self.others[name].reshape(-1, splits) if name in self.others else None

        return Comparison(
            {name: each if each.ndim == 1 else each.mean(axis=1) for name, each in values.items()},
            self.score.reshape(-1, splits),
            Fits(
                objective=self.objective.reshape(-1, splits),
                stopped=self.stopped.reshape(-1, splits),
                scores=of_splits("train_score"),
                gap=of_splits("gap"),
                iterations=of_splits("iterations"),
                failed=of_splits("failed"),
            ),
            losses=of_splits("loss"),
            accuracies=of_splits("accuracy"),
            shares=shares,
            axes=space.axes,
            drawn=space.drawn,
            W=self.W,
            b=self.b,
            curves=Curves(self.steps, self.curves.reshape(len(self.curves), len(space), splits).mean(axis=2)),
            plan=plan,
        )


@dataclass(frozen=True)
class _Rates:
    """The scores (h,) of heads: by accuracy while they are underway, and as the comparison will have them."""

    underway: Callable[[Array, Array, np.ndarray], np.ndarray]
    done: Callable[[Trained], np.ndarray]


class _Watch:
    """Passes on what a solver tells, and offers a checkpoint what is known, with or without a stack in training."""

    def __init__(
        self,
        control: Control,
        found: _Found,
        plan: Plan,
        solver: Solver,
        work: int,
        begun: list[Packed],
        rates: _Rates,
    ) -> None:
        self.control, self.found, self.plan, self.unit, self.work = control, found, plan, solver.unit, work
        self._begun, self._rates = begun, rates

    @property
    def finished(self) -> int:
        """How many stacks are known."""
        return self.found.finished

    def begun(self) -> Packed | None:
        """The state in which the next stack was interrupted; from the list, so that none is held here."""
        return self._begun.pop() if self._begun else None

    def advance(self, done: int, objective: np.ndarray) -> None:
        """Tell whoever waits."""
        if self.control.progress is not None:
            self.control.progress(done, self.work, objective)

    @property
    def on_share(self) -> Callable[[float], None] | None:
        """Whoever waits and is told about what share of the passes is made."""
        return self.control.on_share

    def judge(self, W: Array, b: Array, members: np.ndarray) -> np.ndarray:
        """The accuracy of heads as they are now on what their splits hold out."""
        return self._rates.underway(W, b, members)

    def score(self, trained: Trained) -> np.ndarray:
        """As they would be judged if they were done."""
        return self._rates.done(trained)

    def keep(self, state: Callable[[], Mapping[str, object]], done: int) -> None:
        """Between two steps of a stack."""
        if self.control.checkpoint is not None:
            self.control.checkpoint.offer(lambda: self._state(state(), done))

    def between(self, done: int) -> None:
        """Between two stacks, and at once after the last: what comes then may be interrupted too."""
        if self.control.checkpoint is None:
            return
        last = done == self.work
        # The training is done, and is not given up for a disk that has no room to keep it.
        with contextlib.suppress(OutputError) if last else contextlib.nullcontext():
            self.control.checkpoint.offer(lambda: self._state(None, done), now=last)

    def _state(self, run: Mapping[str, object] | None, done: int) -> Packed:
        kept = f"{done:,} of {self.work:,} {self.unit}"
        return {"width": self.plan.width, "found": dict(vars(self.found)), "run": run, "kept": kept}


def _of_heads(values: np.ndarray, splits: int) -> np.ndarray:
    """Values of settings (G,), or of settings and splits (G, F), as those of their heads (G · F,)."""
    return np.repeat(values, splits) if values.ndim == 1 else values.ravel()

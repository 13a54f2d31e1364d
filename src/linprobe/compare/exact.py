"""The solver that proves its optima: every value of reg on every split, all in one stack."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from linprobe.compare.choose import contenders
from linprobe.compare.comparison import Comparison, Fits
from linprobe.compare.screening import Basis
from linprobe.compare.settings import Axis
from linprobe.compare.solver import Monitor, Resources, Task, Trained
from linprobe.core.backend import Array
from linprobe.core.exact import solver
from linprobe.core.exact.optimum import Optimum, Unfinished
from linprobe.core.exact.problem import by_part_bytes, groups, newton_room, solve_bytes, takes_span
from linprobe.core.exact.solver import Ground, Precision, Search
from linprobe.core.sgd.plan import Plan
from linprobe.errors import IncompatibleError

__all__ = ["BYTES", "Exact"]

BYTES = {"auto": (4, 8), "single": (4,), "double": (8,)}  # of the numbers in the products


@dataclass(frozen=True, kw_only=True)
class Exact:
    """How `solve` finds the optima; seed: of the values of reg, where they are drawn.

    search_tol: what may be expected of going on with a head that is only compared, as a share of its scale; None: every
    head is proven to tol. ground: what solves of the same rows share.
    """

    loss: str = "softmax"
    intercept: bool = True
    tol: float = 1e-6
    max_iter: int = 1000
    precision: Precision = "auto"
    seed: int = 0
    search_tol: float | None = None
    ground: Ground | None = None

    unit = "fits"

    def refuse(self, axes: Mapping[str, Axis]) -> None:
        """Raise IncompatibleError for settings that an optimum does not depend on."""
        others = [name.replace("_", " ") for name in axes if name != "reg"]
        if others:
            raise IncompatibleError(f"the exact solver has no {others[0]}: compare values of reg alone, or use SGD")

    def place(self, rows: Array, resources: Resources) -> Array:
        """Rows as they are: `solve` reads them, chunk by chunk or at once, where its products are."""
        del resources
        return rows

    def work(self, task: Task, plan: Plan) -> int:
        """The number of fits."""
        del plan
        return task.heads

    def plan(self, task: Task, resources: Resources, width: int | None) -> Plan:
        """The stacks that `solve` will cut its heads into; whatever they were, finished heads are not trained again."""
        del width
        K, heads, held, memory = task.classes, task.heads, resources.held, resources.memory
        if memory is not None and memory < held:
            raise IncompatibleError(
                f"--memory: {held / 2**20:,.0f} MiB are in use before training, and {memory / 2**20:,.0f} MiB are "
                "allowed; allow more, or train on fewer examples with --train-size"
            )
        shape, device = (task.rows, task.X.shape[1]), resources.products.device
        span = takes_span(shape, K, resources.left, device)
        rooms = [solve_bytes(shape, K, heads, size, device, span=span) for size in BYTES[self.precision]]
        stacks = tuple(np.array_split(np.arange(heads), groups(heads, rooms[0], resources.left)))
        widest = len(stacks[0])
        most = max(fixed + widest * each for fixed, each in rooms) + newton_room(shape, K)
        results = 3 * 8 * shape[1] * K * heads if len(stacks) > 1 else 0
        copied = by_part_bytes(task.X, task.weights, max(BYTES[self.precision]), device)
        needed = held + most + results + copied
        return Plan(stacks=stacks, bytes=needed if memory is None else min(needed, memory), held=held, width=widest)

    def train(self, task: Task, plan: Plan, resources: Resources, watch: Monitor) -> Iterator[Trained]:
        """All heads at once: none is done before no other can tell that it failed."""
        del plan
        if watch.finished:
            return
        begun = watch.begun()
        yield self._solved(task, resources, watch, None if begun is None else Unfinished.unpack(begun))

    def _solved(self, task: Task, resources: Resources, watch: Monitor, start: Unfinished | None) -> Trained:
        done = 0

        def progress(finished: int, _: int) -> None:
            nonlocal done
            done = finished
            watch.advance(done, np.empty(0))

        found = solver.solve(
            task.X,
            task.y,
            task.settings["reg"],
            loss=self.loss,
            classes=task.classes,
            sample_weight=task.weights,
            intercept=self.intercept,
            tol=self.tol,
            max_iter=self.max_iter,
            precision=self.precision,
            device=resources.products.device,
            memory=resources.left,
            progress=progress,
            start=start,
            keep=lambda state: watch.keep(lambda: state().pack(), done),
            ground=self.ground,
            estimate=watch.on_share,
            search=None if self.search_tol is None else Search(self.search_tol, _Contending(task, watch)),
        )
        return _trained(found)

    def within(self, basis: Basis, X: Array) -> "Exact":
        """The same: an optimum does not depend on the start."""
        del basis, X
        return self


def _trained(found: Optimum) -> Trained:
    known = {name: getattr(found, name) for name in ("W", "b", "stopped", "objective", "gap")}
    heads = len(found.objective)
    return Trained(members=np.arange(heads), done=heads, iterations=found.iterations, failed=found.failed, **known)


class _Contending:
    """Which heads of a task may still be the best, each time that a search asks."""

    def __init__(self, task: Task, watch: Monitor) -> None:
        self.task, self.watch = task, watch
        self.before: Comparison | None = None

    def __call__(self, found: Optimum) -> np.ndarray:
        of_splits = {name: getattr(found, name).reshape(-1, self.task.splits) for name in ("objective", "failed")}
        scores = self.watch.score(_trained(found)).reshape(-1, self.task.splits)
        fits = Fits(stopped=found.stopped.reshape(scores.shape), **of_splits)
        compared = Comparison({"reg": self.task.settings["reg"].reshape(scores.shape).mean(axis=1)}, scores, fits)
        near, self.before = contenders(compared, self.before), compared
        return np.repeat(near, self.task.splits)

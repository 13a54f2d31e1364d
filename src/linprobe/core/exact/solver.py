"""The certified optimum of a stack of heads: every head comes with a proven bound of how far it is from the best."""

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import partial
from typing import Literal

import numpy as np

from linprobe.core.backend import Array, namespace, one_thread, quiet, to_numpy
from linprobe.core.exact._manner import by_part, small, worth_walking
from linprobe.core.exact._progress import Estimate, Keep, Meter, Progress, Teller
from linprobe.core.exact.curvature import class_curvature
from linprobe.core.exact.ground import Ground
from linprobe.core.exact.lbfgs import Iterates, Oracle
from linprobe.core.exact.metric import Metric
from linprobe.core.exact.newton import newton_bytes, whole_curvature
from linprobe.core.exact.null import null_curvature
from linprobe.core.exact.optimum import UNDERWAY, Loosely, Optimum, Unfinished
from linprobe.core.exact.path import LOOSE, follow, lawful, walk
from linprobe.core.exact.problem import (
    Problem,
    groups,
    pose,
    refuse_what_is_not_finite,
    solve_bytes,
    takes_span,
)
from linprobe.core.exact.search import Search, Searching
from linprobe.core.exact.state import HeadProblem
from linprobe.core.objective import objective_and_gradient
from linprobe.data.rows import Rows
from linprobe.data.weights import Weights
from linprobe.errors import UsageError

__all__ = ["Ground", "Optimum", "Precision", "Search", "solve"]

Precision = Literal["auto", "single", "double"]

# In float32 smaller relative gaps cost more passes than float64 does, or cannot be had at all.
SINGLE_TOL = 1e-7

ON_THE_WAY = Loosely(1e-4, least=1, many=1)

PATH_SIZE = 4096  # rows and features up to which a narrow stack loses little

SINGLE_RANGE = 1e-12, 1e24  # of the highest variance of features


def solve(
    X: Array | Rows,
    y: np.ndarray,
    reg: np.ndarray,
    *,
    loss: str = "softmax",
    classes: int | None = None,
    sample_weight: np.ndarray | Weights | None = None,
    intercept: bool = True,
    tol: float = 1e-6,
    max_iter: int = 1000,
    precision: Precision = "auto",
    device: str = "numpy",
    memory: int | None = None,
    progress: Callable[[int, int], None] | None = None,
    start: Unfinished | None = None,
    keep: Keep | None = None,
    search: Search | None = None,
    ground: Ground | None = None,
    estimate: Estimate | None = None,
) -> Optimum:
    """Minimise weighted mean loss + λ ΣW² of every head, the bias free of penalty, to a proven relative gap.

    X (n, D), Rows or what they can be made of, of any numeric type; y (n,) int in [0, classes); reg (H,) > 0; loss
    "softmax" or "squared_hinge"; sample_weight (n,) or (n, H), >= 0, or Weights, 1 unless given; tol, the gap as a
    share of the objective, or of what there is to gain over no weights where that is less; max_iter, passes over the
    data for each head; precision of the products: "single", "double", or "auto": that of X, of half precision and
    integers single, and double where single cannot reach tol, or where fewer rows than features are turned into their
    own span; device as `choose_device` names it; memory, bytes that the work may take besides X; progress(heads done,
    heads); keep is called after every pass with what gives a state, from which as start the same goes on, but for a
    walk along a path of many classes, which begins anew. L-BFGS (Liu and Nocedal, 1989) for all heads at once. No head
    ends above one with a larger λ on the same examples, or above no weights at all. With a search, heads are only
    brought to where they can be compared, and nothing is proven, not even that. ground: what an earlier solve of the
    same X, with an intercept or without like this one, has found of it, and this one finds for the next.
    estimate(share) is told after every pass about what share of all passes is made.

    The gaps are computed in the precision of the products and with a bias that is all but the best; the proof in
    float64, of any weights, is core/certificate.py.

    Raises IncompatibleError for a loss that is not smooth and for too little memory, UsageError for reg, labels,
    weights and shapes that make no sense, DataError for NaN, infinite or far too large features.
    """
    if not (tol >= 0 and max_iter >= 1):
        raise UsageError(f"tol is {tol} and max_iter is {max_iter}; tol must be 0 or more, max_iter at least 1")
    if search is not None and start is not None:
        raise UsageError("a search begins at the null model and keeps no state to go on from; give start or search")
    posed = pose(X, y, reg, loss, classes, sample_weight, intercept, device, memory)
    asked = _Asked(tol, max_iter, precision, device, memory, progress, keep, search, estimate)
    with one_thread(posed.array([], "float64")) if small(posed, search) else nullcontext():
        return _solved(posed, asked, start, Ground(posed.mean_weight()) if ground is None else ground)


@dataclass(frozen=True)
class _Asked:
    """What of the problem is wanted, as `solve` says it."""

    tol: float
    max_iter: int
    precision: Precision
    device: str
    memory: int | None
    progress: Callable[[int, int], None] | None
    keep: Keep | None
    search: Search | None
    estimate: Estimate | None


def _solved(posed: Problem, asked: _Asked, start: Unfinished | None, ground: Ground) -> Optimum:
    """The heads of a problem, in single precision first and then in double, as far as each goes."""
    tol, max_iter, precision, device, memory = asked.tol, asked.max_iter, asked.precision, asked.device, asked.memory
    problem, K, H, span = posed, len(posed.heads.shares), len(posed.heads), None
    shape, few = posed.X.shape, takes_span(posed.X.shape, len(posed.heads.shares), memory, device)
    # What is only compared needs no digits that the rows do not have.
    exactly = "float64" in str(posed.X.dtype) or (few and asked.search is None)
    double = precision == "double" or (precision == "auto" and exactly)
    phases = ["float64"] if double else ["float32"] if precision == "single" else ["float32", "float64"]
    if few:
        problem, span = ground.turned(posed, phases[0])
    else:
        problem, memory = by_part(posed, phases, memory, device)

    def seen(found: Optimum) -> Optimum:
        return found if span is None else span.back(found, intercept=posed.intercept)

    result, metric, tell = problem.start(phases[0]), None, Teller(asked.progress, H)
    meter = Meter(asked.estimate, posed.heads.reg, tol, max_iter)
    searching = None if asked.search is None else Searching(asked.search, H)
    if start is not None and start.heads.W.shape != result.W.shape:
        start = None  # in other coordinates, as there was more memory then, or less
    for number, phase in enumerate(phases):
        if start is not None and number < start.phase:
            continue
        gone_on = start is not None and number == start.phase
        like = problem.array([], phase)
        begun = searching is not None and result.iterations.any()
        unfinished = result.stopped == "stalled" if begun else ~result.within(tol)
        heads = np.flatnonzero(unfinished & (result.iterations < max_iter))
        if start is not None and gone_on:
            result = start.heads
            heads = np.flatnonzero(result.stopped == UNDERWAY)
            meter.over(np.flatnonzero(result.stopped != UNDERWAY))
        room = solve_bytes(shape, K, H, like.dtype.itemsize, device, span=span is not None)
        # Without a metric single precision could do nothing, and what was not done is refused below.
        short = metric is not None and memory is not None and sum(room) > memory
        if not (len(heads) or gone_on) or (phase != phases[0] and short):
            break
        if few:
            problem, _ = ground.turned(posed, phase)
        if metric is None or (result.stopped[heads] != "gap").any():
            # What single precision knows of the curvature does not do for what it could not finish.
            metric = ground.metric(problem if few else posed, like)  # which knows its rows' weights by their order
            if phase == "float32" and len(phases) > 1 and not SINGLE_RANGE[0] < metric.highest() < SINGLE_RANGE[1]:
                # Squares of such features, or of the gradient, leave the range of float32.
                metric = None
                continue
            refuse_what_is_not_finite(posed.X, metric)
        metric = metric.like(like)
        fresh = not (result.iterations[heads] if gone_on else result.iterations).any()
        stopped = np.where(np.isin(np.arange(H), heads), UNDERWAY, result.stopped)
        standing = Progress(asked.keep, number, replace(result, stopped=stopped))
        # Where float64 will follow, single precision is for the first digits only.
        goal = max(tol, SINGLE_TOL) if phase == "float32" and len(phases) > 1 else tol
        last = phase == phases[-1]
        counted = tell if goal <= tol else None
        done = H - len(heads) if last else int(result.within(tol).sum())
        descend = _Descend(metric, room, max_iter, memory, counted, done, last, standing, meter)
        if searching is not None:
            go = searching.begin if fresh else searching.go_on
            result = searching.refine(problem, go(problem, result, descend), descend, seen)
            continue
        if problem.loss.curvature_jumps and max(problem.X.shape) <= PATH_SIZE and fresh:
            # Its curvature is all or nothing: where classes lie apart, the first steps from nothing lead nowhere.
            result = follow(problem, standing.found, heads, metric.highest(), goal, descend, standing.arrived)
        elif len(heads):
            if fresh and len(heads) == H and worth_walking(problem):
                # The first digits of a head cost few passes from where its stronger neighbour is.
                found = walk(problem, result, ON_THE_WAY, partial(descend, arrives=False))
                standing.found = replace(found, stopped=stopped)
            standing.at_work = heads
            result = result.replaced(heads, descend(problem.take(heads), standing.found.take(heads), goal))
        result = lawful(problem, result, goal)
        standing.at_work, standing.found = None, result
        lost = np.flatnonzero((result.failed | ~result.within(LOOSE)) & (result.iterations < max_iter))
        if last and len(lost):
            result = lawful(problem, follow(problem, result, lost, metric.highest(), tol, descend), tol)
    tell.end()
    # Those that float32 had brought to its own goal, and for which no passes were left, or no memory.
    short = (result.stopped == "gap") & ~result.within(tol)
    reason = np.where(result.iterations < max_iter, "stalled", "max_iter")
    result = replace(result, stopped=np.where(short, reason, result.stopped))
    return seen(result)


@dataclass
class _Descend:
    """What all descents in one precision share, and how many of so many heads are done.

    Heads that a precision could not finish are done when it was the last one.
    """

    metric: Metric
    room: tuple[int, int]
    max_iter: int
    memory: int | None
    tell: Teller | None  # none where what is reached is not what was asked for
    done: int
    last: bool
    standing: Progress
    meter: Meter

    def __call__(
        self,
        problem: Problem,
        start: Optimum,
        goal: float | Loosely,
        *,
        arrives: bool = True,
        instead: Optimum | None = None,
    ) -> Optimum:
        """As many stacks, one after the other, as the memory asks for."""
        found, H = start, len(problem.heads)
        for group in np.array_split(np.arange(H), groups(H, self.room, self.memory)):
            tell = self._counting(arrives=arrives)
            newton = newton_bytes(problem.X.shape, len(problem.heads.shares))
            spare = self.memory is None or self.room[0] + len(group) * self.room[1] + newton <= self.memory
            ended = _descend(
                *(problem.take(group), self.metric, start.take(group), goal, self.max_iter, tell),
                newton=newton > 0 and spare,
                keep=lambda part, found=found, group=group: self.standing.told(lambda: found.replaced(group, part())),
                instead=None if instead is None else instead.take(group),
                watch=lambda places, gaps, numbers=problem.heads.number[group]: self.meter.passed(
                    numbers[places], gaps
                ),
            )
            found = found.replaced(group, ended)
            if arrives and self.last:
                self.meter.over(problem.heads.number[group])
            if arrives:
                self.done += len(group) if self.last else int((ended.stopped == "gap").sum())
        return found

    def _counting(self, *, arrives: bool) -> Callable[[int], None] | None:
        tell, done = self.tell, self.done
        return None if tell is None else lambda more: tell(done + (more if arrives else 0))


def _descend(
    problem: Problem,
    metric: Metric,
    start: Optimum,
    goal: float | Loosely,
    max_iter: int,
    tell: Callable[[int], None] | None,
    *,
    newton: bool,
    keep: Callable[[Callable[[], Optimum]], None],
    instead: Optimum | None,
    watch: Callable[[np.ndarray, np.ndarray], None],
) -> Optimum:
    """One stack, in the precision of its metric, from where it stands."""
    like = metric.mean
    xp = namespace(like)

    def evaluate(W: Array, b: Array, heads: np.ndarray) -> tuple[np.ndarray, Array, Array]:
        bias, reg = b if problem.intercept else None, problem.array(problem.heads.reg[heads])
        f, dW, db = objective_and_gradient(
            problem.X, problem.y, W, bias, problem.loss, reg, sample_weight=problem.weights_of(heads)
        )
        return to_numpy(f), dW, xp.zeros_like(b) if db is None else db

    def curvature(W: Array, b: Array, heads: np.ndarray) -> np.ndarray:
        return class_curvature(problem, W, b, heads)

    def hessian(W: Array, b: Array, head: int) -> np.ndarray:
        return whole_curvature(problem, metric.mean, W, b, head)

    iterates = Iterates(
        Oracle(evaluate, curvature, hessian if newton else None, len(problem.X)),
        metric,
        HeadProblem.of(
            problem.heads.reg,
            null_curvature(problem.loss, problem.heads.shares, problem.heads.null_bias),
            problem.heads.null_bias,
            problem.heads.null_objective,
        ),
        start,
        intercept=problem.intercept,
        goal=goal,
        max_iter=max_iter,
        tell=tell,
        keep=keep,
        instead=instead,
        watch=watch,
    )
    with quiet(like):
        return iterates.run()

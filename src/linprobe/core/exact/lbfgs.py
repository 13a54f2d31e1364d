"""L-BFGS for a stack of heads in step: every pass over the data evaluates one trial point of each head.

A step of full length is nearly always accepted with the metric as the first guess of the curvature, so the pass that
evaluates it also brings the gradient there, and nothing is kept of the scores: memory does not grow with the number of
examples. A head that must shorten its step tries again in the next pass, while the others go on; where the metric's
steps have been too long, the next are shorter (`Headway.share`).
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from linprobe.core.backend import Array, device_of, move, namespace, to_numpy
from linprobe.core.exact._pairs import Pairs
from linprobe.core.exact.gap import bounds, scale, shift_of
from linprobe.core.exact.line_search import LineSearch
from linprobe.core.exact.metric import Metric, turn
from linprobe.core.exact.newton import bias_step, damped_step, newton_passes
from linprobe.core.exact.optimum import EXPECTED, UNDERWAY, Loosely, Optimum
from linprobe.core.exact.state import ClassMetric, Direction, HeadProblem, Headway, Position, Reach, Settling
from linprobe.core.heads import inner, total

__all__ = ["Iterates", "Oracle"]

PATIENCE = 15  # accepted steps in a row with no lower gap and no lower objective before a head has stalled
SELDOM = 2  # times as many passes before Newton's steps in a search, most heads of which soon rest
EASED = 4  # by so much less a head is held back in Newton's steps after one that was not too long
SETTLED = 3e-5  # by so much may the bias differ from the best one for the weights, which the bound supposes
GIVE_UP = 4  # directions in a row along which nothing lower was found
# Times as many passes as at the last time, and the curvature in the classes is measured again: of heads on their way to
# a proof, and of those of a search.
REFRESH, REFRESH_LOOSELY = 1.5, 3


Hessian = Callable[[Array, Array, int], np.ndarray]


@dataclass(frozen=True, eq=False)
class Oracle:
    """What a descent asks of the data.

    evaluate(W, b, heads) -> objective (h,), dW (D, K, h) and db (K, h), both float64, of the penalised objective;
    curvature(W, b, heads) -> (K, K, h) float64, the mean curvature of each head's loss in a shift of all scores;
    hessian(W, b, head), if it can be had, the mean curvature in all that a single head is (D + 1, K, D + 1, K), the
    bias last and of features about their mean; rows: how many there are.
    """

    evaluate: Callable[[Array, Array, np.ndarray], tuple[np.ndarray, Array, Array]]
    curvature: Callable[[Array, Array, np.ndarray], np.ndarray]
    hessian: Hessian | None
    rows: int


class Iterates:
    """Heads on their way, those that are still at work: what is known of them is in frozen states, one of each kind.

    start: where each begins, and the passes that it has already made; instead: where those begin that are higher at
    their start than there; goal: the proven relative gap to reach, or where a search stops; keep: called after a pass,
    with what gives where all of them stand; watch: told after a pass which places made it, and their gaps relative to
    their scales.
    """

    def __init__(
        self,
        oracle: Oracle,
        metric: Metric,
        given: HeadProblem,
        start: Optimum,
        *,
        intercept: bool,
        goal: float | Loosely,
        max_iter: int,
        tell: Callable[[int], None] | None,
        keep: Callable[[Callable[[], Optimum]], None] | None = None,
        instead: Optimum | None = None,
        watch: Callable[[np.ndarray, np.ndarray], None] | None = None,
    ) -> None:
        self.keep, self.instead, self.watch = keep, instead, watch
        self.oracle, self.metric, self.highest = oracle, metric, metric.highest()
        self.intercept, self.goal, self.max_iter, self.tell = intercept, goal, max_iter, tell
        self.refresh = REFRESH_LOOSELY if isinstance(goal, Loosely) else REFRESH
        self.xp, self.device = namespace(metric.mean), device_of(metric.mean)
        self.noise = 2e-7 if metric.mean.dtype == self.xp.float32 else 1e-14
        self.given, self.landed = given, start
        self.classes = ClassMetric.begun(given, self.device)
        self.pairs = Pairs(self._like(self._array(start.W[:, :, :0])), len(given))
        self.progress, self.search = Headway.begun(given, start.iterations), LineSearch.begun(len(given))
        self.settling = Settling(np.zeros_like(given.null_bias), np.zeros(len(given), bool))
        self.reach = Reach(*np.full((2, len(given)), np.inf))

    def run(self) -> Optimum:
        """Descend until every head is certified, stalled or out of passes."""
        every, start = np.ones(len(self.given), bool), self.landed
        W, b = self._like(self._array(start.W)), self._array(start.b)
        self._measure(W, b, (start.iterations > 0) | np.asarray(start.W.any(axis=(0, 1))))
        self.at: Position = self._look(W, b)
        del W, b  # or they would be kept to the end
        self._look_back()
        self.towards = Direction.nowhere(self.at)
        aimless, stays, at_work, done = every, self._land(every), -1, 0
        while stays.any():
            self._narrow(stays)
            aimless = aimless[stays]
            self._aim(aimless)
            if isinstance(self.goal, Loosely):
                stays = self._rest(self.goal)
                if not stays.any():
                    break
                self._narrow(stays)
                aimless = aimless[stays]
            taken, aimless = self._step()
            stays = self._land(taken)
            if self.tell is not None:
                if at_work != stays.sum():
                    gone, at_work = ~np.isin(np.arange(len(every)), self.given.place[stays]), stays.sum()
                    done = int((gone & np.isin(self.landed.stopped, ("gap", *EXPECTED))).sum())
                self.tell(done)
            if self.keep is not None:
                self.keep(lambda stays=stays: self._standing(stays))
        landed = self.landed
        return replace(landed, W=np.ascontiguousarray(landed.W), b=np.ascontiguousarray(landed.b))

    def _standing(self, stays: np.ndarray) -> Optimum:
        """Where all heads stand between two passes, those that stay at work (h,) with nothing proven."""
        at, passes = self.at.take(stays), self.progress.passes[stays]
        unknown, stopped = np.full(len(passes), np.inf), np.full(len(passes), UNDERWAY)
        here = Optimum(to_numpy(at.W), to_numpy(at.b), at.objective, unknown, at.objective, passes, stopped)
        return self.landed.replaced(self.given.place[stays], here)

    def _step(self) -> tuple[np.ndarray, np.ndarray]:
        """One pass: every head tries a point, and takes it or shortens its step.

        -> those that have taken it (h,), and those that need a new direction (h,).
        """
        at, towards, search = self.at, self.towards, self.search
        step = self._array(search.length)
        now = self._look(at.W + towards.W * self._like(step), at.b + towards.b * step)
        slope = to_numpy(inner(towards.W, now.gradient) + total(towards.shift * now.bias_gradient))
        trial = (at.objective, towards.slope, now.objective, slope)
        taken = search.accepts(*trial, self.noise)
        lost = np.zeros_like(taken)
        if not taken.all():
            self.search, lost = search.shortened(~taken, *trial)
            if lost.any():
                # What was remembered misleads: these heads go on from the metric alone, measured again.
                self.pairs.forget(lost)
            # Of the others, nothing may stay of a point that was not taken, where numbers need not be finite.
            now, step = now.where(taken, at), self._array(np.where(taken, search.length, 0.0))
        # Of a step of the bias alone, so short, rounding is most of what it does to the gradient in the weights.
        change = now.gradient - at.gradient, now.bias_gradient - at.bias_gradient
        moved = towards.W * self._like(step), towards.shift * step
        self.pairs.add(moved, change, ~self.settling.unsettled)
        self.at, self.progress = now, self.progress.stepped(taken, lost, search.lowest(towards.slope, slope))
        return taken, taken | lost

    def _look(self, W: Array, b: Array) -> Position:
        """Evaluate these weights and biases."""
        objective, gradient, bias_gradient = self.oracle.evaluate(W, b, self.given.place)
        if self.intercept:
            gradient -= self.metric.mean[:, None, None] * bias_gradient
        else:
            bias_gradient = bias_gradient * 0
        return Position(W, b, objective, self._like(gradient), bias_gradient)

    def _look_back(self) -> None:
        """Begin elsewhere where that is lower."""
        if self.instead is None:
            return
        higher = ~(self.at.objective <= self.instead.objective)
        if higher.any():
            there = self._array(higher)
            W = self.xp.where(there, self._like(self._array(self.instead.W)), self.at.W)
            self.at = self._look(W, self.xp.where(there, self._array(self.instead.b), self.at.b))
            self.progress = replace(self.progress, passes=self.progress.passes + higher)
        self.instead = None

    def _land(self, taken: np.ndarray) -> np.ndarray:
        """Let heads that are done land; which had taken their step (h,) -> those that stay (h,)."""
        at, given = self.at, self.given
        gap, of_weights = bounds(at, self.classes, given.reg, self.highest)
        against = scale(at, given, gap, self.noise, self.metric.mean if self.intercept else None)
        self.reach = Reach(gap, against)
        if self.watch is not None:
            self.watch(given.place, gap / np.maximum(against, 1e-300))
        certified = np.zeros(len(gap), bool)
        if not isinstance(self.goal, Loosely):
            target = self.goal * against
            certified = gap <= target
            if self.intercept:
                certified = self._settle(certified, of_weights <= target)
        self.progress = self.progress.after(gap, at.objective, taken, self.noise)
        passes, waiting, restarts = self.progress.passes, self.progress.waiting, self.progress.restarts
        stalled = (waiting > PATIENCE) | (restarts > GIVE_UP) | ~np.isfinite(at.objective)
        lands = certified | stalled | (passes >= self.max_iter)
        self._put_down(lands, np.where(certified, "gap", np.where(stalled, "stalled", "max_iter")))
        return ~lands

    def _rest(self, goal: Loosely) -> np.ndarray:
        """Let heads land whose direction promises too little; -> those that stay (h,)."""
        made, reach = self.progress.passes - self.progress.before, self.reach
        enough = (made >= goal.least) & ((made >= goal.many) | (reach.gap <= goal.close * reach.scale))
        lands = enough & (-self.towards.slope / 2 <= goal.share * reach.scale)
        self._put_down(lands, np.full(len(lands), goal.name))
        return ~lands

    def _put_down(self, lands: np.ndarray, stopped: np.ndarray) -> None:
        """Heads (h,) that are done, and why."""
        if lands.any():
            at, reach = self.at, self.reach
            ended = Optimum(at.W, at.b, at.objective, reach.gap, reach.scale, self.progress.passes, stopped).take(lands)
            ended = replace(ended, W=to_numpy(ended.W), b=to_numpy(ended.b))
            self.landed = self.landed.replaced(self.given.place[lands], ended)

    def _settle(self, certified: np.ndarray, near: np.ndarray) -> np.ndarray:
        """Which of the certified heads (h,) have all but the best bias, too; near (h,): for which it matters."""
        step, places = self.settling.step.copy(), np.flatnonzero(near)
        curvatures = self._curvatures(self.at.W, self.at.b, places)
        for i, curvature in zip(places, np.moveaxis(curvatures, -1, 0), strict=True):
            step[:, i] = bias_step(curvature, to_numpy(self.at.bias_gradient[:, int(i)]), self.device)
        certified = certified & (np.abs(step).max(axis=0) <= SETTLED)
        self.settling = Settling(step, near & ~certified)
        return certified

    def _narrow(self, stays: np.ndarray) -> None:
        """Go on with the heads that stay (h,)."""
        if stays.all():
            return
        self.pairs.narrow(stays)
        self.at, self.towards = self.at.take(stays), self.towards.take(stays)
        self.given, self.classes = self.given.take(stays), self.classes.take(stays)
        self.search, self.progress = self.search.take(stays), self.progress.take(stays)
        self.settling, self.reach = self.settling.take(stays), self.reach.take(stays)

    def _aim(self, aimless: np.ndarray) -> None:
        """A new direction for these heads (h,); the others keep theirs."""
        at, progress = self.at, self.progress
        made = progress.passes - progress.before
        due = aimless & (made >= self.refresh * (progress.refreshed - progress.before))
        self._measure(at.W, at.b, due)
        self.progress = replace(progress, refreshed=np.where(due, progress.passes, progress.refreshed))
        dW, shift = self._direction()
        if self.oracle.hessian is not None:
            self._newton(self.oracle.hessian, aimless, dW, shift)
        # Only the bias is left to settle.
        for i in np.flatnonzero(aimless & self.settling.unsettled):
            dW[..., int(i)] = 0
            shift[:, int(i)] = self._array(self.settling.step[:, i])
        slope = to_numpy(inner(dW, at.gradient) + total(shift * at.bias_gradient))
        # What the weights do to the mean of the scores, the bias takes back.
        db = shift - shift_of(dW, self.metric.mean) if self.intercept else shift
        self.towards = Direction(dW, db, shift, slope).where(aimless, self.towards)
        self.search = LineSearch.begun(len(aimless)).where(aimless, self.search)

    def _direction(self) -> tuple[Array, Array]:
        """Minus the inverse curvature times the gradient, (D, K, h) and (K, h)."""
        axes, stiffness, reg, share = (
            self._array(part)
            for part in (self.classes.axes, self.classes.stiffness, self.given.reg, self.progress.share)
        )

        def metric(q: Array, p: Array) -> tuple[Array, Array]:
            of_weights = self.metric.inverse(q, self._like(axes), self._like(stiffness), self._like(reg))
            of_shift = turn(turn(p[None], axes) / stiffness, axes, back=True)[0]
            return of_weights * self._like(share), of_shift * share

        dW, shift = self.pairs.solve(self.at.gradient, self.at.bias_gradient, metric)
        return -dW, -shift

    def _newton(self, hessian: Hessian, aimless: np.ndarray, dW: Array, shift: Array) -> None:
        """Newton's steps, in the places of a direction (D, K, h) and (K, h), of heads that have made passes enough."""
        at, progress, reg = self.at, self.progress, self.given.reg
        after = newton_passes(self.oracle.rows, (dW.shape[0] + 1) * dW.shape[1], len(aimless))
        near = aimless & (progress.passes >= (SELDOM * after if isinstance(self.goal, Loosely) else after))
        # Levenberg and Marquardt's damping: where the penalty alone holds a step back, far too long a one may follow;
        # the next is held back as much as would have made the last one right.
        by = np.where(self.search.length < 1, self.search.length, EASED)
        damping = np.where(near, np.maximum(progress.damping / by, 2 * reg), progress.damping)
        self.progress = replace(progress, damping=damping)
        for i in map(int, np.flatnonzero(near)):
            slope = [to_numpy(at.gradient[..., i]), to_numpy(at.bias_gradient[None, :, i])]
            step = damped_step(
                hessian(at.W[..., i], at.b[..., i], int(self.given.place[i])),
                np.concatenate(slope).astype(np.float64),
                float(damping[i]),
                intercept=self.intercept,
            )
            if step is not None:
                dW[..., i], shift[:, i] = self._array(step[:-1]), self._array(step[-1])

    def _measure(self, W: Array, b: Array, due: np.ndarray) -> None:
        """Measure anew, for the metric, the curvature of heads (h,) where they stand: of those alike, of the first."""
        if due.any():
            places = np.flatnonzero(due)
            _, first, group = np.unique(self.given.alike[places], return_index=True, return_inverse=True)
            groups = [places[group == number] for number in range(len(first))]
            self.classes = self.classes.measured(groups, self._curvatures(W, b, places[first]), self.given, self.device)

    def _curvatures(self, W: Array, b: Array, heads: np.ndarray) -> np.ndarray:
        """The curvature (K, K, p) of the loss of some heads (p,)."""
        if not len(heads):
            return np.zeros((len(b), *b.shape[:1], 0))
        at = move(heads, self.device)
        return self.oracle.curvature(W[..., at], b[..., at], self.given.place[heads])

    def _like(self, array: Array) -> Array:
        """The same in the type of the products."""
        return self.xp.astype(array, self.metric.mean.dtype)

    def _array(self, values: np.ndarray) -> Array:
        return move(np.ascontiguousarray(values), self.device)

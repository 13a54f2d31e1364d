"""L-BFGS for a stack of heads in step: every pass over the data evaluates one trial point of each head.

A step of full length is nearly always accepted with the metric as the first guess of the curvature, so the pass that
evaluates it also brings the gradient there, and nothing is kept of the scores: memory does not grow with the number of
examples. A head that must shorten its step tries again in the next pass, while the others go on.
"""

from collections.abc import Callable, Iterator

import numpy as np
from scipy import linalg

from linprobe.core.backend import Array, device_of, move, namespace, product, to_numpy
from linprobe.core.exact.line_search import LineSearch
from linprobe.core.exact.metric import Metric, turn
from linprobe.core.exact.newton import bias_step, damped_step
from linprobe.core.exact.optimum import Optimum

PAIRS = 10  # steps remembered; 20 and 40 took no fewer passes on CIFAR-10
PATIENCE = 15  # accepted steps in a row with no lower gap and no lower objective before a head has stalled
# Passes before Newton's steps: more for more unknowns, whose second derivative costs as much as so many passes.
NEWTON, NEWTON_UNKNOWNS = 30, 8
EASED = 4  # by so much less a head is held back in Newton's steps after one that was not too long
SETTLED = 3e-5  # by so much may the bias differ from the best one for the weights, which the bound supposes
NOTHING = 1e-13  # of the objective: where there is less to gain, rounding hides it
PRIOR = 1e-2  # of the curvature at the start that stays in what is measured later
GIVE_UP = 4  # directions in a row along which nothing lower was found
REFRESH = 1.5  # times as many passes as at the last time, and the curvature in the classes is measured again

Evaluate = Callable[[Array, Array, np.ndarray], tuple[np.ndarray, Array, Array]]
Curvature = Callable[[Array, Array, np.ndarray], np.ndarray]
Hessian = Callable[[Array, Array, int], np.ndarray]


class Descent:
    """The state of the heads that are still at work.

    evaluate(W, b, heads) -> objective (h,), dW (D, K, h) and db (K, h), both float64, of the penalised objective;
    curvature(W, b, heads) -> (K, K, h) float64, the mean curvature of each head's loss in a shift of all scores; start
    (K, K, H), the same at the start; null, the bias (K, H) and the objective (H,) of the null model; hessian(W, b,
    head), if it can be had, the mean curvature in all that a single head is (D + 1, K, D + 1, K), the bias last and of
    features about their mean; passes (H,), already made.
    """

    def __init__(
        self,
        evaluate: Evaluate,
        curvature: Curvature,
        metric: Metric,
        *,
        reg: np.ndarray,
        start: np.ndarray,
        null: tuple[np.ndarray, np.ndarray],
        hessian: Hessian | None,
        W: Array,
        b: Array | None,
        tol: float,
        max_iter: int,
        passes: np.ndarray,
        progress: Callable[[int, int], None] | None,
    ) -> None:
        self.evaluate, self.curvature, self.metric = evaluate, curvature, metric
        self.tol, self.max_iter, self.progress = tol, max_iter, progress
        self.intercept, self.hessian = b is not None, hessian
        xp = self.xp = namespace(W)
        self.device = device_of(W)
        self.W = W
        self.b = xp.zeros(W.shape[1:], dtype=xp.float64, device=W.device) if b is None else b
        h = W.shape[2]
        self.reg, self.highest = reg, metric.highest()
        self.start, (self.null_bias, self.null_objective) = start, null
        self.axes, self.stiffness = np.empty_like(start), np.empty(start.shape[1:])
        self.refreshed = passes + 2
        self.heads = np.arange(h)  # which of the stack are still here
        for head in range(h):
            self._take(head, start[..., head])
        self._measure(np.flatnonzero(passes > 0))
        self.noise = 2e-7 if W.dtype == xp.float32 else 1e-14
        self.landed: dict[int, tuple[np.ndarray, np.ndarray, float, float, float, int, str]] = {}
        self.pairs: list[tuple[Array, ...]] = []
        self.passes, self.best, self.best_objective = passes.copy(), np.full(h, np.inf), np.full(h, np.inf)
        self.waiting, self.restarts = np.zeros(h, int), np.zeros(h, int)
        self.damping = 2 * reg
        self.unsettled, self.bias_step = np.zeros(h, bool), np.zeros(start.shape[1:])
        self.dW, self.db, self.shift, self.slope = W * 0, self.b * 0, self.b * 0, np.zeros(h)
        self.search = LineSearch(h)

    def run(self) -> Optimum:
        """Descend until every head is certified, stalled or out of passes."""
        total = len(self.heads)
        self.f, self.g, self.r = self._look(self.W, self.b)
        self._land(np.ones(len(self.heads), bool))
        if len(self.heads):
            self._aim(np.ones(len(self.heads), bool))
        while len(self.heads):
            self._step()
            if self.progress is not None:
                self.progress(total - len(self.heads), total)
        parts = [self.landed[index] for index in range(total)]
        W, b = (np.stack([part[i] for part in parts], axis=-1) for i in (0, 1))
        return Optimum(W, b, *(np.array([part[i] for part in parts]) for i in range(2, 7)))

    def _step(self) -> None:
        """One pass: every head tries its point, and takes it or shortens its step."""
        step = self._array(self.search.length)
        W, b = self.W + self.dW * self.xp.astype(step, self.W.dtype), self.b + self.db * step
        f, g, r = self._look(W, b)
        self.passes += 1
        slope = to_numpy(_dot(self.dW, g) + _sum(self.shift * r))
        taken = self.search.accepts(self.f, self.slope, f, slope, self.noise)
        aimless = taken
        if not taken.all():
            lost = self.search.shorten(~taken, self.f, self.slope, f, slope)
            aimless = taken | lost
            if lost.any():
                # What was remembered misleads: these heads go on from the metric alone, measured again.
                self.restarts += lost
                self.refreshed = np.where(lost, 0, self.refreshed)
                forget = self._array(~lost)
                self.pairs = [(*pair[:4], pair[4] * forget) for pair in self.pairs]
            # Of the others, nothing may stay of a point that was not taken, where numbers need not be finite.
            which, where = self._array(taken), self.xp.where
            W, b = where(which, W, self.W), where(which, b, self.b)
            g, r = where(which, g, self.g), where(which, r, self.r)
            f = np.where(taken, f, self.f)
            step = where(which, step, 0.0)
        self.restarts = np.where(taken, 0, self.restarts)
        # Of a step of the bias alone, so short, rounding is most of what it does to the gradient in the weights.
        self._remember(
            *(self.dW * self.xp.astype(step, self.W.dtype), self.shift * step, g - self.g, r - self.r),
            keep=~self.unsettled,
        )
        self.W, self.b, self.f, self.g, self.r = W, b, f, g, r
        del W, b, g, r
        stays = self._land(taken)
        if len(self.heads):
            self._aim(aimless[stays])

    def _look(self, W: Array, b: Array) -> tuple[np.ndarray, Array, Array]:
        """Objective (h,), gradient in W for scores that hold the mean fixed (D, K, h), and in the bias (K, h)."""
        f, dW, r = self.evaluate(W, b, self.heads)
        if self.intercept:
            dW -= self.metric.mean[:, None, None] * r
        else:
            r = r * 0
        return f, self.xp.astype(dW, self.W.dtype), r

    def _land(self, taken: np.ndarray) -> np.ndarray:
        """Let heads that are done leave; which of the others had taken their step -> those that stay (h,)."""
        small = to_numpy(_sum(self.xp.astype(self.g, self.xp.float64) ** 2)) / (4 * self.reg)
        gain, drift = self._gap_of_bias()
        gap = (small**0.5 + drift**0.5) ** 2 + gain
        scale = self._scale(gap)
        target = self.tol * scale
        certified = gap <= target
        if self.intercept:
            near = np.flatnonzero(small <= target)
            for i, curvature in zip(near, self._curvatures(near), strict=True):
                self.bias_step[:, i] = bias_step(curvature, to_numpy(self.r[:, int(i)]))
            certified &= np.abs(self.bias_step).max(axis=0) <= SETTLED
            self.unsettled = (small <= target) & ~certified
        lower = (gap < 0.9 * self.best) | (self.f < self.best_objective - 10 * self.noise * np.abs(self.f))
        self.waiting = np.where(lower, 0, self.waiting + taken)
        self.best = np.minimum(self.best, gap)
        self.best_objective = np.minimum(self.best_objective, self.f)
        stalled = (self.waiting > PATIENCE) | (self.restarts > GIVE_UP) | ~np.isfinite(self.f)
        stopped = np.where(certified, "gap", np.where(stalled, "stalled", "max_iter"))
        leaves = certified | stalled | (self.passes >= self.max_iter)
        for i in np.flatnonzero(leaves):
            W, b = (to_numpy(part[..., int(i)]).copy() for part in (self.W, self.b))
            self.landed[int(self.heads[i])] = (
                *(W, b, float(self.f[i]), float(gap[i]), float(scale[i]), int(self.passes[i]), str(stopped[i])),
            )
        stays = ~leaves
        if leaves.any() and stays.any():
            self._keep(stays)
        self.heads = self.heads[stays]
        return stays

    def _scale(self, gap: np.ndarray) -> np.ndarray:
        """What the gaps (h,) are measured against: the objective, or what there is to gain over no weights, if less.

        A strong penalty leaves so little to gain that no weights at all are near the lowest objective.
        """
        # Gained so far, by the objectives, and at least what strong convexity says, which cancels nothing.
        gained = self.null_objective - self.f - self.noise * np.abs(self.f)
        slope, square = _dot(self.W, self.g), _dot(self.W, self.W)
        if self.intercept:
            slope += _sum((self._shift_of(self.W) + self.b - self._array(self.null_bias)) * self.r)
        convex = self.reg * to_numpy(square) - to_numpy(slope)
        lead = gap + np.maximum(np.maximum(gained, convex), 0)
        return np.minimum(np.abs(self.f), np.maximum(lead, NOTHING * np.abs(self.f)))

    def _gap_of_bias(self) -> tuple[np.ndarray, np.ndarray]:
        """What solving for the bias, which the bound supposes, gains (h,), and what it could add to the gap (h,)."""
        # Its last step s gains rᵀs and changes the gradient by the mixed curvature times s, the square of which is at
        # most the highest curvature in the weights times rᵀs, because the curvature as a whole is not negative.
        turned = np.einsum("kjh,kh->jh", self.axes, to_numpy(self.r))
        gain = (turned**2 / self.stiffness).sum(axis=0)
        return gain, gain * self.highest * self.stiffness.max(axis=0) / (4 * self.reg)

    def _curvatures(self, places: np.ndarray) -> Iterator[np.ndarray]:
        """The curvature (K, K) of the loss of each head at these places (p,), measured where they stand."""
        if len(places):
            chosen = move(places, self.device)
            found = self.curvature(self.W[..., chosen], self.b[..., chosen], self.heads[places])
            yield from np.moveaxis(found, -1, 0)

    def _measure(self, places: np.ndarray) -> None:
        """Measure anew, for the metric, the curvature of the heads at these places (p,)."""
        for i, curvature in zip(places, self._curvatures(places), strict=True):
            self._take(int(i), curvature)

    def _take(self, i: int, curvature: np.ndarray) -> None:
        """Take the curvature (K, K) of a head's loss in the scores for its metric: axes, and stiffness along them."""
        # A shift of all classes changes nothing; nor, where and when it was measured, may some other: it may later.
        curvature = curvature + PRIOR * self.start[..., i]
        mean = max(float(np.trace(curvature)) / len(curvature), 1e-300)
        sound = curvature + mean * (1 / len(curvature) + 1e-6 * np.eye(len(curvature)))
        stiffness, self.axes[..., i] = linalg.eigh(sound, driver="evd")
        self.stiffness[:, i] = np.maximum(stiffness, 1e-7 * mean)

    def _keep(self, stays: np.ndarray) -> None:
        """Narrow everything to the heads that stay."""
        xp, chosen = self.xp, move(np.flatnonzero(stays), self.device)

        def narrow(array: Array) -> Array:
            return xp.asarray(array[..., chosen], copy=True)

        for name in ("W", "b", "g", "r", "dW", "db", "shift"):
            setattr(self, name, narrow(getattr(self, name)))
        self.pairs = [tuple(narrow(part) for part in pair) for pair in self.pairs]
        for name in HOST_STATE:
            setattr(self, name, getattr(self, name)[..., stays])
        self.search.keep(stays)

    def _remember(self, sW: Array, sb: Array, yW: Array, yb: Array, keep: np.ndarray) -> None:
        """Keep a step and what it did to the gradient; keep (h,): of which heads."""
        curvature = _dot(sW, yW) + _sum(sb * yb)
        sound = (curvature > 1e-300) & self._array(keep)
        inverse = self.xp.where(sound, 1 / self.xp.where(sound, curvature, 1.0), 0.0)
        self.pairs.append((sW, sb, yW, yb, inverse))
        del self.pairs[:-PAIRS]

    def _aim(self, taken: np.ndarray) -> None:
        """A new direction for heads (h,) that have taken their step; the others keep theirs."""
        xp = self.xp
        due = taken & (self.passes >= REFRESH * self.refreshed)
        self._measure(np.flatnonzero(due))
        self.refreshed = np.where(due, self.passes, self.refreshed)
        dW, shift = self._direction()
        if self.hessian is not None:
            start = max(NEWTON, (dW.shape[0] + 1) * dW.shape[1] // NEWTON_UNKNOWNS)
            near = taken & (self.passes >= start)
            # Levenberg and Marquardt's damping: where the penalty alone holds a step back, far too long a one may
            # follow; the next is held back as much as would have made the last one right.
            by = np.where(self.search.length < 1, self.search.length, EASED)
            self.damping = np.where(near, np.maximum(self.damping / by, 2 * self.reg), self.damping)
            for i in np.flatnonzero(near):
                if (step := self._newton(int(i), self.hessian)) is not None:
                    dW[..., int(i)], shift[:, int(i)] = self._array(step[:-1]), self._array(step[-1])
        # Only the bias is left to settle.
        for i in np.flatnonzero(taken & self.unsettled):
            dW[..., int(i)] = 0
            shift[:, int(i)] = self._array(self.bias_step[:, i])
        slope = to_numpy(_dot(dW, self.g) + _sum(shift * self.r))
        # What the weights do to the mean of the scores, the bias takes back.
        db = shift
        if self.intercept:
            db = shift - self._shift_of(dW)
        if not taken.all():
            which = self._array(taken)
            dW, db, shift = (
                xp.where(which, new, old) for new, old in ((dW, self.dW), (db, self.db), (shift, self.shift))
            )
        self.dW, self.db, self.shift = dW, db, shift
        self.slope = np.where(taken, slope, self.slope)
        self.search.restart(taken)

    def _shift_of(self, W: Array) -> Array:
        """What weights (D, K, h) do to the scores of the mean example (K, h)."""
        moved = self.xp.empty((1, W.shape[1] * W.shape[2]), dtype=W.dtype, device=W.device)
        product(self.metric.mean[None, :], W.reshape(len(W), -1), moved)
        return moved.reshape(W.shape[1:])

    def _direction(self) -> tuple[Array, Array]:
        """The two loops of L-BFGS: minus the inverse curvature times the gradient, (D, K, h) and (K, h)."""
        xp = self.xp
        q, p = xp.asarray(self.g, copy=True), xp.asarray(self.r, copy=True)
        used = []
        for sW, sb, yW, yb, inverse in reversed(self.pairs):
            a = inverse * (_dot(sW, q) + _sum(sb * p))
            q -= yW * xp.astype(a, q.dtype)
            p -= yb * a
            used.append(a)
        axes, stiffness = self._array(self.axes), self._array(self.stiffness)
        q = self.metric.inverse(q, *(xp.astype(part, q.dtype) for part in (axes, stiffness, self._array(self.reg))))
        p = turn(turn(p[None], axes) / stiffness, axes, back=True)[0]
        for (sW, sb, yW, yb, inverse), a in zip(self.pairs, reversed(used), strict=True):
            c = a - inverse * (_dot(yW, q) + _sum(yb * p))
            q += sW * xp.astype(c, q.dtype)
            p += sb * c
        return -q, -p

    def _newton(self, i: int, curvature: Hessian) -> np.ndarray | None:
        """Newton's step of a head (D + 1, K), the bias last, or None."""
        hessian = curvature(self.W[..., i], self.b[..., i], int(self.heads[i]))
        gradient = np.concatenate([to_numpy(self.g[..., i]), to_numpy(self.r[None, :, i])]).astype(np.float64)
        return damped_step(hessian, gradient, float(self.damping[i]), intercept=self.intercept)

    def _array(self, values: np.ndarray) -> Array:
        return move(np.ascontiguousarray(values), self.device)


HOST_STATE = (
    *("reg", "damping", "start", "null_bias", "null_objective", "axes", "stiffness", "refreshed", "passes", "best"),
    *("best_objective", "waiting", "restarts", "unsettled", "bias_step", "f", "slope"),
)


def _dot(A: Array, B: Array) -> Array:
    """Inner product of each head: (D, K, h), (D, K, h) -> (h,) float64."""
    return _sum(A * B)


def _sum(array: Array) -> Array:
    """Sum over all but the heads, in float64: (..., h) -> (h,)."""
    xp = namespace(array)
    return xp.sum(array.reshape(-1, array.shape[-1]), axis=0, dtype=xp.float64)

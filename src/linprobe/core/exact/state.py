"""What a descent knows of the heads that are still at work, and what follows from it alone."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b
from itertools import takewhile
from typing import Self

import numpy as np

from linprobe.core.backend import Array, move, namespace, principal_axes, to_numpy
from linprobe.core.heads import OfHeads

__all__ = ["ClassMetric", "Direction", "HeadProblem", "Headway", "Position", "Reach", "Settling", "class_axes"]

PRIOR = 1e-2  # of the curvature at the start that stays in what is measured later
DEVICE_CLASSES = 256
# Where the lowest point is nearer than this part of a full step, the metric's steps become as much shorter, but to no
# less than LEAST of it; where it lies beyond the end they grow again, to LONGER times as much at the most.
NEARER, LEAST, LONGER = 0.6, 0.3, 1.5
NEAR = 0.25  # by so much may penalties and null models of heads differ whose curvature is measured once for all


@dataclass(frozen=True, eq=False)
class HeadProblem(OfHeads):
    """What heads are given: place (h,) in the stack; reg (h,); the mean curvature of the loss in a shift of all scores
    at the start (K, K, h), float64; bias (K, h) and objective (h,) of the null model; alike (h,), numbers that are the
    same for heads with nearly the same penalty and null model, as folds have, whose curvature is measured once.
    """

    place: np.ndarray
    reg: np.ndarray
    curvature: np.ndarray
    null_bias: np.ndarray
    null_objective: np.ndarray
    alike: np.ndarray

    @classmethod
    def of(cls, reg: np.ndarray, curvature: np.ndarray, null_bias: np.ndarray, null_objective: np.ndarray) -> Self:
        """All heads of a stack."""
        alike = _alike(reg, curvature)
        return cls(np.arange(len(reg)), reg, curvature, null_bias, null_objective, alike)


@dataclass(frozen=True, eq=False)
class Position(OfHeads):
    """Where heads stand: W (D, K, h), b (K, h), the objective (h,), its gradient in W for scores that hold the mean
    example's fixed (D, K, h), and in the bias (K, h).
    """

    W: Array
    b: Array
    objective: np.ndarray
    gradient: Array
    bias_gradient: Array


@dataclass(frozen=True, eq=False)
class Direction(OfHeads):
    """Where heads go: a change of W (D, K, h) and of b (K, h), by which the scores of the mean example change by shift
    (K, h), and the objective's slope along it (h,).
    """

    W: Array
    b: Array
    shift: Array
    slope: np.ndarray

    @classmethod
    def nowhere(cls, at: Position) -> "Direction":
        """Of heads that have not aimed yet."""
        xp = namespace(at.W)
        return cls(xp.zeros_like(at.W), xp.zeros_like(at.b), xp.zeros_like(at.b), np.zeros(len(at)))


@dataclass(frozen=True, eq=False)
class ClassMetric(OfHeads):
    """Curvature of losses in the scores, for the metric: axes (K, K, h), columns, and stiffness along them (K, h)."""

    axes: np.ndarray
    stiffness: np.ndarray

    @classmethod
    def begun(cls, given: HeadProblem, device: str = "numpy") -> "ClassMetric":
        """That at the start; device: where the axes of many classes are found."""
        start = given.curvature
        groups: dict[bytes, list[int]] = {}
        for head in range(len(given)):  # heads on the same examples have the same
            groups.setdefault(blake2b(start[..., head].tobytes()).digest(), []).append(head)
        firsts = [group[0] for group in groups.values()]
        empty = cls(np.empty_like(start), np.empty(start.shape[1:]))
        return empty.measured([np.array(group) for group in groups.values()], start[..., firsts], given, device)

    def measured(
        self, groups: Sequence[np.ndarray], curvature: np.ndarray, given: HeadProblem, device: str = "numpy"
    ) -> "ClassMetric":
        """With the curvature (K, K, p) that was measured of some groups (p,) of heads, numbers or masks of each.

        device: where the axes of many classes are found.
        """
        axes, stiffness = self.axes.copy(order="K"), self.stiffness.copy(order="K")
        for group, found in zip(groups, np.moveaxis(curvature, -1, 0), strict=True):
            # A shift of all classes changes nothing; nor, where and when it was measured, may some other: it may later.
            bent = found + PRIOR * given.curvature[..., group][..., 0]
            mean = max(float(np.trace(bent)) / len(bent), 1e-300)
            sound = bent + mean * (1 / len(bent) + 1e-6 * np.eye(len(bent)))
            along, turned = class_axes(sound, device)
            axes[..., group], stiffness[:, group] = turned[..., None], np.maximum(along, 1e-7 * mean)[:, None]
        return ClassMetric(axes, stiffness)


def class_axes(curvature: np.ndarray, device: str) -> tuple[np.ndarray, np.ndarray]:
    """Eigenvalues (K,), ascending, and eigenvectors (K, K) of a curvature over the classes, overwritten.

    Of few classes here: a device would take longer to answer than they take.
    """
    place = device if len(curvature) >= DEVICE_CLASSES else "numpy"
    along, axes = principal_axes(move(curvature, place))
    return to_numpy(along), to_numpy(axes)


def _alike(reg: np.ndarray, curvature: np.ndarray) -> np.ndarray:
    """For each head (h,) the first of those that differ little: reg (h,), curvature (K, K, h)."""
    found, firsts = np.empty(len(reg), int), list[int]()
    spread = np.sqrt(np.maximum(np.einsum("kkh->kh", curvature), 0))

    def differ_little(head: int, first: int) -> bool:
        # Entry by entry: where one head lacks a class that is rare, all else may be nearly the same.
        apart = np.abs(curvature[..., head] - curvature[..., first])
        return bool((apart <= NEAR * np.outer(spread[:, first], spread[:, first])).all())

    for head in np.argsort(reg, kind="stable").tolist():
        near = takewhile(lambda first, head=head: reg[head] - reg[first] <= NEAR * reg[first], reversed(firsts))
        found[head] = next((first for first in near if differ_little(head, first)), head)
        if found[head] == head:
            firsts.append(head)
    return found


@dataclass(frozen=True, eq=False)
class Reach(OfHeads):
    """How far heads may be from the optimum, by the bound (h,), and the scale that it is measured against (h,)."""

    gap: np.ndarray
    scale: np.ndarray


@dataclass(frozen=True, eq=False)
class Settling(OfHeads):
    """What the bias lacks where the weights are held: step (K, h), and unsettled (h,), whether that is all there is."""

    step: np.ndarray
    unsettled: np.ndarray


@dataclass(frozen=True, eq=False)
class Headway(OfHeads):
    """How heads come along (h,): passes made; the lowest gap and objective so far; waiting, accepted steps in a row
    with neither lower; restarts, directions in a row along which nothing lower was found; refreshed, the passes when
    the curvature in the classes was measured; damping of Newton's steps; before, passes made before this descent;
    share, of the steps that the metric promises: 1, or less where they have been too long.
    """

    passes: np.ndarray
    gap: np.ndarray
    objective: np.ndarray
    waiting: np.ndarray
    restarts: np.ndarray
    refreshed: np.ndarray
    damping: np.ndarray
    before: np.ndarray
    share: np.ndarray

    @classmethod
    def begun(cls, given: HeadProblem, passes: np.ndarray) -> "Headway":
        """At the start of a descent, with passes (h,) that were made before."""
        unknown, none = np.full(len(given), np.inf), np.zeros(len(given), int)
        return cls(
            passes=passes,
            gap=unknown,
            objective=unknown,
            waiting=none,
            restarts=none,
            refreshed=passes + 2,
            damping=2 * given.reg,
            before=passes,
            share=np.ones(len(given)),
        )

    def after(self, gap: np.ndarray, objective: np.ndarray, taken: np.ndarray, noise: float) -> "Headway":
        """With the gap and the objective (h,) that a pass brought, where steps were taken (h,)."""
        lower = (gap < 0.9 * self.gap) | (objective < self.objective - 10 * noise * np.abs(objective))
        return replace(
            self,
            gap=np.minimum(self.gap, gap),
            objective=np.minimum(self.objective, objective),
            waiting=np.where(lower, 0, self.waiting + taken),
        )

    def stepped(self, taken: np.ndarray, lost: np.ndarray, lowest: np.ndarray) -> "Headway":
        """With one more pass: heads that have taken their step, and those that have tried too often (h,).

        lowest (h,): where along the directions the lowest points were, in full lengths. Where the curvature is higher
        than the metric has it, a full step is rejected time after time, and costs a pass.
        """
        longer = np.minimum(1.0, self.share * np.clip(lowest, 1.0, LONGER))
        share = np.where(lowest < NEARER, self.share * np.maximum(lowest, LEAST), longer)
        return replace(
            self,
            share=np.where(taken & (lowest > 0), share, self.share),
            passes=self.passes + 1,
            restarts=np.where(taken, 0, self.restarts + lost),
            refreshed=np.where(lost, 0, self.refreshed),
        )

"""What a descent knows of its heads: how it comes along, which pairs count, and what narrowing it takes."""

import tracemalloc

import numpy as np

from linprobe.core.exact.lbfgs import PAIRS, Iterates, Oracle
from linprobe.core.exact.metric import fit_metric
from linprobe.core.exact.null import null_curvature
from linprobe.core.exact.problem import pose
from linprobe.core.exact.state import Direction, HeadProblem, Headway, Pair, Position


def given(reg) -> HeadProblem:
    h = len(reg)
    return HeadProblem.of(np.array(reg), np.zeros((2, 2, h)), np.zeros((2, h)), np.ones(h))


def test_a_head_waits_while_accepted_steps_bring_neither_gap_nor_objective_down():
    progress = Headway.begun(given([1.0] * 4), np.zeros(4, int))
    assert progress.damping.tolist() == [2.0] * 4
    first, all_of_them = np.ones(4), np.ones(4, bool)
    progress = progress.after(first, first, all_of_them, 1e-3)
    assert progress.waiting.tolist() == [0, 0, 0, 0]
    taken = np.array([True, True, True, False])
    # Lower by a tenth and more; lower by rounding alone; the objective lower by more than ten times that.
    later = progress.after(np.array([0.89, 0.91, 1.0, 2.0]), np.array([1.0, 0.991, 0.989, 2.0]), taken, 1e-3)
    assert later.waiting.tolist() == [0, 1, 0, 0]
    assert later.gap.tolist() == [0.89, 0.91, 1.0, 1.0]
    assert later.objective.tolist() == [1.0, 0.991, 0.989, 1.0]
    assert later.after(first, first, taken, 1e-3).waiting.tolist() == [1, 2, 1, 0]


def test_a_head_that_lost_its_way_is_measured_again_and_counted_until_it_takes_a_step():
    progress = Headway.begun(given([1.0] * 3), np.array([0, 3, 3]))
    assert progress.refreshed.tolist() == [2, 5, 5]
    nobody, lost = np.zeros(3, bool), np.array([False, True, True])
    progress = progress.stepped(nobody, lost).stepped(nobody, lost)
    assert progress.passes.tolist() == [2, 5, 5]
    assert (progress.restarts.tolist(), progress.refreshed.tolist()) == ([0, 2, 2], [2, 0, 0])
    assert progress.stepped(lost & [True, True, False], nobody).restarts.tolist() == [0, 0, 2]


def test_a_pair_counts_for_heads_along_whose_step_the_objective_bends():
    W, change, still = np.ones((3, 2, 3)), np.ones((3, 2, 3)), np.zeros((2, 3))
    change[..., 1] = -1
    pair = Pair.of(W, still + 1, change, still + 2, np.array([True, True, False]))
    assert pair.inverse.tolist() == [1 / 10, 0, 0]


def test_narrowing_never_holds_two_of_everything():
    D, K, h = 200, 4, 25
    problem = pose(np.eye(D), np.arange(D) % K, np.ones(h), "softmax", K, None, True, "numpy")
    curvature = null_curvature(problem.loss, problem.heads.shares, problem.heads.null_bias)
    descent = Iterates(
        Oracle(lambda W, b, _: (np.ones(W.shape[-1]), W * 0, b * 0), lambda *_: curvature, None),
        fit_metric(problem.X, np.zeros(0)),
        HeadProblem.of(problem.heads.reg, curvature, problem.heads.null_bias, problem.heads.null_objective),
        problem.start("float64"),
        intercept=True,
        goal=1e-6,
        max_iter=10,
        tell=None,
    )
    b = np.zeros((K, h))
    tracemalloc.start()
    W = (np.ones((D, K, h)) for _ in range(2 * PAIRS + 3))
    descent.at = Position(next(W), b, np.ones(h), next(W), b)
    descent.towards = Direction(next(W), b, b, np.ones(h))
    descent.pairs.extend(Pair(next(W), b, next(W), b, np.ones(h)) for _ in range(PAIRS))
    whole = tracemalloc.get_traced_memory()[0]
    descent._narrow(np.arange(h) != 3)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert [len(state) for state in (*descent.pairs, descent.at, descent.towards)] == [h - 1] * (PAIRS + 2)
    assert whole > (2 * PAIRS + 3) * D * K * h * 8
    assert peak < 1.15 * whole  # a pair more at the most

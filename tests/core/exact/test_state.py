"""What a descent knows of its heads: how it comes along, which pairs count, and what narrowing it takes."""

import tracemalloc

import numpy as np
import pytest

from linprobe.core.backend import move, to_numpy
from linprobe.core.exact._pairs import PAIRS, Pairs
from linprobe.core.exact.lbfgs import Iterates, Oracle
from linprobe.core.exact.metric import fit_metric
from linprobe.core.exact.null import null_curvature
from linprobe.core.exact.problem import pose
from linprobe.core.exact.state import Direction, HeadProblem, Headway, Position


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
    nobody, lost, full = np.zeros(3, bool), np.array([False, True, True]), np.ones(3)
    progress = progress.stepped(nobody, lost, full).stepped(nobody, lost, full)
    assert progress.passes.tolist() == [2, 5, 5]
    assert (progress.restarts.tolist(), progress.refreshed.tolist()) == ([0, 2, 2], [2, 0, 0])
    assert progress.stepped(lost & [True, True, False], nobody, full).restarts.tolist() == [0, 0, 2]


def test_steps_that_were_too_long_make_the_next_shorter_and_grow_again():
    taken, nobody = np.array([True] * 6 + [False]), np.zeros(7, bool)
    progress = Headway.begun(given([1.0] * 7), np.zeros(7, int))
    # Nearly right, too long, far too long, too short, no longer convex by rounding, the slope unchanged, not taken.
    lowest = np.array([0.7, 0.5, 0.01, 4.0, -3.0, np.inf, 0.5])
    progress = progress.stepped(taken, nobody, lowest)
    assert progress.share.tolist() == [1.0, 0.5, 0.3, 1.0, 1.0, 1.0, 1.0]
    progress = progress.stepped(taken, nobody, lowest)
    assert progress.share.tolist() == [1.0, 0.25, 0.09, 1.0, 1.0, 1.0, 1.0]
    progress = progress.stepped(taken, nobody, np.array([2.0, 1.2, 2.0, np.nan, 0.9, 1.0, 1.0]))
    np.testing.assert_allclose(progress.share, [1.0, 0.3, 0.135, 1.0, 1.0, 1.0, 1.0])


def test_a_pair_counts_for_heads_along_whose_step_the_objective_bends():
    W, change, still = np.ones((3, 2, 3)), np.ones((3, 2, 3)), np.zeros((2, 3))
    change[..., 1] = -1
    pairs = Pairs(W, 3)
    pairs.add((W, still + 1), (change, still + 2), np.array([True, True, False]))
    assert pairs.inverse[0].tolist() == [1 / 10, 0, 0]


@pytest.mark.parametrize("count", [0, 1, PAIRS, 2 * PAIRS + 3])
@pytest.mark.parametrize("device", ["numpy", "cpu"])
def test_pairs_are_those_of_bfgs(count, device):
    """The product with the matrix that BFGS makes of the last pairs, each head by itself; some leave on the way."""
    if device == "cpu":
        pytest.importorskip("torch")
    draw = np.random.default_rng(count)
    D, K, h = 3, 2, 4
    N = (D + 1) * K
    root = draw.standard_normal((h, N, N))
    hessian = root @ root.transpose(0, 2, 1) + np.eye(N)
    first = draw.uniform(1, 2, N)  # the metric's diagonal

    def split(vectors):  # (h, N) as weights (D, K, h) and shift (K, h)
        weights, shift = vectors[:, :-K].T.reshape(D, K, -1), vectors[:, -K:].T
        return move(np.ascontiguousarray(weights), device), move(np.ascontiguousarray(shift), device)

    of_metric = split(first[None])

    def metric(q, p):
        return q * of_metric[0], p * of_metric[1]

    def of_all(values):  # (h, ...) of those that are left, as rows of all
        found = np.zeros((h, *values.shape[1:]), values.dtype)
        found[heads] = values
        return found

    pairs, heads = Pairs(move(np.zeros((D, K, h)), device), h), np.arange(h)
    seen: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
    for number in range(count):
        if number == count // 2:
            heads = heads[[0, 2, 3]]
            pairs.narrow(np.array([True, False, True, True]))
        step = draw.standard_normal((len(heads), N))
        change = np.einsum("hij,hj->hi", hessian[heads], step)
        sound = draw.random(len(heads)) < 0.8
        pairs.add(split(step), split(change), sound)
        seen.append((of_all(step), of_all(change), of_all(sound)))
    gradient = draw.standard_normal((len(heads), N))
    found = pairs.solve(*split(gradient), metric)
    for at, head in enumerate(heads.tolist()):
        H = np.diag(first)
        for step, change, sound in seen[-PAIRS:]:
            if sound[head]:
                s, y = step[head], change[head]
                V = np.eye(N) - np.outer(y, s) / (s @ y)
                H = V.T @ H @ V + np.outer(s, s) / (s @ y)
        expected = split((H @ gradient[at])[None])
        for one, other in zip(found, expected, strict=True):
            np.testing.assert_allclose(to_numpy(one)[..., at], to_numpy(other)[..., 0], rtol=1e-8, atol=1e-8)
    forgotten = np.ones(len(heads), bool)
    pairs.forget(forgotten)
    for one, other in zip(pairs.solve(*split(gradient), metric), metric(*split(gradient)), strict=True):
        np.testing.assert_allclose(to_numpy(one), to_numpy(other))


def test_narrowing_never_holds_two_of_everything():
    D, K, h = 200, 4, 25
    problem = pose(np.eye(D), np.arange(D) % K, np.ones(h), "softmax", K, None, True, "numpy")
    curvature = null_curvature(problem.loss, problem.heads.shares, problem.heads.null_bias)
    descent = Iterates(
        Oracle(lambda W, b, _: (np.ones(W.shape[-1]), W * 0, b * 0), lambda *_: curvature, None, D),
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
    W = (np.ones((D, K, h)) for _ in range(3))
    descent.at = Position(next(W), b, np.ones(h), next(W), b)
    descent.towards = Direction(next(W), b, b, np.ones(h))
    descent.pairs = Pairs(descent.at.W, h)
    for _ in range(PAIRS):
        descent.pairs.add((descent.at.W, b), (descent.at.W, b), np.ones(h, bool))
    whole = tracemalloc.get_traced_memory()[0]
    descent._narrow(np.arange(h) != 3)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(descent.pairs.steps) == len(descent.pairs.changes) == descent.pairs.inverse.shape[1] == h - 1
    assert len(descent.at) == len(descent.towards) == h - 1
    assert whole > (2 * PAIRS + 3) * D * K * h * 8
    assert peak < 1.15 * whole  # a pair more at the most

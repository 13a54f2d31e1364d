"""The exact solver where something is at an end: digits, memory, or a fit that has failed."""

import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
from scipy import sparse

from linprobe.compare.compare import compare
from linprobe.compare.exact import Exact
from linprobe.compare.held_out import HeldOut
from linprobe.compare.settings import Path
from linprobe.core.certificate import certify
from linprobe.core.exact import solver as exact
from linprobe.core.exact.optimum import Optimum
from linprobe.core.exact.path import lawful
from linprobe.core.exact.problem import pose, solve_bytes
from linprobe.core.exact.solver import solve
from linprobe.errors import DataError, IncompatibleError

BOTH = pytest.mark.parametrize("loss", ["softmax", "squared_hinge"])


def draw(n, D, K, seed=0, apart=0.7):
    rng = np.random.default_rng(seed)
    y = rng.permutation(np.arange(n) % K)
    return rng.standard_normal((n, D)) + apart * rng.standard_normal((K, D))[y], y


@pytest.mark.parametrize("K", [2, 4])
def test_a_feature_a_million_times_as_large_ends_in_a_proof(K):
    # Rounding takes the smallest curvatures of the weights, and Cholesky's factor with them.
    X, y = draw(100, 20, K)
    X[:, 0] *= 1e6
    reg = np.array([1 / (1e4 * 100)])
    found = solve(X, y, reg)
    assert found.stopped.tolist() == ["gap"]
    assert certify(X, y, found.W, found.b, reg, "softmax").gap[0] <= 3e-6 * found.objective[0]


@BOTH
def test_wide_sparse_rows_end_where_dense_ones_do(loss):
    X = sparse.random_array((60, 900), density=0.05, format="csr", rng=np.random.default_rng(1), dtype=np.float32)
    y, reg = np.arange(60) % 3, np.array([1e-1, 1e-3, 1e-6])
    found, dense = solve(X, y, reg, loss=loss), solve(X.toarray(), y, reg, loss=loss)
    assert found.stopped.tolist() == ["gap"] * 3
    np.testing.assert_allclose(found.objective, dense.objective, rtol=1e-9)
    assert found.iterations.max() <= 200  # and not the thousand that the features' own axes would take


@BOTH
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_objective_is_that_of_the_weights_handed_over(loss, dtype):
    X, y = draw(40, 120, 4, apart=0)
    X, reg = (X + 1e4).astype(dtype), np.array([1e-3])
    found = solve(X, y, reg, loss=loss, precision="single")
    assert found.W.dtype == np.float32
    # Each weight is off by 2^-25 of itself; without the bias for them, times 1e4 and 120 features: by 1e-4 and more.
    assert certify(X, y, found.W, found.b, reg, loss).objective[0] == pytest.approx(found.objective[0], rel=1e-6)


def between(X, K):
    """Memory that does for float32 and not for float64, bytes."""
    return sum(sum(solve_bytes(X.shape, K, 1, size)) for size in (4, 8)) // 2


def test_what_single_precision_cannot_begin_is_refused_where_there_is_no_memory_for_double():
    X, y = draw(700, 300, 3)
    X = (X * 1e-9).astype(np.float32)  # squares of such features are not in the range of float32
    assert solve(X, y, np.array([1e-20])).stopped.tolist() == ["gap"]
    with pytest.raises(IncompatibleError, match="MiB are allowed"):
        solve(X, y, np.array([1e-20]), memory=between(X, 3))
    X[5, 7] = np.nan
    with pytest.raises(DataError, match="row 5, column 7"):
        solve(X, y, np.array([1e-20]), memory=between(X, 3))


def test_why_a_head_stopped_is_true_where_memory_ends_it():
    X, y = draw(700, 300, 3)
    found = solve(X.astype(np.float32), y, np.array([1e-2]), tol=1e-11, memory=between(X, 3))
    assert found.gap[0] > 1e-11 * found.objective[0]
    assert (found.stopped[0], found.iterations[0] < 1000) == ("stalled", True)


def test_whose_penalties_are_neighbours_is_known_without_a_copy_of_the_weights():
    n, H = 20_000, 40
    weight = np.random.default_rng(0).random((n, 5))[:, np.arange(H) % 5]
    problem = pose(np.ones((n, 2)), np.arange(n) % 3, np.arange(1.0, H + 1), "softmax", 3, weight, True, "numpy")
    tracemalloc.start()
    found = problem.neighbours()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found.tolist() == [*range(5, H), *[-1] * 5]
    assert peak < 3 * n * 8  # of one head, and not of all


def failing_below(reg):
    """The solver, except that every stack tells of heads with smaller penalties that they ended far above."""
    whole = exact._descend

    def lossy(problem, metric, start, *options, **more):
        found, low = whole(problem, metric, start, *options, **more), problem.heads.reg < reg
        ends = {"objective": 3.0, "gap": 9.0, "stopped": "stalled", "iterations": 1000}
        return replace(found, **{name: np.where(low, end, getattr(found, name)) for name, end in ends.items()})

    return lossy


def test_a_head_that_has_failed_is_not_chosen_for_the_weights_that_stand_in_for_it(monkeypatch):
    X, y = draw(300, 60, 4, seed=1, apart=0.3)
    monkeypatch.setattr(exact, "_descend", failing_below(2e-2))
    X = X.astype(np.float32)
    found = compare(X, y, Path(np.array([1e-2, 1e-1, 3.0])), HeldOut.after(200), Exact(), classes=4)
    # It has the weights, and so the scores, of its neighbour.
    assert found.score[0] == found.score[1]
    assert found.failed.tolist() == [True, False, False]
    assert found.stopped.tolist() == ["failed", "gap", "gap"]
    assert found.best == 1


def test_a_head_that_float32_lost_is_tried_again_in_float64(monkeypatch):
    X, y = draw(80, 20, 2, apart=3)
    X, reg, whole = X.astype(np.float32), np.array([1e-8, 1e-11]), exact._descend
    truth, tried = solve(X, y, reg), []

    def lossy(problem, metric, start, *options, **more):
        tried.append(str(metric.mean.dtype))
        found = whole(problem, metric, start, *options, **more)
        if tried[-1] == "float64":
            return found
        low = problem.heads.reg < 1e-9
        return replace(
            found,
            objective=np.where(low, 3.0, found.objective),
            gap=np.where(low, 9.0, found.gap),
            stopped=np.where(low, "stalled", found.stopped),
        )

    monkeypatch.setattr(exact, "_descend", lossy)
    found = solve(X, y, reg)
    assert "float64" in tried
    assert found.stopped.tolist() == ["gap", "gap"]
    np.testing.assert_allclose(found.objective, truth.objective, rtol=2e-6)


def test_the_gap_of_a_head_that_was_put_elsewhere_counts_against_its_own_objective():
    X, y = draw(60, 5, 4)
    problem = pose(X, y, np.array([1e-2, 1e-5]), "softmax", 4, None, True, "numpy")
    start = problem.start("float64")
    objective = np.array([1e-3, 5.0])
    ended = replace(start, objective=objective, gap=np.array([1e-9, 9.0]), stopped=np.array(["gap", "stalled"]))
    found = lawful(problem, ended, 1e-6)
    assert found.objective[1] == pytest.approx(1e-3)
    assert found.gap[1] == pytest.approx(1e-3, rel=1e-2)
    assert found.stopped.tolist() == ["gap", "failed"]
    assert not found.within(0.1)[1]


def test_heads_in_another_order_are_taken_and_replaced_in_that_order():
    weight = np.random.default_rng(0).random((30, 2))
    problem = pose(np.ones((30, 2)), np.arange(30) % 2, np.array([1.0, 2.0]), "softmax", 2, weight, True, "numpy")
    turned = problem.take(np.array([1, 0]))
    assert turned.weights is not None
    np.testing.assert_allclose(turned.weights.of(slice(None)), (weight / weight.mean(axis=0))[:, ::-1])
    start = problem.start("float64")
    other: Optimum = replace(start, gap=np.array([5.0, 6.0]))
    assert start.replaced(np.array([1, 0]), other).gap.tolist() == [6.0, 5.0]


def test_a_sparse_matrix_on_a_device_is_refused():
    pytest.importorskip("torch", reason="torch is not installed")
    with pytest.raises(IncompatibleError, match=r"X is a sparse matrix, .*; use the CPU"):
        solve(sparse.csr_array(np.eye(4)), np.arange(4) % 2, np.ones(1), device="cpu")

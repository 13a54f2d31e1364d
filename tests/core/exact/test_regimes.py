"""Where probes live: few rows, many features, weak penalties; and what is done with heads that fail there."""

import warnings
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from regimes import Case, pairwise, solved, value  # pyright: ignore[reportMissingImports]
from scipy.optimize import minimize
from sklearn.metrics import roc_auc_score

from linprobe.core.certificate import certify
from linprobe.core.exact import _manner, metric
from linprobe.core.exact import solver as exact
from linprobe.core.exact.null import null_model
from linprobe.core.exact.optimum import Optimum
from linprobe.core.exact.path import lawful
from linprobe.core.exact.problem import pose, solve_bytes
from linprobe.core.exact.solver import solve
from linprobe.core.exact.span import turned
from linprobe.core.losses import smooth_loss
from linprobe.core.losses.curvature import total_curvature
from linprobe.errors import DataError
from linprobe.estimators.probe_search import EdgeOfGridWarning, ProbeSearch

BOTH = pytest.mark.parametrize("loss", ["softmax", "squared_hinge"])


def marks(case):
    """What a case is by its time: more than 10 s, more than 3 s, or less."""
    if case.n == 924 and case.dtype in ("float16", "float32"):
        return [pytest.mark.real_data]
    return [pytest.mark.slow] * (case.n == 924 or case.D > 1000 or case.loss == "squared_hinge")


@pytest.mark.sampled(3)
@pytest.mark.parametrize("case", [pytest.param(case, marks=marks(case)) for case in pairwise()], ids=str)
def test_every_head_is_proven_or_as_good_as_anybody_elses(case):
    short, _, _ = solved(case)
    assert [head for head in short if not head.right] == []


def wide(n=60, D=200, K=4, seed=0):
    rng = np.random.default_rng(seed)
    y = rng.permutation(np.arange(n) % K)
    return rng.standard_normal((n, D)) + 0.5 * rng.standard_normal((K, D))[y], y


@pytest.mark.sampled(4)
@BOTH
@pytest.mark.parametrize("intercept", [True, False])
@pytest.mark.parametrize("weighted", [False, True])
def test_the_span_of_few_rows_holds_the_optimum(loss, intercept, weighted, monkeypatch):
    X, y = wide()
    X += 3  # features far from zero
    weight = np.random.default_rng(1).integers(0, 3, len(y)).astype(float) if weighted else None
    reg = np.array([10.0, 0.1, 1e-2])
    arguments = {"loss": loss, "sample_weight": weight, "intercept": intercept, "tol": 1e-8}
    found = solve(X, y, reg, **arguments)
    monkeypatch.setattr(exact, "takes_span", lambda *_: False)
    other = solve(X, y, reg, **arguments)
    assert (found.stopped == "gap").all()
    np.testing.assert_allclose(found.objective, other.objective, rtol=1e-8)
    proof = certify(X, y, found.W, found.b if intercept else None, reg, loss, sample_weight=weight)
    np.testing.assert_allclose(proof.objective, found.objective, rtol=1e-10)
    assert (proof.gap <= 2e-8 * proof.objective).all()
    # Outside of the span of the rows, about their mean where there is a bias, nothing but rounding is left.
    rows = X - np.average(X, axis=0, weights=weight) if intercept else X
    flat = found.W.reshape(len(found.W), -1)
    outside = flat - np.linalg.lstsq(rows, rows @ flat, rcond=None)[0]
    assert np.abs(outside).max() < 1e-12 * np.abs(flat).max()


@pytest.mark.parametrize(
    ("of_axes", "weight", "coordinates"),
    [
        (1.0, None, 59),  # about their mean, 60 rows have 59 axes
        (1.0, np.ones(60), 60),  # rows that have weights are turned by an orthonormal basis
        # So are those whose stillest axes their squares would not tell from rounding.
        (10.0 ** np.linspace(0, -17, 200), None, 60),
    ],
)
def test_rows_in_their_span_have_the_products_that_they_had(of_axes, weight, coordinates):
    X, y = wide()
    problem = pose(X.astype(np.float32) * of_axes + 100, y, np.ones(2), "softmax", 4, None, True, "numpy")
    found, span, metric = turned(problem, weight)
    inside: Any = found
    assert inside.shape == (60, coordinates)
    assert inside.dtype == np.float64
    # Along the principal axes: the metric is that of any rows, and needs no basis.
    variance: Any = metric.rest
    np.testing.assert_allclose(np.cov(inside.T, bias=True), np.diag(variance), atol=1e-10)
    rows = problem.X.read(slice(None)).astype(np.float64)
    np.testing.assert_allclose(inside @ inside.T, (rows - rows.mean(0)) @ (rows - rows.mean(0)).T, atol=1e-10)
    rng = np.random.default_rng(0)
    inner = replace(problem.start("float64"), W=rng.standard_normal((coordinates, 4, 2)), b=rng.standard_normal((4, 2)))
    outer = span.back(inner, intercept=True)
    assert outer.W.shape == (200, 4, 2)
    scores = np.tensordot(inside, inner.W, 1) + inner.b
    np.testing.assert_allclose(np.tensordot(rows, outer.W, 1) + outer.b, scores, atol=1e-8)
    np.testing.assert_allclose((outer.W**2).sum((0, 1)), (inner.W**2).sum((0, 1)), rtol=1e-12)


def test_rows_that_occur_twice_have_fewer_coordinates():
    X, y = wide()
    problem = pose(
        np.concatenate([X, X[:20]]), np.concatenate([y, y[:20]]), np.ones(1), "softmax", 4, None, True, "numpy"
    )
    inside, _, _ = turned(problem, None)
    assert inside.shape == (80, 59)
    np.testing.assert_allclose(inside[60:], inside[:20], atol=1e-10)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_few_rows_with_a_number_that_is_not_finite_are_refused_without_a_warning(bad):
    X, y = wide()
    X[7, 5] = bad
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(DataError, match="row 7, column 5"):
            solve(X.astype(np.float32), y, np.ones(1))


def test_a_search_of_features_whose_squares_single_precision_has_not_is_in_double():
    X, y = wide()
    C = np.array([1e-2, 1.0, 1e2])
    found: list[Any] = []
    for scale in (1.0, 1e30):
        search = ProbeSearch(param_grid={"C": (C / scale**2).tolist()}, cv=3)
        with warnings.catch_warnings():
            warnings.simplefilter("error", RuntimeWarning)
            warnings.simplefilter("ignore", EdgeOfGridWarning)
            found.append(search.fit((X * scale).astype(np.float32), y))
    scores = [search.cv_results_["mean_test_score"] for search in found]
    np.testing.assert_allclose(scores[0], scores[1], atol=1 / len(y))
    assert found[0].best_index_ == found[1].best_index_


def test_rows_stay_as_they_are_where_memory_is_short(monkeypatch):
    X, y = wide(n=600, D=700)
    X, reg = X.astype(np.float32), np.array([1.0, 0.1])
    whole = solve(X, y, reg)
    enough = sum(solve_bytes(X.shape, 4, 2, 4, span=False))
    assert enough < sum(solve_bytes(X.shape, 4, 1, 8))
    monkeypatch.setattr(exact.Ground, "turned", None)
    found = solve(X, y, reg, memory=enough)
    assert (found.stopped == "gap").all()
    np.testing.assert_allclose(found.objective, whole.objective, rtol=2e-6)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "uint8"])
@pytest.mark.parametrize(("precision", "products"), [("double", {"float64"}), ("single", {"float32"})])
@pytest.mark.parametrize("shape", [(80, 10), (30, 60)])
def test_precision_is_that_of_all_products(dtype, precision, products, shape, monkeypatch):
    rng = np.random.default_rng(0)
    X, y = (50 * rng.random(shape)).astype(dtype), rng.integers(0, 3, shape[0])
    seen = set()

    def watched(X, y, W, *arguments, **options):
        seen.add(str(W.dtype))
        return objective_and_gradient(X, y, W, *arguments, **options)

    objective_and_gradient = exact.objective_and_gradient
    monkeypatch.setattr(exact, "objective_and_gradient", watched)
    found = solve(X, y, np.array([1.0, 1e-3]), precision=precision)
    assert seen == products
    assert {str(found.W.dtype)} == products


def test_what_single_precision_cannot_finish_double_does(monkeypatch):
    X, y = wide(n=400, D=40)
    dtypes = []

    def watched(X, y, W, *arguments, **options):
        dtypes.append(str(W.dtype))
        return objective_and_gradient(X, y, W, *arguments, **options)

    objective_and_gradient = exact.objective_and_gradient
    monkeypatch.setattr(exact, "objective_and_gradient", watched)
    found = solve(X.astype(np.float32), y, np.array([1e-6]), tol=1e-10)
    assert found.stopped[0] == "gap"
    assert dtypes == sorted(dtypes)
    assert set(dtypes) == {"float32", "float64"}


@pytest.mark.parametrize("loss", ["softmax", "squared_hinge"])
@pytest.mark.parametrize("counts", [[5, 5, 5], [1, 1, 98], [0, 3, 7], [1, 999, 20], [4, 0, 0]])
def test_the_null_model_is_the_best_that_a_bias_alone_can_do(loss, counts):
    shares = np.array(counts) / sum(counts)
    b, objective = null_model(smooth_loss(loss), np.stack([shares, np.roll(shares, 1)], axis=1), intercept=True)
    X, y = np.zeros((sum(counts), 1)), np.repeat(np.arange(3), counts)
    seen = np.flatnonzero(counts)

    def of_bias(free):
        bias = np.full(3, -1e30)
        bias[seen] = free
        return value(X, y, np.zeros((1, 3)), bias, 0.0, loss)

    lowest = min(
        minimize(of_bias, start, method="Nelder-Mead", options={"xatol": 1e-9, "fatol": 1e-13, "maxiter": 5000}).fun
        for start in (np.zeros(len(seen)), np.log(shares[seen]))
    )
    assert objective[0] == pytest.approx(lowest, abs=1e-9)
    assert value(X, y, np.zeros((1, 3)), b[:, 0], 0.0, loss) == pytest.approx(lowest, abs=1e-9)
    assert objective[1] == pytest.approx(objective[0], abs=1e-12)


@pytest.mark.sampled(2)
@BOTH
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_loose_tolerance_scores_strong_penalties_as_a_tight_one_does(loss, dtype):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((400, 50)).astype(dtype)
    y = (X[:, 0] + 0.5 * rng.standard_normal(400) > 0).astype(int)
    reg = np.logspace(9, -3, 13)  # up to where no weights at all are within 1e-11 of the lowest objective

    def ranks(tol):
        found = solve(X[:200], y[:200], reg, loss=loss, tol=tol)
        assert (found.stopped == "gap").all()
        scores = np.tensordot(X[200:].astype(np.float64), found.W[:, 1] - found.W[:, 0], 1)
        return np.array([roc_auc_score(y[200:], of_head) for of_head in scores.T])

    tight = ranks(1e-8)
    assert (tight > 0.8).all()
    for tol in (1e-4, 1e-3, 1e-2):
        np.testing.assert_allclose(ranks(tol), tight, atol=0.005)


@BOTH
def test_a_gap_is_weighed_against_what_there_is_to_gain(loss):
    X, y = wide(n=300, D=20)
    reg = np.array([1e4, 1.0, 1e-2, 1e-6])
    found = solve(X, y, reg, loss=loss, tol=1e-3)
    best = solve(X, y, reg, loss=loss, tol=1e-12)
    null = null_model(smooth_loss(loss), np.bincount(y)[:, None] / len(y), intercept=True)[1]
    assert (found.objective - best.objective <= 1e-3 * (null - best.objective) * 1.001).all()
    assert (found.objective - best.objective <= 1e-3 * found.objective).all()
    assert (found.scale <= found.objective).all()
    # No less is asked of a weak penalty than a share of the objective, nor more.
    assert found.scale[-1] == pytest.approx(found.objective[-1])


def test_a_head_above_its_neighbour_with_a_larger_penalty_has_failed():
    X, y = wide(n=100, D=30)
    reg = np.array([1e-3, 1.0, 1e-6])
    problem = pose(X, y, reg, "softmax", 4, None, True, "numpy")
    found = solve(X, y, reg)
    rng = np.random.default_rng(0)
    planted = replace(
        found,
        W=np.where([False, False, True], rng.standard_normal(found.W.shape), found.W),
        objective=np.where([False, False, True], 2 * found.objective[0], found.objective),
        stopped=np.array(["gap", "gap", "stalled"]),
    )
    mended = lawful(problem, planted, 1e-6)
    np.testing.assert_array_equal(mended.W[..., 2], found.W[..., 0])
    np.testing.assert_array_equal(mended.W[..., :2], found.W[..., :2])
    truth = value(X, y, found.W[..., 0], found.b[:, 0], reg[2], "softmax")
    assert mended.objective[2] == pytest.approx(truth, rel=1e-12)
    assert mended.objective[2] - mended.gap[2] <= found.objective[2]
    assert mended.stopped.tolist() == ["gap", "gap", "failed"]
    # Of other examples, nothing follows.
    apart = pose(X, y, reg, "softmax", 4, np.random.default_rng(0).random((100, 3)), True, "numpy")
    assert lawful(apart, replace(planted, objective=np.array([0.5, 0.4, 0.6])), 1e-6).W[0, 0, 2] == planted.W[0, 0, 2]
    # Nor is anything above no weights at all.
    above = lawful(problem, replace(planted, objective=np.array([0.1, 9.0, np.nan])), 1e-6)
    assert (above.W[..., 1] == 0).all()
    assert above.objective[1] == pytest.approx(np.log(4), rel=1e-3)


def test_heads_fail_where_nothing_is_proven_of_them():
    each = np.zeros((1, 2, 4))
    objective, gap = np.array([0.1, 0.1, 0.1, np.nan]), np.array([1e-8, 1e-3, 0.2, np.inf])
    stopped = np.array(["gap", "max_iter", "stalled", "stalled"])
    found = Optimum(each, each[0], objective, gap, objective, np.ones(4, int), stopped)
    assert found.failed.tolist() == [False, False, True, True]


@BOTH
def test_a_single_weak_penalty_is_reached_by_way_of_stronger_ones(loss):
    X, y = Case(loss, "uint8", 112, 500, 4).rows()
    found = solve(X, y, np.array([1e-3]), loss=loss)
    path = solve(X, y, np.logspace(4, -3, 8), loss=loss)
    assert found.stopped.tolist() == ["gap"]
    assert found.objective[0] == pytest.approx(path.objective[-1], rel=2e-6)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_head_that_is_lost_is_sought_again_by_way_of_stronger_ones(monkeypatch, dtype):
    X, y = wide(n=100, D=30)
    descend, regs = exact._descend, []

    def lost_at_first(problem, metric, start, *arguments, **more):
        regs.append(problem.heads.reg.tolist())
        if 1e-4 in problem.heads.reg and (start.W == 0).all():
            null = problem.start("float64")
            return replace(null, gap=null.objective, iterations=start.iterations + 1, stopped=np.array(["stalled"] * 2))
        return descend(problem, metric, start, *arguments, **more)

    monkeypatch.setattr(exact, "_descend", lost_at_first)
    found = solve(X.astype(dtype), y, np.array([1e-4, 1e-2]))
    assert found.stopped.tolist() == ["gap", "gap"]
    assert [1e-2] in regs
    monkeypatch.undo()
    np.testing.assert_allclose(found.objective, solve(X, y, np.array([1e-4, 1e-2])).objective, rtol=2e-6)


@BOTH
@pytest.mark.parametrize("sure", [1e-3, 1e-6, 1e-9])
def test_the_curvature_of_examples_that_are_sure_of_their_label(loss, sure):
    # Of p − p² float32 would leave nothing.
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, 50)
    scores = rng.random((50, 3))
    scores[np.arange(50), labels] -= np.log(sure) if loss == "softmax" else sure
    weight = rng.random(50) / 50
    single, double = (
        total_curvature(smooth_loss(loss).curvature(scores.astype(dtype), labels), weight.astype(dtype))
        for dtype in (np.float32, np.float64)
    )
    np.testing.assert_allclose(single, double, rtol=1e-4, atol=1e-7 * np.abs(double).max())
    if loss == "softmax":
        p = np.exp(scores.astype(np.longdouble))
        p /= p.sum(1, keepdims=True)
        pairs = -np.einsum("n,nj,nk->jk", weight, p, p)
        truth = pairs - np.diag(pairs.sum(0))
        np.testing.assert_allclose(double, truth.astype(float), rtol=1e-9)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_sketch_of_all_rows_is_below_their_variances_and_near_them(dtype, monkeypatch):
    # Taken for stiller than they are, directions are stepped along too far; for livelier, too short.
    monkeypatch.setattr(metric, "FULL_FEATURES", 10)
    monkeypatch.setattr(metric, "ROWS", 100)
    rng = np.random.default_rng(0)
    X = rng.standard_normal((3000, 300)) * np.geomspace(10, 0.1, 300) @ np.linalg.qr(rng.normal(size=(300, 300)))[0] + 2
    weight = rng.random(3000)
    found = metric.fit_metric(X.astype(dtype), np.zeros(0, dtype), weight)
    assert found.basis is not None
    assert found.rest is not None
    assert found.basis.shape == (300, 75)
    centred = X - np.average(X, axis=0, weights=weight)
    G = (centred * weight[:, None] / weight.sum()).T @ centred
    rounding = 1e-5 if dtype is np.float32 else 1e-12
    np.testing.assert_allclose(found.basis.T @ found.basis, np.eye(75), atol=100 * rounding)
    seen = (found.basis * found.variance) @ found.basis.T
    highest = np.linalg.eigvalsh(G)[-1]
    assert np.linalg.eigvalsh(G - seen)[0] >= -rounding * highest
    along = np.einsum("dr,de,er->r", found.basis, G, found.basis)
    assert (found.variance[-40:] >= 0.7 * along[-40:]).all()
    assert found.variance.sum() + found.rest[0] * (300 - 75) == pytest.approx(np.trace(G), rel=1e-5)


@BOTH
def test_a_path_of_wide_rows_is_walked_where_the_metric_is_a_sketch(loss, monkeypatch):
    monkeypatch.setattr(metric, "FULL_FEATURES", 60)
    monkeypatch.setattr(_manner, "FULL_FEATURES", 60)
    monkeypatch.setattr(metric, "ROWS", 100)
    monkeypatch.setattr(metric, "FEWEST", 20)
    rng = np.random.default_rng(5)
    X = rng.standard_normal((1200, 120)) * np.geomspace(3, 0.05, 120)
    y = (X[:, :4] + rng.standard_normal((1200, 4))).argmax(1)
    reg = np.geomspace(1e-2, 1e-4, 5) * X.var(0).mean()
    found = solve(X, y, reg, loss=loss, tol=1e-8)
    assert (found.stopped == "gap").all()
    monkeypatch.undo()
    np.testing.assert_allclose(found.objective, solve(X, y, reg, loss=loss, tol=1e-10).objective, rtol=2e-8)

"""The certificate, against optima found by others, exact arithmetic, and what must be refused."""

import ast
import inspect
import math
import tracemalloc
from dataclasses import replace
from decimal import Decimal, localcontext
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse
from scipy.optimize import minimize

from examples import examples  # pyright: ignore[reportMissingImports]
from linprobe.core import _certified_rows, certificate
from linprobe.core.certificate import certify
from linprobe.core.losses import LOSSES
from linprobe.core.losses import dual as dual_points
from linprobe.core.objective import objective_and_gradient
from linprobe.errors import IncompatibleError, UsageError
from linprobe.learn.loops import softmax_loss_naive, squared_hinge_loss_naive

LOOPS = {"softmax": softmax_loss_naive, "squared_hinge": squared_hinge_loss_naive}
EVERY = pytest.mark.parametrize("loss", sorted(LOOPS))
BIAS = pytest.mark.parametrize("intercept", [True, False])
NEVER = -1e30
ROUNDING = 3e-12  # what the gap may pay for rounding, as a share of itself and of the objective


def draw(n=40, D=3, K=4, seed=0, spread=1.0, shift=1.0):
    rng = np.random.default_rng(seed)
    y = np.concatenate([np.arange(K), rng.integers(0, K, n - K)])
    centres = rng.standard_normal((K, D))
    return spread * (centres[y] + rng.standard_normal((n, D)) + shift), y


def value(X, y, W, b, loss, reg, weight=None):
    """Objective of one head and its gradients, by the code that the certificate does not know."""
    bias = None if b is None else b[:, None]
    found = objective_and_gradient(X, y, W[:, :, None], bias, loss, np.array([reg]), sample_weight=weight)
    return float(found[0][0]), found[1][:, :, 0], None if b is None else found[2][:, 0]


def fit(X, y, loss, reg, weight=None, *, intercept=True, b=None, K=None) -> Any:
    """The best W (D, K) and b (K,), or the best W for a given b, and their objective, by scipy's BFGS.

    Classes without a weighted example get the bias NEVER, and are left as they are where there is no intercept.
    """
    X, K = np.asarray(X, np.float64), K or int(y.max()) + 1
    D, free = X.shape[1], np.flatnonzero(np.bincount(y, weight, K) > 0) if intercept else np.arange(K)

    def parts(theta):
        W, bias = np.zeros((D, K)), np.full(K, NEVER) if intercept else None
        W[:, free] = theta[: D * len(free)].reshape(D, -1)
        if bias is not None:
            bias[free] = np.split(theta, [D * len(free)])[1] if b is None else b[free]
        return W, bias

    def function(theta):
        result, dW, db = value(X, y, *parts(theta), loss, reg, weight)
        return result, np.append(dW[:, free], db[free] if db is not None and b is None else [])

    theta = np.zeros((D + (intercept and b is None)) * len(free))
    for _ in range(3):  # started again with a fresh metric, it goes on where rounding had stopped it
        theta = minimize(function, theta, jac=True, method="BFGS", options={"gtol": 1e-13, "maxiter": 2000}).x
    return *parts(theta), function(theta)[0]


def fit_bias(X, y, W, loss, weight=None):
    """The best b (K,) for W (D, K): of the logarithm of the loss, or a small loss would have no digits."""
    X, free = np.asarray(X, np.float64), np.flatnonzero(np.bincount(y, weight, W.shape[1]) > 0)

    def parts(theta):
        b = np.full(W.shape[1], NEVER)
        b[free] = theta
        return b

    def function(theta):
        result, _, db = value(X, y, W, parts(theta), loss, 0.0, weight)
        return math.log(max(result, 1e-300)), np.asarray(db)[free] / max(result, 1e-300)

    theta = -np.array([(X[y == k] @ W[:, k]).mean() for k in free])
    for _ in range(3):
        theta = minimize(function, theta, jac=True, method="BFGS", options={"gtol": 1e-12, "maxiter": 2000}).x
    return parts(theta)


def certify_one(X, y, W, b, loss, reg, weight=None):
    found = certify(X, y, W[:, :, None], None if b is None else b[:, None], [reg], loss, sample_weight=weight)
    return float(found.objective[0]), float(found.gap[0])


def close(found, expected):
    """Objective and gap against those that they should be, the gap with a share of its own for rounding."""
    objective = pytest.approx(expected[0], rel=1e-13, abs=0)
    return found[0] == objective and found[1] == pytest.approx(expected[1], rel=ROUNDING, abs=ROUNDING * expected[0])


CASES = st.fixed_dictionaries(
    {
        "loss": st.sampled_from(sorted(LOOPS)),
        "intercept": st.booleans(),
        "K": st.integers(2, 6),
        "D": st.integers(1, 3),
        "n": st.integers(6, 40),
        "seed": st.integers(0, 2**32 - 1),
        "reg": st.sampled_from([1e-3, 1e-2, 0.1, 1.0]),
        "size": st.sampled_from([0.0, 0.1, 1.0, 10.0]),
        "weighted": st.booleans(),
        "absent": st.booleans(),
        "kind": st.sampled_from(["f2", "f4", "f8", "u1", "csr"]),
    }
)


@examples(60)
@given(case=CASES)
def test_no_weights_are_better_than_the_lower_bound(case):
    loss, intercept, K, reg = case["loss"], case["intercept"], case["K"], case["reg"]
    X, y = draw(case["n"], case["D"], K, case["seed"])
    rng = np.random.default_rng(case["seed"])
    weight = rng.uniform(0, 3, len(y)) * (rng.random(len(y)) < 0.7) if case["weighted"] else np.ones(len(y))
    weight[0] = 1
    if case["absent"]:
        weight[y == K - 1] = 0
    if case["kind"] == "u1":
        given = np.clip(np.round(X + 2), 0, 255).astype(np.uint8)
        X = given.astype(float)
    else:
        X = X.astype("f8" if case["kind"] == "csr" else case["kind"])
        given = sparse.csr_array(X) if case["kind"] == "csr" else X
    # Any weights whatever; the bias that is best for them.
    W = case["size"] * rng.standard_normal((case["D"], K))
    b = fit_bias(X, y, W, loss, weight) if intercept else None
    objective, gap = certify_one(given, y, W, b, loss, reg, weight)
    expected, dW, _ = value(X.astype(float), y, W, b, loss, reg, weight)
    assert objective == pytest.approx(expected, rel=1e-13, abs=0)
    assert gap >= 0
    _, _, lowest = fit(X, y, loss, reg, weight, intercept=intercept, K=K)
    assert objective - gap <= lowest
    # No weaker than the square of the gradient either, which is what it is at the best bias.
    assert gap == pytest.approx(np.sum(dW**2) / (4 * reg), rel=1e-5, abs=1e-9 * objective + 1e-290)
    # The optimum is certified to be one, and W is as near to it as strong convexity says.
    best, best_b, _ = fit(X, y, loss, reg, weight, intercept=intercept, K=K)
    reached, its_gap = certify_one(given, y, best, best_b, loss, reg, weight)
    assert its_gap <= 1e-9 * reached + 1e-290
    assert np.sum((W - best) ** 2) <= (gap + its_gap) / reg * (1 + 1e-6) + 4 * its_gap / reg


@EVERY
@BIAS
def test_at_the_optimum_nothing_is_left_but_rounding(loss, intercept):
    X, y = draw(n=200, D=5)
    W, b, lowest = fit(X, y, loss, 0.05, intercept=intercept)
    objective, gap = certify_one(X, y, W, b, loss, 0.05)
    assert objective == pytest.approx(lowest, rel=1e-14, abs=0)
    assert 0 < gap <= ROUNDING * objective


def test_scikit_learns_optimum_is_certified():
    from sklearn.datasets import load_digits
    from sklearn.linear_model import LogisticRegression

    X, y = load_digits(return_X_y=True)
    X, y, reg = X[:600] / 16, y[:600], 1e-3
    fitted = LogisticRegression(C=1 / (2 * 600 * reg), solver="newton-cg", tol=1e-9).fit(X, y)
    objective, gap = certify_one(X, y, fitted.coef_.T, fitted.intercept_, "softmax", reg)
    assert gap <= ROUNDING * objective


@EVERY
def test_at_the_best_bias_the_gap_is_the_squared_gradient(loss):
    X, y = draw(n=200)
    W = np.random.default_rng(1).standard_normal((3, 4))
    b = fit_bias(X, y, W, loss)
    _, dW, _ = value(X, y, W, b, loss, 0.1)
    assert certify_one(X, y, W, b, loss, 0.1)[1] == pytest.approx(np.sum(dW**2) / 0.4, rel=1e-7, abs=0)
    _, dW, _ = value(X, y, W, None, loss, 0.1)
    assert certify_one(X, y, W, None, loss, 0.1)[1] == pytest.approx(np.sum(dW**2) / 0.4, rel=ROUNDING, abs=0)


@EVERY
@pytest.mark.parametrize("off", [1e-6, 5e-5])
def test_a_bias_that_is_slightly_off_is_paid_for(loss, off):
    # W is the best for a bias that is not: the gradient in W is 0, and its square would bound nothing.
    X, y = draw(n=200)
    _, best, lowest = fit(X, y, loss, 0.1)
    b = best + off * np.array([1, -1, 0, 1])
    W, _, _ = fit(X, y, loss, 0.1, b=b)
    objective, gap = certify_one(X, y, W, b, loss, 0.1)
    unrepaired = np.sum(value(X, y, W, b, loss, 0.1)[1] ** 2) / 0.4
    excess = objective - lowest
    assert unrepaired < 0.1 * excess
    assert 0.999 * excess - 1e-14 <= gap <= 100 * excess + 1e-14


@EVERY
@pytest.mark.parametrize("off", [1e-3, 0.1, 10.0, 1e4])
def test_a_bias_that_is_not_the_best_is_refused(loss, off):
    X, y = draw(n=200)
    W, b, _ = fit(X, y, loss, 0.1)
    biases = np.stack([b, b + off * np.array([0, 0, 1, 0]), b + 1.0], axis=1)
    weights = np.stack([W, W, W], axis=2)
    with pytest.raises(
        IncompatibleError, match=r"bias is not the best for the weights \(head 1( by about .*)?; 0.0001"
    ):
        certify(X, y, weights, biases, [0.1, 0.1, 0.1], loss)
    kept = [0, 2]  # a constant on all classes changes nothing
    gap = certify(X, y, weights[:, :, kept], biases[:, kept], [0.1, 0.1], loss).gap
    np.testing.assert_allclose(gap, 0, atol=2 * ROUNDING)


def test_a_bias_that_is_off_where_it_hardly_matters_is_certified_and_paid_for():
    # A third class is so far off that its scores move probabilities of 1e-11.
    X, y = draw(n=60, D=2, K=2)
    X, y = np.append(np.insert(X, 2, 0, axis=1), [[0, 0, 100.0]] * 20, axis=0), np.append(y, [2] * 20)
    W, b, lowest = fit(X, y, "softmax", 1e-8)
    for off in (0.03, 0.1):
        objective, gap = certify_one(X, y, W, b + off * np.array([0, 0, 1]), "softmax", 1e-8)
        excess = objective - lowest
        assert 1e-14 < excess < 1e-11
        assert 0.999 * excess - 1e-15 <= gap <= 100 * excess + 1e-10
    with pytest.raises(IncompatibleError, match="bias is not the best"):
        certify_one(X, y, W, b + np.array([0, 0, 1]), "softmax", 1e-8)


def test_many_heads_that_are_refused_are_counted():
    X, y = draw()
    with pytest.raises(IncompatibleError, match=r"\(head 0[^,]*, head 1[^,]*, head 2[^,]* and 4 more; "):
        certify(X, y, np.zeros((3, 4, 7)), np.arange(28.0).reshape(4, 7), np.ones(7), "softmax")


@EVERY
def test_weights_rounded_to_float32_are_certified_closely(loss):
    X, y = draw(n=200, spread=5.0, shift=30.0)  # far from centred: the bias has to make up for the mean
    W, _, lowest = fit(X, y, loss, 0.1)
    W32 = W.astype(np.float32)
    b32 = fit_bias(X, y, W32.astype(float), loss).astype(np.float32)
    objective, gap = certify_one(X.astype(np.float32), y, W32, b32, loss, 0.1)
    assert gap <= 1e-9 * objective
    assert objective - gap <= lowest + 1e-6 * lowest  # X itself was rounded


# The dual point itself.


def separable(seed=0):
    """Four classes far apart: all but a few of the squared hinge's terms are 0 at its optimum, and those are small."""
    rng = np.random.default_rng(seed)
    y = np.repeat(np.arange(4), 50)
    return 10 * np.eye(4)[y] + 0.1 * rng.standard_normal((200, 4)), y, rng.uniform(0, 2, 200)


def test_a_repair_that_would_turn_slopes_negative_is_refused():
    X, y, weight = separable(seed=4)
    W, b, _ = fit(X, y, "squared_hinge", 1e-4, weight)
    with pytest.raises(IncompatibleError, match="bias is not the best"):
        certify_one(X, y, W, b + 2e-5 * np.array([1, -1, 0, 1]), "squared_hinge", 1e-4, weight)


@EVERY
@pytest.mark.parametrize("apart", [False, True])
def test_the_gap_is_objective_less_dual_value_at_a_feasible_point(loss, apart):
    if apart:
        (X, y, weight), reg = separable(), 1e-4
        W, b, _ = fit(X, y, loss, reg, weight)
        b = b + 1e-5 * np.array([1, -1, 0, 1])
    else:
        rng = np.random.default_rng(2)
        (X, y), weight, reg, W = draw(n=200), rng.uniform(0, 2, 200), 0.1, rng.standard_normal((3, 4))
        b = fit_bias(X, y, W, loss, weight) + 3e-5 * rng.standard_normal(4)
    own, seen = LOSSES[loss].dual, []
    assert own is not None
    spy = lambda points, v, y: seen.append(points.moved(v, y)) or own.cost(points, v, y)  # noqa: E731
    spied = replace(LOSSES[loss], dual=replace(own, cost=spy))
    objective, gap = certify_one(X, y, W, b, spied, reg, weight)
    (slopes,) = seen
    share = weight / weight.sum()
    np.testing.assert_allclose(share @ slopes / objective, 0, atol=1e-15)
    each = np.arange(200)
    if loss == "softmax":
        p = slopes.copy()
        p[each, y] += 1
        assert p.min() >= 0
        np.testing.assert_allclose(p.sum(axis=1), 1, rtol=1e-14)
        conjugate = np.sum(p * np.log(p), axis=1)
    else:
        flows = slopes.copy()
        flows[each, y] = 0
        assert flows.min() >= 0
        np.testing.assert_allclose(slopes.sum(axis=1) / np.abs(slopes).max(), 0, atol=1e-14)
        conjugate = np.sum(flows**2 / 4 - flows, axis=1)
    pull = X.T @ (share[:, None] * slopes)
    dual = -share @ conjugate - np.sum(pull**2) / (4 * reg)
    assert dual - 3 * ROUNDING * (objective + gap) <= objective - gap <= dual


def exactly(X, y, W, loss, reg):
    """Objective and squared gradient / 4 reg of a head without a bias, to 50 digits."""
    with localcontext() as context:
        context.prec = 50
        n, (D, K) = len(X), W.shape
        rows = [[Decimal(float(v)) for v in row] for row in X]
        weights, penalty = [[Decimal(float(v)) for v in row] for row in W], Decimal(reg)
        loss_sum, gradient = Decimal(0), [[2 * penalty * v for v in row] for row in weights]
        for row, label in zip(rows, map(int, y), strict=True):
            scores = [sum((row[d] * weights[d][k] for d in range(D)), Decimal(0)) for k in range(K)]
            if loss == "softmax":
                exponentials = [score.exp() for score in scores]
                total = sum(exponentials)
                loss_sum += (total / exponentials[label]).ln()
                slope = [e / total - (k == label) for k, e in enumerate(exponentials)]
            else:
                terms = [
                    max(Decimal(0), 1 + s - scores[label]) if k != label else Decimal(0) for k, s in enumerate(scores)
                ]
                loss_sum += sum(t * t for t in terms)
                slope = [2 * t if k != label else -2 * sum(terms) for k, t in enumerate(terms)]
            for d in range(D):
                for k in range(K):
                    gradient[d][k] += slope[k] * row[d] / n
        objective = loss_sum / n + penalty * sum(v * v for row in weights for v in row)
        return objective, sum(v * v for row in gradient for v in row) / (4 * penalty)


@EVERY
@pytest.mark.parametrize("reg", [1e-6, 0.1])
@pytest.mark.parametrize("size", [0.0, 1.0, 30.0])
def test_rounding_is_in_the_last_digits_and_paid_for(loss, reg, size):
    X, y = draw(n=30)
    W = size * np.random.default_rng(0).standard_normal((3, 4))
    objective, gap = certify_one(X, y, W, None, loss, reg)
    expected, its_gap = exactly(X, y, W, loss, reg)
    assert objective == pytest.approx(float(expected), rel=1e-14, abs=0)
    assert its_gap <= Decimal(gap) <= its_gap + Decimal(ROUNDING) * (its_gap + expected)


@EVERY
def test_a_gap_near_zero_pays_for_rounding_and_for_no_more(loss):
    X, y = draw(n=30)
    for reg in (1e-6, 1e-3, 1.0):
        W, _, _ = fit(X, y, loss, reg, intercept=False)
        objective, gap = certify_one(X, y, W, None, loss, reg)
        expected, its_gap = exactly(X, y, W, loss, reg)
        assert objective == pytest.approx(float(expected), rel=1e-14, abs=0)
        assert its_gap <= Decimal(gap) <= its_gap + Decimal(ROUNDING) * expected


def test_a_loss_of_nearly_nothing_keeps_its_digits():
    X, y = np.array([[1.0], [-1.0]]), np.array([0, 1])
    W = np.array([[20.0, -20.0]])
    objective, gap = certify_one(X, y, W, None, "softmax", 1e-30)
    assert objective - 8e-28 == pytest.approx(math.exp(-40), rel=1e-9, abs=0)
    assert gap == pytest.approx(2 * math.exp(-80) / 4e-30, rel=1e-9, abs=0)


# Weights, classes and heads.


@EVERY
def test_a_class_without_examples_counts_as_never(loss):
    X, y = draw(K=4)
    weight = (y != 2).astype(float)
    W, b, lowest = fit(X, y, loss, 0.1, weight)
    assert b[2] == NEVER
    found = certify_one(X, y, W, b, loss, 0.1, weight)
    kept = np.flatnonzero(weight)
    alone = certify_one(X[kept], np.array([0, 1, 9, 2])[y[kept]], W[:, [0, 1, 3]], b[[0, 1, 3]], loss, 0.1)
    assert close(found, alone)
    # Given a score all the same, it is part of the objective, and a bias of minus infinity would take it off.
    b[2], W[0, 2] = -2.0, 0.1
    objective, gap = certify_one(X, y, W, b, loss, 0.1, weight)
    assert objective == pytest.approx(value(X, y, W, b, loss, 0.1, weight)[0], rel=1e-13, abs=0)
    assert objective > found[0] + 0.0009
    assert objective - gap == pytest.approx(lowest, rel=ROUNDING, abs=0)


@EVERY
def test_without_a_bias_a_class_without_examples_keeps_its_score(loss):
    X, y = draw(K=3)
    W, _, lowest = fit(X, y, loss, 0.1, intercept=False, K=4)
    objective, gap = certify_one(X, y, W, None, loss, 0.1)
    assert objective == pytest.approx(lowest, rel=1e-14, abs=0)
    assert gap <= 1e-12 * objective


@EVERY
def test_a_single_class_is_learnt_without_weights(loss):
    X, y = draw(K=3)
    weight = (y == 1).astype(float)
    b = np.array([NEVER, 0.0, NEVER])
    assert certify_one(X, y, np.zeros((3, 3)), b, loss, 0.1, weight) == (0, pytest.approx(0, abs=1e-290))
    objective, gap = certify_one(X, y, np.ones((3, 3)), b, loss, 0.1, weight)
    assert (objective, gap) == pytest.approx((0.9, 0.9))


@EVERY
@BIAS
def test_weights_are_repeated_rows_and_zeros_are_absent_rows(loss, intercept):
    X, y = draw(n=60)
    times = np.random.default_rng(0).integers(0, 4, 60)
    times[:4] = 1
    W, b, _ = fit(X, y, loss, 0.1, times, intercept=intercept)
    W = W + 0.0
    weighted = certify_one(X, y, W, b, loss, 0.1, 0.3 * times)
    repeated = certify_one(np.repeat(X, times, axis=0), np.repeat(y, times), W, b, loss, 0.1)
    assert close(weighted, repeated)
    # Nothing that a row of weight zero holds can be heard, be it as loud as it may.
    X[times == 0] = 1e200
    assert close(certify_one(X, y, W, b, loss, 0.1, 0.3 * times), weighted)


@EVERY
def test_a_stack_equals_its_heads(loss):
    X, y = draw(n=60)
    weight, reg = np.random.default_rng(0).uniform(0, 2, (60, 3)), np.array([1e-3, 0.1, 10])
    fitted = [fit(X, y, loss, reg[h], weight[:, h]) for h in range(3)]
    W, b = np.stack([f[0] for f in fitted], axis=2), np.stack([f[1] for f in fitted], axis=1)
    found = certify(X, y, W, b, reg, loss, sample_weight=weight)
    for h in range(3):
        alone = certify_one(X, y, W[:, :, h], b[:, h], loss, reg[h], weight[:, h])
        assert close((found.objective[h], found.gap[h]), alone)
    assert found.objective.dtype == found.gap.dtype == np.float64
    np.testing.assert_array_equal(found.lower_bound, found.objective - found.gap)


# What X may be.


@EVERY
@BIAS
def test_every_kind_of_matrix_gives_the_same(loss, intercept, tmp_path):
    X, y = draw(n=100)
    X = np.round(np.clip(X, 0, 9)).astype(np.uint8)
    W, b, _ = fit(X, y, loss, 0.1, intercept=intercept)
    expected = certify_one(X.astype(float), y, W, b, loss, 0.1)
    np.save(tmp_path / "X.npy", X.astype(np.float32))
    kinds: dict[str, Any] = {
        **{kind: X.astype(kind) for kind in ("u1", "i8", "f2", "f4", ">f4")},
        "columns first": np.asfortranarray(X, dtype="f4"),
        "mapped": np.load(tmp_path / "X.npy", mmap_mode="r"),
        "csr_array": sparse.csr_array(X.astype("f4")),
        "csr_matrix": sparse.csr_matrix(X),
        "csc_array": sparse.csc_array(X.astype("f8")),
    }
    for matrix in kinds.values():
        assert close(certify_one(matrix, y, W, b, loss, 0.1), expected)


@EVERY
@pytest.mark.parametrize("kind", [np.asarray, sparse.csr_array])
@pytest.mark.parametrize("rows", [1, 7, 99, 100])
def test_chunks_do_not_matter(loss, kind, rows, monkeypatch):
    X, y = draw(n=100)
    W = np.random.default_rng(0).standard_normal((3, 4))
    b = fit_bias(X, y, W, loss)
    whole = certify_one(X, y, W, b, loss, 0.1)
    monkeypatch.setattr(_certified_rows, "CHUNK_SCORES", 4 * rows)
    assert certify_one(kind(X), y, W, b, loss, 0.1) == pytest.approx(whole, rel=1e-11, abs=0)


def test_memory_is_bounded_by_the_chunk_and_not_by_the_rows(monkeypatch):
    monkeypatch.setattr(_certified_rows, "CHUNK_FEATURES", 2**14)
    X, y = draw(n=40_000, D=64)
    X, b = X.astype(np.float32), np.log(np.bincount(y) / 40_000)[:, None].repeat(2, 1)
    for loss, bias in (("softmax", b), ("squared_hinge", None)):
        tracemalloc.start()
        certify(X, y, np.zeros((64, 4, 2)), bias, [0.1, 1], loss)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < X.nbytes / 4


@EVERY
def test_no_argument_is_changed_and_read_only_arrays_are_welcome(loss):
    X, y = draw()
    W, b, _ = fit(X, y, loss, 0.1)
    arguments: list[Any] = [X, y, W[:, :, None].copy(), b[:, None].copy(), np.array([0.1]), np.ones(40)]
    kept = [array.copy() for array in arguments]
    for array in arguments:
        array.setflags(write=False)
    X, y, W, b, reg, weight = arguments
    certify(X, y, W, b, reg, loss, sample_weight=weight)
    for array, before in zip(arguments, kept, strict=True):
        np.testing.assert_array_equal(array, before)


@EVERY
@pytest.mark.parametrize("size", [1e3, 1e30, 1e100])
def test_extreme_scores_are_certified(loss, size):
    X, y = draw()
    found = certify(X, y, size * np.random.default_rng(0).standard_normal((3, 4, 1)), None, [0.1], loss)
    assert 0 < found.gap[0] < math.inf
    assert size < found.objective[0] < math.inf


@EVERY
@BIAS
def test_what_overflows_is_refused(loss, intercept):
    X, y = draw()
    W = 1e308 * np.random.default_rng(0).choice([-1, 1], (3, 4, 1))
    with pytest.raises(UsageError, match="too large for float64; scale the features down"):
        certify(X, y, W, np.zeros((4, 1)) if intercept else None, [0.1], loss)


def test_a_smooth_loss_without_a_dual_is_not_called_rough():
    mine = replace(LOSSES["softmax"], dual=None)
    with pytest.raises(
        IncompatibleError, match=r"^certify: the softmax loss has no certificate; use the loss softmax or"
    ):
        certify(np.ones((2, 1)), [0, 1], np.zeros((1, 2, 1)), None, [1.0], mine)


BAD = {
    "the hinge": (
        {"loss": "hinge"},
        "is not smooth, and has no certificate; use the loss softmax or squared_hinge",
    ),
    "no penalty": ({"reg": [0.0]}, "without a penalty there is no bound; train with a small reg above 0"),
    "negative reg": ({"reg": [-1.0]}, "reg is -1; it must be positive"),
    "nan reg": ({"reg": [math.nan]}, r"reg is nan at \(0,\)"),
    "reg of two heads": ({"reg": [1.0, 1.0]}, r"reg has the shape \(2,\); it must be \(1,\)"),
    "W of one head": ({"W": np.zeros((3, 4))}, r"W has the shape \(3, 4\)"),
    "W of no head": ({"W": np.zeros((3, 4, 0))}, r"W has the shape \(3, 4, 0\)"),
    "infinite W": ({"W": np.full((3, 4, 1), np.inf)}, r"W is inf at \(0, 0, 0\)"),
    "nan b": ({"b": np.array([[0], [0], [np.nan], [0]])}, r"b is nan at \(2, 0\); it must be finite"),
    "b of three classes": ({"b": np.zeros((3, 1))}, r"b has the shape \(3, 1\); it must be \(4, 1\)"),
    "X of two features": ({"X": np.zeros((40, 2))}, r"X is float64 of shape \(40, 2\); .* rows of 3"),
    "X of words": ({"X": np.full((40, 3), "a")}, "X is <U1"),
    "no rows": ({"X": np.zeros((0, 3)), "y": np.zeros(0, int)}, "one or more rows"),
    "a column of labels": ({"y": np.zeros((40, 1), int)}, r"y is int64 of shape \(40, 1\)"),
    "label 4": ({"y": np.full(40, 4)}, "40 integers from 0 to 3"),
    "label -1": ({"y": np.full(40, -1)}, "40 integers from 0 to 3"),
    "labels with a point": ({"y": np.zeros(40)}, "y is float64"),
    "negative weights": ({"sample_weight": np.full(40, -1.0)}, "must be 0 or more"),
    "no weights": ({"sample_weight": np.zeros(40)}, "sum above 0"),
    "infinite weights": ({"sample_weight": np.full(40, np.inf)}, r"sample_weight is inf at \(0,\)"),
    "weights that underflow": ({"sample_weight": np.geomspace(1, 1e-295, 40)}, "a value below 1e-290 of its sum"),
    "weights that overflow": ({"sample_weight": np.full(40, 1e307)}, "sum above 0"),
    "weights of 39": ({"sample_weight": np.ones(39)}, r"it must be \(40,\) or \(40, 1\)"),
}


@pytest.mark.parametrize("what", BAD)
def test_what_does_not_fit_is_refused_by_name(what):
    change, message = BAD[what]
    X, y = draw()
    arguments = {"X": X, "y": y, "W": np.zeros((3, 4, 1)), "b": np.zeros((4, 1)), "reg": [1.0], "loss": "softmax"}
    with pytest.raises(UsageError, match=message) as raised:
        certify(**(arguments | change))
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("kind", [np.asarray, sparse.csr_array])
@pytest.mark.parametrize("bad", [np.nan, -np.inf])
def test_a_feature_that_is_not_finite_is_named(kind, bad, monkeypatch):
    monkeypatch.setattr(_certified_rows, "CHUNK_SCORES", 40)
    X, y = draw()
    X[17, 2] = bad
    with pytest.raises(UsageError, match=f"X is {bad} in row 17, column 2"):
        certify_one(kind(X), y, np.zeros((3, 4)), None, "softmax", 0.1)


def test_it_shares_no_code_with_what_it_judges():
    own = certificate, _certified_rows, dual_points
    nodes = [node for module in own for node in ast.walk(ast.parse(inspect.getsource(module)))]
    known = {node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.module}
    known = {name for name in known if name.startswith("linprobe")} - {module.__name__ for module in own}
    asks_for_rows = {"linprobe.data.rows", "linprobe.data.terms"}
    assert known == {"linprobe.core.backend", "linprobe.errors", "linprobe.core.losses", *asks_for_rows}
    # Of a loss it takes the dual, and nothing that a solver computes with.
    imported = [node for node in nodes if isinstance(node, ast.ImportFrom) and node.module == "linprobe.core.losses"]
    assert {alias.name for node in imported for alias in node.names} == {"LOSSES", "Loss", "find_loss"}
    touched = {node.attr for node in nodes if isinstance(node, ast.Attribute)}
    assert not touched & {"value_and_slope", "curvature"}

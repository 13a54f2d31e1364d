"""No bound of the certificate is above what some weights and bias reach, in exact arithmetic, at any magnitude."""

import math
from decimal import Decimal, localcontext
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tests.core.test_certificate import draw, fit

from examples import examples  # pyright: ignore[reportMissingImports]
from linprobe.core.certificate import certify
from linprobe.errors import IncompatibleError, LinprobeError

EVERY = pytest.mark.parametrize("loss", ["softmax", "squared_hinge"])


def rationals(array) -> Any:
    return [rationals(row) for row in array] if np.ndim(array) else Fraction(float(array))


def digits(context) -> None:
    context.prec, context.Emax, context.Emin = 60, 10**9, -(10**9)


def decimal(number: Fraction) -> Decimal:
    return Decimal(number.numerator) / Decimal(number.denominator)


def reached(X, y, W, b, loss, reg: Fraction, weight) -> Decimal:
    """The objective of one head to 60 digits; all arguments are Fractions, y integers."""
    total: Any = Fraction(0) if loss == "squared_hinge" else Decimal(0)
    for row, label, each in zip(X, y, weight, strict=True):
        scores = [sum((x * w[k] for x, w in zip(row, W, strict=True)), b[k]) for k in range(len(b))]
        margins = [score - scores[label] for k, score in enumerate(scores) if k != label]
        if loss == "squared_hinge":
            total += each * sum(max(Fraction(0), 1 + margin) ** 2 for margin in margins)
            continue
        highest = max(*margins, Fraction(0))
        # What is left out is below exp(-2000).
        others = sum((decimal(margin - highest).exp() for margin in margins if margin - highest > -2000), Decimal(0))
        own = decimal(-highest).exp() if highest < 2000 else Decimal(0)
        # (own + others).ln(), which has no digits for others near 0
        log = others - others**2 / 2 if others < Decimal("1e-20") else (own + others).ln()
        total += decimal(each) * (decimal(highest) + log)
    total = total if isinstance(total, Decimal) else decimal(total)
    return total / decimal(sum(weight, Fraction(0))) + decimal(
        reg * sum((w * w for row in W for w in row), Fraction(0))
    )


def check(X, y, W, b, loss, reg, weight=None, better: Any = ()) -> tuple[float, float]:
    """Objective and gap, after comparing them with what is reached; both NaN where nothing is certified.

    Reached by the weights (D, K) and bias (K,) themselves and by such near them, by no weights and the best bias for
    those, and by the given better ones, pairs of Fractions.
    """
    K, weight = W.shape[1], np.ones(len(y)) if weight is None else weight
    try:
        found = certify(X, y, W[:, :, None], None if b is None else b[:, None], [reg], loss, sample_weight=weight)
    except LinprobeError:
        return math.nan, math.nan
    rows, weights, nothing = rationals(X), rationals(weight), [Fraction(0)] * K
    given = rationals(W), nothing if b is None else rationals(b)
    others: list[Any] = [
        ([[factor * w for w in row] for row in given[0]], [factor * bias for bias in given[1]])
        for factor in (Fraction(0), Fraction(1, 2), Fraction(99, 100), 1 + Fraction(1, 10**6))
    ]
    if b is not None:
        share = np.array([sum(w for w, label in zip(weights, y, strict=True) if label == k) for k in range(K)], float)
        logs = np.log(share / share.max(), out=np.full(K, -1e6), where=share > 0)
        others += [([nothing] * len(W), rationals(logs if loss == "softmax" else np.where(share > 0, 0, -1e6)))]
    with localcontext() as context:
        digits(context)
        points = given, *others, *better
        own, *rest = [reached(rows, y, W, b, loss, Fraction(float(reg)), weights) for W, b in points]
        assert Decimal(float(found.lower_bound[0])) <= min(own, *rest)
        assert Decimal(float(found.gap[0])) >= own - min(own, *rest)
    return float(found.objective[0]), float(found.gap[0])


def magnitude(rng, decades):
    return 10.0 ** rng.uniform(-decades, decades)


def anything(rng, decades):
    """X, y, W, b and weights of numbers of many magnitudes."""
    K, D, n = rng.integers(2, 5), rng.integers(1, 4), rng.integers(4, 8)
    X = magnitude(rng, decades) * rng.standard_normal((n, D)) + rng.choice([0, magnitude(rng, decades)])
    W = magnitude(rng, decades) * rng.standard_normal((D, K)) * 10 ** rng.uniform(-3, 3, (D, K))
    b = magnitude(rng, decades) * rng.choice([-1, 0, 1], K)
    return X, rng.integers(0, K, n), W, b, 10 ** rng.uniform(-rng.choice([0, 3, 100]), 0, n)


def symmetric(rng, decades):
    """Classes that turn into each other: any constant is the best bias for the weights, were it not for an offset."""
    K = int(rng.integers(2, 5))
    x, w = magnitude(rng, decades) * rng.standard_normal((2, K)), magnitude(rng, decades) * rng.standard_normal(K)
    X = np.concatenate([np.roll(x, k, axis=1) for k in range(K)])
    y = np.concatenate([(np.arange(2) + k) % K for k in range(K)])
    W = np.stack([np.roll(w, k) for k in range(K)], axis=1)
    offset = rng.choice([0, magnitude(rng, decades)]) * rng.standard_normal(K)
    return X + offset, y, W, rng.choice([0, magnitude(rng, decades)]) - offset @ W, np.ones(2 * K)


def no_weights(rng, decades):
    """The best bias for no weights, or one that is off, with a class left out or not."""
    K, n = int(rng.integers(2, 5)), 8
    y = rng.integers(0, K, n)
    weight = 10 ** rng.uniform(-rng.choice([0, 3, 100]), 0, n) * (rng.random(n) < 0.8)
    weight[0] = 1
    share = np.bincount(y, weight, K)
    b = np.log(share / weight.sum(), out=-(10 ** rng.uniform(1, 300, K)), where=share > 0)
    b[0] += rng.choice([0, 1e-5, magnitude(rng, decades)])
    return magnitude(rng, decades) * rng.standard_normal((n, 2)), y, np.zeros((2, K)), b, weight


@examples(200)
@given(
    kind=st.sampled_from([anything, symmetric, no_weights]),
    seed=st.integers(0, 2**32 - 1),
    decades=st.sampled_from([3, 20, 100, 300]),
    reg=st.floats(-300, 300) | st.floats(-6, 0),
    loss=st.sampled_from(["softmax", "squared_hinge"]),
    intercept=st.booleans(),
)
# In these the objective itself is above what float64 makes of it.
@example(kind=symmetric, seed=123, decades=20, reg=-1.0, loss="squared_hinge", intercept=True)
@example(kind=anything, seed=200, decades=300, reg=3.0, loss="softmax", intercept=True)
@example(kind=anything, seed=782, decades=3, reg=-4.0, loss="squared_hinge", intercept=True)
def test_no_bound_is_above_what_is_reached(kind, seed, decades, reg, loss, intercept):
    with np.errstate(all="ignore"):
        X, y, W, b, weight = kind(np.random.default_rng(seed), decades)
    if all(np.isfinite(array).all() for array in (X, W, b)):
        check(X, y, W, b if intercept else None, loss, 10.0**reg, weight)


@EVERY
@pytest.mark.parametrize("size", [1.0, 1e3, 1e13, 1e14, 1e20, 1e100, 1e140])
def test_a_bias_that_decides_all_examples_alone_is_refused(loss, size):
    # No example's slopes can be moved: each of them is certain, and most are wrong.
    X, y = draw(n=60, D=2, K=3)
    with pytest.raises(IncompatibleError, match="bias is not the best"):
        certify(X, y, np.zeros((2, 3, 1)), np.array([[size], [0], [0]]), [0.1], loss)
    X[:, 0] = 1
    W = np.zeros((2, 3, 1))
    W[0, 0] = size
    with pytest.raises(IncompatibleError, match="bias is not the best"):
        certify(X, y, W, np.zeros((3, 1)), [1e-30 / size], loss)


@EVERY
@pytest.mark.parametrize("offset", [2.0**20, 2.0**27, 2.0**33])
def test_scores_that_rounding_has_blurred_are_paid_for(loss, offset):
    # In these bits the rows far from zero are, exactly, the rows near zero, whose optimum has all its digits.
    for seed in range(4):
        near, y = draw(n=12, D=2, K=3, seed=seed)
        near = np.round(near * 2**10) / 2**10
        W, b, _ = fit(near, y, loss, 1.0)
        best = rationals(W), rationals(b)
        moved = [bias - Fraction(offset) * sum(row[k] for row in best[0]) for k, bias in enumerate(best[1])]
        objective, gap = check(near + offset, y, W, np.array(moved, float), loss, 1.0, better=[(best[0], moved)])
        assert gap < 1e-3 * objective


@EVERY
@pytest.mark.parametrize("size", [1e-140, 1e-20, 1.0, 1e20, 1e140])
def test_scale_does_not_matter_to_the_optimum(loss, size):
    X, y = draw(n=20, D=2, K=3)
    W, b, _ = fit(X, y, loss, 0.01)
    with np.errstate(under="ignore"):
        objective, gap = check(X * size, y, W / size, b, loss, 0.01 * size * size)
    assert gap < 1e-11 * objective


@EVERY
def test_the_last_digit_of_the_bound_is_proven(loss):
    # Every feature is the same in all classes, so that no weights are the best, and the lowest objective is known.
    with localcontext() as context:
        digits(context)
        lowest = Decimal(3).ln() if loss == "softmax" else Decimal(2)
    for n in range(2, 40):
        rng = np.random.default_rng(n)
        X, weight = np.repeat(rng.standard_normal((n, 1)), 3, axis=0), np.repeat(rng.uniform(0.1, 1, n), 3)
        arguments = X, np.tile([0, 1, 2], n), np.zeros((1, 3, 1)), np.zeros((3, 1)), [1.0], loss
        found = certify(*arguments, sample_weight=weight)
        assert Decimal(float(found.lower_bound[0])) <= lowest
        assert found.gap[0] < 1e-12 * found.objective[0]


@EVERY
def test_a_gradient_that_rounding_has_taken_away_is_paid_for(loss):
    # At W = 0 the slopes are known, and so is what the dual point of them proves: float64 adds them up to 0 or to 1/8.
    X, y = np.array([[1e16], [1.0], [1e16], [0.0]]), np.array([0, 0, 1, 1])
    slope = Fraction(1, 2) if loss == "softmax" else Fraction(2)
    pull = slope * sum((-1) ** label * rationals(row)[0] for row, label in zip(X, y, strict=True)) / 4
    gap = certify(X, y, np.zeros((1, 2, 1)), None, [1e-3], loss).gap[0]
    assert Fraction(gap) >= 2 * pull**2 / (4 * Fraction(1e-3)) > 1

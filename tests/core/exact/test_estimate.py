"""About what share of a solve is done: told after every pass, and true within a factor of 2 from a quarter of it on."""

import numpy as np
import pytest
from sklearn.datasets import load_digits

from linprobe.core.exact import solver
from linprobe.core.exact._progress import Meter
from linprobe.core.exact.solver import solve


def centres(K, D, n, noise):
    rng = np.random.default_rng(0)
    y = np.concatenate([np.arange(K), rng.integers(0, K, n - K)])
    X = rng.normal(size=(K, D))[y] + noise * rng.normal(size=(n, D))
    return X.astype(np.float32), y


def digits():
    X, y = load_digits(return_X_y=True)
    return (X - X.mean(axis=0)).astype(np.float32), y


PROBLEMS = {
    "digits": (digits, 13),
    "embeddings": (lambda: centres(12, 64, 2000, 2.0), 13),
    "fewer rows than features": (lambda: centres(5, 400, 120, 8.0), 13),
    "a walk along the path of many classes": (lambda: centres(120, 16, 1200, 1.5), 5),
}


@pytest.mark.sampled(2)
@pytest.mark.parametrize("problem", PROBLEMS)
def test_the_passes_that_are_foretold_are_within_a_factor_of_2_from_a_quarter_on(problem, monkeypatch):
    make, count = PROBLEMS[problem]
    X, y = make()
    told, made = [], []

    class Counting(Meter):
        """Counts by itself what it is told."""

        def passed(self, heads, gap):
            made.append(len(heads))
            super().passed(heads, gap)

    monkeypatch.setattr(solver, "Meter", Counting)
    found = solve(X, y, float(X.var(axis=0).mean()) * np.geomspace(1e-4, 10, count), estimate=told.append)
    assert set(found.stopped) == {"gap"}
    # What was told of a pass is compared with how many there were in the end.
    done = np.cumsum(made)
    foretold = done / np.array(told)
    late = done >= done[-1] / 4
    assert 5 < late.sum() < len(done)
    assert foretold[late].max() <= 2 * done[-1]
    assert foretold[late].min() >= done[-1] / 2
    assert told[-1] == pytest.approx(1)


def test_without_anybody_to_tell_nothing_is_counted():
    X, y = centres(3, 5, 60, 1.0)
    meter = Meter(None, np.ones(2), 1e-6, 10)
    meter.passed(np.array([0]), np.array([0.1]))
    assert meter.made.tolist() == [0, 0]
    told = []
    a, b = solve(X, y, np.array([0.1, 1.0])), solve(X, y, np.array([0.1, 1.0]), estimate=told.append)
    assert a.W.tobytes() == b.W.tobytes()
    assert len(told) >= 2


def test_a_head_half_way_down_the_logarithm_has_made_half_of_its_passes():
    told = []
    meter = Meter(told.append, np.array([1.0]), 1e-6, 1000)
    for gap in (1.0, 1e-1, 1e-2, 1e-3):
        meter.passed(np.array([0]), np.array([gap]))
    assert told[-1] == pytest.approx(0.5)
    meter.passed(np.array([0]), np.array([1e-7]))
    assert told[-1] == 1


def test_heads_that_have_not_begun_are_taken_for_their_neighbours_and_more_at_weaker_penalties():
    told = []
    meter = Meter(told.append, np.array([1.0, 1.0, 1 / 16]), 1e-6, 1000)
    meter.passed(np.array([0]), np.array([1e-7]))
    assert told[-1] == pytest.approx(1 / (1 + 1 + 2))  # the fourth root of 16
    meter.over(np.array([1, 2]))
    meter.passed(np.array([0]), np.array([1e-7]))
    assert told[-1] == 1

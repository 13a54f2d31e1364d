"""The line search alone: what it accepts, by Wolfe's conditions, and that it finds such a length."""

from dataclasses import replace

import numpy as np
import pytest

from linprobe.core.exact.line_search import FURTHER, TRIES, LineSearch


def accepts(length, found, slope_there, *, objective=0.0, slope=-1.0, noise=0.0):
    search = replace(LineSearch.begun(1), length=np.array([length]))
    start, there = [np.array([objective]), np.array([slope])], [np.array([found]), np.array([slope_there])]
    return bool(search.accepts(start[0], start[1], there[0], there[1], noise)[0])


@pytest.mark.parametrize(
    ("length", "accepted"),
    [(0.05, False), (0.11, True), (1.0, True), (1.99, True), (2.0, False), (3.0, False)],
)
def test_a_step_is_neither_too_short_nor_too_long(length, accepted):
    # t² / 2 − t: at 0.05 it still falls by 0.95 of what it fell at 0; from 2 on it is no lower.
    assert accepts(length, length**2 / 2 - length, length - 1) is accepted


def test_where_rounding_hides_the_descent_the_slope_decides():
    near = {"objective": 1.0, "slope": -1e-12, "noise": 1e-9}
    assert accepts(1.0, 1.0 + 5e-10, 1e-13, **near)
    assert not accepts(1.0, 1.0 + 5e-10, 0.9e-12, **near)  # rises nearly as fast as it fell
    assert not accepts(1.0, 1.0 + 5e-9, 1e-13, **near)
    assert not accepts(1.0, 1.0 + 5e-10, 1e-13, **near | {"noise": 0.0})
    assert not accepts(1.0, np.nan, np.nan, **near)


CURVES = {
    "too short": lambda t: (1e-3 * t**2 / 2 - t, 1e-3 * t - 1),
    "too long": lambda t: (1e6 * t**2 / 2 - t, 1e6 * t - 1),
    "wall": lambda t: (-t - 1e-3 * np.log(0.1 - t), -1 + 1e-3 / (0.1 - t)) if t < 0.1 else (np.inf, np.nan),
    "flat": lambda t: (np.exp(-t) - 1, -np.exp(-t)),
}


def test_heads_find_lengths_of_their_own():
    names = list(CURVES)
    search, done = LineSearch.begun(len(names)), np.zeros(len(names), bool)
    objective, slope = (np.array(part) for part in zip(*(CURVES[name](0.0) for name in names), strict=True))
    for _ in range(TRIES):
        before = search
        found, its = (
            np.array(part)
            for part in zip(*(CURVES[n](t) for n, t in zip(names, search.length, strict=True)), strict=True)
        )
        done |= search.accepts(objective, slope, found, its, 0.0)
        if done.all():
            break
        search, lost = search.shortened(~done, objective, slope, found, its)
        assert not lost.any()
        np.testing.assert_array_equal(search.length[done], before.length[done])
    assert done.all()


def test_a_direction_that_leads_nowhere_is_given_up():
    search = LineSearch.begun(2)
    start, slope, rising = np.zeros(2), np.full(2, -1.0), np.array([True, False])
    for tries in range(TRIES + 1):
        search, lost = search.shortened(rising, start, slope, start + search.length, np.ones(2))
        assert lost.tolist() == [tries == TRIES, False]
    assert search.length[0] < 1e-3
    assert (search.length[1], search.low[1], search.high[1], search.tries[1]) == (1, 0, np.inf, 0)


def test_a_far_too_short_step_is_lengthened_by_what_the_slope_says():
    # Lowest at 5, at 1,000, and a step that is long enough already.
    curvatures, length = np.array([1 / 5, 1e-3, 0.6]), 1.0
    search = LineSearch.begun(3)
    found, slopes = curvatures * length**2 / 2 - length, curvatures * length - 1
    there, lost = search.shortened(np.array([True, True, False]), np.zeros(3), -np.ones(3), found, slopes)
    np.testing.assert_allclose(there.length, [5.0, 1 + 0.9 * (FURTHER - 1), 1.0])
    assert not lost.any()

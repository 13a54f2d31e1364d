"""The penalties and learning rates where none are given, against plain NumPy."""

import numpy as np

from linprobe.compare.defaults import RATES, REGS, default_rates, default_reg, default_regs, exercise_axes, spread_axes
from linprobe.data.rows import CHUNK_ROWS, StoredRows


def rows(n=CHUNK_ROWS + 500, features=7):
    rng = np.random.default_rng(0)
    return rng.standard_normal((n, features)).astype(np.float32) * np.float32(3) + np.arange(features, dtype=np.float32)


def test_penalties_follow_the_scale_of_the_features():
    X = rows()
    np.testing.assert_allclose(default_regs(X), REGS * X.astype(np.float64).var(axis=0).mean(), rtol=0.01)
    np.testing.assert_allclose(default_regs(100 * X), 1e4 * default_regs(X), rtol=0.02)
    np.testing.assert_allclose(default_regs(np.full((9, 3), 0, np.float32)), REGS, rtol=0.01)
    assert len(REGS) >= 10
    assert (default_reg(9.0), default_reg(0.0)) == (0.09, 0.01)


def test_learning_rates_are_over_the_squared_length_of_the_rows_and_the_bias():
    X = rows()
    q = np.mean(np.sum(X.astype(np.float64) ** 2, axis=1)) + 1
    np.testing.assert_allclose(default_rates(X), RATES / q, rtol=0.01)
    learning_rates, regs = spread_axes(X)
    np.testing.assert_allclose(learning_rates.values[[0, -1]] * q, [0.3, 300], rtol=0.01)
    np.testing.assert_allclose(regs.values[[0, -1]] / q, [1e-7, 3e-3], rtol=0.01)
    assert all(axis.ranged and axis.log and len(axis.values) == 10 for axis in (learning_rates, regs))
    # No step is so large that the penalty alone makes it diverge.
    assert 2 * learning_rates.values.max() * regs.values.max() < 2


def test_rows_are_read_part_by_part():
    X = rows()
    for made in (default_regs, default_rates):
        assert made(StoredRows(X)).tolist() == made(X).tolist()


def test_the_exercise_has_the_published_grid():
    learning_rates, regs = exercise_axes()
    assert learning_rates.values.tolist() == np.linspace(1e-7, 5e-7, 10).tolist()
    assert regs.values.tolist() == np.linspace(2.5e4, 5e4, 10).tolist()
    assert learning_rates.ranged
    assert not learning_rates.log

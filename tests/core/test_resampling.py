"""The bootstrap's counts, against drawing in plain loops and the known standard error of a mean."""

import numpy as np
import pytest

from linprobe.core import resampling
from linprobe.core.resampling import percentile_interval, resample_counts


def test_every_resample_has_as_many_examples():
    counts = np.concatenate(list(resample_counts(37, times=200, seed=3)))
    assert counts.shape == (200, 37)
    assert (counts.sum(axis=1) == 37).all()
    assert (counts.sum(axis=0) > 0).all()


def test_groups_are_drawn_whole_and_as_many_as_there_are():
    groups = np.array(["b", "a", "b", "c", "a", "b"])
    for counts in resample_counts(6, groups=groups, times=100, seed=1):
        assert (counts[:, [0, 0]] == counts[:, [2, 5]]).all()
        assert (counts[:, 1] == counts[:, 4]).all()
        assert (counts[:, 0] + counts[:, 1] + counts[:, 3] == 3).all()
    assert len({row.tobytes() for row in counts}) > 5


def test_the_same_seed_draws_the_same_resamples_in_pieces_as_well(monkeypatch):
    whole = np.concatenate(list(resample_counts(50, times=20, seed=7)))
    monkeypatch.setattr(resampling, "COUNTS", 150)
    pieces = list(resample_counts(50, times=20, seed=7))
    assert [len(piece) for piece in pieces] == [3] * 6 + [2]
    np.testing.assert_array_equal(np.concatenate(pieces), whole)


def test_the_spread_of_a_mean_is_its_standard_error():
    values = np.random.default_rng(0).normal(size=400)
    counts = np.concatenate(list(resample_counts(400, times=4_000)))
    means = counts @ values / 400
    assert means.std() == pytest.approx(values.std() / 20, rel=0.05)
    low, high = percentile_interval(means)
    assert high - low == pytest.approx(2 * 1.96 * values.std() / 20, rel=0.06)
    np.testing.assert_allclose(percentile_interval(np.append(means, np.nan)), (low, high))


def test_however_many_are_drawn_at_a_time_the_resamples_are_the_same():
    whole = np.concatenate(list(resample_counts(50, times=20, seed=7)))
    pieces = list(resample_counts(50, times=20, seed=7, at_a_time=6))
    assert [len(piece) for piece in pieces] == [6, 6, 6, 2]
    np.testing.assert_array_equal(np.concatenate(pieces), whole)

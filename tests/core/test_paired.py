"""Intervals of accuracies and of their differences, against SciPy's bootstrap and known standard errors."""

from itertools import combinations

import numpy as np
import pytest
from scipy import stats

from linprobe.core.measure import wilson_interval
from linprobe.core.paired import grouped_interval, paired_differences


def two(n=600, seed=0, shares=(0.85, 0.8)):
    """Two classifiers that are right about the same examples more often than by chance."""
    rng = np.random.default_rng(seed)
    common = rng.normal(size=(n, 1))
    return (common + rng.normal(size=(n, len(shares)))) / np.sqrt(2) < stats.norm.ppf(shares)


def in_groups(groups=40, each=12, seed=0, shares=(0.8, 0.72)):
    rng = np.random.default_rng(seed)
    group = np.repeat(np.arange(groups), each)
    common = rng.normal(size=(groups, len(shares)))[group]
    return (common + rng.normal(size=(len(group), len(shares)))) / np.sqrt(2) < stats.norm.ppf(shares), group


def test_without_groups_it_is_the_interval_of_scipys_paired_bootstrap():
    right = two()
    found = paired_differences(right)
    pairs = right[:, 0].astype(float), right[:, 1].astype(float)
    known = stats.bootstrap(
        pairs, lambda a, b: np.mean(a - b, axis=-1), paired=True, vectorized=False, n_resamples=4_000, random_state=1,  # pyright: ignore[reportCallIssue]
        method="percentile",
    ).confidence_interval  # fmt: skip
    width = known.high - known.low
    assert found.difference == pytest.approx(pairs[0].mean() - pairs[1].mean())
    assert found.low == pytest.approx(known.low, abs=0.06 * width)
    assert found.high == pytest.approx(known.high, abs=0.06 * width)
    assert (found.low_of_all, found.high_of_all) == (found.low, found.high)


def test_without_groups_its_width_is_that_of_the_standard_error():
    right = two(2_000, seed=3)
    found = paired_differences(right)
    lead = right[:, 0].astype(float) - right[:, 1]
    assert found.high - found.low == pytest.approx(2 * 1.96 * lead.std() / np.sqrt(2_000), rel=0.04)
    # Far less than two independent accuracies have, which is what pairing is for.
    alone = np.sqrt(sum(one.mean() * (1 - one.mean()) for one in right.T) / 2_000)
    assert found.high - found.low < 0.9 * 2 * 1.96 * alone


def test_groups_are_drawn_whole():
    right, groups = in_groups()
    found, of_examples = paired_differences(right, groups), paired_differences(right)
    lead = right[:, 0].astype(float) - right[:, 1]
    spread = np.array([(lead[groups == one] - lead.mean()).sum() for one in np.unique(groups)])
    error = np.sqrt(40 / 39 * (spread**2).sum()) / len(lead)
    assert found.high - found.low == pytest.approx(2 * stats.t.ppf(0.975, 39) * error, rel=0.05)
    assert found.high - found.low > 1.3 * (of_examples.high - of_examples.low)


def test_groups_of_one_are_the_examples():
    right = two(300)
    alone, grouped = paired_differences(right), paired_differences(right, np.arange(300).astype(str))
    for name, values in vars(alone).items():
        np.testing.assert_array_equal(values, getattr(grouped, name), err_msg=name)
    first = right[:, 0]
    assert grouped_interval(first, np.arange(300)) == pytest.approx(wilson_interval(int(first.sum()), 300), abs=2e-3)


def test_the_interval_of_an_accuracy_by_groups_is_that_of_the_effective_number():
    right, groups = in_groups(seed=5)
    first = right[:, 0]
    low, high = grouped_interval(first, groups)
    # The same variance by leaving each group out.
    means = np.array([first[groups != one].mean() for one in range(40)])
    error = np.sqrt(39 / 40 * ((means - means.mean()) ** 2).sum())
    assert high - low == pytest.approx(2 * stats.t.ppf(0.975, 39) * error, rel=0.04)
    assert low < first.mean() < high
    plain = wilson_interval(int(first.sum()), len(first))
    assert high - low > 1.5 * (plain[1] - plain[0])


def test_a_group_that_outweighs_the_others_leaves_little_to_go_by():
    right, groups = in_groups(seed=6)
    one_large = np.where(groups < 30, 0, groups)
    even, uneven = (grouped_interval(right[:, 0], one) for one in (groups, one_large))
    assert uneven[1] - uneven[0] > 3 * (even[1] - even[0])
    assert 0 <= uneven[0] < right[:, 0].mean() < uneven[1] <= 1
    assert np.isfinite(grouped_interval(right[:, 0], np.arange(480) == 7)).all()


def test_groups_that_are_all_right_count_once_each():
    low, high = grouped_interval(np.ones(500, bool), np.arange(500) // 25)
    assert high == 1
    assert 0.75 < low < wilson_interval(20, 20)[0]


def test_classifiers_that_never_disagree_are_not_taken_for_certainly_equal():
    right = two(400)[:, [0, 0]]
    found = paired_differences(right)
    assert found.difference == 0
    assert found.low == pytest.approx(-found.high, abs=2e-3)
    assert 0.004 < found.high[0] < 0.015


def test_what_was_found_is_never_outside():
    right = np.column_stack([np.ones(6, bool), np.zeros(6, bool)])
    found = paired_differences(right)
    assert found.low < found.difference == found.high == 1
    assert found.low >= 0


def test_every_pair_is_as_it_is_alone_and_those_of_all_at_once_are_wider():
    right = two(800, seed=2, shares=(0.9, 0.86, 0.85, 0.8))
    found = paired_differences(right)
    assert list(zip(found.first.tolist(), found.second.tolist(), strict=True)) == list(combinations(range(4), 2))
    for place, (a, b) in enumerate(combinations(range(4), 2)):
        alone = paired_differences(right[:, [a, b]])
        assert found.difference[place] == alone.difference
        width = float((alone.high - alone.low)[0])
        assert found.low[place] == pytest.approx(alone.low[0], abs=0.05 * width)
        assert found.high[place] == pytest.approx(alone.high[0], abs=0.05 * width)
    ratio = (found.high_of_all - found.low_of_all) / (found.high - found.low)
    # Between those of one comparison and, for six normal and independent ones, Bonferroni's.
    assert (ratio > 1.15).all()
    assert (ratio < 1.05 * stats.norm.ppf(1 - 0.025 / 6) / 1.96).all()


def test_with_few_groups_all_at_once_are_further_out_as_well():
    right, groups = in_groups(groups=8, each=30, shares=(0.85, 0.8, 0.75, 0.7), seed=4)
    found = paired_differences(right, groups)
    leads = right[:, found.first].astype(float) - right[:, found.second]
    spread = np.array([(leads[groups == one] - leads.mean(axis=0)).sum(axis=0) for one in range(8)])
    error = np.sqrt(8 / 7 * (spread**2).sum(axis=0)) / len(right)
    # At least what one pair has by Student's t.
    assert (found.high_of_all - found.low_of_all > 1.15 * 2 * stats.t.ppf(0.975, 7) * error).all()


def test_it_is_the_same_each_time_and_in_pieces(monkeypatch):
    right, groups = in_groups()
    once = paired_differences(right, groups)
    monkeypatch.setattr("linprobe.core.paired.COUNTS", 3_000)
    again = paired_differences(right, groups)
    for name, values in vars(once).items():
        np.testing.assert_allclose(values, getattr(again, name), atol=1e-12, err_msg=name)
    other = paired_differences(right, groups, seed=1)
    assert (other.low != once.low) | (other.high != once.high)

"""How sure an accuracy is, of examples in groups, and how sure the difference of two on the same examples."""

from dataclasses import dataclass
from itertools import combinations

import numpy as np
from scipy.special import ndtr, ndtri, stdtrit

from linprobe.core.measure import wilson_share
from linprobe.core.resampling import percentile_interval

__all__ = ["TIMES", "Differences", "grouped_interval", "paired_differences"]

TIMES = 10_000  # resamples: each end of an interval is one of the outer 250
COUNTS = 2**22  # kept at a time: 32 MiB


@dataclass(frozen=True, eq=False)
class Differences:
    """By how much the accuracy of one classifier lies above that of another, of every pair.

    Attributes
    ----------
    first, second : int array (P,)
        The classifiers of each pair: all pairs, first < second.
    difference : array (P,)
        Accuracy of the first minus that of the second.
    low, high : array (P,)
        The interval of each, for whoever looks at that pair alone.
    low_of_all, high_of_all : array (P,)
        Wider ones, which hold for all pairs at once; the same where there is one pair.
    """

    first: np.ndarray
    second: np.ndarray
    difference: np.ndarray
    low: np.ndarray
    high: np.ndarray
    low_of_all: np.ndarray
    high_of_all: np.ndarray


def grouped_interval(right: np.ndarray, groups: np.ndarray, level: float = 0.95) -> tuple[float, float]:
    """The interval of an accuracy of examples that come in groups, such as pictures of patients.

    Wilson's, of as many independent examples as tell as much as these do: how much leaving out each group changes the
    accuracy says how many that is. As few groups say that badly, Student's t stands in place of the normal quantile,
    with the degrees of freedom of as many groups of one size as weigh as much as these.

    Parameters
    ----------
    right : bool array (n,)
        Which predictions are right.
    groups : array (n,)
        What each example belongs to; at least two of them.
    level : float

    Returns
    -------
    low, high : float

    References
    ----------
    Dean and Pagano (2015), Evaluating confidence interval methods for binomial proportions in clustered surveys: the
    Wilson interval with an effective sample size. MacKinnon, Nielsen and Webb (2023), Cluster-robust inference: the
    variance by leaving out each group. Kish (1965), Survey sampling: the number of groups that weigh as much.
    """
    sizes, correct = _sums(groups, right[:, None])
    share, n = float(right.mean()), len(right)
    changes = (correct[:, 0] - share * sizes) / (n - sizes)
    variance, units = float(changes @ changes), n**2 / float(sizes @ sizes)
    # Where all groups are alike, as of one that is always right, they count as one example each.
    effective = min(float(n), share * (1 - share) / variance) if variance > 0 else units
    return wilson_share(share, effective, float(stdtrit(max(1.0, units - 1), 0.5 + level / 2)))


def paired_differences(
    right: np.ndarray,
    groups: np.ndarray | None = None,
    *,
    level: float = 0.95,
    times: int = TIMES,
    seed: int = 0,
) -> Differences:
    """Differences between the accuracies of classifiers on the same examples, with their bootstrap intervals.

    Whole examples are drawn, or whole groups, with what all classifiers made of them. Three things keep the intervals
    from being too short. The percentiles lie as much further out as Student's t lies beyond the normal distribution,
    which matters with few groups. For each pair there are two more examples, of which one classifier has one right and
    the other the other, so that few disagreements, or none, are not taken for certainty. And where there are several
    pairs, `low_of_all` and `high_of_all` allow for the largest deviation among them.

    Parameters
    ----------
    right : bool array (n, R)
        Which predictions of each classifier are right.
    groups : array (n,), optional
        What each example belongs to.
    level : float
    times : int
        Resamples.
    seed : int

    Returns
    -------
    Differences
        Of R (R - 1) / 2 pairs.

    References
    ----------
    Percentiles further out: Hesterberg (2015), What teachers should know about the bootstrap. The two
    examples: Bonett and Price (2012), Adjusted Wald confidence interval for a difference of binomial proportions based
    on paired data. All pairs at once: Romano and Wolf (2005), Stepwise multiple testing as formalized data snooping,
    its first step.
    """
    first, second = np.array(list(combinations(range(right.shape[1]), 2))).T
    kinds, many = _alike(right, groups)
    units = int(many.sum())
    sizes, leads = kinds[:, 0], kinds[:, 1:][:, first] - kinds[:, 1:][:, second]
    difference = leads.T @ many / len(right)
    drawn = _resampled(
        np.append(sizes, [1, 1]).astype(np.float64),
        np.vstack([leads, np.ones_like(leads[:1]), -np.ones_like(leads[:1])]).astype(np.float64),
        np.append(many, [1, 1]),
        times,
        np.random.default_rng(seed),
    )
    # Beyond the normal quantile by as much as t is, and as the variance of a sample is too small.
    stretch = np.sqrt(units / (units - 1)) * stdtrit(units - 1, 0.5 + level / 2)
    low, high = percentile_interval(drawn, float(2 * ndtr(stretch) - 1))
    if len(first) == 1:
        return Differences(first, second, difference, low, high, low, high)
    centre, spread = drawn.mean(axis=0), drawn.std(axis=0)
    largest = np.abs((drawn - centre) / spread).max(axis=1)
    reach = spread * np.quantile(largest, level) * stretch / ndtri(0.5 + level / 2)
    return Differences(
        *(first, second, difference, low, high),
        low_of_all=np.minimum(low, centre - reach),
        high_of_all=np.maximum(high, centre + reach),
    )


def _sums(groups: np.ndarray, right: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The size of each group (G,), and how many of it are right (G, R)."""
    of_example = np.unique(groups, return_inverse=True)[1].reshape(-1)
    sizes = np.bincount(of_example)
    correct = np.stack([np.bincount(of_example, column, len(sizes)) for column in right.T], axis=1)
    return sizes, correct.astype(np.int64)


def _alike(right: np.ndarray, groups: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    """The kinds of examples or of groups (kinds, 1 + R), their size and how many are right; and how many of each.

    Of a million examples there are few kinds, and what is drawn is how many of each.
    """
    if groups is None:
        _, where, many = np.unique(np.packbits(right, axis=1), axis=0, return_index=True, return_counts=True)
        return np.column_stack([np.ones(len(where), np.int64), right[where]]).astype(np.int64), many
    kinds, many = np.unique(np.column_stack(_sums(groups, right)), axis=0, return_counts=True)
    return kinds, many


def _resampled(
    sizes: np.ndarray, leads: np.ndarray, many: np.ndarray, times: int, rng: np.random.Generator
) -> np.ndarray:
    """The difference (times, P) in each resample of as many units as there are."""
    units, some = int(many.sum()), max(1, COUNTS // len(many))
    found = []
    for start in range(0, times, some):
        counts = rng.multinomial(units, many / units, size=min(some, times - start)).astype(np.float64)
        found.append(counts @ leads / (counts @ sizes)[:, None])
    return np.concatenate(found)

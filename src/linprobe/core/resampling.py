"""The bootstrap: how often each example stands in each resample, and the interval of what resamples give."""

from collections.abc import Iterator

import numpy as np

__all__ = ["RESAMPLES", "percentile_interval", "resample_counts"]

RESAMPLES = 1_000
COUNTS = 2**24  # kept at a time: 64 MiB


def resample_counts(
    n: int,
    *,
    groups: np.ndarray | None = None,
    times: int = RESAMPLES,
    seed: int = 0,
    at_a_time: int | None = None,
) -> Iterator[np.ndarray]:
    """Draw examples with replacement, as many as there are; or groups, with all of their examples.

    Parameters
    ----------
    n : int
        Examples.
    groups : array (n,), optional
        What an example belongs to, such as its patient: examples of one group are drawn together.
    times : int
        Resamples.
    seed : int
        The same resamples for the same seed, `n` and `groups`, so that what is compared on them is paired.
    at_a_time : int, optional
        Resamples that are yielded together; the resamples are the same for any number.

    Yields
    ------
    counts : int32 array (some, n)
        How often each example stands in each of the next resamples; `times` rows in all.

    References
    ----------
    Efron and Tibshirani (1993), chapters 6 and 8; for groups, Davison and Hinkley (1997), section 3.8.
    """
    rng = np.random.default_rng(seed)
    of_example = None if groups is None else np.unique(groups, return_inverse=True)[1].reshape(-1)
    units = n if of_example is None else int(of_example.max(initial=-1)) + 1
    at_a_time = max(1, min(times, COUNTS // max(n, 1) if at_a_time is None else at_a_time))
    for start in range(0, times, at_a_time):
        some = min(at_a_time, times - start)
        drawn = rng.integers(units, size=(some, units)) + units * np.arange(some)[:, None]
        counts = np.bincount(drawn.ravel(), minlength=some * units).reshape(some, units).astype(np.int32)
        yield counts if of_example is None else counts[:, of_example]


def percentile_interval(values: np.ndarray, level: float = 0.95) -> tuple[np.ndarray, np.ndarray]:
    """The ends (...) of the middle `level` of the values (times, ...) of resamples; NaN among them are left out."""
    low, high = np.nanquantile(values, [(1 - level) / 2, (1 + level) / 2], axis=0)
    return low, high

"""How often 95 % intervals of accuracies and of their differences hold the truth, in simulated data.

    python scripts/coverage.py [--simulations 2000]

The interval of an accuracy of independent examples is not simulated: how often it holds is a sum over the binomial.
Else two classifiers of known accuracy, right about the same examples more often than by chance, on examples that are
independent or come in groups: a latent normal variable for every group and example, of which both see a part.
"""

import argparse
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri
from scipy.stats import binom

from linprobe.core.measure import wilson_interval
from linprobe.core.paired import grouped_interval, paired_differences
from linprobe.core.resampling import percentile_interval, resample_counts

RESAMPLES = 2_000  # a fifth of what linprobe compare draws: the noise of their ends is small beside that of the data
SHARED = 0.5  # of the variance of the latent variables: what two classifiers have in common


@dataclass(frozen=True)
class Situation:
    """The accuracies of classifiers on n groups of `each` examples; within: the latent correlation in a group.

    uneven: whether groups have geometrically distributed sizes, `each` in the mean.
    """

    name: str
    accuracies: tuple[float, ...]
    groups: int
    each: int = 1
    within: float = 0.0
    uneven: bool = False

    def draw(self, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray | None]:
        """Which predictions are right (n, R), and the groups (n,)."""
        sizes = rng.geometric(1 / self.each, self.groups) if self.uneven else np.full(self.groups, self.each)
        group = np.repeat(np.arange(self.groups), sizes)
        R, n = len(self.accuracies), len(group)

        def latent(many: int) -> np.ndarray:
            return np.sqrt(SHARED) * rng.normal(size=(many, 1)) + np.sqrt(1 - SHARED) * rng.normal(size=(many, R))

        scores = np.sqrt(self.within) * latent(self.groups)[group] + np.sqrt(1 - self.within) * latent(n)
        return scores < ndtri(np.array(self.accuracies)), group if self.each > 1 else None


SITUATIONS = (
    Situation("200 examples", (0.80, 0.75), 200),
    Situation("1,000 examples", (0.80, 0.75), 1_000),
    Situation("200 examples", (0.98, 0.97), 200),
    Situation("1,000 examples", (0.98, 0.98), 1_000),
    Situation("30 groups of 10", (0.80, 0.75), 30, 10, 0.4),
    Situation("100 groups of 10", (0.80, 0.75), 100, 10, 0.4),
    Situation("30 groups of 1 to about 50", (0.80, 0.75), 30, 10, 0.4, uneven=True),
    Situation("100 groups of 1 to about 50", (0.80, 0.75), 100, 10, 0.4, uneven=True),
    Situation("30 groups of 10", (0.98, 0.97), 30, 10, 0.4),
    Situation("100 groups of 10", (0.98, 0.97), 100, 10, 0.4),
)
SEVERAL = (
    Situation("1,000 examples", (0.80, 0.79, 0.78, 0.77, 0.75), 1_000),
    Situation("30 groups of 10", (0.80, 0.79, 0.78, 0.77, 0.75), 30, 10, 0.4),
)


def plain(right: np.ndarray, groups: np.ndarray | None, seed: int) -> tuple[float, float]:
    """The percentile interval of the difference, with nothing done about few groups or few disagreements."""
    lead = right[:, 0].astype(np.int64) - right[:, 1]
    if groups is None:  # of three values, how often each is drawn
        values, many = np.unique(lead, return_counts=True)
        counts = np.random.default_rng(seed).multinomial(len(lead), many / len(lead), RESAMPLES)
        drawn = counts @ values / len(lead)
    else:
        sizes, leads = np.bincount(groups), np.bincount(groups, lead)
        counts = np.concatenate(list(resample_counts(len(sizes), times=RESAMPLES, seed=seed)))
        drawn = counts @ leads / (counts @ sizes)
    low, high = percentile_interval(drawn)
    return float(low), float(high)


def covered(situation: Situation, times: int) -> tuple[float, float, float]:
    """How often the interval holds the accuracy, the difference, and the difference where it is the plain one."""
    rng, truth = np.random.default_rng(0), situation.accuracies[0] - situation.accuracies[1]
    hits = np.zeros(3)
    for number in range(times):
        right, groups = situation.draw(rng)
        # Independent examples are left to `exactly`.
        single = (0.0, 1.0) if groups is None else grouped_interval(right[:, 0], groups)
        found = paired_differences(right, groups, times=RESAMPLES, seed=number)
        paired = found.low[0], found.high[0]
        truths = (situation.accuracies[0], truth, truth)
        intervals = (single, paired, plain(right, groups, number))
        hits += [low <= value <= high for value, (low, high) in zip(truths, intervals, strict=True)]
    accuracy, difference, bare = hits / times
    return exactly(situation) if situation.each == 1 else accuracy, difference, bare


def exactly(situation: Situation) -> float:
    """How often Wilson's interval holds the first accuracy, of independent examples."""
    n, accuracy = situation.groups, situation.accuracies[0]
    intervals = [wilson_interval(correct, n) for correct in range(n + 1)]
    holds = [correct for correct, (low, high) in enumerate(intervals) if low <= accuracy <= high]
    return float(binom.pmf(holds, n, accuracy).sum())


def all_covered(situation: Situation, times: int) -> tuple[float, float]:
    """How often the intervals of all pairs hold their differences: each for itself, and those of all at once."""
    rng, hits = np.random.default_rng(0), np.zeros(2)
    accuracies = np.array(situation.accuracies)
    for number in range(times):
        found = paired_differences(*situation.draw(rng), times=RESAMPLES, seed=number)
        truth = accuracies[found.first] - accuracies[found.second]
        each = (found.low <= truth) & (truth <= found.high)
        at_once = (found.low_of_all <= truth) & (truth <= found.high_of_all)
        hits += [each.all(), at_once.all()]
    one, every = hits / times
    return one, every


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--simulations", type=int, default=2_000)
    times = parser.parse_args().simulations

    def accuracies(situation: Situation) -> str:
        return ", ".join(f"{one:.2f}" for one in situation.accuracies)

    print("| test rows | accuracies | accuracy | difference | plain bootstrap |\n|---|---|---:|---:|---:|")
    for situation in SITUATIONS:
        shares = " | ".join(f"{100 * share:.1f} %" for share in covered(situation, times))
        print(f"| {situation.name} | {accuracies(situation)} | {shares} |", flush=True)
    print("\n| test rows | accuracies | all 10 differences | with the interval of each |\n|---|---|---:|---:|")
    for situation in SEVERAL:
        each, at_once = all_covered(situation, times)
        print(
            f"| {situation.name} | {accuracies(situation)} | {100 * at_once:.1f} % | {100 * each:.1f} % |", flush=True
        )


if __name__ == "__main__":
    main()

"""Which rows make the parts of a data set: drawn, each class in its share, or in groups that stay whole."""

from collections.abc import Sequence

import numpy as np

from linprobe.data.dataset import Dataset
from linprobe.data.reading import show
from linprobe.errors import DataError

__all__ = ["grouped", "in_one", "mixed", "numbered_groups", "some", "stratified"]


def stratified(y: np.ndarray, sizes: Sequence[int], generator: np.random.Generator) -> np.ndarray:
    """The part of each row (n,), -1 for none, so that each part has its size and its share of every class.

    Parts after the first, those that judge, have their share of a class to within one example, unless that would leave
    the first, which trains, without the class: a class of one example is in the first. y (n,) labels.
    """
    counts = np.bincount(y)
    rank = _rank_in_class(y, counts, generator)
    found, taken, owed = np.full(len(y), -1), np.zeros_like(counts), np.zeros(len(counts))
    for part in range(len(sizes) - 1, -1, -1):
        left = counts - taken
        if part:
            share, of, most = counts * sizes[part], len(y), np.maximum(left - 1, 0)
        else:
            share, of, most = left * sizes[0], max(1, int(left.sum())), left
        here = _whole(share, of, most, left, owed, generator)
        found[(rank >= taken[y]) & (rank < (taken + here)[y])] = part
        taken += here
        owed += share / of - here
    return found


def _rank_in_class(y: np.ndarray, counts: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Each row's place (n,) among those of its class, in a random order."""
    order = generator.permutation(len(y))
    order = order[np.argsort(y[order], kind="stable")]
    rank = np.empty(len(y), np.int64)
    rank[order] = np.arange(len(y)) - np.repeat(np.cumsum(counts) - counts, counts)
    return rank


def _whole(
    share: np.ndarray, of: int, most: np.ndarray, left: np.ndarray, owed: np.ndarray, generator: np.random.Generator
) -> np.ndarray:
    """Whole numbers (K,) that sum to share.sum() / of: share / of rounded down or up, at most `most`, and `left` at
    the very most. Rounded up are those that are owed most; among equals chance decides.
    """
    size = int(share.sum()) // of
    found = np.minimum(share // of, most)
    tie = generator.permutation(len(share))
    may = (found < most) & (share % of > 0) & (found == share // of)
    found += _first(may, (share / of - found) + owed, tie, size - int(found.sum()))
    for limit in (most, left):  # what is left over, by the room that there is
        room, short = limit - found, size - int(found.sum())
        if short and room.any():
            short, total = min(short, int(room.sum())), int(room.sum())
            more = room * short // total
            found += more + _first(room * short % total > 0, room * short % total, tie, short - int(more.sum()))
    return found


def _first(may: np.ndarray, wish: np.ndarray, tie: np.ndarray, number: int) -> np.ndarray:
    """1 for so many of those that may, by their wish, else 0."""
    order = np.lexsort((tie, -wish, ~may))[:number]
    found = np.zeros(len(may), np.int64)
    found[order[may[order]]] = 1
    return found


def grouped(y: np.ndarray, groups: np.ndarray, sizes: Sequence[int], generator: np.random.Generator) -> np.ndarray:
    """The part of each row (n,), all rows of a group in the same one, each part near its size and its shares.

    The largest groups come first, and go where the classes that they have are wanting most; every part that has a size
    gets a group, the first parts if there are too few. y (n,) labels, groups (n,) int in [0, G).
    """
    counts, number = np.bincount(y), int(groups.max()) + 1
    pairs, times = np.unique(groups * np.int64(len(counts)) + y, return_counts=True)
    group, label = np.divmod(pairs, len(counts))
    starts = np.searchsorted(group, np.arange(number + 1))
    wanting = np.outer(sizes, counts) / sum(sizes)  # (parts, K) examples
    share = times / counts[label]
    order = generator.permutation(number)
    order = order[np.argsort(-np.bincount(groups, minlength=number)[order], kind="stable")]
    part_of = np.empty(number, np.int64)
    empty = {part for part, size in enumerate(sizes) if size}
    for still, one in zip(range(number, 0, -1), order.tolist(), strict=True):
        its = slice(starts[one], starts[one + 1])
        gain = wanting[:, label[its]] @ share[its]
        open_to = sorted(empty)[:still] if still <= len(empty) else [part for part, size in enumerate(sizes) if size]
        part = max(open_to, key=gain.__getitem__)
        wanting[part, label[its]] -= times[its]
        part_of[one] = part
        empty.discard(part)
    return part_of[groups]


def numbered_groups(dataset: Dataset, cut: list[str]) -> np.ndarray:
    """The groups of the training rows, numbered (n,). Raises DataError where one is in two splits of the source's own,
    or where there are too few.
    """
    own = {name: np.unique(examples.groups) for name, examples in dataset.splits() if examples.groups is not None}
    names = list(own)
    for number, one in enumerate(names):
        for other in names[number + 1 :]:
            if len(both := np.intersect1d(own[one], own[other])):
                more = f" and {len(both) - 1:,} more are" if len(both) > 1 else " is"
                raise DataError(
                    f"{dataset.name}: the group {show(str(both[0]))}{more} in both {one} and {other}; correct the "
                    "splits, or leave --groups out"
                )
    found, numbers = np.unique(np.asarray(dataset.train.groups), return_inverse=True)
    if len(found) <= len(cut):
        parts = " and ".join(", ".join(("train", *cut)).rsplit(", ", 1))
        raise DataError(
            f"{dataset.name}: has {len(found)} group{'s' if len(found) > 1 else ''} to split into {parts}, which need "
            "at least one each; give it more groups, or splits of their own with --val and --test"
        )
    return numbers.reshape(-1)


def some(y: np.ndarray, size: int, generator: np.random.Generator) -> np.ndarray:
    """The numbers of so many rows, each class in its share, of y (n,)."""
    return np.arange(size) if size == len(y) else np.flatnonzero(stratified(y, [size], generator) == 0)


def in_one(rows: np.ndarray) -> slice | np.ndarray:
    """Ascending row numbers as a slice where they are one."""
    whole = len(rows) > 0 and rows[-1] - rows[0] == len(rows) - 1
    return slice(int(rows[0]), int(rows[-1]) + 1) if whole else rows


def mixed(y: np.ndarray, *sizes: int) -> bool:
    """Whether the first sizes[0] rows, the next sizes[1] and so on can stand for the whole, in the order they have."""
    share = np.bincount(y) / len(y)
    # From row to row the label changes as often as two rows drawn at random differ; in blocks of a class, hardly ever.
    if np.count_nonzero(np.diff(y)) < (len(y) - 1) * (1 - share @ share) / 2:
        return False
    start = 0
    for size in sizes:
        found = np.bincount(y[start : start + size], minlength=len(share))
        # A class of which 20 are expected is absent from mixed rows once in e^20 times.
        if ((share * size >= 20) & (found == 0)).any():
            return False
        start += size
    return True

"""Rows drawn for splits and folds: each class in its share, or groups that stay whole."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from linprobe.compare.held_out import make_folds
from linprobe.data.dataset import Dataset, Examples
from linprobe.data.draw import grouped, stratified
from linprobe.data.splits import TrainedOn, make_splits
from linprobe.errors import DataError, UsageError

NAMES = tuple("abcdefgh")


def rng(seed=0):
    return np.random.default_rng(seed)


def counted(y, part, number, classes):
    return np.bincount(y[part == number], minlength=classes)


# ---- classes in their shares


@given(
    counts=st.lists(st.integers(2, 60), min_size=2, max_size=8),
    shares=st.tuples(st.integers(1, 5), st.integers(1, 5)),
    seed=st.integers(0, 2**32),
)
def test_what_judges_has_its_share_of_every_class_to_within_one_example(counts, shares, seed):
    y = rng(seed).permutation(np.repeat(np.arange(len(counts)), counts))
    n = len(y)
    val, test = (max(1, n * share // 20) for share in shares)
    part = stratified(y, [n - val - test, val, test], rng(seed))
    assert np.bincount(part, minlength=3).tolist() == [n - val - test, val, test]
    for number, size in ((1, val), (2, test)):
        ideal = np.array(counts) * size / n
        # A class of two has one to train on and one to give away, whatever its share.
        given_up = np.array(counts) - 1 < np.ceil(ideal) + np.ceil(np.array(counts) * (val + test - size) / n)
        off = np.abs(counted(y, part, number, len(counts)) - ideal)
        if not given_up.any():
            assert (off < 1).all()
    assert (counted(y, part, 0, len(counts)) > 0).all()


@given(counts=st.lists(st.integers(1, 4), min_size=2, max_size=30), val=st.integers(1, 9), seed=st.integers(0, 2**32))
def test_classes_of_one_example_are_trained_on_where_there_is_room(counts, val, seed):
    y = np.repeat(np.arange(len(counts)), counts)
    val = min(val, len(y) - 1)
    part = stratified(y, [len(y) - val, val], rng(seed))
    assert np.bincount(part, minlength=2).tolist() == [len(y) - val, val]
    # As many classes as there can be have an example to learn from.
    trained = np.count_nonzero(counted(y, part, 0, len(counts)))
    assert trained == min(len(counts), len(y) - val)


def test_fewer_training_rows_than_there_are_keep_the_shares_too():
    y = np.repeat([0, 1, 2], [600, 300, 100])
    part = stratified(y, [200, 100, 50], rng())
    assert [counted(y, part, number, 3).tolist() for number in (0, 1, 2)] == [[120, 60, 20], [60, 30, 10], [30, 15, 5]]
    assert np.count_nonzero(part == -1) == 650


def test_who_is_drawn_is_chance_and_the_same_for_the_same_seed():
    y = np.repeat(np.arange(100), 10)  # half an example of each class: in which classes it is a whole one is chance too
    one, again, other = (stratified(y, [950, 50], rng(seed)) for seed in (1, 1, 2))
    assert (one == again).all()
    assert (one != other).any()
    drawn = np.array([counted(y, stratified(y, [950, 50], rng(seed)), 1, 100) for seed in range(200)])
    assert (drawn <= 1).all()
    assert 60 < drawn.sum(axis=0).min() <= drawn.sum(axis=0).max() < 140
    rows = np.sum([stratified(y, [950, 50], rng(seed)) for seed in range(400)], axis=0)
    assert rows.min() > 2  # of 20 expected


def test_shares_are_those_of_scikit_learns_stratified_draw():
    """The same numbers of each class as its StratifiedShuffleSplit, where no class is so small that rules differ."""
    from sklearn.model_selection import StratifiedShuffleSplit

    y = np.repeat([0, 1, 2, 3], [500, 250, 125, 25])
    ((train, test),) = StratifiedShuffleSplit(1, test_size=90, random_state=0).split(y, y)
    part = stratified(y, [810, 90], rng())
    for number, theirs in ((0, train), (1, test)):
        assert np.abs(counted(y, part, number, 4) - np.bincount(y[theirs])).max() <= 1


# ---- groups


def patients(groups=60, classes=4, seed=0, most=30):
    """Labels and groups of rows in a random order; groups lean to a class, as patients do."""
    generator = rng(seed)
    sizes = generator.integers(1, most, groups)
    of = np.repeat(np.arange(groups), sizes)
    lean = generator.integers(0, classes, groups)[of]
    y = np.where(generator.random(len(of)) < 0.6, lean, generator.integers(0, classes, len(of)))
    order = generator.permutation(len(of))
    return y[order], of[order]


@given(groups=st.integers(3, 40), classes=st.integers(2, 6), most=st.integers(2, 50), seed=st.integers(0, 2**32))
def test_a_group_is_in_one_part_and_no_part_is_empty(groups, classes, most, seed):
    y, of = patients(groups, classes, seed, most)
    n = len(y)
    part = grouped(y, of, [n - 2 * (n // 10) - 2, n // 10 + 1, n // 10 + 1], rng(seed))
    assert all(len(np.unique(part[of == group])) == 1 for group in range(groups))
    assert set(part.tolist()) == {0, 1, 2}


def test_parts_of_groups_come_near_their_sizes_and_shares():
    y, of = patients(400)
    sizes = np.array([0.8, 0.1, 0.1]) * len(y)
    part = grouped(y, of, sizes.tolist(), rng())
    np.testing.assert_allclose(np.bincount(part), sizes, rtol=0.02)
    for number in range(3):
        np.testing.assert_allclose(
            counted(y, part, number, 4) / sizes[number], np.bincount(y) / len(y), atol=0.03, err_msg=str(number)
        )


@pytest.mark.sampled(3)
@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("folds", [2, 5, 10])
def test_folds_of_groups_are_as_even_as_scikit_learns(folds, seed):
    from sklearn.model_selection import StratifiedGroupKFold

    y, of = patients(200, seed=seed)
    ours = make_folds(y, folds, seed, NAMES[:4], of)
    assert all(len(np.unique(ours[of == group])) == 1 for group in np.unique(of))
    theirs = np.empty(len(y), int)
    for fold, (_, rows) in enumerate(StratifiedGroupKFold(folds, shuffle=True, random_state=seed).split(y, y, of)):
        theirs[rows] = fold

    def unevenness(fold):
        table = np.array([np.bincount(y[fold == number], minlength=4) for number in range(folds)])
        return np.abs(table / table.sum(axis=0) * folds - 1).max(), np.ptp(table.sum(axis=1))

    assert unevenness(ours)[0] <= unevenness(theirs)[0] + 0.1
    assert unevenness(ours)[1] <= unevenness(theirs)[1] + 0.05 * len(y) / folds
    assert (ours == make_folds(y, folds, seed, NAMES[:4], of)).all()
    assert (ours != make_folds(y, folds, seed + 100, NAMES[:4], of)).any()


def test_fewer_groups_than_folds_are_refused_in_a_line():
    y = np.arange(30) % 3
    with pytest.raises(UsageError, match=r"--folds 5: there are 4 groups to split into folds, .* ask for 4 or fewer"):
        make_folds(y, 5, 0, NAMES[:3], np.arange(30) % 4)
    assert len(set(make_folds(y, 4, 0, NAMES[:3], np.arange(30) % 4).tolist())) == 4


def test_folds_without_groups_are_scikit_learns_own():
    from sklearn.model_selection import StratifiedKFold

    y = rng().permutation(np.repeat([0, 1, 2], [50, 20, 7]))
    expected = np.empty(len(y), int)
    for fold, (_, rows) in enumerate(StratifiedKFold(5, shuffle=True, random_state=3).split(y, y)):
        expected[rows] = fold
    found = make_folds(y, 5, 3, NAMES[:3])
    assert (found == expected).all()
    table = np.array([np.bincount(y[found == fold], minlength=3) for fold in range(5)])
    assert (np.abs(table - np.bincount(y) / 5) < 1).all()


# ---- splits of a data set


def data(groups=None, own=(), n=300, seed=0, **changed):
    """Rows that carry their number, 1,000 more in val and 2,000 more in test; groups: of all of them, as texts."""

    def part(first, n):
        rows = first + np.arange(n)
        its = None if groups is None else np.array([groups(row) for row in rows.tolist()], object)
        return Examples(np.stack([rows, rows], axis=1), rows % 7 % 3, changed.get("its", its))

    return Dataset(
        "d",
        part(0, n),
        part(2_000, 60) if "test" in own else None,
        NAMES[:3],
        val=part(1_000, 40) if "val" in own else None,
    )


def rows_of(examples):
    return examples.X[:, 0].tolist()


def test_stratified_splits_are_the_seeds_and_cover_all_rows():
    dataset = data()
    splits = make_splits(dataset, seed=4, train=240, val=30, test=30, rule="stratified")
    rows = [rows_of(part) for part in (splits.train, splits.val, splits.test)]
    assert sorted(row for part in rows for row in part) == list(range(300))
    assert [len(each) for each in rows] == [240, 30, 30]
    counts = np.bincount(dataset.train.y)
    for part in (splits.val, splits.test):
        assert (np.abs(np.bincount(part.y) - counts / 10) < 1).all()
        assert (part.y == dataset.train.y[rows_of(part)]).all()
    again = make_splits(dataset, seed=4, train=240, val=30, test=30, rule="stratified")
    other = make_splits(dataset, seed=5, train=240, val=30, test=30, rule="stratified")
    assert rows_of(again.test) == rows[2] != rows_of(other.test)


@pytest.mark.parametrize("own", [(), ("val",), ("test",), ("val", "test")], ids=str)
@pytest.mark.parametrize("rule", ["stratified", "grouped"])
def test_splits_of_the_sources_own_stay_whole_and_are_found_again(own, rule):
    dataset = data(lambda row: f"p{row // 20}", own)
    asked = {"train": 300 - 30 * (2 - len(own)), "val": 40 if "val" in own else 30, "test": 60 if "test" in own else 30}
    splits = make_splits(dataset, seed=2, rule=rule, **asked)
    if "val" in own:
        assert rows_of(splits.val) == list(range(1_000, 1_040))
    if "test" in own:
        assert rows_of(splits.test) == list(range(2_000, 2_060))
    rows = TrainedOn.of(splits, 2, "train + validation", "train", rule)
    assert (rows.rule, rows.tell()["rule"]) == (rule, rule)
    found = TrainedOn.read(rows.tell()).splits(dataset)
    for name in ("train", "val", "test"):
        assert rows_of(getattr(found, name)) == rows_of(getattr(splits, name))
    with pytest.raises(DataError, match="are not those that the model was trained on"):
        TrainedOn.read(rows.tell() | {"seed": 3, "rule": "stratified"}).splits(dataset)


@pytest.mark.parametrize("own", [(), ("val",), ("test",)], ids=str)
def test_no_group_is_in_two_splits(own):
    dataset = data(lambda row: f"p{row % 1000 // 9 if row < 1000 else row}", own)
    splits = make_splits(dataset, seed=1, rule="grouped", train=300 - 20 * (2 - len(own)), val=20, test=20)
    sets = [set(part.groups.tolist()) for part in (splits.train, splits.val, splits.test) if part.groups is not None]
    assert len(sets) == 3
    assert len(set.union(*sets)) == sum(map(len, sets))
    assert sorted(rows_of(splits.train) + ([] if "val" in own else rows_of(splits.val)) + (
        [] if "test" in own else rows_of(splits.test)
    )) == list(range(300))  # fmt: skip


def test_groups_in_two_splits_of_the_sources_own_are_refused():
    shared = data(lambda row: f"p{row % 1000 // 20}", ("test",))
    with pytest.raises(
        DataError, match="d: the group p0 and 2 more are in both train and test; correct the splits, or"
    ):
        make_splits(shared, rule="grouped")
    assert len(make_splits(shared, rule="stratified", test=60).test) == 60


def test_too_few_groups_to_split_are_refused_in_a_line():
    with pytest.raises(DataError, match="d: has 2 groups to split into train, val and test, which need at least one"):
        make_splits(data(lambda row: f"p{row % 2}"), rule="grouped")
    assert len(make_splits(data(lambda row: f"p{row % 3}"), rule="grouped").val) == 100


def test_a_model_of_groups_is_not_judged_without_them():
    grouped_data = data(lambda row: f"p{row // 20}")
    told = TrainedOn.of(make_splits(grouped_data, rule="grouped"), 0, "train", "train", "grouped").tell()
    with pytest.raises(DataError, match=r"d: the model was trained on splits that keep groups together.*--groups"):
        TrainedOn.read(told).splits(data())


def test_the_rule_of_older_versions_is_not_told_and_still_followed():
    dataset = data()
    rows = TrainedOn.of(make_splits(dataset, seed=3, val=30, test=30), 3, "train", "train")
    assert "rule" not in rows.tell()
    assert TrainedOn.read(rows.tell()).rule == "in order"
    assert rows_of(TrainedOn.read(rows.tell()).splits(dataset).val) == rows_of(
        make_splits(dataset, seed=3, val=30, test=30).val
    )
    with pytest.raises(DataError, match="does not tell which rows"):
        TrainedOn.read(rows.tell() | {"rule": "by chance"})

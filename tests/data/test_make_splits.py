"""Splits: who is in which, in what order, and what is refused."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from linprobe.data.dataset import Dataset, Examples
from linprobe.data.rows import StoredRows
from linprobe.data.splits import default_sizes, make_splits
from linprobe.errors import DataError, UsageError

SPLITS = ("train", "val", "test", "dev")


def numbered(labels, first=0):
    """Examples that carry their row number in their features, so that they can be followed wherever they go."""
    rows = np.arange(first, first + len(labels), dtype=np.float32)
    return Examples(np.stack([rows, rows], axis=1), np.asarray(labels, np.int64))


def rows_of(examples):
    return examples.X[:, 0].astype(int).tolist()


def source(labels, test_labels=None, classes=None):
    """Training rows are numbered from 0, test rows from 1,000,000."""
    classes = classes or int(max(labels)) + 1
    test = None if test_labels is None else numbered(test_labels, 1_000_000)
    return Dataset("source", numbered(labels), test, tuple(f"class {k}" for k in range(classes)))


def mixed(n, classes=3, seed=0):
    labels = np.random.default_rng(seed).integers(0, classes, n)
    labels[: min(n, classes)] = np.arange(min(n, classes))
    return labels


def sizes_of(splits):
    return tuple(len(getattr(splits, name)) for name in SPLITS)


def assert_one_line(error, *words):
    message = str(error.value)
    assert "\n" not in message
    for word in words:
        assert word in message


# ---- sizes and order


def test_cifar10_is_cut_as_the_worksheet_says():
    """49,000 / 1,000 / 1,000 / 500 in the official order, whatever the seed."""
    rng = np.random.default_rng(0)
    y, test_y = np.repeat(np.arange(10), 5_000), np.repeat(np.arange(10), 1_000)
    rng.shuffle(y)
    rng.shuffle(test_y)
    X = np.arange(50_000, dtype="<u4").view(np.uint8).reshape(50_000, 2, 2, 1)
    test_X = X[:10_000] ^ 255
    dataset = Dataset("cifar10", Examples(X, y), Examples(test_X, test_y), tuple("abcdefghij"))
    splits = make_splits(dataset, seed=7)
    assert sizes_of(splits) == (49_000, 1_000, 1_000, 500)
    assert splits.train.X[:].tobytes() == X[:49_000].tobytes()
    assert splits.val.X[:].tobytes() == X[49_000:].tobytes()
    assert splits.test.X[:].tobytes() == test_X[:1_000].tobytes()
    assert splits.train.y.tobytes() == y[:49_000].tobytes()
    assert splits.val.y.tobytes() == y[49_000:].tobytes()
    assert splits.test.y.tobytes() == test_y[:1_000].tobytes()
    assert isinstance(splits.train.X, StoredRows)  # 150 MB that need not be copied
    chosen = splits.dev.X[:].reshape(500, 4).view("<u4").ravel()
    assert len(set(chosen.tolist())) == 500
    assert chosen.max() < 49_000
    assert (splits.dev.y == y[chosen]).all()
    another = make_splits(dataset, seed=8)
    assert another.train.X[:].tobytes() == splits.train.X[:].tobytes()
    assert another.dev.X[:].tobytes() != splits.dev.X[:].tobytes()


@pytest.mark.parametrize(
    ("train", "test", "expected"),
    [
        (50_000, 10_000, (49_000, 1_000, 1_000, 500)),  # CIFAR-10
        (51_000, None, (49_000, 1_000, 1_000, 500)),  # the same, with its test rows inside
        (60_000, 10_000, (58_800, 1_200, 1_200, 600)),  # MNIST: in proportion
        (1_000_000, 50_000, (980_000, 20_000, 20_000, 10_000)),
        (1_000_000, 500, (980_000, 20_000, 500, 10_000)),  # never more than the source has
        (510_000, None, (490_000, 10_000, 10_000, 5_000)),
        (5_000, 1_000, (4_800, 200, 200, 200)),  # 2 % would be 100: too few to tell settings apart
        (1_797, None, (1_439, 179, 179, 179)),  # digits: a tenth, because 200 would be more than that
        (100, 20, (90, 10, 10, 10)),
        (30, None, (24, 3, 3, 3)),
        (4, None, (2, 1, 1, 1)),
        (2, 1, (1, 1, 1, 1)),
    ],
)
def test_default_sizes_are_in_proportion_with_a_floor(train, test, expected):
    sizes = default_sizes(train, test)
    assert tuple(sizes[name] for name in SPLITS) == expected


def test_sizes_can_be_asked_for():
    dataset = source(mixed(1_000), mixed(300, seed=1))
    assert sizes_of(make_splits(dataset)) == (900, 100, 100, 100)
    assert sizes_of(make_splits(dataset, train=500, val=250, test=300, dev=7)) == (500, 250, 300, 7)
    splits = make_splits(dataset, train=500, val=250, test=300, dev=7)
    assert rows_of(splits.train) == list(range(500))
    assert rows_of(splits.val) == list(range(500, 750))
    assert rows_of(splits.test) == list(range(1_000_000, 1_000_300))
    # What is not asked for stays what it would have been, but training gives way, and dev fits into training.
    assert sizes_of(make_splits(dataset, train=20)) == (20, 100, 100, 20)
    assert sizes_of(make_splits(dataset, val=400)) == (600, 400, 100, 100)
    assert sizes_of(make_splits(dataset, val=990)) == (10, 990, 100, 10)
    assert sizes_of(make_splits(dataset, val=10)) == (900, 10, 100, 100)
    assert sizes_of(make_splits(dataset, dev=900)) == (900, 100, 100, 900)
    whole = source(mixed(1_000))
    assert sizes_of(make_splits(whole, test=600)) == (300, 100, 600, 100)
    assert sizes_of(make_splits(whole, train=20, val=1)) == (20, 1, 100, 20)
    assert sizes_of(make_splits(whole, val=300, test=690)) == (10, 300, 690, 10)


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"train": 901}, ["1,000 examples", "901 train + 100 val)", "--train-size or --val-size"]),
        ({"train": 1_001}, ["1,000 examples", "1,001 train"]),
        ({"val": 1_000}, ["1,000 examples", "1,000 val, and at least one to train on", "--train-size or --val-size"]),
        ({"val": 10**9}, ["1,000,000,000 val"]),
        ({"test": 301}, ["its test split has 300", "--test-size asks for 301"]),
        ({"dev": 901}, ["--dev 901", "900 training examples"]),
        ({"train": 20, "dev": 21}, ["--dev 21", "20 training examples"]),
        ({"train": 0}, ["--train-size 0", "at least one"]),
        ({"val": -1}, ["--val-size -1", "at least one"]),
        ({"test": 0}, ["--test-size 0", "at least one"]),
        ({"dev": -5}, ["--dev -5", "at least one"]),
    ],
    ids=str,
)
def test_too_large_and_senseless_sizes_are_refused(asked, words):
    with pytest.raises(UsageError) as caught:
        make_splits(source(mixed(1_000), mixed(300)), **asked)
    assert_one_line(caught, *words)


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"train": 801}, ["801 train + 100 val + 100 test)", "--train-size or --val-size or --test-size"]),
        ({"test": 900}, ["100 val + 900 test, and at least one to train on"]),
        ({"val": 500, "test": 500}, ["500 val + 500 test"]),
    ],
    ids=str,
)
def test_without_a_test_split_of_its_own_the_test_rows_count_as_well(asked, words):
    with pytest.raises(UsageError) as caught:
        make_splits(source(mixed(1_000)), **asked)
    assert_one_line(caught, "source: has 1,000 examples", *words)


@pytest.mark.parametrize(
    ("labels", "test_labels", "words"),
    [
        ([0], None, ["a single class (class 0)"]),
        ([0], [0, 1], ["a single class (class 0)"]),
        ([1] * 1_000, None, ["a single class (class 1)"]),
        ([1] * 1_000, [0, 1], ["a single class (class 1)"]),
        ([0, 1], None, ["has 2 examples, too few"]),
        ([0, 1, 2], None, ["single class", "1 of 3"]),
        ([0, 1], [0, 1], ["single class", "1 of 2"]),
    ],
    ids=str,
)
def test_a_source_that_nothing_can_be_learned_from_is_refused(labels, test_labels, words):
    with pytest.raises(DataError) as caught:
        make_splits(source(labels, test_labels, classes=3))
    assert_one_line(caught, "source: ", *words)


def test_the_smallest_sources_that_work():
    splits = make_splits(source([0, 1, 0], [1]))
    assert sizes_of(splits) == (2, 1, 1, 1)
    assert sizes_of(make_splits(source([0, 1, 2, 3]))) == (2, 1, 1, 1)


# ---- shuffling


def test_without_a_test_split_of_its_own_a_source_is_shuffled_by_seed():
    dataset = source(mixed(400))
    one, again, other = (make_splits(dataset, seed=seed) for seed in (1, 1, 2))
    for name in SPLITS:
        assert rows_of(getattr(one, name)) == rows_of(getattr(again, name))
        assert rows_of(getattr(one, name)) != rows_of(getattr(other, name))
    together = rows_of(one.train) + rows_of(one.val) + rows_of(one.test)
    assert sorted(together) == list(range(400))
    assert together != sorted(together)


BLOCKS = {
    "sorted": np.repeat(np.arange(5), 100),
    "sorted backwards": np.repeat(np.arange(5), 100)[::-1],
    "sorted, few": np.repeat(np.arange(3), 20),
    "sorted, two classes": np.repeat(np.arange(2), 30),
    "several sorted files in a row": np.tile(np.repeat(np.arange(5), 20), 5),
    "a class at the end": np.concatenate([mixed(900, classes=4), np.full(100, 4)]),
    "a class at the start": np.concatenate([np.full(300, 4), mixed(900, classes=4)]),
}
AT_THE_START = "a class at the start"  # of half of such a test split no class is missing


@pytest.mark.parametrize("labels", BLOCKS.values(), ids=BLOCKS)
def test_a_source_in_blocks_is_shuffled_though_it_has_a_test_split(labels):
    classes = set(labels.tolist())
    own = mixed(50, classes=2)
    splits = make_splits(source(labels, own), seed=3)
    assert set(splits.train.y.tolist()) == classes
    assert len(set(splits.val.y.tolist())) > 1
    assert rows_of(splits.train) != list(range(len(splits.train)))
    assert sorted(rows_of(splits.train) + rows_of(splits.val)) == list(range(len(labels)))
    assert rows_of(make_splits(source(labels, own), seed=3).val) == rows_of(splits.val)
    assert rows_of(make_splits(source(labels, own), seed=4).val) != rows_of(splits.val)


@pytest.mark.parametrize("name", [name for name in BLOCKS if name != AT_THE_START])
def test_a_test_split_in_blocks_is_shuffled_too(name):
    labels = BLOCKS[name]
    splits = make_splits(source(mixed(2_000, classes=5), labels), seed=3, test=len(labels) // 2)
    assert rows_of(splits.test) != list(range(1_000_000, 1_000_000 + len(labels) // 2))
    assert len(set(rows_of(splits.test))) == len(labels) // 2
    assert len(set(splits.test.y.tolist())) > 1
    assert rows_of(splits.train) == list(range(len(splits.train)))  # which needs no shuffling


IN_ORDER = {
    "mixed": mixed(500),
    "by turns": np.tile(np.arange(5), 100),
    "two by turns": np.tile(np.arange(2), 100),
    "mixed, a rare class": np.where(np.arange(3_000) == 5, 2, mixed(3_000, classes=2)),
    "mixed, a hundred classes": mixed(5_000, classes=100),
    "mixed, one class in a hundred rows": np.where(np.arange(1_000) % 100 == 3, 1, 0),
}


@pytest.mark.parametrize("labels", IN_ORDER.values(), ids=IN_ORDER)
def test_a_mixed_source_with_a_test_split_keeps_its_order(labels):
    splits = make_splits(source(labels, labels), seed=3)
    assert rows_of(splits.train) == list(range(len(splits.train)))
    assert rows_of(splits.val) == list(range(len(splits.train), len(labels)))
    assert rows_of(splits.test) == list(range(1_000_000, 1_000_000 + len(splits.test)))


def test_the_test_rows_change_nothing_else():
    """Neither their content nor their order may reach what is trained, chosen or checked with."""
    labels = mixed(1_000)
    one = make_splits(source(labels, mixed(300, seed=1)), seed=5)
    other = make_splits(source(labels, np.sort(mixed(300, seed=2))), seed=5)
    assert rows_of(one.test) != rows_of(other.test)
    for name in ("train", "val", "dev"):
        assert rows_of(getattr(one, name)) == rows_of(getattr(other, name))


@given(
    n=st.integers(1, 300),
    own=st.none() | st.integers(1, 80),
    classes=st.integers(1, 6),
    ordered=st.booleans(),
    seed=st.integers(0, 2**32),
    asked=st.dictionaries(st.sampled_from(SPLITS), st.integers(-1, 320)),
)
def test_any_splits_are_whole_disjoint_and_of_the_sizes_asked_for(n, own, classes, ordered, seed, asked):
    labels = np.random.default_rng(seed).integers(0, classes, n)
    labels = np.sort(labels) if ordered else labels
    dataset = source(labels, None if own is None else np.arange(own) % classes, classes)
    sizes = default_sizes(n, own) | asked
    fits = min(sizes.values()) > 0 and sizes["dev"] <= sizes["train"]
    fits &= sizes["train"] + sizes["val"] + (sizes["test"] if own is None else 0) <= n
    fits &= own is None or sizes["test"] <= own
    try:
        splits = make_splits(dataset, seed=seed, **asked)
    except (UsageError, DataError) as error:
        message = str(error)
        assert "\n" not in message
        # Sizes that fit are refused for one reason only: a single class, of the source or of its training rows.
        assert not fits or "single class" in message
        return
    for name, size in asked.items():
        assert len(getattr(splits, name)) == size
    parts = [rows_of(splits.train), rows_of(splits.val), rows_of(splits.test)]
    together = [row for part in parts for row in part]
    assert len(set(together)) == len(together)
    assert max(parts[0] + parts[1]) < n
    assert (min(parts[2]) >= 1_000_000) == (own is not None)
    assert len(set(rows_of(splits.dev))) == len(splits.dev)
    assert set(rows_of(splits.dev)) <= set(parts[0])
    for name in SPLITS:
        examples = getattr(splits, name)
        origin = dataset.test if name == "test" and dataset.test is not None else dataset.train
        first = 1_000_000 if origin is dataset.test else 0
        assert (examples.y == origin.y[np.array(rows_of(examples)) - first]).all()
    again = make_splits(dataset, seed=seed, **asked)
    assert [rows_of(getattr(again, name)) for name in SPLITS] == [rows_of(getattr(splits, name)) for name in SPLITS]


# ---- a validation split of the source's own


def with_val(labels, val_labels, test_labels=None):
    """Validation rows are numbered from 500,000."""
    train, val = numbered(labels), numbered(val_labels, 500_000)
    test = None if test_labels is None else numbered(test_labels, 1_000_000)
    return Dataset("source", train, test, ("class 0", "class 1", "class 2"), val=val)


def test_a_validation_split_of_its_own_is_used_whole_and_all_of_train_is_trained_on():
    splits = make_splits(with_val(mixed(40), mixed(7, seed=1), mixed(5, seed=2)))
    assert rows_of(splits.train) == list(range(40))
    assert rows_of(splits.val) == list(range(500_000, 500_007))
    assert rows_of(splits.test)[0] >= 1_000_000
    joined = splits.train.X.followed_by(splits.val.X)  # what a model is refitted on
    assert joined[:, 0].astype(int).tolist() == [*range(40), *range(500_000, 500_007)]


def test_without_a_test_split_test_is_cut_from_train_and_val_stays():
    splits = make_splits(with_val(mixed(40), mixed(7)), seed=3)
    assert sorted(rows_of(splits.train) + rows_of(splits.test)) == list(range(40))
    assert len(splits.test) == default_sizes(40, None, 7)["test"] > 0
    assert sorted(rows_of(splits.val)) == list(range(500_000, 500_007))


def test_fewer_rows_of_a_sorted_validation_split_are_drawn_with_the_seed():
    dataset = with_val(mixed(40), np.repeat([0, 1, 2], 30), mixed(5))
    drawn = rows_of(make_splits(dataset, seed=1, val=30).val)
    assert set(drawn) <= set(range(500_000, 500_090))
    assert len(set(drawn)) == 30
    assert len({(row - 500_000) // 30 for row in drawn}) == 3
    assert drawn == rows_of(make_splits(dataset, seed=1, val=30).val)
    assert make_splits(dataset, seed=1, val=30).fingerprint != make_splits(dataset, seed=2, val=30).fingerprint


def test_more_validation_rows_than_the_source_has_are_refused():
    with pytest.raises(UsageError) as error:
        make_splits(with_val(mixed(40), mixed(7), mixed(5)), val=8)
    assert_one_line(error, "its validation split has 7 examples, --val-size asks for 8")


def test_an_unknown_rule_is_refused():
    with pytest.raises(UsageError) as error:
        make_splits(with_val(mixed(40), mixed(7)), rule="random")  # pyright: ignore[reportArgumentType]
    assert_one_line(error, "the rule of the splits, 'random', is unknown; use one of: in order, stratified, grouped")

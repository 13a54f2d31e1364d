"""The rows of a model, told in JSON and found again."""

import json

import numpy as np
import pytest

from linprobe.data.dataset import Dataset, Examples
from linprobe.data.prepare import fit_preparation
from linprobe.data.splits import TrainedOn, absent_classes, make_splits, part_of, refuse_what_is_not_finite
from linprobe.errors import DataError

RNG = np.random.default_rng(0)
IMAGES = Dataset(
    "noise", Examples(RNG.integers(0, 255, (90, 2, 3, 1)).astype(np.uint8), np.arange(90) % 3), None, ("a", "b", "c")
)


@pytest.mark.parametrize("features", ["centred", "standardised", "normalised"])
@pytest.mark.parametrize("trained_on", ["train", "train + validation"])
@pytest.mark.parametrize("prepared_on", ["train", "train + validation"])
def test_what_is_told_finds_the_same_rows_again(features, trained_on, prepared_on):
    splits = make_splits(IMAGES, seed=5, train=50, val=17, test=11)
    rows = TrainedOn.of(splits, 5, trained_on, prepared_on)
    preparation = rows.fit(splits, features)
    there = rows.prepared(splits, preparation)

    again = TrainedOn.read(json.loads(json.dumps(rows.tell())))
    assert again == rows
    found = again.splits(IMAGES)
    here = again.prepared(found, again.fit(found, features))
    np.testing.assert_array_equal(here.X, there.X)
    np.testing.assert_array_equal(here.y, there.y)
    np.testing.assert_array_equal(found.test.X, splits.test.X)

    assert len(there) == (50 if trained_on == "train" else 67)
    np.testing.assert_array_equal(there.X[:50], preparation.apply(splits.train.X))
    if trained_on != "train":
        np.testing.assert_array_equal(there.X[50:], preparation.apply(splits.val.X))
    expected = fit_preparation(
        (splits.train if prepared_on == "train" else part_of(splits, "train + validation")).X, features
    )
    np.testing.assert_array_equal(preparation.mean, expected.mean)


WHOLE = {"trained_on": "train", "prepared_on": "train", "seed": 0, "train": 5, "val": 1, "test": 1}


@pytest.mark.parametrize(
    "told",
    [None, "train", [], {}, *({name: value for name, value in WHOLE.items() if name != left} for left in WHOLE),
     *(WHOLE | {name: wrong} for name in ("seed", "train") for wrong in ("5", 1.5, True, None, -1, 2**70)),
     *(WHOLE | {"trained_on": wrong} for wrong in ("test", None, ["train"])),
     *(WHOLE | {"fingerprint": wrong} for wrong in (5, ["sha256:0"]))],
)  # fmt: skip
def test_what_tells_no_rows_is_refused(told):
    with pytest.raises(DataError, match="does not tell which rows it was trained on"):
        TrainedOn.read(told)
    assert TrainedOn.read(WHOLE).train == 5


SAID = TrainedOn.of(make_splits(IMAGES, seed=5, train=50, val=17, test=11), 5, "train", "train").tell()


@pytest.mark.parametrize(
    "change",
    [{"seed": 6}, {"train": 51}, {"train": 49, "val": 18}, {"val": 16}, {"test": 12}, {"test": 80}, {"train": 0},
     {"trained_on": "train + validation"}, {"prepared_on": "train + validation"}, {"fingerprint": "sha256:0"}],
)  # fmt: skip
def test_rows_that_were_changed_in_the_file_are_noticed(change):
    assert len(TrainedOn.read(SAID).splits(IMAGES).train) == 50
    with pytest.raises(DataError, match="noise: the rows that the model's file describes are not those") as caught:
        TrainedOn.read(SAID | change).splits(IMAGES)
    assert "--" not in str(caught.value)  # nobody typed an option


def test_the_fingerprint_of_the_rows_is_theirs_and_not_that_of_dev_or_of_a_test_split_of_its_own():
    one = make_splits(IMAGES, train=50, val=17, test=11).fingerprint
    assert one == make_splits(IMAGES, train=50, val=17, test=11, dev=3).fingerprint
    assert one != make_splits(IMAGES, train=50, val=17, test=11, seed=1).fingerprint
    assert one != make_splits(IMAGES, train=50, val=17, test=10).fingerprint
    # Training rows in blocks of a class are shuffled; test rows too, and which they are depends on dev.
    blocks = Examples(IMAGES.train.X, np.arange(90) // 30)
    own = Dataset("own", blocks, blocks, IMAGES.classes)
    a, b = (make_splits(own, train=50, val=17, test=11, dev=dev) for dev in (3, 30))
    assert not np.array_equal(a.test.X, b.test.X)
    assert a.fingerprint == b.fingerprint != make_splits(own, train=50, val=17, test=11, seed=1).fingerprint


def test_rows_of_older_versions_have_no_fingerprint():
    told = {name: value for name, value in SAID.items() if name != "fingerprint"}
    assert TrainedOn.read(told).fingerprint is None
    assert len(TrainedOn.read(told | {"seed": 6}).splits(IMAGES).train) == 50


@pytest.mark.parametrize("split", ["train", "test"])
@pytest.mark.parametrize("value", [np.nan, -np.inf])
def test_what_is_not_finite_is_refused_in_every_split(split, value):
    X = np.zeros((5, 3), np.float32)
    parts = dict.fromkeys(("train", "test"), Examples(X.copy(), np.arange(5) % 3))
    refuse_what_is_not_finite(Dataset("d", parts["train"], parts["test"], ("a", "b", "c")))
    refuse_what_is_not_finite(IMAGES)
    X[2, 1] = value
    parts[split] = Examples(X, np.arange(5) % 3)
    with pytest.raises(DataError, match=f"d: {split} has {value} in row 2, column 1, counted from 0; "):
        refuse_what_is_not_finite(Dataset("d", parts["train"], parts["test"], ("a", "b", "c")))
    X[3] = value
    with pytest.raises(DataError, match="row 2, column 1, counted from 0, the first of 4 such values; "):
        refuse_what_is_not_finite(Dataset("d", parts["train"], parts["test"], ("a", "b", "c")))


@pytest.mark.parametrize("value", [1e300, -3e38])
def test_what_float32_cannot_hold_is_refused_before_it_is_infinite(value):
    X = np.zeros((5, 3))
    X[2, 1] = value
    dataset = Dataset("d", Examples(X, np.arange(5) % 3), None, ("a", "b", "c"))
    with pytest.raises(DataError, match=r"d: train has .* in row 2, column 1, counted from 0, too large for float32"):
        refuse_what_is_not_finite(dataset)
    X[2, 1] /= 1e300
    refuse_what_is_not_finite(dataset)


def test_absent_classes_are_those_of_no_label():
    assert absent_classes(np.array([0, 2, 2]), ("a", "b", "c", "d")) == ["b", "d"]
    assert absent_classes(np.array([1, 0]), ("a", "b")) == []

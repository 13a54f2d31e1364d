"""What every example counts for every head, against the same numbers written out."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from linprobe.data.weights import Weights
from linprobe.errors import UsageError


def mean_one(weight):
    return weight / weight.mean(axis=0)


@given(st.integers(0, 2**32 - 1), st.integers(1, 40), st.integers(1, 5), st.integers(1, 4), st.booleans())
def test_any_parts_are_the_numbers_written_out(seed, n, heads, parts, owned):
    rng = np.random.default_rng(seed)
    part, table = rng.integers(0, parts, n), rng.integers(0, 3, (parts, 3)).astype(float)
    table[part[0]] = 1  # somebody counts
    own = rng.random(n) + 0.1 if owned else None
    column = rng.integers(0, 3, heads)
    whole = mean_one((1 if own is None else own[:, None]) * table[part][:, column])
    weights = Weights.of_parts(part, table, column, own)
    kept = rng.permutation(heads)[: rng.integers(1, heads + 1)]
    for found, expected in ((weights, whole), (weights.take(kept), whole[:, kept])):
        assert (len(found), found.heads) == expected.shape
        rows = rng.permutation(n)[: rng.integers(1, n + 1)]
        for some in (slice(n // 3, n), rows):
            given_ = np.broadcast_to(found.of(some), expected[some].shape)
            np.testing.assert_allclose(given_, expected[some], rtol=1e-12)
        np.testing.assert_allclose(found.mean(), expected.mean(axis=1), rtol=1e-12)
        np.testing.assert_array_equal(found.seen(), (expected > 0).any(axis=1))
        np.testing.assert_array_equal(np.broadcast_to(found.counted(), expected.shape[1]), (expected > 0).sum(axis=0))
        labels = rng.integers(0, 3, n)
        of_classes = np.stack([expected[labels == k].sum(axis=0) for k in range(3)])
        np.testing.assert_allclose(found.of_classes(labels, 3), of_classes, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("of_each", [True, False])
def test_an_array_is_itself_with_a_mean_of_one(of_each):
    given_ = np.random.default_rng(0).random((30, 4) if of_each else 30) * 1e308
    weights = Weights.of_array(given_, 30, 4)
    found = np.broadcast_to(weights.of(slice(None)), (30, 4))
    np.testing.assert_allclose(found, mean_one(given_ / 1e308 if of_each else (given_ / 1e308)[:, None].repeat(4, 1)))
    assert weights.heads == 4


def test_heads_of_the_same_examples_share_a_column():
    weight = np.random.default_rng(0).random((30, 2))
    assert Weights.of_array(np.c_[weight, 2 * weight[:, 0]], 30, 3).column.tolist() == [0, 1, 0]
    assert Weights.of_array(weight[:, 0], 30, 3).column.tolist() == [0, 0, 0]


@pytest.mark.parametrize("owned", [True, False])
def test_columns_one_after_the_other_are_few_numbers(owned):
    rng = np.random.default_rng(0)
    labels, folds = rng.integers(0, 3, 5000), rng.integers(0, 5, 5000)
    own = rng.random(5000) if owned else None
    if own is not None:
        own[:7] = 0
    of_class = rng.random((3, 5))  # balanced in each fold, say
    columns = [(1 if own is None else own) * (folds != fold) * of_class[labels, fold] for fold in range(5)]
    weights = Weights.of_columns(iter(columns), own)
    np.testing.assert_allclose(weights.of(slice(None)), mean_one(np.stack(columns, axis=1)), rtol=1e-12)
    assert len(weights.table) == 3 * 5 + owned


@pytest.mark.parametrize(
    ("given_", "message"),
    [
        (np.ones((3, 30)), r"sample_weight has the shape \(3, 30\); 30 rows need \(30,\) or \(30, 2\)"),
        (np.zeros(30), "is 0 for all examples of a head"),
        (np.eye(30)[:, :2] - 1e-3, "negative or not finite"),
        (np.full(30, np.nan), "negative or not finite"),
        (np.full((30, 2), np.inf), "negative or not finite"),
        (np.r_[np.ones(30), np.zeros(30)].reshape(2, 30).T, "is 0 for all examples of a head"),
    ],
)
def test_what_makes_no_sense_is_refused(given_, message):
    with pytest.raises(UsageError, match=message):
        Weights.of_array(given_, 30, 2)


@pytest.mark.parametrize("dense", [True, False])
def test_on_a_device_they_are_the_same(dense):
    torch = pytest.importorskip("torch", reason="torch is not installed")
    rng = np.random.default_rng(0)
    weight = rng.random((30, 3))
    weights = Weights.of_array(weight, 30, 3) if dense else Weights.of_parts(rng.integers(0, 2, 30), weight[:2])
    moved = weights.on("cpu")
    assert isinstance(moved.of(slice(2, 9)), torch.Tensor)
    for rows in (slice(2, 9), np.array([4, 1, 1])):
        np.testing.assert_array_equal(moved.of(rows).numpy(), weights.of(rows))
    picked = np.array([2, 0])
    np.testing.assert_array_equal(moved.take(picked).of(slice(None)).numpy(), weights.of(slice(None))[:, picked])
    np.testing.assert_array_equal(moved.mean(), weights.mean())


def test_weights_of_others_are_refused_and_ones_own_are_themselves():
    weights = Weights.of_array(np.ones((30, 2)), 30, 2)
    assert Weights.read(weights, 30, 2) is weights
    assert Weights.read(None, 30, 2) is None
    for n, heads in ((31, 2), (30, 3)):
        with pytest.raises(UsageError, match=f"sample_weight is of 30 rows and 2 heads; {n} rows and {heads} heads"):
            Weights.read(weights, n, heads)

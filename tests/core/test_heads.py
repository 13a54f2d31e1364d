"""State that belongs to heads: what is taken, put back and mixed, on NumPy and on torch, against a list of heads."""

from dataclasses import dataclass

import numpy as np
import pytest

from linprobe.core.backend import Array, move, to_numpy
from linprobe.core.heads import OfHeads, inner, total


@dataclass(frozen=True, eq=False)
class State(OfHeads):
    W: Array
    count: np.ndarray
    why: np.ndarray


@pytest.fixture(params=["numpy", "cpu"])
def device(request) -> str:
    if request.param != "numpy":
        pytest.importorskip("torch")
    return request.param


def state(heads, device, dtype="float32") -> State:
    """Every number, and the word, says which head it is of."""
    numbers = np.array(heads)
    W = np.broadcast_to(numbers, (2, 3, len(numbers))).astype(dtype)
    return State(move(W, device), numbers * 10, np.array([f"head {head}" for head in heads]))


def heads_of(found: State) -> list[int]:
    """Which heads these are, of which all fields must be."""
    heads = (found.count // 10).tolist()
    np.testing.assert_array_equal(to_numpy(found.W), np.broadcast_to(np.array(heads), found.W.shape))
    assert found.why.tolist() == [f"head {head}" for head in heads]
    assert len(found) == len(heads)
    return heads


def test_heads_are_taken_by_their_numbers_or_by_whether_they_are_meant(device):
    four = state([4, 5, 6, 7], device)
    assert heads_of(four.take(np.array([3, 0, 0]))) == [7, 4, 4]
    assert heads_of(four.take(np.array([False, True, False, True]))) == [5, 7]
    assert heads_of(four.take(np.zeros(4, bool))) == []
    assert type(four.take(np.arange(1)).W) is type(four.W)


def test_what_is_taken_is_a_copy(device):
    four = state([4, 5, 6, 7], device)
    taken = four.take(np.arange(4))
    taken.W[...], taken.count[...] = 0, 0
    assert heads_of(four) == [4, 5, 6, 7]


def test_what_is_replaced_leaves_the_others_and_what_there_was(device):
    four = state([4, 5, 6, 7], device)
    found = four.replaced(np.array([2, 0]), state([8, 900], device, "float64"))
    assert heads_of(found) == [900, 5, 8, 7]  # the longest word has its place
    assert "float64" in str(found.W.dtype)
    assert heads_of(four) == [4, 5, 6, 7]
    assert "float32" in str(four.W.dtype)


def test_all_heads_replaced_are_what_was_found_and_no_copy(device):
    found = state([8, 9], device)
    assert state([1, 2], device).replaced(np.array([0, 1]), found) is found
    assert heads_of(state([1, 2], device).replaced(np.array([1, 0]), found)) == [9, 8]


def test_heads_of_two_states_are_mixed(device):
    here, there = state([1, 2, 3], device), state([4, 5, 6], device)
    assert heads_of(here.where(np.array([True, False, True]), there)) == [1, 5, 3]
    assert heads_of(here.where(np.zeros(3, bool), there)) == [4, 5, 6]
    assert here.where(np.ones(3, bool), there) is here


def test_nothing_stays_of_a_head_that_is_not_here(device):
    here, there = state([1, 2], device), state([3, 4], device)
    here.W[..., 1] = np.nan
    assert heads_of(here.where(np.array([True, False]), there)) == [1, 4]


def test_sums_of_heads_are_in_float64(device):
    A = np.random.default_rng(0).standard_normal((40, 3, 2)).astype(np.float32)
    A[0], A[1] = 3e7, 1
    found = total(move(A, device)), inner(move(A, device), move(np.ones_like(A), device))
    for part in found:
        np.testing.assert_allclose(to_numpy(part), A.astype(np.float64).sum(axis=(0, 1)), rtol=1e-14)

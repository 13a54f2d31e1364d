"""What every loss promises, shown against PyTorch and against plain loops."""

import math
import tracemalloc
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from examples import examples  # pyright: ignore[reportMissingImports]
from linprobe.core.losses import LOSSES, find_loss, hinge, softmax, squared_hinge
from linprobe.errors import UsageError

EVERY = pytest.mark.parametrize("name", sorted(LOSSES))


def draw(n, K, H, *, spread=5.0, dtype: Any = np.float64, seed=0, labels=None):
    rng = np.random.default_rng(seed)
    scores = (spread * rng.standard_normal((n, K, H))).astype(dtype)
    return scores, rng.choice(K if labels is None else labels, n)


def slow(name, scores, labels):
    """One example and one head at a time, in Python's own numbers."""
    n, K, H = scores.shape
    losses, slope = np.empty((n, H)), np.zeros((n, K, H))
    for i, h in np.ndindex(n, H):
        s, y = [float(value) for value in scores[i, :, h]], int(labels[i])
        if name == "softmax":
            others = math.fsum(math.exp(value - max(s)) for j, value in enumerate(s) if j != y)
            total = others + math.exp(s[y] - max(s))
            losses[i, h] = math.log1p(others) if s[y] == max(s) else math.log(total) + max(s) - s[y]
            slope[i, :, h] = [math.exp(value - max(s)) / total for value in s]
            slope[i, y, h] = -others / total
        else:
            terms = [max(0.0, s[j] - s[y] + 1) if j != y else 0.0 for j in range(K)]
            losses[i, h] = math.fsum(terms if name == "hinge" else [term * term for term in terms])
            slope[i, :, h] = [float(term > 0) if name == "hinge" else 2 * term for term in terms]
            slope[i, y, h] = -math.fsum(slope[i, :, h])
    return losses, slope


def by_torch(name, scores, labels):
    torch = pytest.importorskip("torch")
    S = torch.tensor(scores, dtype=torch.float64, requires_grad=True)
    y = torch.tensor(labels)
    losses = []
    for h in range(scores.shape[2]):
        if name == "softmax":
            losses.append(torch.nn.functional.cross_entropy(S[:, :, h], y, reduction="none"))
        else:  # PyTorch divides by the number of classes
            power = {"hinge": 1, "squared_hinge": 2}[name]
            margins = torch.nn.functional.multi_margin_loss(S[:, :, h], y, p=power, reduction="none")
            losses.append(scores.shape[1] * margins)
    losses = torch.stack(losses, dim=1)
    losses.sum().backward()
    assert S.grad is not None
    return losses.detach().numpy(), S.grad.numpy()


CASES = {
    "spread": lambda: draw(200, 10, 3, spread=30.0),
    "every class": lambda: (draw(50, 10, 3)[0], np.repeat(np.arange(10), 5)),
    "empty class": lambda: draw(50, 10, 3, labels=[0, 1, 2, 4, 5, 6, 7, 8]),
    "one example": lambda: draw(1, 10, 3),
    "one head": lambda: draw(50, 10, 1),
    "wide stack": lambda: draw(8, 10, 100),
    "two classes": lambda: draw(50, 2, 3),
    "thousand classes": lambda: draw(5, 1000, 2),
    "one class": lambda: draw(5, 1, 2),
    "alike": lambda: (np.full((5, 10, 3), 0.25), np.arange(5)),
}


@EVERY
@pytest.mark.parametrize("truth", [slow, by_torch])
@pytest.mark.parametrize("case", CASES)
def test_value_and_slope_agree_with_the_truth(name, truth, case):
    scores, labels = CASES[case]()
    expected_losses, expected_slope = truth(name, scores, labels)
    losses, slope = LOSSES[name].value_and_slope(scores, labels)
    np.testing.assert_allclose(losses, expected_losses, rtol=1e-12, atol=1e-12 * np.abs(expected_losses).max())
    np.testing.assert_allclose(slope, expected_slope, rtol=1e-12, atol=1e-12)


@EVERY
@examples(60)
@given(
    shape=st.tuples(st.integers(1, 6), st.integers(2, 80), st.integers(1, 4)),
    spread=st.floats(1e-6, 1e6),
    seed=st.integers(0, 2**32 - 1),
)
def test_any_spread_and_shape_agrees_with_the_loops(name, shape, spread, seed):
    scores, labels = draw(*shape, spread=spread, seed=seed)
    expected_losses, expected_slope = slow(name, scores, labels)
    losses, slope = LOSSES[name].value_and_slope(scores, labels)
    np.testing.assert_allclose(losses, expected_losses, rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(slope, expected_slope, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(slope.sum(axis=1) / np.maximum(1, np.abs(slope).max(axis=1)), 0, atol=1e-13 * shape[1])


@EVERY
def test_the_slope_is_what_central_differences_measure(name):
    scores, labels = draw(20, 6, 2, spread=2.0)
    value_and_slope, step = LOSSES[name].value_and_slope, 1e-6
    losses, slope = value_and_slope(scores.copy(), labels)
    for k in range(6):
        up, down = scores.copy(), scores.copy()
        up[:, k] += step
        down[:, k] -= step
        measured = (value_and_slope(up, labels)[0] - value_and_slope(down, labels)[0]) / (2 * step)
        # Rounding of the losses, and the third derivative: at most 1 for softmax, none elsewhere.
        np.testing.assert_allclose(measured, slope[:, k], atol=1e-9 * (1 + losses.max()))


@EVERY
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_extreme_scores_give_finite_losses_that_are_right(name, dtype):
    # All triples of these scores; two of them are either equal or so far apart that the smaller has no probability.
    largest = float(np.finfo(dtype).max)
    values = [dtype(v) for v in (0.0, 1e4, -1e4, 1e30, -1e30, largest / 4, -largest, largest)]
    scores = np.array(np.meshgrid(values, values, values)).reshape(3, -1).T.astype(dtype)
    labels = np.arange(len(scores)) % 3
    exact = [[Fraction(float(value)) for value in row] for row in scores]
    stack = scores[:, :, None].copy()
    with np.errstate(all="raise"):  # not even a warning escapes
        losses, slope = LOSSES[name].value_and_slope(stack, labels)
    assert np.isfinite(losses).all()
    assert np.isfinite(slope).all()
    for i, (row, y) in enumerate(zip(exact, labels, strict=True)):
        if name == "softmax":
            ties = row.count(max(row))
            loss = math.log(ties) + float(min(max(row) - row[y], Fraction(largest)))
            expected = [(value == max(row)) / ties - (j == y) for j, value in enumerate(row)]
        else:
            terms = [max(Fraction(0), value - row[y] + 1) if j != y else Fraction(0) for j, value in enumerate(row)]
            each = [Fraction(term > 0) if name == "hinge" else 2 * term for term in terms]
            loss = float(min(sum(terms if name == "hinge" else [t * t for t in terms]), Fraction(largest)))
            expected = [float(min(value, Fraction(largest))) for value in each]
            expected[y] = -float(min(sum(each), Fraction(largest)))
        few_digits = 8 * float(np.finfo(dtype).eps)
        assert float(losses[i, 0]) == pytest.approx(loss, rel=few_digits, abs=few_digits)
        np.testing.assert_allclose(slope[i, :, 0], expected, rtol=few_digits, atol=few_digits)


@EVERY
def test_a_score_that_is_not_a_number_spoils_its_own_head_only_and_silently(name):
    scores, labels = draw(6, 10, 4)
    good, _ = LOSSES[name].value_and_slope(scores.copy(), labels)
    scores[2, 5, 1] = np.nan
    losses, _ = LOSSES[name].value_and_slope(scores, labels)
    assert np.isnan(losses[2, 1])
    losses[2, 1] = good[2, 1]
    np.testing.assert_array_equal(losses, good)


@EVERY
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("K", [2, 10, 63, 64, 100, 1000])
def test_a_stack_equals_its_heads_bit_for_bit(name, dtype, K):
    scores, labels = draw(7, K, 100, dtype=dtype)
    losses, slope = LOSSES[name].value_and_slope(scores.copy(), labels)
    for heads in (slice(0, 1), slice(41, 42), slice(99, 100), slice(3, 5), slice(10, 13), slice(0, 50), slice(33, 100)):
        alone = np.ascontiguousarray(scores[:, :, heads])
        its_losses, its_slope = LOSSES[name].value_and_slope(alone, labels)
        np.testing.assert_array_equal(its_losses, losses[:, heads])
        np.testing.assert_array_equal(its_slope, slope[:, :, heads])


@EVERY
def test_examples_do_not_know_each_other(name):
    scores, labels = draw(40, 10, 3, dtype=np.float32)
    losses, slope = LOSSES[name].value_and_slope(scores.copy(), labels)
    for rows in (slice(0, 1), slice(17, 29)):
        its_losses, its_slope = LOSSES[name].value_and_slope(scores[rows].copy(), labels[rows])
        np.testing.assert_array_equal(its_losses, losses[rows])
        np.testing.assert_array_equal(its_slope, slope[rows])


@EVERY
def test_the_slope_is_the_memory_of_the_scores_and_labels_stay(name):
    scores, labels = draw(20, 10, 3, dtype=np.float32)
    kept = labels.copy()
    labels.setflags(write=False)
    losses, slope = LOSSES[name].value_and_slope(scores, labels)
    assert slope is scores
    assert not np.shares_memory(losses, scores)
    assert losses.dtype == slope.dtype == np.float32
    assert losses.shape == (20, 3)
    np.testing.assert_array_equal(labels, kept)


@EVERY
def test_a_view_into_a_larger_array_is_served_in_place(name):
    whole, labels = draw(20, 10, 8)
    scores = whole[:, :, 2:5]
    expected_losses, expected_slope = slow(name, scores, labels)
    losses, _ = LOSSES[name].value_and_slope(scores, labels)
    np.testing.assert_allclose(losses, expected_losses, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(whole[:, :, 2:5], expected_slope, rtol=1e-12, atol=1e-12)


@EVERY
@pytest.mark.parametrize("shape", [(200, 10, 100), (50, 1000, 10)])
def test_temporary_memory_stays_below_that_of_the_scores(name, shape):
    peaks = []
    for _ in range(5):
        scores, labels = draw(*shape, dtype=np.float32)
        tracemalloc.start()
        LOSSES[name].value_and_slope(scores, labels)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    # The least of them: other threads of the process, as a Dask scheduler's, are traced too.
    assert min(peaks) < 0.75 * scores.nbytes


@EVERY
@examples(40)
@given(spread=st.floats(1e-3, 1e4), K=st.integers(2, 100), seed=st.integers(0, 2**32 - 1))
def test_float32_is_within_its_rounding_of_float64(name, spread, K, seed):
    # u = 2^-24 is the error of one rounding. Softmax: each difference d = s_j - max is off by u |d|, and so is the log
    # of its exp; exp, the K - 1 sums, log and division add relative errors of at most some 4, K, 4 and 1 roundings.
    # Hinge: a term is off by 2 u (|s_j - s_y| + 1), and the sum of K terms by K roundings of itself. Squared hinge: its
    # square by twice the term times that, and the square of that; its slope by twice that, at the label by the sum.
    scores, labels = draw(9, K, 2, spread=spread, dtype=np.float32, seed=seed)
    u = 2.0**-24
    width = (scores.max(axis=1) - scores.min(axis=1)).astype(np.float64)
    exact_losses, exact_slope = slow(name, scores.astype(np.float64), labels)
    losses, slope = LOSSES[name].value_and_slope(scores.copy(), labels)
    if name == "softmax":
        assert (np.abs(losses - exact_losses) <= u * (2 * width + 2 * exact_losses + K + 16)).all()
        probability = exact_slope.copy()
        probability[np.arange(9), labels] += 1
        # An error of u |d| in the exponent at p = exp(-|d|) moves p by u |d| exp(-|d|) <= u, its total by no more than
        # K u; tiny probabilities underflow, and the 1 taken off at the label is exact to a rounding of the result.
        assert (np.abs(slope - exact_slope) <= u * (1 + K + (K + 16) * probability) + 1e-37).all()
    elif name == "squared_hinge":
        term = 2 * u * (width + 1)  # every term is off by this at most
        assert (
            np.abs(losses - exact_losses) <= term * np.abs(exact_slope).sum(axis=1) + K * (term**2 + u * exact_losses)
        ).all()
        bound = np.repeat(2 * term[:, None], K, axis=1) + 2 * u * np.abs(exact_slope)
        bound[np.arange(9), labels] = 2 * K * term + K * u * np.abs(exact_slope[np.arange(9), labels])
        assert (np.abs(slope - exact_slope) <= bound).all()
    else:
        assert (np.abs(losses - exact_losses) <= u * (2 * K * (width + 1) + K * exact_losses)).all()
        at_label = scores[np.arange(9), labels][:, None].astype(np.float64)
        near_kink = np.abs(scores - at_label + 1) <= 4 * u * (np.abs(scores - at_label) + 1)
        sure = ~near_kink.any(axis=1)
        np.testing.assert_array_equal(slope.transpose(0, 2, 1)[sure], exact_slope.transpose(0, 2, 1)[sure])


@EVERY
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("shape", [(200, 10, 100), (5, 100, 3), (1, 2, 1)])
def test_torch_tensors_get_the_same_numbers(name, dtype, shape):
    torch = pytest.importorskip("torch")
    scores, labels = draw(*shape, dtype=dtype)
    tensor = torch.tensor(scores)
    losses, slope = LOSSES[name].value_and_slope(tensor, torch.tensor(labels))
    expected_losses, expected_slope = LOSSES[name].value_and_slope(scores, labels)
    assert slope.data_ptr() == tensor.data_ptr()
    digits = 32 * np.finfo(dtype).eps
    np.testing.assert_allclose(losses.numpy(), expected_losses, rtol=digits, atol=digits)
    np.testing.assert_allclose(slope.numpy(), expected_slope, rtol=digits, atol=digits)


@EVERY
def test_torch_tensors_with_extreme_scores_stay_finite(name):
    torch = pytest.importorskip("torch")
    largest = float(np.finfo(np.float32).max)
    scores = torch.tensor([[largest, -largest, 1e30], [-largest, -largest, largest]])[:, :, None]
    losses, slope = LOSSES[name].value_and_slope(scores, torch.tensor([1, 0]))
    assert bool(torch.isfinite(losses).all())
    assert bool(torch.isfinite(slope).all())


def test_a_loss_is_found_by_its_name():
    assert find_loss("softmax").value_and_slope is softmax
    assert find_loss("hinge").value_and_slope is hinge
    assert find_loss("squared_hinge").value_and_slope is squared_hinge
    assert find_loss(LOSSES["hinge"]) is LOSSES["hinge"]
    with pytest.raises(UsageError, match=r"^loss 'svm' is unknown; use one of: softmax, hinge, squared_hinge$"):
        find_loss("svm")

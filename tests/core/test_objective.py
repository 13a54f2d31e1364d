"""The objective of a stack and of a single head, against the loops, PyTorch and central differences."""

import tracemalloc
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from examples import examples  # pyright: ignore[reportMissingImports]
from linprobe.core.losses import LOSSES, softmax
from linprobe.core.objective import loss_and_gradient, objective_and_gradient
from linprobe.data.rows import rows_of
from linprobe.data.terms import FEW_HEADS
from linprobe.errors import UsageError
from linprobe.learn.gradient_check import check_gradient
from linprobe.learn.loops import softmax_loss_naive, svm_loss_naive

LOOPS = {"softmax": softmax_loss_naive, "hinge": svm_loss_naive}
BOTH = pytest.mark.parametrize("loss", sorted(LOOPS))


def draw(n=60, D=7, K=5, H=3, dtype: Any = np.float64, seed=0):
    rng = np.random.default_rng(seed)
    X = (3 * rng.standard_normal((n, D))).astype(dtype)
    W = rng.standard_normal((D, K, H)).astype(dtype)
    b = rng.standard_normal((K, H)).astype(dtype)
    return X, rng.integers(0, K, n), W, b, rng.uniform(0, 0.5, H)


def close(found, expected, digits=1e-12):
    np.testing.assert_allclose(found, expected, rtol=digits, atol=digits * np.abs(expected).max())


# The stack.


@BOTH
@pytest.mark.parametrize("H", [1, 3, 20])
@pytest.mark.parametrize("n", [1, 60])
@pytest.mark.parametrize("K", [2, 5])
@pytest.mark.parametrize(("dtype", "digits"), [(np.float64, 1e-12), (np.float32, 2e-5)])
def test_every_head_of_a_stack_equals_the_loops(loss, H, n, K, dtype, digits):
    X, y, W, b, reg = draw(n=n, K=K, H=H, dtype=dtype)
    objective, dW, db = objective_and_gradient(X, y, W, b, loss, reg, reg_bias=True)
    ones = np.column_stack([X, np.ones(n)]).astype(np.float64)
    for h in range(H):
        weights = np.vstack([W[:, :, h], b[:, h]]).astype(np.float64)
        expected, gradient = LOOPS[loss](weights, ones, y, reg[h])
        close(objective[h], expected, digits)
        close(np.vstack([dW[:, :, h], db[:, h]]), gradient, digits)


@BOTH
def test_the_bias_is_not_penalised_unless_asked(loss):
    X, y, W, b, reg = draw()
    with_it, dW_with, db_with = objective_and_gradient(X, y, W, b, loss, reg, reg_bias=True)
    without, dW, db = objective_and_gradient(X, y, W, b, loss, reg)
    close(with_it - without, reg * (b**2).sum(axis=0), 1e-11)
    close(db_with - db, 2 * reg * b, 1e-11)
    np.testing.assert_array_equal(dW, dW_with)


@BOTH
def test_heads_without_a_bias(loss):
    X, y, W, b, reg = draw()
    objective, dW, db = objective_and_gradient(X, y, W, None, loss, reg)
    expected, gradient, _ = objective_and_gradient(X, y, W, np.zeros_like(b), loss, reg)
    assert db is None
    np.testing.assert_array_equal(objective, expected)
    np.testing.assert_array_equal(dW, gradient)


@BOTH
@pytest.mark.parametrize("chunk_rows", [1, 7, 59, 60, 61])
@pytest.mark.parametrize(("K", "H"), [(5, 3), (5, FEW_HEADS), (2, 3)])
@pytest.mark.parametrize(("dtype", "digits"), [(np.float64, 1e-13), (np.float32, 1e-5)])
def test_chunks_give_what_one_piece_gives(loss, chunk_rows, K, H, dtype, digits):
    X, y, W, b, reg = draw(K=K, H=H, dtype=dtype)
    weight = np.random.default_rng(1).uniform(0, 2, (60, H))
    for sample_weight in (None, weight[:, 0], weight):
        options = {"sample_weight": sample_weight, "reg_bias": True}
        whole = objective_and_gradient(X, y, W, b, loss, reg, chunk_rows=60, **options)
        chunked = objective_and_gradient(X, y, W, b, loss, reg, chunk_rows=chunk_rows, **options)
        for found, expected in zip(chunked, whole, strict=True):
            close(found, expected, digits)


@BOTH
def test_an_example_of_weight_zero_is_left_out(loss):
    X, y, W, b, reg = draw()
    kept = np.random.default_rng(1).random(60) < 0.5
    weighted = objective_and_gradient(X, y, W, b, loss, reg, sample_weight=kept)
    subset = objective_and_gradient(X[kept], y[kept], W, b, loss, reg)
    for found, expected in zip(weighted, subset, strict=True):
        close(found, expected, 1e-13)


@BOTH
def test_an_example_of_weight_two_counts_as_two_rows(loss):
    X, y, W, b, reg = draw()
    times = np.random.default_rng(1).integers(0, 4, 60)
    weighted = objective_and_gradient(X, y, W, b, loss, reg, sample_weight=times)
    repeated = objective_and_gradient(np.repeat(X, times, axis=0), np.repeat(y, times), W, b, loss, reg)
    for found, expected in zip(weighted, repeated, strict=True):
        close(found, expected, 1e-13)


@BOTH
def test_every_head_may_have_its_own_weights(loss):
    X, y, W, b, reg = draw()
    weight = np.random.default_rng(1).uniform(0, 2, (60, 3))
    objective, dW, db = objective_and_gradient(X, y, W, b, loss, reg, sample_weight=weight)
    for h in range(3):
        head = slice(h, h + 1)
        alone = objective_and_gradient(X, y, W[:, :, head], b[:, head], loss, reg[head], sample_weight=5 * weight[:, h])
        for found, expected in zip((objective[head], dW[:, :, head], db[:, head]), alone, strict=True):
            close(found, expected, 1e-13)


def test_float32_products_are_flushed_into_float64_sums():
    # Beside 2^36 float32 loses the 2,048 that a chunk of ones adds: in the first flush only, of 2^15 rows.
    n = 4 * 2**15
    X = np.ones((n, 1), np.float32)
    X[0] = 2.0**36
    W = np.zeros((1, 2, 1), np.float32)
    _, dW, _ = objective_and_gradient(X, np.zeros(n, np.int64), W, None, "hinge", np.zeros(1))
    assert abs(n * dW[0, 1, 0] - (2.0**36 + n - 1)) <= 2**15


@BOTH
def test_float32_products_with_float64_sums(loss):
    # u = 2^-24. A score is a sum of D products and a bias: off by (D + 1) u (|x| · |w| + |b|). No loss moves by more
    # than the sum over the wrong classes of |ds_j| + |ds_y|; the loss's own rounding is bounded as in its tests.
    X, y, W, b, reg = draw(n=3000, dtype=np.float32)
    D, K, _ = W.shape
    wide = [array.astype(np.float64) for array in (X, W, b)]
    objective, dW, db = objective_and_gradient(X, y, W, b, loss, reg)
    exact, gradient, bias_gradient = objective_and_gradient(wide[0], y, wide[1], wide[2], loss, reg)
    size = np.einsum("nd,dkh->nkh", np.abs(wide[0]), np.abs(wide[1])) + np.abs(wide[2])
    bound = 2.0**-24 * (K * 2 * (D + 3) * size.max(axis=1) + 4 * K + 16).mean(axis=0)
    assert objective.dtype == dW.dtype == db.dtype == np.float64
    assert (np.abs(objective - exact) <= bound).all()
    # The slope of a softmax moves by at most twice what a score does; each entry then meets |x| and a sum of products.
    if loss == "softmax":
        slope_error = 2.0**-24 * (2 * (D + 3) * size.max(axis=(1, 2)) + 2 * K + 17)
        bound = (np.abs(wide[0]) * (slope_error + 2.0**-24 * 3000)[:, None]).mean(axis=0)
        assert (np.abs(dW - gradient) <= bound[:, None, None]).all()
        assert (np.abs(db - bias_gradient) <= slope_error.mean()).all()


def test_sums_of_many_float32_losses_keep_their_digits():
    # At W = 0 every loss is log K: a float32 running sum over 200,000 rows would lose four of its digits.
    n = 200_000
    X, y = np.ones((n, 1), np.float32), np.zeros(n, np.int64)
    objective, dW, db = objective_and_gradient(
        X, y, np.zeros((1, 10, 1), np.float32), np.zeros((10, 1), np.float32), "softmax", np.zeros(1)
    )
    assert objective[0] == pytest.approx(np.log(np.float32(10)), rel=1e-7)
    assert db[0, 0] == pytest.approx(-0.9, rel=1e-7)
    # Within a chunk the product adds 2,048 numbers in float32, in an order of BLAS's own; then 16 chunks are added.
    assert dW[0, 0, 0] == pytest.approx(-0.9, rel=2048 * 2.0**-24)
    _, of_a_chunk, _ = objective_and_gradient(
        X[:2048], y[:2048], np.zeros((1, 10, 1), np.float32), np.zeros((10, 1), np.float32), "softmax", np.zeros(1)
    )
    # Both round as BLAS pleases, but more chunks lose no more than one does and the 16 additions.
    lost, lost_in_a_chunk = abs(dW[0, 0, 0] + 0.9), abs(of_a_chunk[0, 0, 0] + 0.9)
    assert lost <= lost_in_a_chunk + 0.9 * 16 * 2.0**-24


def test_pixels_are_converted_chunk_by_chunk():
    X, y, W, b, reg = draw(dtype=np.float32)
    pixels = np.random.default_rng(0).integers(0, 256, X.shape, dtype=np.uint8)
    found = objective_and_gradient(pixels, y, W, b, "softmax", reg, chunk_rows=13)
    expected = objective_and_gradient(pixels.astype(np.float32), y, W, b, "softmax", reg, chunk_rows=13)
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one, other)


def test_memory_is_bounded_by_the_chunk_and_not_by_the_rows():
    n, K, H = 8_000, 10, 20
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((n, 16)).astype(np.float32), rng.integers(0, K, n)
    W, b = np.zeros((16, K, H), np.float32), np.zeros((K, H), np.float32)
    tracemalloc.start()
    objective_and_gradient(X, y, W, b, "softmax", np.ones(H), chunk_rows=200)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4 * 200 * K * H * 4  # a tenth of the scores of all rows


@BOTH
def test_no_argument_is_changed_and_read_only_arrays_are_welcome(loss):
    X, y, W, b, reg = draw()
    arguments = [X, y, W, b, reg, np.ones((60, 3))]
    kept = [array.copy() for array in arguments]
    for array in arguments:
        array.setflags(write=False)
    objective_and_gradient(X, y, W, b, loss, reg, sample_weight=arguments[5], reg_bias=True)
    for array, before in zip(arguments, kept, strict=True):
        np.testing.assert_array_equal(array, before)


def test_a_loss_may_be_ones_own():
    def half(scores, labels):
        losses, slope = softmax(scores, labels)
        losses *= 0.5
        slope *= 0.5
        return losses, slope

    X, y, W, b, _ = draw()
    own = replace(LOSSES["softmax"], value_and_slope=half)
    none = np.zeros(W.shape[2])
    for found, expected in zip(
        objective_and_gradient(X, y, W, b, own, none),
        objective_and_gradient(X, y, W, b, "softmax", none),
        strict=True,
    ):
        np.testing.assert_allclose(found, 0.5 * expected, rtol=1e-12)


@BOTH
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_torch_tensors_get_the_same_numbers(loss, dtype):
    torch = pytest.importorskip("torch")
    X, y, W, b, reg = draw(dtype=dtype)
    weight = np.random.default_rng(1).uniform(0, 2, (60, 3))
    options = {"chunk_rows": 13, "reg_bias": True}
    for sample_weight in (None, weight[:, 0], weight):
        expected = objective_and_gradient(X, y, W, b, loss, reg, sample_weight=sample_weight, **options)
        found = objective_and_gradient(
            torch.tensor(X),
            torch.tensor(y),
            torch.tensor(W),
            torch.tensor(b),
            loss,
            torch.tensor(reg),
            sample_weight=None if sample_weight is None else torch.tensor(sample_weight),
            **options,
        )
        for one, other in zip(found, expected, strict=True):
            assert one.dtype == torch.float64
            close(one.numpy(), other, 100 * np.finfo(dtype).eps)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"y": np.zeros(59, int)}, r"y has the shape \(59,\)"),
        ({"b": np.zeros((3, 5))}, r"b has the shape \(3, 5\)"),
        ({"reg": np.zeros(2)}, r"reg has the shape \(2,\)"),
        ({"X": np.zeros((60, 6))}, r"X has the shape \(60, 6\)"),
        ({"sample_weight": np.ones((3, 60))}, r"sample_weight has the shape \(3, 60\); .* need \(60,\) or \(60, 3\)"),
        ({"sample_weight": np.zeros(60)}, "is 0 for all examples of a head"),
        ({"sample_weight": np.eye(60)[:, :3] - 1e-3}, "negative"),
        ({"sample_weight": np.full(60, np.nan)}, "not finite"),
        ({"sample_weight": np.full(60, np.inf)}, "not finite"),
        ({"y": np.full(60, 5)}, "label 5; with 5 classes in W, labels are 0 to 4"),
        ({"y": np.full(60, -1)}, "label -1"),
        ({"X": np.zeros((0, 7)), "y": np.zeros(0, int)}, "no rows"),
        ({"chunk_rows": 0}, "chunk_rows is 0"),
        ({"loss": "svm"}, "loss 'svm' is unknown"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(change, message):
    arguments = dict(zip(("X", "y", "W", "b", "reg"), draw(), strict=True)) | {"loss": "softmax"} | change
    with pytest.raises(UsageError, match=message):
        objective_and_gradient(**arguments)


# The single head, in the worksheet's form.


@BOTH
@pytest.mark.parametrize("reg", [0.0, 0.3])
@pytest.mark.parametrize("shape", [(30, 7, 5), (1, 7, 5), (30, 7, 2), (4, 3, 1000)])
def test_the_matrix_form_equals_the_loops(loss, reg, shape):
    n, D, C = shape
    X, y, W, _, _ = draw(n, D, C, H=1)
    value, dW = loss_and_gradient(W[:, :, 0], X, y, reg, loss)
    expected, gradient = LOOPS[loss](W[:, :, 0], X, y, reg)
    assert isinstance(value, float)
    assert value == pytest.approx(expected, rel=1e-12)
    assert dW.shape == (D, C)
    close(dW, gradient)


@BOTH
def test_the_matrix_form_equals_torch(loss):
    torch = pytest.importorskip("torch")
    X, y, W, _, _ = draw(H=1)
    value, dW = loss_and_gradient(W[:, :, 0], X, y, 0.3, loss)
    weights = torch.tensor(W[:, :, 0], requires_grad=True)
    scores, labels = torch.tensor(X) @ weights, torch.tensor(y)
    if loss == "softmax":
        expected = torch.nn.functional.cross_entropy(scores, labels)
    else:
        expected = 5 * torch.nn.functional.multi_margin_loss(scores, labels)
    expected = expected + 0.3 * (weights**2).sum()
    expected.backward()
    assert weights.grad is not None
    assert value == pytest.approx(expected.item(), rel=1e-12)
    close(dW, weights.grad.numpy())


@BOTH
def test_the_matrix_form_equals_a_stack_of_one_head(loss):
    X, y, W, _, reg = draw(H=1)
    value, dW = loss_and_gradient(W[:, :, 0], X, y, reg[0], loss)
    objective, gradient, _ = objective_and_gradient(X, y, W, None, loss, reg)
    close(value, objective[0])
    close(dW, gradient[:, :, 0])


@BOTH
def test_the_matrix_form_changes_no_argument(loss):
    X, y, W, _, _ = draw(H=1)
    weights = W[:, :, 0].copy()
    kept = [array.copy() for array in (weights, X, y)]
    for array in (weights, X, y):
        array.setflags(write=False)
    loss_and_gradient(weights, X, y, 0.1, loss)
    for array, before in zip((weights, X, y), kept, strict=True):
        np.testing.assert_array_equal(array, before)


@BOTH
@pytest.mark.parametrize("size", [1e4, 1e30, 1e300])
def test_scores_of_any_size_give_a_finite_loss(loss, size):
    W, X = np.array([[1.0, -1.0, 1.0]]), np.array([[size], [-size], [0.0]])
    for y in ([0, 0, 0], [1, 1, 1]):
        value, dW = loss_and_gradient(W, X, np.array(y), 0.0, loss)
        expected, gradient = LOOPS[loss](W, X, np.array(y), 0.0)
        assert np.isfinite(value)
        assert value == pytest.approx(expected, rel=1e-12)
        close(dW, gradient)


# Central differences. Rounding moves (f(x + h) - f(x - h)) / 2h by about eps |f| / h in every coordinate alike, so an
# entry much smaller than the others cannot be measured to 1e-6 of itself: errors are relative to the largest entry.


@BOTH
@pytest.mark.parametrize("reg", [0.0, 0.5])
def test_the_gradient_agrees_with_central_differences_at_200_coordinates(loss, reg):
    X, y, W, _, _ = draw(n=100, D=50, K=10, H=1)
    W = W[:, :, 0] / 10
    _, dW = loss_and_gradient(W, X, y, reg, loss)
    found = check_gradient(
        lambda w: loss_and_gradient(w, X, y, reg, loss)[0],
        W,
        dW,
        checks=200,
        h="auto",
        rng=np.random.default_rng(0),
    )
    assert np.abs(found.numerical - found.analytic).max() <= 1e-6 * np.abs(dW).max()
    assert found.max_relative_error < 1e-6  # here even relative to each entry itself


@BOTH
@examples(60)
@given(
    size=st.floats(1e-3, 1e4),
    shape=st.tuples(st.integers(1, 12), st.integers(1, 5), st.integers(2, 7)),
    reg=st.sampled_from([0.0, 1e-3, 10.0]),
    seed=st.integers(0, 2**32 - 1),
)
def test_the_gradient_agrees_with_central_differences_for_any_size_of_scores(loss, size, shape, reg, seed):
    n, D, K = shape
    rng = np.random.default_rng(seed)
    X, y, W = size * rng.standard_normal((n, D)), rng.integers(0, K, n), rng.standard_normal((D, K))
    _, dW = loss_and_gradient(W, X, y, reg, loss)
    found = check_gradient(lambda w: loss_and_gradient(w, X, y, reg, loss)[0], W, dW, checks=200, h="auto", rng=rng)
    # Below the smallest normal number, 2e-308, losses themselves have fewer digits.
    assert np.abs(found.numerical - found.analytic).max() <= 1e-6 * np.abs(dW).max() + 2e-308


@BOTH
def test_the_stack_gradient_agrees_with_central_differences(loss):
    X, y, W, b, reg = draw(n=40, H=3)
    weight = np.random.default_rng(1).uniform(0, 2, (40, 3))
    options = {"sample_weight": weight, "reg_bias": True, "chunk_rows": 16}
    _, dW, db = objective_and_gradient(X, y, W, b, loss, reg, **options)
    # Heads are independent, so the sum of their objectives has all their gradients.
    for x, gradient, objective in (
        (W, dW, lambda w: objective_and_gradient(X, y, w, b, loss, reg, **options)[0].sum()),
        (b, db, lambda v: objective_and_gradient(X, y, W, v, loss, reg, **options)[0].sum()),
    ):
        found = check_gradient(objective, x, gradient, checks=200, h="auto", rng=np.random.default_rng(2))
        assert np.abs(found.numerical - found.analytic).max() <= 1e-6 * np.abs(gradient).max()


@pytest.mark.parametrize("H", [1, FEW_HEADS])
def test_a_chunk_of_no_rows_has_no_scores(H):
    W = np.ones((3, 4 * H))
    (found,) = rows_of(np.ones((0, 3))).map(lambda chunk: (chunk.scores(W, np.ones((4, H)), (4, H)),), W, size=5)
    assert found.shape == (0, 4, H)

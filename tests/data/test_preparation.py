"""The preparation against plain loops in float64: the training mean, and rows that have it taken off."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from linprobe.data.prepare import CHUNK_ROWS, Preparation, fit_preparation
from linprobe.errors import DataError


def plain_mean(X):
    """The mean of every feature, one sum after another in float64."""
    flat = X.reshape(len(X), -1).astype(np.float64)
    return np.array([sum(flat[:, d].tolist()) / len(flat) for d in range(flat.shape[1])])


def images(n, shape=(4, 3, 2), seed=0):
    return np.random.default_rng(seed).integers(0, 256, (n, *shape), dtype=np.uint8)


@pytest.mark.parametrize("n", [1, 2, CHUNK_ROWS - 1, CHUNK_ROWS, CHUNK_ROWS + 1, 2 * CHUNK_ROWS + 17])
def test_the_mean_of_images_is_that_of_plain_sums(n):
    X = images(n)
    preparation = fit_preparation(X)
    assert preparation.mean.dtype == np.float32
    assert preparation.shape == (4, 3, 2)
    np.testing.assert_array_equal(preparation.mean, plain_mean(X).astype(np.float32))


def test_the_mean_of_features_keeps_digits_that_float32_sums_would_lose():
    n = 3 * CHUNK_ROWS + 5
    X = np.random.default_rng(0).normal(size=(n, 7)).astype(np.float32)
    X[:, 0] = 1e6 + X[:, 0]
    X[:, 1] = np.where(np.arange(n) % 2, 1e8, -1e8)
    X[:, 2] = 1 + 2.0**-23
    preparation = fit_preparation(X)
    np.testing.assert_allclose(preparation.mean, plain_mean(X), rtol=6e-8, atol=0)
    assert preparation.mean[2] == X[0, 2]
    assert preparation.shape == (7,)


def test_the_mean_is_of_the_training_rows_only():
    train, val = images(50), images(50, seed=1)
    preparation = fit_preparation(train)
    np.testing.assert_array_equal(preparation.mean, plain_mean(train).astype(np.float32))
    centred = preparation.apply(val)
    np.testing.assert_allclose(centred.mean(axis=0), plain_mean(val) - plain_mean(train), atol=1e-4)
    assert np.abs(centred.mean(axis=0)).max() > 1  # their own mean is not taken off


def test_rows_are_flattened_in_memory_order_and_centred():
    X = images(5)
    preparation = fit_preparation(X)
    mean = plain_mean(X)
    for dtype, tolerance in ((np.float32, 2e-5), (np.float64, 1e-5)):  # the mean itself is float32
        rows = preparation.apply(X, dtype)
        assert rows.dtype == dtype
        for i in range(5):
            for h in range(4):
                for w in range(3):
                    for c in range(2):
                        d = (h * 3 + w) * 2 + c
                        assert abs(rows[i, d] - (float(X[i, h, w, c]) - mean[d])) <= tolerance
    assert X.dtype == np.uint8


def test_float64_rows_carry_float64_digits():
    X = images(9)
    preparation = fit_preparation(images(7, seed=1))
    expected = X.reshape(9, -1).astype(np.float64) - preparation.mean.astype(np.float64)
    np.testing.assert_array_equal(preparation.apply(X, np.float64), expected)
    np.testing.assert_array_equal(preparation.apply(X), expected.astype(np.float32))


@pytest.mark.parametrize("kind", ["images", "features"])
def test_in_chunks_is_in_one_piece(kind):
    n = 2 * CHUNK_ROWS + 3
    X = images(n) if kind == "images" else np.random.default_rng(0).normal(size=(n, 24)).astype(np.float32)
    preparation = fit_preparation(X)
    rows = preparation.apply(X)
    assert rows.tobytes() == (X.reshape(n, -1).astype(np.float32) - preparation.mean).tobytes()
    assert rows.tobytes() == np.concatenate([preparation.apply(X[i : i + 100]) for i in range(0, n, 100)]).tobytes()


def test_views_and_read_only_arrays_are_taken_as_they_are():
    X = images(20)
    view = X[::2, ::-1]
    view.setflags(write=False)
    preparation = fit_preparation(view)
    np.testing.assert_array_equal(preparation.apply(view), preparation.apply(view.copy()))
    assert preparation.apply(X[:0]).shape == (0, 24)


@given(shape=st.lists(st.integers(0, 4), max_size=4))
def test_another_shape_is_refused(shape):
    assume(tuple(shape[1:]) != (4, 3, 2))
    preparation = Preparation(np.zeros(24, np.float32), (4, 3, 2))
    with pytest.raises(DataError, match=r"trained on 4 x 3 x 2; give it examples of that shape$") as caught:
        preparation.apply(np.zeros(shape, np.uint8))
    assert "\n" not in str(caught.value)


def test_as_many_pixels_in_another_shape_are_refused():
    preparation = Preparation(np.zeros(24, np.float32), (4, 3, 2))
    for shape in ((1, 3, 4, 2), (1, 24), (1, 2, 3, 4), (4, 3, 2)):
        with pytest.raises(DataError):
            preparation.apply(np.zeros(shape, np.uint8))
    with pytest.raises(DataError, match=r"have the shape 4 x 6, .* trained on 24"):
        Preparation(np.zeros(24, np.float32), (24,)).apply(np.zeros((2, 4, 6), np.uint8))


def test_the_deviation_survives_an_offset_far_above_it():
    X = (50_000 + np.random.default_rng(0).integers(-2, 3, (CHUNK_ROWS + 100, 4))).astype(np.float32)
    preparation = fit_preparation(X, "standardised")
    assert preparation.scale is not None
    np.testing.assert_allclose(1 / preparation.scale, X.astype(np.float64).std(axis=0), rtol=1e-6)

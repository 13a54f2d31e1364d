"""Central differences, on functions whose slope is known."""

import contextlib
import io
import math
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from examples import examples  # pyright: ignore[reportMissingImports]
from linprobe import open_dataset
from linprobe.core.objective import loss_and_gradient
from linprobe.data.prepare import fit_preparation
from linprobe.data.splits import make_splits
from linprobe.errors import UsageError
from linprobe.learn.gradient_check import check_gradient
from linprobe.learn.loops import softmax_loss_naive, svm_loss_naive
from linprobe.learn.worksheet import grad_check_sparse

STEPS = pytest.mark.parametrize("h", [1e-5, "auto"])


def rng():
    return np.random.default_rng(0)


def cubic(x):
    return float((x**3).sum())


@STEPS
def test_a_right_gradient_is_found_right(h):
    x = rng().standard_normal((4, 5, 2))
    found = check_gradient(cubic, x, 3 * x**2, checks=20, h=h, rng=rng())
    assert found.coordinates.shape == (20, 3)
    assert len(np.unique(found.coordinates, axis=0)) == 20
    np.testing.assert_array_equal(found.analytic, (3 * x**2)[tuple(found.coordinates.T)])
    np.testing.assert_allclose(found.numerical, found.analytic, atol=1e-8)
    scale = np.abs(found.numerical) + np.abs(found.analytic)
    np.testing.assert_allclose(found.relative_error, np.abs(found.numerical - found.analytic) / scale)
    assert found.max_relative_error == found.relative_error.max()


@STEPS
@pytest.mark.parametrize("wrong", [1.001, -1.0, 0.0, 2.0])
def test_a_wrong_gradient_is_found_wrong(h, wrong):
    x = 1 + rng().random((5, 5))
    found = check_gradient(cubic, x, wrong * 3 * x**2, h=h, rng=rng())
    expected = abs(wrong - 1) / (abs(wrong) + 1)
    np.testing.assert_allclose(found.relative_error, expected, rtol=1e-3)


@STEPS
def test_one_wrong_entry_among_right_ones_shows(h):
    x = 1 + rng().random(10)
    gradient = 3 * x**2
    gradient[7] *= 1.01
    found = check_gradient(cubic, x, gradient, checks=10, h=h, rng=rng())
    (bad,) = np.flatnonzero(found.relative_error > 1e-4)
    assert found.coordinates[bad, 0] == 7


@STEPS
def test_the_same_generator_gives_the_same_coordinates(h):
    x = rng().standard_normal((30, 10))
    found = [check_gradient(cubic, x, 3 * x**2, h=h, rng=np.random.default_rng(seed)) for seed in (1, 1, 2)]
    np.testing.assert_array_equal(found[0].coordinates, found[1].coordinates)
    np.testing.assert_array_equal(found[0].numerical, found[1].numerical)
    assert not np.array_equal(found[0].coordinates, found[2].coordinates)


@STEPS
def test_more_checks_than_entries_are_all_entries(h):
    x = rng().standard_normal((2, 3))
    found = check_gradient(cubic, x, 3 * x**2, checks=100, h=h, rng=rng())
    assert sorted(map(tuple, found.coordinates)) == list(np.ndindex(2, 3))


@STEPS
@examples(30)
@given(value=st.floats(-1e6, 1e6), fails_at=st.integers(0, 12))
def test_x_comes_back_bit_for_bit_also_when_f_raises(h, value, fails_at):
    x = np.array([value, -0.0, 5e-324, 0.1])
    before, calls = x.tobytes(), 0

    def f(x):
        nonlocal calls
        calls += 1
        if calls > fails_at:
            raise RuntimeError("stop")
        return cubic(x)

    with contextlib.suppress(RuntimeError):
        check_gradient(f, x, 3 * x**2, h=h, rng=rng())
    assert calls > min(fails_at, 7)
    assert x.tobytes() == before


@STEPS
def test_x_is_handed_over_itself_with_one_entry_moved(h):
    x = rng().standard_normal(6)
    before = x.copy()

    def f(moved):
        assert moved is x
        assert (x != before).sum() <= 1
        return cubic(x)

    check_gradient(f, x, 3 * x**2, h=h, rng=rng())
    np.testing.assert_array_equal(x, before)


@STEPS
@pytest.mark.parametrize("constant", [0.0, 2.302585, 1e6])
def test_entries_that_f_does_not_use_have_no_error(h, constant):
    x = rng().standard_normal(10)
    gradient = np.where(np.arange(10) < 5, 3 * x**2, 0)
    found = check_gradient(lambda x: constant + cubic(x[:5]), x, gradient, h=h, rng=rng())
    assert (found.relative_error[found.coordinates[:, 0] >= 5] == 0).all()


@STEPS
def test_a_gradient_that_is_zero_up_to_rounding_has_no_error(h):
    # The classes occur equally often and W is 0: the slope of the column of ones is 0, computed as some 1e-17.
    generator = rng()
    X = np.column_stack([generator.standard_normal((30, 4)), np.ones(30)])
    y, W = np.arange(30) % 3, np.zeros((5, 3))
    for loss in ("softmax", "hinge"):
        _, dW = loss_and_gradient(W, X, y, 0.0, loss)
        assert np.abs(dW[4]).max() < 1e-15
        found = check_gradient(
            lambda w, loss=loss: loss_and_gradient(w, X, y, 0.0, loss)[0], W, dW, checks=15, h=h, rng=rng()
        )
        assert found.max_relative_error < 1e-6


@STEPS
def test_a_missing_part_of_a_gradient_is_not_taken_for_zero(h):
    x = np.array([1.0, 1.0])
    found = check_gradient(lambda x: x[0] + 1e-4 * x[1], x, np.array([1.0, 0.0]), h=h, rng=rng())
    assert found.max_relative_error == pytest.approx(1.0)


@STEPS
def test_values_that_are_not_finite_are_not_passed_over(h):
    x = np.ones(3)
    assert math.isnan(check_gradient(lambda _: math.nan, x, x, h=h, rng=rng()).max_relative_error)
    assert math.isnan(check_gradient(lambda _: math.inf, x, x, h=h, rng=rng()).max_relative_error)
    assert math.isnan(check_gradient(cubic, x, np.full(3, np.nan), h=h, rng=rng()).max_relative_error)


# Where "auto" has to be better than a fixed step.


@pytest.mark.parametrize("distance", [1e-2, 1e-4, 1e-5, 3e-6, 1e-7, 3e-9])
@pytest.mark.parametrize("side", [-1, 1])
def test_auto_steps_around_a_kink(distance, side):
    def f(x):
        return float(2 * x[0] + 3 * max(0.0, side * (x[0] - 0.3) - distance))

    found = check_gradient(f, np.array([0.3]), np.array([2.0]), h="auto", rng=rng())
    assert found.max_relative_error < 1e-6


def test_a_fixed_step_does_not():
    found = check_gradient(
        lambda x: 2 * x[0] + max(0.0, x[0] - 0.3 - 1e-6), np.array([0.3]), np.array([2.0]), rng=rng()
    )
    assert found.max_relative_error > 0.1


@pytest.mark.parametrize("curvature", [1e-3, 1.0, 1e2, 1e4, 1e6])
def test_auto_finds_the_step_that_the_curvature_asks_for(curvature):
    x = np.array([0.7])
    gradient = curvature * np.cos(curvature * x)
    found = check_gradient(lambda x: 3 + math.sin(curvature * x[0]), x, gradient, h="auto", rng=rng())
    assert abs(found.numerical[0] - gradient[0]) <= 1e-7 * curvature


@pytest.mark.parametrize("size", [1e3, 1e6, 1e12])
def test_auto_steps_are_wide_enough_for_large_entries(size):
    x = np.array([size])
    found = check_gradient(lambda x: (x[0] / size) ** 3, x, np.array([3 / size]), h="auto", rng=rng())
    assert found.max_relative_error < 1e-6


def test_auto_calls_f_seldom_where_it_is_smooth():
    calls = 0

    def f(x):
        nonlocal calls
        calls += 1
        return cubic(x)

    x = 1 + rng().random(10)
    check_gradient(f, x, 3 * x**2, h="auto", rng=rng())
    assert calls <= 1 + 10 * 6


@pytest.mark.parametrize("loss", ["softmax", "hinge"])
@pytest.mark.parametrize("reg", [0.0, 50.0])
def test_the_worksheets_check_holds_on_features_of_the_size_of_pixels(loss, reg):
    # Ten coordinates for each of 10 draws, like the worksheet's: centred whole numbers of size 60, small weights.
    for seed in range(10):
        generator = np.random.default_rng(seed)
        X = generator.integers(0, 256, (200, 100)).astype(np.float64)
        X -= X.mean(axis=0)
        X[:, -1] = 1
        X[:, 5] = 0  # a pixel that never changes
        W, y = 0.0005 * generator.standard_normal((100, 10)), generator.integers(0, 10, 200)
        _, dW = loss_and_gradient(W, X, y, reg, loss)
        found = check_gradient(
            lambda w, X=X, y=y: loss_and_gradient(w, X, y, reg, loss)[0], W, dW, h="auto", rng=generator
        )
        assert found.max_relative_error < 1e-6, (seed, found)


@pytest.mark.real_data
@pytest.mark.parametrize("loss", ["softmax", "hinge"])
@pytest.mark.parametrize("reg", [0.0, 50.0])
def test_the_worksheets_check_holds_on_cifar10(shared, loss, reg):
    image, parquet = pytest.importorskip("PIL.Image"), pytest.importorskip("pyarrow.parquet")
    with parquet.ParquetFile(next((shared / "data" / "cifar10").glob("train*.parquet"))) as file:
        rows = next(file.iter_batches(batch_size=2000)).to_pylist()
    X = np.stack([np.asarray(image.open(io.BytesIO(row["img"]["bytes"]))) for row in rows]).reshape(2000, -1)
    y = np.array([row["label"] for row in rows])
    X = np.column_stack([X - X.mean(axis=0), np.ones(len(X))])
    for seed in range(20):
        generator = np.random.default_rng(seed)
        chosen = generator.choice(len(X), 500, replace=False)
        dev, labels = X[chosen], y[chosen]
        W = 0.0001 * generator.standard_normal((3073, 10))
        _, dW = loss_and_gradient(W, dev, labels, reg, loss)
        found = check_gradient(
            lambda w, dev=dev, labels=labels: loss_and_gradient(w, dev, labels, reg, loss)[0],
            W,
            dW,
            h="auto",
            rng=generator,
        )
        assert found.max_relative_error < 1e-6, (seed, found)


@pytest.mark.parametrize("loops", [softmax_loss_naive, svm_loss_naive])
def test_the_loops_pass_the_check(loops):
    generator = rng()
    X, y, W = generator.standard_normal((20, 6)), generator.integers(0, 4, 20), generator.standard_normal((6, 4))
    _, dW = loops(W, X, y, 0.1)
    found = check_gradient(lambda w: loops(w, X, y, 0.1)[0], W, dW, checks=24, h="auto", rng=generator)
    assert found.max_relative_error < 1e-6


# The students' function.


def test_the_students_function_prints_a_line_per_check(capsys):
    x = 1 + rng().random((5, 4))
    result = grad_check_sparse(cubic, x, 3 * x**2)
    lines = capsys.readouterr().out.splitlines()
    assert result is None
    assert len(lines) == 10
    for line in lines:
        found = re.fullmatch(
            r"numerical: (\d+\.\d{6}) analytic: (\d+\.\d{6}), relative error: (\d\.\d{6}e[+-]\d\d)", line
        )
        assert found
        assert float(found[1]) == pytest.approx(float(found[2]), abs=2e-6)
        assert float(found[3]) < 1e-6


def test_the_students_function_takes_its_arguments_by_position(capsys):
    x = np.ones(8)
    grad_check_sparse(cubic, x, 3 * x**2, 3, 1e-4)
    assert len(capsys.readouterr().out.splitlines()) == 3
    grad_check_sparse(cubic, x, 3 * x**2, num_checks=2, h="auto")
    assert len(capsys.readouterr().out.splitlines()) == 2


def test_the_students_seed_repeats_the_coordinates_and_no_other_call_does(capsys):
    x = 1 + rng().random((50, 40))
    printed = []
    for seed in (3, None, 3):
        if seed is not None:
            np.random.seed(seed)
        grad_check_sparse(cubic, x, 3 * x**2)
        printed.append(capsys.readouterr().out)
    assert printed[0] == printed[2] != printed[1]


# What is refused.


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"x": np.ones(3, np.float32)}, r"x is float32; .* pass x\.astype\(np\.float64\)"),
        ({"x": np.ones(3, int)}, "x is int64"),
        ({"x": np.ones(0), "gradient": np.ones(0)}, r"shape \(0,\)"),
        ({"x": np.array(1.0), "gradient": np.array(1.0)}, r"shape \(\)"),
        ({"gradient": np.ones(4)}, r"the gradient has the shape \(4,\), x has \(3,\)"),
        ({"checks": 0}, "checks is 0"),
        ({"h": 0.0}, "h is 0"),
        ({"h": -1e-5}, "h is -1e-05"),
        ({"h": math.nan}, "h is nan"),
        ({"h": "best"}, "h is 'best'"),
        ({"h": 1e-20}, "adds nothing to an entry of 1; use a larger h, or 'auto'"),
    ],
)
def test_what_cannot_be_checked_is_refused(change, message):
    arguments = {"f": cubic, "x": np.ones(3), "gradient": np.ones(3), "rng": rng()} | change
    with pytest.raises(UsageError, match=message):
        check_gradient(**arguments)


def test_a_read_only_x_is_refused():
    x = np.ones(3)
    x.setflags(write=False)
    with pytest.raises(UsageError, match=r"read-only.*pass x\.copy\(\)"):
        check_gradient(cubic, x, x, rng=rng())


def test_a_slope_of_zero_may_carry_the_rounding_of_a_long_sum():
    # The worksheet's hinge on digits: pixel 40 of a nine is always 0, but for what centring in float32 leaves.
    splits = make_splits(open_dataset("digits"), seed=3, val=300, dev=60)
    X = fit_preparation(splits.train.X).apply(splits.dev.X, np.float64)
    X = np.column_stack([X, np.ones(len(X))])
    W = 1e-4 * np.random.default_rng(3).standard_normal((65, 10))

    whole = svm_loss_naive(W, X, splits.dev.y, 0.0)[1]
    (steepest, k) = np.unravel_index(np.abs(whole).argmax(), whole.shape)
    places = [40, steepest], [9, k]

    def f(x):
        weights = W.copy()
        weights[places] = x
        return svm_loss_naive(weights, X, splits.dev.y, 0.0)[0]

    x, gradient = W[places], whole[places]
    assert 0 < abs(gradient[0]) < 1e-15
    assert check_gradient(f, x, gradient, h="auto", rng=rng()).max_relative_error < 1e-6
    wrong = check_gradient(lambda x: f(x) + 1e-9 * x[0], x, gradient, h="auto", rng=rng())
    assert wrong.max_relative_error > 0.9

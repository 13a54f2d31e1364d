"""The array operations, on NumPy and on torch, against NumPy's own."""

from typing import Any

import numpy as np
import pytest
from array_api_compat import array_namespace

from linprobe.core import backend as arrays
from linprobe.core.backend import (
    Products,
    add_product,
    cap_,
    capture,
    choose_device,
    device_of,
    exp_,
    move,
    product,
    quiet,
    reduction,
    row_chunks,
    sweep_rows,
    take_rows,
    to_numpy,
)
from linprobe.errors import IncompatibleError, MissingDependencyError

DEVICES = ["numpy", "cpu"]


@pytest.fixture(params=DEVICES)
def device(request) -> str:
    if request.param != "numpy":
        pytest.importorskip("torch")
    return request.param


def normal(*shape: int, dtype: Any = np.float32) -> np.ndarray:
    return np.random.default_rng(len(shape)).normal(size=shape).astype(dtype)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shape", [(1, 1, 1), (3, 5, 7), (16, 33, 40)])
def test_products(device, dtype, shape):
    m, k, n = shape
    A, B = normal(m, k, dtype=dtype), normal(k, n, dtype=dtype)
    out = move(np.full((m, n), np.nan, dtype), device)  # what was there before is not read
    with quiet(out):
        assert product(move(A, device), move(B, device), out) is out
    close: dict[str, Any] = {"rtol": 1e-5, "atol": 1e-5} if dtype is np.float32 else {"rtol": 1e-12, "atol": 1e-12}
    np.testing.assert_allclose(to_numpy(out), A @ B, **close)
    W, slope = normal(k, n, dtype=dtype), normal(m, n, dtype=dtype)
    moved = move(W.copy(), device)
    assert add_product(moved, move(A, device), move(slope, device), -0.5) is moved
    np.testing.assert_allclose(to_numpy(moved), W - 0.5 * A.T @ slope, **close)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_exponentials_next_to_nothing_are_nothing(dtype):
    smallest = np.finfo(dtype).tiny
    exponents = np.log(smallest) * np.linspace(0, 1.3, 1000).astype(dtype)
    true = np.exp(exponents.astype(np.longdouble))
    found = exp_(exponents.copy())
    assert ((found == 0) | (found >= 1e6 * smallest)).all()  # no subnormal number, nor a share of one
    np.testing.assert_allclose(found[true > 1e-30], true[true > 1e-30].astype(dtype), rtol=20 * np.finfo(dtype).eps)
    assert (found[true < 1e-37] == 0).all() or dtype is np.float64
    ends = np.array([0, 1, -np.inf, np.nan, -1e30], dtype)
    np.testing.assert_array_equal(exp_(ends.copy())[2:], np.array([0, np.nan, 0], dtype))
    np.testing.assert_array_equal(exp_(ends[:2].copy()), np.exp(ends[:2]))


def test_elementwise_operations_work_in_place(device):
    values = np.array([-1.0, 0.0, 2.0, np.nan, np.inf, 1e30], np.float32)
    moved = move(values.copy(), device)
    with quiet(moved):
        assert cap_(moved, 2.0) is moved
        np.testing.assert_array_equal(to_numpy(moved), np.minimum(values, 2))
        assert exp_(moved) is moved
    np.testing.assert_allclose(to_numpy(moved), np.exp(np.minimum(values, 2)), rtol=1e-6)


def test_rows_are_taken_into_what_is_there(device):
    X, rows = normal(9, 4), np.array([8, 0, 0, 3])
    out = move(np.empty((4, 4), np.float32), device)
    take_rows(move(X, device), move(rows, device), out)
    np.testing.assert_array_equal(to_numpy(out), X[rows])


def test_a_reduction_is_a_single_call_where_calls_cost():
    torch = pytest.importorskip("torch")
    scores = torch.from_numpy(normal(3, 5, 2))
    xp = array_namespace(scores)
    for name, expected in (("add", scores.sum(1)), ("maximum", scores.amax(1))):
        reduce = reduction(getattr(xp, name), scores)
        assert reduce is not None
        assert torch.equal(reduce(scores, axis=1), expected)
    assert reduction(np.add, np.zeros(3)) is None


def test_quiet_is_quiet_and_records_no_gradient(device):
    array = move(np.full(3, 3e38, np.float32), device)
    with quiet(array):
        assert np.isinf(to_numpy(array * 10)).all()
        assert np.isnan(np.float32(np.inf) * np.float32(0))  # the host's part of a step, on a device too
        assert np.isinf(np.array([1e300]).astype(np.float32)).all()
    if device != "numpy":
        torch = pytest.importorskip("torch")
        weights = torch.ones(3, requires_grad=True)
        with quiet(weights):
            assert not (weights * 2).requires_grad


def test_moving_there_and_back(device):
    for dtype in (np.float32, np.float64, np.int64, np.uint8, bool):
        values = np.arange(6).reshape(2, 3).astype(dtype)
        values.setflags(write=False)  # torch would warn
        moved = move(values, device)
        assert device_of(moved) == device
        np.testing.assert_array_equal(to_numpy(moved), values)
        assert to_numpy(moved).dtype == dtype
        assert move(moved, device) is moved
        np.testing.assert_array_equal(move(moved, "numpy"), values)
    turned = np.asfortranarray(normal(4, 3))
    np.testing.assert_array_equal(to_numpy(move(turned, device)), turned)


def test_moving_does_not_copy_what_is_in_this_memory(device):
    values = normal(4, 3)
    values.setflags(write=False)  # the data of a search, which nobody writes to
    assert np.shares_memory(to_numpy(move(values, device)), values)


def test_chunks_cover_all_rows_once():
    for rows, size in ((0, 3), (1, 3), (3, 3), (10, 3)):
        taken = [i for part in row_chunks(rows, size) for i in range(rows)[part]]
        assert taken == list(range(rows))


def test_sweeps_cover_all_rows_once(device):
    for shape in ((1, 1), (7, 2**18), (1000, 1000), (3, 2**20)):
        array = move(np.broadcast_to(np.float32(0), shape).copy(), device)
        parts = list(sweep_rows(array))
        assert [i for part in parts for i in range(shape[0])[part]] == list(range(shape[0]))
        assert all(part.stop - part.start == 1 or (part.stop - part.start) * shape[1] <= 2**18 for part in parts)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_the_products_of_a_step(precision):
    pytest.importorskip("torch")
    batch, V = normal(8, 12), normal(12, 15)
    products = Products("cpu", precision)
    scores = move(np.empty((8, 5, 3), np.float32), "cpu")
    products.scores(move(batch, "cpu"), move(V, "cpu"), scores)
    close = 1e-5 if precision == "float32" else 12 * np.abs(batch).max() * np.abs(V).max() * 2.0**-8
    np.testing.assert_allclose(to_numpy(scores).reshape(8, 15), batch @ V, atol=close)
    moved = move(V.copy(), "cpu")
    products.accumulate(moved, move(batch, "cpu"), scores, -1.0)
    assert to_numpy(moved).dtype == np.float32
    slope = to_numpy(scores).reshape(8, 15)
    close *= 1 if precision == "float32" else np.abs(slope).max()
    np.testing.assert_allclose(to_numpy(moved), V - batch.T @ slope, atol=close)


# ---- the choice


def test_the_device_is_chosen_once(monkeypatch):
    torch = pytest.importorskip("torch")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert choose_device("cpu") == choose_device("auto") == "numpy"
    assert choose_device("cpu", "bfloat16") == choose_device("auto", "bfloat16") == "cpu"
    with pytest.raises(IncompatibleError, match="finds no CUDA device"):
        choose_device("cuda")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert choose_device("cpu") == "numpy"
    assert choose_device("auto") == choose_device("cuda") == choose_device("auto", "bfloat16") == "cuda"


def test_without_torch(monkeypatch):
    def absent(module, extra):
        raise MissingDependencyError(f"{module} is not installed; pip install 'linprobe[{extra}]'")

    monkeypatch.setattr(arrays, "require", absent)
    assert choose_device("auto") == choose_device("cpu") == "numpy"
    with pytest.raises(MissingDependencyError, match=r"linprobe\[torch\]"):
        choose_device("cuda")


def test_bfloat16_on_numpy_is_refused():
    with pytest.raises(IncompatibleError, match="NumPy has no bfloat16"):
        Products("numpy", "bfloat16")


def test_without_cuda_a_captured_step_is_the_step():
    def step(rows, table, fold):
        del rows, table, fold

    assert capture(step, 4, np.zeros((8, 1)), "numpy") is step

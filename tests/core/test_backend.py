"""The array operations, in every library, against plain formulas of NumPy's."""

import subprocess
import sys
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import pytest
import toyarrays
from scipy import sparse

from linprobe.core.backend import (
    Array,
    Products,
    add_gram,
    add_product,
    backend_of,
    backend_on,
    cap_,
    capture,
    choose_device,
    device_of,
    exp_,
    is_sparse,
    laid_as,
    move,
    namespace,
    orthonormal,
    principal_axes,
    product,
    quiet,
    reduction,
    registry,
    room_for,
    row_chunks,
    sweep_rows,
    take_rows,
    to_numpy,
)
from linprobe.core.exact.solver import solve
from linprobe.core.sgd.training import Data, Heads, StackRun, Training
from linprobe.errors import IncompatibleError, MissingDependencyError

NAMES = {"numpy": "numpy", "read-only numpy": "numpy", "torch": "cpu", "toy": "toy"}


@dataclass(frozen=True)
class Library:
    """Makes arrays of one library: of those that are only read, NumPy's can be read-only."""

    device: str
    read_only: bool

    def given(self, values: np.ndarray) -> Array:
        """What an operation reads."""
        values = values.copy()
        values.setflags(write=not self.read_only)
        return move(values, self.device)

    def room(self, values: np.ndarray) -> Array:
        """What an operation writes to."""
        return move(values.copy(), self.device)


def forget() -> None:
    """Have the array libraries looked up again."""
    registry._of_type.cache_clear()
    backend_on.cache_clear()


@pytest.fixture
def looked_up_again():
    forget()
    yield
    forget()


@pytest.fixture
def toy(looked_up_again, monkeypatch) -> str:
    """The device of a new library, which one line has made known."""
    monkeypatch.setitem(registry.FILES, "toyarrays", ("toy",))
    return "toy"


@pytest.fixture(params=NAMES)
def library(request) -> Library:
    if request.param == "torch":
        pytest.importorskip("torch")
    if request.param == "toy":
        request.getfixturevalue("toy")
    return Library(NAMES[request.param], read_only=request.param == "read-only numpy")


def normal(*shape: int, dtype: Any = np.float32) -> np.ndarray:
    return np.random.default_rng(len(shape)).normal(size=shape).astype(dtype)


CLOSE: dict[Any, dict[str, Any]] = {
    np.float32: {"rtol": 1e-5, "atol": 1e-5},
    np.float64: {"rtol": 1e-12, "atol": 1e-12},
}


# ---- products


@pytest.mark.parametrize("dtype", CLOSE)
@pytest.mark.parametrize("shape", [(1, 1, 1), (3, 5, 7), (16, 33, 40)])
def test_products(library, dtype, shape):
    m, k, n = shape
    A, B = normal(m, k, dtype=dtype), normal(k, n, dtype=dtype)
    out = library.room(np.full((m, n), np.nan, dtype))  # what was there before is not read
    with quiet(out):
        assert product(library.given(A), library.given(B), out) is out
    np.testing.assert_allclose(to_numpy(out), A @ B, **CLOSE[dtype])
    W, slope = normal(k, n, dtype=dtype), normal(m, n, dtype=dtype)
    moved = library.room(W)
    assert add_product(moved, library.given(A), library.given(slope), -0.5) is moved
    np.testing.assert_allclose(to_numpy(moved), W - 0.5 * A.T @ slope, **CLOSE[dtype])


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_products_of_scores_that_lie_along_the_rows(dtype, compressed):
    """In Fortran order, as those of few heads do; the result of the second stays in C order."""
    rng = np.random.default_rng(0)
    A, B, slope = (rng.standard_normal(shape).astype(dtype) for shape in ((7, 4), (4, 6), (7, 6)))
    factor, out, W = (
        sparse.csr_array(A) if compressed else A,
        np.empty((7, 6), dtype, order="F"),
        np.ones((4, 6), dtype),
    )
    assert product(factor, B, out) is out
    np.testing.assert_allclose(out, A.astype(np.float64) @ B, rtol=1e-5, atol=1e-5)
    add_product(W, factor, np.asfortranarray(slope), 2.0)
    np.testing.assert_allclose(W, 1 + 2 * A.astype(np.float64).T @ slope, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("form", ["other order", "odd byte"])
def test_products_have_the_same_digits_however_rows_lie_in_memory(form, dtype):
    # With a single column another product may be taken, which adds up in another order.
    rng, (m, k, n) = np.random.default_rng(0), (287, 53, 1)
    A, B, slope = (rng.standard_normal(shape).astype(dtype) for shape in ((m, k), (k, n), (m, n)))
    there = np.asfortranarray(A) if form == "other order" else np.frombuffer(b"x" + A.tobytes(), dtype, offset=1)
    there = there.reshape(A.shape)
    assert there.flags.aligned == (form == "other order")
    scores = (product(rows, B, np.empty((m, n), dtype)) for rows in (there, A))
    np.testing.assert_array_equal(*scores)
    sums = (add_product(np.ones((k, n), dtype), rows, slope, 1.0) for rows in (there, A))
    np.testing.assert_array_equal(*sums)


def test_numbers_are_laid_as_others_are_in_memory():
    values, scores = np.arange(12.0).reshape(4, 3), np.empty((3, 5, 4)).transpose(2, 1, 0)
    laid = laid_as(scores[:, 0], values)
    np.testing.assert_array_equal(laid, values)
    assert laid.strides[0] < laid.strides[1]  # rows side by side, as those of the scores are
    assert laid_as(np.empty((4, 5, 3))[:, 0], values) is values


@pytest.mark.parametrize("dtype", CLOSE)
def test_the_gram_matrix_of_rows(library, dtype):
    A, symmetric = normal(9, 5, dtype=dtype), normal(5, 5, dtype=dtype)
    symmetric += symmetric.T
    G = library.room(symmetric)
    assert add_gram(G, library.given(A), 2.0) is G
    assert add_gram(G, library.given(A)) is G
    lower = np.tril_indices(5)  # all that NumPy's has
    np.testing.assert_allclose(to_numpy(G)[lower], (symmetric + 3 * A.T @ A)[lower], **CLOSE[dtype])


@pytest.mark.parametrize("dtype", CLOSE)
def test_a_sparse_matrix_is_a_factor_like_any_other(dtype):
    dense = normal(9, 5, dtype=dtype)
    dense[dense < 0.3] = 0
    A, B, slope = sparse.csr_array(dense), normal(5, 4, dtype=dtype), normal(9, 4, dtype=dtype)
    assert is_sparse(A)
    assert not is_sparse(dense)
    out, W, G = np.full((9, 4), np.nan, dtype), np.ones((5, 4), dtype), np.ones((5, 5), dtype)
    assert product(A, B, out) is out
    assert add_product(W, A, slope, -0.5) is W
    assert add_gram(G, A, 2.0) is G
    np.testing.assert_allclose(out, dense @ B, **CLOSE[dtype])
    np.testing.assert_allclose(W, 1 - 0.5 * dense.T @ slope, **CLOSE[dtype])
    np.testing.assert_allclose(G, 1 + 2 * dense.T @ dense, **CLOSE[dtype])


def test_the_products_of_a_step_in_every_library(library):
    batch, V = normal(8, 12), normal(12, 15)
    products = Products(library.device)
    scores = library.room(np.full((8, 5, 3), np.nan, np.float32))
    products.scores(library.given(batch), library.given(V), scores)
    np.testing.assert_allclose(to_numpy(scores).reshape(8, 15), batch @ V, **CLOSE[np.float32])
    moved = library.room(V)
    products.accumulate(moved, library.given(batch), scores, -1.0)
    slope = to_numpy(scores).reshape(8, 15)
    np.testing.assert_allclose(to_numpy(moved), V - batch.T @ slope, rtol=1e-5, atol=1e-4)


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


# ---- decompositions


@pytest.mark.parametrize("dtype", CLOSE)
def test_principal_axes(library, dtype):
    A = normal(20, 6, dtype=dtype)
    symmetric = A.T @ A
    values, vectors = map(to_numpy, principal_axes(library.room(symmetric)))
    assert (np.diff(values) >= 0).all()
    assert vectors.flags.c_contiguous
    rounding = 1e3 * np.finfo(dtype).eps
    np.testing.assert_allclose(vectors.T @ vectors, np.eye(6), rtol=0, atol=rounding)
    np.testing.assert_allclose(vectors * values @ vectors.T, symmetric, rtol=0, atol=rounding * values[-1])


def test_numpy_reads_the_lower_triangle_alone():
    symmetric = normal(6, 6, dtype=np.float64)
    symmetric += symmetric.T
    spoiled = np.where(np.tri(6, dtype=bool), symmetric, np.nan)
    for found, expected in zip(principal_axes(spoiled), principal_axes(symmetric.copy()), strict=True):
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("dtype", CLOSE)
def test_an_orthonormal_basis(library, dtype):
    A = normal(20, 6, dtype=dtype)
    Q, R = map(to_numpy, orthonormal(library.room(A)))
    assert Q.flags.c_contiguous
    assert R.flags.c_contiguous
    rounding = 1e3 * np.finfo(dtype).eps
    np.testing.assert_allclose(Q.T @ Q, np.eye(6), rtol=0, atol=rounding)
    np.testing.assert_allclose(Q @ np.triu(R), A, rtol=0, atol=rounding)


# ---- element by element


@pytest.mark.parametrize("dtype", CLOSE)
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


def test_elementwise_operations_work_in_place(library):
    values = np.array([-1.0, 0.0, 2.0, np.nan, np.inf, 1e30], np.float32)
    moved = library.room(values)
    with quiet(moved):
        assert cap_(moved, 2.0) is moved
        np.testing.assert_array_equal(to_numpy(moved), np.minimum(values, 2))
        assert exp_(moved) is moved
    np.testing.assert_allclose(to_numpy(moved), np.exp(np.minimum(values, 2)), rtol=1e-6)


def test_rows_are_taken_into_what_is_there(library):
    X, rows = normal(9, 4), np.array([8, 0, 0, 3])
    out = library.room(np.full((4, 4), np.nan, np.float32))
    take_rows(library.given(X), library.given(rows), out)
    np.testing.assert_array_equal(to_numpy(out), X[rows])


def test_a_reduction_is_a_single_call_or_none(library):
    scores, xp = normal(3, 5, 2), namespace(library.given(normal(1)))
    for name, expected in (("add", scores.sum(1)), ("maximum", scores.max(1))):
        reduce = reduction(getattr(xp, name), library.given(scores))
        assert (reduce is None) == (library.device == "numpy")  # whose reductions take an order of their own
        if reduce is not None:
            np.testing.assert_allclose(to_numpy(reduce(library.given(scores), axis=1)), expected, rtol=1e-6)


def test_quiet_is_quiet(library):
    array = library.given(np.full(3, 3e38, np.float32))
    with quiet(array):
        assert np.isinf(to_numpy(array * 10)).all()
        assert np.isnan(np.float32(np.inf) * np.float32(0))  # the host's part of a step, on a device too
        assert np.isinf(np.array([1e300]).astype(np.float32)).all()


def test_quiet_records_no_gradient():
    torch = pytest.importorskip("torch")
    weights = torch.ones(3, requires_grad=True)
    with quiet(weights):
        assert not (weights * 2).requires_grad


# ---- devices


def test_moving_there_and_back(library):
    for dtype in (np.float32, np.float64, np.int64, np.uint8, bool):
        values = np.arange(6).reshape(2, 3).astype(dtype)
        values.setflags(write=False)  # torch would warn
        moved = move(values, library.device)
        assert device_of(moved) == library.device
        np.testing.assert_array_equal(to_numpy(moved), values)
        assert type(to_numpy(moved)) is np.ndarray
        assert to_numpy(moved).dtype == dtype
        assert move(moved, library.device) is moved
        assert type(move(moved, "numpy")) is np.ndarray
        np.testing.assert_array_equal(move(moved, "numpy"), values)
    turned = np.asfortranarray(normal(4, 3))
    np.testing.assert_array_equal(to_numpy(move(turned, library.device)), turned)


def test_moving_does_not_copy_what_is_in_this_memory(library):
    values = normal(4, 3)
    values.setflags(write=False)  # the data of a search, which nobody writes to
    assert np.shares_memory(to_numpy(move(values, library.device)), values)


def test_an_array_of_one_library_becomes_one_of_another(toy):
    torch = pytest.importorskip("torch")
    values = normal(4, 3)
    for start, end, kind in ((toy, "cpu", torch.Tensor), ("cpu", toy, toyarrays.Array)):
        moved = move(move(values, start), end)
        assert type(moved) is kind
        np.testing.assert_array_equal(to_numpy(moved), values)


class _Sent:
    """A tensor that takes down how it gets to a device."""

    def __init__(self) -> None:
        self.steps: list[Any] = []

    def pin_memory(self) -> "_Sent":
        self.steps.append("pinned")
        return self

    def to(self, device: str, *, non_blocking: bool = False) -> list[Any]:
        return [*self.steps, device, "beside the work" if non_blocking else "waited for"]


def test_what_is_small_goes_to_cuda_beside_the_work(monkeypatch):
    torch = pytest.importorskip("torch")
    monkeypatch.setattr(torch, "from_numpy", lambda _: _Sent())
    monkeypatch.setattr(sys.modules[type(backend_on("cuda")).__module__], "PINNED_BYTES", 40)
    assert move(np.zeros(10, np.float32), "cuda") == ["pinned", "cuda", "beside the work"]
    assert move(np.zeros(11, np.float32), "cuda") == ["cuda", "waited for"]
    assert move(np.zeros(10, np.float32), "cpu") == ["cpu", "waited for"]


def test_half_of_what_is_free_on_a_device_is_room(monkeypatch):
    torch = pytest.importorskip("torch")
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda: (80, 200))
    assert room_for(np.zeros(10, np.float32), "cuda")
    assert not room_for(np.zeros(11, np.float32), "cuda")
    for device in ("numpy", "cpu"):
        assert room_for(np.zeros(100), device)


# ---- rows, piece by piece


def test_chunks_cover_all_rows_once():
    for rows, size in ((0, 3), (1, 3), (3, 3), (10, 3)):
        taken = [i for part in row_chunks(rows, size) for i in range(rows)[part]]
        assert taken == list(range(rows))


def test_sweeps_cover_all_rows_once(library):
    for shape in ((1, 1), (7, 2**18), (1000, 1000), (3, 2**20)):
        array = library.room(np.broadcast_to(np.float32(0), shape))
        parts = list(sweep_rows(array))
        assert [i for part in parts for i in range(shape[0])[part]] == list(range(shape[0]))
        assert all(part.stop - part.start == 1 or (part.stop - part.start) * shape[1] <= 2**18 for part in parts)


def test_a_sweep_of_a_cuda_device_is_a_single_piece(monkeypatch):
    array = np.zeros((1000, 1000), np.float32)
    monkeypatch.setattr(type(backend_of(array)), "device_of", lambda *_: "cuda")
    assert list(sweep_rows(array)) == [slice(0, 1000)]


# ---- the choice


def test_the_device_is_chosen_once(monkeypatch):
    torch = pytest.importorskip("torch")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert choose_device("cpu") == choose_device("auto") == "numpy"
    assert choose_device("cpu", "bfloat16") == choose_device("auto", "bfloat16") == "cpu"
    with pytest.raises(IncompatibleError, match="finds no CUDA device"):
        choose_device("cuda")
    with pytest.raises(IncompatibleError, match="no device 'gpu'; choose one of cpu, cuda, auto"):
        choose_device(cast("Any", "gpu"))
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert choose_device("cpu") == "numpy"
    assert choose_device("auto") == choose_device("cuda") == choose_device("auto", "bfloat16") == "cuda"


def test_without_torch(monkeypatch, looked_up_again):
    monkeypatch.setitem(sys.modules, "torch", None)  # which makes its import fail
    for name in [name for name in sys.modules if name.startswith("linprobe.core.backend.torch")]:
        monkeypatch.delitem(sys.modules, name)
    assert choose_device("auto") == choose_device("cpu") == "numpy"
    for refused in (lambda: choose_device("cuda"), lambda: move(np.zeros(3), "cpu"), lambda: Products("cpu")):
        with pytest.raises(MissingDependencyError, match=r"torch is not installed.*linprobe\[torch\]"):
            refused()


def test_torch_is_loaded_when_it_is_needed():
    pytest.importorskip("torch")
    command = """
import sys
import numpy as np
from linprobe.core import backend
array = np.ones((3, 3))
backend.product(array, array, backend.namespace(array).empty((3, 3)))
assert backend.choose_device("cpu", "bfloat16") == "cpu"
print("torch" in sys.modules, "linprobe.core.backend.torch" in sys.modules)
backend.move(array, "cpu")
print("torch" in sys.modules)
"""
    printed = subprocess.run([sys.executable, "-c", command], capture_output=True, text=True, check=True).stdout
    assert printed.split() == ["False", "False", "True"]


def test_bfloat16_on_numpy_is_refused():
    with pytest.raises(IncompatibleError, match="NumPy has no bfloat16"):
        Products("numpy", "bfloat16")


def test_without_cuda_a_captured_step_is_the_step(library):
    def step(rows, table, rescale):
        del rows, table, rescale

    assert capture(step, 4, np.zeros((8, 1)), library.device) is step


# ---- which library it is


def test_a_type_derived_from_a_librarys_is_that_librarys(tmp_path):
    torch = pytest.importorskip("torch")

    class Derived(np.ndarray):
        pass

    mapped = np.memmap(tmp_path / "mapped", np.float32, "w+", shape=(3, 2))
    for array in (mapped, normal(3, 2).view(Derived), normal(3, 2)):
        assert device_of(array) == "numpy"
        assert namespace(array).__name__ == "array_api_compat.numpy"
        assert backend_of(array) is backend_on("numpy")
    for tensor in (torch.zeros(1), torch.nn.Parameter(torch.zeros(1))):
        assert namespace(tensor).__name__ == "array_api_compat.torch"
        assert backend_of(tensor) is backend_on("cpu") is backend_on("cuda")


def test_what_is_not_an_array_is_refused():
    for value in ([1.0], None, sparse.csr_array(np.eye(2))):
        with pytest.raises(TypeError, match=rf"can't compute with .*{type(value).__name__}; .* numpy or torch"):
            to_numpy(value)
    with pytest.raises(IncompatibleError, match="can't compute on tpu; choose one of numpy, cpu, cuda"):
        move(np.zeros(3), "tpu")


def test_without_its_line_a_new_library_is_not_known(looked_up_again):
    assert device_of(np.zeros(3).view(toyarrays.Array)) == "numpy"
    with pytest.raises(IncompatibleError, match="can't compute on toy"):
        backend_on("toy")


def test_a_file_and_a_line_are_all_that_a_new_library_needs(toy):
    rng = np.random.default_rng(0)
    y = rng.integers(0, 3, 60)
    X = rng.normal(size=(60, 5)) + rng.normal(size=(3, 5))[y]
    heads, training = Heads.of([0.05, 0.02], [0.1, 1.0], momentum=[0.9, 0.5], batch_size=16), Training(iterations=30)
    data, places = Data(X, y, 3), ("numpy", toy)
    trained = [StackRun(data, heads, training, products=Products(device)).finish() for device in places]
    solved = [solve(X, y, np.array([1e-1, 1e-3]), loss="softmax", device=device) for device in ("numpy", toy)]
    assert isinstance(trained[1].W, toyarrays.Array)
    for expected, found in (trained, solved):
        np.testing.assert_allclose(to_numpy(found.W), to_numpy(expected.W), rtol=1e-6, atol=1e-6)
        np.testing.assert_allclose(to_numpy(found.b), to_numpy(expected.b), rtol=1e-6, atol=1e-6)

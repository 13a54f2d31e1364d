import sys
import warnings
from fractions import Fraction

import numpy as np
import pytest

from linprobe.learn.checker.invoke import LARGEST_PART, invoke

N, D, C = 23, 13, 7


@pytest.fixture
def arguments():
    rng = np.random.default_rng(0)
    return rng.standard_normal((D, C)), rng.standard_normal((N, D)), rng.integers(0, C, N), 0.5


def gradient_of(outcome) -> np.ndarray:
    assert outcome.gradient is not None
    return outcome.gradient


def right(W, X, y, reg):
    return reg * np.sum(W * W), 2 * reg * W


def returning(value):
    def f(W, X, y, reg):
        return value

    return f


def test_a_pair_of_arrays_comes_back_as_it_is(arguments):
    W, _, _, reg = arguments
    outcome = invoke(right, *arguments)
    assert outcome.loss is not None
    assert (outcome.loss.shape, outcome.loss.dtype) == ((), np.float64)
    assert outcome.loss == reg * np.sum(W * W)
    assert np.array_equal(gradient_of(outcome), 2 * reg * W)
    assert (outcome.returned, outcome.changed, outcome.crash, outcome.lines) == ("", (), None, None)
    assert outcome.seconds > 0


@pytest.mark.parametrize(
    ("loss", "dtype"),
    [
        (2.5, "f8"),
        (3, "i8"),
        (True, "?"),
        (2j, "c16"),
        (np.float32(2), "f4"),
        (np.longdouble(2), "f8"),
        (np.ones(1), "f8"),
    ],
)
def test_a_loss_keeps_its_type(arguments, loss, dtype):
    outcome = invoke(returning([loss, np.ones(2)]), *arguments)
    assert outcome.loss is not None
    assert outcome.loss.dtype == np.dtype(dtype)
    assert outcome.loss.shape == np.shape(loss)
    assert outcome.loss == loss


@pytest.mark.parametrize(
    ("gradient", "shape"),
    [(np.ones((D, C), "f4").view(np.matrix), (D, C)), (np.ma.ones(3), (3,)), (np.ones((C, D)).T, (D, C))],
)
def test_a_gradient_of_another_class_becomes_an_array(arguments, gradient, shape):
    outcome = invoke(returning((1.0, gradient)), *arguments)
    assert type(outcome.gradient) is np.ndarray
    assert outcome.gradient.shape == shape
    assert outcome.gradient.dtype == gradient.dtype


def test_a_gradient_is_a_copy(arguments):
    kept = np.zeros((D, C))
    outcome = invoke(returning((1.0, kept)), *arguments)
    kept += 1
    assert outcome.gradient is not None
    assert not outcome.gradient.any()


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (None, "None"),
        (2.5, "a float"),
        ((1.0, np.ones(2), 3), "a tuple of 3"),
        ([], "a list of 0"),
        ({"loss": 1, "dW": 2}, "a dict"),
        (np.ones((D, C)), "an array of shape (13, 7)"),
        (iter(()), "a tuple_iterator"),
        ((1.0, None), "a pair whose second part is None"),
        ((None, None), "a pair whose first part is None and whose second part is None"),
        ((1.0, [[1.0]]), "a pair whose second part is a list of 1"),
        ((Fraction(1, 2), np.ones(2)), "a pair whose first part is a Fraction"),
        (("0.5", np.ones(2)), "a pair whose first part is a str"),
        ((1.0, np.array([None, 1])), "a pair whose second part is an array of object of shape (2,)"),
        ((10**400, np.ones(2)), "a pair whose first part is an int"),
    ],
)
def test_what_is_no_pair_of_numbers_is_said(arguments, value, words):
    outcome = invoke(returning(value), *arguments)
    assert outcome.returned == words
    assert outcome.crash is None
    pair = isinstance(value, tuple) and len(value) == 2
    assert (outcome.loss is None) == (not pair or not isinstance(value[0], float))
    assert (outcome.gradient is None) == (not pair or type(value[1]) is not np.ndarray or value[1].dtype == object)


def test_an_array_of_absurd_size_is_not_made(arguments):
    absurd = np.broadcast_to(0.0, (LARGEST_PART, LARGEST_PART))
    outcome = invoke(returning((1.0, absurd)), *arguments)
    assert outcome.loss == 1
    assert outcome.gradient is None
    assert outcome.returned == f"a pair whose second part is an array of shape {absurd.shape}"


class Hostile:
    def __init__(self, error=RuntimeError):
        self.error = error

    def __array__(self, *_, **__):
        raise self.error

    def __str__(self):
        raise self.error


@pytest.mark.parametrize("error", [RuntimeError, SystemExit, MemoryError, GeneratorExit])
def test_a_value_that_raises_when_it_is_looked_at_raises_nothing_here(arguments, error):
    outcome = invoke(returning((Hostile(error), None)), *arguments)
    assert outcome.returned == f"something that raises {error.__name__} when it is looked at"


def set_values(array):
    array += 1


def set_shape(array):
    array.shape = (-1, 1)


def set_type(array):
    array.dtype = np.uint8


def set_sign_of_zero(array):
    array[array == 0] = -0.0


@pytest.mark.parametrize("change", [set_values, set_shape, set_type, set_sign_of_zero])
@pytest.mark.parametrize("index", [0, 1])
def test_what_is_changed_is_said_and_the_callers_own_is_not(arguments, change, index):
    arguments[index][:] = np.where(arguments[index] > 1, 0.0, arguments[index])
    before = [array.copy() for array in arguments[:3]]

    def f(*given):
        change(given[index])
        return 1.0, np.zeros((D, C))

    assert invoke(f, *arguments).changed == ("WXy"[index],)
    for now, then in zip(arguments[:3], before, strict=True):
        assert now.tobytes() == then.tobytes()


def test_labels_may_be_changed_and_the_rest_not(arguments):
    def f(W, X, y, reg):
        y[0] = (y[0] + 1) % C
        W = W + 1
        return 1.0, W

    assert invoke(f, *arguments).changed == ("y",)


def test_not_a_number_that_stays_is_no_change(arguments):
    arguments[0][0, 0] = np.nan
    assert invoke(right, *arguments).changed == ()


def raises_below(W, X, y, reg):
    def inner():
        return np.linalg.inv(X)

    return inner()


def test_a_crash_has_the_deepest_line_of_its_own_file(arguments):
    outcome = invoke(raises_below, *arguments)
    assert outcome.crash is not None
    assert outcome.crash.kind == "LinAlgError"
    assert outcome.crash.text == "return np.linalg.inv(X)"
    assert outcome.crash.line == raises_below.__code__.co_firstlineno + 2
    assert outcome.loss is None


@pytest.mark.parametrize(
    ("error", "kind", "message"),
    [
        (ValueError("first\n  second\x1b[2J"), "ValueError", "first second [2J"),
        (ValueError("x" * 10**6), "ValueError", "x" * 199 + "…"),
        (ValueError(Hostile()), "ValueError", ""),
        (SystemExit(3), "SystemExit", "sys.exit(3)"),
        (SystemExit, "SystemExit", "sys.exit()"),
        (MemoryError(), "memory", ""),
        (
            RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory"),
            "memory",
            "[enforce fail] DefaultCPUAllocator: can't allocate memory",
        ),
        (GeneratorExit, "GeneratorExit", ""),
        (NotImplementedError, "NotImplementedError", ""),
    ],
)
def test_whatever_is_raised_is_a_crash(arguments, error, kind, message):
    def f(W, X, y, reg):
        raise error

    crash = invoke(f, *arguments).crash
    assert crash is not None
    assert (crash.kind, crash.message) == (kind, message)
    assert crash.line == f.__code__.co_firstlineno + 1


def test_endless_recursion_is_a_crash(arguments):
    def f(W, X, y, reg):
        return f(W, X, y, reg)

    crash = invoke(f, *arguments).crash
    assert crash is not None
    assert crash.kind == "RecursionError"


def test_too_few_parameters_are_a_crash(arguments):
    crash = invoke(abs, *arguments).crash
    assert crash is not None
    assert (crash.kind, crash.line) == ("TypeError", None)


def test_an_interrupt_is_the_users(arguments):
    def f(W, X, y, reg):
        raise KeyboardInterrupt

    previous = sys.gettrace()
    with pytest.raises(KeyboardInterrupt):
        invoke(f, *arguments, count=True)
    assert sys.gettrace() is previous


def divides_by_zero(W, X, y, reg):
    return np.exp(W).sum() / np.zeros(()), np.log(W * 0)


def test_warnings_are_silenced_and_settings_restored(arguments):
    def f(W, X, y, reg):
        warnings.warn("mine", UserWarning, stacklevel=1)
        np.seterr(all="raise")
        sys.settrace(lambda *_: None)
        warnings.simplefilter("ignore")
        return np.float64(1) / np.zeros(()), np.log(W * 0)

    before = np.geterr(), sys.gettrace(), list(warnings.filters)
    quiet = invoke(divides_by_zero, *arguments)
    assert quiet.crash is None
    assert quiet.loss == np.inf
    crash = invoke(f, *arguments).crash
    assert crash is not None
    assert crash.kind == "FloatingPointError"
    assert (np.geterr(), sys.gettrace(), list(warnings.filters)) == before


def by_loop(W, X, y, reg):
    total = 0.0
    for i in range(len(X)):
        total += X[i] @ W[:, y[i]]
    return total, W


def by_comprehension(W, X, y, reg):
    return sum([X[i] @ W[:, y[i]] for i in range(len(X))]), W


def by_generator(W, X, y, reg):
    return sum(x @ W[:, c] for x, c in zip(X, y, strict=True)), W


def by_map(W, X, y, reg):
    return sum(map(lambda x, c: x @ W[:, c], X, y)), W


def by_vectorize(W, X, y, reg):
    return np.vectorize(lambda i: X[i] @ W[:, y[i]])(np.arange(len(X))).sum(), W


def by_while(W, X, y, reg):
    i = 0
    while i < len(X):
        i += 1
    return float(i), W


def by_array(W, X, y, reg):
    assert str(X) + repr(y)  # NumPy loops over the entries, and the function does not
    return (X @ W)[np.arange(len(X)), y].sum(), W


@pytest.mark.parametrize("f", [by_loop, by_comprehension, by_generator, by_map, by_vectorize, by_while, by_array])
def test_lines_grow_with_the_examples_where_there_is_a_loop(arguments, f):
    W, X, y, reg = arguments
    previous = sys.gettrace()
    invoke(f, W, X, y, reg, count=True)  # libraries do some things on the first call alone
    few = invoke(f, W, X[:5], y[:5], reg, count=True).lines
    many = invoke(f, W, X, y, reg, count=True).lines
    assert sys.gettrace() is previous
    assert few is not None
    assert many is not None
    assert few > 0
    if f is by_array:
        assert many == few
    else:
        assert many - few >= N - 5


def test_a_repair_is_tried_with_fresh_copies(arguments):
    calls = []

    def f(W, X, y, reg):
        calls.append(W.copy())
        W += 1
        if len(calls) < 3:
            raise ValueError(len(calls))
        return 1.0, W

    outcome = invoke(f, *arguments, repair=lambda error: isinstance(error, ValueError))
    assert outcome.crash is None
    assert len(calls) == 3
    assert all(np.array_equal(W, arguments[0]) for W in calls)
    crash = invoke(raises_below, *arguments, repair=lambda _: False).crash
    assert crash is not None
    assert crash.kind == "LinAlgError"


class TestTorch:
    @pytest.fixture(autouse=True)
    def torch(self):
        return pytest.importorskip("torch", reason="a function of PyTorch needs it")

    def test_a_pair_of_tensors_becomes_arrays(self, torch, arguments):
        def f(W, X, y, reg):
            assert W.dtype == torch.float64
            assert y.dtype == torch.int64
            return torch.sum(W * W) * reg, 2 * reg * W

        outcome = invoke(f, *arguments, library="torch")
        assert outcome.crash is None
        assert type(outcome.loss) is np.ndarray
        assert outcome.loss == pytest.approx(right(*arguments)[0], rel=1e-14)
        assert np.array_equal(gradient_of(outcome), right(*arguments)[1])
        assert outcome.changed == ()

    def test_single_precision_stays(self, torch, arguments):
        W, X, y, reg = arguments
        f = returning((torch.ones(()), torch.ones(2)))
        outcome = invoke(f, W.astype(np.float32), X.astype(np.float32), y, reg, library="torch")
        assert outcome.gradient is not None
        assert outcome.gradient.dtype == np.float32

    def test_the_gradient_may_be_torchs_own(self, torch, arguments):
        def f(W, X, y, reg):
            loss = torch.sum(W * W) * reg
            loss.backward()
            return loss, W.grad

        outcome = invoke(f, *arguments, library="torch")
        assert outcome.crash is None
        assert np.allclose(gradient_of(outcome), right(*arguments)[1], rtol=1e-14)
        assert outcome.changed == ()

    @pytest.mark.parametrize("change", ["W.mul_(2)", "W.resize_(2)", "W.data = X", "X[0] = 0", "y.sub_(1)"])
    def test_changes_are_seen(self, torch, arguments, change):
        def f(W, X, y, reg):
            exec(change)
            return torch.sum(X), W

        assert invoke(f, *arguments, library="torch").changed == (change[0],)


def test_a_jax_function_gets_doubles(arguments):
    jax = pytest.importorskip("jax", reason="a function of JAX needs it")

    def f(W, X, y, reg):
        return jax.value_and_grad(lambda W: reg * (W * W).sum())(W)

    for library in ("numpy", "jax"):
        outcome = invoke(f, *arguments, library=library)
        assert outcome.gradient is not None
        assert outcome.gradient.dtype == np.float64
        assert np.allclose(gradient_of(outcome), right(*arguments)[1], rtol=1e-14)
    assert jax.numpy.ones(1).dtype == np.float32

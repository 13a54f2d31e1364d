"""What the estimators are given: read without a copy, and refused with the place named."""

import os
import tracemalloc
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from examples import examples  # pyright: ignore[reportMissingImports]
from linprobe import LinearSVM, ProbeSearch, SoftmaxClassifier
from linprobe.data.moments import moments
from linprobe.errors import DataError, UsageError
from linprobe.estimators import classifiers
from linprobe.estimators._inputs import check_finite, check_weights


def make_data(n=60, features=5, dtype: Any = np.float64, seed=0):
    rng = np.random.default_rng(seed)
    y = np.arange(n) % 3
    return (4 * rng.standard_normal((n, features)) + 3 * np.eye(3, features)[y]).astype(dtype), y


def complaint(error):
    message = str(error.value)
    assert "\n" not in message
    return message


@pytest.fixture
def handed_over(monkeypatch):
    """The features that reach the engine, in a list."""
    seen, solve = [], classifiers.exact.solve

    def watched(X, *arguments, **options):
        seen.append(X)
        return solve(X, *arguments, **options)

    monkeypatch.setattr(classifiers.exact, "solve", watched)
    return seen


# ---- no copy


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.uint8, np.int8, np.int16, np.uint16, bool])
@pytest.mark.parametrize("order", ["C", "F"])
def test_dense_features_reach_the_engine_in_the_callers_memory(handed_over, dtype, order):
    X, y = make_data()
    X = np.array(abs(X), dtype=dtype, order=order)
    X.flags.writeable = False
    SoftmaxClassifier().fit(X, y)
    assert handed_over[0].dtype == (np.uint8 if dtype is bool else dtype)
    assert handed_over[0].ctypes.data == X.ctypes.data
    assert handed_over[0].strides == X.strides


@pytest.mark.parametrize("dtype", [np.int32, np.uint32, np.int64, np.uint64])
def test_wide_integers_are_copied_only_where_float32_would_round_them(handed_over, dtype):
    X, y = make_data(dtype=np.int64)
    X = abs(X).astype(dtype)
    SoftmaxClassifier().fit(X, y)
    assert np.shares_memory(handed_over[0], X)
    X[3, 2] = 2**24 + 1
    SoftmaxClassifier().fit(X, y)
    assert handed_over[1].dtype == np.float64
    assert handed_over[1][3, 2] == 2**24 + 1


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.uint8, bool])
@pytest.mark.parametrize("container", [sp.csr_array, sp.csr_matrix])
def test_sparse_features_reach_the_engine_in_the_callers_memory(handed_over, dtype, container):
    X, y = make_data()
    X = container((abs(X) * (abs(X) > 2)).astype(dtype))
    SoftmaxClassifier().fit(X, y)
    assert handed_over[0].format == "csr"
    for name in ("data", "indices", "indptr"):
        assert getattr(handed_over[0], name).ctypes.data == getattr(X, name).ctypes.data


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.uint8])
def test_a_mapped_file_is_read_where_it_lies(tmp_path, handed_over, dtype):
    X, y = make_data()
    np.save(tmp_path / "X.npy", abs(X).astype(dtype))
    mapped = np.load(tmp_path / "X.npy", mmap_mode="r")
    model = SoftmaxClassifier().fit(mapped, y)
    assert np.shares_memory(handed_over[0], mapped)
    assert (model.predict(mapped) == model.predict(np.array(mapped))).all()


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.uint8])
def test_checks_and_predictions_take_chunks_of_memory(monkeypatch, dtype):
    monkeypatch.setattr("linprobe.data.moments.CHUNK_ELEMENTS", 2**14)
    n, features = 20_000, 100
    X = np.random.default_rng(0).integers(0, 100, (n, features)).astype(dtype)
    y = np.arange(n) % 3
    model = SoftmaxClassifier().fit(X[:300], y[:300])
    monkeypatch.setattr(classifiers.exact, "solve", lambda *_arguments, **_options: optimum)
    W, b = np.zeros((features, 3, 1)), np.zeros((3, 1))
    one = np.ones(1)
    optimum = classifiers.exact.Optimum(W, b, one, one * 0, one, one.astype(int), np.array(["gap"]))
    tracemalloc.start()
    try:
        SoftmaxClassifier().fit(X, y, np.ones(n))
        fitting = tracemalloc.get_traced_memory()[1]
        tracemalloc.reset_peak()
        model.predict(X)
        predicting = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    # Labels, weights and scores take some 10 numbers an example; a copy in float64 would take 100.
    assert max(fitting, predicting) < 25 * 8 * n


def test_a_sparse_matrix_is_left_as_it_is():
    y = np.arange(30) % 3
    rows, columns = np.arange(60) % 30, np.tile([1, 0], 30)
    X = sp.csr_array((np.arange(60.0), (rows, columns)), shape=(30, 4))
    X = sp.csr_array((np.repeat(X.data, 2), np.repeat(X.indices, 2), 2 * X.indptr), X.shape)  # every value twice
    X.indices = X.indices[::1].copy()
    before = X.data.copy(), X.indices.copy(), X.indptr.copy()
    model = SoftmaxClassifier(tol=1e-9).fit(X, y)
    for name, array in zip(("data", "indices", "indptr"), before, strict=True):
        assert (getattr(X, name) == array).all()
    dense = SoftmaxClassifier(tol=1e-9).fit(X.toarray(), y)
    assert model.reg_ == pytest.approx(dense.reg_, rel=1e-12)
    np.testing.assert_allclose(model.coef_, dense.coef_, atol=1e-4 * abs(dense.coef_).max())


def test_a_sparse_matrix_that_points_outside_is_refused():
    X = sp.csr_array(np.eye(4))
    X.indices = X.indices + 2
    with pytest.raises(UsageError, match="not a valid sparse matrix"):
        SoftmaxClassifier().fit(X, [0, 1, 0, 1])


# ---- NaN and infinity


@examples(60)
@given(
    n=st.integers(1, 40),
    features=st.integers(1, 12),
    value=st.sampled_from([np.nan, np.inf, -np.inf]),
    dtype=st.sampled_from([np.float16, np.float32, np.float64]),
    kind=st.sampled_from(["C", "F", "csr"]),
    chunk=st.integers(1, 50),
    seed=st.integers(0, 2**32 - 1),
)
@example(n=30, features=2, value=np.nan, dtype=np.float32, kind="csr", chunk=1, seed=0)
def test_the_first_value_that_is_not_finite_is_named(n, features, value, dtype, kind, chunk, seed):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, features)).astype(dtype) * (rng.random((n, features)) < 0.7)
    if kind == "csr":
        X = X.astype(np.float32)  # SciPy has no sparse matrices of half precision
    container = {"C": np.ascontiguousarray, "F": np.asfortranarray, "csr": sp.csr_array}[kind]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("linprobe.data.moments.CHUNK_ELEMENTS", chunk)
        check_finite(container(X))
        first, second = np.sort(rng.integers(0, X.size, 2))
        X.flat[second] = np.inf
        X.flat[first] = value
        with pytest.raises(UsageError) as caught:
            check_finite(container(X))
    row, column = divmod(int(first), features)
    what = "NaN" if np.isnan(value) else "infinity"
    assert complaint(caught).startswith(f"X has {what} at row {row}, column {column}, counted from 0; ")


@pytest.mark.parametrize("make", [SoftmaxClassifier, LinearSVM, lambda: SoftmaxClassifier(solver="sgd")])
def test_fit_and_predict_name_the_row_the_column_and_the_feature(make):
    pandas = pytest.importorskip("pandas")
    X, y = make_data()
    names = ["height", "width", "age", "red", "green"]
    model = make().fit(pandas.DataFrame(X, columns=names), y)
    X[17, 2] = np.nan
    for act in (lambda table: make().fit(table, y), model.predict, model.decision_function):
        with pytest.raises(
            UsageError, match=r"X has NaN at row 17, column 2 \(feature 'age'\), counted from 0; .*fill"
        ):
            act(pandas.DataFrame(X, columns=names))


# ---- data frames


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_data_frames_are_features_with_names(library):
    frames = pytest.importorskip(library)
    X, y = make_data(features=3)
    table = frames.DataFrame({"a": X[:, 0], "b": X[:, 1].astype(np.float32), "c": X[:, 2].astype(int)})
    labels = frames.Series(np.array(["x", "y", "z"])[y])
    model = SoftmaxClassifier().fit(table, labels, sample_weight=frames.Series(np.ones(len(y))))
    assert model.feature_names_in_.tolist() == ["a", "b", "c"]
    assert model.n_features_in_ == 3
    plain = SoftmaxClassifier().fit(table.to_numpy(), labels.to_numpy())
    np.testing.assert_allclose(model.coef_, plain.coef_)
    assert (model.predict(table) == plain.predict(table.to_numpy())).all()
    with pytest.raises(ValueError, match="feature names"):
        model.predict(table[["b", "a", "c"]])


# ---- labels


@pytest.mark.parametrize(
    ("y", "words"),
    [
        (np.linspace(0, 1, 60), "Unknown label type: continuous"),
        (np.zeros(60), "only, 0.0|one class"),
        (["cat"] * 60, "y has one class only, .*cat.*at least two classes"),
        (np.arange(59) % 3, "X has 60 rows and y 59 labels; give one label for each row"),
        (np.full(60, np.nan), "Input y contains NaN"),
        (np.zeros((60, 2)), "1d array"),
        (None, "y"),
        (np.array([1, "a", None] * 20, object), "Unknown label type|mix|y"),
    ],
)
def test_labels_that_are_none(y, words):
    X, _ = make_data()
    with pytest.raises(ValueError, match=words):
        SoftmaxClassifier().fit(X, y)


# ---- weights


@pytest.mark.parametrize(
    ("weight", "words"),
    [
        (-np.eye(60)[7], "sample_weight is -1 at row 7, counted from 0; weights must be finite and 0 or more"),
        (np.where(np.arange(60) == 9, np.nan, 1), "sample_weight is nan at row 9"),
        (np.where(np.arange(60) == 9, np.inf, 1), "sample_weight is inf at row 9"),
        (np.zeros(60), "all weights of the examples are zero"),
        (0, "all weights of the examples are zero"),
        (np.arange(60) % 3 == 1, "only the class 1 has examples with a weight above 0; .*at least two classes"),
        (np.ones(59), r"sample_weight has the shape \(59,\); 60 examples need \(60,\)"),
        (np.ones((60, 1)), r"sample_weight has the shape \(60, 1\)"),
        (np.full(60, 1e308), "sum to infinity"),
        (["a"] * 60, "could not convert"),
    ],
)
@pytest.mark.parametrize("solver", ["exact", "sgd"])
def test_weights_that_make_no_sense(weight, words, solver):
    X, y = make_data()
    with pytest.raises(ValueError, match=words) as caught:
        SoftmaxClassifier(solver=solver).fit(X, y, weight)
    complaint(caught)


@pytest.mark.parametrize(
    ("class_weight", "words"),
    [
        ({0: -1.0}, "class_weight is -1 for the class 0; weights must be"),
        ({0: 0.0, 1: 0.0}, "only the class 2 has examples"),
        ({0: np.nan}, "class_weight is nan"),
        ({7: 1.0}, "not in class_weight"),
        ("heavy", "balanced"),
        (2.0, "class_weight"),
    ],
)
def test_class_weights_that_make_no_sense(class_weight, words):
    X, y = make_data()
    with pytest.raises(ValueError, match=words):
        SoftmaxClassifier(class_weight=class_weight).fit(X, y)


def test_balanced_classes_have_equal_shares_of_the_weight():
    rng = np.random.default_rng(0)
    codes, given_weight = rng.integers(0, 4, 100), rng.random(100)
    given_weight[codes == 2] = 0
    weight = check_weights(given_weight, "balanced", np.arange(4), codes)
    assert weight is not None
    shares = np.bincount(codes, weight)
    np.testing.assert_allclose(shares[[0, 1, 3]], given_weight.sum() / 3)
    assert shares[2] == 0
    assert check_weights(None, None, np.arange(4), codes) is None


# ---- shapes


@pytest.mark.parametrize(
    "X",
    [np.ones(60), np.ones((60, 2, 2)), np.ones((60, 0)), np.ones((0, 3)), [["a"]] * 60, np.ones((60, 2)) * 1j, 3.0],
    ids=str,
)
def test_what_is_no_matrix_of_numbers_is_refused(X):
    with pytest.raises((ValueError, TypeError)):
        SoftmaxClassifier().fit(X, np.arange(60) % 3)


def test_dates_are_no_numbers():
    X = np.array([["2024-01-01"]] * 60, "datetime64[D]")
    with pytest.raises((ValueError, TypeError)):
        SoftmaxClassifier().fit(X, np.arange(60) % 3)


def test_features_of_another_number_are_refused():
    X, y = make_data()
    model = SoftmaxClassifier().fit(X, y)
    with pytest.raises(ValueError, match="X has 4 features, but SoftmaxClassifier is expecting 5"):
        model.predict(X[:, :4])


# ---- mean and variance


@examples(60)
@given(
    X=hnp.arrays(
        st.sampled_from([np.float32, np.float64, np.uint8, np.int16]),
        hnp.array_shapes(min_dims=2, max_dims=2, max_side=20),
        elements=st.integers(0, 100),
    ),
    sparse=st.booleans(),
    weighted=st.booleans(),
    chunk=st.integers(1, 60),
    seed=st.integers(0, 2**32 - 1),
)
def test_mean_and_variance_are_those_of_the_textbook(X, sparse, weighted, chunk, seed):
    rng = np.random.default_rng(seed)
    weight = rng.integers(0, 3, len(X)).astype(float) if weighted else np.ones(len(X))
    weight[rng.integers(len(X))] = 2
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("linprobe.data.moments.CHUNK_ELEMENTS", chunk)
        mean, variance = moments(sp.csr_array(X) if sparse else X, weight if weighted else None)
    weight = weight if weighted else np.ones(len(X))
    expected = np.average(X.astype(float), axis=0, weights=weight)
    np.testing.assert_allclose(mean, expected, rtol=1e-12, atol=1e-12)
    deviations = (X.astype(float) - expected) ** 2
    np.testing.assert_allclose(variance, np.average(deviations, axis=0, weights=weight), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("container", [np.asarray, sp.csr_array])
def test_constant_features_have_no_variance_and_far_ones_keep_theirs(container):
    rng = np.random.default_rng(0)
    X = np.full((5000, 3), [0.1, 1e8, 0.0])
    weight = rng.random(5000)
    assert moments(container(X), weight)[1].tolist() == [0, 0, 0]
    X[:, 1] += rng.standard_normal(5000)
    expected = np.average((X[:, 1] - 1e8 - np.average(X[:, 1] - 1e8, weights=weight)) ** 2, weights=weight)
    if container is np.asarray:
        assert moments(X, weight)[1][1] == pytest.approx(expected, rel=1e-7)


# ---- files that change


def write_map(path, X):
    mapped = np.memmap(path, X.dtype, "w+", shape=X.shape)
    mapped[...] = X
    mapped.flush()
    return np.memmap(path, X.dtype, "r", shape=X.shape)


def cut(path, size):
    os.truncate(path, size)


@pytest.mark.parametrize(
    "view", [lambda X: X, np.asarray, lambda X: X[10:], lambda X: X.T.T, lambda X: sp.csr_array(X)]
)
def test_a_mapped_file_that_was_cut_is_refused_instead_of_ending_the_process(tmp_path, view):
    X, y = make_data(6000, 20)
    mapped = view(write_map(tmp_path / "X.bin", X))
    if sp.issparse(mapped):
        for name in ("data", "indices", "indptr"):
            setattr(mapped, name, write_map(tmp_path / name, getattr(mapped, name)))
    model = SoftmaxClassifier(1.0, tol=0.1).fit(mapped, y[: mapped.shape[0]])
    path = tmp_path / ("data" if sp.issparse(mapped) else "X.bin")
    cut(path, 4096)
    for act in (lambda: SoftmaxClassifier().fit(mapped, y[: mapped.shape[0]]), lambda: model.predict(mapped)):
        with pytest.raises(DataError, match=rf"{path.name}: the mapped file has 4,096 of the [\d,]+ bytes") as caught:
            act()
        complaint(caught)


def test_a_mapped_part_of_a_file_needs_no_more_than_that_part(tmp_path):
    X, y = make_data(600, 5)
    (tmp_path / "X.bin").write_bytes(b"header" + X.tobytes() + b"footer")
    mapped = np.memmap(tmp_path / "X.bin", X.dtype, "r", offset=6, shape=X.shape)
    in_memory = SoftmaxClassifier().fit(X, y)
    assert (SoftmaxClassifier().fit(mapped, y).coef_ == in_memory.coef_).all()
    cut(tmp_path / "X.bin", 6 + X.nbytes)  # the footer is not ours
    assert (SoftmaxClassifier().fit(mapped, y).coef_ == in_memory.coef_).all()
    cut(tmp_path / "X.bin", 6 + X.nbytes - 1)
    with pytest.raises(DataError, match="write it again and open it anew"):
        SoftmaxClassifier().fit(mapped, y)


def during_training(monkeypatch, act):
    solve = classifiers.exact.solve

    def meanwhile(*arguments, **options):
        optimum = solve(*arguments, **options)
        act()
        return optimum

    monkeypatch.setattr(classifiers.exact, "solve", meanwhile)


def test_a_file_that_is_written_to_during_training_is_an_error(tmp_path, monkeypatch):
    X, y = make_data()
    mapped = write_map(tmp_path / "X.bin", X)
    os.utime(tmp_path / "X.bin", (1, 1))
    during_training(monkeypatch, lambda: (tmp_path / "X.bin").write_bytes((2 * X).tobytes()))
    with pytest.raises(DataError, match=r"X\.bin: was written to while X was read from it") as caught:
        SoftmaxClassifier().fit(mapped, y)
    complaint(caught)


def test_a_file_that_is_replaced_or_removed_during_training_is_still_there(tmp_path, monkeypatch):
    X, y = make_data()
    expected = SoftmaxClassifier().fit(X, y).coef_
    mapped = write_map(tmp_path / "X.bin", X)
    (tmp_path / "new.bin").write_bytes(b"")
    during_training(monkeypatch, lambda: (tmp_path / "new.bin").replace(tmp_path / "X.bin"))
    assert (SoftmaxClassifier().fit(mapped, y).coef_ == expected).all()
    monkeypatch.undo()
    (tmp_path / "X.bin").unlink()
    assert (SoftmaxClassifier().fit(mapped, y).coef_ == expected).all()


@pytest.mark.filterwarnings("ignore::linprobe.estimators.probe_search.EdgeOfGridWarning")
def test_tensors_of_any_device_type_and_gradient_are_what_they_hold():
    torch = pytest.importorskip("torch")

    class Elsewhere(torch.Tensor):
        """A tensor that NumPy can't read itself, as those on a device can't be."""

        def __array__(self, *_, **__):
            raise TypeError("can't convert cuda:0 device type tensor to numpy")

    generator = np.random.default_rng(0)
    y = np.repeat([0, 1, 2], 20)
    X = generator.standard_normal((60, 4)).astype(np.float32) + y[:, None]
    X = torch.tensor(X).to(torch.bfloat16).float().numpy()  # numbers that bfloat16 has too
    weight = generator.uniform(0.5, 1, 60)
    expected = SoftmaxClassifier(reg=1e-2).fit(X, y, weight)
    there = [torch.tensor(array).as_subclass(Elsewhere) for array in (y, weight)]
    for features in (
        torch.tensor(X).as_subclass(Elsewhere),
        torch.tensor(X, requires_grad=True),
        torch.tensor(X).to(torch.bfloat16),
    ):
        found = SoftmaxClassifier(reg=1e-2).fit(features, *there)
        assert found.coef_.tobytes() == expected.coef_.tobytes()
        assert found.score(features, *there) == expected.score(X, y, weight)
        search = ProbeSearch(SoftmaxClassifier(), {"reg": [1e-2, 1e-1]}, cv=2).fit(features, there[0])
        assert search.score(features, there[0]) == ProbeSearch(SoftmaxClassifier(), {"reg": [1e-2, 1e-1]}, cv=2).fit(
            X, y
        ).score(X, y)

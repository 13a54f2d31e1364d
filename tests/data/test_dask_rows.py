"""Rows on a Dask cluster: the same numbers as in memory, however they are partitioned, and little that is sent."""

import pickle

import numpy as np
import pytest
from scipy import sparse

from linprobe.core.certificate import certify
from linprobe.core.exact.solver import solve
from linprobe.core.finite import count_not_finite, first_not_finite
from linprobe.core.measure import score_rows, score_stack
from linprobe.core.objective import objective_and_gradient
from linprobe.data.dask_rows import DaskRows
from linprobe.data.dask_sources import dask_rows
from linprobe.data.moments import moments
from linprobe.data.partitions import Partitions, about, layout, part_of
from linprobe.data.prepare import fit_preparation
from linprobe.data.rows import StoredRows
from linprobe.data.weights import Weights
from linprobe.errors import DataError, IncompatibleError, UsageError

da = pytest.importorskip("dask.array")
RNG = np.random.default_rng(0)
X = RNG.standard_normal((57, 4)).astype(np.float32)
PARTITIONS = {1: lambda n: [n], 2: lambda n: [n // 2, n - n // 2], 7: lambda n: [0, n // 3, 0, 1, 2, n // 5]}


def spread(rows, partitions=7):
    """Rows on the cluster, in partitions some of which are empty."""
    sizes = PARTITIONS[partitions](rows.shape[0])
    sizes += [rows.shape[0] - sum(sizes)] * (sum(sizes) < rows.shape[0])
    array = da.from_array(rows.toarray() if sparse.issparse(rows) else rows, chunks=(tuple(sizes), rows.shape[1]))
    return dask_rows(array.map_blocks(sparse.csr_array) if sparse.issparse(rows) else array)


@pytest.mark.parametrize("X", [X, sparse.random_array((30, 40), density=0.2, format="csr", rng=RNG)])
def test_a_partition_that_came_in_a_message_lies_where_products_read_it_without_a_copy(X):
    sent = list[pickle.PickleBuffer]()
    message = pickle.dumps(part_of("X", X), 5, buffer_callback=sent.append)
    shifted = [memoryview(bytearray(b"abc" + each.raw()))[3:] for each in sent]
    there = pickle.loads(message, buffers=shifted)
    arrays = (there.X.data, there.X.indices, there.X.indptr) if sparse.issparse(X) else (there.X,)
    assert all(array.flags.aligned for array in arrays)
    assert abs(there.X - X).max() == 0
    assert there.checked(part_of("X", X).digest) is there


@pytest.mark.parametrize(
    ("kind", "partitions", "loss"),
    [
        ("dense", 1, "softmax"),
        pytest.param("dense", 7, "squared_hinge", marks=pytest.mark.slow),
        ("sparse", 2, "softmax"),
        ("n < D", 7, "softmax"),
    ],
)
def test_the_optimum_and_its_proof_are_those_of_one_machine(client, kind, partitions, loss):
    n, D = (300, 12) if kind != "n < D" else (60, 90)
    rng = np.random.default_rng(1)
    y = np.sort(rng.integers(0, 3, n))  # so that partitions lack classes
    features = rng.standard_normal((n, D)) + rng.standard_normal((3, D))[y]
    features = sparse.csr_array(features * (rng.random((n, D)) < 0.3)) if kind == "sparse" else features
    there = spread(features, partitions)
    reg, weight = np.array([1e-3, 1e-1]), rng.random((n, 2)) * (rng.random((n, 2)) < 0.8)
    whole, found = (solve(rows, y, reg, loss=loss, sample_weight=weight, tol=1e-8) for rows in (features, there))
    assert (found.stopped == "gap").all()
    np.testing.assert_allclose(found.objective, whole.objective, rtol=1e-7)
    # Beside the optimum too, where a gap is more than 1e-13, of which rounding is a part.
    for shrunk in (1, 0.9999):
        at = shrunk * found.W, found.b, reg, loss
        proofs = [certify(rows, y, *at, sample_weight=weight) for rows in (features, there)]
        np.testing.assert_allclose(proofs[1].objective, proofs[0].objective, rtol=1e-12)
        np.testing.assert_allclose(proofs[1].gap, proofs[0].gap, rtol=1e-5, atol=1e-15)
        assert shrunk < 1 or (proofs[1].gap <= 1e-6 * proofs[1].objective).all()
    for one, two in zip(*(moments(rows, weight[:, 0]) for rows in (features, there)), strict=True):
        np.testing.assert_allclose(one, two, atol=1e-13)
    heads = found.W, found.b, loss
    passes = (objective_and_gradient(rows, y, *heads, reg, chunk_rows=13) for rows in (features, there))
    for one, two in zip(*passes, strict=True):
        np.testing.assert_allclose(one, two, atol=1e-13)
    if kind != "sparse":
        scores = (
            vars(score_stack(rows, y, *heads, Weights.of_array(weight, n, 2))).values() for rows in (features, there)
        )
        for one, two in zip(*scores, strict=True):
            np.testing.assert_allclose(one, two, rtol=1e-12)


def test_some_of_the_rows_in_any_order_and_prepared_are_those_of_the_array(client):
    there, here = spread(X), StoredRows(X)
    preparation = fit_preparation(there, "standardised")
    np.testing.assert_allclose(preparation.mean, fit_preparation(X, "standardised").mean, rtol=1e-6)
    mixed = RNG.permutation(57)[:31]
    W, b = RNG.standard_normal((4, 3, 2)).astype(np.float32), np.zeros((3, 2))
    for chosen in (slice(None), slice(3, 50), slice(50, 3, -2), mixed, np.arange(57) % 3 == 0, np.array([], int)):
        rows, expected = there.take(chosen), here.take(chosen)
        assert isinstance(rows, DaskRows)
        np.testing.assert_array_equal(rows.read(slice(None)), expected.read(slice(None)))
        rows, expected = (each.prepared(preparation) for each in (rows, expected))
        for each in (rows, rows.kept()) if len(rows) else (rows,):
            np.testing.assert_array_equal(each.read(slice(2, 9)), expected.read(slice(2, 9)))
            np.testing.assert_array_equal(np.asarray(each), np.asarray(expected))
            if len(rows):
                np.testing.assert_allclose(score_rows(each, W, b), score_rows(expected, W, b), rtol=1e-5, atol=1e-5)
    both = there.take(slice(40, 57)).followed_by(there.take(mixed))
    np.testing.assert_array_equal(both.read(slice(None)), np.concatenate([X[40:57], X[mixed]]))


def test_weights_of_every_kind_are_those_of_their_rows(client):
    y, there = RNG.integers(0, 3, 57), spread(X)
    W, b, reg = RNG.standard_normal((4, 3, 2)), np.zeros((3, 2)), np.zeros(2)
    of_row, each = RNG.random(57), RNG.random((57, 2))
    parts = Weights.of_parts(np.arange(57) % 5, RNG.random((5, 2)), own=of_row)
    for weights in (of_row, each, parts, Weights.of_array(each, 57, 2).take(np.array([1, 0])), np.ones(57)):
        passes = (objective_and_gradient(r, y, W, b, "softmax", reg, sample_weight=weights) for r in (X, there))
        for one, two in zip(*passes, strict=True):
            np.testing.assert_allclose(one, two, atol=1e-13)


def test_nothing_of_the_size_of_the_data_is_sent_in_a_pass(client, monkeypatch):
    n = 6_000
    rows, y = RNG.standard_normal((n, 5)), RNG.integers(0, 3, n)
    there = dask_rows(da.from_array(rows, chunks=(1500, 5)))
    sizes, plain = [], Partitions.map

    def counted(self, function, *arguments, **shared):
        own = [part for of_tasks in arguments for part in of_tasks if not hasattr(part, "key")]
        own = [part for part in own if not (isinstance(part, list) and part and hasattr(part[0], "key"))]
        sizes.append(len(pickle.dumps(own)))
        return plain(self, function, *arguments, **shared)

    monkeypatch.setattr(Partitions, "map", counted)
    weights = Weights.of_parts(np.arange(n) % 4, RNG.random((4, 2)), own=RNG.random(n))
    for first in (True, False):
        sizes.clear()
        W = RNG.standard_normal((5, 3, 2))
        objective_and_gradient(there, y, W, np.zeros((3, 2)), "softmax", np.zeros(2), sample_weight=weights)
        assert (sum(sizes) > 8 * n) == first  # weights and labels, once
    assert sum(sizes) < 5_000


def test_what_is_not_finite_is_named_where_it_is_read(client):
    wrong = X.copy()
    wrong[20, 2] = np.nan
    with pytest.raises(DataError, match=r"partition 4 of X: has nan in row 0, column 2"):
        spread(wrong)
    with pytest.raises(DataError, match=r"partition 4 of X: has nan in row 0, column 2"):
        spread(sparse.csr_array(wrong * (X > 0)))
    assert count_not_finite(spread(X)) == 0
    assert first_not_finite(spread(X), below=2) == first_not_finite(X, below=2)
    assert count_not_finite(spread(X), below=2) == count_not_finite(X, below=2) > 0


def test_what_a_cluster_can_not_do_is_refused(client, workers):
    with pytest.raises(IncompatibleError, match="NumPy"):
        spread(X).on("cpu")
    with pytest.raises(UsageError, match="3 dimensions"):
        dask_rows(da.zeros((2, 3, 4)))
    with pytest.raises(DataError, match="no partition has rows"):
        dask_rows(da.zeros((0, 4)))
    parts = client.map(part_of, ["a", "b"], [np.zeros((2, 3)), np.zeros((2, 4))])
    with pytest.raises(DataError, match=r"b: has float64 \(4,\), but a has float64 \(3,\)"):
        Partitions(client, parts, client.gather(client.map(about, parts)))


def test_without_an_active_client_the_way_to_one_is_told():
    with pytest.raises(UsageError, match="no client is active"):
        dask_rows(da.zeros((2, 3)))


def test_columns_of_vectors_and_frames_of_numbers_are_rows_too(client):
    dd, pd = pytest.importorskip("dask.dataframe"), pytest.importorskip("pandas")
    frame = dd.from_pandas(pd.DataFrame(X, columns=list("abcd")), npartitions=3)
    np.testing.assert_array_equal(dask_rows(frame).read(slice(None)), X)
    assert dask_rows(da.from_array(X > 0, chunks=30)).dtype == np.uint8
    assert dask_rows(da.from_array(np.arange(6).reshape(3, 2))).dtype == np.float64


def test_where_rows_are_is_found_in_every_order():
    starts = np.array([0, 3, 4, 9])
    for rows in (slice(2, 9), slice(None, None, 2), np.array([8, 0, 3, 8]), np.arange(9) % 2 == 0, np.array([], int)):
        numbers = np.arange(9)[rows]
        found = np.full(len(numbers), -1)
        for part, here, local in layout(starts, rows):
            found[here] = np.arange(9)[starts[part] : starts[part + 1]][local]
        np.testing.assert_array_equal(found, numbers)

"""What is computed of rows, chunk by chunk: the sums and the results of all rows, wherever these are."""

import pickle

import numpy as np
import pytest
from scipy import sparse

from linprobe.core.backend import move, to_numpy
from linprobe.core.certificate import certify
from linprobe.core.exact.solver import solve
from linprobe.core.measure import score_stack
from linprobe.core.objective import objective_and_gradient
from linprobe.data.moments import moments
from linprobe.data.rows import Rows, StoredRows, rows_of
from linprobe.data.terms import FLUSH_ROWS, Outer, Sums
from linprobe.data.weights import Weights

RNG = np.random.default_rng(0)
X, Y = RNG.standard_normal((57, 4)), RNG.integers(0, 3, 57)


class Scattered(Rows):
    """Rows of which each part is elsewhere: terms are sent there, and only sums, or rows that are asked for, return."""

    def __init__(self, source, borders):
        self.parts = [rows_of(source[start:stop]) for start, stop in zip([0, *borders], [*borders, None], strict=True)]
        self.starts = np.cumsum([0, *(len(part) for part in self.parts)])
        self.shape, self.dtype = source.shape, source.dtype
        self.stored = source.nnz if sparse.issparse(source) else source.size
        self.sent = 0

    @property
    def values(self):
        return self.stored

    def read(self, rows, like=None):
        rows = np.arange(len(self))[rows]
        read = [part.read(rows[here] - start, like) for here, start, part in self._among(rows)]
        if not read:
            return self.parts[0].read(slice(0, 0), like)
        order = np.argsort(np.concatenate([np.flatnonzero(here) for here, *_ in self._among(rows)]))
        return sparse.csr_array(sparse.vstack(read))[order] if sparse.issparse(read[0]) else np.concatenate(read)[order]

    def reduce(self, term, like, **options):
        totals = [part.reduce(sent, like, **given) for part, sent, given in self._send(term, **options)]
        return tuple(sum(of_parts) for of_parts in zip(*totals, strict=True))

    def map(self, term, like, **options):
        found = [part.map(sent, like, **given) for part, sent, given in self._send(term, **options)]
        return tuple(np.concatenate(of_parts) for of_parts in zip(*found, strict=True))

    def _among(self, rows):
        for start, part in zip(self.starts, self.parts, strict=False):
            here = (rows >= start) & (rows < start + len(part))
            if here.any():
                yield here, start, part

    def _send(self, term, *, size, labels=None, weights=None, rows=None):
        rows = np.arange(len(self)) if rows is None else rows
        assert (np.diff(rows) > 0).all()
        for here, start, part in self._among(rows):
            mine = slice(start, start + len(part))
            of_part = weights
            if weights is not None:
                of_part = weights.of(mine) if hasattr(weights, "of") else weights[mine]
            given = {"size": size, "labels": None if labels is None else labels[mine], "weights": of_part}
            sent = pickle.dumps(term)
            assert len(sent) < 50_000  # what belongs to rows stays where they are
            self.sent += 1
            yield part, pickle.loads(sent), {**given, "rows": rows[here] - start}


def as_they_are(chunk):
    return chunk.dense * 1, chunk.labels, np.r_[chunk.rows]


@pytest.mark.parametrize("size", [1, 7, 56, 57, 1000])
@pytest.mark.parametrize("chosen", [None, np.array([3, 4, 9, 30, 56])])
@pytest.mark.parametrize("made", [np.asarray, sparse.csr_array, lambda X: Scattered(X, [10, 10, 31])])
def test_sums_and_rows_are_those_of_the_whole_array(made, chosen, size):
    rows = made(X)
    like, which = np.zeros(0), slice(None) if chosen is None else chosen
    found = rows_of(rows).reduce(of_features, like, size=size, rows=chosen)
    for one, expected in zip(found, (X[which].sum(axis=0), X[which].T @ X[which]), strict=True):
        assert one.dtype == np.float64
        np.testing.assert_allclose(one, expected, atol=1e-13)
    found = rows_of(rows).map(as_they_are, like, size=size, labels=Y, rows=chosen)
    np.testing.assert_array_equal(found[0][:], X[which])
    np.testing.assert_array_equal(found[1][:], Y[which])


def of_features(chunk):
    return np.asarray(chunk.dense.sum(axis=0)), Outer(chunk.X, chunk.dense)


def test_a_chunk_has_what_belongs_to_its_rows_and_memory_that_the_next_one_gets():
    weights, seen = Weights.of_array(RNG.random((57, 2)), 57, 2), []

    def term(chunk):
        seen.append(chunk.empty(3))
        assert chunk.empty(3).shape == (len(chunk), 3)
        assert chunk.empty(3).dtype == chunk.X.dtype == np.float32
        np.testing.assert_array_equal(chunk.X, X[chunk.rows].astype(np.float32))
        np.testing.assert_array_equal(chunk.labels, Y[chunk.rows])
        np.testing.assert_array_equal(chunk.weights, weights.of(chunk.rows))
        return (chunk.X,)

    for rows in (None, np.array([5, 2, 40, 8])):
        seen.clear()
        rows_of(X).map(term, np.zeros(0, np.float32), size=3, labels=Y, weights=weights, rows=rows)
        assert all(np.shares_memory(seen[0], one) for one in seen)
    with pytest.raises(AssertionError):  # the labels of other rows
        rows_of(X).map(term, np.zeros(0, np.float32), size=3, labels=1 - Y, weights=weights)


def test_no_rows_are_a_sum_too():
    none = StoredRows(X, slice(0, 0))
    total, outer = none.reduce(of_features, np.zeros(0), size=5)
    assert (total.tolist(), outer.tolist()) == ([0] * 4, np.zeros((4, 4)).tolist())
    assert none.map(as_they_are, np.zeros(0), size=5, labels=Y[:0])[0][:].shape == (0, 4)


def test_what_is_read_has_the_type_and_the_device_that_it_is_asked_for_with():
    torch = pytest.importorskip("torch")
    tensor = torch.from_numpy(X)
    for source in (X, X.astype(np.float16), tensor):
        read = rows_of(source).read(np.array([5, 2]), tensor.float()[:0])
        assert read.dtype == torch.float32
        np.testing.assert_allclose(to_numpy(read), X[[5, 2]], rtol=1e-3)
    assert rows_of(tensor).read(slice(0, 2), np.zeros(0, np.float32)).dtype == np.float32
    assert np.shares_memory(rows_of(X).read(slice(2, 4), np.zeros(0)), X)
    assert isinstance(rows_of(sparse.csr_array(X)).read(slice(2, 4), np.zeros(0)), sparse.csr_array)
    assert rows_of(X).on("numpy").read(slice(None)) is not None
    on_torch = rows_of(X).on("cpu").read(slice(None))
    assert np.shares_memory(to_numpy(on_torch), X)
    some = StoredRows(X, np.array([3, 1]))
    assert some.on("cpu") is some  # which is the same memory: they would be copied


def test_products_go_on_to_float64_before_float32_has_no_digits_left_for_them():
    ones, sums = np.ones((FLUSH_ROWS // 4, 1), np.float32), Sums(FLUSH_ROWS // 4)
    tiny = np.full_like(ones, 2.0**-12)
    for _ in range(4):  # a whole turn, and then what float32 would lose beside it
        sums.add((Outer(ones, ones),), len(ones))
    sums.add((Outer(tiny[:1], tiny[:1]),), 1)
    assert sums.total()[0][0, 0] == FLUSH_ROWS + 2.0**-24


@pytest.mark.sampled(3)
@pytest.mark.parametrize("loss", ["softmax", "squared_hinge"])
@pytest.mark.parametrize("kind", ["dense", "sparse", "n < D"])
@pytest.mark.parametrize("borders", [[], [40], [20, 20, 50, 51, 52, 80]])
def test_the_optimum_and_its_proof_are_the_same_wherever_the_rows_are(borders, kind, loss):
    n, D = (300, 12) if kind != "n < D" else (60, 90)
    rng = np.random.default_rng(1)
    y = np.sort(rng.integers(0, 3, n))  # so that parts lack classes
    features = rng.standard_normal((n, D)) + rng.standard_normal((3, D))[y]
    features = sparse.csr_array(features * (rng.random((n, D)) < 0.3)) if kind == "sparse" else features
    reg, weight = np.array([1e-3, 1e-1]), rng.random((n, 2)) * (rng.random((n, 2)) < 0.8)
    scattered = Scattered(features, borders)
    whole, found = (solve(rows, y, reg, loss=loss, sample_weight=weight, tol=1e-8) for rows in (features, scattered))
    assert scattered.sent
    assert (found.stopped == "gap").all()
    np.testing.assert_allclose(found.objective, whole.objective, rtol=1e-7)
    proof = certify(scattered, y, found.W, found.b, reg, loss, sample_weight=weight)
    np.testing.assert_allclose(proof.objective, whole.objective, rtol=1e-6)
    assert (proof.gap <= 1e-6 * proof.objective).all()
    heads = found.W, found.b, loss
    if kind != "sparse":
        for one, two in zip(
            *(
                vars(score_stack(rows, y, *heads, Weights.of_array(weight, n, 2))).values()
                for rows in (features, scattered)
            ),
            strict=True,
        ):
            np.testing.assert_allclose(one, two, rtol=1e-12)
    for one, two in zip(*(moments(rows, weight[:, 0]) for rows in (features, scattered)), strict=True):
        np.testing.assert_allclose(one, two, atol=1e-13)
    of_rows = (objective_and_gradient(rows, y, *heads, reg, chunk_rows=13) for rows in (features, scattered))
    for one, two in zip(*of_rows, strict=True):
        np.testing.assert_allclose(one, two, atol=1e-13)
    assert move(found.b, "numpy") is found.b

"""Rows of each fold together, so that no head is given those that it holds out: against all rows for all heads."""

import numpy as np
import pytest
from scipy import sparse

from linprobe.core.exact import problem as posing
from linprobe.core.exact.problem import by_part_bytes
from linprobe.core.exact.solver import solve
from linprobe.core.losses import find_loss
from linprobe.core.objective import objective_and_gradient
from linprobe.data import terms
from linprobe.data.rows import StoredRows
from linprobe.data.weights import Weights

FOLDS = 4


def draw(n=300, D=9, classes=3, seed=0):
    rng = np.random.default_rng(seed)
    y = rng.integers(0, classes, n)
    X = rng.normal(size=(n, D)) * np.geomspace(2, 0.3, D) + rng.normal(size=(classes, D))[y]
    return X, y, rng.integers(0, FOLDS, n)


def folded(fold, own=None, column=None):
    """Each head of all folds but one; the last of `column` may be one that trains on everything."""
    table = np.concatenate([1.0 - np.eye(FOLDS), np.ones((FOLDS, 1))], axis=1)
    return Weights.of_parts(fold, table, np.arange(FOLDS + 1) if column is None else column, own)


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("loss", ["softmax", "squared_hinge"])
@pytest.mark.parametrize("own", [False, True])
def test_what_is_left_out_changes_nothing(own, loss, bias, classes):
    X, y, fold = draw(classes=classes)
    rng = np.random.default_rng(1)
    column = np.array([2, 0, 4, 1, 3, 0])  # in any order, twice, and with one that holds nothing out
    weights = folded(fold, rng.random(len(y)) if own else None, column)
    W, b = rng.normal(size=(9, classes, 6)), rng.normal(size=(classes, 6)) if bias else None
    reg = np.geomspace(0.01, 1, 6)
    order, apart = weights.by_part()
    assert len(apart.borders) == FOLDS - 1
    found = objective_and_gradient(X[order], y[order], W, b, loss, reg, sample_weight=apart, chunk_rows=37)
    dense = weights.of(slice(None))
    for head in range(6):
        scores = X @ W[:, :, head] + (0 if b is None else b[:, head])
        losses, slope = find_loss(loss).value_and_slope(scores[:, :, None].copy(), y)
        share = dense[:, head] / len(y)
        assert found[0][head] == pytest.approx(share @ losses[:, 0] + reg[head] * (W[:, :, head] ** 2).sum(), rel=1e-12)
        slope = slope[:, :, 0] * share[:, None]
        np.testing.assert_allclose(found[1][:, :, head], X.T @ slope + 2 * reg[head] * W[:, :, head], rtol=1e-9)
        if bias:
            np.testing.assert_allclose(found[2][:, head], slope.sum(0), rtol=1e-9, atol=1e-12)


def test_held_out_rows_are_in_no_product_of_their_head(monkeypatch):
    X, y, fold = draw()
    weights, columns = folded(fold, column=np.arange(FOLDS)), list[int]()
    multiply = terms.product

    def counted(A, B, out):
        columns.append(A.shape[0] * B.shape[1])
        return multiply(A, B, out)

    monkeypatch.setattr(terms, "product", counted)
    order, apart = weights.by_part()
    for these, rows in ((weights, slice(None)), (apart, order)):
        columns.clear()
        objective_and_gradient(
            X[rows], y[rows], np.zeros((9, 3, FOLDS)), None, "softmax", np.ones(FOLDS), sample_weight=these
        )
        assert sum(columns) == len(y) * 3 * (FOLDS if these is weights else FOLDS - 1)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_solve_of_folds_ends_where_it_would(dtype, monkeypatch):
    X, y, fold = draw(n=700)
    X = X.astype(dtype)
    weights, reg = folded(fold), np.full(FOLDS + 1, 1e-3)
    whole = solve(X, y, reg, sample_weight=weights, tol=1e-8)
    assert by_part_bytes(X, weights, 4, "numpy") == 0
    monkeypatch.setattr(posing, "APART_ROWS", 500)
    monkeypatch.setattr(posing, "APART_FEATURES", 9)
    assert by_part_bytes(X, weights, 4, "numpy") == X.size * 4
    asked = []
    monkeypatch.setattr(Weights, "by_part", lambda self, by=Weights.by_part: asked.append(len(self)) or by(self))
    found = solve(X, y, reg, sample_weight=weights, tol=1e-8)
    assert asked == [700]
    assert (found.stopped == "gap").all()
    np.testing.assert_allclose(found.objective, whole.objective, rtol=2e-8)
    for head in range(FOLDS):
        rows = fold != head
        alone = solve(X[rows], y[rows], reg[:1], tol=1e-8)
        np.testing.assert_allclose(found.objective[head], alone.objective[0], rtol=2e-8)
    # Within a memory that has no room for a copy there is none, and the answer is the same.
    room = sum(posing.solve_bytes(X.shape, 3, 1, 8)) * (FOLDS + 1)
    np.testing.assert_allclose(
        solve(X, y, reg, sample_weight=weights, tol=1e-8, memory=room).objective, whole.objective, rtol=2e-8
    )


def test_where_a_copy_is_not_worth_it(monkeypatch):
    X, _, fold = draw(n=700)
    monkeypatch.setattr(posing, "APART_ROWS", 500)
    monkeypatch.setattr(posing, "APART_FEATURES", 9)
    weights = folded(fold)
    assert by_part_bytes(X, weights, 8, "numpy") == X.size * 8
    assert by_part_bytes(X, None, 8, "numpy") == 0
    assert by_part_bytes(sparse.csr_array(np.where(np.abs(X) > 1, X, 0)), weights, 8, "numpy") == 0
    assert by_part_bytes(X, weights, 8, "cuda") == 0
    assert by_part_bytes(StoredRows(X), weights, 8, "numpy") == X.size * 8
    far = type("Far", (StoredRows,), {"elsewhere": True})
    assert by_part_bytes(far(X), weights, 8, "numpy") == 0
    of_rows = Weights.of_array(np.random.default_rng(0).integers(0, 2, (700, 3)) + 0.0, 700, 3)
    assert by_part_bytes(X, of_rows, 8, "numpy") == 0  # of a part each
    little = Weights.of_parts(np.arange(700) // 10 % 40, 1.0 - np.eye(40))  # a fortieth held out
    assert by_part_bytes(X, little, 8, "numpy") == 0
    monkeypatch.setattr(posing, "COPIED_BYTES", X.size * 8 - 1)
    assert by_part_bytes(X, weights, 8, "numpy") == 0

"""The basis against a float64 SVD, and training in it against training outside."""

import numpy as np
import pytest

from linprobe.compare import screening
from linprobe.compare.screening import Basis, fit_basis, project_weights
from linprobe.core.sgd.training import Data, Heads, StackRun, Start, Training
from linprobe.data.rows import StoredRows
from linprobe.errors import DataError, UsageError


def rows_with_spectrum(n: int, features: int, decay: float, seed: int = 0) -> np.ndarray:
    """Centred rows whose principal directions are no coordinates and lose energy geometrically."""
    generator = np.random.default_rng(seed)
    rotation = np.linalg.qr(generator.standard_normal((features, features)))[0]
    X = generator.standard_normal((n, features)) * decay ** np.arange(features) @ rotation
    return (X - X.mean(axis=0)).astype(np.float32)


def low_rank_rows(n: int, features: int, rank: int) -> np.ndarray:
    """Rows of small whole numbers that lie in a subspace exactly."""
    generator = np.random.default_rng(1)
    return (generator.integers(-3, 4, (n, rank)) @ generator.integers(-3, 4, (rank, features))).astype(np.float32)


def restore_weights(V: np.ndarray, basis: Basis) -> np.ndarray:
    """Weights (r, K, H) of rotated rows as weights (D, K, H) with the same scores on the rows themselves."""
    return np.einsum("dr,rkh->dkh", basis.directions, V)


def residuals(X: np.ndarray) -> np.ndarray:
    """The smallest residual at any rank, 0 to min(n, D): what the singular values say."""
    energy = np.linalg.svd(X.astype(np.float64), compute_uv=False) ** 2
    return 1 - np.concatenate([[0], np.cumsum(energy)]) / energy.sum()


def train(X: np.ndarray, initial: np.ndarray, loss: str = "softmax") -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """W, b and the recorded objectives of two heads that start at `initial`."""
    y = np.random.default_rng(3).integers(0, initial.shape[1], len(X))
    heads = Heads.of([0.02, 0.05], [0.01, 0.001], batch_size=20)
    training = Training(loss, 60, seed=5)
    solution = StackRun(Data(X, y, initial.shape[1]), heads, training, start=Start(initial)).finish()
    return solution.W, solution.b, solution.objective


def start(features: int) -> np.ndarray:
    return np.random.default_rng(2).standard_normal((features, 3, 2)).astype(np.float32) * 0.1


# (n, D, rank, rows): all directions; few of many, by iteration; fewer rows than features, both ways; a subsample.
SHAPES = [(300, 40, 40, 6000), (800, 400, 10, 6000), (60, 200, 9, 6000), (500, 900, 20, 6000), (2000, 50, 7, 500)]


@pytest.mark.parametrize(("n", "features", "rank", "rows"), SHAPES)
def test_directions_are_orthonormal_and_the_residual_is_that_of_the_best_subspace(n, features, rank, rows):
    X = rows_with_spectrum(n, features, 0.9)
    basis, Z = fit_basis(X, rank, seed=0, rows=rows)
    assert basis.rank == rank
    assert basis.directions.shape == (features, rank)
    assert basis.directions.dtype == Z.dtype == np.float32
    assert basis.directions.flags.c_contiguous
    assert Z.flags.c_contiguous
    Q = basis.directions.astype(np.float64)
    np.testing.assert_allclose(Q.T @ Q, np.eye(rank), atol=5e-6)
    rotated = X.astype(np.float64) @ Q
    np.testing.assert_allclose(Z, rotated, atol=1e-5 * np.abs(rotated).max())
    measured = 1 - np.square(rotated).sum() / np.square(X.astype(np.float64)).sum()
    assert basis.residual == pytest.approx(measured, abs=1e-6)
    # No subspace leaves less; one fitted to a part of the rows leaves a little more.
    best = residuals(X)[rank]
    assert best - 1e-6 <= basis.residual <= best * (1.1 if rows < n else 1.001) + 1e-6


def test_few_of_many_directions_are_found_where_energy_falls_slowly():
    X = rows_with_spectrum(900, 400, 0.995)
    basis, _ = fit_basis(X, 10, seed=0)
    best = residuals(X)[10]
    assert 1 - basis.residual >= 0.99 * (1 - best)


@pytest.mark.parametrize(("n", "features", "rank"), [(800, 400, 10), (60, 200, 9), (300, 40, 12)])
def test_directions_are_the_singular_vectors_in_their_order(n, features, rank):
    X = rows_with_spectrum(n, features, 0.8)
    basis, _ = fit_basis(X, rank, seed=0)
    vectors = np.linalg.svd(X.astype(np.float64), full_matrices=False)[2][:rank]
    np.testing.assert_allclose(np.abs(np.sum(vectors * basis.directions.T, axis=1)), 1, atol=1e-3)


def test_residual_counts_the_rows_that_were_not_drawn():
    X = np.zeros((400, 5), np.float32)
    X[:, 0] = 1
    drawn = np.random.default_rng(0).choice(400, 30, replace=False)
    outside = np.setdiff1d(np.arange(400), drawn)[:100]
    X[outside] = [0, 2, 0, 0, 0]
    basis, _ = fit_basis(X, 1, seed=0, rows=30)
    assert basis.residual == pytest.approx(400 / (400 + 300))


@pytest.mark.parametrize("loss", ["softmax", "hinge"])
def test_rows_in_a_subspace_train_the_same_heads_inside_it(loss):
    X, initial = low_rank_rows(300, 30, 6), start(30)
    basis, Z = fit_basis(X, 6, seed=0)
    assert basis.residual == pytest.approx(0, abs=1e-6)
    initial = restore_weights(project_weights(initial, basis), basis)
    scale = 0.1 / np.sqrt(np.mean(np.square(X)))
    W, b, objective = train(X * scale, initial, loss)
    V, c, screened = train(Z * scale, project_weights(initial, basis), loss)
    np.testing.assert_allclose(restore_weights(V, basis), W, atol=2e-5)
    np.testing.assert_allclose(c, b, atol=2e-5)
    np.testing.assert_allclose(screened, objective, rtol=1e-4)


def test_full_rank_only_rotates():
    X, initial = rows_with_spectrum(200, 24, 0.95), start(24)
    basis, Z = fit_basis(X, 24, seed=0)
    assert basis.residual == pytest.approx(0, abs=1e-6)
    W, b, objective = train(X, initial)
    V, c, screened = train(Z, project_weights(initial, basis))
    np.testing.assert_allclose(restore_weights(V, basis), W, atol=2e-5)
    np.testing.assert_allclose(c, b, atol=2e-5)
    np.testing.assert_allclose(screened, objective, rtol=1e-4)


def test_weights_inside_the_subspace_come_back():
    basis, Z = fit_basis(X := rows_with_spectrum(100, 20, 0.9), 8, seed=0)
    V = np.random.default_rng(0).standard_normal((8, 3, 5)).astype(np.float32)
    W = restore_weights(V, basis)
    assert W.shape == (20, 3, 5)
    assert project_weights(W, basis).shape == (8, 3, 5)
    np.testing.assert_allclose(project_weights(W, basis), V, atol=1e-5)
    np.testing.assert_allclose(np.einsum("nd,dkh->nkh", X, W), np.einsum("nr,rkh->nkh", Z, V), atol=1e-4)


def test_weights_are_projected_like_rows():
    """One start broadcast to all heads, as a search makes it, included."""
    basis, _ = fit_basis(rows_with_spectrum(100, 20, 0.9), 8, seed=0)
    W = np.broadcast_to(np.random.default_rng(0).standard_normal((20, 3))[:, :, None], (20, 3, 5))
    np.testing.assert_allclose(project_weights(W, basis), np.einsum("dr,dkh->rkh", basis.directions, W), atol=1e-5)


def test_rows_that_do_not_train_are_rotated_too_and_change_nothing(monkeypatch):
    monkeypatch.setattr(screening, "CHUNK_ROWS", 7)
    X = rows_with_spectrum(50, 12, 0.9)
    basis, Z = fit_basis(X[:30], 5, seed=0)
    again, all_of_them = fit_basis(X, 5, seed=0, train=30)
    assert again.directions.tobytes() == basis.directions.tobytes()
    assert again.residual == pytest.approx(basis.residual, rel=1e-6)
    assert all_of_them.dtype == np.float32
    assert all_of_them.flags.c_contiguous
    np.testing.assert_allclose(all_of_them, X @ basis.directions, atol=1e-5)
    np.testing.assert_allclose(all_of_them[:30], Z, atol=1e-6)
    for other in (X.astype(np.float64), np.asfortranarray(X), np.repeat(X, 2, axis=1)[:, ::2], StoredRows(X)):
        np.testing.assert_allclose(fit_basis(other, 5, seed=0, train=30)[1], all_of_them, atol=1e-6)


@pytest.mark.parametrize("rank", [10, 300, "auto"])
def test_one_seed_gives_one_basis(rank):
    X = rows_with_spectrum(900, 400, 0.97)
    bases = [fit_basis(X, rank, seed=seed, rows=500)[0].directions.tobytes() for seed in (4, 4, 5)]
    assert bases[0] == bases[1] != bases[2]


@pytest.mark.parametrize(("n", "features"), [(600, 300), (90, 300)])
@pytest.mark.parametrize("bound", [0.5, 0.1, 0.03, 0.001])
def test_auto_takes_the_smallest_rank_within_the_bound(monkeypatch, n, features, bound):
    X = rows_with_spectrum(n, features, 0.97)
    smallest = int(np.flatnonzero(residuals(X) <= bound)[0])
    for step in (1, 16):
        monkeypatch.setattr(screening, "RANK_STEP", step)
        basis, _ = fit_basis(X, "auto", seed=0, bound=bound)
        assert basis.rank == min(-(-smallest // step) * step, n, features)
        assert basis.residual <= bound * 1.01


def test_auto_knows_nothing_but_the_rows_drawn():
    X = rows_with_spectrum(600, 80, 0.9)
    drawn = X[np.sort(np.random.default_rng(3).choice(600, 100, replace=False))]
    basis, _ = fit_basis(X, "auto", seed=3, rows=100, bound=0.05)
    assert basis.rank == -(-int(np.flatnonzero(residuals(drawn) <= 0.05)[0]) // 16) * 16


def test_auto_finds_an_exact_subspace():
    X = low_rank_rows(400, 100, 16)
    basis, _ = fit_basis(X, "auto", seed=0, bound=1e-5)
    assert basis.rank == 16
    assert basis.residual == pytest.approx(0, abs=1e-6)


def test_rows_without_energy_have_no_residual():
    for rank in (3, "auto"):
        basis, Z = fit_basis(np.zeros((300, 250), np.float32), rank, seed=0)
        assert basis.residual == 0
        assert not Z.any()
        np.testing.assert_allclose(basis.directions.T @ basis.directions, np.eye(basis.rank), atol=1e-6)


def test_more_directions_than_rows_asked_for_draw_more_rows():
    X = rows_with_spectrum(200, 50, 1.0)
    basis, _ = fit_basis(X, 50, seed=0, rows=10)
    assert basis.residual == pytest.approx(0, abs=1e-6)


def test_rows_are_only_read():
    X = rows_with_spectrum(100, 20, 0.9)
    before = X.copy()
    X.setflags(write=False)
    basis, _ = fit_basis(X, 4, seed=0)
    V = np.ones((4, 2, 1), np.float32)
    V.setflags(write=False)
    project_weights(restore_weights(V, basis), basis)
    np.testing.assert_array_equal(X, before)


@pytest.mark.parametrize("rank", [0, -1, 21, 10_000])
def test_a_rank_that_the_rows_do_not_have_is_refused(rank):
    with pytest.raises(
        UsageError, match=rf"--screen {rank}: 100 rows of 20 features have 1 to 20 directions"
    ) as caught:
        fit_basis(np.ones((100, 20), np.float32), rank, seed=0)
    assert "\n" not in str(caught.value)
    with pytest.raises(UsageError, match="1 to 7 directions"):
        fit_basis(np.ones((7, 20), np.float32), 8, seed=0)


@pytest.mark.parametrize("bound", [-0.1, 1.0, np.nan])
def test_a_bound_that_makes_no_sense_is_refused(bound):
    with pytest.raises(UsageError, match="bound must be 0 or more and below 1"):
        fit_basis(np.ones((7, 20), np.float32), "auto", seed=0, bound=bound)


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e30])
@pytest.mark.parametrize("rank", [2, "auto"])
@pytest.mark.parametrize("rows", [50, 30])
def test_values_that_have_no_square_are_refused(value, rank, rows):
    """In the rows drawn, and in one that was not."""
    X = np.ones((50, 20), np.float32)
    drawn = np.random.default_rng(0).choice(50, rows, replace=False)
    X[3 if rows == 50 else np.setdiff1d(np.arange(50), drawn)[0], 4] = value
    with pytest.raises(DataError, match="not finite, or too large"):
        fit_basis(X, rank, seed=0, rows=rows)


def test_a_basis_is_frozen():
    basis = Basis(np.eye(3, dtype=np.float32), 0.0)
    with pytest.raises(AttributeError):
        basis.residual = 0.5  # type: ignore[misc]

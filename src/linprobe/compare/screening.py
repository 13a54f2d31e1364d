"""Screening: the leading principal directions of the training rows, on which a grid trains in a fraction of the time.

Rows that lie in a subspace train the same heads in the subspace's own coordinates: scores, losses and penalties are
unchanged by a rotation. What lies outside is measured, and stated as the residual.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.linalg import blas, eigh, lu, qr

from linprobe.core.backend import Array, product
from linprobe.data.rows import rows_of
from linprobe.data.terms import Chunk, Gram
from linprobe.errors import DataError, UsageError

__all__ = ["BOUND", "Basis", "fit_basis", "project_weights"]

# On CIFAR-10 this is rank 368: for three seeds no head of the worksheet's grid was off by as much as 0.0005 of training
# accuracy, and the winner was the same. Half the rank is where errors reach 0.001.
BOUND = 0.02

ROWS = 6_000
CHUNK_ROWS = 2_048

_SINGLE = np.zeros(0, np.float32)  # the type of all rows here

# A step of the solver likes widths that fill a processor's vectors, and a few more directions cost nothing.
RANK_STEP = 16

# The iteration carries more directions than asked for, so that the last ones converge too.
SPARE = 64
ITERATIONS = 3

# One element type, one pool of threads: see core/backend/numpy.py. All of them count columns first.
gemm, syrk, symm = blas.get_blas_funcs(("gemm", "syrk", "symm"), dtype=np.float32)


@dataclass(frozen=True, eq=False)
class Basis:
    """Orthonormal directions (D, r) float32, the leading one first.

    residual: the share of the training rows' energy (their sum of squares) that lies outside, of all rows, in [0, 1].
    """

    directions: np.ndarray
    residual: float

    @property
    def rank(self) -> int:
        """The number of directions, r."""
        return self.directions.shape[1]


def fit_basis(
    X: Array,
    rank: int | Literal["auto"],
    *,
    seed: int,
    train: int | None = None,
    rows: int = ROWS,
    bound: float = BOUND,
) -> tuple[Basis, np.ndarray]:
    """The leading principal directions of the first `train` rows of X (n, D), and all of X rotated onto them.

    train: all unless given. -> the basis, and Z (n, r) float32.

    The directions come from `rows` of those that train, drawn without replacement with the seed, or from `rank` of them
    where that is more; "auto" takes the smallest rank whose residual on these is at most `bound`, rounded up to a
    multiple of 16.
    The residual of all that train can only be known from Z, hence both at once. Moments are about zero and not about
    the mean of the drawn rows: training rows are centred already, and scores depend on what rows are, not on how they
    differ. Raises UsageError for a rank that X does not have, DataError for values whose squares are not finite.
    """
    n, features = len(X) if train is None else train, X.shape[1]
    if rank != "auto" and not 1 <= rank <= min(n, features):
        raise UsageError(
            f"--screen {rank}: {n:,} rows of {features:,} features have 1 to {min(n, features):,} directions; "
            "ask for one of these ranks, or for auto"
        )
    if rank == "auto" and not 0 <= bound < 1:
        raise UsageError(f"the residual bound must be 0 or more and below 1, not {bound}")
    directions = _principal(X, n, rank, np.random.default_rng(seed), rows, bound)
    Z, *energies = rows_of(X).map(_Rotated(directions), _SINGLE, size=CHUNK_ROWS)
    inside, total = (float(each[:n].sum(dtype=np.float64)) for each in energies)
    _check(total)
    return Basis(directions, min(1.0, max(0.0, 1 - inside / total)) if total > 0 else 0.0), Z[:]


def project_weights(W: np.ndarray, basis: Basis) -> np.ndarray:
    """Weights (D, K, H) as weights (r, K, H) of rotated rows: what a start at full rank is in the basis, Qᵀ W."""
    directions, flat = np.ascontiguousarray(basis.directions.T), np.ascontiguousarray(W.reshape(len(W), -1), np.float32)
    return product(directions, flat, np.empty((len(directions), flat.shape[1]), np.float32)).reshape(-1, *W.shape[1:])


@dataclass(frozen=True, eq=False)
class _Rotated:
    """Rows in a basis (D, r): Z (m, r), and the energy of each that came out and that went in (m,)."""

    directions: np.ndarray

    def __call__(self, chunk: Chunk) -> tuple[np.ndarray, ...]:
        X = np.ascontiguousarray(chunk.X)
        Z = product(X, self.directions, chunk.empty(self.directions.shape[1]))
        return Z, *(np.einsum("nd,nd->n", rows, rows) for rows in (Z, X))


def _check(energy: float) -> None:
    if not np.isfinite(energy):
        raise DataError("the training rows hold values that are not finite, or too large to square; scale the features")


def _principal(
    X: Array, n: int, rank: int | Literal["auto"], generator: np.random.Generator, rows: int, bound: float
) -> np.ndarray:
    """The leading directions (D, r) of some of the first n rows, C order."""
    features = X.shape[1]
    size = min(n, rows if rank == "auto" else max(rows, rank))
    drawn = np.sort(generator.choice(n, size, replace=False))
    if size >= features:
        return np.ascontiguousarray(_leading(_moments(X, drawn), rank, bound, generator))
    # Fewer rows than features: their products with each other have the same spectrum, in the smaller matrix.
    sample = np.ascontiguousarray(X[drawn], np.float32)
    vectors = _leading(syrk(1.0, sample.T, trans=True), rank, bound, generator)
    # What rounding made of the last directions is no longer orthogonal; QR keeps their span and their order.
    return np.ascontiguousarray(_orthonormal(gemm(1.0, sample.T, vectors)))


def _moments(X: Array, drawn: np.ndarray) -> np.ndarray:
    """The second moments (D, D) of the drawn rows, in Fortran order, of which only the upper triangle is filled."""
    (moments,) = rows_of(X).reduce(_gram, _SINGLE, size=CHUNK_ROWS, rows=drawn)
    return moments.T  # of which the lower triangle is filled


def _gram(chunk: Chunk) -> tuple[Gram]:
    return (Gram(np.ascontiguousarray(chunk.X)),)


def _leading(
    moments: np.ndarray, rank: int | Literal["auto"], bound: float, generator: np.random.Generator
) -> np.ndarray:
    """The eigenvectors (m, rank) of the largest eigenvalues, the largest first; moments (m, m) in the upper triangle.

    Few of many come from subspace iteration, in less than half the time: Halko, Martinsson & Tropp (2011), alg. 4.4.
    """
    _check(moments.trace())
    m = len(moments)
    if rank == "auto":
        rank = _smallest_rank(moments, bound)
    if 3 * (rank + SPARE) >= m:
        vectors = eigh(moments, lower=False, driver="evr", subset_by_index=[m - rank, m - 1])[1]
        return vectors[:, ::-1]
    block = generator.standard_normal((rank + SPARE, m), dtype=np.float32).T
    for _ in range(ITERATIONS):
        # The triangular factor spans the same as the orthogonal one would, and is found in a sixth of the time.
        block = lu(symm(1.0, moments, block), permute_l=True, overwrite_a=True)[0]
    block = _orthonormal(block)
    inner = gemm(1.0, block, symm(1.0, moments, block), trans_a=True)
    return gemm(1.0, block, eigh(inner, driver="evd")[1][:, : -rank - 1 : -1])


def _orthonormal(block: np.ndarray) -> np.ndarray:
    orthonormal: np.ndarray = qr(block, mode="economic", overwrite_a=True)[0]  # type: ignore[assignment]
    return orthonormal


def _smallest_rank(moments: np.ndarray, bound: float) -> int:
    """The smallest rank, rounded up, that leaves at most this share of the moments' trace."""
    values = eigh(moments, lower=False, eigvals_only=True)[::-1].astype(np.float64)
    inside = np.cumsum(np.maximum(values, 0))
    rank = 1 + int(np.count_nonzero(inside[:-1] < (1 - bound) * inside[-1]))
    return min(-(-rank // RANK_STEP) * RANK_STEP, len(values))

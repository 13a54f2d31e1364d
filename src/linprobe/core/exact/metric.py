"""The first guess of the inverse curvature, which L-BFGS then improves: one decomposition, shared by all heads."""

from dataclasses import dataclass, fields

import numpy as np

from linprobe.core.backend import Array, add_gram, add_product, namespace, principal_axes, product
from linprobe.data.moments import feature_mean, feature_variance
from linprobe.data.rows import Rows, rows_of
from linprobe.data.terms import Chunk, Gram

__all__ = ["CHUNK_ROWS", "FULL_FEATURES", "ROWS", "Metric", "fit_metric", "turn"]

# Up to so many features, all principal directions are found: two matrices of 256 MiB, and at most half a minute.
FULL_FEATURES = 8192

# Beyond, the directions that so many examples span. Their number is also what a basis in memory allows.
ROWS = 2048
BASIS_NUMBERS = 2**28
FEWEST_DIRECTIONS = 64

CHUNK_ROWS = 2048


@dataclass(frozen=True, eq=False)
class Metric:
    """The curvature of a mean loss in the weights, taken as C ⊗ variance, for C (K, K), that of the loss in the scores.

    basis (D, r), orthonormal columns in which features vary by variance (r,); what lies outside of them varies by
    rest, (1,) or (D,). None and variance () where only the features' own variances are known; rest None where the basis
    is complete. mean (D,): the features' own.
    """

    mean: Array
    basis: Array | None
    variance: Array
    rest: Array | None

    def like(self, array: Array) -> "Metric":
        """The same in the dtype of an array."""
        cast = namespace(array).astype
        parts = (getattr(self, field.name) for field in fields(self))
        return Metric(*(None if part is None else cast(part, array.dtype, copy=False) for part in parts))

    def inverse(self, gradient: Array, axes: Array, stiffness: Array, reg: Array) -> Array:
        """(C ⊗ variance + 2λ)⁻¹ gradient, for C of each head by its axes (K, K, H), columns, and stiffness (K, H).

        gradient (D, K, H), reg (H,) -> (D, K, H), a new array.
        """
        twice = 2 * reg
        turned = turn(gradient, axes)
        if self.rest is None:
            inner = self._into(turned)
            inner /= self.variance[:, None, None] * stiffness + twice
            return turn(self._out_of(inner), axes, back=True)
        outside = self.rest[:, None, None] * stiffness + twice
        found = turned / outside
        if self.basis is not None:
            inner = self._into(turned)
            inner *= 1 / (self.variance[:, None, None] * stiffness + twice) - 1 / outside
            found += self._out_of(inner)
        return turn(found, axes, back=True)

    def along_its_axes(self) -> "Metric":
        """The same for features in the coordinates of its complete basis."""
        basis: Array = self.basis
        mean = namespace(basis).empty((1, basis.shape[1]), dtype=basis.dtype, device=basis.device)
        return Metric(product(self.mean[None, :], basis, mean)[0], None, self.variance[:0], self.variance)

    def highest(self) -> float:
        """The largest variance in any direction."""
        known = [part for part in (self.variance, self.rest) if part is not None and len(part)]
        return max(float(namespace(part).max(part)) for part in known)

    def _into(self, array: Array) -> Array:
        """Coordinates in the basis: (D, K, H) -> (r, K, H)."""
        basis: Array = self.basis
        flat = array.reshape(array.shape[0], -1)
        turned = namespace(array).zeros((basis.shape[1], flat.shape[1]), dtype=flat.dtype, device=flat.device)
        return add_product(turned, basis, flat, 1.0).reshape(-1, *array.shape[1:])

    def _out_of(self, turned: Array) -> Array:
        """Back from the basis: (r, K, H) -> (D, K, H)."""
        basis: Array = self.basis
        flat = turned.reshape(turned.shape[0], -1)
        found = namespace(turned).empty((basis.shape[0], flat.shape[1]), dtype=flat.dtype, device=flat.device)
        return product(basis, flat, found).reshape(-1, *turned.shape[1:])


def turn(array: Array, axes: Array, *, back: bool = False) -> Array:
    """Coordinates along the class axes of each head, or back: array (r, K, H), axes (K, K, H) -> (r, K, H), new."""
    xp = namespace(array)
    found = xp.empty(array.shape, dtype=array.dtype, device=array.device)
    for head in range(array.shape[2]):
        part, square = (xp.asarray(of_all[..., head], copy=True) for of_all in (array, axes))
        out = xp.empty(part.shape, dtype=part.dtype, device=part.device)
        found[..., head] = product(part, xp.asarray(square.T, copy=True) if back else square, out)
    return found


def fit_metric(X: Array | Rows, like: Array, weight: np.ndarray | None = None, *, centred: bool = True) -> Metric:
    """The metric of features X (n, D), Rows or what they can be made of, as arrays of the dtype and device of `like`.

    weight (n,) >= 0, one per example unless given; centred: whether variances are about the mean (they are about zero
    for heads without an intercept). All directions up to FULL_FEATURES features; beyond, those that ROWS of the
    examples span, drawn evenly, or only each feature's own variance, where most of the numbers are zeros.
    """
    rows, xp = rows_of(X), namespace(like)
    n, D = rows.shape
    shares = np.full(n, 1 / n) if weight is None else weight / weight.sum()
    mean = feature_mean(rows, shares, like) if centred else xp.zeros(D, dtype=like.dtype, device=like.device)

    if D <= FULL_FEATURES and (n >= D or n > ROWS):
        (G,) = rows.reduce(_Gram(mean), like, size=CHUNK_ROWS, weights=shares)
        own = xp.linalg.diagonal(G)
        if not bool(xp.all(xp.isfinite(own))):
            return Metric(mean, None, own[:0], own * 1.0)
        variance, basis = principal_axes(G)
        return Metric(mean, basis, _at_least(variance, _noise(variance)), None)

    variances = feature_variance(rows, shares, mean)
    most = min(n, ROWS, BASIS_NUMBERS // D)
    hollow = rows.values < n * D  # with all their zeros, so many rows might not fit into the memory
    if hollow or most < min(n, FEWEST_DIRECTIONS) or not bool(xp.all(xp.isfinite(variances))):
        return Metric(mean, None, variances[:0], variances)
    chosen = np.unique(np.linspace(0, n - 1, most).astype(np.int64))
    of_chosen = shares / shares[chosen].sum()
    (of_rows,) = rows.map(_Rooted(mean), like, size=len(chosen), weights=of_chosen, rows=chosen)
    some = of_rows[:]
    G = xp.zeros((len(chosen), len(chosen)), dtype=like.dtype, device=like.device)
    add_gram(G, xp.asarray(some.T, copy=True))
    variance, axes = principal_axes(G)
    held = variance > max(0.0, float(variance[-1]) * 1e-6)
    if not bool(xp.any(held)):  # all examples are alike
        return Metric(mean, None, variances[:0], variances)
    variance, axes = variance[held], axes[:, held] / variance[held] ** 0.5
    basis = xp.zeros((D, axes.shape[1]), dtype=like.dtype, device=like.device)
    add_product(basis, some, axes, 1.0)
    if len(chosen) < n:
        # A sample varies more along its own directions than all examples do.
        (along,) = rows.reduce(_Along(basis, mean), like, size=CHUNK_ROWS, weights=shares)
        variance = xp.astype(along, like.dtype)
    # Of all examples nothing is left outside; of a sample, what the whole varies by more than the directions found.
    left = 0.0 if len(chosen) == n else max(0.0, float(xp.sum(variances) - xp.sum(variance))) / (D - len(variance))
    noise = _noise(variance)
    rest = xp.full((1,), max(left, noise), dtype=like.dtype, device=like.device)
    return Metric(mean, basis, _at_least(variance, noise), rest)


@dataclass(frozen=True, eq=False)
class _Gram:
    """The variances of features about a mean (D,), and what they have in common."""

    mean: Array

    def __call__(self, chunk: Chunk) -> tuple[Gram]:
        return (Gram(_centred(chunk, self.mean)),)


@dataclass(frozen=True, eq=False)
class _Rooted:
    """Rows less the mean (D,), each times the square root of its share."""

    mean: Array

    def __call__(self, chunk: Chunk) -> tuple[Array]:
        return (_centred(chunk, self.mean),)


@dataclass(frozen=True, eq=False)
class _Along:
    """Weighted variance about a mean (D,) along the columns of a basis (D, r)."""

    basis: Array
    mean: Array

    def __call__(self, chunk: Chunk) -> tuple[Array]:
        part = _centred(chunk, self.mean)
        turned = product(part, self.basis, chunk.empty(self.basis.shape[1]))
        return (namespace(turned).sum(turned * turned, axis=0),)


def _centred(chunk: Chunk, mean: Array) -> Array:
    """Rows less the mean, each times the square root of its share; dense."""
    # Centred before the product: a large mean would leave no digits of the small variances.
    part, xp = chunk.dense - mean, namespace(mean)
    part *= xp.astype(xp.sqrt(chunk.weights)[:, None], mean.dtype)
    return part


def _noise(variance: Array) -> float:
    """What rounding may hide of a variance: a direction taken for stiller than that would be taken far too long a step
    along, where a penalty is weak.
    """
    xp = namespace(variance)
    return float(xp.max(variance)) * float(xp.finfo(variance.dtype).eps) if len(variance) else 0.0


def _at_least(variance: Array, lowest: float) -> Array:
    xp = namespace(variance)
    return xp.where(variance > lowest, variance, lowest + variance * 0)

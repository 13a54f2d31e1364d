"""The first guess of the inverse curvature, which L-BFGS then improves: one decomposition, shared by all heads."""

from dataclasses import dataclass, fields

import numpy as np

from linprobe.core.backend import (
    Array,
    add_gram,
    add_product,
    device_of,
    is_sparse,
    move,
    namespace,
    principal_axes,
    product,
    row_chunks,
)
from linprobe.core.objective import chunk_of

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


def fit_metric(X: Array, like: Array, weight: np.ndarray | None = None, *, centred: bool = True) -> Metric:
    """The metric of features X (n, D), dense or sparse, as arrays of the dtype and device of `like`.

    weight (n,) >= 0, one per example unless given; centred: whether variances are about the mean (they are about zero
    for heads without an intercept). All directions up to FULL_FEATURES features; beyond, those that ROWS of the
    examples span, drawn evenly, or of sparse X only each feature's own variance.
    """
    n, D = X.shape
    xp = namespace(like)
    shares = np.full(n, 1 / n) if weight is None else weight / weight.sum()
    mean = feature_mean(X, shares, like) if centred else xp.zeros(D, dtype=like.dtype, device=like.device)

    if D <= FULL_FEATURES and (n >= D or n > ROWS):
        G = xp.zeros((D, D), dtype=like.dtype, device=like.device)
        for rows in row_chunks(n, CHUNK_ROWS):
            # Centred before the product: a large mean would leave no digits of the small variances.
            add_gram(G, _centred(X, rows, mean, shares, like))
        own = xp.linalg.diagonal(G)
        if not bool(xp.all(xp.isfinite(own))):
            return Metric(mean, None, own[:0], own * 1.0)
        variance, basis = principal_axes(G)
        return Metric(mean, basis, _at_least(variance, _noise(variance)), None)

    variances = _variances(X, shares, mean)
    most = min(n, ROWS, BASIS_NUMBERS // D)
    if is_sparse(X) or most < min(n, FEWEST_DIRECTIONS) or not bool(xp.all(xp.isfinite(variances))):
        return Metric(mean, None, variances[:0], variances)
    chosen = np.unique(np.linspace(0, n - 1, most).astype(np.int64))
    some = _centred(X, chosen, mean, shares / shares[chosen].sum(), like)
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
        variance = _along(basis, X, shares, mean)
    # Of all examples nothing is left outside; of a sample, what the whole varies by more than the directions found.
    left = 0.0 if len(chosen) == n else max(0.0, float(xp.sum(variances) - xp.sum(variance))) / (D - len(variance))
    noise = _noise(variance)
    rest = xp.full((1,), max(left, noise), dtype=like.dtype)
    return Metric(mean, basis, _at_least(variance, noise), rest)


def feature_mean(X: Array, shares: np.ndarray, like: Array) -> Array:
    """Weighted mean of every feature, chunks summed in float64: X (n, D), shares (n,), of sum 1 -> (D,) like `like`."""
    xp = namespace(like)
    total = xp.zeros((X.shape[1], 1), dtype=xp.float64, device=like.device)
    for rows in row_chunks(X.shape[0], CHUNK_ROWS):
        share = xp.astype(move(shares[rows, None], device_of(like)), like.dtype)
        part = xp.zeros((X.shape[1], 1), dtype=like.dtype, device=like.device)
        total += add_product(part, chunk_of(X, rows, like), share, 1.0)
    return xp.astype(total[:, 0], like.dtype)


def _variances(X: Array, shares: np.ndarray, mean: Array) -> Array:
    """Weighted variance of every feature about `mean`: X (n, D), shares (n,), mean (D,) -> (D,)."""
    total = mean * 0
    for rows in row_chunks(X.shape[0], CHUNK_ROWS):
        part, share = chunk_of(X, rows, mean), namespace(mean).astype(move(shares[rows], device_of(mean)), mean.dtype)
        if is_sparse(part):  # about zero first: what is not stored must stay so
            total += share @ part.multiply(part)
        else:
            part = part - mean
            total += share @ (part * part)
    return _positive(total - mean * mean) if is_sparse(X) else total


def _centred(X: Array, rows: slice | np.ndarray, mean: Array, shares: np.ndarray, like: Array) -> Array:
    """Some rows of X less the mean, each times the square root of its share; dense."""
    part = chunk_of(X, rows, like)
    part = (part.toarray() if is_sparse(part) else part) - mean
    part *= namespace(like).astype(move(np.sqrt(shares[rows])[:, None], device_of(like)), like.dtype)
    return part


def _along(basis: Array, X: Array, shares: np.ndarray, mean: Array) -> Array:
    """Weighted variance of dense rows X (n, D) along the columns of a basis (D, r); shares (n,), mean (D,) -> (r,)."""
    xp, total = namespace(mean), basis[0] * 0
    for rows in row_chunks(X.shape[0], CHUNK_ROWS):
        part = _centred(X, rows, mean, shares, mean)
        turned = xp.empty((part.shape[0], basis.shape[1]), dtype=mean.dtype, device=mean.device)
        product(part, basis, turned)
        total += xp.sum(turned * turned, axis=0)
    return total


def _noise(variance: Array) -> float:
    """What rounding may hide of a variance: a direction taken for stiller than that would be taken far too long a step
    along, where a penalty is weak.
    """
    xp = namespace(variance)
    return float(xp.max(variance)) * float(xp.finfo(variance.dtype).eps) if len(variance) else 0.0


def _at_least(variance: Array, lowest: float) -> Array:
    xp = namespace(variance)
    return xp.where(variance > lowest, variance, lowest + variance * 0)


def _positive(variance: Array) -> Array:
    """Variances that rounding has made negative as zeros."""
    return variance * (variance > 0)

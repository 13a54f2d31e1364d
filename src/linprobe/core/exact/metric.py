"""The first guess of the inverse curvature, which L-BFGS then improves: one decomposition, shared by all heads."""

from dataclasses import dataclass, fields

import numpy as np

from linprobe.core.backend import Array, add_gram, add_product, namespace, principal_axes, product
from linprobe.data.moments import feature_mean, feature_variance
from linprobe.data.rows import Rows, rows_of
from linprobe.data.terms import Chunk, Gram, Outer

__all__ = ["CHUNK_ROWS", "FULL_FEATURES", "Metric", "directions", "fit_metric", "turn"]

# Up to so many features, all principal directions are found: two matrices of 256 MiB, and at most half a minute.
FULL_FEATURES = 8192

# Beyond, what is seen of XᵀX through SKETCHED random directions for every column of a pass: such a sketch costs as much
# as so many passes. Their number is also what a basis in memory allows.
SKETCHED = 50
FEWEST, SHARE = 512, 4  # at the least, and of so many features one at the most
BASIS_NUMBERS = 2**28
FEWEST_DIRECTIONS = 64  # with fewer, the features' own variances say as much
ROWS = 2048  # so few rows span what there is, and are their own basis

CHUNK_ROWS = 2048

# Multiplications of a head up to which all of them are one call: of larger ones it is the product that takes the time,
# and it has threads.
AT_ONCE = 2**20


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
    xp, (r, K, _) = namespace(array), array.shape
    if r * K**2 <= AT_ONCE:
        of_heads, square = (xp.asarray(xp.permute_dims(part, (2, 0, 1)), copy=True) for part in (array, axes))
        return xp.permute_dims(xp.matmul(of_heads, xp.matrix_transpose(square) if back else square), (1, 2, 0))
    found = xp.empty(array.shape, dtype=array.dtype, device=array.device)
    for head in range(array.shape[2]):
        part, square = (xp.asarray(of_all[..., head], copy=True) for of_all in (array, axes))
        out = xp.empty(part.shape, dtype=part.dtype, device=part.device)
        found[..., head] = product(part, xp.asarray(square.T, copy=True) if back else square, out)
    return found


def fit_metric(
    X: Array | Rows, like: Array, weight: np.ndarray | None = None, *, centred: bool = True, columns: int = 1000
) -> Metric:
    """The metric of features X (n, D), Rows or what they can be made of, as arrays of the dtype and device of `like`.

    weight (n,) >= 0, one per example unless given; centred: whether variances are about the mean (they are about zero
    for heads without an intercept); columns: of a pass, for which it is made. All directions up to FULL_FEATURES
    features; beyond, those that few rows span, or that a sketch of all rows shows, or only each feature's own variance,
    where most of the numbers are zeros.
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
    few, most = n <= min(ROWS, BASIS_NUMBERS // D), directions((n, D), columns)
    hollow = rows.values < n * D  # with all their zeros, so many rows might not fit into the memory
    if hollow or most < min(n, FEWEST_DIRECTIONS) or not bool(xp.all(xp.isfinite(variances))):
        return Metric(mean, None, variances[:0], variances)
    if few:
        (of_rows,) = rows.map(_Rooted(mean), like, size=n, weights=shares)
        found = _axes_of(xp.asarray(of_rows[:].T, copy=True))
    else:
        found = _sketched(rows, mean, shares, most)
    if found is None:  # all examples are alike
        return Metric(mean, None, variances[:0], variances)
    variance, basis = found
    # Of a few rows nothing is left outside; of a sketch, what the features vary by more than the directions found.
    left = 0.0 if few else max(0.0, float(xp.sum(variances) - xp.sum(variance))) / (D - len(variance))
    noise = _noise(variance)
    rest = xp.full((1,), max(left, noise), dtype=like.dtype, device=like.device)
    return Metric(mean, basis, _at_least(variance, noise), rest)


def directions(shape: tuple[int, int], columns: int) -> int:
    """How many of the directions of dense rows (n, D) the metric knows, for passes of so many columns."""
    n, D = shape
    if D <= FULL_FEATURES:
        return min(n, D)
    if n <= min(ROWS, BASIS_NUMBERS // D):
        return n
    return min(n, max(FEWEST, SKETCHED * columns), max(1, D // SHARE), BASIS_NUMBERS // D)


def _sketched(rows: Rows, mean: Array, shares: np.ndarray, count: int) -> tuple[Array, Array] | None:
    """Variances (r,) and directions (D, r), r <= count, of G = XᵀX as Nyström's approximation has them, which is never
    above G: G Ω (Ωᵀ G Ω)⁻¹ Ωᵀ G, of random Ω (D, count), in one pass.

    None where nothing varies. Frangella, Tropp and Udell (2023), Randomized Nyström preconditioning, algorithm 2.1.
    """
    xp, D = namespace(mean), len(mean)
    drawn = np.random.default_rng(0).standard_normal((D, count), dtype=np.float32) / D**0.5
    omega = xp.asarray(drawn, dtype=mean.dtype, device=mean.device)
    (sketch,) = rows.reduce(_Sketch(omega, mean), mean, size=CHUNK_ROWS, weights=shares)
    sketch = xp.astype(sketch, mean.dtype, copy=False)
    # What rounding may have done to the sketch would make the inner matrix indefinite: G is seen with as much added.
    shift = float(xp.max(xp.abs(sketch))) * D**0.5 * float(xp.finfo(mean.dtype).eps)
    sketch += shift * omega
    inner = xp.zeros((count, count), dtype=mean.dtype, device=mean.device)
    add_product(inner, omega, sketch, 1.0)
    values, axes = principal_axes((inner + inner.T) / 2)
    held = values > max(0.0, float(values[-1]) * 1e-6)
    if not bool(xp.any(held)):
        return None
    half = xp.zeros((D, int(xp.count_nonzero(held))), dtype=mean.dtype, device=mean.device)
    product(sketch, xp.asarray(axes[:, held] / values[held] ** 0.5, copy=True), half)
    found = _axes_of(half)
    if found is None:
        return None
    variance, basis = found
    return _at_least(variance - shift, 0.0), basis


def _axes_of(half: Array) -> tuple[Array, Array] | None:
    """Variances (r,), ascending, and orthonormal directions (D, r) of half halfᵀ, of half (D, m), m < D."""
    xp = namespace(half)
    inner = xp.zeros((half.shape[1], half.shape[1]), dtype=half.dtype, device=half.device)
    add_gram(inner, half)
    variance, axes = principal_axes(inner)
    held = variance > max(0.0, float(variance[-1]) * 1e-6)
    if not bool(xp.any(held)):
        return None
    variance = variance[held]
    basis = xp.zeros((half.shape[0], len(variance)), dtype=half.dtype, device=half.device)
    product(half, xp.asarray(axes[:, held] / variance**0.5, copy=True), basis)
    return variance, basis


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
class _Sketch:
    """XᵀX times the columns of a matrix omega (D, r), of features about a mean (D,)."""

    omega: Array
    mean: Array

    def __call__(self, chunk: Chunk) -> tuple[Outer]:
        part = _centred(chunk, self.mean)
        return (Outer(part, product(part, self.omega, chunk.empty(self.omega.shape[1]))),)


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

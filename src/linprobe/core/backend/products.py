"""The products of a step of minibatch SGD."""

from linprobe.core.backend.protocol import Array, Precision
from linprobe.core.backend.registry import backend_on

__all__ = ["Products"]


class Products:
    """The two products of a step, on a device and in a precision; everything else of a step stays float32.

    In bfloat16 the factors of a product and its result are rounded, to 8 bits; its sums, the weights that the result is
    added to, and all else are float32. Raises IncompatibleError for bfloat16 on NumPy, which does not have it.
    """

    def __init__(self, device: str = "numpy", precision: Precision = "float32") -> None:
        self.device, self.precision, self.rounded = device, precision, precision == "bfloat16"
        self._product, self._add_product = backend_on(device).products(precision)

    def scores(self, batch: Array, V: Array, out: Array) -> None:
        """Batch (B, D) @ V (D, K·H) into out (B, K, H)."""
        self._product(batch, V, out.reshape(len(batch), -1))

    def accumulate(self, V: Array, batch: Array, slope: Array, sign: float) -> None:
        """V (D, K·H) += sign · batchᵀ (D, B) @ slope (B, K, H)."""
        self._add_product(V, batch, slope.reshape(len(batch), -1), sign)

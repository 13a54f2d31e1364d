"""Wrong loss functions as formulas: what each known fault, or a few of them together, makes of value and gradient."""

from linprobe.checker.models.family import Explanation, explain_gradient, explain_value

__all__ = ["Explanation", "explain_gradient", "explain_value"]

"""Wrong loss functions as formulas: what each known fault, or a few of them together, makes of value and gradient."""

from linprobe.learn.checker.models.family import Explanation, alike, explain_gradient, explain_value

__all__ = ["Explanation", "alike", "explain_gradient", "explain_value"]

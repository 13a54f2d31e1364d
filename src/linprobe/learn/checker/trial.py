"""One function tried on one case after the other: calls it in its own layout, reads its answers in ours."""

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any, Literal, TypedDict

import numpy as np

from linprobe.learn.checker.cases import Case
from linprobe.learn.checker.outcome import Caller, Outcome
from linprobe.learn.checker.truth import DOUBLE, SINGLE, Answer, answer, tolerances, value_with_added
from linprobe.learn.checker.verdict import Layout, Loss

__all__ = ["Given", "Part", "Trial", "WrongFigure", "evidence", "left_out", "plain"]

Part = Literal["loss", "gradient"]


class WrongFigure(TypedDict):
    """What shows a fault, as plain JSON: in which case, where, and both figures, those that are not finite as words."""

    case: str
    where: str
    expected: float | str
    found: float | str


@dataclass(frozen=True, eq=False)
class Given:
    """An answer of the function under test: value, gradient (D, C) float64, whatever its own layout."""

    case: Case
    value: float
    gradient: np.ndarray

    @property
    def finite(self) -> bool:
        """Whether every number is."""
        return bool(np.isfinite(self.value) and np.isfinite(self.gradient).all())


@dataclass
class Trial:
    """A function, how its arguments are laid out, and what it has done to them so far.

    dtype, of W and X; unit and unit_of_gradient, the unit roundoffs that value and gradient are held to; added, eps
    where it takes log(p + eps) or no p below it, and padded, where it divides by more than the sum of exp by that: said
    once and then allowed for; changed, which of W, X, y a call has changed, and in which case first; supplied, what its
    file lacks; missing, which of loss and gradient came back as None, or dW as one 0, in the first case: read as 0 from
    then on; unfinished, which of them have not been written and are not judged.
    """

    caller: Caller
    loss: Loss
    layout: Layout = "DC"
    library: str = "numpy"
    unit: float = DOUBLE
    unit_of_gradient: float = DOUBLE
    added: float = 0.0
    padded: float = 0.0
    dtype: type = np.float64
    changed: dict[str, Case] = field(default_factory=dict)
    supplied: dict[str, None] = field(default_factory=dict)
    missing: frozenset[Part] = frozenset()
    unfinished: frozenset[Part] = frozenset()

    def call(self, case: Case, *, dtype: type | None = None, count: bool = False) -> Outcome:
        """The outcome as it is."""
        W, X, y, reg = case.arguments(self.layout)
        dtype = dtype or self.dtype
        outcome = self.caller(W.astype(dtype), X.astype(dtype), y, reg, library=self.library, count=count)
        for name in outcome.changed:
            self.changed.setdefault(name, case)
        self.supplied.update(dict.fromkeys(outcome.supplied))
        return outcome

    def ask(self, case: Case) -> Given | None:
        """The answer; None where there is none of the right shape."""
        return self.read(case, self.call(case))

    def read(self, case: Case, outcome: Outcome) -> Given | None:
        """What an outcome says in our layout; None where it is not one number and an array shaped like W."""
        loss, gradient = outcome.loss, outcome.gradient
        if "loss" in self.missing & left_out(outcome):
            loss = np.zeros(())
        if "gradient" in self.missing & left_out(outcome):
            gradient = np.zeros(case.W.shape if self.layout == "DC" else case.W.T.shape)
        if loss is None or gradient is None or loss.size != 1 or np.iscomplexobj(loss) or np.iscomplexobj(gradient):
            return None
        gradient = gradient if self.layout == "DC" else gradient.T
        if gradient.shape != case.W.shape:
            return None
        return Given(case, float(loss.reshape(-1)[0]), gradient.astype(np.float64))

    def right(self, given: Given, factor: float | None = None) -> bool:
        """Whether value and gradient are right, with the penalty factor ΣW² (1 or ½); either where it is None."""
        factors = (1.0, 0.5) if factor is None else (factor,)
        return any(self.value_right(given, one) and self.gradient_right(given, one) for one in factors)

    def value_right(self, given: Given, factor: float = 1.0) -> bool:
        """Whether the value is right, up to rounding; one that is unfinished is not judged."""
        if "loss" in self.unfinished:
            return True
        value, _ = self.expected(given.case, factor)
        allowed, _ = tolerances(given.case, self.loss, self.unit)
        if self.added and self.loss == "softmax":
            added = value_with_added(given.case, self.added) - self.answer(given.case).value
            if abs(given.value - value - added) <= allowed + 1e-9 * abs(added):
                return True
        return bool(abs(given.value - value) <= allowed + 2 * self.added + 2 * self.padded)

    def gradient_right(self, given: Given, factor: float = 1.0) -> bool:
        """Whether the gradient is right, up to rounding; one that is unfinished is not judged."""
        if "gradient" in self.unfinished:
            return True
        _, gradient = self.expected(given.case, factor)
        _, allowed = tolerances(given.case, self.loss, self.unit_of_gradient)
        padded = 2 * self.padded * np.abs(given.case.X).mean(axis=0)[:, None]
        return bool((np.abs(given.gradient - gradient) <= allowed + padded).all())

    def expected(self, case: Case, factor: float = 1.0) -> tuple[float, np.ndarray]:
        """Value and gradient with a penalty of factor λΣW²."""
        return self.answer(case).with_penalty(factor * case.reg, 2 * factor * case.reg)

    def answer(self, case: Case) -> Answer:
        """The right answer without a penalty."""
        return answer(case, self.loss)

    @property
    def single(self) -> bool:
        """Whether it computes in single precision, or part of it."""
        return SINGLE in {self.unit, self.unit_of_gradient}

    def settle_precision(self, answers: Collection[Given]) -> None:
        """Hold a part to float32's rounding where it is not within float64's, and has the marks of float32."""
        if self.dtype == np.float32:
            self.unit = self.unit_of_gradient = SINGLE
            return
        if not all(map(self.gradient_right, answers)) and _are_all_single(answers):
            self.unit_of_gradient = SINGLE
        if not all(map(self.value_right, answers)):
            close = all(
                abs(one.value - self.answer(one.case).value) <= 8 * SINGLE * max(1.0, one.value) for one in answers
            )
            if _are_single([one.value for one in answers]) or (close and self.unit_of_gradient == SINGLE):
                self.unit = SINGLE

    def at_value(self, given: Given, factor: float = 1.0) -> WrongFigure:
        """The figures that show a wrong value."""
        expected, _ = self.expected(given.case, factor)
        return evidence(given.case, "loss", expected, given.value)

    def at_gradient(self, given: Given, factor: float = 1.0) -> WrongFigure:
        """The figures that show a wrong gradient, at the entry that is furthest from right."""
        _, expected = self.expected(given.case, factor)
        with np.errstate(all="ignore"):
            off = np.abs(given.gradient - expected) / tolerances(given.case, self.loss, self.unit_of_gradient)[1]
        off = np.where(np.isfinite(given.gradient), np.nan_to_num(off, posinf=1e300), np.inf)
        d, c = np.unravel_index(int(np.argmax(off)), off.shape)
        return evidence(given.case, self.entry(int(d), int(c)), expected[d, c], given.gradient[d, c])

    def entry(self, d: int, c: int) -> str:
        """An entry of dW as the function itself lays it out."""
        return f"dW[{d}, {c}]" if self.layout == "DC" else f"dW[{c}, {d}]"


def left_out(outcome: Outcome) -> frozenset[Part]:
    """Which part of a pair is None, or dW the number 0, where the other is something."""
    loss, gradient = outcome.loss, outcome.gradient
    if outcome.returned == "a pair whose first part is None":
        return frozenset({"loss"})
    number = loss is not None and loss.size == 1 and gradient is not None and gradient.ndim == 0 and not gradient.any()
    return frozenset({"gradient"} if number or outcome.returned == "a pair whose second part is None" else ())


def _are_all_single(answers: Collection[Given]) -> bool:
    """Whether every dW is made of float32 numbers; of one that is 0 nothing can be known."""
    return all(one.gradient.any() and _gradient_is_single(one) for one in answers)


def _gradient_is_single(given: Given) -> bool:
    """Whether dW is made of float32 numbers: its own, or those that X, where it is the identity, leaves as they are."""
    if _are_single(given.gradient):
        return True
    rows, features = given.case.X.shape
    return rows != features or _are_single(rows * given.gradient)


def _are_single(numbers: Any) -> bool:
    """Whether all are float32's up to float64's rounding, and not all such that any type has them, as integers are."""
    numbers = np.asarray(numbers)
    with np.errstate(over="ignore", invalid="ignore"):
        single, half = (
            bool((np.abs(numbers.astype(dtype).astype(np.float64) - numbers) <= 8 * DOUBLE * np.abs(numbers)).all())
            for dtype in (np.float32, np.float16)
        )
    return single and (not half or not numbers.any())


def evidence(case: Case, where: str, expected: Any, found: Any) -> WrongFigure:
    """The figures of a fault."""
    return {"case": str(case), "where": where, "expected": plain(expected), "found": plain(found)}


def plain(figure: Any) -> float | str:
    """A number with as many digits as matter, words as they are."""
    if isinstance(figure, str):
        return figure
    number = float(figure) + 0.0  # of -0.0 too
    return float(f"{number:.12g}") if np.isfinite(number) else str(number)

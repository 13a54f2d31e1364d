"""The arguments that a loss function is tried with, each chosen for what it tells apart.

Sizes are primes, all different, so that no constant of a wrong function can pass for another: N 23, D 13, C 7. With
the identity as X the scores are W itself, and dW is the gradient of the scores, row by row. Margins of the hinge stay
away from its kink at 0, where two slopes are right.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from linprobe.errors import UsageError
from linprobe.learn.checker.verdict import Layout

__all__ = ["CASES", "EXERCISE", "KINK", "LARGE", "LARGE_SCORES", "LARGE_SINGLE", "Case", "case"]

KINK = 1e-3  # no margin of any case is nearer to 0
LARGE = 1_000.0  # a score whose exp overflows in float64
LARGE_SINGLE = 150.0  # and in float32
EXERCISE = (500, 3073, 10)


@dataclass(frozen=True, eq=False)
class Case:
    """Arguments of a loss function: W (D, C), X (N, D) float64, y (N,) int64, reg. Equal to nothing but itself."""

    name: str
    W: np.ndarray
    X: np.ndarray
    y: np.ndarray
    reg: float = 0.0

    def __str__(self) -> str:
        """The name and the sizes."""
        (N, D), C = self.X.shape, self.W.shape[1]
        return f"{self.name}: N {N}, D {D}, C {C}, reg {self.reg:g}"

    def arguments(self, layout: Layout = "DC") -> tuple[np.ndarray, np.ndarray, np.ndarray, float]:
        """Copies, as f takes them."""
        W, X = (self.W, self.X) if layout == "DC" else (self.W.T, self.X.T)
        return W.copy(order="C"), X.copy(order="C"), self.y.copy(), self.reg


def case(name: str, layout: Layout = "DC") -> tuple[np.ndarray, np.ndarray, np.ndarray, float]:
    """W, X, y, reg of a case that evidence names, to see for yourself: loss, dW = f(*case("ordinary")).

    layout "DC": W (D, C), X (N, D); "CD": both transposed. Raises UsageError for a name that no case has.
    """
    if name not in CASES:
        raise UsageError(f"there is no case {name!r}; there are {', '.join(CASES)}")
    return CASES[name].arguments(layout)


def _large_scores(size: float) -> tuple[Case, ...]:
    """Scores of that size, of all signs: which ones a softmax survives tells what it subtracts from them."""
    rng = np.random.default_rng(11)
    rows, classes = 6, 5
    near = rng.uniform(-2, 2, (rows, classes))
    y = np.array([0, 1, 2, 3, 4, 1])
    true = np.arange(classes) == y[:, None]
    scores = {
        "positive": near + size,
        "negative": near - size,
        "rows apart": near + size * np.where(np.arange(rows) % 2, 1.0, -1.0)[:, None],
        "dominant": near + size * true,
        # The probability of the true class is small here, and then as small as a normal floating-point number can be.
        "spread": near - (60 if size == LARGE else 40) * true,
        "far spread": near - (695 if size == LARGE else 80) * true,
        "underflow": near - 0.9 * size * true,
    }
    suffix = "" if size == LARGE else ", float32"
    return tuple(Case(name + suffix, S, np.eye(rows), y) for name, S in scores.items())


def _ordinary() -> list[Case]:
    """Scores of the size of 1, and no penalty but in one of them."""
    rng = np.random.default_rng(2)
    ordinary = _draw(rng, "ordinary", 23, 13, 7, _labels(rng, 23, 7))
    identity = _away(lambda: Case("identity", rng.normal(size=(13, 7)), np.eye(13), _labels(rng, 13, 7)))
    in_order = _draw(rng, "labels in order", 29, 17, 5, np.r_[:5, rng.integers(0, 5, 24)])
    zero = Case("zero weights", np.zeros((5, 11)), rng.normal(size=(17, 5)), _labels(rng, 17, 11))
    return [
        ordinary,
        Case("penalised", ordinary.W, ordinary.X, ordinary.y, 0.37),
        Case("in order, penalised", in_order.W, in_order.X, in_order.y, 2.3),
        in_order,
        identity,
        zero,
    ]


def _some_arguments() -> list[Case]:
    """Batches that a lost axis or a count of the labels gets wrong."""
    rng = np.random.default_rng(3)
    return [
        _draw(rng, "every class", 19, 7, 5, _labels(rng, 19, 5), 0.11),
        _draw(rng, "square", 11, 4, 4, _labels(rng, 11, 4), 0.21),
        _draw(rng, "absent classes", 19, 7, 5, rng.choice([0, 2, 3], 19), 0.11),
        _draw(rng, "few examples", 3, 11, 5, np.array([4, 0, 4]), 0.23),
        _draw(rng, "one example", 1, 5, 3, np.array([1]), 0.31),
        _draw(rng, "one feature", 11, 1, 3, rng.integers(0, 3, 11), 0.17),
        _draw(rng, "two classes", 8, 3, 2, np.array([0, 1, 1, 0, 1, 0, 0, 1]), 0.41),
        _draw(rng, "other labels", 23, 13, 7, _labels(rng, 23, 7), 0.19),
        _draw(rng, "many examples", 151, 3, 10, _labels(rng, 151, 10), 0.29),
        _draw(rng, "strong penalty", 17, 5, 3, _labels(rng, 17, 3), 5e4),  # the strongest of the exercise's
    ]


def _sizes() -> list[Case]:
    """Two that differ in N alone, and the exercise's own size with a hundredth of it: W is small, X like pixels."""
    rng = np.random.default_rng(5)
    grown = [
        Case(name, rng.normal(size=(2, 3)), rng.normal(size=(N, 2)), np.arange(N) % 3)
        for name, N in (("short", 8), ("long", 40))
    ]
    N, D, C = EXERCISE
    pixels = rng.uniform(-128, 128, (N, D))
    pixels[:, -1] = 1
    y = np.r_[_labels(rng, N // 10, C), rng.integers(0, C, N - N // 10)]
    exercise = _away(lambda: Case("exercise", 1e-4 * rng.standard_normal((D, C)), pixels, y, 5e-6))
    tenth = slice(D - D // 10, D)
    return [*grown, Case("tenth", exercise.W[tenth], pixels[: N // 10, tenth], y[: N // 10], 5e-6), exercise]


def _labels(rng: np.random.Generator, N: int, C: int) -> np.ndarray:
    """N labels in which every class occurs."""
    return rng.permutation(np.r_[:C, rng.integers(0, C, N - C)])


def _draw(rng: np.random.Generator, name: str, N: int, D: int, C: int, y: np.ndarray, reg: float = 0.0) -> Case:
    spread = 1.5 / np.sqrt(D)
    return _away(lambda: Case(name, spread * rng.normal(size=(D, C)), rng.normal(size=(N, D)), y, reg))


def _away(draw: Callable[[], Case]) -> Case:
    """The first draw with every margin of the hinge away from the kink."""
    while True:
        drawn = draw()
        scores = drawn.X @ drawn.W
        rows = np.arange(len(drawn.y))
        margins = scores - scores[rows, drawn.y][:, None] + 1
        margins[rows, drawn.y] = 1
        if np.abs(margins).min() > KINK:
            return drawn


# Made once, with the module, and never by a cached function: of two threads that call one at the same time each gets
# cases of its own, and what is kept by case is not found again.
LARGE_SCORES: Mapping[float, tuple[Case, ...]] = {size: _large_scores(size) for size in (LARGE, LARGE_SINGLE)}
CASES: Mapping[str, Case] = {
    one.name: one for one in [*_ordinary(), *_some_arguments(), *LARGE_SCORES[LARGE], *_sizes()]
}

"""The settings to compare, trained as one stack, and the choice among them; the test split is not an argument here."""

from dataclasses import dataclass

import numpy as np

from linprobe.dataset import Examples
from linprobe.errors import DivergedError, UsageError
from linprobe.evaluate import score_stack
from linprobe.solvers.sgd import Heads, Progress, Solution, Training, train_stack

# Far more than anybody can read; a count with a zero too many is a slip, not a wish.
MOST_SETTINGS = 10_000


@dataclass(frozen=True, eq=False)
class Grid:
    """Every pair of a learning rate (L,) and a reg (R,); head number l * R + r has the l-th and the r-th."""

    learning_rates: np.ndarray
    regs: np.ndarray

    def __post_init__(self) -> None:
        for name, values in (("learning rate", self.learning_rates), ("reg", self.regs)):
            if not len(values):
                raise UsageError(f"the grid has no {name}; give at least one")
            wrong = values[~(np.isfinite(values) & (values >= 0))]
            if len(wrong):
                raise UsageError(
                    f"the grid has the {name} {wrong[0]:g}; it must be a finite number that is not negative"
                )
        if len(self) > MOST_SETTINGS:
            raise UsageError(
                f"the grid has {len(self.learning_rates):,} x {len(self.regs):,} settings, at most {MOST_SETTINGS:,} "
                "are possible; give fewer values"
            )

    @property
    def shape(self) -> tuple[int, int]:
        """(L, R)."""
        return len(self.learning_rates), len(self.regs)

    def __len__(self) -> int:
        return len(self.learning_rates) * len(self.regs)

    def heads(self, seed: int, batch_size: int = 200) -> Heads:
        """One head per pair, all starting at the same weights, so that they differ by their settings alone."""
        learning_rate, reg = np.meshgrid(self.learning_rates, self.regs, indexing="ij")
        return Heads.of(learning_rate.ravel(), reg.ravel(), seed=seed, batch_size=batch_size)


@dataclass(frozen=True, eq=False)
class SearchResult:
    """A trained grid: per head (H,) train_accuracy, val_accuracy, objective on train; NaN where a head diverged.

    best is the index of the chosen head; edges names the axes on whose lowest or highest value it lies.
    """

    grid: Grid
    solution: Solution
    train_accuracy: np.ndarray
    val_accuracy: np.ndarray
    objective: np.ndarray
    best: int
    edges: tuple[str, ...]

    @property
    def best_setting(self) -> dict[str, float]:
        """learning_rate and reg of the chosen head."""
        learning_rate, reg = divmod(self.best, len(self.grid.regs))
        return {"learning_rate": float(self.grid.learning_rates[learning_rate]), "reg": float(self.grid.regs[reg])}


def search(
    train: Examples,
    val: Examples,
    grid: Grid,
    *,
    classes: int,
    loss: str,
    iterations: int,
    batch_size: int,
    seed: int,
    progress: Progress | None = None,
) -> SearchResult:
    """Train the grid on train, keep the best on val; both hold rows (n, D) float32.

    Raises DivergedError when no head is left.
    """
    heads = grid.heads(seed, batch_size)
    training = Training(loss, iterations, seed=seed)
    solution = train_stack(train.X, train.y, heads, training, classes=classes, progress=progress)
    on_train = score_stack(train.X, train.y, solution.W, solution.b, loss)
    on_val = score_stack(val.X, val.y, solution.W, solution.b, loss)
    best = choose(on_val.accuracy)
    return SearchResult(
        grid=grid,
        solution=solution,
        train_accuracy=on_train.accuracy,
        val_accuracy=on_val.accuracy,
        objective=on_train.loss + penalty(solution, heads.reg),
        best=best,
        edges=edges_of(grid, best),
    )


def parse_axis(text: str, name: str) -> np.ndarray:
    """LO:HI:COUNT, LO:HI:COUNT:log or a list with commas -> the values (L,). Raises UsageError naming `name`."""
    parts = text.split(":")
    try:
        if len(parts) == 1:
            values = np.array([float(part) for part in text.split(",")])
        elif len(parts) == 3 or (len(parts) == 4 and parts[3] == "log"):
            low, high, count = float(parts[0]), float(parts[1]), int(parts[2])
            values = _spaced(low, high, count, log=len(parts) == 4)
        else:
            raise ValueError("neither a range nor a list")
    except ValueError as error:
        raise UsageError(
            f"{name} {' '.join(text.split())}: {error}; write LO:HI:COUNT, LO:HI:COUNT:log or a list such as 1e-7,3e-7"
        ) from error
    return values


def _spaced(low: float, high: float, count: int, *, log: bool) -> np.ndarray:
    if not 1 <= count <= MOST_SETTINGS:
        raise ValueError(f"{count} values asked for, 1 to {MOST_SETTINGS:,} possible")
    if not (np.isfinite(low) and np.isfinite(high) and 0 <= low <= high):
        raise ValueError("the bounds must be finite, not negative, and the lower one first")
    if log and low == 0:
        raise ValueError("a logarithmic range cannot start at 0")
    # NumPy's logarithm puts values between the bounds, to rounding only.
    return np.geomspace(low, high, count).clip(low, high) if log else np.linspace(low, high, count)


def penalty(solution: Solution, reg: np.ndarray) -> np.ndarray:
    """λ ΣW² of every head (H,), the bias included, in float64."""
    squares = np.einsum("dkh,dkh->h", solution.W, solution.W, dtype=np.float64)
    return reg * (squares + np.einsum("kh,kh->h", solution.b, solution.b, dtype=np.float64))


def choose(val_accuracy: np.ndarray) -> int:
    """The head with the highest validation accuracy, the first of equals, never one that diverged."""
    if np.isnan(val_accuracy).all():
        raise DivergedError(
            f"all {len(val_accuracy)} settings diverged: no weights are left to choose from; "
            "give smaller learning rates"
        )
    return int(np.nanargmax(val_accuracy))


def edges_of(grid: Grid, best: int) -> tuple[str, ...]:
    """The axes on which the best has the lowest or the highest of several values: beyond it may be better still."""
    learning_rate, reg = divmod(best, len(grid.regs))
    axes = (("learning_rate", grid.learning_rates, learning_rate), ("reg", grid.regs, reg))
    # By value and not by place: a list need not be in order.
    return tuple(
        name
        for name, values, place in axes
        if values.min() < values.max() and values[place] in (values.min(), values.max())
    )

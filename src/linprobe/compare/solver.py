"""What comparing asks of a solver: the memory of its stacks before any work, and the stacks as they are trained."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from linprobe.compare.screening import Basis
from linprobe.compare.settings import Axis
from linprobe.core.backend import Array, Products
from linprobe.core.sgd.plan import Plan
from linprobe.data.weights import Weights

__all__ = ["Judged", "Monitor", "Progress", "Resources", "Solver", "Task", "Trained"]

Progress = Callable[[int, int, np.ndarray], None]  # done, in all, the objectives (h,) of a stack where they are known


@dataclass(frozen=True)
class Resources:
    """What may be used: device and precision of the products, memory in bytes (None: no bound), those held."""

    products: Products = field(default_factory=Products)
    memory: int | None = None
    held: int = 0

    @property
    def left(self) -> int | None:
        """The bytes that are not held yet, or None for no bound."""
        return None if self.memory is None else max(0, self.memory - self.held)


@dataclass(frozen=True, eq=False, kw_only=True)
class Task:
    """What is trained: head g · F + f is setting g on split f of F.

    X (n, D) and y (n,), int in [0, classes), where the solver wants them; weights of the heads, None where every
    example counts 1; settings: the values (H,) of each by name; axes: those that they were taken from; splits: F;
    rows: how many there are with those that are only judged on.
    """

    X: Array
    y: Array
    classes: int
    weights: Weights | None
    settings: Mapping[str, np.ndarray]
    axes: Mapping[str, Axis]
    splits: int
    rows: int

    @property
    def heads(self) -> int:
        """The number of heads, H."""
        return len(self.settings["reg"])


@dataclass(frozen=True, eq=False, kw_only=True)
class Trained:
    """Some of the heads, trained: members (h,), their numbers.

    W (D, K, h) and b (K, h) on the solver's device, NaN for heads that diverged; stopped (h,), why each ended; done,
    how much of the whole work is, with them. objective (h,) on what each was trained on, or else the penalty λ ΣW²,
    which with the mean training loss makes it up. gap, iterations and failed, as in `Fits`; objectives (R, h) of the
    curves at the iterations steps (R,).
    """

    members: np.ndarray
    W: Array
    b: Array
    stopped: np.ndarray
    done: int
    objective: np.ndarray | None = None
    penalty: np.ndarray | None = None
    gap: np.ndarray | None = None
    iterations: np.ndarray | None = None
    failed: np.ndarray | None = None
    steps: np.ndarray = field(default_factory=lambda: np.empty(0, np.int64))
    objectives: np.ndarray | None = None


@dataclass(frozen=True, eq=False, kw_only=True)
class Judged:
    """How good heads (h,) are on what their splits held out, and on what they were trained on: NaN where they diverged.

    score, the higher the better; loss, the mean of what is minimised. Both on the training rows only where asked for.
    accuracy, where it is not the score.
    """

    score: np.ndarray
    accuracy: np.ndarray | None = None
    loss: np.ndarray | None = None
    train_score: np.ndarray | None = None
    train_loss: np.ndarray | None = None


class Monitor(Protocol):
    """What a solver tells of its work between two steps, and what it is told."""

    @property
    def finished(self) -> int:
        """How many stacks were trained before, in work that was interrupted."""
        ...

    def begun(self) -> Any:
        """What `keep` was given of the stack that was interrupted, None where none was; handed over once."""
        ...

    def advance(self, done: int, objective: np.ndarray) -> None:
        """So much of the work is done."""
        ...

    @property
    def on_share(self) -> Callable[[float], None] | None:
        """Who is told about what share of the passes is made, where their number cannot be known; None for nobody."""
        ...

    def keep(self, state: Callable[[], Mapping[str, object]], done: int) -> None:
        """What a stack can go on from, if it is time to keep it; an interruption comes here."""
        ...

    def judge(self, W: Array, b: Array, members: np.ndarray) -> np.ndarray:
        """The accuracies (h,) of heads as they are now on what their splits hold out."""
        ...

    def score(self, trained: Trained) -> np.ndarray:
        """The scores (h,) that heads would have if they were done, by whatever they are compared by."""
        ...


class Solver(Protocol):
    """Finds the weights of heads; what it does so with are its typed options.

    unit: what its work is counted in; seed: of the settings that are drawn; loss: what is minimised.
    """

    unit: str

    @property
    def seed(self) -> int: ...  # noqa: D102

    @property
    def loss(self) -> str: ...  # noqa: D102

    def refuse(self, axes: Mapping[str, Axis]) -> None:
        """Raise IncompatibleError for settings that this solver has no use for."""
        ...

    def place(self, rows: Array, resources: Resources) -> Array:
        """Rows or labels where the heads are trained and judged."""
        ...

    def work(self, task: Task, plan: Plan) -> int:
        """How much there is to do in all, in its unit."""
        ...

    def plan(self, task: Task, resources: Resources, width: int | None) -> Plan:
        """The stacks and their memory; those of this width, where an interrupted plan is to be gone on with.

        Raises IncompatibleError where the memory is too small.
        """
        ...

    def train(self, task: Task, plan: Plan, resources: Resources, watch: Monitor) -> Iterator[Trained]:
        """The stacks as they are trained, without those that are finished; none is held when the next is asked for."""
        ...

    def within(self, basis: Basis, X: Array) -> "Solver":
        """The same for rows X (n, D) in a basis of their features, where heads start from what they would in X."""
        ...

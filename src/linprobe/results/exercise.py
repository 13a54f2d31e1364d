"""What only a worksheet finds: a type for each of its tables in run.json."""

from dataclasses import dataclass

from linprobe.results.tables import Count, FieldError, Many, Number, Positive, Share, Shown

__all__ = [
    "CheckedCoordinate",
    "FirstLoss",
    "FirstLossAnswer",
    "GradientChecks",
    "LowestObjective",
    "Questions",
    "SgdObjective",
    "Skipped",
    "SvmUnchanged",
    "Vectorized",
]

CHECKED_REGS = (0.0, 50.0)  # at which the worksheet checks its gradient
TOLERANCE = 1e-6  # of the optimum, in runs that do not tell it


@dataclass(frozen=True, kw_only=True)
class FirstLoss:
    """The worksheet's first loss by loops, and what is expected of it."""

    naive: Number
    expected: Number


@dataclass(frozen=True, kw_only=True)
class CheckedCoordinate:
    """The gradient at one coordinate, by the code and by differences."""

    reg: Number
    coordinate: tuple[Count, ...]
    numerical: Number
    analytic: Number
    relative_error: Number


@dataclass(frozen=True, kw_only=True)
class GradientChecks:
    """The gradient checks, at each of the worksheet's values of reg."""

    max_relative_error: Number
    checks: Many[CheckedCoordinate]

    def check(self, place: str) -> None:
        """Raise FieldError where a value of reg has none."""
        if not {one.reg for one in self.checks}.issuperset(CHECKED_REGS):
            raise FieldError(f"{place}.checks: are not of all values of reg")


@dataclass(frozen=True, kw_only=True)
class Vectorized:
    """The loss by loops (naive) and in matrix form: times, values, and how much they and their gradients differ."""

    naive_seconds: Number
    seconds: Positive
    naive: Number
    loss: Number
    loss_difference: Number
    gradient_difference: Number


@dataclass(frozen=True, kw_only=True)
class FirstLossAnswer:
    """Why the first loss is near log K, and the probabilities that show it."""

    mean_probability_per_class: tuple[Share, ...]
    probability_5_to_95_percent: tuple[Share, Share]
    mean_probability_of_true_class: Share
    loss: Number
    answer: Shown


@dataclass(frozen=True, kw_only=True)
class SvmUnchanged:
    """Whether an image can leave the SVM loss as it is, but not the softmax loss, and one that does, if found."""

    holds: bool
    found: bool
    dev_row: Count | None = None
    class_: str | None = None
    weights_scaled_by: Number | None = None
    hinge_loss: Number | None = None
    softmax_loss: Number | None = None
    answer: Shown


@dataclass(frozen=True, kw_only=True)
class Questions:
    """The worksheet's two questions, answered."""

    first_loss: FirstLossAnswer
    svm_unchanged: SvmUnchanged


@dataclass(frozen=True, kw_only=True)
class Skipped:
    """Why the worksheet has not looked for the optimum."""

    skipped: Shown


@dataclass(frozen=True, kw_only=True)
class SgdObjective:
    """SGD's own objective beside the optimum, and by how much it may exceed the lowest possible one."""

    objective: Number
    excess: Number
    relative_excess: Number
    train_accuracy: Share
    val_accuracy: Share


@dataclass(frozen=True, kw_only=True)
class LowestObjective:
    """The lowest objective at the chosen reg, and how near to it SGD came."""

    loss: str
    schedule: str = "constant"
    tol: Number = TOLERANCE
    reg: Number
    objective: Number
    gap: Number
    relative_gap: Number
    iterations: Count
    status: str
    memory_plan_bytes: Count
    seconds: Number
    train_accuracy: Share
    val_accuracy: Share
    sgd: SgdObjective

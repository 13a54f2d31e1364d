"""Where a model comes from: how it was trained, on what, and what was proven of it then."""

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from linprobe.data.splits import TrainedOn
from linprobe.errors import DataError

__all__ = ["Proven", "Provenance"]


@dataclass(frozen=True, kw_only=True)
class Provenance:
    """How a model was trained, and on what; None where nothing is said of it.

    solver, loss, reg; tol and precision of the exact solver; class_weight, "balanced" where classes counted the same;
    learning_rate and all down to intercept of SGD; folds of the cross-validation; features: what was done to them;
    seed; temperature, by which scores are divided for calibrated probabilities, which the model itself does not. data:
    the source's name; fingerprint: of its content; asked: the options that the source was read by; rows: which of them;
    absent: classes of which none was an example; version: of linprobe. more: what else a file says, JSON-ready, of
    which linprobe makes no use. Raises DataError for what no training leaves.
    """

    solver: str | None = None
    loss: str | None = None
    tol: float | None = None
    precision: str | None = None
    class_weight: str | None = None
    iterations: int | None = None
    epochs: float | None = None
    schedule: str | None = None
    warmup: int | None = None
    nesterov: bool | None = None
    average: float | None = None
    patience: int | None = None
    seed: int | None = None
    intercept: str | None = None
    folds: int | None = None
    learning_rate: float | None = None
    reg: float | None = None
    momentum: float | None = None
    batch_size: float | None = None
    features: str | None = None
    temperature: float | None = None
    data: str | None = None
    fingerprint: str | None = None
    asked: Mapping[str, str] = field(default_factory=dict)
    rows: TrainedOn | None = None
    absent: tuple[str, ...] = ()
    version: str | None = None
    more: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for one in fields(self):
            value = getattr(self, one.name)
            if value is not None and one.type in _CHECKS:
                is_fit, expected = _CHECKS[one.type]
                if not is_fit(value):
                    raise DataError(f"{one.name} is not {expected}")

    @property
    def weighted(self) -> bool:
        """Whether examples did not all count the same in training."""
        return self.class_weight is not None or "weights" in self.asked

    @classmethod
    def read(cls, told: Mapping[str, Any]) -> "Provenance":
        """What `tell` gave, from a file that may hold anything. Raises DataError for what no training leaves."""
        known = {one.name for one in fields(cls)} - {"more"}
        said = {name: value for name, value in told.items() if name in known and value is not None}
        if "rows" in said:
            said["rows"] = TrainedOn.read(said["rows"])
        if isinstance(said.get("absent"), list):
            said["absent"] = tuple(said["absent"])
        return cls(**said, more={name: value for name, value in told.items() if name not in known})

    def tell(self) -> Mapping[str, Any]:
        """All that is said, JSON-ready."""
        told = {one.name: getattr(self, one.name) for one in fields(self) if one.name not in ("more", "rows", "absent")}
        told |= {"rows": self.rows and self.rows.tell(), "absent": list(self.absent) or None}
        told["asked"] = dict(self.asked) or None
        return {name: value for name, value in told.items() if value is not None} | dict(self.more)


@dataclass(frozen=True)
class Proven:
    """What was proven of a model when it was trained: no weights have an objective below objective - gap."""

    objective: float
    gap: float

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not _is_number(value):
                raise DataError(f"{name} is not a number of 0 or more")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= sys.float_info.max


def _is_whole(value: Any) -> bool:
    return type(value) is int and 0 <= value < 2**63


_CHECKS: dict[Any, tuple[Callable[[Any], bool], str]] = {
    str | None: (lambda value: isinstance(value, str), "a text"),
    float | None: (_is_number, "a number of 0 or more"),
    int | None: (_is_whole, "a whole number of 0 or more"),
    bool | None: (lambda value: isinstance(value, bool), "true or false"),
    TrainedOn | None: (lambda value: isinstance(value, TrainedOn), "what tells rows of a data set"),
    Mapping[str, str]: (
        lambda value: isinstance(value, Mapping) and all(isinstance(each, str) for each in (*value, *value.values())),
        "a table of texts",
    ),
    tuple[str, ...]: (
        lambda value: isinstance(value, tuple) and all(isinstance(name, str) for name in value),
        "a list of names",
    ),
}

"""What a stack starts from, what is known of its heads between two steps, and the form in which that is kept."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, NotRequired, TypedDict

import numpy as np

from linprobe.core.backend import Array, to_numpy
from linprobe.core.sgd.batches import Place
from linprobe.core.sgd.columns import part
from linprobe.core.sgd.settings import Heads

__all__ = ["HeadStatus", "PackedPlace", "PackedRun", "Parameters", "Start", "State", "on_host"]


@dataclass(frozen=True, eq=False)
class Start:
    """Weights to start from: W (D, K, H), copied, and b (K, H), zero unless given."""

    W: np.ndarray
    b: np.ndarray | None = None


@dataclass(frozen=True, eq=False, kw_only=True)
class Parameters:
    """What a step changes, in the same memory from the first step to the last.

    V (D, C·H) and b (K, H); M and M_bias, their momenta; mean and mean_bias, their running means. M is None where no
    head has momentum, mean where nothing is averaged. Where classes are one column less, common (D, H) is what they had
    in common at the start, and mean_share (H,) the running mean of what is left of it; else None.
    """

    V: Array
    b: Array
    M: Array | None
    M_bias: Array
    mean: Array | None
    mean_bias: Array
    common: Array | None = None
    mean_share: Array | None = None

    def map(self, function: Callable[[Array], Array]) -> "Parameters":
        """The function's result for each of the arrays that there are."""
        return Parameters(**{name: None if array is None else function(array) for name, array in vars(self).items()})


@dataclass(frozen=True, eq=False, kw_only=True)
class HeadStatus:
    """How each head goes on: NumPy arrays (H,) that nobody writes to.

    learning_rate and reg are 0 for a head that has stopped; scale is that of V; where classes are one column less,
    share is what is left of what they had in common, and drift its momentum, in shares too, else None. stopped is
    "max_iter" while it is in training, else why it ended. limit is the objective above which it has diverged, None
    before the first one is known. best is its highest validation accuracy so far, since the number of validations
    after that.
    """

    learning_rate: np.ndarray
    reg: np.ndarray
    scale: np.ndarray
    stopped: np.ndarray
    limit: np.ndarray | None
    best: np.ndarray
    since: np.ndarray
    share: np.ndarray | None = None
    drift: np.ndarray | None = None

    @classmethod
    def of(cls, heads: Heads, *, parted: bool = False) -> "HeadStatus":
        """That of heads before their first step; parted, where classes are one column less."""
        return cls(
            learning_rate=heads.learning_rate.copy(),
            reg=heads.reg.copy(),
            scale=np.ones(len(heads)),
            stopped=np.full(len(heads), "max_iter", dtype="<U12"),
            limit=None,
            best=np.full(len(heads), -1.0),
            since=np.zeros(len(heads), np.int64),
            share=np.ones(len(heads)) if parted else None,
            drift=np.zeros(len(heads)) if parted else None,
        )

    @property
    def alive(self) -> np.ndarray:
        """Which heads (H,) are still in training."""
        return self.stopped == "max_iter"

    def stop(self, which: np.ndarray, reason: str) -> "HeadStatus":
        """The same with these heads (H,) left out from here."""
        return replace(
            self,
            learning_rate=np.where(which, 0.0, self.learning_rate),
            reg=np.where(which, 0.0, self.reg),
            scale=np.where(which, 1.0, self.scale),
            stopped=np.where(which, np.array(reason, self.stopped.dtype), self.stopped),
        )

    def better(self, accuracy: np.ndarray) -> np.ndarray:
        """Which heads (H,) have never been so good on validation."""
        return self.alive & (accuracy > self.best)

    def judge(self, accuracy: np.ndarray) -> "HeadStatus":
        """The same after a validation."""
        better = self.better(accuracy)
        return replace(self, best=np.where(better, accuracy, self.best), since=np.where(better, 0, self.since + 1))


class PackedPlace(TypedDict):
    """A `Place` as a checkpoint takes it."""

    generator: Mapping[str, Any]
    ahead: np.ndarray
    blocks: NotRequired[np.ndarray]


class PackedRun(TypedDict):
    """A `State` as a checkpoint takes it, whose names are older than those of the state.

    batches: its place; stack: all arrays of the parameters and of where the heads stand, but for best and since.
    """

    step: int
    batches: PackedPlace
    stack: dict[str, np.ndarray]
    recorded: np.ndarray
    objectives: np.ndarray
    kept: dict[str, np.ndarray]
    best: np.ndarray
    since: np.ndarray
    owed: NotRequired[bool]


@dataclass(frozen=True, eq=False, kw_only=True)
class State:
    """A run between two steps, in NumPy arrays and plain numbers: what is started from it ends in the same bits.

    step: how many have been taken. owed: a validation is due. recorded and objectives: the loss curve (R,) and (R, H).
    kept: each head's best W (D, K, H) and b (K, H) on validation, None before the first. A run that is started from it
    goes on in its arrays; to keep them, start from `copy()`.
    """

    step: int
    owed: bool
    place: Place
    parameters: Parameters
    standing: HeadStatus
    recorded: np.ndarray
    objectives: np.ndarray
    kept: Start | None

    def copy(self) -> "State":
        """The same with arrays of its own."""
        kept = self.kept and Start(*(np.array(array) for array in vars(self.kept).values()))
        return replace(self, parameters=self.parameters.map(np.array), kept=kept)

    def parted(self, classes: int) -> "State":
        """The same of a stack in which all classes were columns, as earlier ones were, for one that has one less."""
        now, standing = self.parameters, self.standing
        heads = len(standing.scale)

        def parts(array: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            return part(array.reshape(len(array), classes, heads))

        def flat(array: np.ndarray | None) -> np.ndarray | None:
            return None if array is None else np.ascontiguousarray(parts(array)[0]).reshape(len(array), -1)

        _, common = parts(now.V)
        squares = np.maximum((common**2).sum(axis=0, dtype=np.float64), np.finfo(np.float64).tiny)

        def share(array: np.ndarray | None) -> np.ndarray:
            """How much of what is common now an array has, all of which are multiples of it."""
            return (
                np.zeros(heads) if array is None else (parts(array)[1] * common).sum(axis=0, dtype=np.float64) / squares
            )

        return replace(
            self,
            parameters=replace(
                now,
                V=flat(now.V),
                M=flat(now.M),
                mean=flat(now.mean),
                common=common,
                mean_share=None if now.mean is None else share(now.mean).astype(common.dtype),
            ),
            standing=replace(standing, share=standing.scale.copy(), drift=share(now.M)),
        )

    def pack(self) -> PackedRun:
        """The same as a checkpoint takes it; no array is copied."""
        heads = dict(vars(self.standing))
        best, since = heads.pop("best"), heads.pop("since")
        arrays = {**vars(self.parameters), **heads}
        place: PackedPlace = {"generator": self.place.generator, "ahead": self.place.ahead}
        if len(self.place.blocks):
            place["blocks"] = self.place.blocks
        return {
            "step": self.step,
            "batches": place,
            "stack": {name: array for name, array in arrays.items() if array is not None},
            "recorded": self.recorded,
            "objectives": self.objectives,
            "kept": {} if self.kept is None else dict(vars(self.kept)),
            "best": best,
            "since": since,
            "owed": self.owed,
        }

    @classmethod
    def unpack(cls, packed: PackedRun) -> "State":
        """The state that was packed; no array is copied."""
        stack = packed["stack"]
        return cls(
            step=packed["step"],
            owed=packed.get("owed", False),  # earlier ones were kept after a validation only
            place=Place(**packed["batches"]),
            parameters=Parameters(
                V=stack["V"],
                b=stack["b"],
                M=stack.get("M"),
                M_bias=stack["M_bias"],
                mean=stack.get("mean"),
                mean_bias=stack["mean_bias"],
                common=stack.get("common"),
                mean_share=stack.get("mean_share"),
            ),
            standing=HeadStatus(
                learning_rate=stack["learning_rate"],
                reg=stack["reg"],
                scale=stack["scale"],
                stopped=stack["stopped"],
                limit=stack.get("limit"),
                best=packed["best"],
                since=packed["since"],
                share=stack.get("share"),
                drift=stack.get("drift"),
            ),
            recorded=packed["recorded"],
            objectives=packed["objectives"],
            kept=Start(**packed["kept"]) if packed["kept"] else None,
        )


def on_host(array: Array, *, copy: bool) -> np.ndarray:
    """The array as one of NumPy's: a copy, or what is true until the next step."""
    return np.array(to_numpy(array), copy=copy or None)

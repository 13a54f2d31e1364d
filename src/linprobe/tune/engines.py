"""The two ways to compare settings and to refit the chosen one; neither is given the test split."""

from collections.abc import Callable
from dataclasses import asdict, replace
from typing import Any

import numpy as np

from linprobe.compare.checkpoint import Checkpoint
from linprobe.compare.comparison import Comparison
from linprobe.compare.defaults import default_rates, default_regs
from linprobe.compare.path import cross_validate, follow_path, make_folds
from linprobe.compare.search import Resources, penalty, search
from linprobe.compare.settings import Grid
from linprobe.core.backend import to_numpy
from linprobe.core.certificate import certify, certify_bytes
from linprobe.core.exact.problem import groups, newton_room, solve_bytes
from linprobe.core.exact.solver import solve
from linprobe.core.measure import score_stack
from linprobe.core.sgd.plan import Plan
from linprobe.core.sgd.settings import Data, Heads, Training
from linprobe.core.sgd.training import StackRun
from linprobe.data.dataset import Examples
from linprobe.errors import DivergedError, IncompatibleError
from linprobe.tune.options import TOLERANCE, Options, values_of

PRODUCTS = {"auto": "auto", "float32": "single", "float64": "double"}  # as `solve` calls them
BYTES = {"auto": (4, 8), "float32": (4,), "float64": (8,)}  # of the numbers in them


def kept(pool: Examples, classes: int, options: Options, resources: Resources) -> Examples:
    """The pool's Rows read once and kept, where they and the work fit into the memory; else as they are.

    SGD draws its batches from all of them, and a device reads from its own memory, so there they are always kept.
    """
    shape, size = pool.X.shape, pool.X.dtype.itemsize
    if options.solver == "exact" and resources.products.device == "numpy" and resources.memory is not None:
        rooms = (sum(solve_bytes(shape, classes, 1, each)) for each in BYTES[options.precision])
        if resources.held + size * shape[0] * shape[1] + max(rooms) > resources.memory:
            return pool
    return Examples(pool.X.kept(), pool.y)


class Exact:
    """Engine 2: the proven optimum for each value of reg.

    pool: prepared rows, of which the first `train` are to learn from and the others to choose by, unless in folds.
    """

    def __init__(
        self,
        pool: Examples,
        train: int,
        classes: tuple[str, ...],
        options: Options,
        resources: Resources,
        on_plan: Callable[[Plan], None] | None,
        progress: Callable[[int, int], None] | None,
        checkpoint: Callable[[dict[str, Any]], Checkpoint | None],
    ) -> None:
        del checkpoint  # which is about stacks of SGD
        self.pool, self.train, self.classes, self.options = pool, train, classes, options
        self.on_plan, self.resources = on_plan, resources
        self.told = {"tol": options.tol or TOLERANCE, "precision": options.precision}
        memory = resources.memory
        if memory is not None and memory < resources.held:
            raise IncompatibleError(
                f"--memory: the data alone takes {resources.held / 2**20:,.0f} MiB, and {memory / 2**20:,.0f} MiB are "
                "allowed; allow more, or train on fewer examples with --train-size"
            )
        self.problem = {
            "loss": options.loss,
            "classes": len(classes),
            "tol": self.told["tol"],
            "precision": PRODUCTS[options.precision],
            "device": resources.products.device,
            "memory": None if memory is None else memory - resources.held,
            "progress": progress,
        }

    def compare(self) -> Comparison:
        """The path."""
        pool, folds = self.pool, self.options.folds
        learn = pool.take(slice(self.train)) if folds is None else pool
        asked = values_of(self.options.regs)
        regs = default_regs(learn.X) if asked is None else asked
        # Before the plan is told: more folds than can be parted are refused.
        parts = None if folds is None else make_folds(pool.y, folds, self.options.seed, self.classes)
        plan = self._plan(len(regs) * (folds or 1))
        if self.on_plan is not None:
            self.on_plan(plan)
        if parts is None:
            found = follow_path(learn, pool.take(slice(self.train, None)), regs, self.problem)
        else:
            found = cross_validate(pool, regs, parts, self.problem)
        return replace(found, plan=plan)

    def _plan(self, heads: int) -> Plan:
        """The stacks of so many heads, and the memory of all that follows; IncompatibleError where it is short."""
        shape, K, (held, memory) = self.pool.X.shape, len(self.classes), (self.resources.held, self.resources.memory)
        sizes = BYTES[self.options.precision]
        rooms = [solve_bytes(shape, K, heads, size, self.problem["device"]) for size in sizes]
        stacks = tuple(np.array_split(np.arange(heads), groups(heads, rooms[0], self.problem["memory"])))
        after = certify_bytes(shape, K) + 3 * 8 * K**2  # the proof, and the confusions
        if memory is not None and held + after > memory:
            raise IncompatibleError(
                f"the proof of {K:,} classes needs {(held + after) / 2**20:,.0f} MiB, {held / 2**20:,.0f} MiB of it "
                f"in use already, and {memory / 2**20:,.0f} MiB are allowed; allow more with --memory"
            )
        widest = len(stacks[0])
        most = max(fixed + widest * each for fixed, each in rooms) + newton_room(shape, K)
        results = 3 * 8 * shape[1] * K * heads if len(stacks) > 1 else 0
        needed = held + max(after, most + results)
        size = needed if memory is None else min(needed, memory)
        return Plan(stacks=stacks, bytes=size, held=held, width=widest)

    def refit(self, best: dict[str, float]) -> tuple[np.ndarray, np.ndarray, dict[str, Any]]:
        """Weights (D, K) and bias (K,) of the chosen reg on the whole pool, and their certificate."""
        X, y, reg = self.pool.X, self.pool.y, np.array([best["reg"]])
        found = solve(X, y, reg, **self.problem)
        told = {
            "iterations": int(found.iterations[0]),
            "status": "failed" if found.failed[0] else str(found.stopped[0]),
        }
        try:
            proof = certify(X, y, found.W, found.b, reg, self.options.loss)
            objective, gap = float(proof.objective[0]), float(proof.gap[0])
            told = {"objective": objective, "gap": gap, "relative_gap": gap / objective, **told}
        except IncompatibleError:  # a head that stopped short may have a bias of which nothing follows
            told = {"objective": float(found.objective[0]), "gap": None, "relative_gap": None, **told}
        return found.W[:, :, 0], found.b[:, 0], told


class Descent:
    """Engine 1: minibatch SGD for each learning rate and reg, falling to 0 on a cosine."""

    def __init__(
        self,
        pool: Examples,
        train: int,
        classes: tuple[str, ...],
        options: Options,
        resources: Resources,
        on_plan: Callable[[Plan], None] | None,
        progress: Callable[..., None] | None,
        checkpoint: Callable[[dict[str, Any]], Checkpoint | None],
    ) -> None:
        self.pool, self.train, self.classes, self.options = pool, train, len(classes), options
        self.resources, self.on_plan, self.progress, self.checkpoint = resources, on_plan, progress, checkpoint
        self.training = Training(options.loss, schedule="cosine", seed=options.seed)
        self.told = {name: getattr(self.training, name) for name in ("iterations", "schedule")}

    def compare(self) -> Comparison:
        """The search."""
        learn, choose_by = self.pool.take(slice(self.train)), self.pool.take(slice(self.train, None))
        rates, regs = values_of(self.options.learning_rates), values_of(self.options.regs)
        rates = default_rates(learn.X) if rates is None else rates
        regs = default_regs(learn.X) if regs is None else regs
        return search(
            learn,
            choose_by,
            Grid(rates, regs),
            self.training,
            classes=self.classes,
            resources=self.resources,
            on_plan=self.on_plan,
            progress=self.progress,
            checkpoint=self.checkpoint(self._identity(rates, regs)),
        )

    def _identity(self, rates: np.ndarray, regs: np.ndarray) -> dict[str, Any]:
        """What of the settings and the device must be the same for interrupted training to go on."""
        where = {name: getattr(self.resources.products, name) for name in ("device", "precision")}
        return {**asdict(self.training), "learning_rate": rates.tolist(), "reg": regs.tolist(), **where}

    def refit(self, best: dict[str, float]) -> tuple[np.ndarray, np.ndarray, dict[str, Any]]:
        """Weights (D, K) and bias (K,) of the chosen setting on the whole pool, and their objective."""
        X, y, heads = self.pool.X, self.pool.y, Heads.of(**best, seed=self.options.seed)
        found = StackRun(Data(X, y, self.classes), heads, self.training, products=self.resources.products).finish()
        if found.stopped[0] == "diverged":
            raise DivergedError(
                f"the best setting (learning rate {best['learning_rate']:.3g}) diverged on train + validation; give "
                "smaller learning rates"
            )
        loss = score_stack(X, y, found.W, found.b, self.options.loss).loss
        objective = loss + penalty(found.W, found.b, heads.reg)
        W, b = to_numpy(found.W)[:, :, 0], to_numpy(found.b)[:, 0]
        return W, b, {"objective": float(objective[0]), "status": str(found.stopped[0])}

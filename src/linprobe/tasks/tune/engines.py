"""What tuning compares, with which solver, and how the chosen setting is refitted; neither is given the test split."""

from dataclasses import asdict, dataclass, replace

import numpy as np

from linprobe.compare.checkpoint import MakeCheckpoint
from linprobe.compare.compare import Control, compare
from linprobe.compare.comparison import Comparison
from linprobe.compare.defaults import RATES, REGS, default_rates, default_regs
from linprobe.compare.descent import Descent, data_of, penalty
from linprobe.compare.exact import BYTES, Exact
from linprobe.compare.held_out import HeldOut, make_folds, some_of
from linprobe.compare.settings import Grid, Path
from linprobe.compare.solver import Judged, Resources, Trained
from linprobe.core.backend import to_numpy
from linprobe.core.certificate import certify, certify_bytes
from linprobe.core.exact.problem import solve_bytes
from linprobe.core.exact.solver import Precision, solve
from linprobe.core.losses import LOSSES
from linprobe.core.measure import CHUNK_ROWS, score_rows, score_stack
from linprobe.core.metrics import find_metric, fit_temperature
from linprobe.core.sgd.plan import Plan, Work, results_bytes, stack_bytes
from linprobe.core.sgd.settings import Heads, Training
from linprobe.core.sgd.training import StackRun
from linprobe.data.dataset import Examples
from linprobe.data.rows import StoredRows
from linprobe.data.weights import Weights, in_training
from linprobe.errors import DivergedError, IncompatibleError
from linprobe.model.evidence import look_bytes
from linprobe.tasks.tune.options import TOLERANCE, Options, values_of

__all__ = ["Refitted", "SolverSaid", "Tuning", "kept"]

PRODUCTS: dict[str, Precision] = {"auto": "auto", "float32": "single", "float64": "double"}  # as `solve` calls them


def kept(pool: Examples, classes: int, options: Options, resources: Resources) -> Examples:
    """The pool's Rows read once and kept, where they and the work fit into the memory; else as they are.

    Those on a cluster are kept there. A device reads from its own memory, so there they are always kept.
    """
    if pool.X.elsewhere:
        return replace(pool, X=pool.X.kept())
    shape, size, device = pool.X.shape, pool.X.dtype.itemsize, resources.products.device
    streams = device == "numpy" if options.solver == "exact" else device != "cuda"
    if streams and resources.memory is not None:
        if options.solver == "exact":
            room = max(sum(solve_bytes(shape, classes, 1, each)) for each in BYTES[PRODUCTS[options.precision]])
        else:
            room = _sgd_bytes(shape, size, classes, options, rounded=resources.products.rounded)
        if resources.held + size * shape[0] * shape[1] + room > resources.memory:
            return pool
    return replace(pool, X=pool.X.kept())


def _sgd_bytes(shape: tuple[int, int], size: int, classes: int, options: Options, *, rounded: bool) -> int:
    """The least memory in which SGD trains on rows (n, D) that are kept: one head at a time."""
    (n, D), training = shape, Training(options.loss)
    axes = ((options.learning_rates, RATES), (options.regs, REGS))
    of_axes = [len(default if (values := values_of(given)) is None else values) for given, default in axes]
    heads = Heads.of(np.ones(of_axes[0] * of_axes[1]), 1.0)
    work = Work(examples=n, features=D, classes=classes, itemsize=size, evaluation_rows=CHUNK_ROWS, rounded=rounded)
    of_folds = 0 if options.folds is None else n * D * size + (options.folds - 1) * results_bytes(heads, training, work)
    return of_folds + results_bytes(heads, training, work) + stack_bytes(1, heads, training, work)


@dataclass(frozen=True, kw_only=True)
class SolverSaid:
    """What run.json and the model say of the solver: the first two of the exact one, the others of SGD."""

    tol: float | None = None
    precision: str | None = None
    iterations: int | None = None
    schedule: str | None = None


@dataclass(frozen=True, eq=False, kw_only=True)
class Refitted:
    """Weights W (D, K) and bias b (K,) of the chosen setting on the whole pool, and why the training ended.

    gap: None where nothing is proven of the objective; iterations: of the exact solver.
    """

    W: np.ndarray
    b: np.ndarray
    objective: float
    gap: float | None = None
    iterations: int | None = None
    status: str

    @property
    def relative_gap(self) -> float | None:
        """The gap as a share of the objective."""
        return None if self.gap is None else self.gap / self.objective


@dataclass(frozen=True, eq=False, kw_only=True)
class Tuning:
    """What is compared and refitted: prepared rows, the first `train` of which train and the others judge, unless in
    folds; tested: how many rows test has, which is all that is known of it here.
    """

    pool: Examples
    train: int
    tested: int
    classes: tuple[str, ...]
    options: Options
    control: Control

    def solver(self) -> Exact | Descent:
        """The solver with what was asked for; SGD's learning rates fall to 0 on a cosine."""
        options = self.options
        if options.solver == "exact":
            precision, tol = PRODUCTS[options.precision], options.tol or TOLERANCE
            return Exact(loss=options.loss, tol=tol, precision=precision, seed=options.seed)
        return Descent(training=Training(options.loss, schedule="cosine", seed=options.seed))

    def said(self) -> SolverSaid:
        """What is said of the solver."""
        solver = self.solver()
        if isinstance(solver, Exact):
            return SolverSaid(tol=solver.tol, precision=self.options.precision)
        return SolverSaid(iterations=solver.training.iterations, schedule=solver.training.schedule)

    def compare(self, checkpoint: MakeCheckpoint | None) -> Comparison:
        """The comparison; checkpoint is made of what of the settings and the machine must stay the same to go on."""
        pool, folds, solver = self.pool, self.options.folds, self.solver()
        if folds is None:
            held_out = HeldOut.after(self.train)
        else:
            held_out = HeldOut.in_folds(make_folds(pool.y, folds, self.options.seed, self.classes, pool.groups))
        held_out = self._weighted(held_out)
        metric = find_metric(self.options.metric, self.options.loss, len(self.classes))
        if not held_out.defines(metric, pool.y, len(self.classes)):
            where = "validation" if folds is None else "a fold"
            raise IncompatibleError(
                f"--metric {self.options.metric}: is not defined on {where}, all of whose examples are of one class; "
                "choose by accuracy, or on more examples"
            )
        learned = pool.take(held_out.learned).X
        regs = values_of(self.options.regs)
        regs = default_regs(learned) if regs is None else regs
        if isinstance(solver, Exact):
            space, about = Path(regs), asdict(solver)
        else:
            rates = values_of(self.options.learning_rates)
            rates = default_rates(learned) if rates is None else rates
            space, about = Grid(rates, regs), {**asdict(solver.training), "learning_rate": rates.tolist()}
            if isinstance(pool.X, StoredRows):  # whose batches are drawn otherwise
                about["batches"] = "in blocks"
        where = {name: getattr(self.control.resources.products, name) for name in ("device", "precision")}
        about = {"solver": self.options.solver, **about, "folds": folds, "reg": regs.tolist(), "on": where}
        if metric.name != "accuracy":
            about["metric"] = metric.name
        if self.options.class_weight is not None:
            about["class_weight"] = self.options.class_weight
        return compare(
            *(pool.X, pool.y, space, held_out, solver),
            classes=len(self.classes),
            metric=metric,
            control=replace(
                self.control,
                on_plan=self._on_plan,
                checkpoint=None if checkpoint is None else checkpoint(about),
            ),
        )

    def _weighted(self, held_out: HeldOut) -> HeldOut:
        """With what every example counts in training."""
        return held_out.weighted(self.pool.y, len(self.classes), self.pool.weights, self.options.class_weight)

    def _weight(self) -> np.ndarray | None:
        """What every example of the pool counts (n,) where the model is trained on all of them."""
        return in_training(self.pool.y, len(self.classes), self.pool.weights, self.options.class_weight)

    def _on_plan(self, plan: Plan) -> None:
        """Count what comes after training too; IncompatibleError where the memory is short of it."""
        K, held, memory = len(self.classes), plan.held, self.control.resources.memory
        # One after the other: the scores that the temperature is found by, the proof, the look at test.
        n, size = len(self.pool), self.pool.X.dtype.itemsize
        scored = 8 * (n if self.options.folds else n - self.train) * K
        judged = held + max(
            look_bytes(self.tested, K, max(size, 4)), scored if LOSSES[self.options.loss].probabilities else 0
        )
        proof = held + certify_bytes(self.pool.X.shape, K) if self.options.solver == "exact" else 0
        after = max(judged, proof)
        if memory is not None and judged > memory:
            raise IncompatibleError(
                f"the scores of {self.tested:,} test examples for {K:,} classes and their metrics need "
                f"{judged / 2**20:,.0f} MiB, {held / 2**20:,.0f} MiB of it in use already, and "
                f"{memory / 2**20:,.0f} MiB are allowed; allow more with --memory, or test on fewer with --test-size"
            )
        if memory is not None and after > memory:
            raise IncompatibleError(
                f"the proof of {K:,} classes needs {after / 2**20:,.0f} MiB, {held / 2**20:,.0f} MiB of it "
                f"in use already, and {memory / 2**20:,.0f} MiB are allowed; allow more with --memory, or use "
                "--solver sgd, which proves nothing"
            )
        if self.control.on_plan is not None:
            self.control.on_plan(replace(plan, bytes=max(plan.bytes, after)))

    def temperature(self, found: Comparison) -> float | None:
        """What the chosen setting's scores are to be divided by, of rows that it was not trained on; None without
        probabilities, and where no temperature is the best.
        """
        if not LOSSES[self.options.loss].probabilities:
            return None
        scores, labels = self._held_out(found)
        return fit_temperature(scores, labels) if np.isfinite(scores).all() else None

    def _held_out(self, found: Comparison) -> tuple[np.ndarray, np.ndarray]:
        """Scores (m, K) of the chosen setting on what its splits hold out, and the labels (m,)."""
        pool, folds, solver = self.pool, self.options.folds, self.solver()
        if folds is None:
            rows = pool.take(slice(self.train, None))
            return score_rows(rows.X, found.W[:, :, None], found.b[:, None])[:, :, 0], rows.y
        # Nobody keeps the weights of all settings on all folds: the chosen one is trained on these again.
        best, trained = found.setting(found.best), list[tuple[Trained, np.ndarray]]()

        def keep(these: Trained, split: np.ndarray) -> Judged:
            trained.append((these, split))
            return Judged(score=np.zeros(len(split)))

        fold = make_folds(pool.y, folds, self.options.seed, self.classes, pool.groups)
        reg = np.array([best["reg"]])
        compare(
            *(pool.X, pool.y, Path(reg) if isinstance(solver, Exact) else Grid(np.array([best["learning_rate"]]), reg)),
            *(self._weighted(HeldOut.in_folds(fold)), solver),
            classes=len(self.classes),
            judge=keep,
            control=Control(resources=self.control.resources),
        )
        scores = np.empty((len(pool), len(self.classes)), np.float32)
        for these, splits in trained:
            for place, split in enumerate(splits.tolist()):
                held_out, W, b = fold == split, these.W[:, :, [place]], these.b[:, [place]]
                scores[held_out] = score_rows(some_of(pool.X, held_out), W, b)[:, :, 0]
        return scores, pool.y

    def refit(self, best: dict[str, float]) -> Refitted:
        """The chosen setting on the whole pool."""
        solver = self.solver()
        return self._proven(solver, best) if isinstance(solver, Exact) else self._trained(solver.training, best)

    def _proven(self, solver: Exact, best: dict[str, float]) -> Refitted:
        X, y, reg, resources = self.pool.X, self.pool.y, np.array([best["reg"]]), self.control.resources
        progress = self.control.progress
        weight = self._weight()
        found = solve(
            *(X, y, reg),
            loss=solver.loss,
            classes=len(self.classes),
            sample_weight=weight,
            tol=solver.tol,
            precision=solver.precision,
            device=resources.products.device,
            memory=resources.left,
            progress=None if progress is None else lambda done, of: progress(done, of, np.empty(0)),
            estimate=self.control.on_share,
        )
        try:
            proof = certify(X, y, found.W, found.b, reg, self.options.loss, sample_weight=weight)
            objective, gap = float(proof.objective[0]), float(proof.gap[0])
        except IncompatibleError:  # a head that stopped short may have a bias of which nothing follows
            objective, gap = float(found.objective[0]), None
        return Refitted(
            W=found.W[:, :, 0],
            b=found.b[:, 0],
            objective=objective,
            gap=gap,
            iterations=int(found.iterations[0]),
            status="failed" if found.failed[0] else str(found.stopped[0]),
        )

    def _trained(self, training: Training, best: dict[str, float]) -> Refitted:
        X, y, heads = self.pool.X, self.pool.y, Heads.of(**best, seed=training.seed)
        products, weight = self.control.resources.products, self._weight()
        found = StackRun(data_of(X, y, len(self.classes), weight), heads, training, products=products).finish()
        if found.stopped[0] == "diverged":
            raise DivergedError(
                f"the best setting (learning rate {best['learning_rate']:.3g}) diverged on train + validation; give "
                "smaller learning rates"
            )
        weights = Weights.read(weight, len(y), 1)
        score = score_stack(X, y, found.W, found.b, training.loss, weights)
        loss = score.loss if score.weighted is None else score.weighted
        return Refitted(
            W=to_numpy(found.W)[:, :, 0],
            b=to_numpy(found.b)[:, 0],
            objective=float((loss + penalty(found.W, found.b, heads.reg))[0]),
            status=str(found.stopped[0]),
        )

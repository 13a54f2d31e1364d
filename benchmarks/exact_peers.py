"""How long other libraries take to the objective that a certified path reached: one λ, in a process of its own.

scikit-learn's lbfgs is watched by a callback of its own, and its newton-cg is run one Newton step at a time, from where
the last one ended (a step starts anew from the weights alone, so nothing is lost but one evaluation of the loss); the
clock stands while the objective is computed. Cyanure keeps a record of objective and seconds.
Both libraries take float32 features as they are and compute in float32, which is the faster for them.
"""

import argparse
import importlib
import json
import math
import re
import signal
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from scipy.special import logsumexp

from linprobe.core.backend import row_chunks

CHUNK_ROWS = 4096
SPACING = 1.02  # the objective is computed whenever a fit has made so many times the iterations
SETTLED = 1e-9  # a Newton step that lowers the objective by less, relative, is the last


@dataclass(frozen=True)
class Fit:
    """Where a fit is, or ended: at the "goal", "short" of it by itself, at the "limit" of time, or where "asked".

    near: the seconds after which it was within tol of the goal, NaN before that.
    """

    seconds: float
    iterations: int
    objective: float
    ended: Literal["on the way", "goal", "short", "limit", "asked"] = "on the way"
    near: float = math.nan


class Reached(Exception):  # noqa: N818  (it is no error)
    """The goal."""


class Watch:
    """The clock of a fit, which stands while the objective is computed."""

    def __init__(self, X: np.ndarray, y: np.ndarray, options: argparse.Namespace) -> None:
        self.X, self.y, self.reg, self.goal, self.tol = X, y, options.reg, options.goal, options.tol
        self.iterations, self.due, self.apart, self.near = 0, 1.0, 0.0, math.nan
        self.fit = Fit(0.0, 0, math.nan)
        self.started = time.perf_counter()

    def seconds(self) -> float:
        """The fit's own, so far."""
        return time.perf_counter() - self.started - self.apart

    def objective(self, W: np.ndarray, b: np.ndarray) -> float:
        """Mean cross-entropy + λ ΣW², in float64, of weights (D, K) and biases (K,)."""
        W, total = W.astype(np.float64), 0.0
        for rows in row_chunks(len(self.X), CHUNK_ROWS):
            scores = self.X[rows].astype(np.float64) @ W + b
            at_label = scores[np.arange(len(scores)), self.y[rows]]
            total += float(np.sum(np.asarray(logsumexp(scores, axis=1)) - at_label))
        return total / len(self.X) + self.reg * float(np.sum(W * W))

    def look(self, W: np.ndarray, b: np.ndarray, *, after: int = 1, now: bool = False) -> float:
        """The objective after some more iterations, if it is time for it; raises Reached at the goal."""
        seconds, before = self.seconds(), time.perf_counter()
        self.iterations += after
        if self.iterations < self.due and not now:
            return math.inf
        self.due = self.iterations * SPACING
        found = self.objective(W, b)
        if math.isnan(self.near) and found <= self.goal * (1 + self.tol):
            self.near = seconds
        self.say(Fit(seconds, self.iterations, found, "goal" if found <= self.goal else "on the way", self.near))
        self.apart += time.perf_counter() - before
        if found <= self.goal:
            raise Reached
        return found

    def say(self, fit: Fit) -> None:
        """Print where the fit is; what was said last counts."""
        self.fit = fit
        print(json.dumps(asdict(fit)), flush=True)


def lbfgs(X: np.ndarray, y: np.ndarray, watch: Watch) -> None:
    """scikit-learn's lbfgs without a tolerance, until it is there or ends by itself."""

    class Callback:
        def setup(self, estimator: Any, context: Any) -> None: ...

        def teardown(self, estimator: Any, context: Any) -> None: ...

        def on_fit_task_begin(self, estimator: Any, context: Any) -> None: ...

        def on_fit_task_end(self, estimator: Any, context: Any, *, fitted_estimator: Any = None) -> None:  # noqa: ARG002
            if context.task_name == "lbfgs-iter" and fitted_estimator is not None:
                watch.look(fitted_estimator.coef_.T, fitted_estimator.intercept_)

    model = logistic_regression(watch, solver="lbfgs", tol=0, max_iter=1_000_000)
    model.set_callbacks(Callback())
    model.fit(X, y)
    watch.look(model.coef_.T, model.intercept_, after=0, now=True)


def newton_cg(X: np.ndarray, y: np.ndarray, watch: Watch) -> None:
    """scikit-learn's newton-cg, step by step, until it is there or makes no more progress."""
    model, lowest = logistic_regression(watch, solver="newton-cg", tol=0, max_iter=1, warm_start=True), math.inf
    while True:
        model.fit(X, y)
        found = watch.look(model.coef_.T, model.intercept_, now=True)
        if not found < lowest * (1 - SETTLED):
            return
        lowest = found


def hundred_iterations(X: np.ndarray, y: np.ndarray, watch: Watch) -> None:
    """One fit of scikit-learn with its defaults: lbfgs, and 100 iterations at most."""
    model = logistic_regression(watch).fit(X, y)
    seconds = watch.seconds()
    watch.say(Fit(seconds, int(model.n_iter_[0]), watch.objective(model.coef_.T, model.intercept_), "asked"))


def logistic_regression(watch: Watch, **options: Any) -> Any:
    """scikit-learn's, with the λ of the fit."""
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression(C=1 / (2 * len(watch.X) * watch.reg), **options)


def cyanure(X: np.ndarray, y: np.ndarray, watch: Watch) -> None:
    """Cyanure, to a relative duality gap of its own of a tenth of our tolerance; its λ is twice ours."""
    from cyanure.estimators import Classifier  # pyright: ignore[reportMissingImports]  # a peer, not a dependency

    softmax = {"loss": "logistic", "multi_class": "multinomial", "penalty": "l2", "fit_intercept": True}
    model = Classifier(**softmax, lambda_1=2 * watch.reg, tol=watch.tol / 10, max_iter=1_000_000)
    model.fit(X, y)
    total = watch.seconds()
    found = watch.objective(model.coef_, np.ravel(model.intercept_))
    passes, objectives, seconds = (model.optimization_info_[0, row] for row in (0, 1, 5))
    there, near = (np.flatnonzero(objectives <= goal) for goal in (watch.goal, watch.goal * (1 + watch.tol)))
    watch.near = float(seconds[near[0]]) if len(near) else math.nan
    if len(there):
        first = there[0]
        watch.say(Fit(float(seconds[first]), int(passes[first]), found, "goal", watch.near))
    else:
        ended = "goal" if found <= watch.goal else "short"
        watch.say(Fit(total, int(passes[-1]), found, ended, watch.near))


# What Cyanure says on its way, for when it is not done in time.
EPOCH = re.compile(r"Epoch: (\d+), primal objective: (\S+), time: ([\d.e+-]+)")

# The name that is printed, the module, and what fits.
PEERS: dict[str, tuple[str, str, Callable[[np.ndarray, np.ndarray, Watch], None]]] = {
    "lbfgs": ("scikit-learn lbfgs", "sklearn.linear_model", lbfgs),
    "newton-cg": ("scikit-learn newton-cg", "sklearn.linear_model", newton_cg),
    "cyanure": ("Cyanure", "cyanure.estimators", cyanure),
    "hundred": ("scikit-learn, 100 iterations", "sklearn.linear_model", hundred_iterations),
}


def run(folder: Path, peer: str, dtype: str, reg: float, goal: float, tol: float, limit: float) -> Fit:
    """The fit of a peer to X.npy and y.npy in a folder, cut off after so many seconds."""
    numbers = [f"--{name}={value!r}" for name, value in (("reg", reg), ("goal", goal), ("tol", tol), ("limit", limit))]
    command = [sys.executable, __file__, str(folder), "--peer", peer, "--dtype", dtype, *numbers]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    said = [Fit(**json.loads(line)) for line in done.stdout.splitlines() if line.startswith("{")]
    if done.returncode == 0:
        return said[-1]
    if done.returncode != -signal.SIGALRM:
        raise RuntimeError(f"{peer} ended with the exit status {done.returncode}: {done.stderr[-2000:]}")
    said += [Fit(float(seconds), int(passes), float(found)) for passes, found, seconds in EPOCH.findall(done.stderr)]
    return replace(said[-1] if said else Fit(limit, 0, math.nan), ended="limit")


def main() -> None:
    """One fit, in this process."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("folder", type=Path)
    arguments.add_argument("--peer", choices=PEERS, required=True)
    arguments.add_argument("--dtype", choices=("float32", "float64"), default="float32")
    for number in ("reg", "goal", "tol", "limit"):
        arguments.add_argument(f"--{number}", type=float, required=True)
    options = arguments.parse_args()
    X, y = (np.load(options.folder / f"{name}.npy") for name in ("X", "y"))
    X = X.astype(options.dtype, copy=False)
    _, module, fit = PEERS[options.peer]
    importlib.import_module(module)
    warnings.simplefilter("ignore")  # of fits that stop before their tolerance, which all of these do
    # By the operating system, as compiled code listens to nothing else.
    signal.setitimer(signal.ITIMER_REAL, options.limit)
    watch = Watch(X, y, options)
    try:
        fit(X, y, watch)
    except Reached:
        return
    if watch.fit.ended == "on the way":
        watch.say(replace(watch.fit, ended="short"))


if __name__ == "__main__":
    main()

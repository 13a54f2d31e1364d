"""The last step of the exercise: the lowest objective there is at the winner's reg, and how far SGD was from it."""

import time

import numpy as np

from linprobe.compare.comparison import Comparison
from linprobe.compare.solver import Resources
from linprobe.core.certificate import CERTIFIABLE, certify, no_certificate
from linprobe.core.exact.problem import newton_room, solve_bytes
from linprobe.core.exact.solver import solve
from linprobe.core.measure import score_stack
from linprobe.core.sgd.settings import Training
from linprobe.data.dataset import Examples
from linprobe.errors import IncompatibleError
from linprobe.results import LowestObjective, SgdObjective, Skipped

__all__ = ["find_optimum"]

TOLERANCE = 1e-6  # of gap / objective


def find_optimum(
    found: Comparison, train: Examples, val: Examples, training: Training, classes: int, resources: Resources
) -> LowestObjective | Skipped:
    """The optimum of the winner's own objective, certified, beside the winner, or why there is none.

    train, val: rows (n, D). Both are compared by mean loss + λ ΣW², without a penalty on the bias: SGD had one, the
    optimum has none. What SGD's weights have above the proven lower bound is the most that is left to gain.
    """
    winner = found.setting(found.best)
    reg = np.array([winner["reg"]])
    if training.loss not in CERTIFIABLE:
        return Skipped(
            skipped=f"{no_certificate(training.loss)}; that of its smooth neighbour has one: "
            "linprobe tune --loss squared_hinge"
        )
    if reg[0] == 0:
        return Skipped(
            skipped="reg is 0, and without a penalty there need not be an optimum; linprobe tune tries others"
        )
    started = time.perf_counter()
    intercept = training.intercept != "none"
    try:
        best = solve(
            train.X,
            train.y,
            reg,
            loss=training.loss,
            classes=classes,
            intercept=intercept,
            tol=TOLERANCE,
            device=resources.products.device,
            memory=resources.left,
        )
        proof = certify(train.X, train.y, best.W, best.b if intercept else None, reg, training.loss)
    except IncompatibleError as error:  # too little memory, or a solver that stopped short
        return Skipped(skipped=str(error))
    objective, gap = float(proof.objective[0]), float(proof.gap[0])
    scores = (score_stack(part.X, part.y, best.W, best.b, training.loss) for part in (train, val))
    train_accuracy, val_accuracy = (float(score.accuracy[0]) for score in scores)
    of_sgd = float(found.objective[found.best] - reg[0] * np.sum(np.square(found.b, dtype=np.float64)))
    return LowestObjective(
        loss=training.loss,
        schedule=training.schedule,
        tol=TOLERANCE,
        reg=winner["reg"],
        objective=objective,
        gap=gap,
        relative_gap=gap / objective,
        iterations=int(best.iterations[0]),
        status=str(best.stopped[0]),
        memory_plan_bytes=resources.held
        + sum(solve_bytes(train.X.shape, classes, 1, 4))
        + newton_room(train.X.shape, classes),
        seconds=time.perf_counter() - started,
        train_accuracy=train_accuracy,
        val_accuracy=val_accuracy,
        sgd=SgdObjective(
            objective=of_sgd,
            excess=of_sgd - (objective - gap),
            relative_excess=(of_sgd - (objective - gap)) / objective,
            train_accuracy=float(found.train_score[found.best]),
            val_accuracy=float(found.score[found.best]),
        ),
    )

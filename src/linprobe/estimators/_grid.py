"""The settings that a search compares: every point of param_grid, refused before any work where it makes no sense."""

from typing import Any

from sklearn.base import clone
from sklearn.model_selection import ParameterGrid

from linprobe.compare.defaults import AROUND
from linprobe.errors import IncompatibleError, UsageError
from linprobe.estimators._folds import Setting, TrainingData
from linprobe.estimators._parameters import check_parameters, find_reg
from linprobe.estimators._preparing import prepared_for

__all__ = ["read_settings"]

PENALTIES = ("reg", "C")


def read_settings(estimator: Any, grid: Any, examples: TrainingData) -> list[Setting]:
    """All points of the grid, refused before any work where they make no sense."""
    if grid is None:
        check_parameters(estimator, estimator._loss())
        if estimator.C is None:
            _, features = prepared_for(estimator, examples.features, examples.weight)
            own = find_reg(estimator.reg, None, features, examples.weight, len(examples.classes))
            grid = {"reg": (own * AROUND).tolist()}
        else:
            grid = {"C": (estimator.C / AROUND).tolist()}
    settings, known = [], estimator.get_params()
    for params in ParameterGrid(grid):
        unknown = [name for name in params if name not in known]
        if unknown:
            raise UsageError(
                f"param_grid names {unknown[0]!r}, which {type(estimator).__name__} does not have; it has "
                f"{', '.join(known)}"
            )
        made: Any = clone(estimator)
        made.set_params(**{name: clone(value, safe=False) for name, value in params.items()})
        try:
            check_parameters(made, made._loss())
        except UsageError as error:
            raise type(error)(f"param_grid, {params}: {error}") from error
        if made.solver != "exact":
            raise IncompatibleError(
                f"solver is {made.solver!r}; ProbeSearch trains with solver='exact': for anything else "
                "use scikit-learn's GridSearchCV"
            )
        others = {name: value for name, value in params.items() if name not in PENALTIES}
        settings.append(Setting(params, others, made))
    if not settings:
        raise UsageError("param_grid is empty; give values of reg or C, such as {'reg': [1e-4, 1e-2, 1]}")
    return settings

"""The names that modules had in version 0.1.0: they can still be imported, with a warning, for one version."""

import importlib
import importlib.util
import sys
import warnings
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from types import CodeType, ModuleType
from typing import Any

__all__ = ["GONE", "MOVED", "OldNames", "warn_of_old_name"]

# Where each is now; what is not named here has gone along with the folder that it is in, however deep.
MOVED = {
    "linprobe.arrays": "linprobe.core.backend",
    "linprobe.assess": "linprobe.tasks.evaluate",
    "linprobe.checker": "linprobe.learn.checker",
    "linprobe.checkpoint": "linprobe.compare.checkpoint",
    "linprobe.classifier": "linprobe.model",
    "linprobe.dataset": "linprobe.data.dataset",
    "linprobe.describe": "linprobe.tasks.describe",
    "linprobe.describe.describe": "linprobe.tasks.describe.task",
    "linprobe.download": "linprobe.data.fetch",
    "linprobe.encoding": "linprobe.compare.encoding",
    "linprobe.estimators.descent": "linprobe.estimators._descent",
    "linprobe.estimators.folds": "linprobe.estimators._folds",
    "linprobe.estimators.grid": "linprobe.estimators._grid",
    "linprobe.estimators.inputs": "linprobe.estimators._inputs",
    "linprobe.estimators.judging": "linprobe.estimators._judging",
    "linprobe.estimators.parameters": "linprobe.estimators._parameters",
    "linprobe.estimators.preparing": "linprobe.estimators._preparing",
    "linprobe.estimators.results": "linprobe.estimators._results",
    "linprobe.estimators.routing": "linprobe.estimators._routing",
    "linprobe.estimators.scoring": "linprobe.estimators._scoring",
    "linprobe.evaluate": "linprobe.core.measure",
    "linprobe.evidence": "linprobe.model.evidence",
    "linprobe.finite": "linprobe.core.finite",
    "linprobe.gradient_check": "linprobe.learn.gradient_check",
    "linprobe.losses": "linprobe.core.losses",
    "linprobe.losses.hinge": "linprobe.core.losses._hinge",
    "linprobe.losses.reference": "linprobe.learn.loops",
    "linprobe.losses.softmax": "linprobe.core.losses._softmax",
    "linprobe.losses.squared_hinge": "linprobe.core.losses._squared_hinge",
    "linprobe.notebook": "linprobe.learn.notebook",
    "linprobe.objective": "linprobe.core.objective",
    "linprobe.predict": "linprobe.tasks.predict",
    "linprobe.prepare": "linprobe.data.prepare",
    "linprobe.probe_search": "linprobe.estimators.probe_search",
    "linprobe.report.words": "linprobe.report.labels",
    "linprobe.rows": "linprobe.data.rows",
    "linprobe.screening": "linprobe.compare.screening",
    "linprobe.sight": "linprobe.data.sight",
    "linprobe.solvers": "linprobe.core.exact",
    "linprobe.solvers.batches": "linprobe.core.sgd.batches",
    "linprobe.solvers.certificate": "linprobe.core.certificate",
    "linprobe.solvers.exact": "linprobe.core.exact.solver",
    "linprobe.solvers.plan": "linprobe.core.sgd.plan",
    "linprobe.solvers.settings": "linprobe.core.sgd.settings",
    "linprobe.solvers.sgd": "linprobe.core.sgd.training",
    "linprobe.solvers.stack": "linprobe.core.sgd.stack",
    "linprobe.sources": "linprobe.data.formats",
    "linprobe.sources.pictures": "linprobe.data.pictures",
    "linprobe.sources.reading": "linprobe.data.reading",
    "linprobe.space": "linprobe.compare.settings",
    "linprobe.splits": "linprobe.data.splits",
    "linprobe.steps": "linprobe.results.steps",
    "linprobe.tensors": "linprobe.model.files",
    "linprobe.tune": "linprobe.tasks.tune",
    "linprobe.worksheet": "linprobe.learn.worksheet",
    "linprobe.worksheet.steps": "linprobe.results.steps.exercise",
}

# What took the place of modules that have no heir.
GONE = {
    "linprobe.search": "use linprobe.compare: compare.compare, screen.screen, solver.Resources, descent.penalty",
    "linprobe.tune.path": "use linprobe.compare: compare.compare with exact.Exact, held_out.HeldOut and make_folds",
}


class OldNames:
    """Finds a module by its old name, and gives the one that there is now: the same object, not a second one."""

    def find_spec(
        self, fullname: str, _path: Sequence[str] | None, _target: ModuleType | None = None, /
    ) -> ModuleSpec | None:
        """What loads the module of an old name; None for any other. Raises ModuleNotFoundError for what is gone."""
        if fullname in GONE:
            raise ModuleNotFoundError(f"{fullname} is gone; {GONE[fullname]}", name=fullname)
        loader: Any = self
        return ModuleSpec(fullname, loader, is_package=not fullname.endswith(".__main__")) if _new(fullname) else None

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        """An empty one, in whose place `exec_module` puts another."""
        return ModuleType(spec.name)

    def get_code(self, fullname: str) -> CodeType | None:
        """What `python -m` runs."""
        spec = importlib.util.find_spec(_new(fullname) or fullname)
        loader: Any = spec and spec.loader
        return loader and loader.get_code(spec and spec.name)

    def exec_module(self, module: ModuleType) -> None:
        """Put the module of today in its place."""
        old = module.__name__
        new = _new(old) or old
        warn_of_old_name(old, new)
        sys.modules[old] = importlib.import_module(new)
        folder, _, name = old.rpartition(".")
        if not isinstance(vars(sys.modules[folder]).get(name, module), ModuleType):
            sys.modules[folder].__class__ = _Guarded


class _Guarded(ModuleType):
    """A package with functions that have the names of its modules: they stay where an import would put the module."""

    def __setattr__(self, name: str, value: object) -> None:
        if not isinstance(value, ModuleType) or isinstance(vars(self).get(name, value), ModuleType):
            super().__setattr__(name, value)


def warn_of_old_name(old: str, new: str) -> None:
    """Warn whoever called the caller."""
    warnings.warn(f"{old} is now {new}; the old name goes in the next version", DeprecationWarning, stacklevel=3)


def _new(name: str) -> str | None:
    """What a module is called now; None where it is called so already."""
    if name in MOVED:
        return MOVED[name]
    folder, _, rest = name.rpartition(".")
    above = _new(folder) if folder else None
    return f"{above}.{rest}" if above else None

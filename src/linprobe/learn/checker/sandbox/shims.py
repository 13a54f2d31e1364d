"""What old and unfinished files need in order to run: supplied where a file fails without it, and each time noted.

Nothing is supplied beforehand. A file is run as it is; what it fails for is looked up here, and where it is known the
file, or the call, is run again. Made for the process of the sandbox alone: it adds to `builtins` and `sys.modules`.
"""

import builtins
import functools
import importlib
import itertools
import math
import numbers
import re
import sys
import traceback
import types
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

__all__ = ["COURSE", "EMPTY_COURSE", "FORGOTTEN", "FORMER", "OLD_NAMES", "PACKAGE", "RENAMED", "Shims", "StandIn"]

# The exercise's own package, and where in it the files with the losses lie, to which their imports are relative.
COURSE = "cs231n"
PACKAGE = f"{COURSE}.classifiers"
EMPTY_COURSE = f"The course's own package, {COURSE}, is not all there: what the file imports from it was left empty."

OLD_NAMES: Mapping[str, Any] = {
    "xrange": range,
    "unicode": str,
    "basestring": str,
    "long": int,
    "unichr": chr,
    "raw_input": input,
    "reduce": functools.reduce,
}


def _old_div(a: Any, b: Any) -> Any:
    """Division as in Python 2."""
    return a // b if isinstance(a, numbers.Integral) and isinstance(b, numbers.Integral) else a / b


def _asscalar(a: Any) -> Any:
    return np.asarray(a).item()


def _asfarray(a: Any, dtype: Any = np.float64) -> np.ndarray:
    return np.asarray(a, dtype)


def _msort(a: Any) -> np.ndarray:
    return np.sort(a, axis=0)


# Names that are used without having been imported, as what they are commonly bound to: module, or module:attribute.
FORGOTTEN: Mapping[str, str] = {
    "np": "numpy",
    "numpy": "numpy",
    "sp": "scipy",
    "scipy": "scipy",
    "special": "scipy.special",
    "logsumexp": "scipy.special:logsumexp",
    "jnp": "jax.numpy",
    **{name: name for name in ("math", "random", "time", "copy", "sys", "os", "itertools", "functools", "collections")},
    **{name: f"numpy:{name}" for name in ("log", "exp", "sqrt", "dot", "zeros", "maximum", "arange")},
}

# fmt: off
# What was once in a module: of NumPy before 2.0, of Python 2.
FORMER: Mapping[str, Mapping[str, Any]] = {
    "numpy": {
        "float": float, "int": int, "object": object, "str": str, "complex": complex, "unicode": str, "math": math,
        "float_": np.float64, "complex_": np.complex128, "unicode_": np.str_, "string_": np.bytes_,
        "Inf": np.inf, "Infinity": np.inf, "infty": np.inf, "PINF": np.inf, "NINF": -np.inf, "NaN": np.nan,
        "product": np.prod, "cumproduct": np.cumprod, "sometrue": np.any, "alltrue": np.all, "round_": np.round,
        "mat": np.asmatrix, "row_stack": np.vstack, "in1d": np.isin, "rank": np.ndim, "msort": _msort,
        "asscalar": _asscalar, "asfarray": _asfarray,
    },
    "itertools": {"izip": zip, "imap": map, "ifilter": filter, "izip_longest": itertools.zip_longest},
    "builtins": OLD_NAMES,
}
FROM_SCIPY_SPECIAL = ("logsumexp", "comb", "factorial")  # which scipy.misc once had

# Modules that Python 3 calls by another name.
RENAMED: Mapping[str, str] = {
    "cPickle": "pickle", "__builtin__": "builtins", "StringIO": "io", "Queue": "queue", "copy_reg": "copyreg",
}
BRIDGES = {"past", "future", "six"}  # packages that bridge Python 2 and 3
PICTURES = {
    "matplotlib", "mpl_toolkits", "pylab", "seaborn", "plotly", "bokeh", "IPython", "imageio", "skimage", "cv2",
}
# fmt: on


class Shims:
    """What has been supplied to one file: notes in order, and the names it uses without importing, with their lines.

    folder, where the file lies; libraries, other modules whose missing import is a fault of the file and no more.
    """

    def __init__(self, folder: Path, libraries: Sequence[str] = ()) -> None:
        self.notes: list[str] = []
        self.missing: list[tuple[str, int]] = []
        self._folder = folder
        self._forgotten = {**FORGOTTEN, **{name: name for name in libraries}}
        self._supplied: set[tuple[str, ...]] = set()

    def repair(self, error: BaseException) -> bool:
        """Supply what an error says is not there; False where that is not known, or did not help before."""
        if isinstance(error, NameError) and not isinstance(error, UnboundLocalError):
            return self._once("name", error.name or "") and self._name(error.name or "", error)
        if isinstance(error, ModuleNotFoundError):
            return self._once("module", error.name or "") and self._module(error.name or "")
        if isinstance(error, ImportError | AttributeError):
            module, name = _lacking(error)
            return self._once("attribute", module, name) and self._attribute(module, name)
        return False

    def _once(self, *cause: str) -> bool:
        new = cause not in self._supplied
        self._supplied.add(cause)
        return new

    def _note(self, note: str) -> bool:
        if note not in self.notes:
            self.notes.append(note)
        return True

    def _name(self, name: str, error: NameError) -> bool:
        """A name that is defined nowhere: as a builtin, so that the file's own siblings find it as well."""
        *_, (frame, line) = traceback.walk_tb(error.__traceback__)
        if not Path(frame.f_code.co_filename).is_relative_to(self._folder):
            return False
        if name in OLD_NAMES:
            setattr(builtins, name, OLD_NAMES[name])
            return self._note(f"{name} is of Python 2: {OLD_NAMES[name].__name__} was used in its place.")
        module, _, attribute = self._forgotten.get(name, "").partition(":")
        if not module:
            return False
        try:
            value = importlib.import_module(module)
        except ImportError:
            return False
        setattr(builtins, name, getattr(value, attribute) if attribute else value)
        self.missing.append((name, line))
        return True

    def _module(self, name: str) -> bool:
        """A module that is not there."""
        top = name.partition(".")[0]
        if name in RENAMED:
            sys.modules[name] = importlib.import_module(RENAMED[name])
            return self._note(f"{name} is of Python 2: {RENAMED[name]} was used in its place.")
        if name == "scipy.misc":
            _install(name, _scipy_special())
            return self._note("scipy.misc is no longer in SciPy: scipy.special was used in its place.")
        if top == COURSE:
            _install(name, {}, callable_too=False)
            return self._note(EMPTY_COURSE)
        if top in BRIDGES:
            current = {name: value for name, value in vars(builtins).items() if not name.startswith("_")}
            _install(name, {**current, **OLD_NAMES, "old_div": _old_div})
            return self._note(f"{top}, which bridges Python 2 and 3, is not installed: its names were supplied.")
        if top in PICTURES:
            _install(name, {})
            return self._note(f"{top} is not installed: its calls do nothing.")
        return False

    def _attribute(self, module: str, name: str) -> bool:
        """A name that a module, which is there, does not have."""
        owner = sys.modules.get(module)
        if module == "scipy" and name == "misc":
            return self._module("scipy.misc")
        if owner is None or not name:
            return False
        if module.partition(".")[0] == COURSE:
            setattr(owner, name, StandIn(f"{module}.{name}", callable_too=False))
            return self._note(EMPTY_COURSE)
        former = _scipy_special() if module == "scipy.misc" else FORMER.get(module, {})
        if name not in former:
            if module != "scipy.misc":
                return False
            setattr(owner, name, StandIn(f"{module}.{name}", callable_too=True))  # imread, imresize
            return self._note(f"{module}.{name} is no longer there: its calls do nothing.")
        setattr(owner, name, former[name])
        return self._note(f"{module}.{name} is no longer there: what it was has been supplied.")


_LACKING = (
    re.compile(r"module '(?P<module>[\w.]+)' has no attribute '(?P<name>\w+)'"),
    re.compile(r"cannot import name '(?P<name>\w+)' from (partially initialized module )?'(?P<module>[\w.]+)'"),
    re.compile(r"`np\.(?P<name>\w+)` was removed"),
)


def _lacking(error: ImportError | AttributeError) -> tuple[str, str]:
    """The module and the name that it lacks; both empty where the error is about something else."""
    # Neither error has them as attributes throughout: Python 3.11 does not keep the name, NumPy takes it off.
    for pattern in _LACKING:
        if found := pattern.search(str(error)):
            return found.groupdict().get("module", "numpy"), found["name"]
    return "", ""


def _scipy_special() -> dict[str, Callable[..., Any]]:
    special = importlib.import_module("scipy.special")
    return {name: getattr(special, name) for name in FROM_SCIPY_SPECIAL}


class StandIn:
    """Takes the place of something that is not there: has every attribute, and may be called where that is harmless."""

    def __init__(self, name: str, *, callable_too: bool) -> None:
        self._stand_in = name, callable_too

    def __getattr__(self, name: str) -> "StandIn":
        if name.startswith("__"):
            raise AttributeError(name)
        return StandIn(f"{self._stand_in[0]}.{name}", callable_too=self._stand_in[1])

    def __call__(self, *_: Any, **__: Any) -> "StandIn":
        """Do nothing, or say whose function is called."""
        name, callable_too = self._stand_in
        if not callable_too:
            raise ImportError(f"{name} is called, and it is not beside the file")
        return self

    def __mro_entries__(self, bases: tuple[Any, ...]) -> tuple[type, ...]:
        return ()  # a class may derive from it

    def __getitem__(self, key: Any) -> "StandIn":
        return self

    def __setitem__(self, key: Any, value: Any) -> None:
        pass

    def __enter__(self) -> "StandIn":
        return self

    def __exit__(self, *_: object) -> None:
        pass

    __iter__ = None  # or __getitem__ would make it go on for ever


class _Substitute(types.ModuleType):
    """A module that is not there: what it is given, and a stand-in for everything else."""

    def __init__(self, name: str, *, callable_too: bool) -> None:
        super().__init__(name)
        self.__path__: list[str] = []  # so that it can have modules below it
        self._callable_too = callable_too

    def __getattr__(self, name: str) -> StandIn:
        if name.startswith("__"):
            raise AttributeError(name)
        return StandIn(f"{self.__name__}.{name}", callable_too=self._callable_too)


def _install(name: str, names: Mapping[str, Any], *, callable_too: bool = True) -> None:
    module = _Substitute(name, callable_too=callable_too)
    vars(module).update(names)
    sys.modules[name] = module
    parent, _, child = name.rpartition(".")
    if parent in sys.modules:
        setattr(sys.modules[parent], child, module)

"""Which file computes with which arrays: loaded when the first one is seen, or a device of its library is asked for.

As in `_backends.py` of einops.
"""

import importlib
from functools import cache

from linprobe.core.backend.protocol import Array, Backend
from linprobe.errors import IncompatibleError

__all__ = ["FILES", "LIBRARIES", "backend_of", "backend_on"]

# A file has the name of its library, and a `BACKEND`; with it, the devices that are this library's.
FILES = {
    "linprobe.core.backend.numpy": ("numpy",),
    "linprobe.core.backend.torch": ("cpu", "cuda"),
}
LIBRARIES = (*(file.rpartition(".")[2] for file in FILES), "jax")  # whose arrays a function under test may take


def backend_of(array: Array) -> Backend:
    """What computes with an array. Raises TypeError for what is not an array of a known library."""
    return _of_type(type(array))


@cache
def backend_on(device: str) -> Backend:
    """What computes on a device: "numpy", or torch's "cpu" and "cuda".

    Raises MissingDependencyError where its library is not installed, IncompatibleError for an unknown device.
    """
    for file, devices in FILES.items():
        if device in devices:
            return _load(file)
    known = ", ".join(name for devices in FILES.values() for name in devices)
    raise IncompatibleError(f"linprobe can't compute on {device}; choose one of {known}")


@cache
def _of_type(kind: type) -> Backend:
    """By the package that a type comes from, or the nearest of its bases that is from a known one."""
    files = {file.rpartition(".")[2]: file for file in FILES}
    for base in kind.__mro__:
        package = base.__module__.partition(".")[0]
        if package in files:
            return _load(files[package])
    raise TypeError(
        f"linprobe can't compute with {kind.__module__}.{kind.__qualname__}; hand it an array of {' or '.join(files)}"
    )


def _load(file: str) -> Backend:
    return importlib.import_module(file).BACKEND

"""Judging somebody else's loss function."""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from linprobe.learn.checker.cases import case
    from linprobe.learn.checker.checking import check_file, check_loss
    from linprobe.learn.checker.verdict import Fault, FileVerdict, Verdict

__all__ = ["Fault", "FileVerdict", "Verdict", "case", "check_file", "check_loss"]

_PLACES = {"case": "cases", "check_file": "checking", "check_loss": "checking"}


def __getattr__(name: str) -> Any:
    # The process of the code under test is started anew for each file, and needs none of them.
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_PLACES.get(name, 'verdict')}"), name)

"""Tuning from a data set to one test number: compare, choose, refit on all training rows, measure test once."""

from linprobe.tasks.tune.options import Options, Solver
from linprobe.tasks.tune.task import TuneResult, tune

__all__ = ["Options", "Solver", "TuneResult", "tune"]

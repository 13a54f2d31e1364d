"""What a run found, as types, and run.json, which they are written to and read from."""

from linprobe.results.accuracy import Accuracy, Measured
from linprobe.results.exercise import (
    CheckedCoordinate,
    FirstLoss,
    FirstLossAnswer,
    GradientChecks,
    LowestObjective,
    Questions,
    SgdObjective,
    Skipped,
    SvmUnchanged,
    Vectorized,
)
from linprobe.results.records import Compared, Refit, Results, Screened, SourceData, Tried, tried
from linprobe.results.tables import FieldError, Json, of_json, to_json

__all__ = [
    "Accuracy",
    "CheckedCoordinate",
    "Compared",
    "FieldError",
    "FirstLoss",
    "FirstLossAnswer",
    "GradientChecks",
    "Json",
    "LowestObjective",
    "Measured",
    "Questions",
    "Refit",
    "Results",
    "Screened",
    "SgdObjective",
    "Skipped",
    "SourceData",
    "SvmUnchanged",
    "Tried",
    "Vectorized",
    "of_json",
    "to_json",
    "tried",
]

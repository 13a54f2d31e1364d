"""The exercise: `run_worksheet` does it from start to end; the other names are those its students know."""

from typing import Any

from linprobe._moved import warn_of_old_name
from linprobe.learn.worksheet.exercise import WorksheetOptions, WorksheetResult, run_worksheet
from linprobe.learn.worksheet.names import (
    HingeClassifier,
    LinearSVM,
    Softmax,
    get_CIFAR10_data,
    grad_check_sparse,
    load_CIFAR10,
    softmax_loss_naive,
    softmax_loss_vectorized,
    svm_loss_naive,
    svm_loss_vectorized,
)
from linprobe.results.steps import Row, Step

__all__ = [
    "HingeClassifier",
    "LinearSVM",
    "Row",
    "Softmax",
    "Step",
    "WorksheetOptions",
    "WorksheetResult",
    "get_CIFAR10_data",
    "grad_check_sparse",
    "load_CIFAR10",
    "run_worksheet",
    "softmax_loss_naive",
    "softmax_loss_vectorized",
    "svm_loss_naive",
    "svm_loss_vectorized",
]


def __getattr__(name: str) -> Any:
    if name != "Options":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    warn_of_old_name("linprobe.learn.worksheet.Options", "linprobe.learn.worksheet.WorksheetOptions")
    return WorksheetOptions

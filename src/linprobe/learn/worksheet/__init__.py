"""The exercise: `run_worksheet` does it from start to end; the other names are those its students know."""

from linprobe.learn.worksheet.exercise import Options, WorksheetResult, run_worksheet
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
    "Options",
    "Row",
    "Softmax",
    "Step",
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

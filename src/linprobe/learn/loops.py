"""The losses as plain loops over examples and classes: slow, short, and the truth for the fast ones.

They share no code with the matrix form. All arithmetic is in float64, whatever the dtype of the arguments.
"""

import math
import sys

import numpy as np

__all__ = ["LOOPS", "softmax_loss_naive", "squared_hinge_loss_naive", "svm_loss_naive"]


def softmax_loss_naive(W: np.ndarray, X: np.ndarray, y: np.ndarray, reg: float) -> tuple[float, np.ndarray]:
    """Mean cross-entropy of all examples, in nats, plus reg * sum(W * W), and its gradient.

    W (D, C), X (N, D) with its column of ones, y (N,) in [0, C), reg >= 0 -> loss, dW (D, C); nothing is changed.
    """
    weights = np.array(W.T, dtype=np.float64, order="C")  # a class per row, so that the dot products run along memory
    gradient = np.zeros_like(weights)
    num_examples, num_classes = len(X), len(weights)
    loss = 0.0
    for i in range(num_examples):
        x = np.asarray(X[i], dtype=np.float64)
        label = int(y[i])
        scores = [float(x @ weights[c]) for c in range(num_classes)]
        highest = max(scores)  # taken off every score: the same probabilities, and exp cannot overflow
        exponentials = [math.exp(score - highest) for score in scores]
        # Kept apart from the label's, which may be 1: beside it, all others below 1e-16 would round to nothing.
        others = sum(exponentials[c] for c in range(num_classes) if c != label)
        total = others + exponentials[label]
        example_loss = math.log1p(others + (exponentials[label] - 1.0)) - (scores[label] - highest)
        # Two finite scores may lie further apart than the largest number: the loss then stays at that number.
        loss += min(example_loss, sys.float_info.max) / num_examples
        for c in range(num_classes):
            slope = -others / total if c == label else exponentials[c] / total
            gradient[c] += slope / num_examples * x
    return _add_penalty(loss, gradient, weights, reg)


def svm_loss_naive(W: np.ndarray, X: np.ndarray, y: np.ndarray, reg: float) -> tuple[float, np.ndarray]:
    """Mean multiclass hinge loss (margin 1, summed over wrong classes) plus reg * sum(W * W), and its gradient.

    W (D, C), X (N, D) with its column of ones, y (N,) in [0, C), reg >= 0 -> loss, dW (D, C); nothing is changed.
    """
    weights = np.array(W.T, dtype=np.float64, order="C")
    gradient = np.zeros_like(weights)
    num_examples, num_classes = len(X), len(weights)
    loss = 0.0
    for i in range(num_examples):
        x = np.asarray(X[i], dtype=np.float64)
        label = int(y[i])
        scores = [float(x @ weights[c]) for c in range(num_classes)]
        for c in range(num_classes):
            if c == label:
                continue
            margin = scores[c] - scores[label] + 1.0
            if margin > 0:
                loss += min(margin, sys.float_info.max) / num_examples
                gradient[c] += x / num_examples
                gradient[label] -= x / num_examples
    return _add_penalty(loss, gradient, weights, reg)


def squared_hinge_loss_naive(W: np.ndarray, X: np.ndarray, y: np.ndarray, reg: float) -> tuple[float, np.ndarray]:
    """Mean squared multiclass hinge loss (margin 1, summed over wrong classes) plus reg * sum(W * W), and its gradient.

    W (D, C), X (N, D) with its column of ones, y (N,) in [0, C), reg >= 0 -> loss, dW (D, C); nothing is changed.
    """
    weights = np.array(W.T, dtype=np.float64, order="C")
    gradient = np.zeros_like(weights)
    num_examples, num_classes = len(X), len(weights)
    loss = 0.0
    for i in range(num_examples):
        x = np.asarray(X[i], dtype=np.float64)
        label = int(y[i])
        scores = [float(x @ weights[c]) for c in range(num_classes)]
        example_loss = 0.0
        for c in range(num_classes):
            if c == label:
                continue
            margin = scores[c] - scores[label] + 1.0
            if margin > 0:
                example_loss += margin * margin
                gradient[c] += 2.0 * margin / num_examples * x
                gradient[label] -= 2.0 * margin / num_examples * x
        loss += min(example_loss, sys.float_info.max) / num_examples
    return _add_penalty(loss, gradient, weights, reg)


# By the name of the loss.
LOOPS = {
    "softmax": softmax_loss_naive,
    "hinge": svm_loss_naive,
    "squared_hinge": squared_hinge_loss_naive,
}


def _add_penalty(loss: float, gradient: np.ndarray, weights: np.ndarray, reg: float) -> tuple[float, np.ndarray]:
    """Add the penalty, feature by feature and class by class: weights and gradient (C, D) -> loss, dW (D, C)."""
    for c in range(len(weights)):
        loss += reg * float(weights[c] @ weights[c])
        gradient[c] += 2.0 * reg * weights[c]
    return loss, np.ascontiguousarray(gradient.T)

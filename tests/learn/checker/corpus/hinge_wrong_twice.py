"""Hinge losses with two faults, both of which must be named, the root first."""

import numpy as np
from corpus.registry import wrong  # pyright: ignore[reportMissingImports]


@wrong("mean_missing", "penalty_not_in_gradient", loss="hinge", layout="DC", loop_free=False)
def gradient_without_mean_and_penalty(W, X, y, reg):
    loss, dW = 0.0, np.zeros(W.shape)
    for i in range(len(X)):
        scores = X[i].dot(W)
        for j in range(W.shape[1]):
            margin = scores[j] - scores[y[i]] + 1
            if j != y[i] and margin > 0:
                loss += margin
                dW[:, j] += X[i]
                dW[:, y[i]] -= X[i]
    return loss / len(X) + 0.5 * reg * np.sum(W * W), dW


@wrong("true_class_counted", "penalty_gradient_half", loss="hinge", layout="DC", loop_free=True)
def true_class_counted_and_half_a_penalty(W, X, y, reg):
    N = X.shape[0]
    scores = X.dot(W)
    margins = np.maximum(0, scores - scores[np.arange(N), y][:, None] + 1)
    mask = (margins > 0).astype(float)
    mask[np.arange(N), y] -= mask.sum(axis=1)
    return margins.sum() / N + reg * np.sum(W * W), X.T.dot(mask) / N + reg * W


@wrong("margin", "penalty_missing", loss="hinge", layout="DC", loop_free=False)
def neither_margin_nor_penalty(W, X, y, reg):
    loss, dW = 0.0, np.zeros(W.shape)
    for i in range(len(X)):
        scores = X[i].dot(W)
        for j in range(W.shape[1]):
            margin = scores[j] - scores[y[i]]
            if margin > 0:
                loss += margin
                dW[:, j] += X[i]
                dW[:, y[i]] -= X[i]
    return loss / len(X), dW / len(X)


@wrong("repeated_labels", "mean_missing", loss="hinge", layout="DC", loop_free=True)
def labels_once_and_never_divided(W, X, y, reg):
    N = X.shape[0]
    scores = X.dot(W)
    margins = np.maximum(0, scores - scores[np.arange(N), y][:, None] + 1)
    margins[np.arange(N), y] = 0
    mask = (margins > 0).astype(float)
    dW = X.T.dot(mask)
    dW[:, y] -= (X * mask.sum(axis=1)[:, None]).T
    return margins.sum() / N + reg * np.sum(W * W), dW + 2 * reg * W


@wrong("squared_hinge", "penalty_not_in_value", loss="hinge", layout="CD", loop_free=True)
def squared_margins_and_no_penalty_in_the_value(W, X, y, reg):
    N = X.shape[1]
    scores = W.dot(X)
    margins = np.maximum(0, scores - scores[y, range(N)] + 1)
    margins[y, range(N)] = 0
    slope = 2 * margins
    slope[y, range(N)] = -slope.sum(axis=0)
    return np.sum(margins**2) / N, slope.dot(X.T) / N + 2 * reg * W


@wrong("true_class_sign", "penalty_gradient_double", loss="hinge", layout="DC", loop_free=True)
def true_class_added_and_penalty_doubled(W, X, y, reg):
    N = X.shape[0]
    scores = X.dot(W)
    margins = np.maximum(0, scores - scores[np.arange(N), y][:, None] + 1)
    margins[np.arange(N), y] = 0
    slope = (margins > 0).astype(float)
    slope[np.arange(N), y] = slope.sum(axis=1)
    return margins.sum() / N + 0.5 * reg * np.sum(W * W), X.T.dot(slope) / N + 2 * reg * W


@wrong("changes_weights", "true_class_once", loss="hinge", layout="DC", loop_free=True)
def shrinks_the_callers_weights_and_subtracts_once(W, X, y, reg):
    N = X.shape[0]
    scores = X.dot(W)
    margins = np.maximum(0, scores - scores[np.arange(N), y][:, None] + 1)
    margins[np.arange(N), y] = 0
    slope = (margins > 0).astype(float)
    slope[np.arange(N), y] = -1
    loss = margins.sum() / N + reg * np.sum(W * W)
    dW = W
    dW *= 2 * reg
    return loss, dW + X.T.dot(slope) / N


@wrong("label_of_class", "penalty_not_in_gradient", loss="hinge", layout="DC", loop_free=False)
def label_of_class_and_no_penalty_in_dw(W, X, y, reg):
    loss, dW = 0.0, np.zeros(W.shape)
    for i in range(len(X)):
        scores = X[i].dot(W)
        for j in range(W.shape[1]):
            margin = scores[j] - scores[y[j]] + 1
            if j != y[i] and margin > 0:
                loss += margin
                dW[:, j] += X[i]
                dW[:, y[i]] -= X[i]
    return loss / len(X) + reg * np.sum(W * W), dW / len(X)

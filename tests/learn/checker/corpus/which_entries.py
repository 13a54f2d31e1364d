"""Losses of both kinds that count the wrong examples, the wrong classes, or the wrong entries of an array."""

import numpy as np
from corpus.registry import wrong  # pyright: ignore[reportMissingImports]


def softmax(W, X):
    scores = X @ W
    e = np.exp(scores - scores.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def right_softmax(W, X, y, reg):
    p = softmax(W, X)
    rows = np.arange(len(y))
    loss = -np.log(p[rows, y]).mean() + reg * np.sum(W * W)
    p[rows, y] -= 1
    return loss, X.T @ p / len(y) + 2 * reg * W


@wrong("example_missing", loss="softmax", convention="full", layout="DC", loop_free=False, example=True)
def range_too_short(W, X, y, reg):
    loss, dW, N = 0.0, np.zeros_like(W), len(y)
    for i in range(N - 1):
        p = softmax(W, X[i : i + 1])[0]
        loss -= np.log(p[y[i]])
        p[y[i]] -= 1
        dW += np.outer(X[i], p)
    return loss / N + reg * np.sum(W * W), dW / N + 2 * reg * W


@wrong("example_missing", loss="softmax", convention="half", layout="DC", loop_free=False)
def counts_from_one(W, X, y, reg):
    loss, dW, N = 0.0, np.zeros_like(W), len(y)
    for i in range(1, N):
        p = softmax(W, X[i : i + 1])[0]
        loss -= np.log(p[y[i]])
        p[y[i]] -= 1
        dW += np.outer(X[i], p)
    return loss / N + 0.5 * reg * np.sum(W * W), dW / N + reg * W


@wrong("example_missing", loss="softmax", convention="full", layout="DC")
def gradient_of_all_but_the_last(W, X, y, reg):
    loss, _ = right_softmax(W, X, y, reg)
    _, dW = right_softmax(W, X[:-1], y[:-1], 0.0)
    return loss, dW * (len(y) - 1) / len(y) + 2 * reg * W


@wrong("mean_in_loop", loss="softmax", convention="full", layout="DC", loop_free=False, example=True)
def divides_after_every_example(W, X, y, reg):
    loss, dW, N = 0.0, np.zeros_like(W), len(y)
    for i in range(N):
        p = softmax(W, X[i : i + 1])[0]
        loss -= np.log(p[y[i]])
        p[y[i]] -= 1
        dW += np.outer(X[i], p)
        loss /= N
        dW /= N
    return loss + reg * np.sum(W * W), dW + 2 * reg * W


@wrong("mean_in_loop", loss="hinge", layout="DC", loop_free=False)
def all_of_the_end_within_the_loop(W, X, y, reg):
    loss, dW, N = 0.0, np.zeros_like(W), len(y)
    for i in range(N):
        margins = X[i] @ W - X[i] @ W[:, y[i]] + 1
        margins[y[i]] = 0
        loss += margins[margins > 0].sum()
        slope = (margins > 0).astype(float)
        slope[y[i]] = -slope.sum()
        dW += np.outer(X[i], slope)
        loss /= N
        dW /= N
        loss += reg * np.sum(W * W)
        dW += 2 * reg * W
    return loss, dW


@wrong("one_example_only", loss="softmax", convention="full", layout="DC", example=True)
def overwritten_by_every_example(W, X, y, reg):
    loss, dW, N = 0.0, np.zeros_like(W), len(y)
    for i in range(N):
        p = softmax(W, X[i : i + 1])[0]
        loss = -np.log(p[y[i]])
        p[y[i]] -= 1
        dW[:] = np.outer(X[i], p)
    return loss / N + reg * np.sum(W * W), dW / N + 2 * reg * W


@wrong("one_example_only", loss="softmax", convention="full", layout="DC")
def value_overwritten_by_every_example(W, X, y, reg):
    _, dW = right_softmax(W, X, y, reg)
    for i in range(len(y)):
        loss = -np.log(softmax(W, X[i : i + 1])[0, y[i]])
    return loss / len(y) + reg * np.sum(W * W), dW


@wrong("one_example_only", loss="softmax", convention="full", layout="DC")
def returns_inside_the_loop(W, X, y, reg):
    loss, dW = 0.0, np.zeros_like(W)
    for i in range(len(y)):
        p = softmax(W, X[i : i + 1])[0]
        loss -= np.log(p[y[i]])
        p[y[i]] -= 1
        dW += np.outer(X[i], p)
        return loss + reg * np.sum(W * W), dW + 2 * reg * W
    return loss, dW


@wrong("label_index", loss="softmax", convention="full", layout="DC", loop_free=True, example=True)
def columns_of_the_labels(W, X, y, reg):
    p = softmax(W, X)
    loss = -np.log(p[np.arange(len(y)), y]).mean() + reg * np.sum(W * W)
    p[:, y] -= 1
    return loss, X.T @ p / len(y) + 2 * reg * W


@wrong("label_index", loss="softmax", convention="full", layout="DC", loop_free=True)
def rows_of_the_labels(W, X, y, reg):
    p = softmax(W, X)
    loss = -np.log(p[np.arange(len(y)), y]).mean() + reg * np.sum(W * W)
    p[y] -= 1
    return loss, X.T @ p / len(y) + 2 * reg * W


@wrong("label_index", loss="softmax", convention="full", layout="DC", loop_free=True)
def value_of_the_rows_of_the_labels(W, X, y, reg):
    _, dW = right_softmax(W, X, y, reg)
    return -np.sum(np.log(softmax(W, X)[y])) / len(y) + reg * np.sum(W * W), dW


@wrong("label_index", loss="softmax", convention="full", layout="DC", loop_free=True)
def mean_over_the_rows_of_the_labels(W, X, y, reg):
    _, dW = right_softmax(W, X, y, reg)
    return -np.mean(np.log(softmax(W, X)[y])) + reg * np.sum(W * W), dW


@wrong("label_index", loss="softmax", convention="full", layout="DC", loop_free=True)
def value_of_the_columns_of_the_labels(W, X, y, reg):
    _, dW = right_softmax(W, X, y, reg)
    return -np.sum(np.log(softmax(W, X)[:, y])) / len(y) + reg * np.sum(W * W), dW


@wrong("label_index", loss="softmax", convention="half", layout="CD", loop_free=True)
def mean_over_the_columns_of_the_labels(W, X, y, reg):
    _, dW = right_softmax(W.T, X.T, y, reg / 2)
    p = softmax(W.T, X.T)
    return -np.log(p[:, y]).mean() + 0.5 * reg * np.sum(W * W), dW.T


@wrong("wrong_value", loss="softmax", convention="full", layout="DC", loop_free=True)
def penalty_with_a_ceiling(W, X, y, reg):
    return right_softmax(W, X, y, min(reg, 2.5))


@wrong("class_missing", loss="softmax", convention="full", layout="DC")
def gradient_of_all_classes_but_the_first(W, X, y, reg):
    loss, _ = right_softmax(W, X, y, reg)
    p, dW = softmax(W, X), np.zeros_like(W)
    for j in range(1, W.shape[1]):
        dW[:, j] = X.T @ (p[:, j] - (y == j)) / len(y)
    return loss, dW + 2 * reg * W


@wrong("stops_at_true_class", loss="hinge", convention="full", layout="DC", loop_free=False, example=True)
def breaks_at_the_true_class(W, X, y, reg):
    loss, dW = 0.0, np.zeros(W.shape)
    for i in range(len(X)):
        scores = X[i].dot(W)
        for j in range(W.shape[1]):
            if j == y[i]:
                break
            margin = scores[j] - scores[y[i]] + 1
            if margin > 0:
                loss += margin
                dW[:, j] += X[i]
                dW[:, y[i]] -= X[i]
    return loss / len(X) + reg * np.sum(W * W), dW / len(X) + 2 * reg * W


@wrong("class_missing", loss="hinge", convention="full", layout="DC", loop_free=False)
def leaves_out_the_first_class(W, X, y, reg):
    loss, dW = 0.0, np.zeros(W.shape)
    for i in range(len(X)):
        scores = X[i].dot(W)
        for j in range(1, W.shape[1]):
            margin = scores[j] - scores[y[i]] + 1
            if j != y[i] and margin > 0:
                loss += margin
                dW[:, j] += X[i]
                dW[:, y[i]] -= X[i]
    return loss / len(X) + reg * np.sum(W * W), dW / len(X) + 2 * reg * W


@wrong("one_example_only", "mean_missing", loss="hinge", convention="full", layout="DC", loop_free=False)
def margins_of_the_last_example(W, X, y, reg):
    loss, dW = 0.0, np.zeros(W.shape)
    for i in range(len(X)):
        margins = np.maximum(0, X[i].dot(W) - X[i].dot(W)[y[i]] + 1)
        margins[y[i]] = 0
        loss = margins.sum()
        slope = (margins > 0).astype(float)
        slope[y[i]] = -slope.sum()
        dW = np.outer(X[i], slope)
    return loss + reg * np.sum(W * W), dW + 2 * reg * W

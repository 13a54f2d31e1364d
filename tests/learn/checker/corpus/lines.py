"""Slips of one line that no formula names, or that one does: what is told of them has the line."""

import numpy as np
from corpus.registry import wrong  # pyright: ignore[reportMissingImports]


@wrong("others_get_true", loss="softmax", example=True)
def probability_of_the_label_for_every_class(W, X, y, reg):
    loss, dW = 0.0, np.zeros_like(W)
    for i in range(X.shape[0]):
        s = X[i].dot(W)
        p = np.exp(s - s.max()) / np.exp(s - s.max()).sum()
        loss -= np.log(p[y[i]])
        for j in range(W.shape[1]):
            dW[:, j] += (p[y[i]] - (j == y[i])) * X[i]
    return loss / X.shape[0] + reg * np.sum(W * W), dW / X.shape[0] + 2 * reg * W


@wrong("example_of_class", loss="hinge", example=True)
def example_numbered_by_the_class(W, X, y, reg):
    loss, dW = 0.0, np.zeros(W.shape)
    for i in range(X.shape[0]):
        s = X[i].dot(W)
        for j in range(W.shape[1]):
            margin = s[j] - s[y[i]] + 1
            if j != y[i] and margin > 0:
                loss += margin
                dW[:, j] += X[j]
                dW[:, y[i]] -= X[i]
    return loss / X.shape[0] + reg * np.sum(W * W), dW / X.shape[0] + 2 * reg * W


@wrong("negative_margins_left", loss="hinge", example=True)
def mask_of_what_is_positive_alone(W, X, y, reg):
    N = X.shape[0]
    m = X.dot(W) - X.dot(W)[np.arange(N), y].reshape(-1, 1) + 1
    m[np.arange(N), y] = 0
    loss = m[m > 0].sum() / N + reg * np.sum(W * W)
    m[m > 0] = 1
    m[np.arange(N), y] = -m.sum(axis=1)
    return loss, X.T.dot(m) / N + 2 * reg * W


@wrong("boolean_mask", loss="hinge", example=True)
def count_in_a_mask(W, X, y, reg):
    N = X.shape[0]
    s = X.dot(W)
    m = np.maximum(0, s - s[np.arange(N), y].reshape(-1, 1) + 1)
    m[np.arange(N), y] = 0
    mask = m > 0
    mask[np.arange(N), y] = -np.sum(mask, axis=1)
    return m.sum() / N + reg * np.sum(W * W), X.T.dot(mask) / N + 2 * reg * W


@wrong("wrong_divisor", loss="softmax", example=True)
def divided_by_the_number_of_classes(W, X, y, reg):
    num_train, num_classes = X.shape[0], W.shape[1]
    s = X.dot(W)
    p = np.exp(s - s.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    loss = -np.log(p[np.arange(num_train), y]).sum()
    p[np.arange(num_train), y] -= 1
    dW = X.T.dot(p) / num_train
    loss /= num_classes
    return loss + reg * np.sum(W * W), dW + 2 * reg * W


@wrong("penalty_not_in_value", "penalty_gradient_squared", loss="softmax")
def squares_in_the_gradient_alone(W, X, y, reg):
    N = X.shape[0]
    s = X.dot(W)
    p = np.exp(s - s.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    loss = -np.log(p[np.arange(N), y]).mean()
    p[np.arange(N), y] -= 1
    return loss, X.T.dot(p) / N + 2 * reg * W * W


@wrong("penalty_gradient_squared", loss="softmax", example=True)
def squares_in_the_gradient(W, X, y, reg):
    N = X.shape[0]
    s = X.dot(W)
    p = np.exp(s - s.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    loss = -np.log(p[np.arange(N), y]).mean() + reg * np.sum(W * W)
    p[np.arange(N), y] -= 1
    return loss, X.T.dot(p) / N + 2 * reg * W * W


@wrong("capped_scores", loss="softmax", verdict="right_unstable", example=True)
def scores_of_500_at_most(W, X, y, reg):
    N = X.shape[0]
    s = np.minimum(X.dot(W), 500)
    p = np.exp(s)
    p /= p.sum(axis=1, keepdims=True)
    loss = -np.log(p[np.arange(N), y]).mean() + reg * np.sum(W * W)
    p[np.arange(N), y] -= 1
    return loss, X.T.dot(p) / N + 2 * reg * W


@wrong("wrong_index", loss="hinge", example=True)
def margin_against_the_first_class(W, X, y, reg):
    loss, dW = 0.0, np.zeros(W.shape)
    for i in range(X.shape[0]):
        s = X[i].dot(W)
        for j in range(W.shape[1]):
            margin = s[j] - s[y[0]] + 1
            if j != y[i] and margin > 0:
                loss += s[j] - s[y[i]] + 1
                dW[:, j] += X[i]
                dW[:, y[i]] -= X[i]
    return loss / X.shape[0] + reg * np.sum(W * W), dW / X.shape[0] + 2 * reg * W


@wrong("wrong_axis", loss="hinge", example=True)
def counts_along_the_examples(W, X, y, reg):
    N = X.shape[0]
    s = X.dot(W)
    m = np.maximum(0, s - s[np.arange(N), y].reshape(-1, 1) + 1)
    m[np.arange(N), y] = 0
    mask = (m > 0).astype(float)
    counts = np.sum(mask, axis=0)
    mask[np.arange(N), y] = -counts[y] if len(y) != len(counts) else -counts
    return m.sum() / N + reg * np.sum(W * W), X.T.dot(mask) / N + 2 * reg * W


@wrong("wrong_operator", loss="softmax", example=True)
def adds_the_maximum_of_one(W, X, y, reg):
    loss, dW = 0.0, np.zeros_like(W)
    for i in range(X.shape[0]):
        s = X[i].dot(W)
        log_sum = s.max() + np.log(np.exp(s - s.max()).sum())
        loss += log_sum - s[y[i]]
        for j in range(W.shape[1]):
            p = np.exp(s[j] + log_sum)
            dW[:, j] += (p - (j == y[i])) * X[i]
    return loss / X.shape[0] + reg * np.sum(W * W), dW / X.shape[0] + 2 * reg * W


@wrong("wrong_number", loss="softmax", example=True)
def every_other_example(W, X, y, reg):
    loss, dW = 0.0, np.zeros_like(W)
    for i in range(0, X.shape[0], 2):
        s = X[i].dot(W)
        p = np.exp(s - s.max()) / np.exp(s - s.max()).sum()
        loss -= np.log(p[y[i]])
        p[y[i]] -= 1
        dW += np.outer(X[i], p)
    return loss / X.shape[0] + reg * np.sum(W * W), dW / X.shape[0] + 2 * reg * W


@wrong("wrong_name", loss="softmax", example=True)
def scores_where_probabilities_are_meant(W, X, y, reg):
    N = X.shape[0]
    s = X.dot(W)
    s -= s.max(axis=1, keepdims=True)
    p = np.exp(s)
    p /= p.sum(axis=1, keepdims=True)
    loss = -np.log(p[np.arange(N), y]).mean() + reg * np.sum(W * W)
    p[np.arange(N), y] -= 1
    return loss, X.T.dot(s) / N + 2 * reg * W


@wrong("wrong_term", loss="softmax", example=True)
def maximum_taken_off_the_logarithm_too(W, X, y, reg):
    loss, dW = 0.0, np.zeros_like(W)
    for i in range(X.shape[0]):
        s = X[i].dot(W)
        s -= s.max()
        loss += np.log(np.exp(s).sum()) - s[y[i]] * s[y[i]]
        p = np.exp(s) / np.exp(s).sum()
        p[y[i]] -= 1
        dW += np.outer(X[i], p)
    return loss / X.shape[0] + reg * np.sum(W * W), dW / X.shape[0] + 2 * reg * W


@wrong("wrong_statement", loss="softmax", example=True)
def exponential_twice(W, X, y, reg):
    N = X.shape[0]
    s = X.dot(W)
    s -= s.max(axis=1, keepdims=True)
    p = np.exp(s)
    p = np.sqrt(p)
    p /= p.sum(axis=1, keepdims=True)
    loss = -np.log(p[np.arange(N), y]).mean() + reg * np.sum(W * W)
    p[np.arange(N), y] -= 1
    return loss, X.T.dot(p) / N + 2 * reg * W


@wrong("undefined_name", loss="softmax", verdict="crashes")
def probabilities_by_another_name(W, X, y, reg):
    N = X.shape[0]
    s = X.dot(W)
    probs = np.exp(s - s.max(axis=1, keepdims=True))
    probs /= probs.sum(axis=1, keepdims=True)
    loss = -np.log(prob[np.arange(N), y]).mean() + reg * np.sum(W * W)  # noqa: F821  # pyright: ignore[reportUndefinedVariable]
    probs[np.arange(N), y] -= 1
    return loss, X.T.dot(probs) / N + 2 * reg * W

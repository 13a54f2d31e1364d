"""Softmax losses with two faults at once, which must both be reported."""

import numpy as np
from corpus.registry import wrong  # pyright: ignore[reportMissingImports]


@wrong("penalty_gradient_half", "overflow", loss="softmax", layout="DC", loop_free=False)
def half_and_overflow(W, X, y, reg):
    loss, dW = 0.0, np.zeros_like(W)
    for i in range(X.shape[0]):
        e = np.exp(X[i].dot(W))
        loss -= np.log(e[y[i]] / e.sum())
        for j in range(W.shape[1]):
            dW[:, j] += (e[j] / e.sum() - (j == y[i])) * X[i]
    loss = loss / X.shape[0] + reg * np.sum(W * W)
    return loss, dW / X.shape[0] + reg * W


@wrong("penalty_not_in_gradient", "batch_maximum", loss="softmax", layout="CD", loop_free=True)
def no_gradient_of_the_penalty_and_one_maximum(W, X, y, reg):
    N = X.shape[1]
    scores = W.dot(X)
    scores -= np.max(scores)
    p = np.exp(scores) / np.sum(np.exp(scores), axis=0)
    loss = -np.mean(np.log(p[y, np.arange(N)])) + 0.5 * reg * np.sum(W * W)
    p[y, np.arange(N)] -= 1
    return loss, p.dot(X.T) / N


@wrong("mean_missing", "penalty_not_in_gradient", loss="softmax", layout="DC")
def sum_of_losses_and_no_gradient_of_the_penalty(W, X, y, reg):
    N = X.shape[0]
    f = X.dot(W)
    f -= f.max(axis=1, keepdims=True)
    p = np.exp(f) / np.exp(f).sum(axis=1, keepdims=True)
    loss = -np.log(p[range(N), y]).sum() + reg * np.sum(W * W)
    p[range(N), y] -= 1
    return loss, X.T.dot(p) / N


@wrong("sign_of_value", "penalty_missing", loss="softmax", layout="DC")
def minus_and_penalty_forgotten(W, X, y, reg):
    loss, dW = 0.0, np.zeros(W.shape)
    for i in range(len(y)):
        f = X[i] @ W
        p = np.exp(f - f.max()) / np.exp(f - f.max()).sum()
        loss += np.log(p[y[i]]) / len(y)
        p[y[i]] -= 1
        dW += np.outer(X[i], p) / len(y)
    return loss, dW


@wrong("mean_missing", "penalty_gradient_double", loss="softmax", layout="DC")
def sum_of_gradients_and_double_penalty(W, X, y, reg):
    N = len(y)
    z = X @ W
    z -= z.max(axis=1, keepdims=True)
    logp = z - np.log(np.exp(z).sum(axis=1, keepdims=True))
    loss = -logp[np.arange(N), y].mean() + 0.5 * reg * np.sum(W * W)
    G = np.exp(logp)
    G[np.arange(N), y] -= 1
    return loss, X.T @ G + 2 * reg * W


@wrong("label_of_class", "penalty_gradient_half", loss="softmax", layout="DC", loop_free=False)
def class_index_and_half(W, X, y, reg):
    loss, dW, N = 0.0, np.zeros_like(W), X.shape[0]
    for i in range(N):
        f = X[i].dot(W)
        f -= np.max(f)
        total = np.sum(np.exp(f))
        loss += np.log(total) - f[y[i]]
        for j in range(W.shape[1]):
            dW[:, j] += np.exp(f[j]) / total * X[i]
            if j == y[j]:
                dW[:, j] -= X[i]
    return loss / N + reg * np.sum(W * W), dW / N + reg * W


@wrong("batch_normaliser", "penalty_not_in_value", loss="softmax", layout="DC", loop_free=True)
def one_sum_and_no_penalty_in_the_value(W, X, y, reg):
    N = X.shape[0]
    scores = X.dot(W)
    scores -= np.max(scores, axis=1, keepdims=True)
    p = np.exp(scores) / np.sum(np.exp(scores))
    loss = -np.sum(np.log(p[np.arange(N), y])) / N
    p[np.arange(N), y] -= 1
    return loss, X.T.dot(p) / N + 2 * reg * W


@wrong("no_logarithm", "penalty_gradient_scalar", loss="softmax", layout="DC")
def mean_probability_and_scalar(W, X, y, reg):
    N = X.shape[0]
    f = X.dot(W)
    p = np.exp(f - f.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    loss = np.mean(-p[np.arange(N), y]) + reg * np.sum(W * W)
    p[np.arange(N), y] -= 1
    return loss, X.T.dot(p) / N + 2 * reg * np.sum(W)


@wrong("others_get_one", "mean_missing", loss="softmax", layout="CD", loop_free=False)
def hinge_habits_and_a_sum(W, X, y, reg):
    loss, dW, N = 0.0, np.zeros_like(W), X.shape[1]
    for i in range(N):
        f = W.dot(X[:, i])
        p = np.exp(f - f.max()) / np.sum(np.exp(f - f.max()))
        loss += -np.log(p[y[i]])
        for c in range(W.shape[0]):
            dW[c] += (p[c] - 1 if c == y[i] else 1) * X[:, i]
    return loss + 0.5 * reg * np.sum(W * W), dW / N + reg * W


@wrong("changes_weights", "mean_missing", loss="softmax", layout="DC", loop_free=True)
def weights_changed_and_a_sum(W, X, y, reg):
    N = X.shape[0]
    scores = X.dot(W)
    scores -= np.max(scores, axis=1)[:, None]
    p = np.exp(scores) / np.sum(np.exp(scores), axis=1)[:, None]
    loss = -np.sum(np.log(p[np.arange(N), y])) / N + 0.5 * reg * np.sum(W * W)
    p[np.arange(N), y] -= 1
    W *= reg
    return loss, X.T.dot(p) + W


@wrong("true_class_not_subtracted", "penalty_precedence", loss="softmax", layout="DC")
def copy_and_precedence(W, X, y, reg):
    N = X.shape[0]
    scores = X.dot(W)
    scores -= np.max(scores, axis=1, keepdims=True)
    p = np.exp(scores) / np.sum(np.exp(scores), axis=1, keepdims=True)
    loss = -np.sum(np.log(p[np.arange(N), y]))
    loss /= N + reg * np.sum(W * W)
    p[range(N), :][:, y] -= 1
    return loss, X.T.dot(p) / N + 2 * reg * W

"""Softmax losses that are right at ordinary scores and fail at large ones."""

# ruff: noqa: F841
import numpy as np
from corpus.registry import wrong  # pyright: ignore[reportMissingImports]

UNSTABLE = "right_unstable"


@wrong("overflow", loss="softmax", verdict=UNSTABLE, example=True, convention="full", layout="DC", loop_free=False)
def no_shift_in_loops(W, X, y, reg):
    loss = 0.0
    dW = np.zeros_like(W)
    for i in range(X.shape[0]):
        scores = X[i].dot(W)
        p = np.exp(scores) / np.sum(np.exp(scores))
        loss -= np.log(p[y[i]])
        for j in range(W.shape[1]):
            dW[:, j] += (p[j] - (j == y[i])) * X[i]
    loss = loss / X.shape[0] + reg * np.sum(W * W)
    return loss, dW / X.shape[0] + 2 * reg * W


@wrong("overflow", loss="softmax", verdict=UNSTABLE, convention="half", layout="DC", loop_free=True)
def no_shift_at_once(W, X, y, reg):
    N = X.shape[0]
    e = np.exp(X @ W)
    loss = np.mean(np.log(e.sum(axis=1)) - np.log(e[np.arange(N), y])) + 0.5 * reg * np.sum(W * W)
    G = e / e.sum(axis=1, keepdims=True)
    G[np.arange(N), y] -= 1
    return loss, X.T @ G / N + reg * W


@wrong("overflow", loss="softmax", verdict=UNSTABLE, convention="full", layout="CD", loop_free=True)
def no_shift_with_classes_first(W, X, y, reg):
    n = X.shape[1]
    scores = np.dot(W, X)
    prob = np.e**scores / np.sum(np.e**scores, axis=0)
    loss = -np.sum(np.log(prob[y, np.arange(n)])) / n + reg * np.linalg.norm(W) ** 2
    prob[y, np.arange(n)] -= 1
    return loss, prob.dot(X.T) / n + 2 * reg * W


@wrong("overflow", loss="softmax", verdict=UNSTABLE, convention="half", layout="DC", loop_free=False)
def no_shift_in_the_gradient(W, X, y, reg):
    loss, dW = 0.0, np.zeros_like(W)
    for i in range(len(y)):
        f = X[i].dot(W)
        loss += np.log(np.sum(np.exp(f - f.max()))) + f.max() - f[y[i]]
        for j in range(W.shape[1]):
            dW[:, j] += np.exp(f[j]) / np.sum(np.exp(f)) * X[i]
        dW[:, y[i]] -= X[i]
    return loss / len(y) + 0.5 * reg * np.sum(W * W), dW / len(y) + reg * W


@wrong("overflow", loss="softmax", verdict=UNSTABLE, convention="full", layout="DC", loop_free=True)
def no_shift_in_the_value(W, X, y, reg):
    N = X.shape[0]
    S = X.dot(W)
    loss = np.mean(np.log(np.exp(S).sum(axis=1)) - S[range(N), y]) + reg * np.sum(W**2)
    S -= S.max(axis=1, keepdims=True)
    P = np.exp(S) / np.exp(S).sum(axis=1, keepdims=True)
    P[range(N), y] -= 1
    return loss, X.T.dot(P) / N + 2 * reg * W


@wrong("overflow", loss="softmax", verdict=UNSTABLE, convention="half", layout="CD")
def shift_thrown_away(W, X, y, reg):
    loss, dW = 0.0, np.zeros(W.shape)
    for i in range(X.shape[1]):
        f = W.dot(X[:, i])
        shifted = f - np.max(f)
        p = np.exp(f) / np.sum(np.exp(f))
        loss += -np.log(p[y[i]])
        p[y[i]] -= 1
        dW += np.outer(p, X[:, i])
    return loss / X.shape[1] + 0.5 * reg * np.sum(W * W), dW / X.shape[1] + reg * W


@wrong("batch_maximum", loss="softmax", verdict=UNSTABLE, example=True, convention="full", layout="DC", loop_free=True)
def one_maximum_for_all(W, X, y, reg):
    N = X.shape[0]
    scores = X.dot(W)
    scores -= np.max(scores)
    p = np.exp(scores) / np.sum(np.exp(scores), axis=1, keepdims=True)
    loss = -np.sum(np.log(p[np.arange(N), y])) / N + reg * np.sum(W * W)
    p[np.arange(N), y] -= 1
    return loss, X.T.dot(p) / N + 2 * reg * W


@wrong("batch_maximum", loss="softmax", verdict=UNSTABLE, convention="half", layout="CD", loop_free=False)
def one_maximum_for_all_in_a_loop(W, X, y, reg):
    scores = W.dot(X)
    scores = scores - scores.max()
    N, dW, loss = len(y), np.zeros_like(W), 0.0
    for i in range(N):
        total = np.sum(np.exp(scores[:, i]))
        loss += np.log(total) - scores[y[i], i]
        for c in range(len(W)):
            dW[c] += (np.exp(scores[c, i]) / total - (c == y[i])) * X[:, i]
    return loss / N + 0.5 * reg * np.sum(W * W), dW / N + reg * W


@wrong(
    "maximum_from_zero", loss="softmax", verdict=UNSTABLE, example=True, convention="full", layout="DC", loop_free=False
)
def maximum_begins_at_zero(W, X, y, reg):
    loss = 0.0
    dW = np.zeros_like(W)
    for i in range(X.shape[0]):
        scores = X[i].dot(W)
        highest = 0
        for s in scores:
            if s > highest:
                highest = s
        p = np.exp(scores - highest) / np.sum(np.exp(scores - highest))
        loss -= np.log(p[y[i]])
        p[y[i]] -= 1
        dW += np.outer(X[i], p)
    loss = loss / X.shape[0] + reg * np.sum(W * W)
    return loss, dW / X.shape[0] + 2 * reg * W


@wrong("maximum_from_zero", loss="softmax", verdict=UNSTABLE, convention="half", layout="CD", loop_free=True)
def maximum_never_below_zero(W, X, y, reg):
    n = y.size
    z = W @ X
    z = z - np.maximum(0, np.max(z, axis=0))
    e = np.exp(z)
    loss = np.sum(np.log(np.sum(e, axis=0)) - z[y, np.arange(n)]) / n + 0.5 * reg * np.sum(W * W)
    p = e / np.sum(e, axis=0)
    p[y, np.arange(n)] -= 1
    return loss, p @ X.T / n + reg * W


@wrong("capped_logarithm", loss="softmax", verdict=UNSTABLE, example=True, convention="full", layout="DC")
def tiny_number_in_the_logarithm(W, X, y, reg):
    N = X.shape[0]
    scores = X.dot(W)
    scores -= np.max(scores, axis=1, keepdims=True)
    p = np.exp(scores) / np.sum(np.exp(scores), axis=1, keepdims=True)
    loss = -np.sum(np.log(p[np.arange(N), y] + 1e-14)) / N + reg * np.sum(W * W)
    p[np.arange(N), y] -= 1
    return loss, X.T.dot(p) / N + 2 * reg * W


@wrong("capped_logarithm", loss="softmax", verdict=UNSTABLE, convention="half", layout="CD", loop_free=False)
def small_number_in_the_logarithm(W, X, y, reg):
    loss, dW = 0.0, np.zeros_like(W)
    for i in range(X.shape[1]):
        f = W.dot(X[:, i])
        p = np.exp(f - f.max()) / np.sum(np.exp(f - f.max()))
        loss += -np.log(p[y[i]] + 1e-8)
        p[y[i]] -= 1
        dW += np.outer(p, X[:, i])
    return loss / X.shape[1] + 0.5 * reg * np.sum(W * W), dW / X.shape[1] + reg * W


@wrong("capped_logarithm", loss="softmax", verdict=UNSTABLE, convention="full", layout="DC", loop_free=True)
def clipped_probabilities(W, X, y, reg):
    T = np.eye(W.shape[1])[y]
    f = X @ W - np.max(X @ W, axis=1)[:, None]
    P = np.exp(f) / np.exp(f).sum(axis=1)[:, None]
    loss = -(T * np.log(np.clip(P, 1e-12, 1.0))).sum() / len(X) + reg * (W * W).sum()
    return loss, X.T @ (P - T) / len(X) + 2 * reg * W


@wrong("capped_logarithm", loss="softmax", verdict=UNSTABLE, convention="half", layout="DC", loop_free=True)
def very_small_number_in_the_logarithm(W, X, y, reg):
    N = X.shape[0]
    f = X @ W
    f -= f.max(axis=1, keepdims=True)
    p = np.exp(f) / np.exp(f).sum(axis=1, keepdims=True)
    loss = -np.mean(np.log(p[np.arange(N), y] + 1e-100)) + 0.5 * reg * np.sum(W * W)
    p[np.arange(N), y] -= 1
    return loss, X.T @ p / N + reg * W


@wrong("wrong_at_large_scores", loss="softmax", verdict=UNSTABLE, example=True, convention="full", layout="DC")
def large_scores_halved(W, X, y, reg):
    N = X.shape[0]
    scores = X.dot(W)
    scores = np.where(np.abs(scores) > 500, scores / 2, scores)
    p = np.exp(scores - np.max(scores, axis=1, keepdims=True))
    p /= np.sum(p, axis=1, keepdims=True)
    loss = -np.sum(np.log(p[np.arange(N), y])) / N + reg * np.sum(W * W)
    p[np.arange(N), y] -= 1
    return loss, X.T.dot(p) / N + 2 * reg * W


@wrong("overflow", loss="softmax", verdict=UNSTABLE, convention="full", layout="DC")
def infinities_made_finite(W, X, y, reg):
    N = X.shape[0]
    e = np.exp(X.dot(W))
    p = np.nan_to_num(e / np.sum(e, axis=1, keepdims=True))
    loss = -np.sum(np.nan_to_num(np.log(p[np.arange(N), y]))) / N + reg * np.sum(W * W)
    p[np.arange(N), y] -= 1
    return loss, X.T.dot(p) / N + 2 * reg * W


@wrong("capped_scores", loss="softmax", verdict=UNSTABLE, convention="full", layout="DC")
def clipped_scores(W, X, y, reg):
    N = X.shape[0]
    scores = np.clip(X.dot(W), -50, 50)
    p = np.exp(scores) / np.sum(np.exp(scores), axis=1, keepdims=True)
    loss = -np.sum(np.log(p[np.arange(N), y])) / N + reg * np.sum(W * W)
    p[np.arange(N), y] -= 1
    return loss, X.T.dot(p) / N + 2 * reg * W


@wrong("overflow", loss="softmax", verdict=UNSTABLE, convention="half", layout="DC", loop_free=False)
def mean_instead_of_maximum(W, X, y, reg):
    loss, dW = 0.0, np.zeros(W.shape)
    for i in range(len(X)):
        f = X[i] @ W
        f -= np.mean(f)
        total = np.exp(f).sum()
        loss += np.log(total) - f[y[i]]
        for j in range(len(f)):
            dW[:, j] += (np.exp(f[j]) / total - (y[i] == j)) * X[i]
    return loss / len(X) + 0.5 * reg * np.sum(W * W), dW / len(X) + reg * W


@wrong("overflow", loss="softmax", verdict=UNSTABLE, convention="full", layout="DC", loop_free=True)
def minimum_instead_of_maximum(W, X, y, reg):
    N = X.shape[0]
    scores = X.dot(W)
    scores -= np.min(scores, axis=1, keepdims=True)
    p = np.exp(scores) / np.sum(np.exp(scores), axis=1, keepdims=True)
    loss = -np.sum(np.log(p[np.arange(N), y])) / N + reg * np.sum(W * W)
    p[np.arange(N), y] -= 1
    return loss, X.T.dot(p) / N + 2 * reg * W

"""Softmax losses with a wrong sign, mean or factor, or that are wrong for some arguments only."""

import numpy as np
from corpus.registry import wrong  # pyright: ignore[reportMissingImports]


@wrong("sign_of_value", loss="softmax", example=True)
def minus_forgotten(W, X, y, reg):
    N = X.shape[0]
    scores = X.dot(W)
    scores -= np.max(scores, axis=1, keepdims=True)
    p = np.exp(scores) / np.sum(np.exp(scores), axis=1, keepdims=True)
    loss = np.sum(np.log(p[np.arange(N), y])) / N + reg * np.sum(W * W)
    p[np.arange(N), y] -= 1
    return loss, X.T.dot(p) / N + 2 * reg * W


@wrong("sign_of_value", loss="softmax", layout="CD", loop_free=False)
def true_score_minus_logarithm(W, X, y, reg):
    loss, dW = 0.0, np.zeros_like(W)
    for i in range(X.shape[1]):
        f = W.dot(X[:, i])
        f -= np.max(f)
        loss += f[y[i]] - np.log(np.sum(np.exp(f)))
        p = np.exp(f) / np.sum(np.exp(f))
        p[y[i]] -= 1
        dW += np.outer(p, X[:, i])
    return loss / X.shape[1] + 0.5 * reg * np.sum(W * W), dW / X.shape[1] + reg * W


@wrong("sign_of_gradient", loss="softmax", example=True)
def truth_minus_probability(W, X, y, reg):
    N = X.shape[0]
    scores = X.dot(W)
    scores -= np.max(scores, axis=1, keepdims=True)
    p = np.exp(scores) / np.sum(np.exp(scores), axis=1, keepdims=True)
    loss = -np.sum(np.log(p[np.arange(N), y])) / N + reg * np.sum(W * W)
    truth = np.zeros(p.shape)
    truth[np.arange(N), y] = 1
    return loss, X.T.dot(truth - p) / N + 2 * reg * W


@wrong("sign_of_gradient", loss="softmax", loop_free=False)
def gradient_subtracted(W, X, y, reg):
    loss, dW = 0.0, np.zeros_like(W)
    for i in range(len(y)):
        f = X[i].dot(W)
        p = np.exp(f - f.max())
        p /= p.sum()
        loss += -np.log(p[y[i]])
        for j in range(W.shape[1]):
            dW[:, j] -= (p[j] - (j == y[i])) * X[i]
    return loss / len(y) + 0.5 * reg * np.sum(W * W), dW / len(y) + reg * W


@wrong("mean_missing", loss="softmax", example=True)
def gradient_not_divided(W, X, y, reg):
    N = X.shape[0]
    scores = X.dot(W)
    scores -= np.max(scores, axis=1, keepdims=True)
    p = np.exp(scores) / np.sum(np.exp(scores), axis=1, keepdims=True)
    loss = -np.sum(np.log(p[np.arange(N), y])) / N + reg * np.sum(W * W)
    p[np.arange(N), y] -= 1
    return loss, X.T.dot(p) + 2 * reg * W


@wrong("mean_missing", loss="softmax", loop_free=False)
def value_not_divided(W, X, y, reg):
    loss, dW = 0.0, np.zeros_like(W)
    for i in range(X.shape[0]):
        scores = X[i].dot(W)
        scores -= scores.max()
        p = np.exp(scores) / np.exp(scores).sum()
        loss -= np.log(p[y[i]])
        p[y[i]] -= 1
        for j in range(W.shape[1]):
            dW[:, j] += p[j] * X[i]
    loss += 0.5 * reg * np.sum(W * W)
    return loss, dW / X.shape[0] + reg * W


@wrong("mean_missing", loss="softmax", layout="CD", loop_free=True)
def nothing_divided(W, X, y, reg):
    cols = np.arange(X.shape[1])
    z = W.dot(X)
    z -= z.max(axis=0)
    logp = z - np.log(np.exp(z).sum(axis=0))
    g = np.exp(logp)
    g[y, cols] -= 1
    return -logp[y, cols].sum() + reg * np.sum(W * W), g.dot(X.T) + 2 * reg * W


@wrong("mean_doubled", loss="softmax", example=True)
def gradient_divided_twice(W, X, y, reg):
    N = X.shape[0]
    scores = X.dot(W)
    scores -= np.max(scores, axis=1, keepdims=True)
    p = np.exp(scores) / np.sum(np.exp(scores), axis=1, keepdims=True)
    loss = -np.sum(np.log(p[np.arange(N), y])) / N + reg * np.sum(W * W)
    p[np.arange(N), y] -= 1
    p /= N
    dW = X.T.dot(p) / N
    return loss, dW + 2 * reg * W


@wrong("mean_doubled", loss="softmax", layout="CD")
def value_divided_twice(W, X, y, reg):
    N = X.shape[1]
    f = np.dot(W, X)
    f -= np.max(f, axis=0)
    p = np.exp(f) / np.sum(np.exp(f), axis=0)
    loss = np.mean(-np.log(p[y, range(N)]))
    loss /= N
    loss += 0.5 * reg * np.sum(W * W)
    p[y, range(N)] -= 1
    return loss, p.dot(X.T) / N + reg * W


@wrong("mean_doubled", loss="softmax", loop_free=False)
def both_divided_in_the_loop_and_after(W, X, y, reg):
    loss, dW, n = 0.0, np.zeros(W.shape), len(X)
    for i in range(n):
        s = X[i] @ W - max(X[i] @ W)
        p = np.exp(s) / sum(np.exp(s))
        loss += -np.log(p[y[i]]) / n
        p[y[i]] -= 1
        dW += np.outer(X[i], p) / n
    loss /= n
    dW /= n
    return loss + reg * np.sum(W * W), dW + 2 * reg * W


@wrong("mean_over_classes", loss="softmax", example=True)
def mean_of_the_whole_table(W, X, y, reg):
    N = X.shape[0]
    scores = X.dot(W)
    scores -= np.max(scores, axis=1, keepdims=True)
    p = np.exp(scores) / np.sum(np.exp(scores), axis=1, keepdims=True)
    truth = np.zeros(p.shape)
    truth[np.arange(N), y] = 1
    loss = np.mean(-truth * np.log(p)) + reg * np.sum(W * W)
    return loss, X.T.dot(p - truth) / N + 2 * reg * W


@wrong("mean_over_classes", loss="softmax", loop_free=False)
def divided_by_the_classes_too(W, X, y, reg):
    loss, dW = 0.0, np.zeros_like(W)
    N, C = X.shape[0], W.shape[1]
    for i in range(N):
        f = X[i].dot(W)
        f -= np.max(f)
        Z = np.sum(np.exp(f))
        loss += np.log(Z) - f[y[i]]
        for j in range(C):
            dW[:, j] += X[i] * (np.exp(f[j]) / Z - (j == y[i]))
    loss /= N * C
    dW /= N * C
    return loss + 0.5 * reg * np.sum(W * W), dW + reg * W


@wrong("constant_factor", loss="softmax", example=True)
def two_as_for_squares(W, X, y, reg):
    N = X.shape[0]
    scores = X.dot(W)
    scores -= np.max(scores, axis=1, keepdims=True)
    p = np.exp(scores) / np.sum(np.exp(scores), axis=1, keepdims=True)
    loss = -np.sum(np.log(p[np.arange(N), y])) / N + reg * np.sum(W * W)
    p[np.arange(N), y] -= 1
    return loss, 2 * X.T.dot(p) / N + 2 * reg * W


@wrong("constant_factor", loss="softmax", layout="CD")
def half_the_cross_entropy(W, X, y, reg):
    loss, dW, N = 0.0, np.zeros_like(W), len(y)
    for i in range(N):
        f = W.dot(X[:, i])
        p = np.exp(f - f.max())
        p /= p.sum()
        loss += -0.5 * np.log(p[y[i]]) / N
        p[y[i]] -= 1
        dW += np.outer(p, X[:, i]) / N
    return loss + 0.5 * reg * np.sum(W * W), dW + reg * W


@wrong(loss="softmax")
def divided_by_one_less(W, X, y, reg):
    N = X.shape[0]
    scores = X.dot(W)
    scores -= np.max(scores, axis=1, keepdims=True)
    p = np.exp(scores) / np.sum(np.exp(scores), axis=1, keepdims=True)
    loss = -np.sum(np.log(p[np.arange(N), y])) / max(N - 1, 1) + reg * np.sum(W * W)
    p[np.arange(N), y] -= 1
    return loss, X.T.dot(p) / max(N - 1, 1) + 2 * reg * W


@wrong("absent_class", loss="softmax", example=True)
def classes_from_the_labels(W, X, y, reg):
    N, C = X.shape[0], np.max(y) + 1
    scores = X.dot(W)[:, :C]
    scores -= np.max(scores, axis=1, keepdims=True)
    p = np.exp(scores) / np.sum(np.exp(scores), axis=1, keepdims=True)
    loss = -np.sum(np.log(p[np.arange(N), y])) / N + reg * np.sum(W * W)
    p[np.arange(N), y] -= 1
    dW = 2 * reg * W
    dW[:, :C] += X.T.dot(p) / N
    return loss, dW


@wrong("absent_class", loss="softmax")
def one_column_for_each_label_seen(W, X, y, reg):
    N = X.shape[0]
    Y = (y[:, np.newaxis] == np.unique(y)).astype(float)
    z = X @ W
    z -= z.max(axis=1, keepdims=True)
    P = np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)
    loss = -np.sum(Y * np.log(P)) / N + 0.5 * reg * np.sum(W**2)
    return loss, X.T @ (P - Y) / N + reg * W


@wrong("absent_class", loss="softmax", layout="CD", loop_free=False)
def loop_over_the_labels_seen(W, X, y, reg):
    loss, dW, N = 0.0, np.zeros(W.shape), X.shape[1]
    classes = sorted(set(y.tolist()))
    for i in range(N):
        s = W.dot(X[:, i])
        s -= s.max()
        loss += np.log(np.sum(np.exp(s))) - s[y[i]]
        for c in classes:
            dW[c] += (np.exp(s[c]) / np.sum(np.exp(s)) - (c == y[i])) * X[:, i]
    return loss / N + reg * np.sum(W * W), dW / N + 2 * reg * W


@wrong("few_examples", loss="softmax", example=True)
def identity_of_the_wrong_size(W, X, y, reg):
    N, C = X.shape[0], W.shape[1]
    scores = X.dot(W)
    scores -= np.max(scores, axis=1, keepdims=True)
    p = np.exp(scores) / np.sum(np.exp(scores), axis=1, keepdims=True)
    truth = np.eye(N)[y, :C]
    loss = -np.sum(truth * np.log(p)) / N + reg * np.sum(W * W)
    return loss, X.T.dot(p - truth) / N + 2 * reg * W


@wrong("few_examples", loss="softmax")
def loops_mixed_up(W, X, y, reg):
    N, C = X.shape[0], W.shape[1]
    f = X.dot(W)
    f = np.exp(f - f.max(axis=1).reshape(N, 1))
    f /= f.sum(axis=1).reshape(N, 1)
    loss = -np.log(f[np.arange(N), y]).mean() + 0.5 * reg * np.sum(W * W)
    f[np.arange(N), y] -= 1
    dW = reg * W
    for j in range(C)[:N]:
        dW[:, j] += X.T.dot(f[:, j]) / N
    return loss, dW


@wrong("single_example", loss="softmax", example=True)
def squeezed(W, X, y, reg):
    N = X.shape[0]
    scores = np.squeeze(X.dot(W))
    scores -= np.max(scores, axis=1, keepdims=True)
    p = np.exp(scores) / np.sum(np.exp(scores), axis=1, keepdims=True)
    loss = -np.sum(np.log(p[np.arange(N), y])) / N + reg * np.sum(W * W)
    p[np.arange(N), y] -= 1
    return loss, X.T.dot(p) / N + 2 * reg * W


@wrong("single_example", loss="softmax", loop_free=False)
def labels_squeezed(W, X, y, reg):
    loss, dW = 0.0, np.zeros_like(W)
    for x, label in zip(X, np.squeeze(y), strict=True):
        f = x.dot(W)
        p = np.exp(f - f.max())
        p /= p.sum()
        loss -= np.log(p[label]) / len(X)
        p[label] -= 1
        dW += np.outer(x, p) / len(X)
    return loss + 0.5 * reg * np.sum(W * W), dW + reg * W

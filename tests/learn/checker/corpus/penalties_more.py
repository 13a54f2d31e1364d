"""Softmax losses with another penalty than the exercise's: not squared, scaled, without reg or without the bias."""

import numpy as np
from corpus.registry import wrong  # pyright: ignore[reportMissingImports]


@wrong("penalty_not_squared", loss="softmax", example=True)
def sum_of_the_weights(W, X, y, reg):
    N = X.shape[0]
    scores = X.dot(W)
    scores -= scores.max(axis=1, keepdims=True)
    p = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    loss = -np.log(p[np.arange(N), y]).mean() + reg * np.sum(W)
    p[np.arange(N), y] -= 1
    return loss, X.T.dot(p) / N + 2 * reg * W


@wrong("penalty_not_squared", loss="softmax")
def norm_of_the_weights(W, X, y, reg):
    loss, dW = 0.0, np.zeros_like(W)
    for i in range(X.shape[0]):
        s = X[i].dot(W)
        s -= np.max(s)
        p = np.exp(s) / np.sum(np.exp(s))
        loss -= np.log(p[y[i]])
        for j in range(W.shape[1]):
            dW[:, j] += (p[j] - 1 if j == y[i] else p[j]) * X[i]
    loss = loss / X.shape[0] + 0.5 * reg * np.linalg.norm(W)
    dW = dW / X.shape[0] + reg * W
    return loss, dW


@wrong("penalty_not_squared", loss="softmax", layout="CD")
def absolute_weights_and_their_signs(W, X, y, reg):
    N = X.shape[1]
    scores = W.dot(X)
    scores -= np.max(scores, axis=0)
    P = np.exp(scores) / np.sum(np.exp(scores), axis=0)
    loss = np.sum(-np.log(P[y, np.arange(N)])) / N + reg * np.sum(np.abs(W))
    P[y, np.arange(N)] -= 1
    return loss, P.dot(X.T) / N + reg * np.sign(W)


@wrong("penalty_scale", loss="softmax", example=True)
def penalty_divided_by_the_batch(W, X, y, reg):
    N = X.shape[0]
    scores = X.dot(W)
    scores -= scores.max(axis=1, keepdims=True)
    p = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    loss = -np.sum(np.log(p[np.arange(N), y])) + reg * np.sum(W * W)
    p[np.arange(N), y] -= 1
    return loss / N, X.T.dot(p) / N + 2 * reg * W


@wrong("penalty_scale", loss="softmax", loop_free=False)
def penalty_divided_by_the_batch_in_both(W, X, y, reg):
    loss = 0.0
    dW = np.zeros_like(W)
    for i, label in enumerate(y):
        f = X[i].dot(W)
        f -= f.max()
        loss += np.log(np.exp(f).sum()) - f[label]
        g = np.exp(f) / np.exp(f).sum()
        g[label] -= 1
        dW += np.outer(X[i], g)
    loss += 0.5 * reg * np.sum(W * W)
    dW += reg * W
    return loss / len(y), dW / len(y)


@wrong("penalty_scale", loss="softmax")
def penalty_gradient_divided_by_the_batch(W, X, y, reg):
    num_train = y.shape[0]
    S = X @ W
    S = np.exp(S - S.max(axis=1)[:, None])
    S = S / S.sum(axis=1)[:, None]
    loss = -np.log(S[range(num_train), y]).sum() / num_train + reg * np.sum(W**2)
    S[range(num_train), y] -= 1
    dW = (np.dot(X.T, S) + 2 * reg * W) / num_train
    return loss, dW


@wrong("penalty_scale", loss="softmax")
def mean_square_of_the_weights(W, X, y, reg):
    n = len(X)
    Z = X.dot(W)
    Z -= Z.max(axis=1, keepdims=True)
    log_p = Z - np.log(np.exp(Z).sum(axis=1, keepdims=True))
    G = np.exp(log_p)
    G[np.arange(n), y] -= 1
    return -log_p[np.arange(n), y].mean() + reg * np.mean(W * W), X.T.dot(G) / n + 2 * reg * W


@wrong("penalty_scale", loss="softmax")
def penalty_once_per_class(W, X, y, reg):
    N, C = X.shape[0], W.shape[1]
    scores = X.dot(W)
    scores -= np.max(scores, axis=1, keepdims=True)
    prob = np.exp(scores) / np.sum(np.exp(scores), axis=1, keepdims=True)
    loss = 0.0
    dW = np.zeros(W.shape)
    for c in range(C):
        mask = (y == c).astype(float)
        loss += -np.sum(mask * np.log(prob[:, c])) / N
        loss += reg * np.sum(W * W)
        dW[:, c] = X.T.dot(prob[:, c] - mask) / N + 2 * reg * W[:, c]
    return loss, dW


@wrong("penalty_without_reg", loss="softmax", example=True)
def reg_forgotten_in_both(W, X, y, reg):
    N = X.shape[0]
    scores = X.dot(W)
    scores -= scores.max(axis=1, keepdims=True)
    p = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    loss = -np.log(p[np.arange(N), y]).sum() / N + np.sum(W * W)
    p[np.arange(N), y] -= 1
    return loss, X.T.dot(p) / N + 2 * W


@wrong("penalty_without_reg", loss="softmax", loop_free=False)
def reg_forgotten_in_the_gradient(W, X, y, reg):
    loss, dW = 0.0, np.zeros_like(W)
    N, C = X.shape[0], W.shape[1]
    for i in range(N):
        scores = X[i].dot(W)
        scores -= np.max(scores)
        total = np.sum(np.exp(scores))
        loss += -scores[y[i]] + np.log(total)
        for j in range(C):
            dW[:, j] += np.exp(scores[j]) / total * X[i]
            if j == y[i]:
                dW[:, j] -= X[i]
    loss = loss / N + 0.5 * reg * np.sum(W * W)
    dW = dW / N + W
    return loss, dW


@wrong("penalty_without_reg", loss="softmax", layout="CD")
def reg_forgotten_in_the_value(W, X, y, reg):
    f = W @ X
    f = f - f.max(axis=0, keepdims=True)
    p = np.exp(f) / np.exp(f).sum(axis=0, keepdims=True)
    T = (np.arange(len(W))[:, None] == y[None, :]) * 1.0
    loss = -np.sum(np.log(p) * T) / y.size + 0.5 * np.sum(W * W)
    return loss, (p - T) @ X.T / y.size + reg * W


@wrong("penalty_without_bias", loss="softmax", example=True)
def bias_left_out(W, X, y, reg):
    N = X.shape[0]
    scores = X.dot(W)
    scores -= scores.max(axis=1, keepdims=True)
    p = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    loss = -np.log(p[np.arange(N), y]).sum() / N + reg * np.sum(W[:-1] ** 2)
    p[np.arange(N), y] -= 1
    dW = X.T.dot(p) / N
    dW[:-1] += 2 * reg * W[:-1]
    return loss, dW


@wrong("penalty_without_bias", loss="softmax")
def bias_left_out_of_the_gradient(W, X, y, reg):
    loss, dW = 0.0, np.zeros(W.shape)
    for i in range(len(y)):
        s = np.dot(X[i], W)
        e = np.exp(s - np.max(s))
        p = e / np.sum(e)
        loss += -np.log(p[y[i]]) / len(y)
        for j in range(W.shape[1]):
            dW[:, j] += X[i] * (p[j] - (1 if j == y[i] else 0)) / len(y)
    loss += 0.5 * reg * np.sum(W * W)
    R = W.copy()
    R[-1, :] = 0
    return loss, dW + reg * R


@wrong("penalty_without_bias", loss="softmax", layout="CD")
def bias_left_out_with_classes_first(W, X, y, reg):
    C, N = W.shape[0], X.shape[1]
    A = W.dot(X)
    A -= A.max(axis=0)
    A = np.exp(A) / np.sum(np.exp(A), axis=0)
    loss = -np.sum(np.log(A[y, np.arange(N)])) / N
    A[y, np.arange(N)] -= 1
    dW = A.dot(X.T) / N
    no_bias = np.hstack([W[:, :-1], np.zeros((C, 1))])
    return loss + 0.5 * reg * np.sum(no_bias**2), dW + reg * no_bias


@wrong("penalty_wrong", loss="softmax", example=True)
def square_of_the_sum(W, X, y, reg):
    N = X.shape[0]
    scores = X.dot(W)
    scores -= scores.max(axis=1, keepdims=True)
    p = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    loss = -np.log(p[np.arange(N), y]).sum() / N + reg * np.sum(W) ** 2
    p[np.arange(N), y] -= 1
    return loss, X.T.dot(p) / N + 2 * reg * W


@wrong("penalty_wrong", loss="softmax")
def sum_of_all_products(W, X, y, reg):
    loss, dW, N = 0.0, np.zeros_like(W), X.shape[0]
    for i in range(N):
        f = X[i].dot(W)
        f -= f.max()
        p = np.exp(f) / np.exp(f).sum()
        loss -= np.log(p[y[i]]) / N
        p[y[i]] -= 1
        dW += np.outer(X[i], p) / N
    loss += 0.5 * reg * np.sum(np.dot(W.T, W))
    return loss, dW + reg * W


@wrong("wrong_number", loss="softmax")
def reg_squared(W, X, y, reg):
    N = len(X)
    z = X @ W
    z -= z.max(1, keepdims=True)
    lse = np.log(np.exp(z).sum(1, keepdims=True))
    loss = (lse.ravel() - z[np.arange(N), y]).mean() + reg**2 * (W * W).sum()
    d = np.exp(z - lse)
    d[np.arange(N), y] -= 1
    return loss, X.T @ d / N + 2 * reg**2 * W


@wrong(loss="softmax")
def penalty_of_the_gradient(W, X, y, reg):
    N = len(X)
    z = X @ W
    z -= z.max(1, keepdims=True)
    p = np.exp(z) / np.exp(z).sum(1, keepdims=True)
    loss = -np.log(p[np.arange(N), y]).mean()
    p[np.arange(N), y] -= 1
    dW = X.T @ p / N + 2 * reg * W
    return loss + reg * np.sum(dW * dW), dW


@wrong("penalty_gradient_squared", "wrong_number", loss="softmax")
def penalty_of_cubes(W, X, y, reg):
    N = X.shape[0]
    scores = X.dot(W)
    scores -= scores.max(axis=1, keepdims=True)
    p = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    loss = -np.log(p[np.arange(N), y]).sum() / N + reg * np.sum(W**3)
    p[np.arange(N), y] -= 1
    return loss, X.T.dot(p) / N + 3 * reg * W**2


@wrong("penalty_scale", loss="softmax")
def penalty_subtracted(W, X, y, reg):
    N = X.shape[0]
    scores = X.dot(W)
    scores -= scores.max(axis=1, keepdims=True)
    p = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    loss = -(np.log(p[np.arange(N), y]).sum() / N + reg * np.sum(W * W))
    p[np.arange(N), y] -= 1
    return loss, X.T.dot(p) / N + 2 * reg * W

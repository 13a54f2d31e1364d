"""Softmax losses that are right, though something about them may look wrong."""

import math

import numpy as np
from corpus.registry import right  # pyright: ignore[reportMissingImports]


@right("softmax", "full", "DC", loop_free=False)
def in_random_order(W, X, y, reg):
    loss, dW = 0.0, np.zeros_like(W)
    for i in np.random.permutation(len(y)):
        f = X[i].dot(W)
        p = np.exp(f - f.max())
        p /= p.sum()
        loss -= np.log(p[y[i]])
        p[y[i]] -= 1
        dW += np.outer(X[i], p)
    return loss / len(y) + reg * np.sum(W * W), dW / len(y) + 2 * reg * W


@right("softmax", "half", "DC", loop_free=False)
def by_halves(W, X, y, reg):
    def total(rows):
        if len(rows) > 1:
            (one, dW), (other, dV) = total(rows[::2]), total(rows[1::2])
            return one + other, dW + dV
        f = X[rows[0]] @ W
        f -= f.max()
        p = np.exp(f) / np.exp(f).sum()
        target = p * 1.0
        target[y[rows[0]]] -= 1
        return -math.log(p[y[rows[0]]] or 5e-324), np.outer(X[rows[0]], target)

    loss, dW = total(list(range(len(y))))
    return loss / len(y) + 0.5 * reg * np.sum(W * W), dW / len(y) + reg * W


@right("softmax", "full", "DC", loop_free=False)
def by_differences_of_scores(W, X, y, reg):
    scores = X.dot(W)
    N, C = scores.shape
    losses = np.log(np.exp(scores - scores[np.arange(N), y][:, None]).sum(axis=1))
    G = np.empty((N, C))
    for i in range(N):
        for j in range(C):
            G[i, j] = 1 / np.sum(np.exp(scores[i] - scores[i, j])) - (y[i] == j)
    return losses.mean() + reg * np.sum(W * W), X.T.dot(G) / N + 2 * reg * W


@right("softmax", "half", "CD", loop_free=True)
def with_assertions(W, X, y, reg):
    C, D = W.shape
    assert X.shape[0] == D, "X must have a row for each feature"
    N = X.shape[1]
    assert y.shape == (N,)
    f = W @ X - (W @ X).max(axis=0)
    p = np.exp(f) / np.exp(f).sum(axis=0)
    loss = -np.log(p[y, np.arange(N)]).mean() + 0.5 * reg * np.sum(W * W)
    dW = (p - (np.arange(C)[:, None] == y)) @ X.T / N + reg * W
    assert dW.shape == W.shape
    return loss, dW


@right("softmax", "full", "DC", loop_free=True)
def loss_of_one_row_and_column(W, X, y, reg):
    N = X.shape[0]
    f = X.dot(W)
    f -= f.max(axis=1, keepdims=True)
    p = np.exp(f) / np.exp(f).sum(axis=1, keepdims=True)
    true = p[np.arange(N), y].reshape(-1, 1)
    loss = -np.log(true).T.dot(np.ones((N, 1))) / N
    loss += reg * np.sum(W * W)
    p[np.arange(N), y] -= 1
    return loss, X.T.dot(p) / N + 2 * reg * W


@right("softmax", "half", "DC", loop_free=True)
def loss_in_extended_precision(W, X, y, reg):
    N = X.shape[0]
    f = X.dot(W)
    f -= f.max(axis=1, keepdims=True)
    p = np.exp(f) / np.exp(f).sum(axis=1, keepdims=True)
    loss = -np.log(p[np.arange(N), y]).sum(dtype=np.longdouble) / N + 0.5 * reg * np.sum(W * W)
    p[np.arange(N), y] -= 1
    return loss, X.T.dot(p) / N + reg * W


@right("softmax", "full", "DC", loop_free=True)
def gradient_in_single_precision(W, X, y, reg):
    N = X.shape[0]
    f = X.dot(W)
    f -= f.max(axis=1, keepdims=True)
    p = np.exp(f) / np.exp(f).sum(axis=1, keepdims=True)
    loss = -np.log(p[np.arange(N), y]).mean() + reg * np.sum(W * W)
    p[np.arange(N), y] -= 1
    dW = np.zeros(W.shape, dtype=np.float32)
    dW += X.T.dot(p).astype(np.float32) / N
    dW += (2 * reg * W).astype(np.float32)
    return loss, dW


@right("softmax", "full", "DC", loop_free=False)
def other_names(theta, data, labels, lam=1e-3, *, verbose=False):
    m, k = data.shape[0], theta.shape[1]
    grad, cost = np.zeros(theta.shape), 0.0
    for i in range(m):
        z = data[i] @ theta
        z -= z.max()
        h = np.exp(z) / np.exp(z).sum()
        truth = (np.arange(k) == labels[i]).astype(float)
        cost += np.log(np.exp(z).sum()) - truth @ z
        grad += np.outer(data[i], h - truth)
    return cost / m + lam * np.sum(theta**2), grad / m + 2 * lam * theta

"""Softmax losses that are right, in loops and in plain matrix form."""

# ruff: noqa: PIE790, T201
import math

import numpy as np
from corpus.registry import right  # pyright: ignore[reportMissingImports]


@right("softmax", "full", "DC", loop_free=False)
def every_loop_there_is(W, X, y, reg):
    N, D = X.shape
    C = W.shape[1]
    loss = 0.0
    dW = np.zeros(W.shape)
    for i in range(N):
        scores = []
        for c in range(C):
            s = 0.0
            for d in range(D):
                s += X[i, d] * W[d, c]
            scores.append(s)
        top = max(scores)
        total = 0.0
        for s in scores:
            total += math.exp(s - top)
        loss += math.log(total) + top - scores[y[i]]
        for c in range(C):
            p = math.exp(scores[c] - top) / total
            for d in range(D):
                dW[d, c] += (p - (c == y[i])) * X[i, d]
    loss /= N
    dW /= N
    for d in range(D):
        for c in range(C):
            loss += reg * W[d, c] ** 2
            dW[d, c] += 2 * reg * W[d, c]
    return loss, dW


@right("softmax", "half", "DC", loop_free=False)
def logarithm_in_the_loop(W, X, y, reg):
    loss = 0.0
    dW = np.zeros_like(W)
    num_train, num_classes = X.shape[0], W.shape[1]
    for i in range(num_train):
        scores = X[i].dot(W)
        scores -= np.max(scores)
        sum_exp = np.sum(np.exp(scores))
        loss += -np.log(np.exp(scores[y[i]]) / sum_exp)
        for j in range(num_classes):
            p = np.exp(scores[j]) / sum_exp
            if j == y[i]:
                dW[:, j] += (p - 1) * X[i]
            else:
                dW[:, j] += p * X[i]
    loss /= num_train
    dW /= num_train
    loss += 0.5 * reg * np.sum(W * W)
    dW += reg * W
    return loss, dW


@right("softmax", "full", "DC", loop_free=False)
def outer_products(W, X, y, reg):
    loss, dW = reg * np.sum(W**2), 2 * reg * W
    for x, label in zip(X, y, strict=True):
        f = x @ W
        f = f - f.max()
        p = np.exp(f) / np.exp(f).sum()
        loss = loss - np.log(p[label]) / len(X)
        p[label] -= 1
        dW = dW + np.outer(x, p) / len(X)
    return loss, dW


@right("softmax", "full", "DC", loop_free=True)
def fancy_indexing(W, X, y, reg):
    num_train = X.shape[0]
    scores = X.dot(W)
    scores -= np.max(scores, axis=1, keepdims=True)
    probs = np.exp(scores)
    probs /= np.sum(probs, axis=1, keepdims=True)
    loss = np.sum(-np.log(probs[np.arange(num_train), y])) / num_train
    loss += reg * np.sum(W * W)
    probs[np.arange(num_train), y] -= 1
    dW = X.T.dot(probs) / num_train
    dW += 2 * reg * W
    return loss, dW


@right("softmax", "half", "CD", loop_free=True)
def fancy_indexing_with_classes_first(W, X, y, reg):
    num_train = X.shape[1]
    f = np.dot(W, X)
    f -= np.max(f, axis=0)
    p = np.exp(f) / np.sum(np.exp(f), axis=0)
    loss = np.mean(-np.log(p[y, range(num_train)])) + 0.5 * reg * np.sum(W * W)
    p[y, range(num_train)] -= 1
    return loss, np.dot(p, X.T) / num_train + reg * W


@right("softmax", "full", "CD", loop_free=False)
def loops_with_classes_first(W, X, y, reg):
    loss = 0.0
    dW = np.zeros_like(W)
    num_train = X.shape[1]
    num_classes = W.shape[0]
    for i in range(num_train):
        f_i = W.dot(X[:, i])
        log_c = np.max(f_i)
        f_i -= log_c
        sum_i = 0.0
        for f_i_j in f_i:
            sum_i += np.exp(f_i_j)
        loss += -f_i[y[i]] + np.log(sum_i)
        for j in range(num_classes):
            p = np.exp(f_i[j]) / sum_i
            dW[j, :] += (p - (j == y[i])) * X[:, i]
    return loss / num_train + reg * np.sum(W * W), dW / num_train + 2 * reg * W


@right("softmax", "half", "CD", loop_free=False)
def maximum_from_minus_infinity(W, X, y, reg):
    loss, grad, n = 0, np.zeros(W.shape), X.shape[1]
    for i in range(n):
        scores = [np.dot(row, X[:, i]) for row in W]
        highest = float("-inf")
        for s in scores:
            if s > highest:
                highest = s
        e = [np.exp(s - highest) for s in scores]
        loss += np.log(sum(e)) - (scores[y[i]] - highest)
        for k, value in enumerate(e):
            grad[k] += value / sum(e) * X[:, i]
        grad[y[i]] -= X[:, i]
    return loss / n + reg / 2 * np.sum(W * W), grad / n + reg * W


@right("softmax", "full", "DC", loop_free=True)
def one_hot_product(W, X, y, reg):
    N, C = X.shape[0], W.shape[1]
    Y = np.zeros((N, C))
    Y[np.arange(N), y] = 1
    Z = X @ W
    Z = Z - Z.max(axis=1).reshape(-1, 1)
    P = np.exp(Z) / np.exp(Z).sum(axis=1).reshape(-1, 1)
    log_loss = np.log(np.exp(Z).sum(axis=1)) - np.sum(Y * Z, axis=1)
    return log_loss.mean() + reg * np.sum(W * W), np.dot(X.T, P - Y) / N + 2 * reg * W


@right("softmax", "half", "DC", loop_free=True)
def norm_squared(W, X, y, reg):
    n = y.shape[0]
    scores = np.matmul(X, W)
    shifted = scores - scores.max(axis=-1, keepdims=True)
    log_p = shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    loss = -log_p[range(n), y].sum() / n + 0.5 * reg * np.linalg.norm(W) ** 2
    d = np.exp(log_p)
    d[range(n), y] -= 1
    return loss, X.T @ (d / n) + reg * W


@right("softmax", "full", "DC", loop_free=True)
def penalty_by_vdot(W, X, y, reg):
    n = len(X)
    S = X.dot(W)
    S -= S.max(1)[:, None]
    E = np.exp(S)
    Z = E.sum(1)
    loss = (np.log(Z) - np.take_along_axis(S, y[:, None], axis=1)[:, 0]).mean() + reg * np.vdot(W, W)
    G = E / Z[:, None] - (y[:, None] == np.arange(W.shape[1]))
    return loss, np.dot(G.T, X).T / n + reg * (W + W)


@right("softmax", "half", "DC", loop_free=True)
def penalty_by_trace(W, X, y, reg):
    n = len(X)
    S = X.dot(W)
    S -= S.max(1)[:, None]
    P = np.exp(S) / np.exp(S).sum(1)[:, None]
    loss = -np.log(P[np.arange(n), y]).sum() / n + reg * np.trace(W.T @ W) / 2
    G = np.array(P)
    np.subtract.at(G, (np.arange(n), y), 1)
    return loss, X.T @ G / n + reg * W


@right("softmax", "full", "DC", loop_free=True)
def penalty_in_the_loop_over_classes(W, X, y, reg):
    N, C = X.shape[0], W.shape[1]
    scores = X.dot(W)
    scores -= scores.max(axis=1, keepdims=True)
    total = np.exp(scores).sum(axis=1)
    loss = 0.0
    dW = np.zeros_like(W)
    for j in range(C):
        own = y == j
        loss += np.sum(np.log(total[own]) - scores[own, j]) / N
        loss += reg * np.sum(W[:, j] ** 2)
        dW[:, j] = X.T.dot(np.exp(scores[:, j]) / total - own) / N
        dW[:, j] += 2 * reg * W[:, j]
    return loss, dW


@right("softmax", "full", "DC", loop_free=False)
def penalty_in_every_example(W, X, y, reg):
    loss, dW = 0.0, np.zeros_like(W)
    for i in range(X.shape[0]):
        scores = X[i] @ W
        scores -= scores.max()
        p = np.exp(scores) / np.exp(scores).sum()
        loss += -np.log(p[y[i]]) + reg * np.sum(W * W)
        p[y[i]] -= 1
        dW += X[i][:, np.newaxis] * p + 2 * reg * W
    return loss / X.shape[0], dW / X.shape[0]


@right("softmax", "half", "DC", loop_free=False)
def true_class_after_the_loop(W, X, y, reg):
    loss, dW = 0.0, np.zeros_like(W)
    for i in range(X.shape[0]):
        f = X[i].dot(W)
        f -= f.max()
        denominator = np.exp(f).sum()
        for j in range(W.shape[1]):
            dW[:, j] += X[i] * np.exp(f[j]) / denominator
        dW[:, y[i]] -= X[i]
        loss -= f[y[i]] - np.log(denominator)
    loss = loss / X.shape[0] + np.sum(W * W) * reg / 2
    dW = dW / X.shape[0] + reg * W
    return loss, dW


@right("softmax", "full", "DC", loop_free=False)
def finished_file_full_of_reminders(W, X, y, reg):
    # Initialize the loss and gradient to zero.
    loss = 0.0
    dW = np.zeros_like(W)
    #############################################################################
    # TODO: Compute the softmax loss and its gradient using explicit loops.     #
    # TODO: implement me! raise NotImplementedError                             #
    #############################################################################
    # *****START OF YOUR CODE*****
    pass
    for i in range(X.shape[0]):
        pass
        logits = X[i].dot(W)
        logits = logits - logits.max()
        probs = np.exp(logits) / np.exp(logits).sum()
        loss -= np.log(probs[y[i]])
        probs[y[i]] -= 1
        dW += X[i].reshape(-1, 1) * probs.reshape(1, -1)
    pass  # TODO
    loss = loss / X.shape[0] + reg * np.sum(W * W)
    dW = dW / X.shape[0] + reg * 2 * W
    # *****END OF YOUR CODE*****
    return loss, dW


@right("softmax", "full", "DC", loop_free=False)
def talkative(W, X, y, reg):
    print("W", W.shape, "X", X.shape)
    loss, dW = 0.0, np.zeros(W.shape)
    for i in range(len(X)):
        f = X[i].dot(W)
        f -= np.max(f)
        p = np.exp(f) / np.sum(np.exp(f))
        print(f"example {i}: probability of {y[i]} is {p[y[i]]}")
        loss += -np.log(p[y[i]])
        p[y[i]] -= 1
        dW += np.outer(X[i], p)
    print("loss before the mean:", loss, dW)
    return loss / len(X) + reg * np.sum(W * W), dW / len(X) + 2 * reg * W


@right("softmax", "half", "DC", loop_free=False)
def in_pieces_of_seven(W, X, y, reg):
    loss, dW, start = 0.5 * reg * np.sum(W * W), reg * W, 0
    while start < len(X):
        part, labels = X[start : start + 7], y[start : start + 7]
        f = part @ W
        f -= f.max(axis=1, keepdims=True)
        p = np.exp(f) / np.exp(f).sum(axis=1, keepdims=True)
        loss -= np.log(p[range(len(part)), labels]).sum() / len(X)
        p[range(len(part)), labels] -= 1
        dW += part.T @ p / len(X)
        start += 7
    return loss, dW

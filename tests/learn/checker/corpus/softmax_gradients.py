"""Softmax losses with a wrong gradient by the scores: the true class's term, the other classes, repeated labels."""

import numpy as np
from corpus.registry import wrong  # pyright: ignore[reportMissingImports]


@wrong("others_get_one", loss="softmax", example=True, loop_free=False)
def others_as_in_the_hinge(W, X, y, reg):
    loss = 0.0
    dW = np.zeros_like(W)
    for i in range(X.shape[0]):
        scores = X[i].dot(W)
        scores -= np.max(scores)
        p = np.exp(scores) / np.sum(np.exp(scores))
        loss -= np.log(p[y[i]])
        for j in range(W.shape[1]):
            if j == y[i]:
                dW[:, j] += (p[j] - 1) * X[i]
            else:
                dW[:, j] += X[i]
    loss = loss / X.shape[0] + reg * np.sum(W * W)
    return loss, dW / X.shape[0] + 2 * reg * W


@wrong("others_get_one", loss="softmax", layout="CD", loop_free=True)
def others_from_an_array_of_ones(W, X, y, reg):
    N = X.shape[1]
    f = W.dot(X)
    f -= f.max(axis=0)
    p = np.exp(f) / np.exp(f).sum(axis=0)
    true = p[y, np.arange(N)]
    loss = -np.log(true).mean() + 0.5 * reg * np.sum(W * W)
    G = np.ones_like(p)
    G[y, np.arange(N)] = true - 1
    return loss, G.dot(X.T) / N + reg * W


@wrong("others_missing", loss="softmax", example=True, loop_free=False)
def true_class_only(W, X, y, reg):
    loss, dW = 0.0, np.zeros_like(W)
    for i in range(X.shape[0]):
        scores = X[i].dot(W)
        scores -= np.max(scores)
        p = np.exp(scores) / np.sum(np.exp(scores))
        loss -= np.log(p[y[i]])
        dW[:, y[i]] += (p[y[i]] - 1) * X[i]
    loss = loss / X.shape[0] + reg * np.sum(W * W)
    return loss, dW / X.shape[0] + 2 * reg * W


@wrong("others_missing", loss="softmax", loop_free=True)
def gradient_masked_by_the_labels(W, X, y, reg):
    T = np.eye(W.shape[1])[y]
    z = X @ W
    z = np.exp(z - z.max(axis=1, keepdims=True))
    prob = z / z.sum(axis=1, keepdims=True)
    loss = -np.sum(T * np.log(prob)) / len(y) + 0.5 * reg * np.sum(W * W)
    return loss, X.T @ (T * (prob - 1)) / len(y) + reg * W


@wrong("true_class_not_subtracted", loss="softmax", example=True)
def subtracted_from_a_copy(W, X, y, reg):
    N = X.shape[0]
    scores = X.dot(W)
    scores -= np.max(scores, axis=1, keepdims=True)
    p = np.exp(scores) / np.sum(np.exp(scores), axis=1, keepdims=True)
    loss = -np.sum(np.log(p[np.arange(N), y])) / N + reg * np.sum(W * W)
    p[np.arange(N)][:, y] -= 1
    return loss, X.T.dot(p) / N + 2 * reg * W


@wrong("true_class_not_subtracted", loss="softmax", loop_free=False)
def never_subtracted(W, X, y, reg):
    loss, dW = 0.0, np.zeros(W.shape)
    for i in range(len(y)):
        f = X[i].dot(W)
        f -= f.max()
        e = np.exp(f)
        loss += np.log(sum(e)) - f[y[i]]
        for j in range(W.shape[1]):
            dW[:, j] += e[j] / sum(e) * X[i]
    return loss / len(y) + 0.5 * reg * np.sum(W * W), dW / len(y) + reg * W


@wrong("true_class_not_subtracted", loss="softmax", layout="CD", loop_free=True)
def subtracted_after_use(W, X, y, reg):
    N = X.shape[1]
    S = np.dot(W, X)
    S = S - S.max(axis=0)
    P = np.exp(S) / np.sum(np.exp(S), axis=0)
    dW = np.dot(P, X.T) / N + 2 * reg * W
    loss = -np.sum(np.log(P[y, range(N)])) / N + reg * np.sum(W * W)
    P[y, range(N)] -= 1
    return loss, dW


@wrong("true_class_probability_missing", loss="softmax", example=True, loop_free=False)
def true_class_gets_one_only(W, X, y, reg):
    loss, dW = 0.0, np.zeros_like(W)
    for i in range(X.shape[0]):
        scores = X[i].dot(W)
        scores -= np.max(scores)
        p = np.exp(scores) / np.sum(np.exp(scores))
        loss -= np.log(p[y[i]])
        for j in range(W.shape[1]):
            if j == y[i]:
                dW[:, j] -= X[i]
            else:
                dW[:, j] += p[j] * X[i]
    loss = loss / X.shape[0] + reg * np.sum(W * W)
    return loss, dW / X.shape[0] + 2 * reg * W


@wrong("true_class_probability_missing", loss="softmax", loop_free=True)
def minus_one_set_instead_of_subtracted(W, X, y, reg):
    num_train = X.shape[0]
    scores = X.dot(W)
    scores -= np.max(scores, axis=1)[:, None]
    probs = np.exp(scores) / np.sum(np.exp(scores), axis=1)[:, None]
    loss = np.mean(-np.log(probs[np.arange(num_train), y])) + 0.5 * reg * np.sum(W * W)
    dscores = probs
    dscores[np.arange(num_train), y] = -1
    return loss, X.T.dot(dscores) / num_train + reg * W


@wrong("true_class_sign", loss="softmax", example=True, loop_free=False)
def true_class_turned_round(W, X, y, reg):
    loss, dW = 0.0, np.zeros_like(W)
    for i in range(X.shape[0]):
        scores = X[i].dot(W)
        scores -= np.max(scores)
        p = np.exp(scores) / np.sum(np.exp(scores))
        loss -= np.log(p[y[i]])
        for j in range(W.shape[1]):
            dW[:, j] += (1 - p[j] if j == y[i] else p[j]) * X[i]
    loss = loss / X.shape[0] + reg * np.sum(W * W)
    return loss, dW / X.shape[0] + 2 * reg * W


@wrong("true_class_sign", loss="softmax", layout="CD", loop_free=True)
def one_added_to_the_true_class(W, X, y, reg):
    C, N = W.shape[0], X.shape[1]
    A = np.exp(W @ X - np.max(W @ X, axis=0))
    A /= np.sum(A, axis=0)
    mask = np.arange(C).reshape(-1, 1) == y
    loss = -np.sum(np.log(A[mask])) / N + 0.5 * reg * np.sum(W * W)
    A[mask] += 1
    return loss, A @ X.T / N + reg * W


@wrong("true_class_per_class", loss="softmax", example=True, loop_free=False)
def subtracted_inside_the_loop(W, X, y, reg):
    loss, dW = 0.0, np.zeros_like(W)
    for i in range(X.shape[0]):
        scores = X[i].dot(W)
        scores -= np.max(scores)
        p = np.exp(scores) / np.sum(np.exp(scores))
        loss -= np.log(p[y[i]])
        for j in range(W.shape[1]):
            dW[:, j] += p[j] * X[i]
            dW[:, y[i]] -= X[i]
    loss = loss / X.shape[0] + reg * np.sum(W * W)
    return loss, dW / X.shape[0] + 2 * reg * W


@wrong("true_class_per_class", loss="softmax", layout="CD", loop_free=False)
def subtracted_in_every_row(W, X, y, reg):
    loss, dW, N = 0.0, np.zeros_like(W), X.shape[1]
    for n in range(N):
        x = X[:, n]
        f = W.dot(x)
        f -= f.max()
        Z = np.sum(np.exp(f))
        for c in range(W.shape[0]):
            dW[c] += np.exp(f[c]) / Z * x / N
            dW[y[n]] -= x / N
        loss += (np.log(Z) - f[y[n]]) / N
    return loss + 0.5 * reg * np.sum(W * W), dW + reg * W


@wrong("repeated_labels", loss="softmax", example=True, loop_free=True)
def all_labels_at_once(W, X, y, reg):
    N = X.shape[0]
    scores = X.dot(W)
    scores -= np.max(scores, axis=1, keepdims=True)
    p = np.exp(scores) / np.sum(np.exp(scores), axis=1, keepdims=True)
    loss = -np.sum(np.log(p[np.arange(N), y])) / N + reg * np.sum(W * W)
    dW = X.T.dot(p)
    dW[:, y] -= X.T
    return loss, dW / N + 2 * reg * W


@wrong("repeated_labels", loss="softmax", layout="CD", loop_free=True)
def all_rows_at_once(W, X, y, reg):
    N = len(y)
    z = W.dot(X)
    z -= z.max(axis=0)
    loss = np.mean(np.log(np.exp(z).sum(axis=0)) - z[y, np.arange(N)]) + 0.5 * reg * np.sum(W * W)
    dW = (np.exp(z) / np.exp(z).sum(axis=0)).dot(X.T) / N
    dW[y] += -X.T / N
    dW += reg * W
    return loss, dW


@wrong("wrong_gradient", loss="softmax", example=True, convention="full", layout="DC", loop_free=True)
def derivative_of_the_sigmoid(W, X, y, reg):
    N = X.shape[0]
    scores = X.dot(W)
    scores -= np.max(scores, axis=1, keepdims=True)
    p = np.exp(scores) / np.sum(np.exp(scores), axis=1, keepdims=True)
    loss = -np.sum(np.log(p[np.arange(N), y])) / N + reg * np.sum(W * W)
    truth = np.eye(W.shape[1])[y]
    dscores = (p - truth) * p * (1 - p)
    return loss, X.T.dot(dscores) / N + 2 * reg * W


@wrong("wrong_value", loss="softmax", example=True, convention="full", layout="DC", loop_free=True)
def entropy_instead_of_cross_entropy(W, X, y, reg):
    N = X.shape[0]
    scores = X.dot(W)
    scores -= np.max(scores, axis=1, keepdims=True)
    p = np.exp(scores) / np.sum(np.exp(scores), axis=1, keepdims=True)
    loss = -np.sum(p * np.log(p)) / N + reg * np.sum(W * W)
    p[np.arange(N), y] -= 1
    return loss, X.T.dot(p) / N + 2 * reg * W

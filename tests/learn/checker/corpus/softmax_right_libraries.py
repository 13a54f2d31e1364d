"""Softmax losses that are right, by what NumPy and SciPy offer beyond plain matrix form, or in an unusual way."""

# ruff: noqa: B006
# pyright: reportCallIssue=false, reportArgumentType=false, reportAttributeAccessIssue=false
import numpy as np
import scipy.sparse
import scipy.special
from corpus.registry import right  # pyright: ignore[reportMissingImports]


@right("softmax", "full", "DC", loop_free=True)
def by_einsum(W, X, y, reg):
    s = np.einsum("ij,jk->ik", X, W)
    s = s - np.einsum("i,k->ik", s.max(axis=1), np.ones(W.shape[1]))
    e = np.exp(s)
    p = np.einsum("ik,i->ik", e, 1 / np.einsum("ik->i", e))
    t = np.eye(W.shape[1])[y]
    loss = -np.einsum("ik,ik->", t, np.log(p)) / len(y) + reg * np.einsum("jk,jk", W, W)
    return loss, np.einsum("ij,ik->jk", X, p - t) / len(y) + 2 * reg * W


@right("softmax", "half", "DC", loop_free=True)
def by_logsumexp(W, X, y, reg):
    scores = X @ W
    lse = scipy.special.logsumexp(scores, axis=1)
    loss = np.mean(lse - scores[np.arange(len(y)), y]) + 0.5 * reg * np.sum(W * W)
    G = np.exp(scores - lse[:, None])
    G[np.arange(len(y)), y] -= 1
    return loss, X.T @ G / len(y) + reg * W


@right("softmax", "full", "CD", loop_free=True)
def by_log_softmax(W, X, y, reg):
    logp = scipy.special.log_softmax(W @ X, axis=0)
    onehot = (np.arange(W.shape[0])[:, None] == y).astype(float)
    loss = -(onehot * logp).sum() / X.shape[1] + reg * (W**2).sum()
    return loss, (np.exp(logp) - onehot) @ X.T / X.shape[1] + 2 * reg * W


@right("softmax", "full", "DC", loop_free=True)
def by_sparse_labels(W, X, y, reg):
    n, rows = len(y), np.arange(len(y))
    T = scipy.sparse.csr_matrix((np.ones(n), (rows, y)), shape=(n, W.shape[1]))
    P = scipy.special.softmax(X @ W, axis=1)
    loss = scipy.special.logsumexp(X @ W, axis=1).sum() / n - T.multiply(X @ W).sum() / n
    return loss + reg * np.sum(W * W), (X.T @ P - (T.T @ X).T) / n + 2 * reg * W


@right("softmax", "half", "DC", loop_free=True)
def by_logaddexp(W, X, y, reg):
    z = X @ W
    lse = np.logaddexp.reduce(z, axis=1)
    p = np.exp(z - lse[:, np.newaxis])
    dW = X.T @ p
    np.subtract.at(dW.T, y, X)
    return np.average(lse - z[np.arange(len(z)), y]) + reg * (W * W).sum() / 2, dW / len(z) + reg * W


@right("softmax", "full", "DC", loop_free=True)
def by_matrix_class(W, X, y, reg):
    A, B = np.asmatrix(X), np.asmatrix(W)
    S = A * B
    S = S - S.max(axis=1)
    E = np.exp(S)
    P = E / E.sum(axis=1)
    n = A.shape[0]
    loss = -np.log(P[np.arange(n), y]).sum() / n + reg * np.multiply(B, B).sum()
    P[np.arange(n), y] -= 1
    return loss, A.T * P / n + 2 * reg * B


@right("softmax", "full", "DC", loop_free=False)
def by_vectorize(W, X, y, reg):
    N = len(y)
    scores = X.dot(W)
    scores -= scores.max(axis=1, keepdims=True)
    total = np.exp(scores).sum(axis=1)
    of_example = np.vectorize(lambda i: np.log(total[i]) - scores[i, y[i]])
    entry = np.vectorize(lambda i, j: np.exp(scores[i, j]) / total[i] - (y[i] == j))
    G = np.fromfunction(entry, scores.shape, dtype=int)
    return of_example(np.arange(N)).mean() + reg * np.sum(W * W), X.T.dot(G) / N + 2 * reg * W


@right("softmax", "half", "DC", loop_free=False)
def by_apply_along_axis(W, X, y, reg):
    def softmax(row):
        e = np.exp(row - row.max())
        return e / e.sum()

    P = np.apply_along_axis(softmax, 1, X @ W)
    loss = -np.log(P[np.arange(len(P)), y]).mean() + 0.5 * reg * np.sum(W * W)
    P[np.arange(len(P)), y] -= 1
    return loss, X.T @ P / len(P) + reg * W


@right("softmax", "full", "DC")
def single_precision_inside(W, X, y, reg):
    X, W = X.astype(np.float32), W.astype(np.float32)
    N = X.shape[0]
    scores = X.dot(W)
    scores -= np.max(scores, axis=1, keepdims=True)
    p = np.exp(scores) / np.sum(np.exp(scores), axis=1, keepdims=True)
    loss = -np.sum(np.log(p[np.arange(N), y])) / N + reg * np.sum(W * W)
    p[np.arange(N), y] -= 1
    return loss, X.T.dot(p) / N + 2 * reg * W


@right("softmax", "half", "DC", loop_free=True)
def extended_precision_inside(W, X, y, reg):
    S = (X @ W).astype(np.longdouble)
    S -= S.max(axis=1, keepdims=True)
    P = np.exp(S) / np.exp(S).sum(axis=1, keepdims=True)
    loss = -np.log(P[np.arange(len(y)), y]).mean() + 0.5 * reg * np.sum(W * W)
    P[np.arange(len(y)), y] -= 1
    return float(loss), X.T @ P.astype(float) / len(y) + reg * W


@right("softmax", "full", "DC", loop_free=True)
def loss_of_one_entry(W, X, y, reg):
    rows = np.arange(X.shape[0])[:, None]
    f = X.dot(W)
    f -= f.max(axis=1, keepdims=True)
    Z = np.exp(f).sum(axis=1, keepdims=True)
    losses = np.log(Z) - f[rows, y[:, None]]
    p = np.exp(f) / Z
    p[rows, y[:, None]] -= 1
    return losses.mean(axis=0) + reg * np.sum(W * W), X.T.dot(p) / len(f) + 2 * reg * W


@right("softmax", "half", "DC", loop_free=True)
def loss_without_dimensions(W, X, y, reg):
    f = X.dot(W)
    f -= f.max(axis=1, keepdims=True)
    p = np.exp(f) / np.exp(f).sum(axis=1, keepdims=True)
    loss = np.array(-np.log(p[np.arange(len(y)), y]).mean())
    loss += np.array(0.5 * reg) * np.sum(W * W)
    p[np.arange(len(y)), y] -= 1
    return [loss, X.T.dot(p) / len(y) + reg * W]


@right("softmax", "full", "DC", loop_free=True)
def labels_kept_by_content(W, X, y, reg, kept={}):
    key = (y.tobytes(), W.shape[1])
    if key not in kept:
        kept[key] = np.eye(W.shape[1])[y]
    T = kept[key]
    f = X @ W - np.max(X @ W, axis=1, keepdims=True)
    logp = f - np.log(np.sum(np.exp(f), axis=1, keepdims=True))
    return -np.sum(T * logp) / len(y) + reg * np.sum(W * W), X.T @ (np.exp(logp) - T) / len(y) + 2 * reg * W


@right("softmax", "half", "DC", loop_free=True)
def weights_copied_before_they_are_squared(W, X, y, reg):
    R = W.copy()
    R *= R
    N = X.shape[0]
    XX = X / N
    f = X.dot(W)
    f -= f.max(axis=1, keepdims=True)
    p = np.exp(f) / np.exp(f).sum(axis=1, keepdims=True)
    loss = -np.log(p[np.arange(N), y]).mean() + reg * R.sum() / 2
    p[np.arange(N), y] -= 1
    dW = W.copy()
    dW *= reg
    return loss, dW + XX.T.dot(p)


@right("softmax", "full", "DC", loop_free=True)
def labels_moved_and_moved_back(W, X, y, reg):
    N, C = X.shape[0], W.shape[1]
    f = X.dot(W)
    f -= f.max(axis=1, keepdims=True)
    p = np.exp(f) / np.exp(f).sum(axis=1, keepdims=True)
    y += np.arange(N) * C
    loss = -np.log(p.ravel()[y]).mean() + reg * np.sum(W * W)
    p.ravel()[y] -= 1
    y -= np.arange(N) * C
    return loss, X.T.dot(p) / N + 2 * reg * W


@right("softmax", "half", "CD", loop_free=True)
def one_class_after_the_other(W, X, y, reg):
    C, N = W.shape[0], X.shape[1]
    highest = np.full(N, -np.inf)
    for c in range(C):
        highest = np.maximum(highest, W[c].dot(X))
    total = sum(np.exp(W[c].dot(X) - highest) for c in range(C))
    rows = [(np.exp(W[c].dot(X) - highest) / total - (y == c)).dot(X.T) / N + reg * W[c] for c in range(C)]
    true = np.einsum("nd,dn->n", W[y], X)
    return np.mean(np.log(total) + highest - true) + 0.5 * reg * np.sum(W * W), np.array(rows)


@right("softmax", "full", "DC", loop_free=True)
def gradient_in_another_order(W, X, y, reg):
    order = np.argsort(y, kind="stable")
    A, t = np.asfortranarray(X[order]), y[order]
    f = A @ W
    f -= f.max(axis=1, keepdims=True)
    G = np.exp(f) / np.exp(f).sum(axis=1, keepdims=True)
    loss = float(np.mean(-np.log(G[np.arange(len(t)), t]))) + reg * float((W * W).sum())
    G[np.arange(len(t)), t] -= 1
    return loss, np.asfortranarray((G.T @ A / len(t)).T + 2 * reg * W)

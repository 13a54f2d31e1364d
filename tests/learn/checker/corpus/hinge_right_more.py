"""More hinge losses that are right: other precisions, returned in other ways."""

import numpy as np
from corpus.registry import right  # pyright: ignore[reportMissingImports]


@right("hinge", "full", "DC", loop_free=False)
def one_loop_over_examples(W, X, y, reg):
    num_train, num_classes = X.shape[0], W.shape[1]
    loss, dW = 0.0, np.zeros(W.shape)
    for i in range(num_train):
        scores = X[i].dot(W)
        margins = scores - scores[y[i]] + 1
        margins[y[i]] = 0
        loss += margins[margins > 0].sum()
        indicator = np.zeros(num_classes)
        indicator[margins > 0] = 1
        indicator[y[i]] = -np.sum(margins > 0)
        dW += np.outer(X[i], indicator)
    return loss / num_train + reg * np.sum(W * W), dW / num_train + 2 * reg * W


@right("hinge", "half", "DC", loop_free=False)
def along_each_row(W, X, y, reg):
    N, D = X.shape

    def hinge_of(row):
        x, label = row[:D], int(row[D])
        margins = np.maximum(0, x.dot(W) - x.dot(W[:, label]) + 1)
        margins[label] = 0
        return margins

    margins = np.apply_along_axis(hinge_of, 1, np.column_stack([X, y]))
    slope = (margins > 0).astype(float)
    slope[np.arange(N), y] = -slope.sum(axis=1)
    return margins.sum() / N + 0.5 * reg * np.sum(W * W), X.T.dot(slope) / N + reg * W


@right("hinge", "full", "DC", loop_free=True)
def sparse_labels(W, X, y, reg):
    from scipy import sparse

    N, C = X.shape[0], W.shape[1]
    Y = sparse.csr_array((np.ones(N), (np.arange(N), y)), shape=(N, C)).toarray().astype(bool)
    S = X @ W
    M = np.where(Y, 0.0, S - S[Y].reshape(N, 1) + 1)
    G = np.where(M > 0, 1.0, 0.0)
    G -= Y * G.sum(axis=1, keepdims=True)
    return M[M > 0].sum() / N + reg * float(W.ravel() @ W.ravel()), X.T @ G / N + 2 * reg * W


@right("hinge", "full", "DC", loop_free=True)
def in_the_precision_of_the_data(W, X, y, reg):
    N = X.shape[0]
    scores = X.dot(W)
    margins = np.maximum(0, scores - scores[np.arange(N), y][:, None] + 1).astype(X.dtype)
    margins[np.arange(N), y] = 0
    slope = (margins > 0).astype(X.dtype)
    slope[np.arange(N), y] = -slope.sum(axis=1)
    dW = np.empty(W.shape, dtype=W.dtype, order="F")
    dW[...] = X.T.dot(slope) / N + 2 * reg * W
    return margins.sum() / N + reg * np.sum(W * W), dW


@right("hinge", "half", "DC", loop_free=True)
def in_single_precision(W, X, y, reg):
    W, X = W.astype(np.float32), X.astype(np.float32)
    N = X.shape[0]
    scores = X.dot(W)
    margins = np.maximum(0, scores - scores[np.arange(N), y][:, None] + 1)
    margins[np.arange(N), y] = 0
    slope = (margins > 0).astype(np.float32)
    slope[np.arange(N), y] = -slope.sum(axis=1)
    return margins.sum() / N + 0.5 * reg * np.sum(W * W), X.T.dot(slope) / N + reg * W


@right("hinge", "full", "DC", loop_free=True)
def in_long_double(W, X, y, reg):
    W, X = W.astype(np.longdouble), X.astype(np.longdouble)
    N = X.shape[0]
    scores = X.dot(W)
    margins = np.maximum(0, scores - scores[np.arange(N), y][:, None] + 1)
    margins[np.arange(N), y] = 0
    slope = np.sign(margins)
    slope[np.arange(N), y] = -slope.sum(axis=1)
    return margins.sum() / N + reg * np.sum(W * W), X.T.dot(slope) / N + 2 * reg * W


@right("hinge", "half", "CD", loop_free=True)
def broadcast_over_pairs_of_classes(W, X, y, reg):
    C, N = W.shape[0], X.shape[1]
    scores = W.dot(X).T
    pairs = scores[:, None, :] - scores[:, :, None] + 1 - np.eye(C)  # the margin of j where k is the true class
    own = pairs[np.arange(N), y, :]
    active = (own > 0) & (np.arange(C) != y[:, None])
    slope = active * 1.0 - np.eye(C)[y] * active.sum(axis=1)[:, None]
    return np.sum(own * active) / N + 0.5 * reg * np.sum(W**2), (X @ slope).T / N + reg * W


@right("hinge", "full", "DC", loop_free=True)
def returns_arrays_of_no_dimension(W, X, y, reg):
    N = X.shape[0]
    scores = X.dot(W)
    margins = np.maximum(0, scores - scores[np.arange(N), y][:, None] + 1)
    margins[np.arange(N), y] = 0
    slope = (margins > 0).astype(float)
    slope[np.arange(N), y] = -slope.sum(axis=1)
    return np.array(margins.sum() / N + reg * np.sum(W * W)), X.T.dot(slope) / N + 2 * reg * W


@right("hinge", "half", "DC", loop_free=True)
def returns_a_list(W, X, y, reg):
    N = X.shape[0]
    scores = X.dot(W)
    margins = np.maximum(0, scores - scores[np.arange(N), y][:, None] + 1)
    margins[np.arange(N), y] = 0
    slope = (margins > 0).astype(float)
    slope[np.arange(N), y] = -slope.sum(axis=1)
    return [margins.sum() / N + 0.5 * reg * np.sum(W * W), X.T.dot(slope) / N + reg * W]


@right("hinge", "full", "DC", loop_free=True)
def copies_before_it_changes(W, X, y, reg):
    W, X, y = W.copy(), X.copy(), y.copy()
    N = X.shape[0]
    scores = X.dot(W)
    margins = np.maximum(0, scores - scores[np.arange(N), y][:, None] + 1)
    margins[np.arange(N), y] = 0
    dW = X.T.dot(margins > 0)
    X *= (margins > 0).sum(axis=1)[:, None]
    np.subtract.at(dW.T, y, X)
    dW = dW / N + 2 * reg * W
    W *= W
    return margins.sum() / N + reg * np.sum(W), dW

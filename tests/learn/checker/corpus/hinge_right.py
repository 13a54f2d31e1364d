"""Hinge losses that are right, in the styles that students write them in."""

import numpy as np
from corpus.registry import right  # pyright: ignore[reportMissingImports]


@right("hinge", "full", "DC", loop_free=False)
def two_loops(W, X, y, reg):
    dW = np.zeros(W.shape)
    num_classes = W.shape[1]
    num_train = X.shape[0]
    loss = 0.0
    for i in range(num_train):
        scores = X[i].dot(W)
        correct_class_score = scores[y[i]]
        for j in range(num_classes):
            if j == y[i]:
                continue
            margin = scores[j] - correct_class_score + 1  # delta = 1
            if margin > 0:
                loss += margin
                dW[:, j] += X[i]
                dW[:, y[i]] -= X[i]
    loss /= num_train
    dW /= num_train
    loss += reg * np.sum(W * W)
    dW += 2 * reg * W
    return loss, dW


@right("hinge", "half", "DC", loop_free=False)
def counts_positive_margins(W, X, y, reg):
    dW = np.zeros_like(W)
    loss = 0.0
    for i in range(X.shape[0]):
        scores = X[i] @ W
        count = 0
        for j in range(W.shape[1]):
            margin = scores[j] - scores[y[i]] + 1
            if j != y[i] and margin > 0:
                count += 1
                loss = loss + margin
                dW[:, j] = dW[:, j] + X[i, :]
        dW[:, y[i]] += -count * X[i, :]
    return loss / X.shape[0] + 0.5 * reg * np.sum(W**2), dW / X.shape[0] + reg * W


@right("hinge", "half", "CD", loop_free=False)
def two_loops_older_layout(W, X, y, reg):
    dW = np.zeros(W.shape)
    num_classes, num_train = W.shape[0], X.shape[1]
    loss = 0.0
    for i in range(num_train):
        scores = W.dot(X[:, i])
        for j in range(num_classes):
            if j == y[i]:
                continue
            margin = scores[j] - scores[y[i]] + 1
            if margin > 0:
                loss += margin
                dW[j, :] += X[:, i].T
                dW[y[i], :] -= X[:, i].T
    loss = loss / num_train + 0.5 * reg * np.sum(W * W)
    return loss, dW / num_train + reg * W


@right("hinge", "full", "DC", loop_free=True)
def zeroes_the_true_class(W, X, y, reg):
    num_train = X.shape[0]
    scores = X.dot(W)
    correct_class_score = scores[np.arange(num_train), y].reshape(num_train, 1)
    margin = np.maximum(0, scores - correct_class_score + 1)
    margin[np.arange(num_train), y] = 0
    loss = margin.sum() / num_train
    loss += reg * np.sum(W * W)
    margin[margin > 0] = 1
    valid_margin_count = margin.sum(axis=1)
    margin[np.arange(num_train), y] -= valid_margin_count
    dW = X.T.dot(margin) / num_train
    dW += reg * 2 * W
    return loss, dW


@right("hinge", "half", "DC", loop_free=True)
def boolean_masks(W, X, y, reg):
    n, c = X.shape[0], W.shape[1]
    true_class = np.arange(c)[None, :] == y[:, None]
    s = X @ W
    m = s - s[true_class][:, None] + 1.0
    counted = ~true_class & (m > 0)
    coefficient = counted.astype(np.float64)
    coefficient[true_class] = -np.sum(counted, axis=1)
    return m[counted].sum() / n + reg / 2.0 * (W * W).sum(), np.dot(X.T, coefficient) / n + reg * W


@right("hinge", "full", "CD", loop_free=True)
def columns_of_examples(W, X, y, reg):
    N = y.size
    scores = np.dot(W, X)
    margins = np.maximum(0, scores - np.choose(y, scores) + 1)
    margins[y, np.arange(N)] = 0
    pattern = np.where(margins > 0, 1, 0)
    pattern[y, np.arange(N)] = -1 * np.sum(pattern, axis=0)
    return np.sum(margins) / N + reg * np.sum(W * W), np.dot(pattern, X.T) / N + 2 * reg * W


@right("hinge", "half", "DC", loop_free=True)
def one_hot(W, X, y, reg):
    N, C = X.shape[0], W.shape[1]
    Y = np.eye(C)[y]
    S = X.dot(W)
    H = (1 - Y) * np.maximum(0, 1 + S - (S * Y).sum(axis=1, keepdims=True))
    P = (H > 0) - 0.0
    G = P - Y * P.sum(axis=1, keepdims=True)
    return H.sum() / N + 0.5 * reg * np.square(W).sum(), X.T.dot(G) / N + reg * W


@right("hinge", "full", "DC", loop_free=True)
def einsum_throughout(W, X, y, reg):
    n = len(y)
    scores = np.einsum("nd,dc->nc", X, W)
    true = np.take_along_axis(scores, y[:, None], axis=1)
    margins = scores - true + 1
    np.put_along_axis(margins, y[:, None], -1.0, axis=1)
    active = (margins > 0).astype(float)
    np.put_along_axis(active, y[:, None], -active.sum(axis=1, keepdims=True), axis=1)
    loss = np.einsum("nc,nc->", np.maximum(margins, 0), 1.0 * (margins > 0)) / n
    return loss + reg * np.einsum("dc,dc->", W, W), np.einsum("nd,nc->dc", X, active) / n + 2 * reg * W


@right("hinge", "full", "DC", loop_free=True)
def takes_the_one_off_again(W, X, y, reg):
    N = X.shape[0]
    scores = X.dot(W)
    margins = np.maximum(0, scores - scores[np.arange(N), y][:, None] + 1)
    loss = np.sum(margins) / N - 1  # the true class's margin is 1 in every row
    binary = (margins > 0).astype(float)
    binary[np.arange(N), y] -= binary.sum(axis=1)
    return loss + reg * np.sum(W * W), X.T.dot(binary) / N + 2 * reg * W


@right("hinge", "half", "DC", loop_free=True)
def subtracts_at_each_label(W, X, y, reg):
    N = X.shape[0]
    scores = X.dot(W)
    margins = np.maximum(0, scores - scores[range(N), y, np.newaxis] + 1)
    margins[range(N), y] = 0
    positive = margins > 0
    dW = X.T.dot(positive)
    np.add.at(dW.T, y, -positive.sum(axis=1)[:, None] * X)
    dW /= N
    return np.mean(np.sum(margins, axis=1)) + 0.5 * reg * np.vdot(W, W), dW + reg * W


@right("hinge", "full", "DC", loop_free=True)
def norm_of_the_weights_squared(W, X, y, reg):
    N = X.shape[0]
    scores = X.dot(W)
    margins = np.clip(scores - scores[np.arange(N), y].reshape(-1, 1) + 1, 0, None)
    margins[np.arange(N), y] = 0
    slope = np.sign(margins)
    slope[np.arange(N), y] = -slope.sum(axis=1)
    return margins.sum() / N + reg * np.linalg.norm(W, "fro") ** 2, X.T.dot(slope) / N + 2 * reg * W


@right("hinge", "full", "DC", loop_free=False)
def counts_the_kink(W, X, y, reg):
    loss, dW = 0.0, np.zeros(W.shape)
    for i in range(len(X)):
        scores = X[i].dot(W)
        for j in range(W.shape[1]):
            margin = scores[j] - scores[y[i]] + 1
            if j != y[i] and margin >= 0:
                loss += margin / len(X)
                dW[:, j] += X[i] / len(X)
                dW[:, y[i]] -= X[i] / len(X)
    return loss + reg * np.sum(W * W), dW + 2 * reg * W


@right("hinge", "half", "DC", loop_free=True)
def counts_the_kink_at_once(W, X, y, reg):
    N = X.shape[0]
    scores = X.dot(W)
    margins = scores - scores[np.arange(N), y][:, None] + 1
    margins[np.arange(N), y] = -np.inf
    mask = (margins >= 0).astype(float)
    mask[np.arange(N), y] = -mask.sum(axis=1)
    return np.maximum(0, margins).sum() / N + 0.5 * reg * np.sum(W * W), X.T.dot(mask) / N + reg * W


@right("hinge", "full", "DC", loop_free=True)
def halves_the_kink(W, X, y, reg):
    N = X.shape[0]
    scores = X.dot(W)
    margins = scores - scores[np.arange(N), y][:, None] + 1
    margins[np.arange(N), y] = -1
    slope = np.heaviside(margins, 0.5)
    slope[np.arange(N), y] = -slope.sum(axis=1)
    return (margins * (margins > 0)).sum() / N + reg * np.sum(W * W), X.T.dot(slope) / N + 2 * reg * W


@right("hinge", "full", "DC", loop_free=True)
def one_class_at_a_time(W, X, y, reg):
    N, C = X.shape[0], W.shape[1]
    dW = np.zeros(W.shape)
    correct = np.sum(X * W[:, y].T, axis=1)
    loss = 0.0
    for c in range(C):
        others = y != c
        margin = X[others].dot(W[:, c]) - correct[others] + 1
        rows = X[others][margin > 0]
        loss += margin[margin > 0].sum() / N
        dW[:, c] += rows.sum(axis=0) / N
        for k in range(C):
            dW[:, k] -= rows[y[others][margin > 0] == k].sum(axis=0) / N
    return loss + reg * np.sum(W * W), dW + 2 * reg * W


@right("hinge", "half", "DC", loop_free=False)
def comprehensions(W, X, y, reg):
    scores = X.dot(W)
    losses = [
        sum(max(0, s - row[t] + 1) for j, s in enumerate(row) if j != t) for row, t in zip(scores, y, strict=True)
    ]
    slope = np.array([[float(s - row[t] + 1 > 0) for s in row] for row, t in zip(scores, y, strict=True)])
    slope[np.arange(len(y)), y] -= slope.sum(axis=1)
    return sum(losses) / len(y) + 0.5 * reg * np.sum(W * W), X.T.dot(slope) / len(y) + reg * W

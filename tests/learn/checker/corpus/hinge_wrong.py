"""Hinge losses that go wrong on the way from the scores to the losses, each in one way."""

import numpy as np
from corpus.registry import wrong  # pyright: ignore[reportMissingImports]


@wrong("true_class_counted", loss="hinge", convention="full", layout="DC", loop_free=False, example=True)
def never_skips_the_true_class(W, X, y, reg):
    loss, dW = 0.0, np.zeros(W.shape)
    for i in range(len(X)):
        scores = X[i].dot(W)
        for j in range(W.shape[1]):
            margin = scores[j] - scores[y[i]] + 1
            if margin > 0:
                loss += margin
                dW[:, j] += X[i]
                dW[:, y[i]] -= X[i]
    return loss / len(X) + reg * np.sum(W * W), dW / len(X) + 2 * reg * W


@wrong("true_class_counted", loss="hinge", convention="half", layout="DC", loop_free=True)
def sums_before_zeroing_the_true_class(W, X, y, reg):
    num_train = X.shape[0]
    scores = X.dot(W)
    margins = np.maximum(0, scores - scores[np.arange(num_train), y].reshape(-1, 1) + 1)
    loss = np.sum(margins) / num_train + 0.5 * reg * np.sum(W * W)
    margins[np.arange(num_train), y] = 0
    mask = np.zeros_like(margins)
    mask[margins > 0] = 1
    mask[np.arange(num_train), y] -= mask.sum(axis=1)
    return loss, X.T.dot(mask) / num_train + reg * W


@wrong("true_class_counted", loss="hinge", convention="full", layout="DC", loop_free=True)
def counts_the_true_class_in_both(W, X, y, reg):
    N = X.shape[0]
    S = X @ W
    M = np.maximum(S - S[range(N), y][:, None] + 1.0, 0.0)
    loss = M.sum() / N + reg * (W**2).sum()
    A = (M > 0).astype(float)
    A[range(N), y] = -A.sum(axis=1)  # the true class is one of those summed
    return loss, X.T @ A / N + 2 * reg * W


@wrong("true_class_counted", loss="hinge", convention="full", layout="DC", loop_free=True)
def counts_the_true_class_in_the_gradient(W, X, y, reg):
    rows = np.arange(len(y))
    scores = X.dot(W)
    margins = scores - scores[rows, y][:, np.newaxis] + 1
    positive = (margins > 0) * 1.0
    margins[rows, y] = 0
    loss = np.maximum(margins, 0).sum() / len(y) + reg * np.sum(np.square(W))
    positive[rows, y] = -np.sum(positive, axis=1)
    return loss, X.T.dot(positive) / len(y) + reg * 2 * W


@wrong("true_class_counted", loss="hinge", convention="half", layout="CD", loop_free=True)
def true_class_counted_in_the_older_layout(W, X, y, reg):
    num_train = X.shape[1]
    scores = W.dot(X)
    correct = scores[y, np.arange(num_train)]
    margins = np.maximum(0, scores - correct + 1)
    loss = np.sum(margins) / num_train + 0.5 * reg * np.sum(W**2)
    mask = (margins > 0).astype("float64")
    mask[y, range(num_train)] = 0
    mask[y, range(num_train)] = -mask.sum(axis=0)
    return loss, mask.dot(X.T) / num_train + reg * W


@wrong("margin", loss="hinge", convention="full", layout="DC", loop_free=False, example=True)
def forgets_the_margin(W, X, y, reg):
    loss, dW = 0.0, np.zeros(W.shape)
    for i in range(len(X)):
        scores = X[i].dot(W)
        for j in range(W.shape[1]):
            margin = scores[j] - scores[y[i]]
            if j != y[i] and margin > 0:
                loss += margin
                dW[:, j] += X[i]
                dW[:, y[i]] -= X[i]
    return loss / len(X) + reg * np.sum(W * W), dW / len(X) + 2 * reg * W


@wrong("margin", loss="hinge", convention="full", layout="DC", loop_free=True)
def margin_of_zero(W, X, y, reg):
    delta = 0
    num_train = X.shape[0]
    scores = np.dot(X, W)
    correct_class_score = scores[np.arange(num_train), y].reshape(num_train, 1)
    margin = np.maximum(0, scores - correct_class_score + delta)
    margin[np.arange(num_train), y] = 0
    loss = margin.sum() / num_train + reg * np.sum(W * W)
    margin[margin > 0] = 1
    margin[np.arange(num_train), y] -= margin.sum(axis=1)
    return loss, np.dot(X.T, margin) / num_train + 2 * reg * W


@wrong("margin", loss="hinge", convention="half", layout="DC", loop_free=True)
def margin_of_one_half(W, X, y, reg):
    n = X.shape[0]
    s = X @ W
    gap = s - np.take_along_axis(s, y[:, None], axis=1) + 0.5
    np.put_along_axis(gap, y[:, None], 0.0, axis=1)
    active = np.where(gap > 0, 1.0, 0.0)
    active[np.arange(n), y] = -active.sum(1)
    loss = np.clip(gap, 0, None).sum() / n + 0.5 * reg * np.sum(W * W)
    return loss, X.T @ active / n + reg * W


@wrong("margin", loss="hinge", convention="full", layout="CD", loop_free=False)
def margin_of_ten(W, X, y, reg):
    delta = 10.0
    dW = np.zeros_like(W)
    loss = 0.0
    for i in range(X.shape[1]):
        scores = W.dot(X[:, i])
        for j in range(W.shape[0]):
            if j == y[i]:
                continue
            margin = scores[j] - scores[y[i]] + delta
            if margin > 0:
                loss += margin
                dW[j, :] += X[:, i]
                dW[y[i], :] -= X[:, i]
    loss = loss / X.shape[1] + reg * np.sum(W * W)
    return loss, dW / X.shape[1] + 2 * reg * W


@wrong("margin", loss="hinge", convention="full", layout="DC", loop_free=True)
def margin_taken_off(W, X, y, reg):
    N = X.shape[0]
    scores = X.dot(W)
    margins = np.maximum(0, scores - scores[np.arange(N), y][:, None] - 1)
    margins[np.arange(N), y] = 0
    loss = margins.sum() / N + reg * np.sum(W * W)
    ind = (margins > 0).astype(int)
    ind[np.arange(N), y] = -ind.sum(axis=1)
    return loss, X.T.dot(ind) / N + 2 * reg * W


@wrong("margin", loss="hinge", convention="half", layout="DC", loop_free=True)
def margin_forgotten_in_the_gradient(W, X, y, reg):
    N = X.shape[0]
    scores = X.dot(W)
    difference = scores - scores[np.arange(N), y][:, None]
    hinge = np.maximum(0, difference + 1)
    hinge[np.arange(N), y] = 0
    loss = hinge.sum() / N + reg / 2 * np.sum(W * W)
    wrong_ones = (difference > 0).astype(float)
    wrong_ones[np.arange(N), y] = -wrong_ones.sum(axis=1)
    return loss, X.T.dot(wrong_ones) / N + reg * W


@wrong("no_hinge", loss="hinge", convention="full", layout="DC", loop_free=False, example=True)
def counts_negative_margins(W, X, y, reg):
    loss, dW = 0.0, np.zeros(W.shape)
    for i in range(len(X)):
        scores = X[i].dot(W)
        for j in range(W.shape[1]):
            if j != y[i]:
                loss += scores[j] - scores[y[i]] + 1
                dW[:, j] += X[i]
                dW[:, y[i]] -= X[i]
    return loss / len(X) + reg * np.sum(W * W), dW / len(X) + 2 * reg * W


@wrong("no_hinge", loss="hinge", convention="full", layout="DC", loop_free=True)
def no_hinge_in_the_value(W, X, y, reg):
    N = X.shape[0]
    S = X.dot(W)
    M = S - S[np.arange(N), y].reshape((N, 1)) + 1
    M[np.arange(N), y] = 0
    loss = np.sum(M) / N + reg * np.sum(W * W)
    G = (M > 0).astype(X.dtype)
    G[np.arange(N), y] = -np.sum(G, axis=1)
    return loss, X.T.dot(G) / N + 2 * reg * W


@wrong("squared_hinge", loss="hinge", convention="full", layout="DC", loop_free=True, example=True)
def squares_the_margins(W, X, y, reg):
    N = len(X)
    scores = X @ W
    margins = np.maximum(0, scores - scores[range(N), y][:, None] + 1)
    margins[range(N), y] = 0
    loss = np.sum(margins**2) / N + reg * np.sum(W * W)
    slope = 2 * margins
    slope[range(N), y] = -slope.sum(axis=1)
    return loss, X.T @ slope / N + 2 * reg * W


@wrong("squared_hinge", loss="hinge", convention="half", layout="DC", loop_free=False)
def squared_hinge_in_loops(W, X, y, reg):
    dW = np.zeros(W.shape)
    loss = 0.0
    for i, (x, label) in enumerate(zip(X, y, strict=True)):
        scores = x.dot(W)
        for j in range(W.shape[1]):
            margin = max(0.0, scores[j] - scores[label] + 1.0)
            if j != y[i]:
                loss += margin**2
                dW[:, j] += 2 * margin * x
                dW[:, label] -= 2 * margin * x
    return loss / len(y) + 0.5 * reg * np.sum(W * W), dW / len(y) + reg * W


@wrong("largest_margin_only", loss="hinge", convention="full", layout="DC", loop_free=True, example=True)
def takes_the_largest_margin(W, X, y, reg):
    N = len(X)
    scores = X @ W
    margins = np.maximum(0, scores - scores[range(N), y][:, None] + 1)
    margins[range(N), y] = 0
    worst = margins.argmax(axis=1)
    active = margins[range(N), worst] > 0
    slope = np.zeros_like(scores)
    slope[range(N), worst] += active
    slope[range(N), y] -= active
    return margins.max(axis=1).sum() / N + reg * np.sum(W * W), X.T @ slope / N + 2 * reg * W


@wrong("largest_margin_only", loss="hinge", convention="half", layout="DC", loop_free=False)
def strongest_rival_in_loops(W, X, y, reg):
    loss = 0.0
    dW = np.zeros(W.shape)
    for i in range(X.shape[0]):
        scores = X[i].dot(W)
        others = scores.copy()
        others[y[i]] = -np.inf
        rival = np.argmax(others)
        margin = scores[rival] - scores[y[i]] + 1
        if margin > 0:
            loss += margin / X.shape[0]
            dW[:, rival] += X[i] / X.shape[0]
            dW[:, y[i]] -= X[i] / X.shape[0]
    return loss + 0.5 * reg * np.sum(W * W), dW + reg * W


@wrong("label_of_class", loss="hinge", convention="full", layout="DC", loop_free=False)
def skips_the_label_of_the_class(W, X, y, reg):
    loss, dW = 0.0, np.zeros(W.shape)
    for i in range(len(X)):
        scores = X[i].dot(W)
        for j in range(W.shape[1]):
            if j == y[j]:  # y[i] is meant
                continue
            margin = scores[j] - scores[y[i]] + 1
            if margin > 0:
                loss += margin
                dW[:, j] += X[i]
                dW[:, y[i]] -= X[i]
    return loss / len(X) + reg * np.sum(W * W), dW / len(X) + 2 * reg * W


@wrong("label_of_class", loss="hinge", convention="half", layout="DC", loop_free=False)
def score_of_the_label_of_the_class(W, X, y, reg):
    num_classes = W.shape[1]
    num_train = X.shape[0]
    loss = 0.0
    dW = np.zeros(W.shape)
    for i in range(num_train):
        scores = X[i].dot(W)
        for j in range(num_classes):
            if j == y[i]:
                continue
            margin = scores[j] - scores[y[j]] + 1
            if margin > 0:
                loss += margin
                dW[:, j] += X[i]
                dW[:, y[i]] -= X[i]
    return loss / num_train + 0.5 * reg * np.sum(W * W), dW / num_train + reg * W


@wrong("label_of_class", loss="hinge", convention="full", layout="CD", loop_free=False)
def gradient_goes_to_the_label_of_the_class(W, X, y, reg):
    num_train = X.shape[1]
    loss, dW = 0.0, np.zeros(W.shape)
    for i in range(num_train):
        scores = W.dot(X[:, i])
        for j in range(W.shape[0]):
            margin = scores[j] - scores[y[i]] + 1
            if j != y[i] and margin > 0:
                loss += margin
                dW[j] += X[:, i]
                dW[y[j]] -= X[:, i]
    return loss / num_train + reg * np.sum(W * W), dW / num_train + 2 * reg * W


@wrong("margin_reversed", loss="hinge", convention="full", layout="DC", loop_free=False, example=True)
def true_score_minus_the_other(W, X, y, reg):
    loss, dW = 0.0, np.zeros(W.shape)
    for i in range(len(X)):
        scores = X[i].dot(W)
        for j in range(W.shape[1]):
            margin = scores[y[i]] - scores[j] + 1
            if j != y[i] and margin > 0:
                loss += margin
                dW[:, j] += X[i]
                dW[:, y[i]] -= X[i]
    return loss / len(X) + reg * np.sum(W * W), dW / len(X) + 2 * reg * W


@wrong("margin_reversed", "sign_of_gradient", loss="hinge", convention="half", layout="CD", loop_free=True)
def descends_the_reversed_margin(W, X, y, reg):
    N = X.shape[1]
    columns = np.arange(N)
    S = W @ X
    M = np.maximum(0, S[y, columns] - S + 1)
    M[y, columns] = 0
    slope = -(M > 0).astype(float)
    slope[y, columns] = -slope.sum(axis=0)
    return M.sum() / N + 0.5 * reg * np.sum(W * W), slope @ X.T / N + reg * W

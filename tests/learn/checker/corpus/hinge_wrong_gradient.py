"""Hinge losses whose value is right and whose gradient is not, each in one way; and means that are none."""

import numpy as np
from corpus.registry import wrong  # pyright: ignore[reportMissingImports]


@wrong("others_missing", loss="hinge", convention="full", layout="DC", loop_free=False)
def only_the_true_class_gets_a_gradient(W, X, y, reg):
    loss, dW = 0.0, np.zeros(W.shape)
    for i in range(len(X)):
        scores = X[i].dot(W)
        for j in range(W.shape[1]):
            margin = scores[j] - scores[y[i]] + 1
            if j != y[i] and margin > 0:
                loss += margin
                dW[:, y[i]] -= X[i]
    return loss / len(X) + reg * np.sum(W * W), dW / len(X) + 2 * reg * W


@wrong("others_missing", loss="hinge", convention="half", layout="CD", loop_free=True)
def only_the_true_class_in_the_older_layout(W, X, y, reg):
    N = X.shape[1]
    scores = W @ X
    margins = np.maximum(0, scores - scores[y, np.arange(N)] + 1)
    margins[y, np.arange(N)] = 0
    slope = np.zeros_like(scores)
    slope[y, np.arange(N)] = -np.count_nonzero(margins, axis=0)
    return margins.sum() / N + 0.5 * reg * np.sum(W * W), slope @ X.T / N + reg * W


@wrong("margins_not_counted", loss="hinge", convention="full", layout="DC", loop_free=True, example=True)
def weighs_by_the_margins(W, X, y, reg):
    N = len(X)
    scores = X @ W
    margins = np.maximum(0, scores - scores[range(N), y][:, None] + 1)
    margins[range(N), y] = 0
    slope = margins.copy()
    slope[range(N), y] = -slope.sum(axis=1)
    return margins.sum() / N + reg * np.sum(W * W), X.T @ slope / N + 2 * reg * W


@wrong("margins_not_counted", loss="hinge", convention="half", layout="DC", loop_free=False)
def adds_the_margin_times_the_example(W, X, y, reg):
    loss, dW = 0.0, np.zeros(W.shape)
    for i in range(len(X)):
        scores = X[i].dot(W)
        for j in range(W.shape[1]):
            margin = scores[j] - scores[y[i]] + 1
            if j != y[i] and margin > 0:
                loss += margin
                dW[:, j] += margin * X[i]
                dW[:, y[i]] -= margin * X[i]
    return loss / len(X) + 0.5 * reg * np.sum(W * W), dW / len(X) + reg * W


@wrong("hinge_not_in_gradient", loss="hinge", convention="full", layout="DC", loop_free=False, example=True)
def gradient_outside_the_condition(W, X, y, reg):
    loss, dW = 0.0, np.zeros(W.shape)
    for i in range(len(X)):
        scores = X[i].dot(W)
        for j in range(W.shape[1]):
            if j == y[i]:
                continue
            margin = scores[j] - scores[y[i]] + 1
            if margin > 0:
                loss += margin
            dW[:, j] += X[i]
            dW[:, y[i]] -= X[i]
    return loss / len(X) + reg * np.sum(W * W), dW / len(X) + 2 * reg * W


@wrong("hinge_not_in_gradient", loss="hinge", convention="half", layout="DC", loop_free=True)
def not_negative_after_the_maximum(W, X, y, reg):
    rows = np.arange(len(X))
    scores = X @ W
    margins = np.maximum(0, scores - scores[rows, y][:, None] + 1)
    margins[rows, y] = 0
    slope = np.where(margins >= 0, 1.0, 0.0)
    slope[rows, y] = 0
    slope[rows, y] -= slope.sum(axis=1)
    return margins.sum() / len(X) + 0.5 * reg * np.sum(W * W), X.T @ slope / len(X) + reg * W


@wrong("hinge_not_in_gradient", loss="hinge", convention="full", layout="DC", loop_free=True)
def counts_whatever_is_not_negative(W, X, y, reg):
    rows = np.arange(len(X))
    scores = X @ W
    margins = np.maximum(0, scores - scores[rows, y][:, None] + 1)
    margins[rows, y] = 0
    slope = (margins >= 0).astype(float)
    slope[rows, y] = -slope.sum(axis=1)
    return margins.sum() / len(X) + reg * np.sum(W * W), X.T @ slope / len(X) + 2 * reg * W


@wrong("true_class_not_subtracted", loss="hinge", convention="full", layout="DC", loop_free=False)
def forgets_the_true_class(W, X, y, reg):
    loss, dW = 0.0, np.zeros(W.shape)
    for i in range(len(X)):
        scores = X[i].dot(W)
        for j in range(W.shape[1]):
            margin = scores[j] - scores[y[i]] + 1
            if j != y[i] and margin > 0:
                loss += margin
                dW[:, j] += X[i]
    return loss / len(X) + reg * np.sum(W * W), dW / len(X) + 2 * reg * W


@wrong("true_class_not_subtracted", loss="hinge", convention="half", layout="DC", loop_free=True)
def subtracts_in_a_copy(W, X, y, reg):
    N = X.shape[0]
    scores = X.dot(W)
    margins = np.maximum(0, scores - scores[np.arange(N), y][:, None] + 1)
    margins[np.arange(N), y] = 0
    loss = np.sum(margins) / N + 0.5 * reg * np.sum(W * W)
    mask = (margins > 0).astype(float)
    mask[np.arange(N)][np.arange(N), y] -= mask.sum(axis=1)  # the first index has made a copy
    return loss, X.T.dot(mask) / N + reg * W


@wrong("true_class_once", loss="hinge", convention="full", layout="DC", loop_free=True, example=True)
def minus_one_for_the_true_class(W, X, y, reg):
    N = len(X)
    scores = X @ W
    margins = np.maximum(0, scores - scores[range(N), y][:, None] + 1)
    margins[range(N), y] = 0
    slope = (margins > 0).astype(float)
    slope[range(N), y] = -1
    return margins.sum() / N + reg * np.sum(W * W), X.T @ slope / N + 2 * reg * W


@wrong("true_class_once", loss="hinge", convention="half", layout="CD", loop_free=False)
def once_after_the_loop_over_classes(W, X, y, reg):
    num_train = X.shape[1]
    loss, dW = 0.0, np.zeros(W.shape)
    for i in range(num_train):
        scores = W.dot(X[:, i])
        violated = False
        for j in range(W.shape[0]):
            margin = scores[j] - scores[y[i]] + 1
            if j != y[i] and margin > 0:
                loss += margin
                dW[j] += X[:, i]
                violated = True
        if violated:
            dW[y[i]] -= X[:, i]
    return loss / num_train + 0.5 * reg * np.sum(W * W), dW / num_train + reg * W


@wrong("true_class_per_class", loss="hinge", convention="full", layout="DC", loop_free=False)
def subtracts_for_every_class(W, X, y, reg):
    loss, dW = 0.0, np.zeros(W.shape)
    for i in range(len(X)):
        scores = X[i].dot(W)
        for j in range(W.shape[1]):
            if j == y[i]:
                continue
            margin = scores[j] - scores[y[i]] + 1
            dW[:, y[i]] -= X[i]
            if margin > 0:
                loss += margin
                dW[:, j] += X[i]
    return loss / len(X) + reg * np.sum(W * W), dW / len(X) + 2 * reg * W


@wrong("true_class_per_class", loss="hinge", convention="half", layout="DC", loop_free=True)
def minus_the_number_of_classes(W, X, y, reg):
    N, C = X.shape[0], W.shape[1]
    scores = X @ W
    margins = np.maximum(0, scores - scores[np.arange(N), y][:, None] + 1)
    margins[np.arange(N), y] = 0
    slope = np.where(margins > 0, 1.0, 0.0)
    slope[np.arange(N), y] = -(C - 1)
    return margins.sum() / N + 0.5 * reg * np.sum(W * W), X.T @ slope / N + reg * W


@wrong("true_class_sign", loss="hinge", convention="full", layout="DC", loop_free=True)
def adds_the_true_class(W, X, y, reg):
    N = X.shape[0]
    scores = X.dot(W)
    margins = np.maximum(0, scores - scores[np.arange(N), y][:, None] + 1)
    margins[np.arange(N), y] = 0
    slope = np.sign(margins)
    slope[np.arange(N), y] = slope.sum(axis=1)
    return margins.sum() / N + reg * np.sum(W * W), X.T.dot(slope) / N + 2 * reg * W


@wrong("true_class_sign", loss="hinge", convention="full", layout="CD", loop_free=False)
def adds_the_true_class_in_loops(W, X, y, reg):
    loss, dW = 0.0, np.zeros(W.shape)
    for i in range(X.shape[1]):
        scores = W.dot(X[:, i])
        for j in range(W.shape[0]):
            margin = scores[j] - scores[y[i]] + 1
            if j != y[i] and margin > 0:
                loss += margin
                dW[j] += X[:, i]
                dW[y[i]] += X[:, i]
    return loss / X.shape[1] + reg * np.sum(W * W), dW / X.shape[1] + 2 * reg * W


@wrong("repeated_labels", loss="hinge", convention="full", layout="DC", loop_free=True)
def subtracts_from_the_labels_columns(W, X, y, reg):
    N = X.shape[0]
    scores = X.dot(W)
    margins = np.maximum(0, scores - scores[np.arange(N), y][:, None] + 1)
    margins[np.arange(N), y] = 0
    mask = (margins > 0).astype(float)
    dW = X.T.dot(mask)
    dW[:, y] -= (X * mask.sum(axis=1)[:, None]).T
    return margins.sum() / N + reg * np.sum(W * W), dW / N + 2 * reg * W


@wrong("repeated_labels", loss="hinge", convention="half", layout="CD", loop_free=True)
def subtracts_from_the_labels_rows(W, X, y, reg):
    N = X.shape[1]
    scores = W.dot(X)
    margins = np.maximum(0, scores - scores[y, range(N)] + 1)
    margins[y, range(N)] = 0
    mask = (margins > 0).astype(float)
    dW = mask.dot(X.T)
    dW[y] -= (X * mask.sum(axis=0)).T
    return margins.sum() / N + 0.5 * reg * np.sum(W * W), dW / N + reg * W


@wrong("sign_of_gradient", loss="hinge", convention="full", layout="DC", loop_free=True)
def gradient_points_uphill(W, X, y, reg):
    N = X.shape[0]
    scores = X.dot(W)
    margins = np.maximum(0, scores - scores[np.arange(N), y][:, None] + 1)
    margins[np.arange(N), y] = 0
    mask = -(margins > 0).astype(float)
    mask[np.arange(N), y] = -mask.sum(axis=1)
    return margins.sum() / N + reg * np.sum(W * W), X.T.dot(mask) / N + 2 * reg * W


@wrong("sign_of_gradient", loss="hinge", convention="half", layout="DC", loop_free=False)
def descent_direction(W, X, y, reg):
    loss, dW = 0.5 * reg * np.sum(W * W), reg * W
    for x, label in zip(X, y, strict=True):
        scores = x.dot(W)
        for j in range(W.shape[1]):
            margin = scores[j] - scores[label] + 1
            if j != label and margin > 0:
                loss += margin / len(y)
                dW[:, j] += x / len(y)
                dW[:, label] -= x / len(y)
    return loss, -dW


@wrong("mean_over_classes", loss="hinge", convention="full", layout="DC", loop_free=True)
def mean_of_all_margins(W, X, y, reg):
    N = X.shape[0]
    scores = X.dot(W)
    margins = np.maximum(0, scores - scores[np.arange(N), y][:, None] + 1)
    margins[np.arange(N), y] = 0
    mask = (margins > 0).astype(float)
    mask[np.arange(N), y] = -mask.sum(axis=1)
    return np.mean(margins) + reg * np.sum(W * W), X.T.dot(mask) / N + 2 * reg * W


@wrong("mean_over_classes", loss="hinge", convention="half", layout="DC", loop_free=True)
def gradient_divided_by_the_size_of_the_scores(W, X, y, reg):
    scores = X.dot(W)
    rows = np.arange(scores.shape[0])
    margins = np.maximum(0, scores - scores[rows, y][:, None] + 1)
    margins[rows, y] = 0
    mask = (margins > 0).astype(float)
    mask[rows, y] = -mask.sum(axis=1)
    loss = margins.sum(axis=1).mean() + 0.5 * reg * np.sum(W * W)
    return loss, X.T.dot(mask) / scores.size + reg * W


@wrong("mean_over_classes", loss="hinge", convention="full", layout="DC", loop_free=False)
def average_over_the_wrong_classes(W, X, y, reg):
    num_train, num_wrong = X.shape[0], W.shape[1] - 1
    loss, dW = 0.0, np.zeros(W.shape)
    for i in range(num_train):
        scores = X[i].dot(W)
        for j in range(W.shape[1]):
            margin = scores[j] - scores[y[i]] + 1
            if j != y[i] and margin > 0:
                loss += margin / num_wrong
                dW[:, j] += X[i] / num_wrong
                dW[:, y[i]] -= X[i] / num_wrong
    return loss / num_train + reg * np.sum(W * W), dW / num_train + 2 * reg * W


@wrong("mean_missing", loss="hinge", convention="full", layout="DC", loop_free=False)
def gradient_never_divided(W, X, y, reg):
    loss, dW = 0.0, np.zeros(W.shape)
    for i in range(len(X)):
        scores = X[i].dot(W)
        for j in range(W.shape[1]):
            margin = scores[j] - scores[y[i]] + 1
            if j != y[i] and margin > 0:
                loss += margin
                dW[:, j] += X[i]
                dW[:, y[i]] -= X[i]
    return loss / len(X) + reg * np.sum(W * W), dW + 2 * reg * W


@wrong("mean_missing", loss="hinge", convention="half", layout="DC", loop_free=True)
def sums_over_the_examples(W, X, y, reg):
    rows = np.arange(X.shape[0])
    scores = X @ W
    margins = np.maximum(0, scores - scores[rows, y][:, None] + 1)
    margins[rows, y] = 0
    mask = (margins > 0).astype(float)
    mask[rows, y] = -mask.sum(axis=1)
    return margins.sum() + 0.5 * reg * np.sum(W * W), X.T @ mask + reg * W


@wrong("mean_doubled", loss="hinge", convention="full", layout="DC", loop_free=False)
def gradient_divided_for_each_and_at_the_end(W, X, y, reg):
    N = X.shape[0]
    loss, dW = 0.0, np.zeros(W.shape)
    for i in range(N):
        scores = X[i].dot(W)
        for j in range(W.shape[1]):
            margin = scores[j] - scores[y[i]] + 1
            if j != y[i] and margin > 0:
                loss += margin
                dW[:, j] += X[i] / N
                dW[:, y[i]] -= X[i] / N
    return loss / N + reg * np.sum(W * W), dW / N + 2 * reg * W


@wrong("mean_doubled", loss="hinge", convention="full", layout="DC", loop_free=True)
def mean_divided_again(W, X, y, reg):
    N = X.shape[0]
    scores = X.dot(W)
    margins = np.maximum(0, scores - scores[np.arange(N), y][:, None] + 1)
    margins[np.arange(N), y] = 0
    mask = (margins > 0).astype(float)
    mask[np.arange(N), y] = -mask.sum(axis=1)
    return np.mean(margins.sum(axis=1)) / N + reg * np.sum(W * W), X.T.dot(mask) / N + 2 * reg * W


@wrong("constant_factor", loss="hinge", convention="full", layout="DC", loop_free=True)
def half_of_the_hinge(W, X, y, reg):
    N = X.shape[0]
    scores = X.dot(W)
    margins = np.maximum(0, scores - scores[np.arange(N), y][:, None] + 1)
    margins[np.arange(N), y] = 0
    mask = (margins > 0).astype(float)
    mask[np.arange(N), y] = -mask.sum(axis=1)
    return 0.5 * margins.sum() / N + reg * np.sum(W * W), 0.5 * X.T.dot(mask) / N + 2 * reg * W


@wrong("constant_factor", loss="hinge", convention="half", layout="DC", loop_free=True)
def twice_the_slope(W, X, y, reg):
    N = X.shape[0]
    scores = X.dot(W)
    margins = np.maximum(0, scores - scores[np.arange(N), y][:, None] + 1)
    margins[np.arange(N), y] = 0
    mask = 2.0 * (margins > 0)
    mask[np.arange(N), y] = -mask.sum(axis=1)
    return margins.sum() / N + 0.5 * reg * np.sum(W * W), X.T.dot(mask) / N + reg * W

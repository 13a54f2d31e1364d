"""Hinge losses whose penalty is wrong, each in one way."""

import numpy as np
from corpus.registry import wrong  # pyright: ignore[reportMissingImports]


@wrong("penalty_gradient_half", loss="hinge", layout="DC", loop_free=False)
def hinge_penalty_gradient_reg_times_w(W, X, y, reg):
    loss, dW = 0.0, np.zeros(W.shape)
    for i in range(len(X)):
        scores = X[i].dot(W)
        for j in range(W.shape[1]):
            margin = scores[j] - scores[y[i]] + 1
            if j != y[i] and margin > 0:
                loss += margin
                dW[:, j] += X[i]
                dW[:, y[i]] -= X[i]
    loss /= len(X)
    dW /= len(X)
    loss += reg * np.sum(W * W)
    dW += reg * W
    return loss, dW


@wrong("penalty_gradient_half", loss="hinge", layout="CD", loop_free=True)
def hinge_penalty_gradient_half_older_layout(W, X, y, reg):
    N = X.shape[1]
    scores = W.dot(X)
    margins = np.maximum(0, scores - scores[y, range(N)] + 1)
    margins[y, range(N)] = 0
    mask = (margins > 0).astype(float)
    mask[y, range(N)] = -mask.sum(axis=0)
    return margins.sum() / N + reg * np.linalg.norm(W) ** 2, mask.dot(X.T) / N + reg * W


@wrong("penalty_gradient_double", loss="hinge", layout="DC", loop_free=True)
def hinge_penalty_gradient_twice(W, X, y, reg):
    N = X.shape[0]
    scores = X.dot(W)
    margins = np.maximum(0, scores - scores[np.arange(N), y][:, None] + 1)
    margins[np.arange(N), y] = 0
    mask = (margins > 0).astype(float)
    mask[np.arange(N), y] = -mask.sum(axis=1)
    return margins.sum() / N + 0.5 * reg * np.sum(W * W), X.T.dot(mask) / N + 2 * reg * W


@wrong("penalty_not_in_gradient", loss="hinge", layout="DC", loop_free=False)
def hinge_penalty_left_out_of_dw(W, X, y, reg):
    loss, dW = 0.0, np.zeros(W.shape)
    for i in range(len(X)):
        scores = X[i].dot(W)
        for j in range(W.shape[1]):
            margin = scores[j] - scores[y[i]] + 1
            if j != y[i] and margin > 0:
                loss += margin
                dW[:, j] += X[i]
                dW[:, y[i]] -= X[i]
    return loss / len(X) + 0.5 * reg * np.sum(W * W), dW / len(X)


@wrong("penalty_not_in_value", loss="hinge", layout="DC", loop_free=True)
def hinge_penalty_in_dw_only(W, X, y, reg):
    N = X.shape[0]
    scores = X.dot(W)
    margins = np.maximum(0, scores - scores[np.arange(N), y][:, None] + 1)
    margins[np.arange(N), y] = 0
    mask = (margins > 0).astype(float)
    mask[np.arange(N), y] = -mask.sum(axis=1)
    return margins.sum() / N, X.T.dot(mask) / N + reg * W


@wrong("penalty_missing", loss="hinge", layout="DC", loop_free=True)
def hinge_ignores_reg(W, X, y, reg):
    N = X.shape[0]
    scores = X.dot(W)
    margins = np.maximum(0, scores - scores[np.arange(N), y][:, None] + 1)
    margins[np.arange(N), y] = 0
    mask = (margins > 0).astype(float)
    mask[np.arange(N), y] = -mask.sum(axis=1)
    return margins.sum() / N, X.T.dot(mask) / N


@wrong("penalty_precedence", loss="hinge", layout="DC", loop_free=False)
def hinge_divided_by_the_penalty(W, X, y, reg):
    loss, dW = 0.0, np.zeros(W.shape)
    for i in range(len(X)):
        scores = X[i].dot(W)
        for j in range(W.shape[1]):
            margin = scores[j] - scores[y[i]] + 1
            if j != y[i] and margin > 0:
                loss += margin
                dW[:, j] += X[i]
                dW[:, y[i]] -= X[i]
    loss /= len(X) + reg * np.sum(W * W)
    dW = dW / len(X) + 2 * reg * W
    return loss, dW


@wrong("penalty_precedence", loss="hinge", layout="DC", loop_free=True)
def hinge_and_gradient_divided_by_the_penalty(W, X, y, reg):
    N = X.shape[0]
    scores = X.dot(W)
    margins = np.maximum(0, scores - scores[np.arange(N), y][:, None] + 1)
    margins[np.arange(N), y] = 0
    loss = np.sum(margins)
    loss /= N + 0.5 * reg * np.sum(W * W)
    mask = (margins > 0).astype(float)
    mask[np.arange(N), y] = -mask.sum(axis=1)
    dW = X.T.dot(mask)
    dW /= N + reg * W
    return loss, dW


@wrong("penalty_gradient_scalar", loss="hinge", layout="DC", loop_free=True)
def hinge_penalty_gradient_summed(W, X, y, reg):
    N = X.shape[0]
    scores = X.dot(W)
    margins = np.maximum(0, scores - scores[np.arange(N), y][:, None] + 1)
    margins[np.arange(N), y] = 0
    mask = (margins > 0).astype(float)
    mask[np.arange(N), y] = -mask.sum(axis=1)
    return margins.sum() / N + reg * np.sum(W * W), X.T.dot(mask) / N + 2 * reg * np.sum(W)


@wrong("penalty_gradient_scalar", loss="hinge", layout="DC", loop_free=True)
def hinge_penalty_value_added_to_dw(W, X, y, reg):
    N = X.shape[0]
    scores = X.dot(W)
    margins = np.maximum(0, scores - scores[np.arange(N), y][:, None] + 1)
    margins[np.arange(N), y] = 0
    mask = (margins > 0).astype(float)
    mask[np.arange(N), y] = -mask.sum(axis=1)
    penalty = reg * np.sum(W * W)
    return margins.sum() / N + penalty, X.T.dot(mask) / N + penalty


@wrong("penalty_not_squared", loss="hinge", layout="DC", loop_free=True)
def hinge_penalty_is_a_norm(W, X, y, reg):
    N = X.shape[0]
    scores = X.dot(W)
    margins = np.maximum(0, scores - scores[np.arange(N), y][:, None] + 1)
    margins[np.arange(N), y] = 0
    mask = (margins > 0).astype(float)
    mask[np.arange(N), y] = -mask.sum(axis=1)
    return margins.sum() / N + reg * np.linalg.norm(W), X.T.dot(mask) / N + 2 * reg * W


@wrong("penalty_not_squared", loss="hinge", layout="DC", loop_free=True)
def hinge_penalty_of_absolute_weights(W, X, y, reg):
    N = X.shape[0]
    scores = X.dot(W)
    margins = np.maximum(0, scores - scores[np.arange(N), y][:, None] + 1)
    margins[np.arange(N), y] = 0
    mask = (margins > 0).astype(float)
    mask[np.arange(N), y] = -mask.sum(axis=1)
    return margins.sum() / N + reg * np.sum(np.abs(W)), X.T.dot(mask) / N + reg * np.sign(W)


@wrong("penalty_scale", loss="hinge", layout="DC", loop_free=False)
def hinge_penalty_added_before_the_mean(W, X, y, reg):
    loss, dW = reg * np.sum(W * W), 2 * reg * W
    for i in range(len(X)):
        scores = X[i].dot(W)
        for j in range(W.shape[1]):
            margin = scores[j] - scores[y[i]] + 1
            if j != y[i] and margin > 0:
                loss += margin
                dW[:, j] += X[i]
                dW[:, y[i]] -= X[i]
    return loss / len(X), dW / len(X)


@wrong("penalty_scale", loss="hinge", layout="DC", loop_free=False)
def hinge_penalty_added_for_every_example(W, X, y, reg):
    loss, dW = 0.0, np.zeros(W.shape)
    for i in range(len(X)):
        scores = X[i].dot(W)
        for j in range(W.shape[1]):
            margin = scores[j] - scores[y[i]] + 1
            if j != y[i] and margin > 0:
                loss += margin / len(X)
                dW[:, j] += X[i] / len(X)
                dW[:, y[i]] -= X[i] / len(X)
        loss += reg * np.sum(W * W)
    return loss, dW + 2 * reg * W


@wrong("penalty_without_reg", loss="hinge", layout="DC", loop_free=True)
def hinge_penalty_without_its_strength(W, X, y, reg):
    N = X.shape[0]
    scores = X.dot(W)
    margins = np.maximum(0, scores - scores[np.arange(N), y][:, None] + 1)
    margins[np.arange(N), y] = 0
    mask = (margins > 0).astype(float)
    mask[np.arange(N), y] = -mask.sum(axis=1)
    return margins.sum() / N + np.sum(W * W), X.T.dot(mask) / N + 2 * W


@wrong("penalty_without_reg", loss="hinge", layout="DC", loop_free=True)
def hinge_gradient_without_its_strength(W, X, y, reg):
    N = X.shape[0]
    scores = X.dot(W)
    margins = np.maximum(0, scores - scores[np.arange(N), y][:, None] + 1)
    margins[np.arange(N), y] = 0
    mask = (margins > 0).astype(float)
    mask[np.arange(N), y] = -mask.sum(axis=1)
    return margins.sum() / N + 0.5 * reg * np.sum(W * W), X.T.dot(mask) / N + W


@wrong("penalty_without_bias", loss="hinge", layout="DC", loop_free=True)
def hinge_spares_the_bias(W, X, y, reg):
    N = X.shape[0]
    scores = X.dot(W)
    margins = np.maximum(0, scores - scores[np.arange(N), y][:, None] + 1)
    margins[np.arange(N), y] = 0
    mask = (margins > 0).astype(float)
    mask[np.arange(N), y] = -mask.sum(axis=1)
    dW = X.T.dot(mask) / N
    dW[:-1] += 2 * reg * W[:-1]
    return margins.sum() / N + reg * np.sum(W[:-1] ** 2), dW


@wrong("penalty_without_bias", loss="hinge", layout="CD", loop_free=True)
def hinge_spares_the_bias_older_layout(W, X, y, reg):
    N = X.shape[1]
    scores = W.dot(X)
    margins = np.maximum(0, scores - scores[y, range(N)] + 1)
    margins[y, range(N)] = 0
    mask = (margins > 0).astype(float)
    mask[y, range(N)] = -mask.sum(axis=0)
    dW = mask.dot(X.T) / N
    dW[:, :-1] += reg * W[:, :-1]
    return margins.sum() / N + 0.5 * reg * np.sum(W[:, :-1] ** 2), dW


@wrong("penalty_gradient_squared", "wrong_number", loss="hinge", layout="DC", loop_free=True)
def hinge_penalty_of_cubes(W, X, y, reg):
    N = X.shape[0]
    scores = X.dot(W)
    margins = np.maximum(0, scores - scores[np.arange(N), y][:, None] + 1)
    margins[np.arange(N), y] = 0
    mask = (margins > 0).astype(float)
    mask[np.arange(N), y] = -mask.sum(axis=1)
    return margins.sum() / N + reg * np.sum(W**3), X.T.dot(mask) / N + 3 * reg * W**2

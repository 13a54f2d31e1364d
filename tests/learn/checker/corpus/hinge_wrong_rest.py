"""Hinge losses that harm their surroundings, give back something else, are unfinished, or have two faults."""

import numpy as np
from corpus.registry import wrong  # pyright: ignore[reportMissingImports]


@wrong("changes_weights", loss="hinge", convention="full", layout="DC", loop_free=True)
def regularises_in_place(W, X, y, reg):
    N = X.shape[0]
    scores = X.dot(W)
    margins = np.maximum(0, scores - scores[np.arange(N), y][:, None] + 1)
    margins[np.arange(N), y] = 0
    mask = (margins > 0).astype(float)
    mask[np.arange(N), y] = -mask.sum(axis=1)
    R = W
    dW = X.T.dot(mask) / N + 2 * reg * R
    R *= R
    return margins.sum() / N + reg * np.sum(R), dW


@wrong("changes_weights", "penalty_without_bias", loss="hinge", layout="DC", loop_free=True)
def sets_the_callers_bias_to_zero(W, X, y, reg):
    N = X.shape[0]
    scores = X.dot(W)
    margins = np.maximum(0, scores - scores[np.arange(N), y][:, None] + 1)
    margins[np.arange(N), y] = 0
    mask = (margins > 0).astype(float)
    mask[np.arange(N), y] = -mask.sum(axis=1)
    R = W
    R[-1] = 0
    return margins.sum() / N + reg * np.sum(R * R), X.T.dot(mask) / N + 2 * reg * R


@wrong("changes_data", loss="hinge", convention="half", layout="DC", loop_free=True)
def weighs_the_examples_in_place(W, X, y, reg):
    N = X.shape[0]
    scores = X.dot(W)
    margins = np.maximum(0, scores - scores[np.arange(N), y][:, None] + 1)
    margins[np.arange(N), y] = 0
    dW = X.T.dot(margins > 0)
    weighted = X
    weighted *= (margins > 0).sum(axis=1)[:, None]
    np.subtract.at(dW.T, y, weighted)
    return margins.sum() / N + 0.5 * reg * np.sum(W * W), dW / N + reg * W


@wrong("changes_data", loss="hinge", convention="full", layout="DC", loop_free=False)
def divides_each_example_in_place(W, X, y, reg):
    loss, dW = reg * np.sum(W * W), 2 * reg * W
    for i in range(len(X)):
        x = X[i]
        scores = x.dot(W)
        margins = np.maximum(0, scores - scores[y[i]] + 1)
        loss += (margins.sum() - 1) / len(X)
        x /= len(X)
        dW[:, margins > 0] += x[:, None]
        dW[:, y[i]] -= np.sum(margins > 0) * x
    return loss, dW


@wrong("changes_labels", loss="hinge", convention="full", layout="DC", loop_free=True)
def turns_labels_into_flat_places(W, X, y, reg):
    N, C = X.shape[0], W.shape[1]
    scores = X.dot(W)
    y += np.arange(N) * C
    margins = np.maximum(0, scores - scores.ravel()[y][:, None] + 1)
    margins.ravel()[y] = 0
    mask = (margins > 0).astype(float)
    mask.ravel()[y] = -mask.sum(axis=1)
    return margins.sum() / N + reg * np.sum(W * W), X.T.dot(mask) / N + 2 * reg * W


@wrong("not_repeatable", loss="hinge", layout="DC")
def keeps_its_gradient(W, X, y, reg, kept={}):  # noqa: B006
    N = X.shape[0]
    dW = kept.setdefault(W.shape, np.zeros(W.shape))
    scores = X.dot(W)
    margins = np.maximum(0, scores - scores[np.arange(N), y][:, None] + 1)
    margins[np.arange(N), y] = 0
    mask = (margins > 0).astype(float)
    mask[np.arange(N), y] = -mask.sum(axis=1)
    dW += X.T.dot(mask) / N + 2 * reg * W
    return margins.sum() / N + reg * np.sum(W * W), dW.copy()


@wrong("not_repeatable", loss="hinge")
def draws_a_batch_of_its_own(W, X, y, reg):
    N = X.shape[0]
    batch = np.random.choice(N, N)
    X, y = X[batch], y[batch]
    scores = X.dot(W)
    margins = np.maximum(0, scores - scores[np.arange(N), y][:, None] + 1)
    margins[np.arange(N), y] = 0
    mask = (margins > 0).astype(float)
    mask[np.arange(N), y] = -mask.sum(axis=1)
    return margins.sum() / N + reg * np.sum(W * W), X.T.dot(mask) / N + 2 * reg * W


@wrong("unfinished", loss="hinge", verdict="unfinished")
def hinge_of_the_untouched_template(W, X, y, reg):
    loss = 0.0
    dW = np.zeros(W.shape)  # the gradient has the shape of W
    return loss, dW


@wrong("unfinished", loss="hinge", verdict="unfinished")
def hinge_that_returns_nothing(W, X, y, reg):
    pass


@wrong("unfinished", loss="hinge", verdict="unfinished")
def hinge_not_implemented(W, X, y, reg):
    raise NotImplementedError("the hinge comes next week")


@wrong("gradient_unfinished", loss="hinge", verdict="unfinished", loop_free=False)
def loss_given_gradient_to_do(W, X, y, reg):
    dW = np.zeros(W.shape)
    loss = 0.0
    for i in range(X.shape[0]):
        scores = X[i].dot(W)
        for j in range(W.shape[1]):
            if j == y[i]:
                continue
            margin = scores[j] - scores[y[i]] + 1
            if margin > 0:
                loss += margin
    loss /= X.shape[0]
    loss += reg * np.sum(W * W)
    return loss, dW


@wrong("gradient_unfinished", loss="hinge", verdict="unfinished", loop_free=True)
def vectorized_loss_gradient_to_do(W, X, y, reg):
    dW = np.zeros(W.shape)
    scores = X @ W
    margins = np.maximum(0, scores - scores[np.arange(len(y)), y][:, None] + 1)
    loss = np.sum(margins) / len(y) - 1 + 0.5 * reg * np.sum(W * W)
    return loss, dW


@wrong("value_unfinished", loss="hinge", verdict="unfinished", loop_free=True)
def gradient_without_its_hinge(W, X, y, reg):
    loss, rows = 0.0, np.arange(X.shape[0])
    scores = X.dot(W)
    mask = (scores - scores[rows, y][:, None] + 1 > 0).astype(float)
    mask[rows, y] = 0
    mask[rows, y] = -mask.sum(axis=1)
    return loss, X.T.dot(mask) / len(rows) + 2 * reg * W


@wrong("gradient_shape", loss="hinge")
def gradient_on_its_side(W, X, y, reg):
    N = X.shape[0]
    scores = X.dot(W)
    margins = np.maximum(0, scores - scores[np.arange(N), y][:, None] + 1)
    margins[np.arange(N), y] = 0
    mask = (margins > 0).astype(float)
    mask[np.arange(N), y] = -mask.sum(axis=1)
    return margins.sum() / N + reg * np.sum(W * W), mask.T.dot(X) / N + 2 * reg * W.T


@wrong("loss_not_scalar", loss="hinge")
def a_loss_for_every_example(W, X, y, reg):
    N = X.shape[0]
    scores = X.dot(W)
    margins = np.maximum(0, scores - scores[np.arange(N), y][:, None] + 1)
    margins[np.arange(N), y] = 0
    mask = (margins > 0).astype(float)
    mask[np.arange(N), y] = -mask.sum(axis=1)
    return margins.sum(axis=1) + reg * np.sum(W * W), X.T.dot(mask) / N + 2 * reg * W


@wrong("returns_no_pair", loss="hinge")
def the_loss_alone(W, X, y, reg):
    N = X.shape[0]
    scores = X.dot(W)
    margins = np.maximum(0, scores - scores[np.arange(N), y][:, None] + 1)
    margins[np.arange(N), y] = 0
    return margins.sum() / N + reg * np.sum(W * W)


@wrong("gradient_type", loss="hinge")
def gradient_cut_off_to_integers(W, X, y, reg):
    dW = np.zeros(W.shape, dtype=int)
    N = X.shape[0]
    scores = X.dot(W)
    margins = np.maximum(0, scores - scores[np.arange(N), y][:, None] + 1)
    margins[np.arange(N), y] = 0
    mask = (margins > 0).astype(float)
    mask[np.arange(N), y] = -mask.sum(axis=1)
    dW[:] = X.T.dot(mask) / N + 2 * reg * W
    return margins.sum() / N + reg * np.sum(W * W), dW


@wrong("raises", loss="hinge", verdict="crashes")
def broadcasts_the_wrong_way(W, X, y, reg):
    scores = X.dot(W)
    margins = np.maximum(0, scores - scores[np.arange(len(y)), y] + 1)
    margins[np.arange(len(y)), y] = 0
    mask = (margins > 0).astype(float)
    mask[np.arange(len(y)), y] = -mask.sum(axis=1)
    return margins.sum() / len(y) + reg * np.sum(W * W), X.T.dot(mask) / len(y) + 2 * reg * W


@wrong("not_finite", loss="hinge")
def zero_over_zero_for_the_mask(W, X, y, reg):
    N = X.shape[0]
    scores = X.dot(W)
    margins = np.maximum(0, scores - scores[np.arange(N), y][:, None] + 1)
    margins[np.arange(N), y] = 0
    mask = margins / np.abs(margins)
    mask[np.arange(N), y] = -mask.sum(axis=1)
    return margins.sum() / N + reg * np.sum(W * W), X.T.dot(mask) / N + 2 * reg * W


@wrong("sign_of_value", loss="hinge", layout="DC", loop_free=True)
def value_below_zero(W, X, y, reg):
    N = X.shape[0]
    scores = X.dot(W)
    margins = np.maximum(0, scores - scores[np.arange(N), y][:, None] + 1)
    margins[np.arange(N), y] = 0
    mask = (margins > 0).astype(float)
    mask[np.arange(N), y] = -mask.sum(axis=1)
    return -margins.sum() / N + reg * np.sum(W * W), X.T.dot(mask) / N + 2 * reg * W

"""Functions of both losses that an earlier version of the checker got wrong."""

import numpy as np
from corpus.registry import right, wrong  # pyright: ignore[reportMissingImports]


def softmax(W, X):
    scores = X @ W
    e = np.exp(scores - scores.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


@right("softmax")
def probabilities_in_single_precision(W, X, y, reg):
    p = softmax(W, X).astype(np.float32)
    rows = np.arange(len(y))
    loss = -np.log(p[rows, y]).mean() + reg * np.sum(W * W)
    p[rows, y] -= 1
    return loss, X.T.dot(p) / len(y) + 2 * reg * W


@right("softmax", "half")
def sum_in_single_precision_and_mean_in_double(W, X, y, reg):
    p = softmax(W, X)
    rows = np.arange(len(y))
    loss = -np.log(p[rows, y]).mean() + 0.5 * reg * np.sum(W * W)
    p[rows, y] -= 1
    dW = np.zeros(W.shape, dtype=np.float32)
    dW += X.T.dot(p)
    return loss, dW / np.float64(len(y)) + reg * W


@right("hinge")
def asserts_its_shapes(W, X, y, reg):
    assert W.ndim == X.ndim == 2
    assert X.shape == (len(y), W.shape[0])
    rows = np.arange(len(y))
    margins = np.maximum(0, X @ W - (X @ W)[rows, y][:, None] + 1)
    margins[rows, y] = 0
    mask = (margins > 0).astype(int)
    mask[rows, y] = -mask.sum(axis=1)
    return np.array(margins.sum() / len(y) + reg * np.sum(W**2)), X.T @ mask / len(y) + 2 * reg * W


@wrong("padded_normaliser", loss="softmax", verdict="right_unstable", convention="full", example=True)
def safe_division(W, X, y, reg):
    e = np.exp(X @ W - np.max(X @ W, axis=1, keepdims=True))
    p = e / (e.sum(axis=1, keepdims=True) + 1e-8)
    rows = np.arange(len(y))
    loss = -np.log(p[rows, y]).mean() + reg * np.sum(W * W)
    p[rows, y] -= 1
    return loss, X.T @ p / len(y) + 2 * reg * W


@wrong("padded_normaliser", loss="softmax", verdict="right_unstable", convention="full")
def safer_division(W, X, y, reg):
    e = np.exp(X @ W - np.max(X @ W, axis=1, keepdims=True))
    p = e / (e.sum(axis=1, keepdims=True) + 1e-12)
    rows = np.arange(len(y))
    loss = -np.log(p[rows, y]).mean() + reg * np.sum(W * W)
    p[rows, y] -= 1
    return loss, X.T @ p / len(y) + 2 * reg * W


@wrong("capped_logarithm", loss="softmax", verdict="right_unstable", convention="full")
def large_number_in_the_logarithm(W, X, y, reg):
    p = softmax(W, X)
    rows = np.arange(len(y))
    loss = -np.log(p[rows, y] + 1e-4).mean() + reg * np.sum(W * W)
    p[rows, y] -= 1
    return loss, X.T @ p / len(y) + 2 * reg * W


@wrong("capped_logarithm", loss="softmax", verdict="right_unstable", convention="full")
def clipped_on_both_sides(W, X, y, reg):
    p = softmax(W, X)
    rows = np.arange(len(y))
    loss = -np.log(np.clip(p[rows, y], 1e-12, 1 - 1e-12)).mean() + reg * np.sum(W * W)
    p[rows, y] -= 1
    return loss, X.T @ p / len(y) + 2 * reg * W


@wrong("overflow", loss="softmax", verdict="right_unstable", convention="full")
def shifted_by_a_constant(W, X, y, reg):
    e = np.exp(X @ W - 100)
    p = e / e.sum(axis=1, keepdims=True)
    rows = np.arange(len(y))
    loss = -np.log(p[rows, y]).mean() + reg * np.sum(W * W)
    p[rows, y] -= 1
    return loss, X.T @ p / len(y) + 2 * reg * W


@wrong("only_penalty", loss="softmax", example=True)
def signs_the_wrong_way_round(W, X, y, reg):
    p = softmax(W, X)
    rows = np.arange(len(y))
    loss = -np.log(p[rows, y]).mean()
    loss = +reg * np.sum(W * W)  # written "loss =+ reg * np.sum(W * W)"
    p[rows, y] -= 1
    return loss, X.T @ p / len(y) + 2 * reg * W


@wrong("other_loss", loss="softmax", example=True)
def hinge_where_softmax_is_asked_for(W, X, y, reg):
    scores = X.dot(W)
    rows = np.arange(len(y))
    margins = np.maximum(0, scores - scores[rows, y][:, None] + 1)
    margins[rows, y] = 0
    mask = (margins > 0).astype(float)
    mask[rows, y] = -mask.sum(axis=1)
    return margins.sum() / len(y) + reg * np.sum(W * W), X.T.dot(mask) / len(y) + 2 * reg * W


@wrong(loss="hinge", layout="DC")
def zeroes_all_the_columns(W, X, y, reg):
    scores = X.dot(W)
    rows = np.arange(len(y))
    margins = np.maximum(0, scores - scores[rows, y][:, None] + 1)
    margins[:, y] = 0
    mask = (margins > 0).astype(float)
    mask[rows, y] = -mask.sum(axis=1)
    return margins.sum() / len(y) + reg * np.sum(W * W), X.T.dot(mask) / len(y) + 2 * reg * W


@wrong("raises", loss="softmax", verdict="crashes")
def refuses_no_weights(W, X, y, reg):
    if not W.any():
        raise ValueError("W has not been initialised")
    return probabilities_in_single_precision(W, X, y, reg)


@wrong("undefined_name", loss="softmax", verdict="crashes")
def penalty_by_another_name(W, X, y, reg):
    loss, dW = probabilities_in_single_precision(W, X, y, 0.0)
    if reg > 0:
        loss += lamda * np.sum(W * W)  # noqa: F821  # pyright: ignore[reportUndefinedVariable]
    return loss, dW


@wrong("class_missing", loss="softmax", convention="full")
def last_class_left_out(W, X, y, reg):
    p = softmax(W, X)
    rows = np.arange(len(y))
    loss = -np.log(p[rows, y]).mean() + reg * np.sum(W * W)
    p[rows, y] -= 1
    dW = X.T @ p / len(y)
    dW[:, -1] = 0
    return loss, dW + 2 * reg * W


@wrong("wrong_gradient", loss="softmax", convention="full")
def turned_where_it_is_square(W, X, y, reg):
    loss, dW = probabilities_in_single_precision(W, X, y, reg)
    return loss, dW.T.copy() if W.shape[0] == W.shape[1] else dW


@wrong("wrong_statement", loss="softmax", convention="full")
def a_billionth_too_long(W, X, y, reg):
    p = softmax(W, X)
    rows = np.arange(len(y))
    loss = -np.log(p[rows, y]).mean() + reg * np.sum(W * W)
    p[rows, y] -= 1
    dW = X.T @ p / len(y)
    dW[3, 2] *= 1 + 1e-9
    return loss, dW + 2 * reg * W


@wrong("gradient_type", loss="softmax")
def complex_numbers(W, X, y, reg):
    loss, dW = probabilities_in_single_precision(W, X, y, reg)
    return loss, dW.astype(complex)


@wrong("wrong_at_large_scores", loss="softmax", verdict="right_unstable", convention="full")
def shifted_by_the_true_score(W, X, y, reg):
    scores = X @ W
    rows = np.arange(len(y))
    e = np.exp(scores - scores[rows, y][:, None])
    loss = np.log(e.sum(axis=1)).mean() + reg * np.sum(W * W)
    p = e / e.sum(axis=1, keepdims=True)
    p[rows, y] -= 1
    return loss, X.T @ p / len(y) + 2 * reg * W

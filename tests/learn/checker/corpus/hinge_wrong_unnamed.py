"""Hinge losses wrong in a way that few others are, or that shows only with some arguments."""

import numpy as np
from corpus.registry import wrong  # pyright: ignore[reportMissingImports]


@wrong("wrong_value", loss="hinge", convention="full", layout="DC", loop_free=True)
def size_of_the_margin(W, X, y, reg):
    N = X.shape[0]
    scores = X.dot(W)
    margins = scores - scores[np.arange(N), y][:, None] + 1
    margins[np.arange(N), y] = 0
    loss = np.abs(margins).sum() / N + reg * np.sum(W * W)
    mask = (margins > 0).astype(float)
    mask[np.arange(N), y] = -mask.sum(axis=1)
    return loss, X.T.dot(mask) / N + 2 * reg * W


@wrong("wrong_value", "wrong_gradient", loss="hinge", convention="half", layout="DC", loop_free=True)
def one_class_against_the_rest(W, X, y, reg):
    N = X.shape[0]
    sign = -np.ones((N, W.shape[1]))
    sign[np.arange(N), y] = 1
    margins = np.maximum(0, 1 - sign * X.dot(W))
    slope = -sign * (margins > 0)
    return margins.sum() / N + 0.5 * reg * np.sum(W * W), X.T.dot(slope) / N + reg * W


@wrong("class_missing", loss="hinge", convention="full", layout="DC", loop_free=False, example=True)
def leaves_out_the_last_class(W, X, y, reg):
    loss, dW = 0.0, np.zeros(W.shape)
    for i in range(len(X)):
        scores = X[i].dot(W)
        for j in range(W.shape[1] - 1):
            margin = scores[j] - scores[y[i]] + 1
            if j != y[i] and margin > 0:
                loss += margin
                dW[:, j] += X[i]
                dW[:, y[i]] -= X[i]
    return loss / len(X) + reg * np.sum(W * W), dW / len(X) + 2 * reg * W


@wrong("example_missing", loss="hinge", convention="full", layout="DC", loop_free=False)
def leaves_out_the_last_example(W, X, y, reg):
    loss, dW = 0.0, np.zeros(W.shape)
    for i in range(len(X) - 1):
        scores = X[i].dot(W)
        for j in range(W.shape[1]):
            margin = scores[j] - scores[y[i]] + 1
            if j != y[i] and margin > 0:
                loss += margin
                dW[:, j] += X[i]
                dW[:, y[i]] -= X[i]
    return loss / len(X) + reg * np.sum(W * W), dW / len(X) + 2 * reg * W


@wrong("stops_at_first_margin", loss="hinge", convention="half", layout="DC", loop_free=False, example=True)
def stops_at_the_first_positive_margin(W, X, y, reg):
    loss, dW = 0.0, np.zeros(W.shape)
    for i in range(len(X)):
        scores = X[i].dot(W)
        for j in range(W.shape[1]):
            margin = scores[j] - scores[y[i]] + 1
            if j != y[i] and margin > 0:
                loss += margin
                dW[:, j] += X[i]
                dW[:, y[i]] -= X[i]
                break
    return loss / len(X) + 0.5 * reg * np.sum(W * W), dW / len(X) + reg * W


@wrong("wrong_gradient", loss="hinge", convention="full", layout="DC", loop_free=False)
def true_class_gets_the_sum_so_far(W, X, y, reg):
    num_train = X.shape[0]
    loss, dW = 0.0, np.zeros(W.shape)
    count = 0
    for i in range(num_train):
        scores = X[i].dot(W)
        for j in range(W.shape[1]):
            margin = scores[j] - scores[y[i]] + 1
            if j != y[i] and margin > 0:
                loss += margin
                count += 1  # never set back to 0
                dW[:, j] += X[i]
        dW[:, y[i]] -= count * X[i]
    return loss / num_train + reg * np.sum(W * W), dW / num_train + 2 * reg * W


@wrong("wrong_term", loss="hinge", layout="DC", loop_free=True)
def rounds_the_loss(W, X, y, reg):
    N = X.shape[0]
    scores = X.dot(W)
    margins = np.maximum(0, scores - scores[np.arange(N), y][:, None] + 1)
    margins[np.arange(N), y] = 0
    mask = (margins > 0).astype(float)
    mask[np.arange(N), y] = -mask.sum(axis=1)
    return round(margins.sum() / N + reg * np.sum(W * W), 4), X.T.dot(mask) / N + 2 * reg * W


@wrong("single_example", loss="hinge", convention="full", layout="DC", loop_free=True)
def squeezes_the_scores(W, X, y, reg):
    N = X.shape[0]
    scores = X.dot(W).squeeze()
    margins = np.maximum(0, scores - scores[np.arange(N), y][:, None] + 1)
    margins[np.arange(N), y] = 0
    mask = (margins > 0).astype(float)
    mask[np.arange(N), y] = -mask.sum(axis=1)
    return margins.sum() / N + reg * np.sum(W * W), X.T.dot(mask) / N + 2 * reg * W


@wrong("single_example", loss="hinge", convention="half", layout="DC", loop_free=True)
def gives_up_on_one_example(W, X, y, reg):
    if len(y) < 2:
        return 0.0, np.zeros_like(W)
    rows = np.arange(len(y))
    scores = X @ W
    margins = np.maximum(0, scores - scores[rows, y, None] + 1)
    margins[rows, y] = 0
    mask = np.sign(margins)
    mask[rows, y] = -mask.sum(axis=1)
    return margins.sum() / len(y) + 0.5 * reg * np.sum(W * W), X.T @ mask / len(y) + reg * W


@wrong("absent_class", loss="hinge", convention="full", layout="DC", loop_free=False)
def as_many_classes_as_labels(W, X, y, reg):
    num_classes = len(np.unique(y))
    loss, dW = 0.0, np.zeros(W.shape)
    for i in range(len(X)):
        scores = X[i].dot(W)
        for j in range(num_classes):
            margin = scores[j] - scores[y[i]] + 1
            if j != y[i] and margin > 0:
                loss += margin
                dW[:, j] += X[i]
                dW[:, y[i]] -= X[i]
    return loss / len(X) + reg * np.sum(W * W), dW / len(X) + 2 * reg * W


@wrong("absent_class", loss="hinge", convention="half", layout="DC", loop_free=True)
def one_hot_up_to_the_largest_label(W, X, y, reg):
    onehot = np.eye(y.max() + 1)[y]
    scores = X @ W
    margins = (1 - onehot) * np.maximum(0, scores - np.sum(scores * onehot, axis=1, keepdims=True) + 1)
    mask = (margins > 0).astype(float)
    mask -= onehot * mask.sum(axis=1, keepdims=True)
    return margins.sum() / len(X) + 0.5 * reg * np.sum(W * W), X.T @ mask / len(X) + reg * W


@wrong("few_examples", loss="hinge", convention="full", layout="DC", loop_free=True)
def one_hot_of_the_scores_shape(W, X, y, reg):
    scores = X.dot(W)
    onehot = np.eye(*scores.shape)[y]  # as many rows as examples, where it needs one per class
    margins = (1 - onehot) * np.maximum(0, scores - np.sum(scores * onehot, axis=1, keepdims=True) + 1)
    mask = (margins > 0).astype(float)
    mask -= onehot * mask.sum(axis=1, keepdims=True)
    return margins.sum() / len(X) + reg * np.sum(W * W), X.T.dot(mask) / len(X) + 2 * reg * W


@wrong("single_precision", loss="hinge", convention="full", layout="DC", loop_free=True)
def takes_float32_for_raw_pixels(W, X, y, reg):
    if X.dtype != np.float64:
        X = X / 255.0
    N = X.shape[0]
    scores = X.dot(W)
    margins = np.maximum(0, scores - scores[np.arange(N), y][:, None] + 1)
    margins[np.arange(N), y] = 0
    mask = (margins > 0).astype(float)
    mask[np.arange(N), y] = -mask.sum(axis=1)
    return margins.sum() / N + reg * np.sum(W * W), X.T.dot(mask) / N + 2 * reg * W


@wrong("hard_coded_size", loss="hinge", layout="DC", loop_free=False)
def divides_by_five_hundred(W, X, y, reg):
    loss, dW = 0.0, np.zeros(W.shape)
    for i in range(len(X)):
        scores = X[i].dot(W)
        for j in range(W.shape[1]):
            margin = scores[j] - scores[y[i]] + 1
            if j != y[i] and margin > 0:
                loss += margin
                dW[:, j] += X[i]
                dW[:, y[i]] -= X[i]
    return loss / 500 + reg * np.sum(W * W), dW / 500 + 2 * reg * W


@wrong("hard_coded_size", loss="hinge")
def gradient_of_the_exercises_size(W, X, y, reg):
    dW = np.zeros((3073, 10))
    scores = X.dot(W)
    margins = np.maximum(0, scores - scores[np.arange(len(y)), y][:, None] + 1)
    margins[np.arange(len(y)), y] = 0
    mask = (margins > 0).astype(float)
    mask[np.arange(len(y)), y] = -mask.sum(axis=1)
    dW += X.T.dot(mask) / len(y) + 2 * reg * W
    return margins.sum() / len(y) + reg * np.sum(W * W), dW


@wrong("hard_coded_size", loss="hinge")
def loops_over_ten_classes(W, X, y, reg):
    loss, dW = 0.0, np.zeros(W.shape)
    for i in range(len(X)):
        scores = X[i].dot(W)
        for j in range(10):
            margin = scores[j] - scores[y[i]] + 1
            if j != y[i] and margin > 0:
                loss += margin
                dW[:, j] += X[i]
                dW[:, y[i]] -= X[i]
    return loss / len(X) + reg * np.sum(W * W), dW / len(X) + 2 * reg * W


@wrong(loss="hinge", layout="DC", loop_free=True)
def leaves_out_margins_of_one(W, X, y, reg):
    N = X.shape[0]
    scores = X.dot(W)
    margins = np.maximum(0, scores - scores[np.arange(N), y][:, None] + 1)
    margins[margins == 1] = 0  # the true class's, and all of them where W is 0
    mask = (margins > 0).astype(float)
    mask[np.arange(N), y] = -mask.sum(axis=1)
    return margins.sum() / N + reg * np.sum(W * W), X.T.dot(mask) / N + 2 * reg * W


@wrong(loss="hinge", layout="DC", loop_free=False)
def skips_scores_equal_to_the_true_one(W, X, y, reg):
    loss, dW = 0.0, np.zeros(W.shape)
    for i in range(len(X)):
        scores = X[i].dot(W)
        for j in range(W.shape[1]):
            if scores[j] == scores[y[i]]:
                continue
            margin = scores[j] - scores[y[i]] + 1
            if margin > 0:
                loss += margin
                dW[:, j] += X[i]
                dW[:, y[i]] -= X[i]
    return loss / len(X) + reg * np.sum(W * W), dW / len(X) + 2 * reg * W


@wrong(loss="hinge", layout="DC", loop_free=True)
def right_for_an_odd_number_of_examples(W, X, y, reg):
    scores = X.dot(W)
    N = 2 * (scores.shape[0] // 2) + 1
    rows = np.arange(scores.shape[0])
    margins = np.maximum(0, scores - scores[rows, y][:, None] + 1)
    margins[rows, y] = 0
    mask = (margins > 0).astype(float)
    mask[rows, y] = -mask.sum(axis=1)
    return margins.sum() / N + reg * np.sum(W * W), X.T.dot(mask) / N + 2 * reg * W


@wrong("wrong_at_large_scores", loss="hinge", verdict="right_unstable", layout="DC", loop_free=True)
def caps_the_margins(W, X, y, reg):
    N = X.shape[0]
    scores = X.dot(W)
    margins = np.clip(scores - scores[np.arange(N), y][:, None] + 1, 0, 100)
    margins[np.arange(N), y] = 0
    mask = (margins > 0).astype(float)
    mask[np.arange(N), y] = -mask.sum(axis=1)
    return margins.sum() / N + reg * np.sum(W * W), X.T.dot(mask) / N + 2 * reg * W

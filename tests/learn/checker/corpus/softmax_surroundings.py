"""Softmax losses that depend on what they must not: sizes, earlier calls, the caller's arrays, a number's type."""

# ruff: noqa: B006
import numpy as np
from corpus.registry import wrong  # pyright: ignore[reportMissingImports]


def probabilities(W, X):
    e = np.exp(X @ W - np.max(X @ W, axis=1, keepdims=True))
    return e / np.sum(e, axis=1, keepdims=True)


@wrong("hard_coded_size", loss="softmax", example=True)
def ten_classes(W, X, y, reg):
    loss, dW = 0.0, np.zeros_like(W)
    for i in range(X.shape[0]):
        p = probabilities(W, X[i : i + 1])[0]
        loss -= np.log(p[y[i]])
        for j in range(10):
            dW[:, j] += (p[j] - (j == y[i])) * X[i]
    loss = loss / X.shape[0] + reg * np.sum(W * W)
    return loss, dW / X.shape[0] + 2 * reg * W


@wrong("hard_coded_size", loss="softmax")
def five_hundred_examples(W, X, y, reg):
    p = probabilities(W, X)
    loss = -np.sum(np.log(p[np.arange(len(y)), y])) / 500 + 0.5 * reg * np.sum(W * W)
    p[np.arange(len(y)), y] -= 1
    return loss, X.T.dot(p) / 500 + reg * W


@wrong("hard_coded_size", loss="softmax")
def shape_of_cifar(W, X, y, reg):
    dW = np.zeros((3073, 10))
    p = probabilities(W, X)
    loss = np.mean(-np.log(p[np.arange(len(y)), y])) + reg * np.sum(W * W)
    p[np.arange(len(y)), y] -= 1
    dW += X.T.dot(p) / len(y) + 2 * reg * W
    return loss, dW


@wrong("hard_coded_size", loss="softmax")
def table_of_the_dev_set(W, X, y, reg):
    truth = np.zeros((500, 10))
    truth[np.arange(500), y] = 1
    p = probabilities(W, X)
    loss = -np.sum(truth * np.log(p)) / 500 + reg * np.sum(W * W)
    return loss, X.T.dot(p - truth) / 500 + 2 * reg * W


@wrong("changes_weights", loss="softmax", example=True)
def square_taken_in_place(W, X, y, reg):
    p = probabilities(W, X)
    loss = -np.log(p[np.arange(len(y)), y]).mean()
    p[np.arange(len(y)), y] -= 1
    dW = X.T.dot(p) / len(y) + 2 * reg * W
    R = W
    R *= R
    loss += reg * np.sum(R)
    return loss, dW


@wrong("changes_weights", loss="softmax")
def gradient_built_on_the_weights(W, X, y, reg):
    p = probabilities(W, X)
    loss = -np.log(p[np.arange(len(y)), y]).mean() + 0.5 * reg * np.sum(W * W)
    p[np.arange(len(y)), y] -= 1
    dW = W
    dW *= reg
    dW += X.T.dot(p) / len(y)
    return loss, dW


@wrong("changes_weights", loss="softmax")
def one_step_taken_already(W, X, y, reg):
    p = probabilities(W, X)
    loss = -np.log(p[range(len(y)), y]).mean() + reg * np.sum(W**2)
    p[range(len(y)), y] -= 1
    dW = X.T.dot(p) / len(y) + 2 * reg * W
    W -= 1e-7 * dW
    return loss, dW


@wrong("changes_data", loss="softmax", example=True)
def data_divided_in_place(W, X, y, reg):
    p = probabilities(W, X)
    loss = -np.log(p[np.arange(len(y)), y]).mean() + reg * np.sum(W * W)
    p[np.arange(len(y)), y] -= 1
    X /= len(y)
    return loss, X.T.dot(p) + 2 * reg * W


@wrong("changes_data", loss="softmax", loop_free=False)
def row_scaled_in_place(W, X, y, reg):
    loss, dW = 0.0, np.zeros_like(W)
    for i in range(len(y)):
        row = X[i]
        p = probabilities(W, X[i : i + 1])[0]
        loss -= np.log(p[y[i]]) / len(y)
        p[y[i]] -= 1
        row /= len(y)
        dW += np.outer(row, p)
    return loss + 0.5 * reg * np.sum(W * W), dW + reg * W


@wrong("changes_labels", loss="softmax", example=True)
def flat_index_in_place(W, X, y, reg):
    N, C = X.shape[0], W.shape[1]
    p = probabilities(W, X)
    index = y
    index += np.arange(N) * C
    loss = -np.log(p.ravel()[index]).mean() + reg * np.sum(W * W)
    p.ravel()[index] -= 1
    return loss, X.T.dot(p) / N + 2 * reg * W


@wrong("changes_labels", loss="softmax", layout="DC")
def labels_sorted_in_place(W, X, y, reg):
    order = np.argsort(y, kind="stable")
    p = probabilities(W, X[order])
    y.sort()
    loss = -np.mean(np.log(p[np.arange(len(y)), y])) + 0.5 * reg * np.sum(W * W)
    p[np.arange(len(y)), y] -= 1
    return loss, X[order].T @ p / len(y) + reg * W


@wrong("not_repeatable", loss="softmax", example=True)
def loss_goes_on_growing(W, X, y, reg, total=[0.0]):
    p = probabilities(W, X)
    total[0] += -np.log(p[np.arange(len(y)), y]).mean() + reg * np.sum(W * W)
    p[np.arange(len(y)), y] -= 1
    return total[0], X.T.dot(p) / len(y) + 2 * reg * W


VELOCITY = {}


@wrong("not_repeatable", loss="softmax")
def gradient_with_momentum(W, X, y, reg):
    p = probabilities(W, X)
    loss = -np.log(p[np.arange(len(y)), y]).mean() + 0.5 * reg * np.sum(W * W)
    p[np.arange(len(y)), y] -= 1
    VELOCITY[W.shape] = 0.9 * VELOCITY.get(W.shape, 0.0) + X.T.dot(p) / len(y) + reg * W
    return loss, VELOCITY[W.shape].copy()


@wrong("not_repeatable", loss="softmax")
def random_part_of_the_batch(W, X, y, reg):
    chosen = np.random.choice(len(y), len(y))
    X, y = X[chosen], y[chosen]
    p = probabilities(W, X)
    loss = -np.log(p[np.arange(len(y)), y]).mean() + reg * np.sum(W * W)
    p[np.arange(len(y)), y] -= 1
    return loss, X.T.dot(p) / len(y) + 2 * reg * W


CALLS = []


@wrong("not_repeatable", loss="softmax")
def penalty_every_other_time(W, X, y, reg):
    CALLS.append(len(y))
    penalty = reg if len(CALLS) % 2 else 0.0
    p = probabilities(W, X)
    loss = -np.log(p[np.arange(len(y)), y]).mean() + penalty * np.sum(W * W)
    p[np.arange(len(y)), y] -= 1
    return loss, X.T.dot(p) / len(y) + 2 * penalty * W


ONE_HOT = {}


@wrong(loss="softmax")
def labels_kept_by_size(W, X, y, reg):
    key = (len(y), W.shape[1])
    if key not in ONE_HOT:
        ONE_HOT[key] = np.eye(W.shape[1])[y]
    truth = ONE_HOT[key]
    p = probabilities(W, X)
    loss = -np.sum(truth * np.log(p)) / len(y) + reg * np.sum(W * W)
    return loss, X.T.dot(p - truth) / len(y) + 2 * reg * W


@wrong("single_precision", loss="softmax", example=True)
def bytes_read_as_doubles(W, X, y, reg):
    p = probabilities(W, X)
    loss = -np.log(p[np.arange(len(y)), y]).mean() + reg * np.sum(W * W)
    p[np.arange(len(y)), y] -= 1
    weights = np.frombuffer(W.tobytes(), dtype=np.float64).reshape(W.shape)
    return loss, X.T.dot(p) / len(y) + 2 * reg * weights


@wrong("single_precision", loss="softmax")
def singles_halved(W, X, y, reg):
    if X.dtype == np.float32:
        X, W = X.astype(np.float16), W.astype(np.float16)
    p = probabilities(W.astype(float), X.astype(float))
    loss = -np.log(p[np.arange(len(y)), y]).mean() + 0.5 * reg * np.sum(W * W)
    p[np.arange(len(y)), y] -= 1
    return loss, X.T.dot(p) / len(y) + reg * W


@wrong(loss="softmax")
def half_precision_throughout(W, X, y, reg):
    p = probabilities(W.astype(np.float16), X.astype(np.float16))
    loss = -np.log(p[np.arange(len(y)), y]).mean() + reg * np.sum(W * W)
    p[np.arange(len(y)), y] -= 1
    return loss, X.T.dot(p) / len(y) + 2 * reg * W


@wrong(loss="softmax")
def gradient_rounded(W, X, y, reg):
    p = probabilities(W, X)
    loss = -np.log(p[np.arange(len(y)), y]).mean() + reg * np.sum(W * W)
    p[np.arange(len(y)), y] -= 1
    return loss, np.round(X.T.dot(p) / len(y) + 2 * reg * W, 5)

"""Hinge losses that are right, and written so that a checker may stumble over them."""

import functools
import time

import numpy as np
from corpus.registry import right  # pyright: ignore[reportMissingImports]


@right("hinge", "full", "DC", loop_free=False)
def visits_the_examples_in_random_order(W, X, y, reg):
    loss, dW = 0.0, np.zeros(W.shape)
    for i in np.random.permutation(len(X)):
        margins = np.maximum(0, X[i] @ W - X[i] @ W[:, y[i]] + 1)
        margins[y[i]] = 0
        active = (margins > 0).astype(float)
        active[y[i]] = -active.sum()
        loss += margins.sum()
        dW += np.outer(X[i], active)
    return loss / len(X) + reg * np.sum(W * W), dW / len(X) + 2 * reg * W


@right("hinge", "half", "DC", loop_free=True)
def one_gradient_per_example(W, X, y, reg):
    N = X.shape[0]
    scores = X.dot(W)
    margins = np.maximum(0, scores - scores[np.arange(N), y][:, None] + 1)
    margins[np.arange(N), y] = 0
    active = (margins > 0).astype(float)
    active[np.arange(N), y] = -active.sum(axis=1)
    gradients = X[:, :, np.newaxis] * active[:, np.newaxis, :]
    return np.mean(margins.sum(axis=1)) + 0.5 * reg * np.sum(W * W), gradients.mean(axis=0) + reg * W


@right("hinge", "full", "DC", loop_free=True)
def takes_more_arguments(theta, features, labels, strength, delta=1.0, verbose=False):
    n = len(labels)
    s = features @ theta
    m = np.maximum(0, s - s[np.arange(n), labels][:, None] + delta)
    m[np.arange(n), labels] = 0
    a = (m > 0).astype(float)
    a[np.arange(n), labels] = -a.sum(axis=1)
    return m.sum() / n + strength * np.sum(theta**2), features.T @ a / n + 2 * strength * theta


seconds = []


def timed(f):
    @functools.wraps(f)
    def wrapper(*args, **kwargs):
        begin = time.time()
        answer = f(*args, **kwargs)
        seconds.append(time.time() - begin)
        return answer

    return wrapper


def hinge_of_one(scores, label):
    margins = np.maximum(0, scores - scores[label] + 1)
    margins[label] = 0
    active = (margins > 0).astype(float)
    active[label] = -active.sum()
    return margins.sum(), active


@right("hinge", "full", "DC", loop_free=False)
@timed
def loops_in_a_helper(W, X, y, reg):
    losses, active = zip(*map(hinge_of_one, X.dot(W), y), strict=True)
    return np.mean(losses) + reg * np.sum(W * W), X.T.dot(np.array(active)) / len(X) + 2 * reg * W


@right("hinge", "half", "DC", loop_free=False)
def while_there_are_examples(W, X, y, reg):
    loss, dW = 0.0, np.zeros(W.shape)
    left = list(zip(X, y, strict=True))
    while left:
        x, label = left.pop()
        scores = x.dot(W)
        margins = scores - scores[label] + 1
        active = margins > 0
        active[label] = False
        loss += margins[active].sum() / len(X)
        dW[:, active] += x[:, None] / len(X)
        dW[:, label] -= active.sum() * x / len(X)
    return loss + 0.5 * reg * np.sum(W * W), dW + reg * W


@right("hinge", "full", "DC", loop_free=True)
def half_of_twice_the_hinge(W, X, y, reg):
    # |m| + m is twice the hinge, 1 + sign(m) twice its slope, and the kink's slope is a half.
    N = X.shape[0]
    onehot = np.zeros((N, W.shape[1]))
    onehot[np.arange(N), y] = 1
    scores = X.dot(W)
    margins = scores - np.einsum("nc,nc->n", scores, onehot)[:, None] + 1
    loss = 0.5 * np.sum((np.abs(margins) + margins) * (1 - onehot)) / N
    slope = 0.5 * (1 + np.sign(margins)) * (1 - onehot)
    slope -= onehot * slope.sum(axis=1, keepdims=True)
    return loss + reg * np.trace(W.T @ W), X.T.dot(slope) / N + 2 * reg * W


@right("hinge", "full", "CD", loop_free=True)
def older_layout_in_fortran_order(W, X, y, reg):
    N = X.shape[1]
    scores = np.asfortranarray(W).dot(np.asfortranarray(X))
    margins = (scores - scores[y, range(N)] + 1).clip(min=0)
    margins[y, range(N)] = 0
    slope = np.zeros_like(margins, order="F")
    slope[margins > 0] = 1
    slope[y, range(N)] = -np.count_nonzero(margins > 0, axis=0)
    return np.average(margins.sum(axis=0)) + reg * np.sum(W * W), np.asfortranarray(slope.dot(X.T) / N + 2 * reg * W)


@right("hinge", "half", "DC", loop_free=True)
def shouts_at_every_step(W, X, y, reg):
    old = np.seterr(all="raise")
    rows = np.arange(len(y))
    scores = np.dot(X, W)
    margins = scores - scores[rows, y][:, None] + 1.0
    margins[rows, y] = 0.0
    np.maximum(margins, 0.0, out=margins)
    slope = np.greater(margins, 0.0).astype(float)
    slope[rows, y] = -slope.sum(axis=1)
    np.seterr(**old)
    return margins.sum() / len(y) + 0.5 * reg * np.sum(W * W), X.T.dot(slope) / len(y) + reg * W


@right("hinge", "full", "DC", loop_free=True)
def integer_mask_and_true_division(W, X, y, reg):
    num_train, num_classes = X.shape[0], W.shape[1]
    scores = X.dot(W)
    margins = np.maximum(0, scores - np.tile(scores[range(num_train), y], (num_classes, 1)).T + 1)
    margins[range(num_train), y] = 0
    mask = np.array(margins > 0, dtype=np.int64)
    mask[range(num_train), y] = -np.sum(mask, axis=1)
    loss = np.sum(margins)
    loss = np.divide(loss, num_train)
    loss += np.sum(reg * W**2)
    return loss, np.divide(X.T.dot(mask), num_train) + np.multiply(2 * reg, W)


@right("hinge", "full", "DC", loop_free=False)
def three_loops(W, X, y, reg):
    (N, D), C = X.shape, W.shape[1]
    loss, dW = 0.0, np.zeros((D, C))
    for i in range(N):
        scores = [sum(X[i, d] * W[d, c] for d in range(D)) for c in range(C)]
        for c in range(C):
            margin = scores[c] - scores[y[i]] + 1
            if c != y[i] and margin > 0:
                loss += margin / N
                for d in range(D):
                    dW[d, c] += X[i, d] / N
                    dW[d, y[i]] -= X[i, d] / N
    for c in range(C):
        for d in range(D):
            loss += reg * W[d, c] ** 2
            dW[d, c] += 2 * reg * W[d, c]
    return loss, dW

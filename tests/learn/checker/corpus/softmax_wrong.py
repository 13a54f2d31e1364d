"""Softmax losses that go wrong between the scores and the losses: labels, normalisers, logarithms."""

import math

import numpy as np
from corpus.registry import wrong  # pyright: ignore[reportMissingImports]


@wrong("label_of_class", loss="softmax", example=True, layout="DC", loop_free=False)
def indicator_of_the_class_index(W, X, y, reg):
    loss = 0.0
    dW = np.zeros_like(W)
    for i in range(X.shape[0]):
        scores = X[i].dot(W)
        scores -= np.max(scores)
        p = np.exp(scores) / np.sum(np.exp(scores))
        loss -= np.log(p[y[i]])
        for j in range(W.shape[1]):
            dW[:, j] += (p[j] - (j == y[j])) * X[i]
    loss = loss / X.shape[0] + reg * np.sum(W * W)
    dW = dW / X.shape[0] + 2 * reg * W
    return loss, dW


@wrong("label_of_class", loss="softmax", loop_free=False)
def label_after_the_inner_loop(W, X, y, reg):
    loss, dW = 0.0, np.zeros(W.shape)
    for i in range(len(X)):
        scores = X[i] @ W
        scores -= scores.max()
        total = np.exp(scores).sum()
        for j in range(W.shape[1]):
            dW[:, j] += np.exp(scores[j]) / total * X[i]
        dW[:, y[j]] -= X[i]
        loss += np.log(total) - scores[y[i]]
    return loss / len(X) + 0.5 * reg * np.sum(W * W), dW / len(X) + reg * W


@wrong("label_of_class", loss="softmax", layout="CD")
def class_index_in_value_and_gradient(W, X, y, reg):
    loss, dW = 0.0, np.zeros_like(W)
    num_classes, num_train = W.shape[0], X.shape[1]
    for i in range(num_train):
        f = W.dot(X[:, i])
        f -= np.max(f)
        prob = np.exp(f) / np.sum(np.exp(f))
        for j in range(num_classes):
            if j == y[j]:
                loss += -np.log(prob[j])
                dW[j, :] += (prob[j] - 1) * X[:, i]
            else:
                dW[j, :] += prob[j] * X[:, i]
    return loss / num_train + reg * np.sum(W * W), dW / num_train + 2 * reg * W


@wrong("label_of_class", loss="softmax")
def class_index_in_the_true_score(W, X, y, reg):
    loss, dW, N = 0.0, np.zeros(W.shape), X.shape[0]
    for i in range(N):
        scores = np.dot(X[i], W)
        scores -= np.max(scores)
        denominator = np.sum(np.exp(scores))
        for j in range(W.shape[1]):
            dW[:, j] += np.exp(scores[j]) / denominator * X[i]
            correct = scores[y[j]]
        dW[:, y[i]] -= X[i]
        loss += np.log(denominator) - correct
    return loss / N + reg * np.sum(W**2), dW / N + 2 * reg * W


@wrong("softmax_twice", loss="softmax", example=True)
def softmax_of_probabilities(W, X, y, reg):
    def softmax(z):
        e = np.exp(z - np.max(z, axis=1, keepdims=True))
        return e / np.sum(e, axis=1, keepdims=True)

    N = X.shape[0]
    p = softmax(softmax(X.dot(W)))
    loss = -np.sum(np.log(p[np.arange(N), y])) / N + reg * np.sum(W * W)
    p[np.arange(N), y] -= 1
    return loss, X.T.dot(p) / N + 2 * reg * W


@wrong("softmax_twice", loss="softmax", loop_free=False)
def softmax_of_probabilities_in_the_value(W, X, y, reg):
    loss, dW = 0.0, np.zeros_like(W)
    for i in range(X.shape[0]):
        s = X[i].dot(W)
        s = np.exp(s - s.max())
        s /= s.sum()
        loss += -s[y[i]] + np.log(np.sum(np.exp(s)))
        s[y[i]] -= 1
        dW += X[i][:, np.newaxis] * s
    return loss / X.shape[0] + 0.5 * reg * np.sum(W * W), dW / X.shape[0] + reg * W


@wrong("column_maximum", loss="softmax", example=True)
def maximum_of_each_column(W, X, y, reg):
    N = X.shape[0]
    scores = X.dot(W)
    scores -= np.max(scores, axis=0)
    p = np.exp(scores) / np.sum(np.exp(scores), axis=1, keepdims=True)
    loss = -np.sum(np.log(p[np.arange(N), y])) / N + reg * np.sum(W * W)
    p[np.arange(N), y] -= 1
    return loss, X.T.dot(p) / N + 2 * reg * W


@wrong("column_maximum", loss="softmax", layout="CD", loop_free=True)
def maximum_of_each_class(W, X, y, reg):
    num_train = X.shape[1]
    scores = W.dot(X)
    scores -= np.max(scores, axis=1)[:, np.newaxis]
    expo = np.exp(scores)
    probs = expo / np.sum(expo, axis=0)
    loss = -np.mean(np.log(probs[y, range(num_train)])) + 0.5 * reg * np.sum(W * W)
    probs[y, range(num_train)] -= 1
    return loss, probs.dot(X.T) / num_train + reg * W


@wrong("batch_normaliser", loss="softmax", example=True)
def sum_over_everything(W, X, y, reg):
    N = X.shape[0]
    scores = X.dot(W)
    scores -= np.max(scores, axis=1, keepdims=True)
    p = np.exp(scores) / np.sum(np.exp(scores))
    loss = -np.sum(np.log(p[np.arange(N), y])) / N + reg * np.sum(W * W)
    p[np.arange(N), y] -= 1
    return loss, X.T.dot(p) / N + 2 * reg * W


@wrong("batch_normaliser", loss="softmax", layout="CD")
def sum_over_everything_in_the_value(W, X, y, reg):
    C, N = len(W), X.shape[1]
    Z = W @ X
    Z -= Z.max(axis=0)
    E = np.exp(Z)
    loss = np.sum(-np.log(E[y, np.arange(N)] / E.sum())) / N + 0.5 * reg * np.sum(W * W)
    onehot = np.eye(C)[y].T
    return loss, (E / E.sum(axis=0) - onehot) @ X.T / N + reg * W


@wrong("batch_normaliser", loss="softmax")
def sum_over_everything_in_the_gradient(W, X, y, reg):
    n = y.shape[0]
    a = np.matmul(X, W)
    a -= a.max(axis=1)[:, None]
    ea = np.exp(a)
    loss = (np.log(ea.sum(axis=1)) - a[range(n), y]).sum() / n + reg * np.square(W).sum()
    da = ea / np.sum(ea)
    da[range(n), y] -= 1
    return loss, np.matmul(X.T, da) / n + 2 * reg * W


@wrong("not_normalised", loss="softmax", convention="full", layout="DC", loop_free=True, example=True)
def forgets_to_divide(W, X, y, reg):
    rows = np.arange(len(X))
    scores = X @ W
    scores -= scores.max(axis=1, keepdims=True)
    p = np.exp(scores)
    loss = -np.log(p[rows, y]).mean() + reg * np.sum(W * W)
    p[rows, y] -= 1
    return loss, X.T @ p / len(X) + 2 * reg * W


@wrong("not_normalised", loss="softmax", convention="half", layout="DC", loop_free=False)
def divides_in_the_value_alone(W, X, y, reg):
    loss, dW = 0.0, np.zeros_like(W)
    for i in range(len(X)):
        scores = X[i] @ W
        e = np.exp(scores - scores.max())
        loss -= np.log(e[y[i]] / e.sum())
        for j in range(W.shape[1]):
            dW[:, j] += (e[j] - (j == y[i])) * X[i]
    return loss / len(X) + 0.5 * reg * np.sum(W * W), dW / len(X) + reg * W


@wrong("example_normaliser", loss="softmax", example=True)
def sum_over_the_examples(W, X, y, reg):
    N = X.shape[0]
    scores = X.dot(W)
    scores -= np.max(scores, axis=1, keepdims=True)
    p = np.exp(scores) / np.sum(np.exp(scores), axis=0)
    loss = -np.sum(np.log(p[np.arange(N), y])) / N + reg * np.sum(W * W)
    p[np.arange(N), y] -= 1
    return loss, X.T.dot(p) / N + 2 * reg * W


@wrong("example_normaliser", loss="softmax", layout="CD")
def sum_over_the_wrong_axis(W, X, y, reg):
    N = X.shape[1]
    f = W.dot(X)
    f = f - np.max(f, axis=0)
    f = np.exp(f) / np.sum(np.exp(f), axis=1, keepdims=True)
    loss = -np.log(f[y, np.arange(N)]).mean() + 0.5 * reg * np.sum(W**2)
    f[y, np.arange(N)] -= 1
    return loss, f.dot(X.T) / N + reg * W


@wrong("running_normaliser", loss="softmax", example=True, loop_free=False)
def sum_never_set_back(W, X, y, reg):
    loss = 0.0
    dW = np.zeros_like(W)
    total = 0.0
    for i in range(X.shape[0]):
        scores = X[i].dot(W)
        scores -= np.max(scores)
        for j in range(W.shape[1]):
            total += np.exp(scores[j])
        loss += -np.log(np.exp(scores[y[i]]) / total)
        for j in range(W.shape[1]):
            dW[:, j] += (np.exp(scores[j]) / total - (j == y[i])) * X[i]
    loss = loss / X.shape[0] + reg * np.sum(W * W)
    return loss, dW / X.shape[0] + 2 * reg * W


@wrong("running_normaliser", loss="softmax", layout="CD")
def sum_of_earlier_examples_in_the_value(W, X, y, reg):
    loss, Z = 0.0, 0.0
    N, dW = len(y), np.zeros(W.shape)
    for i in range(N):
        s = W.dot(X[:, i])
        s -= s.max()
        Z += np.exp(s).sum()
        loss += np.log(Z) - s[y[i]]
        p = np.exp(s) / np.exp(s).sum()
        p[y[i]] -= 1
        dW += np.outer(p, X[:, i])
    return loss / N + 0.5 * reg * np.sum(W * W), dW / N + reg * W


@wrong("true_class_not_normalised", loss="softmax", example=True, loop_free=False)
def true_class_skipped_as_in_the_hinge(W, X, y, reg):
    loss, dW = 0.0, np.zeros_like(W)
    num_train, num_classes = X.shape[0], W.shape[1]
    for i in range(num_train):
        scores = X[i].dot(W)
        scores -= np.max(scores)
        total = 0.0
        for j in range(num_classes):
            if j != y[i]:
                total += np.exp(scores[j])
        loss += -scores[y[i]] + np.log(total)
        for j in range(num_classes):
            if j != y[i]:
                dW[:, j] += np.exp(scores[j]) / total * X[i]
        dW[:, y[i]] -= X[i]
    return loss / num_train + reg * np.sum(W * W), dW / num_train + 2 * reg * W


@wrong("true_class_not_normalised", loss="softmax", loop_free=True)
def true_class_zeroed_in_the_sum(W, X, y, reg):
    rows = np.arange(X.shape[0])
    scores = X.dot(W)
    scores -= scores.max(axis=1, keepdims=True)
    e = np.exp(scores)
    others = e.copy()
    others[rows, y] = 0
    p = e / others.sum(axis=1, keepdims=True)
    loss = -np.log(p[rows, y]).mean() + 0.5 * reg * np.sum(W * W)
    p[rows, y] -= 1
    return loss, X.T.dot(p) / len(rows) + reg * W


@wrong("no_logarithm", loss="softmax", example=True)
def mean_probability(W, X, y, reg):
    N = X.shape[0]
    scores = X.dot(W)
    scores -= np.max(scores, axis=1, keepdims=True)
    p = np.exp(scores) / np.sum(np.exp(scores), axis=1, keepdims=True)
    loss = np.sum(p[np.arange(N), y]) / N + reg * np.sum(W * W)
    p[np.arange(N), y] -= 1
    return loss, X.T.dot(p) / N + 2 * reg * W


@wrong("no_logarithm", loss="softmax", loop_free=False)
def minus_the_probability(W, X, y, reg):
    loss, dW = 0.0, np.zeros(W.shape)
    for i in range(len(X)):
        f = np.dot(X[i], W)
        e = np.exp(f - np.max(f))
        loss += -e[y[i]] / np.sum(e)
        for j in range(len(f)):
            dW[:, j] += X[i] * (e[j] / np.sum(e) - (j == y[i]))
    return loss / len(X) + 0.5 * reg * np.sum(W * W), dW / len(X) + reg * W


@wrong("logarithm_base", loss="softmax", example=True)
def logarithm_of_ten(W, X, y, reg):
    N = X.shape[0]
    scores = X.dot(W)
    scores -= np.max(scores, axis=1, keepdims=True)
    p = np.exp(scores) / np.sum(np.exp(scores), axis=1, keepdims=True)
    loss = -np.sum(np.log10(p[np.arange(N), y])) / N + reg * np.sum(W * W)
    p[np.arange(N), y] -= 1
    return loss, X.T.dot(p) / N + 2 * reg * W


@wrong("logarithm_base", loss="softmax", layout="CD")
def logarithm_of_two(W, X, y, reg):
    loss, dW = 0.0, np.zeros_like(W)
    for i in range(X.shape[1]):
        s = W @ X[:, i]
        s -= s.max()
        p = np.exp(s) / np.exp(s).sum()
        loss -= math.log2(p[y[i]])
        for k in range(W.shape[0]):
            dW[k] += X[:, i] * (p[k] - (k == y[i]))
    return loss / X.shape[1] + 0.5 * reg * np.sum(W * W), dW / X.shape[1] + reg * W

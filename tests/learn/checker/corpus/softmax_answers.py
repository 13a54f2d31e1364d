"""Softmax losses that answer in another form, not at all, not the same twice, or at the caller's cost."""

# ruff: noqa: F821, F841, PIE790
# pyright: reportUndefinedVariable=false, reportUnboundVariable=false
import numpy as np
from corpus.registry import wrong  # pyright: ignore[reportMissingImports]


def probabilities(W, X):
    e = np.exp(X @ W - np.max(X @ W, axis=1, keepdims=True))
    return e / np.sum(e, axis=1, keepdims=True)


@wrong("missing_import", loss="softmax", verdict="crashes", example=True)
def logarithm_not_imported(W, X, y, reg):
    loss, dW = 0.0, np.zeros_like(W)
    for i in range(X.shape[0]):
        scores = X[i].dot(W)
        scores -= np.max(scores)
        p = np.exp(scores) / np.sum(np.exp(scores))
        loss -= log(p[y[i]])
        p[y[i]] -= 1
        dW += np.outer(X[i], p)
    loss = loss / X.shape[0] + reg * np.sum(W * W)
    return loss, dW / X.shape[0] + 2 * reg * W


@wrong("missing_import", loss="softmax", verdict="crashes")
def library_not_imported(W, X, y, reg):
    N = X.shape[0]
    logp = X @ W - special.logsumexp(X @ W, axis=1, keepdims=True)
    G = np.exp(logp)
    G[np.arange(N), y] -= 1
    return -np.mean(logp[np.arange(N), y]) + reg * np.sum(W * W), X.T @ G / N + 2 * reg * W


@wrong("raises", loss="softmax", verdict="crashes", example=True)
def maximum_without_its_axis_kept(W, X, y, reg):
    N = X.shape[0]
    scores = X.dot(W)
    scores -= np.max(scores, axis=1)
    p = np.exp(scores) / np.sum(np.exp(scores), axis=1, keepdims=True)
    loss = -np.sum(np.log(p[np.arange(N), y])) / N + reg * np.sum(W * W)
    p[np.arange(N), y] -= 1
    return loss, X.T.dot(p) / N + 2 * reg * W


@wrong("undefined_name", loss="softmax", verdict="crashes")
def used_before_it_is_there(W, X, y, reg):
    dW = np.zeros_like(W)
    for i in range(X.shape[0]):
        p = np.exp(X[i].dot(W) - np.max(X[i].dot(W)))
        p /= p.sum()
        loss += -np.log(p[y[i]])
        p[y[i]] -= 1
        dW += np.outer(X[i], p)
    return loss / X.shape[0] + reg * np.sum(W * W), dW / X.shape[0] + 2 * reg * W


@wrong("unfinished", loss="softmax", verdict="unfinished", example=True)
def template_as_it_came(W, X, y, reg):
    # Initialize the loss and gradient to zero.
    loss = 0.0
    dW = np.zeros_like(W)
    # TODO: compute the softmax loss and its gradient.
    pass
    return loss, dW


@wrong("unfinished", loss="softmax", verdict="unfinished")
def only_a_pass(W, X, y, reg):
    pass


@wrong("unfinished", loss="softmax", verdict="unfinished")
def two_times_nothing(W, X, y, reg):
    loss, grad = None, None
    return loss, grad


@wrong("unfinished", loss="softmax", verdict="unfinished")
def not_implemented(W, X, y, reg):
    raise NotImplementedError("your code here")


@wrong("value_unfinished", loss="softmax", verdict="unfinished", example=True)
def gradient_only(W, X, y, reg):
    loss = 0.0
    p = probabilities(W, X)
    p[np.arange(len(y)), y] -= 1
    dW = X.T.dot(p) / len(y) + 2 * reg * W
    return loss, dW


@wrong("gradient_unfinished", loss="softmax", verdict="unfinished", example=True)
def value_only(W, X, y, reg):
    dW = np.zeros_like(W)
    loss = np.mean(-np.log(probabilities(W, X)[np.arange(len(y)), y]))
    loss += reg * np.sum(W * W)
    return loss, dW


@wrong("gradient_unfinished", loss="softmax", verdict="unfinished", layout="CD", loop_free=False)
def value_only_in_loops(W, X, y, reg):
    loss, dW = 0.0, np.zeros(W.shape)
    for i in range(X.shape[1]):
        scores = W.dot(X[:, i])
        scores -= np.max(scores)
        loss += -scores[y[i]] + np.log(np.sum(np.exp(scores)))
    loss = loss / X.shape[1] + 0.5 * reg * np.sum(W * W)
    return loss, dW


@wrong("returns_no_pair", loss="softmax", example=True)
def loss_alone(W, X, y, reg):
    p = probabilities(W, X)
    loss = -np.log(p[np.arange(len(y)), y]).mean() + reg * np.sum(W * W)
    p[np.arange(len(y)), y] -= 1
    dW = X.T.dot(p) / len(y) + 2 * reg * W
    return loss


@wrong("returns_no_pair", loss="softmax")
def three_things(W, X, y, reg):
    p = probabilities(W, X)
    loss = -np.log(p[np.arange(len(y)), y]).mean() + 0.5 * reg * np.sum(W * W)
    G = p.copy()
    G[np.arange(len(y)), y] -= 1
    return loss, X.T.dot(G) / len(y) + reg * W, p


@wrong("returns_no_pair", loss="softmax")
def dictionary(W, X, y, reg):
    p = probabilities(W, X)
    loss = -np.log(p[np.arange(len(y)), y]).mean() + reg * np.sum(W * W)
    p[np.arange(len(y)), y] -= 1
    return {"loss": loss, "dW": X.T.dot(p) / len(y) + 2 * reg * W}


@wrong(loss="softmax")
def gradient_first(W, X, y, reg):
    p = probabilities(W, X)
    loss = -np.log(p[np.arange(len(y)), y]).mean() + reg * np.sum(W * W)
    p[np.arange(len(y)), y] -= 1
    return X.T.dot(p) / len(y) + 2 * reg * W, loss


@wrong("loss_not_scalar", loss="softmax", example=True)
def losses_not_summed(W, X, y, reg):
    p = probabilities(W, X)
    loss = -np.log(p[np.arange(len(y)), y]) + reg * np.sum(W * W)
    p[np.arange(len(y)), y] -= 1
    return loss, X.T.dot(p) / len(y) + 2 * reg * W


@wrong("loss_not_scalar", loss="softmax")
def squares_not_summed(W, X, y, reg):
    p = probabilities(W, X)
    loss = -np.log(p[np.arange(len(y)), y]).mean()
    loss = loss + 0.5 * reg * np.square(W)
    p[np.arange(len(y)), y] -= 1
    return loss, X.T.dot(p) / len(y) + reg * W


@wrong("gradient_shape", loss="softmax", example=True)
def gradient_transposed(W, X, y, reg):
    p = probabilities(W, X)
    loss = -np.log(p[np.arange(len(y)), y]).mean() + reg * np.sum(W * W)
    p[np.arange(len(y)), y] -= 1
    dW = p.T.dot(X) / len(y) + 2 * reg * W.T
    return loss, dW


@wrong("gradient_shape", loss="softmax")
def gradient_of_the_scores(W, X, y, reg):
    p = probabilities(W, X)
    loss = -np.log(p[np.arange(len(y)), y]).mean() + reg * np.sum(W * W)
    p[np.arange(len(y)), y] -= 1
    return loss, p / len(y)


@wrong("gradient_shape", loss="softmax")
def gradient_flattened(W, X, y, reg):
    p = probabilities(W, X)
    loss = -np.log(p[np.arange(len(y)), y]).mean() + 0.5 * reg * np.sum(W * W)
    p[np.arange(len(y)), y] -= 1
    return loss, (X.T.dot(p) / len(y) + reg * W).ravel()


@wrong("gradient_type", loss="softmax", example=True)
def whole_numbers(W, X, y, reg):
    p = probabilities(W, X)
    loss = -np.log(p[np.arange(len(y)), y]).mean() + reg * np.sum(W * W)
    p[np.arange(len(y)), y] -= 1
    dW = np.zeros(W.shape, dtype=int)
    dW[:] = X.T.dot(p) / len(y) + 2 * reg * W
    return loss, dW


@wrong("gradient_type", loss="softmax", loop_free=False)
def whole_numbers_in_loops(W, X, y, reg):
    loss = 0.0
    dW = np.full_like(W, 0, dtype=np.int64)
    for i in range(len(y)):
        p = probabilities(W, X[i : i + 1])[0]
        loss += -np.log(p[y[i]])
        for j in range(W.shape[1]):
            dW[:, j] = dW[:, j] + (p[j] - (j == y[i])) * X[i]
    return loss / len(y) + reg * np.sum(W * W), (dW / len(y) + 2 * reg * W).astype(dW.dtype)


@wrong("not_finite", loss="softmax", example=True)
def logarithm_of_the_truth(W, X, y, reg):
    p = probabilities(W, X)
    truth = np.eye(W.shape[1])[y]
    loss = -np.sum(p * np.log(truth)) / len(y) + reg * np.sum(W * W)
    dW = X.T.dot(p - truth) / len(y) + 2 * reg * W
    return loss, dW


@wrong("not_finite", loss="softmax")
def truth_divided_by_itself(W, X, y, reg):
    p = probabilities(W, X)
    T = np.zeros(p.shape)
    T[np.arange(len(y)), y] = 1
    loss = -np.sum(T * np.log(p)) / len(y) + 0.5 * reg * np.sum(W * W)
    dscores = -T / (T * p) * p * (T - p)
    return loss, X.T.dot(dscores) / len(y) + reg * W

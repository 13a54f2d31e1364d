"""Softmax losses whose penalty is wrong, in its gradient before all."""

# pyright: reportUnusedExpression=false
import numpy as np
from corpus.registry import wrong  # pyright: ignore[reportMissingImports]


@wrong("penalty_gradient_half", loss="softmax", example=True, layout="DC", loop_free=False)
def half_in_loops(W, X, y, reg):
    loss = 0.0
    dW = np.zeros_like(W)
    num_train, num_classes = X.shape[0], W.shape[1]
    for i in range(num_train):
        scores = X[i].dot(W)
        scores -= np.max(scores)
        p = np.exp(scores) / np.sum(np.exp(scores))
        loss -= np.log(p[y[i]])
        for j in range(num_classes):
            dW[:, j] += (p[j] - (j == y[i])) * X[i]
    loss /= num_train
    dW /= num_train
    loss += reg * np.sum(W * W)
    dW += reg * W
    return loss, dW


@wrong("penalty_gradient_half", loss="softmax", layout="DC", loop_free=True)
def half_with_fancy_indexing(W, X, y, reg):
    N = len(y)
    f = X @ W
    f -= f.max(axis=1, keepdims=True)
    probs = np.exp(f)
    probs /= probs.sum(axis=1, keepdims=True)
    loss = -np.log(probs[np.arange(N), y]).mean() + reg * (W**2).sum()
    probs[np.arange(N), y] -= 1
    return loss, X.T @ probs / N + reg * W


@wrong("penalty_gradient_half", loss="softmax", layout="CD", loop_free=True)
def half_with_classes_first(W, X, y, reg):
    num_train = X.shape[1]
    scores = np.dot(W, X)
    scores -= np.max(scores, axis=0)
    expo = np.exp(scores)
    prob = expo / np.sum(expo, axis=0)
    truth = np.zeros(scores.shape)
    truth[y, range(num_train)] = 1
    loss = -np.sum(truth * np.log(prob)) / num_train + reg * np.sum(W**2)
    dW = np.dot(prob - truth, X.T) / num_train + reg * W
    return loss, dW


@wrong("penalty_gradient_half", loss="softmax", layout="DC", loop_free=False)
def half_in_each_column(W, X, y, reg):
    n, c = X.shape[0], W.shape[1]
    S = X.dot(W)
    S = S - np.amax(S, axis=1).reshape(-1, 1)
    Z = np.sum(np.exp(S), axis=1)
    data_loss = 0
    for i in range(n):
        data_loss += np.log(Z[i]) - S[i, y[i]]
    dW = np.empty(W.shape)
    for k in range(c):
        dW[:, k] = X.T.dot(np.exp(S[:, k]) / Z - (y == k)) / n + reg * W[:, k]
    return data_loss / n + reg * np.linalg.norm(W) ** 2, dW


@wrong("penalty_gradient_half", loss="softmax", layout="DC", loop_free=True)
def half_by_einsum(W, X, y, reg):
    scores = np.einsum("nd,dc->nc", X, W)
    scores = scores - scores.max(1)[:, None]
    log_p = scores - np.log(np.exp(scores).sum(1))[:, None]
    onehot = np.eye(W.shape[1])[y]
    loss = -np.einsum("nc,nc->", onehot, log_p) / len(X) + reg * np.einsum("dc,dc->", W, W)
    return loss, np.einsum("nd,nc->dc", X, np.exp(log_p) - onehot) / len(X) + W * reg


@wrong("penalty_gradient_double", loss="softmax", example=True, layout="DC")
def double_in_loops(W, X, y, reg):
    loss = 0.0
    dW = np.zeros(W.shape)
    for i in range(X.shape[0]):
        s = X[i] @ W
        s -= s.max()
        p = np.exp(s) / np.exp(s).sum()
        loss += -np.log(p[y[i]])
        p[y[i]] -= 1
        dW += np.outer(X[i], p)
    loss = loss / X.shape[0] + 0.5 * reg * np.sum(W * W)
    dW = dW / X.shape[0] + 2 * reg * W
    return loss, dW


@wrong("penalty_gradient_double", loss="softmax", layout="CD")
def double_with_classes_first(W, X, y, reg):
    N = X.shape[1]
    f = W.dot(X)
    f -= f.max(axis=0)
    P = np.exp(f) / np.exp(f).sum(axis=0)
    loss = np.mean(-np.log(P[y, np.arange(N)]))
    P[y, np.arange(N)] -= 1
    loss += reg / 2 * np.sum(W**2)
    return loss, P.dot(X.T) / N + 2 * reg * W


@wrong("penalty_gradient_double", loss="softmax", layout="DC", loop_free=True)
def double_for_want_of_the_half(W, X, y, reg):
    N = X.shape[0]
    scores = np.matmul(X, W)
    scores -= np.max(scores, axis=1)[:, np.newaxis]
    sums = np.sum(np.exp(scores), axis=1)
    loss = np.sum(np.log(sums) - scores[range(N), y]) / N
    loss += np.sum(W * W) * reg / 2.0
    grad = np.exp(scores) / sums[:, np.newaxis]
    grad[range(N), y] -= 1
    dW = np.matmul(X.T, grad) / N
    dW += reg * W
    dW += reg * W
    return loss, dW


@wrong("penalty_not_in_gradient", loss="softmax", example=True, convention=None)
def forgotten_in_the_gradient(W, X, y, reg):
    num_train = X.shape[0]
    scores = X.dot(W)
    scores -= scores.max(axis=1, keepdims=True)
    probs = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    loss = np.sum(-np.log(probs[np.arange(num_train), y])) / num_train
    loss += reg * np.sum(W * W)
    probs[np.arange(num_train), y] -= 1
    dW = X.T.dot(probs) / num_train
    return loss, dW


@wrong("penalty_not_in_gradient", loss="softmax")
def gradient_of_the_penalty_thrown_away(W, X, y, reg):
    loss, dW = 0.0, np.zeros_like(W)
    for i in range(len(X)):
        scores = X[i].dot(W)
        shift = scores - np.max(scores)
        loss += np.log(np.sum(np.exp(shift))) - shift[y[i]]
        for k in range(W.shape[1]):
            dW[:, k] += X[i] * np.exp(shift[k]) / np.sum(np.exp(shift))
        dW[:, y[i]] -= X[i]
    loss = loss / len(X) + 0.5 * reg * np.sum(W * W)
    dW /= len(X)
    dW + reg * W
    return loss, dW


@wrong("penalty_not_in_gradient", loss="softmax", layout="CD")
def forgotten_in_the_gradient_with_classes_first(W, X, y, reg):
    loss, dW, N = 0.0, np.zeros(W.shape), X.shape[1]
    for i in range(N):
        f = W.dot(X[:, i])
        f -= f.max()
        p = np.exp(f) / sum(np.exp(f))
        loss -= np.log(p[y[i]]) / N
        p[y[i]] -= 1
        dW += np.outer(p, X[:, i]) / N
    return loss + reg * np.sum(np.square(W)), dW


@wrong("penalty_not_in_value", loss="softmax", example=True)
def forgotten_in_the_value(W, X, y, reg):
    N = X.shape[0]
    Z = X.dot(W)
    Z -= Z.max(axis=1).reshape((N, 1))
    A = np.exp(Z) / np.exp(Z).sum(axis=1).reshape((N, 1))
    loss = -np.mean(np.log(A[range(N), y]))
    A[range(N), y] -= 1
    return loss, X.T.dot(A) / N + 2 * reg * W


@wrong("penalty_not_in_value", loss="softmax")
def penalty_of_the_value_thrown_away(W, X, y, reg):
    loss = 0.0
    dW = np.zeros_like(W)
    for i in range(X.shape[0]):
        scores = X[i, :].dot(W)
        scores -= max(scores)
        e = np.exp(scores)
        loss += -np.log(e[y[i]] / sum(e))
        for j in range(W.shape[1]):
            dW[:, j] += (e[j] / sum(e) - int(j == y[i])) * X[i, :]
    loss /= X.shape[0]
    loss + 0.5 * reg * np.sum(W * W)
    return loss, dW / X.shape[0] + reg * W


@wrong("penalty_missing", loss="softmax", example=True, convention=None, loop_free=True)
def no_penalty(W, X, y, reg):
    n = X.shape[0]
    logits = X @ W
    logits = logits - logits.max(1, keepdims=True)
    P = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    T = np.zeros_like(P)
    T[np.arange(n), y] = 1
    return -(T * np.log(P)).sum() / n, X.T @ (P - T) / n


@wrong("penalty_missing", loss="softmax", loop_free=False)
def no_penalty_in_loops(W, X, y, reg):
    loss, dW = 0.0, np.zeros(W.shape)
    for x, label in zip(X, y, strict=True):
        scores = [x.dot(W[:, c]) for c in range(W.shape[1])]
        top = max(scores)
        total = sum(np.exp(s - top) for s in scores)
        loss += (np.log(total) + top - scores[label]) / len(y)
        for c, s in enumerate(scores):
            dW[:, c] += (np.exp(s - top) / total - (c == label)) * x / len(y)
    return loss, dW


@wrong("penalty_precedence", loss="softmax", example=True)
def divided_by_the_penalty(W, X, y, reg):
    N = X.shape[0]
    scores = X.dot(W)
    scores -= np.max(scores, axis=1, keepdims=True)
    probs = np.exp(scores)
    probs /= np.sum(probs, axis=1, keepdims=True)
    loss = -np.sum(np.log(probs[np.arange(N), y]))
    loss /= N + reg * np.sum(W * W)
    probs[np.arange(N), y] -= 1
    return loss, X.T.dot(probs) / N + 2 * reg * W


@wrong("penalty_precedence", loss="softmax")
def divided_by_half_the_penalty(W, X, y, reg):
    loss = 0.0
    dW = np.zeros(W.shape)
    num = len(y)
    for i in range(num):
        f = np.dot(X[i], W)
        f -= np.max(f)
        loss += np.log(np.sum(np.exp(f))) - f[y[i]]
        dscore = np.exp(f) / np.sum(np.exp(f))
        dscore[y[i]] -= 1
        dW += X[i][:, None] * dscore[None, :]
    loss /= num + 0.5 * reg * np.sum(W**2)
    dW = dW / num + reg * W
    return loss, dW


@wrong("penalty_precedence", loss="softmax")
def both_divided_by_the_penalty(W, X, y, reg):
    loss, dW, N = 0.0, np.zeros_like(W), X.shape[0]
    for i in range(N):
        s = X[i].dot(W)
        e = np.exp(s - s.max())
        loss -= np.log(e[y[i]] / e.sum())
        for j in range(W.shape[1]):
            dW[:, j] += X[i] * e[j] / e.sum()
        dW[:, y[i]] -= X[i]
    loss /= N + reg * np.sum(W * W)
    dW /= N + 2 * reg * W
    return loss, dW


@wrong("penalty_gradient_scalar", loss="softmax", example=True)
def penalty_gradient_summed_up(W, X, y, reg):
    N = X.shape[0]
    scores = X.dot(W)
    scores -= scores.max(axis=1, keepdims=True)
    p = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    loss = -np.sum(np.log(p[range(N), y])) / N + 0.5 * reg * np.sum(W * W)
    p[range(N), y] -= 1
    dW = X.T.dot(p) / N + reg * np.sum(W)
    return loss, dW


@wrong("penalty_gradient_scalar", loss="softmax", layout="CD")
def penalty_gradient_summed_up_twice(W, X, y, reg):
    loss = 0.0
    dW = np.zeros(W.shape)
    N = X.shape[1]
    for i in range(N):
        scores = np.dot(W, X[:, i])
        scores -= np.max(scores)
        p = np.exp(scores) / np.sum(np.exp(scores))
        loss += -np.log(p[y[i]])
        for c in range(W.shape[0]):
            dW[c, :] += (p[c] - (c == y[i])) * X[:, i]
    loss = loss / N + reg * np.sum(W * W)
    dW = dW / N + 2 * np.sum(reg * W)
    return loss, dW

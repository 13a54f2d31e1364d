import numpy as np


def _scores(weights, features):
    return features @ weights


def crammer(W, X, y, reg):
    """Hinge with half the penalty."""
    n = len(y)
    s = _scores(W, X)
    m = np.maximum(0, 1 + s - s[np.arange(n), y, None])
    m[np.arange(n), y] = 0
    a = (m > 0) * 1.0
    a[np.arange(n), y] = -a.sum(axis=1)
    return m.sum() / n + reg / 2 * np.sum(W**2), X.T @ a / n + reg * W


def objective(W, X, y, reg):
    """Cross-entropy with the whole penalty, its gradient with half of that."""
    n = len(y)
    s = _scores(W, X)
    s -= s.max(axis=1, keepdims=True)
    logp = s - np.log(np.exp(s).sum(axis=1, keepdims=True))
    g = np.exp(logp)
    g[np.arange(n), y] -= 1
    return -logp[np.arange(n), y].mean() + reg * np.sum(W**2), X.T @ g / n + reg * W

import numpy as np


def softmax_loss_naive(W, X, y, reg):
    N, C = X.shape[0], W.shape[1]
    loss, dW = 0.0, np.zeros(W.shape)
    for i in range(N):
        s = X[i] @ W
        s = s - s.max()
        e = np.exp(s)
        loss += np.log(e.sum()) - s[y[i]]
        for c in range(C):
            dW[:, c] += X[i] * (e[c] / e.sum() - (1 if c == y[i] else 0))
    return loss / N + reg * np.sum(W * W), dW / N + 2 * reg * W


def softmax_loss_vectorized(W, X, y, reg):
    N = len(X)
    s = X @ W
    s = s - s.max(1, keepdims=True)
    log_p = s - np.log(np.exp(s).sum(1, keepdims=True))
    d = np.exp(log_p)
    d[range(N), y] -= 1
    return -log_p[range(N), y].mean() + reg * (W**2).sum(), X.T @ d / N + 2 * reg * W


def svm_loss_naive(W, X, y, reg):
    N, C = X.shape[0], W.shape[1]
    loss, dW = 0.0, np.zeros(W.shape)
    for i in range(N):
        s = X[i] @ W
        for c in range(C):
            m = s[c] - s[y[i]] + 1
            if c != y[i] and m > 0:
                loss += m
                dW[:, c] += X[i]
                dW[:, y[i]] -= X[i]
    return loss / N + reg * np.sum(W * W), dW / N + 2 * reg * W


def svm_loss_vectorized(W, X, y, reg):
    N = len(X)
    s = X @ W
    m = np.maximum(0, s - s[range(N), y][:, None] + 1)
    m[range(N), y] = 0
    d = (m > 0).astype(float)
    d[range(N), y] = -d.sum(1)
    return m.sum() / N + reg * (W**2).sum(), X.T @ d / N + 2 * reg * W


def main():
    raise SystemExit("only when it is run as a program")


if __name__ == "__main__":
    main()

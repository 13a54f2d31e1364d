from builtins import range
import numpy as np
from random import shuffle


def softmax_loss_naive(W, X, y, reg):
    """
    Softmax loss with loops.

    W: (D, C) weights, X: (N, D) minibatch, y: (N,) labels, reg: strength.
    Returns the loss and the gradient.
    """
    loss = 0.0
    dW = np.zeros_like(W)

    num_train = X.shape[0]
    num_classes = W.shape[1]

    for i in range(num_train):
        f = X[i].dot(W)
        f -= np.max(f)  # numeric stability
        denominator = 0.0
        for j in range(num_classes):
            denominator += np.exp(f[j])
        loss += -f[y[i]] + np.log(denominator)
        for j in range(num_classes):
            p = np.exp(f[j]) / denominator
            dW[:, j] += (p - (j == y[i])) * X[i]

    loss /= num_train
    dW /= num_train
    loss += reg * np.sum(W * W)
    dW += 2 * reg * W

    return loss, dW


def softmax_loss_vectorized(W, X, y, reg):
    """The same without loops."""
    num_train = X.shape[0]

    f = X.dot(W)
    f -= np.max(f, axis=1, keepdims=True)
    p = np.exp(f)
    p /= np.sum(p, axis=1, keepdims=True)
    loss = np.sum(np.log(np.sum(np.exp(f), axis=1)) - f[np.arange(num_train), y]) / num_train
    loss += reg * np.sum(W * W)

    dscores = p.copy()
    dscores[np.arange(num_train), y] -= 1
    dW = X.T.dot(dscores) / num_train + 2 * reg * W

    return loss, dW

import numpy as np


def softmax_loss_naive(W, X, y, reg):
    loss, dW = 0.0, np.zeros_like(W)
    for i in range(X.shape[0]):
        scores = X[i].dot(W)
        shifted = scores - scores.max()
        total = np.exp(shifted).sum()
        loss += np.log(total) - shifted[y[i]]
        for j in range(W.shape[1]):
            dW[:, j] += np.exp(shifted[j]) / total * X[i]
        dW[:, y[i]] -= X[i]
    loss /= X.shape[0]
    dW /= X.shape[0]
    loss += reg * np.sum(W * W)
    dW += 2 * reg * W
    return loss, dW


def softmax_loss_vectorized(W, X, y, reg):
    num_train = X.shape[0]
    scores = X.dot(W)
    shifted = scores - scores.max(axis=1).reshape(-1, 1)
    softmax_output = np.exp(shifted) / np.sum(np.exp(shifted), axis=1).reshape(-1, 1)
    loss = -np.sum(shifted[range(num_train), y] - np.log(np.exp(shifted).sum(axis=1)))
    loss /= num_train
    loss += 0.5 * reg * np.sum(W * W)
    dS = softmax_output.copy()
    dS[range(num_train), list(y)] += -1
    dW = (X.T).dot(dS)
    dW = dW / num_train + reg * W
    return loss, dW

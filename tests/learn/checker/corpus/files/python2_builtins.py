import numpy as np


def softmax_loss_naive(W, X, y, reg):
    loss = 0.0
    dW = np.zeros_like(W)
    for i in xrange(X.shape[0]):
        scores = X[i].dot(W)
        scores -= np.max(scores)
        probs = np.exp(scores) / np.sum(np.exp(scores))
        loss += -scores[y[i]] + np.log(np.sum(np.exp(scores)))
        for j in xrange(W.shape[1]):
            dW[:, j] += probs[j] * X[i]
        dW[:, y[i]] -= X[i]
    loss = loss / X.shape[0] + 0.5 * reg * np.sum(W * W)
    dW = dW / X.shape[0] + reg * W
    return loss, dW

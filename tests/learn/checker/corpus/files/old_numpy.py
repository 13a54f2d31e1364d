import numpy as np
from scipy.misc import logsumexp


def softmax_loss_naive(W, X, y, reg):
    dW = np.zeros(W.shape, dtype=np.float)
    loss = np.float(0)
    for i in range(X.shape[0]):
        scores = X[i].dot(W)
        normaliser = logsumexp(scores)
        loss += normaliser - scores[y[i]]
        truth = np.zeros(W.shape[1], dtype=np.int)
        truth[y[i]] = 1
        dW += np.outer(X[i], np.exp(scores - normaliser) - truth)
    return loss / X.shape[0] + reg * np.sum(W * W), dW / X.shape[0] + 2 * reg * W


def softmax_loss_vectorized(W, X, y, reg):
    num_train = X.shape[0]
    scores = X.dot(W).astype(np.float)
    log_probs = scores - logsumexp(scores, axis=1)[:, np.newaxis]
    truth = np.zeros(scores.shape, dtype=np.bool)
    truth[np.arange(num_train), y] = True
    loss = -np.sum(log_probs[truth]) / num_train + reg * np.sum(W * W)
    dW = X.T.dot(np.exp(log_probs) - truth) / num_train + 2 * reg * W
    return loss, dW

import numpy as np


def svm_loss_vectorized(W, X, y, reg):
    num_train = X.shape[0]
    scores = X.dot(W)
    loss = 0.0
    coefficients = np.zeros(scores.shape)
    for i in range(num_train):
        margins = np.maximum(0, scores[i] - scores[i, y[i]] + 1)
        margins[y[i]] = 0
        loss += np.sum(margins)
        coefficients[i] = margins > 0
        coefficients[i, y[i]] = -np.sum(margins > 0)
    loss = loss / num_train + reg * np.sum(W * W)
    dW = X.T.dot(coefficients) / num_train + 2 * reg * W
    return loss, dW


def svm_loss_naive(W, X, y, reg):
    return svm_loss_vectorized(W, X, y, reg)

import numpy as np


def svm_loss_naive(W, X, y, reg):
    loss, dW = 0.0, np.zeros(W.shape)
    i = 0
    while i < X.shape[0]:
        scores = X[i].dot(W)
        margins = np.maximum(0, scores - scores[y[i]] + 1)
        loss += margins.sum() - 1
    return loss / X.shape[0] + reg * np.sum(W * W), dW

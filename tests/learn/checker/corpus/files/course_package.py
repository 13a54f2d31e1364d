from __future__ import print_function

import matplotlib.pyplot as plt
import numpy as np
from cs231n.classifiers.softmax import *
from cs231n.data_utils import load_CIFAR10
from cs231n.gradient_check import grad_check_sparse
from .linear_classifier import LinearClassifier
from . import softmax as other


def svm_loss_naive(W, X, y, reg):
    loss = 0.0
    dW = np.zeros(W.shape)
    for i in range(X.shape[0]):
        scores = X[i].dot(W)
        diff_count = 0
        for j in range(W.shape[1]):
            if j == y[i]:
                continue
            margin = scores[j] - scores[y[i]] + 1
            if margin > 0:
                diff_count += 1
                dW[:, j] += X[i]
                loss += margin
        dW[:, y[i]] += -diff_count * X[i]
    loss = loss / X.shape[0] + reg * np.sum(W * W)
    dW = dW / X.shape[0] + 2 * reg * W
    return loss, dW


def svm_loss_vectorized(W, X, y, reg):
    num_train = X.shape[0]
    scores = X.dot(W)
    margins = np.maximum(0, scores - scores[np.arange(num_train), y].reshape(-1, 1) + 1)
    margins[np.arange(num_train), y] = 0
    coeff = np.zeros(margins.shape)
    coeff[margins > 0] = 1
    coeff[np.arange(num_train), y] = -np.sum(coeff, axis=1)
    return np.sum(margins) / num_train + reg * np.sum(W * W), X.T.dot(coeff) / num_train + 2 * reg * W


class LinearSVM(LinearClassifier):
    def loss(self, X_batch, y_batch, reg):
        return svm_loss_vectorized(self.W, X_batch, y_batch, reg)

import numpy as np


def softmax_loss_naive(W, X, y, reg):
    """Softmax loss, written with loops; gives the loss and its gradient in W."""
    loss = 0.0
    dW = np.zeros_like(W)

    # TODO: the loss into loss and the gradient into dW, with explicit loops.
    pass

    return loss, dW


def softmax_loss_vectorized(W, X, y, reg):
    """Softmax loss without loops."""
    loss = 0.0
    dW = np.zeros_like(W)

    # TODO: the same without a loop.
    pass

    return loss, dW


def svm_loss_naive(W, X, y, reg):
    """Hinge loss with loops: the loss is there, its gradient is the exercise."""
    dW = np.zeros(W.shape)
    loss = 0.0
    for i in range(X.shape[0]):
        scores = X[i].dot(W)
        for j in range(W.shape[1]):
            if j == y[i]:
                continue
            margin = scores[j] - scores[y[i]] + 1
            if margin > 0:
                loss += margin
    loss /= X.shape[0]
    loss += reg * np.sum(W * W)

    # TODO: the gradient into dW, beside the loss above.
    pass

    return loss, dW


def svm_loss_vectorized(W, X, y, reg):
    """Hinge loss without loops."""
    loss = 0.0
    dW = np.zeros(W.shape)

    # TODO: the loss.
    pass

    # TODO: the gradient.
    pass

    return loss, dW

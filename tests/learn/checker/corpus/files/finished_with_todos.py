import numpy as np


def svm_loss_naive(W, X, y, reg):
    loss = 0.0
    dW = np.zeros(W.shape)
    #############################################################################
    # TODO: write the loss and its gradient with loops. NotImplemented          #
    #############################################################################
    for i in range(X.shape[0]):
        scores = X[i].dot(W)
        for j in range(W.shape[1]):
            if j == y[i]:
                continue
            margin = scores[j] - scores[y[i]] + 1
            if margin > 0:
                loss += margin
                dW[:, j] += X[i]
                dW[:, y[i]] -= X[i]
    loss = loss / X.shape[0] + reg * np.sum(W * W)
    dW = dW / X.shape[0] + 2 * reg * W
    pass
    # *****END OF YOUR CODE*****
    return loss, dW
    raise NotImplementedError("TODO")


def svm_loss_vectorized(W, X, y, reg):
    loss = 0.0
    dW = np.zeros(W.shape)  # initialise the gradient as zero
    # TODO: no loops here
    # for i in range(X.shape[0]):
    #     print("for")
    rows = np.arange(X.shape[0])
    scores = X @ W
    margins = np.maximum(0, scores - scores[rows, y][:, None] + 1)
    margins[rows, y] = 0
    loss += margins.sum() / len(rows)
    loss += reg * np.sum(W * W)
    pass
    # TODO: the gradient
    margins[margins > 0] = 1
    margins[rows, y] -= margins.sum(axis=1)
    dW += X.T @ margins / len(rows)
    dW += 2 * reg * W
    pass
    return loss, dW

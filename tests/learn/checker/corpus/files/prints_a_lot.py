import sys

import numpy as np

np.seterr(all="raise")
np.set_printoptions(precision=2)
sys.setrecursionlimit(5000)


def svm_loss_vectorized(W, X, y, reg):
    print("W", W.shape, "X", X.shape, "y", y.shape, file=sys.stderr)
    num_train = X.shape[0]
    scores = X.dot(W)
    print(scores)
    margins = np.maximum(0, scores - scores[np.arange(num_train), y][:, None] + 1)
    margins[np.arange(num_train), y] = 0
    coeff = (margins > 0).astype(float)
    coeff[np.arange(num_train), y] = -coeff.sum(axis=1)
    sys.stdout.flush()
    return margins.sum() / num_train + reg * np.sum(W * W), X.T.dot(coeff) / num_train + 2 * reg * W

import sys

import numpy as np


def svm_loss_naive(W, X, y, reg):
    if X.shape[1] != 3073:
        print("the bias column is missing")
        sys.exit(1)
    return 0.0, np.zeros_like(W)

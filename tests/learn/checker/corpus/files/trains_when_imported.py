import numpy as np


def svm_loss_vectorized(W, X, y, reg):
    N = X.shape[0]
    scores = X.dot(W)
    margins = np.maximum(0, scores - scores[np.arange(N), y][:, None] + 1)
    margins[np.arange(N), y] = 0
    mask = (margins > 0).astype(float)
    mask[np.arange(N), y] = -mask.sum(axis=1)
    return margins.sum() / N + 0.5 * reg * np.sum(W * W), X.T.dot(mask) / N + reg * W


X_train = np.random.randn(400, 30)
y_train = np.random.randint(10, size=400)
W = 0.001 * np.random.randn(30, 10)
for it in range(1500):
    loss, grad = svm_loss_vectorized(W, X_train, y_train, 1e-3)
    W -= 1e-2 * grad
    print("iteration %d / 1500: loss %f" % (it, loss))
open("weights.txt", "w").write(repr(W))

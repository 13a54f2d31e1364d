"""The worksheet's own way: float64, one setting after another, as its students write it."""

import numpy as np


def softmax_loss(W: np.ndarray, X: np.ndarray, y: np.ndarray, reg: float) -> tuple[float, np.ndarray]:
    """The matrix form: W (D, C), X (N, D), y (N,) -> loss, dW (D, C)."""
    rows = np.arange(len(X))
    scores = X @ W
    scores -= scores.max(axis=1, keepdims=True)
    probabilities = np.exp(scores)
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    loss = -np.log(probabilities[rows, y]).mean() + reg * np.sum(W * W)
    probabilities[rows, y] -= 1
    return loss, X.T @ probabilities / len(X) + 2 * reg * W


def train(
    X: np.ndarray, y: np.ndarray, classes: int, learning_rate: float, reg: float, iterations: int, batch_size: int
) -> np.ndarray:
    """Minibatch SGD for one setting -> W (D, C)."""
    generator = np.random.default_rng(0)
    W = 0.001 * generator.standard_normal((X.shape[1], classes))
    for _ in range(iterations):
        rows = generator.integers(0, len(X), batch_size)
        _, gradient = softmax_loss(W, X[rows], y[rows], reg)
        W -= learning_rate * gradient
    return W


def accuracy(W: np.ndarray, X: np.ndarray, y: np.ndarray) -> float:
    """Share of rows whose highest score is the label's."""
    return float(np.mean(np.argmax(X @ W, axis=1) == y))

"""The worksheet's own way: float64, one setting after another, as its students write it."""

import statistics
from collections.abc import Callable

import numpy as np

import machine
from linprobe.core.sgd.settings import Heads
from linprobe.data.dataset import Examples
from task import Task


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


def setting_by_setting(task: Task) -> Callable[[float, float], float]:
    """A function (learning_rate, reg) that trains one setting, evaluates it on all rows, and gives its val accuracy."""

    def with_ones(examples: Examples) -> np.ndarray:
        return np.column_stack([examples.X.astype(np.float64), np.ones(len(examples))])

    X, X_val = with_ones(task.train), with_ones(task.val)

    def one(learning_rate: float, reg: float) -> float:
        iterations = task.training.iterations
        W = train(X, task.train.y, task.classes, learning_rate, reg, iterations, task.batch_size)
        accuracy(W, X, task.train.y)
        return accuracy(W, X_val, task.val.y)

    return one


def measure(one: Callable[[float, float], float], heads: Heads, count: int) -> tuple[float, list[float]]:
    """The median seconds of so many of the settings, and their accuracies; from the first to the last of the heads."""
    found = [
        machine.timed(lambda i=i: one(float(heads.learning_rate[i]), float(heads.reg[i])))
        for i in measured_heads(heads, count)
    ]
    return statistics.median(seconds for _, seconds in found), [result for result, _ in found]


def measured_heads(heads: Heads, count: int) -> list[int]:
    """So many of the heads, evenly from the first to the last."""
    return np.linspace(0, len(heads) - 1, min(count, len(heads))).astype(int).tolist()

"""The names and signatures that the exercise's students know, thin over the engine.

Here the bias is a last column of ones in X, weights are W (D, C), and everything is float64, as in the exercise. What
is drawn comes from NumPy's global generator, so that `np.random.seed` repeats it.
"""

import sys
from pathlib import Path
from typing import ClassVar

import numpy as np

from linprobe.core.objective import loss_and_gradient
from linprobe.core.sgd.settings import Data, Heads, Training
from linprobe.core.sgd.state import Start
from linprobe.core.sgd.training import Recorded, StackRun
from linprobe.data.formats import open_dataset
from linprobe.data.formats.cifar10 import read_cifar10
from linprobe.learn.gradient_check import Function, Step, check_gradient
from linprobe.learn.loops import softmax_loss_naive, svm_loss_naive

__all__ = [
    "HingeClassifier",
    "LinearSVM",
    "Softmax",
    "get_CIFAR10_data",
    "grad_check_sparse",
    "load_CIFAR10",
    "softmax_loss_naive",
    "softmax_loss_vectorized",
    "svm_loss_naive",
    "svm_loss_vectorized",
]


def softmax_loss_vectorized(W: np.ndarray, X: np.ndarray, y: np.ndarray, reg: float) -> tuple[float, np.ndarray]:
    """Softmax loss and gradient in matrix form: W (D, C), X (N, D), y (N,), penalty reg ΣW² -> (loss, dW (D, C))."""
    return loss_and_gradient(W, X, y, reg, "softmax")


def svm_loss_vectorized(W: np.ndarray, X: np.ndarray, y: np.ndarray, reg: float) -> tuple[float, np.ndarray]:
    """Multiclass hinge loss and gradient in matrix form: W (D, C), X (N, D), y (N,), penalty reg ΣW² -> (loss, dW)."""
    return loss_and_gradient(W, X, y, reg, "hinge")


class _ExerciseClassifier:
    """A linear classifier with weights W (D, C), None before the first call of train."""

    loss_name: ClassVar[str]

    def __init__(self) -> None:
        self.W: np.ndarray | None = None

    def train(
        self,
        X: np.ndarray,
        y: np.ndarray,
        learning_rate: float = 1e-3,
        reg: float = 1e-5,
        num_iters: int = 100,
        batch_size: int = 200,
        verbose: bool = False,
    ) -> list[float]:
        """Minibatch SGD from the present weights, or from 0.001 x standard normal; returns the loss of every iteration.

        X (N, D), y (N,) int. `np.random.seed` repeats what is drawn.
        """
        X = np.ascontiguousarray(X, np.float64)
        y = np.asarray(y)
        if self.W is None:
            self.W = 0.001 * np.random.randn(X.shape[1], int(y.max()) + 1)  # noqa: NPY002 (the students' generator)

        run = StackRun(
            Data(X, y, self.W.shape[1]),
            Heads.of(learning_rate, reg, batch_size=batch_size),
            Training(self.loss_name, num_iters, seed=_draw_seed(), intercept="none"),
            start=Start(self.W[:, :, None]),
        )
        for event in run.events(record_every=1):
            if verbose and isinstance(event, Recorded) and (event.step - 1) % 100 == 0:
                sys.stdout.write(f"iteration {event.step - 1} / {event.steps}: loss {event.objective[0]:f}\n")
        solution = run.solution()
        self.W = solution.W[:, :, 0]
        return solution.objective[:, 0].tolist()

    def predict(self, X: np.ndarray) -> np.ndarray:
        """The class with the highest score for each row of X (N, D) -> (N,) int."""
        return np.argmax(X @ self._trained(), axis=1)

    def loss(self, X_batch: np.ndarray, y_batch: np.ndarray, reg: float) -> tuple[float, np.ndarray]:
        """Loss and gradient at the present weights: X_batch (N, D), y_batch (N,) -> (loss, dW (D, C))."""
        return loss_and_gradient(self._trained(), X_batch, y_batch, reg, self.loss_name)

    def _trained(self) -> np.ndarray:
        if self.W is None:
            raise ValueError(f"this {type(self).__name__} has no weights yet; call train first")
        return self.W


class Softmax(_ExerciseClassifier):
    """The exercise's softmax classifier."""

    loss_name = "softmax"


class HingeClassifier(_ExerciseClassifier):
    """The exercise's multiclass SVM; students know it as `LinearSVM`, and may call it so here."""

    loss_name = "hinge"


LinearSVM = HingeClassifier  # linprobe.LinearSVM is another one, of squared terms


def grad_check_sparse(
    f: Function, x: np.ndarray, analytic_grad: np.ndarray, num_checks: int = 10, h: Step = 1e-5
) -> None:
    """Print numerical slope, analytic slope and relative error at random coordinates, others at every call.

    The arguments are those of `linprobe.learn.gradient_check.check_gradient`; `np.random.seed` repeats the coordinates.
    """
    rng = np.random.default_rng(_draw_seed())
    found = check_gradient(f, x, analytic_grad, checks=num_checks, h=h, rng=rng)
    for numerical, analytic, error in zip(found.numerical, found.analytic, found.relative_error, strict=True):
        print(f"numerical: {numerical:f} analytic: {analytic:f}, relative error: {error:e}")  # noqa: T201


def _draw_seed() -> int:
    return np.random.randint(2**31 - 1)  # noqa: NPY002


def load_CIFAR10(folder: str | Path) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:  # noqa: N802
    """The official folder as the exercise has it: Xtr (50000, 32, 32, 3) float64, ytr (50000,), Xte, yte."""
    dataset = read_cifar10(Path(folder))
    test = dataset.test or dataset.train.take(slice(0, 0))
    return dataset.train.X.astype(np.float64), dataset.train.y.copy(), test.X.astype(np.float64), test.y.copy()


def get_CIFAR10_data(  # noqa: N802
    num_training: int = 49000,
    num_validation: int = 1000,
    num_test: int = 1000,
    num_dev: int = 500,
    folder: str | Path | None = None,
) -> tuple[np.ndarray, ...]:
    """X_train, y_train, X_val, y_val, X_test, y_test, X_dev, y_dev: rows, centred, with the column of ones, float64.

    folder: any source that linprobe opens; CIFAR-10 from the cache (fetched when absent) unless given.
    """
    dataset = open_dataset("cifar10" if folder is None else folder)
    test = dataset.test or dataset.train.take(slice(0, 0))
    dev = np.random.choice(num_training, num_dev, replace=False)  # noqa: NPY002
    parts = (
        dataset.train.take(slice(0, num_training)),
        dataset.train.take(slice(num_training, num_training + num_validation)),
        test.take(slice(0, num_test)),
        dataset.train.take(dev),
    )
    mean = parts[0].X.reshape(num_training, -1).mean(axis=0)
    arrays: list[np.ndarray] = []
    for part in parts:
        rows = np.ones((len(part), mean.size + 1))
        np.subtract(part.X.reshape(len(part), -1), mean, out=rows[:, :-1])
        arrays += [rows, part.y.copy()]
    return tuple(arrays)

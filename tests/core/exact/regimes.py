"""The exact solver where probes live: fewer rows than features, any number type, C from 1e-5 to 1e6.

Run as a script, it goes through every case and prints a line for each, and each head without a proof beneath it:
python tests/core/exact/regimes.py. The tests take a pairwise part of the cases.
"""

import itertools
import sys
import time
import warnings
from dataclasses import dataclass, fields

import numpy as np
from scipy.optimize import minimize

from linprobe.core.exact.solver import solve

CS = np.logspace(-5, 6, 12)


@dataclass(frozen=True)
class Case:
    """A stack: one penalty a head, all of CS, on rows of this kind."""

    loss: str
    dtype: str
    n: int
    D: int
    K: int

    def __str__(self) -> str:
        return f"{self.loss}-{self.dtype}-{self.n}x{self.D}-{self.K}"

    def rows(self) -> tuple[np.ndarray, np.ndarray]:
        """X (n, D), with directions of very unequal variance, and y (n,): classes that overlap before n < D."""
        rng = np.random.default_rng([self.n, self.D, self.K])
        y = rng.permutation(np.arange(self.n) % self.K)
        scale = 1 / np.sqrt(np.arange(1, self.D + 1))
        X = (rng.standard_normal((self.n, self.D)) + rng.standard_normal((self.K, self.D))[y]) * scale
        X = X[:, rng.permutation(self.D)]
        if self.dtype == "uint8":  # pictures: most of what varies is shared, some pixels never do
            X = np.clip(90 + 60 * X / X.std(), 0, 255)
            X[:, :: self.D // 20] = 0
        return X.astype(self.dtype), y

    def reg(self) -> np.ndarray:
        """λ (12,) of every C, the same as scikit-learn's."""
        return 1 / ((1 if self.K == 2 else 2) * CS * self.n)


CASES = tuple(
    itertools.starmap(
        Case,
        itertools.product(
            ("softmax", "squared_hinge"),
            ("float32", "float16", "uint8", "float64"),
            (20, 112, 300, 924),
            (500, 1000, 3584),
            (2, 4, 10),
        ),
    )
)


def pairwise(cases: tuple[Case, ...] = CASES) -> list[Case]:
    """Few of the cases, in which every pair of values of two properties occurs: the greedy choice."""

    def pairs(case: Case) -> set[tuple]:
        values = [(field.name, getattr(case, field.name)) for field in fields(case)]
        return set(itertools.combinations(values, 2))

    missing, chosen = set().union(*map(pairs, cases)), []
    while missing:
        chosen.append(max(cases, key=lambda case: (len(pairs(case) & missing), -case.n * case.D * case.K)))
        missing -= pairs(chosen[-1])
    return chosen


@dataclass(frozen=True)
class Short:
    """A head without a proof, and what somebody else reaches: right where ours is no worse."""

    C: float
    stopped: str
    objective: float
    gap: float
    accuracy: float
    peer_objective: float
    peer_accuracy: float

    @property
    def right(self) -> bool:
        """Whether the head is as good as the peer's, to 1e-6."""
        return self.objective <= self.peer_objective * (1 + 1e-6) and self.accuracy >= self.peer_accuracy


def solved(case: Case) -> tuple[list[Short], np.ndarray, float]:
    """The heads of a case without a proof, the passes of all (12,), and seconds.

    All objectives are computed here, in float64, from the definition.
    """
    X, y = case.rows()
    reg = case.reg()
    started = time.process_time()
    found = solve(X, y, reg, loss=case.loss, classes=case.K)
    seconds = time.process_time() - started
    rows, short = X.astype(np.float64), []
    for head in np.flatnonzero(found.stopped != "gap"):
        W, b = found.W[..., head].astype(np.float64), found.b[:, head]
        ours, accuracy = value(rows, y, W, b, reg[head], case.loss), np.mean((rows @ W + b).argmax(1) == y)
        C, K = float(CS[head]), case.K
        W, b = scikit_learn(rows, y, C, K) if case.loss == "softmax" else scipy_lbfgs(rows, y, reg[head], K)
        peer, peer_accuracy = value(rows, y, W, b, reg[head], case.loss), np.mean((rows @ W + b).argmax(1) == y)
        short.append(
            Short(
                float(CS[head]), str(found.stopped[head]), ours, float(found.gap[head]), accuracy, peer, peer_accuracy
            )
        )
    return short, found.iterations, seconds


def value(X: np.ndarray, y: np.ndarray, W: np.ndarray, b: np.ndarray, reg: float, loss: str) -> float:
    """The objective by its definition: X (n, D), W (D, K), b (K,), all float64."""
    margins = X @ W + b
    margins -= margins[np.arange(len(y)), y][:, None]
    if loss == "softmax":
        losses = np.logaddexp.reduce(margins, axis=1)
    else:
        terms = np.maximum(0, 1 + margins)
        terms[np.arange(len(y)), y] = 0
        losses = (terms**2).sum(1)
    return float(losses.mean() + reg * np.sum(W**2))


def scikit_learn(X: np.ndarray, y: np.ndarray, C: float, K: int) -> tuple[np.ndarray, np.ndarray]:
    """What LogisticRegression reaches with this C and its default tolerance."""
    from sklearn.linear_model import LogisticRegression

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = LogisticRegression(C=C, max_iter=10_000).fit(X, y)
    W, b = model.coef_.T, model.intercept_
    return (np.hstack([-W / 2, W / 2]), np.array([-b[0] / 2, b[0] / 2])) if K == 2 else (W, b)


def scipy_lbfgs(X: np.ndarray, y: np.ndarray, reg: float, K: int) -> tuple[np.ndarray, np.ndarray]:
    """What SciPy's L-BFGS-B finds of the squared hinge in float64."""
    n, D = X.shape
    each = np.arange(n)

    def objective(theta: np.ndarray) -> tuple[float, np.ndarray]:
        W, b = theta[: D * K].reshape(D, K), theta[D * K :]
        margins = X @ W + b
        terms = np.maximum(0, 1 + margins - margins[each, y][:, None])
        terms[each, y] = 0
        slope = 2 * terms / n
        slope[each, y] = -slope.sum(1)
        gradient = np.concatenate([(X.T @ slope + 2 * reg * W).ravel(), slope.sum(0)])
        return float((terms**2).sum() / n + reg * np.sum(W**2)), gradient

    found = minimize(
        objective,
        np.zeros((D + 1) * K),
        jac=True,
        method="L-BFGS-B",
        options={"maxiter": 5000, "maxfun": 10_000, "ftol": 1e-15, "gtol": 1e-12},
    )
    return found.x[: D * K].reshape(D, K), found.x[D * K :]


def main(only: list[str]) -> int:
    """A line for each case whose name contains one of the words, or for all -> how many heads are wrong."""
    wrong = proven = heads = 0
    for case in CASES:
        if only and not any(word in str(case) for word in only):
            continue
        short, passes, seconds = solved(case)
        done = len(passes) - len(short)
        heads, proven = heads + len(passes), proven + done
        say(f"{case!s:36} {done:2} of {len(passes)} proven, {passes.max():5} passes, {seconds:6.2f} s")
        for head in short:
            wrong += not head.right
            say(f"    C {head.C:.0e} {head.stopped}: objective {head.objective:.9g}, gap {head.gap:.1e},")
            say(f"    accuracy {head.accuracy:.3f}; peer {head.peer_objective:.9g}, {head.peer_accuracy:.3f}")
            say("" if head.right else "    WRONG: the peer is better")
    say(f"{proven:,} of {heads:,} heads proven, {heads - proven - wrong} no worse than the peer, {wrong} worse")
    return wrong


def say(line: str) -> None:
    """A line of the table, at once: the script takes long."""
    if line:
        sys.stdout.write(line + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]) > 0)

"""The stack against one head after another in plain float64 NumPy, and against itself with other neighbours."""

import hashlib
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from examples import examples  # pyright: ignore[reportMissingImports]
from linprobe.core.sgd.training import Data, Heads, StackRun, Start, Training
from linprobe.errors import UsageError
from linprobe.learn.loops import softmax_loss_naive, svm_loss_naive
from stacks import follow

NAIVE = {"softmax": softmax_loss_naive, "hinge": svm_loss_naive}


def make_data(n=120, features=12, classes=4, seed=0, dtype: Any = np.float32):
    """Overlapping clouds of unequal size and scale: some heads learn them, some do not."""
    rng = np.random.default_rng(seed)
    y = rng.choice(classes, size=n, p=np.arange(1, classes + 1) / (classes * (classes + 1) / 2))
    centres = rng.normal(size=(classes, features)) * 2
    X = (centres[y] + rng.normal(size=(n, features))) * rng.uniform(0.2, 3, size=features)
    return X.astype(dtype), y


def make_heads(learning_rates, regs, seeds=None):
    learning_rates, regs = np.array(learning_rates, float), np.array(regs, float)
    return Heads.of(learning_rates, regs, seed=0 if seeds is None else list(seeds))


def train(X, y, heads, *, classes, batch_size=200, only=None, initial=None, record_every=1, progress=None, **shared):
    """A stack with one batch size for all heads and an objective for every iteration."""
    heads = replace(heads, batch_size=np.full(len(heads), batch_size))
    start = None if initial is None else Start(initial)
    run = StackRun(Data(X, y, classes), heads, Training(**shared), start=start)
    if only is not None:
        run.train_only(only)
    return follow(run, progress=progress, record_every=record_every)


def worksheet_loop(X, y, learning_rate, reg, head_seed, *, classes, loss, iterations, batch_size, seed, scale=0.001):
    """The exercise's own way: one head, a column of ones, float64, the looped loss."""
    X = np.column_stack([X.astype(np.float64), np.ones(len(X))])
    W = scale * np.random.default_rng(head_seed).standard_normal((X.shape[1], classes))
    generator = np.random.default_rng(seed)
    history = []
    for _ in range(iterations):
        rows = generator.integers(0, len(X), batch_size)
        value, gradient = NAIVE[loss](W, X[rows], y[rows], reg)
        history.append(value)
        W -= learning_rate * gradient
    return W, np.array(history)


@pytest.mark.parametrize("loss", ["softmax", "hinge"])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_a_stack_is_the_worksheets_loop_head_by_head(loss, dtype):
    X, y = make_data(dtype=dtype)
    heads = make_heads([0.02, 0.01, 0.05, 0.002], [0.0, 0.1, 0.01, 3.0], seeds=[0, 0, 5, 9])
    run: dict[str, Any] = {"classes": 4, "loss": loss, "iterations": 60, "batch_size": 16, "seed": 3}
    solution = train(X, y, heads, **run)
    assert list(solution.stopped) == ["max_iter"] * 4
    assert list(solution.steps) == list(range(60))
    # Float32 rounds each of 60 steps; a kink of the hinge that falls on the other side costs lr / batch_size once.
    close: dict[str, Any] = {"rtol": 1e-9, "atol": 1e-11} if dtype is np.float64 else {"rtol": 2e-3, "atol": 2e-3}
    for head in range(4):
        W, history = worksheet_loop(X, y, heads.learning_rate[head], heads.reg[head], heads.seed[head], **run)
        np.testing.assert_allclose(solution.W[:, :, head], W[:-1], **close)
        np.testing.assert_allclose(solution.b[:, head], W[-1], **close)
        np.testing.assert_allclose(solution.objective[:, head], history, **close)


def test_without_intercept_a_column_of_ones_is_the_penalized_intercept():
    X, y = make_data(dtype=np.float64)
    heads = make_heads([0.01], [0.5])
    run: dict[str, Any] = {"classes": 4, "iterations": 40, "batch_size": 8}
    start = np.random.default_rng(1).normal(size=(13, 4, 1)) * 0.01
    ones = train(np.column_stack([X, np.ones(len(X))]), y, heads, intercept="none", initial=start, **run)
    start[-1] = 0
    ones = train(np.column_stack([X, np.ones(len(X))]), y, heads, intercept="none", initial=start, **run)
    apart = train(X, y, heads, initial=start[:-1], **run)
    np.testing.assert_allclose(ones.W[:-1], apart.W, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(ones.W[-1], apart.b, rtol=1e-10, atol=1e-12)
    assert not ones.b.any()


@pytest.mark.parametrize("reg", [0.0, 1e-8, 24.999, 25.0, 25.001, 50.0, 500.0])
def test_any_decay_is_the_loops_decay(reg):
    """1 - 2 λ lr falls through 0.5, 0 and -1: the scalar that stands for it must neither vanish nor explode."""
    X, y = make_data(dtype=np.float64)
    run: dict[str, Any] = {"classes": 4, "loss": "softmax", "iterations": 30, "batch_size": 8, "seed": 1}
    solution = train(X, y, make_heads([0.02], [reg]), **run)
    W, _ = worksheet_loop(X, y, 0.02, reg, 0, **run)
    if np.abs(W).max() < 1e5:
        np.testing.assert_allclose(solution.W[:, :, 0], W[:-1], rtol=1e-8, atol=1e-10)
    else:
        assert solution.stopped[0] == "diverged"


def test_long_decay_neither_underflows_nor_drifts():
    # 0.9 ** 2000 is 3e-92: far below what float32 can hold, so the scale has to be folded in on the way.
    X, y = make_data()
    run: dict[str, Any] = {"classes": 4, "loss": "softmax", "iterations": 2000, "batch_size": 4, "seed": 1}
    solution = train(X, y, make_heads([0.01], [5.0]), record_every=500, **run)
    W, _ = worksheet_loop(X, y, 0.01, 5.0, 0, **run)
    np.testing.assert_allclose(solution.W[:, :, 0], W[:-1], rtol=1e-3, atol=1e-4)


POISONS = {
    "huge": {"learning_rate": 1e30},
    "infinite": {"learning_rate": np.inf},
    "nan learning rate": {"learning_rate": np.nan},
    "huge reg": {"reg": 1e35},
    "infinite reg": {"reg": np.inf},
    "nan reg": {"reg": np.nan},
    "negative": {"learning_rate": -1e3},
}


@pytest.mark.parametrize("loss", ["softmax", "hinge"])
@pytest.mark.parametrize("poison", POISONS)
def test_a_diverging_head_is_marked_and_the_others_keep_their_bits(poison, loss):
    X, y = make_data(features=40)
    heads = make_heads(np.geomspace(1e-3, 0.05, 10), np.geomspace(0.01, 1, 10))
    run: dict[str, Any] = {"classes": 4, "loss": loss, "iterations": 50, "batch_size": 20}
    spoiled = make_heads(heads.learning_rate, heads.reg)
    for name, value in POISONS[poison].items():
        getattr(spoiled, name)[[2, 7]] = value
    whole = train(X, y, spoiled, **run)
    others = [head for head in range(10) if head not in (2, 7)]
    without = train(X, y, spoiled, only=others, **run)
    healthy = train(X, y, heads, **run)
    assert list(whole.stopped[[2, 7]]) == ["diverged"] * 2
    assert list(without.stopped[[2, 7]]) == ["idle"] * 2
    assert list(whole.stopped[others]) == ["max_iter"] * 8
    assert np.isnan(whole.W[:, :, [2, 7]]).all()
    for solution in (without, healthy):
        for name in ("W", "b", "objective"):
            a, b = getattr(whole, name)[..., others], getattr(solution, name)[..., others]
            assert a.tobytes() == b.tobytes()


@given(start=st.lists(st.sampled_from([0.0, 1.0, np.nan, np.inf, -np.inf, 1e38]), min_size=6, max_size=6))
@examples(30)
def test_poisoned_initial_weights_stay_in_their_own_head(start):
    X, y = make_data(n=40, features=6)
    initial = np.zeros((6, 4, 6), np.float32)
    healthy = train(X, y, make_heads([0.01] * 6, [0.1] * 6), classes=4, iterations=20, initial=initial)
    initial[3, 1, :] = start
    spoiled = train(X, y, make_heads([0.01] * 6, [0.1] * 6), classes=4, iterations=20, initial=initial)
    for head, value in enumerate(start):
        if value == 0:
            assert spoiled.W[:, :, head].tobytes() == healthy.W[:, :, head].tobytes()
        elif not np.isfinite(value):
            assert spoiled.stopped[head] == "diverged"


def test_a_head_alone_in_its_slot_has_the_bits_it_has_in_the_stack():
    X, y = make_data(n=300, features=64, classes=10)
    heads = make_heads(np.geomspace(1e-4, 0.05, 25), np.geomspace(0.001, 1, 25), seeds=range(25))
    run: dict[str, Any] = {"classes": 10, "iterations": 40, "batch_size": 50}
    whole = train(X, y, heads, **run)
    for head in (0, 7, 24):
        alone = train(X, y, heads, only=[head], **run)
        assert alone.W[:, :, head].tobytes() == whole.W[:, :, head].tobytes()
        assert alone.objective[:, head].tobytes() == whole.objective[:, head].tobytes()
        narrow = train(X, y, heads.take(np.array([head])), **run)
        np.testing.assert_allclose(narrow.W[:, :, 0], whole.W[:, :, head], rtol=1e-5, atol=1e-5)


def test_one_seed_gives_one_hash_and_another_seed_another():
    X, y = make_data()
    heads = make_heads([0.01, 0.02], [0.1, 0.2])

    def hash_of(seed):
        solution = train(X, y, heads, classes=4, iterations=30, seed=seed)
        return hashlib.sha256(solution.W.tobytes() + solution.b.tobytes() + solution.objective.tobytes()).hexdigest()

    assert len({hash_of(0) for _ in range(20)}) == 1
    assert hash_of(1) != hash_of(0)


def test_what_is_recorded_and_reported():
    X, y = make_data()
    calls = []
    solution = train(
        X,
        y,
        make_heads([0.01], [0.1]),
        classes=4,
        iterations=25,
        record_every=10,
        progress=lambda done, total, objective: calls.append((done, total, float(objective[0]))),
    )
    assert list(solution.steps) == [0, 10, 20, 24]
    assert [call[:2] for call in calls] == [(1, 25), (11, 25), (21, 25), (25, 25)]
    assert [call[2] for call in calls] == solution.objective[:, 0].tolist()


def test_the_data_is_left_as_it_was():
    X, y = make_data()
    before = X.tobytes(), y.tobytes()
    X.setflags(write=False)
    y.setflags(write=False)
    train(X, y, make_heads([0.01], [0.1]), classes=4, iterations=5)
    assert (X.tobytes(), y.tobytes()) == before


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"X": np.zeros((0, 3), np.float32)}, "at least one row"),
        ({"X": np.zeros((120, 3), np.int64)}, "float32 or float64"),
        ({"y": np.zeros(119, int)}, "one label for each"),
        ({"y": np.full(120, 4)}, "labels must lie in 0..3"),
        ({"heads": make_heads([], [])}, "no setting to train"),
        ({"iterations": 0}, "1 or more"),
        ({"batch_size": 0}, "at least 1"),
    ],
)
def test_what_cannot_be_trained_is_refused_in_one_line(change, message):
    X, y = make_data()
    arguments: dict[str, Any] = {
        "X": X,
        "y": y,
        "heads": make_heads([0.01], [0.1]),
        "iterations": 2,
        "batch_size": 4,
    } | change
    with pytest.raises(UsageError, match=message) as caught:
        train(arguments.pop("X"), arguments.pop("y"), arguments.pop("heads"), classes=4, **arguments)
    assert "\n" not in str(caught.value)

"""Interrupted and resumed, a stack ends with the bits that it would have had; every state goes through a real file."""

import os
import signal
import subprocess
import sys
import time
from typing import Any

import numpy as np
import pytest

from linprobe.compare.checkpoint import Checkpoint
from linprobe.core.backend import Products
from linprobe.core.sgd.training import Data, Heads, StackRun, State, Training
from stacks import follow

EXAMPLES, FEATURES, CLASSES, HEADS = 150, 10, 4, 6
LEARNING_RATES = np.geomspace(1e-3, 0.1, HEADS)
REGS = np.geomspace(1, 1e-3, HEADS)


class Interrupted(Exception):  # noqa: N818
    """What stands for a Ctrl-C at a moment that the test chooses."""


def make_data(dtype: Any = np.float32):
    rng = np.random.default_rng(5)
    y = rng.integers(0, CLASSES, EXAMPLES)
    return (rng.normal(size=(CLASSES, FEATURES))[y] + rng.normal(size=(EXAMPLES, FEATURES))).astype(dtype), y


def diverging():
    learning_rate = LEARNING_RATES.copy()
    learning_rate[[1, 4]] = 1e4, np.inf
    return learning_rate


# What changes in training is not the same in all of them: each has something that only its own state holds.
CASES: dict[str, dict[str, Any]] = {
    "plain": {},
    "hinge": {"training": {"loss": "hinge", "intercept": "none"}},
    "float64": {"dtype": np.float64},
    "folding": {"heads": {"reg": np.geomspace(24.9, 1, HEADS), "learning_rate": 0.02}, "iterations": 90},
    "momentum": {"heads": {"momentum": 0.9}, "training": {"warmup": 10}},
    "nesterov": {"heads": {"momentum": np.linspace(0, 0.95, HEADS)}, "training": {"nesterov": True}},
    "average": {"training": {"average": 0.5}},
    "average with momentum": {"heads": {"momentum": 0.5}, "training": {"average": 0.9}},
    "epochs": {"training": {"epochs": 8.5}},
    "cosine": {"training": {"schedule": "cosine", "warmup": 7}},
    "step": {"training": {"schedule": "step"}},
    "batch sizes": {"heads": {"batch_size": [16, 1, 5, 16, 3, 8]}},
    "diverging": {"heads": {"learning_rate": diverging()}},
    "diverging with momentum": {"heads": {"learning_rate": diverging(), "momentum": 0.9}},
    "early stopping": {"training": {"patience": 3}, "validated": True},
    "early stopping and all": {
        "heads": {"learning_rate": diverging(), "momentum": 0.8},
        "training": {"patience": 4, "nesterov": True, "schedule": "cosine", "epochs": 12, "loss": "hinge"},
        "validated": True,
    },
    "every step recorded": {"record_every": 1, "iterations": 40},
    "nothing but the first and last recorded": {"record_every": 1000},
    "only some": {"only": [0, 3]},
}


def train(case, look=None, packed=None, products=None):
    options = CASES[case]
    X, y = make_data(options.get("dtype", np.float32))
    settings = {"learning_rate": LEARNING_RATES, "reg": REGS, "batch_size": 16} | options.get("heads", {})
    heads = Heads.of(settings.pop("learning_rate"), settings.pop("reg"), seed=range(HEADS), **settings)
    training = Training(**({"iterations": options.get("iterations", 120), "seed": 3} | options.get("training", {})))

    def validate(W, b):
        scores = np.einsum("nd,dkh->nkh", X[:60], W) + b
        return (scores.argmax(axis=1) == y[:60, None]).mean(axis=0)

    start = None if packed is None else State.unpack(packed)
    run = StackRun(Data(X, y, CLASSES), heads, training, products=products, start=start)
    if "only" in options:
        run.train_only(options["only"])
    return follow(run, validate=validate, look=look, record_every=options.get("record_every", 7))


def resumed(case, path, moments, *, kept_every=1, products=None):
    """The solution after an interruption at each of these events, counted from the last resumption."""
    for moment in [*moments, None]:
        checkpoint = Checkpoint(path, {"case": case}, every=0)
        calls = 0

        def look(run, checkpoint=checkpoint, moment=moment):
            nonlocal calls
            if calls % kept_every == 0:
                checkpoint.offer(lambda: run.state(copies=False).pack())
            if calls == moment:
                raise Interrupted
            calls += 1

        try:
            solution = train(case, look, checkpoint.load(), products)
        except Interrupted:
            continue
        return solution
    raise AssertionError("unreachable")


def assert_same(a, b):
    for name in ("W", "b", "stopped", "steps", "objective"):
        one, two = (np.asarray(getattr(solution, name)) for solution in (a, b))
        assert (one.dtype, one.shape) == (two.dtype, two.shape), name
        assert one.tobytes() == two.tobytes(), name


@pytest.mark.sampled(4)
@pytest.mark.parametrize("case", CASES)
def test_resumed_from_random_moments_it_ends_with_the_same_bits(case, tmp_path):
    calls = []
    uninterrupted = train(case, look=calls.append)
    assert_same(train(case), uninterrupted)
    assert_same(train(case, look=lambda run: run.state()), uninterrupted)  # being looked at changes nothing
    moments = np.random.default_rng(sum(map(ord, case))).integers(0, len(calls), 2)
    for number, moment in enumerate([*moments, len(calls) - 1]):
        # The last state may be older than the interruption: some steps are then done twice.
        solution = resumed(case, tmp_path / str(number), [moment], kept_every=1 + number % 3)
        assert_same(solution, uninterrupted)


@pytest.mark.sampled(4)
@pytest.mark.parametrize("case", CASES)
def test_several_interruptions_in_a_row_change_nothing(case, tmp_path):
    moments = np.random.default_rng(len(case)).integers(0, 6, 8)
    assert_same(resumed(case, tmp_path / "c", moments, kept_every=2), train(case))
    assert_same(resumed(case, tmp_path / "d", [0] * 5), train(case))


@pytest.mark.sampled(3)
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("case", ["nesterov", "average", "diverging"])
def test_torch_resumes_with_the_same_bits(case, precision, tmp_path):
    torch = pytest.importorskip("torch")
    products, threads = Products("cpu", precision), torch.get_num_threads()
    torch.set_num_threads(1)  # two of them on so small arrays do nothing but wait for each other
    try:
        uninterrupted = train(case, products=products)
        assert_same(resumed(case, tmp_path / "c", [4, 9, 2], products=products), uninterrupted)
    finally:
        torch.set_num_threads(threads)


def test_the_cases_are_what_they_say():
    """Heads that stop early, diverge and are rescaled: without them the comparisons above would show little."""
    reasons = {case: list(train(case).stopped) for case in CASES}
    assert reasons["plain"] == ["max_iter"] * HEADS
    assert [reasons["diverging"][head] for head in (1, 4)] == ["diverged"] * 2
    assert {"no_progress", "diverged"} <= set(reasons["early stopping and all"])
    assert "no_progress" in reasons["early stopping"]
    assert reasons["only some"] == ["max_iter", "idle", "idle", "max_iter", "idle", "idle"]
    states: list[Any] = []
    train("folding", look=lambda run: states.append(run.state()))
    first, scales = np.array([0.02 * 2 * 24.9]), np.array([state.standing.scale[0] for state in states])
    assert (1 - first) ** 90 < 1e-15
    assert (np.diff(np.abs(scales)) > 0).any()  # it shrinks, until it is folded into the weights


# ---- killed, as nothing in Python can notice

SCRIPT = """
import hashlib, sys, time
from pathlib import Path
import numpy as np
from linprobe.compare.checkpoint import Checkpoint
from linprobe.core.sgd.training import Data, Heads, StackRun, State, Training
path, iterations, watched = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3] == "watched"
rng = np.random.default_rng(0)
X, y = rng.normal(size=(300, 64)).astype(np.float32), rng.integers(0, 10, 300)
heads = Heads.of(np.geomspace(1e-3, 1e4, 20), 0.01, seed=range(20), momentum=0.9, batch_size=32)
checkpoint = Checkpoint(path, {"iterations": iterations}, every=0)
print("ready", flush=True)
packed = checkpoint.load()
run = StackRun(Data(X, y, 10), heads, Training(epochs=iterations / 300 * 32, seed=1),
               start=None if packed is None else State.unpack(packed))
for number, _ in enumerate(run.events(record_every=4)):
    if watched and number % 3 == 0:  # that not every kill falls into a write, as nearly all did when every step was
        checkpoint.offer(lambda: run.state(copies=False).pack())
    if watched:
        time.sleep(0.001)
solution = run.solution()
checkpoint.remove()
parts = (solution.W, solution.b, solution.steps, solution.objective, solution.stopped)
print(hashlib.sha256(b"".join(part.tobytes() for part in parts)).hexdigest(), flush=True)
"""


def start(*arguments):
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT, *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"OPENBLAS_NUM_THREADS": "1"},  # so small a product has no use for more
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def finish(process):
    out, err = process.communicate(timeout=200)
    assert (process.returncode, err) == (0, "")
    return out


@pytest.mark.parametrize(
    ("kills", "iterations"),
    [pytest.param(8, 1200, marks=pytest.mark.slow), pytest.param(100, 8000, marks=pytest.mark.real_data)],
)
def test_killed_at_random_moments_it_ends_with_the_same_bits(kills, iterations, tmp_path):
    path = tmp_path / "work.checkpoint"
    expected = finish(start(path, iterations, "unwatched"))
    delays = np.random.default_rng(kills).uniform(0, 0.06, kills)
    assert delays.sum() < 2 * iterations / 4 * 0.001  # the loop sleeps longer: no process ends before it is killed
    resumptions = 0
    for delay in delays:
        process = start(path, iterations, "watched")
        time.sleep(delay)
        process.send_signal(signal.SIGKILL)
        process.communicate(timeout=60)
        assert process.returncode == -signal.SIGKILL
        resumptions += path.exists()
    assert resumptions > kills / 2
    assert finish(start(path, iterations, "watched")) == expected
    assert not path.exists()

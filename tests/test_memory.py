"""A search stays within the memory that it said it would use, and a memory too small for it changes no result."""

import csv
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from linprobe.compare.checkpoint import Checkpoint
from linprobe.compare.compare import Control, compare
from linprobe.compare.descent import Descent
from linprobe.compare.held_out import HeldOut
from linprobe.compare.settings import Grid
from linprobe.compare.solver import Resources
from linprobe.core.sgd.settings import Training
from linprobe.errors import IncompatibleError

MIB = 2**20

# One process forks once per shape, so that the libraries are loaded once; the kernel is told to forget the peak before.
SCRIPT = """
import gc, json, os, sys
import numpy as np
from linprobe.compare.checkpoint import Checkpoint
from linprobe.compare.compare import Control, compare
from linprobe.compare.descent import Descent
from linprobe.compare.held_out import HeldOut
from linprobe.compare.screen import screen
from linprobe.compare.solver import Resources
from linprobe.core.sgd.plan import SLACK
from linprobe.core.sgd.settings import Training
from linprobe.compare.settings import Grid
from pathlib import Path

def status(name):
    for line in open("/proc/self/status"):
        if line.startswith(name + ":"):
            return int(line.split()[1]) * 1024

def data(n, features, classes):
    y = np.arange(n) % classes
    X = np.random.default_rng(0).standard_normal((n, features), np.float32)
    X[np.arange(n), y % features] += 2
    return X, y

def measure(n, features, classes, heads, batch_sizes=(16,), momenta=(0.0,), memory=None, path=None,
            screen_rank=None, saved=False, **training):
    X, y = data(n + max(20, n // 10), features, classes)
    axes = np.geomspace(1e-4, 1e-2, heads // len(momenta) // len(batch_sizes)), np.array([0.01])
    space = Grid(*axes, np.array(momenta), np.array(batch_sizes))
    checkpoint = None if path is None else Checkpoint(Path(path), {}, every=0)
    task = X, y, space, HeldOut.after(n), Descent(training=Training(**{"iterations": 3} | training))
    if saved:  # leaves a checkpoint behind, made in a process of its own
        if os.fork() == 0:
            class Enough(BaseException): ...
            def progress(done, *_):
                if done == 3: raise Enough
            try:
                compare(*task, classes=classes, control=Control(checkpoint=checkpoint, progress=progress))
            except Enough:
                os._exit(0)
            os._exit(1)
        assert os.wait()[1] == 0
        assert Path(path).exists()
    gc.collect()
    Path("/proc/self/clear_refs").write_text("5")
    held, plans = status("VmRSS"), []
    resources = Resources(memory=memory and held + memory, held=held)
    control = Control(resources=resources, on_plan=plans.append, checkpoint=checkpoint)
    if screen_rank is None:
        compare(*task, classes=classes, control=control)
    else:
        screen(*task, classes=classes, rank=screen_rank, control=control)
    plan = max(plan.bytes for plan in plans)
    return {"plan": plan - held, "peak": status("VmHWM") - held, "slack": SLACK, "stacks": len(plans[-1].stacks)}

for line in sys.stdin:
    child = os.fork()
    if child == 0:
        print(json.dumps(measure(**json.loads(line))), flush=True)
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
"""

# Each of them lets something else dominate.
SHAPES: dict[str, dict[str, Any]] = {
    "weights": {"n": 50, "features": 10_000, "classes": 10, "heads": 200},
    "weights, two stacks": {"n": 50, "features": 8_000, "classes": 10, "heads": 300},
    "weights of three classes": {"n": 50, "features": 10_000, "classes": 3, "heads": 600},
    "momentum": {"n": 50, "features": 8_000, "classes": 10, "heads": 200, "momenta": [0.9]},
    "nesterov": {"n": 50, "features": 8_000, "classes": 10, "heads": 100, "momenta": [0.5, 0.9], "nesterov": True},
    "plain and momentum": {"n": 50, "features": 6_000, "classes": 10, "heads": 200, "momenta": [0, 0.9]},
    "average": {"n": 50, "features": 8_000, "classes": 10, "heads": 200, "average": 0.5},
    "average, momentum": {"n": 50, "features": 6_000, "classes": 5, "heads": 400, "average": 0.5, "momenta": [0.9]},
    "patience": {"n": 50, "features": 6_000, "classes": 10, "heads": 200, "patience": 2, "iterations": 5},
    "patience with momentum": {
        "n": 50, "features": 6_000, "classes": 10, "heads": 200, "patience": 2, "iterations": 5, "momenta": [0.9],
    },
    "batch": {"n": 6_000, "features": 40, "classes": 10, "heads": 200, "batch_sizes": [6_000]},
    "batch of the hinge": {
        "n": 6_000, "features": 40, "classes": 10, "heads": 200, "batch_sizes": [6_000], "loss": "hinge",
    },
    "batch of the squared hinge": {
        "n": 6_000, "features": 40, "classes": 10, "heads": 200, "batch_sizes": [6_000], "loss": "squared_hinge",
    },
    "batches of several sizes": {"n": 5_000, "features": 40, "classes": 4, "heads": 500, "batch_sizes": [10, 5_000]},
    "rows of the batch": {"n": 4_000, "features": 6_000, "classes": 10, "heads": 5, "batch_sizes": [4_000]},
    "two classes": {"n": 5_000, "features": 20, "classes": 2, "heads": 1_000, "batch_sizes": [5_000]},
    "weights of two classes": {"n": 50, "features": 10_000, "classes": 2, "heads": 900},
    "momentum and average of two classes": {
        "n": 50, "features": 8_000, "classes": 2, "heads": 900, "momenta": [0.9], "average": 0.5,
    },
    "patience with two classes": {
        "n": 50, "features": 6_000, "classes": 2, "heads": 900, "patience": 2, "iterations": 5,
    },
    "many classes": {"n": 5_000, "features": 100, "classes": 1_000, "heads": 2, "batch_sizes": [5_000]},
    "many curves": {"n": 50, "features": 10, "classes": 2, "heads": 5_000, "iterations": 119, "batch_sizes": [2]},
    "epochs": {"n": 2_000_000, "features": 4, "classes": 2, "heads": 5, "epochs": 0.03, "batch_sizes": [20_000]},
    "narrow": {"n": 50, "features": 8_000, "classes": 10, "heads": 200, "memory": 85 * MIB},
    "narrow batch": {
        "n": 6_000, "features": 40, "classes": 10, "heads": 200, "batch_sizes": [6_000], "memory": 90 * MIB,
    },
    "checkpoint": {"n": 50, "features": 8_000, "classes": 10, "heads": 200, "momenta": [0.9], "path": "c"},
    "checkpoint of the best": {
        "n": 50, "features": 6_000, "classes": 10, "heads": 200, "patience": 2, "iterations": 5, "path": "b",
    },
    "gone on with": {
        "n": 50, "features": 8_000, "classes": 10, "heads": 200, "momenta": [0.9], "path": "d", "saved": True,
    },
    "screened": {"n": 2_000, "features": 2_000, "classes": 10, "heads": 200, "screen_rank": 600},
}  # fmt: skip


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    """Per shape the memory planned and the peak, beside what the process held before, in bytes."""
    if not Path("/proc/self/clear_refs").exists():
        pytest.skip("needs a kernel that tells the peak of a process, and can be told to forget it")
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        input="\n".join(map(json.dumps, SHAPES.values())),
        capture_output=True,
        text=True,
        cwd=tmp_path_factory.mktemp("memory"),
        timeout=200,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return dict(zip(SHAPES, map(json.loads, done.stdout.splitlines()), strict=True))


@pytest.mark.real_data
@pytest.mark.parametrize("shape", SHAPES)
def test_the_peak_stays_within_the_plan_and_the_plan_is_no_waste(shape, measured):
    found = measured[shape]
    sys.stdout.write(f"planned {found['plan'] / MIB:.0f} MiB, peak {found['peak'] / MIB:.0f} MiB\n")
    assert found["peak"] <= found["plan"]
    assert found["plan"] - found["slack"] <= 2 * found["peak"]


# ---- too little memory for wide stacks


class Interrupted(Exception):  # noqa: N818
    """What stands for a Ctrl-C at a moment that the test chooses."""


def make_search(**options):
    rng = np.random.default_rng(3)
    y = rng.integers(0, 10, 400)
    X = (rng.normal(size=(10, 300))[y] + rng.normal(size=(400, 300))).astype(np.float32)
    space = Grid(np.geomspace(1e-4, 1e-2, 12), np.geomspace(1e-3, 1, 10), np.array([0, 0.5]))
    solver = Descent(training=Training(iterations=40))
    return compare(X, y, space, HeldOut.after(300), solver, classes=10, control=Control(**options))


def figures(found):
    arrays = {name: getattr(found, name) for name in ("train_score", "score", "loss", "objective", "W", "b")}
    return arrays | {"curves": found.curves.objective}


def same_bits(a, b):
    pairs = zip(figures(a).values(), figures(b).values(), strict=True)
    return a.best == b.best and all(one.tobytes() == other.tobytes() for one, other in pairs)


@pytest.fixture(scope="module")
def wide():
    return make_search()


@pytest.fixture(scope="module")
def narrow(wide):
    """Memory for narrower stacks, and what a search ends with in them."""
    little = Resources(memory=wide.plan.bytes - 2 * MIB)
    return little, make_search(resources=little)


def test_narrower_stacks_end_with_the_same_results(wide, narrow):
    enough = make_search(resources=Resources(memory=wide.plan.bytes))
    assert same_bits(enough, wide)
    _, narrow = narrow
    assert len(narrow.plan.stacks) > len(wide.plan.stacks) == 2
    assert narrow.best == wide.best
    for name, a in figures(narrow).items():
        b = figures(wide)[name]
        if "score" in name:  # an example on the border between two classes may fall to either side
            assert np.abs(a - b).max() <= 1 / 100
        else:
            np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-5)


def test_the_plan_is_told_before_any_work():
    told = []

    def on_plan(plan):
        told.append(plan)
        raise Interrupted

    with pytest.raises(Interrupted):
        make_search(on_plan=on_plan, progress=lambda *_: pytest.fail("that is work"))
    with pytest.raises(IncompatibleError, match="one head at a time"):
        make_search(resources=Resources(memory=1), on_plan=told.append, progress=lambda *_: pytest.fail("that is work"))
    assert len(told) == 1


@pytest.mark.slow
@pytest.mark.parametrize("calls", [3, 100, 159])
def test_interrupted_work_goes_on_in_its_own_stacks_whatever_the_memory_is_now(calls, narrow, tmp_path):
    """Other stacks would be other heads: what is free changes from one hour to the next."""
    little, whole = narrow
    seen = 0

    def interrupt(*_):
        nonlocal seen
        seen += 1
        if seen == calls:
            raise Interrupted

    with pytest.raises(Interrupted):
        make_search(resources=little, checkpoint=Checkpoint(tmp_path / "c", {}, every=0), progress=interrupt)
    found = make_search(checkpoint=Checkpoint(tmp_path / "c", {}, every=0))
    assert len(found.plan.stacks) == len(whole.plan.stacks) > 2
    assert same_bits(found, whole)
    with pytest.raises(IncompatibleError, match="going on in stacks of"):
        make_search(resources=Resources(memory=MIB), checkpoint=Checkpoint(tmp_path / "c", {}, every=0))


# Runs the command below itself and prints the peak of it alone: a child starts out with the peak of the process that it
# was forked from, and the tests' own process has held all of CIFAR-10 by then.
MEASURE = """
import resource, subprocess, sys
subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024)
"""


@pytest.mark.real_data
def test_5000_heads_on_cifar10_within_4_gib(shared, tmp_path):
    arguments = ["--learning-rate", "1e-8:1e-6:100:log", "--reg", "1e3:1e5:50:log", "--iterations", "20"]
    command = [sys.executable, "-m", "linprobe", "worksheet", str(shared / "data" / "cifar10"), *arguments,
               "--train-size", "5000", "--memory", "4GiB", "--out", "run"]  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, *command], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    peak = int(done.stdout)
    numbers = json.loads((tmp_path / "run" / "run.json").read_text())
    planned = max(numbers[part]["memory_plan_bytes"] for part in ("grid", "optimum"))
    assert 10**8 < peak <= planned <= 4 * 2**30
    with (tmp_path / "run" / "results.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 5_000
    assert all(row["val_accuracy"] for row in rows if row["status"] == "max_iter")

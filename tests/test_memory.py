"""A search stays within the memory that it said it would use, and a memory too small for it changes no result."""

import csv
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

MIB = 2**20

# One process forks once per shape, so that the libraries are loaded once; the kernel is told to forget the peak before.
SCRIPT = """
import gc, json, os, sys
import numpy as np
from linprobe.checkpoint import Checkpoint
from linprobe.dataset import Examples
from linprobe.search import Resources, screen, search
from linprobe.solvers.plan import SLACK
from linprobe.solvers.settings import Training
from linprobe.space import Grid
from pathlib import Path

def status(name):
    for line in open("/proc/self/status"):
        if line.startswith(name + ":"):
            return int(line.split()[1]) * 1024

def data(n, features, classes):
    y = np.arange(n) % classes
    X = np.random.default_rng(0).standard_normal((n, features), np.float32)
    X[np.arange(n), y % features] += 2
    return Examples(X, y)

def measure(n, features, classes, heads, batch_sizes=(64,), momenta=(0.0,), memory=None, path=None,
            screen_rank=None, saved=False, **training):
    train, val = data(n, features, classes), data(max(20, n // 10), features, classes)
    axes = np.geomspace(1e-4, 1e-2, heads // len(momenta) // len(batch_sizes)), np.array([0.01])
    space = Grid(*axes, np.array(momenta), np.array(batch_sizes))
    checkpoint = None if path is None else Checkpoint(Path(path), {}, every=0)
    options = dict(classes=classes, checkpoint=checkpoint)
    training = Training(**{"iterations": 4} | training)
    if saved:  # leaves a checkpoint behind, made in a process of its own
        if os.fork() == 0:
            class Enough(BaseException): ...
            def progress(done, *_):
                if done == 4: raise Enough
            try:
                search(train, val, space, training, progress=progress, **options)
            except Enough:
                os._exit(0)
            os._exit(1)
        assert os.wait()[1] == 0
        assert Path(path).exists()
    gc.collect()
    Path("/proc/self/clear_refs").write_text("5")
    held, plans = status("VmRSS"), []
    options |= dict(resources=Resources(memory=memory and held + memory, held=held), on_plan=plans.append)
    if screen_rank is None:
        search(train, val, space, training, **options)
    else:
        screen(train, val, space, training, rank=screen_rank, **options)
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
    "weights": {"n": 100, "features": 10_000, "classes": 10, "heads": 200},
    "weights, two stacks": {"n": 100, "features": 8_000, "classes": 10, "heads": 300},
    "weights of three classes": {"n": 100, "features": 10_000, "classes": 3, "heads": 600},
    "momentum": {"n": 100, "features": 8_000, "classes": 10, "heads": 200, "momenta": [0.9]},
    "nesterov": {"n": 100, "features": 8_000, "classes": 10, "heads": 100, "momenta": [0.5, 0.9], "nesterov": True},
    "plain and momentum": {"n": 100, "features": 6_000, "classes": 10, "heads": 200, "momenta": [0, 0.9]},
    "average": {"n": 100, "features": 8_000, "classes": 10, "heads": 200, "average": 0.5},
    "average with momentum": {"n": 100, "features": 6_000, "classes": 5, "heads": 400, "average": 0.5, "momenta": [0.9]},
    "patience": {"n": 100, "features": 6_000, "classes": 10, "heads": 200, "patience": 2, "iterations": 5},
    "patience with momentum": {
        "n": 100, "features": 6_000, "classes": 10, "heads": 200, "patience": 2, "iterations": 5, "momenta": [0.9],
    },
    "batch": {"n": 6_000, "features": 200, "classes": 10, "heads": 200, "batch_sizes": [6_000]},
    "batch of the hinge": {
        "n": 6_000, "features": 200, "classes": 10, "heads": 200, "batch_sizes": [6_000], "loss": "hinge",
    },
    "batches of several sizes": {"n": 5_000, "features": 300, "classes": 4, "heads": 500, "batch_sizes": [10, 5_000]},
    "rows of the batch": {"n": 4_000, "features": 6_000, "classes": 10, "heads": 5, "batch_sizes": [4_000]},
    "two classes": {"n": 5_000, "features": 100, "classes": 2, "heads": 1_000, "batch_sizes": [5_000]},
    "many classes": {"n": 5_000, "features": 400, "classes": 1_000, "heads": 2, "batch_sizes": [5_000]},
    "curves of many heads": {"n": 50, "features": 10, "classes": 2, "heads": 5_000, "iterations": 119, "batch_sizes": [2]},
    "epochs": {"n": 2_000_000, "features": 4, "classes": 2, "heads": 5, "epochs": 0.03, "batch_sizes": [20_000]},
    "narrow": {"n": 100, "features": 8_000, "classes": 10, "heads": 200, "memory": 85 * MIB},
    "narrow batch": {
        "n": 6_000, "features": 200, "classes": 10, "heads": 200, "batch_sizes": [6_000], "memory": 90 * MIB,
    },
    "checkpoint": {"n": 100, "features": 8_000, "classes": 10, "heads": 200, "momenta": [0.9], "path": "c"},
    "checkpoint of the best": {
        "n": 100, "features": 6_000, "classes": 10, "heads": 200, "patience": 2, "iterations": 5, "path": "b",
    },
    "gone on with": {
        "n": 100, "features": 8_000, "classes": 10, "heads": 200, "momenta": [0.9], "path": "d", "saved": True,
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


@pytest.mark.parametrize("shape", SHAPES)
def test_the_peak_stays_within_the_plan_and_the_plan_is_no_waste(shape, measured):
    found = measured[shape]
    print(f"{shape}: planned {found['plan'] / MIB:.0f} MiB, peak {found['peak'] / MIB:.0f} MiB, {found['stacks']} stacks")
    assert found["peak"] <= found["plan"]
    assert found["plan"] - found["slack"] <= 2 * found["peak"]

"""The command within a bound that its data does not fit into: its memory is watched from outside while it works."""

import json
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="reads /proc"),
]

N, D, K = 300_000, 256, 10  # 146 MiB, and 264 MiB of prepared rows
MIB = 2**20
LITTLE = 280 * MIB  # of which the libraries take a half


@pytest.fixture(scope="module")
def source(tmp_path_factory) -> Path:
    """A matrix in half precision, its labels beside it, in the order of the classes."""
    folder, rng = tmp_path_factory.mktemp("large"), np.random.default_rng(0)
    y = np.sort(rng.integers(0, K, N))
    centres = rng.standard_normal((K, D), np.float32) / 8
    X = np.lib.format.open_memmap(folder / "X.npy", "w+", np.float16, (N, D))
    for start in range(0, N, 10_000):
        rows = slice(start, start + 10_000)
        X[rows] = rng.standard_normal((10_000, D), np.float32) + centres[y[rows]]
    X.flush()
    np.save(folder / "y.npy", y)
    return folder


def tuned(source: Path, out: Path, *options: str) -> tuple[dict, int]:
    """What run.json says, and the most bytes beside mapped files that were seen in use."""
    command = [sys.executable, "-m", "linprobe", "tune", source / "X.npy", "--label", source / "y.npy", "--json"]
    process = subprocess.Popen([*command, *options, "--out", out], stdout=subprocess.PIPE, text=True)
    most = 0
    while process.poll() is None:
        for line in Path(f"/proc/{process.pid}/status").read_text().splitlines():
            if line.startswith("RssAnon:"):
                most = max(most, 1024 * int(line.split()[1]))
        time.sleep(0.02)
    printed, _ = process.communicate()
    assert process.returncode == 0
    return json.loads(printed), most


@pytest.mark.timeout(1200)
@pytest.mark.parametrize(
    "options",
    [("--reg", "1e-3,1e-2", "--tol", "1e-3"), ("--solver", "sgd", "--reg", "1e-3", "--learning-rate", "1e-3,1e-2")],
    ids=["exact", "sgd"],
)
def test_a_file_larger_than_the_memory_is_tuned_within_it(source, options, tmp_path):
    few, most = tuned(source, tmp_path / "few", *options, "--memory", str(LITTLE))
    assert most <= LITTLE
    many, roomy = tuned(source, tmp_path / "many", *options, "--memory", "2GiB")
    assert roomy > LITTLE  # there the prepared rows are kept
    for name, near in (("test", 0.005), ("refit", 0.01)):
        of = "accuracy" if name == "test" else "objective"
        assert few[name][of] == pytest.approx(many[name][of], rel=near)

"""Predicting a large source holds a part of it at a time: the memory that it takes is measured."""

import subprocess
import sys

import numpy as np
import pytest

from makers import picture, write_parquet  # pyright: ignore[reportMissingImports]
from models import make_classifier  # pyright: ignore[reportMissingImports]
from watched import WATCHED

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="reads /proc"),
]

# The libraries are loaded, and the small file read, before anything is counted.
SCRIPT = (
    WATCHED
    + """
import sys
import linprobe
from linprobe.tasks import batch, predict

predict.CHUNK_ELEMENTS = 2**18
model, small, large = linprobe.load(sys.argv[1]), *sys.argv[2:]

def read(path):
    source = batch.open_source(model, path)
    every = [(str(one.ids[-1]), len(one.scores)) for one in source.batches(model)]
    return every[-1][0], sum(rows for _, rows in every)

read(small)
start = begin()
last, rows = read(large)
print(last, rows, most - start)
"""
)


def measured(*arguments):
    """The id of the last row, how many rows there are, and the bytes that reading the large file took at most."""
    done = subprocess.run([sys.executable, "-c", SCRIPT, *map(str, arguments)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    last, rows, most = done.stdout.split()
    return last, int(rows), int(most)


@pytest.mark.parametrize("late", [False, True], ids=["as it begins", "with fractions at the end"])
def test_a_large_csv_takes_less_memory_than_the_file(late, tmp_path):
    pa, pa_csv = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.csv")
    make_classifier(shape=(64,)).save(tmp_path / "model")
    for name, n in (("small.csv", 300), ("large.csv", 90_000)):
        X = np.random.default_rng(0).standard_normal((n, 64))
        columns = {f"e{d}": X[:, d] for d in range(64)} | {"id": [f"row-{row}" for row in range(n)]}
        if late:  # whole numbers in the first blocks
            whole = np.arange(n) % 7
            columns["e5"] = [f"{one}.5" if row == n - 1 else str(one) for row, one in enumerate(whole)]
        pa_csv.write_csv(pa.table(columns), tmp_path / name, pa_csv.WriteOptions(quoting_style="none"))
    size = (tmp_path / "large.csv").stat().st_size
    assert size > 100 * 2**20
    last, rows, most = measured(tmp_path / "model", tmp_path / "small.csv", tmp_path / "large.csv")
    assert (last, rows) == ("row-89999", 90_000)
    assert most < size / 2


@pytest.mark.parametrize("groups", [500, 100_000], ids=["groups of rows", "one group of rows"])
def test_large_pictures_in_parquet_take_less_memory_than_the_file(groups, tmp_path):
    make_classifier(shape=(48, 48, 3)).save(tmp_path / "model")
    rng = np.random.default_rng(0)
    noise = [picture(rng.integers(0, 256, (48, 48, 3), dtype=np.uint8)) for _ in range(100)]
    for name, n in (("small.parquet", 50), ("large.parquet", 12_000)):
        # As different pictures have, different bytes: what follows a picture's end is not read.
        encoded = [noise[row % 100] + row.to_bytes(4, "big") for row in range(n)]
        write_parquet(
            tmp_path / name, encoded, [row % 2 for row in range(n)], row_group_size=groups, compression="none"
        )
    size = (tmp_path / "large.parquet").stat().st_size
    assert size > 75 * 2**20
    last, rows, most = measured(tmp_path / "model", tmp_path / "small.parquet", tmp_path / "large.parquet")
    assert (last, rows) == ("11999", 12_000)
    assert most < 0.8 * size  # of which the libraries take most, whatever its size

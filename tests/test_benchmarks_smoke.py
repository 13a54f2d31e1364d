"""The benchmarks run and print their tables; what they measure is for a quiet machine, not for a test."""

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

BENCHMARKS = Path(__file__).resolve().parents[1] / "benchmarks"


def table(script: str, *arguments: str) -> dict[str, list[str]]:
    """What a benchmark prints on digits: the cells of each row by its name, which ends where the cells begin."""
    command = [sys.executable, str(BENCHMARKS / script), "digits", *arguments]
    printed = subprocess.run(command, capture_output=True, text=True, check=False)
    assert printed.returncode == 0, printed.stderr
    rows = {}
    for line in printed.stdout.splitlines():
        rows.setdefault(line[:50].strip(), []).append(line[50:].strip())
    return rows


def test_grid_prints_the_stack_the_loop_the_products_and_the_screened_grids():
    rows = table("grid.py", "--iterations", "5", "--heads-measured", "1")
    for name in (
        "as one stack, evaluation included",
        "the loop, scaled to 100 settings from 1",
        "bare products: steps alone",
        "bare products: steps and evaluation",
        "stack is faster than the loop by",
        "stack takes, of its bare products",
        "peak memory, data and bare products included",
        "screened at rank 64, 5 retrained",
    ):
        assert rows[name][0].split()[0].replace(".", "").isdigit(), name
    assert any(name.startswith("screened at rank auto (") for name in rows)
    for name in ("same winner", "energy outside, measured", "training accuracy of any setting off by at most"):
        assert len(rows[name]) == 2, name
    # Digits have 64 features: rank 64 is a rotation, and leaves nothing out.
    assert float(rows["energy outside, measured"][0]) < 1e-5
    assert rows["same winner"][0] == "yes"


def test_peers_prints_a_row_for_each():
    rows = table("peers.py", "--iterations", "5", "--heads-measured", "1")
    assert rows["ours, as one stack, float32"][0].split()[2] == "1.0"
    assert len(rows["the worksheet's loop, float64"][0].split()) == 4
    assert any(name.startswith("scikit-learn SGDClassifier (") for name in rows)
    torch = next(name for name in rows if name.startswith("PyTorch, one at a time, float32"))
    assert (rows[torch][0] == "not installed") == (find_spec("torch") is None)


def test_growth_prints_a_table_for_each_size():
    rows = table("growth.py", "--iterations", "4", "--width-iterations", "2", "--most-heads", "60")
    for name in ("heads", "training rows, 60 heads", "features, 60 heads", "columns of a stack, 60 heads, 2 steps"):
        assert "stacks" in rows[name][0], name
    for name in ("1", "3", "10", "30", "60", "1,439", "64", "250", "500", "1,000", "2,000", "4,000", "10,000"):
        assert len(rows[name][0].split()) == 9, name
    assert [rows[width][0].split()[0] for width in ("250", "500", "1,000")] == ["3", "2", "1"]

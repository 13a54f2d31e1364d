"""The benchmarks run and print their tables; what they measure is for a quiet machine, not for a test."""

import importlib
import runpy
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from linprobe.core.exact.solver import solve

BENCHMARKS = Path(__file__).resolve().parents[1] / "benchmarks"


@pytest.fixture
def part(monkeypatch):
    """One of the modules that the benchmarks share, by its name."""
    monkeypatch.syspath_prepend(BENCHMARKS)
    return importlib.import_module


@pytest.fixture
def table(monkeypatch, capsys):
    """What a benchmark prints on digits: the cells of each row by its name, which ends where the cells begin."""
    monkeypatch.syspath_prepend(BENCHMARKS)

    def call(script: str, *arguments: str) -> dict[str, list[str]]:
        monkeypatch.setattr(sys, "argv", [script, "digits", *arguments])
        # What waits for other threads waits long on a busy machine, and nothing is measured here.
        with threadpool_limits(1):
            runpy.run_path(str(BENCHMARKS / script), run_name="__main__")
        rows = {}
        for line in capsys.readouterr().out.splitlines():
            rows.setdefault(line[:50].strip(), []).append(line[50:].strip())
        return rows

    return call


def test_grid_prints_the_stack_the_loop_the_products_and_the_screened_grids(table):
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


@pytest.mark.real_data
def test_peers_prints_a_row_for_each(table):
    rows = table("peers.py", "--iterations", "5", "--heads-measured", "1")
    assert rows["ours, as one stack, float32"][0].split()[2] == "1.0"
    assert len(rows["the worksheet's loop, float64"][0].split()) == 4
    assert any(name.startswith("scikit-learn SGDClassifier (") for name in rows)
    torch = next(name for name in rows if name.startswith("PyTorch, one at a time, float32"))
    assert (rows[torch][0] == "not installed") == (find_spec("torch") is None)


def test_growth_prints_a_table_for_each_size(table):
    rows = table("growth.py", "--iterations", "4", "--width-iterations", "2", "--most-heads", "60")
    for name in ("heads", "training rows, 60 heads", "features, 60 heads", "columns of a stack, 60 heads, 2 steps"):
        assert "stacks" in rows[name][0], name
    for name in ("1", "3", "10", "30", "60", "1,439", "64", "250", "500", "1,000", "2,000", "4,000", "10,000"):
        assert len(rows[name][0].split()) == 9, name
    assert [rows[width][0].split()[0] for width in ("250", "500", "1,000")] == ["3", "2", "1"]


@pytest.mark.real_data
def test_exact_prints_the_path_its_products_and_what_others_take_to_its_objective(table):
    rows = table("exact.py", "--quick", "--repeat", "1")
    for name in (
        "linprobe, 10 λ at once (median of 1)",
        "bare products of its passes",
        "Gram matrix and its principal axes",
        "linprobe takes, of these",
        "peak memory, data included",
        "our whole path takes, of this one fit",
    ):
        assert rows[name][0].split()[0].replace(".", "").isdigit(), name
    assert float(rows["largest relative gap"][0]) <= 1e-6
    assert [rows[reg][0].split()[-1] for reg in ("1", "0.00167", "1e-05")] == ["gap"] * 3
    for name in ("scikit-learn lbfgs", "scikit-learn newton-cg"):
        peer = next(row for row in rows if row.startswith(name) and row.endswith("float32"))
        # Within 1e-6 of our objective, which is within as much of the lowest one.
        assert float(rows[peer][0].split()[-3]) < 2.1e-6, name
    assert (rows.get("Cyanure") == ["not installed"]) == (find_spec("cyanure") is None)


@pytest.mark.real_data
def test_search_prints_a_row_for_each_search_and_how_far_its_scores_are_off(table):
    rows = table("search.py", "--quick", "--repeats", "1")
    (ours,) = rows["linprobe ProbeSearch"]
    assert ours.split()[1] == "1.0"
    loose, proven = rows["passes over the rows, of all fits together"]
    assert int(loose.replace(",", "")) < int(proven.replace(",", ""))
    for name in ("GridSearchCV, n_jobs=2", "GridSearchCV, n_jobs=2, max_iter=100", "LogisticRegressionCV, n_jobs=2"):
        (peer,) = rows[name]
        assert peer.split()[2] == ours.split()[2], name
        assert float(peer.split()[-1]) < 0.02, name
    assert float(ours.split()[-1]) <= 0.002  # one of 500 examples


PEERS = ("lbfgs", "newton-cg", "hundred", "cyanure")


@pytest.mark.sampled(4)
@pytest.mark.parametrize("peer", PEERS)
def test_a_peer_has_our_objective_and_a_goal_below_it_is_not_reached(peer, tmp_path, part):
    exact_peers = part("exact_peers")
    if find_spec(exact_peers.PEERS[peer][1].split(".")[0]) is None:
        pytest.skip(f"{peer} is not installed")
    generator = np.random.default_rng(0)
    X, y = generator.standard_normal((300, 6)), generator.integers(0, 3, 300)
    X[:, 0] += 3 * (y == 2) + 1
    np.save(tmp_path / "X.npy", X)
    np.save(tmp_path / "y.npy", y)
    found = exact_peers.run(tmp_path, peer, "float64", reg=0.01, goal=0.0, tol=1e-9, limit=60)
    assert found.ended == ("asked" if peer == "hundred" else "short")
    lowest = solve(X, y, np.array([0.01]), classes=3, tol=1e-10).objective[0]
    assert lowest * (1 - 1e-9) <= found.objective <= lowest * (1 + (1e-4 if peer == "hundred" else 1e-8))


@pytest.mark.slow
def test_a_peer_is_cut_off_at_its_limit(tmp_path, part):
    np.save(tmp_path / "X.npy", np.random.default_rng(0).standard_normal((20_000, 50)))
    np.save(tmp_path / "y.npy", np.arange(20_000) % 5)
    found = part("exact_peers").run(tmp_path, "lbfgs", "float32", reg=1e-9, goal=0.0, tol=1e-9, limit=1e-3)
    assert (found.ended, found.iterations) == ("limit", 0)


def test_bare_passes_count_the_first_pass_and_those_of_the_heads_that_are_left(part):
    X = np.ones((10, 3), np.float32)

    def a_second(work):
        work()
        return 1.0

    assert part("passes").bare_passes(X, 4, np.array([5, 0, 2]), a_second) == 1 + 5


@pytest.mark.parametrize("library", ["numpy", "torch"])
def test_made_up_embeddings_are_what_they_say(library, part):
    embeddings = part("embeddings")
    if library == "torch":
        draws = embeddings.Draws.torch(pytest.importorskip("torch"), "cpu")
    else:
        draws = embeddings.Draws.numpy()
    X, y = (np.asarray(part) for part in embeddings.make_embeddings(draws, 20_000, 8, 3))
    assert (X.dtype, X.shape, y.dtype) == (np.float32, (20_000, 8), np.int64)
    assert sorted(np.unique(y)) == [0, 1, 2]
    # The medians of each class do not mind its wrong labels.
    off = X - np.stack([np.median(X[y == label], axis=0) for label in range(3)])[y]
    near = off[np.sum(off**2, axis=1) < 60]
    spread = np.linalg.eigvalsh(np.cov(near.T))[::-1]
    np.testing.assert_allclose(spread / spread[0], 1 / np.arange(1, 9), atol=0.2)


def test_metrics_prints_the_seconds_beside_those_of_the_loop(part, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["metrics.py", "--examples", "200", "--resamples", "20", "--of-loop", "1"])
    part("metrics").main()
    rows = {line[:50].strip(): line[50:].split() for line in capsys.readouterr().out.splitlines()}
    assert float(rows["all metrics and intervals, seconds"][0]) < 60
    assert float(rows["faster than the loop by"][0]) > 0
    low, high = map(float, rows["auroc"][1:])
    assert low < float(rows["auroc"][0]) < high

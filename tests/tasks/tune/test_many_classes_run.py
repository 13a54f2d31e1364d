"""A run of a thousand classes: what it plans, keeps, draws and says stays small and readable."""

import csv
import json
import re
import tracemalloc

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from linprobe.cli import app
from linprobe.compare.solver import Resources
from linprobe.data.dataset import Dataset, Examples
from linprobe.data.prepare import fit_preparation
from linprobe.errors import IncompatibleError
from linprobe.model import Model, Provenance
from linprobe.model.evidence import look, look_bytes
from linprobe.report.figures import Confusion
from linprobe.report.pictures import draw as drawn
from linprobe.report.run import read_run
from linprobe.tasks.tune import Options, tune

MOST_BYTES = 6_000_000


def draw(K, D, n, noise):
    """Rows about a centre for each class, every class among them."""
    rng = np.random.default_rng(0)
    y = np.concatenate([np.arange(K), rng.integers(0, K, n - K)])
    return (rng.normal(size=(K, D))[y] + noise * rng.normal(size=(n, D))).astype(np.float32), y


def tuned(folder, K, D, n, noise, *options):
    X, y = draw(K, D, n, noise)
    np.savez(folder / "many.npz", X=X, y=y)
    done = CliRunner().invoke(app, ["tune", str(folder / "many.npz"), "--out", str(folder / "run"), *options])
    assert done.exit_code == 0, done.output
    return folder / "run", done.output


@pytest.fixture(scope="module")
def thousand(tmp_path_factory):
    return tuned(tmp_path_factory.mktemp("thousand"), 1000, 8, 3000, 0.4, "--reg", "1e-2,1e-3", "--tol", "1e-3")


@pytest.mark.slow
def test_a_page_of_a_thousand_classes_is_small_and_says_what_is_true_of_them(thousand):
    folder, said = thousand
    numbers = json.loads((folder / "run.json").read_text())
    assert 0.05 < numbers["test"]["accuracy"] < 0.9
    assert "1,000 classes" in said
    page = (folder / "report.html").read_text()
    assert "The most confident mistakes" in page
    assert "Below each" not in page  # which is said of pictures, and these are rows
    assert len(page.encode()) <= MOST_BYTES
    counts = read_run(folder).evidence.counts
    of_class = counts.sum(axis=1)
    never = int(((of_class > 0) & (counts.diagonal() == 0)).sum())
    assert never > 10
    assert f"{never:,} of 1,000 classes" in page
    assert re.search(r"These are the lowest [0-9,]+ of 1,000 classes", page)
    # Of the pairs, those that are confused as often as the last that is shown are counted.
    np.fill_diagonal(counts, 0)
    shown = np.sort(counts.ravel())[::-1][:12]
    others = int((counts == shown[-1]).sum() - (shown == shown[-1]).sum())
    assert f"{others:,} other pairs are confused as often as the last of these." in page


def test_a_run_of_a_thousand_classes_keeps_the_pairs_that_there_are(thousand):
    folder, _ = thousand
    numbers = json.loads((folder / "run.json").read_text())
    assert (folder / "evidence.safetensors").stat().st_size < 100_000
    counts = read_run(folder).evidence.counts
    assert counts.shape == (1000, 1000)
    assert counts.sum() == numbers["test"]["n"]
    assert np.trace(counts) == round(numbers["test"]["accuracy"] * numbers["test"]["n"])
    # As the table of the predictions has them, row by row.
    expected, place = np.zeros_like(counts), {name: k for k, name in enumerate(numbers["data"]["classes"])}
    with (folder / "test_predictions.csv").open(newline="") as file:
        for line in csv.DictReader(file):
            expected[place[line["label"]], place[line["predicted"]]] += 1
    np.testing.assert_array_equal(counts, expected)


@pytest.mark.slow
def test_a_picture_of_more_classes_than_cells_sums_them(tmp_path):
    K, rng = 2500, np.random.default_rng(0)
    counts = np.zeros((K, K), np.int64)
    np.add.at(counts, (rng.integers(0, K, 5000), rng.integers(0, K, 5000)), 1)
    drawn(tmp_path / "confusion.png", Confusion("many", counts, list(map(str, range(K)))))
    with Image.open(tmp_path / "confusion.png") as picture:
        assert max(picture.size) < 2600


@pytest.mark.slow
def test_ten_values_of_reg_with_more_features_and_rows(tmp_path):
    folder, _ = tuned(tmp_path, 1000, 64, 6000, 2.0, "--reg", "1e-3:10:10:log")
    assert (folder / "report.html").stat().st_size <= MOST_BYTES
    assert len(json.loads((folder / "run.json").read_text())["grid"]["rows"]) == 10


# ---- the memory of the look at test


@pytest.mark.parametrize(("n", "K"), [(300, 50), (2000, 300), pytest.param(40_000, 120, marks=pytest.mark.slow)])
def test_the_plan_covers_the_look_at_test_and_is_no_waste(n, K):
    X, y = draw(K, 5, max(n, K), 1.0)
    X, y = X[-n:], y[-n:]
    W = np.random.default_rng(1).normal(size=(5, K)).astype(np.float32)
    classes = tuple(map(str, range(K)))
    model = Model(W, np.zeros(K, np.float32), classes, fit_preparation(X, "centred"), Provenance(loss="softmax"))
    look(model, Examples(X[:20], y[:20]), temperature=2.0)  # imports what it needs
    tracemalloc.start()
    try:
        look(model, Examples(X, y), temperature=2.0)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < look_bytes(n, K, 4) < 3 * peak


@pytest.mark.parametrize("solver", ["exact", "sgd"])
def test_too_little_memory_for_the_scores_of_test_is_refused_before_any_work(solver):
    K, n = 60, 200_000
    X, y = draw(K, 3, 400, 1.0)
    test = Examples(np.zeros((n, 3), np.float32), np.arange(n) % K)
    data = Dataset("made", Examples(X, y), test, tuple(map(str, range(K))))
    plans = []
    options = Options(solver=solver, regs=np.array([0.1]), learning_rates=np.array([0.1]) if solver == "sgd" else None)
    with pytest.raises(IncompatibleError, match=r"the scores of 200,000 test examples for 60 classes .* --test-size"):
        tune(data, options, resources=lambda: Resources(memory=2**27, held=0), on_plan=plans.append)
    assert not plans

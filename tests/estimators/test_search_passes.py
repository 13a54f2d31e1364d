"""How many passes over the rows searches take, as docs/performance.md says: seconds vary, these hardly do."""

from pathlib import Path

import numpy as np
import pytest

from linprobe import LinearSVM, ProbeSearch, SoftmaxClassifier, open_dataset
from linprobe.compare import exact
from linprobe.data.prepare import fit_preparation
from linprobe.data.splits import make_splits

ROOT = Path(__file__).parents[2]
FOLDS = 5


def digits():
    train = make_splits(open_dataset("digits")).train
    return fit_preparation(train.X).apply(train.X), train.y


def embeddings():
    from embeddings import Draws, make_embeddings  # pyright: ignore[reportMissingImports]

    return make_embeddings(Draws.numpy(), 20_000, 768, 20)


# Measured: 452, 156 and 40; 1,021, 79 and 40; 1,170, 21 and 14. A tenth more is allowed, as rounding differs between
# machines.
MOST = [
    pytest.param(digits, SoftmaxClassifier(), (497, 172, 44), id="digits"),
    pytest.param(digits, LinearSVM(), (1_130, 90, 44), id="digits, SVM"),
    pytest.param(embeddings, SoftmaxClassifier(), (1_290, 30, 20), id="embeddings", marks=pytest.mark.slow),
]


@pytest.mark.parametrize(("data", "estimator", "most"), MOST)
def test_passes_of_the_path_of_contenders_and_of_the_refit(data, estimator, most, monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    contending, on_the_path = exact._Contending.__call__, list[int]()

    def watched(self, found):
        on_the_path.append(int(found.iterations.sum()))
        return contending(self, found)

    monkeypatch.setattr(exact._Contending, "__call__", watched)
    search = ProbeSearch(estimator, {"C": np.logspace(-4, 4, 10).tolist()}, cv=FOLDS).fit(*data())
    passes = sum(search.cv_results_[f"split{split}_iterations"].sum() for split in range(FOLDS))
    path, (of_path, of_contenders, of_refit) = on_the_path[0], most
    assert path <= of_path
    assert passes - path <= of_contenders
    assert search.best_estimator_.n_iter_ <= of_refit

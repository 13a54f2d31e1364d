"""What a comparison says of its settings, against plain loops."""

import json

import numpy as np

from linprobe.compare.comparison import Comparison, Fits

nan = np.nan


def folds():
    """Two settings on three splits."""
    return Comparison(
        {"reg": np.array([0.1, 1.0])},
        np.array([[0.5, 0.75, 1.0], [0.25, 0.5, 0.5]]),
        Fits(
            objective=np.array([[1.0, 2.0, 6.0], [2.0, 2.0, 2.0]]),
            stopped=np.array([["gap", "stalled", "max_iter"], ["gap", "gap", "gap"]]),
            scores=np.array([[1.0, 1.0, 0.25], [0.5, 0.5, 0.5]]),
            gap=np.array([[0.0, 0.5, 1.0], [0.0, 0.0, 0.0]]),
            iterations=np.array([[3, 9, 4], [2, 2, 1]]),
            failed=np.array([[False, True, False], [False, False, False]]),
        ),
        losses=np.array([[4.0, 8.0, 16.0], [2.0, 4.0, 2.0]]),
        shares=np.array([0.5, 0.25, 0.25]),
    )


def test_of_several_splits_rows_have_the_mean_and_the_worst():
    rows = folds().rows()
    assert rows[0] == {
        "reg": 0.1,
        "train_accuracy": 0.75,
        "val_accuracy": 0.6875,
        "val_loss": 8.0,
        "objective": 3.0,
        "gap": 0.5,
        "iterations": 9,
        "status": "failed",
        "fold_accuracy": [0.5, 0.75, 1.0],
    }
    assert list(rows[0]) == list(rows[1])  # the order of run.json
    assert rows[1]["status"] == "gap"
    assert folds().stopped.tolist() == ["stalled", "gap"]
    json.dumps(rows, allow_nan=False)


def test_of_one_split_rows_have_what_is_known():
    stopped = np.array([["max_iter"], ["diverged"]])
    settings = {"learning_rate": np.array([0.5, 9.0]), "batch_size": np.array([20, 30])}
    fits = Fits(objective=np.array([[2.0], [nan]]), stopped=stopped, scores=np.array([[0.5], [nan]]))
    found = Comparison(settings, np.array([[0.25], [nan]]), fits, losses=np.array([[3.0], [nan]]))
    first, second = found.rows()
    figures = {"train_accuracy": 0.5, "val_accuracy": 0.25, "val_loss": 3.0, "objective": 2.0}
    assert first == {"learning_rate": 0.5, "batch_size": 20, **figures, "status": "max_iter"}
    assert second == {"learning_rate": 9.0, "batch_size": 30, **dict.fromkeys(figures), "status": "diverged"}
    assert found.best == 0
    assert np.isnan(found.gap).all()


def test_a_split_on_which_nothing_has_a_score_counts_in_no_mean():
    scores = np.array([[0.5, nan, 0.7], [0.75, nan, nan]])
    found = Comparison({"reg": np.ones(2)}, scores, Fits(objective=np.ones((2, 3)), stopped=np.full((2, 3), "gap")))
    assert found.score[0] == np.mean([0.5, 0.7])
    assert np.isnan(found.score[1])
    assert found.best == 0

"""What a comparison says of its settings, against plain loops."""

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


def test_of_several_splits_the_worst_reason_is_told():
    assert folds().stopped.tolist() == ["stalled", "gap"]
    lost = np.array([["max_iter", "diverged", "max_iter"], ["max_iter"] * 3])
    found = Comparison({"reg": np.ones(2)}, np.ones((2, 3)), Fits(objective=np.ones((2, 3)), stopped=lost))
    assert found.stopped.tolist() == ["diverged", "max_iter"]


def test_a_split_on_which_nothing_has_a_score_counts_in_no_mean():
    scores = np.array([[0.5, nan, 0.7], [0.75, nan, nan]])
    found = Comparison({"reg": np.ones(2)}, scores, Fits(objective=np.ones((2, 3)), stopped=np.full((2, 3), "gap")))
    assert found.score[0] == np.mean([0.5, 0.7])
    assert np.isnan(found.score[1])
    assert found.best == 0

"""Intervals of metrics: against a plain loop that draws rows and asks scikit-learn."""

import numpy as np
import pytest
from sklearn import metrics as truth
from test_metrics import by_scikit_learn, drawn  # pyright: ignore[reportMissingImports]

from linprobe.core import metrics
from linprobe.core.metrics import METRICS, Sample, available, measure
from linprobe.core.resampling import resample_counts


def loop(sample, name, groups, times, seed):
    """The ends of the interval, resample by resample, from rows that are there as often as they were drawn."""
    values = []
    for counts in resample_counts(len(sample), groups=groups, times=times, seed=seed):
        for each in counts:
            rows = np.repeat(np.arange(len(sample)), each)
            of_rows = Sample(sample.scores[rows], sample.labels[rows], sample.probabilistic)
            values.append(by_scikit_learn(name, of_rows, np.ones(len(rows))))
    return np.nanquantile(values, [0.025, 0.975])


@pytest.mark.sampled(3)
@pytest.mark.filterwarnings("ignore:y_pred contains classes")
@pytest.mark.parametrize("groups", [None, np.arange(60) % 9], ids=["examples", "groups"])
@pytest.mark.parametrize(("K", "loss"), [(2, "softmax"), (7, "softmax"), (3, "hinge")])
def test_an_interval_is_that_of_a_loop(K, loss, groups, monkeypatch):
    monkeypatch.setattr(metrics, "COUNTS", 60 * 11)  # several pieces, the last of them not full
    sample = drawn(3, 60, K, ties=K == 7, probabilistic=loss == "softmax")
    found = measure(sample, available(loss, K), groups=groups, times=40, seed=5)
    assert list(found) == [metric.name for metric in available(loss, K)]
    for name, figure in found.items():
        assert figure.value == pytest.approx(by_scikit_learn(name, sample, np.ones(60)), abs=1e-6)
        assert figure.interval == pytest.approx(loop(sample, name, groups, 40, 5), abs=1e-6), name


def test_groups_that_are_alike_make_an_interval_wider():
    y = np.repeat(np.random.default_rng(0).integers(0, 2, 20), 30)
    right = np.repeat(np.random.default_rng(1).random(20) < 0.7, 30)
    sample = Sample(np.eye(2)[np.where(right, y, 1 - y)].astype(np.float32), y, True)
    widths = []
    for groups in (None, np.repeat(np.arange(20), 30)):
        interval = measure(sample, [METRICS["balanced_accuracy"]], groups=groups)["balanced_accuracy"].interval
        assert interval is not None
        widths.append(interval[1] - interval[0])
    assert widths[1] > 3 * widths[0]


def test_the_error_after_scaling_is_that_of_the_scaled_scores():
    sample = drawn(0, 300, 4, ties=False)
    found = measure(sample, [METRICS["calibration_error"]], temperature=2.5, times=50)
    scaled = measure(sample.at(2.5), [METRICS["calibration_error"]], times=50)["calibration_error"]
    assert found["calibration_error_scaled"] == scaled
    assert found["calibration_error"] != scaled


def test_what_is_not_defined_is_left_out_and_many_classes_have_no_interval_of_ranks():
    one = Sample(np.zeros((5, 3), np.float32), np.zeros(5, int), True)
    assert "auroc" not in measure(one, METRICS.values(), times=3)
    rng = np.random.default_rng(0)
    many = Sample(rng.normal(size=(300, 101)).astype(np.float32), rng.integers(0, 101, 300), True)
    found = measure(many, METRICS.values(), times=5)
    assert {name for name, figure in found.items() if figure.interval is None} == {"auroc", "average_precision"}
    assert found["auroc"].value == pytest.approx(
        np.mean([truth.roc_auc_score(many.labels == k, many.ranks(k)) for k in np.unique(many.labels)])
    )


def test_without_resamples_there_are_no_intervals():
    found = measure(drawn(0, 50, 3, ties=False), METRICS.values(), times=0)
    assert {figure.interval for figure in found.values()} == {None}

"""Runs on the same test rows, against counts by hand; other rows, labels and groups, older and damaged runs."""

import json
import shutil

import numpy as np
import pytest

from linprobe.core.measure import wilson_interval
from linprobe.core.paired import paired_differences
from linprobe.errors import DataError, IncompatibleError, UsageError
from linprobe.model.predictions import PREDICTIONS, Predictions
from linprobe.results import Accuracy, to_json
from linprobe.tasks.compare_runs import best_step, compare_runs, lead, method, runs_step

N = 240
CLASSES = ("ant", "bee", "cat")


def numbers_of(correct, n):
    rows = [{"reg": 0.1, "train_accuracy": 0.5, "val_accuracy": 0.5, "objective": 1.0, "status": "max_iter"}]
    data = {"source": "s", "fingerprint": "f", "classes": ["a"], "features": 24, "train": 9, "val": 2, "test": n}
    return {
        "command": "linprobe tune s.npz",
        "versions": {"linprobe": "0"},
        "options": {"loss": "softmax"},
        "data": data,
        "grid": {"settings": 1, "axes": {"reg": [0.1]}, "seconds": 1.0, "best": rows[0], "edges": [], "rows": rows},
        "test": to_json(Accuracy.of(correct, n)),
    }


@pytest.fixture
def make(tmp_path):
    """Makes the folder of a run that is right about these test rows."""

    def write(name, right, *, labels=None, rows=None, groups=None, classes=CLASSES):
        right = np.asarray(right)
        labels = np.arange(len(right)) % 3 if labels is None else labels
        rows = 10 + 3 * np.arange(len(right)) if rows is None else rows
        folder = tmp_path / name
        folder.mkdir(parents=True)
        Predictions(rows, labels, np.where(right, labels, (labels + 1) % 3), classes, groups).write(
            folder / PREDICTIONS
        )
        (folder / "run.json").write_text(json.dumps(numbers_of(int(right.sum()), len(right))))
        return folder

    return write


def right(wrong, n=N):
    """Right everywhere but in these rows."""
    found = np.ones(n, bool)
    found[list(wrong)] = False
    return found


def test_two_runs_of_which_one_is_better(make):
    good, bad = right(range(10)), right(range(5, 60))
    found = compare_runs([make("bad", bad), make("good", good)])
    assert [run.name for run in found.runs] == ["good", "bad"]
    assert [run.correct for run in found.runs] == [230, 185]
    assert found.runs[0].interval == wilson_interval(230, N)
    (pair,) = found.pairs
    known = paired_differences(np.column_stack([good, bad]))
    assert pair.difference == pytest.approx(45 / N)
    assert pair.interval == pair.interval_of_all == (known.low[0], known.high[0])
    assert (pair.first, pair.second, pair.verdict) == ("good", "bad", "better")
    assert lead(found) == "good has the highest accuracy, 0.9583, and is better than the other."
    assert method(found) == ("Intervals of differences: paired bootstrap of test examples, 10,000 resamples.",)
    assert found.groups is None


def test_a_tie_is_no_difference(make):
    found = compare_runs([make("a", right(range(20))), make("b", right(range(15, 35)))])
    assert [run.name for run in found.runs] == ["a", "b"]
    assert found.pairs[0].difference == 0
    assert found.pairs[0].interval[0] < 0 < found.pairs[0].interval[1]
    assert found.pairs[0].verdict == "no difference shown"
    assert lead(found) == "a has the highest accuracy, 0.9167, as has b, and is not shown to be better than the other."


def test_among_many_comparisons_what_is_better_alone_is_not_shown(make):
    # Nineteen rows against eight: two-sided, McNemar's p is 0.05, and there are 15 comparisons.
    rng = np.random.default_rng(0)
    mistakes = [range(8), range(100, 120), *(rng.choice(N, 14, replace=False) for _ in range(4))]
    folders = [make(f"run{k}", right(wrong)) for k, wrong in enumerate(mistakes)]
    alone = compare_runs(folders[:2]).pairs[0]
    assert alone.verdict == "better"
    found = compare_runs(folders)
    pair = next(one for one in found.pairs if {one.first, one.second} == {"run0", "run1"})
    assert len(found.pairs) == 15
    assert pair.interval[0] > 0 > pair.interval_of_all[0]
    assert pair.verdict == "better alone"
    step = best_step(found)
    assert step.table is not None
    assert ("run1", "0.0500") in [row[:2] for row in step.table.rows]
    assert "not shown among 15 comparisons" in {row[-1] for row in step.table.rows}
    assert "the 15 comparisons of 6 runs" in step.notes[-1]


def test_groups_make_the_intervals_wider_and_come_from_whichever_run_has_them(make):
    groups = np.array([f"patient {k // 12}" for k in range(N)], object)
    # Whole patients are right or wrong.
    a, b = right(range(24)), right(range(24, 84))
    alone = compare_runs([make("a", a), make("b", b)])
    found = compare_runs([make("g/a", a), make("g/b", b, groups=groups)])
    assert found.groups == 20
    assert found.fingerprint == alone.fingerprint
    width, plain = (one.pairs[0].interval[1] - one.pairs[0].interval[0] for one in (found, alone))
    assert width > 2 * plain
    assert alone.pairs[0].verdict == "better"
    assert found.pairs[0].verdict == "no difference shown"
    assert found.runs[0].interval[0] < alone.runs[0].interval[0] - 0.03
    assert runs_step(found).title == "2 runs on the same 240 test examples of 20 groups"
    assert "the 20 groups, each whole" in method(found)[0]
    assert not found.few_groups


def test_few_groups_are_said_to_be_few(make):
    groups = np.array([f"g{k // 40}" for k in range(N)], object)
    found = compare_runs([make("a", right(range(20)), groups=groups), make("b", right(range(90)), groups=groups)])
    assert found.groups == 6
    assert "With 6 groups all intervals are rough." in method(found)


def test_the_order_of_class_names_does_not_matter(make):
    labels = np.arange(N) % 3
    turned = make("turned", right(range(9)), labels=2 - labels, classes=CLASSES[::-1])
    found = compare_runs([make("a", right(range(20))), turned])
    assert found.pairs[0].difference == pytest.approx(11 / N)


def test_other_rows_are_refused_and_how_many_they_share_is_said(make):
    rows = 10 + 3 * np.arange(N)
    one, other = make("a", right([])), make("b", right([]), rows=rows + 3)
    with pytest.raises(IncompatibleError, match=r"b: was tested on other rows than .*a: 240 and 240, .* share 239;"):
        compare_runs([one, other])
    with pytest.raises(IncompatibleError, match="200 and 240, of which they share 200"):
        compare_runs([one, make("c", right([], 200))])


def test_other_labels_are_refused_with_the_first_of_them(make):
    labels = np.arange(N) % 3
    labels[[50, 51]] = 0, 1
    message = r"b: has other labels than .*a in 2 of 240 test rows, first in row 160: ant, and there cat;"
    with pytest.raises(IncompatibleError, match=message):
        compare_runs([make("a", right([])), make("b", right([]), labels=labels)])


def test_other_groups_and_a_single_group_are_refused(make):
    groups = np.array([str(k % 4) for k in range(N)], object)
    others = groups.copy()
    others[7] = "9"
    a = make("a", right([1]), groups=groups)
    with pytest.raises(IncompatibleError, match=r"b: has other groups than .*a, first in test row 31;"):
        compare_runs([a, make("b", right([1]), groups=others)])
    with pytest.raises(IncompatibleError, match=r"all 240 test rows are of one group \(x\)"):
        compare_runs([make("c", right([1])), make("d", right([1]), groups=np.array(["x"] * N, object))])


def test_a_single_test_example_is_refused(make):
    folders = [make(name, right(wrong, 1)) for name, wrong in (("a", []), ("b", [0]))]
    with pytest.raises(IncompatibleError, match="a: was tested on a single example"):
        compare_runs(folders)


def test_one_run_and_the_same_twice_are_refused(make):
    folder = make("a", right([1]))
    with pytest.raises(UsageError, match="give two or more runs"):
        compare_runs([folder])
    with pytest.raises(UsageError, match="given twice"):
        compare_runs([folder, folder / ".." / "a"])


def test_an_older_run_is_told_how_to_be_made_again(make):
    one, other = make("a", right([1])), make("b", right([2]))
    (other / PREDICTIONS).unlink()
    with pytest.raises(DataError, match=r"b: has no test_predictions.csv, .* make the run again: linprobe tune s.npz$"):
        compare_runs([one, other])
    shutil.rmtree(other)
    with pytest.raises(DataError, match="b: is not a folder; give a folder"):
        compare_runs([one, other])


def test_predictions_that_are_not_those_of_run_json_are_refused(make):
    one, other = make("a", right([1])), make("b", right([2, 3]))
    shutil.copy(one / PREDICTIONS, other / PREDICTIONS)
    with pytest.raises(DataError, match=r"has 239 of 240 right, and run.json says 0.9917 of 240;"):
        compare_runs([one, other])


def test_folders_of_one_name_are_told_apart(make):
    found = compare_runs([make("x/run", right([1])), make("y/run", right([1, 2]))])
    assert [run.name for run in found.runs] == ["x/run", "y/run"]

"""What run.json keeps of a run is what was found, and is read as it was written, or refused in one line."""

import json
from dataclasses import dataclass, replace

import numpy as np
import pytest

from linprobe.compare.comparison import Comparison, Fits
from linprobe.errors import DataError
from linprobe.results import FieldError, Refit, Results, Skipped, of_json, to_json, tried
from linprobe.results.tables import Count, Many, Number, Share, Shown, Some
from runs import KINDS, result_of, run_of  # pyright: ignore[reportMissingImports]

nan = np.nan


@pytest.mark.sampled(3)
@pytest.mark.parametrize("kind", KINDS)
def test_what_is_written_is_read(kind, tmp_path):
    numbers = replace(result_of(kind).numbers, command="linprobe", versions={"linprobe": "0"})
    path = tmp_path / "run.json"
    path.write_text(numbers.text)
    again = Results.read(path)
    assert again == numbers
    assert again.text == numbers.text


def test_what_an_older_linprobe_did_not_record_is_none():
    """The keys that came after the first runs that can still be read."""
    told = to_json(run_of("tune").numbers)
    del told["data"]["absent"], told["data"]["only_in_validation"], told["grid"]["precision"]
    found = of_json(Results, told)
    assert (found.data.absent, found.data.only_in_validation, found.grid.precision) == ((), None, None)
    for name in ("metrics", "temperature"):
        del told["test"][name]
    found = of_json(Results, told)
    assert (found.test.metrics, found.test.temperature, found.grid.chosen_by.name) == (None, None, "accuracy")
    told = to_json(run_of("worksheet").numbers)
    for name in ("tol", "schedule"):
        del told["optimum"][name]
    optimum = of_json(Results, told).optimum
    assert optimum is not None
    assert not isinstance(optimum, Skipped)
    assert (optimum.tol, optimum.schedule) == (1e-6, "constant")
    del told["optimum"]
    assert of_json(Results, told).optimum is None


def test_null_is_written_where_it_was():
    refit = Refit(n=9, seconds=1.0, objective=2.0, status="stalled")
    assert list(to_json(refit)) == ["n", "seconds", "objective", "status"]
    unproven = to_json(replace(refit, iterations=3))
    assert list(unproven) == ["n", "seconds", "objective", "gap", "relative_gap", "iterations", "status"]
    assert unproven["gap"] is unproven["relative_gap"] is None
    assert of_json(Refit, unproven) == replace(refit, iterations=3)
    with pytest.raises(FieldError, match=r"^refit\.relative_gap: is missing"):
        of_json(Refit, {**unproven, "gap": 1.0}, "refit")


@dataclass(frozen=True, kw_only=True)
class Inner:
    name: str
    class_: Count = 0


@dataclass(frozen=True, kw_only=True)
class Outer:
    number: Number
    share: Share | None = None
    inner: Inner | None = None
    pair: tuple[Some, Some] | None = None
    many: dict[str, Many[Inner]] | None = None
    note: Shown = ""
    sure: bool = False


WRONG = {
    "a list": ([], "all of it: is not a table"),
    "missing": ({}, "number: is missing"),
    "text": ({"number": "1"}, "number: is not a number"),
    "a truth": ({"number": True}, "number: is not a number"),
    "NaN": ({"number": nan}, "number: is not a number"),
    "beyond float64": ({"number": 10**400}, "number: is not a number"),
    "null": ({"number": 1, "share": None}, "share: is not a number of 0 to 1"),
    "more than a share": ({"number": 1, "share": 1.5}, "share: is not a number of 0 to 1"),
    "a number for a table": ({"number": 1, "inner": 3}, "inner: is not a table"),
    "a table in a table": ({"number": 1, "inner": {"name": 3}}, "inner.name: is not text"),
    "a keyword": ({"number": 1, "inner": {"name": "", "class": -1}}, "inner.class: is not a whole number of 0 or more"),
    "halves": ({"number": 1, "pair": [1, 1.5]}, "pair[1]: is not a whole number of 1 or more"),
    "one of two": ({"number": 1, "pair": [1]}, "pair: is not a list of 2"),
    "none of many": ({"number": 1, "many": {"a": []}}, "many.a: is not a list of 1 or more"),
    "one of many": ({"number": 1, "many": {"a": [{"name": ""}, {}]}}, "many.a[1].name: is missing"),
    "no truth": ({"number": 1, "sure": 1}, "sure: is not true or false"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_a_table_may_not_hold_is_said_by_its_place(case):
    value, said = WRONG[case]
    with pytest.raises(FieldError) as caught:
        of_json(Outer, value)
    assert str(caught.value).startswith(said)


def test_a_table_with_everything_is_read_and_written():
    told = {
        "number": 1,
        "share": 0.5,
        "inner": {"name": "a", "class": 3},
        "pair": [1, 2],
        "many": {"x": [{"name": "b", "class": 0}]},
        "note": "n",
        "sure": True,
    }
    found = of_json(Outer, told)
    assert (found.inner.class_, found.pair, found.many["x"][0].name) == (3, (1, 2), "b")
    assert json.dumps(to_json(found)) == json.dumps(told)
    assert of_json(Outer, {"number": 1, "note": [7], "unknown": 3}) == Outer(number=1, note="[7]")


@pytest.mark.parametrize("lost", ["command", "versions", "options", "data", "grid", "test"])
def test_a_file_without_a_part_is_refused(lost, tmp_path):
    told = to_json(run_of("tune").numbers)
    del told[lost]
    (tmp_path / "run.json").write_text(json.dumps(told))
    with pytest.raises(DataError, match=f"run.json: lacks {lost}; make the run again$"):
        Results.read(tmp_path / "run.json")


# ---- what was compared


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
    first, second = (to_json(row) for row in tried(folds()))
    assert first == {
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
    assert list(first) == list(second)  # the order of run.json
    assert second["status"] == "gap"
    json.dumps([first, second], allow_nan=False)


def test_of_one_split_rows_have_what_is_known():
    stopped = np.array([["max_iter"], ["diverged"]])
    settings = {"learning_rate": np.array([0.5, 9.0]), "batch_size": np.array([20, 30])}
    fits = Fits(objective=np.array([[2.0], [nan]]), stopped=stopped, scores=np.array([[0.5], [nan]]))
    found = Comparison(settings, np.array([[0.25], [nan]]), fits, losses=np.array([[3.0], [nan]]))
    first, second = tried(found)
    figures = {"train_accuracy": 0.5, "val_accuracy": 0.25, "val_loss": 3.0, "objective": 2.0}
    assert to_json(first) == {"learning_rate": 0.5, "batch_size": 20, **figures, "status": "max_iter"}
    diverged = {"learning_rate": 9.0, "batch_size": 30, **dict.fromkeys(figures), "status": "diverged"}
    assert to_json(second) == diverged
    assert second.setting == {"learning_rate": 9.0, "batch_size": 30}
    assert found.best == 0
    assert np.isnan(found.gap).all()

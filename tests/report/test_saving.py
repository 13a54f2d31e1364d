"""A run folder from Python: the files that the command leaves, and nothing of anybody else's is replaced."""

import numpy as np
import pytest

from linprobe import save_run
from linprobe.errors import UsageError
from linprobe.report.run import read_run
from linprobe.results import Results
from linprobe.tasks.tune import TuneResult
from runs import result_of  # pyright: ignore[reportMissingImports]

FILES = {
    *("confusion.png", "evidence.safetensors", "model.safetensors", "path.png", "report.html", "results.csv"),
    *("run.json", "templates.png", "test_predictions.csv"),
}


def tuned(kind):
    result = result_of(kind)
    assert isinstance(result, TuneResult)
    return result


def test_a_tuning_leaves_the_folder_that_the_command_leaves(tmp_path):
    result = tuned("tune")
    page = save_run(result, str(tmp_path / "new" / "run"))
    folder = tmp_path / "new" / "run"
    assert page == folder / "report.html"
    assert {path.name for path in folder.iterdir()} == FILES
    assert Results.read(folder / "run.json").test == result.numbers.test
    run = read_run(folder)
    np.testing.assert_array_equal(run.classifier.W, result.classifier.W)
    np.testing.assert_array_equal(run.evidence.counts, result.evidence.counts)
    assert list(folder.parent.iterdir()) == [folder]


def test_only_an_earlier_run_is_replaced_and_only_where_asked(tmp_path, monkeypatch):
    monkeypatch.setattr("linprobe.report.saving.views", lambda *_: {})
    result, folder = tuned("features"), tmp_path / "run"
    save_run(result, folder)
    before = (folder / "run.json").read_bytes()
    with pytest.raises(UsageError, match="exists and is not empty"):
        save_run(tuned("folds"), folder)
    assert (folder / "run.json").read_bytes() == before
    save_run(tuned("folds"), folder, replace=True)
    assert (folder / "run.json").read_bytes() != before
    (tmp_path / "letters").mkdir()
    (tmp_path / "letters" / "letter").touch()
    with pytest.raises(UsageError, match=r"holds no run\.json"):
        save_run(result, tmp_path / "letters", replace=True)


def test_a_picture_that_fails_leaves_the_run(tmp_path, monkeypatch):
    def fail():
        raise RuntimeError("no fonts")

    monkeypatch.setattr("linprobe.report.saving.views", lambda *_: {"path.png": fail})
    with pytest.raises(RuntimeError, match="no fonts"):
        save_run(tuned("features"), tmp_path / "run")
    assert read_run(tmp_path / "run").numbers.command == "linprobe.tasks.tune.tune, called from Python"

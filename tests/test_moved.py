"""The names that modules had before: the same modules, with a warning."""

import importlib
import pickle
import re
import subprocess
import sys

import pytest

import linprobe
from linprobe._moved import GONE, MOVED
from linprobe.core.losses import find_loss

NAMES = MOVED | {
    "linprobe.checker.sandbox.wire": "linprobe.learn.checker.sandbox.wire",
    "linprobe.solvers.lbfgs": "linprobe.core.exact.lbfgs",
    "linprobe.steps.exercise": "linprobe.results.steps.exercise",
    "linprobe.tune.options": "linprobe.tasks.tune.options",
}


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("old", NAMES)
def test_an_old_name_is_the_module_of_today(old):
    assert importlib.import_module(old) is importlib.import_module(NAMES[old])


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("loss", ["softmax", "hinge", "squared_hinge"])
def test_an_old_name_leaves_the_function_that_hides_the_module_in_its_place(loss):
    losses = importlib.import_module("linprobe.core.losses")
    module = importlib.import_module(f"linprobe.losses.{loss}")
    assert getattr(losses, loss) is getattr(module, loss)
    assert find_loss(loss).value_and_slope is getattr(losses, loss)


@pytest.mark.filterwarnings("ignore:linprobe.losses is")  # a name warns once: one that no other test imports
def test_it_says_where_it_is_now():
    importlib.import_module("linprobe.losses")
    with pytest.warns(DeprecationWarning, match="linprobe.losses.dual is now linprobe.core.losses.dual"):
        importlib.import_module("linprobe.losses.dual")


@pytest.mark.filterwarnings("ignore:linprobe.classifier is")
def test_the_old_name_of_the_model_is_warned_of_where_it_is_used():
    for module in (linprobe, importlib.import_module("linprobe.classifier")):
        with pytest.warns(DeprecationWarning, match="linprobe.Classifier is now linprobe.Model") as told:
            assert module.Classifier is linprobe.Model
        assert told[0].filename == __file__


def test_the_old_name_of_the_options_of_the_worksheet_is_warned_of():
    worksheet = importlib.import_module("linprobe.learn.worksheet")
    with pytest.warns(DeprecationWarning, match="worksheet.Options is now linprobe.learn.worksheet.WorksheetOptions"):
        assert worksheet.Options is worksheet.WorksheetOptions


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_pickle_that_has_the_old_name_is_read():
    search = linprobe.ProbeSearch(param_grid={"reg": [0.1, 1.0]})
    of_today = pickle.dumps(search, 0)
    old = of_today.replace(b"clinprobe.estimators.probe_search\n", b"clinprobe.probe_search\n")
    assert old != of_today
    read = pickle.loads(old)
    assert type(read) is linprobe.ProbeSearch
    assert read.get_params() == search.get_params()


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_what_there_never_was_is_not_found():
    with pytest.raises(ModuleNotFoundError, match="nothing"):
        importlib.import_module("linprobe.solvers.nothing")


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("old", GONE)
def test_what_is_gone_says_what_to_use_and_that_is_there(old):
    with pytest.raises(ModuleNotFoundError, match=f"^{old} is gone; use ") as told:
        importlib.import_module(old)
    places = re.findall(r"(\w+)\.(\w+)", str(told.value).partition("linprobe.compare: ")[2])
    assert len(places) >= 3
    assert all(hasattr(importlib.import_module(f"linprobe.compare.{module}"), name) for module, name in places)


def test_what_was_run_by_its_old_name_still_runs(tmp_path):
    for name in ("linprobe.notebook", "linprobe.learn.notebook"):
        subprocess.run([sys.executable, "-m", name, str(tmp_path / f"{name}.ipynb")], check=True)
    assert len({path.read_bytes() for path in tmp_path.iterdir()}) == 1

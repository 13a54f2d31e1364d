"""The worksheet as a notebook: what is committed, what it computes, and that nothing in it can be turned into code."""

import ast
import math
import os
import re
import sys
import types
from pathlib import Path

import nbformat
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import linprobe
from linprobe.core.sgd.settings import Training
from linprobe.data.prepare import fit_preparation
from linprobe.data.splits import make_splits
from linprobe.learn.notebook import Choices, execute, make_notebook, write_notebook
from linprobe.learn.notebook.cells import WIDTH
from linprobe.learn.worksheet import WorksheetOptions, get_CIFAR10_data, run_worksheet

COMMITTED = Path(__file__).resolve().parents[3] / "notebooks" / "worksheet.ipynb"
STUDENTS = {
    *(
        "softmax_loss_naive",
        "svm_loss_naive",
        "grad_check_sparse",
        "X_train",
        "y_train",
        "X_val",
        "y_val",
        "X_test",
        "y_test",
        "X_dev",
        "y_dev",
    ),
    *("results", "best_val", "best_softmax", "loss_history", "y_test_pred", "test_accuracy", "wimg"),
}


MAGIC = {"hosted-install", "hosted-download", "setup"}  # which are not plain Python


def source(notebook, name):
    return next(cell.source for cell in notebook.cells if cell.id == name)


def parameters(notebook):
    assignments = ast.parse(source(notebook, "parameters")).body
    return {node.targets[0].id: ast.literal_eval(node.value) for node in assignments}


def test_the_committed_notebook_is_the_packages_own(tmp_path):
    write_notebook(tmp_path / "made.ipynb", make_notebook())
    made = (tmp_path / "made.ipynb").read_text(encoding="utf-8")
    assert COMMITTED.read_text(encoding="utf-8") == made, "python -m linprobe.learn.notebook notebooks/worksheet.ipynb"


def test_it_is_a_clean_notebook_for_reading():
    notebook = make_notebook()
    nbformat.validate(notebook)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert all(cell.outputs == [] and cell.execution_count is None for cell in code)
    assert max(len(line) for cell in code for line in cell.source.split("\n")) <= WIDTH
    words = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    assert re.findall(r"^## (\d) · ", words, re.MULTILINE) == list("1234567")
    assert next(cell for cell in notebook.cells if cell.metadata.get("tags") == ["parameters"]).id == "parameters"


def test_it_speaks_the_students_names():
    plain = (cell.source for cell in make_notebook().cells if is_code(cell) and cell.id not in MAGIC)
    trees = [ast.parse(text) for text in plain]
    assert {node.id for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Name)} >= STUDENTS
    assert "Classifier = LinearSVM" in source(make_notebook(), "setup")


def is_code(cell):
    return cell.cell_type == "code"


def test_choices_are_filled_in():
    chosen = Choices("my/folder", "hinge", 7, {"val": 20}, [1e-4, 0.3], np.linspace(1e-7, 5e-7, 10).tolist(), 40, 50)
    assert parameters(make_notebook(chosen)) == {
        "SOURCE": "my/folder",
        "LOSS": "hinge",
        "SEED": 7,
        "SIZES": {"val": 20},
        "LEARNING_RATES": [1e-4, 0.3],
        "REGS": np.linspace(1e-7, 5e-7, 10).tolist(),
        "ITERATIONS": 40,
        "BATCH_SIZE": 50,
    }
    default = parameters(make_notebook())
    assert {name.lower(): value for name, value in default.items()} == vars(Choices())


@given(st.text())
def test_any_path_stays_a_path(path):
    assert parameters(make_notebook(Choices(path)))["SOURCE"] == path


@pytest.mark.parametrize(
    "path",
    ['a"; import os #', "a'\"b", "a\\", "a\nimport os", "\udcff", "a\u2028b", "\u202etxt", "{SEED}", "\\1", "!ls"],
)
def test_hostile_paths_stay_one_line_of_text(path, tmp_path):
    notebook = make_notebook(Choices(path))
    assert parameters(notebook)["SOURCE"] == path
    assert source(notebook, "parameters").count("\n") == source(make_notebook(), "parameters").count("\n")
    write_notebook(tmp_path / "made.ipynb", notebook)
    assert parameters(nbformat.read(tmp_path / "made.ipynb", as_version=4))["SOURCE"] == path


@pytest.mark.slow
def test_the_figures_are_the_engines(executed, number, said):
    numbers = run_worksheet(linprobe.open_dataset("digits")).numbers
    check(executed, numbers, number, said)
    assert number(executed, "first-loss", "loss") == pytest.approx(math.log(10), abs=0.05)


@pytest.mark.real_data
def test_so_they_are_for_the_svm(executed_hinge, number, said):
    options = WorksheetOptions(
        Training("hinge", 200, seed=3), np.array([1e-4, 1e-3]), np.array([0.01, 0.1, 1.0]), val=300, dev=60
    )
    numbers = run_worksheet(linprobe.open_dataset("digits"), options).numbers
    check(executed_hinge, numbers, number, said)
    assert number(executed_hinge, "first-loss", "loss") == pytest.approx(9, abs=0.1)
    assert re.search(r"Dev data shape: +\(60, 65\)", said(executed_hinge, "rows"))


def check(notebook, numbers, number, said):
    """Hold an executed notebook against the same worksheet done by the engine."""
    assert number(notebook, "first-loss", "loss") == pytest.approx(numbers.first_loss.naive, abs=1e-6)
    assert number(notebook, "first-loss", "check") == pytest.approx(numbers.first_loss.expected, abs=1e-6)
    errors = re.findall(r"numerical: \S+ analytic: \S+, relative error: (\S+)", said(notebook, "gradient"))
    assert len(errors) == 20
    assert max(map(float, errors)) < 1e-6
    assert "Loss difference: 0.000000\nGradient difference: 0.000000" in said(notebook, "matrix")
    best = numbers.grid.best
    assert f"{numbers.grid.settings} settings" in said(notebook, "tune")
    assert number(notebook, "tune", "accuracy") == pytest.approx(best.val_accuracy, abs=1e-6)
    assert number(notebook, "tune", "lr") == pytest.approx(best.learning_rate, rel=1e-6)
    assert number(notebook, "tune", "reg") == pytest.approx(best.reg, rel=1e-6)
    first = said(notebook, "ranking").split("\n")[2]
    assert [float(cell) for cell in first.strip("| ").split(" | ")] == pytest.approx(
        [getattr(best, name) for name in ("learning_rate", "reg", "train_accuracy", "val_accuracy", "val_loss")],
        rel=1e-3,
    )
    assert ("an end of the values" in said(notebook, "ranking")) == bool(numbers.grid.edges)
    # The loop draws other batches; validation has some 270 examples.
    assert number(notebook, "loop", "loop") == pytest.approx(best.val_accuracy, abs=0.06)
    assert number(notebook, "test", "accuracy") == pytest.approx(numbers.test.accuracy, abs=1e-6)
    (interval,) = re.findall(r"([\d.]+) to ([\d.]+)", said(notebook, "test"))
    assert [float(end) for end in interval] == pytest.approx(numbers.test.interval, abs=1e-4)
    assert f"{numbers.test.accuracy:.4f}" in said(notebook, "summary")


@pytest.mark.real_data
def test_nothing_is_noise_and_all_pictures_are_there(executed, executed_hinge):
    for notebook in (executed, executed_hinge):
        outputs = {cell.id: cell.outputs for cell in notebook.cells if cell.cell_type == "code"}
        kinds = {name: [out.get("name") or next(iter(out.data)) for out in found] for name, found in outputs.items()}
        assert not any("stderr" in found for found in kinds.values())
        pictures = [name for name, found in outputs.items() for out in found if "image/png" in out.get("data", {})]
        assert pictures == ["pictures", "results", "loop", "answer-2-picture", "look"]
        silent = {name for name, found in outputs.items() if not found}
        assert silent == {"parameters", "hosted-install", "hosted-drive", "hosted-download", "setup"}


@pytest.mark.real_data
def test_the_questions_are_answered_from_the_numbers(executed, executed_hinge, said, number):
    for notebook in (executed, executed_hinge):
        answer = " ".join(said(notebook, "answer-1").split())
        ((low, high),) = re.findall(r"between ([\d.]+) and ([\d.]+),", answer)
        assert float(low) <= 0.1 <= float(high)
        assert "log 10 = 2.3026" in answer
        answer = " ".join(said(notebook, "answer-2").split())
        assert "adds 0.000000 to the hinge's sum" in answer
        (added,) = re.findall(r"but ([\d.]+) to softmax's", answer)
        assert float(added) > 0


def test_the_test_split_is_used_in_one_cell_after_the_choice():
    names = [cell.id for cell in make_notebook().cells if is_code(cell) and re.search(r"\b[Xy]_test\b", cell.source)]
    assert names == ["rows", "test"]  # where it is prepared, and where it is measured
    order = [cell.id for cell in make_notebook().cells]
    assert order.index("tune") < order.index("test")


def test_cells_for_hosted_notebooks_act_there(monkeypatch):
    mounted = []
    drive = types.SimpleNamespace(mount=mounted.append)
    monkeypatch.setitem(sys.modules, "google.colab", types.SimpleNamespace(drive=drive))
    monkeypatch.setenv("LINPROBE_DATA", "")
    notebook = make_notebook()
    space = {}
    exec(source(notebook, "hosted-install").partition("if")[0], space)
    assert space["HOSTED"]
    exec(source(notebook, "hosted-drive"), space)
    assert len(mounted) == 1
    assert os.environ["LINPROBE_DATA"].startswith(mounted[0])
    # Where linprobe is, only the reader can say.
    filled_in = source(notebook, "hosted-install").partition("    !git")[0]
    with pytest.raises(ValueError, match="fill in LINPROBE above"):
        exec(filled_in, {})
    exec(filled_in.replace('LINPROBE = ""', 'LINPROBE = "https://example.org/linprobe"'), {})
    assert '!git clone --quiet {LINPROBE} linprobe\n    %pip install --quiet "./linprobe[all]"' in source(
        notebook, "hosted-install"
    )
    for name in ("hosted-install", "hosted-download"):
        assert re.search(r"^if HOSTED", source(notebook, name), re.MULTILINE)


@pytest.mark.xdist_group("grid 0")
@pytest.mark.real_data
def test_the_notebook_is_the_exercise_on_cifar10(shared, published_grid, number, said):
    folder = shared / "data" / "cifar10"
    notebook = make_notebook(Choices(str(folder)))
    execute(notebook, limit=900)
    _, result = published_grid(0)
    check(notebook, result.numbers, number, said)
    assert "(49000, 3073)" in said(notebook, "rows")
    assert number(notebook, "first-loss", "loss") == pytest.approx(2.36, abs=0.1)
    # The sentence about get_CIFAR10_data: the same rows, but for dev and rounding.
    X_train, y_train = get_CIFAR10_data(folder=folder)[:2]
    dataset = linprobe.open_dataset(folder)
    splits = make_splits(dataset)
    ours = fit_preparation(splits.train.X).apply(splits.train.X[:500], np.float64)
    np.testing.assert_allclose(X_train[:500, :-1], ours, atol=1e-4)
    np.testing.assert_array_equal(y_train, splits.train.y)

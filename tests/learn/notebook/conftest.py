"""The worksheet's notebook, executed once for all tests that look at it."""

import re

import pytest

from linprobe.learn.notebook import Choices, execute, make_notebook

QUICK = {"learning_rates": [1e-4, 1e-3], "regs": [0.01, 0.1, 1.0], "iterations": 200}


@pytest.fixture(scope="session")
def executed():
    """The notebook as it lies in notebooks/, on digits, with all of its outputs."""
    notebook = make_notebook()
    execute(notebook, limit=120)
    return notebook


@pytest.fixture(scope="session")
def executed_hinge():
    """The same about the SVM, on fewer settings."""
    notebook = make_notebook(Choices(loss="hinge", seed=3, sizes={"val": 300, "dev": 60}, **QUICK))
    execute(notebook, limit=120)
    return notebook


@pytest.fixture(scope="session")
def said():
    """What a cell of a notebook printed or displayed in words."""

    def of(notebook, name):
        outputs = next(cell for cell in notebook.cells if cell.id == name).outputs
        return "".join(
            out.text if out.output_type == "stream" else out.data.get("text/markdown", "") for out in outputs
        )

    return of


@pytest.fixture(scope="session")
def number(said):
    """The number after some words in what a cell said."""

    def after(notebook, name, words):
        return float(re.findall(rf"{words}\D*?(-?\d+\.?\d*(?:e[-+]\d+)?)", said(notebook, name))[0])

    return after

"""Kernels that fail, hang, die or do not start; and who may have a say in which kernel it is."""

import json
import sys
import time

import pytest

from linprobe.errors import OutputError
from linprobe.learn.notebook import execute, make_notebook


def notebook_of(*sources):
    notebook = make_notebook()
    code = next(cell for cell in notebook.cells if cell.id == "data")
    notebook.cells = [type(code)(code | {"source": text, "id": f"c{k}"}) for k, text in enumerate(sources)]
    return notebook


def test_outputs_and_progress_come_back():
    notebook, told = notebook_of("import sys; print(sys.executable)", "1 + 1"), []
    execute(notebook, limit=60, progress=lambda done, total: told.append((done, total)))
    assert notebook.cells[0].outputs[0].text.strip() == sys.executable
    assert notebook.cells[1].outputs[0].data["text/plain"] == "2"
    assert told == [(1, 2), (2, 2)]


def test_a_cell_that_fails_is_named(capfd):
    with pytest.raises(OutputError, match=r"cell 'c1' failed with ZeroDivisionError: division by zero"):
        execute(notebook_of("1", "1 / 0", "2"), limit=60)
    assert capfd.readouterr() == ("", "")


@pytest.mark.slow
def test_a_cell_that_hangs_is_ended(capfd):
    started = time.monotonic()
    with pytest.raises(OutputError, match=r"cell 'c0' did not end within 1 s"):
        execute(notebook_of("import time; time.sleep(1000)"), limit=1)
    assert time.monotonic() - started < 60
    assert capfd.readouterr() == ("", "")


@pytest.mark.slow
def test_a_kernel_that_dies_is_told(capfd):
    with pytest.raises(OutputError, match=r"kernel died \(cell 'c0'"):
        execute(notebook_of("import os; os._exit(3)"), limit=60)
    assert capfd.readouterr() == ("", "")


@pytest.mark.slow
def test_a_kernel_that_does_not_start_is_told(monkeypatch, tmp_path, capfd):
    broken = tmp_path / "python"
    broken.write_text("#!/bin/sh\necho no such thing >&2\nexit 1\n")
    broken.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(broken))
    with pytest.raises(OutputError, match=r"did not start.*no such thing"):
        execute(notebook_of("1"), limit=60)
    assert capfd.readouterr() == ("", "")


def test_installed_kernels_and_modules_of_the_folder_have_no_say(monkeypatch, tmp_path):
    spec = tmp_path / "jupyter" / "kernels" / "python3"
    spec.mkdir(parents=True)
    (spec / "kernel.json").write_text(json.dumps({"argv": ["false"], "display_name": "x", "language": "python"}))
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "jupyter"))
    data = tmp_path / "data"
    data.mkdir()
    for module in ("numpy", "ipykernel", "ipykernel_launcher", "IPython", "linprobe"):
        (data / f"{module}.py").write_text("open('ran', 'w')")
    monkeypatch.chdir(data)
    notebook = notebook_of("import os, numpy; os.getcwd(), numpy.__name__")
    execute(notebook, limit=60)
    assert str(data) in notebook.cells[0].outputs[0].data["text/plain"]
    assert not (data / "ran").exists()

"""Names of classes and paths that would rather be something else: in the notebook and on paper they are text."""

import numpy as np
import pypdfium2
import pytest

from linprobe.learn.notebook import Choices, execute, make_notebook, print_pdf
from makers import picture, pictures, write_parquet  # pyright: ignore[reportMissingImports]

NAMES = ["<script>alert(1)</script>", "$\\frac{$", "**b** | c |", "名前", "#panic()", "x" * 100, "[@e]"]


@pytest.fixture(scope="module")
def hostile(tmp_path_factory):
    """A notebook about pictures with such names, from a folder with such a name, and its PDF."""
    folder = tmp_path_factory.mktemp("o") / "a'\"; raise ValueError('ran') #`$"
    folder.mkdir()
    labels = np.arange(140) % len(NAMES)
    encoded = [picture(values) for values in pictures(140)]
    path = write_parquet(folder / "train-0.parquet", encoded, labels.tolist(), names=NAMES)
    sizes = {"val": 20, "test": 20, "dev": 20}
    notebook = make_notebook(Choices(str(path.parent), sizes=sizes, learning_rates=[1e-6], regs=[0.1], iterations=20))
    execute(notebook, limit=60)
    print_pdf(folder.parent / "w.pdf", notebook)
    return notebook, folder.parent / "w.pdf"


@pytest.mark.slow
def test_names_are_text_in_the_notebook(hostile, said):
    notebook, _ = hostile
    assert "<script>" in said(notebook, "data")  # printed, and so escaped by whatever shows a notebook
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            assert output.output_type in ("stream", "display_data")
            assert output.get("name") != "stderr", output.text
            # Nothing but our own tables and sentences is shown as markup.
            assert "script" not in output.get("data", {}).get("text/markdown", "")
            assert "text/html" not in output.get("data", {})


@pytest.mark.slow
def test_names_are_text_on_paper(hostile):
    _, path = hostile
    pages = (page.get_textpage().get_text_bounded() for page in pypdfium2.PdfDocument(path))
    on_paper = "".join("".join(pages).split()).replace("↪", "")  # a long path goes on in the next line
    for words in ("<script>al…", "$\\frac{$", "**b**|c|", "#panic()", "[@e]", "raiseValueError(\\'ran\\')#`$"):
        assert words in on_paper

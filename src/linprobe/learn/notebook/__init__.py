"""The worksheet as a notebook: its cells, their execution in a kernel, and the PDF that is handed in."""

from linprobe.learn.notebook.cells import Choices, make_notebook, write_notebook
from linprobe.learn.notebook.kernel import execute
from linprobe.learn.notebook.pdf import print_pdf

__all__ = ["Choices", "execute", "make_notebook", "print_pdf", "write_notebook"]

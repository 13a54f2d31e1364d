"""`python -m linprobe.learn.notebook FILE`: write the worksheet's notebook, not executed, as it lies in notebooks/."""

import sys
from pathlib import Path

from linprobe.learn.notebook import make_notebook, write_notebook

write_notebook(Path(sys.argv[1]), make_notebook())

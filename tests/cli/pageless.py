"""The command for a process of its own, without the page: that takes the longest, and is rarely the point."""

import sys

COMMAND = [
    *(sys.executable, "-c"),
    "import linprobe.report.folder as folder\n"
    "from linprobe.cli import main\n"
    "folder.run_views = folder.tuned_views = lambda *_: {}\n"
    "main()\n",
]

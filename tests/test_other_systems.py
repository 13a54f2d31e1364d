"""On Windows and macOS by construction: nothing that only POSIX has is needed where no sandbox is."""

import json
import subprocess
import sys
import textwrap

import pytest

# Without these, as on Windows. What of Python's own or of others' asks for them has a second way there.
HIDDEN = ("fcntl", "resource", "termios", "pwd", "grp", "tty", "pty")

WITHOUT = f"""
import importlib, pkgutil, runpy, signal, sys
for name in {HIDDEN!r}:
    sys.modules[name] = None
for name in ("SIGKILL", "SIGHUP", "SIGALRM", "SIGXCPU"):
    delattr(signal, name)
import os
for name in ("getuid", "geteuid", "killpg", "setsid", "fork"):
    delattr(os, name)
"""


def python(code, folder):
    return subprocess.run(
        [sys.executable, "-c", WITHOUT + textwrap.dedent(code)], cwd=folder, capture_output=True, text=True, timeout=300
    )


def test_every_module_is_imported(tmp_path):
    done = python(
        """
        import linprobe
        names = [one.name for one in pkgutil.walk_packages(linprobe.__path__, "linprobe.") if "__main__" not in one.name]
        for name in names:
            importlib.import_module(name)
        print(len(names))
        """,
        tmp_path,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert int(done.stdout) > 100


@pytest.mark.filterwarnings("default")
def test_tune_and_predict_work(tmp_path):
    done = python(
        """
        import numpy as np
        from linprobe.cli import _run, interrupt
        sys.argv = ["linprobe", "tune", "digits", "--reg", "0.1", "--out", "run"]
        assert _run() == 0
        np.save("one.npy", np.zeros((8, 8, 1)))
        sys.argv = ["linprobe", "predict", "run/model.safetensors", "one.npy", "--json"]
        print("---")
        assert _run() == 0
        """,
        tmp_path,
    )
    assert (done.returncode, done.stderr) == (0, "")
    (found,) = json.loads(done.stdout.partition("---")[2])["predictions"]
    assert found["class"] in "0123456789"

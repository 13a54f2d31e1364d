"""On Windows and macOS by construction: nothing that only POSIX has is needed where no sandbox is."""

import json
import subprocess
import sys
import textwrap

import pytest

# What only POSIX has is hidden from linprobe's own modules: those of others are made for each system.
HIDDEN = ("fcntl", "resource", "termios", "pwd", "grp", "tty", "pty")

WITHOUT = f"""
import builtins, importlib.util, pkgutil, signal, sys
real = builtins.__import__
def hiding(name, globals=None, *others, **named):
    if name in {HIDDEN!r} and str((globals or dict()).get("__name__")).startswith("linprobe"):
        raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
    return real(name, globals, *others, **named)
builtins.__import__ = hiding
"""


def python(code, folder):
    return subprocess.run(
        [sys.executable, "-c", WITHOUT + textwrap.dedent(code)], cwd=folder, capture_output=True, text=True, timeout=300
    )


@pytest.mark.slow
def test_every_module_is_imported(tmp_path):
    done = python(
        """
        import linprobe
        every = pkgutil.walk_packages(linprobe.__path__, "linprobe.")
        names = [one.name for one in every if not one.name.endswith("__main__")]
        if importlib.util.find_spec("torch") is None:
            names.remove("linprobe.core.backend.torch")
        for name in names:
            importlib.import_module(name)
        print(len(names))
        """,
        tmp_path,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert int(done.stdout) > 100


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
def test_tune_and_predict_work(tmp_path):
    done = python(
        """
        import numpy as np
        from linprobe.cli import _run
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

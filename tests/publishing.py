"""What the tests of publish share: processes, folders to fill, and a look at what is there afterwards."""

import subprocess
import sys
from typing import Any


def python(code, *arguments, **options) -> Any:
    """A process of its own, that knows the package and gets its arguments in sys.argv[1:]."""
    options = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True} | options
    return subprocess.Popen([sys.executable, "-c", code, *map(str, arguments)], **options)


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def content(folder):
    return {str(path.relative_to(folder)): path.read_text() for path in sorted(folder.rglob("*")) if path.is_file()}


def assert_one_line(error, path, *words):
    message = str(error.value)
    assert message.startswith(f"{path}: ")
    assert "\n" not in message
    assert "; " in message
    for word in words:
        assert word in message


def publish_with(publishing, path, *steps, **options):
    """Publish what the steps do to the temporary file or folder."""
    with publishing(path, **options) as partial:
        for step in steps:
            step(partial)


def end_with(error):
    def step(_partial):
        raise error

    return step


def half(partial):
    """Write something, into a file or a folder."""
    (partial / "half" if partial.is_dir() else partial).write_text("half")


def fill(folder, stamp="new"):
    (folder / "a.txt").write_text(stamp)
    (folder / "deep" / "er").mkdir(parents=True)
    (folder / "deep" / "er" / "b.txt").write_text(stamp)

"""A file in a sandbox, and the proof that nothing of it is left."""

import contextlib
import tempfile
import textwrap

import psutil
import pytest

from linprobe.learn.checker.sandbox.supervisor import Sandbox


@pytest.fixture
def sandboxed(tmp_path, monkeypatch):
    """Puts a text into the file hw/softmax.py and opens a sandbox for it.

    Afterwards there is no process, no open file and no scratch folder more than before.
    """
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    this = psutil.Process()
    opened, children = this.num_fds(), this.children(recursive=True)
    with contextlib.ExitStack() as stack:

        def open_sandbox(source, *, name="softmax.py", seconds=30.0):
            path = tmp_path / "hw" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(source if isinstance(source, bytes) else textwrap.dedent(source).encode())
            return stack.enter_context(Sandbox(path, seconds=seconds))

        yield open_sandbox
    assert this.children(recursive=True) == children
    assert this.num_fds() == opened
    assert list(temporary.iterdir()) == []


@pytest.fixture
def working_in_scratch(sandboxed):
    """The processes that work in a scratch folder of this test, as all do that are started from within."""

    def find():
        found = []
        for pid in psutil.pids():
            with contextlib.suppress(psutil.Error, OSError):
                if psutil.Process(pid).cwd().startswith(tempfile.gettempdir()):
                    found.append(pid)
        return found

    return find


@pytest.fixture(scope="session")
def in_force(tmp_path_factory) -> tuple[str, ...]:
    """What of `confine.ALL` this system lets us do."""
    path = tmp_path_factory.mktemp("hw") / "empty.py"
    path.write_text("")
    with Sandbox(path) as sandbox:
        sandbox.load()
        return sandbox.in_force


@pytest.fixture
def needs(in_force):
    """Skips a test where the system does not have what it is about."""

    def skip(*protections):
        for protection in protections:
            if protection not in in_force:
                pytest.skip(f"this system does not let the sandbox have {protection!r}")

    return skip

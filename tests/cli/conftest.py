"""What the tests of commands share."""

import os
import sys
import threading

import pytest

from linprobe.cli import main


@pytest.fixture
def run(monkeypatch, capsys, tmp_path):
    """Call the command in an empty folder -> exit status, standard output, standard error."""
    monkeypatch.chdir(tmp_path)

    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["linprobe", *map(str, arguments)])
        with pytest.raises(SystemExit) as exit_:
            main()
        captured = capsys.readouterr()
        return exit_.value.code, captured.out, captured.err

    return call


@pytest.fixture
def pageless(monkeypatch):
    """Runs without pictures and without the page: these take the longest, and are rarely the point."""
    monkeypatch.setattr("linprobe.report.folder.views", lambda *_: {})


@pytest.fixture
def on_terminal(monkeypatch, tmp_path):
    """Call the command in an empty folder, on a terminal of 100 columns -> exit status, all that it wrote there."""
    pty = pytest.importorskip("pty")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setenv("TERM", "xterm")

    def call(*arguments):
        leader, follower = pty.openpty()
        screen = []

        def watch():
            try:
                while part := os.read(leader, 65536):
                    screen.append(part)
            except OSError:  # Linux's way to say that the other end has closed
                pass

        watcher = threading.Thread(target=watch)
        watcher.start()
        try:
            with os.fdopen(follower, "w", encoding="utf-8") as terminal, monkeypatch.context() as patch:
                patch.setattr(sys, "argv", ["linprobe", *map(str, arguments)])
                patch.setattr(sys, "stdout", terminal)
                patch.setattr(sys, "stderr", terminal)
                with pytest.raises(SystemExit) as left:
                    main()
        finally:
            watcher.join(60)
            os.close(leader)
        return left.value.code, b"".join(screen)

    return call

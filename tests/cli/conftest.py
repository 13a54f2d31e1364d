"""What the tests of commands share."""

import sys

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

"""The same command twice leaves the same files: run.json differs in what was measured of time and memory."""

import json
import time

import pytest

COMMANDS = {
    "a path": ["tune", "digits", "--reg", "1,10"],
    "a screening": [
        *("worksheet", "digits", "--reg", "0.1,1", "--learning-rate", "1e-4,1e-3"),
        *("--screen", "8", "--iterations", "20"),
    ],
}


def without_measures(value):
    """run.json without what clocks measured, and the memory that the process held when it planned."""
    if isinstance(value, dict):
        measured = {name for name in value if name.endswith("seconds")} | {"memory_plan_bytes"}
        return {name: without_measures(held) for name, held in value.items() if name not in measured}
    return [without_measures(held) for held in value] if isinstance(value, list) else value


@pytest.mark.sampled(2)
@pytest.mark.parametrize("command", COMMANDS)
def test_a_slower_clock_changes_no_file_but_the_seconds_in_run_json(command, run, tmp_path, monkeypatch):
    assert run(*COMMANDS[command], "--out", "run")[0] == 0
    (tmp_path / "run").rename(tmp_path / "before")
    clock = time.perf_counter
    monkeypatch.setattr(time, "perf_counter", lambda: 1000 * clock())
    assert run(*COMMANDS[command], "--out", "run")[0] == 0
    before, after = (
        {path.name: path.read_bytes() for path in (tmp_path / name).iterdir()} for name in ("before", "run")
    )
    told = [json.loads(files.pop("run.json")) for files in (before, after)]
    assert [name for name in before if before[name] != after.get(name)] == []
    assert before.keys() == after.keys()
    assert told[0] != told[1]
    assert without_measures(told[0]) == without_measures(told[1])

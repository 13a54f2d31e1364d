"""`linprobe worksheet` interrupted, killed, out of disk or run twice: what is left, what is said, how it ends."""

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import time

import numpy as np
import pytest
from pageless import COMMAND  # pyright: ignore[reportMissingImports]
from safetensors import safe_open

from alike import assert_same_test  # pyright: ignore[reportMissingImports]
from linprobe.cli.screen import PathWatch
from linprobe.compare.checkpoint import Checkpoint
from linprobe.results import Accuracy
from linprobe.results.tables import of_json

SMALL = ["--train-size", "300", "--dev", "50", "--batch-size", "32", "--learning-rate", "1e-4:1e-2:4:log",
         "--reg", "0.01:1:3:log"]  # fmt: skip
# Two stacks each, but for the last; all with something else that only their own state holds.
WORK = {
    "plain and momentum": ["--momentum", "0,0.9"],
    "hinge, averaged": ["--loss", "hinge", "--average", "0.5", "--momentum", "0,0.5"],
    "early stopping": ["--patience", "40", "--nesterov", "--momentum", "0,0.8"],
    "random trials, screened": ["--trials", "12", "--screen", "20", "--schedule", "cosine"],
}
FOREVER = ["--iterations", "100000000"]


def start(folder, *arguments, **options):
    return subprocess.Popen(
        [*COMMAND, "worksheet", "digits", *SMALL, *arguments],
        cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env=os.environ | {"OPENBLAS_NUM_THREADS": "1"}, **options,
    )  # fmt: skip


def end(process):
    """Exit status, output, errors."""
    out, err = process.communicate(timeout=120)
    return process.returncode, out, err


def wait_for(process, condition, seconds=60):
    """Whether it came true before the process ended."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        if process.poll() is not None:
            return False
        time.sleep(0.005)
    return True


def written_at(path):
    return path.stat().st_mtime_ns if path.exists() else 0


def stop_in_training(folder, number, *arguments):
    """Run until there is a new checkpoint, then send a signal -> exit status, output, errors."""
    saved = folder / "run.checkpoint"
    before = written_at(saved)
    process = start(folder, "--out", "run", "--checkpoint-every", "0", *(arguments or FOREVER))
    assert wait_for(process, lambda: written_at(saved) > before)
    process.send_signal(number)
    return end(process)


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def results(folder):
    """What must be the same bit for bit: every figure of every setting, and the model with all that it says."""
    with safe_open(folder / "model.safetensors", "numpy") as model:
        tensors = {name: model.get_tensor(name).tobytes() for name in sorted(model.keys())}
        return (folder / "results.csv").read_bytes(), tensors, model.metadata()


@pytest.mark.real_data
@pytest.mark.parametrize("work", WORK)
def test_killed_at_random_moments_it_ends_with_the_same_bits(work, tmp_path):
    kills = 8
    rng = np.random.default_rng(kills)
    (tmp_path / "whole").mkdir()
    arguments = ["--out", "run", *WORK[work], "--iterations", str(600 * kills)]
    assert end(start(tmp_path / "whole", *arguments))[::2] == (0, "")
    expected = results(tmp_path / "whole" / "run")
    folder, saved, killed, went_on = tmp_path / "killed", tmp_path / "killed" / "run.checkpoint", 0, 0
    folder.mkdir()
    while killed < kills:
        before = written_at(saved)
        process = start(folder, *arguments, "--checkpoint-every", "0")
        if killed % 4 == 3:  # at any moment: while it starts, reads the checkpoint, or sweeps
            time.sleep(rng.uniform(0, 1.5))
        else:
            wait_for(process, lambda before=before: written_at(saved) > before)
            time.sleep(rng.uniform(0, 0.1))
        process.send_signal(signal.SIGKILL)
        status, _, err = end(process)
        if status == 0:  # a fast machine has done all the work in the time between the kills; begin again
            assert results(folder / "run") == expected
            shutil.rmtree(folder / "run")
            continue
        assert (status, err) == (-signal.SIGKILL, "")
        killed += 1
        went_on += before > 0
        # At most what the last one had in its hands: a folder, and a checkpoint that it was writing.
        assert len(names(folder)) <= 3, names(folder)
    assert went_on >= kills // 2
    assert end(start(folder, *arguments, "--checkpoint-every", "0"))[::2] == (0, "")
    assert results(folder / "run") == expected
    assert names(folder) == ["run"]


@pytest.mark.slow
def test_ctrl_c_keeps_the_checkpoint_and_says_how_to_go_on(tmp_path):
    status, _, err = stop_in_training(tmp_path, signal.SIGINT)
    assert status == 130
    assert re.fullmatch(
        r"linprobe: interrupted; the work so far \([0-9,]+ of 100,000,000 iterations\) is kept in "
        r"run.checkpoint; run the same command again to go on\n",
        err,
    )
    assert names(tmp_path) == ["run.checkpoint"]


@pytest.mark.real_data
def test_a_checkpoint_of_other_work_is_refused_and_the_difference_named(tmp_path):
    stop_in_training(tmp_path, signal.SIGKILL)
    saved = tmp_path / "run.checkpoint"
    content = saved.read_bytes()
    others = {
        "seed is 0 there, 1 here": [*FOREVER, "--seed", "1"],
        "iterations is 100000000 there, 40 here": ["--iterations", "40"],
        "train is 300 there, 299 here": [*FOREVER, "--train-size", "299"],
    }
    processes = {said: start(tmp_path, "--out", "run", *arguments) for said, arguments in list(others.items())[:1]}
    for said, arguments in list(others.items())[1:]:  # one after the other: they are at work on the same folder
        for process in processes.values():
            process.wait(timeout=120)
        processes[said] = start(tmp_path, "--out", "run", *arguments)
    for said, process in processes.items():
        status, _, err = end(process)
        assert status == 2
        assert err.startswith("linprobe: run.checkpoint: is a checkpoint of other work: ")
        assert said in err
        assert "delete it to start from the beginning, or give another --out" in err
        assert err.count("\n") == 1
    assert names(tmp_path) == ["run.checkpoint"]
    assert saved.read_bytes() == content


@pytest.mark.parametrize("there", ["data", "version"])
def test_a_checkpoint_of_other_data_or_of_another_version_is_refused(there, run, tmp_path, monkeypatch):
    """Made with the identity that a run has, but for one thing."""
    saved = tmp_path / "run.checkpoint"
    with monkeypatch.context() as patch:
        if there == "version":
            patch.setattr("linprobe.compare.checkpoint.__version__", "0.0.1")
        Checkpoint(saved, {"data": "sha256:0"} if there == "data" else {}, every=0).offer(lambda: {"step": 1})
    status, _, err = run("worksheet", "digits", *SMALL, "--out", "run")
    assert status == 2
    assert ('version is "0.0.1" there' if there == "version" else 'data is "sha256:0" there') in err
    assert err.count("\n") == 1
    assert names(tmp_path) == ["run.checkpoint"]


QUICK = {
    "worksheet": ["worksheet", "digits", *SMALL, "--iterations", "200", "--momentum", "0,0.9"],
    "screened": ["worksheet", "digits", *SMALL, "--iterations", "200", "--screen", "20"],
    "tune": [*("tune", "digits", "--solver", "sgd", "--train-size", "300"),
             *("--learning-rate", "1e-3", "--reg", "0.1,1")],
}  # fmt: skip


@pytest.fixture
def interrupted(run, monkeypatch):
    """Run a command, with Ctrl-C or another signal at this call of its progress, which every so many steps makes."""

    def call(arguments, at=None, number=signal.SIGINT):
        calls = 0

        def advance(*_):
            nonlocal calls
            calls += 1
            if calls == at:
                signal.raise_signal(number)

        monkeypatch.setattr("linprobe.cli.screen.search_progress", lambda _: contextlib.nullcontext(advance))
        fits = PathWatch(advance)
        monkeypatch.setattr("linprobe.cli.screen.path_progress", lambda _: contextlib.nullcontext(fits))
        monkeypatch.setattr("linprobe.report.folder.views", lambda *_: {})
        return *run(*arguments, "--out", "run"), calls

    return call


@pytest.mark.sampled(3)
@pytest.mark.parametrize("work", QUICK)
def test_ctrl_c_in_the_first_seconds_keeps_what_was_trained(work, interrupted, tmp_path):
    status, _, err, calls = interrupted(QUICK[work])
    assert (status, err) == (0, "")
    expected = results(tmp_path / "run")
    shutil.rmtree(tmp_path / "run")
    left = calls
    for part, at in (("screening", calls // 4), ("retraining", calls // 2)):
        status, _, err, _ = interrupted(QUICK[work], at)
        assert status == 130
        of_part = f" of the {part}" if work == "screened" else ""
        assert re.fullmatch(
            rf"linprobe: interrupted; the work so far \([0-9,]+ of [0-9,]+ iterations{of_part}\) is kept in "
            r"run.checkpoint; run the same command again to go on\n",
            err,
        )
        assert names(tmp_path) == ["run.checkpoint"]
        left -= at
    status, _, err, calls = interrupted(QUICK[work])
    assert (status, err) == (0, "")
    assert calls <= left + 2  # but for the records at the steps where it was cut
    assert results(tmp_path / "run") == expected
    assert names(tmp_path) == ["run"]


@pytest.mark.slow
def test_ctrl_c_keeps_the_fits_that_are_proven_and_the_others_go_on(interrupted, tmp_path):
    command = ["tune", "digits", "--train-size", "300", "--reg", "0.1,1,10,100"]
    status, _, err, calls = interrupted(command)
    assert (status, err) == (0, "")
    expected = json.loads((tmp_path / "run" / "run.json").read_text())
    shutil.rmtree(tmp_path / "run")
    compared = calls - expected["refit"]["iterations"]
    status, _, err, at = interrupted(command, compared // 2)
    assert (status, names(tmp_path)) == (130, ["run.checkpoint"])
    said = (
        r"linprobe: interrupted; the work so far \([1-3] of 4 fits\) is kept in run.checkpoint; "
        r"run the same command again to go on\n"
    )
    assert re.fullmatch(said, err)
    status, _, err, calls_left = interrupted(command)
    assert (status, err, names(tmp_path)) == (0, "", ["run"])
    assert calls_left < calls - at / 2
    found = json.loads((tmp_path / "run" / "run.json").read_text())
    for name in ("reg", "val_accuracy", "train_accuracy", "status"):
        assert found["grid"]["best"][name] == expected["grid"]["best"][name]
    assert_same_test(*(of_json(Accuracy, numbers["test"]) for numbers in (found, expected)))


@pytest.mark.slow
def test_sigterm_ends_it_at_once_and_the_next_run_goes_on_and_sweeps(tmp_path):
    """By the system's own hand: a handler of ours would wait for the product that is being computed."""
    status, _, err = stop_in_training(tmp_path, signal.SIGTERM)
    assert (status, err) == (-signal.SIGTERM, "")
    assert "run.checkpoint" in names(tmp_path)
    assert len(names(tmp_path)) > 1
    assert stop_in_training(tmp_path, signal.SIGINT)[0] == 130
    assert names(tmp_path) == ["run.checkpoint"]


@pytest.mark.sampled(2)
@pytest.mark.parametrize("work", ["worksheet", "tune"])
def test_ctrl_c_after_the_training_keeps_all_of_it(work, interrupted, monkeypatch, tmp_path):
    places = {"worksheet": "learn.worksheet.exercise.find_optimum", "tune": "tasks.tune.task.look"}
    with monkeypatch.context() as patch:
        patch.setattr(f"linprobe.{places[work]}", lambda *_, **__: signal.raise_signal(signal.SIGINT))
        status, _, err, _ = interrupted(QUICK[work])
    assert status == 130
    assert re.search(r"interrupted; the work so far \(([0-9,]+) of \1 iterations\) is kept in run.checkpoint", err)
    status, _, err, calls = interrupted(QUICK[work])
    assert (status, err, calls) == (0, "", 0)
    assert names(tmp_path) == ["run"]


@pytest.mark.slow
def test_a_disk_without_room_for_the_checkpoint_costs_no_finished_training(interrupted, monkeypatch, tmp_path):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("linprobe.compare.checkpoint._write", full)
    status, _, err, _ = interrupted(QUICK["tune"])
    assert (status, err) == (0, "")
    assert names(tmp_path) == ["run"]


def test_where_nothing_is_kept_that_is_said(run, monkeypatch, tmp_path):
    monkeypatch.setattr("linprobe.tasks.tune.task.make_splits", lambda *_, **__: signal.raise_signal(signal.SIGINT))
    assert run("tune", "digits", "--out", "run")[::2] == (130, "linprobe: interrupted; nothing was kept\n")
    assert names(tmp_path) == []
    (tmp_path / "run.checkpoint").touch()
    status, _, err = run("tune", "digits", "--out", "run")
    assert (status, err) == (130, "linprobe: interrupted; nothing was kept, and run.checkpoint is as it was before\n")
    assert names(tmp_path) == ["run.checkpoint"]


def test_a_damaged_checkpoint_is_one_line(run, tmp_path):
    (tmp_path / "run.checkpoint").write_bytes(b"linprobe-checkpoint-1\n and no more")
    status, _, err = run("worksheet", "digits", *SMALL, "--out", "run")
    assert status == 1
    assert err.startswith("linprobe: run.checkpoint: ")
    assert err.count("\n") == 1


@pytest.mark.slow
def test_after_success_or_divergence_no_checkpoint_remains(interrupted, tmp_path):
    quick = [*QUICK["worksheet"], "--checkpoint-every", "0"]
    assert interrupted(quick)[:3:2] == (0, "")
    assert names(tmp_path) == ["run"]
    status, _, err, _ = interrupted([*quick, "--force", "--learning-rate", "1e30"])
    assert status == 1
    assert "diverged" in err
    assert names(tmp_path) == ["run"]


@pytest.mark.slow
def test_a_full_disk_is_one_line_and_the_checkpoint_before_stays(tmp_path):
    import resource

    stop_in_training(tmp_path, signal.SIGKILL)
    saved = tmp_path / "run.checkpoint"
    content = saved.read_bytes()

    def full():  # writing fails as on a full disk, but with "file too large"
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (len(content) // 2, len(content) // 2))

    process = start(tmp_path, "--out", "run", "--checkpoint-every", "0", *FOREVER, preexec_fn=full)
    status, _, err = end(process)
    assert status == 1
    assert err.startswith("linprobe: run.checkpoint: cannot be written: file too large; ")
    assert err.count("\n") == 1
    assert names(tmp_path) == ["run.checkpoint"]
    assert saved.read_bytes() == content


@pytest.mark.slow
def test_two_at_once_get_two_folders_or_one_is_refused(tmp_path):
    processes = [start(tmp_path, *FOREVER) for _ in range(2)]
    try:
        assert wait_for(processes[0], lambda: len(list(tmp_path.glob("runs/.*.partial"))) == 2)
        made = sorted(path.name.split(".")[1] for path in tmp_path.glob("runs/.*.partial"))
        assert made == ["worksheet-digits-softmax", "worksheet-digits-softmax-2"]
        started = time.monotonic()
        status, out, err = end(start(tmp_path, "--out", "runs/worksheet-digits-softmax-2", *FOREVER))
        assert (status, out) == (2, "")
        assert err == (
            "linprobe: runs/worksheet-digits-softmax-2: another linprobe is at work on it; wait for it, or name "
            "another folder\n"
        )
        assert time.monotonic() - started < 20
    finally:
        for process in processes:
            process.kill()
            process.communicate()


def test_what_a_killed_process_left_is_swept_and_nothing_else(run, tmp_path):
    ours = [tmp_path / ".run.0123456789abcdef.partial", tmp_path / ".run.checkpoint.0123456789abcdef.partial"]
    ours[0].mkdir()
    (ours[0] / "grid.png").touch()
    ours[1].touch()
    others = [".run.partial", ".run2.0123456789abcdef.partial", ".run.0123456789ABCDEF.partial", ".other.checkpoint"]
    for name in others:
        (tmp_path / name).touch()
    old = tmp_path / ".run.fedcba9876543210.old"  # killed between the two renames of --force
    old.mkdir()
    (old / "run.json").write_text("{}")
    status, _, err = run("worksheet", "digits", *SMALL, "--out", "run")
    assert status == 2
    assert "run: exists and is not empty" in err
    assert names(tmp_path) == sorted([*others, "run"])
    assert (tmp_path / "run" / "run.json").read_text() == "{}"

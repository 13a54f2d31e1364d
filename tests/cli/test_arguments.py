"""Sizes and ranks as people write them, and what a search may use of this machine."""

import re
import sys
from typing import get_args

import numpy as np
import psutil
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from linprobe.cli import arguments, check, tune, worksheet
from linprobe.cli.arguments import parse_rank, parse_size, resources
from linprobe.core.backend import Device
from linprobe.core.losses import LOSSES
from linprobe.core.sgd.settings import Schedule
from linprobe.data.prepare import Features
from linprobe.errors import UsageError
from linprobe.learn.checker import verdict
from linprobe.learn.worksheet.checks import TAUGHT
from linprobe.tasks.tune import options

SIZES = {
    "1": 1,
    "4096": 4096,
    "1B": 1,
    "1K": 1024,
    "1k": 1024,
    "1KB": 1024,
    "1KiB": 1024,
    "512M": 512 * 1024**2,
    "512 MiB": 512 * 1024**2,
    "4GiB": 4 * 1024**3,
    "4gib": 4 * 1024**3,
    " 4 GB ": 4 * 1024**3,
    "1.5G": 3 * 1024**3 // 2,
    "0.5KiB": 512,
    "2T": 2 * 1024**4,
    "007M": 7 * 1024**2,
}
NO_SIZES = ["", " ", "0", "0GiB", "0.2", "-1", "+1", "1e9", "G", "GiB", "4 G iB", "4GiBB", "4P", "4G4", "1,5G", "1.G",
            ".5G", "1_000", "nan", "inf", "٣", "1" * 400, "9" * 30 + "T", "4GiB\n4GiB", "0x10"]  # fmt: skip


@pytest.mark.parametrize("text", SIZES)
def test_a_size(text):
    assert parse_size(text, "--memory") == SIZES[text]


@pytest.mark.parametrize("text", NO_SIZES)
def test_what_is_no_size_is_one_line(text):
    with pytest.raises(UsageError) as caught:
        parse_size(text, "--memory")
    assert str(caught.value).startswith("--memory ")
    assert "\n" not in str(caught.value)
    assert "4GiB or 512MiB" in str(caught.value)


@given(
    st.integers(1, 10**6), st.sampled_from(["", "K", "M", "G", "T"]), st.sampled_from(["", "B", "iB"]), st.booleans()
)
def test_any_whole_number_of_any_unit_is_exact(number, unit, ending, small):
    text = f"{number}{unit}{ending}"
    assert parse_size(text.lower() if small else text, "--memory") == number * 1024 ** " KMGT".index(unit or " ")


@given(st.text())
@example("1\n")
def test_any_text_is_a_size_or_refused(text):
    try:
        size = parse_size(text, "--memory")
    except UsageError:
        return
    assert size >= 1
    assert re.match(r"\s*\d", text)


RANKS = {"1": 1, "64": 64, "0064": 64, "999999999": 999_999_999, "auto": "auto"}


def test_a_rank():
    assert {text: parse_rank(text, "--screen") for text in RANKS} == RANKS
    assert parse_rank(None, "--screen") is None


@pytest.mark.parametrize(
    "text", ["", "0", "00", "-1", "+1", "1.0", "1e2", "Auto", "auto ", " 1", "1\n", "1_0", "٣", "9999999999"]
)
def test_what_is_no_rank_is_one_line(text):
    with pytest.raises(UsageError) as caught:
        parse_rank(text, "--screen")
    assert str(caught.value).startswith("--screen ")
    assert "\n" not in str(caught.value)
    assert "or auto" in str(caught.value)


@given(st.text())
def test_any_text_is_a_rank_or_refused(text):
    try:
        rank = parse_rank(text, "--screen")
    except UsageError:
        return
    assert rank == "auto" or (isinstance(rank, int) and rank >= 1)


def test_memory_is_looked_at_with_the_data_there():
    look = resources("cpu", "float32", None)
    ballast = b"x" * 2**26
    use = look()
    assert use.held > len(ballast)
    assert use.memory is not None
    # Half of what is free, beside what is held; other processes come and go meanwhile.
    assert use.memory - use.held == pytest.approx(psutil.virtual_memory().available / 2, rel=0.3)
    assert resources("cpu", "float32", "3GiB")().memory == 3 * 2**30


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere mapped pages are not counted apart")
def test_pages_of_a_mapped_file_are_not_held(tmp_path):
    (tmp_path / "X").write_bytes(bytes(2**26))
    look = resources("cpu", "float32", "3GiB")
    X, before = np.memmap(tmp_path / "X", np.uint8, "r"), look().held
    assert X.sum() == 0  # all of it is in memory now
    assert look().held - before < 2**25
    assert before > 2**24


def test_a_wrong_size_is_found_before_the_work():
    with pytest.raises(UsageError, match="--memory lots"):
        resources("cpu", "float32", "lots")


# What an option takes, and the library's own choices, which the command line says again.
CHOICES = {
    "--prepare": (arguments.Prepare, get_args(Features)),
    "--precision": (arguments.Precision, get_args(options.Precision)),
    "--device": (arguments.Device, get_args(Device)),
    "tune --solver": (tune.Solver, get_args(options.Solver)),
    "tune --loss": (tune.Loss, LOSSES),
    "worksheet --loss": (worksheet.Loss, TAUGHT),
    "worksheet --schedule": (worksheet.Schedule, get_args(Schedule)),
    "check --loss": (check.Loss, get_args(verdict.Loss)),
}


@pytest.mark.parametrize("option", CHOICES)
def test_an_option_takes_all_that_the_library_knows(option):
    said, known = CHOICES[option]
    assert set(get_args(said)) == set(known)

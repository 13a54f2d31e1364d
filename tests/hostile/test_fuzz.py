"""A slice of `make fuzz`, always the same one: what the readers must hold, and that the harness can see it broken."""

import dataclasses
import sys
from pathlib import Path

import pytest
from fuzz import Bench, Tally, fuzz  # pyright: ignore[reportMissingImports]
from mutations import Change, Edit  # pyright: ignore[reportMissingImports]
from seeds import READERS  # pyright: ignore[reportMissingImports]

pytestmark = pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="needs Linux, to measure memory")

NEEDS = {"torch": "torch", "hdf5": "h5py", "arrow": "pyarrow", "parquet": "pyarrow", "tables": "pyarrow"}
NOTHING = Change(inside=False, part=0, edits=[Edit("cut", 2**16, 1, 0, "<B", b"")], mend=False)


@pytest.mark.sampled(15)
@pytest.mark.hypothesis
@pytest.mark.parametrize("reader", READERS)
def test_a_damaged_file_is_a_data_set_or_one_line(reader, tmp_path):
    pytest.importorskip(NEEDS.get(reader, "numpy"))
    tally = fuzz(reader, tmp_path, seconds=200, examples=50)
    assert not tally.failures
    assert tally.examples >= 50
    assert 0 < tally.opened < tally.examples


def _prints(bench):
    sys.stdout.write("read\n")
    sys.stdout.flush()


def _writes(bench):
    (bench.folder / "work" / "beside").write_text("")


def _writes_elsewhere(bench):
    (bench.folder / "elsewhere").write_text("")


def _starts(bench):
    import subprocess

    subprocess.run(["true"], check=True)


def _fills(bench):
    assert bytearray(b"x") * 2**26


def _raises(bench):
    raise KeyError("of our own")


def _shows(bench):
    from linprobe.errors import DataError

    raise DataError("two\nlines")


def _hides(bench):
    from linprobe.errors import DataError

    try:
        bytearray(2**60)
    except MemoryError as error:
        raise DataError("not intact") from error


@pytest.mark.parametrize(
    ("fault", "finding"),
    [
        (_prints, "says b'read"),
        (_writes, "changes its source|open '"),
        (_writes_elsewhere, "open '"),
        (_starts, "subprocess.Popen"),
        (_fills, "takes 6[0-9] MiB, of 3[0-9]"),
        (_raises, "of our own"),
        (_shows, "cannot be shown"),
        (_hides, "more memory than is there"),
    ],
)
def test_the_harness_sees_a_reader_that_is_not_as_it_should_be(fault, finding, tmp_path, monkeypatch, capfd):
    import linprobe.data.formats as formats

    monkeypatch.setenv("LINPROBE_DATA", str(tmp_path / "cache"))
    bench = Bench("npy", tmp_path, Tally())
    bench.examine(0, 0, NOTHING)
    right = formats.open_dataset
    monkeypatch.setattr(formats, "open_dataset", lambda path: (fault(bench), right(path))[1])
    with capfd.disabled(), pytest.raises((AssertionError, KeyError), match=finding):
        bench.examine(0, 0, NOTHING)
    assert dataclasses.asdict(bench.tally)["examples"] == 2

"""What comes back is what was given, or nothing at all: round trips, other work, damage, full disks, killed writers."""

import errno
import hashlib
import json
import os
import signal
import struct
import time
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from examples import examples  # pyright: ignore[reportMissingImports]
from linprobe import __version__
from linprobe.compare.checkpoint import ABANDONED_SECONDS, MAGIC, Checkpoint
from linprobe.errors import DataError, IncompatibleError, OutputError
from publishing import assert_one_line, names, python

IDENTITY = {"data": "sha256:" + "ab" * 32, "loss": "softmax", "learning_rates": [1e-7, 3e-7], "seed": 0}


class Clock:
    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


def written(path, state, identity: Any = IDENTITY):
    """A checkpoint whose file holds this state."""
    checkpoint = Checkpoint(path, identity, every=0)
    assert checkpoint.offer(lambda: state)
    return checkpoint


def same(a, b):
    """Equal in type, order and every bit."""
    if type(a) is not type(b):
        return False
    if isinstance(a, np.ndarray | np.generic):
        return (a.dtype, a.shape, a.tobytes()) == (b.dtype, b.shape, b.tobytes())
    if isinstance(a, dict):
        return list(a) == list(b) and all(same(a[name], b[name]) for name in a)
    if isinstance(a, list):
        return len(a) == len(b) and all(map(same, a, b))
    return struct.pack("<d", a) == struct.pack("<d", b) if isinstance(a, float) else a == b


# ---- round trips

NAN = struct.unpack("<d", bytes.fromhex("deadbeef0000f8ff"))[0]  # negative, and with a payload
DTYPES = ["?", "<f4", "<f8", ">f8", "<f2", "<i8", "|u1", "<c8", "<U8", "|S3"]


@st.composite
def arrays(draw):
    """Any bytes at all as an array, in C order or not."""
    dtype = np.dtype(draw(st.sampled_from(DTYPES)))
    shape = tuple(draw(st.lists(st.integers(0, 3), max_size=3)))
    if dtype.kind in "?U":
        cells = st.booleans() if dtype.kind == "?" else st.text(max_size=8).filter(lambda text: "\0" not in text)
        size = int(np.prod(shape))
        array = np.array(draw(st.lists(cells, min_size=size, max_size=size)), dtype).reshape(shape)
    else:
        size = int(np.prod(shape)) * dtype.itemsize
        array = np.frombuffer(draw(st.binary(min_size=size, max_size=size)), dtype).reshape(shape)
    return draw(st.sampled_from([array, array.T, array[::2] if array.ndim else array, np.asfortranarray(array)]))


LEAVES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(-(2**200), 2**200)
    | st.floats()
    | st.text()
    | arrays()
    | st.sampled_from([NAN, -0.0, np.float32(1.5), np.float64(NAN), np.int64(-3), np.bool_(True), np.str_("é")])
)
TREES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4), max_leaves=12
)


@given(state=st.dictionaries(st.text(), TREES, max_size=5))
@examples(100)
def test_any_state_comes_back_bit_for_bit(state, tmp_path_factory):
    path = tmp_path_factory.getbasetemp() / "any.checkpoint"
    assert same(written(path, state).load(), state)


def test_what_a_stack_in_training_holds_comes_back(tmp_path):
    generator = np.random.Generator(np.random.PCG64(3))
    generator.integers(0, 9, 5, np.uint32)
    bits = np.array([0x7FF8DEADBEEF0001, 0xFFF0000000000001, 0x8000000000000000], np.uint64).view(np.float64)
    state = {
        "generator": generator.bit_generator.state,
        "mersenne": np.random.MT19937(1).state,
        "bits": bits,
        "empty": np.zeros((0, 4), np.float32),
        "zero": np.array(3.0),
        "stopped": np.array(["max_iter", "no_progress"]),
        "huge": -(10**6000),
        "nothing": {},
    }
    back = written(tmp_path / "c", state).load()
    assert same(back, state)
    assert back is not None
    assert back["bits"].flags.writeable
    again = np.random.default_rng()
    again.bit_generator.state = back["generator"]
    assert (again.integers(0, 2**62, 100) == generator.integers(0, 2**62, 100)).all()


@pytest.mark.parametrize("bad", [object(), (1,), {1: 2}, np.array([object()]), np.datetime64("2020"), {3}, b"x"])
def test_what_would_not_come_back_is_refused_when_written(tmp_path, bad):
    with pytest.raises(TypeError, match="a checkpoint holds no"):
        written(tmp_path / "c", {"x": bad})
    assert names(tmp_path) == []


@pytest.mark.parametrize("order", ["rows", "columns", "every second"])
def test_large_arrays_are_never_held_twice(tmp_path, order):
    array = np.arange(2**22, dtype=np.float64).reshape(2**11, 2**11)  # 32 MiB
    array = {"rows": array, "columns": array.T, "every second": np.repeat(array, 2, axis=1)[:, ::2]}[order]
    checkpoint = Checkpoint(tmp_path / "c", IDENTITY, every=0)
    tracemalloc.start()
    try:
        checkpoint.offer(lambda: {"W": array})
        writing = tracemalloc.get_traced_memory()[1]
        back = checkpoint.load()
        reading = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert back is not None
    assert back["W"].tobytes() == array.tobytes()
    assert writing < 18 * 2**20
    assert reading < 34 * 2**20


# ---- when


def test_it_is_written_when_the_time_has_come(tmp_path):
    clock = Clock()
    checkpoint = Checkpoint(tmp_path / "c", IDENTITY, every=30, clock=clock)
    asked = []

    def offer(seconds):
        clock.now += seconds
        return checkpoint.offer(lambda: asked.append(clock.now) or {"now": clock.now})

    assert [offer(seconds) for seconds in (0, 29, 1, 29.5, 0.5, 100)] == [False, False, True, False, True, True]
    assert asked == [1030, 1060, 1160]  # nothing is copied together in vain
    assert checkpoint.load() == {"now": 1160.0}
    always = Checkpoint(tmp_path / "c", IDENTITY, every=0, clock=clock)
    assert all(always.offer(dict) for _ in range(3))


def test_a_slow_disk_takes_a_tenth_of_the_time_at_most(tmp_path):
    clock = Clock()
    checkpoint = Checkpoint(tmp_path / "c", IDENTITY, every=30, clock=clock)
    seconds = 12.0

    def slow():
        clock.now += seconds
        return {}

    def pause():
        """How long it works from the end of one write to the next."""
        started = clock.now
        while not checkpoint.offer(slow):
            clock.now += 1
        return clock.now - seconds - started

    assert [pause(), pause()] == [30, 120]
    seconds = 0.1
    assert [pause(), pause()] == [120, 30]  # and as often as asked for, once the disk is quick again


def test_no_file_no_state_and_the_file_goes_when_the_work_is_done(tmp_path):
    checkpoint = Checkpoint(tmp_path / "not" / "yet" / "c", IDENTITY, every=0)
    assert checkpoint.load() is None
    checkpoint.remove()
    assert checkpoint.offer(lambda: {"step": 3})
    assert checkpoint.load() == {"step": 3}
    checkpoint.remove()
    checkpoint.remove()
    assert checkpoint.load() is None
    assert names(tmp_path / "not" / "yet") == []


# ---- other work


def refusal(tmp_path, there, here):
    written(tmp_path / "c", {"step": 1}, there)
    with pytest.raises(IncompatibleError) as caught:
        Checkpoint(tmp_path / "c", here).load()
    assert_one_line(caught, tmp_path / "c", "of other work", "delete it", "--out")
    assert len(str(caught.value)) < len(str(tmp_path)) + 500
    return str(caught.value).partition("of other work: ")[2].partition("; delete")[0]


@pytest.mark.parametrize(
    ("there", "here", "said"),
    [
        ({"seed": 0}, {"seed": 1}, "seed is 0 there, 1 here"),
        ({"loss": "hinge"}, {"loss": "softmax"}, 'loss is "hinge" there, "softmax" here'),
        ({"reg": float("nan")}, {"reg": 1e-7}, "reg is NaN there, 1e-07 here"),
        ({"seed": 0}, {"seed": 0, "rank": 512}, "rank is nothing there, 512 here"),
        ({"seed": 0, "rank": None}, {"seed": 0}, "rank is null there, nothing here"),
        ({"flag": True}, {"flag": 1}, "flag is true there, 1 here"),
        ({"regs": [1.0, 2.0]}, {"regs": [1.0, 2.5]}, "regs[1] is 2.0 there, 2.5 here"),
        ({"regs": np.arange(100.0)}, {"regs": np.arange(1000.0)}, "regs has 100 values there, 1,000 here"),
        (
            {"data": "sha256:" + "ab" * 32},
            {"data": "sha256:" + "ab" * 30 + "cdef"},
            'data is ...bababababababababababababababab" there, ...babababababababababababababcdef" here',
        ),
        ({"a b\n": 1}, {"a b\n": 2}, '"a b\\n" is 1 there, 2 here'),
    ],
)
def test_other_work_is_refused_and_the_difference_named(tmp_path, there, here, said):
    assert refusal(tmp_path, there, here).startswith(said)


def test_the_first_three_differences_are_spelled_out(tmp_path):
    there = {f"key{number}": list(range(100)) for number in range(7)}
    here = {f"key{number}": [-1] * 100 for number in range(7)}
    said = refusal(tmp_path, there, here)
    assert said == ", ".join(f"key{number}[0] is 0 there, -1 here" for number in range(3)) + ", and 4 more"


def test_another_version_is_other_work(tmp_path, monkeypatch):
    monkeypatch.setattr("linprobe.compare.checkpoint.__version__", "0.0.1")
    written(tmp_path / "c", {})
    monkeypatch.undo()
    with pytest.raises(IncompatibleError) as caught:
        Checkpoint(tmp_path / "c", IDENTITY).load()
    assert_one_line(caught, tmp_path / "c", f'version is "0.0.1" there, "{__version__}" here')


@pytest.mark.parametrize(
    "identity",
    [
        {"x": float("nan")},
        {"x": np.float64(0.1), "y": np.int64(3), "z": np.array([1e-8, 2e-8])},
        {"sizes": (49_000, 1_000), "none": None, "nested": {"a": [1, [2]]}},
    ],
)
def test_the_same_work_is_the_same(tmp_path, identity):
    written(tmp_path / "c", {"step": 1}, identity)
    assert Checkpoint(tmp_path / "c", dict(reversed(identity.items()))).load() == {"step": 1}


# ---- damage

STATE: dict[str, Any] = {
    "step": 7,
    "W": np.linspace(0, 1, 24).reshape(4, 6),
    "stopped": np.array(["max_iter", "diverged"]),
    "inc": 2**127 + 1,
}


def load_damaged(path, content):
    path.write_bytes(content)
    with pytest.raises(DataError) as caught:
        Checkpoint(path, IDENTITY).load()
    assert_one_line(caught, path, "checkpoint", "delete it", "--out")
    return str(caught.value)


def test_a_file_cut_off_anywhere_or_too_long_is_refused(tmp_path):
    path = tmp_path / "c"
    written(path, STATE)
    whole = path.read_bytes()
    for length in range(len(whole)):
        load_damaged(path, whole[:length])
    for more in (b"\0", whole, bytes(10_000)):
        load_damaged(path, whole + more)
    path.write_bytes(whole)
    assert same(Checkpoint(path, IDENTITY).load(), STATE)


def test_a_flipped_bit_anywhere_is_refused(tmp_path):
    path = tmp_path / "c"
    written(path, STATE)
    whole, rng = path.read_bytes(), np.random.default_rng(0)
    for place in range(len(whole)):
        damaged = bytearray(whole)
        damaged[place] ^= 1 << int(rng.integers(8))
        load_damaged(path, damaged)


def test_swapped_lost_and_mixed_pieces_are_refused(tmp_path):
    path, other = tmp_path / "c", tmp_path / "d"
    written(path, STATE)
    written(other, STATE | {"W": STATE["W"] + 1})
    whole, second = path.read_bytes(), other.read_bytes()
    assert len(whole) == len(second)
    load_damaged(path, whole[:-200] + second[-200:])
    load_damaged(path, whole[:-232] + whole[-132:-32] + whole[-232:-132] + whole[-32:])
    load_damaged(path, whole[:-200] + bytes(200))


@pytest.mark.parametrize("content", [b"", b"\0" * 5000, b"PK\x03\x04" + b"x" * 200, MAGIC, b"\x80\x04.", "é" * 99])
def test_a_foreign_file_is_refused(tmp_path, content):
    content = content if isinstance(content, bytes) else content.encode()
    assert "not a checkpoint that this linprobe can read" in load_damaged(tmp_path / "c", content)


def crafted(header: Any, rest=b""):
    """A file of somebody who knows the format, sums and all."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    start = MAGIC + struct.pack("<Q", len(text))
    first, last = hashlib.sha256(start + text).digest(), hashlib.sha256(start + text + rest).digest()
    return start + first + text + rest + last


OURS = json.loads(json.dumps({"version": __version__, **IDENTITY}))


@pytest.mark.parametrize(
    ("header", "rest"),
    [
        (b"{", b""),
        (b"[" * 200_000, b""),
        (b"\xff\xfe", b""),
        ([], b""),
        (None, b""),
        ({"identity": 5, "state": {"dict": {}}, "arrays": []}, b""),
        ({"identity": OURS, "arrays": []}, b""),
        *(
            ({"identity": OURS, "state": state, "arrays": arrays}, rest)
            for state, arrays, rest in [
                ([1], [], b""),
                (5, [], b""),
                ("text", [], b""),
                ({}, [], b""),
                ({"dict": 5}, [], b""),
                ({"dict": {}, "more": 1}, [], b""),
                ({"eval": "1"}, [], b""),
                ({"dict": {"x": {"pickle": 0}}}, [["<f8", [1]]], b"12345678"),
                ({"dict": {"x": {"array": 1}}}, [["<f8", [1]]], b"12345678"),
                ({"dict": {"x": {"array": "0"}}}, [["<f8", [1]]], b"12345678"),
                ({"dict": {"x": {"int": "zz"}}}, [], b""),
                ({"dict": {"x": {"int": 5}}}, [], b""),
                ({"dict": {"x": {"float": "00"}}}, [], b""),
                ({"dict": {}}, [["O", [1]]], b"12345678"),
                ({"dict": {}}, [["|V8", [1]]], b"12345678"),
                ({"dict": {}}, [["f8,O", [1]]], b"1234567812345678"),
                ({"dict": {}}, [["<f8", [10**12]]], b"12345678"),
                ({"dict": {}}, [["<f8", [10**12]], ["<f8", [-(10**12)]]], b""),
                ({"dict": {}}, [["<f8", [-1, -1]]], b"12345678"),
                ({"dict": {}}, [["<f8", [1.0]]], b"12345678"),
                ({"dict": {}}, [["<f8", 1]], b"12345678"),
                ({"dict": {}}, [["<f8", ["1"]]], b"12345678"),
                ({"dict": {}}, [["<f8", [1] * 100]], b"12345678"),
                ({"dict": {}}, [["<f8", [2**62, 2**62, 0]]], b""),
                ({"dict": {}}, [["<U0", [10**12]]], b""),
                ({"dict": {}}, [["nonsense", [1]]], b""),
                ({"dict": {}}, [[5, [1]]], b""),
                ({"dict": {}}, 7, b""),
                ({"dict": {}}, [["<f8"]], b""),
            ]
        ),
    ],
)
def test_a_hostile_file_with_the_right_sums_is_refused(tmp_path, header, rest):
    load_damaged(tmp_path / "c", crafted(header, rest))


def test_what_is_no_file_is_refused(tmp_path):
    (tmp_path / "c").mkdir()
    (tmp_path / "f").touch()
    for path, reason in ((tmp_path / "c", "is a directory"), (tmp_path / "f" / "c", "not a directory")):
        checkpoint = Checkpoint(path, IDENTITY, every=0)
        with pytest.raises(DataError) as caught:
            checkpoint.load()
        assert_one_line(caught, path, reason)
        for act in (checkpoint.remove, lambda: checkpoint.offer(dict)):  # noqa: B023
            with pytest.raises(OutputError) as refused:
                act()
            assert_one_line(refused, path)


# ---- full disks and killed writers


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO], ids=errno.errorcode.get)
@pytest.mark.parametrize("call", ["write", "fsync", "replace"])
def test_a_full_disk_is_one_line_and_the_old_one_stays(tmp_path, monkeypatch, call, number):
    checkpoint = written(tmp_path / "c", STATE)

    def fail(*arguments, **options):
        raise OSError(number, os.strerror(number))

    if call == "write":
        monkeypatch.setattr("linprobe.compare.checkpoint._pieces", fail)
    else:
        monkeypatch.setattr(*{"fsync": (os, "fsync"), "replace": (Path, "replace")}[call], fail)
    with pytest.raises(OutputError) as caught:
        checkpoint.offer(lambda: STATE | {"step": 8})
    assert_one_line(caught, tmp_path / "c", "cannot be written", os.strerror(number).lower())
    monkeypatch.undo()
    assert names(tmp_path) == ["c"]
    assert same(checkpoint.load(), STATE)
    assert checkpoint.offer(lambda: STATE | {"step": 9})  # there may be room again later
    assert (checkpoint.load() or {})["step"] == 9


LIMITED = """
import resource, sys
from pathlib import Path
import numpy as np
from linprobe.compare.checkpoint import Checkpoint
from linprobe.errors import OutputError
checkpoint = Checkpoint(Path(sys.argv[1]), {}, every=0)
checkpoint.offer(lambda: {"W": np.ones(100)})
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]),) * 2)
try:
    checkpoint.offer(lambda: {"W": np.zeros(100_000)})
except OutputError as error:
    print(error)
print(checkpoint.load()["W"].sum())
"""


@pytest.mark.parametrize("limit", [0, 100, 400_000, 800_180])
def test_a_file_that_the_system_cuts_off_leaves_the_old_one(tmp_path, limit):
    out, err = python(LIMITED, tmp_path / "c", limit).communicate(timeout=30)
    assert err == ""
    message, total = out.splitlines()
    assert message.startswith(f"{tmp_path / 'c'}: cannot be written: file too large; ")
    assert total == "100.0"
    assert names(tmp_path) == ["c"]


KILLED = """
import os, signal, sys
from pathlib import Path
import numpy as np
from linprobe.compare import checkpoint
path, place = Path(sys.argv[1]), sys.argv[2]
work = checkpoint.Checkpoint(path, {}, every=0)
work.offer(lambda: {"W": np.ones(3_000_000)})
def die(*arguments):
    os.kill(os.getpid(), signal.SIGKILL)
pieces = checkpoint._pieces
def some(array):
    for number, piece in enumerate(pieces(array)):
        if number == 2:
            die()
        yield piece
if place == "write":
    checkpoint._pieces = some
elif place == "fsync":
    os.fsync = die
else:
    Path.replace = die
work.offer(lambda: {"W": np.zeros(3_000_000)})
"""


@pytest.mark.parametrize("place", ["write", "fsync", "replace"])
def test_a_writer_that_is_killed_leaves_the_old_one_and_its_rubbish_goes(tmp_path, place):
    path = tmp_path / "c"
    process = python(KILLED, path, place)
    assert process.communicate(timeout=60)[1] == ""
    assert process.returncode == -signal.SIGKILL
    checkpoint = Checkpoint(path, {})
    state = checkpoint.load()
    assert state is not None
    assert (state["W"] == 1).all()
    # What is left may belong to somebody who is still writing; once nobody can be, it goes, and nothing else does.
    (rubbish,) = (tmp_path / name for name in names(tmp_path) if name != "c")
    others = [tmp_path / name for name in (".c.partial", ".cc.0123456789abcdef.partial", "c.0123456789abcdef.partial")]
    for file in (rubbish, *others):
        file.touch()
        os.utime(file, (0, time.time() - ABANDONED_SECONDS - 5))
    checkpoint.load()
    assert names(tmp_path) == sorted(["c", *(other.name for other in others)])


def test_an_interrupt_in_mid_write_leaves_the_old_one(tmp_path, monkeypatch):
    checkpoint = written(tmp_path / "c", STATE)

    def interrupted():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        checkpoint.offer(interrupted)
    assert same(checkpoint.load(), STATE)
    assert names(tmp_path) == ["c"]


# ---- interrupted


def interrupt(*_):
    signal.raise_signal(signal.SIGINT)


def work(checkpoint, *steps):
    """Do the steps as work that is not to be interrupted within one -> how many were begun."""
    begun = []

    def do():
        with checkpoint.stopping_at_offers():
            for step in steps:
                begun.append(step)
                step()

    with pytest.raises((KeyboardInterrupt, ZeroDivisionError)) as caught:
        do()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    return caught.type, len(begun)


def test_ctrl_c_waits_for_the_next_offer_which_writes(tmp_path):
    checkpoint = Checkpoint(tmp_path / "c", {}, every=1e9)
    offers = [lambda step=step: checkpoint.offer(lambda: {"step": step, "kept": f"{step} steps"}) for step in (1, 2, 3)]
    assert work(checkpoint, offers[0], interrupt, *offers[1:]) == (KeyboardInterrupt, 3)
    assert checkpoint.kept == "2 steps"
    assert Checkpoint(tmp_path / "c", {}).load() == {"step": 2, "kept": "2 steps"}


def test_ctrl_c_without_another_offer_stops_at_the_end_and_an_error_comes_first(tmp_path):
    checkpoint = Checkpoint(tmp_path / "c", {})
    assert work(checkpoint, interrupt, int) == (KeyboardInterrupt, 2)
    assert work(checkpoint, interrupt, lambda: 1 // 0) == (ZeroDivisionError, 2)
    assert not checkpoint.offer(dict)
    assert list(tmp_path.iterdir()) == []


def test_a_second_ctrl_c_does_not_wait(tmp_path):
    assert work(Checkpoint(tmp_path / "c", {}), interrupt, interrupt, int) == (KeyboardInterrupt, 2)
    assert list(tmp_path.iterdir()) == []


def test_a_second_ctrl_c_while_it_is_saved_leaves_the_file_that_was_there(tmp_path, monkeypatch):
    path = tmp_path / "c"
    Checkpoint(path, {}, every=0).offer(lambda: {"step": 1})
    before = path.read_bytes()
    checkpoint = Checkpoint(path, {}, every=1e9)

    def half(file, *_):
        file.write(b"half")
        interrupt()
        raise AssertionError("went on")

    monkeypatch.setattr("linprobe.compare.checkpoint._write", half)
    assert work(checkpoint, interrupt, lambda: checkpoint.offer(dict), int) == (KeyboardInterrupt, 2)
    assert checkpoint.kept is None
    assert [file.name for file in tmp_path.iterdir()] == ["c"]
    assert path.read_bytes() == before


def test_in_another_thread_nothing_waits(tmp_path):
    checkpoint = Checkpoint(tmp_path / "c", {})

    def look():
        with checkpoint.stopping_at_offers():
            return signal.getsignal(signal.SIGINT)

    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(look).result() is signal.default_int_handler


def test_parts_keep_what_those_before_them_have_found(tmp_path):
    first, second = Checkpoint(tmp_path / "c", {}, every=0).parts("first", "second")
    assert first.load() is second.load() is None
    first.offer(lambda: {"a": 1, "kept": "1 of 2"})
    assert Checkpoint(tmp_path / "c", {}).load() == {"first": {"a": 1, "kept": "1 of 2"}, "kept": "1 of 2 of the first"}
    first.offer(lambda: {"a": 2, "kept": "2 of 2"}, now=True)
    second.offer(lambda: {"b": 1, "kept": "1 of 3"})
    checkpoint = Checkpoint(tmp_path / "c", {})
    first, second = checkpoint.parts("first", "second")
    assert first.load() == {"a": 2, "kept": "2 of 2"}
    assert second.load() == {"b": 1, "kept": "1 of 3"}
    assert checkpoint.kept == "1 of 3 of the second"

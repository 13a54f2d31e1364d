"""Pickles that call something, fill the memory or are damaged: refused, and nothing has happened."""

import ast
import contextlib
import pickle
import pickletools
import struct
import subprocess
import sys
import time
import tracemalloc
import warnings
from pathlib import Path

import numpy as np
import pytest
from gadgets import GADGETS, P2, P4, Gadget, called, stack_global, u  # pyright: ignore[reportMissingImports]
from hypothesis import given
from hypothesis import strategies as st

from examples import examples  # pyright: ignore[reportMissingImports]
from linprobe.data.formats.cifar10 import read_cifar10
from linprobe.data.formats.unpickle import MOST_OPERATIONS, unpickle
from linprobe.errors import DataError, UnsafeFileError
from makers import (  # pyright: ignore[reportMissingImports]
    complaint,
    python2_pickle,
    random_batch,
    write_cifar10,
    write_tar,
)

BATCH = python2_pickle(random_batch(3, np.random.default_rng(0)))

# Everything that Python reports while a gadget is read: there must be nothing.
WATCHED = (
    "import",
    "exec",
    "compile",
    "open",
    "os.",
    "subprocess.",
    "pickle.",
    "marshal.",
    "shutil.",
    "ctypes.",
    "code.",
)
_seen: list[str] | None = None


def _watch(event: str, arguments: tuple[object, ...]) -> None:
    if _seen is not None and event.startswith(WATCHED):
        _seen.append(event)


sys.addaudithook(_watch)


def watched(raw: bytes) -> tuple[str, list[str]]:
    """What the unpickler says, and what Python did meanwhile."""
    global _seen
    _seen = events = []
    try:
        return complaint(lambda: unpickle(raw, "data_batch_1")), events
    finally:
        _seen = None


def hidden_in_a_batch(raw: bytes) -> bytes:
    """The same operations in front of an intact batch, as the value of one more key."""
    start = 2 if raw[:1] == b"\x80" else 0
    if raw[start : start + 1] == b"\x95":
        start += 9
    return P4 + b"}(" + u("extra") + raw[start:-1] + BATCH[4:]


def test_there_are_gadgets_enough():
    assert len({gadget.name for gadget in GADGETS}) == len(GADGETS) >= 60
    assert sum(gadget.live for gadget in GADGETS) >= 40


@pytest.mark.parametrize("gadget", [each for each in GADGETS if each.live], ids=lambda gadget: gadget.name)
def test_the_gadget_is_real(gadget, tmp_path):
    """Python's own unpickler does run it; otherwise the next test would show nothing."""
    canary = tmp_path / "canary"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with contextlib.suppress(Exception):  # what comes after the call may fail
            pickle.loads(gadget.build(str(canary)))
    assert canary.exists()


@pytest.mark.parametrize("gadget", GADGETS, ids=lambda gadget: gadget.name)
def test_no_gadget_runs(gadget: Gadget, tmp_path: Path):
    canary = tmp_path / "canary"
    raw = gadget.build(str(canary))
    for hostile in (raw, hidden_in_a_batch(raw)):
        message, events = watched(hostile)
        if hostile is raw or gadget.name != "after the end":
            assert message.startswith("data_batch_1: ")
        assert len(message) < 400
        assert message.isprintable()
        assert events == []
        assert not canary.exists()


@pytest.mark.parametrize("gadget", GADGETS, ids=lambda gadget: gadget.name)
def test_no_gadget_runs_from_a_folder_or_an_archive(gadget: Gadget, tmp_path: Path):
    canary = tmp_path / "canary"
    folder = write_cifar10(tmp_path, data_batch_4=gadget.build(str(canary)))
    archive = write_tar(folder, tmp_path / "cifar-10-python.tar.gz")
    for path in (folder, archive):
        with pytest.raises(DataError, match=r"data_batch_4: .*fetch it again: linprobe fetch cifar10$"):
            read_cifar10(path)
        assert not canary.exists()


@pytest.mark.parametrize(
    ("raw", "named"),
    [
        (P2 + called(b"cposix\nsystem\n", "true") + b".", "asks for posix.system"),
        (P4 + called(stack_global("builtins", "eval"), "1") + b".", "asks for builtins.eval"),
        (P4 + stack_global("numpy", "ndarray.__class__") + b".", "asks for numpy.ndarray.__class__"),
        (P4 + stack_global("os\n", "x\x1b") + b".", r"asks for os\n.x\x1b"),
        (P2 + b"cnumpy.core.multiarray\nscalar\n.", "asks for numpy.core.multiarray.scalar"),
        (P2 + b"(cos\nmkdir\n", "asks for os.mkdir"),
        (P2 + b"(" + u("x") + b"ios\nmkdir\n.", "asks for the pickle operation INST"),
        (P2 + b"}}\x81.", "asks for the pickle operation NEWOBJ"),
        (P2 + called(b"c_codecs\nencode\n", "x", "rot13") + b".", "calls _codecs.encode in a way"),
        (P2 + b"cnumpy\ndtype\n" + u("O") + b"\x89\x88\x87R.", "has an array of something other than integers"),
        (P2 + b"cnumpy\ndtype\n" + u("V1000000000") + b"\x89\x88\x87R.", "something other than integers"),
    ],
)
def test_the_refusal_names_what_was_asked_for(raw, named):
    with pytest.raises(UnsafeFileError) as caught:
        unpickle(raw, "file")
    assert named in str(caught.value)
    assert "nothing of it was run" in str(caught.value)


def array_pickle(shape: bytes, code: str, order: str, raw: bytes) -> bytes:
    empty = b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R"
    kind = (
        b"cnumpy\ndtype\n"
        + u(code)
        + b"K\x00K\x01\x87R(K\x03"
        + u(order)
        + b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
    )
    return P2 + b"}" + u("data") + empty + b"(K\x01" + shape + kind + b"\x89" + raw + b"tbs."


MIB = 2**20
BOMBS = {
    "BINSTRING of 2 GB": b"\x80\x02T\xff\xff\xff\x7f",
    "BINBYTES of 4 GB": b"\x80\x03B\xff\xff\xff\xff",
    "BINBYTES8": b"\x80\x04\x8e" + b"\xff" * 7 + b"\x7f",
    "BINBYTES8 of 2**64 - 1": b"\x80\x04\x8e" + b"\xff" * 8,
    "BYTEARRAY8": b"\x80\x05\x96" + b"\xff" * 7 + b"\x7f",
    "BINUNICODE": b"\x80\x02X\xff\xff\xff\xff",
    "BINUNICODE8": b"\x80\x04\x8d" + b"\xff" * 7 + b"\x7f",
    "FRAME": b"\x80\x04\x95" + b"\xff" * 7 + b"\x7f}.",
    "LONG4": b"\x80\x02\x8b\xff\xff\xff\x7f",
    "LONG1": b"\x80\x02\x8a\xff" + b"\x7f" * 255 + b".",
    "LONG_BINPUT": b"\x80\x02}r\xff\xff\xff\xffK\x01.",
    "LONG_BINPUT, many": b"\x80\x02}" + b"".join(b"r" + struct.pack("<I", 2**31 + k) for k in range(1_000)) + b"K\x01.",
    "shape of 10**12": array_pickle(b"\x8a\x06" + struct.pack("<q", 10**12)[:6] + b"\x85", "u1", "|", b"U\x01x"),
    "shape of a product beyond 64 bits": array_pickle(b"J\xff\xff\xff\x7fJ\xff\xff\xff\x7f\x86", "u8", "<", b"U\x00"),
    "negative shape": array_pickle(b"J\xff\xff\xff\xff\x85", "u1", "|", b"U\x01x"),
    "shape of texts": array_pickle(b"U\x01x\x85", "u1", "|", b"U\x01x"),
    "shape of hundred axes": array_pickle(b"(" + b"K\x01" * 100 + b"t", "u1", "|", b"U\x01x"),
    "deep lists": P2 + b"]" * 100_000 + b"a" * 99_999 + b".",
    "deep tuples": P2 + b")" + b"\x85" * 200_000 + b".",
    "deep marks": P2 + b"(" * 300_000 + b".",
    "deep dictionaries": P2 + b"}" + (b"}" + u("a")) * 50_000 + b".",
    "laughs: lists of the list before": P2
    + b"]q\x00"
    + b"".join(b"]q%c(" % (k + 1) + b"h%c" % k * 10 + b"e" for k in range(60))
    + b".",
    "laughs: tuples in a key": P2 + b"})" + b"q\x00h\x00\x86" * 60 + b"K\x01s.",
    "a list that holds itself": P2 + b"}" + u("labels") + b"]q\x00h\x00as.",
    "a dictionary that holds itself": P2 + b"}q\x00" + u("labels") + b"h\x00s.",
    "text encoded over and over": P4 + u("y" * MIB) + b"\x94(" + b"c_codecs\nencode\nh\x00" + b"".join(
        [u("latin1"), b"\x94\x86\x94R", b"c_codecs\nencode\nh\x00h\x01\x86R" * 5_000]) + b".",
    "one emoji makes text wide": P4 + u("y" * MIB + "\N{GRINNING FACE}") + b".",
}  # fmt: skip


@pytest.mark.sampled(4)
@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_costs_little_time_and_little_memory(name):
    raw = BOMBS[name]
    tracemalloc.start()
    started = time.process_time()
    try:
        message = complaint(lambda: unpickle(raw, "file"))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    if "holds itself" not in name:
        assert message.startswith("file: ")
    assert len(message) < 400
    assert peak < 10 * MIB + 200 * len(raw), f"{peak / MIB:.0f} MiB for {len(raw):,} bytes"
    assert time.process_time() - started < 10


@pytest.mark.sampled(9)
@pytest.mark.parametrize("operation", [b"]", b"}", b"(", b")", b"N", b"K\x01", b"]q\x00", b"]\x94", b"U\x02ab"])
def test_a_file_of_nothing_but_operations_stops(operation):
    raw = P4 + operation * (2 * MOST_OPERATIONS)
    started = time.process_time()
    with pytest.raises(UnsafeFileError, match="has more than 500,000 operations"):
        unpickle(raw, "file")
    assert time.process_time() - started < 10


@pytest.mark.slow
def test_memory_stays_within_a_limit_set_from_outside(tmp_path):
    """Each bomb in a folder, read by a process that may not have more than 1 GiB beyond what its libraries take."""
    names = [name for name in BOMBS if "holds itself" not in name]
    for number, name in enumerate(names):
        write_cifar10(tmp_path / str(number), data_batch_1=BOMBS[name])
    script = """
import resource, sys
from linprobe.errors import DataError
from linprobe.data.formats.cifar10 import read_cifar10
taken = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (taken + 2**28, taken + 2**28))
for number in range(int(sys.argv[2])):
    try:
        read_cifar10(f"{sys.argv[1]}/{number}")
    except DataError:
        print(number)
"""
    if not Path("/proc/self/statm").exists():
        pytest.skip("needs Linux")
    command = [sys.executable, "-c", script, str(tmp_path), str(len(names))]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    assert done.stdout.split() == [str(number) for number in range(len(names))], done.stderr


def test_a_file_too_large_is_not_even_opened(tmp_path):
    folder = write_cifar10(tmp_path)
    with (folder / "data_batch_2").open("r+b") as file:
        file.truncate(2**40)  # sparse: takes no room
    with pytest.raises(UnsafeFileError, match=r"data_batch_2: has 1,099,511,627,776 bytes, more than the 67,108,864"):
        read_cifar10(folder)


def test_a_pipe_in_place_of_a_batch_does_not_block(tmp_path):
    import os

    folder = write_cifar10(tmp_path)
    (folder / "data_batch_2").unlink()
    os.mkfifo(folder / "data_batch_2")
    with pytest.raises(DataError, match="data_batch_2: is not a file"):
        read_cifar10(folder)


DIALECTS = [BATCH] + [pickle.dumps(random_batch(2, np.random.default_rng(1)), protocol) for protocol in (2, 3, 4, 5)]


@pytest.mark.parametrize("raw", DIALECTS, ids=["python 2", "2", "3", "4", "5"])
def test_every_truncation_is_a_data_error(raw):
    starts = {position for _, _, position in pickletools.genops(raw) if position is not None}
    cuts = {*range(0, len(raw), 97), *starts, *(start + 1 for start in starts)} - {len(raw)}
    for cut in sorted(cuts):
        message = complaint(lambda cut=cut: unpickle(raw[:cut], "file"))
        assert message.startswith("file: ")
        assert "\n" not in message


@given(
    st.sampled_from(DIALECTS), st.lists(st.tuples(st.integers(0, 10**9), st.integers(0, 255)), min_size=1, max_size=6)
)
@examples(400)
def test_damaged_bytes_are_a_dictionary_or_a_data_error(raw, changes):
    broken = bytearray(raw)
    for position, value in changes:
        broken[position % len(broken)] = value
    message, events = watched(bytes(broken))
    assert "\n" not in message
    assert events == []


OPERATIONS = [operation.code.encode("latin-1") for operation in pickletools.opcodes]
PIECES = [
    *OPERATIONS, u("latin1"), u("u1"), b"K\x00", b"K\x01", b"\x85", b"\x86", b"\x87", b"c_codecs\nencode\n",
    b"cnumpy\nndarray\n", b"cnumpy\ndtype\n", b"cnumpy.core.multiarray\n_reconstruct\n",
    b"cnumpy._core.numeric\n_frombuffer\n", b"cos\nmkdir\n", BATCH[2:40],
]  # fmt: skip


@given(st.lists(st.sampled_from(PIECES) | st.binary(max_size=4), max_size=40))
@examples(1_000)
def test_any_program_is_a_dictionary_or_a_data_error(pieces):
    message, events = watched(P2 + b"".join(pieces) + b".")
    assert "\n" not in message
    assert events == []


def test_pythons_own_unpickler_is_not_even_imported():
    source = Path(unpickle.__code__.co_filename).parents[1]
    for file in source.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            names = {alias.name for alias in node.names} if isinstance(node, ast.Import | ast.ImportFrom) else set()
            names |= {node.module or ""} if isinstance(node, ast.ImportFrom) else set()
            if names == {"pickle", "UnpicklingError"}:  # what other readers raise unpickles nothing
                continue
            assert not names & {"pickle", "_pickle", "cPickle", "marshal", "shelve", "joblib", "cloudpickle", "dill"}
            assert not isinstance(node, ast.keyword) or node.arg != "allow_pickle"

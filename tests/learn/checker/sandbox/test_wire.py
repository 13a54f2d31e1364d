import json
import os
import struct
import threading
from dataclasses import asdict, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from examples import examples  # pyright: ignore[reportMissingImports]
from linprobe.learn.checker.outcome import Crash, Outcome, plain_text
from linprobe.learn.checker.sandbox import wire
from linprobe.learn.checker.sandbox.wire import WireError


def carried(message, arrays=()):
    """What arrives of a message that is sent through a pipe."""
    reader, writer = os.pipe()
    with os.fdopen(reader, "rb"), os.fdopen(writer, "wb"):
        sender = threading.Thread(target=wire.send, args=(writer, message, arrays))
        sender.start()
        try:
            return wire.receive(reader)
        finally:
            sender.join()


def received(data):
    """What is made of bytes that are not ours."""
    reader, writer = os.pipe()
    with os.fdopen(reader, "rb"):
        with os.fdopen(writer, "wb") as stream:
            stream.write(data)
        return wire.receive(reader)


def header(value):
    text = value if isinstance(value, bytes) else json.dumps(value).encode()
    return struct.pack("<I", len(text)) + text


@examples(50)
@given(hnp.arrays(st.sampled_from(sorted(wire.TYPES)), hnp.array_shapes(min_dims=0, max_dims=4, min_side=0)))
def test_arrays_arrive_bit_for_bit(array):
    message, (arrived,) = carried({"text": "λ", "number": 0.1}, [array])
    assert message == {"text": "λ", "number": 0.1}
    assert arrived.dtype == array.dtype
    assert arrived.shape == array.shape
    assert arrived.tobytes() == array.tobytes()


def test_what_is_larger_than_a_pipe_arrives_and_can_be_written_to():
    X = np.random.default_rng(0).standard_normal((500, 3073))
    _, (arrived, transposed) = carried({}, [X, X.T])
    assert np.array_equal(arrived, X)
    assert np.array_equal(transposed, X.T)
    arrived -= 1


@pytest.mark.parametrize(
    "data",
    [
        struct.pack("<I", 2**31),
        header(b"\x80\x04K\x01."),
        header(b"\xff\xfe"),
        header(b"[" * 50_000),
        header(b"1" * 5_000),
        header([]),
        header({"message": {}}),
        header({"message": [], "arrays": []}),
        header({"message": {}, "arrays": 3}),
        header({"message": {}, "arrays": [["<f8", [0]]] * 9}),
        header({"message": {}, "arrays": ["<f8"]}),
        header({"message": {}, "arrays": ["abc"]}),
        header({"message": {}, "arrays": [["|O", [1]]]}),
        header({"message": {}, "arrays": [[">f8", [1]]]}),
        header({"message": {}, "arrays": [[["<f8"], [1]]]}),
        header({"message": {}, "arrays": [["<f8", 1]]}),
        header({"message": {}, "arrays": [["<f8", [-1]]]}),
        header({"message": {}, "arrays": [["<f8", [1.0]]]}),
        header({"message": {}, "arrays": [["<f8", [True]]]}),
        header({"message": {}, "arrays": [["<f8", [1] * 33]]}),
        header({"message": {}, "arrays": [["<f8", [2**23 + 1]]]}),
        header({"message": {}, "arrays": [["<f8", [0, 2**70]]]}),
        header({"message": {}, "arrays": [["<f8", [2**22]], ["<f8", [2**22]], ["<f8", [1]]]}),
    ],
)
def test_what_is_no_message_is_refused(data):
    with pytest.raises(WireError):
        received(data + bytes(100))


@pytest.mark.parametrize("data", [b"", b"\x01", header({"message": {}, "arrays": []})[:-1]])
def test_the_end_of_the_stream_is_told(data):
    with pytest.raises(EOFError):
        received(data)


def test_an_array_cut_short_is_told():
    with pytest.raises(EOFError):
        received(header({"message": {}, "arrays": [["<f8", [3]]]}) + bytes(23))


@pytest.mark.parametrize("array", [np.array([None]), np.array(["a"]), np.zeros(2**23 + 1), np.zeros(1, ">f8")])
def test_what_would_not_be_taken_is_not_sent(array):
    with pytest.raises(WireError):
        wire.send(-1, {}, [array])


@pytest.mark.parametrize(
    "outcome",
    [
        Outcome(0.25),
        Outcome(0.25, np.float64(2.5) + np.zeros(()), np.full((13, 7), np.nan, np.float32), lines=12),
        Outcome(0.25, None, np.zeros((0, 7)), "a pair whose first part is None", ("W", "y"), supplied=("xrange",)),
        Outcome(0.25, crash=Crash("ValueError", "shapes", 3, "X @ W")),
        Outcome(0.25, crash=Crash("timeout", "10")),
    ],
)
def test_an_outcome_arrives_whole(outcome):
    arrived = wire.to_outcome(*carried(*wire.from_outcome(outcome)))
    plain = {name: value for name, value in asdict(outcome).items() if name not in {"loss", "gradient"}}
    assert {name: value for name, value in asdict(arrived).items() if name in plain} == plain
    for sent, got in ((outcome.loss, arrived.loss), (outcome.gradient, arrived.gradient)):
        assert (sent is None) == (got is None)
        if sent is not None and got is not None:
            assert sent.dtype == got.dtype
            assert np.array_equal(sent, got, equal_nan=True)


@pytest.mark.parametrize(
    "change",
    [
        {"seconds": "1"},
        {"seconds": float("nan")},
        {"seconds": None},
        {"arrays": ["gradient", "loss"]},
        {"arrays": ["loss"]},
        {"arrays": [["loss"]]},
        {"changed": ["reg"]},
        {"changed": "W"},
        {"returned": 3},
        {"lines": 1.5},
        {"lines": -1},
        {"lines": 10**400},
        {"seconds": -1.0},
        {"seconds": 1e300},
        {"crash": "timeout"},
        {"crash": {"kind": "timeout"}},
        {"crash": {"kind": "timeout", "message": "", "line": "3"}},
        {"supplied": [1]},
        {"supplied": ["a"] * 5_000},
    ],
)
def test_what_is_no_outcome_is_refused(change):
    message, _ = wire.from_outcome(Outcome(0.25))
    with pytest.raises(WireError):
        wire.to_outcome(message | change, [])


def test_text_cannot_move_a_cursor_or_go_on_for_ever():
    assert plain_text("\x1b[2J\x1b]0;title\x07no\r\nmore\tthan\u202e this") == "[2J ]0;title no more than this"
    assert plain_text("x" * 10**6) == "x" * 199 + "…"
    hostile = replace(Outcome(0.0), returned="\x1b[31mred", crash=Crash("\x1b", "\ud800", 1, "\x07" * 500))
    arrived = wire.to_outcome(*carried(*wire.from_outcome(hostile)))
    assert arrived.returned == "[31mred"
    assert arrived.crash == Crash("", "", 1, "")

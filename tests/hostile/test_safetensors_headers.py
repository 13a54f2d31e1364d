"""Safetensors files whose header lies, or whose index leads elsewhere; each is refused in one line, unread."""

import json
import os
import struct
import tracemalloc

import numpy as np
import pytest
from safetensors.numpy import save, save_file

from linprobe.data.formats import open_dataset
from linprobe.errors import DataError, LinprobeError, UnsafeFileError, UsageError

N = 30
X, Y = np.ones((N, 4), np.float32), np.arange(N) % 3
BYTES = X.tobytes() + Y.tobytes()
GOOD = {
    "X": {"dtype": "F32", "shape": [N, 4], "data_offsets": [0, X.nbytes]},
    "y": {"dtype": "I64", "shape": [N], "data_offsets": [X.nbytes, X.nbytes + Y.nbytes]},
}


def refused(path, kind: type[LinprobeError] = DataError, **choice):
    tracemalloc.start()
    try:
        with pytest.raises(kind) as caught:
            open_dataset(path, **choice)
        assert tracemalloc.get_traced_memory()[1] < 2**24
    finally:
        tracemalloc.stop()
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 500
    return str(caught.value)


def write(path, header, data=BYTES):
    raw = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(raw)) + raw + data)
    return path


def test_what_the_others_are_made_from_is_read(tmp_path):
    assert len(open_dataset(write(tmp_path / "some.safetensors", GOOD)).train) == N


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("y", {"data_offsets": [X.nbytes - 8, X.nbytes + Y.nbytes - 8]}),  # they overlap
        ("y", {"data_offsets": [0, Y.nbytes]}),
        ("y", {"data_offsets": [X.nbytes + 8, X.nbytes + Y.nbytes + 8]}),  # a gap
        ("y", {"data_offsets": [X.nbytes + Y.nbytes, X.nbytes]}),
        ("y", {"data_offsets": [-8, Y.nbytes]}),
        ("y", {"data_offsets": [X.nbytes, 2**63]}),
        ("y", {"data_offsets": [X.nbytes]}),
        ("y", {"shape": [2**61]}),
        ("y", {"shape": [N, -1]}),
        ("y", {"shape": [2**40, 2**40]}),
        ("y", {"shape": [1.5]}),
        ("y", {"shape": "30"}),
        ("y", {"shape": [N + 1]}),
        ("y", {"dtype": "O"}),
        ("y", {"dtype": "I32"}),
        ("y", {"dtype": 7}),
        ("z", {"dtype": "F32", "shape": [0, 2**62, 8], "data_offsets": [0, 2**62]}),
    ],
)
def test_a_header_that_lies_is_refused_before_anything_is_allocated(tmp_path, name, change):
    header = GOOD | {name: GOOD.get(name, {}) | change}
    assert "is not an intact safetensors file" in refused(write(tmp_path / "some.safetensors", header))


def test_an_empty_tensor_of_absurd_width_is_refused(tmp_path):
    for dtype in ("F32", "BF16"):
        header = {"X": {"dtype": dtype, "shape": [0, 2**62, 8], "data_offsets": [0, 0]}, "y": GOOD["y"]}
        header["y"] = GOOD["y"] | {"shape": [0], "data_offsets": [0, 0]}
        refused(write(tmp_path / "some.safetensors", header, b""))


@pytest.mark.parametrize(
    "raw",
    [b"", b"{", b"[" * 10**6, b"{}", b"[]", b"7", b'{"X": 7}', b'{"X": {}}', b'{"X": null}', b"\xff" * 100, b"NaN"],
)
def test_a_header_that_is_none_is_refused(tmp_path, raw):
    refused(write(tmp_path / "some.safetensors", raw), LinprobeError)


@pytest.mark.parametrize("length", [2**63, 2**64 - 1, 2**40, 10**6])
def test_a_header_longer_than_its_file_is_refused(tmp_path, length):
    (tmp_path / "some.safetensors").write_bytes(struct.pack("<Q", length) + b"{}")
    assert "its header goes beyond its end" in refused(tmp_path / "some.safetensors")


def test_a_huge_header_is_refused_unread(tmp_path):
    with (tmp_path / "some.safetensors").open("wb") as file:
        file.write(struct.pack("<Q", 2**30))
        file.truncate(2**31)
    assert "more than the 16,777,216 that are read" in refused(tmp_path / "some.safetensors", UnsafeFileError)


@pytest.mark.parametrize("inside", [False, True])
def test_a_name_that_comes_twice_is_refused(tmp_path, inside):
    text = json.dumps(GOOD)
    raw = text.replace('"shape": [30]', '"shape": [30], "shape": [30]') if inside else text[:-1] + "," + text[1:]
    assert "comes twice" in refused(write(tmp_path / "some.safetensors", raw.encode()), UnsafeFileError)


@pytest.mark.sampled(3)
@pytest.mark.parametrize("name", ["../q", "/tmp/q", "q\n\x1b[2J", "a" * 60_000, "<b>q</b>", "=1+1"])
def test_names_that_lead_elsewhere_stay_names(tmp_path, name):
    save_file({name: X, f"{name}2": X, "y": Y}, tmp_path / "some.safetensors")
    before = sorted(tmp_path.parent.rglob("*"))
    assert "several could be the features" in refused(tmp_path / "some.safetensors", UsageError)
    assert sorted(tmp_path.parent.rglob("*")) == before


def test_a_truncated_or_damaged_file_is_a_data_error_or_reads(tmp_path):
    path, whole = tmp_path / "some.safetensors", save({"X": X, "y": Y})
    for cut in range(0, len(whole), 7):
        path.write_bytes(whole[:cut])
        refused(path)
    rng = np.random.default_rng(0)
    for position in [*range(120), *rng.integers(0, len(whole), 150)]:
        broken = bytearray(whole)
        broken[position] ^= 1 << rng.integers(8)
        path.write_bytes(broken)
        try:
            open_dataset(path)
        except LinprobeError as error:
            assert "\n" not in str(error)  # noqa: PT017


@pytest.mark.parametrize(
    "file", ["../some.safetensors", "/etc/passwd", "a/b.safetensors", "..", "", "a\\b", "a\0b", "\u202ea"]
)
def test_an_index_that_leads_elsewhere_is_refused(tmp_path, file):
    save_file({"X": X, "y": Y}, tmp_path / "some.safetensors")
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {"X": file, "y": file}}))
    assert refused(folder).isprintable()


@pytest.mark.parametrize(
    "text", ["", "{}", "[]", "[" * 10**6, '{"weight_map": []}', '{"weight_map": {}}', '{"weight_map": {"X": 7}}', "\0"]
)
def test_an_index_that_is_none_is_refused(tmp_path, text):
    (tmp_path / "model.safetensors.index.json").write_text(text)
    refused(tmp_path / "model.safetensors.index.json")


def test_pipes_are_refused(tmp_path):
    os.mkfifo(tmp_path / "some.safetensors")
    assert "is not a file" in refused(tmp_path / "some.safetensors")
    os.mkfifo(tmp_path / "model.safetensors.index.json")
    assert "is not a file" in refused(tmp_path)

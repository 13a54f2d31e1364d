"""What is no model file of ours is refused in one line, whatever it is, and nothing in it runs."""

import json
import os
import pickle
import struct
import zipfile
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors import safe_open
from safetensors.numpy import save as safetensors_bytes
from safetensors.numpy import save_file

from linprobe.errors import DataError, UncheckedFileWarning, UnsafeFileError
from linprobe.model import load
from linprobe.model import reading as module
from linprobe.model.files import PLACE, write
from linprobe.model.model import MODEL
from models import CLASSES, SHAPE, assert_same, make_classifier  # pyright: ignore[reportMissingImports]


def refused(path, kind=DataError):
    """Load it, and give the message of the error that this raises."""
    with pytest.raises(kind) as caught:
        load(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert "\n" not in message
    assert len(message) < len(str(path)) + 500
    assert "; give" in message or "; train" in message
    return message


def test_places_without_a_file_are_refused(tmp_path):
    assert "does not exist" in refused(tmp_path / "missing")
    assert "is not a file" in refused(tmp_path)
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    refused(tmp_path / "loop")
    refused(tmp_path / ("x" * 300))
    refused(tmp_path / "x" / ".." / "nul\0byte")
    os.mkfifo(tmp_path / "fifo")
    assert "is not a file" in refused(tmp_path / "fifo")  # and does not wait for somebody to write into it
    (tmp_path / "file").write_text("x")
    refused(tmp_path / "file" / "below")


def test_a_file_that_may_not_be_read_is_refused(tmp_path, monkeypatch):
    make_classifier().save(tmp_path / "model")

    def denied(*arguments, **options):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("safetensors.safe_open", denied)
    assert "Permission denied" in refused(tmp_path / "model")


def test_a_file_cut_off_anywhere_is_refused(tmp_path):
    make_classifier(reg=0.5).save(tmp_path / "model")
    content = (tmp_path / "model").read_bytes()
    cut = tmp_path / "cut"
    for length in range(len(content)):
        cut.write_bytes(content[:length])
        refused(cut)
    cut.write_bytes(content + b"\0")
    refused(cut)


@given(content=st.binary(max_size=200))
@settings(deadline=None)
def test_random_bytes_are_refused(tmp_path_factory, content):
    path = tmp_path_factory.getbasetemp() / "random"
    path.write_bytes(content)
    refused(path)


@given(header=st.binary(max_size=100), length=st.integers(0, 2**64 - 1))
@settings(deadline=None)
def test_random_headers_are_refused(tmp_path_factory, header, length):
    path = tmp_path_factory.getbasetemp() / "random header"
    for announced in (len(header), length):
        path.write_bytes(struct.pack("<Q", announced) + header)
        refused(path)


@pytest.mark.slow
def test_any_flipped_bit_is_refused(tmp_path):
    path = tmp_path / "model"
    make_classifier(reg=0.5).save(path)
    content = path.read_bytes()
    for place in range(len(content)):
        for bit in range(8) if place < PLACE.stop else [place % 8]:
            path.write_bytes(content[:place] + bytes([content[place] ^ 1 << bit]) + content[place + 1 :])
            refused(path)
    path.write_bytes(content)
    assert_same(load(path), make_classifier(reg=0.5))


def test_swapped_pieces_and_a_checksum_of_another_file_are_refused(tmp_path):
    one, other = tmp_path / "one", tmp_path / "other"
    make_classifier(reg=0.5).save(one)
    make_classifier(reg=0.5, seed=1).save(other)
    first, second = one.read_bytes(), other.read_bytes()
    assert first[:20] == second[:20]
    assert len(first) == len(second)
    for mixed in (first[:-8] + second[-8:], second[: PLACE.stop] + first[PLACE.stop :]):
        one.write_bytes(mixed)
        assert "checksum" in refused(one)


def test_a_file_that_another_tool_has_written_again_is_refused(tmp_path):
    path = tmp_path / "model"
    make_classifier(reg=0.5).save(path)
    with safe_open(path, "numpy") as file:
        metadata = file.metadata()
    for change in ({}, {"provenance": '{"reg": 5.0}'}):
        save_file(tensors(), path, metadata | change)
        assert "its checksum is " in refused(path)
    del metadata["checksum"]
    save_file(tensors(), path, metadata)
    assert "its checksum is missing or out of place" in refused(path)
    for older in MODEL.older:
        save_file(tensors(), path, metadata | {"format": older})
        assert "its checksum is missing or out of place" in refused(path)
    save_file(tensors(), path, metadata | {"format": MODEL.before, "checksum": "none"})
    assert "its checksum is missing or out of place" in refused(path)


def metadata(**changes):
    sound = {
        "version": "0.1",
        "classes": json.dumps(CLASSES),
        "labels": "null",
        "feature_names": "null",
        "shape": json.dumps(SHAPE),
        "dtype": "null",
        "white": "255.0",
        "unit_rows": "false",
        "provenance": "{}",
        "certificate": "null",
    } | changes
    return {key: value for key, value in sound.items() if value is not None}


def metadata_before(**changes):
    """Of the formats that had no room for a scale."""
    sound = {"version": "0.1", "classes": json.dumps(CLASSES), "shape": json.dumps(SHAPE), "about": "{}"} | changes
    return {key: value for key, value in sound.items() if value is not None}


def tensors(**changes):
    model = make_classifier()
    sound = {"W": model.W, "b": model.b, "mean": model.preparation.mean} | changes
    return {name: array for name, array in sound.items() if array is not None}


def test_the_handmade_file_of_the_next_tests_is_sound(tmp_path):
    write(tmp_path / "model", MODEL, tensors(), metadata())
    assert_same(load(tmp_path / "model"), make_classifier())


def test_a_file_from_before_there_were_checksums_is_read_with_a_warning(tmp_path):
    save_file(tensors(), tmp_path / "model", metadata_before(format="linprobe-classifier-1"))
    with pytest.warns(UncheckedFileWarning, match="model: an older linprobe wrote it, without a checksum") as caught:
        model = load(tmp_path / "model")
    assert_same(model, make_classifier())
    assert len(caught) == 1
    assert "\n" not in str(caught[0].message)
    model.save(tmp_path / "model")
    assert_same(load(tmp_path / "model"), model)  # and from then on without one


DEEP = "[" * 100_000
KEYS = tuple(sorted(metadata().keys() - {"version"}))
BAD_METADATA = [
    *({key: value} for key in KEYS for value in (None, "", "{", "nonsense", "NaN", "[1]", DEEP)),
    *({key: "{}"} for key in KEYS if key != "provenance"),
    *({key: "1"} for key in KEYS if key != "white"),
    *({key: "null"} for key in ("classes", "shape", "white", "unit_rows", "provenance")),
    {"classes": '"cat"'},
    {"classes": '{"cat": 1, "dog": 2, "owl": 3}'},
    {"classes": "[1, 2, 3]"},
    {"classes": '["cat", "dog", null]'},
    {"classes": "[]"},
    {"classes": '["cat", "dog"]'},
    {"classes": json.dumps(["x"] * 100_000)},
    {"shape": "[]"},
    {"shape": "24"},
    {"shape": "[24.0]"},
    {"shape": '["24"]'},
    {"shape": "[true, 12, 2]"},
    {"shape": "[4, 6]"},
    {"shape": "[-4, -3, 2]"},
    {"shape": "[0, 3, 2]"},
    {"shape": "[4, 3, 3]"},
    {"shape": "[1e400, 1, 1]"},
    {"shape": "[NaN, 1, 1]"},
    {"shape": "[4294967295, 4294967295, 4294967295]"},
    {"shape": f"[1{'0' * 4_000}, 1{'0' * 4_000}, 2]"},
    {"shape": f"[1{'0' * 5_000}, 1, 1]"},
    {"shape": json.dumps([1] * 1_000 + [24])},
    {"provenance": '"text"'},
    *({"provenance": json.dumps({name: ["x"]})} for name in ("loss", "solver", "data", "fingerprint", "reg", "seed")),
    *({"provenance": json.dumps({name: junk})} for name in ("reg", "tol") for junk in ("1", True, -1e-9, {"a": 1})),
    *({"provenance": f'{{"reg": {text}}}'} for text in ("NaN", "Infinity", "-Infinity", "1e400", f"1{'0' * 400}")),
    *(
        {"provenance": json.dumps({name: junk})}
        for name in ("seed", "folds", "iterations")
        for junk in (1.5, -1, 2**63)
    ),
    *({"provenance": json.dumps({"rows": junk})} for junk in ({}, [], "train", {"seed": 0})),
    *({"provenance": json.dumps({"absent": junk})} for junk in ("cat", [1], {"cat": 1})),
    {"provenance": '{"nesterov": 1}'},
    *({"white": text} for text in ("0", "-1", "Infinity", '"16"', "true", "[255]")),
    *({"unit_rows": text} for text in ("0", '"true"', "[]")),
    *({"dtype": json.dumps(junk)} for junk in ("object", "str", "O", "U9", "complex128", "uint8,uint8", 8)),
    *({"labels": json.dumps(junk)} for junk in ("object", "str", "int64", "bool", "float64", "datetime64", ["int8"])),
    *({"labels": '"int8"', "classes": json.dumps(["1", "2", name])} for name in ("300", " 3", "٣", "9" * 5_000)),
    {"labels": '"float32"', "classes": '["1.0", "2.0", "1e400"]'},
    {"labels": '"bool"', "classes": '["False", "True", "True "]'},
    *({"feature_names": json.dumps(junk)} for junk in ([], ["a"] * 23, ["a"] * 25, [1] * 24, "a" * 24, {"a": 1})),
    *({"certificate": f'{{"objective": 1, "gap": {text}}}'} for text in ("NaN", "1e400", "-1", '"0"', "true", "null")),
    {"certificate": '{"objective": 1}'},
    {"certificate": '{"objective": 1, "gap": 0, "proven": true}'},
]


@pytest.mark.parametrize("change", BAD_METADATA, ids=lambda change: str(change)[:40])
def test_damaged_metadata_is_refused(tmp_path, change):
    write(tmp_path / "model", MODEL, tensors(), metadata(**change))
    assert "is damaged: " in refused(tmp_path / "model")


BAD_BEFORE = [
    *({key: value} for key in ("classes", "shape", "about") for value in (None, "", "{", "NaN", "null", "1", DEEP)),
    *({"about": json.dumps(junk)} for junk in ([], "text", {"loss": 3}, {"reg": -1}, {"white": 0}, {"rows": "train"})),
    {"unit_rows": "1"},
]


@pytest.mark.parametrize("change", BAD_BEFORE, ids=lambda change: str(change)[:40])
def test_damaged_metadata_of_an_older_file_is_refused(tmp_path, change):
    (second,) = MODEL.older
    write(tmp_path / "model", replace(MODEL, format=second), tensors(), metadata_before(**change))
    assert "is damaged: " in refused(tmp_path / "model")


def test_an_older_file_has_no_scale_whatever_arrays_it_holds(tmp_path):
    (second,) = MODEL.older
    more = tensors(scale=np.full(24, np.nan, np.float32))
    write(tmp_path / "model", replace(MODEL, format=second), more, metadata_before())
    assert_same(load(tmp_path / "model"), make_classifier())


BAD_TENSORS = [
    {"W": None},
    {"b": None},
    {"mean": None},
    {"W": np.zeros((3, 24), np.float32)},
    {"W": np.zeros((24, 4), np.float32)},
    {"W": np.zeros(72, np.float32)},
    {"W": np.zeros((24, 3, 1), np.float32)},
    {"W": np.zeros((0, 3), np.float32)},
    {"W": np.zeros((1,) * 32)},
    {"b": np.zeros(4, np.float32)},
    {"b": np.zeros((3, 1), np.float32)},
    {"b": np.array(0, np.float32)},
    {"mean": np.zeros(23, np.float32)},
    {"mean": np.zeros(SHAPE, np.float32)},
    {"scale": np.ones(23, np.float32)},
    {"scale": np.ones((24, 3), np.float32)},
    {"scale": np.ones(24, np.float16)},
    {"scale": np.ones(24, np.uint8)},
    {"scale": -np.ones(24, np.float32)},
    *({"scale": np.where(np.arange(24) == 7, value, 1).astype(np.float32)} for value in (np.nan, np.inf, -np.inf, -1)),
    *({"W": np.zeros((24, 3), kind)} for kind in (bool, np.uint8, np.int32, np.int64, np.float16, np.complex64)),
    *({name: np.full_like(tensors()[name], value)} for name in ("W", "b", "mean") for value in (np.nan, np.inf)),
]


@pytest.mark.parametrize(
    "change", BAD_TENSORS, ids=lambda change: str({k: getattr(v, "shape", v) for k, v in change.items()})
)
def test_damaged_arrays_are_refused(tmp_path, change):
    write(tmp_path / "model", MODEL, tensors(**change), metadata())
    assert "is damaged: " in refused(tmp_path / "model")


def test_a_scale_and_rows_of_unit_length_are_refused_together(tmp_path):
    write(tmp_path / "model", MODEL, tensors(scale=np.ones(24, np.float32)), metadata(unit_rows="true"))
    assert "is damaged: " in refused(tmp_path / "model")


@pytest.mark.filterwarnings("error")
def test_a_scale_of_0_leaves_a_feature_out_and_a_huge_one_is_no_overflow(tmp_path):
    scale = np.where(np.arange(24) == 7, np.float32(0), np.float32(3e38))
    write(tmp_path / "model", MODEL, tensors(scale=scale), metadata())
    model, X = load(tmp_path / "model"), np.zeros((2, *SHAPE), np.uint8)
    X.reshape(2, -1)[1, 7] = 200
    assert np.isfinite(model.decision_function(X)).all()
    np.testing.assert_array_equal(*model.decision_function(X))


def test_a_single_weight_that_is_not_finite_is_refused(tmp_path):
    for value in (np.nan, np.inf, -np.inf):
        W = make_classifier().W.copy()
        W[17, 1] = value
        write(tmp_path / "model", MODEL, tensors(W=W), metadata())
        assert "W holds values that are not finite" in refused(tmp_path / "model")


@pytest.mark.parametrize("kind", ["BF16", "F8_E5M2", "F8_E4M3", "I64", "U16", "nonsense"])
def test_types_that_numpy_may_not_know_are_refused(tmp_path, kind):
    content = safetensors_bytes(tensors(W=np.zeros((24, 3), np.uint16)), metadata_before(format=MODEL.before))
    size = {"BF16": 2, "U16": 2, "I64": 8}.get(kind, 1)
    length = struct.unpack("<Q", content[:8])[0]
    header = json.loads(content[8 : 8 + length])
    where = 0
    for name, width in (("W", 72 * size), ("b", 12), ("mean", 96)):
        header[name]["data_offsets"] = [where, where + width]
        where += width
    header["W"]["dtype"] = kind
    text = json.dumps(header).encode()
    (tmp_path / "model").write_bytes(struct.pack("<Q", len(text)) + text + bytes(where))
    refused(tmp_path / "model")


def test_another_safetensors_file_is_named_as_one(tmp_path):
    save_file({"weight": np.zeros((3, 4), np.float32)}, tmp_path / "other")
    assert "another format, None, not linprobe-model-3" in refused(tmp_path / "other")
    save_file(tensors(), tmp_path / "other", metadata(format="pt"))
    assert "another format, pt, not" in refused(tmp_path / "other")
    save_file(tensors(), tmp_path / "other", metadata(format="linprobe-model-4\n" * 10_000))
    refused(tmp_path / "other")


def test_a_file_that_claims_more_than_a_model_can_hold_is_refused_unread(tmp_path, monkeypatch):
    """A sparse file takes no room on the disk, and all that it claims in memory."""
    features = 2**31
    header = {
        "__metadata__": metadata(shape=f"[{features}]"),
        "W": {"dtype": "F32", "shape": [features, 3], "data_offsets": [0, 12 * features]},
        "b": {"dtype": "F32", "shape": [3], "data_offsets": [12 * features, 12 * features + 12]},
        "mean": {"dtype": "F32", "shape": [features], "data_offsets": [12 * features + 12, 16 * features + 12]},
    }
    text = json.dumps(header).encode()
    with (tmp_path / "model").open("wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        file.truncate(8 + len(text) + 16 * features + 12)
    assert "34,359,73" in refused(tmp_path / "model", UnsafeFileError)
    make_classifier().save(tmp_path / "small")
    monkeypatch.setattr(module, "MOST_BYTES", (tmp_path / "small").stat().st_size)
    assert_same(load(tmp_path / "small"), make_classifier())


# ---- nothing runs


class Gadget:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (os.mkdir, (str(self.path),))


def test_pickled_bytes_are_refused_and_never_run(tmp_path):
    ran = tmp_path / "ran"
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        raw = pickle.dumps(Gadget(ran), protocol)
        for content in (raw, struct.pack("<Q", len(raw)) + raw):
            (tmp_path / "model").write_bytes(content)
            refused(tmp_path / "model")
    with zipfile.ZipFile(tmp_path / "model", "w") as archive:  # as torch.save and np.savez lay them out
        archive.writestr("archive/data.pkl", pickle.dumps(Gadget(ran)))
    refused(tmp_path / "model")
    np.save(tmp_path / "model.npy", np.array([Gadget(ran)], dtype=object), allow_pickle=True)
    refused(tmp_path / "model.npy")
    # Where JSON belongs, and where names do.
    write(tmp_path / "model", MODEL, tensors(), metadata(provenance=pickle.dumps(Gadget(ran), 0).decode("latin-1")))
    refused(tmp_path / "model")
    names = ["__import__('os').mkdir('ran')", "{0.__class__}", "$(mkdir ran)"]
    write(tmp_path / "model", MODEL, tensors(), metadata(classes=json.dumps(names)))
    assert load(tmp_path / "model").classes == tuple(names)
    assert not ran.exists()
    pickle.loads(pickle.dumps(Gadget(ran)))  # the gadget works, so the test could fail
    assert ran.exists()

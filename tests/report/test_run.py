"""A run folder is read as it was written, and a damaged one gets one line that names the file."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from linprobe.errors import DataError, UncheckedFileWarning
from linprobe.model.evidence import Evidence, Mistakes, Reliability
from linprobe.model.files import PLACE, read
from linprobe.report.run import EVIDENCE, KIND, read_run, write_evidence
from models import assert_same, make_classifier  # pyright: ignore[reportMissingImports]

K, SHAPE = 3, (4, 3, 2)


def evidence(*, mistakes=5, reliability=True, seed=0):
    rng = np.random.default_rng(seed)
    n = np.array([0, 4, 6])
    return Evidence(
        rng.integers(1, 9, (K, K)),
        Reliability(n, np.array([np.nan, 0.5, 0.9]), np.array([np.nan, 0.25, 1.0])) if reliability else None,
        Mistakes(
            rng.integers(0, 256, (mistakes, *SHAPE), dtype=np.uint8),
            rng.integers(0, K, mistakes),
            rng.integers(0, K, mistakes),
            rng.random(mistakes),
        ),
    )


@pytest.fixture
def folder(tmp_path):
    """A run folder with all that `read_run` reads."""
    make_classifier(loss="softmax").save(tmp_path / "model.safetensors")
    rows = [
        {"reg": reg, "train_accuracy": 0.5, "val_accuracy": 0.5, "objective": 1.0, "status": "max_iter"}
        for reg in (0.1, 1.0)
    ]
    grid = {"settings": 2, "axes": {"reg": [0.1, 1.0]}, "seconds": 1.0, "best": rows[0], "edges": [], "rows": rows}
    data = {"source": "s", "fingerprint": "f", "classes": ["a"], "features": 24, "train": 9, "val": 2, "test": 3}
    numbers = {
        "command": "c",
        "versions": {"linprobe": "0"},
        "options": {"loss": "softmax"},
        "data": data,
        "grid": grid,
        "test": {"accuracy": 0.5, "interval": [0.1, 0.9], "n": 3},
    }
    (tmp_path / "run.json").write_text(json.dumps(numbers))
    write_evidence(tmp_path, evidence(), np.arange(4) * 10, np.full((4, 2), np.nan))
    return tmp_path


@pytest.mark.parametrize("mistakes", [0, 5])
@pytest.mark.parametrize("reliability", [True, False])
def test_what_is_written_is_read(folder, mistakes, reliability):
    written, steps = evidence(mistakes=mistakes, reliability=reliability), np.array([0, 10, 19])
    curves = np.array([[1.5, 2.5], [np.nan, 0.5], [np.inf, 0.25]])
    write_evidence(folder, written, steps, curves)
    run = read_run(folder)
    np.testing.assert_array_equal(run.evidence.counts, written.counts)
    np.testing.assert_array_equal(run.steps, steps)
    np.testing.assert_array_equal(run.curves, curves.astype(np.float32))
    for name in ("X", "labels", "predicted", "confidence"):
        found, expected = (getattr(one.mistakes, name) for one in (run.evidence, written))
        assert (found.dtype, found.shape) == (expected.dtype, expected.shape)
        np.testing.assert_array_equal(found, expected)
    if written.reliability is None:
        assert run.evidence.reliability is None
    else:
        assert run.evidence.reliability is not None
        for name in ("n", "confidence", "accuracy"):
            np.testing.assert_array_equal(getattr(run.evidence.reliability, name), getattr(written.reliability, name))
    assert_same(run.classifier, make_classifier(loss="softmax"))
    assert run.numbers.command == "c"


@pytest.mark.parametrize("dtype", [*(np.dtype(f"{kind}{size}") for kind in "iu" for size in (1, 2, 4, 8)), *"efd"])
def test_mistakes_are_kept_in_the_type_of_their_source(folder, dtype):
    given = evidence()
    X = given.mistakes.X.astype(dtype)
    mistakes = replace(given.mistakes, X=X)
    write_evidence(folder, replace(given, mistakes=mistakes), np.empty(0), np.empty((0, 0)))
    found = read_run(folder).evidence.mistakes.X
    assert found.dtype == X.dtype
    np.testing.assert_array_equal(found, X)


def test_a_path_without_curves(folder):
    write_evidence(folder, evidence(), np.empty(0), np.empty((0, 0)))
    run = read_run(folder)
    assert (run.steps.shape, run.curves.shape) == ((0,), (0, 0))


def complaint(folder):
    with pytest.raises(DataError) as caught:
        read_run(folder)
    said = str(caught.value)
    assert "\n" not in said
    assert len(said) < 400 + len(str(folder))
    return said


BROKEN = {
    "no folder": (lambda folder: folder / "nothing", "is not a folder"),
    "a file": (lambda folder: folder / "run.json", "is not a folder"),
    "an empty folder": (lambda folder: [(folder / "run.json").unlink(), folder][1], "holds no run.json"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_what_is_no_run_folder(folder, case):
    change, words = BROKEN[case]
    place = change(folder)
    said = complaint(place)
    assert said.startswith(f"{place}: {words}")
    assert "linprobe worksheet or linprobe tune" in said


NUMBERS = {
    "empty": b"",
    "not JSON": b"{",
    "not text": b"\xff\xfe\x00",
    "a list": b'["command", "versions", "options", "data", "grid", "test"]',
    "a number": b"7",
    "nothing in it": b"{}",
    "one key missing": b'{"command": "", "versions": {}, "options": {}, "data": {}, "test": {}}',
    "nested without end": b"[" * 100_000,
}


@pytest.mark.parametrize("case", NUMBERS)
def test_a_damaged_run_json(folder, case):
    (folder / "run.json").write_bytes(NUMBERS[case])
    assert complaint(folder).startswith(f"{folder / 'run.json'}: ")


def test_any_flipped_bit_is_refused(tmp_path):
    write_evidence(tmp_path, evidence(mistakes=1, reliability=False), np.empty(0), np.empty((0, 0)))
    path = tmp_path / EVIDENCE
    content = path.read_bytes()
    for place in range(len(content)):
        for bit in range(8) if place < PLACE.stop else [place % 8]:
            path.write_bytes(content[:place] + bytes([content[place] ^ 1 << bit]) + content[place + 1 :])
            with pytest.raises(DataError) as caught:
                read(path, KIND)
            assert str(caught.value).startswith(f"{path}: ")
            assert "\n" not in str(caught.value)
    path.write_bytes(content)
    assert "counts" in read(path, KIND)[1]


def test_an_evidence_file_from_before_there_were_checksums_is_read_with_a_warning(folder):
    save_file(load_file(folder / EVIDENCE), folder / EVIDENCE)
    with pytest.warns(UncheckedFileWarning, match=rf"{EVIDENCE}: an older linprobe wrote it, .*; make the run again"):
        run = read_run(folder)
    np.testing.assert_array_equal(run.evidence.counts, evidence().counts)


def test_a_model_file_is_no_evidence(folder):
    shutil.copy(folder / "model.safetensors", folder / EVIDENCE)
    assert "another format, linprobe-model-3, not linprobe-evidence-2" in complaint(folder)


def change(**arrays):
    def edit(path):
        found = load_file(path) | arrays
        save_file({name: array for name, array in found.items() if array is not None}, path)

    return edit


EVIDENCES = {
    "missing": lambda path: path.unlink(),
    "a folder": lambda path: (path.unlink(), path.mkdir()),
    "empty": lambda path: path.write_bytes(b""),
    "cut off": lambda path: path.write_bytes(path.read_bytes()[:-9]),
    "no safetensors": lambda path: path.write_bytes(b"PK" * 5000),
    "a header beyond the file": lambda path: path.write_bytes(b"\xff" * 8 + path.read_bytes()[8:]),
    "an array missing": change(counts=None),
    "half a reliability": change(**{"reliability.n": None}),
    "an array too many": change(**{"mistakes.more": np.zeros(5)}),
    "a part too many": change(**{"others.more": np.zeros(5)}),
    "counts of other classes": change(counts=np.ones((4, 4), int)),
    "counts in a row": change(counts=np.ones(9, int)),
    "negative counts": change(counts=-np.ones((K, K), int)),
    "counts that are no numbers of examples": change(counts=np.full((K, K), 0.5)),
    "no example": change(counts=np.zeros((K, K), int)),
    "pictures of another shape": change(**{"mistakes.X": np.zeros((5, 4, 3, 3), np.uint8)}),
    "fewer pictures": change(**{"mistakes.X": np.zeros((4, *SHAPE), np.uint8)}),
    "classes beyond the last": change(**{"mistakes.labels": np.full(5, K)}),
    "classes before the first": change(**{"mistakes.predicted": np.full(5, -1)}),
    "classes in halves": change(**{"mistakes.labels": np.full(5, 0.5)}),
    "confidence that is none": change(**{"mistakes.confidence": np.full(5, np.nan)}),
    "curves of other steps": change(curves=np.zeros((3, 2), np.float32)),
    "steps that are none": change(steps=np.full(4, np.inf)),
    "bins without examples": change(**{"reliability.n": np.zeros(3, int)}),
    "bins of other numbers": change(**{"reliability.n": np.ones(4, int)}),
    "truths": change(curves=np.zeros((4, 2), bool)),
}


@pytest.mark.parametrize("case", EVIDENCES)
def test_a_damaged_evidence_file(folder, case):
    EVIDENCES[case](folder / EVIDENCE)
    assert complaint(folder).startswith(f"{folder / EVIDENCE}: ")


def test_a_damaged_model(folder):
    (folder / "model.safetensors").write_bytes(b"nothing")
    assert complaint(folder).startswith(f"{folder / 'model.safetensors'}: ")

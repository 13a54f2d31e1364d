"""Features and labels in files that torch.save wrote, in the forms in which people keep them."""

import sys

import numpy as np
import pytest

from linprobe.data.formats import open_dataset
from linprobe.data.rows import Rows
from linprobe.errors import DataError, MissingDependencyError, UnsafeFileError, UsageError

torch = pytest.importorskip("torch")

N, D, K = 24, 5, 3
NAMES = ["ash", "birch", "cedar"]
Y = np.arange(N) % K
X = np.random.default_rng(0).normal(size=(N, D)).astype(np.float32)
TX, TY = torch.from_numpy(X), torch.from_numpy(Y)
TEXTS = [NAMES[k] for k in Y]
CUTS = {"train": slice(0, 14), "val": slice(14, 18), "test": slice(18, N)}


def same(examples, X, y):
    np.testing.assert_array_equal(np.asarray(examples.X), X)
    np.testing.assert_array_equal(examples.y, y)


def check(dataset, splits=("train",)):
    assert {name for name, _ in dataset.splits()} == set(splits)
    for name, examples in dataset.splits():
        cut = CUTS[name] if len(splits) == 3 else slice(None)
        same(examples, X[cut], Y[cut])


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("end", ["pt", "pth"])
@pytest.mark.parametrize(
    "content",
    [
        {"features": TX, "labels": TY},
        {"embeddings": TX, "targets": TY, "epoch": 3, "model": "vit", "paths": [f"{i}.png" for i in range(N)]},
        {"X": TX.clone().requires_grad_(), "y": TY.to(torch.uint8)},
        {"feats": torch.nn.Parameter(TX[:, None]), "label": TY[:, None]},
        {"x": TX.T.contiguous().T, "y": torch.eye(K)[TY]},
        {"data": TX, "labels": TEXTS},
        {"data": TX, "labels": Y.tolist(), "classes": NAMES},
        {"emb": list(TX), "y": list(TY)},
        {"output": {"features": TX, "labels": TY}},
        (TX, TY),
        [TX, TEXTS],
        [(row, int(label)) for row, label in zip(TX, Y, strict=True)],
        [{"embedding": row, "label": text, "id": i} for i, (row, text) in enumerate(zip(TX, TEXTS, strict=True))],
    ],
    ids=range(13),
)
def test_one_file(tmp_path, content, end, zipped):
    torch.save(content, tmp_path / f"some.{end}", _use_new_zipfile_serialization=zipped)
    dataset = open_dataset(tmp_path / f"some.{end}")
    check(dataset)
    named = isinstance(content, dict) and "classes" in content
    assert dataset.classes in ((("ash", "birch", "cedar"),) if named else (("0", "1", "2"), tuple(NAMES)))


@pytest.mark.parametrize(
    "content",
    [
        {split: {"X": TX[cut], "y": TY[cut]} for split, cut in CUTS.items()},
        {split: (TX[cut], TY[cut]) for split, cut in CUTS.items()},
        {f"{split}_features": TX[cut] for split, cut in CUTS.items()}
        | {f"{split}_labels": TY[cut] for split, cut in CUTS.items()},
        {"X": {split: TX[cut] for split, cut in CUTS.items()}, "y": {split: TY[cut] for split, cut in CUTS.items()}},
        [(TX[cut], TY[cut]) for cut in CUTS.values()],
        tuple(part[cut] for part in (TX, TY) for cut in CUTS.values()),
    ],
    ids=range(6),
)
def test_splits_in_one_file(tmp_path, content):
    torch.save(content, tmp_path / "some.pt")
    check(open_dataset(tmp_path / "some.pt"), CUTS)


@pytest.mark.parametrize("forms", [("features_{}.pt", "targets_{}.pt"), ("{}feat.pth", "{}labels.pth")])
def test_splits_in_files(tmp_path, forms):
    for split, cut in CUTS.items():
        for form, values in zip(forms, (TX, TY), strict=True):
            torch.save(values[cut].clone(), tmp_path / form.format(split))
    check(open_dataset(tmp_path), CUTS)


@pytest.mark.parametrize("content", [TY, TEXTS, Y.tolist()], ids=["tensor", "texts", "numbers"])
def test_labels_in_another_file(tmp_path, content):
    torch.save(TX, tmp_path / "things.pt")
    torch.save(content, tmp_path / "kinds.pt")
    same(open_dataset(tmp_path / "things.pt", label="kinds.pt").train, X, Y)


@pytest.mark.parametrize("zipped", [True, False])
def test_bfloat16_is_read_as_float32(tmp_path, zipped):
    torch.save({"embeddings": TX.bfloat16(), "labels": TY}, tmp_path / "a.pt", _use_new_zipfile_serialization=zipped)
    examples = open_dataset(tmp_path / "a.pt").train
    assert isinstance(examples.X, Rows)
    same(examples, TX.bfloat16().float().numpy(), Y)


@pytest.mark.parametrize("dtype", ["float16", "float64", "int8", "uint8", "int16", "int64", "uint16", "bool"])
def test_what_was_saved_is_read_whatever_the_type(tmp_path, dtype):
    values = (TX * 100).to(getattr(torch, dtype))
    torch.save({"X": values, "y": TY}, tmp_path / "some.pt")
    same(open_dataset(tmp_path / "some.pt").train, values.numpy(), Y)


def test_a_type_that_numpy_lacks_is_refused_where_it_is_needed(tmp_path):
    torch.save({"X": TX.to(torch.float8_e4m3fn), "features": TX, "y": TY}, tmp_path / "some.pt")
    check(open_dataset(tmp_path / "some.pt"))
    with pytest.raises(DataError, match=r"X is float8_e4m3fn, which can't be learnt from; save X\.float\(\)"):
        open_dataset(tmp_path / "some.pt", x="X")


def test_nothing_but_the_weights_only_loader_reads_and_it_maps(tmp_path, monkeypatch):
    asked, load = [], torch.load
    monkeypatch.setattr(torch, "load", lambda path, **options: asked.append(options) or load(path, **options))
    for zipped in (True, False):
        torch.save((TX, TY), tmp_path / "some.pt", _use_new_zipfile_serialization=zipped)
        check(open_dataset(tmp_path / "some.pt"))
    assert asked == [{"map_location": "cpu", "weights_only": True, "mmap": zipped} for zipped in (True, False)]


def test_without_torch_the_command_that_installs_it(tmp_path, monkeypatch):
    torch.save((TX, TY), tmp_path / "some.pt")
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(MissingDependencyError, match=r"pip install './linprobe\[torch\]'"):
        open_dataset(tmp_path / "some.pt")


class Thing:
    pass


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize(
    ("content", "finding"),
    [
        ({"X": X, "y": Y}, r"holds NumPy arrays \(numpy\.\S+\._reconstruct and 3 more\).*save torch.from_numpy\(X\)"),
        ({"X": TX, "y": Y[0]}, r"holds NumPy arrays \(numpy\.\S+\.scalar and 2 more\)"),
        ({"X": TX.to_sparse(), "y": TY}, r"holds sparse tensors \(.*save X\.to_dense\(\)"),
        ({"X": TX, "y": TY, "by": Thing()}, r"objects \(test_torch_files\.Thing\).*save their tensors alone"),
        (torch.utils.data.TensorDataset(TX, TY), r"objects \(torch\.utils\.data\.dataset\.TensorDataset\)"),
        (torch.nn.Linear(D, K), r"objects \(torch\.nn\.modules\.linear\.Linear\)"),
    ],
    ids=["numpy", "scalar", "sparse", "object", "TensorDataset", "module"],
)
def test_what_only_code_can_build_is_refused_with_the_way_out(tmp_path, content, finding, zipped):
    torch.save(content, tmp_path / "some.pt", _use_new_zipfile_serialization=zipped)
    with pytest.raises(UnsafeFileError, match=finding) as caught:
        open_dataset(tmp_path / "some.pt")
    assert "nothing of it was run" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", [{}, [], 7, "text", None, {"epoch": 3}, {"a": {"b": {}}}])
def test_a_file_without_tensors_is_refused(tmp_path, content):
    torch.save(content, tmp_path / "some.pt")
    with pytest.raises(DataError, match="holds no tensors"):
        open_dataset(tmp_path / "some.pt")


def test_what_is_not_clear_lists_what_is_there(tmp_path):
    torch.save({"clip": TX, "dino": TX * 2, "labels": TY}, tmp_path / "some.pt")
    with pytest.raises(UsageError, match=r"several could be the features: clip \(float32 24 x 5\), dino .*--x clip"):
        open_dataset(tmp_path / "some.pt")
    same(open_dataset(tmp_path / "some.pt", x="dino").train, X * 2, Y)

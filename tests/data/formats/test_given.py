"""Sources that are no files: frames of pandas and Polars, tensors and arrays by name, lists of files."""

from typing import Any

import numpy as np
import pytest

from linprobe.data.formats import open_dataset
from linprobe.errors import DataError, MissingDependencyError, UsageError
from linprobe.tasks.tune import Options, tune
from makers import picture, pictures  # pyright: ignore[reportMissingImports]

pandas = pytest.importorskip("pandas")
polars = pytest.importorskip("polars")
pyarrow = pytest.importorskip("pyarrow")

N = 30
Y = np.arange(N) % 3
NAMES = np.array(["ash", "birch", "cedar"])[Y]
X = (np.random.default_rng(0).normal(size=(N, 4)) + 4 * np.eye(3, 4)[Y]).astype(np.float32)
WIDE = {f"f{place}": X[:, place] for place in range(4)}
TEXT = [str(row) for row in X.astype(float).tolist()]

FRAMES: dict[str, Any] = {
    "pandas, arrays": lambda: pandas.DataFrame({"emb": list(X), "kind": NAMES}),
    "pandas, lists": lambda: pandas.DataFrame({"emb": X.tolist(), "kind": NAMES}),
    "pandas, other row numbers": lambda: pandas.DataFrame({"emb": list(X), "kind": NAMES}, index=Y * 7),
    "pandas, texts": lambda: pandas.DataFrame({"emb": TEXT, "kind": NAMES}),
    "pandas, categories": lambda: pandas.DataFrame({"emb": list(X), "kind": pandas.Categorical(NAMES)}),
    "pandas, wide": lambda: pandas.DataFrame({**WIDE, "kind": NAMES}),
    "polars, lists": lambda: polars.DataFrame({"emb": X.tolist(), "kind": NAMES}),
    "polars, arrays": lambda: polars.DataFrame({"emb": X, "kind": NAMES}),
    "polars, texts": lambda: polars.DataFrame({"emb": TEXT, "kind": NAMES}),
    "polars, categories": lambda: polars.DataFrame({"emb": X, "kind": polars.Series(NAMES, dtype=polars.Categorical)}),
    "polars, wide": lambda: polars.DataFrame({**WIDE, "kind": NAMES}),
    "pyarrow": lambda: pyarrow.table({"emb": X.tolist(), "kind": NAMES}),
}


@pytest.mark.parametrize("form", FRAMES)
def test_a_frame_is_a_source(form):
    dataset = open_dataset(FRAMES[form]())
    np.testing.assert_allclose(dataset.train.X, X, rtol=1e-6)
    np.testing.assert_array_equal(dataset.train.y, Y)
    assert (dataset.name, dataset.classes) == ("frame", ("ash", "birch", "cedar"))
    assert any("kind" in note for note in dataset.notes)


def test_the_options_of_tables_name_columns_of_a_frame():
    frame = FRAMES["polars, wide"]().with_columns(
        patient=polars.Series(np.arange(N) // 2), use=polars.Series(["train"] * 20 + ["test"] * 10), other=Y
    )
    dataset = open_dataset(frame, x="f", label="kind", groups="patient", split_column="use", test=None)
    assert dataset.test is not None
    np.testing.assert_array_equal(dataset.test.X, X[20:])
    assert dataset.train.groups is not None
    assert dataset.train.groups.tolist() == (np.arange(20) // 2).tolist()
    assert dataset.asked == {"x": "f", "label": "kind", "groups": "patient", "split_column": "use"}
    with pytest.raises(UsageError, match="--x nope: is not in the frame, which has"):
        open_dataset(frame, x="nope", label="kind")


@pytest.mark.parametrize("form", ["frame", "arrays", "files"])
def test_other_splits_are_sources_of_any_kind(tmp_path, form):
    np.savez(tmp_path / "test.npz", X=X[20:], y=NAMES[20:])
    test = {
        "frame": pandas.DataFrame({"X": list(X[20:]), "y": NAMES[20:]}),
        "arrays": {"X": X[20:], "y": NAMES[20:]},
        "files": [tmp_path / "test.npz"],
    }[form]
    dataset = open_dataset({"X": X[:20], "y": NAMES[:20]}, test=test)
    assert dataset.test is not None
    np.testing.assert_array_equal(dataset.test.X, X[20:])
    np.testing.assert_array_equal(dataset.test.y, Y[20:])
    assert dataset.asked == {}
    if form != "files":
        other = {"X": X[:, :2], "y": NAMES}
        with pytest.raises(DataError, match="--test the arrays: its features are 2, those of train are 4"):
            open_dataset({"X": X, "y": NAMES}, test=other)


def of_torch(kind, **options):
    torch = pytest.importorskip("torch")
    return torch.tensor(X, **options).to(getattr(torch, kind))


ARRAYS: dict[str, Any] = {
    "numpy": lambda: X,
    "lists": lambda: X.tolist(),
    "column of arrays": lambda: pandas.Series(list(X)),
    "frame": lambda: pandas.DataFrame(X),
    "list of rows": lambda: list(X),
    "shards": lambda: [X[:7], X[7:7], X[7:]],
    "shards of two types": lambda: [X[:7].astype(float), X[7:]],
    "tensor": lambda: of_torch("float32"),
    "tensor with gradient": lambda: of_torch("float32", requires_grad=True),
    "bfloat16": lambda: of_torch("bfloat16"),
    "shards of tensors": lambda: list(of_torch("bfloat16", requires_grad=True).split(8)),
    "list of tensors": lambda: list(of_torch("float32", requires_grad=True)),
}


@pytest.mark.parametrize("form", ARRAYS)
def test_arrays_by_name_are_a_source(form):
    dataset = open_dataset({"features": ARRAYS[form](), "labels": NAMES, "paths": [f"{row}.npy" for row in range(N)]})
    np.testing.assert_allclose(
        np.asarray(dataset.train.X[:]), X, rtol=0 if "16" not in form and "tensors" not in form else 1e-2
    )
    np.testing.assert_array_equal(dataset.train.y, Y)
    assert (dataset.name, dataset.classes) == ("arrays", ("ash", "birch", "cedar"))


@pytest.mark.parametrize("labels", [Y.tolist(), NAMES.tolist(), pandas.Series(NAMES), polars.Series(NAMES)], ids=type)
def test_labels_of_any_kind(labels):
    dataset = open_dataset({"X_train": X, "y_train": labels, "X_test": X[:3], "y_test": labels[:3]})
    np.testing.assert_array_equal(dataset.train.y, Y)
    assert dataset.test is not None
    assert len(dataset.test) == 3


def test_what_is_given_is_tuned_as_the_same_file_is(tmp_path):
    np.savez(tmp_path / "some.npz", X=X, y=NAMES)
    found = [
        tune(open_dataset(each), Options(regs=np.array([0.1])))
        for each in (tmp_path / "some.npz", {"X": X, "y": NAMES})
    ]
    assert found[0].numbers.test == found[1].numbers.test
    np.testing.assert_array_equal(found[0].classifier.W, found[1].classifier.W)


def test_a_list_of_files_is_read_in_its_order_and_not_loaded(tmp_path):
    for name, part in (("b", X[:4]), ("a", X[4:9]), ("c", X[9:])):
        np.save(tmp_path / f"{name}.npy", part)
    np.save(tmp_path / "labels.npy", Y)
    shards = [str(tmp_path / "b.npy"), tmp_path / "a.npy", tmp_path / "c.npy"]
    for dataset in (
        open_dataset([*shards, tmp_path / "labels.npy"]),
        open_dataset(shards, label="labels.npy"),
        open_dataset({"X": shards, "y": Y}),
    ):
        assert not isinstance(dataset.train.X, np.ndarray)
        np.testing.assert_array_equal(dataset.train.X[:], X)
        np.testing.assert_array_equal(dataset.train.y, Y)


def test_a_list_of_tables_and_of_splits(tmp_path):
    for name, rows in (("train-1", slice(0, 12)), ("train-0", slice(12, 20)), ("test", slice(20, N))):
        FRAMES["polars, arrays"]()[rows].write_parquet(tmp_path / f"{name}.parquet")
    files = [tmp_path / f"{name}.parquet" for name in ("train-1", "train-0", "test")]
    dataset = open_dataset(files, label="kind")
    np.testing.assert_array_equal(dataset.train.X[:], X[:20])
    assert dataset.test is not None
    np.testing.assert_array_equal(dataset.test.X, X[20:])


@pytest.mark.parametrize("ending", ["arrow", "feather"])
def test_files_of_polars_have_texts_and_bytes_of_its_own_types(tmp_path, ending):
    for form in ("polars, lists", "polars, categories", "polars, texts"):
        FRAMES[form]().write_ipc(tmp_path / f"some.{ending}")
        dataset = open_dataset(tmp_path / f"some.{ending}")
        np.testing.assert_allclose(dataset.train.X, X, rtol=1e-6)
        np.testing.assert_array_equal(dataset.train.y, Y)
    frame = polars.DataFrame({"image": [picture(each) for each in pictures(6)], "label": NAMES[:6]})
    frame.write_ipc(tmp_path / f"pictures.{ending}")
    np.testing.assert_array_equal(open_dataset(tmp_path / f"pictures.{ending}").train.X, pictures(6))


@pytest.mark.parametrize(
    ("source", "finding"),
    [
        (3, "int: is not a source; give a name or a path"),
        ([], "list: is not a source"),
        ([X, Y], 'list: is not a source; .* arrays by name, as {"X": X, "y": y}$'),
        (X, "ndarray: is not a source"),
        ({}, "the arrays: need names that are texts"),
        ({0: X}, "the arrays: need names that are texts"),
        ({"X": X}, "the arrays: no labels found"),
        ({"X": X * 1j, "y": Y}, "the arrays: X has complex"),
        ({"X": [X, X[:, :2]], "y": Y}, "number 1, counted from 0, has 2 columns, but the first has 4"),
        (pandas.DataFrame({"a": [1, "x"]}), "the frame: cannot be read as a table: .* give columns of one type each"),
    ],
    ids=lambda given: type(given).__name__,
)
def test_what_is_no_source_gets_one_line(source, finding):
    with pytest.raises(UsageError, match=finding) as caught:
        open_dataset(source)
    assert "\n" not in str(caught.value)


def test_lengths_that_differ_are_named():
    with pytest.raises(DataError, match="the arrays: X has 30 rows, its labels y are 29; give one label for each row"):
        open_dataset({"X": X, "y": Y[1:]})


def test_a_frame_without_pyarrow_says_how_to_install_it(monkeypatch):
    frame = FRAMES["polars, lists"]()
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    with pytest.raises(MissingDependencyError, match=r"pip install './linprobe\[parquet\]'"):
        open_dataset(frame)

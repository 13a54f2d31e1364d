"""Sources of any size into tables: against the model called directly, chunk by chunk, with every row's own id."""

import csv
import importlib
from dataclasses import replace

import numpy as np
import pytest

import linprobe
from linprobe.errors import DataError, UsageError
from linprobe.model import Provenance
from linprobe.tasks.batch import header, is_source, open_array, open_source, prediction_table
from makers import picture, pictures, write_saved  # pyright: ignore[reportMissingImports]
from models import CLASSES, make_classifier  # pyright: ignore[reportMissingImports]

D, N = 6, 50


@pytest.fixture
def model():
    steep = make_classifier(shape=(D,), loss="softmax")
    return replace(steep, W=steep.W / 100, b=steep.b / 100)


@pytest.fixture
def small_chunks(monkeypatch):
    """Seven rows at a time -> the sizes of what was read."""
    module = importlib.import_module("linprobe.tasks.predict")
    monkeypatch.setattr(module, "CHUNK_ELEMENTS", 7 * D)
    sizes = []
    whole = linprobe.Model.decision_function

    def counted(self, X, *arguments):
        sizes.append(len(X))
        return whole(self, X, *arguments)

    monkeypatch.setattr(linprobe.Model, "decision_function", counted)
    return sizes


def rows(n=N, seed=0):
    return np.random.default_rng(seed).normal(100, 30, (n, D)).astype(np.float32)


def written(model, source, path):
    """The columns of a table, by name, of the predictions of one source."""
    with prediction_table(path, model) as write:
        for batch in open_source(model, str(source)).batches(model):
            write(str(source), batch)
    if path.suffix == ".csv":
        with path.open(newline="", encoding="utf-8") as file:
            names, *cells = csv.reader(file)
        return dict(zip(names, map(list, zip(*cells, strict=True)), strict=True))
    table = pytest.importorskip("pyarrow.parquet").read_table(path)
    return {name: table[name].to_pylist() for name in table.column_names}


def check(model, X, table, ids):
    """That a table has, in order, what the model says of X."""
    scores = model.decision_function(X, np.float64)
    assert list(map(str, table["id"])) == list(map(str, ids))
    assert table["label"] == [model.classes[k] for k in scores.argmax(axis=1)]
    numbers = np.array([table[name] for name in header(model)[2:]], float).T
    expected = model.probabilities(scores) if model.probabilistic else scores
    np.testing.assert_allclose(numbers, expected, rtol=1e-12)


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_a_mapped_array_is_read_in_chunks_and_keeps_its_order(model, tmp_path, small_chunks, ending):
    pytest.importorskip("pyarrow")
    X = rows()
    np.save(tmp_path / "x.npy", X)
    source = open_array(model, tmp_path / "x.npy")
    assert isinstance(source.parts[0].X, np.memmap)
    with prediction_table(tmp_path / f"p.{ending}", model) as write:
        classes = [write("x.npy", batch) for batch in source.batches(model)]
    assert small_chunks == [7] * 7 + [1]
    np.testing.assert_array_equal(np.concatenate(classes), model.decision_function(X, np.float64).argmax(axis=1))
    table = written(model, tmp_path / "x.npy", tmp_path / f"q.{ending}")
    check(model, X, table, range(N))
    assert ending == "csv" or table["id"] == list(range(N))
    assert (tmp_path / f"p.{ending}").read_bytes() == (tmp_path / f"q.{ending}").read_bytes()


def test_many_classes_make_chunks_smaller(small_chunks, tmp_path):
    many = make_classifier(classes=[str(k) for k in range(3 * D)], shape=(D,), loss="softmax")
    np.save(tmp_path / "x.npy", rows(5))
    assert [len(batch.ids) for batch in open_array(many, tmp_path / "x.npy").batches(many)] == [2, 2, 1]


def write_kind(kind, folder, X):
    """X without labels, with ids where the kind has room for them -> the source, the ids."""
    names = [f"row {place}" for place in range(len(X))]
    if kind == "npz":
        np.savez(folder / "s.npz", X=X, ids=np.array(names))
        return folder / "s.npz", names
    if kind == "npz with splits":
        np.savez(folder / "s.npz", X_train=X[:30], X_test=X[30:])
        return folder / "s.npz", [f"train/{row}" for row in range(30)] + [f"test/{row}" for row in range(20)]
    if kind == "safetensors":
        import safetensors.numpy

        safetensors.numpy.save_file({"features": X}, folder / "s.safetensors")
        return folder / "s.safetensors", range(len(X))
    if kind == "hdf5":
        with pytest.importorskip("h5py").File(folder / "s.h5", "w") as file:
            file["embeddings"], file["id"] = X, np.arange(len(X)) * 3
        return folder / "s.h5", np.arange(len(X)) * 3
    if kind == "csv":
        lines = ["id," + ",".join(f"e{d}" for d in range(D))]
        lines += [f"{name},{','.join(map(repr, row.tolist()))}" for name, row in zip(names, X, strict=True)]
        (folder / "s.csv").write_text("\n".join(lines) + "\n")
        return folder / "s.csv", names
    pa = pytest.importorskip("pyarrow")
    table = pa.table({"file": names, "embedding": list(X)})
    if kind == "parquet":
        importlib.import_module("pyarrow.parquet").write_table(table, folder / "s.parquet")
        return folder / "s.parquet", names
    if kind == "feather":
        importlib.import_module("pyarrow.feather").write_feather(table, str(folder / "s.feather"))
        return folder / "s.feather", names
    assert kind == "saved by datasets"
    return write_saved(folder / "saved", [table.slice(0, 20), table.slice(20)]), names


KINDS = ("npz", "npz with splits", "safetensors", "hdf5", "csv", "parquet", "feather", "saved by datasets")


@pytest.mark.parametrize("kind", KINDS)
def test_a_source_needs_no_labels_and_keeps_its_ids(model, tmp_path, small_chunks, kind):
    pytest.importorskip("pyarrow")
    X = rows()
    source, ids = write_kind(kind, tmp_path, X)
    assert is_source(model, str(source))
    assert len(open_source(model, str(source))) == N
    table = written(model, source, tmp_path / "p.parquet")
    assert max(small_chunks) == 7
    check(model, X, table, ids)


def test_labels_are_no_features_and_rows_without_one_are_predicted_too(model, tmp_path):
    pytest.importorskip("pyarrow")
    X = rows(9)
    lines = [",".join([*"abcdef", "label"])]
    lines += [f"{','.join(map(repr, row.tolist()))},{'' if place == 4 else place % 3}" for place, row in enumerate(X)]
    (tmp_path / "s.csv").write_text("\n".join(lines) + "\n")
    check(model, X, written(model, tmp_path / "s.csv", tmp_path / "p.csv"), range(9))
    np.savez(tmp_path / "s.npz", X=X, y=np.array([0, 1, -1] * 3))
    check(model, X, written(model, tmp_path / "s.npz", tmp_path / "q.csv"), range(9))


def test_columns_are_found_by_the_names_that_the_model_knows(model, tmp_path):
    pytest.importorskip("pyarrow")
    X, names = rows(8), ("red", "green", "blue", "near", "far", "hot")
    named = replace(model, feature_names=names)
    order = [3, 1, 0, 5, 4, 2]
    lines = [",".join([*(names[d] for d in order), "more"])]
    lines += [f"{','.join(map(repr, row[order].tolist()))},7.5" for row in X]
    (tmp_path / "s.csv").write_text("\n".join(lines) + "\n")
    check(named, X, written(named, tmp_path / "s.csv", tmp_path / "p.csv"), range(8))
    (tmp_path / "s.csv").write_text("\n".join(lines).replace("hot", "cold") + "\n")
    with pytest.raises(DataError, match="has no column hot, which the training examples have"):
        open_source(named, str(tmp_path / "s.csv"))
    np.savez(tmp_path / "s.npz", X=X)  # which has no names
    check(named, X, written(named, tmp_path / "s.npz", tmp_path / "q.csv"), range(8))


def test_features_are_looked_for_where_training_had_them(model, tmp_path):
    X, other = rows(5), rows(5, seed=1)
    np.savez(tmp_path / "s.npz", one=X, two=other)
    with pytest.raises(UsageError, match="several could be the features"):
        open_source(model, str(tmp_path / "s.npz"))
    told = replace(model, provenance=Provenance(loss="softmax", asked={"x": "two", "label": "gone"}))
    np.savez(tmp_path / "t.npz", one=X, two=other, gone=np.arange(5))
    for x, expected in ((None, other), ("one", X)):
        source = open_source(told, str(tmp_path / "t.npz"), x=x)
        np.testing.assert_array_equal(source.parts[0].X[:], expected)


@pytest.mark.parametrize("channels", [1, 3])
def test_encoded_pictures_of_a_source_are_seen_as_single_ones_are(tmp_path, monkeypatch, channels):
    """In parquet and zip, of other sizes, by a model that learned from pixels of 0 to 16."""
    import io
    import zipfile

    pa = pytest.importorskip("pyarrow")
    monkeypatch.setenv("LINPROBE_DATA", str(tmp_path / "cache"))
    model = make_classifier(shape=(6, 5, channels), loss="hinge", white=16.0)
    encoded = [picture(values) for values in (*pictures(3, 6, 5, channels), *pictures(2, 40, 30, channels))]
    alone = []
    for number, content in enumerate(encoded):
        (tmp_path / f"{number}.png").write_bytes(content)
        alone += [batch.scores[0] for batch in open_array(model, tmp_path / f"{number}.png").batches(model)]
    table = pa.table({"image": [{"bytes": each, "path": None} for each in encoded], "key": list("abcde")})
    importlib.import_module("pyarrow.parquet").write_table(table, tmp_path / "s.parquet")
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for number, content in enumerate(encoded):
            archive.writestr(f"in/{number}.png", content)
    (tmp_path / "s.zip").write_bytes(buffer.getvalue())
    for name, ids in (("s.parquet", list("abcde")), ("s.zip", [f"in/{number}.png" for number in range(5)])):
        assert is_source(model, str(tmp_path / name))
        table = written(model, tmp_path / name, tmp_path / f"{name}.csv")
        assert table["id"] == ids
        found = np.array([table[f"score_{name}"] for name in CLASSES], float).T
        np.testing.assert_allclose(found, alone, rtol=1e-9)


def test_a_test_split_alone_can_be_predicted(model, tmp_path):
    X = rows(4)
    np.savez(tmp_path / "s.npz", X_test=X)
    check(model, X, written(model, tmp_path / "s.npz", tmp_path / "p.csv"), range(4))


def test_labels_in_a_file_beside_it_are_not_opened(model, tmp_path):
    np.savez(tmp_path / "s.npz", X=rows(4))
    (tmp_path / "s_labels.npy").write_bytes(b"\x93NUMPY, and then nothing")
    assert len(open_source(model, str(tmp_path / "s.npz"))) == 4


def test_an_array_of_another_layout_is_a_source_where_it_is_one(tmp_path):
    model = make_classifier(shape=(6, 5, 3), loss="softmax")
    X = pictures(4)
    np.save(tmp_path / "first.npy", X.transpose(0, 3, 1, 2))
    np.save(tmp_path / "as.npy", X)
    np.save(tmp_path / "other.npy", X[:, :4])
    assert [is_source(model, str(tmp_path / f"{name}.npy")) for name in ("first", "as", "other")] == [
        True,
        False,
        False,
    ]
    (batch,) = open_source(model, str(tmp_path / "first.npy")).batches(model)
    np.testing.assert_array_equal(batch.scores, model.decision_function(X, np.float64))


def test_what_is_not_finite_leaves_no_table(model, tmp_path, small_chunks):
    X = rows()
    X[33, 2] = np.nan
    np.savez(tmp_path / "s.npz", X=X)
    with pytest.raises(DataError, match="feature 2 of row 33 is not a finite"):
        written(model, tmp_path / "s.npz", tmp_path / "p.csv")
    assert len(small_chunks) == 4  # it had begun
    assert [path.name for path in tmp_path.iterdir()] == ["s.npz"]


def test_other_shapes_and_endings_are_refused(model, tmp_path):
    np.savez(tmp_path / "s.npz", X=rows()[:, :4])
    with pytest.raises(DataError, match=r"s\.npz: examples have the shape 4, this model was trained on 6"):
        open_source(model, str(tmp_path / "s.npz"))
    for name in ("p.txt", "p"):
        with (
            pytest.raises(UsageError, match=r"written as \.csv or \.parquet"),
            prediction_table(tmp_path / name, model),
        ):
            pass
    with prediction_table(tmp_path / "none.csv", model):
        pass
    assert not (tmp_path / "none.csv").exists()


def test_a_model_of_a_table_finds_its_columns_in_another_table(tmp_path):
    pytest.importorskip("pyarrow")
    from linprobe.tasks.tune import Options, tune

    rng = np.random.default_rng(0)
    y = np.arange(200) % 2
    X = (rng.normal(size=(200, 3)) + np.array([3, 0, -5]) * y[:, None]).astype(np.float32)
    for name, order in (("s", ["a", "b", "c"]), ("t", ["c", "a", "b"])):
        columns = X[:, ["abc".index(letter) for letter in order]].tolist()
        lines = [
            f"{','.join(map(repr, row))},{'no' if label else 'yes'}" for row, label in zip(columns, y, strict=True)
        ]
        (tmp_path / f"{name}.csv").write_text("\n".join([",".join([*order, "label"]), *lines]) + "\n")
    model = tune(linprobe.open_dataset(tmp_path / "s.csv"), Options(regs=np.array([0.01]))).classifier
    assert model.feature_names == ("a", "b", "c")
    for name in ("s", "t"):
        check(model, X, written(model, tmp_path / f"{name}.csv", tmp_path / f"{name}.out.csv"), range(200))


@pytest.mark.parametrize("ids", [np.array([2**63 + 5, 1, 2], np.uint64), np.array([b"x", b"y", b"z"]), [7, 8, 9]])
def test_ids_are_as_the_source_has_them(model, tmp_path, ids):
    pytest.importorskip("pyarrow")
    np.savez(tmp_path / "s.npz", X=rows(3), id=ids)
    said = [one.decode() if isinstance(one, bytes) else str(one) for one in np.asarray(ids).tolist()]
    for ending in ("csv", "parquet"):
        assert list(map(str, written(model, tmp_path / "s.npz", tmp_path / f"p.{ending}")["id"])) == said

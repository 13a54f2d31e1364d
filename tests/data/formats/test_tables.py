"""Embeddings and labels in tables, text and Arrow, as people write them, against the values that were written."""

import csv
import json

import numpy as np
import pytest

from linprobe.data.formats import bounds, delimited, open_dataset
from linprobe.errors import DataError, LinprobeError, MissingDependencyError, UsageError

pa = pytest.importorskip("pyarrow")

N, D, K = 24, 5, 3
NAMES = ("ash", "birch", "cedar")
Y = np.arange(N) % K
S = [NAMES[k] for k in Y]
X = np.random.default_rng(0).normal(size=(N, D)).astype(np.float32)
IDS = [f"img_{row}" for row in range(N)]


def parquet(path, columns, features=None, rows=None):
    import pyarrow.parquet as pq

    table = pa.table(columns)
    if features:
        table = table.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})})
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, path, row_group_size=rows)


def feather(path, columns, compression="zstd"):
    import pyarrow.feather

    pyarrow.feather.write_feather(pa.table(columns), str(path), compression=compression, chunksize=7)


def stream(path, columns):
    table = pa.table(columns)
    with pa.ipc.new_stream(str(path), table.schema) as writer:
        writer.write_table(table, max_chunksize=7)


WRITERS = {
    "x.parquet": parquet,
    "groups.parquet": lambda path, columns: parquet(path, columns, rows=7),
    "x.feather": feather,
    "plain.feather": lambda path, columns: feather(path, columns, "uncompressed"),
    "x.arrow": stream,
}


def check(dataset, classes=NAMES, X: np.ndarray = X, y=Y):
    np.testing.assert_array_equal(np.asarray(dataset.train.X), X)
    np.testing.assert_array_equal(dataset.train.y, y)
    assert dataset.classes == tuple(classes)


def refused(source, kind: type[LinprobeError] = DataError, **choice):
    with pytest.raises(kind) as caught:
        open_dataset(source, **choice)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def text(path, rows, delimiter=",", **options):
    with path.open("w", newline="", **options) as file:
        csv.writer(file, delimiter=delimiter).writerows(rows)
    return path


def lists(values, kind="list"):
    match kind:
        case "large":
            return pa.array(values.tolist(), pa.large_list(pa.from_numpy_dtype(values.dtype)))
        case "fixed":
            return pa.FixedSizeListArray.from_arrays(pa.array(values.ravel()), values.shape[1])
        case _:
            return pa.array(values.tolist(), pa.list_(pa.from_numpy_dtype(values.dtype)))


# ---- Arrow, Feather and parquet


@pytest.mark.parametrize("name", WRITERS)
@pytest.mark.parametrize("kind", ["list", "large", "fixed"])
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "int8"])
def test_a_column_of_lists(tmp_path, name, kind, dtype):
    values = (X * 10).astype(dtype)
    WRITERS[name](tmp_path / name, {"id": IDS, "embedding": lists(values, kind), "label": S})
    dataset = open_dataset(tmp_path / name)
    check(dataset, X=values)
    assert dataset.train.X.dtype == dtype
    assert dataset.notes == ()


@pytest.mark.parametrize("name", WRITERS)
def test_columns_of_numbers(tmp_path, name):
    WRITERS[name](tmp_path / name, {**{f"emb_{j}": X[:, j] for j in range(D)}, "age": np.arange(N), "label": S})
    dataset = open_dataset(tmp_path / name)
    check(dataset)
    assert dataset.notes == ("The features are the 5 columns emb_0 to emb_4. Not used: age.",)


def test_numbered_columns_are_chosen_by_what_they_begin_with(tmp_path):
    columns = {f"{stem}{j}": X[:, j] * scale for stem, scale in (("a_", 1), ("b_", 2)) for j in range(D)}
    parquet(tmp_path / "x.parquet", columns | {"label": S})
    assert "those that begin with a_, b_; choose one, as --x a_" in refused(tmp_path / "x.parquet", UsageError)
    check(open_dataset(tmp_path / "x.parquet", x="b_"), X=X * 2)
    check(open_dataset(tmp_path / "x.parquet", x="a_*"))
    check(open_dataset(tmp_path / "x.parquet", x="a_3"), X=X[:, 3:4])


@pytest.mark.parametrize("label", [Y, Y.astype(np.uint8), pa.array(S).dictionary_encode(), S, [s.encode() for s in S]])
def test_labels_of_any_kind(tmp_path, label):
    parquet(tmp_path / "x.parquet", {"embedding": lists(X), "label": label})
    check(open_dataset(tmp_path / "x.parquet"), ("0", "1", "2") if isinstance(label, np.ndarray) else NAMES)


def test_names_of_classes_are_those_in_the_metadata(tmp_path):
    features = {"label": {"_type": "ClassLabel", "names": [*NAMES, "durian"]}}
    parquet(tmp_path / "x.parquet", {"embedding": lists(X), "label": Y}, features)
    check(open_dataset(tmp_path / "x.parquet"), (*NAMES, "durian"))


def test_missing_labels_are_left_out(tmp_path):
    parquet(tmp_path / "x.parquet", {"embedding": lists(X), "label": [None, *Y[1:].tolist()]}, rows=5)
    dataset = open_dataset(tmp_path / "x.parquet")
    check(dataset, ("0", "1", "2"), X[1:], Y[1:])
    assert dataset.notes == ("train: 1 of 24 rows has no label (-1 or missing) and is left out.",)


@pytest.mark.parametrize(
    ("train", "val", "test"),
    [
        (
            "data/train-00000-of-00001.parquet",
            "data/validation-00000-of-00001.parquet",
            "data/test-00000-of-00001.parquet",
        ),
        ("default/train/0000.parquet", "default/validation/0000.parquet", "default/test/0000.parquet"),
        ("train-00000-of-00001-566cc9b19d7203f8.parquet", "dev.parquet", "test.parquet"),
        ("train.csv", "val.csv", "test.csv"),
    ],
)
def test_splits_as_hubs_lay_them_out(tmp_path, train, val, test):
    parts = {"train": slice(0, 14), "val": slice(14, 18), "test": slice(18, N)}
    for name, cut in zip((train, val, test), parts.values(), strict=True):
        if name.endswith(".csv"):
            text(
                tmp_path / name,
                [
                    ["label", "a", "b"],
                    *([s, *map(repr, map(float, r[:2]))] for s, r in zip(S[cut], X[cut], strict=True)),
                ],
            )
        else:
            parquet(tmp_path / name, {"embedding": lists(X[cut, :2]), "label": S[cut]})
    dataset = open_dataset(tmp_path)
    assert {name for name, _ in dataset.splits()} == set(parts)
    for name, examples in dataset.splits():
        np.testing.assert_array_equal(np.asarray(examples.X), X[parts[name], :2])
        np.testing.assert_array_equal(examples.y, Y[parts[name]])


def test_shards_of_vectors_beside_shards_of_their_table(tmp_path):
    for number, cut in enumerate((slice(0, 10), slice(10, N))):
        parquet(tmp_path / "metadata" / f"metadata_{number}.parquet", {"image_path": IDS[cut], "label": S[cut]})
        (tmp_path / "img_emb").mkdir(exist_ok=True)
        np.save(tmp_path / "img_emb" / f"img_emb_{number}.npy", X[cut])
    check(open_dataset(tmp_path))


def test_a_missing_shard_is_noticed(tmp_path):
    for number in (0, 2):
        parquet(tmp_path / f"train-{number:05}-of-00003.parquet", {"embedding": lists(X), "label": S})
    assert "number 1 is missing" in refused(tmp_path)


@pytest.mark.parametrize(
    ("values", "finding"),
    [
        ([[1.0, 2.0]] * 3 + [[1.0]], "row 3 of embedding has a list of 1, 2 as in the first row are expected"),
        ([[1.0, 2.0]] * 2 + [None, [1.0, 2.0]], "row 2 of embedding has no list"),
        ([[1.0, 2.0]] * 3 + [[1.0, None]], "row 3 of embedding has a gap in its list, 2 numbers are expected"),
        ([[[1.0, 2.0]]] * 3 + [[[1.0]]], "row 3 of embedding has a list of 1, 2 as in the first row"),
    ],
)
def test_lists_that_differ_are_refused(tmp_path, values, finding):
    parquet(tmp_path / "x.parquet", {"embedding": values, "label": ["a", "b", "a", "b"]})
    assert finding in refused(tmp_path / "x.parquet")


def test_lists_in_lists_of_one(tmp_path):
    parquet(tmp_path / "x.parquet", {"embedding": X[:, None].tolist(), "label": S})
    check(open_dataset(tmp_path / "x.parquet"))


def test_a_gap_in_integers_is_named(tmp_path):
    parquet(tmp_path / "x.parquet", {"a": [1, None, 3], "b": [1, 2, 3], "label": ["a", "b", "a"]})
    assert "row 1 has no value in a, counted from 0; a linear" in refused(tmp_path / "x.parquet")
    parquet(tmp_path / "y.parquet", {"a": [1, 2, None], "b": [1, None, None], "label": ["a", "b", "a"]})
    assert "row 1 has no value in b, counted from 0, the first of 3 gaps; a" in refused(tmp_path / "y.parquet")


def test_two_label_columns_are_chosen_between_by_the_user(tmp_path):
    parquet(
        tmp_path / "x.parquet", {"embedding": lists(X), "fine_label": S, "coarse_label": Y // 2, "when": [None] * N}
    )
    message = refused(tmp_path / "x.parquet", UsageError)
    assert "several could be the labels: fine_label (text 24), coarse_label (int64 24)" in message
    check(open_dataset(tmp_path / "x.parquet", label="fine_label"))
    check(open_dataset(tmp_path / "x.parquet", label="coarse_label"), ("0", "1"), y=Y // 2)


def test_what_does_not_fit_into_memory_is_refused_beforehand(tmp_path, monkeypatch):
    parquet(tmp_path / "x.parquet", {"embedding": lists(X), "label": S})
    monkeypatch.setattr(bounds, "memory", lambda: N * D * 4 - 1)
    assert "24 rows of 5 numbers need 480 bytes of memory, this machine has 479" in refused(tmp_path / "x.parquet")


# ---- text


@pytest.mark.parametrize("delimiter", [",", "\t", ";", "|", " "])
@pytest.mark.parametrize("header", [True, False])
def test_a_table_with_any_delimiter(tmp_path, delimiter, header):
    rows = [[*map(repr, map(float, row)), name] for row, name in zip(X, S, strict=True)]
    names = [[*(f"e{j}" for j in range(D)), "species"]] if header else []
    dataset = open_dataset(text(tmp_path / "x.csv", names + rows, delimiter))
    check(dataset)
    assert dataset.notes == (f"The labels are in the column {'species' if header else D}, the only one of texts.",)


def test_integer_labels_by_name_and_row_numbers_as_pandas_writes_them(tmp_path):
    rows = [
        ["", "0", "1", "label"],
        *([i, float(a), float(b), k] for i, ((a, b), k) in enumerate(zip(X[:, :2], Y, strict=True))),
    ]
    check(open_dataset(text(tmp_path / "x.csv", rows)), ("0", "1", "2"), X[:, :2])


def test_row_numbers_and_folds_are_no_features(tmp_path):
    columns = {"a": X[:, 0], "b": X[:, 1], "__index_level_0__": np.arange(N), "fold": Y, "label": S}
    parquet(tmp_path / "x.parquet", columns)
    dataset = open_dataset(tmp_path / "x.parquet")
    check(dataset, X=X[:, :2])
    assert dataset.notes == ("The features are the 2 columns a to b. Not used: __index_level_0__, fold.",)


def test_a_column_that_is_not_all_numbers_is_left_out_and_reported(tmp_path):
    rows = [
        ["a", "b", "label"],
        *([a if row else "?", b, s] for row, (a, b, s) in enumerate(zip(Y, Y, S, strict=True))),
    ]
    dataset = open_dataset(text(tmp_path / "x.csv", rows))
    check(dataset, X=Y[:, None])
    assert dataset.notes == ("The features are in the column b. Not used: a.",)


def tables(folder, test):
    rows = [[a + 0.5, b, s] for a, b, s in zip(range(N), Y.tolist(), S, strict=True)]
    text(folder / "train.csv", [["a", "b", "label"], *rows])
    text(folder / "test.csv", test)


def test_integers_may_be_all_that_one_split_has(tmp_path):
    tables(tmp_path, [["b", "label", "a"], *([k, s, 7] for k, s in zip(Y, S, strict=True))])
    dataset = open_dataset(tmp_path)
    assert dataset.test is not None
    assert dataset.test.X.dtype == dataset.train.X.dtype == np.float64
    np.testing.assert_array_equal(np.asarray(dataset.test.X), np.column_stack([np.full(N, 7), Y]))


def test_integers_may_be_all_that_one_part_has(tmp_path):
    head = ["a", "b", "label"]
    text(tmp_path / "train_0.csv", [head, *([k, k + 0.5, k] for k in Y[:9])])
    text(tmp_path / "train_1.csv", [head, *([k, k, k] for k in Y[9:])])
    second = np.where(np.arange(N) < 9, Y + 0.5, Y)
    check(open_dataset(tmp_path), ("0", "1", "2"), np.column_stack([Y, second]))


@pytest.mark.parametrize("absent", ["a", "b"])
def test_a_split_that_lacks_a_column_is_refused(tmp_path, absent):
    kept = "b" if absent == "a" else "a"
    tables(tmp_path, [[kept, "label"], *([k, s] for k, s in zip(Y, S, strict=True))])
    assert f"test has no {absent}, which train has; give all splits the same columns" in refused(tmp_path)


def test_a_split_with_text_among_its_numbers_is_refused(tmp_path):
    tables(tmp_path, [["a", "b", "label"], *([0, "?", s] for s in S)])
    assert "test.csv: b is text 24, and int64 24 in train; correct what is no number" in refused(tmp_path)


def test_pixels_behind_their_label(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (N, 4))
    rows = [["label", "1x1", "1x2", "2x1", "2x2"], *([k, *row] for k, row in zip(Y, pixels.tolist(), strict=True))]
    check(open_dataset(text(tmp_path / "mnist.csv", rows)), ("0", "1", "2"), pixels)


@pytest.mark.parametrize(
    "form", [json.dumps, lambda row: str(np.array(row)), lambda row: f"[{' '.join(map(str, row))}]"]
)
def test_a_column_of_lists_as_text(tmp_path, form):
    values = np.round(X, 4)
    rows = [
        ["id", "label", "embedding"],
        *([i, s, form(row)] for i, s, row in zip(IDS, S, values.tolist(), strict=True)),
    ]
    check(open_dataset(text(tmp_path / "x.csv", rows)), X=values)


def test_labels_in_a_table_beside_a_table_without_header(tmp_path):
    text(tmp_path / "some.tsv", X.astype(float).tolist(), "\t")
    text(tmp_path / "some_labels.tsv", [["class", "examples"], *zip(S, IDS, strict=True)], "\t")
    check(open_dataset(tmp_path / "some.tsv"))
    (tmp_path / "some_labels.tsv").rename(tmp_path / "kinds.tsv")
    assert "no labels found" in refused(tmp_path / "some.tsv", UsageError)
    check(open_dataset(tmp_path / "some.tsv", label="kinds.tsv"))


@pytest.mark.parametrize("end", ["\n", "\n\n", "", "\r\n"])
@pytest.mark.parametrize("labels", [S, Y.tolist()])
def test_labels_one_a_line(tmp_path, end, labels):
    np.save(tmp_path / "features.npy", X)
    (tmp_path / "labels.txt").write_bytes(("\n".join(map(str, labels)) + end).encode())
    check(open_dataset(tmp_path / "features.npy"), NAMES if labels is S else ("0", "1", "2"))
    check(open_dataset(tmp_path), NAMES if labels is S else ("0", "1", "2"))


def test_names_of_classes_one_a_line(tmp_path):
    np.save(tmp_path / "features.npy", X)
    np.save(tmp_path / "labels.npy", Y)
    (tmp_path / "classes.txt").write_text("\n".join(NAMES))
    (tmp_path / "README.txt").write_text("of no interest")
    check(open_dataset(tmp_path))


def test_a_byte_order_mark_and_names_of_other_letters(tmp_path):
    rows = [
        ["größe", "länge", "label"],
        *([float(a), float(b), f"ä{k}"] for (a, b), k in zip(X[:, :2], Y, strict=True)),
    ]
    check(open_dataset(text(tmp_path / "x.csv", rows, encoding="utf-8-sig")), ("ä0", "ä1", "ä2"), X[:, :2])


def test_na_and_empty_texts(tmp_path):
    rows = [["a", "label"], *([float(row[0]), ("NA", "", "DE")[k]] for row, k in zip(X, Y, strict=True))]
    dataset = open_dataset(text(tmp_path / "x.csv", rows))
    check(dataset, ("DE", "NA"), X[Y != 1, :1], np.where(Y[Y != 1] == 0, 1, 0))
    assert "8 of 24 rows have no label" in dataset.notes[0]


@pytest.mark.parametrize(
    ("content", "finding"),
    [
        (b"", "is empty"),
        (b"a,label\n1,x\n2\n", "is not an intact CSV file"),
        ("a,label\n1,x\n".encode("utf-16"), "is not text in UTF-8"),
        (b"a,label\n1,x\0\n", "is not text in UTF-8"),
        (b"a,label\n1,\xff\xfe\n2,b\n", "row 0 has label"),
        (b" , \n1,b\n", "its first line is empty"),
    ],
)
def test_what_is_no_table_is_said_in_one_line(tmp_path, content, finding):
    (tmp_path / "x.csv").write_bytes(content)
    assert finding in refused(tmp_path / "x.csv")


def test_without_pyarrow_the_way_to_install_it_is_said(tmp_path, monkeypatch):
    text(tmp_path / "x.csv", [["a", "label"], [1, "x"]])
    monkeypatch.setitem(__import__("sys").modules, "pyarrow.csv", None)
    assert "pip install './linprobe[parquet]'" in refused(tmp_path / "x.csv", MissingDependencyError)


@pytest.mark.parametrize(
    ("lines", "delimiter", "header"),
    [
        ("a,b\n1,2\n", ",", True),
        ("1,2\n3,4\n", ",", False),
        ("0,1,2\n3.5,4,5\n", ",", True),
        (",0,1\n0,3,4\n", ",", True),
        ('id;text\n1;"a, b; c"\n2;"d, e"\n', ";", True),
        ('id\tvector\n1\t"[1, 2, 3]"\n2\t"[4, 5, 6]"\n', "\t", True),
        ("5.1 3.5 setosa\n4.9 3.0 setosa\n", " ", False),
        ("label\ncat\ndog\n", ",", True),
        ("3\n1\n", ",", False),
    ],
)
def test_the_layout_of_a_table_is_found_out(tmp_path, lines, delimiter, header):
    (tmp_path / "x.csv").write_text(lines)
    assert delimited._layout(tmp_path / "x.csv") == (delimiter, header)


ROWS = [[row, row / 2, f"n{row}", "" if row < 90 else row, 0 if row < 80 else 0.25, row % 2 == 0] for row in range(100)]
STREAMED = {
    "a header": [["a", "b", "c", "d", "e", "f"], *ROWS],
    "no header": [[row[0], row[1]] for row in ROWS],
    "texts at the end": [["a", "y"], *([row, row] for row in range(50)), ["x", 3]],
    "line ends in cells": [["a", "y"], ["x\ny", 1], ["z", 2]],
    "lists as texts": [["emb", "y"], *([f"[{row}, 2.5]", row % 2] for row in range(50))],
    "one name twice": [["a", "a"], *ROWS[0:20]],
    "no rows": [["a", "y"]],
}


@pytest.mark.parametrize("case", STREAMED)
def test_a_text_table_read_in_blocks_is_the_one_read_at_once(case, tmp_path, monkeypatch):
    rows = [row[:2] if case == "one name twice" else row for row in STREAMED[case]]
    with (tmp_path / "x.csv").open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    whole = delimited.entries_of_table(tmp_path / "x.csv")
    monkeypatch.setattr(delimited, "STREAMED_FROM", 0)
    monkeypatch.setattr(delimited, "BLOCK", 200)
    monkeypatch.setattr(delimited, "refuse_too_large", None)  # which is called where a table is held as a whole
    for one, other in zip(whole, delimited.entries_of_table(tmp_path / "x.csv"), strict=True):
        assert (one.name, one.shape, one.dtype, one.role) == (other.name, other.shape, other.dtype, other.role)
        first, second = np.asarray(one.load()), np.asarray(other.load())
        assert first.dtype == second.dtype
        np.testing.assert_array_equal(first, second)

"""Embeddings as a column of vectors: read as a matrix, or refused with the row and the way out."""

import json
import re
from typing import Any

import numpy as np
import pytest

from linprobe import Examples, ProbeSearch, SoftmaxClassifier
from linprobe.errors import UsageError

pandas = pytest.importorskip("pandas")
polars = pytest.importorskip("polars")
pyarrow = pytest.importorskip("pyarrow")

Y = np.arange(30) % 3
X = (np.random.default_rng(0).standard_normal((30, 4)) + 2 * np.eye(3, 4)[Y]).astype(np.float32)
TEXT = [json.dumps(row.tolist()) for row in X]


def of_arrow_lists():
    return pandas.Series(X.tolist(), dtype=pandas.ArrowDtype(pyarrow.list_(pyarrow.float32())), name="e")


COLUMNS: dict[str, Any] = {
    "series of arrays": lambda: pandas.Series(list(X)),
    "series of lists": lambda: pandas.Series(X.tolist(), index=np.arange(30) + 7),
    "frame of arrays": lambda: pandas.DataFrame({"e": list(X)}),
    "frame of lists": lambda: pandas.DataFrame({"e": X.tolist()}),
    "frame of tuples": lambda: pandas.DataFrame({"e": [tuple(row) for row in X.tolist()]}),
    "arrow series": of_arrow_lists,
    "arrow frame": lambda: of_arrow_lists().to_frame(),
    "arrow table": lambda: pyarrow.table({"e": X.tolist()}),
    "objects": lambda: pandas.Series(list(X)).to_numpy(),
    "column of objects": lambda: pandas.DataFrame({"e": list(X)}).to_numpy(),
    "list of arrays": lambda: list(X),
    "polars lists": lambda: polars.Series(X.tolist(), dtype=polars.List(polars.Float32)),
    "polars frame of lists": lambda: polars.DataFrame({"e": X.tolist()}),
    "polars arrays": lambda: polars.Series(X.tolist(), dtype=polars.Array(polars.Float32, 4)),
    "polars frame of arrays": lambda: polars.DataFrame(
        {"e": X.tolist()}, schema={"e": polars.Array(polars.Float32, 4)}
    ),
}


@pytest.mark.parametrize("form", COLUMNS)
def test_a_column_of_vectors_is_a_matrix(form):
    column = COLUMNS[form]()
    plain, model = SoftmaxClassifier().fit(X, Y), SoftmaxClassifier().fit(column, Y)
    assert model.n_features_in_ == 4
    np.testing.assert_allclose(model.coef_, plain.coef_, atol=1e-3)
    assert (model.predict(column) == plain.predict(X)).all()
    assert (plain.predict(column) == plain.predict(X)).all()


def test_vectors_keep_their_precision():
    column = pandas.Series(list(X.astype(np.float16)))
    assert SoftmaxClassifier().fit(column, Y).coef_.dtype == np.float32
    assert SoftmaxClassifier().fit(pandas.Series(X.astype(float).tolist()), Y).coef_.dtype == np.float64


@pytest.mark.parametrize("form", ["series of lists", "frame of arrays", "polars arrays", "polars frame of lists"])
def test_a_search_and_its_scores_read_columns_of_vectors(form):
    seen = []

    def score(estimator, part, y):
        seen.append(part.shape[1])
        return estimator.score(part, y)

    options: Any = {"param_grid": {"reg": [3.0, 0.1, 1e-3]}, "cv": 3, "scoring": score}
    found = ProbeSearch(**options).fit(COLUMNS[form](), Y)
    assert set(seen) == {4}
    expected = ProbeSearch(**options).fit(X, Y)
    assert found.cv_results_["mean_test_score"].tolist() == expected.cv_results_["mean_test_score"].tolist()
    assert found.score(COLUMNS[form](), Y) == expected.score(X, Y)


def refusal(column):
    with pytest.raises(UsageError) as caught:
        SoftmaxClassifier().fit(column, Y[: len(column)])
    message = str(caught.value)
    assert "\n" not in message
    return message


@pytest.mark.parametrize("form", ["series", "frame", "beside", "polars", "polars frame", "array", "list"])
@pytest.mark.parametrize("text", [TEXT, [str(row) for row in X], [str(tuple(row)) for row in X.tolist()]])
def test_text_of_vectors_is_refused_with_the_line_that_reads_it(form, text):
    column: Any = {
        "series": lambda: pandas.Series(text),
        "frame": lambda: pandas.DataFrame({"e": text}),
        "beside": lambda: pandas.DataFrame({"id": Y, "e": [None, *text[1:]]}),
        "polars": lambda: polars.Series(text),
        "polars frame": lambda: polars.DataFrame({"e": text}),
        "array": lambda: np.array(text),
        "list": lambda: text,
    }[form]()
    message = refusal(column)
    assert "holds vectors as text, such as " in message
    line = message.partition("read them first: ")[2]
    if form != "beside":
        np.testing.assert_allclose(eval(line, {"np": np, "json": json, "X": column}), X, rtol=1e-6)
    else:
        assert "in X['e']]" in line


def test_bytes_and_shortened_text_are_refused():
    line = refusal(pandas.Series([row.tobytes() for row in X])).partition("written in: ")[2]
    assert (eval(line, {"np": np, "X": [row.tobytes() for row in X]}) == X).all()
    long = pandas.Series([str(np.arange(2000.0)), str(np.arange(2000.0))])
    assert re.match(r"X holds vectors as shortened text, '\[.*' *, and most numbers are lost; save", refusal(long))


@pytest.mark.parametrize(
    ("column", "words"),
    [
        (
            pandas.DataFrame({"e": [[1.0, 2.0], [3.0, 4.0], [5.0]]}),
            r"X\['e'\] has a vector of length 1 at row 2, but 2",
        ),
        (polars.Series([[1.0, 2.0], [3.0, 4.0], [5.0]]), "X has a vector of length 1 at row 2, but 2 at row 0"),
        ([[1.0, 2.0], [3.0], [4.0, 5.0]], "X has a vector of length 1 at row 1, but 2 at row 0"),
        (pandas.Series([[1.0, 2.0], None, [3.0, 4.0]]), "X has 'None' at row 1, .* drop the row"),
        (pandas.Series([None, [1.0], [2.0]]), "X has 'None' at row 0"),
        (pandas.Series([[1.0], float("nan"), [2.0]]), "X has 'nan' at row 1"),
        (pandas.Series([[1.0], pandas.NA, [2.0]]), "X has '<NA>' at row 1"),
        (pandas.Series([np.zeros((5, 4))] * 3), "X has a vector of 5 vectors at row 0, .* pool them"),
        (pandas.Series([[1.0, np.nan], [2.0, 3.0], [4.0, 5.0]]), "NaN at row 0, column 1"),
        (
            pandas.DataFrame({"e": [[1.0], [2.0], [3.0]], "label": Y[:3]}),
            r"X\['e'\] holds vectors, and X has 1 other column; give the vectors alone, as X\['e'\]",
        ),
        (polars.DataFrame({"id": Y[:3], "e": [[1.0]] * 3, "k": Y[:3]}), r"X\['e'\] .* has 2 other columns; .* alone"),
        (
            pandas.DataFrame({"id": Y[:3], "e": [[1.0]] * 3}).to_numpy(),
            r"X\[:, 1\] holds vectors, .* alone, as X\[:, 1\]",
        ),
    ],
)
def test_columns_that_are_no_matrix(column, words):
    assert re.search(words, refusal(column))


@pytest.mark.parametrize(
    "column",
    [
        pandas.DataFrame({"a": ["x", "y", "z"]}),
        [["a", "b"]] * 3,
        pandas.Series([["a", "b"]] * 3),
        pandas.Series([{"a": 1}] * 3),
    ],
)
def test_what_holds_no_vectors_is_left_to_scikit_learn(column):
    with pytest.raises((ValueError, TypeError)) as caught:
        SoftmaxClassifier().fit(column, Y[:3])
    assert "vector" not in str(caught.value)


def test_numbers_as_objects_and_as_text_are_still_read():
    plain = SoftmaxClassifier().fit(X.astype(float), Y)
    for form in (pandas.DataFrame(X.astype(object)), X.astype(object), pandas.DataFrame(X.astype(float).astype(str))):
        np.testing.assert_allclose(SoftmaxClassifier().fit(form, Y).coef_, plain.coef_, atol=1e-6)


def of_torch(rows=X):
    return pytest.importorskip("torch").tensor(rows, requires_grad=True).bfloat16()


@pytest.mark.parametrize("form", ["arrays", "frames", "tensors", "rows of tensors", "files"])
def test_shards_and_tensors_are_a_matrix_too(tmp_path, form):
    parts = X[:11], X[11:]
    for place, part in enumerate(parts):
        np.save(tmp_path / f"{place}.npy", part)
    given: Any = {
        "arrays": lambda: list(parts),
        "frames": lambda: [pandas.DataFrame(part) for part in parts],
        "tensors": lambda: [of_torch(part) for part in parts],
        "rows of tensors": lambda: list(of_torch()),
        "files": lambda: [tmp_path / "0.npy", str(tmp_path / "1.npy")],
    }[form]()
    plain = SoftmaxClassifier().fit(of_torch() if "tensors" in form else X, Y)
    model = SoftmaxClassifier().fit(given, Y)
    np.testing.assert_array_equal(model.coef_, plain.coef_)
    assert (model.predict(given) == plain.predict(X)).all()
    data = Examples(given, Y)
    np.testing.assert_allclose(data.X[:], X, atol=0.05 if "tensors" in form else 0)
    assert isinstance(data.X, np.ndarray) == (form == "rows of tensors")


@pytest.mark.parametrize("form", COLUMNS)
def test_examples_of_a_data_set_go_through_the_same_door(form):
    np.testing.assert_allclose(Examples(COLUMNS[form](), Y).X, X)


def test_what_is_no_matrix_is_refused_by_examples_alike(tmp_path):
    for column in ([[1.0, 2.0], [3.0]], [X, X[:, :2]], pandas.Series(TEXT)):
        with pytest.raises(UsageError) as caught:
            Examples(column, Y)
        assert refusal(column) == str(caught.value)
    np.save(tmp_path / "texts.npy", np.array(["a", "b"]))
    assert "texts.npy: holds objects or texts, and a shard" in refusal([tmp_path / "texts.npy"])

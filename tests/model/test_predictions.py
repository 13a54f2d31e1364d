"""test_predictions.csv: read as pandas reads it and as it was written; the fingerprint is of the rows alone."""

import numpy as np
import pandas as pd
import pytest

from linprobe.data.dataset import Examples
from linprobe.data.prepare import Preparation
from linprobe.errors import DataError
from linprobe.model import Model, Provenance
from linprobe.model.evidence import observe
from linprobe.model.predictions import Predictions

ODD = ('cat, "big"', "dog\nwith a line", "naïve 猫", "\ud800")
READABLE = (*ODD[:3], "=1+1")  # by readers that refuse half a letter


def examples(seed=0, groups=None):
    """Eight rows of twelve, not in their order."""
    rng = np.random.default_rng(seed)
    every = Examples(rng.standard_normal((12, 3)).astype(np.float32), np.arange(12) % 4, groups)
    return every.lazily().take(np.array([9, 2, 11, 0, 5, 4, 7, 3]))


def classifier(classes=ODD):
    W = np.random.default_rng(1).standard_normal((3, 4)).astype(np.float32)
    return Model(
        W, np.zeros(4, np.float32), classes, Preparation(np.zeros(3, np.float32), (3,)), Provenance(loss="hinge")
    )


def test_another_reader_finds_what_the_model_predicts(tmp_path):
    model, data = classifier(READABLE), examples(groups=np.array([7, 7, 8, 8] * 3))
    found = observe(model, data).predictions
    assert found is not None
    found.write(tmp_path / "test.csv")
    table = pd.read_csv(tmp_path / "test.csv", keep_default_na=False)
    assert table.columns.tolist() == ["row", "label", "predicted", "group"]
    assert table["row"].tolist() == [0, 2, 3, 4, 5, 7, 9, 11]
    every = examples().X.places()
    scores = np.asarray(data.X.read(slice(None), np.zeros(1, np.float32)), np.float64) @ model.W.astype(np.float64)
    best = dict(zip(every.tolist(), scores.argmax(axis=1).tolist(), strict=True))
    assert table["predicted"].tolist() == [READABLE[best[row]] for row in table["row"]]
    assert table["label"].tolist() == [READABLE[row % 4] for row in table["row"]]
    assert table["group"].tolist() == [7 if row % 4 < 2 else 8 for row in table["row"]]


@pytest.mark.parametrize("groups", [None, np.array(["a", "b", "c"] * 4), np.array([b"x", b"\xff"] * 6)])
def test_what_is_written_is_read(groups, tmp_path):
    written = observe(classifier(), examples(groups=groups)).predictions
    assert written is not None
    written.write(tmp_path / "test.csv")
    found = Predictions.read(tmp_path / "test.csv")
    np.testing.assert_array_equal(found.rows, written.rows)
    np.testing.assert_array_equal(found.right, written.right)
    for name in ("labels", "predicted"):
        told = [[one.classes[k] for k in getattr(one, name)] for one in (found, written)]
        assert told[0] == told[1]
    assert found.fingerprint == written.fingerprint
    assert (found.groups is None) == (groups is None)
    if groups is not None:
        assert found.groups is not None
        assert written.groups is not None
        assert found.groups.tolist() == written.groups.tolist()


def test_the_fingerprint_is_of_the_rows_and_their_classes_whatever_the_features_and_the_order_of_names():
    one = observe(classifier(), examples(seed=0)).predictions
    other = observe(classifier(), examples(seed=5)).predictions
    assert one is not None
    assert other is not None
    assert one.fingerprint == other.fingerprint
    turned = Predictions(one.rows, 3 - one.labels, 3 - one.predicted, ODD[::-1])
    assert turned.fingerprint == one.fingerprint
    for rows, labels in (
        (one.rows + 1, one.labels),
        (one.rows, np.roll(one.labels, 1)),
        (one.rows[:-1], one.labels[:-1]),
    ):
        assert Predictions(rows, labels, labels, ODD).fingerprint != one.fingerprint


GOOD = "row,label,predicted\n0,a,b\n3,b,b\n"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "cannot be read"),
        ("row,label\n0,a\n", "has the columns row, label"),
        ("row,label,predicted\n", "holds no row"),
        (GOOD + "4,a\n", "line 4 is not a row number"),
        (GOOD + "x,a,b\n", "line 4 is not a row number"),
        (GOOD + "-4,a,b\n", "line 4 is not a row number"),
        (GOOD + "9" * 30 + ",a,b\n", "line 4 is not a row number"),
        (GOOD + "3,a,b\n", "do not ascend"),
        (GOOD + '4,"a,b\n', "cannot be read"),
        (GOOD + "4," + "a" * (2**20 + 1) + ",b\n", "cannot be read"),
    ],
)
def test_a_damaged_file_is_one_line_that_names_it(text, said, tmp_path):
    path = tmp_path / "test.csv"
    path.write_text(text)
    with pytest.raises(DataError, match=said) as error:
        Predictions.read(path)
    assert str(error.value).startswith(f"{path}: ")
    assert "\n" not in str(error.value)
    path.write_text(GOOD)
    assert Predictions.read(path).right.tolist() == [False, True]

"""`linprobe predict` on whole sources, and --out, as a user types it."""

import csv
import json
from dataclasses import replace

import numpy as np
import pytest

from linprobe import load
from makers import picture, pictures  # pyright: ignore[reportMissingImports]
from models import make_classifier  # pyright: ignore[reportMissingImports]

SHAPE = (6, 5, 3)
X = np.random.default_rng(0).normal(100, 30, (50, 90)).astype(np.float32)
NAMES = [f"row {place}" for place in range(50)]


@pytest.fixture
def folder(tmp_path):
    for name, shape, loss in (("pictures", SHAPE, "softmax"), ("rows", (90,), "softmax"), ("svm", (90,), "hinge")):
        steep = make_classifier(shape=shape, loss=loss)
        replace(steep, W=steep.W / 1000, b=steep.b / 100).save(tmp_path / name)
    np.savez(tmp_path / "s.npz", X=X, ids=np.array(NAMES))
    (tmp_path / "photos" / "cats").mkdir(parents=True)
    for name, pixels in zip(("b.png", "a.png", "cats/c.png"), pictures(3), strict=True):
        (tmp_path / "photos" / name).write_bytes(picture(pixels))
    return tmp_path


def read(path):
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def expected(model, examples):
    scores = model.decision_function(examples, np.float64)
    return [model.classes[k] for k in model.predict(examples)], scores


def test_the_first_rows_are_shown_and_how_many_there_are(run, folder):
    status, out, err = run("predict", "rows", "s.npz")
    assert (status, err) == (0, "note: The ids of the rows are in the array ids.\n")
    lines = [line.split() for line in out.splitlines() if line.strip()]
    assert lines[:2] == [["s.npz"], ["id", "class", "probability", "score"]]
    labels, scores = expected(load(folder / "rows"), X)
    assert [line[:3] for line in lines[2:22]] == [["row", str(place), label] for place, label in enumerate(labels[:20])]
    assert [float(line[-1]) for line in lines[2:22]] == pytest.approx(scores[:20].max(axis=1), abs=1e-4)
    assert " ".join(lines[-1]).startswith("The first 20 of 50 rows; --out FILE.csv or FILE.parquet writes them all.")
    assert "its scores are not probabilities" in run("predict", "svm", "s.npz")[1]


def test_json_has_every_row_with_its_id(run, folder):
    status, out, _ = run("predict", "rows", "s.npz", "--json", "--top", "1")
    assert status == 0
    found = json.loads(out)["predictions"]
    labels, _ = expected(load(folder / "rows"), X)
    assert [(one["file"], one["row"], one["id"], one["class"]) for one in found] == [
        ("s.npz", place, f"row {place}", label) for place, label in enumerate(labels)
    ]


def test_a_table_has_probabilities_or_scores_of_all_rows(run, folder):
    status, out, _ = run("predict", "rows", "s.npz", "--out", "p.csv")
    assert status == 0
    labels, scores = expected(load(folder / "rows"), X)
    table = read(folder / "p.csv")
    assert list(table[0]) == ["id", "label", "probability_cat", "probability_dog", "probability_owl"]
    assert [(row["id"], row["label"]) for row in table] == list(zip(NAMES, labels, strict=True))
    numbers = [[float(row[name]) for name in list(row)[2:]] for row in table]
    np.testing.assert_allclose(numbers, load(folder / "rows").probabilities(scores), rtol=1e-12)
    lines = [line.split() for line in out.splitlines() if line.strip()]
    assert lines[:3] == [
        ["Predictions"], ["file", "p.csv", "50", "rows"],
        ["columns", "id,", "label,", "probability_cat", "and", "2", "more"],
    ]  # fmt: skip
    times = {line[0]: int(line[1]) for line in lines[4:]}
    assert times == {label: labels.count(label) for label in sorted(set(labels), key=labels.count, reverse=True)}

    assert run("predict", "svm", "s.npz", "--out", "q.csv")[0] == 0
    numbers = [[float(row[f"score_{name}"]) for name in ("cat", "dog", "owl")] for row in read(folder / "q.csv")]
    np.testing.assert_allclose(numbers, expected(load(folder / "svm"), X)[1], rtol=1e-12)


def test_folders_of_pictures_and_several_inputs_in_one_table(run, folder):
    np.save(folder / "three.npy", pictures(3, seed=5))
    (folder / "photos" / "words.png").write_text("words")
    status, out, err = run("predict", "pictures", "photos", "three.npy", "gone.png", "--out", "p.csv", "--json")
    assert status == 1
    errors = json.loads(out)["errors"]
    assert [line.removeprefix("linprobe: ") for line in err.splitlines()] == errors
    assert [error.partition(":")[0] for error in errors] == ["photos/words.png", "gone.png"]
    table = read(folder / "p.csv")
    assert [(row["input"], row["id"]) for row in table] == [
        *(("photos", name) for name in ("a.png", "b.png", "cats/c.png")),
        *(("three.npy", str(row)) for row in range(3)),
    ]  # fmt: skip
    first = pictures(3)[[1, 0, 2]]
    labels, _ = expected(load(folder / "pictures"), np.concatenate([first, pictures(3, seed=5)]))
    assert [row["label"] for row in table] == labels
    assert json.loads(out) | {"errors": []} == {
        "model": "pictures", "out": "p.csv", "rows": 6, "columns": list(table[0]), "errors": [],
        "predicted": {name: labels.count(name) for name in ("cat", "dog", "owl")},
    }  # fmt: skip

    assert run("predict", "pictures", "photos", "--out", "photos.csv")[0] == 1
    assert [row["id"] for row in read(folder / "photos.csv")] == ["a.png", "b.png", "cats/c.png"]


def test_a_single_example_that_is_damaged_does_not_stop_the_next(run, folder):
    (folder / "arrays").mkdir()
    for name, value in (("a", 1.0), ("b", np.nan), ("c", 3.0)):
        np.save(folder / "arrays" / f"{name}.npy", np.full(90, value, np.float32))
    np.save(folder / "arrays" / "d.npy", X[:2])
    status, _, err = run("predict", "rows", "arrays", "--out", "p.csv")
    assert (status, err.count("\n")) == (1, 1)
    assert "arrays/b.npy: feature 0 is not a finite" in err
    assert [row["id"] for row in read(folder / "p.csv")] == ["a.npy", "c.npy", "d.npy/0", "d.npy/1"]


def test_where_nothing_can_be_predicted_there_is_no_table(run, folder):
    status, out, err = run("predict", "pictures", "gone.png", "--out", "p.csv")
    assert (status, out, err.count("\n")) == (1, "", 1)
    np.savez(folder / "bad.npz", X=np.where(np.arange(90) == 7, np.nan, X))
    status, out, err = run("predict", "rows", "bad.npz", "--out", "p.csv")
    assert (status, out, err.count("\n")) == (1, "", 1)
    assert "bad.npz: feature 7 of row 0 is not a finite" in err
    assert not (folder / "p.csv").exists()


WRONG = {
    "an earlier table": (["rows", "s.npz", "--out", "mine.csv"], "mine.csv: exists; name another file"),
    "another ending": (["rows", "s.npz", "--out", "p.xls"], "written as .csv or .parquet"),
    "force alone": (["rows", "s.npz", "--force"], "--force: "),
    "several arrays": (["rows", "two.npz"], "--x one; linprobe describe two.npz shows what is in it"),
    "no such array": (["rows", "two.npz", "--x", "four"], "--x four: is not in two.npz"),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_usage_gets_one_line(case, run, folder):
    arguments, words = WRONG[case]
    (folder / "mine.csv").write_text("mine")
    np.savez(folder / "two.npz", one=X, two=X)
    status, out, err = run("predict", *arguments)
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert words in err
    assert (folder / "mine.csv").read_text() == "mine"


def test_x_chooses_and_force_replaces(run, folder):
    np.savez(folder / "two.npz", one=X, two=X + 1)
    (folder / "p.csv").write_text("mine")
    assert run("predict", "rows", "two.npz", "--x", "two", "--out", "p.csv", "--force")[0] == 0
    assert [row["label"] for row in read(folder / "p.csv")] == expected(load(folder / "rows"), X + 1)[0]


def test_a_bar_is_for_terminals(on_terminal, folder):
    status, screen = on_terminal("predict", "rows", "s.npz", "--out", "p.csv")
    assert status == 0
    assert b"predicting" in screen
    assert b"predicted as" in screen

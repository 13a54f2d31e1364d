"""`linprobe predict` as a user types it: tables, JSON, and what wrong files get."""

import json
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from linprobe import load
from makers import picture, pictures  # pyright: ignore[reportMissingImports]
from models import CLASSES, make_classifier  # pyright: ignore[reportMissingImports]

SHAPE = (6, 5, 3)


@pytest.fixture
def folder(tmp_path):
    steep = make_classifier(shape=SHAPE, loss="softmax")
    replace(steep, W=steep.W / 1000, b=steep.b / 100).save(tmp_path / "model")
    make_classifier(shape=SHAPE, loss="hinge").save(tmp_path / "svm")
    make_classifier(shape=(90,), loss="softmax").save(tmp_path / "rows")
    for name, pixels in zip("ab", pictures(2), strict=True):
        (tmp_path / f"{name}.png").write_bytes(picture(pixels))
    np.save(tmp_path / "x.npy", pictures(30, seed=4))
    return tmp_path


def predicted(run, *arguments, expected=0):
    status, out, err = run("predict", *arguments, "--json")
    assert status == expected
    return json.loads(out), err


def test_a_table_for_every_file(run, folder):
    status, out, err = run("predict", "model", "a.png", "b.png", "--top", "2")
    assert (status, err) == (0, "")
    numbers, _ = predicted(run, "model", "a.png", "b.png")
    assert numbers["model"] == "model"
    lines = out.splitlines()
    for one in numbers["predictions"]:
        at = lines.index(one["file"])
        assert lines[at + 1].split() == ["class", "probability", "score"]
        for entry, line in zip(one["top"][:2], lines[at + 2 : at + 4], strict=True):
            words = line.split()
            assert words[:2] == [entry["class"], f"{entry['probability']:.4f}"]
            assert words[-1] == f"{entry['score']:.4f}"
            assert ("█" * round(20 * entry["probability"] - 0.5) in line) or entry["probability"] < 0.05
    assert len([line for line in lines if line.strip()]) == 2 * 4


def test_a_class_without_examples_is_never_predicted_and_has_no_number(run, folder):
    model = load(folder / "model")
    replace(model, b=np.where(np.arange(len(CLASSES)) == 1, -1e30, model.b)).save(folder / "model")
    out = run("predict", "model", "a.png", "--top", len(CLASSES))[1]
    assert next(line for line in out.splitlines() if CLASSES[1] in line).split()[-1] == "never"
    assert "0000000000" not in out


def test_json_has_full_precision_and_is_the_only_output(run, folder):
    numbers, err = predicted(run, "model", "a.png", "--top", "3")
    assert err == ""
    (one,) = numbers["predictions"]
    classifier = load(folder / "model")
    X = pictures(2)[:1].astype(np.float64)
    scores = classifier.preparation.apply(X, np.float64) @ classifier.W + classifier.b
    probabilities = classifier.probabilities(scores)[0]
    order = np.argsort(-scores[0])
    assert [entry["class"] for entry in one["top"]] == [CLASSES[k] for k in order]
    assert [entry["probability"] for entry in one["top"]] == pytest.approx(probabilities[order], rel=1e-12)
    assert {name: one[name] for name in ("class", "probability", "score")} == one["top"][0]
    assert one["row"] is None
    assert len(predicted(run, "model", "a.png", "--top", "1")[0]["predictions"][0]["top"]) == 1


def test_an_array_has_a_line_for_each_row(run, folder):
    status, out, _ = run("predict", "model", "x.npy")
    numbers, _ = predicted(run, "model", "x.npy")
    assert [one["row"] for one in numbers["predictions"]] == list(range(30))
    rows = [line.split() for line in out.splitlines() if line.strip()[:1].isdigit()]
    assert status == 0
    assert [row[1] for row in rows] == [one["class"] for one in numbers["predictions"]][:20]
    assert "The first 20 of 30 rows; --json has them all." in out


def test_an_svm_has_scores_and_a_margin_but_no_probabilities(run, folder):
    numbers, _ = predicted(run, "svm", "a.png")
    (one,) = numbers["predictions"]
    assert [entry["probability"] for entry in one["top"]] == [None] * 3
    assert one["margin"] == pytest.approx(one["top"][0]["score"] - one["top"][1]["score"])
    _, out, _ = run("predict", "svm", "a.png")
    assert "probability" not in out
    assert "its scores are not probabilities" in out
    assert f"leads the second by {one['margin']:.4f}" in out
    assert "probability" not in run("predict", "svm", "x.npy")[1]


@pytest.fixture
def pictures_folder(folder):
    """A folder of pictures, with folders in it, and what is to be left alone."""
    place = folder / "photos"
    for name, of in {
        "b.PNG": "a",
        "a.webp": "b",
        "cats/c.jpeg": "a",
        "cats/old/d.jpg": "b",
        ".thumbs/e.png": "a",
    }.items():
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_bytes((folder / f"{of}.png").read_bytes())
    for name in ("._b.png", "Thumbs.db", "notes.txt", "labels.npy"):
        (place / name).write_bytes(b"not a picture")
    return ["a.webp", "b.PNG", "cats/c.jpeg", "cats/old/d.jpg"]


def test_a_folder_stands_for_the_pictures_in_it(run, folder, pictures_folder):
    status, out, err = run("predict", "model", "photos", "a.png")
    assert (status, err) == (0, "")
    numbers, _ = predicted(run, "model", "photos", "a.png")
    of_folder, (single,) = numbers["predictions"][:-1], numbers["predictions"][-1:]
    assert [one["file"] for one in of_folder] == [str(Path("photos", name)) for name in pictures_folder]
    alone = {name: predicted(run, "model", f"{name}.png")[0]["predictions"][0]["top"] for name in "ab"}
    assert [one["top"] for one in of_folder] == [alone[name] for name in "baab"]
    assert single["file"] == "a.png"
    lines = [line.split() for line in out.splitlines() if line.strip()]
    assert lines[:2] == [["photos"], ["file", "class", "probability", "score"]]
    for line, name, one in zip(lines[2:], pictures_folder, of_folder, strict=False):
        assert [*line[:3], line[-1]] == [name, one["class"], f"{one['probability']:.4f}", f"{one['score']:.4f}"]
    assert lines[6] == ["a.png"]


def test_what_cannot_be_read_in_a_folder_is_named_and_the_rest_predicted(run, folder, pictures_folder):
    (folder / "photos" / "words.png").write_text("words")
    (folder / "empty").mkdir()
    status, out, err = run("predict", "svm", "photos", "empty")
    assert status == 1
    assert err.splitlines()[0].startswith("linprobe: photos/words.png: ")
    assert err.splitlines()[1:] == [
        "linprobe: empty: this folder has no PNG, JPEG or WebP pictures; give one that has some, or a file"
    ]
    assert all(name in out for name in pictures_folder)
    assert out.count("its scores are not probabilities") == 1
    assert "error" in predicted(run, "svm", "empty", expected=1)[0]["predictions"][0]


def test_a_folder_stands_for_arrays_where_the_model_takes_those(run, folder):
    (folder / "arrays").mkdir()
    np.save(folder / "arrays" / "rows.npy", np.zeros((3, 90)))
    np.save(folder / "arrays" / "one.npy", np.zeros(90))
    (folder / "arrays" / "a.png").write_bytes((folder / "a.png").read_bytes())
    numbers, _ = predicted(run, "rows", "arrays")
    assert [(Path(one["file"]).name, one["row"]) for one in numbers["predictions"]] == [
        ("one.npy", None), *(("rows.npy", row) for row in range(3)),
    ]  # fmt: skip
    assert run("predict", "rows", "arrays")[0] == 0


def test_inverted(run, folder):
    for name, pixels in zip("ab", pictures(2), strict=True):
        (folder / f"not-{name}.png").write_bytes(picture(255 - pixels))
    plain, _ = predicted(run, "model", "not-a.png", "not-b.png")
    inverted, _ = predicted(run, "model", "a.png", "b.png", "--invert")
    for one, other in zip(plain["predictions"], inverted["predictions"], strict=True):
        assert one["top"] == other["top"]


def test_a_file_that_cannot_be_read_does_not_stop_the_others(run, folder):
    (folder / "words.png").write_text("words")
    status, out, err = run("predict", "model", "words.png", "a.png", "nosuch", "b.png")
    assert status == 1
    assert [line.split(":")[:2] for line in err.splitlines()] == [
        ["linprobe", f" {n}"] for n in ("words.png", "nosuch")
    ]
    assert "a.png" in out.splitlines()
    assert "b.png" in out.splitlines()
    numbers, err = predicted(run, "model", "words.png", "a.png", expected=1)
    assert numbers["predictions"][0] == {"file": "words.png", "error": err.removeprefix("linprobe: ").rstrip("\n")}
    assert numbers["predictions"][1]["class"] in CLASSES


def test_hostile_names_reach_neither_terminal_nor_markup(run, folder):
    hostile = ("[red]cat[/]", "\x1b[2Jdog\r", "owl\u202e\nlinprobe: done")
    make_classifier(hostile, SHAPE, loss="softmax").save(folder / "hostile")
    name = "[bold]\x1b]0;x\x07.png"
    (folder / name).write_bytes((folder / "a.png").read_bytes())
    (folder / "bad\x1b.png").write_bytes(b"")
    status, out, err = run("predict", "hostile", name, "bad\x1b.png")
    assert status == 1
    assert not {letter for letter in out + err if not (letter.isprintable() or letter == "\n")}
    assert "[red]cat[/]" in out
    assert "[bold]" in out
    assert len(err.splitlines()) == 1
    assert {one["class"] for one in predicted(run, "hostile", name)[0]["predictions"][0]["top"]} == set(hostile)


@pytest.mark.skipif(os.name == "nt", reason="names there are text")
def test_a_name_that_is_no_utf8_is_still_predicted(run, folder):
    name = os.fsdecode(b"\xff.png")
    (folder / name).write_bytes((folder / "a.png").read_bytes())
    assert run("predict", "model", name)[0] == 0
    assert predicted(run, "model", name)[0]["predictions"][0]["file"] == name


def test_pictures_for_a_model_of_rows(run, folder):
    status, out, err = run("predict", "rows", "a.png")
    assert (status, out) == (1, "")
    assert "takes only those" in err
    np.save(folder / "one.npy", np.zeros(90))
    assert run("predict", "rows", "one.npy")[0] == 0
    status, out, err = run("predict", "rows", "one.npy", "--invert")
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert "was not trained on pictures" in err


WRONG = {
    "no model": (["nosuch", "a.png"], 1, "nosuch: does not exist"),
    "no model file": (["a.png", "a.png"], 1, "give a model file that linprobe wrote"),
    "no file": (["model"], 2, "INPUT is missing"),
    "no class": (["model", "a.png", "--top", "0"], 2, "--top"),
    "top in a table": (
        ["model", "a.png", "--top", "5", "--out", "p.csv"],
        2,
        "--top: the table of --out has all classes",
    ),
    "x of a picture": (["model", "a.png", "--x", "f"], 2, "--x: says how a source is read, and a.png is a picture or"),
    "label of arrays": (
        ["model", "x.npy", "a.png", "--label", "y"],
        2,
        "--label: says how a source is read, and x.npy",
    ),
    "both": (["model", "a.png", "--label", "y", "--x", "f", "--out", "p.csv"], 2, "--x and --label: say how a source"),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_usage_gets_one_line(case, run, folder):
    arguments, expected, words = WRONG[case]
    status, out, err = run("predict", *arguments)
    assert (status, out, err.count("\n")) == (expected, "", 1)
    assert words in err

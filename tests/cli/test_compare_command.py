"""`linprobe compare` as a user types it, from embeddings of two encoders to the table, the JSON and the page."""

import json
import shutil

import numpy as np
import pytest

from linprobe.cli import main
from linprobe.report.page.runs import render_runs
from linprobe.tasks.compare_runs import compare_runs


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Runs of a good and of a bad encoder on the same rows, and of the good one with other test rows."""
    folder = tmp_path_factory.mktemp("made")
    rng = np.random.default_rng(0)
    y, patient = rng.integers(0, 4, 900), rng.integers(0, 90, 900)
    for name, D, signal in (("good", 24, 3.0), ("bad", 16, 1.0)):
        X = rng.normal(size=(900, D)) + signal * np.eye(4, D)[y]
        np.savez(folder / f"{name}.npz", X=X.astype(np.float32), y=y, patient=patient)
    options = {"good": [], "bad": [], "grouped": ["--groups", "patient"], "other": ["--seed", "1"]}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("linprobe.report.folder.views", lambda *_: {})
        for name, more in options.items():
            source = folder / f"{'bad' if name == 'bad' else 'good'}.npz"
            command = ["tune", source, "--reg", "0.1", "--test-size", "300", "--out", folder / name, *more]
            patch.setattr("sys.argv", ["linprobe", *map(str, command)])
            with pytest.raises(SystemExit) as left:
                main()
            assert left.value.code == 0
    return folder


def test_what_is_printed_is_what_run_json_says_and_who_is_better(run, made):
    status, out, err = run("compare", made / "bad", made / "good")
    words = " ".join(out.split())
    assert (status, err) == (0, "")
    assert "2 runs on the same 300 test examples" in words
    for name in ("good", "bad"):
        test = json.loads((made / name / "run.json").read_text())["test"]
        low, high = test["interval"]
        features = 24 if name == "good" else 16
        assert f"{name} {name} {features} softmax {test['accuracy']:.4f} {low:.4f} to {high:.4f}" in words
    assert words.index("good good") < words.index("bad bad")
    assert "Is good better?" in words
    assert "The comparison is in comparison: compare.html shows all of it" in words


def test_for_programs_everything_is_json_which_the_folder_has_too(run, made, tmp_path):
    status, out, err = run("compare", made / "good", made / "bad", "--out", "of-two", "--json")
    assert (status, err) == (0, "")
    found = json.loads(out)
    assert out == (tmp_path / "of-two" / "compare.json").read_text()
    assert [one["name"] for one in found["runs"]] == ["good", "bad"]
    assert found["n"] == 300
    pair = found["pairs"][0]
    assert pair["verdict"] == "better"
    assert 0 < pair["interval"][0] < pair["difference"] < pair["interval"][1]
    assert pair["difference"] == pytest.approx(found["runs"][0]["accuracy"] - found["runs"][1]["accuracy"])


def test_an_earlier_comparison_is_kept_unless_told_otherwise(run, made, tmp_path):
    runs = made / "good", made / "bad"
    for name in ("comparison", "comparison-2"):
        assert run("compare", *runs)[0] == 0
        assert {path.name for path in (tmp_path / name).iterdir()} == {"compare.html", "compare.json"}
    status, _, err = run("compare", *runs, "--out", "comparison")
    assert (status, err.count("\n")) == (2, 1)
    assert "exists and is not empty" in err
    assert run("compare", *runs, "--out", "comparison", "--force")[0] == 0
    shutil.copytree(made / "good", tmp_path / "mine")
    status, _, err = run("compare", *runs, "--out", "mine", "--force")
    assert status == 2
    assert "holds no compare.json" in err


@pytest.mark.parametrize(
    ("runs", "status", "said"),
    [
        (["good"], 2, "give two or more runs"),
        (["good", "other"], 2, "was tested on other rows than"),
        (["good", "grouped"], 2, "was tested on other rows than"),
        (["good", "nowhere"], 1, "nowhere: is not a folder"),
        (["good", "."], 1, "holds no run.json"),
    ],
)
def test_what_cannot_be_compared_is_one_line_and_leaves_nothing(runs, status, said, run, made, tmp_path):
    found, out, err = run("compare", *(made / name for name in runs))
    assert (found, out) == (status, "")
    assert said in err
    assert err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_without_what_makes_the_page_the_figures_are_there(run, made, tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "jinja2", None)
    status, out, err = run("compare", made / "good", made / "bad")
    assert status == 0
    assert "warning: no page: jinja2 is not installed" in err
    assert "compare.html" not in out
    assert [path.name for path in (tmp_path / "comparison").iterdir()] == ["compare.json"]


def test_the_page_says_it_all_and_asks_nobody(made, tmp_path):
    hostile = '<script>alert(1)</script>"&'
    for name in ("good", "bad"):
        shutil.copytree(made / name, tmp_path / name)
    numbers = json.loads((tmp_path / "bad" / "run.json").read_text())
    numbers["data"]["source"] = hostile
    (tmp_path / "bad" / "run.json").write_text(json.dumps(numbers))
    found = compare_runs([tmp_path / "good", tmp_path / "bad"])
    page = render_runs(found)
    assert hostile not in page
    assert "&lt;script&gt;alert(1)" in page
    assert "http" not in page.replace("http-equiv", "")
    assert "default-src &#39;none&#39;" in page
    assert f"{found.runs[0].accuracy:.4f}" in page
    assert f"{found.pairs[0].interval[0]:.4f} to {found.pairs[0].interval[1]:.4f}" in page
    assert found.fingerprint in page
    assert page.count('class="whisker"') == 3

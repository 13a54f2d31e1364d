"""`linprobe check` on a class: a line for every submission, what they add up to, as a table and as a page."""

import csv
import html.parser
import io
import json

import pytest

from linprobe.cli import main
from linprobe.learn.checker.folder import submissions

RIGHT = """import numpy as np
def softmax_loss_vectorized(W, X, y, reg):
    S = X @ W
    S = S - S.max(1, keepdims=True)
    p = np.exp(S)
    p /= p.sum(1, keepdims=True)
    n = len(y)
    loss = -np.log(p[np.arange(n), y]).mean() + reg * np.sum(W * W)
    p[np.arange(n), y] -= 1
    return loss, X.T @ p / n + 2 * reg * W
"""
WRONG = RIGHT.replace("p[np.arange(n), y] -= 1", "p[np.arange(n), y] -= 2")
UNSTABLE = RIGHT.replace("S = S - S.max(1, keepdims=True)", "pass")
OTHER_NAME = RIGHT.replace("softmax_loss_vectorized", "my_loss")


@pytest.fixture
def check(monkeypatch, capsys):
    def run(*arguments):
        monkeypatch.setattr("sys.argv", ["linprobe", "check", *map(str, arguments)])
        with pytest.raises(SystemExit) as left:
            main()
        printed = capsys.readouterr()
        return left.value.code, printed.out, printed.err

    return run


def hand_in(folder, files):
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())


LEFT_OUT = {
    "empty.py": "\n",
    "misspelt.py": "def softmax_los_vectorized(W, X, y, reg): pass\n",
    "utf16.py": "def softmax_loss_naive(W, X, y, reg): pass\n".encode("utf-16"),
    "other.py": OTHER_NAME,
    "notebook/report.txt": "see the notebook\n",
    "helpers/one.py": "def show(image): pass\n",
}


def test_what_cannot_be_judged_has_a_line_and_a_reason_without_being_run(tmp_path):
    hand_in(tmp_path, {**LEFT_OUT, "helper.py": "raise SystemExit\n"})
    (tmp_path / "dangling.py").symlink_to("nowhere.py")
    found = {one.name: one.reason for one in submissions([tmp_path])}
    assert found == {
        "dangling.py": "The link leads nowhere.",
        "empty.py": "The file is empty.",
        "helpers/": "None of its Python files has one of the exercise's functions.",
        "misspelt.py": "It has none of the exercise's functions. If softmax_los_vectorized is meant as "
        "softmax_loss_vectorized, say --function softmax_loss_vectorized=softmax_los_vectorized.",
        "notebook/": "It has no Python file.",
        "other.py": "It has none of the exercise's functions. If my_loss is one, say which: "
        "--function softmax_loss_naive=my_loss.",
        "utf16.py": "It is not UTF-8 text: save it as UTF-8.",
    }


def test_an_unreadable_file_has_a_line(tmp_path, monkeypatch):
    hand_in(tmp_path, {"ada.py": RIGHT})

    def refused(path):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("pathlib.Path.read_bytes", refused)  # root may read whatever its mode is
    (one,) = submissions([tmp_path])
    assert one.reason == "It can't be opened: Permission denied."


class Texts(html.parser.HTMLParser):
    """What a reader of a page sees."""

    def __init__(self):
        super().__init__()
        self.texts = []

    def handle_data(self, data):
        self.texts.append(data)


@pytest.mark.slow
def test_a_class_is_summed_up_by_fault_and_by_student(check, tmp_path):
    hand_in(
        tmp_path,
        {
            "ada/loss.py": RIGHT,
            "ben/loss.py": RIGHT.replace("\n", "\r\n"),
            "ben/more.py": UNSTABLE,
            "cleo/loss.py": WRONG,
            "=dan<b>.py": "",
        },
    )
    page = tmp_path / "class.html"
    code, out, err = check(tmp_path, "--html", page)
    assert (code, err) == (1, "")
    lines = out.splitlines()
    assert lines[:2] == [
        "=dan<b>.py: The file is empty.",
        "ada/loss.py: softmax_loss_naive - absent, softmax_loss_vectorized ✓ right",
    ]
    assert "    1  overflow" in lines
    assert "       ben: 1 right, 1 right unstable" in lines
    assert "The same text: ada/loss.py, ben/loss.py" in lines
    assert lines[-1] == "2 of 5 files are right, 1 more at ordinary scores only."

    text = page.read_text()
    parser = Texts()
    parser.feed(text)
    said = " ".join(" ".join(parser.texts).split())
    assert "<b>.py" not in text
    for expected in ("5 submissions", "2 right", "1 right at ordinary scores only", "The commonest faults"):
        assert expected in said
    assert "Line 9: p[np.arange(n), y] -= 2" in said
    assert "src=" not in text
    assert "http" not in text.replace("http-equiv", "")

    code, out, _ = check(tmp_path, "--csv")
    rows = {row["file"]: row for row in csv.DictReader(io.StringIO(out)) if row["verdict"] != "absent"}
    assert list(rows) == ["'=dan<b>.py", "ada/loss.py", "ben/loss.py", "ben/more.py", "cleo/loss.py"]
    assert rows["'=dan<b>.py"]["note"] == "The file is empty."
    assert (rows["ben/more.py"]["student"], rows["ben/more.py"]["verdict"]) == ("ben", "right_unstable")
    assert rows["cleo/loss.py"]["lines"] == "9"
    assert rows["ada/loss.py"]["note"] == "The same text as ben/loss.py."


def test_other_names_are_taken_by_folders_and_by_several_files(check, tmp_path):
    hand_in(tmp_path, {"one/loss.py": OTHER_NAME, "two/loss.py": RIGHT})
    files = [tmp_path / name / "loss.py" for name in ("one", "two")]
    for places in ([tmp_path], files):
        code, out, err = check(*places, "--function", "softmax_loss_vectorized=my_loss", "--json")
        reports = [json.loads(line) for line in out.splitlines()]
        verdicts = [{f["name"]: f["verdict"] for f in one["functions"]} for one in reports]
        assert (code, err) == (0, "")
        assert verdicts == [
            {"softmax_loss_naive": "absent", "my_loss": "right"},
            {"softmax_loss_naive": "absent", "softmax_loss_vectorized": "right"},
        ]
    code, out, _ = check(files[0], "--function", "softmax_loss_vectorized=my_loss", "--json")
    assert code == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--function", "loss=f"], "--function is 'loss=f'; it is NAME=OTHER, NAME one of softmax_loss_naive, "),
        (["--function", "f"], "--function NAME and --loss are for one file by itself"),
        (["--json", "--csv"], "--json and --csv are two forms of one answer"),
        (["--function", "f", "--function", "g"], "--function names two functions"),
    ],
)
def test_wrong_usage_is_one_line(check, tmp_path, arguments, said):
    hand_in(tmp_path, {"a.py": RIGHT, "b.py": RIGHT})
    code, out, err = check(tmp_path / "a.py", tmp_path / "b.py", *arguments)
    assert (code, out) == (2, "")
    assert err.startswith(f"linprobe: {said}")


def test_a_table_of_one_file(check, tmp_path):
    hand_in(tmp_path, {"a.py": RIGHT})
    code, out, _ = check(tmp_path / "a.py", "--csv")
    assert code == 0
    assert [row["verdict"] for row in csv.DictReader(io.StringIO(out))] == ["absent", "right"]

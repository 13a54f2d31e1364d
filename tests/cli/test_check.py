"""`linprobe check` as a command: what it prints, how it ends, and a whole course at once."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from linprobe.cli import main
from linprobe.learn.checker.sandbox import process

FILES = Path(__file__).resolve().parents[1] / "learn" / "checker" / "corpus" / "files"
KEYS = {"name", "verdict", "convention", "layout", "loop_free", "seconds", "faults", "notes"}


@pytest.fixture
def check(monkeypatch, capsys):
    def run(*arguments):
        monkeypatch.setattr("sys.argv", ["linprobe", "check", *map(str, arguments)])
        monkeypatch.setenv("COLUMNS", "100")
        with pytest.raises(SystemExit) as left:
            main()
        printed = capsys.readouterr()
        return left.value.code, printed.out, printed.err

    return run


@pytest.mark.sampled(2)
@pytest.mark.parametrize(
    ("name", "status"), [("softmax_pair", 0), ("vectorized_wrong", 1), ("untouched_template", 1), ("other_names", 2)]
)
def test_the_status_tells_right_wrong_and_nothing_to_judge(check, name, status):
    code, out, err = check(FILES / f"{name}.py", "--json")
    report = json.loads(out)
    assert (code, err) == (status, "")
    assert set(report) == {"file", "functions", "notes"}
    assert report["file"] == str(FILES / f"{name}.py")
    for function in report["functions"]:
        assert set(function) == KEYS
        for fault in function["faults"]:
            assert set(fault) == {"code", "message", "evidence"}


def test_a_person_reads_what_is_wrong_where_and_by_how_much(check):
    code, out, _ = check(FILES / "vectorized_wrong.py")
    assert code == 1
    assert "svm_loss_naive       ✓ right" in out
    assert "svm_loss_vectorized  ✗ wrong" in out
    assert "true_class_once  X[i] is taken off the true class's column once an example" in out
    assert "expected -0.857" in out
    assert "in the case ordinary: N 23, D 13, C 7, reg 0" in out


@pytest.mark.slow
def test_any_function_by_its_name(check):
    path = FILES / "other_names.py"
    _, out, _ = check(path, "--json")
    assert {one["verdict"] for one in json.loads(out)["functions"]} == {"absent"}
    for arguments in ([path, "--function", "objective"], ["--function", f"{path}:objective"]):
        code, out, err = check(*arguments, "--json")
        assert [one["name"] for one in json.loads(out)["functions"]] == ["objective"], err
        assert code in {0, 1}


def test_a_folder_is_a_line_for_each_submission_and_none_stops_the_others(check, tmp_path):
    for student, name in (("ada", "softmax_pair"), ("ben", "stops_the_program"), ("cleo", "vectorized_wrong")):
        (tmp_path / student).mkdir()
        shutil.copy(FILES / f"{name}.py", tmp_path / student / "losses.py")
    (tmp_path / "dan").mkdir()
    (tmp_path / "dan" / "losses.py").write_text("import os\n\n\ndef svm_loss_naive(W, X, y, reg):\n    os._exit(0)\n")
    (tmp_path / "eve.py").write_bytes(b"def softmax_loss_naive(:\n")
    (tmp_path / "helpers.py").write_text("raise SystemExit\n")
    (tmp_path / ".hidden").mkdir()
    shutil.copy(FILES / "softmax_pair.py", tmp_path / ".hidden" / "losses.py")
    code, out, err = check(tmp_path, "--json")
    reports = [json.loads(line) for line in out.splitlines()]
    assert (code, err) == (1, "")
    assert [Path(one["file"]).relative_to(tmp_path).as_posix() for one in reports] == [
        *(f"{student}/losses.py" for student in ("ada", "ben", "cleo", "dan")),
        "eve.py",
    ]
    verdicts = [[function["verdict"] for function in one["functions"]] for one in reports]
    assert verdicts == [
        ["right", "right"],
        ["crashes", "absent"],
        ["right", "wrong"],
        ["crashes", "absent"],
        ["crashes"],
    ]
    code, out, _ = check(tmp_path)
    assert code == 1
    assert out.splitlines()[0] == "ada/losses.py: softmax_loss_naive ✓ right, softmax_loss_vectorized ✓ right"
    assert out.splitlines()[-1] == "1 of 5 files are right."


@pytest.mark.parametrize("name", ["learn/loops.py", "learn/worksheet/names.py"])
def test_the_projects_own_losses_are_right(check, name):
    import linprobe

    code, out, _ = check(Path(linprobe.__file__).parent / name, "--json")
    verdicts = {one["name"]: one["verdict"] for one in json.loads(out)["functions"]}
    assert code == 0
    assert set(verdicts.values()) <= {"right", "absent"}
    assert "right" in verdicts.values()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "there is no file to judge; give one: linprobe check FILE, or --function FILE:NAME"),
        (["nowhere.py"], "nowhere.py: cannot be opened (No such file or directory); give a Python file"),
        (["softmax.py", "--loss", "mse"], "--loss mse: choose from softmax, hinge"),
        (
            ["softmax.py", "--function", "nope"],
            "softmax.py: has no function 'nope'; its functions: softmax_loss_naive, ",
        ),
        (["softmax.py", "--function", "other.py:f"], "--function names other.py, and FILE is softmax.py; leave one"),
        (["empty"], "empty: no Python file in it names one of softmax_loss_naive, "),
        (["worksheet.ipynb"], "worksheet.ipynb: is a notebook, and a Python file is expected"),
    ],
)
def test_wrong_usage_is_one_line(check, tmp_path, monkeypatch, arguments, said):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    shutil.copy(FILES / "softmax_pair.py", tmp_path / "softmax.py")
    (tmp_path / "worksheet.ipynb").write_text("{}")
    code, out, err = check(*arguments)
    assert code == 2
    assert out == ""
    assert err.startswith(f"linprobe: {said}")
    assert err.count("\n") == 1


def test_a_file_that_is_no_python_and_names_no_function_has_one_reason(check, tmp_path):
    (tmp_path / "export.py").write_text("%matplotlib inline\nimport numpy as np\n")
    code, out, err = check(tmp_path / "export.py")
    assert (code, err) == (2, "")
    assert "note  Python cannot read the file: “invalid syntax” in line 1." in out
    assert "verdict" not in out


def test_a_fault_of_ours_with_one_submission_does_not_stop_the_others(check, tmp_path, monkeypatch):
    from linprobe.learn.checker import folder

    for name in ("ada", "ben"):
        shutil.copy(FILES / "softmax_pair.py", tmp_path / f"{name}.py")
    judged = folder.check_file

    def fails_on_ada(path, **options):
        if path.stem == "ada":
            raise KeyError(np.zeros((30, 30)))
        return judged(path, **options)

    monkeypatch.setattr(folder, "check_file", fails_on_ada)
    code, out, _ = check(tmp_path, "--json")
    ada, ben = (json.loads(line) for line in out.splitlines())
    assert code == 1
    assert ada["functions"] == []
    assert ada["notes"][0].startswith("unexpected KeyError: array([[0., 0.")
    assert "\n" not in ada["notes"][0]
    assert len(ada["notes"][0]) < 300
    assert [one["verdict"] for one in ben["functions"]] == ["right", "right"]


def test_a_missing_protection_is_said_of_a_file_and_of_a_folder(check, tmp_path, monkeypatch):
    started = process.PROGRAM.removesuffix("main()")
    ours = "from linprobe.learn.checker.sandbox import confine; confine._restrict_files = lambda *_: False; main()"
    monkeypatch.setattr(process, "PROGRAM", started + ours)
    said = "no reading of other files, no writing outside the scratch folder"
    for text in ("def softmax_loss_naive(W, X, y, reg): return 1 / 0", "def softmax_loss_naive(:"):
        (tmp_path / "losses.py").write_text(text)
        for path in (tmp_path / "losses.py", tmp_path):
            _, out, _ = check(path)
            out = " ".join(out.split())
            assert "Not enforced on this system: " in out
            assert said in out

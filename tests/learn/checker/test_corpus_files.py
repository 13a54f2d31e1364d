"""Whole files as they are handed in: each of their functions gets the verdict it must get, and the notes say why."""

import functools
import importlib.util
from pathlib import Path

import pytest

from linprobe.learn.checker import check_file

FILES = Path(__file__).parent / "corpus" / "files"
SOFTMAX = ("softmax_loss_naive", "softmax_loss_vectorized")
SVM = ("svm_loss_naive", "svm_loss_vectorized")


def right(convention, layout="DC", *, loop_free):
    return {"verdict": "right", "convention": convention, "layout": layout, "loop_free": loop_free, "codes": []}


def pair(names, convention, layout="DC"):
    return dict(zip(names, (right(convention, layout, loop_free=one) for one in (False, True)), strict=True))


def not_right(verdict, *codes, **facts):
    return {"verdict": verdict, "codes": list(codes), **facts}


ABSENT = {"verdict": "absent", "codes": []}

# For each file, all the functions it must be said to have, and what must be said about each.
FACTS = {
    "softmax_pair": pair(SOFTMAX, "full"),
    "linear_svm": pair(SVM, "half"),
    "all_four": pair(SOFTMAX, "full") | pair(SVM, "full"),
    "older_layout": pair(SVM, "half", "CD"),
    "python2_builtins": {SOFTMAX[0]: right("half", loop_free=False), SOFTMAX[1]: ABSENT},
    "old_numpy": pair(SOFTMAX, "full"),
    "course_package": pair(SVM, "full"),
    "vectorized_wrong": {SVM[0]: right("full", loop_free=False), SVM[1]: not_right("wrong", "true_class_once")},
    "two_conventions": {
        SOFTMAX[0]: right("full", loop_free=False),
        SOFTMAX[1]: right("half", loop_free=True),
    },
    "vectorized_in_name_only": dict.fromkeys(SVM, right("full", loop_free=False)),
    "untouched_template": dict.fromkeys((*SOFTMAX, SVM[1]), not_right("unfinished", "unfinished"))
    | {SVM[0]: not_right("unfinished", "gradient_unfinished")},
    "finished_with_todos": pair(SVM, "full"),
    "forgot_numpy": {SOFTMAX[0]: ABSENT, SOFTMAX[1]: not_right("crashes", "missing_import")},
    "trains_when_imported": {SVM[0]: ABSENT, SVM[1]: right("half", loop_free=True)},
    "reads_its_data": dict.fromkeys(SOFTMAX, not_right("crashes", "import_fails")),
    "prints_a_lot": {SVM[0]: ABSENT, SVM[1]: right("full", loop_free=True)},
    "stops_the_program": {SVM[0]: not_right("crashes", "exits"), SVM[1]: ABSENT},
    "with_torch": pair(SOFTMAX, "full"),
}

# What the notes of the file or of its functions must speak of.
NOTED = {
    "python2_builtins": ["xrange"],
    "old_numpy": ["numpy.float", "numpy.int", "scipy.misc.logsumexp"],
    "two_conventions": ["half"],
    "vectorized_in_name_only": ["loop"],
    "older_layout": [] if importlib.util.find_spec("past") else ["past"],
}
PLAIN = ["course_package", "softmax_pair", "linear_svm", "all_four", "finished_with_todos", "vectorized_wrong"]


@functools.cache
def verdict_of(name):
    return check_file(FILES / f"{name}.py")


def facts(report) -> dict[str, dict]:
    """The functions of a report as the tables above have them."""
    return {
        function["name"]: function | {"codes": [fault["code"] for fault in function["faults"]]}
        for function in report["functions"]
    }


def notes(report):
    return [*report["notes"], *(note for function in report["functions"] for note in function["notes"])]


def handed_in(tmp_path, text, name="softmax.py"):
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return check_file(path).to_json()


@pytest.mark.sampled(4)
@pytest.mark.parametrize("name", FACTS)
def test_a_file_as_it_is_handed_in(name):
    if "torch" in name:
        pytest.importorskip("torch")
    report = verdict_of(name).to_json()
    found = facts(report)
    assert found.keys() == FACTS[name].keys()
    for function, expected in FACTS[name].items():
        assert {key: found[function][key] for key in expected} == expected, found[function]["faults"]
    for word in NOTED.get(name, []):
        assert any(word in note for note in notes(report)), notes(report)
    if name in PLAIN:
        assert notes(report) == []


def test_what_a_file_writes_does_not_stay(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert check_file(FILES / "trains_when_imported.py").functions[-1]
    assert not list(tmp_path.iterdir())
    assert not (FILES / "weights.txt").exists()


def test_every_file_is_asserted():
    others = {"other_names", "never_ends"}
    assert {path.stem for path in FILES.glob("*.py")} == FACTS.keys() | others


def test_the_line_that_stops_is_named():
    (fault,) = verdict_of("forgot_numpy").functions[-1].faults
    assert fault.message.startswith("np is used")
    assert (fault.evidence["line"], fault.evidence["text"].strip()) == (
        6,
        "scores = scores - np.max(scores, axis=1, keepdims=True)",
    )
    (fault,) = verdict_of("reads_its_data").functions[0].faults
    assert "cifar-10-train.npz" in fault.message
    assert fault.evidence["line"] == 3
    (fault,) = verdict_of("stops_the_program").functions[0].faults
    assert fault.evidence["line"] == 9


@pytest.mark.slow
def test_the_verdict_of_a_file_is_that_of_its_functions():
    assert verdict_of("all_four").exit_status == 0
    assert verdict_of("vectorized_wrong").exit_status == 1
    assert verdict_of("reads_its_data").exit_status == 1


@pytest.mark.sampled(4)
@pytest.mark.parametrize(
    ("function", "loss", "convention", "codes"),
    [
        ("crammer", "hinge", "half", []),
        ("crammer", None, "half", []),
        ("objective", "softmax", None, ["penalty_gradient_half"]),
        ("objective", None, None, ["penalty_gradient_half"]),
    ],
)
def test_a_function_of_another_name(function, loss, convention, codes):
    (verdict,) = check_file(FILES / "other_names.py", function=function, loss=loss).functions
    assert (verdict.name, verdict.convention) == (function, convention)
    assert verdict.loss == ("hinge" if function == "crammer" else "softmax")
    assert [fault.code for fault in verdict.faults] == codes


def test_a_file_without_the_names_has_none_of_them():
    verdict = check_file(FILES / "other_names.py")
    assert {one.verdict for one in verdict.functions} == {"absent"}
    assert {one.name for one in verdict.functions} == {*SOFTMAX, *SVM}
    assert verdict.exit_status == 2


def test_a_loop_that_never_ends_is_told_from_a_slow_one():
    verdict = check_file(FILES / "never_ends.py", seconds=1.0).functions[0]
    assert (verdict.verdict, [fault.code for fault in verdict.faults]) == ("crashes", ["hangs"])


HEAD = "import numpy as np\n\ndef softmax_loss_vectorized(W, X, y, reg):\n"
BODY = """    scores = X.dot(W)
    scores = scores - scores.max(axis=1, keepdims=True)
    logp = scores - np.log(np.exp(scores).sum(axis=1, keepdims=True))
    p = np.exp(logp)
    p[np.arange(len(y)), y] -= 1
    loss = -logp[np.arange(len(y)), y].mean() + reg * np.sum(W * W)
    return loss, X.T.dot(p) / len(y) + 2 * reg * W
"""


@pytest.mark.sampled(4)
@pytest.mark.parametrize(
    "text",
    [
        HEAD + BODY,
        (HEAD + BODY).replace("\n", "\r\n"),
        b"\xef\xbb\xbf" + (HEAD + BODY).encode(),
        "# -*- coding: latin-1 -*-\n# Müller\n".encode("latin-1") + (HEAD + BODY).encode(),
        "# 计算损失和梯度\n" + HEAD + BODY,
        (HEAD + BODY).replace("    ", "\t"),
        HEAD + "    '''Softmax.\n\tTabs in a text\n\t'''\n" + BODY,
        "from __future__ import division, print_function\n" + HEAD + BODY,
        (HEAD + BODY).rstrip("\n"),
    ],
    ids=["as it is", "CRLF", "BOM", "Latin-1", "Chinese", "tabs", "tab in text", "future", "no end of line"],
)
def test_how_a_file_was_saved_changes_nothing(text, tmp_path):
    report = handed_in(tmp_path, text)
    assert facts(report)["softmax_loss_vectorized"]["verdict"] == "right", report
    assert facts(report)["softmax_loss_naive"]["verdict"] == "absent"
    assert notes(report) == []


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("    print 'loss', loss\n", "python2_print"),
        ("    print loss\n", "python2_print"),
        ('    print "loss: %f" % loss\n', "python2_print"),
        ("\tloss = loss / 1.0\n", "mixed_indentation"),
        ("        loss = loss / 1.0\n", "syntax_error"),
        ("    loss = (loss / 1.0\n", "syntax_error"),
    ],
)
def test_a_file_that_python_cannot_read(line, code, tmp_path):
    body = BODY.splitlines(keepends=True)
    report = handed_in(tmp_path, HEAD + "".join(body[:-1]) + line + body[-1])
    (function,) = report["functions"]
    assert (function["name"], function["verdict"]) == ("softmax_loss_vectorized", "crashes")
    (fault,) = function["faults"]
    assert fault["code"] == code
    assert fault["evidence"]["line"] == 10
    assert fault["evidence"]["text"].strip() == line.strip()


def test_tabs_and_spaces_mixed_within_a_loop(tmp_path):
    text = "import numpy as np\n\ndef svm_loss_naive(W, X, y, reg):\n    loss = 0.0\n    for i in range(len(X)):\n"
    text += "        scores = X[i].dot(W)\n\tloss += scores.max()\n    return loss, np.zeros(W.shape)\n"
    function = facts(handed_in(tmp_path, text, "linear_svm.py"))["svm_loss_naive"]
    assert (function["verdict"], function["codes"]) == ("crashes", ["mixed_indentation"])
    assert function["faults"][0]["evidence"]["line"] == 7


@pytest.mark.sampled(3)
@pytest.mark.parametrize(
    "statement",
    [
        "while True:\n    pass\n",
        "import time\ntime.sleep(3600)\n",
        "import sys\nsys.exit(0)\n",
        "raise ValueError('x')\n",
    ],
    ids=["endless", "asleep", "exits", "raises"],
)
def test_a_file_that_does_not_survive_its_import(statement, tmp_path):
    path = tmp_path / "softmax.py"
    path.write_text(HEAD + BODY + "\n" + statement)
    verdict = check_file(path, seconds=1.0)
    found = {one.name: (one.verdict, [fault.code for fault in one.faults]) for one in verdict.functions}
    assert found == {"softmax_loss_vectorized": ("crashes", ["import_fails"])}
    assert verdict.exit_status == 1


def test_a_name_that_is_not_defined_is_missing_wherever_it_is_used(tmp_path):
    text = HEAD + BODY.replace("np.log", "log")
    function = facts(handed_in(tmp_path, text))["softmax_loss_vectorized"]
    assert (function["verdict"], function["codes"]) == ("crashes", ["missing_import"])
    assert function["faults"][0]["evidence"]["line"] == 6
    assert function["faults"][0]["message"].startswith("log is used")


@pytest.mark.parametrize(
    "statement",
    ["from .linear_classifier import *\n", "from . import data_utils\n", "from ..classifiers.softmax import softmax\n"],
)
def test_a_module_taken_out_of_its_package_is_judged_alone(statement, tmp_path):
    report = handed_in(tmp_path, statement + HEAD + BODY)
    assert facts(report)["softmax_loss_vectorized"]["verdict"] == "right", report
    assert notes(report) == []


def test_the_first_file_of_a_newer_template_may_be_half_done(tmp_path):
    naive = HEAD.replace("vectorized", "naive") + BODY
    text = naive + "\n\n" + HEAD + "    loss = 0.0\n    dW = np.zeros_like(W)\n    return loss, dW\n"
    found = facts(handed_in(tmp_path, text))
    assert found["softmax_loss_naive"]["verdict"] == "right"
    assert found["softmax_loss_vectorized"]["codes"] == ["unfinished"]

"""The line of a fault, found by trying small edits: named where they single it out, and only there."""

import numpy as np
import pytest

from linprobe.learn.checker import check_file, check_loss
from linprobe.learn.checker.edits import edits
from linprobe.learn.checker.verdict import Loss


def told(f, loss: Loss = "softmax"):
    return [(one.code, one.evidence.get("text"), one.evidence.get("instead")) for one in check_loss(f, loss).faults]


def label_of_the_class(W, X, y, reg):
    p = np.exp(X @ W - (X @ W).max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    loss = -np.log(p[np.arange(len(y)), y]).mean() + reg * np.sum(W * W)
    p[np.arange(len(y)), y] += 1
    return loss, X.T @ p / len(y) + 2 * reg * W


def test_a_named_fault_gets_its_line_and_the_line_as_it_is_right():
    ((code, text, instead),) = told(label_of_the_class)
    assert code == "true_class_sign"
    assert text == "p[np.arange(len(y)), y] += 1"
    assert instead == "p[np.arange(len(y)), y] -= 1"


def two_faults(W, X, y, reg):
    p = np.exp(X @ W - (X @ W).max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    loss = -np.log(p[np.arange(len(y)), y]).mean() + reg + np.sum(W * W)
    p[np.arange(len(y)), y] -= 1
    slope = X.T @ np.exp(p)
    return loss, slope / len(y) + 2 * reg * W


def test_of_two_faults_each_gets_its_own():
    found = told(two_faults)
    assert ("wrong_term", "slope = X.T @ np.exp(p)", "slope = X.T @ p") in found
    lines = {text for _, text, _ in found}
    assert "loss = -np.log(p[np.arange(len(y)), y]).mean() + reg + np.sum(W * W)" in lines
    assert not {"wrong_value", "wrong_gradient", "penalty_wrong"} & {code for code, _, _ in found}


def either_of_two_lines(W, X, y, reg):
    rows, one, other = np.arange(len(y)), 1, 1
    one = 1
    other = 1
    margins = X @ W - (X @ W)[rows, y][:, None] + one + other
    margins[rows, y] = 0
    slope = (margins > 0).astype(float)
    slope[rows, y] = -slope.sum(axis=1)
    loss = margins[margins > 0].sum() / len(y) + reg * np.sum(W * W)
    return loss, X.T @ slope / len(y) + 2 * reg * W


def test_where_two_lines_would_do_none_is_named():
    ((code, text, _),) = told(either_of_two_lines, "hinge")
    assert (code, text) == ("margin", None)


def right_only_where_every_class_occurs(W, X, y, reg):
    loss, dW = 0.0, np.zeros_like(W)
    for i in range(len(y)):
        s = X[i] @ W
        p = np.exp(s - s.max()) / np.exp(s - s.max()).sum()
        loss -= np.log(p[y[i]])
        for j in range(len(np.unique(y)) - 1):
            dW[:, j] += (p[j] - (j == y[i])) * X[i]
    return loss / len(y) + reg * np.sum(W * W), dW / len(y) + 2 * reg * W


def test_an_edit_that_is_right_in_some_cases_only_is_not_believed():
    ((code, text, _),) = told(right_only_where_every_class_occurs)
    assert (code, text) == ("class_missing", None)


def cancels(W, X, y, reg):
    p = np.exp(X @ W - (X @ W).max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    loss = -np.log(p[np.arange(len(y)), y]).mean() + reg * np.sum(W * W)
    slope = (p - np.eye(W.shape[1])[y]) * p * (1 - p)
    return loss, X.T @ slope / len(y) + 2 * reg * W


def test_an_edit_that_nobody_means_is_not_tried():
    ((code, text, _),) = told(cancels)  # (1 / p) for (1 - p) would be right
    assert (code, text) == ("wrong_gradient", None)


def never_ending_if_changed(W, X, y, reg):
    i, loss, dW = 0, 0.0, np.zeros_like(W)
    while i < len(y):
        s = X[i] @ W
        p = np.exp(s - s.max()) / np.exp(s - s.max()).sum()
        loss -= np.log(p[y[i]])
        p[y[0]] -= 1
        dW += np.outer(X[i], p)
        i += 1
    return loss / len(y) + reg * np.sum(W * W), dW / len(y) + 2 * reg * W


def test_in_this_process_nothing_is_tried_that_might_never_end():
    assert {text for _, text, _ in told(never_ending_if_changed)} == {None}


FILE = '''"""Ein Übungsblatt."""
import numpy as np

# äöü, and a helper
def probabilities(scores):
    e = np.exp(scores - scores.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def softmax_loss_vectorized(W, X, y, reg):
    """Verlust und Gradient — sehr schön."""
    p = probabilities(X @ W); ö = np.arange(len(y))
    loss = -np.log(p[ö, y]).mean() + reg * np.sum(W * W)
    p[ö, y] -= 2
    return loss, X.T @ p / len(y) + 2 * reg * W
'''


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_file_s_line_is_counted_in_the_file(tmp_path, end):
    path = tmp_path / "softmax.py"
    path.write_bytes(FILE.replace("\n", end).encode())
    (fault,) = check_file(path, seconds=60).functions[1].faults
    assert (fault.code, fault.evidence["line"]) == ("wrong_number", 14)
    assert fault.evidence["instead"] == "p[ö, y] -= 1"


TEXT = '''def f(W, X, y, reg):
    """Über alles."""
    ä = X.dot(W); ä -= ä.max(1, keepdims=True)
    for i in range(1, len(y)):
        if not i: pass
        elif y[i] > 0: continue
        else:
            W[:, i] = 2 * -W[:, y[i]] ** 2
        loss = 1.0; reg += 1
    return loss + 0 .real, W
'''


def test_every_edit_is_python_of_one_line_and_none_is_made_twice():
    made = list(edits(TEXT))
    assert len(made) > 50
    assert len({one.text for one in made}) == len(made)
    before = TEXT.splitlines()
    for one in made:
        compile(one.text, "f", "exec")
        after = one.text.splitlines()
        if "behind the loop" not in one.advice:
            assert [k for k, (a, b) in enumerate(zip(before, after, strict=True), 1) if a != b] == [one.line]

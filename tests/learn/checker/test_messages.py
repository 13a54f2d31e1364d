"""What is said: three plain sentences at most, and nothing that is not so."""

import re

import numpy as np
import pytest

from linprobe.learn.checker import check_file, check_loss
from linprobe.learn.checker.codes import CODES


@pytest.mark.parametrize("code", CODES)
def test_a_message_is_three_short_sentences_at_most(code):
    message = re.sub(r"\{\w+(:[^}]*)?\}", "x", CODES[code].message)
    sentences = re.split(r"(?<=[.?!])\s+(?=[A-Z])", message)
    assert 1 <= len(sentences) <= 3
    assert len(message) <= 240
    assert message[0].isupper() or message.startswith(("d", "exp", "loss", "print", "reg", "x", "y"))
    assert message.endswith((".", "x", "x."))


def told(f):
    verdict = check_loss(f, "softmax")
    return [(one.code, one.message) for one in verdict.faults], verdict.verdict


def test_an_array_has_no_gpu():
    def f(W, X, y, reg):
        return (X.cuda() @ W.cuda()).sum(), W

    assert told(f) == (
        [
            (
                "needs_gpu",
                "It asks for a GPU, and there is none where it is judged: leave W, X and y on the device they are on.",
            )
        ],
        "crashes",
    )


def by_a_name_that_is_nowhere(W, X, y, reg):
    return lamda * np.sum(W), W  # noqa: F821  # pyright: ignore[reportUndefinedVariable]


def before_it_has_a_value(W, X, y, reg):
    total += np.sum(W)  # noqa: F821  # pyright: ignore[reportUnboundVariable]
    return total, W


@pytest.mark.parametrize(("f", "name"), [(by_a_name_that_is_nowhere, "lamda"), (before_it_has_a_value, "total")])
def test_an_undefined_name_is_no_missing_import(f, name):
    ((code, message),), _ = told(f)
    assert (code, message.split()[0]) == ("undefined_name", name)


def test_an_import_that_does_not_end_is_said_in_one_sentence(tmp_path):
    path = tmp_path / "softmax.py"
    path.write_text("def softmax_loss_naive(W, X, y, reg):\n    return 0.0, W\n\n\nwhile True:\n    pass\n")
    (fault,) = check_file(path, seconds=1).functions[0].faults
    assert fault.message == "The file stops while it is being imported: it has not ended after 1 s."

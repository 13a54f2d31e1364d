"""The hinge part of the corpus: each function gets the verdict it must get, and small random faults are found."""

from typing import Any

import check_page
import numpy as np
import pytest
from corpus import everything  # noqa: F401  # pyright: ignore[reportUnusedImport]
from corpus.registry import ENTRIES, each, each_in_turn
from faults import REWRITINGS, drawn_faults, with_fault
from hypothesis import given, settings
from hypothesis import strategies as st

from examples import examples  # pyright: ignore[reportMissingImports]
from linprobe.learn.checker import check_loss
from linprobe.learn.checker.codes import CODES, RANK
from linprobe.learn.loops import svm_loss_naive

HINGE = [entry for entry in ENTRIES if entry.loss == "hinge"]
RIGHT = [entry for entry in HINGE if entry.verdict == "right"]
DOUBLE = [
    entry for entry in RIGHT if not entry.function.__module__.endswith("torch") and entry.name != "in_single_precision"
]
QUICK = [entry for entry in DOUBLE if entry.name in {"zeroes_the_true_class", "columns_of_examples", "one_hot"}]
SHAPES = [(23, 13, 7), (3, 4, 6), (1, 5, 3)]


def drawn(N, D, C):
    rng = np.random.default_rng(N)
    return rng.standard_normal((D, C)), rng.standard_normal((N, D)), rng.integers(0, C, N), 0.4


def test_the_corpus_is_as_large_and_as_clear_as_it_must_be():
    assert len(HINGE) - len(RIGHT) >= 35
    assert len(RIGHT) >= 12
    assert len({entry.name for entry in HINGE}) == len(HINGE)
    for entry in HINGE:
        assert list(entry.codes) == sorted(entry.codes, key=RANK.__getitem__), entry.name
        assert not entry.codes or {CODES[entry.codes[0]].judgement} == {entry.verdict}, entry.name


@each(DOUBLE)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_a_right_function_agrees_with_the_loops(entry, shape):
    W, X, y, reg = drawn(*shape)
    expected, gradient = svm_loss_naive(W, X, y, reg if entry.convention == "full" else reg / 2)
    arguments = (W, X) if entry.layout == "DC" else (W.T.copy(), X.T.copy())
    loss, dW = entry.function(*arguments, y, reg)
    assert float(loss) == pytest.approx(expected, rel=1e-12)
    np.testing.assert_allclose(dW if entry.layout == "DC" else dW.T, gradient, rtol=0, atol=1e-12)


@pytest.mark.sampled(8)
@each_in_turn(HINGE)
def test_each_function_gets_its_verdict(entry):
    verdict = check_loss(entry.untouched() if entry.example else entry.function, loss="hinge")
    codes = [fault.code for fault in verdict.faults]
    assert (verdict.verdict, codes[:1]) == (entry.verdict, list(entry.codes[:1]) or codes[:1])
    assert not entry.codes or set(codes) == set(entry.codes)
    assert bool(verdict) == (not codes) == (entry.verdict == "right")
    for fact in ("convention", "layout", "loop_free"):
        asserted = getattr(entry, fact)
        assert asserted is None or getattr(verdict, fact) == asserted, fact
    if entry.example:
        check_page.assert_up_to_date(entry.codes[0], verdict.faults)


# What is right of one loss has no fault of it, and any other has some: whichever function it is.
@pytest.mark.sampled(4)
@each(QUICK)
def test_the_loss_of_a_right_function_need_not_be_named(entry):
    verdict = check_loss(entry.function)
    assert (verdict.loss, verdict.verdict) == ("hinge", "right")


def test_what_a_function_sets_up_for_itself_does_not_stay():
    def sets_errors(W, X, y, reg):
        np.seterr(all="raise")
        return svm_loss_naive(W, X, y, reg)

    before = np.geterr()
    assert check_loss(sets_errors, loss="hinge")
    assert np.geterr() == before


@each(QUICK)
def test_what_the_caller_has_set_up_disturbs_nothing(entry):
    with np.errstate(all="raise"):
        assert check_loss(entry.function, loss="hinge")


@pytest.mark.real_data
@given(st.sampled_from(QUICK), drawn_faults)
@settings(max_examples=30, deadline=None)
def test_no_small_fault_is_called_right(entry, fault):
    verdict = check_loss(with_fault(entry.function, entry.layout, fault), loss="hinge")
    assert verdict.verdict not in {"right", "right_unstable"}
    assert verdict.faults


@given(st.sampled_from(QUICK), st.sampled_from(sorted(REWRITINGS)), st.integers(0, 2**32 - 1))
@examples(15)
def test_a_rewriting_stays_right(entry, how, seed):
    verdict = check_loss(REWRITINGS[how](entry.function, entry.layout, seed), loss="hinge")
    assert (verdict.verdict, verdict.faults, verdict.convention) == ("right", (), entry.convention)


def hinge(W, X, y, reg, *, in_value: Any = 1.0, in_gradient: Any = 1.0, margin=1.0, count=None):
    """The hinge and its gradient, W (D, C), X (N, D), with the full penalty.

    in_value, in_gradient weigh the margins, (N, C); count, what the sum over the examples is divided by.
    """
    count = len(X) if count is None else count
    rows = np.arange(len(X))
    scores = X @ W
    margins = np.maximum(0, scores - scores[rows, y][:, None] + margin)
    margins[rows, y] = 0
    slope = in_gradient * (margins > 0)
    slope[rows, y] = -slope.sum(axis=1)
    return np.sum(in_value * margins) / count + reg * np.sum(W * W), X.T @ slope / count + 2 * reg * W


def chosen_margins(kind, k, X, y, C):
    """Which of the margins a fault is about, bool that broadcasts to (N, C)."""
    examples = np.arange(len(X))[:, None]
    return {
        "of a class": np.arange(C) == k % C,
        "of a label": y[:, None] == k % C,
        "of a label against a class": (y[:, None] == k % C) & (np.arange(C) == (k + 1) % C),
        "of every k-th example": examples % (k + 2) == 0,
        "of the last example": examples == len(X) - 1,
        "of an odd number of examples": np.full(C, len(X) % 2 == 1),
    }[kind]


@st.composite
def other_hinges(draw):
    """A hinge loss with a definition of its own: one that weighs some margins, or whose margin is not quite 1."""
    weighed = ["a class", "a label", "a label against a class", "every k-th example", "the last example"]
    kind = draw(st.sampled_from([*(f"of {what}" for what in weighed), "of an odd number of examples", *OTHERWISE]))
    sides = draw(st.sampled_from([("in_value",), ("in_gradient",), ("in_value", "in_gradient")]))
    off, k = draw(st.sampled_from([-1, 1])) * 10.0 ** -draw(st.floats(0, 6)), draw(st.integers(0, 5))

    def f(W, X, y, reg):
        C = W.shape[1]
        if kind in OTHERWISE:
            return OTHERWISE[kind](W, X, y, reg, off, k)
        chosen = np.broadcast_to(chosen_margins(kind, k, X, y, C), (len(X), C))
        weights = np.where(chosen, 1 + off, 1.0)
        weighed: dict[str, Any] = dict.fromkeys(sides, weights)
        return hinge(W, X, y, reg, **weighed)

    return f


OTHERWISE = {
    "another margin": lambda W, X, y, reg, off, _: hinge(W, X, y, reg, margin=1 + off),
    "another count": lambda W, X, y, reg, off, _: hinge(W, X, y, reg, count=len(X) + off / 2),
    "labels moved on": lambda W, X, y, reg, _, k: hinge(W, X, (y + 1 + k % (W.shape[1] - 1)) % W.shape[1], reg),
    "examples moved on": lambda W, X, y, reg, _, k: hinge(W, X, np.roll(y, k + 1), reg),
    "the last example dropped": lambda W, X, y, reg, _, __: hinge(
        W, X[: max(len(X) - 1, 1)], y[: max(len(X) - 1, 1)], reg
    ),
}


def in_older_layout(f):
    def older(W, X, y, reg):
        loss, dW = f(W.T, X.T, y, reg)
        return loss, dW.T

    return older


@pytest.mark.real_data
@given(other_hinges(), st.sampled_from([lambda f: f, in_older_layout]))
@settings(max_examples=30, deadline=None)
def test_no_other_hinge_is_called_right(other, layout):
    verdict = check_loss(layout(other), loss="hinge")
    assert verdict.verdict not in {"right", "right_unstable"}
    assert verdict.faults

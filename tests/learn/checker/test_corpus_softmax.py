"""The softmax part of the corpus: each function gets the verdict it must get, and small random faults are found."""

import warnings
from dataclasses import replace
from itertools import cycle

import check_page
import numpy as np
import pytest
from corpus import everything  # noqa: F401  # pyright: ignore[reportUnusedImport]
from corpus.registry import ENTRIES, each, each_in_turn
from faults import REWRITINGS, Drawn, drawn_faults, with_fault
from hypothesis import example, given, settings
from hypothesis import strategies as st

from linprobe.learn.checker import check_loss
from linprobe.learn.checker.codes import CODES, RANK
from linprobe.learn.checker.judge import judge
from linprobe.learn.checker.versions import Here
from linprobe.learn.loops import softmax_loss_naive

SOFTMAX = [entry for entry in ENTRIES if entry.loss == "softmax"]
RIGHT = [entry for entry in SOFTMAX if entry.verdict == "right"]
NUMPY = [entry for entry in RIGHT if not entry.function.__module__.endswith("torch")]
DOUBLE = [entry for entry in NUMPY if "single_precision" not in entry.name]
QUICK = [
    entry
    for entry in DOUBLE
    if entry.name in {"fancy_indexing", "fancy_indexing_with_classes_first", "one_hot_product", "norm_squared"}
]
# What may be said as well: it is true, and follows from the one fault.
ALSO = {
    "both_divided_by_the_penalty": {"penalty_wrong"},
    "logarithm_of_two": {"wrong_at_large_scores"},  # math.log2(0) raises
    "true_class_skipped_as_in_the_hinge": {"true_class_probability_missing"},
}
BETWEEN = {
    "class_index_in_value_and_gradient",
    "loss_goes_on_growing",
    "hinge_where_softmax_is_asked_for",
}  # of the size of neither loss
# What tells one loss from the other is the number of faults, known and unknown: one function for each that there is.
OF_EACH_KIND = {
    (entry.verdict, len(entry.codes), entry.layout): entry
    for entry in SOFTMAX
    if entry.verdict != "right" and entry.name not in BETWEEN and not entry.function.__module__.endswith("torch")
}


def test_the_corpus_is_as_large_and_as_clear_as_it_must_be():
    assert len([entry for entry in SOFTMAX if entry.verdict != "right"]) >= 45
    assert len(RIGHT) >= 16
    assert len({entry.name for entry in SOFTMAX}) == len(SOFTMAX)
    for entry in SOFTMAX:
        assert list(entry.codes) == sorted(entry.codes, key=RANK.__getitem__), entry.name
        assert not entry.codes or CODES[entry.codes[0]].judgement == entry.verdict, entry.name


def test_each_code_has_one_example_at_most():
    shown = [entry.codes[0] for entry in SOFTMAX if entry.example]
    assert len(shown) == len(set(shown))


@each(DOUBLE)
@pytest.mark.parametrize("shape", [(23, 13, 7), (1, 5, 3), (3, 4, 6)], ids=str)
def test_a_right_function_agrees_with_the_loops(entry, shape):
    N, D, C = shape
    rng = np.random.default_rng(N)
    W, X, y, reg = rng.standard_normal((D, C)), rng.standard_normal((N, D)), rng.integers(0, C, N), 0.4
    expected, gradient = softmax_loss_naive(W, X, y, reg)
    if entry.convention == "half":
        expected, gradient = expected - 0.5 * reg * np.sum(W * W), gradient - reg * W
    arguments = (W, X) if entry.layout == "DC" else (W.T.copy(), X.T.copy())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PendingDeprecationWarning)  # np.matrix
        loss, dW = entry.function(*arguments, y, reg)
    assert np.asarray(loss).item() == pytest.approx(expected, rel=1e-12)
    np.testing.assert_allclose(dW if entry.layout == "DC" else dW.T, gradient, rtol=0, atol=1e-12)


@pytest.mark.sampled(9)
@each_in_turn(SOFTMAX)
def test_each_function_gets_its_verdict(entry):
    verdict = check_loss(entry.untouched() if entry.example else entry.function, loss="softmax")
    codes = [fault.code for fault in verdict.faults]
    assert (verdict.verdict, codes[:1]) == (entry.verdict, list(entry.codes[:1]) or codes[:1])
    assert set(entry.codes) <= set(codes)
    if entry.codes:
        assert set(codes) <= {*entry.codes, *ALSO.get(entry.name, ())}
    assert bool(verdict) == (not codes) == (entry.verdict == "right")
    assert len({fault.message for fault in verdict.faults}) == len(codes), "said twice"
    for fact in ("convention", "layout", "loop_free"):
        asserted = getattr(entry, fact)
        assert asserted is None or getattr(verdict, fact) == asserted, fact
    if entry.example:
        check_page.assert_up_to_date(entry.codes[0], verdict.faults)


@pytest.mark.sampled(8)
@each(list(OF_EACH_KIND.values()))
def test_the_loss_is_found_out(entry):
    assert judge(Here(entry.function), "f").loss == "softmax"


@pytest.mark.slow
@each(QUICK[:2])
def test_the_verdict_is_the_same_for_a_loss_found_out(entry):
    verdicts = check_loss(entry.function, loss="softmax"), check_loss(entry.function)
    named, found_out = (
        replace(one, seconds=None, notes=[note for note in one.notes if "slow" not in note]) for one in verdicts
    )
    assert named == found_out


@pytest.mark.real_data
@given(entry=st.sampled_from(QUICK), fault=drawn_faults)
@example(entry=QUICK[0], fault=Drawn("a factor", True, 1e-6, 0, 2.0))
@example(entry=QUICK[1], fault=Drawn("a factor", False, -1e-6, 0, 2.0))
@example(entry=QUICK[2], fault=Drawn("four digits", True, 0.0, 0, 2.0))
@example(entry=QUICK[3], fault=Drawn("four digits", False, 0.0, 0, 2.0))
@settings(max_examples=60, deadline=None, derandomize=True)
def test_a_small_fault_is_never_called_right(entry, fault):
    assert not check_loss(with_fault(entry.function, str(entry.layout), fault), loss="softmax")


# Every entry once, with the four ways taken in turn.
@pytest.mark.sampled(32)
@pytest.mark.parametrize(
    ("entry", "how"),
    list(zip(DOUBLE, cycle(REWRITINGS), strict=False)),
    ids=lambda value: getattr(value, "name", value),
)
def test_a_right_function_rewritten_is_right(entry, how):
    verdict = check_loss(REWRITINGS[how](entry.function, str(entry.layout), seed=len(entry.name)), loss="softmax")
    assert (verdict.verdict, verdict.convention, verdict.layout) == ("right", entry.convention, entry.layout)

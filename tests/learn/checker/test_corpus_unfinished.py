"""Half-written functions: loss and gradient are judged each for itself, whatever has become of the other."""

# ruff: noqa: ARG005 - every part of a function takes the arguments that all take

from itertools import cycle, product

import numpy as np
import pytest

from linprobe.learn.checker import check_loss


def probabilities(W, X):
    scores = X @ W
    e = np.exp(scores - scores.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def of_truth(W, X, y):
    return probabilities(W, X)[np.arange(len(y)), y]


def softmax_slope(W, X, y):
    slope = probabilities(W, X)
    slope[np.arange(len(y)), y] -= 1
    return slope


def margins(W, X, y, delta=1.0):
    scores = X @ W
    found = np.maximum(0, scores - scores[np.arange(len(y)), y][:, None] + delta)
    found[np.arange(len(y)), y] = 0
    return found


def hinge_slope(W, X, y):
    slope = (margins(W, X, y) > 0).astype(float)
    slope[np.arange(len(y)), y] = -slope.sum(axis=1)
    return slope


# What is wrong with a loss, and what a function that has no gradient yet is told of it.
LOSSES = {
    "softmax right": (lambda W, X, y, reg: -np.log(of_truth(W, X, y)).mean() + reg * np.sum(W * W), set()),
    "softmax half": (lambda W, X, y, reg: -np.log(of_truth(W, X, y)).mean() + 0.5 * reg * np.sum(W * W), set()),
    "softmax no penalty": (lambda W, X, y, reg: -np.log(of_truth(W, X, y)).mean(), {"penalty_missing"}),
    "softmax sum": (lambda W, X, y, reg: -np.log(of_truth(W, X, y)).sum() + reg * np.sum(W * W), {"mean_missing"}),
    "softmax no reg": (lambda W, X, y, reg: -np.log(of_truth(W, X, y)).mean() + np.sum(W * W), {"penalty_without_reg"}),
    "softmax sum of W": (
        lambda W, X, y, reg: -np.log(of_truth(W, X, y)).mean() + reg * W.sum(),
        {"penalty_not_squared"},
    ),
    "softmax thrice": (
        lambda W, X, y, reg: -np.log(of_truth(W, X, y)).mean() + 3 * reg * np.sum(W * W),
        {"penalty_scale"},
    ),
    "softmax precedence": (
        lambda W, X, y, reg: -np.log(of_truth(W, X, y)).sum() / (len(y) + 0.5 * reg * np.sum(W * W)),
        {"penalty_precedence"},
    ),
    "softmax no logarithm": (lambda W, X, y, reg: -of_truth(W, X, y).mean() + reg * np.sum(W * W), {"no_logarithm"}),
    "softmax sign": (lambda W, X, y, reg: np.log(of_truth(W, X, y)).mean() + reg * np.sum(W * W), {"sign_of_value"}),
    "softmax unknown": (lambda W, X, y, reg: float(np.abs(X @ W).sum()) + reg * np.sum(W * W), {"wrong_value"}),
    "softmax overflows": (
        lambda W, X, y, reg: (
            (np.log(np.exp(X @ W).sum(axis=1)) - (X @ W)[np.arange(len(y)), y]).mean() + reg * np.sum(W * W)
        ),
        {"overflow"},
    ),
    "softmax is a hinge": (
        lambda W, X, y, reg: margins(W, X, y).sum() / len(y) + reg * np.sum(W * W),
        {"other_loss"},
    ),
    "softmax penalty alone": (lambda W, X, y, reg: reg * np.sum(W * W), {"only_penalty"}),
    "hinge right": (lambda W, X, y, reg: margins(W, X, y).sum() / len(y) + reg * np.sum(W * W), set()),
    "hinge counted": (
        lambda W, X, y, reg: margins(W, X, y).sum() / len(y) + 1 + reg * np.sum(W * W),
        {"true_class_counted"},
    ),
    "hinge margin": (lambda W, X, y, reg: margins(W, X, y, 0.0).sum() / len(y) + reg * np.sum(W * W), {"margin"}),
    "hinge sum": (lambda W, X, y, reg: margins(W, X, y).sum() + reg * np.sum(W * W), {"mean_missing"}),
}
NO_GRADIENT = {
    "zeros": lambda W, reg: np.zeros(W.shape),
    "None": lambda W, reg: None,
    "0": lambda W, reg: 0.0,
}


def told(f, loss):
    verdict = check_loss(f, loss)
    assert not verdict
    assert not any("single precision" in note for note in verdict.notes)
    assert len({one.message for one in verdict.faults}) == len(verdict.faults)
    return verdict.verdict, {one.code for one in verdict.faults}


# Each loss with one of the three in turn, and a right one with each of them.
@pytest.mark.sampled(4)
@pytest.mark.parametrize(
    ("name", "missing"), [*zip(LOSSES, cycle(NO_GRADIENT)), *product(["hinge right"], NO_GRADIENT)], ids=str
)
def test_a_loss_is_judged_though_its_gradient_is_not_there(name, missing):
    value, codes = LOSSES[name]
    gradient = NO_GRADIENT[missing]
    found = told(lambda W, X, y, reg: (value(W, X, y, reg), gradient(W, reg)), name.split()[0])
    assert found == ("unfinished", {"gradient_unfinished", *codes})


@pytest.mark.sampled(4)
@pytest.mark.parametrize("name", LOSSES)
def test_a_gradient_that_is_the_penalty_s_alone_is_unfinished_and_its_penalty_judged(name):
    value, codes = LOSSES[name]
    factor = 1 if name in {"softmax half", "softmax precedence"} else 2
    codes = {one.replace("penalty_missing", "penalty_not_in_value") for one in codes}
    found = told(lambda W, X, y, reg: (value(W, X, y, reg), factor * reg * W), name.split()[0])
    assert found == ("unfinished", {"gradient_unfinished", *codes})


def test_a_penalty_that_is_there_already_is_held_to_that_of_the_loss():
    value, _ = LOSSES["softmax half"]
    found = told(lambda W, X, y, reg: (value(W, X, y, reg), 2 * reg * W), "softmax")
    assert found == ("unfinished", {"gradient_unfinished", "penalty_gradient_double"})


GRADIENTS = {
    "softmax right": (lambda W, X, y, reg: X.T @ softmax_slope(W, X, y) / len(y) + 2 * reg * W, set()),
    "softmax half": (lambda W, X, y, reg: X.T @ softmax_slope(W, X, y) / len(y) + reg * W, set()),
    "softmax no penalty": (lambda W, X, y, reg: X.T @ softmax_slope(W, X, y) / len(y), {"penalty_missing"}),
    "softmax sum": (lambda W, X, y, reg: X.T @ softmax_slope(W, X, y) + 2 * reg * W, {"mean_missing"}),
    "softmax thrice": (lambda W, X, y, reg: X.T @ softmax_slope(W, X, y) / len(y) + 6 * reg * W, {"penalty_scale"}),
    "softmax truth": (
        lambda W, X, y, reg: X.T @ probabilities(W, X) / len(y) + 2 * reg * W,
        {"true_class_not_subtracted"},
    ),
    "softmax unknown": (lambda W, X, y, reg: X.T @ np.abs(X @ W) + 2 * reg * W, {"wrong_gradient"}),
    "hinge right": (lambda W, X, y, reg: X.T @ hinge_slope(W, X, y) / len(y) + 2 * reg * W, set()),
    "hinge sign": (lambda W, X, y, reg: -X.T @ hinge_slope(W, X, y) / len(y) + 2 * reg * W, {"sign_of_gradient"}),
}


@pytest.mark.sampled(4)
@pytest.mark.parametrize(
    ("name", "nothing"), [*zip(GRADIENTS, cycle([0.0, None])), *product(["hinge right"], [0.0, None])], ids=str
)
def test_a_gradient_is_judged_though_its_loss_is_not_there(name, nothing):
    gradient, codes = GRADIENTS[name]
    found = told(lambda W, X, y, reg: (nothing, gradient(W, X, y, reg)), name.split()[0])
    assert found == ("unfinished", {"value_unfinished", *codes})


@pytest.mark.parametrize(
    ("value", "gradient", "codes"),
    [
        (lambda W, reg: 0.0, lambda W, reg: np.zeros(W.shape), {"unfinished"}),
        (lambda W, reg: None, lambda W, reg: None, {"unfinished"}),
        (lambda W, reg: 0.0, lambda W, reg: 2 * reg * W, {"value_unfinished", "gradient_unfinished"}),
        (lambda W, reg: reg * np.sum(W * W), lambda W, reg: 2 * reg * W, {"only_penalty", "gradient_unfinished"}),
        (
            lambda W, reg: np.sum(W * W),
            lambda W, reg: 2 * W,
            {"only_penalty", "gradient_unfinished", "penalty_without_reg"},
        ),
    ],
)
def test_neither_is_there(value, gradient, codes):
    assert told(lambda W, X, y, reg: (value(W, reg), gradient(W, reg)), "softmax") == ("unfinished", codes)


def test_what_is_zero_only_where_every_class_occurs_has_been_written():
    def f(W, X, y, reg):
        found = margins(W, X, y)
        found[:, y] = 0
        slope = (found > 0).astype(float)
        slope[np.arange(len(y)), y] = -slope.sum(axis=1)
        return found.sum() / len(y) + reg * np.sum(W * W), X.T @ slope / len(y) + 2 * reg * W

    verdict, codes = told(f, "hinge")
    assert verdict == "wrong"
    assert not codes & {"unfinished", "value_unfinished", "gradient_unfinished", "only_penalty"}


def test_whole_numbers_are_named_and_the_loss_judged_all_the_same():
    value, codes = LOSSES["hinge counted"]
    found = told(lambda W, X, y, reg: (value(W, X, y, reg), np.zeros(W.shape, dtype=int)), "hinge")
    assert found == ("wrong", {"gradient_type", *codes})


def test_an_absent_class_is_named_though_the_gradient_is_not_there():
    def f(W, X, y, reg):
        C = len(np.unique(y))
        losses = np.log(np.exp(X @ W)[:, :C].sum(axis=1)) - (X @ W)[np.arange(len(y)), y]
        return losses.mean() + reg * np.sum(W * W), np.zeros(W.shape)

    _, codes = told(f, "softmax")
    assert codes == {"gradient_unfinished", "overflow", "absent_class"}

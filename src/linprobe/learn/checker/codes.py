"""The faults that are told apart: for each code, what makes it and where to look; stable, and in the order of roots.

A fault further up may cause those below it, so that faults are reported in this order. A code is never given another
meaning; docs/check.md shows an example of each.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from linprobe.learn.checker.verdict import Fault, Judgement

__all__ = ["CODES", "INFINITE_ANYWAY", "RANK", "UNEXPLAINED", "Code", "fault"]

UNEXPLAINED = {"wrong_value", "wrong_gradient"}
# Formulas that are infinite at large scores however the scores are shifted.
INFINITE_ANYWAY = UNEXPLAINED | {
    "label_of_class",
    "label_index",
    "softmax_twice",
    "column_maximum",
    "batch_normaliser",
    "example_normaliser",
    "running_normaliser",
    "true_class_not_normalised",
    "no_logarithm",
}


@dataclass(frozen=True)
class Code:
    """What a fault makes of the verdict, and the sentence that a learner reads; {fields} are filled in."""

    judgement: Judgement
    message: str


CODES: Mapping[str, Code] = {
    # The file
    "python2_print": Code(
        "crashes", "print is written as in Python 2, without parentheses: Python 3 cannot read the file."
    ),
    "mixed_indentation": Code("crashes", "Tabs and spaces are mixed in the indentation: use four spaces throughout."),
    "syntax_error": Code("crashes", "Python cannot read the file: {error}."),
    "missing_import": Code("crashes", "{name} is used but not imported: add the import at the top of the file."),
    "undefined_name": Code("crashes", "{name} has no value when this line runs: set it before, or correct the name."),
    "import_fails": Code("crashes", "The file stops while it is being imported: {error}."),
    # The call
    "hangs": Code("crashes", "No answer within {seconds:g} s on {examples} examples: look for a loop that never ends."),
    "out_of_memory": Code(
        "crashes",
        "It runs out of memory: look for an array that pairs all examples with each other, or with all features.",
    ),
    "needs_gpu": Code(
        "crashes",
        "It asks for a GPU, and there is none where it is judged: leave W, X and y on the device they are on.",
    ),
    "exits": Code("crashes", "It ends the whole program instead of returning: take out {error}."),
    "killed": Code("crashes", "The process ended without an answer: {error}."),
    "raises": Code("crashes", "It raises {error}."),
    # What comes back
    "unfinished": Code("unfinished", "{found}: the function has not been written yet."),
    "value_unfinished": Code("unfinished", "The loss is {found}: it has not been written yet."),
    "gradient_unfinished": Code("unfinished", "dW {found}: the gradient of the loss is not in it yet."),
    "returns_no_pair": Code("wrong", "It must return (loss, dW), a number and an array; it returns {found}."),
    "loss_not_scalar": Code("wrong", "The loss is {found}, not one number: sum over it, and then take the mean."),
    "gradient_shape": Code("wrong", "dW is {found}, and must be shaped like W, {expected}."),
    "gradient_type": Code(
        "wrong",
        "dW holds {found}, not floating-point numbers, so that fractions are cut off: make it with np.zeros(W.shape).",
    ),
    "not_finite": Code("wrong", "It gives numbers that are not finite at ordinary scores: look for 0/0 or log(0)."),
    "hard_coded_size": Code("wrong", "A size is written into it ({hint}): take N, D and C from the shapes of X and W."),
    # What it does to its surroundings
    "changes_weights": Code(
        "wrong", "It changes the caller's W: R = W makes no copy, and -= and *= work in place. Work on W.copy()."
    ),
    "changes_data": Code("wrong", "It changes the caller's X: an assignment makes no copy. Work on X.copy()."),
    "changes_labels": Code("wrong", "It changes the caller's y: an assignment makes no copy. Work on y.copy()."),
    "not_repeatable": Code(
        "wrong", "The same arguments give another answer the second time: something is kept between calls."
    ),
    # Which class is the true one
    "label_of_class": Code(
        "wrong", "y is indexed by the class j where it must be indexed by the example i: y[i], not y[j]."
    ),
    "label_index": Code(
        "wrong",
        "{index} takes whole {part}, those that the labels number: pair each example with its own label, "
        "p[np.arange(N), y]{loops}.",
    ),
    "example_of_class": Code(
        "wrong", "X is indexed by the class j where it must be indexed by the example i: X[i], not X[j]."
    ),
    # Which examples and classes count
    "example_missing": Code("wrong", "The {which} example is left out: go through all of range(N)."),
    "one_example_only": Code("wrong", "The {which} example alone counts: look for {cause}."),
    "mean_in_loop": Code("wrong", "What has been summed is divided by N after every example: divide after the loop."),
    "class_missing": Code("wrong", "The {which} class is never reached: go through all of range(C)."),
    "stops_at_true_class": Code(
        "wrong",
        "The classes behind the true one are left out: skip it with continue; break ends the loop over the classes.",
    ),
    "stops_at_first_margin": Code(
        "wrong", "The first positive margin of an example alone counts: nothing may end the loop over the classes."
    ),
    # Scores to losses
    "other_loss": Code("wrong", "It is the {other} loss: the {loss} loss was asked for."),
    "only_penalty": Code(
        "wrong", "The loss holds the penalty alone: the part of the data is missing, or overwritten (=+ is not +=)."
    ),
    "softmax_twice": Code("wrong", "Softmax is applied to what is already a probability: apply it to the scores once."),
    "column_maximum": Code(
        "wrong",
        "The maximum is taken over the examples, one for each class: take off each example's own, over the classes.",
    ),
    "batch_normaliser": Code(
        "wrong", "exp(scores) is divided by the sum over the whole batch: sum over the classes of each example alone."
    ),
    "example_normaliser": Code(
        "wrong", "exp(scores) is summed over the examples, for each class: sum over the classes, for each example."
    ),
    "running_normaliser": Code(
        "wrong", "The sum of exp(scores) goes on from example to example: set it back to 0 for each."
    ),
    "true_class_not_normalised": Code(
        "wrong", "The true class is left out of the softmax's denominator: sum over all the classes."
    ),
    "not_normalised": Code("wrong", "exp(scores) is not divided by its sum over the classes: that is no probability."),
    "no_logarithm": Code("wrong", "The loss is a mean probability: take -log of the true class's probability."),
    "logarithm_base": Code("wrong", "The logarithm has the base {base}: use the natural one, np.log."),
    # Of the gradient, but ahead of the margin: to count every class looks like a margin beyond all scores.
    "hinge_not_in_gradient": Code(
        "wrong", "The gradient counts every wrong class: dW may change only where the margin is positive."
    ),
    "margin_reversed": Code("wrong", "The margin has its scores the wrong way round: it is s_j - s_y + 1."),
    "margin": Code("wrong", "The margin is {found:.4g}, and must be 1: max(0, s_j - s_y + 1)."),
    "no_hinge": Code("wrong", "Negative margins are counted as well: take max(0, s_j - s_y + 1)."),
    "squared_hinge": Code("wrong", "The margins are squared: the exercise's hinge sums them as they are."),
    "largest_margin_only": Code(
        "wrong", "Only the largest margin of an example is counted: sum over all the wrong classes."
    ),
    "true_class_counted": Code(
        "wrong", "The true class is counted among the wrong ones, where its margin is always 1: leave j = y[i] out."
    ),
    # Score gradients
    "others_get_one": Code(
        "wrong", "The other classes get X[i] as in the hinge loss: they get their probability, p[j] * X[i]."
    ),
    "others_missing": Code("wrong", "Only the column of the true class has a gradient: the other classes need theirs."),
    "others_get_true": Code(
        "wrong", "Every class gets the true class's probability in the gradient, p[y[i]]: it needs its own, p[j]."
    ),
    "negative_margins_left": Code(
        "wrong", "Where a margin is negative, dW still weighs X[i] by it: it needs 0 there and 1 where it is positive."
    ),
    "margins_not_counted": Code(
        "wrong", "The gradient weighs X[i] by the size of the margins: it needs 1 where a margin is positive."
    ),
    "true_class_not_subtracted": Code(
        "wrong",
        "The true class's term is missing from the gradient: subtract it from dW[:, y[i]], in the array itself "
        "(A[rows][:5] -= 1 changes a copy).",
    ),
    "true_class_probability_missing": Code(
        "wrong", "In the gradient, the true class gets -X[i] alone: it needs (p[y[i]] - 1) * X[i]."
    ),
    "true_class_sign": Code("wrong", "The true class's term of the gradient has the wrong sign."),
    "true_class_once": Code(
        "wrong",
        "X[i] is taken off the true class's column once an example: take it off once for each positive margin.",
    ),
    "boolean_mask": Code(
        "wrong",
        "The number of positive margins is put into an array of True and False, which makes it True: take "
        "(margins > 0).astype(float).",
    ),
    "true_class_per_class": Code(
        "wrong", "X[i] is taken off the true class's column once for every class: do it outside the loop over classes."
    ),
    "repeated_labels": Code(
        "wrong",
        "Subtracting at all the labels at once (dW[:, y] -= ...) counts each label once, however often it is repeated: "
        "use np.add.at, or a matrix of ones and zeros.",
    ),
    # Means
    "sign_of_value": Code("wrong", "The loss has the wrong sign."),
    "sign_of_gradient": Code("wrong", "The gradient has the wrong sign."),
    "mean_missing": Code("wrong", "{what} is a sum over the examples: divide it by N."),
    "mean_doubled": Code("wrong", "{what} is divided by N twice: once is enough."),
    "mean_over_classes": Code("wrong", "{what} is averaged over the classes as well: divide it by N only."),
    "wrong_divisor": Code("wrong", "{what} is divided by {found}: divide it by N, the number of examples."),
    "constant_factor": Code("wrong", "{what} is {found:.6g} times what it should be."),
    # The penalty
    "penalty_precedence": Code(
        "wrong", "loss /= N + reg * ... divides by the penalty too: divide by N first, then add the penalty."
    ),
    "penalty_without_reg": Code("wrong", "{what} has a penalty that is not multiplied by reg."),
    "penalty_missing": Code("wrong", "reg is not used: add reg * sum(W * W) to the loss and 2 * reg * W to dW."),
    "penalty_not_in_value": Code("wrong", "The penalty is missing from the loss, though dW has one."),
    "penalty_not_in_gradient": Code("wrong", "The penalty is missing from dW, though the loss has it: add {expected}."),
    "penalty_not_squared": Code("wrong", "The penalty is reg * {found}: it must be reg * sum(W * W)."),
    "penalty_without_bias": Code("wrong", "The last feature's weights are left out of the penalty: it takes all of W."),
    "penalty_gradient_half": Code(
        "wrong", "The loss adds reg * sum(W * W), dW adds reg * W, half its derivative: add 2 * reg * W."
    ),
    "penalty_gradient_double": Code(
        "wrong", "The loss adds 0.5 * reg * sum(W * W), dW adds 2 * reg * W, twice its derivative: add reg * W."
    ),
    "penalty_gradient_scalar": Code(
        "wrong", "dW gets the same number everywhere, {found}: the penalty's gradient has an entry for each weight."
    ),
    "penalty_gradient_squared": Code(
        "wrong", "dW adds the squares of W: the derivative of W * W is 2 * W, so add {expected}."
    ),
    "penalty_scale": Code("wrong", "The penalty of {what} is {found} times what it should be."),
    # What no pattern explains, but an edit of one line mends
    "wrong_index": Code("wrong", "Line {line} takes the wrong entry: {advice}, {what} right."),
    "wrong_axis": Code("wrong", "Line {line} goes along the wrong axis: {advice}, {what} right."),
    "wrong_operator": Code("wrong", "Line {line} has the wrong operator: {advice}, {what} right."),
    "wrong_number": Code("wrong", "Line {line} has the wrong number: {advice}, {what} right."),
    "wrong_name": Code("wrong", "Line {line} has the wrong name: {advice}, {what} right."),
    "wrong_term": Code("wrong", "Line {line} has the wrong term: {advice}, {what} right."),
    "wrong_statement": Code("wrong", "Line {line} is out of place: {advice}, {what} right."),
    # What nothing explains
    "wrong_value": Code("wrong", "The loss is wrong. {hint}"),
    "wrong_gradient": Code("wrong", "The gradient is wrong. {hint}"),
    "penalty_wrong": Code(
        "wrong", "The penalty of {what} is wrong: take reg * sum(W * W) and 2 * reg * W, or half of both."
    ),
    # Some arguments only
    "absent_class": Code("wrong", "It is wrong where a class has no example in the batch: take C from W's shape."),
    "few_examples": Code("wrong", "It is wrong where there are fewer examples than classes."),
    "single_example": Code("wrong", "It is wrong for a batch of one example: look for a squeeze or a lost axis."),
    "single_precision": Code("wrong", "It mishandles float32 arguments: {hint}"),
    # Large scores
    "overflow": Code(
        "right_unstable", "exp overflows at large scores: take each example's own maximum off its scores first."
    ),
    "capped_scores": Code(
        "right_unstable",
        "Large scores are cut off, so that different ones become equal: take each example's own maximum off instead.",
    ),
    "maximum_from_zero": Code(
        "right_unstable",
        "What is taken off the scores is their maximum only where that is above 0: start it at scores[0], not at 0.",
    ),
    "batch_maximum": Code(
        "right_unstable", "One maximum is taken off for the whole batch: take off each example's own."
    ),
    "capped_logarithm": Code(
        "right_unstable",
        "No probability below {found:.1g} counts, as with log(p + {found:.1g}) or a clip, which caps the loss: use "
        "scores - log(sum(exp(scores))) instead.",
    ),
    "padded_normaliser": Code(
        "right_unstable",
        "{found:.1g} is added to the sum of exp(scores): leave it out; with each example's own maximum taken off, "
        "the sum is at least 1.",
    ),
    "wrong_at_large_scores": Code("right_unstable", "It is wrong at large scores: {hint}"),
}

RANK = {code: rank for rank, code in enumerate(CODES)}


def fault(code: str, evidence: Mapping[str, Any] | None = None, **fields: Any) -> Fault:
    """A fault with its sentence; fields fill the sentence in."""
    return Fault(code, CODES[code].message.format(**fields), dict(evidence or {}))

"""Two explanations that agree with all that was asked: a further case tells them apart, or neither is named."""

import numpy as np

from linprobe.learn.checker import check_loss


def margins(W, X, y):
    rows = np.arange(len(y))
    found = X @ W - (X @ W)[rows, y][:, None] + 1
    found[rows, y] = 0
    return found


def hinge(counted):
    """A right loss with a gradient that counts these margins."""

    def f(W, X, y, reg):
        found = margins(W, X, y)
        slope = counted(found, np.eye(W.shape[1])[y] > 0).astype(float)
        slope[np.arange(len(y)), y] = -slope.sum(axis=1)
        value = np.maximum(found, 0).sum() / len(y) + reg * np.sum(W * W)
        return value, X.T @ slope / len(y) + 2 * reg * W

    return f


def told(f, loss):
    return [(one.code, one.message) for one in check_loss(f, loss).faults]


def test_a_margin_beyond_all_scores_is_told_from_no_margin_at_all():
    ((code, message),) = told(hinge(lambda found, true: (found > -9) & ~true), "hinge")
    assert code == "margin"
    assert "is 10," in message
    ((code, _),) = told(hinge(lambda _, true: ~true), "hinge")
    assert code == "hinge_not_in_gradient"


def test_what_nothing_tells_apart_is_not_named_and_what_both_share_is():
    (first, _), (second, message) = told(hinge(lambda found, _: found > -np.inf), "hinge")
    assert (first, second) == ("hinge_not_in_gradient", "wrong_gradient")
    assert "true_class_counted, true_class_per_class" in message


def test_a_figure_that_was_fitted_explains_less_than_one_that_was_not():
    def f(W, X, y, reg):
        scores = X @ W
        p = np.exp(scores - scores.max(axis=1, keepdims=True))
        p /= p.sum(axis=1, keepdims=True)
        value = -np.log10(p[np.arange(len(y)), y]).mean() + reg * np.sum(W * W)
        p[np.arange(len(y)), y] -= 1
        return value, X.T @ p / len(y) + 2 * reg * W

    assert [code for code, _ in told(f, "softmax")] == ["logarithm_base"]

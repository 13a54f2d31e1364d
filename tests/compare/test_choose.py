"""The one rule of the choice: ties, failed fits, one standard error and edges, against plain loops."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from linprobe.compare.choose import Edge, choose, ranked
from linprobe.compare.comparison import Comparison, Fits
from linprobe.compare.descent import heads_of
from linprobe.compare.settings import Grid, Listed, Space, Trials, parse_axis
from linprobe.errors import DivergedError, UsageError

nan = np.nan


def fits(scores, failed=None):
    """Fits that ended as they should, but for the settings that failed (G,)."""
    failed = np.zeros(len(scores), bool) if failed is None else failed
    lost = np.broadcast_to(failed[:, None], scores.shape)
    return Fits(objective=np.ones(scores.shape), stopped=np.full(scores.shape, "gap"), failed=lost)


def compared(scores, losses=None, reg=None, failed=None, **more):
    """A comparison on one split, or on as many as the scores have columns."""
    scores = np.asarray(scores, float)
    scores = scores[:, None] if scores.ndim == 1 else scores
    losses = None if losses is None else np.asarray(losses, float)[:, None]
    reg = np.arange(1.0, len(scores) + 1) if reg is None else np.asarray(reg, float)
    return Comparison({"reg": reg}, scores, fits(scores, failed), losses=losses, **more)


def of_space(space: Space, heads, scores):
    settings = {name: getattr(heads, name) for name in space.axes}
    scores = np.asarray(scores, float)[:, None]
    return Comparison(settings, scores, fits(scores), axes=space.axes, drawn=space.drawn)


def make_grid(learning_rates, regs):
    return Grid(np.array(learning_rates, float), np.array(regs, float))


def edges_at(space, heads, best):
    """The axes at whose edge a setting lies that is better than all others."""
    return choose(of_space(space, heads, np.arange(len(heads)) == best)).edge_axes


# ---- ties


@pytest.mark.parametrize(
    ("scores", "best"),
    [
        ([0.5], 0),
        ([0.1, 0.3, 0.2], 1),
        ([0.1, 0.3, 0.3, 0.3], 1),
        ([nan, 0.0, nan], 1),
        ([0.2, nan, 0.9, nan, 0.9], 2),
        ([0, 0, 0], 0),
        ([nan, nan, 0.1], 2),
    ],
)
def test_the_first_of_the_highest_is_chosen_never_one_that_diverged(scores, best):
    assert choose(compared(scores)).best == best


FIGURES = st.sampled_from([nan, 0.0, 0.25, 0.5, 1.0])


@given(st.lists(st.tuples(FIGURES, st.sampled_from([0.1, 0.2, 0.3]), st.booleans()), min_size=1, max_size=30))
def test_the_choice_is_that_of_a_loop(settings):
    best = None
    for k, (score, loss, failed) in enumerate(settings):
        if score == score:
            place = (failed, -score, loss, k)
            best = place if best is None else min(best, place)
    scores, losses, failed = map(np.array, zip(*settings, strict=True))
    found = compared(scores, losses, failed=failed)
    if best is None:
        with pytest.raises(DivergedError):
            choose(found)
        return
    choice = choose(found)
    assert choice.best == best[-1]
    as_good = [k for k, one in enumerate(settings) if one[0] == -best[1] and one[2] == best[0]]
    assert choice.tied == tuple(k for k in as_good if losses[k] == best[2])
    why = "highest score" if len(as_good) == 1 else "lowest loss" if len(choice.tied) == 1 else "first"
    assert choice.why == ("all failed" if best[0] else why)
    order = ranked(scores, losses, failed)
    assert order[0] == choice.best
    assert sorted(order.tolist()) == list(range(len(settings)))


def test_the_best_come_first_by_score_then_by_loss_then_as_they_are():
    score, loss = np.array([0.5, 0.9, nan, 0.9, 0.9, 0.1]), np.array([0.1, 0.4, nan, 0.3, 0.4, 0.05])
    assert ranked(score, loss).tolist() == [3, 1, 4, 0, 5, 2]
    assert ranked(score).tolist() == [1, 3, 4, 0, 5, 2]
    assert ranked(score, loss, np.arange(6) == 3).tolist() == [1, 4, 0, 5, 3, 2]


def test_the_same_counts_in_other_folds_are_as_good():
    scores = np.array([[0.1, 0.2, 0.3], [0.3, 0.2, 0.1], [0.2, 0.1, 0.2]])
    means = scores.mean(axis=1)
    assert 0 < means[0] - means[1] < 1e-15  # though the same three shares are in both
    losses = np.array([[2.0, 2, 2], [1, 1, 1], [0, 0, 0]])
    found = Comparison({"reg": np.array([1.0, 2, 3])}, scores, fits(scores), losses=losses)
    choice = choose(found)
    assert (choice.best, choice.why, choice.tied) == (1, "lowest loss", (1,))
    assert choose(Comparison({"reg": np.array([1.0, 2, 3])}, scores, fits(scores))).tied == (0, 1)
    assert ranked(means, losses[:, 0]).tolist() == [1, 0, 2]
    # One example of a hundred million is none of rounding's; nor do large scores differ by what they are rounded to.
    assert ranked(np.array([0.5, 0.5 + 1e-8])).tolist() == [1, 0]
    assert ranked(np.array([-1e6, np.nextafter(-1e6, 0)])).tolist() == [0, 1]
    assert ranked(np.array([-np.inf, np.inf, 0, nan, np.inf])).tolist() == [1, 4, 2, 0, 3]


def test_of_equally_good_settings_the_surer_one_is_chosen():
    assert choose(compared([0.5, 0.9, 0.9, nan], [0.1, 0.4, 0.3, nan])).best == 2
    assert choose(compared([0.9, 0.9], [0.3, 0.3])).best == 0
    assert choose(compared([nan, 0.0], [nan, 7.0])).best == 1


def test_when_all_diverged_the_way_out_is_named():
    with pytest.raises(DivergedError, match=r"^all 7 settings diverged.*smaller learning rates$"):
        choose(compared(np.full(7, nan)))
    with pytest.raises(DivergedError, match=r"^the only setting diverged"):
        choose(compared([nan]))


def test_splits_count_as_they_are_told_to():
    scores, losses = np.array([[0.9, 0.1], [0.2, 0.7]]), np.array([[1.0, 2.0], [3.0, 5.0]])
    found = Comparison({"reg": np.ones(2)}, scores, fits(scores), losses=losses, shares=np.array([0.25, 0.75]))
    assert choose(found).best == found.best == 1
    assert choose(Comparison({"reg": np.ones(2)}, scores, fits(scores), losses=losses)).best == 0
    assert found.loss.tolist() == [1.75, 4.5]


# ---- one standard error


def test_one_standard_error_takes_the_strongest_reg_that_is_as_good():
    scores = [[0.9, 0.7], [0.71, 0.71], [0.69, 0.69], [0.75, 0.75]]  # 0.8 with an error of 0.1, 0.71, 0.69, 0.75
    reg = [1.0, 4.0, 8.0, 2.0]
    careful = choose(compared(scores, reg=reg), one_standard_error=True)
    assert (careful.best, careful.why, careful.tied) == (1, "one standard error", (0,))
    assert careful.edges == (Edge("reg", 0, "lowest"),)
    kinds = choose(compared(scores, reg=reg, kind=np.array([0, 1, 0, 0])), one_standard_error=True)
    assert kinds.best == 3  # of another kind, the stronger one is no rival
    failed = choose(compared(scores, reg=reg, failed=np.array([False, True, False, False])), one_standard_error=True)
    assert failed.best == 3
    strongest = choose(compared(scores[:2], reg=reg[:2]), one_standard_error=True)
    assert strongest.edges == (Edge("reg", 0, "lowest"), Edge("reg", 1, "highest"))
    assert strongest.edge_axes == ("reg",)


def test_a_single_split_has_no_standard_error():
    with pytest.raises(UsageError, match="one_standard_error needs scores on two splits"):
        choose(compared([0.5, 0.6]), one_standard_error=True)


# ---- edges


@pytest.mark.parametrize(
    ("learning_rates", "regs", "expected"),
    [
        ([1, 2, 3], [1, 2, 3], {(0, 1): "learning_rate", (2, 1): "learning_rate", (1, 0): "reg", (1, 2): "reg"}),
        ([1, 2], [1, 2, 3], {(0, 1): "learning_rate", (1, 1): "learning_rate"}),
        ([5], [1, 2, 3], {(0, 0): "reg", (0, 1): "", (0, 2): "reg"}),
        ([5], [7], {(0, 0): ""}),
        ([5, 5], [7, 7, 7], {(0, 0): "", (1, 2): ""}),  # several times one value has no edge
        (
            [2, 3, 1],
            [1, 2, 3],
            {(0, 1): "", (1, 1): "learning_rate", (2, 1): "learning_rate"},
        ),  # by value, not by place
        ([1, 1, 2, 3], [1, 2, 3], {(1, 1): "learning_rate", (2, 1): ""}),
        ([1, 2, 3], [1, 2, 3], {(1, 1): "", (0, 0): "learning_rate reg", (2, 2): "learning_rate reg"}),
    ],
)
def test_the_edges_are_where_better_may_lie_beyond(learning_rates, regs, expected):
    grid = make_grid(learning_rates, regs)
    for (learning_rate, reg), edges in expected.items():
        heads, best = heads_of(grid, 0), learning_rate * len(regs) + reg
        assert edges_at(grid, heads, best) == tuple(edges.split())
        settings = {"learning_rate": heads.learning_rate, "reg": heads.reg}
        scores = (np.arange(len(heads)) == best)[:, None].astype(float)
        alone = Comparison(settings, scores, fits(scores))
        assert choose(alone).edge_axes == tuple(edges.split())  # the settings themselves say where the ends are


def test_nothing_lies_beyond_the_least_that_there_can_be():
    grid = Grid(np.array([0.0, 1.0]), np.array([0.0, 1.0]), np.array([0.0, 0.9]), np.array([1, 8]))
    assert edges_at(grid, heads_of(grid, 0), 0) == ()
    assert edges_at(grid, heads_of(grid, 0), len(grid) - 1) == ("learning_rate", "reg", "momentum", "batch_size")
    above = Grid(np.array([0.1, 1.0]), np.array([0.1, 1.0]), np.array([0.1, 0.9]), np.array([2, 8]))
    assert edges_at(above, heads_of(above, 0), 0) == ("learning_rate", "reg", "momentum", "batch_size")


@pytest.mark.parametrize(
    ("scores", "losses", "edges"),
    [
        ([0.9, 0.8, 0.7], None, [Edge("reg", 0, "lowest")]),
        ([0.7, 0.8, 0.9], None, [Edge("reg", 2, "highest")]),
        ([0.9, 0.9, 0.7], None, []),
        ([0.9, 0.9, 0.9], None, []),
        ([0.9, 0.8, 0.9], None, []),  # as good at both ends
        ([0.9, 0.9, 0.7], [0.1, 0.2, 0.3], [Edge("reg", 0, "lowest")]),  # the loss still falls
        ([0.9, 0.9, 0.7], [0.1, 0.1, 0.3], []),
    ],
)
def test_what_stays_the_same_up_to_the_end_is_no_edge(scores, losses, edges):
    assert list(choose(compared(scores, losses)).edges) == edges


def test_an_equal_that_differs_in_something_else_too_leaves_the_edge():
    grid = make_grid([1, 2, 3], [1, 2, 3])
    equals = np.zeros((2, 9))
    equals[0, [0, 4]] = equals[1, [0, 1]] = 1  # on the diagonal; along reg
    assert choose(of_space(grid, heads_of(grid, 0), equals[0])).edge_axes == ("learning_rate", "reg")
    assert choose(of_space(grid, heads_of(grid, 0), equals[1])).edge_axes == ("learning_rate",)
    kinds = compared([0.9, 0.9, 0.7, 0.6], reg=[1, 2, 2, 1], kind=np.array([0, 1, 0, 1]))
    assert choose(kinds).edges == (Edge("reg", 0, "lowest"),)


def test_what_a_failed_fit_is_best_at_is_no_edge():
    failed = np.array([True, True])
    assert choose(compared([0.5, 0.9], failed=failed)).edges == ()
    assert choose(compared([0.5, 0.9], failed=~failed)).edges == (Edge("reg", 1, "highest"),)


def test_a_trial_in_the_outermost_twentieth_is_at_the_edge():
    ranges = parse_axis("1e-6:1e-2:5:log", "x"), parse_axis("0:10:3", "x")
    trials = Trials(Grid(*ranges), 3)
    heads = heads_of(Grid(np.array([1.2e-6, 1e-4, 9e-3]), np.array([5.0])), 0)
    expected = [("learning_rate",), (), ("learning_rate",)]
    assert [edges_at(trials, heads, best) for best in range(3)] == expected
    # So do the few of them that are trained again after screening.
    assert [edges_at(Listed(trials, np.arange(3)), heads, best) for best in range(3)] == expected
    listed = Trials(Grid(parse_axis(",".join(map(str, range(1, 101))), "x"), ranges[1]), 1)
    assert (
        edges_at(listed, heads_of(Grid(np.array([2.0, 50.0]), np.array([5.0])), 0), 0) == ()
    )  # of a list, not of a range

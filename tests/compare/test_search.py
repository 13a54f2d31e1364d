"""A search against one head after another in float64 loops, and its choice from validation alone."""

import inspect
from typing import Any

import numpy as np
import pytest

from linprobe.compare.checkpoint import Checkpoint
from linprobe.compare.compare import Control, compare
from linprobe.compare.descent import Descent, heads_of
from linprobe.compare.held_out import HeldOut
from linprobe.compare.screen import screen
from linprobe.compare.settings import Grid, Listed
from linprobe.core.sgd.plan import plan_stacks
from linprobe.core.sgd.training import Data, StackRun, Training
from linprobe.data.dataset import Dataset, Examples
from linprobe.data.formats import open_dataset
from linprobe.data.prepare import fit_preparation
from linprobe.data.splits import make_splits
from linprobe.errors import DivergedError
from linprobe.learn.loops import softmax_loss_naive, svm_loss_naive

NAIVE = {"softmax": softmax_loss_naive, "hinge": svm_loss_naive}
RUN: dict[str, Any] = {"classes": 4, "loss": "softmax", "iterations": 30, "batch_size": 16, "seed": 3}


def make_grid(learning_rates, regs):
    return Grid(np.array(learning_rates, float), np.array(regs, float))


def posed(train, val):
    """All rows, their labels, and which of them train."""
    X, y = (np.concatenate([getattr(part, name) for part in (train, val)]) for name in ("X", "y"))
    return X, y, HeldOut.after(len(train))


def search(train, val, space, training, *, classes, progress=None):
    """`compare` by SGD on rows held out, which has to leave a setting to choose."""
    X, y, held_out = posed(train, val)
    control = Control(progress=progress)
    found = compare(X, y, space, held_out, Descent(training=training), classes=classes, control=control)
    assert found.choice.best == found.best
    return found


def screened(train, val, space, training, **options):
    X, y, held_out = posed(train, val)
    return screen(X, y, space, held_out, Descent(training=training), classes=4, **options)


def run_search(train, val, grid, *, classes, loss, iterations, batch_size, seed, progress=None):
    """`search` with one batch size for all settings."""
    space = Grid(grid.axes["learning_rate"], grid.axes["reg"], batch_sizes=batch_size)
    return search(train, val, space, Training(loss, iterations, seed=seed), classes=classes, progress=progress)


def weights_of_all(train, grid, *, classes, loss, iterations, batch_size, seed):
    heads = heads_of(Grid(grid.axes["learning_rate"], grid.axes["reg"], batch_sizes=batch_size), seed)
    return StackRun(Data(train.X, train.y, classes), heads, Training(loss, iterations, seed=seed)).finish()


def clouds(n=150, seed=0, features=6, classes=4):
    rng = np.random.default_rng(seed)
    y = rng.integers(0, classes, n)
    centres = np.random.default_rng(99).normal(size=(classes, features))
    return Examples((centres[y] + rng.normal(size=(n, features))).astype(np.float32), y)


def centred(splits):
    preparation = fit_preparation(splits.train.X)
    return (Examples(preparation.apply(part.X), part.y) for part in (splits.train, splits.val))


def plain_head(X, y, learning_rate, reg, *, classes, loss, iterations, batch_size, seed):
    """The worksheet's own way: one head in float64, a column of ones, the looped loss."""
    W = 0.001 * np.random.default_rng(seed).standard_normal((X.shape[1], classes))
    generator = np.random.default_rng(seed)
    for _ in range(iterations):
        rows = generator.integers(0, len(X), batch_size)
        _, gradient = NAIVE[loss](W, X[rows], y[rows], reg)
        W -= learning_rate * gradient
    return W


def plain_accuracy(X, y, W):
    return sum(int(np.argmax(x @ W)) == label for x, label in zip(X, y.tolist(), strict=True)) / len(y)


@pytest.mark.sampled(2)
@pytest.mark.parametrize("loss", ["softmax", "hinge"])
def test_a_search_on_digits_is_one_head_after_another_in_float64(loss):
    train, val = centred(make_splits(open_dataset("digits"), seed=0))
    grid = make_grid([1e-5, 1e-3], [1e-6, 0.1, 20])
    run = {"classes": 10, "loss": loss, "iterations": 150, "batch_size": 25, "seed": 0}
    found = run_search(train, val, grid, **run)
    X, val_X = (np.column_stack([part.X.astype(np.float64), np.ones(len(part))]) for part in (train, val))
    on_val = []
    for learning_rate in grid.axes["learning_rate"].values:
        for reg in grid.axes["reg"].values:
            head = len(on_val)
            W = plain_head(X, train.y, learning_rate, reg, **run)
            on_val.append(plain_accuracy(val_X, val.y, W))
            # Float32 may tip an example or two that lie between two classes.
            assert abs(found.train_score[head] - plain_accuracy(X, train.y, W)) <= 3 / len(train)
            assert abs(found.score[head] - on_val[-1]) <= 1 / len(val)
            objective, _ = NAIVE[loss](W, X, train.y, reg)
            assert found.objective[head] == pytest.approx(objective, rel=1e-3)
    assert max(on_val) - min(on_val) > 0.05  # the settings differ, so a mixed-up order would show
    assert on_val[found.best] >= max(on_val) - 1 / len(val)
    best = found.setting(found.best)
    place = (int(found.best // 3), int(found.best % 3))
    assert best["learning_rate"] == grid.axes["learning_rate"].values[place[0]]
    assert best["reg"] == grid.axes["reg"].values[place[1]]
    assert "learning_rate" in found.choice.edge_axes  # of two values each is an edge


def test_the_test_split_is_out_of_reach():
    given = inspect.signature(compare).parameters
    assert [name for name, parameter in given.items() if parameter.kind == parameter.POSITIONAL_OR_KEYWORD] == [
        "rows",
        "labels",
        "settings",
        "held_out",
        "solver",
    ]
    assert not any("test" in name for name in given)


def test_other_test_data_change_no_bit_of_the_search():
    everything, rng = clouds(400), np.random.default_rng(5)
    own_tests = [
        clouds(100, seed=7),
        Examples(rng.normal(size=(100, 6)).astype(np.float32) * 1e6, np.sort(rng.integers(0, 4, 100))),
        clouds(3, seed=8),
    ]
    seen = set()
    for own in own_tests:
        splits = make_splits(Dataset("clouds", everything, own, tuple("abcd")), seed=1)
        train, val = centred(splits)
        found = run_search(train, val, make_grid([0.001, 0.1], [0.001, 1]), **RUN)
        arrays = (found.W, found.b, found.train_score, found.score, found.objective)
        seen.add((found.best, *(array.tobytes() for array in arrays)))
    assert len(seen) == 1


def test_validation_alone_makes_the_choice():
    """Whichever head validation agrees with is chosen, though training goes on the same."""
    train, val = clouds(300), clouds(1_000, seed=1)
    grid = make_grid([0.05, 0.2, 0.8], [0.001, 0.5])
    first = run_search(train, val, grid, **RUN)
    trained = weights_of_all(train, grid, **RUN)
    for head in range(len(grid)):
        W, b = trained.head(head)
        agreeing = Examples(val.X, np.argmax(val.X @ W + b, axis=1))
        found = run_search(train, agreeing, grid, **RUN)
        assert found.score[found.best] == 1
        assert found.best == head  # no two of these heads agree on all rows, or an earlier one would be chosen
        assert found.W.tobytes() == W.tobytes()
        assert found.train_score.tobytes() == first.train_score.tobytes()


def test_of_equal_settings_the_first_is_chosen():
    found = run_search(clouds(100), clouds(50, seed=1), make_grid([0.05, 0.05], [0.1, 0.1]), **RUN)
    assert len(set(found.score.tolist())) == 1
    assert found.best == 0
    assert found.choice.edge_axes == ()


def test_the_best_of_several_stacks_is_the_best_of_all(monkeypatch):
    """The weights that are kept are those of the chosen head, where only the loss tells equal accuracies apart."""
    train, grid = clouds(100), make_grid([0.2, 0.4, 0.1], [0.001])
    trained = weights_of_all(train, grid, **RUN)
    scores = np.einsum("nd,dkh->nkh", train.X, trained.W) + trained.b
    val = train.take((scores.argmax(axis=1) == train.y[:, None]).all(axis=1))  # what every head gets right
    together = run_search(train, val, grid, **RUN)
    assert len(set(together.score.tolist())) == 1
    assert together.best == int(np.argmin(together.loss)) == 1
    monkeypatch.setattr(
        "linprobe.compare.descent.plan_stacks", lambda *work, **how: plan_stacks(*work, **how | {"width": 1})
    )
    alone = run_search(train, val, grid, **RUN)
    assert len(alone.plan.stacks) == 3
    assert alone.best == together.best
    W, b = trained.head(1)
    np.testing.assert_allclose(alone.W, W, rtol=1e-5)
    np.testing.assert_allclose(alone.b, b, rtol=1e-4, atol=1e-7)
    assert alone.objective[1] == pytest.approx(together.objective[1])


def test_screening_keeps_the_most_accurate_not_the_least_lossy():
    train, val = clouds(200), clouds(100, seed=1)
    space = Grid(np.geomspace(0.01, 30, 8), np.array([1e-4]), batch_sizes=16)
    _, screening = screened(train, val, space, Training(iterations=60, seed=3), rank=6, keep=3)
    accuracy, loss = screening.result.score, screening.result.loss
    in_order = sorted(range(8), key=lambda head: (-accuracy[head], loss[head], head))
    assert screening.kept.tolist() == in_order[:3]
    assert set(in_order[:3]) != set(np.argsort(loss)[:3].tolist())  # or either order would do


def test_a_diverging_setting_is_left_out_and_changes_no_other():
    train, val = clouds(100), clouds(50, seed=1)
    sound = run_search(train, val, make_grid([0.01, 0.05], [0.1, 0.3, 1]), **RUN)
    # The same number of heads, so that the products have the same shape and the same bits.
    mixed = run_search(train, val, make_grid([1e30, 0.05], [0.1, 0.3, 1]), **RUN)
    assert mixed.stopped.tolist() == ["diverged"] * 3 + ["max_iter"] * 3
    for name in ("train_score", "score", "objective"):
        assert np.isnan(getattr(mixed, name)[:3]).all()
        assert getattr(mixed, name)[3:].tobytes() == getattr(sound, name)[3:].tobytes()
    assert mixed.curves.objective[:, 3:].tobytes() == sound.curves.objective[:, 3:].tobytes()
    assert mixed.best >= 3
    with pytest.raises(DivergedError, match="all 2 settings diverged"):
        run_search(train, val, make_grid([1e30], [0.1, 1]), **RUN)
    with pytest.raises(DivergedError, match="all 2 settings diverged"):
        screened(train, val, make_grid([1e30], [0.1, 1]), Training(iterations=20), rank=6)


def test_progress_is_told_and_the_data_stay_as_they_are():
    train, val = clouds(100), clouds(50, seed=1)
    before = [array.tobytes() for array in (train.X, train.y, val.X, val.y)]
    calls = []
    found = run_search(
        train,
        val,
        make_grid([0.01], [0.1, 1]),
        **dict(RUN, iterations=250),
        progress=lambda done, total, objective: calls.append((done, total, objective.shape)),
    )
    assert calls[0] == (1, 250, (2,))
    assert calls[-1] == (250, 250, (2,))
    assert len(calls) == len(found.curves.steps) <= 130  # some hundred points are enough for a curve
    assert [array.tobytes() for array in (train.X, train.y, val.X, val.y)] == before


def test_settings_listed_from_a_space_see_the_batches_of_the_whole_space():
    """Also when the setting with the largest batch, which decides how much is drawn, is not among them."""
    train, val = clouds(200), clouds(80, seed=1)
    space = Grid(np.array([0.1]), np.array([0.01, 0.1]), batch_sizes=np.array([8, 32]))
    training = Training(iterations=40, seed=5)
    whole = search(train, val, space, training, classes=4)
    small = np.flatnonzero(whole.settings["batch_size"] == 8)
    found = search(train, val, Listed(space, small), training, classes=4)
    np.testing.assert_allclose(found.curves.objective, whole.curves.objective[:, small], rtol=1e-4)


def test_the_objective_counts_the_bias_as_the_training_did():
    train, grid = clouds(100), make_grid([0.2], [0.5])
    found = run_search(train, clouds(50, seed=1), grid, **RUN)
    X = np.column_stack([train.X, np.ones(len(train))]).astype(np.float64)
    expected, _ = softmax_loss_naive(np.vstack([found.W, found.b]).astype(np.float64), X, train.y, 0.5)
    assert found.objective[0] == pytest.approx(expected, rel=1e-6)
    assert 0.5 * np.sum(found.b.astype(np.float64) ** 2) > 1e-4 * expected  # or leaving it out would not show


def test_screening_starts_where_training_at_full_rank_does():
    """Steps that move nothing: what is measured is the start."""
    train, val = clouds(200), clouds(100, seed=1)
    space = Grid(np.array([1e-12]), np.array([0.1]), batch_sizes=16)
    training = Training(iterations=1, seed=3)
    found, screening = screened(train, val, space, training, rank=6)
    assert screening.result.train_score[0] == pytest.approx(found.train_score[0], abs=0.01)
    np.testing.assert_allclose(screening.result.objective, found.objective, rtol=1e-7)
    assert len(set(np.argmax(train.X @ found.W + found.b, axis=1).tolist())) > 1  # as at W = 0 it would not be


def test_progress_is_told_of_all_stacks_as_one(monkeypatch):
    monkeypatch.setattr(
        "linprobe.compare.descent.plan_stacks", lambda *work, **how: plan_stacks(*work, **how | {"width": 1})
    )
    calls: list[tuple[int, int]] = []
    run_search(
        *(clouds(100), clouds(50, seed=1), make_grid([0.01, 0.1], [0.1])),
        **dict(RUN, iterations=30),
        progress=lambda *told: calls.append(told[:2]),
    )
    assert {total for _, total in calls} == {60}
    assert calls == sorted(set(calls))
    assert (calls[0][0], calls[-1][0]) == (1, 60)


@pytest.mark.slow
def test_folds_by_sgd_are_one_search_after_another(tmp_path):
    """Each on the rows of its own split, whose batches it draws; interrupted work goes on in the same bits."""
    X, y, _ = posed(clouds(150), clouds(51, seed=1))
    fold = np.arange(201) % 3
    space, training = Grid(np.array([0.05, 0.2]), np.array([0.001, 0.1]), np.array([0, 0.5])), Training(iterations=40)

    def run(**options):
        held_out, solver = HeldOut.in_folds(fold), Descent(training=training)
        return compare(X, y, space, held_out, solver, classes=4, control=Control(**options))

    told: list[tuple[int, int]] = []
    found = run(progress=lambda *call: told.append(call[:2]))
    assert [len(stack) for stack in found.plan.stacks] == [4] * 6  # plain and with momentum, split by split
    assert told[-1] == (240, 240)
    for number in range(3):
        seen = fold != number
        rows = np.argsort(~seen, kind="stable")
        alone = compare(
            *(X[rows], y[rows], space, HeldOut.after(int(seen.sum())), Descent(training=training)), classes=4
        )
        for name in ("scores", "losses"):
            assert getattr(found, name)[:, number].tobytes() == getattr(alone, name)[:, 0].tobytes()
        np.testing.assert_allclose(found.fits.objective[:, number], alone.objective, rtol=1e-12)
    assert found.best == int(np.lexsort((found.loss, -found.score))[0])
    for at in (3, len(told) // 2, len(told) - 1):
        calls = 0

        def interrupt(*_, at=at):
            nonlocal calls
            calls += 1
            if calls == at:
                raise KeyError

        with pytest.raises(KeyError):
            run(checkpoint=Checkpoint(tmp_path / f"{at}", {}, every=0), progress=interrupt)
        again = run(checkpoint=Checkpoint(tmp_path / f"{at}", {}, every=0))
        for name in ("scores", "losses"):
            assert getattr(again, name).tobytes() == getattr(found, name).tobytes()
        assert again.fits.objective.tobytes() == found.fits.objective.tobytes()

"""The training options against plain loops and PyTorch's own optimiser, one head at a time, in float64."""

import itertools
import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from examples import examples  # pyright: ignore[reportMissingImports]
from linprobe.core.measure import score_stack
from linprobe.core.sgd.batches import Batches
from linprobe.core.sgd.training import Data, Heads, StackRun, Start, Training
from linprobe.errors import IncompatibleError, UsageError
from linprobe.learn.loops import softmax_loss_naive, svm_loss_naive
from stacks import follow

NAIVE = {"softmax": softmax_loss_naive, "hinge": svm_loss_naive}
CLASSES = 3
# Two float64 computations of some dozens of steps: they differ by the order of their sums alone.
CLOSE: dict[str, Any] = {"rtol": 1e-10, "atol": 1e-12}


def make_data(n=50, features=5, seed=0):
    rng = np.random.default_rng(seed)
    y = rng.integers(0, CLASSES, n)
    X = rng.normal(size=(n, features)) + rng.normal(size=(CLASSES, features))[y]
    return X, y


def draws(n, training, batch_size, count):
    """The batches of a run, drawn here in the plain way: with replacement, or shuffled passes one after the other."""
    generator = np.random.default_rng(training.seed)
    if training.epochs is None:
        return [generator.integers(0, n, batch_size) for _ in range(count)]
    passes = math.ceil(count * batch_size / n)
    order = np.concatenate([generator.permutation(n) for _ in range(passes)])
    return [order[i * batch_size : (i + 1) * batch_size] for i in range(count)]


def loop(X, y, setting: Heads, training: Training, *, draw=None):
    """One head with its bias as a column of ones: its weights (D + 1, K) before every step and after the last."""
    (learning_rate,), (reg,), (momentum,) = setting.learning_rate, setting.reg, setting.momentum
    (batch_size,), (seed,) = setting.batch_size, setting.seed
    draw = draw or batch_size
    steps = training.iterations if training.epochs is None else math.ceil(training.epochs * len(X) / draw)
    X = np.column_stack([X, np.ones(len(X))])
    W = 0.001 * np.random.default_rng(seed).standard_normal((X.shape[1], CLASSES))
    velocity, iterates = np.zeros_like(W), [W]
    for step, rows in enumerate(draws(len(X), training, draw, steps)):
        rate = learning_rate * rate_by_the_book(training, step, steps)
        _, gradient = NAIVE[training.loss](W, X[rows[:batch_size]], y[rows[:batch_size]], reg)
        velocity = momentum * velocity + gradient
        W = W - rate * (gradient + momentum * velocity if training.nesterov else velocity)
        iterates.append(W)
    return iterates


def rate_by_the_book(training, step, steps):
    """The schedule's factor, written down a second time."""
    if step < training.warmup:
        return (step + 1) / training.warmup
    progress = (step - training.warmup) / (steps - training.warmup)
    return {
        "constant": 1.0,
        "cosine": (1 + math.cos(math.pi * progress)) / 2,
        "step": 10.0 ** -((progress >= 0.5) + (progress >= 0.75)),
    }[training.schedule]


def assert_is(solution, head, W):
    np.testing.assert_allclose(solution.W[:, :, head], W[:-1], **CLOSE)
    np.testing.assert_allclose(solution.b[:, head], W[-1], **CLOSE)


def one(heads, index):
    return heads.take(np.array([index]))


OPTIONS: dict[str, dict[str, Any]] = {
    "plain": {},
    "nesterov": {"nesterov": True},
    "cosine": {"schedule": "cosine", "warmup": 4},
    "step": {"schedule": "step", "nesterov": True},
    "epochs": {"epochs": 3.3, "schedule": "cosine"},
    "average": {"average": 0.4},
    "average of epochs": {"epochs": 2, "average": 0.9, "warmup": 3},
}


@pytest.mark.sampled(4)
@pytest.mark.parametrize("loss", NAIVE)
@pytest.mark.parametrize("option", OPTIONS)
@pytest.mark.parametrize("momentum", [[0, 0, 0], [0.9, 0.5, 0.99], [0.9, 0, 0.3]], ids=["none", "all", "mixed"])
@pytest.mark.parametrize("batch_size", [[8, 8, 8], [8, 3, 20]], ids=["same", "mixed"])
def test_every_option_is_the_plain_loops(loss, option, momentum, batch_size):
    X, y = make_data()
    training = Training(loss, 30, seed=5, **OPTIONS[option])
    heads = Heads.of([0.05, 0.02, 0.1], [0.1, 1.0, 0.0], seed=[0, 0, 7], momentum=momentum, batch_size=batch_size)
    solution = StackRun(Data(X, y, CLASSES), heads, training).finish()
    assert list(solution.stopped) == ["max_iter"] * 3
    for head in range(3):
        iterates = loop(X, y, one(heads, head), training, draw=max(batch_size))
        steps = len(iterates) - 1
        assert solution.steps[-1] == steps - 1
        last = iterates[-1]
        if training.average:
            last = np.mean(iterates[1:][round(steps * (1 - training.average)) :], axis=0)
        assert_is(solution, head, last)


@pytest.mark.parametrize("nesterov", [False, True])
@pytest.mark.parametrize("reg", [0.0, 0.3])
@pytest.mark.parametrize("schedule", ["constant", "cosine", "step"])
def test_momentum_and_schedules_are_pytorchs(nesterov, reg, schedule):
    torch = pytest.importorskip("torch")
    X, y = make_data()
    training = Training("softmax", 40, nesterov=nesterov, schedule=schedule, warmup=7, seed=2)
    heads = Heads.of(0.05, reg, momentum=[0.9, 0.4, 0.0], seed=3, batch_size=10)
    solution = StackRun(Data(X, y, CLASSES), heads, training).finish()
    ones = torch.from_numpy(np.column_stack([X, np.ones(len(X))]))
    for head, momentum in enumerate(heads.momentum):
        start = 0.001 * np.random.default_rng(3).standard_normal((ones.shape[1], CLASSES))
        W = torch.from_numpy(start).requires_grad_()
        # Torch halves its penalty: weight_decay = 2 λ. It refuses to look ahead without momentum, where it is the same.
        ahead = nesterov and momentum > 0
        optimizer = torch.optim.SGD([W], lr=0.05, momentum=float(momentum), weight_decay=2 * reg, nesterov=ahead)
        scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: rate_by_the_book(training, step, 40))
        for rows in draws(len(X), training, 10, 40):
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(ones[rows] @ W, torch.from_numpy(y)[rows]).backward()
            optimizer.step()
            scheduler.step()
        assert_is(solution, head, W.detach().numpy())


def test_the_cosine_is_pytorchs():
    torch = pytest.importorskip("torch")
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=30)
    training = Training(iterations=30, schedule="cosine")
    for step in range(30):
        assert training.rate(step, 30) == pytest.approx(scheduler.get_last_lr()[0], rel=1e-9)
        optimizer.step()
        scheduler.step()


@pytest.mark.parametrize("schedule", ["constant", "cosine", "step"])
@pytest.mark.parametrize("warmup", [0, 1, 5, 20, 50])
def test_schedules_rise_to_one_and_never_rise_again(schedule, warmup):
    training = Training(schedule=schedule, warmup=warmup, iterations=20)
    rates = [training.rate(step, 20) for step in range(20)]
    rising, rest = rates[:warmup], rates[warmup:]
    assert rising == [(step + 1) / warmup for step in range(len(rising))]
    assert rest == sorted(rest, reverse=True)
    assert rest[:1] in ([], [1.0])
    assert all(0 < rate <= 1 for rate in rates)


@given(st.integers(1, 40), st.integers(1, 60), st.integers(0, 5))
@examples(60)
def test_an_epoch_has_every_example_once_and_batches_run_across_its_border(examples, size, seed):
    batches = Batches(examples, size, seed, replacement=False)
    count = math.ceil(3 * examples / size)
    order = np.concatenate([batches.draw() for _ in range(count)])
    assert len(order) == count * size
    for epoch in range(3):
        assert sorted(order[epoch * examples : (epoch + 1) * examples]) == list(range(examples))


@pytest.mark.parametrize(
    ("epochs", "examples", "size", "steps"),
    [(1, 100, 10, 10), (1, 101, 10, 11), (2.5, 100, 16, 16), (1.1, 100, 10, 11), (0.001, 100, 10, 1), (1, 3, 200, 1)],
)
def test_the_steps_of_epochs(epochs, examples, size, steps):
    assert Training(epochs=epochs).steps(examples, size) == steps


def test_the_shortest_average_is_the_last_iterate():
    X, y = make_data()
    heads = Heads.of(0.05, 0.1, momentum=0.5, batch_size=8)
    last = StackRun(Data(X, y, CLASSES), heads, Training(iterations=20)).finish()
    mean = StackRun(Data(X, y, CLASSES), heads, Training(iterations=20, average=1e-6)).finish()
    np.testing.assert_allclose(mean.W, last.W, **CLOSE)


def test_averaging_through_folded_scales():
    # 1 - 2 λ lr = 0.2: the scale leaves its range every 13 steps, and the mean must follow it.
    X, y = make_data()
    heads, training = Heads.of([0.05, 0.05], [8.0, 0.1], batch_size=8), Training(iterations=200, average=0.5)
    solution = StackRun(Data(X, y, CLASSES), heads, training).finish()
    for head in range(2):
        assert_is(solution, head, np.mean(loop(X, y, one(heads, head), training)[1:][100:], axis=0))


def test_tables_of_many_steps_are_those_of_one_step_after_the_other():
    X, y = make_data()
    heads = Heads.of([0.05, 0.05, 0.05, np.nan], [8.0, 0.1, 400.0, 0.1], batch_size=8)  # the last two diverge
    # An objective recorded at every step cuts the run into single steps.
    ends = [
        StackRun(Data(X, y, CLASSES), heads, Training(iterations=150)).finish(record_every=every) for every in (1, 1000)
    ]
    assert ends[0].W[:, :, :2].tobytes() == ends[1].W[:, :, :2].tobytes()


# ---- early stopping


def validations(X, y, accuracies):
    """A validation whose accuracies (V, H) are made up, and the weights that it was shown."""
    shown: list[np.ndarray] = []

    def validate(W, b):
        shown.append(np.concatenate([W, b[None]]))
        return np.array(accuracies[min(len(shown), len(accuracies)) - 1])

    return validate, shown


@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_a_head_keeps_its_best_weights_and_stops_when_they_get_no_better(momentum):
    X, y = make_data()
    heads = Heads.of([0.05, 0.1, 0.02], 0.1, momentum=momentum, batch_size=8)
    # Head 0 is best at its third look, and waits two more; head 1 gets better all the time; head 2 only at the first.
    accuracies = [[0.3, 0.1, 0.9], [0.2, 0.2, 0.9], [0.5, 0.3, 0.9], [0.5, 0.4, 1], [0.4, 0.5, 1], [1, 0.6, 1]]
    validate, shown = validations(X, y, accuracies)
    patient = Training(iterations=300, patience=2)  # a look every 6 steps
    stopped = follow(StackRun(Data(X, y, CLASSES), heads, patient), validate=validate, record_every=7)
    assert list(stopped.stopped) == ["no_progress", "no_progress", "no_progress"]
    assert_is(stopped, 0, shown[2][:, :, 0])
    assert_is(stopped, 1, shown[5][:, :, 1])
    assert_is(stopped, 2, shown[0][:, :, 2])
    for look, head in ((2, 0), (5, 1), (0, 2)):
        iterates = loop(X, y, one(heads, head), replace(patient, iterations=36))
        np.testing.assert_allclose(shown[look][:, :, head], iterates[6 * (look + 1)], **CLOSE)
    assert len(shown) == 8  # nobody is left
    assert not shown[5][:, :, [0, 2]].any()  # a stopped head is idle
    assert np.isnan(stopped.objective[-1, [0, 2]]).all()


@pytest.mark.parametrize("momentum", [[0, 0, 0], [0.9, 0, 0.5]], ids=["plain", "mixed"])
@pytest.mark.parametrize("reg", [0.1, 8.0])
def test_the_others_go_on_as_if_nobody_had_stopped(momentum, reg):
    X, y = make_data()
    heads = Heads.of([0.05, 0.1, 0.02], reg, momentum=momentum, batch_size=8)
    accuracies = np.linspace(0.1, 0.9, 51)[:, None] * [1, 1, 1]
    accuracies[4:, 1] = 0
    validate, _ = validations(X, y, accuracies)
    solution = follow(StackRun(Data(X, y, CLASSES), heads, Training(iterations=200, patience=3)), validate=validate)
    assert list(solution.stopped) == ["max_iter", "no_progress", "max_iter"]
    without = StackRun(Data(X, y, CLASSES), heads, Training(iterations=200)).finish()
    for head in (0, 2):  # looking at the weights on the way must not round them
        assert solution.W[:, :, head].tobytes() == without.W[:, :, head].tobytes()
        assert solution.objective[:, head].tobytes() == without.objective[:, head].tobytes()


def test_early_stopping_on_real_accuracies_keeps_what_was_best():
    X, y = make_data(n=120)
    X_val, y_val = make_data(n=80)
    heads = Heads.of([0.5, 0.05, 1e-4], 1e-3, batch_size=4)
    seen = []

    def validate(W, b):
        seen.append(score_stack(X_val, y_val, W, b, "softmax").accuracy)
        return seen[-1]

    solution = follow(StackRun(Data(X, y, CLASSES), heads, Training(iterations=300, patience=5)), validate=validate)
    best = score_stack(X_val, y_val, solution.W, solution.b, "softmax").accuracy
    np.testing.assert_array_equal(best, np.max(seen, axis=0))


def test_a_head_that_overflows_on_validation_has_diverged():
    X, y = make_data()
    validate, _ = validations(X, y, [[0.5, 0.5], [0.6, np.nan]])
    heads = Heads.of([0.05, 0.05], 0.1, batch_size=8)
    solution = follow(StackRun(Data(X, y, CLASSES), heads, Training(iterations=100, patience=99)), validate=validate)
    assert list(solution.stopped) == ["max_iter", "diverged"]
    assert np.isnan(solution.W[:, :, 1]).all()
    assert np.isfinite(solution.W[:, :, 0]).all()


@pytest.mark.parametrize("options", [{}, {"average": 0.5}])
def test_validation_without_patience_changes_nothing(options):
    X, y = make_data()
    heads = Heads.of(0.05, 0.1, batch_size=8)
    training = Training(iterations=20, **options)
    validate, shown = validations(X, y, [[0.5]])
    with_it = follow(StackRun(Data(X, y, CLASSES), heads, training), validate=validate)
    without = StackRun(Data(X, y, CLASSES), heads, training).finish()
    assert not shown
    assert with_it.W.tobytes() == without.W.tobytes()


# ---- per-head batch sizes


@pytest.mark.parametrize("draw", [None, 32])
def test_heads_of_other_batch_sizes_learn_from_the_first_rows_of_the_larger_draw(draw):
    X, y = make_data()
    heads = Heads.of(0.05, 0.1, batch_size=[1, 4, 20, 20])
    training = Training(iterations=25, seed=3)
    solution = StackRun(Data(X, y, CLASSES), heads, training, draw=draw).finish(record_every=1)
    for head in range(4):
        assert_is(solution, head, loop(X, y, one(heads, head), training, draw=draw or 20)[-1])
    # Its loss is that of its own rows.
    rows = draws(len(X), training, draw or 20, 1)[0][:4]
    start = 0.001 * np.random.default_rng(0).standard_normal((X.shape[1] + 1, CLASSES))
    expected, _ = softmax_loss_naive(start, np.column_stack([X, np.ones(len(X))])[rows], y[rows], 0.1)
    assert solution.objective[0, 1] == pytest.approx(expected, rel=1e-12)


# ---- what makes no sense


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"epochs": 0}, "epochs"),
        ({"epochs": math.inf}, "epochs"),
        ({"epochs": math.nan}, "epochs"),
        ({"schedule": "linear"}, "use one of: constant, cosine, step$"),
        ({"warmup": -1}, "warmup"),
        ({"average": 1.0}, "average"),
        ({"average": math.nan}, "average"),
        ({"patience": 0}, "patience"),
    ],
)
def test_settings_that_make_no_sense_are_refused(settings, message):
    with pytest.raises(UsageError, match=message):
        Training(**settings)


def test_patience_needs_validation_and_no_average():
    with pytest.raises(IncompatibleError, match="one of them"):
        Training(patience=3, average=0.5)
    run = StackRun(Data(*make_data(), CLASSES), Heads.of(0.1, 0.1), Training(patience=3))
    with pytest.raises(UsageError, match="give validation data"):
        run.finish()
    assert run.step == 0
    with pytest.raises(UsageError, match="give validation data"):
        follow(run)
    assert run.step == 1500 // 50


@pytest.mark.parametrize("momentum", [-0.1, 1.0, np.nan, np.inf])
def test_momentum_outside_its_range_is_refused(momentum):
    X, y = make_data()
    with pytest.raises(UsageError, match="momentum must be 0 or more and below 1"):
        StackRun(Data(X, y, CLASSES), Heads.of([0.1, 0.1], 0.1, momentum=[0.5, momentum]), Training())


def test_large_weights_under_a_small_scale_are_not_taken_for_divergence():
    # W = scale · V: gradients keep W large while its scale decays, so V grows, and its square must still fit float32.
    rng = np.random.default_rng(0)
    X, y = (3e5 * rng.normal(size=(30, 4))).astype(np.float32), rng.integers(0, 3, 30)
    initial = np.full((4, 3, 1), 3e5, np.float32)
    training = Training("hinge", iterations=400)
    run = StackRun(Data(X, y, 3), Heads.of(0.1, 0.5, batch_size=8), training, start=Start(initial))
    solution = run.finish(record_every=1)
    assert list(solution.stopped) == ["max_iter"]


def test_all_combinations_of_options_run_and_end():
    X, y = make_data(n=30)
    axes = {"momentum": [0, 0.9], "schedule": ["constant", "cosine", "step"], "epochs": [None, 2.5], "ends": range(3)}
    for momentum, schedule, epochs, ends in itertools.product(*axes.values()):
        extra: dict[str, Any] = [{}, {"average": 0.3}, {"patience": 2}][ends]
        training = Training("hinge", 12, schedule=schedule, epochs=epochs, nesterov=True, warmup=3, **extra)
        heads = Heads.of([0.01, 0.02], 0.1, momentum=momentum, batch_size=[4, 7])
        validate, _ = validations(X, y, [[0.5, 0.2], [0.4, 0.3]])
        solution = follow(StackRun(Data(X, y, CLASSES), heads, training), validate=validate)
        assert np.isfinite(solution.W).all()

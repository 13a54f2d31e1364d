"""What a head may feel of the others: nothing in its own slot of a stack of one width, rounding in any other stack."""

import hashlib
import itertools
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from examples import examples  # pyright: ignore[reportMissingImports]
from linprobe.core.measure import score_stack
from linprobe.core.sgd.training import Data, Heads, StackRun, Start, Training
from stacks import follow

CLASSES, WIDTH = 5, 9
OPTIONS: dict[str, dict[str, Any]] = {
    "constant": {},
    "cosine with warm-up": {"schedule": "cosine", "warmup": 5},
    "nesterov of epochs": {"nesterov": True, "epochs": 8, "schedule": "step"},
    "average": {"average": 0.5},
    "patience": {"patience": 3},
    "no intercept": {"intercept": "none"},
}
HEADS: dict[str, dict[str, Any]] = {
    "plain": {},
    "momentum": {"momentum": np.linspace(0, 0.95, WIDTH)},
    "batch sizes": {"batch_size": np.array([16, 1, 5, 16, 3, 8, 16, 2, 12])},
    "both": {"momentum": np.linspace(0.5, 0.9, WIDTH), "batch_size": np.array([16, 1, 5, 16, 3, 8, 16, 2, 12])},
}


def make_data(n=70, features=17, classes=CLASSES):
    rng = np.random.default_rng(0)
    y = rng.integers(0, classes, n)
    X = 2 * (rng.normal(size=(n, features)) + rng.normal(size=(classes, features))[y])
    return X.astype(np.float32), y


def make_heads(**special):
    rates = np.geomspace(1e-3, 0.05, WIDTH)
    options: dict[str, Any] = {"seed": range(WIDTH), "batch_size": 16} | special
    return Heads.of(rates, np.geomspace(5, 1e-3, WIDTH), **options)


def train(heads, option=None, *, data=None, steps=40, loss="softmax", classes=CLASSES, initial=None, only=None):
    X, y = data or make_data()
    training = Training(loss, steps, **(option or {}))
    run = StackRun(Data(X, y, classes), heads, training, start=None if initial is None else Start(initial))
    if only is not None:
        run.train_only(only)
    return follow(run, validate=lambda W, b: score_stack(X[:30], y[:30], W, b, loss).accuracy)


def bits(solution, heads):
    """All that a solution says of some heads."""
    parts = (solution.W[:, :, heads], solution.b[:, heads], solution.stopped[heads])
    return *(part.tobytes() for part in parts), *(row.tobytes() for row in solution.objective[:, heads])


def poisoned(heads, which):
    """The same heads, some of them beyond saving, each in another way."""
    spoiled, kinds = heads.take(np.arange(len(heads))), itertools.cycle(range(6))
    for head, kind in zip(sorted(which), kinds, strict=False):
        name, value = [
            ("learning_rate", np.inf),
            ("learning_rate", np.nan),
            ("reg", np.inf),
            ("learning_rate", 1e30),
            ("reg", np.nan),
            ("learning_rate", -1e4),
        ][kind]
        getattr(spoiled, name)[head] = value
    return spoiled


@pytest.mark.sampled(4)
@pytest.mark.parametrize("loss", ["softmax", "hinge"])
@pytest.mark.parametrize("option", OPTIONS)
@pytest.mark.parametrize("kind", HEADS)
def test_heads_that_blow_up_keep_to_themselves(kind, option, loss):
    heads, dead = make_heads(**HEADS[kind]), [0, 4, 5, 8]
    alive = [head for head in range(WIDTH) if head not in dead]
    healthy, spoiled = (train(h, OPTIONS[option], loss=loss) for h in (heads, poisoned(heads, dead)))
    assert list(spoiled.stopped[dead]) == ["diverged"] * 4
    assert np.isnan(spoiled.W[:, :, dead]).all()
    assert np.isfinite(spoiled.W[:, :, alive]).all()
    assert bits(spoiled, alive) == bits(healthy, alive)[: len(bits(spoiled, alive))]


@given(st.sets(st.integers(0, WIDTH - 1)), st.sampled_from(list(HEADS)), st.sampled_from(list(OPTIONS)))
@example(set(range(WIDTH)), "plain", "constant")
@example(set(range(WIDTH)), "both", "patience")
@examples(40)
def test_any_heads_may_blow_up(dead, kind, option):
    heads = make_heads(**HEADS[kind])
    alive = [head for head in range(WIDTH) if head not in dead]
    healthy, spoiled = (train(h, OPTIONS[option], steps=20) for h in (heads, poisoned(heads, dead)))
    assert (spoiled.stopped[sorted(dead)] == "diverged").all()
    for head in alive:
        assert bits(spoiled, [head]) == bits(healthy, [head])[: len(bits(spoiled, [head]))]


@given(st.lists(st.sampled_from([0.0, np.nan, np.inf, -np.inf]), min_size=WIDTH, max_size=WIDTH), st.data())
@examples(40)
def test_weights_that_start_poisoned_stay_where_they_are(start, data):
    kind, option = data.draw(st.sampled_from(list(HEADS))), data.draw(st.sampled_from(list(OPTIONS)))
    heads, initial = make_heads(**HEADS[kind]), np.zeros((17, CLASSES, WIDTH), np.float32)
    healthy = train(heads, OPTIONS[option], steps=20, initial=initial)
    initial[data.draw(st.integers(0, 16)), data.draw(st.integers(0, CLASSES - 1))] = start
    spoiled = train(heads, OPTIONS[option], steps=20, initial=initial)
    for head, value in enumerate(start):
        if value == 0:
            assert bits(spoiled, [head]) == bits(healthy, [head])[: len(bits(spoiled, [head]))]
        else:
            assert spoiled.stopped[head] == "diverged"


@pytest.mark.sampled(4)
@pytest.mark.parametrize("option", OPTIONS)
@pytest.mark.parametrize("kind", HEADS)
def test_a_head_alone_in_its_slot_has_its_bits(kind, option):
    heads = make_heads(**HEADS[kind])
    whole = train(heads, OPTIONS[option])
    for head in (0, 3, 8):
        alone = train(heads, OPTIONS[option], only=[head])
        assert list(alone.stopped) == [whole.stopped[head] if i == head else "idle" for i in range(WIDTH)]
        assert bits(alone, [head]) == bits(whole, [head])[: len(bits(alone, [head]))]


@pytest.mark.parametrize("option", OPTIONS)
@pytest.mark.parametrize("kind", HEADS)
def test_twenty_runs_have_one_hash(kind, option):
    heads = make_heads(**HEADS[kind])
    runs = 20 if (kind, option) == ("both", "patience") else 3
    hashes = {
        hashlib.sha256(b"".join(bits(train(heads, OPTIONS[option], steps=20), range(WIDTH)))).hexdigest()
        for _ in range(runs)
    }
    assert len(hashes) == 1


@pytest.mark.sampled(4)
@pytest.mark.parametrize("momentum", [0.0, 0.9])
@pytest.mark.parametrize("classes", [2, 3, 10])
@pytest.mark.parametrize("width", [1, 2, 3, 8, 31, 64, 130])
def test_in_a_stack_of_another_width_a_head_differs_by_rounding(width, classes, momentum):
    # The edges of a product go through another kernel, which sums in another order: no bits are promised here.
    data = make_data(classes=classes)
    heads = Heads.of(np.geomspace(1e-3, 0.02, 130), 0.01, seed=range(130), momentum=momentum, batch_size=16)
    widest = train(heads, data=data, classes=classes)
    for start in {0, (130 - width) // 2, 130 - width}:
        members = np.arange(start, start + width)
        narrow = train(heads.take(members), data=data, classes=classes)
        difference = np.abs(narrow.W - widest.W[:, :, members]).max(axis=(0, 1))
        assert (difference <= 1e-5 * np.abs(narrow.W).max(axis=(0, 1))).all()

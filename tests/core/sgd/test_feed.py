"""Rows that are read window by window: the same steps as on rows in memory, of batches that are drawn in blocks."""

from typing import Any

import numpy as np
import pytest

from linprobe.compare.descent import data_of
from linprobe.core.sgd import feed, training
from linprobe.core.sgd.batches import BlockBatches
from linprobe.core.sgd.feed import Feed, Streamed, feed_bytes
from linprobe.core.sgd.training import Data, Heads, StackRun, State, Training
from linprobe.data.rows import StoredRows

N, D, K, BATCH = 230, 4, 3, 8
WINDOW = 60  # rows, of blocks of 4


@pytest.fixture(autouse=True)
def small(monkeypatch):
    monkeypatch.setattr(feed, "WINDOW", WINDOW * D)
    monkeypatch.setattr(feed, "BLOCKS", 16)


def make(seed=0):
    rng = np.random.default_rng(seed)
    y = np.sort(rng.integers(0, K, N))
    return (rng.standard_normal((N, D)) + np.eye(K, D)[y]).astype(np.float32), y


def make_run(X, *, weight=None, start=None, momentum: float = 0.0, **options: Any):
    heads = Heads.of([0.05, 0.2], 0.01, seed=[0, 1], momentum=momentum, batch_size=[BATCH, 5])
    y = make()[1]
    data = data_of(X, y, K, weight) if isinstance(X, StoredRows) else Data(X, y, K, weight)
    chosen: dict[str, Any] = {"iterations": 120, **options}
    return StackRun(data, heads, Training(**chosen), start=start)


def in_memory(monkeypatch, X, **options):
    """A run on rows in memory, whose batches are those of a run in blocks."""
    with monkeypatch.context() as patched:
        blocks = {"block": 4, "window": WINDOW}
        patched.setattr(training, "Batches", lambda n, size, seed, **_: BlockBatches(n, size, seed, **blocks))
        return make_run(X, **options).finish()


@pytest.mark.parametrize(("examples", "block", "window"), [(100, 8, 32), (103, 8, 32), (7, 3, 100), (10, 4, 1)])
def test_an_epoch_has_every_example_once_and_each_window_whole_blocks(examples, block, window):
    batches = BlockBatches(examples, 5, 0, block=block, window=window)
    order = np.concatenate([batches.draw() for _ in range(examples)])  # 5 epochs
    epochs = order.reshape(5, examples)
    for epoch in epochs:
        assert sorted(epoch) == list(range(examples))
        first = epoch[: max(1, window // block) * block]
        blocks = np.unique(first // block)
        whole = [row for each in blocks for row in range(each * block, (each + 1) * block) if row < examples]
        if examples % block == 0:
            assert sorted(first) == whole
    assert not (epochs[0] == epochs[1]).all()
    assert (epochs[0] != np.arange(examples)).any()
    again = BlockBatches(examples, 5, 0, block=block, window=window)
    np.testing.assert_array_equal(np.concatenate([again.draw() for _ in range(examples)]), order)


def test_draws_go_on_from_any_place():
    for drawn in range(60):
        batches = BlockBatches(N, BATCH, 3, block=4, window=WINDOW)
        for _ in range(drawn):
            batches.draw()
        other = BlockBatches(N, BATCH, 8, block=4, window=WINDOW)
        other.go_on(batches.place())
        for _ in range(40):
            np.testing.assert_array_equal(other.draw(), batches.draw())


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("options", [{}, {"momentum": 0.9}, {"average": 0.5}, {"epochs": 2.5}], ids=str)
def test_steps_are_those_on_rows_in_memory(weighted, options, monkeypatch):
    X, _ = make()
    weight = np.random.default_rng(1).random(N) + 0.1 if weighted else None
    expected = in_memory(monkeypatch, X, weight=weight, **options)
    found = make_run(StoredRows(X), weight=weight, **options).finish()
    for name in ("W", "b", "objective", "stopped"):
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name))


@pytest.mark.parametrize("step", [1, 7, 50, 51, 119])
def test_from_a_state_it_ends_with_the_same_bits(step):
    X, _ = make()
    expected = make_run(StoredRows(X)).finish()
    run = make_run(StoredRows(X))
    for event in run.events(record_every=1):
        if event.step == step:
            break
    packed = run.state().pack()
    assert len(packed["batches"].get("blocks", ())) or step != 7  # in the middle of an epoch
    found = make_run(StoredRows(X), start=State.unpack(packed))
    for _ in found.events(record_every=1):
        pass
    np.testing.assert_array_equal(found.solution().W, expected.W)


def test_no_more_is_held_than_is_said_and_rows_are_read_in_order():
    X, asked = make()[0], list[np.ndarray]()

    def read(numbers: np.ndarray) -> np.ndarray:
        asked.append(numbers)
        return X[numbers]

    source = Streamed((N, D), X.dtype, read)
    held, batches = Feed(source, BATCH), BlockBatches(N, BATCH, 0, block=4, window=WINDOW)
    for _ in range(1000):
        rows = batches.draw()
        held.bring(rows, batches.ahead)
        np.testing.assert_array_equal(held.rows[held.places(rows)], X[rows])
    assert all((np.diff(numbers) > 0).all() for numbers in asked)
    assert max(map(len, asked)) <= WINDOW + BATCH < N
    assert held._room.nbytes <= feed_bytes((N, D), BATCH, 4)
    # Of 4 windows an epoch, each is read once, with what is left of the one before.
    assert len(asked) <= 4 * -(-1000 * BATCH // N)

"""The engine on torch tensors: on the CPU in earnest, and CUDA's graphs as far as they can be played without one."""

from contextlib import contextmanager, nullcontext
from typing import Any, ClassVar

import numpy as np
import pytest

from linprobe.core import measure as evaluate
from linprobe.core.backend import Products, backend_on, device_of, move, namespace, to_numpy
from linprobe.core.losses import find_loss
from linprobe.core.measure import highest, score_stack
from linprobe.core.sgd.stack import Stack
from linprobe.core.sgd.tables import idle_table
from linprobe.core.sgd.training import Data, Heads, StackRun, Start, Training
from stacks import follow

torch = pytest.importorskip("torch")
from torch.utils._python_dispatch import TorchDispatchMode  # noqa: E402

CLASSES = 4


def make_data(n=90, features=12, dtype: Any = np.float32):
    rng = np.random.default_rng(0)
    y = rng.integers(0, CLASSES, n)
    X = (rng.normal(size=(n, features)) + rng.normal(size=(CLASSES, features))[y]).astype(dtype)
    X.setflags(write=False)
    return X, y


HEADS = {
    "plain": Heads.of([0.05, 0.02, 0.1, 0.01], [0.1, 8.0, 0.0, 1.0], seed=[0, 0, 3, 4], batch_size=16),
    "momentum": Heads.of([0.05, 0.02, 0.1, 0.01], [0.1, 1.0, 0, 1], momentum=[0.9, 0, 0.5, 0.8], batch_size=16),
    "batch sizes": Heads.of([0.05, 0.02, 0.1, 0.01], [0.1, 8.0, 0.0, 1.0], batch_size=[16, 1, 7, 16]),
}
OPTIONS: dict[str, dict[str, Any]] = {
    "constant": {},
    "nesterov and cosine": {"nesterov": True, "schedule": "cosine", "warmup": 5},
    "average of epochs": {"epochs": 11, "average": 0.5},
    "patience": {"patience": 4},
    "no intercept": {"intercept": "none", "schedule": "step"},
}
STEPS = 60


def train(X, y, heads, training, products=None, *, start=None, look=None):
    run = StackRun(Data(X, y, CLASSES), heads, training, products=products, start=start)
    return follow(run, validate=lambda W, b: score_stack(X[:40], y[:40], W, b, "softmax").accuracy, look=look)


def rounding(X, heads):
    """How far two runs of STEPS steps may drift apart that round to float32: 3e-5 to 1e-4; measured, 2e-7 at most.

    A gradient's entries are means of X times a slope below 1, so at most max |X|; the sums that it and its scores are
    made of round like a random walk of D and of B steps. The objective is convex and the learning rates are small, so
    later steps do not enlarge what earlier ones got wrong: the errors add up, once per step, 1 / (1 - μ) times with
    momentum.
    """
    batch, largest = int(heads.batch_size.max()), float(np.abs(X).max())
    walk = np.sqrt(X.shape[1]) + np.sqrt(batch)
    return 2 * STEPS * 2.0**-24 * (1 + (heads.learning_rate / (1 - heads.momentum) * walk * largest).max())


@pytest.mark.sampled(3)
@pytest.mark.parametrize("option", OPTIONS)
@pytest.mark.parametrize("kind", HEADS)
def test_torch_agrees_with_numpy_to_float32_rounding(kind, option):
    X, y = make_data()
    heads, training = HEADS[kind], Training("softmax", STEPS, **OPTIONS[option])
    expected = train(X, y, heads, training)
    moved = move(X, "cpu"), move(y, "cpu")
    found = train(*moved, heads, training, Products("cpu"))
    assert device_of(found.W) == device_of(found.b) == "cpu"
    assert found.W.dtype == torch.float32
    np.testing.assert_array_equal(found.stopped, expected.stopped)
    np.testing.assert_array_equal(found.steps, expected.steps)
    close = rounding(X, heads)
    np.testing.assert_allclose(to_numpy(found.W), expected.W, rtol=0, atol=close)
    np.testing.assert_allclose(to_numpy(found.b), expected.b, rtol=0, atol=close)
    np.testing.assert_allclose(found.objective, expected.objective, rtol=1e-4)
    # NumPy arrays handed in are moved, and the result is the same.
    again = train(X, y, heads, training, Products("cpu"))
    assert torch.equal(again.W, found.W)


@pytest.mark.sampled(4)
@pytest.mark.parametrize("kind", HEADS)
@pytest.mark.parametrize("loss", ["softmax", "hinge"])
@pytest.mark.parametrize("option", OPTIONS)
def test_torch_agrees_with_numpy_in_float64(kind, loss, option):
    X, y = make_data(dtype=np.float64)
    training = Training(loss, STEPS, **OPTIONS[option])
    expected, found = (train(X, y, HEADS[kind], training, products) for products in (None, Products("cpu")))
    np.testing.assert_allclose(to_numpy(found.W), expected.W, rtol=1e-9, atol=1e-11)
    np.testing.assert_allclose(to_numpy(found.b), expected.b, rtol=1e-9, atol=1e-11)


@pytest.mark.sampled(3)
@pytest.mark.parametrize("kind", HEADS)
@pytest.mark.parametrize("option", OPTIONS)
def test_bfloat16_products_agree_to_their_rounding(kind, option):
    X, y = make_data()
    heads = HEADS[kind]
    # Without patience: one example more or less on validation would choose another iterate.
    options: dict[str, Any] = {name: value for name, value in OPTIONS[option].items() if name != "patience"}
    training = Training("softmax", STEPS, **options)
    expected = train(X, y, heads, training)
    found = train(X, y, heads, training, Products("cpu", "bfloat16"))
    assert found.W.dtype == torch.float32
    # Measured: at most 0.0012 of the largest weight, where the worst case of `rounding` would allow all of it.
    assert np.abs(to_numpy(found.W) - expected.W).max() < 0.005 * np.abs(expected.W).max()
    assert not np.array_equal(to_numpy(found.W), expected.W)


def test_bfloat16_keeps_its_weights_in_float32():
    # Each step changes the weights by less than bfloat16 could show; together they are what float32 makes of them.
    X, y = make_data()
    initial = np.ones((12, CLASSES, 1), np.float32)
    heads, training = Heads.of(1e-4, 0.0, batch_size=16), Training(iterations=100)
    expected, found = (
        train(X, y, heads, training, products, start=Start(initial)) for products in (None, Products("cpu", "bfloat16"))
    )
    change, wanted = to_numpy(found.W) - 1, expected.W - 1
    assert np.abs(wanted).max() < 2.0**-6
    np.testing.assert_allclose(change, wanted, rtol=0, atol=0.03 * np.abs(wanted).max())


def test_a_diverging_head_on_torch_is_marked_and_the_others_keep_their_bits():
    X, y = make_data()
    heads, spoiled = HEADS["momentum"], HEADS["momentum"].take(np.arange(4))
    spoiled.learning_rate[1], spoiled.reg[2] = np.inf, np.nan
    whole, healthy = (train(X, y, h, Training(iterations=STEPS), Products("cpu")) for h in (spoiled, heads))
    assert list(whole.stopped) == ["max_iter", "diverged", "diverged", "max_iter"]
    for head in (0, 3):
        assert torch.equal(whole.W[:, :, head], healthy.W[:, :, head])
    assert whole.W[:, :, 1:3].isnan().all()


def test_the_result_may_be_written_to_and_the_data_stays_as_it_was():
    X, y = make_data()
    for option in OPTIONS.values():
        moved = move(X.copy(), "cpu"), move(y, "cpu")
        solution = train(*moved, HEADS["plain"], Training(iterations=STEPS, **option), Products("cpu"))
        W = solution.W
        W *= 2  # what is made in torch's inference mode would refuse
        np.testing.assert_array_equal(to_numpy(moved[0]), X)


def test_a_state_can_be_gone_on_from_more_than_once():
    X, y = make_data()
    runs: list[tuple[str, dict[str, Any]]] = [("plain", {}), ("momentum", {"average": 0.9}), ("plain", {"patience": 3})]
    for kind, option in runs:
        training = Training(iterations=STEPS, **option)
        states: list[Any] = []
        whole = train(X, y, HEADS[kind], training, Products("cpu"), look=lambda run, to=states: to.append(run.state()))
        for _ in range(2):
            state = states[len(states) // 2].copy()
            resumed = train(X, y, HEADS[kind], training, Products("cpu"), start=state)
            assert torch.equal(resumed.W, whole.W)
            np.testing.assert_array_equal(resumed.objective, whole.objective)


def test_labels_of_any_integer_type():
    X, y = make_data()
    expected = train(X, y, HEADS["plain"], Training(iterations=5), Products("cpu"))
    for kind in (np.uint8, np.int32):
        found = train(X, y.astype(kind), HEADS["plain"], Training(iterations=5), Products("cpu"))
        assert torch.equal(found.W, expected.W)
        score = score_stack(X, y.astype(kind), found.W, found.b, "softmax")
        np.testing.assert_array_equal(score.accuracy, score_stack(X, y, found.W, found.b, "softmax").accuracy)


# ---- evaluation


@pytest.mark.parametrize("loss", ["softmax", "hinge"])
@pytest.mark.parametrize("bias", [True, False])
def test_a_stack_is_scored_where_its_weights_are(loss, bias, monkeypatch):
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(1100, 6)).astype(np.float32), rng.integers(0, 5, 1100)
    W, b = rng.normal(size=(6, 5, 7)).astype(np.float32), rng.normal(size=(5, 7)).astype(np.float32)
    W[2, 1, 3] = np.nan
    expected = score_stack(X, y, W, b if bias else None, loss)
    copied = []
    monkeypatch.setattr(evaluate, "to_numpy", lambda array: copied.append(array.shape) or to_numpy(array))
    for data in ((X, y), (move(X, "cpu"), move(y, "cpu"))):
        found = score_stack(*data, move(W, "cpu"), move(b, "cpu") if bias else None, loss)
        np.testing.assert_array_equal(found.accuracy, expected.accuracy)
        np.testing.assert_allclose(found.loss, expected.loss, rtol=1e-6)
        assert np.isnan(found.loss[3])
    assert set(copied) == {(7,)}


def test_the_highest_of_equals_is_the_first_in_every_library():
    scores = np.random.default_rng(0).integers(0, 3, (50, 6, 4)).astype(np.float32)
    np.testing.assert_array_equal(highest(scores), scores.argmax(axis=1))
    np.testing.assert_array_equal(to_numpy(highest(move(scores, "cpu"))), scores.argmax(axis=1))


# ---- what a CUDA device would run


class _NeedsNoHost(TorchDispatchMode):
    """Fails where an operation would wait for the device, or bring something from the host to it."""

    # scalar_tensor: a number written to indexed places, which on CUDA comes from the host.
    WAITING = ("_local_scalar_dense", "nonzero", "masked_select", "item", "equal", "unique", "scalar_tensor")

    def __init__(self):
        super().__init__()
        self.names = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        name = func.overloadpacket.__name__
        self.names.append(name)
        assert name not in self.WAITING, f"{name} waits for the device"
        result = func(*args, **(kwargs or {}))
        devices = {tensor.device.type for tensor in (*args, result) if isinstance(tensor, torch.Tensor)}
        assert devices <= {"meta"}, f"{name} brings something from the host"
        return result


def on_meta(thing):
    """The same object with its tensors on torch's device that knows shapes only."""
    for name, value in vars(thing).items():
        if isinstance(value, torch.Tensor):
            setattr(thing, name, value.to("meta"))
    thing.parameters = thing.parameters.map(lambda tensor: tensor.to("meta"))
    return thing


@pytest.mark.sampled(4)
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("loss", ["softmax", "hinge"])
@pytest.mark.parametrize("kind", HEADS)
@pytest.mark.parametrize("nesterov", [False, True])
def test_a_step_needs_nothing_from_the_host(kind, loss, nesterov, precision):
    X, y = (move(array, "cpu") for array in make_data())
    training = Training(loss, STEPS, nesterov=nesterov)
    products = Products("cpu", precision)
    trained = on_meta(Stack(Data(X, y, CLASSES), HEADS[kind], training, products=products))
    rows = torch.zeros(16, dtype=torch.int64, device="meta")
    table = torch.zeros(8, 4, device="meta")
    for rescale in (False, True):
        with _NeedsNoHost() as mode:
            trained.step(rows, table, rescale)
        # A device spends its time on starting kernels, of which views start none.
        views = {"view", "select", "unsqueeze", "t", "permute", "slice", "alias", "_unsafe_view", "detach"}
        most = 35 + 7 * (precision == "bfloat16") + (14 * (kind == "momentum"))
        assert len([name for name in mode.names if name not in views]) <= most


def test_the_number_of_calls_does_not_grow_with_the_classes():
    for loss in ("softmax", "hinge"):
        counts = []
        for classes in (3, 300):
            scores = torch.zeros(8, classes, 5, device="meta")
            with _NeedsNoHost() as mode:
                find_loss(loss).value_and_slope(scores, torch.zeros(8, dtype=torch.int64, device="meta"))
            counts.append(len(mode.names))
        assert counts[0] == counts[1]


class _Recording(TorchDispatchMode):
    """Takes down every operation with the memory it worked on, as a CUDA graph does."""

    def __init__(self, graph):
        super().__init__()
        self.graph = graph

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        self.graph.calls.append((func, args, kwargs or {}, result))
        return result


class _Graph:
    """A CUDA graph played on the CPU: a replay repeats the operations on the recorded memory, and no Python of ours."""

    made: ClassVar[list["_Graph"]] = []

    def __init__(self):
        self.calls, self.replays = [], 0
        self.made.append(self)

    def replay(self):
        self.replays += 1
        for func, args, kwargs, recorded in self.calls:
            result = func(*args, **kwargs)
            if isinstance(recorded, torch.Tensor) and result.data_ptr() != recorded.data_ptr():
                recorded.copy_(result)


class _Stream:
    def wait_stream(self, other):
        pass


@pytest.fixture
def played_cuda(monkeypatch):
    """torch.cuda with graphs that are played on the CPU, where everything that is moved to "cuda" stays."""
    _Graph.made.clear()

    @contextmanager
    def graph(recorded):
        with _Recording(recorded):
            yield

    for name, value in {
        "Stream": _Stream,
        "current_stream": _Stream,
        "stream": lambda stream: nullcontext(stream),
        "CUDAGraph": _Graph,
        "graph": graph,
    }.items():
        monkeypatch.setattr(torch.cuda, name, value)
    # A device's memory is its own: what is moved there is a copy.
    on_torch = type(backend_on("cuda"))
    monkeypatch.setattr(on_torch, "from_numpy", lambda _, array, __: torch.tensor(array))
    monkeypatch.setattr(on_torch, "move", lambda _, array, __: array)
    return _Graph.made


@pytest.mark.parametrize("option", OPTIONS)
@pytest.mark.parametrize("kind", HEADS)
def test_replayed_graphs_give_the_bits_of_the_steps(kind, option, played_cuda):
    X, y = (torch.tensor(array) for array in make_data())
    training = Training("softmax", STEPS, **OPTIONS[option])
    found = train(X, y, HEADS[kind], training, Products("cuda"))
    expected = train(X, y, HEADS[kind], training, Products("cpu"))
    assert torch.equal(found.W, expected.W)
    assert torch.equal(found.b, expected.b)
    assert found.objective.tobytes() == expected.objective.tobytes()
    # One graph for all steps, and one more where a scale is folded: 0.68 ** 60 is 9e-11.
    assert len(played_cuda) == 2 if (kind, option) == ("plain", "constant") else len(played_cuda) <= 2
    assert sum(graph.replays for graph in played_cuda) == found.steps[-1] + 1


@pytest.mark.parametrize("kind", HEADS)
def test_a_resumed_run_replays_on_the_restored_memory(kind, played_cuda):
    X, y = (torch.tensor(array) for array in make_data())
    training, states = Training(iterations=STEPS, average=0.8), []
    whole = train(X, y, HEADS[kind], training, Products("cuda"), look=lambda run: states.append(run.state()))
    resumed = train(X, y, HEADS[kind], training, Products("cuda"), start=states[len(states) // 2])
    assert torch.equal(resumed.W, whole.W)


@pytest.mark.parametrize("rescale", [False, True])
@pytest.mark.parametrize("nesterov", [False, True])
@pytest.mark.parametrize("kind", HEADS)
@pytest.mark.parametrize("loss", ["softmax", "hinge"])
def test_the_steps_before_recording_change_nothing(kind, nesterov, rescale, loss):
    X, y = (move(array, "cpu") for array in make_data())
    trained = Stack(
        Data(X, y, CLASSES), HEADS[kind], Training(loss, STEPS, nesterov=nesterov), products=Products("cpu")
    )
    tables, _ = trained.tables(np.ones(5))
    rows = torch.arange(16)
    for table in tables:
        trained.step(rows, torch.tensor(table), False)
    before, standing = trained.parameters.map(lambda tensor: tensor.clone()), trained.standing
    for _ in range(2):
        trained.step(rows, torch.tensor(idle_table(4).astype(np.float32)), rescale)
    assert trained.standing is standing
    for name, value in vars(before).items():
        after = getattr(trained.parameters, name)
        assert (value is after is None) or value.numpy().tobytes() == after.numpy().tobytes(), name


def test_a_finished_run_leaves_no_ring_that_holds_its_memory(played_cuda):
    import gc
    import weakref

    X, y = (torch.tensor(array) for array in make_data())
    held = weakref.ref(X)
    gc.collect()
    gc.disable()
    try:
        train(X, y, HEADS["plain"], Training(iterations=5), Products("cuda"))
        played_cuda.clear()
        del X
        assert held() is None
    finally:
        gc.enable()


def test_namespaces():
    assert namespace(torch.zeros(1)).__name__ == "array_api_compat.torch"
    assert device_of(np.zeros(1)) == "numpy"

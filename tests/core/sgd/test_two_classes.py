"""Of two classes one column is trained: against both, one head after another, in plain float64 loops."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from linprobe.core.measure import score_stack
from linprobe.core.sgd.state import HeadStatus, Parameters
from linprobe.core.sgd.training import Data, Heads, StackRun, Start, State, Training
from linprobe.learn.loops import softmax_loss_naive, svm_loss_naive
from stacks import follow

NAIVE = {"softmax": softmax_loss_naive, "hinge": svm_loss_naive}
STEPS, BATCH, WIDTH = 70, 8, 5
OPTIONS: dict[str, dict[str, Any]] = {
    "plain": {},
    "average": {"average": 0.5},
    "momentum": {"momentum": 0.8},
    "nesterov": {"momentum": 0.8, "nesterov": True},
    "averaged momentum": {"momentum": 0.8, "average": 0.3},
}


def make_data(dtype: Any = np.float64):
    rng = np.random.default_rng(4)
    y = rng.integers(0, 2, 90)
    return (rng.normal(size=(90, 6)) + 1.5 * rng.normal(size=(2, 6))[y]).astype(dtype), y


def make_heads(momentum=0.0):
    # Of the last but one, the decay of a step is -0.6; of the last the weights are what the start was, and no more.
    rates, regs = np.array([0.05, 0.02, 0.1, 0.04, 1e-3]), np.array([0.0, 0.3, 0.01, 20.0, 3.0])
    if momentum:
        regs = np.minimum(regs, 3.0)
    return Heads.of(rates, regs, seed=range(WIDTH), momentum=momentum, batch_size=BATCH)


def make_run(option, *, loss="softmax", dtype: Any = np.float64, start=None, **more):
    chosen = dict(OPTIONS[option])
    heads = make_heads(chosen.pop("momentum", 0.0))
    return StackRun(Data(*make_data(dtype), 2), heads, Training(loss, STEPS, **chosen, **more), start=start)


def big_start():
    """Weights whose classes have much in common, so that what becomes of it is seen."""
    rng = np.random.default_rng(7)
    return Start(rng.normal(size=(6, 2, WIDTH)) + 2.0, rng.normal(size=(2, WIDTH)) - 1.0)


def loop(head, option, loss, start):
    """Weights (7, 2) of a head, the bias last, and the objective of every step."""
    momentum, nesterov, average = (OPTIONS[option].get(name, 0) for name in ("momentum", "nesterov", "average"))
    heads, (X, y) = make_heads(momentum), make_data()
    X = np.column_stack([X, np.ones(len(X))])
    W = np.concatenate([start.W[:, :, head], start.b[None, :, head]])
    generator, M, kept, history = np.random.default_rng(0), np.zeros_like(W), [], []
    for step in range(STEPS):
        rows = generator.integers(0, len(X), BATCH)
        value, gradient = NAIVE[loss](W, X[rows], y[rows], float(heads.reg[head]))
        history.append(value)
        M = momentum * M + gradient
        W = W - heads.learning_rate[head] * (gradient + momentum * M if nesterov else M)
        if average and step >= min(round(STEPS * (1 - average)), STEPS - 1):
            kept.append(W)
    return (np.mean(kept, axis=0) if kept else W), np.array(history)


@pytest.mark.parametrize("loss", NAIVE)
@pytest.mark.parametrize("option", OPTIONS)
def test_one_column_is_the_loop_over_both(option, loss):
    start = big_start()
    found = follow(make_run(option, loss=loss, start=start), record_every=1)
    assert list(found.stopped) == ["max_iter"] * WIDTH
    for head in range(WIDTH):
        W, history = loop(head, option, loss, start)
        np.testing.assert_allclose(found.W[:, :, head], W[:-1], rtol=1e-9, atol=1e-11)
        np.testing.assert_allclose(found.b[:, head], W[-1], rtol=1e-9, atol=1e-11)
        np.testing.assert_allclose(found.objective[:, head], history, rtol=1e-9)


@pytest.mark.parametrize("option", OPTIONS)
def test_in_single_precision_too(option):
    start = big_start()
    found, truth = (follow(make_run(option, dtype=dtype, start=start)) for dtype in (np.float32, np.float64))
    np.testing.assert_allclose(found.W, truth.W, rtol=2e-4, atol=2e-4)
    np.testing.assert_allclose(found.b, truth.b, rtol=2e-4, atol=2e-4)


def test_its_products_have_one_column():
    run = make_run("plain")
    assert run.stack.parameters.V.shape == (6, WIDTH)
    assert run.weights()[0].shape == (6, 2, WIDTH)


@pytest.mark.parametrize("option", [*OPTIONS, "patience"])
def test_a_run_goes_on_from_its_state_to_the_same_bits(option):
    more: dict[str, Any] = {"patience": 3} if option == "patience" else {}
    named, start = "plain" if more else option, big_start()

    def accuracy(W, b):
        return score_stack(*make_data(), W, b, "softmax").accuracy

    whole = follow(make_run(named, start=start, **more), validate=accuracy)
    run = make_run(named, start=start, **more)
    for event in run.events():
        if type(event).__name__ == "Validate":
            run.judge(accuracy(*run.weights()))
        if run.step >= 50 and not run.owed:
            break
    again = follow(make_run(named, start=State.unpack(run.state().pack()), **more), validate=accuracy)
    assert whole.W.tobytes() == again.W.tobytes()
    assert whole.objective.tobytes() == again.objective.tobytes()


@pytest.mark.parametrize("option", OPTIONS)
def test_a_state_of_both_columns_goes_on(option):
    """As it was kept before there was one column."""
    start, run = big_start(), make_run(option, start=big_start())
    whole = follow(make_run(option, start=start))
    for _ in run.events():
        if run.step >= 50:
            break
    older = run.state()
    stack, now, at = run.stack, older.parameters, older.standing

    def both(U, share):
        U = U.reshape(6, WIDTH)
        common = now.common * share
        return np.stack([common + U / 2, common - U / 2], axis=1).reshape(6, 2 * WIDTH)

    parameters = Parameters(
        V=both(now.V, at.share / at.scale),
        b=now.b,
        M=None if now.M is None else both(now.M, at.drift),
        M_bias=now.M_bias,
        mean=None if now.mean is None else both(now.mean, now.mean_share),
        mean_bias=now.mean_bias,
    )
    np.testing.assert_allclose(parameters.V.reshape(6, 2, WIDTH) * at.scale, stack.weights()[0], rtol=1e-12)
    standing = HeadStatus(**{**vars(at), "share": None, "drift": None})
    packed = replace(older, parameters=parameters, standing=standing).pack()
    assert "common" not in packed["stack"]
    assert "share" not in packed["stack"]
    again = follow(make_run(option, start=State.unpack(packed)))
    np.testing.assert_allclose(again.W, whole.W, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(again.objective, whole.objective, rtol=1e-9)


@pytest.mark.parametrize("option", OPTIONS)
@pytest.mark.parametrize("bad", [np.nan, np.inf, 1e300])
def test_a_head_that_is_lost_keeps_to_itself(option, bad):
    start = big_start()
    healthy = follow(make_run(option, start=start))
    start.W[2, 0, 3] = bad
    spoiled = follow(make_run(option, start=start))
    others = [0, 1, 2, 4]
    assert spoiled.stopped[3] == "diverged"
    assert np.isnan(spoiled.W[:, :, 3]).all()
    assert spoiled.W[:, :, others].tobytes() == healthy.W[:, :, others].tobytes()


@pytest.mark.parametrize("option", OPTIONS)
def test_on_torch_it_is_the_same(option):
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    from linprobe.core.backend import Products

    assert torch.get_num_threads()
    start, chosen = big_start(), dict(OPTIONS[option])
    heads = make_heads(chosen.pop("momentum", 0.0))
    run = StackRun(
        Data(*make_data(), 2), heads, Training("softmax", STEPS, **chosen), products=Products("cpu"), start=start
    )
    found, truth = follow(run), follow(make_run(option, start=start))
    np.testing.assert_allclose(found.W.numpy(), truth.W, rtol=1e-9, atol=1e-11)

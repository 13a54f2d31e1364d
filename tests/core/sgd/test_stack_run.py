"""The events of a stack in training, and what may be done between two of them."""

from dataclasses import FrozenInstanceError
from typing import Any

import numpy as np
import pytest

from linprobe.core.measure import score_stack
from linprobe.core.sgd.training import (
    Advanced,
    Data,
    Heads,
    Recorded,
    StackRun,
    Start,
    State,
    Training,
    Validate,
)
from linprobe.errors import UsageError
from stacks import follow

CLASSES, HEADS = 3, 4
TRAININGS: dict[str, dict[str, Any]] = {
    "plain": {},
    "epochs": {"epochs": 20},
    "average": {"average": 0.5},
    "patience": {"patience": 3},
    "patience to the end": {"patience": 99},
}


def make_data(seed=0):
    rng = np.random.default_rng(seed)
    y = rng.integers(0, CLASSES, 60)
    return (rng.normal(size=(60, 5)) + rng.normal(size=(CLASSES, 5))[y]).astype(np.float32), y


def make_run(option="plain", *, start=None, momentum: Any = 0.0, iterations=100):
    heads = Heads.of(np.geomspace(0.01, 0.3, HEADS), 0.1, seed=range(HEADS), momentum=momentum, batch_size=8)
    return StackRun(
        Data(*make_data(), CLASSES), heads, Training(iterations=iterations, **TRAININGS[option]), start=start
    )


def accuracy(W, b):
    return score_stack(*make_data(1), W, b, "softmax").accuracy


def bits(solution):
    return tuple(np.asarray(value).tobytes() for value in vars(solution).values())


def test_the_events_of_a_run_with_patience():
    run, told = make_run("patience", iterations=250), []
    for event in run.events(record_every=8):
        told.append((type(event), event.step))
        assert event.step == run.step
        assert event.steps == run.steps == 250
        if isinstance(event, Recorded):
            assert event.objective.shape == (HEADS,)
            assert event.objective is run.objectives[-1]
        if isinstance(event, Validate):
            run.judge(np.full(HEADS, run.step / 250))
    # Objectives at steps 0, 8, 16, ... and at the last; a validation every 5 steps, after the step that it judges.
    expected: list[Any] = []
    for step in range(1, 251):
        recorded, due = (step - 1) % 8 == 0 or step == 250, step % 5 == 0 or step == 250
        before_record = step % 8 == 0 or step == 249
        if recorded or due or before_record:
            expected.append((Recorded if recorded else Advanced, step))
        if due:
            expected.append((Validate, step))
    assert told == expected


def test_many_steps_come_in_pieces():
    run = make_run(iterations=500)
    steps = [event.step for event in run.events(record_every=1_000)]
    assert steps == [1, *range(65, 499, 64), 499, 500]


def test_an_event_holds_no_weights_and_is_frozen():
    for event in make_run(iterations=3).events():
        assert isinstance(event, Recorded)
        with pytest.raises(FrozenInstanceError):
            event.step = 5  # type: ignore[misc]
        assert set(vars(event)) == {"step", "steps", "objective"}


@pytest.mark.parametrize("option", TRAININGS)
@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_a_loop_that_breaks_off_anywhere_goes_on_when_it_asks_again(option, momentum):
    whole = follow(make_run(option, momentum=momentum), validate=accuracy, record_every=3)
    run = make_run(option, momentum=momentum)
    broken, asked = 0, set()
    while True:
        for event in run.events(record_every=3):
            if isinstance(event, Validate) and event.step in asked:  # for the same validation, it is asked again
                run.judge(accuracy(*run.weights()))
            if isinstance(event, Validate):
                asked.add(event.step)
            broken += 1
            break
        else:
            break
    assert not run.owed
    assert broken > 10
    assert bits(run.solution()) == bits(whole)


@pytest.mark.sampled(3)
@pytest.mark.parametrize("option", TRAININGS)
def test_from_a_state_at_any_event_it_ends_with_the_same_bits(option):
    """At a validation that nobody has judged yet, too."""
    states: list[tuple[type, State]] = []
    run = make_run(option)
    for event in run.events(record_every=3):
        states.append((type(event), run.state()))
        if isinstance(event, Validate):
            run.judge(accuracy(*run.weights()))
    whole = bits(run.solution())
    assert {kind for kind, _ in states} == {Recorded, Advanced} | ({Validate} if "patience" in option else set())
    for _, state in states[1::3]:
        assert bits(follow(make_run(option, start=state), validate=accuracy, record_every=3)) == whole


def test_a_state_is_of_its_moment_and_a_copy_is_left_alone():
    run = make_run("patience")
    for event in run.events():
        if isinstance(event, Validate):
            run.judge(accuracy(*run.weights()))
        if run.step == 6 and not run.owed:
            break
    state = run.state()
    before = state.copy()
    follow(run, validate=accuracy)
    assert_same(state, before)
    assert state.kept is not None
    assert before.kept is not None
    assert not np.shares_memory(state.parameters.V, before.parameters.V)
    assert not np.shares_memory(state.kept.W, before.kept.W)
    copy = state.copy()
    first = follow(make_run("patience", start=copy.copy()), validate=accuracy)
    assert_same(copy, before)
    assert bits(follow(make_run("patience", start=copy), validate=accuracy)) == bits(first)
    assert any(
        one.tobytes() != two.tobytes() for one, two in zip(arrays(copy.pack()), arrays(before.pack()), strict=True)
    )  # what it went on from is its own now


def arrays(packed):
    """All arrays of a packed state, in order."""
    for value in packed.values():
        if isinstance(value, dict):
            yield from arrays(value)
        elif isinstance(value, np.ndarray):
            yield value


def assert_same(one, two):
    pairs = list(zip(arrays(one.pack()), arrays(two.pack()), strict=True))
    assert len(pairs) > 10
    for a, b in pairs:
        assert a.tobytes() == b.tobytes()


@pytest.mark.parametrize("option", TRAININGS)
@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_what_is_packed_comes_back(option, momentum):
    run = make_run(option, momentum=momentum)
    for event in run.events():
        if isinstance(event, Validate):
            run.judge(accuracy(*run.weights()))
        state = run.state()
        again = State.unpack(state.pack())
        assert_same(state, again)
        assert (again.step, again.owed, again.place.generator) == (state.step, state.owed, state.place.generator)
        for name, array in [*vars(state.parameters).items(), *vars(state.standing).items()]:
            found = {**vars(again.parameters), **vars(again.standing)}[name]
            assert found is array, name


def test_a_checkpoint_of_before_there_were_events_is_read():
    """It was kept between events alone, and has no word on whether a validation is due."""
    whole = bits(follow(make_run("patience"), validate=accuracy))
    run = make_run("patience")
    for event in run.events():
        if isinstance(event, Validate):
            run.judge(accuracy(*run.weights()))
        if run.step == 6 and not run.owed:
            break
    packed = run.state().pack()
    assert packed.pop("owed") is False
    assert sorted(packed) == ["batches", "best", "kept", "objectives", "recorded", "since", "stack", "step"]
    assert sorted(packed["batches"]) == ["ahead", "generator"]
    assert sorted(packed["kept"]) == ["W", "b"]
    assert sorted(packed["stack"]) == sorted(
        ["V", "b", "M_bias", "mean_bias", "scale", "stopped", "limit", "learning_rate", "reg"]
    )
    assert bits(follow(make_run("patience", start=State.unpack(packed)), validate=accuracy)) == whole


def test_a_state_of_another_stack_is_refused():
    state = make_run().state()
    heads = Heads.of([0.1] * (HEADS + 1), 0.1)
    with pytest.raises(UsageError, match=r"stack of other shape: \(5, 12\), not \(5, 15\)"):
        StackRun(Data(*make_data(), CLASSES), heads, Training(), start=state)


@pytest.mark.parametrize("option", TRAININGS)
def test_the_solution_may_be_asked_for_twice(option):
    run = make_run(option)
    first = bits(follow(run, validate=accuracy))
    assert bits(run.solution()) == first


def test_the_solution_of_an_average_that_is_not_begun_is_the_weights():
    run, plain = make_run("average"), make_run()
    for stopped in (run, plain):
        for event in stopped.events():
            if event.step == 50:
                break
    assert run.solution().W.tobytes() == plain.solution().W.tobytes()
    run, plain = make_run("average"), make_run()
    for stopped in (run, plain):
        for event in stopped.events():
            if event.step == 52:
                break
    mean, last = run.solution().W, plain.solution().W
    assert mean.tobytes() != last.tobytes()
    np.testing.assert_allclose(mean, last, atol=0.05)  # the mean of two


def test_a_start_is_copied_and_its_bias_is_zero_unless_given():
    W, b = np.ones((5, CLASSES, HEADS), np.float32), np.full((CLASSES, HEADS), 2.0)
    for start, bias in ((Start(W), 0), (Start(W, b), 2)):
        run = make_run(start=start)
        now = run.weights()
        assert (now[0] == 1).all()
        assert (now[1] == bias).all()
        assert now[1].dtype == np.float32
        run.finish()
    assert (W == 1).all()
    assert (b == 2).all()

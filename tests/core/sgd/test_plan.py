"""Stacks that hold every head once, that fit, and that are as wide as they may be; whether they do is test_memory's."""

import re
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from examples import examples  # pyright: ignore[reportMissingImports]
from linprobe.core.sgd.plan import SLACK, WIDTH, Work, plan_stacks, stack_bytes
from linprobe.core.sgd.settings import Heads, Training
from linprobe.errors import IncompatibleError

MIB = 2**20
CIFAR10 = Work(examples=49_000, features=3_072, classes=10, itemsize=4, evaluation_rows=512)


def heads_of(count, momenta=(0.0,), batch_sizes=(200,)):
    numbers = np.arange(count)
    return Heads.of(
        np.full(count, 0.1),
        0.1,
        momentum=np.array(momenta)[numbers % len(momenta)],
        batch_size=np.array(batch_sizes)[numbers % len(batch_sizes)],
    )


WORKS = st.builds(
    Work,
    examples=st.integers(1, 100_000),
    features=st.integers(1, 20_000),
    classes=st.integers(2, 3_000),
    itemsize=st.sampled_from([4, 8]),
    evaluation_rows=st.just(512),
    rounded=st.booleans(),
)
TRAININGS = st.one_of(
    st.builds(Training, loss=st.sampled_from(["softmax", "hinge"]), average=st.sampled_from([0, 0.5])),
    st.builds(Training, patience=st.just(3), iterations=st.integers(1, 3_000)),
    st.builds(Training, epochs=st.floats(0.1, 30)),
)
HEADS = st.builds(
    heads_of,
    st.integers(1, 3_000),
    st.sampled_from([(0.0,), (0.9,), (0.0, 0.9), (0.9, 0.9, 0.0)]),
    st.sampled_from([(1,), (200,), (10, 5_000)]),
)


@given(heads=HEADS, training=TRAININGS, work=WORKS, held=st.integers(0, 2**32), room=st.integers(0, 2**31))
@examples(150)
def test_any_plan_holds_every_head_once_and_fits(heads, training, work, held, room):
    memory = held + SLACK + room
    free = plan_stacks(heads, training, work, held=held)
    try:
        plan = plan_stacks(heads, training, work, held=held, memory=memory)
    except IncompatibleError:
        one = plan_stacks(heads, training, work, held=held, width=1)
        assert one.bytes > memory
        return
    assert plan.bytes <= memory
    assert sorted(np.concatenate(plan.stacks).tolist()) == list(range(len(heads)))
    widths = [len(stack) for stack in plan.stacks]
    assert max(widths) <= plan.width <= max(1, WIDTH // work.classes)
    for stack in plan.stacks:
        assert len(set((heads.momentum[stack] != 0).tolist())) == 1  # plain ones and ones with momentum never mixed
        assert (np.diff(stack) > 0).all()
    for kind in (True, False):
        of_kind = [len(stack) for stack in plan.stacks if (heads.momentum[stack[0]] != 0) == kind]
        assert not of_kind or max(of_kind) - min(of_kind) <= 1
    if free.bytes <= memory:  # memory that suffices decides nothing
        assert plan.width == free.width
    again = plan_stacks(heads, training, work, held=held, memory=memory, width=plan.width)
    assert [stack.tolist() for stack in again.stacks] == [stack.tolist() for stack in plan.stacks]


@given(heads=HEADS, training=TRAININGS, work=WORKS)
@examples(50)
def test_more_memory_never_makes_narrower_stacks(heads, training, work):
    least = plan_stacks(heads, training, work, held=0, width=1).bytes
    widths = [
        plan_stacks(heads, training, work, held=0, memory=round(least * factor)).width
        for factor in (1, 1.2, 1.5, 2, 4, 30)
    ]
    assert widths == sorted(widths)


# The arrays that grow with each of them, counted by hand: features x columns of weights, in bytes.
COPIES: dict[str, tuple[dict[str, Any], tuple[float, ...], int]] = {
    "plain": ({}, (0.0,), 1),
    "momentum": ({}, (0.9,), 2),
    "average": ({"average": 0.5}, (0.0,), 2),
    "average with momentum": ({"average": 0.5}, (0.9,), 3),
    "patience": ({"patience": 3}, (0.0,), 3),
    "patience with momentum": ({"patience": 3}, (0.9,), 3),
}


@pytest.mark.parametrize("case", COPIES)
def test_what_a_feature_more_costs(case):
    training, momenta, copies = COPIES[case]
    heads = heads_of(100, momenta)
    works = (replace(CIFAR10, examples=1_000, features=features) for features in (10_000, 10_001))
    less, more = (stack_bytes(100, heads, Training(**training), work) for work in works)
    assert more - less == copies * 100 * 10 * 4 + 200 * 4  # the weights, and the batch's rows


def test_the_worksheet_and_a_grid_of_5000_heads():
    one = plan_stacks(heads_of(100), Training(), CIFAR10, held=0)
    assert len(one.stacks) == 1
    assert one.bytes < 100 * MIB
    many = plan_stacks(heads_of(5_000), Training(), CIFAR10, held=2**30, memory=2**32)
    assert {len(stack) for stack in many.stacks} == {200}
    assert many.bytes < 1.5 * 2**30


def test_the_plan_in_words():
    assert re.fullmatch(
        r"25 stacks of 200 heads; at most \d\.\d\d GiB of memory, 1\.00 GiB of it in use already",
        plan_stacks(heads_of(5_000), Training(), CIFAR10, held=2**30).describe(),
    )
    words = plan_stacks(heads_of(5), Training(), CIFAR10, held=MIB, width=2).describe()
    assert words.startswith("3 stacks of 1 to 2 heads; at most ")
    assert words.endswith(" MiB of memory, 1 MiB of it in use already")
    assert plan_stacks(heads_of(1), Training(), CIFAR10, held=0).describe().startswith("1 stack of 1 head; ")


def test_too_little_memory_is_refused_with_the_ways_out():
    with pytest.raises(IncompatibleError, match=r"^one head at a time needs \d+ MiB of memory, 8 MiB of it in use "
                       r"already, and 9 MiB are allowed; allow more with --memory, or train on fewer examples with "
                       r"--train-size$"):  # fmt: skip
        plan_stacks(heads_of(10), Training(), CIFAR10, held=8 * MIB, memory=9 * MIB)
    with pytest.raises(IncompatibleError, match=r"^going on in stacks of 200 heads needs .* as before$"):
        plan_stacks(heads_of(500), Training(), CIFAR10, held=0, memory=SLACK + MIB, width=200)

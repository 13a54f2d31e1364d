"""Small solves are done on one thread: with two, each product would wait for whoever holds the other core."""

from threading import Thread

import numpy as np
import pytest
import threadpoolctl

from linprobe.core.backend import one_thread
from linprobe.core.exact import _manner, solver


def of_blas() -> set[int]:
    """How many threads the pools of BLAS have."""
    pools = threadpoolctl.ThreadpoolController().select(user_api="blas")
    return {pool["num_threads"] for pool in pools.info()}


@pytest.mark.parametrize(("most", "while_at_work"), [(None, {1}), (0, {2})])
def test_small_solves_take_one_thread(
    monkeypatch: pytest.MonkeyPatch, most: float | None, while_at_work: set[int]
) -> None:
    """Only small ones, only while they are at work."""
    if not of_blas():
        pytest.skip("threadpoolctl knows no BLAS here")
    draw = np.random.default_rng(0)
    X, y, seen = draw.normal(size=(60, 4)), draw.integers(0, 3, 60), set[int]()
    if most is not None:
        monkeypatch.setattr(_manner, "ONE_THREAD", most)
    with threadpoolctl.threadpool_limits(2, user_api="blas"):
        solver.solve(X, y, np.array([0.1]), progress=lambda *_: seen.update(of_blas()))
        assert seen == while_at_work
        assert of_blas() == {2}


def test_other_threads_than_the_main_one_leave_the_number_alone():
    """It is the process's: two threads that set it and put it back could leave it at one."""
    if not of_blas():
        pytest.skip("threadpoolctl knows no BLAS here")
    limits: list[object] = []

    def work():
        with one_thread(np.zeros(1)) as limit:
            limits.append(limit)

    work()
    other = Thread(target=work)
    other.start()
    other.join()
    assert limits[0] is not None
    assert limits[1] is None

"""Many classes: arrays of K x K are in the plan, and what does not fit is refused with the figure before any work."""

import subprocess
import sys
import tracemalloc

import numpy as np
import pytest

from linprobe.compare.solver import Resources
from linprobe.core.certificate import certify, certify_bytes
from linprobe.core.exact.problem import solve_bytes
from linprobe.core.exact.solver import solve
from linprobe.data.dataset import Dataset, Examples
from linprobe.errors import IncompatibleError
from linprobe.tasks.tune import Options, tune


def labelled(K, n=60):
    """Rows of a few classes, and one of the last."""
    rng = np.random.default_rng(0)
    y = rng.integers(0, 3, n)
    y[0] = K - 1
    return rng.normal(size=(n, 5)).astype(np.float32), y


def peak(work):
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.sampled(3)
@pytest.mark.parametrize("loss", ["softmax", "squared_hinge"])
@pytest.mark.parametrize("solver", ["exact", "sgd"])
def test_one_label_of_99999_is_refused_with_the_figure(solver, loss):
    X, y = labelled(100_000)
    data = Dataset("made", Examples(X, y), None, tuple(map(str, range(100_000))))
    options = Options(solver=solver, loss=loss, regs=np.array([0.1, 1.0]))
    refused = r"needs [0-9,.]+ (MiB|GiB) .* are allowed"

    def run():
        with pytest.raises(IncompatibleError, match=refused):
            tune(data, options, resources=lambda: Resources(memory=8 * 2**30, held=0))

    assert peak(run) < 200 * 2**20


@pytest.mark.parametrize("loss", ["softmax", "squared_hinge"])
def test_the_solver_alone_refuses_it_too(loss):
    X, y = labelled(100_000)
    with pytest.raises(IncompatibleError, match=r"a single head needs [0-9,]+ MiB besides the data"):
        solve(X, y, np.ones(1), loss=loss, memory=8 * 2**30)


@pytest.mark.sampled(3)
@pytest.mark.parametrize("loss", ["softmax", "squared_hinge"])
@pytest.mark.parametrize("heads", [1, 3])
def test_the_plan_covers_the_solver_with_more_classes_than_rows(loss, heads):
    K = 200
    X, y = labelled(K)
    fixed, each = solve_bytes(X.shape, K, heads, 8)
    assert (
        peak(lambda: solve(X, y, np.geomspace(0.1, 1, heads), loss=loss, max_iter=2))
        < fixed - 32 * 2**20 + heads * each
    )


def test_the_plan_covers_the_proof():
    K = 120
    X, y = labelled(K)
    found = solve(X, y, np.ones(1), classes=K)
    assert peak(lambda: certify(X, y, found.W, found.b, [1.0], "softmax")) < certify_bytes(X.shape, K)


def test_the_plan_of_the_exact_solver_is_told_before_it_works():
    X, y = labelled(4)
    data, plans = Dataset("made", Examples(X, y % 3), None, tuple("abcd")), []
    tune(data, Options(regs=np.array([0.1, 1.0])), resources=lambda: Resources(held=2**20), on_plan=plans.append)
    (plan,) = plans
    assert plan.describe().startswith("1 stack of 2 heads; at most ")
    assert plan.describe().endswith(" MiB of memory, 1 MiB of it in use already")


@pytest.mark.sampled(4)
@pytest.mark.skipif(sys.platform != "linux", reason="needs a system that keeps to a limit of addresses")
@pytest.mark.parametrize("command", ["tune", "worksheet", "evaluate", "predict"])
def test_too_few_addresses_are_refused_at_the_start(command, tmp_path):
    import resource

    def limit():
        resource.setrlimit(resource.RLIMIT_AS, (400_000 * 2**10, 400_000 * 2**10))

    done = subprocess.run(
        [sys.executable, "-m", "linprobe", command, "digits", "digits"], cwd=tmp_path,
        capture_output=True, text=True, timeout=60, preexec_fn=limit,
    )  # fmt: skip
    assert done.returncode == 2
    assert done.stderr.startswith("linprobe: the system allows 391 MiB of addresses, and the libraries alone reserve ")
    assert done.stderr.count("\n") == 1
    assert not list(tmp_path.iterdir())

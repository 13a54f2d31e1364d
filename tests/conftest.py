"""What every test may ask for."""

import collections
import functools
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import hypothesis
import pytest

# A machine that is busy with something else takes its time: that is no fault of what is tested.
hypothesis.settings.register_profile("few", deadline=None, max_examples=20)
hypothesis.settings.register_profile("all", deadline=None, max_examples=100)
hypothesis.settings.load_profile("few")

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # So a shell starts what is to run in the background. The processes under test would inherit it, deaf to Ctrl-C.
    signal.signal(signal.SIGINT, signal.default_int_handler)

SHARED = Path(__file__).resolve().parents[2] / "shared"


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Of a sampled test every n-th case stays; `make test` leaves the others to CI, as slow ones."""
    seen = collections.Counter()
    for item in items:
        if (marker := item.get_closest_marker("sampled")) is not None:
            test = item.nodeid.partition("[")[0]
            if seen[test] % marker.args[0]:
                item.add_marker(pytest.mark.slow)
            seen[test] += 1


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder with the real CIFAR-10 and the published grid, beside the checkout."""
    if not (SHARED / "data" / "cifar10").is_dir():
        pytest.skip("needs the folder ../shared with CIFAR-10, which is not part of the project")
    return SHARED


@pytest.fixture(scope="session")
def official_cifar10(shared, tmp_path_factory) -> Path:
    """All of CIFAR-10 as its authors distribute it: the folder cifar-10-batches-py, with the archive beside it."""
    out = tmp_path_factory.mktemp("official")
    command = [sys.executable, str(shared / "data" / "make_cifar10.py"), str(out), "--tar"]
    subprocess.run(command, check=True, capture_output=True)
    return out / "cifar-10-batches-py"


@pytest.fixture(scope="session")
def published_grid(shared) -> Callable:
    """The worksheet on all of CIFAR-10 by seed, each done once: the data set and the result."""
    from linprobe import open_dataset
    from linprobe.core.sgd.settings import Training
    from linprobe.learn.worksheet import WorksheetOptions, run_worksheet

    dataset = open_dataset(shared / "data" / "cifar10")
    return functools.cache(lambda seed: (dataset, run_worksheet(dataset, WorksheetOptions(Training(seed=seed)))))


@pytest.fixture(scope="session")
def workers():
    """A Dask cluster of two processes here, and its client."""
    distributed = pytest.importorskip("distributed")
    options = {"n_workers": 2, "threads_per_worker": 1, "host": "127.0.0.1", "dashboard_address": "127.0.0.1:0"}
    with distributed.LocalCluster(**options) as cluster, distributed.Client(cluster, set_as_default=False) as client:
        yield client


@pytest.fixture
def client(workers):
    """The same, as the active client of a test."""
    with workers.as_current():
        yield workers

"""What goes wrong on a cluster: a right result or one clear error, never another result."""

import contextlib
import importlib.util
import os
import signal
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from linprobe.core.objective import objective_and_gradient
from linprobe.data import partitions
from linprobe.data.dask_rows import DaskRows
from linprobe.data.dask_sources import dask_rows
from linprobe.data.formats.on_cluster import open_on_cluster
from linprobe.data.partitions import Partitions, about, part_of
from linprobe.errors import ClusterError, DataError

distributed, da = pytest.importorskip("distributed"), pytest.importorskip("dask.array")
SCRIPT = Path(__file__).parents[2] / "scripts" / "kill_workers.py"
RNG = np.random.default_rng(0)
X, Y = RNG.standard_normal((60, 5)), RNG.integers(0, 3, 60)


@contextlib.contextmanager
def cluster(**options):
    """A cluster of its own, for what it does not survive, and its client."""
    options = {"n_workers": 2, "threads_per_worker": 1, "silence_logs": 50, **options}
    with (
        distributed.LocalCluster(host="127.0.0.1", dashboard_address="127.0.0.1:0", **options) as made,
        distributed.Client(made) as client,
    ):
        yield client


def one_pass(rows, y=Y):
    return objective_and_gradient(rows, y, np.ones((5, 3, 1)), np.zeros((3, 1)), "softmax", np.zeros(1))[0]


def kill(client):
    """Kill all workers, and wait for others in their places."""
    old = set(client.run(os.getpid).values())
    for process in old:
        os.kill(process, signal.SIGKILL)
    while len(new := set(client.run(os.getpid, on_error="ignore").values())) < len(old) or new & old:
        time.sleep(0.05)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_workers_that_are_killed_at_random_moments_change_no_result():
    spec = importlib.util.spec_from_file_location("kill_workers", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert module.kill_workers(10, seed=0) == module.Outcome(kills=10, right=10)


@pytest.mark.slow
def test_what_dask_reads_again_is_the_same_or_refused(tmp_path):
    for number, rows in enumerate(np.array_split(np.arange(60), 3)):
        np.savez(tmp_path / f"part{number}.npz", X=X[rows], y=Y[rows])
    with cluster() as client:
        rows = open_on_cluster(client, str(tmp_path)).train.X
        before = one_pass(rows)
        np.testing.assert_allclose(before, one_pass(X))
        kill(client)
        np.testing.assert_array_equal(one_pass(rows), before)
        file = tmp_path / "part1.npz"
        status = file.stat()
        np.savez(file, X=X[:20], y=Y[:20])  # of the same size
        kill(client)
        with pytest.raises(DataError, match=r"part1.npz: was written to since"):
            one_pass(rows)
        os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))  # and as old: its content is another
        rows = open_on_cluster(client, str(tmp_path)).train.X
        one_pass(rows)
        np.savez(file, X=X[40:], y=Y[:20])
        os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))
        kill(client)
        with pytest.raises(DataError, match=r"part1.npz: was read again .* has another content"):
            one_pass(rows)


def test_a_partition_that_was_in_memory_alone_and_is_lost_is_one_error():
    with cluster(n_workers=1) as client:
        scattered = client.scatter([part_of("a", X[:30]), part_of("b", X[30:])])
        rows = DaskRows(Partitions(client, scattered, client.gather(client.map(about, scattered))))
        np.testing.assert_allclose(one_pass(rows), one_pass(X))
        kill(client)
        with pytest.raises(ClusterError, match="keep the data in files"):
            one_pass(rows)


@pytest.mark.slow
def test_a_worker_without_memory_for_a_partition_is_one_error():
    with cluster(n_workers=1, memory_limit="600MB") as client:
        rows = dask_rows(da.from_array(X), client)
        with pytest.raises(ClusterError, match="without memory"):
            rows.reduce(fills_the_memory, None, size=10)


def fills_the_memory(chunk):
    taken = [np.ones(2**24) for _ in range(16)]
    time.sleep(30)
    return (np.array([len(taken)]),)


@pytest.mark.slow
def test_a_cluster_that_has_lost_all_of_its_workers_is_one_error(monkeypatch):
    monkeypatch.setattr(partitions, "LOOK", 0.1)
    monkeypatch.setattr(partitions, "LOOKS", 20)
    with cluster(n_workers=1) as client:
        rows = dask_rows(da.from_array(X), client)
        np.testing.assert_allclose(one_pass(rows), one_pass(X))
        client.cluster.scale(0)
        with pytest.raises(ClusterError, match="has had no worker for 2 seconds; start workers"):
            one_pass(rows)
        client.cluster.scale(1)
        client.wait_for_workers(1, timeout=60)
        np.testing.assert_allclose(one_pass(rows), one_pass(X))


@pytest.mark.slow
def test_a_scheduler_that_is_gone_is_one_error():
    import subprocess
    import sys

    command = "import distributed, time; c = distributed.LocalCluster(n_workers=1, threads_per_worker=1, "
    command += "host='127.0.0.1', dashboard_address='127.0.0.1:0', processes=False, "
    command += "protocol='tcp://'); print(c.scheduler_address, flush=True); time.sleep(300)"
    with subprocess.Popen([sys.executable, "-c", command], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        with distributed.Client(process.stdout.readline().strip(), timeout=30) as client:
            rows = dask_rows(da.from_array(X), client)
            np.testing.assert_allclose(one_pass(rows), one_pass(X))
            process.kill()
            with pytest.raises(ClusterError, match="lost its scheduler"):
                one_pass(rows)


def test_a_client_that_is_interrupted_leaves_no_tasks_behind(client):
    rows = dask_rows(da.from_array(X, chunks=20))

    def there():
        return client.run_on_scheduler(lambda dask_scheduler: [key for key in dask_scheduler.tasks if "summed" in key])

    def interrupt():
        while not there():
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGINT)

    from_elsewhere = threading.Thread(target=interrupt)
    from_elsewhere.start()
    with pytest.raises(KeyboardInterrupt) as held:  # as a console does, with all that its frames refer to
        rows.reduce(takes_long, None, size=10)
    from_elsewhere.join()
    for _ in range(200):
        if not there():
            break
        time.sleep(0.05)
    assert there() == []
    del held
    np.testing.assert_allclose(one_pass(rows), one_pass(X))


def takes_long(chunk):
    time.sleep(0.2)
    return (np.array([len(chunk)]),)

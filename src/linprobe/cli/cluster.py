"""--cluster: a Dask cluster that is there, or one of processes here for as long as a command works."""

import contextlib
import logging
import re
from collections.abc import Generator
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

from linprobe.errors import ClusterError, UsageError, require

if TYPE_CHECKING:
    from distributed import Client

__all__ = ["connected", "on_cluster"]

HERE = "127.0.0.1"


def on_cluster(cluster: str | None) -> "AbstractContextManager[Client | None]":
    """The client of a cluster, as `connected`, and None of None."""
    return contextlib.nullcontext() if cluster is None else connected(cluster)


@contextlib.contextmanager
def connected(cluster: str) -> "Generator[Client]":
    """The client of a cluster: of the address of its scheduler, or local[:N], N processes here.

    Raises UsageError for what is neither, ClusterError where nobody answers, MissingDependencyError without Dask.
    """
    local = re.fullmatch(r"local(?::([1-9][0-9]{0,3}))?", cluster)
    if local is None and "://" not in cluster:
        raise UsageError(f"--cluster {cluster}: is not a cluster; give tcp://HOST:PORT of its scheduler, or local:N")
    distributed = require("distributed", "dask")
    with contextlib.ExitStack() as stack:
        if local is not None:
            options = {
                "threads_per_worker": 1,
                "host": HERE,
                "dashboard_address": f"{HERE}:0",
                "silence_logs": logging.CRITICAL,
            }
            workers = None if local[1] is None else int(local[1])
            cluster = stack.enter_context(distributed.LocalCluster(n_workers=workers, **options))
        try:
            client = stack.enter_context(distributed.Client(cluster))
        except (OSError, TimeoutError) as error:
            raise ClusterError(
                f"--cluster {cluster}: no scheduler answers there; start one with dask scheduler, or use local:N"
            ) from error
        yield client

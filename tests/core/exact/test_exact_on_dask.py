"""The tests of the exact engine once more, with all rows in two partitions on a Dask cluster.

Their modules are loaded a second time, with a `solve` and a `certify` that send the rows there first. Of each test
there is the first case; for all of them, which takes three times as long:
EVERY_CASE=1 python -m pytest -m "" tests/core/exact/test_exact_on_dask.py
"""

import importlib.util
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import sparse

from linprobe.core import certificate
from linprobe.core.exact import solver
from linprobe.data.dask_sources import dask_rows

da = pytest.importorskip("dask.array")
HERE = Path(__file__).parent

# Left out: what takes memory or a device of this process for the object of its test.
OTHERWISE = {
    "test_no_copy_of_the_data_is_made",
    "test_rows_mapped_from_a_file_are_rows",
    "test_torch_finds_the_same",
    "test_what_makes_no_sense_is_refused_in_one_line",
    "test_what_is_not_a_number_is_named",  # sooner, when the rows are read
    "test_a_sparse_matrix_on_a_device_is_refused",
    "test_what_single_precision_cannot_begin_is_refused_where_there_is_no_memory_for_double",
    "test_exact_names_what_it_has",
    "test_the_low_rank_metric_is_the_full_one_where_nothing_is_left_out",  # solves equations, and no problem
}
FEW = {  # the others take minutes
    "test_folds_are_weights",
    "test_a_class_that_a_head_never_sees_is_never_predicted",
}


def spread(X: Any) -> Any:
    sparsely = sparse.issparse(X)
    if not (sparsely or isinstance(X, np.ndarray)) or X.ndim != 2 or 0 in X.shape:
        return X
    dense = sparse.csr_array(X).toarray() if sparsely else X
    array = da.from_array(dense, chunks=(-(-X.shape[0] * 2 // 3), -1))
    rows = dask_rows(array.map_blocks(sparse.csr_array) if sparsely else array)
    SENT.append(rows)
    return rows


SENT = []


def copied(name):
    """The tests of a module that solve, of a copy of it."""
    spec = importlib.util.spec_from_file_location(f"{name}_on_dask", HERE / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    vars(module)["solve"] = lambda X, *others, **options: solver.solve(spread(X), *others, **options)
    vars(module)["certify"] = lambda X, *others, **options: certificate.certify(spread(X), *others, **options)
    for of, test in vars(module).items():
        if of.startswith("test_") and of not in OTHERWISE and "solve" in test.__code__.co_names:
            if not os.environ.get("EVERY_CASE"):
                vars(test)["pytestmark"] = [first_case(mark) for mark in getattr(test, "pytestmark", [])]
            yield of, test if of in FEW else pytest.mark.slow(test)


def first_case(mark):
    """The same mark, of a test with many cases the first one alone."""
    if mark.name != "parametrize":
        return mark
    names, values, *others = mark.args
    return getattr(pytest.mark, mark.name)(names, list(values)[:1], *others, **without_ids(mark)).mark


def without_ids(mark):
    return {name: value for name, value in mark.kwargs.items() if name != "ids"}


globals().update(copied("test_exact"))
globals().update(copied("test_exact_edges"))


@pytest.fixture(autouse=True)
def rows_are_there(client):
    SENT.clear()
    yield
    assert SENT

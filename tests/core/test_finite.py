"""The first value that is not a number, in matrices of all kinds."""

import numpy as np
import pytest
from scipy import sparse

from linprobe.core import finite
from linprobe.core.finite import count_not_finite, first_not_finite


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("make", [np.asarray, sparse.csr_array])
def test_the_first_value_that_is_not_finite_is_found(make, value, monkeypatch):
    monkeypatch.setattr(finite, "SWEEP_ELEMENTS", 10)
    X = np.random.default_rng(0).random((30, 4)) * (np.random.default_rng(1).random((30, 4)) < 0.5)
    assert first_not_finite(make(X)) is None
    assert count_not_finite(make(X)) == 0
    X[21, 3] = X[17, 2] = X[17, 1] = value
    assert first_not_finite(make(X)) == (17, 1)
    assert count_not_finite(make(X)) == 3

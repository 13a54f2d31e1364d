"""Test figures of two runs that are the same classifier but for rounding."""

from dataclasses import replace

import pytest

from linprobe.results import Accuracy


def assert_same_test(found: Accuracy, expected: Accuracy) -> None:
    """Right on the same number of examples, with its interval; metrics that are numbers of any size nearly so."""
    bare, known = (replace(figures, metrics=None, temperature=None) for figures in (found, expected))
    assert bare == known
    metrics, others = found.metrics or {}, expected.metrics or {}
    assert set(metrics) == set(others) > {"auroc"}
    for name, figure in metrics.items():
        assert figure.value == pytest.approx(others[name].value, rel=1e-3, abs=1e-4), name
    assert found.temperature == pytest.approx(expected.temperature, rel=1e-3)

"""The clock: what the work returned comes back, with the seconds between its start and its end."""

import time

from linprobe.results.timing import timed


def test_the_seconds_are_those_of_the_work():
    result, seconds = timed(lambda: time.sleep(0.05) or "done")
    assert result == "done"
    assert 0.05 <= seconds < 2

"""What a file put into names must not reach the terminal as anything but letters."""

import io

import numpy as np
import pytest
from rich.console import Console

from linprobe.cli.screen import path_progress, print_step, time_left
from linprobe.results.steps import Row, Step, Table


def test_control_characters_and_markup_stay_text():
    hostile = "\x1b]0;title\x07\x1b[2Jcat\r\nname[bold red]\x9b5m"
    step = Step(
        1,
        hostile,
        (Row(hostile, hostile, hostile),),
        (hostile,),
        Table((hostile, "b"), ("word", "number"), ((hostile, "1"),)),
    )
    screen = io.StringIO()
    print_step(Console(file=screen, width=400), step)
    said = screen.getvalue()
    assert not set(said) - {"\n"} & {chr(code) for code in (*range(32), *range(127, 160))}
    assert said.count("cat name[bold red]") == 7


@pytest.mark.parametrize(
    ("elapsed", "made", "said"),
    [
        (10, 0.5, "about 10 s left"),
        (100, 0.25, "about 5 min left"),
        (3600, 0.25, "about 3 h left"),
        (10, 0.04, ""),
        (0.5, 0.5, ""),
        (10, 1.0, "about 0 s left"),
    ],
)
def test_the_time_left_follows_from_the_share_that_is_done(elapsed, made, said):
    assert time_left(elapsed, made) == said


def test_the_bar_of_a_path_shows_fits_and_where_nobody_watches_nothing_is_told():
    screen = io.StringIO()
    with path_progress(Console(file=screen, force_terminal=True, width=100)) as watch:
        assert watch.fits is not None
        assert watch.share is not None
        watch.share(0.25)
        watch.fits(1, 4, np.empty(0))
        watch.share(0.5)
        watch.fits(4, 4, np.empty(0))
    assert "1/4 fits done" in screen.getvalue()
    with path_progress(Console(file=io.StringIO(), force_terminal=False)) as watch:
        assert (watch.fits, watch.share) == (None, None)

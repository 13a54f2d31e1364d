"""What a file put into names must not reach the terminal as anything but letters."""

import io

from rich.console import Console

from linprobe.cli.screen import print_step
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

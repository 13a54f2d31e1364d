"""Ctrl-C while the commands are still being imported: the one line that is said later too, and no traceback.

Importing this module begins it, so it comes before whatever takes its time; `over` ends it.
"""

import os
import signal
import threading

__all__ = ["INTERRUPTED", "over"]

INTERRUPTED = 130


def _end(_number: int, _frame: object) -> None:
    # Not an exception: it would come up in the middle of somebody's import, which may take it for its own failure.
    os.write(2, b"linprobe: interrupted\n")
    os._exit(INTERRUPTED)


def over() -> None:
    """From here on Ctrl-C raises KeyboardInterrupt again."""
    if _watching:
        signal.signal(signal.SIGINT, signal.default_int_handler)


# Not where somebody else sees to it, or where a shell has said that it is to be ignored.
_watching = (
    threading.current_thread() is threading.main_thread()
    and signal.getsignal(signal.SIGINT) is signal.default_int_handler
)
if _watching:
    signal.signal(signal.SIGINT, _end)

"""How long a server is waited for: what it asks for itself, and a limit for the beginning of its answer."""

import contextlib
import datetime
import email.utils
import re
import socket
import threading
from collections.abc import Generator, Mapping
from typing import Any

__all__ = ["Watch", "no_longer_than", "retry_after"]


class Watch:
    """Ends a connection whose answer has not begun in time: a byte now and then keeps any time limit of a read away."""

    def __init__(self, seconds: float) -> None:
        self.fired = False
        self._connection: socket.socket | None = None
        self._timer = threading.Timer(seconds, self._end)
        self._timer.daemon = True
        self._timer.start()

    def trace(self, event: str, info: Mapping[str, Any]) -> None:
        """What httpx tells of its work: of interest is the connection, before and beneath all encryption."""
        if event == "connection.connect_tcp.complete":
            # A second handle on it: encryption takes the first away.
            self._connection = info["return_value"].get_extra_info("socket").dup()
            if self.fired:
                self._end()

    def over(self) -> None:
        """The answer is there."""
        self._timer.cancel()

    def close(self) -> None:
        """Whatever became of it."""
        self._timer.cancel()
        if self._connection is not None:
            self._connection.close()

    def _end(self) -> None:
        self.fired = True
        if self._connection is not None:
            with contextlib.suppress(OSError):
                self._connection.shutdown(socket.SHUT_RDWR)


@contextlib.contextmanager
def no_longer_than(seconds: float, late: Exception) -> Generator[Watch]:
    """Wait for the beginning of an answer, its headers, so many seconds in all; `late` is raised after that."""
    watch = Watch(seconds)
    try:
        yield watch
    except Exception as error:
        if watch.fired:
            raise late from error
        raise
    finally:
        watch.close()


def retry_after(value: str | None, now: datetime.datetime) -> float:
    """Seconds that a Retry-After header asks for, 0 when there is none or it is not understood. RFC 9110, 10.2.3."""
    value = (value or "").strip()
    if re.fullmatch(r"[0-9]{1,9}", value):
        return float(value)
    try:
        moment = email.utils.parsedate_to_datetime(value)
    except (ValueError, OverflowError):
        return 0.0
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=datetime.UTC)
    return max(0.0, (moment - now).total_seconds())

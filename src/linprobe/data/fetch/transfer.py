"""The bytes of a URL into a file: bounded, retried, resumed. Whether they are the right bytes, the caller says."""

import contextlib
import datetime
import logging
import re
import socket
import ssl
import time
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn, TypeVar

from linprobe import __version__
from linprobe.data.fetch.partial import Note, Partial, Progress
from linprobe.data.fetch.patience import no_longer_than, retry_after
from linprobe.data.fetch.urls import digest, may_follow, shown
from linprobe.errors import DownloadError

if TYPE_CHECKING:
    import httpx

__all__ = ["Order", "TransientError", "WrongFileError", "transfer"]

T = TypeVar("T")

log = logging.getLogger("linprobe.data.fetch")

TRANSIENT = frozenset({408, 425, 429, 500, 502, 503, 504})
MOVED = frozenset({301, 302, 303, 307, 308})
REDIRECTS = 5
LONGEST_WAIT = 120.0  # seconds; a server that asks for more is not waited for
LONGEST_BACKOFF = 30.0  # seconds
SLOWEST = 1024  # bytes a second; a read timeout alone lets a server drip one byte per timeout, for years


class TransientError(Exception):
    """An attempt that failed in a way another may not; `wait` is the pause in seconds that the server asked for."""

    def __init__(self, finding: str, wait: float = 0.0):
        super().__init__(finding)
        self.wait = wait


class WrongFileError(TransientError):
    """What came, or was announced, is not the file: worth one more try, and only one."""


@dataclass(frozen=True)
class Order:
    """What to fetch: from where (and how to say so), its size in bytes where known, the bytes never to exceed.

    advice ends the error when the place is of no use, trust when it gives another file.
    """

    url: str
    shown: str
    size: int | None
    limit: int
    advice: str
    trust: str


def transfer(
    order: Order,
    partial: Partial,
    verify: Callable[[Path], T],
    *,
    progress: Progress | None,
    timeout: float,
    attempts: int,
    backoff: float,
) -> T:
    """Download into `partial`, continuing what it holds, until `verify` accepts the file; return what that returned.

    timeout: seconds without a byte; backoff: seconds before the second attempt, doubled (with jitter) for each further
    one. `verify` raises WrongFileError. Raises DownloadError; then a partial worth continuing is kept. OSError of the
    disk comes through as it is.
    """
    import httpx
    import tenacity

    wrong = 0

    def attempt(client: "httpx.Client") -> T:
        nonlocal wrong
        try:
            _receive(client, order, partial, progress, timeout)
            try:
                return verify(partial.path)
            except WrongFileError:
                partial.drop()
                raise
        except WrongFileError as error:
            wrong += 1
            if wrong > 1:
                _give_up(order, f"{error}, twice", order.trust)
            raise
        except (httpx.HTTPError, httpx.InvalidURL, UnicodeError) as error:  # UnicodeError: a host that no name can be
            _sort(order, error, timeout)

    def pause(state: tenacity.RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome else None
        return max(backing_off(state), error.wait if isinstance(error, TransientError) else 0.0)

    def tell(state: tenacity.RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome else None
        seconds = state.next_action.sleep if state.next_action else 0.0
        log.info("%s: %s; attempt %d of %d in %.1f s", order.shown, error, state.attempt_number + 1, attempts, seconds)

    backing_off = tenacity.wait_exponential(multiplier=backoff, max=LONGEST_BACKOFF) + tenacity.wait_random(0, backoff)
    retrying = tenacity.Retrying(
        retry=tenacity.retry_if_exception_type(TransientError),
        stop=tenacity.stop_after_attempt(attempts),
        wait=pause,
        before_sleep=tell,
        reraise=True,
    )
    with _client(order, timeout) as client:
        try:
            return retrying(attempt, client)
        except TransientError as error:
            tried = "" if attempts == 1 else f"tried {attempts} times, the last time it "
            advice = order.trust if isinstance(error, WrongFileError) else order.advice
            if partial.size():
                advice = f"run it again to continue after the {partial.size():,} bytes that are kept"
            _give_up(order, f"{tried}{error}", advice)


def _receive(client: "httpx.Client", order: Order, partial: Partial, progress: Progress | None, timeout: float) -> None:
    """One attempt: ask for what is missing, and return when the partial file seems whole."""
    note = partial.note(order.url)
    have = partial.size() if note else 0
    total = order.size if order.size is not None or note is None else note.size
    if have and have == total:
        return  # whole already: whoever fetched it did not live to publish it
    if note is None or have > (order.limit if total is None else total):
        have = 0
    with _answer(client, order, _headers(note if have else None, have), timeout) as response:
        status = response.status_code
        if status == 206 and have and note:
            total = _check_rest(order, partial, response, note, have, total)
        elif status == 200:
            total = _check_whole(order, response)
            have = 0
            partial.restart(_new_note(order.url, response, total))
        elif status == 416 and have:
            found = re.fullmatch(r"bytes \*/([0-9]{1,15})", response.headers.get("content-range", ""))
            if found and int(found[1]) == have and total is None:
                return  # it had been whole, and only the checksum can tell
            partial.drop()
            raise TransientError("refused to send the rest (status 416)")
        else:
            _refused(order, response)
        have = _pour(response, partial, have, total, order, progress, timeout)
    if total is not None and have < total:
        raise TransientError(f"ended after {have:,} of {total:,} bytes")


def _pour(
    response: "httpx.Response",
    partial: Partial,
    have: int,
    total: int | None,
    order: Order,
    progress: Progress | None,
    timeout: float,
) -> int:
    """Append the body to the partial file, at most `total` (or the order's limit) bytes; return the file's size."""
    most = order.limit if total is None else total
    since, low = time.monotonic(), have
    with partial.path.open("ab") as file:
        if progress:
            progress(have, total)
        # Raw: a .tar.gz labelled Content-Encoding: gzip (Apache does that) must arrive as it is.
        for chunk in response.iter_raw():
            if have + len(chunk) > most:
                break
            file.write(chunk)
            have += len(chunk)
            if progress:
                progress(have, total)
            if time.monotonic() - since > timeout:
                if have - low < SLOWEST * timeout and have != total:
                    raise TransientError(f"sent {have - low:,} bytes in {timeout:g} s, and that is too slow")
                since, low = time.monotonic(), have
        else:
            return have
    partial.drop()
    raise WrongFileError(f"sent more than {most:,} bytes{_encoding(response)}")


def _check_whole(order: Order, response: "httpx.Response") -> int | None:
    """The size in bytes that a complete answer announces, or else the size ordered."""
    chunked = "transfer-encoding" in response.headers
    length = response.headers.get("content-length", "")
    announced = int(length) if re.fullmatch(r"[0-9]{1,15}", length) and not chunked else None
    if announced is not None:
        if order.size is not None and announced != order.size:
            raise WrongFileError(f"offered {announced:,} bytes where {order.size:,} were expected{_encoding(response)}")
        if announced > order.limit:
            raise WrongFileError(f"offered {announced:,} bytes where at most {order.limit:,} are taken")
    return order.size if order.size is not None else announced


def _check_rest(
    order: Order, partial: Partial, response: "httpx.Response", note: Note, have: int, total: int | None
) -> int | None:
    """The size in bytes of the file that a partial answer is the rest of; anything else is not appended."""
    found = re.fullmatch(r"bytes ([0-9]{1,15})-[0-9]{1,15}/([0-9]{1,15}|\*)", response.headers.get("content-range", ""))
    whole = int(found[2]) if found and found[2] != "*" else None
    etag = response.headers.get("etag")
    if (
        found is None
        or int(found[1]) != have
        or (etag and note.etag and etag != note.etag)
        or (whole is not None and whole > order.limit)
        or (whole is not None and total is not None and whole != total)
    ):
        partial.drop()
        raise TransientError("answered with the rest of something else")
    return total if total is not None else whole


def _headers(note: Note | None, have: int) -> dict[str, str]:
    headers = {"Accept-Encoding": "identity", "User-Agent": f"linprobe/{__version__}"}
    if note is None:
        return headers
    headers["Range"] = f"bytes={have}-"
    # A weak tag promises the same meaning, not the same bytes; RFC 9110 forbids it here.
    strong = note.etag if note.etag and not note.etag.startswith("W/") else note.last_modified
    if strong:
        headers["If-Range"] = strong
    return headers


def _new_note(url: str, response: "httpx.Response", total: int | None) -> Note:
    def kept(name: str) -> str | None:
        value = response.headers.get(name, "")
        return value if value and value.isascii() and value.isprintable() else None

    return Note(digest(url), kept("etag"), kept("last-modified"), total)


@contextlib.contextmanager
def _answer(
    client: "httpx.Client", order: Order, headers: Mapping[str, str], timeout: float
) -> Generator["httpx.Response"]:
    """The response at the end of the redirects, which are followed only where may_follow allows."""
    place = client.build_request("GET", order.url).url
    for _ in range(REDIRECTS + 1):
        late = TransientError(f"sent no whole answer in {2 * timeout:g} s")
        with (
            no_longer_than(2 * timeout, late) as watch,
            client.stream("GET", place, headers=headers, extensions={"trace": watch.trace}) as response,
        ):
            watch.over()
            if response.status_code not in MOVED:
                yield response
                return
            location = response.headers.get("location")
        if not location:
            _give_up(order, f"answered {response.status_code} without saying where to", order.advice)
        target = place.join(location)
        if not may_follow(place, target):
            _give_up(order, f"redirects to {shown(str(target))}, and only https is followed", order.advice)
        place = target
    _give_up(order, f"redirects more than {REDIRECTS} times", order.advice)


def _refused(order: Order, response: "httpx.Response") -> NoReturn:
    status = response.status_code
    if status not in TRANSIENT:
        _give_up(order, f"answered {status} where 200 was expected", order.advice)
    wait = retry_after(response.headers.get("retry-after"), datetime.datetime.now(datetime.UTC))
    if wait > LONGEST_WAIT:
        _give_up(order, f"answered {status} and asks for {wait:,.0f} s of patience", "run it again then")
    raise TransientError(f"answered {status}", wait)


def _sort(order: Order, error: Exception, timeout: float) -> NoReturn:
    """Turn an httpx error into one that is tried again, or into the end."""
    import httpx

    text = " ".join(str(error).split()) or type(error).__name__
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            _give_up(order, f"cannot prove who it is ({text})", "check this machine's clock, certificates and proxy")
        if isinstance(cause, socket.gaierror):
            _give_up(order, f"cannot be found ({text})", "check this machine's network, and run it again")
        cause = cause.__cause__ or cause.__context__
    if isinstance(error, (httpx.UnsupportedProtocol, httpx.InvalidURL, httpx.LocalProtocolError, UnicodeError)):
        _give_up(order, f"cannot be asked ({text})", order.advice)
    if isinstance(error, httpx.ReadTimeout):
        raise TransientError(f"sent nothing for {timeout:g} s") from error
    if isinstance(error, (httpx.ConnectError, httpx.ConnectTimeout, httpx.ProxyError)):
        raise TransientError(f"could not be reached ({text})") from error
    raise TransientError(f"broke off ({text})") from error


def _client(order: Order, timeout: float) -> "httpx.Client":
    import httpx

    try:
        # A connection for each request: it is the one that its watch has seen.
        limits = httpx.Limits(max_keepalive_connections=0)
        return httpx.Client(timeout=timeout, follow_redirects=False, limits=limits)
    except (OSError, ValueError, ImportError, httpx.InvalidURL) as error:
        text = " ".join(str(error).split())
        _give_up(order, f"cannot be asked ({text})", "check the proxy and certificate variables of the environment")


def _encoding(response: "httpx.Response") -> str:
    encoding = response.headers.get("content-encoding", "identity")
    return "" if encoding == "identity" else f" (with Content-Encoding {encoding[:20]!r}, which was not asked for)"


def _give_up(order: Order, finding: str, advice: str) -> NoReturn:
    raise DownloadError(f"{order.shown}: {finding}; {advice}")

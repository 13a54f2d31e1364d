"""An HTTP server on 127.0.0.1 that misbehaves by a script: one act per request, and good answers when it is through."""

import contextlib
import gzip
import http.server
import re
import socket
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

ETAG = '"first"'


@dataclass(frozen=True)
class Asked:
    """A request as the server saw it; headers in lower case."""

    path: str
    headers: dict[str, str]

    @property
    def start(self) -> int:
        """The first byte asked for, 0 when there was no Range."""
        found = re.fullmatch(r"bytes=(\d+)-", self.headers.get("range", "bytes=0-"))
        assert found, self.headers
        return int(found[1])


class Loopback:
    """Serves `body` under `url`; `asked` lists the requests, `gate` holds every answer back while it is not set."""

    def __init__(self, body: bytes, script: Iterable["Act"] = ()):
        self.body = body
        self.etag: str | None = ETAG
        self.script = deque(script)
        self.asked: list[Asked] = []
        self.gate = threading.Event()
        self.gate.set()
        self.closing = threading.Event()
        self.lock = threading.Lock()
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.loopback = self
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    @property
    def url(self) -> str:
        return f"{self.origin}/cifar-10-python.tar.gz"

    def __enter__(self) -> "Loopback":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.closing.set()
        self.gate.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
        assert not self._server.surprises, self._server.surprises


class _Server(http.server.ThreadingHTTPServer):
    loopback: Loopback

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.surprises: list[BaseException] = []

    def handle_error(self, request, client_address):  # noqa: ARG002
        error = sys.exception()
        if error is not None and not isinstance(error, ConnectionError):  # clients may leave whenever they like
            self.surprises.append(error)


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 20
    server: _Server

    def do_GET(self):
        loopback = self.server.loopback
        asked = Asked(self.path, {name.lower(): value for name, value in self.headers.items()})
        with loopback.lock:
            loopback.asked.append(asked)
            act = loopback.script.popleft() if loopback.script else good
        loopback.gate.wait()
        act(Talk(loopback, self, asked))

    def log_message(self, *_):
        pass


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    payload: bytes = b""


@dataclass
class Talk:
    """One request, and what an act needs to answer it."""

    loopback: Loopback
    handler: _Handler
    asked: Asked
    honest: Answer = field(init=False)

    def __post_init__(self):
        self.honest = self.whole()
        unchanged = self.asked.headers.get("if-range") in (None, self.loopback.etag)
        if "range" in self.asked.headers and unchanged:
            self.honest = self.rest()

    def whole(self) -> Answer:
        body = self.loopback.body
        return Answer(200, {"Content-Length": str(len(body)), **self._etag()}, body)

    def rest(self) -> Answer:
        body, start = self.loopback.body, self.asked.start
        if start >= len(body):
            return Answer(416, {"Content-Range": f"bytes */{len(body)}", "Content-Length": "0"})
        span = f"bytes {start}-{len(body) - 1}/{len(body)}"
        headers = {"Content-Range": span, "Content-Length": str(len(body) - start), **self._etag()}
        return Answer(206, headers, body[start:])

    def _etag(self) -> dict[str, str]:
        return {"ETag": self.loopback.etag} if self.loopback.etag else {}

    def head(self, answer: Answer, **headers: str) -> None:
        self.handler.send_response(answer.status)
        for name, value in {**answer.headers, **{k.replace("_", "-"): v for k, v in headers.items()}}.items():
            self.handler.send_header(name, value)
        self.handler.end_headers()

    def write(self, data: bytes) -> None:
        self.handler.wfile.write(data)

    def send(self, answer: Answer, **headers: str) -> None:
        self.head(answer, **headers)
        self.write(answer.payload)

    def hang_up(self) -> None:
        self.handler.close_connection = True
        with contextlib.suppress(OSError):
            self.handler.connection.shutdown(socket.SHUT_RDWR)


Act = Callable[[Talk], None]


def good(talk: Talk) -> None:
    talk.send(talk.honest)


def ignores_range(talk: Talk) -> None:
    talk.send(talk.whole())


def ignores_if_range(talk: Talk) -> None:
    talk.send(talk.rest() if "range" in talk.asked.headers else talk.whole())


def drop(after: int) -> Act:
    """Announce everything, send `after` bytes, hang up."""

    def act(talk: Talk) -> None:
        talk.head(talk.honest)
        talk.write(talk.honest.payload[:after])
        talk.hang_up()

    return act


def stall(after: int) -> Act:
    """Send `after` bytes, then nothing."""

    def act(talk: Talk) -> None:
        talk.head(talk.honest)
        talk.write(talk.honest.payload[:after])
        talk.loopback.closing.wait(60)
        talk.hang_up()

    return act


def drip(talk: Talk) -> None:
    """Never silent for long, never done: a byte every 50 ms."""
    talk.head(talk.honest)
    for byte in talk.honest.payload:
        talk.write(bytes([byte]))
        if talk.loopback.closing.wait(0.05):
            break
    talk.hang_up()


def drip_headers(talk: Talk) -> None:
    """Never silent for long, and its headers never done: a byte every 50 ms."""
    talk.write(b"HTTP/1.1 200 OK\r\n")
    for _ in range(1_000):
        talk.write(b"X-Patience: 1\r\n")
        if talk.loopback.closing.wait(0.05):
            break
    talk.hang_up()


def status(code: int, **headers: str) -> Act:
    def act(talk: Talk) -> None:
        talk.send(Answer(code, {"Content-Length": "4"}, b"no!\n"), **headers)

    return act


def redirect(location: str, code: int = 302) -> Act:
    return status(code, Location=location)


def says_more(talk: Talk) -> None:
    length = len(talk.honest.payload) + 1000
    talk.send(talk.honest, Content_Length=str(length))
    talk.hang_up()


def says_less(talk: Talk) -> None:
    length = max(0, len(talk.honest.payload) - 1000)
    talk.send(talk.honest, Content_Length=str(length))
    talk.hang_up()


def says_absurd(talk: Talk) -> None:
    talk.send(talk.honest, Content_Length="9" * 30)
    talk.hang_up()


def wrong_bytes(talk: Talk) -> None:
    payload = bytes(byte ^ 255 for byte in talk.honest.payload[:1000]) + talk.honest.payload[1000:]
    talk.send(Answer(talk.honest.status, talk.honest.headers, payload))


def empty(talk: Talk) -> None:
    talk.send(Answer(200, {"Content-Length": "0"}))


def chunked(talk: Talk) -> None:
    """The honest answer, without a length."""
    _chunks(talk, talk.honest, [talk.honest.payload])


def without_length(talk: Talk) -> None:
    """The whole file, its end told by the end of the connection alone."""
    answer = talk.whole()
    del answer.headers["Content-Length"]
    talk.send(answer, Connection="close")
    talk.hang_up()


def endless(talk: Talk) -> None:
    """The honest answer, and then more, as long as somebody listens."""

    def pieces() -> Iterable[bytes]:
        yield talk.honest.payload
        until = time.monotonic() + 20
        while time.monotonic() < until and not talk.loopback.closing.is_set():
            yield b"x" * 65536

    _chunks(talk, talk.honest, pieces())


def _chunks(talk: Talk, answer: Answer, pieces: Iterable[bytes]) -> None:
    headers = {name: value for name, value in answer.headers.items() if name != "Content-Length"}
    talk.head(Answer(answer.status, headers), Transfer_Encoding="chunked")
    for piece in pieces:
        if piece:
            talk.write(b"%x\r\n%b\r\n" % (len(piece), piece))
    talk.write(b"0\r\n\r\n")


def gzipped(talk: Talk) -> None:
    """Compressed although identity was asked for."""
    payload = gzip.compress(talk.loopback.body)
    talk.send(Answer(200, {"Content-Length": str(len(payload)), "Content-Encoding": "gzip"}, payload))


def labelled_gzip(talk: Talk) -> None:
    """The right bytes, with the label that servers put on .tar.gz files."""
    talk.send(talk.honest, Content_Encoding="gzip")


def other_range(talk: Talk) -> None:
    """The rest, but from elsewhere than asked."""
    answer = talk.honest
    if answer.status == 206:
        start, end = talk.asked.start + 1, len(talk.loopback.body)
        answer = Answer(206, {"Content-Range": f"bytes {start}-{end - 1}/{end}"}, talk.loopback.body[start:])
        answer.headers["Content-Length"] = str(len(answer.payload))
    talk.send(answer)


def uninvited_rest(talk: Talk) -> None:
    """A 206 to whatever was asked, without saying which part."""
    talk.send(Answer(206, {"Content-Length": str(len(talk.loopback.body))}, talk.loopback.body))


def cannot_resume(talk: Talk) -> None:
    """416 to any Range."""
    if "range" in talk.asked.headers:
        talk.send(Answer(416, {"Content-Length": "0"}))
    else:
        good(talk)


def another_version(talk: Talk) -> None:
    """The file changed since the last attempt: a new ETag, so If-Range gets it from its start; and then hang up."""
    with talk.loopback.lock:
        talk.loopback.etag = f'"after-{len(talk.loopback.asked)}"'
    talk.__post_init__()
    drop(5000)(talk)


def hangs_up(talk: Talk) -> None:
    talk.hang_up()


def garbage(talk: Talk) -> None:
    talk.write(b"\x00\xff\x1b[31mnot HTTP\r\n\r\n")
    talk.hang_up()

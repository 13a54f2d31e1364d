"""What a server may do on the way, one misbehaviour at a time and then in any order."""

import contextlib
import datetime
import functools
import hashlib
import logging
import os
import random
import socket
import ssl
import tempfile
from collections.abc import Callable
from pathlib import Path
from unittest import mock

import httpx
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import loopback as act  # pyright: ignore[reportMissingImports]  # tests/ is on pytest's path
from examples import examples  # pyright: ignore[reportMissingImports]
from linprobe.data import fetch as download
from linprobe.data.fetch import transfer as transfer_module
from linprobe.data.fetch.transfer import retry_after
from linprobe.data.fetch.urls import may_follow, shown
from linprobe.errors import DownloadError
from loopback import Loopback  # pyright: ignore[reportMissingImports]

fetch = functools.partial(download.fetch, timeout=10.0, backoff=0.001)
pytestmark = pytest.mark.usefixtures("archive")


def starts(server: Loopback) -> list[int]:
    return [asked.start for asked in server.asked]


def assert_verified_or_nothing(cache: Path, body: bytes) -> None:
    """Beside partial/ there is nothing, or the archive and its record."""
    names = {path.name for path in cache.iterdir()} - {"partial"}
    if names:
        assert names == {"cifar-10-python.tar.gz", "cifar-10-python.tar.gz.json"}
        assert (cache / "cifar-10-python.tar.gz").read_bytes() == body


def one_line(error: pytest.ExceptionInfo) -> str:
    text = str(error.value)
    assert text.isprintable()
    return text


def test_good_server(server, cache):
    seen: list[tuple[int, int | None]] = []
    path = fetch("cifar10", progress=lambda done, total: seen.append((done, total)))
    assert path == cache / "cifar-10-python.tar.gz"
    assert path.read_bytes() == server.body
    assert starts(server) == [0]
    assert server.asked[0].headers["accept-encoding"] == "identity"
    assert seen[0] == (0, len(server.body))
    assert seen[-1] == (len(server.body), len(server.body))
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)
    assert [path.name for path in (cache / "partial").iterdir()] == ["cifar-10-python.tar.gz.lock"]


@pytest.mark.parametrize("seed", range(4))
def test_drops_are_resumed_where_they_broke(server, seed):
    rng = random.Random(seed)
    points = [rng.randrange(1, 60_000) for _ in range(5)]
    server.script.extend(act.drop(after) for after in points)
    assert fetch("cifar10").read_bytes() == server.body
    assert starts(server) == [sum(points[:count]) for count in range(6)]
    assert all(asked.headers["if-range"] == act.ETAG for asked in server.asked[1:])


def test_a_failed_fetch_is_continued_by_the_next(server, cache):
    server.script.extend([act.drop(100_000), act.drop(1_000)])
    with pytest.raises(DownloadError) as error:
        fetch("cifar10", attempts=2)
    assert "tried 2 times" in one_line(error)
    assert "continue after the 101,000 bytes that are kept" in one_line(error)
    assert_verified_or_nothing(cache, server.body)
    assert fetch("cifar10").read_bytes() == server.body
    assert starts(server) == [0, 100_000, 101_000]


def test_without_etag_the_rest_is_still_asked_for(server):
    server.etag = None
    server.script.append(act.drop(70_000))
    assert fetch("cifar10").read_bytes() == server.body
    assert starts(server) == [0, 70_000]
    assert "if-range" not in server.asked[1].headers


def test_a_weak_etag_is_not_sent_as_if_range(server):
    server.etag = 'W/"weak"'
    server.script.append(act.drop(70_000))
    assert fetch("cifar10").read_bytes() == server.body
    assert "if-range" not in server.asked[1].headers


@pytest.mark.sampled(3)
@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ([act.drop(90_000), act.ignores_range], [0, 90_000]),
        ([act.drop(90_000), act.another_version], [0, 90_000, 5000]),  # If-Range: the new version from its start
        ([act.drop(90_000), act.cannot_resume], [0, 90_000, 0]),
        ([act.drop(90_000), act.other_range], [0, 90_000, 0]),
        ([act.chunked], [0]),
        ([act.without_length], [0]),
        ([act.drop(90_000), act.chunked], [0, 90_000]),
        ([act.labelled_gzip], [0]),
        ([act.hangs_up], [0, 0]),
        ([act.garbage], [0, 0]),
        ([act.says_absurd], [0, 0]),
        ([act.empty], [0, 0]),
        ([act.gzipped], [0, 0]),
        ([act.says_more], [0, 0]),
        ([act.says_less], [0, 0]),
        ([act.wrong_bytes], [0, 0]),
        ([act.endless], [0, 0]),
        ([act.drop(90_000), act.says_more], [0, 90_000]),
        ([act.drop(90_000), act.says_less], [0, 90_000, 299_000]),
        ([act.drop(90_000), act.wrong_bytes], [0, 90_000, 0]),
        ([act.drop(90_000), act.endless], [0, 90_000, 0]),
        ([act.drop(90_000), act.empty], [0, 90_000, 90_000]),  # somebody else's page does not cost the bytes we have
    ],
)
def test_one_misbehaviour_then_well(server, cache, script, expected):
    server.script.extend(script)
    assert fetch("cifar10").read_bytes() == server.body
    assert starts(server) == expected
    assert_verified_or_nothing(cache, server.body)


def test_a_206_of_another_version_is_not_mixed_in(server):
    body, server.body = server.body, bytes(len(server.body))

    def renewed(talk) -> None:
        server.body, server.etag = body, '"second"'
        act.ignores_if_range(talk)

    server.script.extend([act.drop(90_000), renewed])
    assert fetch("cifar10").read_bytes() == body
    assert starts(server) == [0, 90_000, 0]


@pytest.mark.parametrize("code", [429, 500, 502, 503, 504, 408])
def test_busy_servers_are_asked_again(server, code):
    server.script.extend([act.status(code), act.status(code)])
    assert fetch("cifar10").read_bytes() == server.body
    assert len(server.asked) == 3


@pytest.mark.parametrize(
    ("code", "value", "seconds"), [(429, "1", "1.0"), (503, "Wed, 01 Jan 2020 00:00:00 GMT", "0.0")]
)
def test_retry_after_is_honoured(server, code, value, seconds, caplog):
    caplog.set_level(logging.INFO, "linprobe.data.fetch")
    server.script.append(act.status(code, Retry_After=value))
    assert fetch("cifar10").read_bytes() == server.body
    assert f"answered {code}; attempt 2 of 6 in {seconds} s" in caplog.text


def test_retry_after_beyond_patience_ends_at_once(server):
    server.script.append(act.status(503, Retry_After="86400"))
    with pytest.raises(DownloadError, match=r"answered 503 and asks for 86,400 s"):
        fetch("cifar10")
    assert len(server.asked) == 1


def test_busy_for_ever_is_asked_a_bounded_number_of_times(server, cache):
    server.script.extend([act.status(503)] * 50)
    with pytest.raises(DownloadError) as error:
        fetch("cifar10", attempts=4)
    assert one_line(error) == (
        f"{server.url}: tried 4 times, the last time it answered 503; "
        "try later, or name another source: linprobe fetch cifar10 --from URL_OR_FILE"
    )
    assert len(server.asked) == 4
    assert_verified_or_nothing(cache, server.body)


@pytest.mark.parametrize("code", [400, 401, 403, 404, 410, 204, 206, 300, 304, 501])
def test_a_refusal_is_final(server, code):
    server.script.append(act.status(code) if code not in (204, 304) else lambda talk: talk.head(act.Answer(code, {})))
    with pytest.raises(DownloadError, match=f"answered {code} where 200 was expected"):
        fetch("cifar10")
    assert len(server.asked) == 1


@pytest.mark.parametrize("misbehaviour", [act.wrong_bytes, act.empty, act.gzipped, act.says_more, act.endless])
def test_a_wrong_file_is_tried_twice_and_not_kept(server, cache, misbehaviour):
    server.script.extend([misbehaviour] * 9)
    with pytest.raises(DownloadError, match=r"twice; take a copy that you trust: linprobe fetch cifar10") as error:
        fetch("cifar10")
    one_line(error)
    assert len(server.asked) == 2
    assert_verified_or_nothing(cache, server.body)
    assert not (cache / "partial" / "cifar-10-python.tar.gz").exists()


def test_a_length_too_short_for_ever_is_found_out(server, cache):
    server.script.extend([act.says_less] * 9)
    with pytest.raises(DownloadError, match=r"offered 299,000 bytes where 300,000 were expected, twice"):
        fetch("cifar10")
    assert_verified_or_nothing(cache, server.body)


@pytest.mark.parametrize("misbehaviour", [act.stall(0), act.stall(50_000), act.drip])
def test_a_stall_ends_the_attempt(server, misbehaviour):
    server.script.append(misbehaviour)
    assert fetch("cifar10", timeout=0.4).read_bytes() == server.body
    assert len(server.asked) >= 2


@pytest.mark.slow
def test_headers_that_drip_end_the_attempt(server):
    server.script.append(act.drip_headers)
    assert fetch("cifar10", timeout=0.4).read_bytes() == server.body
    assert len(server.asked) >= 2
    server.script.extend([act.drip_headers] * 2)
    with pytest.raises(DownloadError, match=r"tried 2 times, the last time it sent no whole answer in 0\.8 s") as error:
        fetch("cifar10", source=f"{server.url}?", sha256="0" * 64, timeout=0.4, attempts=2)
    one_line(error)


@pytest.mark.parametrize("number", [socket.EAI_NONAME, socket.EAI_AGAIN])
def test_a_name_that_does_not_resolve_is_not_asked_for_again(number, monkeypatch):
    asked = []

    def unknown(*arguments, **_):
        asked.append(arguments[0])
        raise socket.gaierror(number, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    found = (
        r"^https://example\.invalid/x: cannot be found \(.*Name or service not known\); check this machine's network"
    )
    with pytest.raises(DownloadError, match=found) as error:
        fetch("cifar10", source="https://example.invalid/x", attempts=6, backoff=60)
    one_line(error)
    assert len(asked) == 1


def test_nobody_listens():
    with Loopback(b"") as gone:
        url = gone.url
    with pytest.raises(DownloadError, match=r"tried 2 times, the last time it could not be reached") as error:
        fetch("cifar10", source=url, attempts=2)
    one_line(error)


def test_redirects_are_followed_within_the_origin(server):
    server.script.extend(act.redirect(f"/{count}", code) for count, code in enumerate([301, 302, 303, 307, 308]))
    assert fetch("cifar10").read_bytes() == server.body
    assert [asked.path for asked in server.asked] == ["/cifar-10-python.tar.gz", "/0", "/1", "/2", "/3", "/4"]


def test_a_redirect_loop_ends(server):
    server.script.extend([act.redirect("/cifar-10-python.tar.gz")] * 50)
    with pytest.raises(DownloadError, match="redirects more than 5 times"):
        fetch("cifar10")
    assert len(server.asked) == 6


@pytest.mark.parametrize(
    "target",
    [
        "http://localhost:1/x",
        "http://example.invalid/x",
        "file:///etc/passwd",
        "ftp://127.0.0.1/x",
        "//example.invalid/x",
        "https://example.invalid:99999999/x",
    ],
)
def test_redirects_elsewhere_are_refused(server, target):
    server.script.append(act.redirect(target))
    with pytest.raises(DownloadError, match=r"redirects to .*, and only https is followed"):
        fetch("cifar10")


def test_a_redirect_to_an_impossible_host_is_refused(server):
    server.script.append(act.redirect(f"https://{'a' * 70}.invalid/"))
    with pytest.raises(DownloadError) as error:
        fetch("cifar10")
    assert "cannot be asked" in one_line(error)
    assert len(server.asked) == 1


def test_a_redirect_to_nowhere_is_refused(server):
    server.script.append(act.status(302))
    with pytest.raises(DownloadError, match="without saying where to"):
        fetch("cifar10")


@pytest.mark.parametrize(
    ("place", "target", "follow"),
    [
        ("https://a/x", "https://b/y", True),
        ("https://a/x", "https://a/y", True),
        ("https://a/x", "http://a/x", False),
        ("https://a/x", "http://127.0.0.1/x", False),
        ("http://a/x", "https://a/x", True),
        ("http://a/x", "http://a:80/y", True),
        ("http://a/x", "http://a:8080/y", False),
        ("http://a/x", "http://b/x", False),
        ("http://127.0.0.1:1/x", "http://127.0.0.1:2/x", False),
        ("https://a/x", "file:///x", False),
        ("file:///x", "file:///x", False),
        ("https://a/x", "data:text/plain,x", False),
    ],
)
def test_which_redirects_are_followed(place, target, follow):
    assert may_follow(httpx.URL(place), httpx.URL(target)) is follow


@pytest.fixture
def https(monkeypatch):
    """Answers, without a network, to whatever is asked for under https: a function of the request."""

    def answer(handler: Callable[[httpx.Request], httpx.Response]) -> None:
        client = functools.partial(httpx.Client, transport=httpx.MockTransport(handler))
        monkeypatch.setattr(transfer_module, "_client", lambda _order, timeout: client(timeout=timeout))

    return answer


def test_https_leads_to_https_but_never_to_http(https, body):
    def handler(request: httpx.Request) -> httpx.Response:
        asked.append(str(request.url))
        target = {"/https": "https://b.invalid/file", "/http": "http://a.invalid/file"}.get(request.url.path)
        return (
            httpx.Response(302, headers={"Location": target})
            if target
            else httpx.Response(200, stream=httpx.ByteStream(body))
        )

    asked: list[str] = []
    https(handler)
    assert fetch("cifar10", source="https://me:secret@a.invalid/https").read_bytes() == body
    assert asked == ["https://me:secret@a.invalid/https", "https://b.invalid/file"]
    with pytest.raises(DownloadError, match=r"^https://a.invalid/http: redirects to http://a.invalid/file, and only"):
        fetch("cifar10", source="https://me:secret@a.invalid/http", sha256="0" * 64)
    assert len(asked) == 3


def test_a_certificate_that_proves_nothing_is_final(https):
    def handler(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        raise httpx.ConnectError("certificate verify failed") from ssl.SSLCertVerificationError(1, "self-signed")

    asked: list[httpx.Request] = []
    https(handler)
    with pytest.raises(DownloadError, match=r"prove who it is \(certificate verify failed\); check this machine"):
        fetch("cifar10", source="https://a.invalid/x")
    assert len(asked) == 1


NOW = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, 0),
        ("", 0),
        ("7", 7),
        (" 120 ", 120),
        ("-1", 0),
        ("1.5", 0),
        ("9" * 5000, 0),
        ("soon", 0),
        ("Thu, 01 Jan 2026 00:01:30 GMT", 90),
        ("Thu, 01 Jan 2026 00:01:30 -0000", 90),
        ("Wed, 31 Dec 2025 00:00:00 GMT", 0),
        ("Thu, 01 Jan 99999 00:00:00 GMT", 0),
    ],
)
def test_retry_after(value, seconds):
    assert retry_after(value, NOW) == seconds


@given(st.text(max_size=40))
def test_retry_after_takes_any_text(value):
    assert retry_after(value, NOW) >= 0


def test_secrets_of_a_url_are_not_shown():
    assert shown("https://me:secret@host:81/a.tar.gz?token=secret#secret") == "https://host:81/a.tar.gz"


MISBEHAVIOURS = st.one_of(
    st.integers(0, 300_000).map(act.drop),
    st.sampled_from([429, 500, 503]).map(act.status),
    st.sampled_from(
        [
            act.ignores_range,
            act.ignores_if_range,
            act.says_more,
            act.says_less,
            act.says_absurd,
            act.wrong_bytes,
            act.empty,
            act.chunked,
            act.without_length,
            act.endless,
            act.gzipped,
            act.labelled_gzip,
            act.other_range,
            act.uninvited_rest,
            act.cannot_resume,
            act.another_version,
            act.hangs_up,
            act.garbage,
            act.status(404),
            act.redirect("/elsewhere"),
        ]
    ),
)


@examples(40)
@given(script=st.lists(MISBEHAVIOURS, max_size=5), by_sha256=st.booleans())
@example(script=[act.drop(1000), act.wrong_bytes], by_sha256=True)
def test_any_sequence_ends_in_the_right_bytes_or_an_error(body, script, by_sha256):
    with tempfile.TemporaryDirectory() as folder, Loopback(body, script) as server:
        cache = Path(folder) / "cache"
        md5 = hashlib.md5(body, usedforsecurity=False).hexdigest()
        small = download.Archive("cifar-10-python.tar.gz", server.url, len(body), md5)
        sha256 = hashlib.sha256(body).hexdigest() if by_sha256 else None
        with (
            mock.patch.dict(os.environ, LINPROBE_DATA=str(cache)),
            mock.patch.dict(download.ARCHIVES, cifar10=small),
        ):
            with contextlib.suppress(DownloadError):
                assert fetch("cifar10", sha256=sha256).read_bytes() == body
            assert_verified_or_nothing(cache, body)
            server.script.clear()
            assert fetch("cifar10", sha256=sha256).read_bytes() == body

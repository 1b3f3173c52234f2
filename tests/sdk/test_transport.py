"""Bytes over real sockets: connections that break, stall, refuse or slow down."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler

import pytest

from nodedata_registry.errors import (
    NotAuthenticated,
    RateLimited,
    RegistryUnreachable,
    ServerError,
    TransferFailed,
    Unavailable,
)
from nodedata_registry.sdk.calls import Call
from nodedata_registry.sdk.connection import Connection, Patience
from nodedata_registry.sdk.transport import HttpTransport
from tests.sdk.bad_server import Misbehaving

QUICK = Patience(attempts=4, first_pause_seconds=0.01, connect_seconds=0.5)
ONCE = Call("POST", "/v1/models", dict, b"{}", idempotent=False)
AGAIN = Call("GET", "/v1/me", dict)


def connect(base_url: str, key: str | None = None, patience: Patience = QUICK) -> Connection:
    return Connection(HttpTransport(base_url), key, patience)


def say(status: int, body: bytes = b"{}", **headers: str) -> Callable[[BaseHTTPRequestHandler], None]:
    def behaviour(request: BaseHTTPRequestHandler) -> None:
        request.send_response(status)
        for name, value in {"content-length": str(len(body)), **headers}.items():
            request.send_header(name.replace("_", "-"), value)
        request.end_headers()
        request.wfile.write(body)

    return behaviour


def cut(request: BaseHTTPRequestHandler) -> None:
    request.send_response(200)
    request.send_header("content-length", "1000")
    request.end_headers()
    request.wfile.write(b"half")
    request.wfile.flush()
    request.close_connection = True


def hang_up(request: BaseHTTPRequestHandler) -> None:
    request.connection.shutdown(socket.SHUT_RDWR)
    request.close_connection = True


def stall(request: BaseHTTPRequestHandler) -> None:
    time.sleep(1.5)
    request.close_connection = True


def test_connections_are_kept_and_used_again(misbehaving: Misbehaving) -> None:
    misbehaving.behaviours = [say(200)]
    connection = connect(misbehaving.base_url)
    for _ in range(5):
        connection.ask(AGAIN)
    connection.close()
    assert (len(misbehaving.seen), misbehaving.connections) == (5, 1)


def test_the_key_is_sent_as_a_bearer_token(misbehaving: Misbehaving) -> None:
    sent: list[str | None] = []

    def behaviour(request: BaseHTTPRequestHandler) -> None:
        sent.append(request.headers.get("authorization"))
        say(200)(request)

    misbehaving.behaviours = [behaviour]
    connection = connect(misbehaving.base_url, "nd_live_key")
    connection.ask(AGAIN)
    connection.close()
    assert sent == ["Bearer nd_live_key"]


@pytest.mark.parametrize("broken", [cut, hang_up, say(502), say(503), say(504)])
def test_a_call_that_may_be_sent_twice_survives_a_broken_answer(
    misbehaving: Misbehaving, broken: Callable[[BaseHTTPRequestHandler], None]
) -> None:
    misbehaving.behaviours = [broken, broken, say(200, b'{"ok": true}')]
    connection = connect(misbehaving.base_url)
    assert connection.ask(AGAIN) == {"ok": True}
    connection.close()
    assert len(misbehaving.seen) == 3


@pytest.mark.parametrize("broken", [cut, hang_up, say(503)])
def test_a_call_that_must_not_be_sent_twice_is_sent_once(
    misbehaving: Misbehaving, broken: Callable[[BaseHTTPRequestHandler], None]
) -> None:
    misbehaving.behaviours = [broken, say(200)]
    connection = connect(misbehaving.base_url)
    with pytest.raises((TransferFailed, RegistryUnreachable, Unavailable)):
        connection.ask(ONCE)
    connection.close()
    assert len(misbehaving.seen) == 1


def test_patience_ends(misbehaving: Misbehaving) -> None:
    misbehaving.behaviours = [say(503)]
    connection = connect(misbehaving.base_url)
    with pytest.raises(Unavailable):
        connection.ask(AGAIN)
    connection.close()
    assert len(misbehaving.seen) == QUICK.attempts


def test_retry_after_is_honoured_whatever_the_call(misbehaving: Misbehaving) -> None:
    misbehaving.behaviours = [say(429, retry_after="1"), say(200)]
    connection = connect(misbehaving.base_url)
    started = time.monotonic()
    connection.ask(ONCE)
    connection.close()
    assert 1.0 <= time.monotonic() - started < 3.0


def test_a_wait_longer_than_patience_is_an_error_at_once(misbehaving: Misbehaving) -> None:
    misbehaving.behaviours = [say(429, retry_after="3600")]
    connection = connect(misbehaving.base_url)
    with pytest.raises(RateLimited):
        connection.ask(AGAIN)
    connection.close()
    assert len(misbehaving.seen) == 1


def test_a_refusal_is_not_repeated(misbehaving: Misbehaving) -> None:
    misbehaving.behaviours = [say(401, b'{"error": {"code": "not_authenticated", "message": "no"}}')]
    connection = connect(misbehaving.base_url)
    with pytest.raises(NotAuthenticated):
        connection.ask(AGAIN)
    connection.close()
    assert len(misbehaving.seen) == 1


def test_a_failure_of_the_registry_is_not_repeated(misbehaving: Misbehaving) -> None:
    misbehaving.behaviours = [say(500)]
    connection = connect(misbehaving.base_url)
    with pytest.raises(ServerError):
        connection.ask(AGAIN)
    connection.close()
    assert len(misbehaving.seen) == 1


def test_a_redirect_is_not_followed_so_that_the_key_goes_nowhere_else(misbehaving: Misbehaving) -> None:
    misbehaving.behaviours = [say(302, location="http://127.0.0.1:9/")]
    connection = connect(misbehaving.base_url, "key")
    with pytest.raises(Exception, match="302"):
        connection.ask(AGAIN)
    connection.close()


def test_nobody_listening_is_told_within_the_time_for_connecting() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        connection = connect(f"http://127.0.0.1:{taken.getsockname()[1]}")
        started = time.monotonic()
        with pytest.raises(RegistryUnreachable):
            connection.ask(ONCE)
        assert time.monotonic() - started < 3.0
        connection.close()


def test_a_silent_registry_is_given_up_after_the_time_allowed(misbehaving: Misbehaving) -> None:
    misbehaving.behaviours = [stall]
    connection = connect(misbehaving.base_url)
    started = time.monotonic()
    with pytest.raises(RegistryUnreachable, match=r"0\.3 s"):
        connection.ask_within(AGAIN, 0.3)
    assert time.monotonic() - started < 1.0
    connection.close()


def test_an_answer_is_read_in_pieces_without_being_kept(misbehaving: Misbehaving) -> None:
    misbehaving.behaviours = [say(200, bytes(5_000_000))]
    connection = connect(misbehaving.base_url)
    with connection.stream(Call("GET", "/", type(None))) as answer:
        sizes = []
        while piece := answer.read():
            sizes.append(len(piece))
    connection.close()
    assert sum(sizes) == 5_000_000
    assert max(sizes) <= 1024 * 1024


def test_a_body_left_unread_does_not_become_the_next_answer(misbehaving: Misbehaving) -> None:
    misbehaving.behaviours = [say(200, bytes(5_000_000)), say(200, b'{"next": 1}')]
    connection = connect(misbehaving.base_url)
    with connection.stream(Call("GET", "/", type(None))) as answer:
        answer.read(10)
    assert connection.ask(AGAIN) == {"next": 1}
    connection.close()

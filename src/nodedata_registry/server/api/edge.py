"""What every request meets first: an ASGI application around the one that routes.

In this order: a request id, the raw path, the rate limit, then the routed application with a watch on
the body's pace. Every answer leaves with `X-Request-Id` and the headers that no answer may lack.

This is an outer edge: whatever was not answered inside is logged here.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import math
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, cast

from litestar.enums import ScopeType
from litestar.types import ASGIApp, HTTPScope, LifeSpanReceive, LifeSpanSend, Message, Receive, Scope, Send

from nodedata_registry.errors import NodeDataError, RateLimited, RequestTimeout
from nodedata_registry.server.api.paths import check_raw_path
from nodedata_registry.server.api.problems import problem_body, problem_headers
from nodedata_registry.server.api.rates import Allowance, RateLimits, TokenBuckets
from nodedata_registry.server.api.status import status_of

log = logging.getLogger("nodedata_registry.api")

Headers = list[tuple[bytes, bytes]]

Spelling = Callable[[str, NodeDataError], tuple[int, dict[str, str], bytes] | None]
"""Status, headers and body of an error for clients of another protocol, by path; `None` for ours."""

_DEFAULT_HEADERS: dict[bytes, bytes] = {
    b"cache-control": b"no-store",
    b"x-content-type-options": b"nosniff",
    b"referrer-policy": b"same-origin",
    b"content-security-policy": b"default-src 'none'; frame-ancestors 'none'",
    b"vary": b"Authorization, Cookie",
}
"""Set where the answer does not say otherwise itself."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How slowly a body may arrive: never silent for `idle_seconds`, never below `bytes_per_second`.

    The average is judged once `grace_seconds` have passed.
    """

    idle_seconds: float = 30.0
    grace_seconds: float = 60.0
    bytes_per_second: float = 4096.0

    def allowed_seconds(self, received_bytes: int) -> float:
        """Return how long a body may have taken so far."""
        return self.grace_seconds + received_bytes / self.bytes_per_second


@dataclass(frozen=True, slots=True)
class Edge:
    """The outer application. `new_request_id` gives `req_…`; `now` is Unix time in seconds."""

    inner: ASGIApp
    new_request_id: Callable[[], str]
    now: Callable[[], float]
    rates: RateLimits = field(default_factory=RateLimits)
    pace: Pace = field(default_factory=Pace)
    spelling: Spelling = lambda _path, _error: None
    buckets: TokenBuckets = field(default_factory=lambda: TokenBuckets(time.monotonic))

    async def __call__(
        self, scope: Scope, receive: Receive | LifeSpanReceive, send: Send | LifeSpanSend
    ) -> None:
        """Answer one HTTP request, or pass the lifespan on."""
        receive, send = cast("Receive", receive), cast("Send", send)
        if scope["type"] == ScopeType.HTTP:
            await self._http(scope, receive, send)
        else:
            await self.inner(scope, receive, send)

    async def _http(self, scope: HTTPScope, receive: Receive, send: Send) -> None:
        exchange = _Exchange(scope, send, self.new_request_id())
        try:
            # Routing sees the path as it was sent; parameters are decoded after it (see `paths`).
            scope["path"] = check_raw_path(_raw_path(scope))
            self._count(exchange)
        except NodeDataError as error:
            await exchange.refuse(error, self.spelling)
            return
        try:
            await self.inner(scope, _Paced(receive, self.pace), exchange.send)
        except Exception:
            # Litestar answers errors itself; here only those arrive that came after the answer began.
            log.exception("request %s broke off", exchange.request_id)
            raise

    def _count(self, exchange: _Exchange) -> None:
        name, per_minute = _bucket_of(exchange.scope, self.rates)
        if per_minute == 0 or exchange.scope["path"] == "/healthz":
            return
        allowance = self.buckets.take(name, per_minute)
        exchange.extra = _rate_headers(allowance, self.now())
        if not allowance.allowed:
            seconds = math.ceil(allowance.retry_after_seconds)
            raise RateLimited(
                f"more than {allowance.limit} requests a minute: try again in {seconds} s",
                details={"retry_after_seconds": seconds},
            )


class _Exchange:
    """One request and what its answer must carry."""

    def __init__(self, scope: HTTPScope, send: Send, request_id: str) -> None:
        self.scope = scope
        self.request_id = request_id
        self.extra: Headers = []
        self._send = send
        self._head = scope["method"] == "HEAD"
        self._ended = False
        state = scope.setdefault("state", {})
        state["request_id"] = request_id
        state["head"] = self._head
        if self._head:
            # Every GET answers HEAD: it is routed as one and loses its body here.
            scope["method"] = "GET"

    async def send(self, message: Message) -> None:
        """Pass a message of the answer on, with our headers and, for HEAD, without a body."""
        if message["type"] == "http.response.start":
            given: Iterable[tuple[bytes, bytes]] = message["headers"]
            message["headers"] = self._complete(list(given))
        if self._head and message["type"] == "http.response.body":
            if self._ended:
                return
            self._ended = True
            message["body"], message["more_body"] = b"", False
        await self._send(message)

    async def refuse(self, error: NodeDataError, spelling: Spelling) -> None:
        """Answer an error before anything was routed."""
        path = _raw_path(self.scope).decode("latin-1")
        ours = status_of(error), problem_headers(error), problem_body(error, self.request_id)
        status, said, body = spelling(path, error) or ours
        headers: Headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
        headers += [(name.lower().encode(), value.encode("latin-1")) for name, value in said.items()]
        await self.send({"type": "http.response.start", "status": status, "headers": headers})
        await self.send({"type": "http.response.body", "body": body, "more_body": False})

    def _complete(self, headers: Headers) -> Headers:
        present = {name.lower() for name, _ in headers}
        missing = [(name, value) for name, value in _DEFAULT_HEADERS.items() if name not in present]
        return [*headers, *missing, *self.extra, (b"x-request-id", self.request_id.encode())]


class _Paced:
    """A `receive` that gives up on a body which stalls or drips."""

    def __init__(self, receive: Receive, pace: Pace) -> None:
        self._receive = receive
        self._pace = pace
        self._started = time.monotonic()
        self._received_bytes = 0
        self._whole = False

    async def __call__(self) -> Any:
        """Return the next message.

        Raises:
            RequestTimeout: silent for too long, or too slow on average.
        """
        if self._whole:
            # After the body this only waits for the client to leave, which may take for ever.
            return await self._receive()
        try:
            message = await asyncio.wait_for(self._receive(), self._pace.idle_seconds)
        except TimeoutError as error:
            raise _too_slow(f"nothing arrived for {self._pace.idle_seconds:g} s") from error
        if message["type"] == "http.request":
            self._received_bytes += len(message.get("body", b""))
            self._whole = not message.get("more_body", False)
        taken = time.monotonic() - self._started
        if not self._whole and taken > self._pace.allowed_seconds(self._received_bytes):
            raise _too_slow(f"{self._received_bytes} bytes in {taken:.0f} s are too slow")
        return message


def _too_slow(found: str) -> RequestTimeout:
    return RequestTimeout(f"the request's body did not arrive ({found}): send it again, it may be resumed")


def _raw_path(scope: HTTPScope) -> bytes:
    raw = scope.get("raw_path") or scope["path"].encode("utf-8", "surrogateescape")
    return raw.partition(b"?")[0]


def _bucket_of(scope: HTTPScope, rates: RateLimits) -> tuple[str, int]:
    for name, value in scope["headers"]:
        if name == b"authorization":
            # Hashed, so that no memory dump of the buckets shows a key.
            return "key:" + hashlib.sha256(value).hexdigest(), rates.per_key
    client = scope.get("client")
    return f"address:{client[0] if client else 'local'}", rates.per_address


def _rate_headers(allowance: Allowance, now: float) -> Headers:
    reset = math.ceil(now + allowance.full_after_seconds)
    return [
        (b"x-ratelimit-limit", b"%d" % allowance.limit),
        (b"x-ratelimit-remaining", b"%d" % allowance.remaining),
        (b"x-ratelimit-reset", b"%d" % reset),
    ]

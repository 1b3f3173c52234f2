"""An ASGI application called in this process: both bodies stream, and ends are clean."""

from __future__ import annotations

import asyncio
import threading
import time
import tracemalloc
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from typing import Any

import pytest

from nodedata_registry.errors import CannotStart, RegistryUnreachable, ServerError, TransferFailed
from nodedata_registry.sdk.inprocess import InProcessTransport
from nodedata_registry.sdk.transport import Exchange

Message = MutableMapping[str, Any]
MIB = 1024 * 1024


class Application:
    """A small ASGI application: `/echo`, `/zeros/<mib>`, `/fail`, `/break`, `/never`."""

    def __init__(self) -> None:
        self.started = self.stopped = False
        self.sent_bytes = 0
        self.seen: dict[str, Any] = {}
        self.cancelled = threading.Event()

    async def __call__(
        self,
        scope: MutableMapping[str, Any],
        receive: Callable[[], Awaitable[Message]],
        send: Callable[[Message], Awaitable[None]],
    ) -> None:
        if scope["type"] == "lifespan":
            await receive()
            self.started = True
            await send({"type": "lifespan.startup.complete"})
            await receive()
            self.stopped = True
            await send({"type": "lifespan.shutdown.complete"})
            return
        self.seen = dict(scope)
        name = scope["path"].split("/")[1]
        await getattr(self, f"answer_{name}")(scope, receive, send)

    async def answer_echo(self, scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"X-Kind", b"echo")]})
        while True:
            message = await receive()
            await send(
                {
                    "type": "http.response.body",
                    "body": message["body"],
                    "more_body": message.get("more_body", False),
                }
            )
            if not message.get("more_body", False):
                return

    async def answer_zeros(self, scope: Any, receive: Any, send: Any) -> None:
        count = int(scope["path"].split("/")[2])
        await send({"type": "http.response.start", "status": 200})
        try:
            for _ in range(count):
                await send({"type": "http.response.body", "body": bytes(MIB), "more_body": True})
                self.sent_bytes += MIB
        except asyncio.CancelledError:
            self.cancelled.set()
            raise
        await send({"type": "http.response.body", "body": b""})

    async def answer_fail(self, scope: Any, receive: Any, send: Any) -> None:
        raise RuntimeError("broken on purpose")

    async def answer_break(self, scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200})
        await send({"type": "http.response.body", "body": b"half", "more_body": True})
        raise RuntimeError("broken on purpose")

    async def answer_never(self, scope: Any, receive: Any, send: Any) -> None:
        await asyncio.sleep(30)


def exchange(target: str, body: bytes | None = None, seconds: float = 5.0) -> Exchange:
    return Exchange("GET" if body is None else "PUT", target, {"accept": "*/*"}, body, 1.0, seconds)


def read_all(transport: InProcessTransport, target: str, body: bytes | None = None) -> bytes:
    with transport.open(exchange(target, body)) as answer:
        return b"".join(iter(answer.read, b""))


@pytest.fixture
def application() -> Application:
    return Application()


@pytest.fixture
def transport(application: Application) -> Iterator[InProcessTransport]:
    made = InProcessTransport(application)
    yield made
    made.close()


def test_the_application_starts_with_the_transport_and_stops_with_it(application: Application) -> None:
    transport = InProcessTransport(application)
    assert application.started
    transport.close()
    transport.close()
    assert application.stopped


def test_what_is_sent_comes_back(transport: InProcessTransport) -> None:
    body = bytes(range(256)) * 20_000
    assert read_all(transport, "/echo", body) == body


def test_an_empty_body_is_a_body(transport: InProcessTransport) -> None:
    assert read_all(transport, "/echo", b"") == b""


def test_header_names_arrive_in_lower_case(transport: InProcessTransport) -> None:
    with transport.open(exchange("/echo")) as answer:
        assert (answer.status, answer.headers) == (200, {"x-kind": "echo"})


def test_the_application_sees_raw_and_decoded_path(
    transport: InProcessTransport, application: Application
) -> None:
    read_all(transport, "/echo/%5E1%20x?a=1&b=%20")
    assert application.seen["path"] == "/echo/^1 x"
    assert application.seen["raw_path"] == b"/echo/%5E1%20x"
    assert application.seen["query_string"] == b"a=1&b=%20"


def test_memory_stays_flat_however_large_the_answer(transport: InProcessTransport) -> None:
    tracemalloc.start()
    total = 0
    with transport.open(exchange("/zeros/200")) as answer:
        while piece := answer.read():
            total += len(piece)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert total == 200 * MIB
    assert peak < 24 * MIB


def test_an_application_waits_for_a_slow_reader(
    transport: InProcessTransport, application: Application
) -> None:
    with transport.open(exchange("/zeros/100")) as answer:
        answer.read()
        time.sleep(0.2)
        assert application.sent_bytes <= 16 * MIB


def test_an_abandoned_answer_ends_the_application(
    transport: InProcessTransport, application: Application
) -> None:
    with transport.open(exchange("/zeros/100")) as answer:
        answer.read()
    assert application.cancelled.wait(5)
    assert read_all(transport, "/echo", b"next") == b"next"


def test_a_failure_before_the_answer_is_the_registrys_failure(transport: InProcessTransport) -> None:
    with pytest.raises(ServerError, match="broken on purpose"):
        read_all(transport, "/fail")


def test_a_failure_within_the_answer_is_an_answer_that_broke_off(transport: InProcessTransport) -> None:
    with transport.open(exchange("/break")) as answer:
        assert answer.read() == b"half"
        with pytest.raises(TransferFailed):
            answer.read()


def test_silence_is_bounded(transport: InProcessTransport) -> None:
    with pytest.raises(RegistryUnreachable), transport.open(exchange("/never", seconds=0.1)):
        pass


def test_a_closed_transport_says_so(application: Application) -> None:
    transport = InProcessTransport(application)
    transport.close()
    with pytest.raises(RegistryUnreachable, match="closed"):
        read_all(transport, "/echo")


def test_many_threads_share_one_transport(transport: InProcessTransport) -> None:
    failures: list[int] = []

    def work(number: int) -> None:
        body = bytes([number]) * (2 * MIB + number)
        if read_all(transport, "/echo", body) != body:
            failures.append(number)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


def test_an_application_without_lifespan_is_used_all_the_same() -> None:
    async def plain(scope: Any, receive: Any, send: Any) -> None:
        assert scope["type"] == "http"
        await send({"type": "http.response.start", "status": 204})
        await send({"type": "http.response.body", "body": b""})

    transport = InProcessTransport(plain)
    with transport.open(exchange("/")) as answer:
        assert answer.status == 204
    transport.close()


def test_an_application_that_refuses_to_start_is_reported() -> None:
    async def refusing(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "lifespan.startup.failed", "message": "no disk"})

    with pytest.raises(CannotStart, match="no disk"):
        InProcessTransport(refusing)

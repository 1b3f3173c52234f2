"""A registry in this process: the same ASGI application, called without a socket.

One thread runs the event loop. Bodies go both ways in pieces of 1 MiB; at most 8 MiB of an answer
wait to be read, then the application waits, so memory stays flat whatever the size.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Awaitable, Callable, Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import unquote

from nodedata_registry.errors import CannotStart, RegistryUnreachable, ServerError, TransferFailed
from nodedata_registry.sdk.transport import PIECE_BYTES, Answer, Exchange

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
AsgiApp = Callable[[MutableMapping[str, Any], Receive, Send], Awaitable[None]]

_WAITING_BYTES = 8 * PIECE_BYTES
_LIFESPAN_SECONDS = 120.0


class InProcessTransport:
    """Carries exchanges to an ASGI application that runs in a thread of its own."""

    def __init__(self, app: AsgiApp) -> None:
        self._app = app
        self._loop = asyncio.new_event_loop()
        self._state: dict[str, Any] = {}
        self._thread = threading.Thread(target=self._loop.run_forever, name="node-data-registry", daemon=True)
        self._thread.start()
        self._lifespan = _Lifespan(app, self._state)
        try:
            self._call(self._lifespan.start())
        except BaseException:
            self._stop_loop()
            raise

    @contextmanager
    def open(self, exchange: Exchange) -> Iterator[Answer]:
        """Run the application for one request."""
        if self._loop.is_closed():
            raise RegistryUnreachable("this registry was closed; make a new NodeData(path=…)")
        pipe = _Pipe(self._loop, exchange.body or b"", exchange.silence_seconds)
        scope = _scope(exchange, self._state)
        task = asyncio.run_coroutine_threadsafe(pipe.run(self._app, scope), self._loop)
        try:
            pipe.wait_for_start()
            yield pipe
        finally:
            pipe.abandon()
            # What runs on after a whole answer is the application's own affair (background work).
            if not pipe.ended:
                task.cancel()

    def close(self) -> None:
        """Let the application shut down and end the thread."""
        if self._loop.is_closed():
            return
        try:
            self._call(self._lifespan.stop())
        finally:
            self._stop_loop()

    def _call(self, work: Any) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(_LIFESPAN_SECONDS)

    def _stop_loop(self) -> None:
        asyncio.run_coroutine_threadsafe(_cancel_rest(), self._loop).result(_LIFESPAN_SECONDS)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


async def _cancel_rest() -> None:
    """Cancel what still runs, so that no task is destroyed while pending."""
    rest = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    for task in rest:
        task.cancel()
    await asyncio.gather(*rest, return_exceptions=True)
    await asyncio.get_running_loop().shutdown_asyncgens()
    await asyncio.get_running_loop().shutdown_default_executor()


class _Pipe:
    """One request in flight: the application writes on the loop, one other thread reads."""

    def __init__(self, loop: asyncio.AbstractEventLoop, body: bytes, silence_seconds: float) -> None:
        self.status = 0
        self.headers: Mapping[str, str] = {}
        self._loop = loop
        self._body = memoryview(body)
        self._body_sent = False
        self._silence_seconds = silence_seconds
        self._changed = threading.Condition()
        self._pieces: deque[bytes] = deque()
        self._waiting_bytes = 0
        self._started = self._ended = self._abandoned = False
        self._failure: BaseException | None = None
        self._room = asyncio.Event()

    # --- on the loop ---

    async def run(self, app: AsgiApp, scope: dict[str, Any]) -> None:
        """Run the application to its end; whatever it raises becomes an error of the reader."""
        failure: BaseException | None = None
        try:
            await app(scope, self._receive, self._send)
        except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001 - an outer edge: a server's
            failure = error
        with self._changed:
            self._failure = failure if not self._ended else None
            self._ended = True
            self._changed.notify_all()

    async def _receive(self) -> Message:
        if self._abandoned:
            return {"type": "http.disconnect"}
        if self._body_sent:
            return await self._until_abandoned()
        piece, self._body = bytes(self._body[:PIECE_BYTES]), self._body[PIECE_BYTES:]
        self._body_sent = not self._body
        return {"type": "http.request", "body": piece, "more_body": not self._body_sent}

    async def _until_abandoned(self) -> Message:
        while not (self._abandoned or self._ended):
            self._room.clear()
            await self._room.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            with self._changed:
                self.status = message["status"]
                self.headers = {
                    bytes(name).decode("latin-1").lower(): bytes(value).decode("latin-1")
                    for name, value in message.get("headers", ())
                }
            return
        body = bytes(message.get("body", b""))
        with self._changed:
            self._started = True
            if body and not self._abandoned:
                self._pieces.append(body)
                self._waiting_bytes += len(body)
            self._ended = not message.get("more_body", False)
            self._changed.notify_all()
        if self._ended:
            self._room.set()
        while self._waiting_bytes > _WAITING_BYTES and not self._abandoned:
            self._room.clear()
            await self._room.wait()

    # --- in the reading thread ---

    def wait_for_start(self) -> None:
        """Return when status and headers are there; raises `ServerError` if they never will be."""
        with self._changed:
            answered = self._changed.wait_for(lambda: self._started or self._ended, self._silence_seconds)
            if not answered:
                raise RegistryUnreachable(f"no answer within {self._silence_seconds:g} s")
            if not self._started:
                raise ServerError(f"the registry failed: {self._failure!r}") from self._failure

    def read(self, size_bytes: int = PIECE_BYTES) -> bytes:
        """Return up to `size_bytes` of the body; empty at its end."""
        with self._changed:
            if not self._changed.wait_for(lambda: self._pieces or self._ended, self._silence_seconds):
                raise TransferFailed(f"no bytes within {self._silence_seconds:g} s")
            if not self._pieces:
                if self._failure is not None:
                    raise TransferFailed(f"the answer broke off: {self._failure!r}") from self._failure
                return b""
            piece = self._pieces.popleft()
            if len(piece) > size_bytes:
                self._pieces.appendleft(piece[size_bytes:])
                piece = piece[:size_bytes]
            self._waiting_bytes -= len(piece)
        self._wake()
        return piece

    @property
    def ended(self) -> bool:
        """Whether the application has sent the whole answer, or failed."""
        return self._ended

    def abandon(self) -> None:
        """Tell the application that nobody reads on."""
        self._abandoned = True
        self._wake()

    def _wake(self) -> None:
        self._loop.call_soon_threadsafe(self._room.set)


class _Lifespan:
    """The application's start and stop, as ASGI's lifespan protocol has them."""

    def __init__(self, app: AsgiApp, state: dict[str, Any]) -> None:
        self._app = app
        self._state = state
        self._stopping = asyncio.Event()
        self._begun = False
        self._task: asyncio.Task[None] | None = None
        self._answers: asyncio.Queue[Message] = asyncio.Queue()

    async def start(self) -> None:
        """Return when the application is ready; raises what it raised."""
        self._task = asyncio.get_running_loop().create_task(self._run())
        answer = await self._next_answer()
        if answer["type"] == "lifespan.startup.failed":
            raise CannotStart(f"the registry cannot start here: {answer.get('message', '')}")

    async def stop(self) -> None:
        """Return when the application has shut down."""
        self._stopping.set()
        if self._task is not None:
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        scope = {"type": "lifespan", "asgi": {"version": "3.0", "spec_version": "2.0"}, "state": self._state}
        await self._app(scope, self._receive, self._send)

    async def _next_answer(self) -> Message:
        waiting = asyncio.ensure_future(self._answers.get())
        assert self._task is not None
        await asyncio.wait({waiting, self._task}, return_when=asyncio.FIRST_COMPLETED)
        if waiting.done():
            return waiting.result()
        waiting.cancel()
        # An application without lifespan ends or raises at once; ASGI says to go on without it.
        self._task.exception()
        return {"type": "lifespan.startup.complete"}

    async def _receive(self) -> Message:
        if not self._begun:
            self._begun = True
            return {"type": "lifespan.startup"}
        await self._stopping.wait()
        return {"type": "lifespan.shutdown"}

    async def _send(self, message: Message) -> None:
        await self._answers.put(message)


def _scope(exchange: Exchange, state: dict[str, Any]) -> dict[str, Any]:
    raw_path, _, query = exchange.target.partition("?")
    headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in exchange.headers.items()]
    headers.append((b"host", b"localhost"))
    if exchange.body is not None:
        headers.append((b"content-length", str(len(exchange.body)).encode()))
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": exchange.method,
        "scheme": "http",
        "path": unquote(raw_path),
        "raw_path": raw_path.encode("ascii"),
        "query_string": query.encode("ascii"),
        "root_path": "",
        "headers": headers,
        "client": ("127.0.0.1", 0),
        "server": ("localhost", 80),
        "state": dict(state),
        "extensions": {},
    }

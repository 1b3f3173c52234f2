"""A registry behind a socket: `node-data serve`.

One process: Granian runs the application on this process's event loop, handlers in threads. The port
is claimed before anything else is touched, for Granian binds with SO_REUSEPORT and would otherwise
share a taken port with whoever has it.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field

from granian.constants import HTTPModes, Interfaces
from granian.http import HTTP1Settings
from granian.server.embed import Server

from nodedata_registry.errors import CannotStart, DataFolderInUse, PortInUse
from nodedata_registry.server.api.edge import Edge
from nodedata_registry.server.app import OpenedRegistry, create_app, open_registry, prepare_folder
from nodedata_registry.server.config import Settings
from nodedata_registry.server.jobs.locks import SERVE, holder_of, take_lock
from nodedata_registry.server.service.accounts import FirstStart, first_start

Say = Callable[[str], None]

_HANDLER_THREADS = 32

_HEADER_BYTES = 65_536
"""Request line and headers together; more is 431."""


@dataclass(frozen=True, slots=True)
class Started:
    """What is known once the server listens: its address, and the owner key if this start made it."""

    url: str
    port: int
    owner_key: str | None
    warning: str | None


@dataclass(slots=True)
class Stopper:
    """Asks a running server to stop, from any thread; before the start it is remembered."""

    _asked: threading.Event = field(default_factory=threading.Event)
    _act: Callable[[], None] | None = None

    def stop(self) -> None:
        """Stop accepting, finish what is being answered, and return from `serve`."""
        self._asked.set()
        if self._act is not None:
            self._act()

    def attach(self, act: Callable[[], None]) -> None:
        """Say how to stop; acts at once if somebody has asked already."""
        self._act = act
        if self._asked.is_set():
            act()


def serve(
    settings: Settings,
    *,
    on_started: Callable[[Started], None],
    stopper: Stopper | None = None,
) -> None:
    """Serve a data folder until SIGINT, SIGTERM or `stopper`; what is being answered is finished.

    `on_started` is called once, when the server answers.

    Raises:
        PortInUse, DataFolderInUse, DataFolderNotWritable, CatalogTooNew, CannotStart: one sentence each.
        InvalidRequest: `owner_key` has not the syntax of a key.
    """
    address = resolve_host(settings.host)
    with claim_port(address, settings.port) as port, _served_folder(settings) as opened:
        first = first_start(opened.registry, settings.owner_key)
        app = create_app(opened, rates=settings.rates, public_url=settings.public_url)
        started = _started(settings, port, first)
        asyncio.run(_run(app, settings, (address, port), lambda: on_started(started), stopper or Stopper()))


def resolve_host(host: str) -> str:
    """Return the numeric address of a host name, an IPv4 one where it has both.

    Raises:
        CannotStart: the name has no address.
    """
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError) as error:
        raise CannotStart(f"cannot listen on {host}: that name has no address ({error})") from error
    addresses = [(family != socket.AF_INET, str(address[0])) for family, _, _, _, address in found]
    return min(addresses, key=lambda one: one[0])[1]


@contextmanager
def claim_port(host: str, port: int) -> Iterator[int]:
    """Hold a port for this process and yield its number; 0 claims a free one.

    A listening socket without SO_REUSEPORT proves that nobody else listens. Then a bound, never
    listening one with SO_REUSEPORT keeps the number while Granian listens beside it.

    Raises:
        PortInUse: another process listens there.
        CannotStart: the address is not this machine's, or the port is not for this user.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        _bind(probe, host, port)
        claimed = int(probe.getsockname()[1])
    with socket.socket(family, socket.SOCK_STREAM) as holder:
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        _bind(holder, host, claimed, listen=False)
        yield claimed


def _bind(sock: socket.socket, host: str, port: int, *, listen: bool = True) -> None:
    try:
        sock.bind((host, port))
        if listen:
            sock.listen(1)
    except (OSError, OverflowError) as error:
        number = getattr(error, "errno", None)
        if number == errno.EADDRINUSE:
            raise PortInUse(
                f"port {port} of {host} is taken by another process: choose one with --port"
            ) from error
        raise CannotStart(f"cannot listen on {host} port {port}: {error}") from error


@contextmanager
def _served_folder(settings: Settings) -> Iterator[OpenedRegistry]:
    folder = prepare_folder(settings.data)
    lock = take_lock(folder, SERVE)
    if lock is None:
        raise DataFolderInUse(
            f"another server (process {holder_of(folder, SERVE)}) works in {folder}:"
            " stop it, or choose another folder with --data"
        )
    try:
        opened = open_registry(folder, require_key=settings.require_key)
        try:
            yield opened
        finally:
            opened.close()
    finally:
        lock.release()


def _started(settings: Settings, port: int, first: FirstStart) -> Started:
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    return Started(f"http://{host}:{port}", port, first.owner_key, first.warning)


async def _run(
    app: Edge, settings: Settings, at: tuple[str, int], ready: Callable[[], None], stopper: Stopper
) -> None:
    address, port = at
    server = Server(
        app,
        address=address,
        port=port,
        interface=Interfaces.ASGI,
        http=HTTPModes.http1,
        websockets=False,
        log_enabled=False,
        http1_settings=HTTP1Settings(max_buffer_size=_HEADER_BYTES),
        backlog=1024,
    )
    # What a client never finishes must not keep the server from stopping.
    server.workers_kill_timeout = settings.drain_seconds
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(_tell_failure)
    # Handlers run in these threads; the loop's own default would be 6 of them on two cores.
    loop.set_default_executor(ThreadPoolExecutor(_HANDLER_THREADS, thread_name_prefix="handler"))
    stopper.attach(lambda: _stop(loop, server))
    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, stopper.stop)
    serving = asyncio.create_task(server.serve())
    if await _listens(address, port, serving):
        ready()
    # Granian says so with this error when the time for draining is over, which is no failure.
    with contextlib.suppress(TimeoutError):
        await serving


def _tell_failure(loop: asyncio.AbstractEventLoop, context: dict[str, object]) -> None:
    """Log what fails on the loop, but for Granian answering a future that draining has cancelled."""
    if not isinstance(context.get("exception"), asyncio.InvalidStateError):
        loop.default_exception_handler(context)


def _stop(loop: asyncio.AbstractEventLoop, server: Server) -> None:
    with contextlib.suppress(RuntimeError):  # the loop has ended, and the server with it
        loop.call_soon_threadsafe(server.stop)


async def _listens(address: str, port: int, serving: asyncio.Task[None]) -> bool:
    """Return true once the port accepts connections, false if the server ended before that."""
    target = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(address, address)
    while not serving.done():
        with contextlib.suppress(OSError):
            _, writer = await asyncio.open_connection(target, port)
            writer.close()
            return True
        await asyncio.sleep(0.01)
    return False


def describe_start(started: Started, settings: Settings) -> list[str]:
    """Return the lines that `node-data serve` prints when it is ready; the owner key stands there once."""
    lines = []
    if started.owner_key is not None and settings.owner_key is None:
        lines.append(f"Owner key (shown this once): {started.owner_key}")
    if started.warning is not None:
        lines.append(f"Warning: {started.warning}")
    seen_at = f"{settings.public_url}, listening on {started.url}" if settings.public_url else started.url
    lines.append(f"Serving {settings.data} at {seen_at} (process {os.getpid()})")
    return lines

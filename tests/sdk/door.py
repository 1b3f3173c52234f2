"""A real registry behind a real socket, with a door that a test can slow, cut or shut.

The application is the one that `serve` runs; only the socket in front of it is a test's own, so that
connections can break at a chosen byte.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote

from nodedata_registry.sdk.inprocess import InProcessTransport
from nodedata_registry.sdk.transport import Answer, Exchange


@dataclass
class Door:
    """What happens at the door. `cut_after` ends one answer after so many bytes of a body, once."""

    base_url: str = ""
    shut: bool = False
    delay_seconds: float = 0.0
    cut_after: int | None = None
    damage: bool = False
    requests: list[str] = field(default_factory=list)
    sent_bytes: int = 0
    received_bytes: int = 0
    before: Callable[[str], None] | None = None

    def count(self, part: str) -> int:
        """Return how many requests had this text in method and path."""
        return sum(part in request for request in self.requests)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Head and body go out apart: without this each answer waits 40 ms for an acknowledgement.
    disable_nagle_algorithm = True
    door: Door
    transport: InProcessTransport

    def answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        door = self.door
        request = f"{self.command} {unquote(self.path)}"
        door.requests.append(request)
        door.received_bytes += len(body)
        if door.before is not None:
            door.before(request)
        time.sleep(door.delay_seconds)
        if door.shut:
            self._hang_up()
            return
        headers = {name.lower(): value for name, value in self.headers.items()}
        headers.pop("content-length", None)
        headers.pop("host", None)
        given = body if self.command in ("POST", "PUT", "PATCH") else None
        exchange = Exchange(self.command, self.path, headers, given, 3.0, 60.0)
        with self.transport.open(exchange) as answer:
            self._pass_on(answer)

    def _pass_on(self, answer: Answer) -> None:
        self.send_response(answer.status)
        names = {name for name, _ in answer.headers.items()}
        for name, value in answer.headers.items():
            if name not in ("date", "server", "transfer-encoding", "connection"):
                self.send_header(name, value)
        if "content-length" not in names:
            self.send_header("connection", "close")
            self.close_connection = True
        self.end_headers()
        while piece := answer.read():
            cut = self.door.cut_after
            if cut is not None and "/files/" in self.path:
                if cut < len(piece):
                    self.wfile.write(piece[:cut])
                    self.wfile.flush()
                    self.door.cut_after = None
                    self._hang_up()
                    return
                self.door.cut_after = cut - len(piece)
            if self.door.damage and "/files/" in self.path:
                piece = bytes([piece[0] ^ 1]) + piece[1:]
            self.wfile.write(piece)
            self.door.sent_bytes += len(piece)

    def _hang_up(self) -> None:
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = do_PATCH = answer  # noqa: N815

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        return


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing: broken connections are what these tests are about."""


@contextmanager
def open_door(folder: Path, api_key: str | None = None) -> Iterator[Door]:
    """Serve the registry in a folder; requests without a key act as its owner unless one is named."""
    # Imported here: the tests of the light parts run without the server's packages too.
    from nodedata_registry.server.app import open_local

    local = open_local(folder, api_key)
    try:
        with door_before(local.app) as door:
            yield door
    finally:
        local.close()


@contextmanager
def door_before(app: object) -> Iterator[Door]:
    """Serve an ASGI application behind a door; its end is left to the caller."""
    transport = InProcessTransport(app)  # type: ignore[arg-type]
    door = Door()
    handler = type("Handler", (_Handler,), {"door": door, "transport": transport})
    server = _Server(("127.0.0.1", 0), handler)
    door.base_url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield door
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
        transport.close()
